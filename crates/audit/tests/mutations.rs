//! Planted mutations: a clean history passes without a finding; the same history with one wrong
//! thing in it gives the finding that names that thing, and nothing that does not follow from it.
//!
//! `CUTOVER_TEST_HISTORIES` raises the number of histories (200 by default).
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on has failed"
)]

mod support;

use std::time::Instant;

use cutover_model::{ProofLevel, Verdict};
use support::Run;
use support::history::{Dice, live};
use support::mutate::{ALL, History, Planted};

/// Histories that one judgement covers.
const TOGETHER: u64 = 100;
const TRANSACTIONS: usize = 40;

fn histories() -> u64 {
    let wanted = std::env::var("CUTOVER_TEST_HISTORIES");
    wanted
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(200)
}

fn clean(first: u64, count: u64) -> Run {
    let mut run = Run::new(2);
    run.evidence = support::evidence(2, 2);
    // The tables of each history are its own; what the evidence lists does not matter to the
    // checks.
    for seed in first..first + count {
        live(
            &mut run,
            i64::try_from(seed - first).unwrap(),
            seed,
            TRANSACTIONS,
        );
    }
    run
}

/// Tries mutation after mutation, from a seeded one on, until one finds its place.
fn plant(run: &mut Run, number: u64, seed: u64) -> Planted {
    let mut dice = Dice::new(seed ^ 0xABCD);
    for attempt in 0..200 {
        let which = usize::try_from((seed + attempt / 12) % ALL.len() as u64).unwrap();
        let (what, mutation) = ALL[which];
        let mut candidate = run.clone();
        let mut history = History {
            run: &mut candidate,
            dice: Dice::new(dice.next()),
            prefix: format!("h{number}."),
        };
        if let Some(planted) = mutation(&mut history) {
            *run = candidate;
            return Planted { what, ..planted };
        }
    }
    panic!("history {seed} has no place for any mutation");
}

#[test]
fn clean_histories_pass_without_a_finding() {
    for first in (0..histories()).step_by(usize::try_from(TOGETHER).unwrap()) {
        let run = clean(first, TOGETHER);
        let started = Instant::now();
        let (judgement, findings) = run.judge();
        println!(
            "{} committed, {} published, {} stored rows: {:.2} s",
            run.committed.len(),
            run.published.len(),
            run.stored.len(),
            started.elapsed().as_secs_f64()
        );
        assert_eq!(findings, [], "histories from {first} on");
        assert_eq!(judgement.reasons, Vec::<String>::new());
        assert_eq!(
            (judgement.verdict, judgement.proof_level),
            (Verdict::Pass, ProofLevel::P4)
        );
    }
}

#[test]
fn every_planted_mutation_is_found_and_named() {
    for first in (0..histories()).step_by(usize::try_from(TOGETHER).unwrap()) {
        let mut run = Run::new(2);
        let mut planted = Vec::new();
        for number in 0..TOGETHER {
            let seed = first + number;
            let mut one = Run::new(2);
            live(&mut one, i64::try_from(number).unwrap(), seed, TRANSACTIONS);
            planted.push(plant(&mut one, number, seed));
            run.attempted.append(&mut one.attempted);
            run.committed.append(&mut one.committed);
            run.published.append(&mut one.published);
            run.stored.append(&mut one.stored);
        }
        let (judgement, findings) = run.judge();
        assert_eq!(judgement.verdict, Verdict::Fail);
        for (number, planted) in planted.iter().enumerate() {
            let prefix = format!("h{number}.");
            let of: Vec<_> = findings
                .iter()
                .filter(|finding| finding.relation.starts_with(&prefix))
                .collect();
            let seed = first + number as u64;
            assert!(
                of.iter().any(|finding| planted.is_named_by(finding)),
                "{seed}: '{}' should give {} in {} at lsn {:?}, offset {:?}, got {of:#?}",
                planted.what,
                planted.kind,
                planted.relation,
                planted.lsn,
                planted.record_offset,
            );
            for finding in of {
                let follows =
                    finding.kind == planted.kind || planted.consequences.contains(&finding.kind);
                assert!(
                    follows,
                    "{seed}: '{}' does not explain {finding:#?}",
                    planted.what
                );
            }
        }
    }
}

#[test]
fn every_mutation_is_planted_somewhere() {
    let mut seen = std::collections::BTreeSet::new();
    for seed in 0..80 {
        let mut run = Run::new(2);
        live(&mut run, 0, seed, TRANSACTIONS);
        seen.insert(plant(&mut run, 0, seed).what);
    }
    assert_eq!(seen.len(), ALL.len(), "{seen:?}");
}
