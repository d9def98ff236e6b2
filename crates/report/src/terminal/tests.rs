//! The closing screen, word for word.

use cutover_model::Verdict;

use super::{closing_screen, finding};
use crate::look::Look;
use crate::samples;

#[test]
fn the_screen_of_a_pass_and_an_expected_loss() {
    let expected = "\
minor: PostgreSQL 16.2 to 16.14 on the same data directory
  verdict          PASS, proof level P4, as expected
  stack            PostgreSQL 16.2 -> 16.14, Kafka 4.3.1, Debezium 3.7.0.Final, seed 42
  events           attempted 21,034, committed 20,412, published 20,412, stored 5,120
  findings         lost 0, duplicated 0, phantom 0, reordered 0, divergent 0, snapshot records 0
  writes refused   for 2.1 s: the server's own restart 1.4 s, beyond it 0.8 s
  phases           start 5.2 s, load 20.0 s, cutover 6.5 s (in all 31.7 s)
  run folder       /home/me/runs/20261123T180412Z-minor/minor
  checks
    I1 complete   complete   pass
    I2 invention  invention  pass
    I3 once       once       pass
    I4 key order  key_order  pass
    I8 state      state      pass
    I9 snapshot   snapshot   pass
  naive counts     public.orders as many messages as rows? 5120 rows, 20412 messages: the count says
                   fail, the events say pass
                   it misleads: an update is a message too

dump-restore-baseline: pg_dump from 16 into 18, connector repointed with its old offset
  verdict          FAIL, proof level P3, as expected
                   because the topic orders was compacted
  stack            PostgreSQL 16.14 -> 18.4, Kafka 4.3.1, Debezium 3.7.0.Final, seed 42
  events           attempted 21,000, committed 20,300, published 19,100, stored 5,000
  findings         lost 1,200, duplicated 0, phantom not known, reordered not known, divergent 1,
                   snapshot records not known
  writes refused   not at all
  phases           cutover 2 min 31 s (in all 2 min 31 s)
  run folder       /home/me/runs/20261123T180412Z-minor/dump-restore-baseline
  lesson           This runbook lost 1,200 events and left 1 row unlike the database, of 20,300
                   committed: a logical dump carries rows but no slot, so the connector skips every
                   change committed between its stored offset and the new slot's consistent point.
  first findings (2 of 1,201; all of them in findings.parquet of the run folder)
    lost public.orders key {\"id\":\"42\"} op u revision 3 lsn 0/19A2B8 xid 812: committed, never
      published [complete]
    divergent public.o\\u{1b}]0;owned\\u{7} at shop.public.orders/0/17: line\\nbreak [complete]
  checks
    I1 complete   complete   fail     1,201 findings
    I3 once       once       pass
    I5 cut order  cut_order  unknown  the published ledger is not complete

PASS: 2 of 2 scenarios ended as expected (exit code 0)
";
    let screen = closing_screen(&samples::result(), Look::PLAIN);
    assert_eq!(screen, expected, "got:\n{screen}");
}

#[test]
fn what_was_not_expected_is_said_in_words() {
    let mut result = samples::result();
    result.verdict = Verdict::Unknown;
    result.exit_code = 5;
    let minor = &mut result.scenarios[0];
    minor.verdict = Verdict::Unknown;
    minor.as_expected = false;
    result.scenarios[1].as_expected = false;
    let screen = closing_screen(&result, Look::PLAIN);
    assert!(
        screen.contains("UNKNOWN, proof level P4, expected pass"),
        "{screen}"
    );
    assert!(
        screen.contains("FAIL, proof level P3, expected fail with other findings"),
        "{screen}"
    );
    assert!(screen.ends_with("UNKNOWN: 0 of 2 scenarios ended as expected (exit code 5)\n"));
}

#[test]
fn rare_kinds_of_findings_are_not_swallowed() {
    let mut result = samples::result();
    result.scenarios[1]
        .counts
        .findings
        .insert("database-lost".into(), 7);
    let screen = closing_screen(&result, Look::PLAIN);
    assert!(
        screen.contains("snapshot records not known, database-lost 7\n"),
        "{screen}"
    );
}

#[test]
fn colours_only_repeat_words_and_nothing_foreign_gets_through() {
    let colourful = Look {
        colour: true,
        ..Look::PLAIN
    };
    let painted = closing_screen(&samples::result(), colourful);
    let plain = closing_screen(&samples::result(), Look::PLAIN);
    assert!(painted.contains("\u{1b}[1;32mPASS\u{1b}[0m"));
    assert!(!plain.contains('\u{1b}'));
    assert!(
        !painted.contains("\u{1b}]"),
        "the hostile table name stays escaped"
    );
    assert_eq!(painted.lines().count(), plain.lines().count());
}

#[test]
fn a_finding_without_evidence_still_prints() {
    let mut bare = samples::baseline().findings.remove(1);
    bare.topic = None;
    bare.relation = "public.orders".into();
    assert_eq!(
        finding(&bare),
        "divergent public.orders: line\\nbreak [complete]"
    );
}

#[test]
fn a_result_without_scenarios_and_checks_prints() {
    let mut result = samples::result();
    result.scenarios.truncate(1);
    result.scenarios[0].checks.clear();
    result.scenarios[0].phases.clear();
    result.scenarios[0].refused_write_seconds = 0.0;
    let screen = closing_screen(&result, Look::PLAIN);
    assert!(screen.contains("phases           not measured"), "{screen}");
    result.scenarios.clear();
    assert!(closing_screen(&result, Look::PLAIN).starts_with("PASS: 0 of 0 scenarios"));
}
