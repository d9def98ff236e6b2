//! Claims about the generator, over many seeds. Nothing here touches a server: each session's rows
//! are advanced as if every transaction went through.

use std::collections::{HashMap, HashSet};

use cutover_model::{Half, Op};
use cutover_workload::Table;
use cutover_workload::plan::{Intent, Plan, Step, Turn};
use cutover_workload::rows::OwnRows;
use cutover_workload::sequence::{plan, plan_with_copies};
use cutover_workload::shapes::{self, Copies};

fn turn(session: u16, number: u64, attempt: u32) -> Turn {
    Turn {
        session,
        number,
        attempt,
    }
}

fn play(seed: u64, session: u16, count: u64) -> (Vec<Plan>, OwnRows) {
    let mut own = OwnRows::empty(session);
    let mut plans = Vec::new();
    for number in 0..count {
        let next = plan(seed, turn(session, number, 0), &own);
        own.apply(&next.changes);
        own.skip_to(next.next);
        plans.push(next);
    }
    (plans, own)
}

#[test]
fn the_same_seed_gives_the_same_transactions_and_another_seed_others() {
    for seed in 0..5 {
        assert_eq!(play(seed, 2, 300).0, play(seed, 2, 300).0);
        assert_ne!(play(seed, 2, 300).0, play(seed + 1, 2, 300).0);
        assert_ne!(play(seed, 2, 300).0, play(seed, 3, 300).0);
    }
}

#[test]
fn another_try_repeats_the_content_under_new_revisions() {
    let (_, own) = play(9, 0, 200);
    let (first, second) = (
        plan(9, turn(0, 200, 0), &own),
        plan(9, turn(0, 200, 1), &own),
    );
    assert_eq!(first.shape, second.shape);
    assert_eq!(first.next, second.next);
    assert_eq!(first.changes.len(), second.changes.len());
    for (a, b) in first.changes.iter().zip(&second.changes) {
        assert_eq!((a.table, a.op, a.id), (b.table, b.op, b.id));
        assert!(a.op == Op::Delete || a.revision < b.revision);
    }
}

#[test]
fn new_revisions_are_unique_over_all_sessions_and_rise_with_every_change_of_a_row() {
    let mut seen = HashSet::new();
    for session in 0..4 {
        let (plans, _) = play(7, session, 1500);
        let mut newest: HashMap<(Table, i64), i64> = HashMap::new();
        for change in plans.iter().flat_map(|plan| &plan.changes) {
            if change.op == Op::Delete {
                continue;
            }
            assert!(seen.insert(change.revision), "revision used twice");
            if change.table.keyed() && change.survives {
                let before = newest.insert((change.table, change.id), change.revision);
                assert!(before.is_none_or(|before| before < change.revision));
            }
        }
    }
}

/// A table kept by the simplest possible rules, to hold the session's own rows against.
#[derive(Default)]
struct Reference(HashMap<(Table, i64), i64>);

impl Reference {
    fn name(change: &cutover_workload::plan::PlannedChange, revision: i64) -> (Table, i64) {
        let name = if change.table.keyed() {
            change.id
        } else {
            revision
        };
        (change.table, name)
    }

    fn apply(&mut self, plan: &Plan) {
        for change in plan.changes.iter().filter(|change| change.survives) {
            let previous = change.previous.unwrap_or(change.revision);
            let old = Reference::name(change, previous);
            let new = Reference::name(change, change.revision);
            match change.op {
                Op::Create => assert!(self.0.insert(new, change.revision).is_none()),
                Op::Update => {
                    assert_eq!(self.0.remove(&old), Some(previous));
                    self.0.insert(new, change.revision);
                }
                Op::Delete => {
                    assert_eq!(change.revision, previous, "a delete names the old revision");
                    assert_eq!(self.0.remove(&old), Some(previous));
                }
                other => unreachable!("{other} is nothing that the load does"),
            }
        }
    }
}

#[test]
fn every_change_fits_the_rows_that_the_changes_before_it_left() {
    for seed in 0..40 {
        let session = u16::try_from(seed % 5).unwrap();
        let (plans, own) = play(seed, session, 400);
        let mut reference = Reference::default();
        for plan in &plans {
            reference.apply(plan);
        }
        let mut count = 0;
        for table in Table::ALL {
            for row in own.table(table).as_slice() {
                let name = if table.keyed() { row.id } else { row.revision };
                assert_eq!(reference.0.get(&(table, name)), Some(&row.revision));
                count += 1;
            }
        }
        assert_eq!(count, reference.0.len());
    }
}

#[test]
fn one_row_tells_whether_a_transaction_was_committed() {
    for seed in 0..5 {
        let mut own = OwnRows::empty(0);
        for number in 0..2000 {
            let next = plan(seed, turn(0, number, 0), &own);
            let proof = next.proof();
            let before = proof.map(|proof| own.table(proof.table).as_slice().contains(&proof.row));
            own.apply(&next.changes);
            own.skip_to(next.next);
            let Some((proof, before)) = proof.zip(before) else {
                assert_eq!(
                    next.intent,
                    Intent::Rollback,
                    "{}: nothing to look at",
                    next.shape
                );
                continue;
            };
            let after = own.table(proof.table).as_slice().contains(&proof.row);
            assert_eq!(
                (before, after),
                (!proof.there_if_committed, proof.there_if_committed)
            );
        }
    }
}

#[test]
fn statements_and_changes_agree_on_how_many_rows_are_touched() {
    for plan in play(3, 0, 3000).0 {
        let rows: u64 = plan
            .steps
            .iter()
            .map(|step| match step {
                Step::Statement { rows, .. } | Step::Copy { rows, .. } => *rows,
                Step::Command(_) | Step::Hold => 0,
            })
            .sum();
        let halves = plan
            .changes
            .iter()
            .filter(|change| change.half == Half::OldKey)
            .count();
        assert_eq!(rows, (plan.changes.len() - halves) as u64, "{}", plan.shape);
        assert!(plan.changes.len() <= 256);
    }
}

#[test]
fn every_shape_happens_at_about_three_changes_per_transaction() {
    let (plans, _) = play(1, 0, 6000);
    let seen: HashSet<_> = plans.iter().map(|plan| plan.shape).collect();
    for shape in shapes::ALL {
        let asked_for = shape.name.starts_with("bulk-copy");
        assert_ne!(seen.contains(shape.name), asked_for, "{}", shape.name);
    }
    let changes: usize = plans.iter().map(|plan| plan.changes.len()).sum();
    let average = changes as f64 / plans.len() as f64;
    assert!(
        (2.5..3.5).contains(&average),
        "{average} changes per transaction"
    );
}

#[test]
fn bulk_loads_happen_where_a_load_asks_for_them() {
    let own = OwnRows::empty(0);
    for (copies, name) in [
        (Copies::Narrow, "bulk-copy"),
        (Copies::Wide, "bulk-copy-wide"),
    ] {
        let plans =
            (0..500).map(|number| plan_with_copies(1, turn(0, number, 0), &own, Some(copies)));
        let found: Vec<Plan> = plans.filter(|plan| plan.shape == name).collect();
        assert!((5..50).contains(&found.len()), "{name}: {}", found.len());
        assert!(
            found
                .iter()
                .all(|plan| plan.changes.len() >= 40 && plan.changes.len() <= 256)
        );
    }
}

#[test]
fn only_the_first_session_holds_transactions_open() {
    let holds = |plans: &[Plan]| {
        plans
            .iter()
            .filter(|plan| plan.steps.contains(&Step::Hold))
            .count()
    };
    assert!(holds(&play(1, 0, 2000).0) > 2);
    assert_eq!(holds(&play(1, 1, 2000).0), 0);
}

#[test]
fn a_rolled_back_transaction_leaves_no_trace_in_the_rows() {
    let mut own = OwnRows::empty(0);
    for number in 0..2000 {
        let next = plan(5, turn(0, number, 0), &own);
        let before = own.clone();
        own.apply(&next.changes);
        own.skip_to(next.next);
        if next.intent == Intent::Rollback {
            for table in Table::ALL {
                assert_eq!(before.table(table).as_slice(), own.table(table).as_slice());
            }
        }
    }
}

#[test]
fn a_load_that_runs_for_long_keeps_a_bounded_number_of_rows() {
    let (plans, own) = play(2, 1, 12_000);
    for table in Table::ALL {
        assert!(own.table(table).len() <= shapes::ROWS_KEPT_MAX + 50);
    }
    assert!(plans.iter().any(|plan| plan.shape == "purge"));
}

#[test]
fn every_shape_file_is_registered_and_every_registered_shape_has_its_file() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/shapes");
    let mut files: Vec<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name != "mod.rs")
        .map(|name| name.trim_end_matches(".rs").replace('_', "-"))
        .collect();
    let mut registered: Vec<String> = shapes::ALL
        .iter()
        .map(|shape| shape.name.to_owned())
        .collect();
    files.sort();
    registered.sort();
    assert_eq!(files, registered);
}
