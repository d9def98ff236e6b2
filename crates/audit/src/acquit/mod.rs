//! Acquits keys before any check runs: of a key whose committed changes and published records are the same sequence,
//! one to one, and whose last change is the stored row, no check can say anything. What is left, the suspects, goes
//! to the SQL, which alone convicts.
//!
//! Stands between the ledgers and a bucket's tables. The rule it protects: a key is acquitted only if *everything*
//! that the checks ask of it was seen to hold; whatever is missing, odd or unknown makes it a suspect. So a mistake
//! here can cost time, and `tests/acquittal.rs` compares the judgements with and without it.

mod ahead;
mod columns;
mod key;

use std::collections::{BTreeMap, BTreeSet, HashSet};

use cutover_model::Evidence;
use cutover_model::evidence::Scope;
use cutover_model::run_folder::LedgerKind;

use crate::bucket::rows;
use crate::error::AuditError;
use crate::survey::Ledgers;
pub(crate) use ahead::Looks;
use columns::{Committed, Files, Published, Stored, Thread};
use key::{Rules, is_clean};

/// What became of a bucket.
#[derive(Debug)]
pub(crate) struct Acquittal {
    /// Keys that the checks must look at.
    pub(crate) suspects: Suspects,
    /// Rows of the acquitted keys: (`what` of `coverage.sql`, relation) → amount.
    pub(crate) counts: BTreeMap<(String, String), u64>,
}

/// Keys that the checks must look at.
#[derive(Debug)]
pub(crate) enum Suspects {
    /// The bucket as a whole: there is too little to acquit, or a ledger that this file does not compare.
    Bucket,
    /// These, by relation and hash of the key; maybe none.
    Keys(HashSet<(String, i64)>),
}

/// What is the same for all buckets.
#[derive(Debug, Clone)]
pub(crate) struct Frame {
    evidence: Evidence,
    /// Relations of which no key is acquitted: truncated ones.
    set_aside: BTreeSet<String>,
    /// Rows that a bucket may have in all.
    rows_max: u64,
}

impl Frame {
    /// A bucket of more than `rows_max` rows is not looked at, for the memory that it takes.
    pub(crate) fn new(
        evidence: &Evidence,
        coverage: &BTreeMap<(String, String), u64>,
        rows_max: u64,
    ) -> Frame {
        let truncated = coverage.keys().filter(|(what, _)| what == "truncate");
        Frame {
            evidence: evidence.clone(),
            set_aside: truncated.map(|(_, relation)| relation.clone()).collect(),
            rows_max,
        }
    }

    /// Whether a relation's keys can be acquitted, and whether its rows were read.
    fn stored(&self, relation: &str) -> Option<bool> {
        let table = self.evidence.tables.iter();
        let mut table = table.filter(|table| table.relation == relation);
        let table = table.next()?;
        // A window has no stored rows, whether the tables were read for something else or not.
        let stored = table.stored && self.evidence.scope != Scope::Window;
        (table.keyed && !self.set_aside.contains(relation)).then_some(stored)
    }
}

/// Looks at one bucket. Rows of that bucket are in memory meanwhile, about 100 bytes each.
pub(crate) fn acquit(
    ledgers: &Ledgers,
    frame: &Frame,
    bucket: usize,
) -> Result<Acquittal, AuditError> {
    let whole = |counts| Acquittal {
        suspects: Suspects::Bucket,
        counts,
    };
    let files = |kind: LedgerKind| {
        let survey = ledgers.get(&kind).and_then(Option::as_ref);
        let parts = survey.and_then(|survey| survey.parts.get(bucket));
        let rows = survey.and_then(|survey| survey.rows_of.get(bucket));
        Files {
            paths: parts.map_or(&[][..], Vec::as_slice),
            rows: rows.map_or(0, |rows| usize::try_from(*rows).unwrap_or(0)),
        }
    };
    if rows(ledgers, bucket) > frame.rows_max {
        return Ok(whole(BTreeMap::new()));
    }
    // What was attempted is compared with all that was committed.
    if !files(LedgerKind::Attempted).paths.is_empty() {
        return Ok(whole(BTreeMap::new()));
    }
    let mut names = columns::Names::default();
    let mut committed = columns::committed(files(LedgerKind::Committed), &mut names)?;
    let mut published = columns::published(files(LedgerKind::Published), &mut names)?;
    let mut stored = columns::stored(files(LedgerKind::Stored), &mut names)?;
    committed.sort_unstable_by_key(Committed::place);
    published.sort_unstable_by_key(Published::place);
    stored.sort_unstable_by_key(|row| row.thread);
    let tables: Vec<Option<bool>> = names.all().iter().map(|name| frame.stored(name)).collect();
    let rules = Rules::of(&frame.evidence);
    let mut tally = Tally::new(names.all().len());
    let mut rest = (&committed[..], &published[..], &stored[..]);
    while let Some(thread) = first(&rest) {
        let changes = take(&mut rest.0, |row| row.thread == thread);
        let records = take(&mut rest.1, |row| row.thread == thread);
        let rows = take(&mut rest.2, |row| row.thread == thread);
        let table = tables.get(thread.relation as usize).copied().flatten();
        let clean = table.is_some_and(|stored| is_clean(&rules, changes, records, (stored, rows)));
        if clean {
            tally.add(thread, changes.len(), records, rows.len());
        } else {
            tally
                .suspects
                .push((thread, changes.len() + records.len() + rows.len()));
        }
    }
    Ok(tally
        .conclude(names.all())
        .unwrap_or_else(|| whole(BTreeMap::new())))
}

fn first(rest: &(&[Committed], &[Published], &[Stored])) -> Option<Thread> {
    let heads = [
        rest.0.first().map(|row| row.thread),
        rest.1.first().map(|row| row.thread),
        rest.2.first().map(|row| row.thread),
    ];
    heads.into_iter().flatten().min()
}

fn take<'a, T>(rest: &mut &'a [T], same: impl Fn(&T) -> bool) -> &'a [T] {
    let end = rest.iter().position(|row| !same(row)).unwrap_or(rest.len());
    let (taken, left) = rest.split_at(end);
    *rest = left;
    taken
}

/// Suspects with more rows than this are not picked out: the bucket is judged as it is.
const PICKED_ROWS: usize = 50_000;

struct Tally {
    committed: Vec<u64>,
    published: Vec<u64>,
    stored: Vec<u64>,
    suspects: Vec<(Thread, usize)>,
}

impl Tally {
    fn new(relations: usize) -> Tally {
        Tally {
            committed: vec![0; relations],
            published: vec![0; relations],
            stored: vec![0; relations],
            suspects: Vec::new(),
        }
    }

    fn add(&mut self, thread: Thread, changes: usize, records: &[Published], rows: usize) {
        let add = |counts: &mut Vec<u64>, amount: usize| {
            if let Some(count) = counts.get_mut(thread.relation as usize) {
                *count += amount as u64;
            }
        };
        add(&mut self.committed, changes);
        let records = records.iter().filter(|record| record.is_change());
        add(&mut self.published, records.count());
        add(&mut self.stored, rows);
    }

    /// `None` if there are too many suspects to be picked out.
    fn conclude(self, names: &[String]) -> Option<Acquittal> {
        let rows: usize = self.suspects.iter().map(|(_, rows)| rows).sum();
        if rows > PICKED_ROWS {
            return None;
        }
        let name = |relation: u32| names.get(relation as usize).cloned().unwrap_or_default();
        let suspects = self.suspects.iter();
        let keys = suspects.map(|(thread, _)| (name(thread.relation), thread.key_hash));
        let mut counts = BTreeMap::new();
        for (what, amounts) in [
            ("committed", &self.committed),
            ("published", &self.published),
            ("stored", &self.stored),
        ] {
            for (relation, amount) in names.iter().zip(amounts).filter(|(_, amount)| **amount > 0) {
                counts.insert((what.to_owned(), relation.clone()), *amount);
            }
        }
        Some(Acquittal {
            suspects: Suspects::Keys(keys.collect()),
            counts,
        })
    }
}
