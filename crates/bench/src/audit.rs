//! All checks over ledgers of a given size: as many committed as published changes, one table with a key, a clean run
//! but for a few lost events, so that the findings show that all of it was really compared.

use std::path::Path;
use std::time::Instant;

use cutover_audit::judge;
use cutover_ledger::{ChangeWriter, StoredWriter, buckets_for, write_evidence};
use cutover_model::canonical::key_hash;
use cutover_model::evidence::{
    EVIDENCE_FORMAT, Evidence, Fence, IncarnationEvidence, PartitionEvidence, PayloadEvidence,
    TableEvidence, WitnessEvidence,
};
use cutover_model::run_folder::LedgerKind;
use cutover_model::{ChangeRow, Incarnation, Lsn, Op, RunFolder, StoredRow};

use crate::error::BenchError;
use crate::figure::{Figure, peak_bytes};

const RELATION: &str = "public.orders";
const TOPIC: &str = "bench.public.orders";
const PARTITIONS: i64 = 4;
/// Changes of one key: an insert, and updates.
const CHANGES_PER_KEY: i64 = 5;
/// One event in so many is lost.
const LOST_EVERY: i64 = 1_000_000;

/// Writes ledgers of `rows` committed and about as many published changes below `folder`, and judges them.
///
/// # Errors
/// The folder, a ledger, the audit; or a judgement that is not the one that the ledgers deserve.
pub async fn audit(folder: &Path, rows: u64) -> Result<Vec<Figure>, BenchError> {
    let rows = i64::try_from(rows).unwrap_or(i64::MAX).max(CHANGES_PER_KEY);
    let scratch = tempfile::Builder::new()
        .prefix("cutover-bench-")
        .tempdir_in(folder)
        .map_err(|source| BenchError::Folder {
            action: "make a folder in",
            path: folder.display().to_string(),
            source,
        })?;
    let run = RunFolder::at(scratch.path());
    let begun = Instant::now();
    let lost = write(&run, rows)?;
    let written = begun.elapsed().as_secs_f64();
    let before = peak_bytes();
    let begun = Instant::now();
    let judgement = judge(&run).await?;
    let judged = begun.elapsed().as_secs_f64();
    if judgement.counts.lost != lost || judgement.counts.duplicated != 0 {
        return Err(BenchError::Void(format!(
            "{lost} events were left out, the audit found {} lost and {} duplicated: {:?}",
            judgement.counts.lost, judgement.counts.duplicated, judgement.reasons
        )));
    }
    let size = format!("{rows} committed and as many published changes");
    let per_second = rows as f64 / judged;
    let mut figures = vec![
        Figure::new(format!("{size}: written as ledgers"), written, "s"),
        Figure::new(format!("{size}: all checks"), judged, "s"),
        Figure::new("changes judged", per_second, "rows/s"),
    ];
    if let (Some(before), Some(after)) = (before, peak_bytes()) {
        let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
        figures.push(Figure::new(
            "peak memory before the audit",
            mib(before),
            "MiB",
        ));
        figures.push(Figure::new("peak memory after it", mib(after), "MiB"));
    }
    Ok(figures)
}

fn write(run: &RunFolder, rows: i64) -> Result<u64, BenchError> {
    let buckets = buckets_for(rows.unsigned_abs());
    let changes = |kind| ChangeWriter::create(&run.ledger(kind), buckets);
    let mut committed = changes(LedgerKind::Committed)?;
    let mut published = changes(LedgerKind::Published)?;
    let mut stored = StoredWriter::create(&run.ledger(LedgerKind::Stored), buckets)?;
    let mut lost = 0;
    let keys = rows / CHANGES_PER_KEY;
    for number in 0..keys * CHANGES_PER_KEY {
        // Keys change in turn, as they do in life: neighbours in the log are of different keys.
        let (round, id) = (number / keys, number % keys);
        let row = change(number, round, id);
        committed.append(&row)?;
        // Of updates that are not the last one, so that only I1 has something to say.
        if number % LOST_EVERY == LOST_EVERY - 1 && round > 0 && round + 1 < CHANGES_PER_KEY {
            lost += 1;
        } else {
            published.append(&record(row.clone(), number))?;
        }
        if round + 1 == CHANGES_PER_KEY {
            stored.append(&StoredRow {
                incarnation: 0,
                relation: row.relation,
                key: row.key,
                key_hash: row.key_hash,
                image: row.after,
                revision: row.revision,
            })?;
        }
    }
    committed.finish()?;
    published.finish()?;
    stored.finish()?;
    write_evidence(run, &evidence(buckets))?;
    Ok(lost)
}

fn change(number: i64, round: i64, id: i64) -> ChangeRow {
    let op = if round == 0 { Op::Create } else { Op::Update };
    let key = format!("{{\"id\":\"{id}\"}}");
    ChangeRow {
        key_hash: key_hash(RELATION, &key),
        key: Some(key),
        before: (round > 0).then(|| image(id, round - 1)),
        after: Some(image(id, round)),
        revision: Some(round),
        xid: Some(700 + number),
        lsn: Some(1_000 + number * 100),
        commit_lsn: Some(1_050 + number * 100),
        ordinal: Some(0),
        time_ms: Some(1_700_000_000_000 + number),
        ..ChangeRow::new(0, RELATION, op)
    }
}

/// A row's hash: any number that differs from row to row.
fn image(id: i64, round: i64) -> i64 {
    (id * CHANGES_PER_KEY + round).wrapping_mul(0x9E37_79B9_7F4A_7C15_u64.cast_signed())
}

fn record(row: ChangeRow, number: i64) -> ChangeRow {
    let partition = row.key_hash.rem_euclid(PARTITIONS);
    ChangeRow {
        commit_lsn: None,
        ordinal: None,
        topic: Some(TOPIC.to_owned()),
        partition: i32::try_from(partition).ok(),
        record_offset: Some(number),
        ..row
    }
}

fn evidence(buckets: u16) -> Evidence {
    let end = Lsn(1 << 60);
    let partition = |partition| PartitionEvidence {
        topic: TOPIC.to_owned(),
        partition,
        start: 0,
        end: i64::MAX,
        complete: true,
        cuts: vec![(0, 0)],
    };
    Evidence {
        format: EVIDENCE_FORMAT.to_owned(),
        buckets,
        incarnations: vec![IncarnationEvidence {
            incarnation: Incarnation {
                system_id: 1,
                timeline: 1,
                database_oid: 1,
            },
            label: "made for a measurement".to_owned(),
            kept_before: None,
            forked_at: None,
            witness: Some(WitnessEvidence {
                slot: "bench".to_owned(),
                from: Lsn(0),
                through: end,
                complete: true,
            }),
        }],
        fence: Some(Fence {
            token: "bench".to_owned(),
            incarnation: 0,
            lsn: end,
            seen_in_topic: true,
            offset_stored: true,
            confirmed: true,
            witnessed: true,
        }),
        partitions: (0..4).map(partition).collect(),
        tables: vec![TableEvidence {
            relation: RELATION.to_owned(),
            keyed: true,
            stored: true,
            not_compared: Vec::new(),
        }],
        payload: PayloadEvidence {
            format: "made for a measurement".to_owned(),
            has_lsn: true,
            has_op: true,
            undecoded: 0,
            undecoded_samples: Vec::new(),
            undecoded_kinds: Default::default(),
        },
        tombstones: true,
        deletes: Default::default(),
        snapshot_allowed: false,
        no_snapshot: false,
        elsewhere: Vec::new(),
        attempted: false,
        transaction_metadata: false,
        acknowledged: Vec::new(),
        sequences: Vec::new(),
        connector_ended: None,
        stream: None,
        problems: Vec::new(),
        scope: Default::default(),
    }
}

#[cfg(test)]
mod tests {
    use super::audit;

    #[tokio::test]
    async fn what_was_left_out_is_found_and_the_figures_are_there() {
        let folder = tempfile::tempdir().unwrap_or_else(|error| panic!("{error}"));
        let figures = audit(folder.path(), 5_000).await;
        let figures = figures.unwrap_or_else(|error| panic!("{error}"));
        assert!(
            figures
                .iter()
                .any(|figure| figure.unit == "rows/s" && figure.value > 0.0)
        );
    }
}
