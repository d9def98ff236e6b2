//! What `io.debezium.converters.CloudEventsConverter` writes. Recognised, so that it is named; not decoded.

use super::fields::Fields;

/// The reason.
pub(super) const NOT_DECODED: &str = "CloudEvents, not decoded";

/// Whether an object is a CloudEvent of Debezium's. A row may have columns of these names, but hardly with this type.
pub(super) fn is_one(fields: &Fields<'_>) -> bool {
    let of_debezium = fields
        .string("type")
        .is_some_and(|kind| kind.starts_with("io.debezium."));
    of_debezium
        && ["id", "source", "specversion"]
            .iter()
            .all(|name| fields.present(name).is_some())
}
