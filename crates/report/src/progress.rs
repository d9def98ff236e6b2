//! Shows a run while it goes on: on a terminal one line that is redrawn in place (step, rate, lag), elsewhere
//! plain lines, and where a job takes long one line every few seconds.
//!
//! A consumer of the event stream; it never asks anybody anything. All of it goes to one stream (stderr in
//! the command line), so stdout holds data only.

use std::io::Write;
use std::time::{Duration, Instant};

use cutover_model::RunEvent;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::look::Look;
use crate::narration::{Narrator, Weight};

/// How often a line of the moment is repeated where it cannot be redrawn.
const PERIOD: Duration = Duration::from_secs(5);

/// How often the live line is drawn at most.
const DRAWS_PER_SECOND: u8 = 10;

/// Draws the progress of one command.
pub struct Progress {
    narrator: Narrator,
    least: Weight,
    drawing: Drawing,
}

enum Drawing {
    /// indicatif owns the last line of the terminal.
    Live(ProgressBar),
    /// Lines one after the other.
    Plain {
        out: Box<dyn Write + Send>,
        spoke: Instant,
        moments: bool,
    },
}

impl Progress {
    /// Draws to stderr as `look` says.
    pub fn on_stderr(look: Look) -> Progress {
        let target = ProgressDrawTarget::stderr_with_hz(DRAWS_PER_SECOND);
        // A hidden bar would swallow the lines that stay, so what cannot be drawn is written instead.
        if !look.live || target.is_hidden() {
            return Progress::to(look, Box::new(std::io::stderr()));
        }
        let bar = ProgressBar::with_draw_target(None, target).with_style(live_style());
        bar.enable_steady_tick(Duration::from_millis(100));
        Progress {
            narrator: Narrator::default(),
            least: least(look),
            drawing: Drawing::Live(bar),
        }
    }

    /// Writes plain lines to `out`, whatever `look` says about a live line.
    pub fn to(look: Look, out: Box<dyn Write + Send>) -> Progress {
        let drawing = Drawing::Plain {
            out,
            spoke: Instant::now(),
            moments: !look.quiet,
        };
        Progress {
            narrator: Narrator::default(),
            least: least(look),
            drawing,
        }
    }

    /// Takes the next event.
    pub fn consume(&mut self, event: &RunEvent) {
        self.consume_at(event, Instant::now());
    }

    /// Removes the live line. Called once, before anything else is printed; dropping does the same.
    pub fn finish(&mut self) {
        match &mut self.drawing {
            Drawing::Live(bar) => bar.finish_and_clear(),
            Drawing::Plain { out, .. } => {
                // A reader that went away must not stop the run; the events are in the run folder.
                let _ = out.flush();
            }
        }
    }

    fn consume_at(&mut self, event: &RunEvent, at: Instant) {
        let told = self.narrator.tell(event);
        let keep = told
            .keep
            .filter(|(weight, _)| *weight >= self.least)
            .map(|(_, line)| line);
        match &mut self.drawing {
            Drawing::Live(bar) => {
                if let Some(line) = keep {
                    bar.println(line);
                }
                if let Some(now) = told.now {
                    bar.set_message(now);
                }
            }
            Drawing::Plain {
                out,
                spoke,
                moments,
            } => {
                let due = *moments && at.saturating_duration_since(*spoke) >= PERIOD;
                let now = told
                    .now
                    .filter(|line| due && keep.is_none() && !line.is_empty());
                for line in keep.into_iter().chain(now) {
                    // See `finish`.
                    let _ = writeln!(out, "{line}");
                    *spoke = at;
                }
            }
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.finish();
    }
}

fn least(look: Look) -> Weight {
    if look.quiet {
        Weight::Important
    } else {
        Weight::Ordinary
    }
}

/// Spinner, time since the start, and the line of the moment cut to the width of the terminal.
fn live_style() -> ProgressStyle {
    ProgressStyle::with_template("{spinner} {elapsed_precise} {wide_msg}")
        .unwrap_or_else(|_| ProgressStyle::default_spinner())
        .tick_chars("-\\|/ ")
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;
    use crate::samples;

    #[derive(Clone, Default)]
    struct Page(Arc<Mutex<Vec<u8>>>);

    impl Write for Page {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    fn told(look: Look, step: Duration) -> String {
        let page = Page::default();
        let mut progress = Progress::to(look, Box::new(page.clone()));
        let start = Instant::now();
        for (index, event) in (0..).zip(samples::events()) {
            progress.consume_at(&event, start + step * index);
        }
        progress.finish();
        let bytes = page.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn a_fast_run_tells_only_what_stays() {
        let text = told(Look::PLAIN, Duration::ZERO);
        assert_eq!(text.lines().count(), 9, "{text}");
        assert!(!text.contains('\u{1b}') && !text.contains(" | "), "{text}");
    }

    #[test]
    fn a_slow_run_says_every_few_seconds_where_it_is() {
        let text = told(Look::PLAIN, Duration::from_secs(6));
        let line = "load | step 2 drain-proof: Wait until drained | 12,345 of 20,000 changes";
        assert!(text.contains(line), "{text}");
    }

    #[test]
    fn quiet_leaves_warnings_and_failures() {
        let quiet = Look {
            quiet: true,
            ..Look::PLAIN
        };
        let text = told(quiet, Duration::from_secs(6));
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 2, "{text}");
        assert!(
            lines[0].contains("FAILED") && lines[1].contains("warning"),
            "{text}"
        );
    }

    #[test]
    fn the_template_of_the_live_line_is_valid() {
        assert!(ProgressStyle::with_template("{spinner} {elapsed_precise} {wide_msg}").is_ok());
        let mut live = Progress::on_stderr(Look {
            live: true,
            ..Look::PLAIN
        });
        samples::events()
            .iter()
            .for_each(|event| live.consume(event));
        live.finish();
    }
}
