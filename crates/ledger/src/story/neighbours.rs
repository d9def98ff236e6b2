//! What stands beside a finding: the changes committed just before and after it, and the records published there.
//!
//! Two rows are ordered by incarnation and position, which is allowed because the lives of a database are numbered in
//! time order and positions are compared inside one of them only; two records of one partition by their offsets. Each
//! ledger's buckets are read once for all findings, and three rows on each side are held.

use std::collections::{BTreeMap, BTreeSet};

use cutover_model::change::bucket;
use cutover_model::run_folder::LedgerKind;
use cutover_model::story::{Neighbour, Neighbourhood};
use cutover_model::{ChangeRow, Finding, RunFolder};

use crate::error::LedgerError;
use crate::part::PartRows;
use crate::survey::{Content, survey};

/// Findings whose neighbours are looked up.
const FINDINGS: usize = 25;

/// Rows on each side.
const EACH_SIDE: usize = 3;

/// Rows that are the finding itself, at most: one change can be published many times.
const ITSELF: usize = 5;

/// Rows of a ledger that are read for this. A larger ledger takes a minute and more to go through: whoever wants its
/// rows asks the Parquet files.
const ROWS_MAX: u64 = 20_000_000;

/// The neighbours of the first findings.
pub fn beside(
    run: &RunFolder,
    findings: &[Finding],
    notes: &mut Vec<String>,
) -> Vec<Neighbourhood> {
    let mut wanted: Vec<Wanted<'_>> = findings
        .iter()
        .take(FINDINGS)
        .enumerate()
        .map(|(index, finding)| Wanted::new(index, finding))
        .collect();
    if wanted.is_empty() {
        return Vec::new();
    }
    for ledger in [LedgerKind::Committed, LedgerKind::Published] {
        match look(run, ledger, &mut wanted) {
            Ok(()) => wanted.iter_mut().for_each(|one| one.looked(ledger)),
            Err(error) => notes.push(format!("what stands beside findings: {error}")),
        }
    }
    let told = wanted.into_iter().map(Wanted::told);
    told.filter(|hood| !hood.rows.is_empty()).collect()
}

fn look(run: &RunFolder, ledger: LedgerKind, wanted: &mut [Wanted<'_>]) -> Result<(), LedgerError> {
    let folder = run.ledger(ledger);
    let survey = survey(&folder, Content::Changes)?;
    if survey.rows > ROWS_MAX {
        let reason = "too many rows to look through for a report";
        return Err(LedgerError::incomplete(&folder, reason));
    }
    let of = |one: &Wanted<'_>| {
        let finding = one.finding;
        bucket(&finding.relation, finding.key.as_deref(), survey.buckets)
    };
    let some: BTreeSet<u16> = wanted.iter().map(of).collect();
    for (number, parts) in (0_u16..).zip(&survey.parts) {
        if !some.contains(&number) {
            continue;
        }
        for part in parts {
            for row in PartRows::<ChangeRow>::open(part)? {
                let row = row?;
                for one in wanted.iter_mut() {
                    one.meet(ledger, &row);
                }
            }
        }
    }
    Ok(())
}

/// Where a row stands in its order: incarnation, position, place among rows of that position; or offset.
type Place = (i64, i64, i64);

/// One finding and what was met around it so far.
struct Wanted<'a> {
    index: usize,
    finding: &'a Finding,
    sides: [Sides; 2],
}

#[derive(Default)]
struct Sides {
    /// Rows at the finding's own place, all of them; `None` until the whole ledger was looked through.
    here: Option<u64>,
    met: u64,
    below: BTreeMap<Place, Neighbour>,
    itself: BTreeMap<Place, Neighbour>,
    above: BTreeMap<Place, Neighbour>,
}

impl<'a> Wanted<'a> {
    fn new(index: usize, finding: &'a Finding) -> Wanted<'a> {
        Wanted {
            index,
            finding,
            sides: [Sides::default(), Sides::default()],
        }
    }

    fn meet(&mut self, ledger: LedgerKind, row: &ChangeRow) {
        let finding = self.finding;
        if row.relation != finding.relation || finding.key.is_some() && row.key != finding.key {
            return;
        }
        let Some((own, place)) = places(finding, ledger, row) else {
            return;
        };
        let itself = (own.0, own.1) == (place.0, place.1);
        self.sides(ledger)
            .take(own, place, neighbour(ledger, row, itself));
    }

    fn sides(&mut self, ledger: LedgerKind) -> &mut Sides {
        let [committed, published] = &mut self.sides;
        if ledger == LedgerKind::Committed {
            committed
        } else {
            published
        }
    }

    /// The ledger is read to its end. A finding without a position has no place in it.
    fn looked(&mut self, ledger: LedgerKind) {
        let finding = self.finding;
        let in_log = finding.incarnation.is_some() && finding.lsn.is_some();
        let in_topic = ledger == LedgerKind::Published && finding.record_offset.is_some();
        let sides = self.sides(ledger);
        sides.here = (in_log || in_topic).then_some(sides.met);
    }

    fn told(self) -> Neighbourhood {
        let [committed, published] = &self.sides;
        Neighbourhood {
            finding: self.index,
            committed: committed.here,
            published: published.here,
            rows: self.sides.into_iter().flat_map(Sides::told).collect(),
        }
    }
}

impl Sides {
    fn take(&mut self, own: Place, place: Place, row: Neighbour) {
        if row.itself {
            self.met += 1;
            if self.itself.len() < ITSELF {
                self.itself.insert(place, row);
            }
        } else if place < own {
            self.below.insert(place, row);
            if self.below.len() > EACH_SIDE {
                self.below.pop_first();
            }
        } else {
            self.above.insert(place, row);
            if self.above.len() > EACH_SIDE {
                self.above.pop_last();
            }
        }
    }

    fn told(self) -> impl Iterator<Item = Neighbour> {
        let parts = [self.below, self.itself, self.above];
        parts.into_iter().flat_map(BTreeMap::into_values)
    }
}

/// The finding's place and the row's, in an order that both have; `None` if they have none in common.
fn places(finding: &Finding, ledger: LedgerKind, row: &ChangeRow) -> Option<(Place, Place)> {
    if ledger == LedgerKind::Published
        && let (Some(topic), Some(partition), Some(offset)) =
            (&finding.topic, finding.partition, finding.record_offset)
    {
        let same = row.topic.as_ref() == Some(topic) && row.partition == Some(partition);
        return same.then_some(((0, offset, 0), (0, row.record_offset?, 0)));
    }
    let own = (i64::from(finding.incarnation?), finding.lsn?, 0);
    let nth = row.record_offset.or(row.ordinal).unwrap_or(0);
    Some((own, (i64::from(row.incarnation), row.lsn?, nth)))
}

fn neighbour(ledger: LedgerKind, row: &ChangeRow, itself: bool) -> Neighbour {
    let record = match (&row.topic, row.partition, row.record_offset) {
        (Some(topic), Some(partition), Some(offset)) => Some((topic.clone(), partition, offset)),
        _ => None,
    };
    Neighbour {
        ledger,
        itself,
        incarnation: row.incarnation,
        op: row.op,
        key: row.key.clone(),
        revision: row.revision,
        xid: row.xid,
        lsn: row.lsn,
        time_ms: row.time_ms,
        record,
    }
}
