//! What the records of a sequence came to.

use cutover_model::evidence::PayloadEvidence;

const SAMPLES_MAX: usize = 20;

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
        if self.samples.len() < SAMPLES_MAX {
            self.samples.push(format!("{}: {reason}", place()));
        }
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
        }
    }
}
