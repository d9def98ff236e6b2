//! What the records of a sequence came to.

use std::collections::BTreeMap;

use cutover_model::evidence::PayloadEvidence;

const SAMPLES_MAX: usize = 20;
/// Reasons that are counted each by itself; names out of records can make any number of them.
const KINDS_MAX: usize = 50;
const OTHER_KINDS: &str = "other reasons";

/// Counts, and what was seen on the way.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) published: u64,
    pub(super) snapshot: u64,
    pub(super) tombstones: u64,
    pub(super) messages: u64,
    pub(super) without_lsn: u64,
    pub(super) without_op: u64,
    undecoded: u64,
    samples: Vec<String>,
    kinds: BTreeMap<String, u64>,
    formats: Vec<&'static str>,
    /// What keeps the recording from being complete.
    pub(super) problems: Vec<String>,
}

impl Tally {
    pub(super) fn form(&mut self, form: &'static str) {
        if !self.formats.contains(&form) {
            self.formats.push(form);
        }
    }

    pub(super) fn undecoded(&mut self, place: &dyn Fn() -> String, reason: &str) {
        self.undecoded += 1;
        self.kind(reason, 1);
        if self.samples.len() < SAMPLES_MAX {
            self.samples.push(format!("{}: {reason}", place()));
        }
    }

    fn kind(&mut self, reason: &str, records: u64) {
        let own = self.kinds.contains_key(reason) || self.kinds.len() < KINDS_MAX;
        let kind = if own { reason } else { OTHER_KINDS };
        *self.kinds.entry(kind.to_owned()).or_default() += records;
    }

    /// Takes over the tally of what comes next.
    pub(super) fn add(&mut self, next: Tally) {
        self.published += next.published;
        self.snapshot += next.snapshot;
        self.tombstones += next.tombstones;
        self.messages += next.messages;
        self.without_lsn += next.without_lsn;
        self.without_op += next.without_op;
        self.undecoded += next.undecoded;
        for (reason, records) in next.kinds {
            self.kind(&reason, records);
        }
        self.samples.extend(next.samples);
        self.samples.truncate(SAMPLES_MAX);
        next.formats.into_iter().for_each(|form| self.form(form));
        self.problems.extend(next.problems);
    }

    pub(super) fn payload(&self) -> PayloadEvidence {
        let format = if self.formats.is_empty() {
            "no change records".to_owned()
        } else {
            self.formats.join("; ")
        };
        PayloadEvidence {
            format,
            has_lsn: self.without_lsn == 0,
            has_op: self.without_op == 0,
            undecoded: self.undecoded,
            undecoded_samples: self.samples.clone(),
            undecoded_kinds: self.kinds.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_counted_by_the_reason_whoever_read_them_and_no_reason_takes_all_memory() {
        let place = || "t/0/1".to_owned();
        let (mut one, mut two) = (Tally::default(), Tally::default());
        one.undecoded(&place, "no JSON");
        two.undecoded(&place, "no JSON");
        two.undecoded(&place, "record key: no JSON");
        one.add(two);
        let counts = |tally: &Tally| tally.payload().undecoded_kinds.into_iter().collect();
        let counted: Vec<(String, u64)> = counts(&one);
        let expected = [("no JSON", 2), ("record key: no JSON", 1)];
        assert_eq!(
            counted,
            expected.map(|(why, times)| (why.to_owned(), times))
        );
        for number in 0..1_000 {
            one.undecoded(
                &place,
                &format!("s.t{number} is not among the captured tables"),
            );
        }
        let payload = one.payload();
        assert_eq!(payload.undecoded_kinds.len(), KINDS_MAX + 1);
        assert_eq!(
            payload.undecoded_kinds.values().sum::<u64>(),
            payload.undecoded
        );
    }
}
