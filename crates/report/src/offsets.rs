//! Stored offsets for people: each position in both spellings, and what it means beside slot and server.

use cutover_model::connector::{BothWays, DecodedOffset, OffsetChange, OffsetsReport};

use crate::error::ReportError;
use crate::look::Look;
use crate::text::{foreign, wrapped};

/// The report as text with a final line break.
pub fn offsets(report: &OffsetsReport, look: Look) -> String {
    let name = foreign(&report.connector);
    let mut text = look.bold(&format!("connector {name}, {}", report.health)) + "\n";
    if let Some(change) = &report.change {
        text.push_str(&changed(change, look));
    }
    if report.offsets.is_empty() {
        text.push_str("no offset is stored\n");
    }
    for offset in &report.offsets {
        text.push_str(&format!(
            "stored for {}\n",
            foreign(&offset.partition.to_string())
        ));
        text.push_str(&fields(offset, "  "));
    }
    if let Some(slot) = &report.slot {
        let what = match slot.found {
            false => "is not there".to_owned(),
            true => format!(
                "restart {}, confirmed {}, {}, {}",
                position(slot.restart),
                position(slot.confirmed),
                foreign(slot.wal_status.as_deref().unwrap_or("-")),
                if slot.active { "in use" } else { "free" }
            ),
        };
        text.push_str(&format!("slot {}: {what}\n", foreign(&slot.name)));
    }
    if let Some(server) = &report.server {
        text.push_str(&format!(
            "server {}: PostgreSQL {}, system {} timeline {}, log ends at {}\n",
            foreign(&server.address),
            foreign(&server.version),
            foreign(&server.system_id),
            server.timeline,
            position(Some(server.end))
        ));
    }
    for line in &report.compared {
        text.push_str(&(wrapped(&foreign(line), "- ", "  ", look.width) + "\n"));
    }
    if let Some(prediction) = &report.prediction {
        text.push_str("at the next start, in the words of `cutover predict`:\n");
        text.push_str(&crate::prediction::prediction(prediction, look));
    }
    text
}

/// The report as indented JSON with a final line break.
pub fn offsets_json(report: &OffsetsReport) -> Result<String, ReportError> {
    let mut text = serde_json::to_string_pretty(report).map_err(ReportError::Json)?;
    text.push('\n');
    Ok(text)
}

fn position(position: Option<BothWays>) -> String {
    position.map_or_else(
        || "-".to_owned(),
        |both| format!("{} ({})", both.lsn, both.decimal),
    )
}

fn fields(offset: &DecodedOffset, indent: &str) -> String {
    let text = |value: &Option<String>| value.as_deref().map(foreign);
    let rows = [
        ("lsn", offset.lsn.map(|at| position(Some(at)))),
        ("lsn_proc", offset.lsn_proc.map(|at| position(Some(at)))),
        ("lsn_commit", offset.lsn_commit.map(|at| position(Some(at)))),
        ("transaction", offset.transaction.map(|id| id.to_string())),
        ("time", text(&offset.time)),
        ("last event", text(&offset.message_type)),
        (
            "events processed there",
            offset.events_processed.map(|events| events.to_string()),
        ),
        ("snapshot", text(&offset.snapshot)),
    ];
    let there = rows
        .into_iter()
        .filter_map(|(name, value)| Some((name, value?)));
    there
        .map(|(name, value)| format!("{indent}{name:12} {value}\n"))
        .collect()
}

fn changed(change: &OffsetChange, look: Look) -> String {
    let short = |offset: &Option<DecodedOffset>| match offset {
        None => "none".to_owned(),
        Some(offset) => {
            let lsn = position(offset.lsn);
            let commit = offset
                .lsn_commit
                .map(|at| format!(", lsn_commit {}", position(Some(at))));
            lsn + &commit.unwrap_or_default()
        }
    };
    let (before, after) = (short(&change.before), short(&change.after));
    let mut text = String::new();
    if change.applied {
        let way = change.way.as_deref().map(foreign).unwrap_or_default();
        text.push_str(&format!(
            "{}: {before} -> {after}, {way}\n",
            look.good("changed")
        ));
        if let Some(undo) = &change.undo {
            text.push_str(&format!("what it was is kept in {}\n", foreign(undo)));
        }
    } else if change.before == change.after {
        text.push_str(&format!("nothing to change: {after}\n"));
    } else {
        text.push_str(&format!(
            "would be changed, which --apply does: {before} -> {after}\n"
        ));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operation_samples;

    #[test]
    fn an_offset_is_shown_in_both_spellings_beside_slot_and_server() {
        let text = offsets(&operation_samples::offsets(), Look::PLAIN);
        for line in [
            "connector orders, stopped\n",
            "changed: none -> 0/18CBC3F (26000447), lsn_commit 0/18CBC40 (26000448), written by Connect\n",
            "what it was is kept in undo/orders.json\n",
            "  lsn          0/18CBC3F (26000447)\n",
            "slot s: restart 0/18CBC40 (26000448), confirmed 0/18CBC40 (26000448), reserved, free\n",
            "- offset is where slot s is confirmed to\n",
        ] {
            assert!(text.contains(line), "{line}\n{text}");
        }
    }

    #[test]
    fn a_change_that_was_not_made_says_how_it_is_made() {
        let mut report = operation_samples::offsets();
        let change = report.change.as_mut().unwrap();
        change.applied = false;
        assert!(offsets(&report, Look::PLAIN).contains("--apply does: none -> 0/18CBC3F"));
    }
}
