//! A watch as one live page: rendered here, without a script, loading nothing; the browser asks again by itself.
//!
//! The order is that of a reader with little time: the state, what is wrong, figures, curves; then tables. Everything
//! foreign goes through `page::markup`, which escapes it, and nothing is told by colour or by a picture alone.

use cutover_model::doctor::Diagnosis;
use cutover_model::watch::{WatchReport, WatchState};

use super::{Told, figures, picture};
use crate::page::markup::Markup;
use crate::text::{count, foreign, rate, seconds};

/// What the browser is told to allow: the style on the page, and nothing else. Also sent as a header.
pub const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; \
                          frame-ancestors 'none'";

/// Events in the table.
const EVENTS: usize = 50;
/// Topics in the table.
const TOPICS: usize = 200;

/// The page; `age` is how long ago the newest look began, `every` when the browser asks again, both in seconds.
pub fn page(told: &Told, age: f64, every: u64) -> String {
    let mut page = Markup::default();
    page.fixed("<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n");
    let seconds = every.max(1).to_string();
    page.open("meta", &[("http-equiv", "refresh"), ("content", &seconds)]);
    page.fixed("\n<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n");
    page.fixed("<meta name=\"color-scheme\" content=\"light dark\">\n");
    page.fixed("<meta name=\"referrer\" content=\"no-referrer\">\n");
    page.put("title", &[], &title(told));
    page.fixed("<style>\n");
    page.fixed(include_str!("../page/style.css"));
    page.fixed(include_str!("live.css"));
    page.fixed("</style>\n</head>\n<body>\n<a class=\"skip\" href=\"#main\">To the content</a>\n");
    match &told.report {
        Some(report) => {
            opening(&mut page, report, age);
            page.open("main", &[("id", "main")]);
            wrong(&mut page, report);
            numbers(&mut page, report);
            curves(&mut page, told);
            slots(&mut page, report);
            topics(&mut page, report);
            events(&mut page, told);
            page.close("main");
        }
        None => page.fixed("<main id=\"main\"><h1>The first look is under way</h1></main>\n"),
    }
    page.fixed(
        "<footer><p>Times are UTC. Positions compare only inside one life of a database. No row values are read. The \
         same as <a href=\"/metrics\">metrics</a>; the watch itself: <a href=\"/healthz\">healthz</a>.</p></footer>\n\
         </body>\n</html>\n",
    );
    page.finish()
}

fn name(report: &WatchReport) -> String {
    report
        .connector
        .as_ref()
        .map_or_else(|| "a server".to_owned(), |one| foreign(&one.name))
}

fn title(told: &Told) -> String {
    match &told.report {
        Some(report) => format!(
            "{} {}: cutover watch",
            report.state.to_string().to_uppercase(),
            name(report)
        ),
        None => "cutover watch".to_owned(),
    }
}

fn opening(page: &mut Markup, report: &WatchReport, age: f64) {
    let (class, sign, said) = match report.state {
        WatchState::Alive => (
            "pass",
            "✔",
            "Nothing was found, and the last marker came out in Kafka.",
        ),
        WatchState::NotProven => (
            "unknown",
            "?",
            "Nothing was found. That the stream delivers is not proven: no marker has come out.",
        ),
        WatchState::Warning => ("unknown", "!", "Something is on its way to be wrong."),
        WatchState::Alert => ("fail", "✘", "Something is wrong."),
        WatchState::Unknown => (
            "unknown",
            "?",
            "A part does not answer, so nothing is certain.",
        ),
    };
    page.open("header", &[]);
    page.put("p", &[("class", "name")], "cutover watch");
    page.put("h1", &[], &name(report));
    page.open(
        "div",
        &[("class", &format!("verdict {class}")), ("role", "status")],
    );
    let word = report.state.to_string().to_uppercase();
    page.put("p", &[("class", "word")], &format!("{sign} {word}"));
    page.put("p", &[("class", "said")], said);
    page.put(
        "p",
        &[("class", "said")],
        &format!("Seen at {}, {} ago.", report.time, seconds(age)),
    );
    page.close("div");
    page.close("header");
}

fn wrong(page: &mut Markup, report: &WatchReport) {
    if report.alerts.is_empty() && report.not_looked_at.is_empty() {
        return;
    }
    page.put("h2", &[], "What is wrong");
    page.table(
        "What is wrong, the worst first",
        &["code", "severity", "about", "evidence", "remedy"],
    );
    for alert in &report.alerts {
        alert_row(page, alert);
    }
    for part in &report.not_looked_at {
        let code = part.code.as_deref().unwrap_or("not seen");
        page.row(&[
            &foreign(code),
            "unknown",
            &foreign(&part.part),
            &foreign(&part.why),
            "",
        ]);
    }
    page.end_table();
}

fn alert_row(page: &mut Markup, alert: &Diagnosis) {
    page.row(&[
        &foreign(&alert.code),
        &alert.severity.to_string(),
        &foreign(&alert.subject),
        &crate::text::clipped(&alert.evidence, 1_000),
        &crate::text::clipped(&alert.remedy, 1_000),
    ]);
}

fn numbers(page: &mut Markup, report: &WatchReport) {
    let own = report.slots.iter().find(|slot| slot.of_connector);
    let reader = own.map_or_else(
        || "not seen".to_owned(),
        |slot| {
            let word = if slot.active { "in use" } else { "NOT in use" };
            let status = slot.wal_status.as_deref().unwrap_or(figures::UNKNOWN);
            format!("{word}, {}", foreign(status))
        },
    );
    page.open("dl", &[("class", "figures")]);
    for (label, value) in [
        ("connector", foreign(&figures::connector(report))),
        ("marker", figures::markers(&report.markers)),
        ("lag", figures::lag(report.lag.as_ref())),
        (
            "log kept for the slot",
            figures::size(own.and_then(|slot| slot.retained_bytes)),
        ),
        ("slot", reader),
        ("records", figures::flow_told(report)),
    ] {
        page.open("div", &[]);
        page.put("dt", &[], label);
        page.put("dd", &[], &value);
        page.close("div");
    }
    page.close("dl");
    page.open("dl", &[("class", "facts")]);
    page.put("dt", &[], "stored offset");
    page.put("dd", &[], &figures::offset(report.offset.as_ref()));
    if let Some(server) = &report.server {
        page.put("dt", &[], "server");
        let told = format!(
            "{}, PostgreSQL {}, system {}, timeline {}, log ends at {}",
            server.address, server.version, server.system_id, server.timeline, server.end.lsn
        );
        page.put("dd", &[], &foreign(&told));
    }
    let markers = &report.markers;
    if let (Some(topic), Some(interval)) = (&markers.topic, markers.interval_seconds) {
        page.put("dt", &[], "markers");
        let told = format!(
            "one every {}, looked for in {}: {} written, {} came out, {} passed over",
            seconds(interval),
            foreign(topic),
            count(markers.written),
            count(markers.arrived),
            count(markers.skipped)
        );
        page.put("dd", &[], &told);
    }
    page.close("dl");
}

fn curves(page: &mut Markup, told: &Told) {
    page.put("h2", &[], "Curves");
    page.open("figure", &[]);
    page.open("div", &[("class", "scroll")]);
    picture::draw(page, &told.history);
    page.close("div");
    page.fixed(
        "<figcaption>A vertical line with a square is something that began to be wrong, one without a warning; a short \
         one is its end. A gap in a curve was not seen.</figcaption>\n",
    );
    page.close("figure");
    page.table(
        "The curves in figures",
        &["curve", "now", "highest", "lowest"],
    );
    for lane in &picture::LANES {
        let values: Vec<f64> = told.history.points.iter().filter_map(lane.read).collect();
        let now = told.history.points.last().and_then(lane.read);
        let shown =
            |value: Option<f64>| value.map_or_else(|| figures::UNKNOWN.to_owned(), lane.shown);
        let highest = values.iter().copied().reduce(f64::max);
        let lowest = values.iter().copied().reduce(f64::min);
        page.row(&[lane.name, &shown(now), &shown(highest), &shown(lowest)]);
    }
    page.end_table();
}

fn slots(page: &mut Markup, report: &WatchReport) {
    page.put("h2", &[], "Replication slots");
    page.table(
        "Slots of the server",
        &[
            "slot",
            "read by",
            "in use",
            "status",
            "kept",
            "not confirmed",
            "safe",
            "confirmed to",
        ],
    );
    for slot in &report.slots {
        let lag = slot.lag_bytes.and_then(|bytes| i64::try_from(bytes).ok());
        let mut status = slot
            .wal_status
            .clone()
            .unwrap_or_else(|| figures::UNKNOWN.into());
        if let Some(why) = &slot.invalidation {
            status = format!("{status} ({why})");
        }
        let confirmed = slot.confirmed.map(|at| at.lsn.to_string());
        page.row(&[
            &foreign(&slot.name),
            if slot.of_connector {
                "this connector"
            } else {
                "others"
            },
            if slot.active { "yes" } else { "no" },
            &foreign(&status),
            &figures::size(slot.retained_bytes),
            &figures::size(lag),
            &figures::size(slot.safe_bytes),
            confirmed.as_deref().unwrap_or(figures::UNKNOWN),
        ]);
    }
    page.end_table();
}

fn topics(page: &mut Markup, report: &WatchReport) {
    page.put("h2", &[], "Topics");
    page.table("Topics of the stream", &["topic", "end", "records"]);
    for topic in report.topics.iter().take(TOPICS) {
        let pace = topic.per_second;
        page.row(&[
            &foreign(&topic.name),
            &count(topic.end_offset),
            &pace.map_or_else(|| figures::UNKNOWN.to_owned(), rate),
        ]);
    }
    page.end_table();
    let more = report.topics.len().saturating_sub(TOPICS) as u64 + report.topics_left_out;
    if more > 0 {
        page.put("p", &[], &format!("{more} more topics are not shown."));
    }
}

fn events(page: &mut Markup, told: &Told) {
    page.put("h2", &[], "Events");
    page.table(
        "What changed, the newest first",
        &["time", "severity", "what"],
    );
    for event in told.history.events.iter().rev().take(EVENTS) {
        let words = crate::text::clipped(&event.text, 1_000);
        page.row(&[&event.time, &event.severity.to_string(), &words]);
    }
    page.end_table();
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::watch::samples::watch_told;

    #[test]
    fn the_page_loads_nothing_and_hostile_names_stay_text() {
        let text = page(&watch_told(), 1.5, 5);
        for forbidden in [
            "<script", "src=", "<b>", "url(", "http://", "https://", "\u{1b}",
        ] {
            assert!(!text.contains(forbidden), "{forbidden}: {text}");
        }
        assert!(text.contains("&lt;b&gt;"), "{text}");
        assert!(
            text.contains("http-equiv=\"refresh\" content=\"5\""),
            "{text}"
        );
        assert!(
            text.contains("✘ ALERT") && text.contains("1.5 s ago"),
            "{text}"
        );
    }

    #[test]
    fn state_curves_and_tables_are_there_for_readers_and_for_those_who_do_not_see() {
        let text = page(&watch_told(), 1.5, 5);
        for part in [
            "<main id=\"main\">",
            "role=\"status\"",
            "<svg",
            "aria-labelledby=\"curves-title curves-text\"",
            "<caption>The curves in figures</caption>",
            "class=\"mark error\"",
            "CUT-WATCH-010",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
        for tag in ["div", "table", "svg", "main", "g", "dl", "figure"] {
            let opened = text.matches(&format!("<{tag}>")).count()
                + text.matches(&format!("<{tag} ")).count();
            assert_eq!(opened, text.matches(&format!("</{tag}>")).count(), "{tag}");
        }
    }

    #[test]
    fn before_the_first_look_the_page_says_so() {
        let text = page(&Told::default(), 0.0, 5);
        assert!(text.contains("The first look is under way"));
    }
}
