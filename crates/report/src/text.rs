//! How single values become words on a screen: escaping, clipping, numbers, durations, sizes, line breaks.
//!
//! Keys, table names, topic names and stack traces come from outside and may hold escape sequences,
//! line breaks or direction marks. [`safe`] is the only way such text reaches a terminal.

use std::fmt::Write as _;

/// Columns that prose is broken at when nothing better is known.
pub const WIDTH: usize = 100;

/// Longest piece of foreign text shown in one place; the whole of it is in the run folder.
pub const FOREIGN_TEXT_MAX: usize = 240;

/// The text with everything escaped that a terminal would act upon instead of showing: C0 and C1 controls,
/// DEL, line and paragraph separators, marks that reorder or hide text.
pub fn safe(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\n' => shown.push_str("\\n"),
            '\r' => shown.push_str("\\r"),
            '\t' => shown.push_str("\\t"),
            other if acts_on_terminal(other) => {
                // Writing to a String cannot fail.
                let _ = write!(shown, "\\u{{{:x}}}", u32::from(other));
            }
            other => shown.push(other),
        }
    }
    shown
}

/// [`safe`], and cut after `longest` characters with a note of how much is missing.
pub fn clipped(text: &str, longest: usize) -> String {
    let length = text.chars().count();
    if length <= longest {
        return safe(text);
    }
    let head: String = text.chars().take(longest).collect();
    format!(
        "{}… ({} more)",
        safe(&head),
        count((length - longest) as u64)
    )
}

/// [`clipped`] at [`FOREIGN_TEXT_MAX`].
pub fn foreign(text: &str) -> String {
    clipped(text, FOREIGN_TEXT_MAX)
}

fn acts_on_terminal(character: char) -> bool {
    let hides_or_reorders = matches!(
        character,
        '\u{ad}'
            | '\u{61c}'
            | '\u{180e}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{fe00}'..='\u{fe0f}'
            | '\u{feff}'
            | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e0fff}'
    );
    character.is_control() || hides_or_reorders
}

/// A number with groups of three: `20,412`.
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// A number and its noun, in the singular for one: `1 change`, `20 changes`.
pub fn counted(number: u64, noun: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{} {noun}{plural}", count(number))
}

/// A duration: `0.04 s`, `12.3 s`, `2 min 05 s`. What is no duration shows as `?`.
pub fn seconds(duration: f64) -> String {
    if !duration.is_finite() || duration < 0.0 {
        return "?".to_owned();
    }
    if duration < 0.095 {
        return format!("{duration:.2} s");
    }
    if duration < 119.95 {
        return format!("{duration:.1} s");
    }
    let whole = duration.round();
    format!("{:.0} min {:02.0} s", (whole / 60.0).floor(), whole % 60.0)
}

/// A size in binary units: `512 B`, `1.5 MiB`.
pub fn bytes(size: u64) -> String {
    const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    if size < 1024 {
        return format!("{size} B");
    }
    let mut value = size as f64 / 1024.0;
    let mut unit = UNITS[0];
    for next in &UNITS[1..] {
        // Below this the number still prints with at most four digits.
        if value < 1023.95 {
            break;
        }
        value /= 1024.0;
        unit = next;
    }
    format!("{value:.1} {unit}")
}

/// A rate: `812/s`, `0.4/s`. What is no rate shows as `?/s`.
pub fn rate(per_second: f64) -> String {
    if !per_second.is_finite() || per_second < 0.0 {
        "?/s".to_owned()
    } else if per_second < 10.0 {
        format!("{per_second:.1}/s")
    } else {
        format!("{}/s", count(per_second.round() as u64))
    }
}

/// Breaks one paragraph at spaces so that no line is longer than `width` columns, where words allow it.
/// The first line follows `first`, the others `rest`.
pub fn wrapped(paragraph: &str, first: &str, rest: &str, width: usize) -> String {
    let mut lines = String::from(first);
    let mut column = first.chars().count();
    let mut line_is_empty = true;
    for word in paragraph.split(' ').filter(|word| !word.is_empty()) {
        let length = word.chars().count();
        if !line_is_empty && column + 1 + length > width {
            lines.push('\n');
            lines.push_str(rest);
            column = rest.chars().count();
            line_is_empty = true;
        }
        if !line_is_empty {
            lines.push(' ');
            column += 1;
        }
        lines.push_str(word);
        column += length;
        line_is_empty = false;
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_text_cannot_steer_the_terminal() {
        let hostile = "a\u{1b}[2J\u{7}\r\nb\u{9b}31m\u{202e}c\u{200b}\u{7f}\u{2028}\u{feff}";
        assert_eq!(
            safe(hostile),
            "a\\u{1b}[2J\\u{7}\\r\\nb\\u{9b}31m\\u{202e}c\\u{200b}\\u{7f}\\u{2028}\\u{feff}"
        );
        assert_eq!(safe("{\"id\":\"Ærø 東京 🚲\"}"), "{\"id\":\"Ærø 東京 🚲\"}");
    }

    #[test]
    fn long_foreign_text_is_cut_and_says_so() {
        assert_eq!(clipped("abcdef", 6), "abcdef");
        assert_eq!(clipped("abcdef\u{1b}", 3), "abc… (4 more)");
        assert_eq!(clipped("\u{1b}\u{1b}", 1), "\\u{1b}… (1 more)");
    }

    #[test]
    fn numbers_read_as_people_write_them() {
        assert_eq!(
            [0, 999, 1000, 1_234_567].map(count),
            ["0", "999", "1,000", "1,234,567"]
        );
        assert_eq!(counted(1, "change"), "1 change");
        assert_eq!(counted(0, "change"), "0 changes");
        assert_eq!(
            [0.0, 0.04, 0.2, 59.96, 119.94, 119.96, 3725.0].map(seconds),
            [
                "0.00 s",
                "0.04 s",
                "0.2 s",
                "60.0 s",
                "119.9 s",
                "2 min 00 s",
                "62 min 05 s"
            ]
        );
        assert_eq!(
            [f64::NAN, -1.0, f64::INFINITY].map(seconds),
            ["?", "?", "?"]
        );
        assert_eq!(
            [0.44, 812.4, 12_000.0].map(rate),
            ["0.4/s", "812/s", "12,000/s"]
        );
        assert_eq!(
            [0, 1023, 1024, 1_572_864, 1 << 30, u64::MAX].map(bytes),
            ["0 B", "1023 B", "1.0 KiB", "1.5 MiB", "1.0 GiB", "16.0 EiB"]
        );
    }

    #[test]
    fn lines_break_at_words_and_long_words_stay_whole() {
        assert_eq!(wrapped("aa bb cc dd", "> ", "  ", 7), "> aa bb\n  cc dd");
        assert_eq!(
            wrapped("a verylongword b", "", " ", 6),
            "a\n verylongword\n b"
        );
        assert_eq!(wrapped("", "> ", "  ", 7), "> ");
    }
}
