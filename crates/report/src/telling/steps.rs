//! The runbook beside what was driven: for each step what had to be seen, and what was seen.
//!
//! The rule it protects: a step that nobody looked at says so, and a step that was never reached is not called done.

use cutover_model::plan::RunbookClass;
use cutover_model::{EventKind, RunStory};

use crate::text::{foreign, seconds};

/// One step as it was driven.
#[derive(Debug, Clone, PartialEq)]
pub struct DrivenStep {
    /// Number in the runbook.
    pub number: u32,
    /// Stable name.
    pub step: String,
    /// What it does.
    pub title: String,
    /// What had to be seen; `None` where nothing is looked at.
    pub proof: Option<String>,
    /// After it there is no way back.
    pub point_of_no_return: bool,
    /// How it ended.
    pub end: StepEnd,
    /// What was seen or done, or why it failed.
    pub seen: String,
    /// How long it took.
    pub took: Option<String>,
}

/// How a step ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StepEnd {
    /// Its post-condition was seen.
    Proved,
    /// Carried out; nothing was looked at.
    NotChecked,
    /// It failed.
    Failed,
    /// It was begun, and nothing more is known.
    BrokenOff,
    /// Nothing tells that it was begun.
    NotReached,
}

impl StepEnd {
    /// For people.
    pub fn word(self) -> &'static str {
        match self {
            StepEnd::Proved => "proved",
            StepEnd::NotChecked => "done, not checked",
            StepEnd::Failed => "FAILED",
            StepEnd::BrokenOff => "broken off",
            StepEnd::NotReached => "not reached",
        }
    }
}

/// Steps of the runbook in order, then those that were driven besides (a way back, for example).
pub fn driven(story: &RunStory) -> Vec<DrivenStep> {
    let mut seen = told(story);
    let runbook = story.scenario.runbook.as_ref();
    let mut steps = Vec::new();
    for planned in runbook.iter().flat_map(|runbook| &runbook.steps) {
        let same = |one: &DrivenStep| one.number == planned.number && one.step == planned.step;
        // One that was driven again after a break counts as it ended last.
        let last = seen.iter().rposition(same).map(|at| seen[at].clone());
        seen.retain(|one| !same(one));
        let mut step = last.unwrap_or_else(|| DrivenStep::new(planned.number, &planned.step));
        step.title.clone_from(&planned.title);
        step.proof.clone_from(&planned.proof);
        step.point_of_no_return = planned.point_of_no_return;
        steps.push(step);
    }
    steps.extend(seen);
    for note in &story.journal {
        let how = match note.entry.as_str() {
            "already-done" => "found in place already",
            "undone" => "taken back",
            "undo-failed" => "could not be taken back",
            _ => continue,
        };
        let same = |one: &&mut DrivenStep| one.number == note.number && one.step == note.step;
        if let Some(step) = steps.iter_mut().find(same) {
            step.seen
                .push_str(&format!("; {how}: {}", foreign(&note.detail)));
        }
    }
    steps
}

/// Steps as the events tell them.
fn told(story: &RunStory) -> Vec<DrivenStep> {
    let mut steps: Vec<DrivenStep> = Vec::new();
    for event in &story.events {
        let ended = match &event.kind {
            EventKind::StepStarted {
                number,
                step,
                title,
            } => {
                steps.push(DrivenStep {
                    title: title.clone(),
                    end: StepEnd::BrokenOff,
                    ..DrivenStep::new(*number, step)
                });
                continue;
            }
            EventKind::StepProved {
                proof,
                seconds: took,
                ..
            } => (StepEnd::Proved, proof, Some(seconds(*took))),
            EventKind::StepDone {
                what,
                seconds: took,
                ..
            } => (StepEnd::NotChecked, what, Some(seconds(*took))),
            EventKind::StepFailed { reason, .. } => (StepEnd::Failed, reason, None),
            _ => continue,
        };
        if let Some(open) = steps.last_mut() {
            (open.end, open.seen, open.took) = (ended.0, foreign(ended.1), ended.2);
        }
    }
    steps
}

/// What the class of the runbook promises; `None` without a runbook.
pub fn promise(story: &RunStory) -> Option<&'static str> {
    story
        .scenario
        .runbook
        .as_ref()
        .map(|runbook| match runbook.class {
            RunbookClass::Baseline => {
                "A baseline: the steps as people really follow them, although they can lose or repeat events. Nothing \
                 is looked at between them."
            }
            RunbookClass::Proven => {
                "A proven runbook: no step begins before the one before it has shown its proof."
            }
        })
}

impl DrivenStep {
    fn new(number: u32, step: &str) -> DrivenStep {
        DrivenStep {
            number,
            step: step.to_owned(),
            title: String::new(),
            proof: None,
            point_of_no_return: false,
            end: StepEnd::NotReached,
            seen: String::new(),
            took: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples;

    #[test]
    fn each_step_of_the_runbook_has_what_was_seen_of_it() {
        let steps = driven(&samples::story());
        let ends: Vec<StepEnd> = steps.iter().map(|step| step.end).collect();
        assert_eq!(ends, [StepEnd::Proved, StepEnd::Proved, StepEnd::Proved]);
        assert_eq!(
            steps[0].seen,
            "the role app is refused; found in place already: yes"
        );
        assert!(steps[2].point_of_no_return && steps[0].proof.is_some());
    }

    #[test]
    fn a_step_without_an_event_was_not_reached_and_one_without_an_end_is_broken_off() {
        let mut story = samples::story();
        story.journal.clear();
        let last = story
            .events
            .iter()
            .rposition(|event| matches!(event.kind, EventKind::StepStarted { .. }));
        story.events.truncate(last.unwrap());
        let broken = samples::event(
            99,
            EventKind::StepStarted {
                number: 9,
                step: "elsewhere".into(),
                title: "Of another runbook".into(),
            },
        );
        story.events.push(broken);
        let ends: Vec<(u32, StepEnd)> = driven(&story)
            .iter()
            .map(|step| (step.number, step.end))
            .collect();
        let expected = [
            (1, StepEnd::Proved),
            (2, StepEnd::Proved),
            (3, StepEnd::NotReached),
            (9, StepEnd::BrokenOff),
        ];
        assert_eq!(ends, expected);
    }
}
