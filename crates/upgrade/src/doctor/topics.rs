//! The topics of the stream.

use cutover_model::doctor::Diagnosis;
use cutover_model::lint::Severity::Warning;

use super::facts::DoctorFacts;
use super::found;

pub(super) fn findings(facts: &DoctorFacts) -> Vec<Diagnosis> {
    let Some(kafka) = &facts.kafka else {
        return Vec::new();
    };
    let compacted = kafka.compacted.iter();
    compacted
        .map(|topic| {
            let evidence =
                "it is compacted: records are removed from the midst of it, so what was \
                delivered cannot be proven from it"
                    .to_owned();
            let remedy = "for the time of an upgrade: kafka-configs --alter --entity-type topics \
                --add-config cleanup.policy=delete,retention.ms=-1"
                .to_owned();
            found(
                "CUT-DOC-070",
                Warning,
                format!("topic {topic}"),
                (evidence, remedy),
            )
        })
        .collect()
}
