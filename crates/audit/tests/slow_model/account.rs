//! The guarantees about what is no single change: transactions (I10), the connector's account against the records, and
//! changed keys; sequences (I13).

use std::collections::{BTreeMap, BTreeSet};

use cutover_model::evidence::SequenceEvidence;
use cutover_model::{ChangeRow, FindingKind, Half, Op, TransactionMark, TransactionRow};

use super::named::{self, Event, Named};
use super::pairs::is_change;
use crate::support::Run;

#[derive(Default)]
struct Transaction<'a> {
    /// Places of its records, by table: place among all → place in the table. A copy has the place of its original.
    places: BTreeMap<&'a str, BTreeMap<i64, i64>>,
    marks: Vec<&'a TransactionRow>,
}

/// From 2.x on the connector adds a position to the id, another one in each record.
fn id(name: &str) -> String {
    name.split(':').next().unwrap_or_default().to_owned()
}

pub fn torn(run: &Run) -> Vec<Named> {
    let mut found = halves(run);
    if !run.evidence.transaction_metadata {
        return found;
    }
    let mut transactions: BTreeMap<(i32, String), Transaction<'_>> = BTreeMap::new();
    for row in run.published.iter().filter(|row| counts(row)) {
        let (Some(name), Some(order), Some(own)) = (&row.tx_id, row.tx_order, row.tx_table_order)
        else {
            continue;
        };
        let transaction = transactions.entry((row.incarnation, id(name))).or_default();
        let places = transaction.places.entry(&row.relation).or_default();
        let place = places.entry(order).or_insert(own);
        *place = own.min(*place);
    }
    for mark in &run.transactions {
        let transaction = transactions.entry((mark.incarnation, id(&mark.tx_id)));
        transaction.or_default().marks.push(mark);
    }
    for ((incarnation, id), transaction) in transactions {
        let torn = |relation: &str| Named {
            relation: relation.to_owned(),
            kind: FindingKind::Torn,
            event: Event::Transaction {
                incarnation,
                id: id.clone(),
            },
        };
        if !transaction.is_whole() {
            found.push(torn(""));
        }
        found.extend(transaction.torn_tables().into_iter().map(torn));
    }
    found
}

fn counts(row: &ChangeRow) -> bool {
    is_change(row) && row.compensation.is_none()
}

impl<'a> Transaction<'a> {
    fn marks(&self, mark: TransactionMark) -> impl Iterator<Item = &&'a TransactionRow> {
        self.marks.iter().filter(move |row| row.mark == mark)
    }

    /// BEGIN and END are there once and count what is in the topics.
    fn is_whole(&self) -> bool {
        let begins = self.marks(TransactionMark::Begin).count();
        let ends: Vec<i64> = self
            .marks(TransactionMark::End)
            .map(|row| row.events.unwrap_or(0))
            .collect();
        let all: Vec<i64> = self
            .places
            .values()
            .flat_map(BTreeMap::keys)
            .copied()
            .collect();
        let amount = i64::try_from(all.len()).unwrap_or(i64::MAX);
        begins == 1 && ends == [amount] && all.iter().all(|place| (1..=amount).contains(place))
    }

    /// Tables of which something else is in the topics than the END counts.
    fn torn_tables(&self) -> BTreeSet<&'a str> {
        let mut counted: BTreeMap<&str, i64> = BTreeMap::new();
        for row in self.marks(TransactionMark::Count) {
            let count = counted.entry(row.relation.as_deref().unwrap_or_default());
            let count = count.or_default();
            *count = row.events.unwrap_or(0).max(*count);
        }
        let tables = counted.keys().chain(self.places.keys()).copied();
        let torn = |table: &&str| {
            let own: Vec<i64> = self
                .places
                .get(table)
                .map(|places| places.values().copied().collect())
                .unwrap_or_default();
            let amount = i64::try_from(own.len()).unwrap_or(i64::MAX);
            let in_a_row = own.iter().all(|place| (1..=amount).contains(place));
            counted.get(table).copied().unwrap_or(0) != amount || !in_a_row
        };
        tables.filter(torn).collect()
    }
}

/// A changed key is a delete of the old one and an insert under the new one, of one transaction.
fn halves(run: &Run) -> Vec<Named> {
    let half = |row: &&ChangeRow| {
        row.half != Half::Whole
            && matches!(row.op, Op::Create | Op::Delete)
            && row.compensation.is_none()
    };
    let rows: Vec<&ChangeRow> = run.published.iter().filter(half).collect();
    let alone = |row: &&&ChangeRow| {
        !rows.iter().any(|other| {
            other.half != row.half
                && other.relation == row.relation
                && (other.incarnation, other.lsn, other.xid) == (row.incarnation, row.lsn, row.xid)
        })
    };
    let alone = rows.iter().filter(alone);
    alone
        .map(|row| named::record(FindingKind::Torn, row))
        .collect()
}

/// What a sequence gives out next is beyond all that it gave out before.
pub fn reused(run: &Run) -> Vec<Named> {
    let again = |one: &&SequenceEvidence| {
        let Some(used) = one.used else { return false };
        let beyond = |next: i64| {
            if one.descending {
                next < used
            } else {
                next > used
            }
        };
        !one.next.is_some_and(beyond)
    };
    let again = run.evidence.sequences.iter().filter(again);
    again
        .map(|one| Named {
            relation: one.name.clone(),
            kind: FindingKind::KeyReuse,
            event: Event::Change {
                incarnation: Some(one.incarnation),
                key: None,
                op: None,
                lsn: None,
                xid: None,
            },
        })
        .collect()
}
