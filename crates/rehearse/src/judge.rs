//! From a recorded run folder to a result: audit, expectation, exit code. `rehearse` and `verify` both end
//! here, so a saved run is judged again in exactly the same way, without any server.

use std::collections::BTreeMap;

use cutover_audit::Judgement;
use cutover_model::naive::NaiveCount;
use cutover_model::result::{RESULT_FORMAT, RunResult, ScenarioResult};
use cutover_model::run_folder::{RunManifest, RunStatus};
use cutover_model::{EventSink, ExitCode, FindingKind, RunFolder, Verdict};

use crate::error::RehearseError;

/// Judges one run folder, and tells how far that is.
pub async fn judge_run(
    run: &RunFolder,
    events: &EventSink,
) -> Result<ScenarioResult, RehearseError> {
    let manifest = cutover_ledger::read_manifest(run)?;
    let judgement = cutover_audit::judge_telling(run, events).await?;
    Ok(assemble(run, manifest, judgement))
}

/// The checks of a run as a script for another engine.
pub async fn script(run: &RunFolder) -> Result<String, RehearseError> {
    Ok(cutover_audit::script(run).await?)
}

/// The four classic counts of a run, beside what was found in it.
pub async fn naive_counts(
    run: &RunFolder,
    result: &ScenarioResult,
) -> Result<Vec<NaiveCount>, RehearseError> {
    Ok(cutover_audit::naive(run, &result.checks).await?)
}

/// Result of a run that could not be judged: unknown, with the cause.
pub fn unjudged(run: &RunFolder, manifest: RunManifest, cause: &str) -> ScenarioResult {
    let judgement = Judgement {
        verdict: Verdict::Unknown,
        proof_level: cutover_model::ProofLevel::P0,
        reasons: vec![cause.to_owned()],
        counts: Default::default(),
        checks: Vec::new(),
        findings: Vec::new(),
    };
    assemble(run, manifest, judgement)
}

fn assemble(run: &RunFolder, manifest: RunManifest, judgement: Judgement) -> ScenarioResult {
    let mut judgement = judgement;
    if manifest.status != RunStatus::Finished {
        let state = match manifest.status {
            RunStatus::Interrupted => "the run was interrupted",
            RunStatus::Failed => "the run ended by an error",
            _ => "the run did not come to its end",
        };
        let cause = manifest.cause.as_deref().unwrap_or("no cause recorded");
        let reason = format!("{state}: {cause}");
        if !judgement.reasons.contains(&cause.to_owned()) {
            judgement.reasons.insert(0, reason);
        }
        judgement.verdict = judgement.verdict.max(Verdict::Unknown);
    }
    let as_expected = as_expected(&manifest, &judgement);
    ScenarioResult {
        name: manifest.scenario,
        title: manifest.title,
        expected: manifest.expected,
        as_expected,
        verdict: judgement.verdict,
        proof_level: judgement.proof_level,
        reasons: judgement.reasons,
        lesson: manifest.lesson,
        counts: judgement.counts,
        refused_write_seconds: manifest.refused_write_seconds,
        server_restart_seconds: manifest.server_restart_seconds,
        phases: manifest.phases,
        run_dir: run.root().display().to_string(),
        stack: manifest.stack,
        seed: manifest.seed,
        runbook: manifest.runbook,
        prediction: manifest.prediction,
        connector_refused: manifest.connector_refused,
        checks: judgement.checks,
        findings: judgement.findings,
        naive: Vec::new(),
    }
}

/// The verdict is the expected one, the proof is strong enough, every expected kind of finding occurred, and
/// no other kind did.
fn as_expected(manifest: &RunManifest, judgement: &Judgement) -> bool {
    let found = kinds(&judgement.counts.findings);
    let must = &manifest.expected_findings;
    let may = &manifest.expected_consequences;
    manifest.status == RunStatus::Finished
        && judgement.verdict != Verdict::Unknown
        && judgement.verdict == manifest.expected
        && judgement.proof_level >= manifest.expected_proof_level
        && must.iter().all(|kind| found.contains(kind))
        && found
            .iter()
            .all(|kind| must.contains(kind) || may.contains(kind))
}

fn kinds(counts: &BTreeMap<String, u64>) -> Vec<FindingKind> {
    let occurred = counts.iter().filter(|(_, count)| **count > 0);
    occurred
        .filter_map(|(name, _)| FindingKind::from_name(name))
        .collect()
}

/// The outcome of the whole command. Scenarios that ended as expected count as a pass; of the others the
/// worst counts, and one that expected a failure and did not get it proves nothing: unknown.
pub fn conclude(scenarios: Vec<ScenarioResult>) -> RunResult {
    let surprises = scenarios.iter().filter(|scenario| !scenario.as_expected);
    let verdict = surprises
        .map(|scenario| scenario.verdict.max(Verdict::Unknown))
        .max()
        .unwrap_or(if scenarios.is_empty() {
            Verdict::Unknown
        } else {
            Verdict::Pass
        });
    RunResult {
        format: RESULT_FORMAT.into(),
        verdict,
        exit_code: ExitCode::of(verdict).number(),
        scenarios,
    }
}

#[cfg(test)]
mod tests {
    use cutover_model::ProofLevel;
    use cutover_model::result::Counts;

    use super::*;

    fn manifest(expected: Verdict, must: &[FindingKind]) -> RunManifest {
        RunManifest {
            format: cutover_model::run_folder::RUN_FORMAT.into(),
            cutover: "0".into(),
            scenario: "s".into(),
            title: "t".into(),
            expected,
            expected_proof_level: ProofLevel::P3,
            expected_findings: must.to_vec(),
            expected_consequences: vec![FindingKind::Divergent],
            lesson: None,
            started: String::new(),
            ended: None,
            status: RunStatus::Finished,
            cause: None,
            seed: 1,
            refused_write_seconds: 0.0,
            server_restart_seconds: 0.0,
            stack: Default::default(),
            phases: Vec::new(),
            runbook: None,
            prediction: None,
            connector_refused: None,
            machine: None,
            repeat: None,
        }
    }

    fn judgement(verdict: Verdict, found: &[(FindingKind, u64)]) -> Judgement {
        let findings = found
            .iter()
            .map(|(kind, count)| (kind.name().to_owned(), *count))
            .collect();
        Judgement {
            verdict,
            proof_level: ProofLevel::P3,
            reasons: Vec::new(),
            counts: Counts {
                findings,
                ..Counts::default()
            },
            checks: Vec::new(),
            findings: Vec::new(),
        }
    }

    fn result(manifest: RunManifest, judgement: Judgement) -> RunResult {
        conclude(vec![assemble(
            &RunFolder::at("/nowhere"),
            manifest,
            judgement,
        )])
    }

    #[test]
    fn a_baseline_that_loses_as_expected_exits_zero() {
        let expected = manifest(Verdict::Fail, &[FindingKind::Lost]);
        let found = [(FindingKind::Lost, 3), (FindingKind::Divergent, 1)];
        assert_eq!(
            result(expected, judgement(Verdict::Fail, &found)).exit_code,
            0
        );
    }

    #[test]
    fn a_baseline_that_does_something_else_wrong_is_a_surprise() {
        let expected = manifest(Verdict::Fail, &[FindingKind::Lost]);
        let found = [(FindingKind::Lost, 3), (FindingKind::Duplicated, 1)];
        assert_eq!(
            result(expected.clone(), judgement(Verdict::Fail, &found)).exit_code,
            4
        );
        assert_eq!(result(expected, judgement(Verdict::Pass, &[])).exit_code, 5);
    }

    #[test]
    fn a_run_that_was_interrupted_never_passes() {
        let mut interrupted = manifest(Verdict::Pass, &[]);
        interrupted.status = RunStatus::Interrupted;
        let outcome = result(interrupted, judgement(Verdict::Pass, &[]));
        assert_eq!((outcome.verdict, outcome.exit_code), (Verdict::Unknown, 5));
    }

    #[test]
    fn no_scenario_at_all_proves_nothing() {
        assert_eq!(conclude(Vec::new()).exit_code, 5);
    }

    #[test]
    fn a_weaker_proof_than_expected_is_not_as_expected() {
        let mut weak = judgement(Verdict::Pass, &[]);
        weak.proof_level = ProofLevel::P1;
        assert_eq!(result(manifest(Verdict::Pass, &[]), weak).exit_code, 5);
    }
}
