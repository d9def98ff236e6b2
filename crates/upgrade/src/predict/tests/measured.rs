//! What real connectors did in upgrades, row by row, against the prediction from the facts that each row had right
//! before its last start: Debezium 3.6.3 on Kafka Connect 4.3.1 and 2.4.0 on 3.5.1, November 2026, 100 to 2000 events a
//! run, every event counted. Not in the table: pg_upgrade refusing a slot that is not drained, which is no start of a
//! connector.

use super::*;

/// System and timeline of the old and of a new server.
const OLD: (&str, u32) = ("7400000000000000001", 1);
const NEW: (&str, u32) = ("7400000000000000002", 1);
/// The old server after a restore: the same system, another timeline.
const RESTORED: (&str, u32) = ("7400000000000000001", 2);

type Said = (PredictedOutcome, bool, LosesOn);

const GOES_ON: Said = (Resumes, true, Never);
const FAILS: Said = (Refuses, true, Never);
const GONE: Said = (Skips, false, Start);
const STUCK: Said = (Skips, true, PassingTheOffset);
const READS_AGAIN: Said = (Resnapshots, false, Start);

/// One row, with what was seen on both stacks; `None` where it was not run.
struct Row {
    name: &'static str,
    facts: PredictionFacts,
    current: Option<Said>,
    old_stack: Option<Said>,
}

fn row(name: &'static str, facts: PredictionFacts) -> Row {
    Row {
        name,
        facts,
        current: None,
        old_stack: None,
    }
}

impl Row {
    fn both(mut self, said: Said) -> Row {
        self.current = Some(said);
        self.old_stack = Some(said);
        self
    }

    fn current(mut self, said: Said) -> Row {
        self.current = Some(said);
        self
    }

    fn old_stack(mut self, said: Said) -> Row {
        self.old_stack = Some(said);
        self
    }

    fn option(mut self, name: &str, value: &str) -> Row {
        set(&mut self.facts, name, value);
        self
    }

    fn at_stake(mut self, count: u64) -> Row {
        self.facts.at_stake = Some(count);
        self
    }

    /// The offset rewritten to the slot's position, so it is one of the new server.
    fn rewritten(mut self) -> Row {
        let to = self
            .facts
            .slot
            .as_ref()
            .and_then(SlotFacts::begin)
            .unwrap()
            .to_string();
        let server = &self.facts.server;
        self.facts.offset = Some(offset(&to, &to, Some((&server.system_id, server.timeline))));
        self
    }

    fn deleted(mut self, mode: &str) -> Row {
        self.facts.offset = None;
        self.option("snapshot.mode", mode)
    }

    fn without_slot(mut self) -> Row {
        self.facts.slot = None;
        self
    }
}

fn start(offset: OffsetFacts, slot: SlotFacts, server: TargetFacts) -> PredictionFacts {
    PredictionFacts {
        format: FactsFormat::One,
        offset: Some(offset),
        slot: Some(slot),
        server,
        ..facts("3.6.3", "initial")
    }
}

/// One server before and after a restart: offset a transaction ahead of the slot's confirmed position.
fn t1() -> Vec<Row> {
    let facts = || {
        start(
            offset("0/1929238", "0/1929038", Some(OLD)),
            slot("0/1929000", "0/1929038"),
            server("16.14", OLD, "0/1929320"),
        )
    };
    [
        "T1 pause, stop fast, start, resume",
        "T1 same, drained, no writers",
        "T1 restart with the connector left RUNNING (start of the failed task)",
        "T1 stop, restart, resume",
        "T1 crash while running",
    ]
    .map(|name| row(name, facts()).both(GOES_ON))
    .into()
}

/// Dump and restore into a server whose log is shorter.
fn t2_facts() -> PredictionFacts {
    start(
        offset("0/4497900", "0/4497700", Some(OLD)),
        slot("0/1923928", "0/1923960"),
        server("17.11", NEW, "0/1929A00"),
    )
}

fn t2() -> Vec<Row> {
    let one = |name| row(name, t2_facts());
    let strategy = |name, value| one(name).option("offset.mismatch.strategy", value);
    let mut passed = t2_facts();
    passed.server.current_lsn = lsn("0/4833DC0");
    let mut stopped_old = t2_facts();
    stopped_old.slot = Some(slot("0/1929A40", "0/1929A78"));
    stopped_old.server.current_lsn = lsn("0/1929B00");
    vec![
        one("T2 slot re-made by hand, same offset")
            .current(STUCK)
            .old_stack(GONE),
        row("T2 the log has passed the old offset", passed).both(GONE),
        one("T2 pause, dump, new server on the same port, resume")
            .current(STUCK)
            .old_stack(GONE),
        strategy("T2 trust_offset", "trust_offset").current(GONE),
        strategy("T2 trust_slot", "trust_slot").current(STUCK),
        strategy("T2 trust_greater_lsn", "trust_greater_lsn").current(GONE),
        one("T2 offset rewritten before the resume")
            .rewritten()
            .old_stack(GOES_ON),
        one("T2 offset deleted, no_data")
            .deleted("no_data")
            .current(GOES_ON),
        one("T2 offset deleted, never")
            .deleted("never")
            .old_stack(GOES_ON),
        one("T2 stuck, stopped, rewritten: the slot had not moved")
            .rewritten()
            .current(GOES_ON),
        row(
            "T2 stuck, stopped, rewritten: the stop moved the slot",
            stopped_old,
        )
        .rewritten()
        .at_stake(97)
        .old_stack(GONE),
        one("T2 stuck, slot copied before the stop and put back")
            .rewritten()
            .at_stake(19)
            .old_stack(GONE),
    ]
}

/// Physical restores: the log goes on, on another timeline.
fn t3() -> Vec<Row> {
    let latest = start(
        offset("0/50054F0", "0/50052F0", Some(OLD)),
        slot("0/6007540", "0/6007578"),
        server("17.11", RESTORED, "0/600A000"),
    );
    let ahead = |name| {
        let facts = start(
            offset("0/39F6910", "0/39F6710", Some(OLD)),
            slot("0/3025EC0", "0/3025EF8"),
            server("17.11", RESTORED, "0/302B000"),
        );
        row(name, facts)
    };
    let mut side = latest.clone();
    side.slot = Some(slot("0/4000028", "0/4000060"));
    side.server = server("17.11", (RESTORED.0, 3), "0/6007578");
    let no_data = |row: Row| row.option("snapshot.mode", "no_data");
    let never = |row: Row| row.option("snapshot.mode", "never");
    let fails = (Refuses, false, Never);
    vec![
        no_data(row(
            "T3a slot made after 15 transactions, 3.6.3",
            latest.clone(),
        ))
        .at_stake(47)
        .current(fails),
        never(row(
            "T3a slot made after 15 transactions, 2.4.0",
            latest.clone(),
        ))
        .at_stake(47)
        .old_stack(GONE),
        no_data(ahead("T3b point in time, offset far ahead, 3.6.3")).current(STUCK),
        never(ahead("T3b point in time, offset far ahead, 2.4.0")).old_stack(GONE),
        no_data(ahead("T3c immediate, 3.6.3")).current(STUCK),
        never(ahead("T3c immediate, 2.4.0")).old_stack(GONE),
        row("T3fix the gap from a side server, at the old offset", side).both(GOES_ON),
        row("T3fix back to the new primary, at the slot's start", latest)
            .rewritten()
            .both(GOES_ON),
    ]
}

/// pg_upgrade: the log goes on at a higher position, the slot is made by hand or migrated.
fn t4_facts() -> PredictionFacts {
    start(
        offset("0/187FCD0", "0/187FCD0", Some(OLD)),
        slot("0/8000150", "0/8000188"),
        server("18.4", NEW, "0/8001000"),
    )
}

fn t4() -> Vec<Row> {
    let one = |name| row(name, t4_facts());
    let strategy = |name, value| one(name).option("offset.mismatch.strategy", value);
    vec![
        one("T4 slot by hand before writes, old offset")
            .at_stake(0)
            .current(FAILS)
            .old_stack(GOES_ON),
        one("T4 then stopped, offset rewritten")
            .rewritten()
            .both(GOES_ON),
        one("T4 offsets deleted, no_data")
            .deleted("no_data")
            .current(GOES_ON),
        strategy("T4 trust_slot", "trust_slot")
            .at_stake(0)
            .current(GOES_ON),
        strategy("T4 trust_offset", "trust_offset")
            .at_stake(0)
            .current(FAILS),
        one("T4 when_needed")
            .option("snapshot.mode", "when_needed")
            .current(READS_AGAIN),
        one("T4 ten transactions before the slot")
            .at_stake(14)
            .current((Refuses, false, Never))
            .old_stack(GONE),
        one("T4 slot not re-made")
            .without_slot()
            .current((Refuses, false, Never))
            .old_stack(GONE),
    ]
}

fn t5() -> Vec<Row> {
    let facts = || {
        start(
            offset("0/1929320", "0/1929320", Some(OLD)),
            slot("0/80000D8", "0/8000110"),
            server("18.4", NEW, "0/8001000"),
        )
    };
    let one = |name| row(name, facts());
    let strategy = |name, value| one(name).option("offset.mismatch.strategy", value);
    vec![
        one("T5 slot drained and migrated")
            .at_stake(0)
            .current(FAILS)
            .old_stack(GOES_ON),
        one("T5 rewritten to the migrated slot")
            .rewritten()
            .current(GOES_ON),
        strategy("T5 trust_slot", "trust_slot")
            .at_stake(0)
            .current(GOES_ON),
        strategy("T5 trust_offset", "trust_offset")
            .at_stake(0)
            .current(FAILS),
        one("T5 when_needed")
            .option("snapshot.mode", "when_needed")
            .current(READS_AGAIN),
    ]
}

/// A slot made on the restored standby, below the offset.
fn t6() -> Vec<Row> {
    let facts = || {
        start(
            offset("0/50054F0", "0/50052F0", Some(OLD)),
            slot("0/4000028", "0/4000060"),
            server("17.11", RESTORED, "0/600A000"),
        )
    };
    let mut attached = facts();
    attached.server = server("17.11", OLD, "0/4000100");
    attached.server.in_recovery = true;
    let mut lost = facts();
    lost.slot.as_mut().unwrap().wal_status = Some("lost".to_owned());
    vec![
        row("T6 slot on the standby, promote, same offset", facts()).both(GOES_ON),
        row("T6 attached before the promotion", attached).both(GOES_ON),
        row(
            "T6 old slot dropped: DDL and vacuum invalidate the slot",
            lost,
        )
        .both(GONE),
        row("T6 old slot kept", facts()).both(GOES_ON),
    ]
}

/// Logical copy to a new server.
fn t7() -> Vec<Row> {
    let facts = || {
        let mut facts = start(
            offset("0/4497900", "0/4497700", Some(OLD)),
            slot("0/1923928", "0/1923960"),
            server("18.4", NEW, "0/1929A00"),
        );
        facts.server.subscribed = true;
        facts
    };
    let native = |name| row(name, facts()).option("slot.stream.params", "origin=none");
    let copies = (Repeats, false, Never);
    vec![
        native("T7 origin=none, offset rewritten")
            .rewritten()
            .both(GOES_ON),
        row("T7 without origin=none, slot before the copy", facts())
            .rewritten()
            .both(copies),
        row("T7 without origin=none, slot after the copy", facts())
            .rewritten()
            .old_stack(copies),
        native("T7 origin=none, offset not rewritten")
            .current(STUCK)
            .old_stack(GONE),
    ]
}

fn t8() -> Vec<Row> {
    let facts = start(
        offset("0/4013198", "0/4013198", Some(RESTORED)),
        slot("0/3000028", "0/3000060"),
        server("17.11", RESTORED, "0/4020000"),
    );
    vec![row("T8 point in time, offset rewritten down to the fork", facts).both(GOES_ON)]
}

#[test]
fn every_measured_row_is_predicted_as_it_was_measured() {
    let rows = [t1(), t2(), t3(), t4(), t5(), t6(), t7(), t8()]
        .into_iter()
        .flatten();
    let mut runs = 0;
    for row in rows {
        for (version, seen) in [("3.6.3", row.current), ("2.4.0", row.old_stack)] {
            let Some(seen) = seen else {
                continue;
            };
            let mut facts = row.facts.clone();
            facts.debezium = version.to_owned();
            assert_eq!(
                said(&facts),
                seen,
                "{} with {version}: {:?}",
                row.name,
                told(&facts).because
            );
            // 3.7.0 did the same wherever it was run.
            if version == "3.6.3" {
                facts.debezium = "3.7.0".to_owned();
                assert_eq!(said(&facts), seen, "{} with 3.7.0", row.name);
            }
            runs += 1;
        }
    }
    assert_eq!(runs, 70, "rows times stacks on which they were run");
}

#[test]
fn the_example_on_paper_is_the_measured_case() {
    let mut facts = t2_facts();
    facts.debezium = "3.6.3".to_owned();
    set(&mut facts, "snapshot.mode", "no_data");
    set(&mut facts, "offset.mismatch.strategy", "no_validation");
    set(&mut facts, "lsn.flush.mode", "connector");
    let told = told(&facts);
    assert_eq!((told.outcome, told.loses_on), (Skips, PassingTheOffset));
    let reasons = told.because.join("\n");
    for word in [
        "0/4497900",
        "0/1929A00",
        "0/1923960",
        "Debezium 3.6 to 3.7",
        "7400000000000000002",
    ] {
        assert!(reasons.contains(word), "{word} in {reasons}");
    }
}
