//! Stories for the tests of pages and documents.

use cutover_model::run_folder::LedgerKind;
use cutover_model::story::{Neighbour, Neighbourhood};
use cutover_model::{EventKind, Finding, FindingKind, RunEvent};

use super::{baseline, event, proven, proven_runbook, refused, stack};

/// The proven run with its events, journal and neighbours.
pub fn story() -> cutover_model::RunStory {
    let told = before().into_iter().chain(cutover()).chain(after());
    let events = told.zip(1..).map(|((at, kind), index)| {
        let second = 12.0 + at;
        RunEvent {
            time: format!("2026-11-23T18:04:{second:06.3}Z"),
            ..event(index, kind)
        }
    });
    cutover_model::RunStory {
        scenario: proven(),
        manifest: None,
        events: events.collect(),
        journal: vec![cutover_model::story::JournalNote {
            time: String::new(),
            number: 1,
            step: "freeze-writes".into(),
            entry: "already-done".into(),
            detail: "yes".into(),
        }],
        lives: vec!["PostgreSQL 16.2".into(), "PostgreSQL 16.14".into()],
        fence: None,
        neighbourhoods: vec![],
        notes: vec![],
    }
}

/// Seconds after the beginning, and what happens then.
type Moment = (f64, EventKind);

fn started(at: f64, name: &str) -> Moment {
    (at, EventKind::PhaseStarted { name: name.into() })
}

fn ended(at: f64, name: &str) -> Moment {
    let name = name.into();
    (
        at,
        EventKind::PhaseEnded {
            name,
            seconds: 10.0,
        },
    )
}

fn sample(at: f64, committed: u64, published: Option<u64>) -> Moment {
    let committed = Some(committed);
    let kind = EventKind::Sample {
        committed,
        published,
    };
    (at, kind)
}

fn before() -> Vec<Moment> {
    let mut told = vec![started(0.0, "load before")];
    for place in 0..20_u32 {
        let (at, count) = (f64::from(place) / 2.0, u64::from(place));
        told.push(sample(at, count * 100, Some(count * 95)));
        let progress = EventKind::Progress {
            what: "changes committed".into(),
            done: count * 100,
            total: None,
            rate: None,
            lag_bytes: Some(4096 * count),
        };
        told.push((at, progress));
    }
    told.push(ended(10.0, "load before"));
    told
}

fn cutover() -> Vec<Moment> {
    let mut told = vec![started(10.0, "cutover")];
    for (step, place) in proven_runbook().steps.iter().zip(0..) {
        let at = 10.0 + f64::from(place);
        let (number, name) = (step.number, step.step.clone());
        let begun = EventKind::StepStarted {
            number,
            step: name.clone(),
            title: step.title.clone(),
        };
        let proved = EventKind::StepProved {
            number,
            step: name,
            proof: "the role app is refused".into(),
            seconds: 0.9,
        };
        told.push((at, begun));
        told.push(sample(at + 0.5, 1900, (place != 1).then_some(1900)));
        told.push((at + 0.9, proved));
    }
    told.push(ended(13.0, "cutover"));
    told
}

fn after() -> Vec<Moment> {
    let text = "the witness reconnected".into();
    vec![
        started(13.0, "load after"),
        sample(20.0, 3000, Some(3000)),
        ended(40.0, "load after"),
        (40.0, refused("2026-11-23T18:04:22.400Z")),
        (40.0, EventKind::Warning { text }),
    ]
}

/// Text that would be markup, steer a terminal or turn the line around if it were not text.
pub const HOSTILE: &str = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>\
    \u{202e}gnp\u{1b}[2J\u{0}|`*_[x](http://y)\u{2028}&lt;";

/// The baseline with hostile text wherever something foreign can stand, and so many findings.
pub fn hostile_story(findings: usize) -> cutover_model::RunStory {
    let hostile = || HOSTILE.to_owned();
    let mut scenario = baseline();
    scenario.name = hostile();
    scenario.title = hostile();
    scenario.reasons = vec![hostile()];
    scenario.lesson = Some(hostile());
    scenario.run_dir = hostile();
    scenario.stack = stack(HOSTILE, HOSTILE);
    scenario.connector_refused = Some(hostile());
    for check in &mut scenario.checks {
        check.guarantee = hostile();
        check.reason = Some(hostile());
    }
    scenario.counts.findings.insert(hostile(), 3);
    for step in scenario
        .runbook
        .iter_mut()
        .flat_map(|runbook| &mut runbook.steps)
    {
        step.title = hostile();
    }
    scenario.findings = (0..findings)
        .map(|number| Finding {
            check: "complete".into(),
            kind: FindingKind::Lost,
            incarnation: Some(0),
            relation: hostile(),
            key: Some(format!("{{\"id\":\"{number}{HOSTILE}\"}}")),
            op: Some("u".into()),
            revision: Some(987_654),
            lsn: Some(1),
            xid: Some(2),
            topic: Some(hostile()),
            partition: Some(0),
            record_offset: Some(3),
            detail: hostile(),
        })
        .collect();
    let mut story = story();
    for event in &mut story.events {
        match &mut event.kind {
            EventKind::StepStarted { step: text, .. }
            | EventKind::PhaseStarted { name: text }
            | EventKind::Warning { text } => *text = hostile(),
            _ => {}
        }
    }
    cutover_model::RunStory {
        scenario,
        lives: vec![hostile()],
        notes: vec![hostile()],
        neighbourhoods: vec![Neighbourhood {
            finding: 0,
            committed: Some(1),
            published: None,
            rows: vec![beside(false), beside(true)],
        }],
        ..story
    }
}

fn beside(itself: bool) -> Neighbour {
    Neighbour {
        ledger: LedgerKind::Committed,
        itself,
        incarnation: 0,
        op: cutover_model::Op::Update,
        key: Some(HOSTILE.to_owned()),
        revision: Some(987_654),
        xid: Some(2),
        lsn: Some(1),
        time_ms: Some(1_795_457_060_000),
        record: Some((HOSTILE.to_owned(), 0, 3)),
    }
}
