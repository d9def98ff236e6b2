//! Rules about Rust code: width, length of functions, waiting.
//!
//! Lines are looked at as rustfmt leaves them, so a function ends at the first brace in its own column.

use super::repository::SourceFile;

/// Columns of code; rustfmt keeps to it wherever it can break a line.
const COLUMNS_MAX: usize = 100;

/// Columns of comments and of lines with a string, which rustfmt leaves alone: a message that is looked for
/// by its words should stand in one piece.
const PROSE_COLUMNS_MAX: usize = 120;

/// Lines of code in a function, comments and empty lines left out.
const FUNCTION_LINES_MAX: usize = 70;

/// Calls that wait for a time instead of a condition.
const SLEEPS: [&str; 2] = [concat!("sl", "eep("), concat!("sl", "eep_until(")];

/// The only way to allow one: an expectation with a reason, right before the statement.
const SLEEP_ALLOWED: &str = "clippy::disallowed_methods";

/// Lines above a call in which the expectation must stand.
const SLEEP_ALLOWED_LINES: usize = 6;

/// What is wrong with the code in a file.
pub fn complaints(file: &SourceFile) -> Vec<String> {
    let Some(text) = file.text.as_deref().filter(|_| file.is_rust()) else {
        return Vec::new();
    };
    let lines: Vec<&str> = text.lines().collect();
    let mut complaints = too_wide(file, &lines);
    complaints.extend(long_functions(file, &lines));
    complaints.extend(sleeps(file, &lines));
    complaints
}

fn too_wide(file: &SourceFile, lines: &[&str]) -> Vec<String> {
    let most = |line: &str| {
        if is_comment(line) || line.contains('"') {
            PROSE_COLUMNS_MAX
        } else {
            COLUMNS_MAX
        }
    };
    let wide = |line: &str| line.chars().count() > most(line);
    let places = lines.iter().enumerate().filter(|(_, line)| wide(line));
    places
        .map(|(number, line)| {
            let columns = line.chars().count();
            file.at(
                number,
                &format!("{columns} columns; at most {}", most(line)),
            )
        })
        .collect()
}

fn long_functions(file: &SourceFile, lines: &[&str]) -> Vec<String> {
    let mut complaints = Vec::new();
    for (start, line) in lines.iter().enumerate() {
        if !is_function(line) {
            continue;
        }
        let indent = &line[..line.len() - line.trim_start().len()];
        let end = format!("{indent}}}");
        let body = &lines[start + 1..];
        let length = body.iter().position(|line| *line == end).unwrap_or(0);
        let code = body[..length]
            .iter()
            .filter(|line| !line.trim().is_empty() && !is_comment(line));
        let code = code.count();
        if code > FUNCTION_LINES_MAX {
            let what = format!("a function of {code} lines; at most {FUNCTION_LINES_MAX}");
            complaints.push(file.at(start, &what));
        }
    }
    complaints
}

fn sleeps(file: &SourceFile, lines: &[&str]) -> Vec<String> {
    let calls = |line: &&str| SLEEPS.iter().any(|call| line.contains(call)) && !is_comment(line);
    let places = lines.iter().enumerate().filter(|(_, line)| calls(line));
    places
        .filter(|(number, _)| {
            let above = &lines[number.saturating_sub(SLEEP_ALLOWED_LINES)..*number];
            !above.iter().any(|line| line.contains(SLEEP_ALLOWED))
        })
        .filter(|(_, line)| !line.contains("pg_"))
        .map(|(number, _)| {
            file.at(
                number,
                "waits for a time; wait for a condition (clients::wait)",
            )
        })
        .collect()
}

fn is_comment(line: &str) -> bool {
    line.trim_start().starts_with("//")
}

fn is_function(line: &str) -> bool {
    let mut words = line.trim_start();
    for word in [
        "pub(crate) ",
        "pub(super) ",
        "pub ",
        "const ",
        "async ",
        "unsafe ",
    ] {
        words = words.strip_prefix(word).unwrap_or(words);
    }
    words.starts_with("fn ") && !line.trim_end().ends_with(';') && !line.trim_end().ends_with('}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> usize {
        complaints(&SourceFile::made_up("crates/a/src/b.rs", text)).len()
    }

    #[test]
    fn code_is_narrower_than_comments_and_strings() {
        assert_eq!(found(&"a".repeat(COLUMNS_MAX)), 0);
        assert_eq!(found(&"ä".repeat(COLUMNS_MAX)), 0);
        assert_eq!(found(&"a".repeat(COLUMNS_MAX + 1)), 1);
        assert_eq!(found(&format!("// {}", "a".repeat(COLUMNS_MAX))), 0);
        assert_eq!(found(&format!("\"{}\"", "a".repeat(COLUMNS_MAX))), 0);
        assert_eq!(found(&format!("// {}", "a".repeat(PROSE_COLUMNS_MAX))), 1);
    }

    #[test]
    fn a_long_function_is_found_and_comments_do_not_count() {
        let body = |line: &str, times: usize| {
            format!(
                "    pub async fn f() {{\n{}    }}\n",
                format!("        {line}\n").repeat(times)
            )
        };
        assert_eq!(found(&body("x();", FUNCTION_LINES_MAX)), 0);
        assert_eq!(found(&body("x();", FUNCTION_LINES_MAX + 1)), 1);
        assert_eq!(found(&body("// x", FUNCTION_LINES_MAX + 1)), 0);
    }

    #[test]
    fn waiting_for_a_time_needs_a_reason() {
        let call = concat!("tokio::time::sl", "eep(d).await;");
        assert_eq!(found(call), 1);
        assert_eq!(found(&format!("// {call}")), 0);
        let allowed = format!("#[expect({SLEEP_ALLOWED}, reason = \"the one poll\")]\n{call}");
        assert_eq!(found(&allowed), 0);
        assert_eq!(
            found(concat!("client.execute(\"select pg_sl", "eep(1)\");")),
            0
        );
    }
}
