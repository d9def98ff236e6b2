//! The curves of a watch as a picture: inline SVG, without a script, readable in black and white. Everything in it also
//! stands in a table. A hole in what was seen is a gap in the curve.

use cutover_model::lint::Severity;
use cutover_model::watch::{WatchHistory, WatchPoint};

use crate::page::chart::{curve, label, line, rectangle, tick};
use crate::page::markup::Markup;
use crate::telling::moments::{Point, thinned};
use crate::text::{bytes, rate, seconds};

const WIDTH: f64 = 960.0;
const LEFT: f64 = 96.0;
const RIGHT: f64 = 948.0;
const POINTS: usize = 400;
const LETTER: f64 = 6.6;

/// Between two points that lie further apart, nothing was looked at: `(this + 1) × the usual distance`.
const HOLE: f64 = 4.0;

/// One curve with its lane.
pub struct Lane {
    /// Name for people.
    pub name: &'static str,
    /// Colour and dashes.
    class: &'static str,
    top: f64,
    high: f64,
    /// Where the value stands in a point.
    pub read: fn(&WatchPoint) -> Option<f64>,
    /// How it is written.
    pub shown: fn(f64) -> String,
}

fn size(value: f64) -> String {
    bytes(value.round().max(0.0) as u64)
}

/// From top to bottom.
pub const LANES: [Lane; 4] = [
    Lane {
        name: "lag",
        class: "lag",
        top: 16.0,
        high: 84.0,
        read: |point| point.lag_bytes,
        shown: size,
    },
    Lane {
        name: "log kept",
        class: "committed",
        top: 118.0,
        high: 84.0,
        read: |point| point.retained_bytes,
        shown: size,
    },
    Lane {
        name: "marker",
        class: "published",
        top: 220.0,
        high: 84.0,
        read: |point| point.marker_seconds,
        shown: seconds,
    },
    Lane {
        name: "records",
        class: "committed",
        top: 322.0,
        high: 64.0,
        read: |point| point.per_second,
        shown: rate,
    },
];

const AXIS: f64 = 408.0;
const HEIGHT: f64 = 432.0;

struct Picture<'a> {
    history: &'a WatchHistory,
    from: f64,
    to: f64,
}

/// Draws it; nothing without two points.
pub fn draw(page: &mut Markup, history: &WatchHistory) {
    let (Some(first), Some(last)) = (history.points.first(), history.points.last()) else {
        return;
    };
    if last.at <= first.at {
        return;
    }
    let picture = Picture {
        history,
        from: first.at,
        to: last.at,
    };
    let view = format!("0 0 {WIDTH} {HEIGHT}");
    page.open(
        "svg",
        &[
            ("viewBox", &view),
            ("role", "img"),
            ("aria-labelledby", "curves-title curves-text"),
            ("class", "chart"),
        ],
    );
    page.put("title", &[("id", "curves-title")], "Curves of this watch");
    let words = format!(
        "The last {}: lag, log kept for the slot, delay of markers, records per second; {} events. The tables below \
         hold the same.",
        seconds(last.at - first.at),
        history.events.len()
    );
    page.put("desc", &[("id", "curves-text")], &words);
    picture.events(page);
    for lane in &LANES {
        picture.lane(page, lane);
    }
    picture.axis(page);
    page.close("svg");
}

impl Picture<'_> {
    fn x(&self, at: f64) -> f64 {
        let part = (at - self.from) / (self.to - self.from).max(1e-6);
        LEFT + part.clamp(0.0, 1.0) * (RIGHT - LEFT)
    }

    /// A line through all lanes where something began to be wrong, a shorter one where it ended.
    fn events(&self, page: &mut Markup) {
        for event in self.history.events.iter().filter(|one| one.at >= self.from) {
            let x = self.x(event.at);
            page.open("g", &[]);
            page.put("title", &[], &format!("{} {}", event.time, event.text));
            let class = match event.severity {
                Severity::Error => "mark error",
                Severity::Warning => "mark warning",
                Severity::Note => "mark note",
            };
            let top = if event.severity == Severity::Note {
                AXIS - 10.0
            } else {
                8.0
            };
            line(page, (x, top, x, AXIS), class);
            if event.severity == Severity::Error {
                rectangle(page, (x - 3.0, 4.0, 6.0, 6.0), &[("class", "flag")]);
            }
            page.close("g");
        }
    }

    fn lane(&self, page: &mut Markup, lane: &Lane) {
        let bottom = lane.top + lane.high;
        label(page, (4.0, bottom + 1.0), "axis", lane.name);
        line(page, (LEFT, bottom, RIGHT, bottom), "base");
        let points = self.points(lane);
        let highest = points
            .iter()
            .filter_map(|point| point.value)
            .fold(0.0, f64::max);
        if points.iter().all(|point| point.value.is_none()) {
            label(
                page,
                (LEFT + 6.0, bottom - 8.0),
                "axis",
                "not measured here",
            );
            return;
        }
        let scale = if highest > 0.0 { highest * 1.1 } else { 1.0 };
        for part in [0.5, 1.0] {
            let value = highest * part;
            let y = bottom - value / scale * lane.high;
            line(page, (LEFT, y, RIGHT, y), "grid");
            let words = (lane.shown)(value);
            let at = LEFT - 6.0 - words.chars().count() as f64 * LETTER;
            label(page, (at.max(2.0), y + 4.0), "axis", &words);
        }
        let per_unit = lane.high / scale;
        let drawn = curve(&points, |at, value| (self.x(at), bottom - value * per_unit));
        let class = format!("curve {}", lane.class);
        page.open("path", &[("class", &class), ("d", &drawn)]);
        page.close("path");
    }

    /// Values of a lane, with a hole wherever nobody looked for long.
    fn points(&self, lane: &Lane) -> Vec<Point> {
        let all = &self.history.points;
        let mut apart: Vec<f64> = all.windows(2).map(|two| two[1].at - two[0].at).collect();
        apart.sort_by(f64::total_cmp);
        let usual = apart.get(apart.len() / 2).copied().unwrap_or(1.0);
        let mut points = Vec::new();
        let mut before: Option<f64> = None;
        for point in all {
            if let Some(before) = before
                && point.at - before > (HOLE + 1.0) * usual
            {
                points.push(Point {
                    at: before + usual,
                    value: None,
                });
            }
            before = Some(point.at);
            points.push(Point {
                at: point.at,
                value: (lane.read)(point),
            });
        }
        thinned(&points, POINTS)
    }

    /// Seconds before the newest point, from right to left.
    fn axis(&self, page: &mut Markup) {
        line(page, (LEFT, AXIS, RIGHT, AXIS), "base");
        let length = self.to - self.from;
        let every = tick(length / 6.0);
        let mut ago = 0.0;
        while ago <= length {
            let x = self.x(self.to - ago);
            line(page, (x, AXIS, x, AXIS + 5.0), "base");
            let words = if ago == 0.0 {
                "now".to_owned()
            } else {
                format!("{} ago", seconds(ago).replace(".0 s", " s"))
            };
            let middle = words.chars().count() as f64 * LETTER / 2.0;
            let at = (x - middle).clamp(LEFT - 20.0, RIGHT - 2.0 * middle);
            label(page, (at, AXIS + 19.0), "axis", &words);
            ago += every;
        }
    }
}
