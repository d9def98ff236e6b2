//! The four classic counts, each beside the verdict of events: as lines of the closing screen and of JUnit, as rows of
//! the tables in page and document.

use cutover_model::naive::NaiveCount;

use crate::text::{foreign, safe};

/// What the table is for.
pub(crate) const WHAT: &str =
    "By these counts people usually check a stream. None of them is part of the verdict.";

/// The heads of the table.
pub(crate) const HEADS: [&str; 6] = [
    "table",
    "question",
    "counted",
    "the count says",
    "the events say",
    "why it misleads",
];

/// One count as a row.
pub(crate) fn row(count: &NaiveCount) -> [String; 6] {
    [
        foreign(&count.relation),
        count.question.words().to_owned(),
        safe(&count.counted),
        count.concluded.to_string(),
        count.verdict.to_string(),
        safe(count.misleads.as_deref().unwrap_or("both say the same")),
    ]
}

/// One line for each count, and one for why it misleads.
pub(crate) fn lines(counts: &[NaiveCount]) -> Vec<String> {
    let mut lines = Vec::new();
    for count in counts {
        lines.push(format!(
            "{} {} {}: the count says {}, the events say {}",
            foreign(&count.relation),
            count.question.words(),
            safe(&count.counted),
            count.concluded,
            count.verdict
        ));
        lines.extend(
            count
                .misleads
                .as_ref()
                .map(|why| format!("  it misleads: {}", safe(why))),
        );
    }
    lines
}

#[cfg(test)]
mod tests {
    use cutover_model::Verdict;
    use cutover_model::naive::NaiveQuestion;

    use super::*;

    #[test]
    fn a_count_stands_beside_the_verdict_and_foreign_names_stay_text() {
        let told = lines(&[NaiveCount {
            question: NaiveQuestion::LsnUnique,
            relation: "a\u{1b}[31mb".into(),
            counted: "3 messages repeat an LSN".into(),
            concluded: Verdict::Fail,
            verdict: Verdict::Pass,
            misleads: Some("rows of one COPY share it".into()),
        }]);
        assert_eq!(told.len(), 2);
        assert!(
            told[0].contains("the count says fail, the events say pass"),
            "{told:?}"
        );
        assert!(!told[0].contains('\u{1b}'));
    }
}
