//! Findings as far as their kind and their event go.

use cutover_model::{ChangeRow, Finding, FindingKind, StoredRow};

/// A kind and the event that it is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Named {
    pub relation: String,
    pub kind: FindingKind,
    pub event: Event,
}

/// A record is named by its place, a change by what the ledger knows of it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Event {
    Record {
        topic: String,
        partition: i32,
        offset: i64,
    },
    Change {
        incarnation: Option<i32>,
        key: Option<String>,
        op: Option<String>,
        lsn: Option<i64>,
        xid: Option<i64>,
    },
    /// A transaction as the connector names it, or what it did in one table.
    Transaction { incarnation: i32, id: String },
}

impl From<&Finding> for Named {
    fn from(finding: &Finding) -> Named {
        if let Some(named) = transaction(finding) {
            return named;
        }
        let event = match (&finding.topic, finding.partition, finding.record_offset) {
            (Some(topic), Some(partition), Some(offset)) => Event::Record {
                topic: topic.clone(),
                partition,
                offset,
            },
            _ => Event::Change {
                incarnation: finding.incarnation,
                key: finding.key.clone(),
                op: finding.op.clone(),
                lsn: finding.lsn,
                xid: finding.xid,
            },
        };
        Named {
            relation: finding.relation.clone(),
            kind: finding.kind,
            event,
        }
    }
}

/// A finding about a whole transaction, or about all that it did in one table: the id stands in its text.
fn transaction(finding: &Finding) -> Option<Named> {
    let text = finding.detail.strip_prefix("transaction ")?;
    let of_table = text.contains("this table");
    let relation = if of_table { &finding.relation } else { "" };
    Some(Named {
        relation: relation.to_owned(),
        kind: finding.kind,
        event: Event::Transaction {
            incarnation: finding.incarnation?,
            id: text.split(' ').next()?.to_owned(),
        },
    })
}

/// A finding about a record.
pub fn record(kind: FindingKind, row: &ChangeRow) -> Named {
    Named {
        relation: row.relation.clone(),
        kind,
        event: Event::Record {
            topic: row.topic.clone().unwrap_or_default(),
            partition: row.partition.unwrap_or(-1),
            offset: row.record_offset.unwrap_or(-1),
        },
    }
}

/// A finding about a change that has no record.
pub fn change(kind: FindingKind, row: &ChangeRow) -> Named {
    Named {
        relation: row.relation.clone(),
        kind,
        event: Event::Change {
            incarnation: Some(row.incarnation),
            key: row.key.clone(),
            op: Some(row.op.letter().to_owned()),
            lsn: row.lsn,
            xid: row.xid,
        },
    }
}

/// A finding about a stored row of which the topics know nothing.
pub fn state(row: &StoredRow) -> Named {
    Named {
        relation: row.relation.clone(),
        kind: FindingKind::Divergent,
        event: Event::Change {
            incarnation: Some(row.incarnation),
            key: row.key.clone(),
            op: None,
            lsn: None,
            xid: None,
        },
    }
}

/// A finding about one content of a table without key.
pub fn content(relation: &str) -> Named {
    Named {
        relation: relation.to_owned(),
        kind: FindingKind::Divergent,
        event: Event::Change {
            incarnation: None,
            key: None,
            op: None,
            lsn: None,
            xid: None,
        },
    }
}
