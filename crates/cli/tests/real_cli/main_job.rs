//! The main job with the real binary and real servers, as the README has it; then the recorded clean run
//! with one planted error each, which `verify` must find by its name, at its place.

use std::path::Path;

use cutover_ledger::{ChangeWriter, read_changes, read_evidence};
use cutover_model::result::{RunResult, ScenarioResult};
use cutover_model::run_folder::LedgerKind;
use cutover_model::{ChangeRow, FindingKind, Op, ProofLevel, RunFolder, Verdict};

use cutover_report::{Look, closing_screen};

use crate::site::{Site, text};
use crate::transcript::{entered, lines, missing, unwrapped};

fn parse(output: &std::process::Output) -> RunResult {
    let result = serde_json::from_slice(&output.stdout);
    result.unwrap_or_else(|error| panic!("{error}: {}", text(output)))
}

fn verify(site: &Site, folder: &Path) -> (Option<i32>, RunResult) {
    let output = site.run(&["verify", folder.to_str().unwrap(), "--output", "json"]);
    (output.status.code(), parse(&output))
}

#[test]
fn the_main_job_passes_the_proven_runbook_and_shows_what_the_baseline_loses() {
    let site = Site::new();
    let output = site.run(&["rehearse", "--output", "json"]);
    let result = parse(&output);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    site.assert_nothing_left();
    as_the_readme_shows(&String::from_utf8_lossy(&output.stderr), &result);
    let [minor, baseline] = &result.scenarios[..] else {
        panic!("{:?}", result.scenarios)
    };
    proven(minor);
    loses(baseline);
    for scenario in [minor, baseline] {
        let (code, again) = verify(&site, Path::new(&scenario.run_dir));
        assert_eq!(code, Some(0));
        assert_eq!(again.scenarios[0].counts, scenario.counts);
        assert_eq!(again.scenarios[0].verdict, scenario.verdict);
        assert_eq!(again.scenarios[0].findings, scenario.findings);
    }
    planted_errors_are_found(&site, &RunFolder::at(&minor.run_dir));
}

/// The README's transcript, but for the findings that happen to be the first.
fn as_the_readme_shows(narrated: &str, result: &RunResult) {
    let shown = entered(include_str!("../../../../README.md"));
    let [job] = &shown[..] else {
        panic!("{} commands", shown.len())
    };
    assert_eq!(job.line, "cargo run -- rehearse");
    let said = format!("{narrated}\n{}", closing_screen(result, Look::PLAIN));
    let mut expected = unwrapped(&job.shown);
    let finding = |line: &String| line.starts_with("    lost public.");
    expected.retain(|line| !line.starts_with('(') && !finding(line));
    let absent = missing(&expected, &unwrapped(&lines(&said)));
    assert_eq!(absent, None, "{said}");
}

#[test]
fn the_proven_dump_and_restore_keeps_every_event_across_two_servers() {
    let site = Site::new();
    let output = site.run(&["rehearse", "dump-restore", "--output", "json"]);
    let result = parse(&output);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    let scenario = &result.scenarios[0];
    assert_eq!(scenario.verdict, Verdict::Pass, "{:?}", scenario.reasons);
    assert_eq!(scenario.counts.committed, scenario.counts.published);
    assert!(scenario.counts.committed > 10_000 && scenario.counts.snapshot == 0);
    site.assert_nothing_left();
}

/// Every key and value in Avro; what was recorded is judged again when registry, broker and servers are gone.
#[test]
fn records_in_avro_are_judged_as_those_in_json_are_and_again_without_their_registry() {
    let site = Site::new();
    let output = site.run(&["rehearse", "minor-avro", "--output", "json"]);
    let result = parse(&output);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    site.assert_nothing_left();
    let scenario = &result.scenarios[0];
    proven(scenario);
    let evidence = read_evidence(&RunFolder::at(&scenario.run_dir)).unwrap();
    assert_eq!(evidence.payload.format, "debezium envelope, avro");
    let stream = evidence.stream.unwrap();
    assert!(
        stream
            .options
            .contains_key("value.converter.schema.registry.url")
    );
    let (code, again) = verify(&site, Path::new(&scenario.run_dir));
    assert_eq!(code, Some(0));
    assert_eq!(again.scenarios[0].counts, scenario.counts);
}

/// Flattened records show less: no old row, so updates of a table without key cannot be told apart. The run
/// must say so and be unknown, with every keyed event found all the same.
#[test]
fn flattened_records_with_inline_schema_are_judged_as_far_as_they_reach() {
    let site = Site::new();
    let short = include_str!("../support/short.toml");
    let flat = format!("{short}\n[connector]\npayload = \"flattened\"\ninline_schema = true\n");
    let path = site.path("flat.toml");
    std::fs::write(
        &path,
        flat.replace("changes_before = 3000", "changes_before = 800"),
    )
    .unwrap();
    let output = site.run(&["rehearse", path.to_str().unwrap(), "--output", "json"]);
    let result = parse(&output);
    assert_eq!(output.status.code(), Some(5), "{}", text(&output));
    let scenario = &result.scenarios[0];
    assert_eq!(scenario.verdict, Verdict::Unknown);
    assert!(
        scenario
            .reasons
            .iter()
            .any(|reason| reason.contains("order_events")),
        "{scenario:?}"
    );
    assert_eq!(scenario.counts.committed, scenario.counts.published);
    assert!(
        scenario.counts.findings.values().all(|count| *count == 0),
        "{scenario:?}"
    );
}

fn proven(minor: &ScenarioResult) {
    assert_eq!(minor.verdict, Verdict::Pass, "{minor:?}");
    assert!(minor.proof_level >= ProofLevel::P3 && minor.as_expected);
    assert!(minor.counts.committed >= 20_000, "{:?}", minor.counts);
    assert_eq!(minor.counts.committed, minor.counts.published);
    assert!(minor.counts.findings.values().all(|count| *count == 0));
    assert!(minor.counts.snapshot == 0 && minor.counts.stored > 0);
    // Writers were active through the switch, so they must have met a refusal.
    assert!(minor.refused_write_seconds > 0.0);
}

fn loses(baseline: &ScenarioResult) {
    assert_eq!(baseline.verdict, Verdict::Fail);
    assert!(baseline.as_expected && baseline.lesson.is_some());
    let counts = &baseline.counts;
    assert!(counts.lost > 0);
    // Every lost event is named, and nothing else is missing.
    assert_eq!(counts.committed - counts.published, counts.lost);
    let lost = |run_dir: &str| {
        let findings = cutover_ledger::read_findings(&RunFolder::at(run_dir).findings()).unwrap();
        findings
            .filter(|finding| finding.as_ref().unwrap().kind == FindingKind::Lost)
            .count()
    };
    assert_eq!(lost(&baseline.run_dir) as u64, counts.lost);
}

/// One error in the records of a clean run.
struct Planted {
    name: &'static str,
    kind: FindingKind,
    /// Changes the records; returns the LSN of the change that must be named.
    plant: fn(&mut Vec<ChangeRow>) -> i64,
}

const PLANTED: [Planted; 5] = [
    Planted {
        name: "drop",
        kind: FindingKind::Lost,
        plant: drop_one,
    },
    Planted {
        name: "duplicate",
        kind: FindingKind::Duplicated,
        plant: duplicate_one,
    },
    Planted {
        name: "swap",
        kind: FindingKind::Reordered,
        plant: swap_two_of_one_key,
    },
    Planted {
        name: "alter",
        kind: FindingKind::Divergent,
        plant: alter_one,
    },
    Planted {
        name: "resurrect",
        kind: FindingKind::Resurrected,
        plant: resurrect_one,
    },
];

fn planted_errors_are_found(site: &Site, clean: &RunFolder) {
    let evidence = read_evidence(clean).unwrap();
    let records: Vec<ChangeRow> = read_changes(&clean.ledger(LedgerKind::Published))
        .unwrap()
        .map(Result::unwrap)
        .collect();
    for planted in PLANTED {
        let folder = site.path(planted.name);
        let status = std::process::Command::new("cp")
            .arg("-r")
            .arg(clean.root())
            .arg(&folder)
            .status();
        assert!(status.unwrap().success());
        let run = RunFolder::at(&folder);
        let ledger = run.ledger(LedgerKind::Published);
        std::fs::remove_dir_all(&ledger).unwrap();
        let mut changed = records.clone();
        let lsn = (planted.plant)(&mut changed);
        let mut writer = ChangeWriter::create(&ledger, evidence.buckets).unwrap();
        changed.iter().for_each(|row| writer.append(row).unwrap());
        writer.finish().unwrap();
        let (code, result) = verify(site, &folder);
        assert_eq!(
            code,
            Some(4),
            "{}: {:?}",
            planted.name,
            result.scenarios[0].reasons
        );
        let named = result.scenarios[0]
            .findings
            .iter()
            .any(|finding| finding.kind == planted.kind && finding.lsn == Some(lsn));
        assert!(
            named,
            "{} of {lsn}: {:?}",
            planted.name, result.scenarios[0].findings
        );
    }
}

/// A keyed record in the middle of the run, so that it has neighbours.
fn middle(rows: &[ChangeRow], op: Op) -> usize {
    let half = rows.len() / 2;
    let fits = |row: &ChangeRow| row.op == op && row.key.is_some();
    half + rows[half..].iter().position(fits).unwrap()
}

fn drop_one(rows: &mut Vec<ChangeRow>) -> i64 {
    let at = middle(rows, Op::Create);
    rows.remove(at).lsn.unwrap()
}

fn duplicate_one(rows: &mut Vec<ChangeRow>) -> i64 {
    let mut copy = rows[middle(rows, Op::Update)].clone();
    copy.record_offset = Some(10_000_000);
    let lsn = copy.lsn.unwrap();
    rows.push(copy);
    lsn
}

#[expect(clippy::ptr_arg, reason = "the planted errors share one signature")]
fn swap_two_of_one_key(rows: &mut Vec<ChangeRow>) -> i64 {
    let second = middle(rows, Op::Update);
    let same = |row: &ChangeRow| {
        row.op != Op::Tombstone
            && row.key == rows[second].key
            && row.relation == rows[second].relation
            && row.record_offset < rows[second].record_offset
    };
    let before = rows
        .iter()
        .filter(|row| same(row))
        .map(|row| row.record_offset)
        .max()
        .unwrap();
    let first = rows
        .iter()
        .position(|row| row.record_offset == before && row.relation == rows[second].relation)
        .unwrap();
    let offset = rows[first].record_offset;
    rows[first].record_offset = rows[second].record_offset;
    rows[second].record_offset = offset;
    rows[first].lsn.unwrap()
}

#[expect(clippy::ptr_arg, reason = "the planted errors share one signature")]
fn alter_one(rows: &mut Vec<ChangeRow>) -> i64 {
    let at = middle(rows, Op::Update);
    rows[at].after = rows[at].after.map(|hash| hash ^ 1);
    rows[at].lsn.unwrap()
}

fn resurrect_one(rows: &mut Vec<ChangeRow>) -> i64 {
    let deleted = rows[middle(rows, Op::Delete)].clone();
    let earlier = |row: &&ChangeRow| {
        row.key == deleted.key && row.relation == deleted.relation && row.op == Op::Create
    };
    let mut ghost = rows.iter().find(earlier).unwrap().clone();
    ghost.op = Op::Update;
    ghost.record_offset = Some(10_000_001);
    let lsn = ghost.lsn.unwrap();
    rows.push(ghost);
    lsn
}
