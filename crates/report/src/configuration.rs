//! A configuration for people: each value with who said it, and what was said and is not followed.

use cutover_model::configuration::{ConfigurationReport, Origin, OriginKind};

use crate::error::ReportError;
use crate::look::Look;
use crate::text::foreign;

/// The configuration as text with a final line break.
pub fn configuration(report: &ConfigurationReport, look: Look) -> String {
    let file = report
        .file
        .as_deref()
        .map_or_else(|| "no file".to_owned(), foreign);
    let mut text = look.bold(&format!("configuration: {file}")) + "\n";
    let rows: Vec<[String; 3]> = report
        .settings
        .iter()
        .map(|one| [foreign(&one.key), foreign(&one.value), from(&one.origin)])
        .collect();
    let width = |column: usize| {
        let widths = rows.iter().map(|row| row[column].chars().count());
        widths.max().unwrap_or(0)
    };
    let (first, second) = (width(0), width(1));
    for [key, value, origin] in &rows {
        text.push_str(&format!("  {key:first$}  {value:second$}  {origin}\n"));
    }
    if rows.is_empty() {
        text.push_str("  nothing is set\n");
    }
    for one in &report.left_out {
        let (key, why) = (foreign(&one.key), foreign(&one.why));
        text.push_str(&format!(
            "not followed: {key} ({why}), {}\n",
            from(&one.origin)
        ));
    }
    for note in &report.notes {
        text.push_str(&format!("{}: {}\n", look.doubtful("note"), foreign(note)));
    }
    text
}

fn from(origin: &Origin) -> String {
    match origin.kind {
        OriginKind::Default => "default".to_owned(),
        kind => format!("{kind} {}", foreign(&origin.name)),
    }
}

/// The configuration as indented JSON with a final line break.
pub fn configuration_json(report: &ConfigurationReport) -> Result<String, ReportError> {
    let mut text = serde_json::to_string_pretty(report).map_err(ReportError::Json)?;
    text.push('\n');
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operation_samples;

    #[test]
    fn each_value_stands_beside_who_said_it() {
        let expected = "\
configuration: cutover.toml
  kafka.bootstrap  h\\u{1b}[1m:9092  flag --kafka
  postgres.port    5432             default
not followed: group.id (no consumer group is joined), properties client.properties
note: ~/.pgpass is open to others
";
        let report = operation_samples::configuration();
        assert_eq!(configuration(&report, Look::PLAIN), expected);
    }
}
