//! What Debezium publishes in the place of a large value that an update left alone and the log does not repeat
//! (`unavailable.value.placeholder`): a text, or something made of it that fits the column's type.
//!
//! The rule it protects: a placeholder is no value. The topic does not have the value; that is no change of it.

use super::encoding::Encoding;
use super::modes::{ConverterModes, PLACEHOLDER};

/// The name-based UUID that Debezium makes of its own default.
const UUID: &str = "b68a35a7-17ad-35b3-af2a-ae46edb4545a";

/// Whether an array of such elements can be told from what stands in for one.
pub(super) fn told_apart(element: &Encoding, modes: &ConverterModes) -> bool {
    *element != Encoding::Uuid || modes.placeholder == PLACEHOLDER
}

/// Whether an array is what stands in for one. Texts and bytes are looked at one by one where they are read.
pub(super) fn is_array(
    element: &Encoding,
    values: &[Option<String>],
    modes: &ConverterModes,
) -> bool {
    match element {
        Encoding::Integer | Encoding::Days => {
            let bytes = modes.placeholder.as_bytes();
            let same =
                |(value, byte): (&Option<String>, &u8)| value.as_deref() == Some(&byte.to_string());
            values.len() == bytes.len() && values.iter().zip(bytes).all(same)
        }
        Encoding::Uuid => matches!(values, [Some(only)] if only == UUID),
        _ => false,
    }
}
