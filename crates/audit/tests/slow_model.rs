//! The checks against a small slow model: what `docs/guarantees.md` says, over ledgers in memory, in plain Rust. Random
//! histories with random damage go through both, and both must name the same events by the same kinds.
//!
//! `CUTOVER_TEST_HISTORIES` says how many histories (5,000 by default).
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod support;

#[path = "slow_model/account.rs"]
mod account;
#[path = "slow_model/damage.rs"]
mod damage;
#[path = "slow_model/named.rs"]
mod named;
#[path = "slow_model/pairs.rs"]
mod pairs;
#[path = "slow_model/rules.rs"]
mod rules;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use cutover_model::evidence::{Acknowledged, SequenceEvidence, TableEvidence};
use cutover_model::{ChangeRow, Lsn};
use damage::{Damage, forget_old_rows};
use named::Named;
use pairs::Table;
use rules::Judged;
use support::Run;
use support::history::{Dice, LSNS, live};

/// Histories that one judgement covers.
const TOGETHER: u64 = 250;
/// Positions of the histories of a run interleave, so that one position cuts through all of them.
const APART: i64 = 1_024;

fn histories() -> u64 {
    let wanted = std::env::var("CUTOVER_TEST_HISTORIES");
    let wanted = wanted.ok().and_then(|text| text.parse().ok());
    wanted.unwrap_or(5_000)
}

/// What the histories of a run share.
fn frame(dice: &mut Dice) -> Run {
    let mut run = Run::new(2);
    let evidence = &mut run.evidence;
    evidence.tombstones = dice.chance(75);
    evidence.snapshot_allowed = dice.chance(25);
    evidence.attempted = dice.chance(60);
    evidence.transaction_metadata = dice.chance(60);
    for number in 0..dice.below(6) {
        let value = |dice: &mut Dice| dice.chance(80).then(|| dice.below(8));
        evidence.sequences.push(SequenceEvidence {
            name: format!("sequence {number}"),
            incarnation: 1,
            descending: dice.chance(30),
            used: value(dice),
            next: value(dice),
        });
    }
    for incarnation in 0..2 {
        let at =
            |from: i64, dice: &mut Dice| Lsn(((from + dice.below(6_000)) * APART).cast_unsigned());
        let from = if incarnation == 0 { LSNS / 2 } else { 0 };
        if dice.chance(70) {
            let confirmed = at(from, dice);
            evidence.acknowledged.push(Acknowledged {
                incarnation,
                slot: "s".into(),
                confirmed,
                ends: vec![],
            });
        }
        if dice.chance(25) {
            let life = usize::try_from(incarnation).unwrap();
            evidence.incarnations[life].kept_before = Some(at(from, dice));
        }
    }
    run
}

/// One history with damage: `number` in a run, by its seed.
fn damaged(shared: &Run, number: i64, seed: u64) -> Run {
    let mut run = Run {
        evidence: shared.evidence.clone(),
        ..Run::new(2)
    };
    let mut dice = Dice::new(seed ^ 0x00DA_3A6E);
    let pairs = usize::try_from(dice.below(8)).unwrap() + 2;
    live(&mut run, number, seed, pairs);
    let apart = |lsn: &mut Option<i64>| {
        *lsn = lsn.map(|lsn| (lsn - number * LSNS) * APART + number);
    };
    for row in run.committed.iter_mut().chain(&mut run.published) {
        apart(&mut row.lsn);
        apart(&mut row.commit_lsn);
    }
    forget_old_rows(&mut run, &mut dice);
    let blows = if dice.chance(10) {
        0
    } else {
        dice.below(6) + 1
    };
    let mut run = Damage::new(run, dice.next()).inflict(blows);
    if !run.evidence.attempted {
        run.attempted.clear();
    }
    if !run.evidence.transaction_metadata {
        run.transactions.clear();
    }
    run
}

/// What must come out, by the guarantees.
fn expected(run: &Run) -> Vec<Named> {
    let mut tables: BTreeMap<&str, Table<'_>> = BTreeMap::new();
    for row in &run.attempted {
        tables.entry(&row.relation).or_default().attempted.push(row);
    }
    for row in &run.committed {
        tables.entry(&row.relation).or_default().committed.push(row);
    }
    for row in &run.published {
        tables.entry(&row.relation).or_default().published.push(row);
    }
    for row in &run.stored {
        tables.entry(&row.relation).or_default().stored.push(row);
    }
    let mut all = account::torn(run);
    all.extend(account::reused(run));
    for table in tables.values_mut() {
        table.sort();
        all.extend(Judged::of(&run.evidence, table).every_rule());
    }
    all.sort();
    all
}

/// Tables as the evidence of a real run lists them.
fn list_tables(run: &mut Run) {
    let rows = run.committed.iter().chain(&run.published);
    let keyed: BTreeSet<(String, bool)> = rows
        .filter(|row| !matches!(row.op.letter(), "t" | "m"))
        .map(|row| (row.relation.clone(), row.key.is_some()))
        .collect();
    let table = |(relation, keyed)| TableEvidence {
        relation,
        keyed,
        stored: true,
        not_compared: vec![],
    };
    run.evidence.tables = keyed.into_iter().map(table).collect();
}

/// What one side names and the other does not, copies counted.
fn beyond(one: &[Named], other: &[Named]) -> Vec<Named> {
    let mut rest = other.to_vec();
    let missing = one.iter().filter(|named| {
        let found = rest.iter().position(|other| other == *named);
        found.map(|index| rest.swap_remove(index)).is_none()
    });
    missing.cloned().collect()
}

/// A row in one line, for whoever has to find out why the two disagree.
fn line(row: &ChangeRow) -> String {
    format!(
        "  {}/{:?}/{:?} life {} {} {:?} #{} lsn {:?} commit {:?}.{:?} xid {:?} {:?}>{:?} rev {:?} {:?} {:?} {:?} {:?}",
        row.relation,
        row.partition,
        row.record_offset,
        row.incarnation,
        row.op,
        row.key,
        row.key_hash,
        row.lsn,
        row.commit_lsn,
        row.ordinal,
        row.xid,
        row.before,
        row.after,
        row.revision,
        row.half,
        row.outcome,
        row.compensation,
        row.origin,
    )
}

fn explained(run: &Run, relation: &str) -> String {
    let mut text = String::new();
    for (name, rows) in [
        ("attempted", &run.attempted),
        ("committed", &run.committed),
        ("published", &run.published),
    ] {
        let mut rows: Vec<&ChangeRow> =
            rows.iter().filter(|row| row.relation == relation).collect();
        rows.sort_by_key(|row| {
            (
                row.key.clone(),
                row.partition,
                row.record_offset,
                row.incarnation,
                row.commit_lsn,
                row.ordinal,
            )
        });
        text.push_str(&format!(" {name}\n"));
        text.extend(rows.into_iter().map(|row| line(row) + "\n"));
    }
    for row in run.stored.iter().filter(|row| row.relation == relation) {
        text.push_str(&format!("  stored {row:?}\n"));
    }
    text
}

#[test]
fn the_checks_and_a_slow_model_name_the_same_events() {
    let started = Instant::now();
    let (mut named, mut tally) = (0, BTreeMap::<String, u64>::new());
    let mut wrong = Vec::new();
    for first in (0..histories()).step_by(usize::try_from(TOGETHER).unwrap()) {
        let mut run = frame(&mut Dice::new(first ^ 0x00F2_A3E5));
        for number in 0..TOGETHER {
            let mut one = damaged(&run, i64::try_from(number).unwrap(), first + number);
            run.attempted.append(&mut one.attempted);
            run.committed.append(&mut one.committed);
            run.published.append(&mut one.published);
            run.stored.append(&mut one.stored);
            run.transactions.append(&mut one.transactions);
        }
        list_tables(&mut run);
        let expected = expected(&run);
        let (judgement, findings) = run.judge();
        let unheard: Vec<_> = judgement
            .checks
            .iter()
            .filter(|check| check.verdict == cutover_model::Verdict::Unknown && check.findings == 0)
            .collect();
        let mut found: Vec<Named> = findings.iter().map(Named::from).collect();
        found.sort();
        named += found.len();
        for one in &found {
            *tally.entry(one.kind.to_string()).or_default() += 1;
        }
        for (side, apart) in [
            ("only the model says", beyond(&expected, &found)),
            ("only the checks say", beyond(&found, &expected)),
        ] {
            for one in apart {
                let history = explained(&run, &one.relation);
                wrong.push((
                    one.kind,
                    format!("{first}: {side} {one:?}\n{unheard:?}\n{history}"),
                ));
            }
        }
    }
    println!(
        "{} histories, {named} findings {tally:?}: {:.1} s",
        histories(),
        started.elapsed().as_secs_f64()
    );
    wrong.sort_by_key(|(kind, text)| (*kind, text.len()));
    let mut kinds: BTreeMap<_, u64> = BTreeMap::new();
    for (kind, text) in &wrong {
        let shown = kinds.entry(*kind).or_default();
        *shown += 1;
        if *shown <= 2 {
            println!("{text}");
        }
    }
    assert!(wrong.is_empty(), "{} differences: {kinds:?}", wrong.len());
}
