//! The flow of a judgement: survey the ledgers, run every check on every bucket, order the
//! findings, conclude.

use std::collections::BTreeMap;

use cutover_ledger::read_evidence;
use cutover_model::evidence::Scope;
use cutover_model::result::{CheckResult, Counts};
use cutover_model::{EventKind, EventSink, Finding, FindingKind, ProofLevel, RunFolder, Verdict};
use datafusion::execution::context::SessionContext;
use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use std::sync::Arc;

use crate::acquit::{Frame, Looks, Suspects};
use crate::bucket;
use crate::checks::{ALL, Check};
use crate::engine::{Engine, Limits, workspace};
use crate::error::AuditError;
use crate::gather::Rows;
use crate::ranking::Spool;
use crate::survey::{Ledgers, counts, look_over, survey_all, survey_transactions};
use crate::verdict::{Grounds, Outcome};

const COVERAGE: &str = include_str!("prepare/coverage.sql");
pub(crate) const UNPLACED: &str = include_str!("prepare/unplaced.sql");

/// The judgement of a run.
#[derive(Debug, Clone, PartialEq)]
pub struct Judgement {
    /// The worst of all checks.
    pub verdict: Verdict,
    /// How much was proven.
    pub proof_level: ProofLevel,
    /// Why neither is better.
    pub reasons: Vec<String>,
    /// Counts by ledger and by finding.
    pub counts: Counts,
    /// Every check that belongs to the run, in display order.
    pub checks: Vec<CheckResult>,
    /// The first 1,000 findings, most important first; all of them are in `findings.parquet`.
    pub findings: Vec<Finding>,
}

/// Judges a recorded run and writes its `findings.parquet`.
///
/// Fails only if the folder is no run of ours, is of a newer format, has no evidence, or cannot be
/// written to; a ledger that is missing, unfinished or damaged makes the verdict `unknown` instead.
pub async fn judge(run: &RunFolder) -> Result<Judgement, AuditError> {
    judge_telling(run, &EventSink::none()).await
}

/// The same with progress.
///
/// # Errors
/// As [`judge`].
pub async fn judge_telling(run: &RunFolder, events: &EventSink) -> Result<Judgement, AuditError> {
    judge_within((run, events), Limits::default()).await
}

/// The same without acquitting clean keys first: every row of every ledger goes through every check. Slow; for
/// whoever wants to see that it makes no difference.
pub async fn judge_every_row(run: &RunFolder) -> Result<Judgement, AuditError> {
    let limits = Limits {
        acquit: false,
        ..Limits::default()
    };
    judge_within((run, &EventSink::none()), limits).await
}

pub(crate) fn judge_within<'a>(
    place: (&'a RunFolder, &'a EventSink),
    limits: Limits,
) -> BoxFuture<'a, Result<Judgement, AuditError>> {
    Box::pin(judged_within(place, limits))
}

async fn judged_within(
    (run, events): (&RunFolder, &EventSink),
    limits: Limits,
) -> Result<Judgement, AuditError> {
    let evidence = read_evidence(run)?;
    let (ledgers, states) = survey_all(run, &evidence)?;
    let workspace = workspace(run)?;
    let engine = Engine::new(limits, workspace.path()).map_err(AuditError::engine("started"))?;
    let mut grounds = Grounds::new(&evidence, states);
    look_over(&engine, &ledgers, &mut grounds).await;
    let transactions = survey_transactions(run, &evidence);
    grounds.transactions = transactions.as_ref().map(drop).map_err(Clone::clone);
    let mut spool = Spool::create(workspace.path())?;
    let mut outcomes = vec![Outcome::default(); ALL.len()];
    let ledgers = Arc::new(ledgers);
    let mut looks = acquittals(&ledgers, &grounds, limits);
    for number in 0..usize::from(evidence.buckets) {
        judged(number, evidence.buckets, events);
        let suspects = match looks.next().await {
            Some(Ok(look)) => {
                for (what, amount) in look.counts {
                    *grounds.coverage.entry(what).or_default() += amount;
                }
                look.suspects
            }
            // Whatever kept it from looking: the checks look at all of it, and say what is wrong.
            _ => Suspects::Bucket,
        };
        if matches!(&suspects, Suspects::Keys(keys) if keys.is_empty()) {
            continue;
        }
        let place = (number, &suspects);
        let opened = bucket::open(&engine, limits, &ledgers, &evidence, place).await;
        match opened {
            Ok(session) => {
                if let Err(error) = count(&session, COVERAGE, &mut grounds).await {
                    grounds.failures.push(error.one_line());
                }
                run_checks(&session, &grounds, false, &mut spool, &mut outcomes).await?;
            }
            Err(source) => {
                let error = AuditError::engine("prepared a bucket")(source).one_line();
                for outcome in &mut outcomes {
                    outcome.error.get_or_insert_with(|| error.clone());
                }
                grounds.failures.push(error);
            }
        }
        bucket::close(&engine, number);
    }
    judged(usize::from(evidence.buckets), evidence.buckets, events);
    let transactions = transactions.unwrap_or_default();
    let opened = bucket::whole(&engine, limits, &ledgers, &evidence, transactions.as_ref()).await;
    look_at_the_whole(opened, &mut grounds, &mut spool, &mut outcomes).await?;
    let findings = spool.rank(&engine, &run.findings(), limits.shown).await?;
    Ok(conclude(&grounds, &outcomes, findings))
}

/// There is no clock here, so each bucket is told.
fn judged(buckets: usize, of: u16, events: &EventSink) {
    events.emit(EventKind::Progress {
        what: "buckets judged".to_owned(),
        done: buckets as u64,
        total: Some(u64::from(of)),
        rate: None,
        lag_bytes: None,
    });
}

/// Looks at each bucket in turn, some of them ahead of the checks. What acquits is the committed change beside its
/// record, and its row where rows are judged.
fn acquittals(ledgers: &Arc<Ledgers>, grounds: &Grounds<'_>, limits: Limits) -> Looks {
    let frame = Frame::new(grounds.evidence, &grounds.coverage, limits.looked_at);
    let buckets = match grounds.evidence.scope {
        Scope::Run | Scope::Window if limits.acquit => grounds.evidence.buckets,
        _ => 0,
    };
    Looks::begin(ledgers, frame, usize::from(buckets))
}

/// Runs the checks of what lies in several buckets.
async fn look_at_the_whole(
    opened: datafusion::error::Result<SessionContext>,
    grounds: &mut Grounds<'_>,
    spool: &mut Spool,
    outcomes: &mut [Outcome],
) -> Result<(), AuditError> {
    let opened = opened.map_err(AuditError::engine("prepared all buckets"));
    let counted = match opened {
        Ok(session) => count(&session, UNPLACED, grounds).await.map(|()| session),
        Err(error) => Err(error),
    };
    match counted {
        Ok(session) => run_checks(&session, grounds, true, spool, outcomes).await,
        Err(error) => {
            let of_the_whole = ALL.iter().zip(outcomes).filter(|(check, _)| check.whole);
            for (_, outcome) in of_the_whole {
                outcome.error = Some(error.one_line());
            }
            grounds.failures.push(error.one_line());
            Ok(())
        }
    }
}

/// Adds what is counted by `sql`: rows of what, relation, amount.
pub(crate) async fn count(
    session: &SessionContext,
    sql: &str,
    grounds: &mut Grounds<'_>,
) -> Result<(), AuditError> {
    let counted = async { session.sql(sql).await?.collect().await };
    let batches = counted
        .await
        .map_err(AuditError::engine("counted a bucket"))?;
    for batch in batches {
        for (what, relation, amount) in counts(&batch, 1)? {
            *grounds.coverage.entry((what, relation)).or_default() += amount;
        }
    }
    Ok(())
}

/// Runs what can run: the checks of one bucket, or those of the whole. One that breaks is remembered,
/// the others go on.
async fn run_checks(
    session: &SessionContext,
    grounds: &Grounds<'_>,
    whole: bool,
    spool: &mut Spool,
    outcomes: &mut [Outcome],
) -> Result<(), AuditError> {
    for (check, sum) in ALL.iter().zip(outcomes) {
        if check.whole != whole || !grounds.applies(check) || grounds.obstacle(check).is_some() {
            continue;
        }
        let mut outcome = Outcome::default();
        match run_check(session, check, spool, &mut outcome).await {
            Err(error @ AuditError::Ledger(_)) => return Err(error),
            Err(error) => outcome.error = Some(error.one_line()),
            Ok(()) => (),
        }
        merge(sum, outcome);
    }
    Ok(())
}

async fn run_check(
    session: &SessionContext,
    check: &Check,
    spool: &mut Spool,
    outcome: &mut Outcome,
) -> Result<(), AuditError> {
    let started = async { session.sql(check.sql).await?.execute_stream().await };
    let mut batches = started.await.map_err(AuditError::engine("ran a check"))?;
    while let Some(batch) = batches.next().await {
        let batch = batch.map_err(AuditError::engine("ran a check"))?;
        let rows = Rows::new(&batch)?;
        for finding in rows.findings(|_| check.name.to_owned()) {
            let finding = finding?;
            *outcome.findings.entry(finding.kind).or_default() += 1;
            spool.append(&finding)?;
        }
    }
    Ok(())
}

fn merge(into: &mut Outcome, from: Outcome) {
    for (kind, count) in from.findings {
        *into.findings.entry(kind).or_default() += count;
    }
    if into.error.is_none() {
        into.error = from.error;
    }
}

fn conclude(grounds: &Grounds<'_>, outcomes: &[Outcome], findings: Vec<Finding>) -> Judgement {
    let mut checks = Vec::new();
    let mut kinds: BTreeMap<FindingKind, u64> = BTreeMap::new();
    for (check, outcome) in ALL.iter().zip(outcomes) {
        for (kind, count) in &outcome.findings {
            *kinds.entry(*kind).or_default() += count;
        }
        if !grounds.applies(check) {
            continue;
        }
        checks.push(grounds.check_result(check, outcome));
    }
    let conclusion = grounds.conclude(&checks);
    let of = |kind: FindingKind| kinds.get(&kind).copied().unwrap_or(0);
    let counts = Counts {
        attempted: grounds.amount("attempted"),
        committed: grounds.amount("committed"),
        published: grounds.amount("published"),
        stored: grounds.amount("stored"),
        lost: of(FindingKind::Lost),
        duplicated: of(FindingKind::Duplicated),
        phantom: of(FindingKind::Phantom),
        reordered: of(FindingKind::Reordered),
        divergent: of(FindingKind::Divergent),
        snapshot: grounds.amount("snapshot"),
        backfill: grounds.amount("backfill"),
        findings: kinds
            .iter()
            .map(|(kind, count)| (kind.name().to_owned(), *count))
            .collect(),
    };
    Judgement {
        verdict: conclusion.verdict,
        proof_level: conclusion.proof_level,
        reasons: conclusion.reasons,
        counts,
        checks,
        findings,
    }
}

#[cfg(test)]
mod tests {
    use cutover_ledger::{ChangeWriter, StoredWriter, write_evidence};
    use cutover_model::canonical::key_hash;
    use cutover_model::run_folder::LedgerKind;
    use cutover_model::{ChangeRow, Op, StoredRow};

    use super::*;
    use crate::acquit::acquit;

    /// 30,000 inserts, every so manieth of them lost; keyless ones lie in one bucket.
    fn lossy_run(folder: &RunFolder, keyed: bool, every: i64, image: fn(i64) -> i64) {
        let evidence = include_str!("../tests/support/evidence.json");
        write_evidence(folder, &serde_evidence(evidence)).unwrap();
        let mut writers = [
            LedgerKind::Attempted,
            LedgerKind::Committed,
            LedgerKind::Published,
        ]
        .map(|kind| ChangeWriter::create(&folder.ledger(kind), 2).unwrap());
        let stored = folder.ledger(LedgerKind::Stored);
        let mut stored = StoredWriter::create(&stored, 2).unwrap();
        for number in 0..30_000 {
            let key = keyed.then(|| format!("{{\"id\":\"{number}\"}}"));
            let mut row = ChangeRow {
                key_hash: key_hash("public.orders", key.as_deref().unwrap_or_default()),
                key,
                after: Some(image(number)),
                xid: Some(number),
                outcome: Some(cutover_model::Outcome::Ok),
                ..ChangeRow::new(0, "public.orders", Op::Create)
            };
            writers[0].append(&row).unwrap();
            (row.outcome, row.lsn) = (None, Some(number * 10));
            (row.commit_lsn, row.ordinal) = (Some(number * 10 + 5), Some(0));
            writers[1].append(&row).unwrap();
            (row.topic, row.partition) = (Some("t".into()), Some(0));
            row.record_offset = Some(number);
            if number % every != 0 {
                writers[2].append(&row).unwrap();
            }
            stored
                .append(&StoredRow {
                    incarnation: 0,
                    relation: row.relation,
                    key: row.key,
                    key_hash: row.key_hash,
                    image: row.after,
                    revision: None,
                })
                .unwrap();
        }
        for writer in writers {
            writer.finish().unwrap();
        }
        stored.finish().unwrap();
    }

    async fn within(run: &RunFolder, limits: Limits) -> Result<Judgement, AuditError> {
        judge_within((run, &EventSink::none()), limits).await
    }

    fn serde_evidence(text: &str) -> cutover_model::Evidence {
        let folder = tempfile::tempdir().unwrap();
        let run = RunFolder::at(folder.path());
        std::fs::create_dir_all(run.ledgers()).unwrap();
        std::fs::write(run.evidence(), text).unwrap();
        read_evidence(&run).unwrap()
    }

    fn leftovers(run: &RunFolder) -> usize {
        let entries = std::fs::read_dir(run.root()).unwrap();
        entries
            .filter(|entry| {
                let name = entry.as_ref().unwrap().file_name();
                name.to_string_lossy().starts_with(".audit-")
            })
            .count()
    }

    #[tokio::test]
    async fn a_bucket_judged_from_disk_gives_the_same_judgement_as_one_in_memory() {
        let folder = tempfile::tempdir().unwrap();
        let run = RunFolder::at(folder.path());
        lossy_run(&run, true, 100, |number| number);
        let in_memory = within(&run, Limits::default()).await.unwrap();
        assert_eq!(in_memory.counts.lost, 300);
        let limits = Limits {
            resident: 0,
            ..Limits::default()
        };
        assert_eq!(within(&run, limits).await.unwrap(), in_memory);
        assert_eq!(leftovers(&run), 0);
    }

    #[tokio::test]
    async fn every_bucket_is_told_and_the_last_number_is_the_whole() {
        let folder = tempfile::tempdir().unwrap();
        let run = RunFolder::at(folder.path());
        lossy_run(&run, true, 10_000, |number| number);
        let told = Arc::new(std::sync::Mutex::new(Vec::new()));
        let copy = told.clone();
        let events = EventSink::new(move |kind| copy.lock().unwrap().push(kind));
        judge_telling(&run, &events).await.unwrap();
        let numbers = |kind: &EventKind| match kind {
            EventKind::Progress { done, total, .. } => Some((*done, *total)),
            _ => None,
        };
        let told: Vec<_> = told.lock().unwrap().iter().filter_map(numbers).collect();
        assert_eq!(told, [(0, Some(2)), (1, Some(2)), (2, Some(2))]);
    }

    #[test]
    fn clean_keys_are_acquitted_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let run = RunFolder::at(folder.path());
        lossy_run(&run, true, 100, |number| number);
        std::fs::remove_dir_all(run.ledger(LedgerKind::Attempted)).unwrap();
        let evidence = read_evidence(&run).unwrap();
        let (ledgers, _) = survey_all(&run, &evidence).unwrap();
        let frame = Frame::new(&evidence, &BTreeMap::new(), u64::MAX);
        let (mut suspects, mut committed) = (0, 0);
        for number in 0..usize::from(evidence.buckets) {
            let look = acquit(&ledgers, &frame, number).unwrap();
            let Suspects::Keys(keys) = look.suspects else {
                panic!("the bucket as a whole is suspect");
            };
            suspects += keys.len();
            committed += look.counts[&("committed".to_owned(), "public.orders".to_owned())];
        }
        assert_eq!((suspects, committed), (300, 29_700));
    }

    #[tokio::test]
    async fn a_table_without_key_that_lost_half_of_its_rows_is_judged_in_little_memory() {
        let folder = tempfile::tempdir().unwrap();
        let run = RunFolder::at(folder.path());
        lossy_run(&run, false, 2, |number| number);
        let in_memory = within(&run, Limits::default()).await.unwrap();
        assert_eq!(in_memory.counts.lost, 15_000);
        let limits = Limits {
            resident: 0,
            memory: 32 << 20,
            ..Limits::default()
        };
        assert_eq!(within(&run, limits).await.unwrap(), in_memory);
    }

    /// Rows that are all alike: hardly a byte each in a file, as much as any others in memory.
    #[tokio::test]
    async fn equal_rows_of_a_table_without_key_are_judged_from_disk_however_small_their_files_are()
    {
        let folder = tempfile::tempdir().unwrap();
        let run = RunFolder::at(folder.path());
        lossy_run(&run, false, 2, |_| 7);
        let in_memory = within(&run, Limits::default()).await.unwrap();
        assert_eq!(in_memory.counts.lost, 15_000);
        let limits = Limits {
            resident_rows: 50_000,
            memory: 32 << 20,
            ..Limits::default()
        };
        let evidence = read_evidence(&run).unwrap();
        let (ledgers, _) = survey_all(&run, &evidence).unwrap();
        let small = |limits| (0..2).all(|number| bucket::is_small(limits, &ledgers, number));
        assert!(small(Limits::default()) && !small(limits));
        assert_eq!(within(&run, limits).await.unwrap(), in_memory);
        // Nor are they looked at for clean keys, of which they have none.
        std::fs::remove_dir_all(run.ledger(LedgerKind::Attempted)).unwrap();
        let (ledgers, _) = survey_all(&run, &evidence).unwrap();
        let frame = Frame::new(&evidence, &BTreeMap::new(), limits.resident_rows);
        let full = (0..2).find(|number| bucket::rows(&ledgers, *number) > 0);
        let look = acquit(&ledgers, &frame, full.unwrap()).unwrap();
        assert!(matches!(look.suspects, Suspects::Bucket));
    }

    #[tokio::test]
    async fn too_little_memory_makes_a_check_unknown_and_never_passes() {
        let folder = tempfile::tempdir().unwrap();
        let run = RunFolder::at(folder.path());
        lossy_run(&run, true, 100, |number| number);
        let limits = Limits {
            resident: 0,
            memory: 400 << 10,
            ..Limits::default()
        };
        let judgement = within(&run, limits).await.unwrap();
        assert_ne!(judgement.verdict, Verdict::Pass);
        let broken = judgement
            .checks
            .iter()
            .find(|check| check.verdict == Verdict::Unknown)
            .unwrap();
        let reason = broken.reason.as_ref().unwrap();
        assert!(reason.contains("engine failed"), "{reason}");
        assert_eq!(leftovers(&run), 0);
    }
}
