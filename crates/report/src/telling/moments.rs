//! The run on a clock: phases, steps, refused writes, curves, and what was going on at a given moment.
//!
//! Every number comes out of `events.jsonl`; where nothing was measured a curve has a hole. Times are seconds since the
//! first event.

use cutover_model::{EventKind, RunEvent};

use crate::text::{bytes, count, foreign, seconds};

/// A stretch of time with a name.
#[derive(Debug, Clone, PartialEq)]
pub struct Span {
    /// What it is called.
    pub name: String,
    /// Seconds since the first event.
    pub from: f64,
    /// Likewise.
    pub to: f64,
}

/// A point of a curve.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    /// Seconds since the first event.
    pub at: f64,
    /// What was measured; `None` makes a hole.
    pub value: Option<f64>,
}

/// The heads of the table of [`Row`]s.
pub const RATES: [&str; 5] = [
    "after",
    "committed/s",
    "published/s",
    "lag",
    "what was going on",
];

/// What was measured in one stretch of time, for a table.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// Seconds since the first event.
    pub from: f64,
    /// Changes committed per second.
    pub committed: Option<f64>,
    /// Records published per second.
    pub published: Option<f64>,
    /// Bytes of log that were not confirmed.
    pub lag: Option<f64>,
    /// Step or phase.
    pub going_on: String,
}

impl Row {
    /// Its cells; a dash was not measured.
    pub fn cells(&self) -> [String; 5] {
        let dash = || "–".to_owned();
        let rate = |rate: Option<f64>| rate.map_or_else(dash, |rate| count(rate.round() as u64));
        let lag = self.lag;
        [
            seconds(self.from),
            rate(self.committed),
            rate(self.published),
            lag.map_or_else(dash, |size| bytes(size.round() as u64)),
            foreign(&self.going_on),
        ]
    }
}

/// The run on a clock.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Timeline {
    /// Epoch milliseconds of the first event.
    pub begun_ms: i64,
    /// Seconds from the first event to the last.
    pub length: f64,
    /// Phases in order.
    pub phases: Vec<Span>,
    /// Steps of the runbook in order, called `number name`.
    pub steps: Vec<Span>,
    /// Stretches in which writes were refused.
    pub refused: Vec<Span>,
    /// Changes committed per second.
    pub committed: Vec<Point>,
    /// Records published per second.
    pub published: Vec<Point>,
    /// Bytes of log that the connector's slot had not confirmed.
    pub lag: Vec<Point>,
}

/// What was noted on the way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Noted<'a> {
    /// UTC, ISO 8601.
    pub time: &'a str,
    /// `note`, `warning` or `failure`.
    pub kind: &'static str,
    /// In words.
    pub text: String,
}

/// Notes, warnings and failed steps in their order.
pub fn noted(events: &[RunEvent]) -> Vec<Noted<'_>> {
    let told = |kind: &EventKind| match kind {
        EventKind::Note { text } => Some(("note", text.clone())),
        EventKind::Warning { text } => Some(("warning", text.clone())),
        EventKind::StepFailed { step, reason, .. } => {
            Some(("failure", format!("step {step}: {reason}")))
        }
        _ => None,
    };
    let noted = events.iter().filter_map(|event| {
        let (kind, text) = told(&event.kind)?;
        let time = event.time.as_str();
        Some(Noted { time, kind, text })
    });
    noted.collect()
}

/// A longer one is a clock that was set, not a run.
const LONGEST_SECONDS: f64 = 366.0 * 86_400.0;

/// Epoch milliseconds of a time as events carry it.
pub fn epoch_ms(time: &str) -> Option<i64> {
    let parsed: jiff::Timestamp = time.parse().ok()?;
    Some(parsed.as_millisecond())
}

impl Timeline {
    /// From the events of one scenario; `None` if they do not tell how long it was.
    pub fn of(events: &[RunEvent]) -> Option<Timeline> {
        let timed: Vec<(i64, &EventKind)> = events
            .iter()
            .filter_map(|event| Some((epoch_ms(&event.time)?, &event.kind)))
            .collect();
        let begun = timed.first()?.0;
        let after = |ms: i64| ms.saturating_sub(begun) as f64 / 1000.0;
        let length = after(timed.iter().map(|(ms, _)| *ms).max()?);
        if !(0.001..LONGEST_SECONDS).contains(&length) {
            return None;
        }
        let clocked: Vec<(f64, &EventKind)> = timed
            .into_iter()
            .map(|(ms, kind)| (after(ms).clamp(0.0, length), kind))
            .collect();
        let mut line = Timeline {
            begun_ms: begun,
            length,
            ..Timeline::default()
        };
        line.spans(&clocked);
        line.curves(&clocked);
        Some(line)
    }

    fn spans(&mut self, events: &[(f64, &EventKind)]) {
        let mut phase: Option<(f64, &str)> = None;
        let mut step: Option<(f64, String)> = None;
        for (at, kind) in events {
            match kind {
                EventKind::PhaseStarted { name } => phase = Some((*at, name)),
                EventKind::PhaseEnded { .. } => {
                    self.phases
                        .extend(phase.take().map(|open| span(open.1, open.0, *at)));
                }
                EventKind::StepStarted {
                    number, step: name, ..
                } => {
                    step = Some((*at, format!("{number} {name}")));
                }
                EventKind::StepProved { .. }
                | EventKind::StepDone { .. }
                | EventKind::StepFailed { .. } => {
                    self.steps
                        .extend(step.take().map(|open| span(&open.1, open.0, *at)));
                }
                EventKind::WritesRefused { from, seconds, .. } => {
                    self.refuse(from, *seconds);
                }
                _ => {}
            }
        }
        // What was under way when the run broke off.
        let end = self.length;
        self.phases
            .extend(phase.map(|open| span(open.1, open.0, end)));
        self.steps
            .extend(step.map(|open| span(&open.1, open.0, end)));
    }

    fn refuse(&mut self, from: &str, seconds: f64) {
        let Some(from) = epoch_ms(from) else {
            return;
        };
        let from = from.saturating_sub(self.begun_ms) as f64 / 1000.0;
        let to = (from + seconds).min(self.length);
        if from < to && from >= 0.0 {
            self.refused.push(span("writes refused", from, to));
        }
    }

    fn curves(&mut self, events: &[(f64, &EventKind)]) {
        let mut committed = Vec::new();
        let mut published = Vec::new();
        let mut told = Vec::new();
        for (at, kind) in events {
            match kind {
                EventKind::Sample {
                    committed: load,
                    published: topics,
                } => {
                    committed.push((*at, *load));
                    published.push((*at, *topics));
                }
                EventKind::Progress {
                    what,
                    done,
                    lag_bytes,
                    ..
                } if what == "changes committed" => {
                    told.push((*at, Some(*done)));
                    self.lag.push(Point {
                        at: *at,
                        value: lag_bytes.map(|bytes| bytes as f64),
                    });
                }
                _ => {}
            }
        }
        // Runs of earlier versions were not sampled; what they told of their progress is coarser.
        let committed = if committed.is_empty() {
            told
        } else {
            committed
        };
        self.lag = with_holes(std::mem::take(&mut self.lag));
        self.committed = per_second(&committed);
        self.published = per_second(&published);
    }

    /// What was going on at a moment, in words.
    pub fn at(&self, time_ms: i64) -> Option<String> {
        let at = time_ms.saturating_sub(self.begun_ms) as f64 / 1000.0;
        let inside = |span: &&Span| span.from <= at && at < span.to;
        let step = self.steps.iter().find(inside);
        let phase = self.phases.iter().find(inside);
        step.map(|step| format!("during step {}", step.name))
            .or_else(|| phase.map(|phase| format!("in phase {}", phase.name)))
    }

    /// The curves as so many rows of a table.
    pub fn rows(&self, rows: usize) -> Vec<Row> {
        let every = self.length / rows as f64;
        let row = |place: usize| {
            let (from, to) = (place as f64 * every, (place + 1) as f64 * every);
            let within = |points: &[Point]| -> Option<f64> {
                let inside = |point: &&Point| from <= point.at && point.at < to;
                let points: Vec<Point> = points.iter().filter(inside).copied().collect();
                mean(&points)
            };
            let middle = self.begun_ms + ((from + to) / 2.0 * 1000.0) as i64;
            Row {
                from,
                committed: within(&self.committed),
                published: within(&self.published),
                lag: within(&self.lag),
                going_on: self.at(middle).unwrap_or_default(),
            }
        };
        (0..rows).map(row).collect()
    }

    /// The cutover with some time around it, if that shows more than the whole.
    pub fn close_up(&self) -> Option<(f64, f64)> {
        let of = |one: &&Span| one.name == "cutover" || one.name == "back";
        let cutover = self.phases.iter().find(of)?;
        let around = ((cutover.to - cutover.from) * 0.35).max(3.0);
        let from = (cutover.from - around).max(0.0);
        let to = (cutover.to + around).min(self.length);
        (to - from < self.length * 0.6).then_some((from, to))
    }
}

fn span(name: &str, from: f64, to: f64) -> Span {
    Span {
        name: name.to_owned(),
        from,
        to: to.max(from),
    }
}

/// Differences of a counter. Where one of two neighbours was not read there is a hole, and where the counter went back.
fn per_second(counts: &[(f64, Option<u64>)]) -> Vec<Point> {
    let pairs = || counts.iter().zip(counts.iter().skip(1));
    let usual = usual(pairs().map(|((from, _), (to, _))| to - from));
    let points = pairs().filter_map(|((from, before), (to, after))| {
        let seconds = to - from;
        let more = after
            .zip(*before)
            .and_then(|(after, before)| after.checked_sub(before));
        // A mean over a stretch in which nobody looked would hide what happened there.
        let looked = seconds <= usual * UNUSUAL;
        (seconds > 0.0).then(|| Point {
            at: from + seconds / 2.0,
            value: more.filter(|_| looked).map(|more| more as f64 / seconds),
        })
    });
    points.collect()
}

/// The usual distance of two looks; infinite if there was no second one.
fn usual(distances: impl Iterator<Item = f64>) -> f64 {
    let mut distances: Vec<f64> = distances.filter(|distance| *distance > 0.0).collect();
    distances.sort_by(f64::total_cmp);
    let middle = distances.get(distances.len() / 2);
    middle.copied().unwrap_or(f64::INFINITY)
}

/// So many times the usual distance of two points is a stretch in which nobody looked.
const UNUSUAL: f64 = 6.0;

/// A hole where nobody looked for much longer than usual.
fn with_holes(points: Vec<Point>) -> Vec<Point> {
    let pairs = || points.iter().zip(points.iter().skip(1));
    let usual = usual(pairs().map(|(one, next)| next.at - one.at));
    let holes: Vec<Point> = pairs()
        .filter(|(one, next)| next.at - one.at > usual * UNUSUAL)
        .map(|(one, next)| Point {
            at: (one.at + next.at) / 2.0,
            value: None,
        })
        .collect();
    let mut all = points;
    all.extend(holes);
    all.sort_by(|one, other| one.at.total_cmp(&other.at));
    all
}

/// The mean of what was measured; `None` if nothing was.
pub fn mean(points: &[Point]) -> Option<f64> {
    let known: Vec<f64> = points.iter().filter_map(|point| point.value).collect();
    (!known.is_empty()).then(|| known.iter().sum::<f64>() / known.len() as f64)
}

/// About so many points: neighbours are put together, and their mean is kept. A hole stays one.
pub fn thinned(points: &[Point], most: usize) -> Vec<Point> {
    let together = points.len().div_ceil(most.max(1)).max(1);
    let mut kept = Vec::new();
    for piece in points.chunk_by(|one, next| one.value.is_some() == next.value.is_some()) {
        // A hole needs one point, however long it is.
        let size = if piece[0].value.is_some() {
            together
        } else {
            piece.len()
        };
        kept.extend(piece.chunks(size).map(|group| Point {
            at: group[group.len() / 2].at,
            value: mean(group),
        }));
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples;

    #[test]
    fn the_story_of_a_run_has_its_phases_steps_refusal_and_curves() {
        let line = Timeline::of(&samples::story().events).unwrap();
        let names: Vec<&str> = line
            .phases
            .iter()
            .map(|phase| phase.name.as_str())
            .collect();
        assert_eq!(names, ["load before", "cutover", "load after"]);
        assert_eq!(line.steps.len(), 3);
        assert_eq!(line.refused.len(), 1);
        assert!((line.refused[0].to - line.refused[0].from - 2.14).abs() < 1e-9);
        assert!(line.committed.iter().any(|point| point.value == Some(0.0)));
        assert!(line.published.iter().any(|point| point.value.is_none()));
        let inside = line.begun_ms + ((line.steps[1].from + 0.01) * 1000.0) as i64;
        assert_eq!(
            line.at(inside).as_deref(),
            Some("during step 2 drain-proof")
        );
    }

    #[test]
    fn no_times_or_absurd_ones_give_no_timeline() {
        assert_eq!(Timeline::of(&[]), None);
        let mut events = samples::story().events;
        events[0].time = "1970-01-01T00:00:00.000Z".into();
        assert_eq!(Timeline::of(&events), None);
        for event in &mut events {
            event.time = "yesterday".into();
        }
        assert_eq!(Timeline::of(&events), None);
    }

    #[test]
    fn a_counter_that_goes_back_makes_a_hole_and_no_negative_rate() {
        let points = per_second(&[
            (0.0, Some(5)),
            (1.0, Some(2)),
            (2.0, None),
            (3.0, Some(9)),
            (4.0, Some(10)),
        ]);
        let values: Vec<Option<f64>> = points.iter().map(|point| point.value).collect();
        assert_eq!(values, [None, None, None, Some(1.0)]);
        assert_eq!(mean(&points), Some(1.0));
    }

    #[test]
    fn thinning_keeps_holes_and_a_stretch_without_a_look_is_one() {
        let at = |at: f64| Point {
            at,
            value: Some(at),
        };
        let looked: Vec<Point> = (0..50)
            .map(f64::from)
            .chain((90..150).map(f64::from))
            .map(at)
            .collect();
        let points = with_holes(looked);
        assert_eq!(points.len(), 111);
        let thin = thinned(&points, 11);
        assert_eq!(thin.iter().filter(|point| point.value.is_none()).count(), 1);
        assert!(thin.len() < 15 && thin.is_sorted_by(|one, next| one.at < next.at));
        assert_eq!(with_holes(Vec::new()), []);
    }
}
