//! Ledgers written by hand: a small builder that keeps what belongs together together.
#![expect(dead_code, reason = "each test file uses its own part of the builder")]

pub mod history;
pub mod mutate;

use std::collections::BTreeMap;

use cutover_audit::{Judgement, judge};
use cutover_ledger::{
    ChangeWriter, StoredWriter, TransactionWriter, read_findings, write_evidence,
};
use cutover_model::canonical::{key_hash, keyless_hash};
use cutover_model::evidence::{
    EVIDENCE_FORMAT, Evidence, Fence, IncarnationEvidence, PartitionEvidence, PayloadEvidence,
    TableEvidence, WitnessEvidence,
};
use cutover_model::run_folder::LedgerKind;
use cutover_model::{
    ChangeRow, Finding, FindingKind, Incarnation, Lsn, Op, Outcome, RunFolder, StoredRow,
    TransactionMark, TransactionRow,
};

/// A run in memory.
#[derive(Clone)]
pub struct Run {
    pub attempted: Vec<ChangeRow>,
    pub committed: Vec<ChangeRow>,
    pub published: Vec<ChangeRow>,
    pub stored: Vec<StoredRow>,
    /// Written where the evidence says that the connector writes transaction metadata.
    pub transactions: Vec<TransactionRow>,
    pub evidence: Evidence,
}

/// Key text of an integer key.
pub fn key(id: i64) -> String {
    format!("{{\"id\":\"{id}\"}}")
}

/// Evidence of a run that lacks nothing, with one topic `t` of four partitions.
pub fn evidence(incarnations: u32, buckets: u16) -> Evidence {
    let incarnation = |timeline| IncarnationEvidence {
        incarnation: Incarnation {
            system_id: 7,
            timeline,
            database_oid: 5,
        },
        label: format!("PostgreSQL of timeline {timeline}"),
        kept_before: None,
        forked_at: None,
        witness: Some(WitnessEvidence {
            slot: "witness".into(),
            from: Lsn(0),
            through: Lsn(1 << 40),
            complete: true,
        }),
    };
    let partition = |partition| PartitionEvidence {
        topic: "t".into(),
        partition,
        start: 0,
        end: 1 << 40,
        complete: true,
        cuts: vec![(0, 0)],
    };
    Evidence {
        format: EVIDENCE_FORMAT.into(),
        buckets,
        incarnations: (1..=incarnations).map(incarnation).collect(),
        fence: Some(Fence {
            token: "fence".into(),
            incarnation: i32::try_from(incarnations).unwrap() - 1,
            lsn: Lsn(1 << 40),
            seen_in_topic: true,
            offset_stored: true,
            confirmed: true,
            witnessed: true,
        }),
        partitions: (0..4).map(partition).collect(),
        tables: vec![TableEvidence {
            relation: "public.orders".into(),
            keyed: true,
            stored: true,
            not_compared: vec![],
        }],
        payload: PayloadEvidence {
            format: "debezium envelope".into(),
            has_lsn: true,
            has_op: true,
            undecoded: 0,
            undecoded_samples: vec![],
            undecoded_kinds: Default::default(),
        },
        tombstones: true,
        deletes: Default::default(),
        snapshot_allowed: false,
        no_snapshot: false,
        elsewhere: Vec::new(),
        attempted: true,
        transaction_metadata: false,
        acknowledged: Vec::new(),
        sequences: Vec::new(),
        connector_ended: None,
        stream: None,
        problems: vec![],
        scope: Default::default(),
    }
}

/// A change row with key and images, and its key hash.
pub fn change(
    incarnation: i32,
    relation: &str,
    op: Op,
    key: Option<&str>,
    images: (Option<i64>, Option<i64>),
) -> ChangeRow {
    let hash = match key {
        Some(key) => key_hash(relation, key),
        None => keyless_hash(relation, images.0, images.1),
    };
    ChangeRow {
        key: key.map(str::to_owned),
        key_hash: hash,
        before: images.0,
        after: images.1,
        ..ChangeRow::new(incarnation, relation, op)
    }
}

/// The tombstone that belongs to a published delete, one offset further.
pub fn tombstone(delete: &ChangeRow, offset: i64) -> ChangeRow {
    ChangeRow {
        op: Op::Tombstone,
        before: None,
        after: None,
        revision: None,
        xid: None,
        lsn: None,
        tx_id: None,
        tx_order: None,
        tx_table_order: None,
        record_offset: Some(offset),
        ..delete.clone()
    }
}

impl Run {
    pub fn new(incarnations: u32) -> Run {
        Run {
            attempted: vec![],
            committed: vec![],
            published: vec![],
            stored: vec![],
            transactions: vec![],
            evidence: evidence(incarnations, 2),
        }
    }

    /// A transaction of one change, in every ledger: the row comes with incarnation, relation, op,
    /// key, images. Positions follow from how many there were before; a keyed delete gets its
    /// tombstone.
    pub fn commit(&mut self, row: ChangeRow) -> &mut Run {
        let number = i64::try_from(self.committed.len()).unwrap() + 1;
        let committed = ChangeRow {
            xid: Some(1_000 + number),
            lsn: Some(number * 100),
            commit_lsn: Some(number * 100 + 50),
            ordinal: Some(0),
            revision: Some(number),
            ..row
        };
        self.attempted.push(ChangeRow {
            lsn: None,
            commit_lsn: None,
            ordinal: None,
            before: None,
            after: None,
            outcome: Some(Outcome::Ok),
            session: Some(0),
            transaction: Some(number),
            ..committed.clone()
        });
        let published = ChangeRow {
            commit_lsn: None,
            ordinal: None,
            topic: Some("t".into()),
            partition: Some(0),
            record_offset: Some(number * 10),
            ..committed.clone()
        };
        if published.op == Op::Delete && published.key.is_some() {
            self.published.push(tombstone(&published, number * 10 + 1));
        }
        self.published.push(published);
        self.committed.push(committed);
        self
    }

    /// The connector's own account of what is published: names, places, BEGIN and END, as metadata would have it.
    pub fn account(&mut self) -> &mut Run {
        self.evidence.transaction_metadata = true;
        let mut places: BTreeMap<(i32, i64), BTreeMap<String, i64>> = BTreeMap::new();
        let mut order: Vec<usize> = (0..self.published.len()).collect();
        // Inside a transaction, in the order of its changes.
        order.sort_by_key(|index| {
            let row = &self.published[*index];
            let same = |change: &&ChangeRow| {
                (change.incarnation, change.lsn, change.xid, change.op)
                    == (row.incarnation, row.lsn, row.xid, row.op)
                    && change.key == row.key
                    && change.relation == row.relation
            };
            let change = self.committed.iter().find(same);
            change.map(|change| (change.incarnation, change.commit_lsn, change.ordinal))
        });
        for index in order {
            let row = &mut self.published[index];
            let Some(xid) = row.xid.filter(|_| row.op != Op::Tombstone) else {
                continue;
            };
            let tables = places.entry((row.incarnation, xid)).or_default();
            row.tx_order = Some(tables.values().sum::<i64>() + 1);
            let place = tables.entry(row.relation.clone()).or_default();
            *place += 1;
            row.tx_table_order = Some(*place);
            row.tx_id = Some(format!("{xid}:{}", row.lsn.unwrap_or(0)));
        }
        for ((incarnation, xid), tables) in places {
            let row = |mark, relation: Option<&String>, events, offset| TransactionRow {
                incarnation,
                tx_id: format!("{xid}:{offset}"),
                mark,
                relation: relation.cloned(),
                events,
                topic: "t.transaction".into(),
                partition: 0,
                record_offset: offset,
            };
            let at = i64::try_from(self.transactions.len()).unwrap() * 10;
            let total = tables.values().sum();
            self.transactions
                .push(row(TransactionMark::Begin, None, None, at));
            self.transactions
                .push(row(TransactionMark::End, None, Some(total), at + 1));
            let counts = tables.iter().map(|(name, events)| {
                row(TransactionMark::Count, Some(name), Some(*events), at + 1)
            });
            self.transactions.extend(counts);
        }
        self
    }

    pub fn store(&mut self, relation: &str, key: Option<&str>, image: i64) -> &mut Run {
        let hash = match key {
            Some(key) => key_hash(relation, key),
            None => keyless_hash(relation, None, Some(image)),
        };
        self.stored.push(StoredRow {
            incarnation: 0,
            relation: relation.into(),
            key: key.map(str::to_owned),
            key_hash: hash,
            image: Some(image),
            revision: None,
        });
        self
    }

    /// The published change records (no tombstones), in offset order.
    pub fn records(&self) -> Vec<usize> {
        let mut records: Vec<usize> = (0..self.published.len())
            .filter(|index| self.published[*index].op != Op::Tombstone)
            .collect();
        records.sort_by_key(|index| self.published[*index].record_offset);
        records
    }

    pub fn write(&self, run: &RunFolder) {
        let buckets = self.evidence.buckets;
        for (kind, rows) in [
            (LedgerKind::Attempted, &self.attempted),
            (LedgerKind::Committed, &self.committed),
            (LedgerKind::Published, &self.published),
        ] {
            let mut writer = ChangeWriter::create(&run.ledger(kind), buckets).unwrap();
            for row in rows {
                writer.append(row).unwrap();
            }
            writer.finish().unwrap();
        }
        let folder = run.ledger(LedgerKind::Stored);
        let mut writer = StoredWriter::create(&folder, buckets).unwrap();
        for row in &self.stored {
            writer.append(row).unwrap();
        }
        writer.finish().unwrap();
        if self.evidence.transaction_metadata {
            let mut writer = TransactionWriter::create(&run.transactions(), buckets).unwrap();
            for row in &self.transactions {
                writer.append(row).unwrap();
            }
            writer.finish().unwrap();
        }
        write_evidence(run, &self.evidence).unwrap();
    }

    /// Writes the run, judges it, and reads all findings back.
    pub fn judge(&self) -> (Judgement, Vec<Finding>) {
        let folder = tempfile::tempdir().unwrap();
        let run = RunFolder::at(folder.path());
        self.write(&run);
        let judgement = block_on(judge(&run)).unwrap();
        let findings: Vec<Finding> = read_findings(&run.findings())
            .unwrap()
            .map(Result::unwrap)
            .collect();
        let shown = judgement.findings.len();
        assert_eq!(
            judgement.findings,
            findings[..shown],
            "the file begins with what is shown"
        );
        (judgement, findings)
    }
}

pub fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Runtime::new().unwrap().block_on(future)
}

/// Kinds of the findings, with the check that found each, sorted.
pub fn kinds(findings: &[Finding]) -> Vec<(&str, FindingKind)> {
    let mut kinds: Vec<(&str, FindingKind)> = findings
        .iter()
        .map(|finding| (finding.check.as_str(), finding.kind))
        .collect();
    kinds.sort_unstable();
    kinds
}
