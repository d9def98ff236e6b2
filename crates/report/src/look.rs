//! What the reader's screen can do: colours or not, a live line or not, how wide.
//!
//! Decided once at the edge (the command line reads the environment) and handed down, so that every
//! renderer is a pure function. The rule it protects: colour never carries meaning by itself.

/// Columns used when the width is not known; wide enough for a table, narrow enough for a mail.
const WIDTH_DEFAULT: usize = 100;

/// How to draw on one stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Look {
    /// Emphasis by colour and weight.
    pub colour: bool,
    /// One line that is redrawn in place.
    pub live: bool,
    /// Only warnings and failures are told.
    pub quiet: bool,
    /// Columns.
    pub width: usize,
}

impl Look {
    /// Plain text: for files, pipes and tests.
    pub const PLAIN: Look = Look {
        colour: false,
        live: false,
        quiet: false,
        width: WIDTH_DEFAULT,
    };

    /// Decides for a stream. `environment` looks up a variable; an empty `NO_COLOR` does not count, a
    /// terminal without `TERM` or with `TERM=dumb` can neither colour nor redraw a line.
    pub fn decide(
        is_terminal: bool,
        quiet: bool,
        environment: impl Fn(&str) -> Option<String>,
    ) -> Look {
        let set = |name: &str| environment(name).is_some_and(|value| !value.is_empty());
        let able = environment("TERM").is_some_and(|term| !term.is_empty() && term != "dumb");
        let terminal = is_terminal && able;
        Look {
            colour: terminal && !set("NO_COLOR"),
            live: terminal && !quiet && !set("CI"),
            quiet,
            width: WIDTH_DEFAULT,
        }
    }

    /// Text in bold, where colours are on.
    pub(crate) fn bold(self, text: &str) -> String {
        self.painted(text, "1")
    }

    /// Text in green, where colours are on.
    pub(crate) fn good(self, text: &str) -> String {
        self.painted(text, "1;32")
    }

    /// Text in yellow, where colours are on.
    pub(crate) fn doubtful(self, text: &str) -> String {
        self.painted(text, "1;33")
    }

    /// Text in red, where colours are on.
    pub(crate) fn bad(self, text: &str) -> String {
        self.painted(text, "1;31")
    }

    fn painted(self, text: &str, code: &str) -> String {
        if self.colour {
            format!("\u{1b}[{code}m{text}\u{1b}[0m")
        } else {
            text.to_owned()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look(is_terminal: bool, quiet: bool, variables: &[(&str, &str)]) -> Look {
        Look::decide(is_terminal, quiet, |name| {
            let found = variables.iter().find(|(key, _)| *key == name);
            found.map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn a_pipe_gets_plain_text_whatever_the_environment_says() {
        let piped = look(false, false, &[("TERM", "xterm-256color")]);
        assert!(!piped.colour && !piped.live);
    }

    #[test]
    fn no_color_takes_colours_but_not_the_live_line() {
        let plain = look(true, false, &[("TERM", "xterm"), ("NO_COLOR", "1")]);
        assert!(!plain.colour && plain.live);
        let empty = look(true, false, &[("TERM", "xterm"), ("NO_COLOR", "")]);
        assert!(empty.colour && empty.live);
    }

    #[test]
    fn a_dumb_terminal_gets_neither() {
        for term in [vec![("TERM", "dumb")], vec![("TERM", "")], vec![]] {
            let dumb = look(true, false, &term);
            assert!(!dumb.colour && !dumb.live, "{term:?}");
        }
    }

    #[test]
    fn quiet_and_ci_take_the_live_line() {
        assert!(!look(true, true, &[("TERM", "xterm")]).live);
        assert!(!look(true, false, &[("TERM", "xterm"), ("CI", "true")]).live);
    }
}
