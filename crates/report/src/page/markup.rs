//! Writes HTML so that nothing foreign can become markup: text goes in through [`Markup::text`] or as an attribute, and
//! both are escaped; tags and attribute names are constants of the program.

use crate::text::safe;

/// A page, or a piece of one.
#[derive(Debug, Default)]
pub struct Markup(String);

impl Markup {
    /// Opens a tag with attributes.
    pub fn open(&mut self, tag: &'static str, attributes: &[(&'static str, &str)]) {
        self.0.push('<');
        self.0.push_str(tag);
        for (name, value) in attributes {
            self.0.push(' ');
            self.0.push_str(name);
            self.0.push_str("=\"");
            self.0.push_str(&escaped(value));
            self.0.push('"');
        }
        self.0.push('>');
    }

    /// Closes a tag.
    pub fn close(&mut self, tag: &'static str) {
        self.0.push_str("</");
        self.0.push_str(tag);
        self.0.push_str(">\n");
    }

    /// Text.
    pub fn text(&mut self, text: &str) {
        self.0.push_str(&escaped(text));
    }

    /// A tag with text in it.
    pub fn put(&mut self, tag: &'static str, attributes: &[(&'static str, &str)], text: &str) {
        self.open(tag, attributes);
        self.text(text);
        self.close(tag);
    }

    /// A constant of the program, as it is.
    pub fn fixed(&mut self, constant: &'static str) {
        self.0.push_str(constant);
    }

    /// A row of a table: its first cell heads it.
    pub fn row(&mut self, cells: &[&str]) {
        self.open("tr", &[]);
        for (place, cell) in cells.iter().enumerate() {
            if place == 0 {
                self.put("th", &[("scope", "row")], cell);
            } else if is_number(cell) {
                self.put("td", &[("class", "n")], cell);
            } else {
                self.put("td", &[], cell);
            }
        }
        self.close("tr");
    }

    /// Opens a table with a caption and heads; it stands in a box that scrolls alone on a narrow screen. The box can
    /// have the focus, so that it scrolls by keyboard.
    pub fn table(&mut self, caption: &str, heads: &[&str]) {
        let labelled = [
            ("class", "wide"),
            ("role", "region"),
            ("tabindex", "0"),
            ("aria-label", caption),
        ];
        self.open("div", &labelled);
        self.open("table", &[]);
        self.put("caption", &[], caption);
        self.open("thead", &[]);
        self.open("tr", &[]);
        for head in heads {
            self.put("th", &[("scope", "col")], head);
        }
        self.close("tr");
        self.close("thead");
        self.open("tbody", &[]);
    }

    /// Closes it.
    pub fn end_table(&mut self) {
        self.close("tbody");
        self.close("table");
        self.close("div");
    }

    /// Bytes so far.
    pub fn size(&self) -> usize {
        self.0.len()
    }

    /// The whole.
    pub fn finish(self) -> String {
        self.0
    }
}

fn is_number(cell: &str) -> bool {
    let digits = cell.trim_end_matches(" s");
    digits.starts_with(|first: char| first.is_ascii_digit())
        && digits
            .chars()
            .all(|each| each.is_ascii_digit() || each == ',' || each == '.')
}

/// The text with everything made harmless that a browser or a reader's eye would act upon.
fn escaped(text: &str) -> String {
    let safe = safe(text);
    let mut shown = String::with_capacity(safe.len());
    for character in safe.chars() {
        match character {
            '&' => shown.push_str("&amp;"),
            '<' => shown.push_str("&lt;"),
            '>' => shown.push_str("&gt;"),
            '"' => shown.push_str("&quot;"),
            '\'' => shown.push_str("&#39;"),
            other => shown.push(other),
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_attributes_cannot_become_markup() {
        let mut markup = Markup::default();
        markup.put(
            "p",
            &[("title", "\"><script>")],
            "<b onclick='x'>&\u{202e}\u{0}",
        );
        assert_eq!(
            markup.finish(),
            "<p title=\"&quot;&gt;&lt;script&gt;\">&lt;b onclick=&#39;x&#39;&gt;&amp;\\u{202e}\\u{0}</p>\n"
        );
    }

    #[test]
    fn numbers_stand_at_the_right() {
        for number in ["0", "1,234", "2.1 s", "16.14"] {
            assert!(is_number(number), "{number}");
        }
        for word in ["", "pass", "1 of 2", "key 3", "2 min 05 s"] {
            assert!(!is_number(word), "{word}");
        }
    }
}
