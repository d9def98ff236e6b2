//! A driver that is killed at every step, and others that go on in its place, or take back what it had done.
//!
//! What a kill leaves is the world and the journal: so the driver is dropped at some instant, everything that it knew
//! is thrown away, and a new one reads the journal and goes on. What acts on the infrastructure is not the driver: an
//! action that was asked for is done, but the driver that asked may never hear of it.
//!
//! The rule it protects (I16): broken off at any instant of any step, the same end and the same verdict.

use std::time::Duration;

use cutover_clients::wait::pause;
use cutover_upgrade::cutover::Seen;
use cutover_upgrade::engine::Engine;
use cutover_upgrade::journal::{Entry, Journal};
use cutover_upgrade::standing::Stopped;
use cutover_upgrade::{Cutover, Plan, Side, Stream, UpgradeError};
use rand::{RngExt, SeedableRng};
use tokio::sync::watch;

use crate::breakable::Breakable;
use crate::error::RehearseError;
use crate::event_log::EventLog;
use crate::lab_hands::LabHands;

/// Longest time into a step at which its driver is dropped.
const INTO_STEP_MAX_MS: u64 = 250;

/// One instant at which a driver is dropped.
struct Instant {
    number: u32,
    entry: Entry,
    after: Duration,
}

/// Three per step: when its intent is written, some time into it, and when its result is written but not its proof.
fn instants(plan: &Plan, seed: u64) -> Vec<Instant> {
    let mut dice = rand::rngs::StdRng::seed_from_u64(seed);
    let mut all = Vec::new();
    for (_, number) in plan.steps.iter().zip(1..) {
        let into = Duration::from_millis(dice.random_range(1..INTO_STEP_MAX_MS));
        for (entry, after) in [
            (Entry::Intent, Duration::ZERO),
            (Entry::Intent, into),
            (Entry::Applied, Duration::ZERO),
        ] {
            all.push(Instant {
                number,
                entry,
                after,
            });
        }
    }
    all
}

/// Whether the journal has come to an instant, or past it.
fn reached(newest: Option<(u32, Entry)>, instant: &Instant) -> bool {
    let Some((number, entry)) = newest else {
        return false;
    };
    let later = entry != Entry::Intent;
    number > instant.number || (number == instant.number && (entry == instant.entry || later))
}

/// A driver that has just come and knows nothing.
fn forget(cutover: &mut Cutover, stream: &Stream) {
    cutover.stream = stream.clone();
    (cutover.new, cutover.side) = (None, None);
    (cutover.primary, cutover.reader) = (Side::Old, Side::Old);
    cutover.seen = Seen::default();
}

/// One driver, from where the journal ends, until the instant at which it is dropped. `None` if it was.
async fn drive_until(
    plan: &Plan,
    instant: Option<&Instant>,
    (cutover, hands): (&mut Cutover, &mut LabHands),
    log: &EventLog,
    anew: bool,
) -> Result<Option<()>, RehearseError> {
    let journal = Journal::open(&hands.run.journal())?;
    let newest = journal.follow();
    let mut engine = Engine::new(journal, log.sink());
    let busy = watch::channel(false).0;
    let watched = busy.subscribe();
    let mut breakable = Breakable { hands, busy };
    let driven = async {
        if anew {
            engine.run(plan, cutover, &mut breakable).await
        } else {
            engine.resume(plan, cutover, &mut breakable).await
        }
    };
    let ended = tokio::select! {
        biased;
        () = killed(instant, newest, watched) => None,
        ended = driven => Some(ended),
    };
    Ok(ended.transpose()?)
}

/// Drives a plan with one driver after the other. Returns how many were dropped.
pub async fn drive(
    plan: &Plan,
    (cutover, hands): (&mut Cutover, &mut LabHands),
    log: &EventLog,
    seed: u64,
) -> Result<u32, RehearseError> {
    let stream = cutover.stream.clone();
    let mut dropped = 0;
    let mut instants = instants(plan, seed).into_iter();
    loop {
        let instant = instants.next();
        forget(cutover, &stream);
        let driven = (&mut *cutover, &mut *hands);
        match drive_until(plan, instant.as_ref(), driven, log, false).await? {
            Some(()) => return Ok(dropped),
            None => dropped += 1,
        }
    }
}

/// Drops a driver in each step before the point of no return, lets another take the plan back, and begins it anew; at
/// last drives it to its end. Returns how many were taken back.
pub async fn drive_aborting(
    plan: &Plan,
    (cutover, hands): (&mut Cutover, &mut LabHands),
    log: &EventLog,
    seed: u64,
) -> Result<u32, RehearseError> {
    let stream = cutover.stream.clone();
    let last = plan.steps.iter().position(|step| step.point_of_no_return());
    let steps = u32::try_from(last.unwrap_or(plan.steps.len())).unwrap_or(u32::MAX);
    let mut aborted = 0;
    let chosen = |(place, instant): (usize, Instant)| {
        // Another of the three kinds in each step.
        let turn = place % 3 == usize::try_from(instant.number).unwrap_or(0) % 3;
        (turn && instant.number <= steps).then_some(instant)
    };
    let instants = instants(plan, seed).into_iter().enumerate();
    for instant in instants.filter_map(chosen) {
        forget(cutover, &stream);
        let driven = (&mut *cutover, &mut *hands);
        if drive_until(plan, Some(&instant), driven, log, true)
            .await?
            .is_some()
        {
            return Ok(aborted);
        }
        // One that takes back is dropped too, behind the first step that it has taken back.
        let mut ended = Ok(Stopped::default());
        for dropped in [true, false] {
            let driven = (&mut *cutover, &mut *hands);
            ended = take_back(plan, (&stream, dropped), driven, log).await?;
        }
        let stopped = match ended {
            Ok(stopped) => stopped,
            // It had come to the point of no return: from there only going on is left.
            Err(UpgradeError::Refused(reason)) => {
                log.sink().note(format!("not taken back: {reason}"));
                forget(cutover, &stream);
                drive_until(plan, None, (cutover, hands), log, false).await?;
                return Ok(aborted);
            }
            Err(error) => return Err(error.into()),
        };
        if !stopped.not_undone.is_empty() {
            let left = stopped.not_undone.join(", ");
            return Err(RehearseError::Load(format!("not taken back: {left}")));
        }
        aborted += 1;
    }
    forget(cutover, &stream);
    drive_until(plan, None, (cutover, hands), log, true).await?;
    Ok(aborted)
}

/// One driver that takes a plan back by its journal. One that is `dropped` may come to its end before that.
async fn take_back(
    plan: &Plan,
    (stream, dropped): (&Stream, bool),
    (cutover, hands): (&mut Cutover, &mut LabHands),
    log: &EventLog,
) -> Result<Result<Stopped, UpgradeError>, RehearseError> {
    forget(cutover, stream);
    let journal = Journal::open(&hands.run.journal())?;
    let mut newest = journal.follow();
    let mut engine = Engine::new(journal, log.sink());
    let busy = watch::channel(false).0;
    let mut idle = busy.subscribe();
    let mut breakable = Breakable { hands, busy };
    let undone = |newest: &Option<(u32, Entry)>| matches!(newest, Some((_, Entry::Undone)));
    let kill = async {
        let come = dropped && newest.wait_for(undone).await.is_ok();
        if !come || idle.wait_for(|busy| !busy).await.is_err() {
            std::future::pending::<()>().await;
        }
    };
    Ok(tokio::select! {
        biased;
        () = kill => Ok(Stopped::default()),
        ended = engine.abort(plan, cutover, &mut breakable) => ended,
    })
}

/// Comes back at the instant, once nobody acts on the infrastructure.
async fn killed(
    instant: Option<&Instant>,
    mut newest: watch::Receiver<Option<(u32, Entry)>>,
    mut busy: watch::Receiver<bool>,
) {
    let Some(instant) = instant else {
        return std::future::pending().await;
    };
    // What `wait_for` gives holds a lock that whoever writes next would wait for: it must be gone at once.
    let come = newest
        .wait_for(|newest| reached(*newest, instant))
        .await
        .is_ok();
    if !come {
        return std::future::pending().await;
    }
    pause(instant.after).await;
    let idle = busy.wait_for(|busy| !busy).await.is_ok();
    if !idle {
        std::future::pending::<()>().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_step_is_broken_off_three_times() {
        let strategy = cutover_upgrade::strategies::by_name("minor-proven").unwrap();
        let plan = strategy.outline("16.14");
        assert_eq!(instants(&plan, 1).len(), plan.steps.len() * 3);
    }

    #[test]
    fn an_instant_that_was_passed_is_reached() {
        let instant = Instant {
            number: 3,
            entry: Entry::Applied,
            after: Duration::ZERO,
        };
        assert!(!reached(None, &instant));
        assert!(!reached(Some((3, Entry::Intent)), &instant));
        assert!(reached(Some((3, Entry::Applied)), &instant));
        assert!(reached(Some((4, Entry::Intent)), &instant));
    }
}
