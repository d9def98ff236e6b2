//! What is said about a run while it goes on: turns events into lines, without drawing anything.
//!
//! [`Narrator`] remembers where the run is (scenario, phase, step) and answers each event with a line that
//! stays, a line that replaces the one before it, or nothing. `progress` draws them.

use cutover_model::{EventKind, RunEvent};

use crate::text::{bytes, count, counted, foreign, rate, seconds};

/// How much a line matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Weight {
    /// Where the run is.
    Ordinary,
    /// Told even when the user asked for quiet.
    Important,
}

/// What an event gives to say.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Told {
    /// A line that stays on the screen.
    pub keep: Option<(Weight, String)>,
    /// What is going on now; redrawn in place on a terminal, repeated now and then elsewhere.
    pub now: Option<String>,
}

/// The state of the story.
#[derive(Debug, Default)]
pub struct Narrator {
    phase: String,
    step: Option<String>,
    last_progress: String,
}

impl Narrator {
    /// Takes the next event.
    pub fn tell(&mut self, event: &RunEvent) -> Told {
        let keep = self.kept(event);
        let changed = self.advance(&event.kind);
        Told {
            keep: keep.map(|(weight, line)| {
                let scenario = event
                    .scenario
                    .as_deref()
                    .map(|name| format!("{}: ", foreign(name)));
                (weight, format!("{}{line}", scenario.unwrap_or_default()))
            }),
            now: changed.then(|| self.now()),
        }
    }

    fn kept(&self, event: &RunEvent) -> Option<(Weight, String)> {
        let ordinary = |line: String| Some((Weight::Ordinary, line));
        let important = |line: String| Some((Weight::Important, line));
        match &event.kind {
            EventKind::ScenarioStarted { title, seed } => {
                ordinary(format!("{}, seed {seed}", foreign(title)))
            }
            EventKind::PhaseEnded {
                name,
                seconds: took,
            } => ordinary(format!("{} done in {}", foreign(name), seconds(*took))),
            EventKind::StepProved {
                number,
                step,
                proof,
                seconds: took,
            } => ordinary(format!(
                "step {number} {} proved in {}: {}",
                foreign(step),
                seconds(*took),
                foreign(proof)
            )),
            EventKind::StepDone {
                number,
                step,
                what,
                seconds: took,
            } => ordinary(format!(
                "step {number} {} done in {}, unchecked: {}",
                foreign(step),
                seconds(*took),
                foreign(what)
            )),
            EventKind::StepFailed {
                number,
                step,
                reason,
            } => important(format!(
                "step {number} {} FAILED: {}",
                foreign(step),
                foreign(reason)
            )),
            EventKind::WritesRefused {
                seconds,
                refusals,
                ended,
                ..
            } => ordinary(refusal(*seconds, *refusals, *ended)),
            EventKind::Note { text } => ordinary(foreign(text)),
            EventKind::Warning { text } => important(format!("warning: {}", foreign(text))),
            EventKind::Judged {
                verdict,
                proof_level,
                reasons,
            } => {
                let mut line = format!("verdict {verdict}, proof level {proof_level}");
                if let Some(first) = reasons.first() {
                    line.push_str(&format!(", because {}", foreign(first)));
                }
                ordinary(line)
            }
            EventKind::ScenarioEnded { status } if status != "finished" => {
                important(format!("ended: {}", foreign(status)))
            }
            EventKind::ScenarioEnded { .. }
            | EventKind::PhaseStarted { .. }
            | EventKind::StepStarted { .. }
            | EventKind::Sample { .. }
            | EventKind::Progress { .. } => None,
        }
    }

    /// Moves the story on; true if the line of the moment changed.
    fn advance(&mut self, kind: &EventKind) -> bool {
        match kind {
            EventKind::ScenarioStarted { .. } => *self = Narrator::default(),
            EventKind::PhaseStarted { name } => {
                self.phase = foreign(name);
                self.step = None;
                self.last_progress.clear();
            }
            EventKind::PhaseEnded { .. } | EventKind::ScenarioEnded { .. } => {
                *self = Narrator::default();
            }
            EventKind::StepStarted {
                number,
                step,
                title,
            } => {
                self.step = Some(format!(
                    "step {number} {}: {}",
                    foreign(step),
                    foreign(title)
                ));
                self.last_progress.clear();
            }
            EventKind::StepProved { .. }
            | EventKind::StepDone { .. }
            | EventKind::StepFailed { .. } => self.step = None,
            EventKind::Progress {
                what,
                done,
                total,
                rate: speed,
                lag_bytes,
            } => {
                let mut words = match total {
                    Some(total) => {
                        format!("{} of {} {}", count(*done), count(*total), foreign(what))
                    }
                    None => format!("{} {}", count(*done), foreign(what)),
                };
                if let Some(speed) = speed {
                    words.push_str(&format!(", {}", rate(*speed)));
                }
                if let Some(lag) = lag_bytes {
                    words.push_str(&format!(", lag {}", bytes(*lag)));
                }
                self.last_progress = words;
            }
            EventKind::Sample { .. }
            | EventKind::WritesRefused { .. }
            | EventKind::Note { .. }
            | EventKind::Warning { .. }
            | EventKind::Judged { .. } => return false,
        }
        true
    }

    fn now(&self) -> String {
        let step = self.step.clone().unwrap_or_default();
        let parts = [&self.phase, &step, &self.last_progress];
        let said: Vec<&str> = parts
            .into_iter()
            .filter(|part| !part.is_empty())
            .map(String::as_str)
            .collect();
        said.join(" | ")
    }
}

fn refusal(lasted: f64, refusals: u64, ended: bool) -> String {
    let end = if ended { "" } else { ", until the load ended" };
    format!(
        "writes were refused for {}, {}{end}",
        seconds(lasted),
        counted(refusals, "refusal")
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples;

    #[test]
    fn every_event_is_told_in_its_place() {
        let mut narrator = Narrator::default();
        let told: Vec<Told> = samples::events()
            .iter()
            .map(|it| narrator.tell(it))
            .collect();
        let kept: Vec<&str> = told
            .iter()
            .filter_map(|told| told.keep.as_ref().map(|(_, line)| line.as_str()))
            .collect();
        assert_eq!(
            kept,
            [
                "minor: PostgreSQL 16.2 to 16.14, seed 42",
                "minor: step 2 drain-proof proved in 0.4 s: marker at 0/19A2B8",
                "minor: step 2 drain-proof done in 0.1 s, unchecked: connector PAUSED",
                "minor: step 2 drain-proof FAILED: no\\u{1b}[2Jmarker",
                "minor: writes were refused for 2.1 s, 40 refusals",
                "minor: the server restarted in 1.4 s",
                "minor: warning: the witness reconnected",
                "minor: load done in 20.0 s",
                "minor: verdict pass, proof level P4, because all there",
            ]
        );
        let now: Vec<&str> = told.iter().filter_map(|told| told.now.as_deref()).collect();
        assert_eq!(
            now[..4],
            [
                "",
                "load",
                "load | step 2 drain-proof: Wait until drained",
                "load | step 2 drain-proof: Wait until drained | \
                 12,345 of 20,000 changes, 812/s, lag 1.5 MiB",
            ]
        );
    }

    #[test]
    fn failures_and_warnings_weigh_more() {
        let mut narrator = Narrator::default();
        let important: Vec<String> = samples::events()
            .iter()
            .filter_map(|event| narrator.tell(event).keep)
            .filter(|(weight, _)| *weight == Weight::Important)
            .map(|(_, line)| line)
            .collect();
        assert_eq!(important.len(), 2, "{important:?}");
        let ended = EventKind::ScenarioEnded {
            status: "interrupted".into(),
        };
        let told = narrator.tell(&samples::event(99, ended));
        assert_eq!(
            told.keep,
            Some((Weight::Important, "minor: ended: interrupted".into()))
        );
    }
}
