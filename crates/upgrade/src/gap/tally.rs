//! Adds up what the buckets hold to one report. Pure.
//!
//! The rule it protects: counts are whole, lists are bounded and say what they leave out, and each part of the gap
//! says how it can be closed, or why it cannot.

use cutover_audit::gap::BucketGap;
use cutover_model::gap::{
    Closure, ClosureCounts, GAP_FORMAT, GapAction, GapPart, GapReport, KeyCounts, KeyGap,
    KeyTrouble, KeylessGap,
};
use cutover_model::{ExitCode, Finding};

use super::forms::DeleteForm;
use super::plan::plan;
use super::signals::Signals;

/// Keys and events that are listed.
pub const LISTED: usize = 1_000;

/// What was found so far.
#[derive(Debug, Default)]
pub struct Tally {
    /// Keys by what is wrong.
    pub keys: KeyCounts,
    /// Keys by how they can be closed.
    pub closable: ClosureCounts,
    /// By what is wrong: how many of them records close.
    by_records: KeyCounts,
    keyless: Vec<KeylessGap>,
    listed_keys: Vec<KeyGap>,
    listed_events: Vec<Finding>,
    not_listed: u64,
    lost: u64,
    phantom: u64,
    signals: Signals,
}

impl Tally {
    /// Adds one bucket.
    pub fn add(&mut self, bucket: BucketGap, form: &DeleteForm, envelopes: bool) {
        for state in &bucket.keys {
            self.key(plan(state, form, envelopes));
        }
        self.keyless.extend(bucket.keyless);
        self.lost += bucket.lost;
        self.phantom += bucket.phantom;
        let room = LISTED.saturating_sub(self.listed_events.len());
        let found = bucket.lost + bucket.phantom;
        let listed = bucket.events.len().min(room);
        self.not_listed += found.saturating_sub(listed as u64);
        self.listed_events
            .extend(bucket.events.into_iter().take(room));
    }

    fn key(&mut self, key: KeyGap) {
        self.keys.add(key.trouble, key.newer);
        if !key.newer {
            self.closable.add(key.closure);
            match key.closure {
                Closure::ByRecords => self.by_records.add(key.trouble, false),
                Closure::ByReread => self.signals.add(&key),
                Closure::No => {}
            }
        }
        if self.listed_keys.len() < LISTED {
            self.listed_keys.push(key);
        } else {
            self.not_listed += 1;
        }
    }

    /// The report; `unknown` says why lost events and phantoms are not known.
    pub fn report(
        mut self,
        run_dir: String,
        action: GapAction,
        unknown: (bool, bool),
    ) -> GapReport {
        self.keyless.sort_by(|a, b| a.relation.cmp(&b.relation));
        let parts = self.parts(unknown);
        let (signals, unsignalled) = self.signals.finish();
        let mut reasons = Vec::new();
        if unsignalled > 0 {
            reasons.push(format!(
                "{unsignalled} keys that need a re-read are in no signal: read their tables as a whole"
            ));
        }
        GapReport {
            format: GAP_FORMAT.into(),
            run_dir,
            action,
            exit_code: ExitCode::Pass.number(),
            reasons,
            lost: (!unknown.0).then_some(self.lost),
            phantom: (!unknown.1).then_some(self.phantom),
            keys: self.keys,
            closable: self.closable,
            keyless: self.keyless,
            parts,
            listed_keys: self.listed_keys,
            listed_events: self.listed_events,
            not_listed: self.not_listed,
            signals,
            planned_records: 0,
            written: None,
        }
    }

    fn parts(&self, unknown: (bool, bool)) -> Vec<GapPart> {
        let mut parts = Vec::new();
        let mut part = |part: &str, amount: u64, closure: Closure, how: &str| {
            if amount > 0 {
                parts.push(GapPart {
                    part: part.into(),
                    amount,
                    closure,
                    how: how.into(),
                });
            }
        };
        if !unknown.0 {
            part(
                "lost events",
                self.lost,
                Closure::No,
                "what happened in between, what deleted rows held and the order among keys is not recovered by any \
                 record written now; the state of their keys is, see the keys below",
            );
        }
        if !unknown.1 {
            part(
                "phantom events",
                self.phantom,
                Closure::No,
                "they stay in the log, and who has acted on one has acted on it; the state of their keys can \
                 be set right, see the keys below",
            );
        }
        for trouble in KeyTrouble::ALL {
            let exact = self.by_records.of(trouble);
            let rest = self.keys.of(trouble) - exact;
            let name = format!("{} keys", trouble.name());
            part(&name, exact, Closure::ByRecords, by_records(trouble));
            let (closure, how) = match trouble {
                KeyTrouble::Stale | KeyTrouble::Missing => (
                    Closure::ByReread,
                    "no record can be written again that has the stored row: send the signals, which bring \
                     the present rows as r records",
                ),
                _ => (
                    Closure::No,
                    "the records of these keys stand in several partitions",
                ),
            };
            part(&name, rest, closure, how);
        }
        part(
            "keys with newer records",
            self.keys.newer,
            Closure::No,
            "the stream has written to them since the run was recorded: record again to know their state",
        );
        for table in &self.keyless {
            part(
                &format!("rows of {}, which has no key", table.relation),
                table.too_many + table.too_few,
                Closure::No,
                "nothing in a record says which row it is about, so no record can take one back",
            );
        }
        parts
    }

    /// Nothing is wrong, as far as the present tells.
    pub fn is_clean(&self) -> bool {
        self.keys.wrong() == 0 && self.keyless.is_empty()
    }
}

fn by_records(trouble: KeyTrouble) -> &'static str {
    match trouble {
        KeyTrouble::Ghost => "a delete in the connector's own form, made of the key's last record",
        KeyTrouble::Missing => {
            "the earlier record that brought exactly the stored row, as a create"
        }
        KeyTrouble::Stale => "the earlier record that brought exactly the stored row, as an update",
        KeyTrouble::Unfinished => "the tombstone that belongs to the delete of an earlier repair",
    }
}
