//! The timeline as a picture: inline SVG, without a script, readable in black and white.
//!
//! Lanes from top to bottom: phases, steps, changes per second, lag; stretches of refused writes go through the lower
//! ones as hatched bands. A curve with a hole has a gap, never a line across it. Everything in the picture also stands
//! in a table.

use crate::telling::moments::{Point, Span, Timeline, thinned};
use crate::text::{bytes, count, seconds};

use super::markup::Markup;

/// Size of the drawing in its own units.
const WIDTH: f64 = 960.0;
const LEFT: f64 = 96.0;
const RIGHT: f64 = 948.0;
const PHASES: (f64, f64) = (22.0, 24.0);
const STEPS: (f64, f64) = (54.0, 22.0);
const RATES: (f64, f64) = (96.0, 120.0);
const LAG: (f64, f64) = (240.0, 64.0);
const AXIS: f64 = 322.0;
const HEIGHT: f64 = 346.0;

/// Points of one curve at most.
const POINTS: usize = 300;

/// Width of one character of a label, about.
const LETTER: f64 = 6.6;

/// One picture of a stretch of the run.
pub struct Chart<'a> {
    /// The run.
    pub line: &'a Timeline,
    /// Seconds since its first event.
    pub from: f64,
    /// Likewise.
    pub to: f64,
    /// Makes its ids differ from those of other pictures on the page.
    pub id: &'a str,
}

impl Chart<'_> {
    /// Draws it.
    pub fn draw(&self, page: &mut Markup, title: &str) {
        let (title_id, text_id) = (format!("{}-title", self.id), format!("{}-text", self.id));
        let labelled = format!("{title_id} {text_id}");
        let view = format!("0 0 {WIDTH} {HEIGHT}");
        page.open(
            "svg",
            &[
                ("viewBox", &view),
                ("role", "img"),
                ("aria-labelledby", &labelled),
                ("class", "chart"),
            ],
        );
        page.put("title", &[("id", &title_id)], title);
        page.put("desc", &[("id", &text_id)], &self.in_words());
        self.hatching(page);
        self.refused(page);
        self.lane(page, "phases", PHASES, &self.line.phases);
        self.lane(page, "steps", STEPS, &self.line.steps);
        let rates = [&self.line.committed, &self.line.published];
        let curves = rates.map(|curve| self.inside(curve));
        let names = ["committed", "published"];
        self.panel(
            page,
            ("changes/s", RATES),
            names.into_iter().zip(&curves),
            &|value| count(value.round() as u64),
        );
        let lag = [self.inside(&self.line.lag)];
        self.panel(
            page,
            ("lag", LAG),
            ["lag"].into_iter().zip(&lag),
            &|value| bytes(value.round() as u64),
        );
        self.axis(page);
        page.close("svg");
    }

    fn in_words(&self) -> String {
        let refused = self.line.refused.iter().filter(|span| self.meets(span));
        let windows: Vec<String> = refused
            .map(|span| {
                format!(
                    "writes refused from {} for {}",
                    seconds(span.from),
                    seconds(span.to - span.from)
                )
            })
            .collect();
        let windows = if windows.is_empty() {
            "no writes refused".to_owned()
        } else {
            windows.join(", ")
        };
        format!(
            "{} to {} after the first event: phases, steps, committed and published per second, lag; {windows}. The \
             tables below hold the same numbers.",
            seconds(self.from),
            seconds(self.to)
        )
    }

    fn hatching(&self, page: &mut Markup) {
        let id = format!("{}-hatch", self.id);
        page.fixed("<defs>");
        page.open(
            "pattern",
            &[
                ("id", &id),
                ("width", "7"),
                ("height", "7"),
                ("patternUnits", "userSpaceOnUse"),
                ("patternTransform", "rotate(45)"),
            ],
        );
        page.fixed("<rect width=\"7\" height=\"7\" class=\"band\"/>");
        page.fixed("<line x1=\"0\" y1=\"0\" x2=\"0\" y2=\"7\" class=\"stripe\"/>");
        page.close("pattern");
        page.fixed("</defs>");
    }

    fn refused(&self, page: &mut Markup) {
        let fill = format!("url(#{}-hatch)", self.id);
        let mut labelled_to = 0.0;
        for span in self.line.refused.iter().filter(|span| self.meets(span)) {
            let (from, to) = (self.x(span.from), self.x(span.to));
            let wide = (to - from).max(1.5);
            let top = RATES.0 - 6.0;
            rectangle(page, (from, top, wide, AXIS - top), &[("fill", &fill)]);
            let words = format!("writes refused {}", seconds(span.to - span.from));
            let length = words.chars().count() as f64 * LETTER;
            // Beside the band, on the side that has room; of bands that stand close only the first is labelled.
            let right = to + 5.0 + length < RIGHT;
            let at = if right { to + 5.0 } else { from - 5.0 - length };
            if at > labelled_to {
                label(page, (at, RATES.0 + 8.0), "strong", &words);
                labelled_to = at + length;
            }
        }
    }

    fn lane(&self, page: &mut Markup, name: &str, (top, high): (f64, f64), spans: &[Span]) {
        label(page, (4.0, top + high * 0.7), "axis", name);
        for (place, span) in spans.iter().filter(|span| self.meets(span)).enumerate() {
            let (from, to) = (self.x(span.from), self.x(span.to));
            let wide = (to - from - 1.0).max(1.5);
            let shade = if place % 2 == 0 {
                "span even"
            } else {
                "span odd"
            };
            page.open("g", &[]);
            let said = format!("{}, {}", span.name, seconds(span.to - span.from));
            page.put("title", &[], &said);
            rectangle(page, (from, top, wide, high), &[("class", shade)]);
            let room = ((wide - 8.0) / LETTER).max(0.0) as usize;
            let letters = span.name.chars().count();
            let number = span.name.split(' ').next().unwrap_or_default();
            if letters <= room {
                label(page, (from + 4.0, top + high * 0.7), "inside", &span.name);
            } else if name == "steps" && number.chars().count() <= room {
                label(page, (from + 4.0, top + high * 0.7), "inside", number);
            }
            page.close("g");
        }
    }

    fn panel<'c>(
        &self,
        page: &mut Markup,
        (name, (top, high)): (&str, (f64, f64)),
        curves: impl Iterator<Item = (&'static str, &'c Vec<Point>)>,
        shown: &dyn Fn(f64) -> String,
    ) {
        let curves: Vec<(&str, &Vec<Point>)> = curves.collect();
        let values = curves.iter().flat_map(|(_, points)| points.iter());
        let highest = values.filter_map(|point| point.value).fold(0.0, f64::max);
        let bottom = top + high;
        label(page, (4.0, bottom + 1.0), "axis", name);
        line(page, (LEFT, bottom, RIGHT, bottom), "base");
        if curves
            .iter()
            .all(|(_, points)| points.iter().all(|point| point.value.is_none()))
        {
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
            let y = bottom - value / scale * high;
            line(page, (LEFT, y, RIGHT, y), "grid");
            let words = shown(value);
            let at = LEFT - 6.0 - words.chars().count() as f64 * LETTER;
            label(page, (at.max(2.0), y + 4.0), "axis", &words);
        }
        for (number, (which, points)) in curves.iter().enumerate() {
            let class = format!("curve {which}");
            let points = thinned(points, POINTS);
            let per_unit = high / scale;
            let drawn = curve(&points, |at, value| (self.x(at), bottom - value * per_unit));
            page.open("path", &[("class", &class), ("d", &drawn)]);
            page.close("path");
            if curves.len() > 1 && !drawn.is_empty() {
                let at = LEFT + 8.0 + number as f64 * 118.0;
                let key = format!("curve {which}");
                page.open(
                    "path",
                    &[
                        ("class", &key),
                        ("d", &format!("M{at:.1} {:.1}h26", bottom + 11.0)),
                    ],
                );
                page.close("path");
                label(page, (at + 32.0, bottom + 15.0), "axis", which);
            }
        }
    }

    fn axis(&self, page: &mut Markup) {
        line(page, (LEFT, AXIS, RIGHT, AXIS), "base");
        let every = tick((self.to - self.from) / 8.0);
        let mut at = (self.from / every).ceil() * every;
        while at <= self.to {
            let x = self.x(at);
            line(page, (x, AXIS, x, AXIS + 5.0), "base");
            let words = seconds(at).replace("0.00 s", "0 s").replace(".0 s", " s");
            let middle = words.chars().count() as f64 * LETTER / 2.0;
            label(
                page,
                ((x - middle).min(RIGHT - 2.0 * middle), AXIS + 19.0),
                "axis",
                &words,
            );
            at += every;
        }
        label(page, (4.0, AXIS + 19.0), "axis", "time");
    }

    fn x(&self, at: f64) -> f64 {
        let part = (at - self.from) / (self.to - self.from).max(1e-6);
        LEFT + part.clamp(0.0, 1.0) * (RIGHT - LEFT)
    }

    fn meets(&self, span: &Span) -> bool {
        span.to > self.from && span.from < self.to
    }

    fn inside(&self, points: &[Point]) -> Vec<Point> {
        let within = |point: &&Point| self.from <= point.at && point.at <= self.to;
        points.iter().filter(within).copied().collect()
    }
}

/// A curve through points; a hole begins a new piece. `place` gives where a moment and a value stand.
pub(crate) fn curve(points: &[Point], place: impl Fn(f64, f64) -> (f64, f64)) -> String {
    let mut drawn = String::new();
    let mut pen_down = false;
    for point in points {
        let Some(value) = point.value else {
            pen_down = false;
            continue;
        };
        let letter = if pen_down { 'L' } else { 'M' };
        let (x, y) = place(point.at, value);
        drawn.push_str(&format!("{letter}{x:.1} {y:.1}"));
        if !pen_down {
            // A point alone between two holes is seen too.
            drawn.push_str("h0.1");
        }
        pen_down = true;
    }
    drawn
}

/// A round step that is at least so long.
pub(crate) fn tick(least: f64) -> f64 {
    let mut unit = 0.1;
    loop {
        for times in [1.0, 2.0, 5.0] {
            if unit * times >= least {
                return unit * times;
            }
        }
        unit *= 10.0;
    }
}

pub(crate) fn rectangle(
    page: &mut Markup,
    (x, y, wide, high): (f64, f64, f64, f64),
    more: &[(&'static str, &str)],
) {
    let numbers = [x, y, wide, high].map(|number| format!("{number:.1}"));
    let names = ["x", "y", "width", "height"];
    let mut attributes: Vec<(&'static str, &str)> = names
        .into_iter()
        .zip(numbers.iter().map(String::as_str))
        .collect();
    attributes.extend(more);
    page.open("rect", &attributes);
    page.close("rect");
}

pub(crate) fn line(page: &mut Markup, (x1, y1, x2, y2): (f64, f64, f64, f64), class: &str) {
    let drawn = format!("M{x1:.1} {y1:.1}L{x2:.1} {y2:.1}");
    page.open("path", &[("class", class), ("d", &drawn)]);
    page.close("path");
}

pub(crate) fn label(page: &mut Markup, (x, y): (f64, f64), class: &str, words: &str) {
    let (x, y) = (format!("{x:.1}"), format!("{y:.1}"));
    page.put("text", &[("x", &x), ("y", &y), ("class", class)], words);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_few() {
        for (least, expected) in [
            (0.03, 0.1),
            (0.3, 0.5),
            (7.0, 10.0),
            (11.0, 20.0),
            (130.0, 200.0),
        ] {
            assert!((tick(least) - expected).abs() < 1e-9, "{least}");
        }
    }

    #[test]
    fn a_hole_in_a_curve_is_a_gap() {
        let line = Timeline::default();
        let chart = Chart {
            line: &line,
            from: 0.0,
            to: 4.0,
            id: "c",
        };
        let at = |at, value| Point { at, value };
        let points = [
            at(0.0, Some(1.0)),
            at(1.0, Some(2.0)),
            at(2.0, None),
            at(3.0, Some(1.0)),
        ];
        let drawn = curve(&points, |at, value| (chart.x(at), 100.0 - value * 10.0));
        assert_eq!(drawn.matches('M').count(), 2, "{drawn}");
        assert_eq!(drawn.matches('L').count(), 1, "{drawn}");
    }
}
