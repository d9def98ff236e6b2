//! The story of a run for programs: what the page draws and lists, as numbers.
//!
//! The rule it protects: each form of report tells the same. What was not measured is null and never zero, and what
//! could not be read is named in `unread`.

use cutover_model::RunStory;
use cutover_model::story::{Neighbour, Neighbourhood};
use serde_json::{Value, json};

use crate::telling::moments::{Point, Span, Timeline, noted, thinned};
use crate::telling::steps::{DrivenStep, driven};
use crate::telling::words;

/// Points of a curve at most: as many as a picture can show, however long the run was.
const POINTS: usize = 600;

/// The story.
pub(super) fn told(story: &RunStory) -> Value {
    let manifest = story.manifest.as_ref();
    let notes = noted(&story.events).into_iter().map(|note| {
        let (time, kind) = (note.time, note.kind);
        json!({ "time": time, "kind": kind, "text": note.text })
    });
    let fence = story.fence.as_ref().map(|fence| {
        json!({
            "life": fence.incarnation,
            "lsn": fence.lsn,
            "seen_in_topic": fence.seen_in_topic,
            "offset_stored": fence.offset_stored,
            "confirmed": fence.confirmed,
            "witnessed": fence.witnessed,
        })
    });
    json!({
        "clock": Timeline::of(&story.events).as_ref().map(clock),
        "steps": driven(story).iter().map(step).collect::<Vec<_>>(),
        "notes": notes.collect::<Vec<_>>(),
        "beside_findings": story.neighbourhoods.iter().map(beside).collect::<Vec<_>>(),
        "lives": story.lives,
        "fence": fence,
        "cutover": manifest.map(|run| &run.cutover),
        "machine": manifest.and_then(|run| run.machine.as_ref()),
        "started": manifest.map(|run| &run.started),
        "ended": manifest.and_then(|run| run.ended.as_ref()),
        "repeat": words::repeat(story),
        "unread": story.notes,
    })
}

/// To the millisecond, which is how exact the events are.
fn rounded(seconds: f64) -> f64 {
    (seconds * 1000.0).round() / 1000.0
}

fn clock(line: &Timeline) -> Value {
    let begun = jiff::Timestamp::from_millisecond(line.begun_ms).ok();
    let spans = |spans: &[Span]| spans.iter().map(span).collect::<Vec<_>>();
    let curve = |points: &[Point]| {
        let thin = thinned(points, POINTS);
        thin.iter().map(point).collect::<Vec<_>>()
    };
    json!({
        "begun": begun.map(|begun| format!("{begun:.3}")),
        "seconds": rounded(line.length),
        "phases": spans(&line.phases),
        "steps": spans(&line.steps),
        "writes_refused": spans(&line.refused),
        "committed_per_second": curve(&line.committed),
        "published_per_second": curve(&line.published),
        "lag_bytes": curve(&line.lag),
    })
}

fn span(span: &Span) -> Value {
    json!({ "name": span.name, "from": rounded(span.from), "to": rounded(span.to) })
}

fn point(point: &Point) -> Value {
    json!({ "at": rounded(point.at), "value": point.value.map(rounded) })
}

fn step(step: &DrivenStep) -> Value {
    json!({
        "number": step.number,
        "step": step.step,
        "title": step.title,
        "proof": step.proof,
        "point_of_no_return": step.point_of_no_return,
        "end": step.end.word(),
        "seen": step.seen,
        "seconds": step.took.map(rounded),
    })
}

fn beside(hood: &Neighbourhood) -> Value {
    json!({
        "finding": hood.finding,
        "committed": hood.committed,
        "published": hood.published,
        "rows": hood.rows.iter().map(row).collect::<Vec<_>>(),
    })
}

fn row(row: &Neighbour) -> Value {
    let record = row.record.as_ref();
    json!({
        "ledger": row.ledger.name(),
        "itself": row.itself,
        "life": row.incarnation,
        "op": row.op.letter(),
        "key": row.key,
        "revision": row.revision,
        "xid": row.xid,
        "lsn": row.lsn,
        "time_ms": row.time_ms,
        "topic": record.map(|(topic, _, _)| topic),
        "partition": record.map(|(_, partition, _)| partition),
        "record_offset": record.map(|(_, _, offset)| offset),
    })
}
