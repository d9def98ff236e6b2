//! Executes a plan: for each step intent → apply → proof, journaled and told to whoever listens.
//!
//! A step that fails stops the plan. Steps done so far are then taken back in reverse order, up to the last
//! point of no return, so that writers are never left refused and the connector never left stopped because of
//! a failure of ours. Taking back is tried for every step even if one of them fails.

use std::time::Instant;

use cutover_model::EventSink;
use cutover_model::event::EventKind;
use cutover_model::plan::RunbookClass;

use crate::cutover::Cutover;
use crate::error::UpgradeError;
use crate::hands::Hands;
use crate::journal::{Entry, Journal};
use crate::plan::Plan;
use crate::saved::Saved;
use crate::standing::{self, Stopped};
use crate::steps::Step;

/// Drives plans.
#[derive(Debug)]
pub struct Engine {
    journal: Journal,
    events: EventSink,
}

impl Engine {
    /// An engine that writes to a journal and tells events.
    pub fn new(journal: Journal, events: EventSink) -> Engine {
        Engine { journal, events }
    }

    /// Runs every step in order. On failure the error of the step that failed is returned, after undo.
    pub async fn run<H: Hands>(
        &mut self,
        plan: &Plan,
        cutover: &mut Cutover,
        hands: &mut H,
    ) -> Result<(), UpgradeError> {
        cutover.seen.proven = plan.class == RunbookClass::Proven;
        self.go_on(plan, (1, false), (cutover, hands)).await
    }

    /// Goes on with a plan whose driver is gone, from where its journal ends: a step whose result is not in the
    /// journal is done once more (every step may be), one whose result is there but not its proof is proven.
    ///
    /// # Errors
    /// As [`Engine::run`]; refused if the plan has failed or was taken back.
    pub async fn resume<H: Hands>(
        &mut self,
        plan: &Plan,
        cutover: &mut Cutover,
        hands: &mut H,
    ) -> Result<(), UpgradeError> {
        cutover.seen.proven = plan.class == RunbookClass::Proven;
        let Some(standing) = self.journal.standing()? else {
            return self.run(plan, cutover, hands).await;
        };
        let number = standing.number;
        let place = usize::try_from(number).unwrap_or(usize::MAX);
        let proves = |step: &Step| plan.class == RunbookClass::Proven && step.proof().is_some();
        let step = plan.steps.get(place.saturating_sub(1));
        let from = match standing.entry {
            Entry::Intent => (number, false),
            Entry::Applied | Entry::AlreadyDone if step.is_some_and(proves) => (number, true),
            Entry::Applied | Entry::AlreadyDone | Entry::Proved => (number + 1, false),
            Entry::Failed | Entry::Undone | Entry::UndoFailed => {
                return Err(UpgradeError::Refused(format!(
                    "the plan failed at step {number} and was taken back: begin it anew"
                )));
            }
        };
        if let Some(state) = standing.state {
            state.restore(cutover, hands, false).await?;
        }
        self.go_on(plan, from, (cutover, hands)).await
    }

    /// Takes back a plan whose driver is gone, by what its journal says: everything up to the step that was under way,
    /// in reverse. A plan that failed and was taken back in part is taken back further, and one that was taken back
    /// wholly stays as it is. Tells what is true then.
    ///
    /// # Errors
    /// Refused if a point of no return was passed or may have been: from there only [`Engine::resume`] leads on, and a
    /// runbook of its own leads back.
    pub async fn abort<H: Hands>(
        &mut self,
        plan: &Plan,
        cutover: &mut Cutover,
        hands: &mut H,
    ) -> Result<Stopped, UpgradeError> {
        cutover.seen.proven = plan.class == RunbookClass::Proven;
        let Some(standing) = self.journal.standing()? else {
            return Ok(Stopped::default());
        };
        let last = standing.failed.unwrap_or(standing.number);
        let numbered = plan.steps.iter().zip(1..);
        let numbered = numbered.map(|(step, number)| (number, step));
        let done: Vec<(u32, &Step)> = numbered.take_while(|(number, _)| *number <= last).collect();
        let Some((number, step)) = done.last().copied() else {
            return Ok(Stopped::default());
        };
        let returns = |(_, step): &&(u32, &Step)| step.point_of_no_return();
        if let (None, Some((number, step))) = (standing.failed, done.iter().find(returns)) {
            return Err(UpgradeError::Refused(format!(
                "step {number} ({}) cannot be taken back and may have been done: resume the plan",
                step.name()
            )));
        }
        let back = done
            .iter()
            .rev()
            .take_while(|one| standing.failed == Some(one.0) || !one.1.point_of_no_return());
        let mut left = back.filter(|(number, step)| {
            step.undo_title().is_some() && !standing.undone.contains(number)
        });
        if standing.failed.is_some() && left.next().is_none() {
            return Ok(Stopped {
                step: step.name().into(),
                ..Stopped::default()
            });
        }
        if let Some(state) = standing.state {
            state.restore(cutover, hands, true).await?;
        }
        if standing.failed.is_none() {
            self.note(number, step, Entry::Failed, "its driver is gone");
        }
        let left = (&done[..], &standing.undone[..]);
        Ok(self.stop(left, plan.class, (cutover, hands)).await)
    }

    /// Takes back what was done, and tells what is true then.
    async fn stop<H: Hands>(
        &mut self,
        done: (&[(u32, &Step)], &[u32]),
        class: RunbookClass,
        (cutover, hands): (&mut Cutover, &mut H),
    ) -> Stopped {
        let stopped = self.take_back(done, cutover, hands).await;
        if class == RunbookClass::Proven {
            for line in standing::lines(cutover, &stopped).await {
                self.events.note(line);
            }
        }
        stopped
    }

    /// From step `from` on; with `applied`, that step only lacks its proof.
    async fn go_on<H: Hands>(
        &mut self,
        plan: &Plan,
        (from, applied): (u32, bool),
        (cutover, hands): (&mut Cutover, &mut H),
    ) -> Result<(), UpgradeError> {
        let mut done: Vec<(u32, &Step)> = Vec::new();
        for (step, number) in plan.steps.iter().zip(1..) {
            if number < from {
                done.push((number, step));
                continue;
            }
            let known = (plan.class, applied && number == from);
            if let Err(error) = self.step((number, step), known, (cutover, hands)).await {
                let reason = error.to_string();
                self.note(number, step, Entry::Failed, &reason);
                let name = step.name().to_owned();
                self.events.emit(EventKind::StepFailed {
                    number,
                    step: name,
                    reason,
                });
                // The step that failed may have been applied in part; its own undo comes first.
                done.push((number, step));
                let driven = (&mut *cutover, &mut *hands);
                self.stop((&done, &[]), plan.class, driven).await;
                return Err(error);
            }
            done.push((number, step));
        }
        Ok(())
    }

    async fn step<H: Hands>(
        &mut self,
        (number, step): (u32, &Step),
        (class, applied): (RunbookClass, bool),
        (cutover, hands): (&mut Cutover, &mut H),
    ) -> Result<(), UpgradeError> {
        let name = step.name();
        let started = Instant::now();
        self.events.emit(EventKind::StepStarted {
            number,
            step: name.into(),
            title: step.title(),
        });
        let what = if applied {
            "applied before the driver was replaced".to_owned()
        } else {
            let done = self.apply((number, step), (cutover, hands)).await?;
            hands.applied(name).await?;
            done
        };
        // A baseline is rehearsed as people run it: it looks at nothing. A step without a proof of its own says
        // so too; what it did shows in a later one.
        if class == RunbookClass::Baseline || step.proof().is_none() {
            let seconds = started.elapsed().as_secs_f64();
            let step = name.into();
            self.events.emit(EventKind::StepDone {
                number,
                step,
                what,
                seconds,
            });
            return Ok(());
        }
        let proof = step.prove(cutover, hands).await?;
        let state = Some(Saved::of(cutover));
        self.journal
            .write_with(number, name, (Entry::Proved, &proof), state)?;
        let seconds = started.elapsed().as_secs_f64();
        self.events.emit(EventKind::StepProved {
            number,
            step: name.into(),
            proof,
            seconds,
        });
        Ok(())
    }

    /// Intent, act, result: each on disk before the next.
    async fn apply<H: Hands>(
        &mut self,
        (number, step): (u32, &Step),
        (cutover, hands): (&mut Cutover, &mut H),
    ) -> Result<String, UpgradeError> {
        let name = step.name();
        let (entry, what) = match step.already_done(cutover).await? {
            Some(found) => (Entry::AlreadyDone, found),
            None => {
                self.journal
                    .write(number, name, Entry::Intent, &step.title())?;
                (Entry::Applied, step.apply(cutover, hands).await?)
            }
        };
        let state = Some(Saved::of(cutover));
        self.journal
            .write_with(number, name, (entry, &what), state)?;
        Ok(what)
    }

    /// Undoes steps in reverse order, up to the last point of no return that was applied. The last one is the step that
    /// failed; those in `undone` are taken back already.
    async fn take_back<H: Hands>(
        &mut self,
        (done, undone): (&[(u32, &Step)], &[u32]),
        cutover: &mut Cutover,
        hands: &mut H,
    ) -> Stopped {
        let mut stopped = Stopped::default();
        let failed = done.last().map(|(number, _)| *number);
        for (number, step) in done.iter().rev() {
            if Some(*number) == failed {
                stopped.step = step.name().into();
            } else if step.point_of_no_return() {
                stopped.past_return = true;
                break;
            }
            if undone.contains(number) {
                continue;
            }
            if !self.undo_one(*number, step, (cutover, hands)).await {
                stopped.not_undone.push(step.name().into());
            }
        }
        stopped
    }

    /// Whether it is taken back, or needs no taking back.
    async fn undo_one<H: Hands>(
        &mut self,
        number: u32,
        step: &Step,
        (cutover, hands): (&mut Cutover, &mut H),
    ) -> bool {
        if step.undo_title().is_none() {
            return true;
        }
        match step.undo(cutover, hands).await {
            Ok(state) => {
                // Whoever goes on taking back must know what there still is.
                let line = (Entry::Undone, state.as_str());
                let known = Some(Saved::of(cutover));
                let told = self.journal.write_with(number, step.name(), line, known);
                self.told(told);
                true
            }
            Err(error) => {
                let reason = error.to_string();
                self.events
                    .warning(format!("undo of {}: {reason}", step.name()));
                self.note(number, step, Entry::UndoFailed, &reason);
                false
            }
        }
    }

    /// A journal that can no longer be written must not keep anything from being taken back: told, not returned.
    fn note(&mut self, number: u32, step: &Step, entry: Entry, detail: &str) {
        let told = self.journal.write(number, step.name(), entry, detail);
        self.told(told);
    }

    fn told(&self, written: Result<(), UpgradeError>) {
        if let Err(error) = written {
            self.events.warning(error.to_string());
        }
    }
}

#[cfg(test)]
mod tests;
