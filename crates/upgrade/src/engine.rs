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
        let mut done: Vec<(u32, &Step)> = Vec::new();
        for (step, number) in plan.steps.iter().zip(1..) {
            done.push((number, step));
            if let Err(error) = self.step(number, step, plan.class, (cutover, hands)).await {
                let reason = error.to_string();
                self.journal
                    .write(number, step.name(), Entry::Failed, &reason)?;
                let step = step.name().to_owned();
                self.events.emit(EventKind::StepFailed {
                    number,
                    step,
                    reason,
                });
                self.take_back(&done, cutover, hands).await?;
                return Err(error);
            }
        }
        Ok(())
    }

    async fn step<H: Hands>(
        &mut self,
        number: u32,
        step: &Step,
        class: RunbookClass,
        (cutover, hands): (&mut Cutover, &mut H),
    ) -> Result<(), UpgradeError> {
        let name = step.name();
        let started = Instant::now();
        self.events.emit(EventKind::StepStarted {
            number,
            step: name.into(),
            title: step.title(),
        });
        let applied = if let Some(state) = step.already_done(cutover).await? {
            self.journal
                .write(number, name, Entry::AlreadyDone, &state)?;
            state
        } else {
            self.journal
                .write(number, name, Entry::Intent, &step.title())?;
            let applied = step.apply(cutover, hands).await?;
            self.journal.write(number, name, Entry::Applied, &applied)?;
            applied
        };
        // A baseline is rehearsed as people run it: it looks at nothing.
        if class == RunbookClass::Baseline {
            let seconds = started.elapsed().as_secs_f64();
            let step = name.into();
            self.events.emit(EventKind::StepDone {
                number,
                step,
                what: applied,
                seconds,
            });
            return Ok(());
        }
        let proof = step.prove(cutover, hands).await?;
        self.journal.write(number, name, Entry::Proved, &proof)?;
        let seconds = started.elapsed().as_secs_f64();
        self.events.emit(EventKind::StepProved {
            number,
            step: name.into(),
            proof,
            seconds,
        });
        Ok(())
    }

    async fn take_back<H: Hands>(
        &mut self,
        done: &[(u32, &Step)],
        cutover: &mut Cutover,
        hands: &mut H,
    ) -> Result<(), UpgradeError> {
        for (number, step) in done.iter().rev() {
            if step.undo_title().is_none() {
                continue;
            }
            match step.undo(cutover, hands).await {
                Ok(state) => self
                    .journal
                    .write(*number, step.name(), Entry::Undone, &state)?,
                Err(error) => {
                    let reason = error.to_string();
                    self.events
                        .warning(format!("undo of {}: {reason}", step.name()));
                    self.journal
                        .write(*number, step.name(), Entry::UndoFailed, &reason)?;
                }
            }
            if step.point_of_no_return() {
                break;
            }
        }
        Ok(())
    }
}
