//! The matrix for people: a table on the terminal, one for documents, and a page with a cell per run.
//!
//! The rules it protects: a verdict is a word, and colour only repeats it; everything foreign is escaped; the page
//! loads nothing from anywhere.

use std::fmt::Write as _;

use cutover_model::Verdict;
use cutover_model::matrix::{Matrix, MatrixCell};
use serde_json::{Value, json};

use crate::error::ReportError;
use crate::text::{count, safe};

/// The columns after kind, runbook and version.
const NUMBERS: [&str; 5] = ["lost", "dup.", "phantom", "r", "refused s"];

fn numbers(cell: &MatrixCell) -> [String; 5] {
    let counts = &cell.scenario.counts;
    [
        count(counts.lost),
        count(counts.duplicated),
        count(counts.phantom),
        count(counts.snapshot),
        format!("{:.1}", cell.scenario.refused_write_seconds),
    ]
}

fn predicted(cell: &MatrixCell) -> String {
    if cell.prediction_right {
        cell.measured.clone()
    } else {
        let predicted = if cell.predicted.is_empty() {
            "nothing"
        } else {
            &cell.predicted
        };
        format!("{predicted} WRONG: {}", cell.measured)
    }
}

fn word(cell: &MatrixCell) -> String {
    let verdict = cell.scenario.verdict.to_string().to_uppercase();
    if cell.scenario.as_expected {
        verdict
    } else {
        format!("{verdict} (unexpected)")
    }
}

fn versions(cell: &MatrixCell) -> String {
    let stack = &cell.scenario.stack;
    format!("{} → {}", stack.postgres_old, stack.postgres_new)
}

fn summary(matrix: &Matrix) -> String {
    let cells = &matrix.cells;
    let wrong = cells.iter().filter(|cell| !cell.prediction_right).count();
    let expected = cells
        .iter()
        .filter(|cell| cell.scenario.as_expected)
        .count();
    let proven = || cells.iter().filter(|cell| cell.runbook == "proven");
    let events = |cell: &MatrixCell| {
        let counts = &cell.scenario.counts;
        counts.lost + counts.duplicated + counts.snapshot
    };
    let broken: u64 = proven().map(events).sum();
    let where_from: Vec<String> = proven()
        .filter(|cell| events(cell) > 0)
        .map(|cell| format!("{} in {}", events(cell), safe(&cell.scenario.name)))
        .collect();
    let where_from = if where_from.is_empty() {
        String::new()
    } else {
        format!(" ({})", where_from.join(", "))
    };
    format!(
        "{}: {} of {} cells played, {expected} as expected, {wrong} predictions wrong; proven runbooks: {} cells, \
         lost + duplicated + snapshot records = {broken}{where_from}; {:.0} s in all",
        matrix.verdict.to_string().to_uppercase(),
        cells.len(),
        matrix.planned,
        proven().count(),
        matrix.seconds
    )
}

/// The table on a terminal, with a final line break.
pub fn terminal(matrix: &Matrix) -> String {
    let heads = ["kind", "runbook", "PostgreSQL", "Debezium", "verdict"];
    let mut rows: Vec<Vec<String>> = vec![heads.iter().map(|head| (*head).to_owned()).collect()];
    rows[0].extend(NUMBERS.iter().map(|head| (*head).to_owned()));
    rows[0].push("predicted = measured".into());
    for cell in &matrix.cells {
        let mut row = vec![
            safe(&cell.kind),
            safe(&cell.runbook),
            safe(&versions(cell)),
            safe(&cell.debezium),
            word(cell),
        ];
        row.extend(numbers(cell));
        row.push(predicted(cell));
        rows.push(row);
    }
    let widths: Vec<usize> = (0..rows[0].len())
        .map(|column| {
            rows.iter()
                .map(|row| row[column].chars().count())
                .max()
                .unwrap_or(0)
        })
        .collect();
    let mut text = String::new();
    for row in &rows {
        let cells = row
            .iter()
            .zip(&widths)
            .enumerate()
            .map(|(column, (cell, width))| {
                let fill = " ".repeat(width - cell.chars().count());
                if (5..10).contains(&column) {
                    format!("{fill}{cell}")
                } else {
                    format!("{cell}{fill}")
                }
            });
        let line: Vec<String> = cells.collect();
        text.push_str(line.join("  ").trim_end());
        text.push('\n');
    }
    text.push('\n');
    text.push_str(&summary(matrix));
    text.push('\n');
    text
}

/// The object of `guarantees.md` §7: each cell is the scenario's object with what makes it a cell beside it.
pub fn to_json(matrix: &Matrix) -> Result<String, ReportError> {
    let mut object = serde_json::to_value(matrix).map_err(ReportError::Json)?;
    let cells = object.get_mut("cells").and_then(Value::as_array_mut);
    for cell in cells.into_iter().flatten() {
        let Some(cell) = cell.as_object_mut() else {
            continue;
        };
        if let Some(Value::Object(scenario)) = cell.get("scenario").cloned() {
            for (name, value) in scenario {
                cell.entry(name).or_insert(value);
            }
        }
        cell.remove("scenario");
    }
    let mut text = serde_json::to_string_pretty(&object).map_err(ReportError::Json)?;
    text.push('\n');
    Ok(text)
}

/// The same object as it is kept in the run folder, to go on with.
pub fn to_saved(matrix: &Matrix) -> Result<String, ReportError> {
    let mut text = serde_json::to_string_pretty(&json!(matrix)).map_err(ReportError::Json)?;
    text.push('\n');
    Ok(text)
}

/// A cell of a Markdown table cannot hold a bar or a line break.
fn plain(text: &str) -> String {
    safe(text).replace('|', "\\|")
}

/// The table for documents.
pub fn markdown(matrix: &Matrix) -> String {
    let mut text = String::from("| kind | runbook | PostgreSQL | Debezium | Kafka | verdict |");
    for head in NUMBERS {
        let _ = write!(text, " {head} |");
    }
    text.push_str(
        " predicted = measured |\n|---|---|---|---|---|---|---:|---:|---:|---:|---:|---|\n",
    );
    for cell in &matrix.cells {
        let _ = write!(
            text,
            "| {} | {} | {} | {} | {} | {} |",
            plain(&cell.kind),
            plain(&cell.runbook),
            plain(&versions(cell)),
            plain(&cell.debezium),
            plain(&cell.kafka),
            word(cell)
        );
        for number in numbers(cell) {
            let _ = write!(text, " {number} |");
        }
        let _ = writeln!(text, " {} |", predicted(cell));
    }
    let seeds: std::collections::BTreeSet<u64> =
        matrix.cells.iter().map(|cell| cell.seed).collect();
    let seeds: Vec<String> = seeds.iter().map(u64::to_string).collect();
    let _ = writeln!(
        text,
        "\n{}\n\nMeasured on {} by {}, seeds {}.",
        summary(matrix),
        plain(&matrix.machine),
        plain(&matrix.cutover),
        seeds.join(", ")
    );
    text
}

fn html(text: &str) -> String {
    safe(text)
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

const STYLE: &str = "
body{font:15px/1.45 system-ui,sans-serif;margin:2rem;color:#1b1b1b;background:#fff}
table{border-collapse:collapse}
th,td{padding:.3rem .6rem;border-bottom:1px solid #ccc;text-align:left;vertical-align:top}
td.n{text-align:right;font-variant-numeric:tabular-nums}
thead th{position:sticky;top:0;background:#fff}
.pass{background:#dff3e3}.fail{background:#fbe3e0}.unknown{background:#fff3cd}
.wrong{outline:3px solid #b00020}
@media(prefers-color-scheme:dark){
body,thead th{background:#151515;color:#eee}a{color:#9cc4ff}
.pass{background:#123d1d}.fail{background:#4d1b16}.unknown{background:#4a3a00}
}
";

/// A page with a row per cell, coloured, each linked to the report in its run folder.
pub fn page(matrix: &Matrix) -> String {
    let mut text = format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <title>cutover matrix</title>\
         <style>{STYLE}</style></head>\n<body><main>\
         <h1>Upgrade kind × runbook × Debezium</h1>\n<p>{}</p>\n\
         <p>Measured on {} by {}.</p>\n<table><thead><tr>",
        html(&summary(matrix)),
        html(&matrix.machine),
        html(&matrix.cutover)
    );
    let heads = [
        "kind",
        "runbook",
        "PostgreSQL",
        "Debezium",
        "Kafka",
        "seed",
        "verdict",
    ];
    for head in heads
        .iter()
        .chain(&NUMBERS)
        .chain(&["predicted = measured", "lesson"])
    {
        let _ = write!(text, "<th scope=\"col\">{head}</th>");
    }
    text.push_str("</tr></thead><tbody>\n");
    for cell in &matrix.cells {
        text.push_str(&row(cell));
    }
    text.push_str("</tbody></table></main></body></html>\n");
    text
}

fn row(cell: &MatrixCell) -> String {
    let class = match cell.scenario.verdict {
        Verdict::Pass => "pass",
        Verdict::Unknown => "unknown",
        Verdict::Fail => "fail",
    };
    let wrong = if cell.good() { "" } else { " wrong" };
    let mut text = format!(
        "<tr class=\"{class}{wrong}\"><th scope=\"row\"><a href=\"{}/report.html\">{}</a></th>",
        html(&cell.name()),
        html(&cell.kind)
    );
    let seed = cell.seed.to_string();
    let verdict = word(cell);
    for part in [
        &cell.runbook,
        &versions(cell),
        &cell.debezium,
        &cell.kafka,
        &seed,
        &verdict,
    ] {
        let _ = write!(text, "<td>{}</td>", html(part));
    }
    for number in numbers(cell) {
        let _ = write!(text, "<td class=\"n\">{number}</td>");
    }
    let lesson = cell.scenario.lesson.as_deref().unwrap_or_default();
    let _ = writeln!(
        text,
        "<td>{}</td><td>{}</td></tr>",
        html(&predicted(cell)),
        html(lesson)
    );
    text
}

#[cfg(test)]
mod tests {
    use cutover_model::matrix::measured;

    use super::*;
    use crate::samples;

    #[test]
    fn a_wrong_prediction_is_shown_as_such_everywhere() {
        let matrix = samples::matrix();
        for text in [terminal(&matrix), markdown(&matrix), page(&matrix)] {
            assert!(text.contains("resumes WRONG: skips"), "{text}");
            assert!(text.contains("1 predictions wrong"), "{text}");
        }
    }

    #[test]
    fn rows_that_a_repair_read_again_are_not_what_the_start_did() {
        let mut result = samples::baseline();
        result.counts.snapshot = 7;
        assert_eq!(measured(&result), "skips");
        let unplanned = cutover_model::FindingKind::UnplannedSnapshot.name();
        result.counts.findings.insert(unplanned.into(), 7);
        assert_eq!(measured(&result), "resnapshots");
    }

    #[test]
    fn hostile_names_stay_text() {
        let matrix = samples::matrix();
        assert!(!page(&matrix).contains("<b>|"));
        assert!(markdown(&matrix).contains("<b>\\|"));
    }

    #[test]
    fn a_page_loads_nothing() {
        let text = page(&samples::matrix());
        assert!(
            !text.contains("http") && !text.contains("<script"),
            "{text}"
        );
    }
}
