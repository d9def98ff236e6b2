//! The runbook beside what was driven: for each step what had to be seen, and what was seen.
//!
//! The rule it protects: a step that nobody looked at says so, and a step that was never reached is not called done.

use cutover_model::plan::RunbookClass;
use cutover_model::story::JournalNote;
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
    /// How many seconds it took.
    pub took: Option<f64>,
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

/// Steps of the runbook in order, then those of other plans (a way back, for example). A runbook that was begun several
/// times, because it was taken back in between, is told as it was driven last.
pub fn driven(story: &RunStory) -> Vec<DrivenStep> {
    let runbook = story.scenario.runbook.as_ref();
    let planned: Vec<_> = runbook.iter().flat_map(|runbook| &runbook.steps).collect();
    let of_runbook = |number: u32, step: &str| {
        planned
            .iter()
            .any(|planned| planned.number == number && planned.step == step)
    };
    let told = told(story);
    let again = |before: &DrivenStep| before.end == StepEnd::BrokenOff;
    let plans = plans(&told, |one| one.number, |_| true, again);
    let (forward, others): (Vec<_>, Vec<_>) = plans
        .into_iter()
        .partition(|plan| plan.iter().all(|one| of_runbook(one.number, &one.step)));
    let last = forward.last().copied().unwrap_or_default();
    let mut steps: Vec<DrivenStep> = Vec::new();
    for planned in &planned {
        // One that was driven again after a break counts as it ended last.
        let same = |one: &&DrivenStep| one.number == planned.number && one.step == planned.step;
        let seen = last.iter().rev().find(same).cloned();
        let mut step = seen.unwrap_or_else(|| DrivenStep::new(planned.number, &planned.step));
        step.title.clone_from(&planned.title);
        step.proof.clone_from(&planned.proof);
        step.point_of_no_return = planned.point_of_no_return;
        steps.push(step);
    }
    let forward = steps.len();
    steps.extend(others.into_iter().flatten().cloned());
    let (of_forward, of_others) = steps.split_at_mut(forward);
    noted(
        story,
        |note| of_runbook(note.number, &note.step),
        of_forward,
    );
    noted(
        story,
        |note| !of_runbook(note.number, &note.step),
        of_others,
    );
    steps
}

/// Adds what the journal alone knows: of the newest of the plans all of whose steps are `of` this kind.
fn noted(story: &RunStory, of: impl Fn(&JournalNote) -> bool, steps: &mut [DrivenStep]) {
    let intent = |note: &JournalNote| matches!(note.entry.as_str(), "intent" | "already-done");
    let ended =
        |note: &JournalNote| matches!(note.entry.as_str(), "failed" | "undone" | "undo-failed");
    let plans = plans(
        &story.journal,
        |note| note.number,
        intent,
        |note| !ended(note),
    );
    let newest = plans.iter().rev().find(|plan| plan.iter().all(&of));
    for note in newest.copied().unwrap_or_default() {
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
}

/// Cuts what was told of several plans in a row into them: a plan begins with a first step, unless that is the first
/// step of the same plan once `again`.
fn plans<T>(
    told: &[T],
    number: impl Fn(&T) -> u32,
    begins: impl Fn(&T) -> bool,
    again: impl Fn(&T) -> bool,
) -> Vec<&[T]> {
    let starts = |at: &usize| {
        let before = at.checked_sub(1).and_then(|before| told.get(before));
        let same = before.is_some_and(|before| number(before) == 1 && again(before));
        number(&told[*at]) == 1 && begins(&told[*at]) && !same
    };
    let mut cuts: Vec<usize> = (1..told.len()).filter(starts).collect();
    cuts.push(told.len());
    let mut from = 0;
    let mut plans = Vec::new();
    for to in cuts {
        plans.push(&told[from..to]);
        from = to;
    }
    plans
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
            } => (StepEnd::Proved, proof, Some(*took)),
            EventKind::StepDone {
                what,
                seconds: took,
                ..
            } => (StepEnd::NotChecked, what, Some(*took)),
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
    /// How long it took, for people.
    pub fn took(&self) -> String {
        self.took.map_or_else(|| "?".to_owned(), seconds)
    }

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
    fn a_way_back_is_not_taken_for_the_runbook() {
        let mut story = samples::story();
        let forward = driven(&story);
        let first = StepEnd::Failed;
        for (offset, step) in [
            (500, forward[0].step.clone()),
            (501, "return-to-old".into()),
        ] {
            let number = u32::try_from(offset - 499).unwrap();
            let title = String::new();
            let started = EventKind::StepStarted {
                number,
                step: step.clone(),
                title,
            };
            let reason = "of the way back".to_owned();
            let failed = EventKind::StepFailed {
                number,
                step,
                reason,
            };
            story.events.push(samples::event(offset, started));
            story.events.push(samples::event(offset, failed));
        }
        let both = driven(&story);
        assert_eq!(both[..forward.len()], forward[..]);
        let back: Vec<StepEnd> = both[forward.len()..].iter().map(|step| step.end).collect();
        assert_eq!(back, [first, first]);
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
                number: 1,
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
            (1, StepEnd::BrokenOff),
        ];
        assert_eq!(ends, expected);
    }
}
