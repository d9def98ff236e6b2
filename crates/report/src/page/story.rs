//! The story of the run: pictures, the same as tables, and what was noted on the way.

use cutover_model::RunStory;

use super::Telling;
use super::chart::Chart;
use super::markup::Markup;
use crate::telling::moments::{RATES, Timeline, noted};
use crate::text::{count, foreign, seconds};

/// Rows of the table beside a picture.
const ROWS: usize = 60;

/// Notes and warnings that are listed.
const NOTES: usize = 200;

impl Telling<'_> {
    pub(super) fn tell_story(&self, page: &mut Markup) {
        for note in &self.story.notes {
            page.put(
                "p",
                &[],
                &format!("Not everything could be read: {}.", foreign(note)),
            );
        }
        match &self.line {
            Some(line) => self.pictures(page, line),
            None => page.put(
                "p",
                &[],
                "The events of this run do not tell when things happened.",
            ),
        }
        self.notes(page);
    }

    fn pictures(&self, page: &mut Markup, line: &Timeline) {
        let whole = (0.0, line.length);
        let mut pictures = vec![("whole", "The whole run", whole)];
        if let Some(around) = line.close_up() {
            pictures.push(("cutover", "The cutover, closer", around));
        }
        for (name, title, (from, to)) in pictures {
            let id = self.id(name);
            page.open("figure", &[]);
            let scrolls = [
                ("class", "scroll"),
                ("tabindex", "0"),
                ("role", "region"),
                ("aria-label", title),
            ];
            page.open("div", &scrolls);
            let chart = Chart {
                line,
                from,
                to,
                id: &id,
            };
            chart.draw(page, title);
            page.close("div");
            let caption = format!(
                "{title}, from {} to {} after the first event. Lag is measured while the load is waited for, not while \
                 servers change.",
                seconds(from),
                seconds(to)
            );
            page.put("figcaption", &[], &caption);
            page.close("figure");
        }
        spans(page, line);
        curves(page, line);
    }

    fn notes(&self, page: &mut Markup) {
        let notes = noted(&self.story.events);
        if notes.is_empty() {
            return;
        }
        page.table("What was noted on the way", &["time", "kind", "what"]);
        for note in notes.iter().take(NOTES) {
            page.row(&[&clock(note.time), note.kind, &foreign(&note.text)]);
        }
        page.end_table();
        if notes.len() > NOTES {
            let left = count((notes.len() - NOTES) as u64);
            page.put("p", &[], &format!("{left} more stand in events.jsonl."));
        }
    }
}

/// The time of day; the day stands in the environment.
fn clock(time: &str) -> String {
    let of_day = time.split_once('T').map(|(_, of_day)| of_day);
    foreign(of_day.unwrap_or(time).trim_end_matches('Z'))
}

/// Phases, steps and refusals as a table.
fn spans(page: &mut Markup, line: &Timeline) {
    page.open("details", &[]);
    page.put(
        "summary",
        &[],
        "Phases, steps and refused writes as a table",
    );
    page.table(
        "Times after the first event",
        &["what", "name", "from", "to", "took"],
    );
    let kinds = [
        ("phase", &line.phases),
        ("step", &line.steps),
        ("refusal", &line.refused),
    ];
    for (kind, spans) in kinds {
        for span in spans {
            page.row(&[
                kind,
                &foreign(&span.name),
                &seconds(span.from),
                &seconds(span.to),
                &seconds(span.to - span.from),
            ]);
        }
    }
    page.end_table();
    page.close("details");
}

/// The curves as a table, in the resolution of a table.
fn curves(page: &mut Markup, line: &Timeline) {
    page.open("details", &[]);
    page.put("summary", &[], "Rates and lag as a table");
    let caption = "Per second, and bytes of log that the connector had not confirmed; a dash was not measured";
    page.table(caption, &RATES);
    for row in line.rows(ROWS) {
        page.row(&row.cells().each_ref().map(String::as_str));
    }
    page.end_table();
    page.close("details");
}

/// What it ran on and with, name by name.
pub(crate) fn environment(story: &RunStory) -> Vec<(&'static str, String)> {
    let scenario = &story.scenario;
    let stack = &scenario.stack;
    let mut facts = vec![
        (
            "PostgreSQL",
            format!(
                "{} → {}",
                foreign(&stack.postgres_old),
                foreign(&stack.postgres_new)
            ),
        ),
        ("Kafka and Connect", foreign(&stack.kafka)),
        ("Debezium", foreign(&stack.debezium)),
        ("Seed of the load", scenario.seed.to_string()),
    ];
    if let Some(run) = &story.manifest {
        facts.push((
            "Machine",
            run.machine
                .as_deref()
                .map_or_else(|| "not noted".to_owned(), foreign),
        ));
        facts.push(("cutover", foreign(&run.cutover)));
        facts.push(("Started", foreign(&run.started)));
        facts.push((
            "Ended",
            run.ended
                .as_deref()
                .map_or_else(|| "not noted".to_owned(), foreign),
        ));
    }
    let phases: Vec<String> = scenario
        .phases
        .iter()
        .map(|phase| format!("{} {}", foreign(&phase.name), seconds(phase.seconds)))
        .collect();
    let total: f64 = scenario.phases.iter().map(|phase| phase.seconds).sum();
    facts.push((
        "Took",
        format!("{} ({})", seconds(total), phases.join(", ")),
    ));
    facts.extend(bounds(story));
    facts.push(("Run folder", crate::text::safe(&scenario.run_dir)));
    facts
}

/// Whose log it was, and the marker that bounds what is judged.
fn bounds(story: &RunStory) -> Vec<(&'static str, String)> {
    let mut facts = Vec::new();
    for (place, life) in story.lives.iter().enumerate() {
        let name = if place == 0 {
            "Lives of the database"
        } else {
            ""
        };
        facts.push((name, format!("{place}: {}", foreign(life))));
    }
    if let Some(fence) = &story.fence {
        let seen = [
            (fence.seen_in_topic, "in the topic"),
            (fence.offset_stored, "in the stored offset"),
            (fence.confirmed, "in the slot"),
            (fence.witnessed, "by the witness"),
        ];
        let seen: Vec<&str> = seen
            .iter()
            .filter(|(was, _)| *was)
            .map(|(_, where_)| *where_)
            .collect();
        let seen = if seen.is_empty() {
            "nowhere".to_owned()
        } else {
            seen.join(", ")
        };
        facts.push((
            "Marker that bounds it",
            format!("at {}, seen {seen}", fence.lsn),
        ));
    }
    facts
}
