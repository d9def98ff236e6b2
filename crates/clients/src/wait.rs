//! The only poll of cutover, and the one place that sleeps.
//!
//! Nothing waits for a time; everything waits for a condition, under a deadline, and when the deadline passes
//! the error says what was being waited for and the last state that was seen.

use std::future::Future;
use std::time::{Duration, Instant};

/// What a probe saw.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Poll<T> {
    /// The condition holds.
    Ready(T),
    /// It does not hold yet; the text is the state seen, shown when the deadline passes.
    NotYet(String),
}

/// Why waiting ended without the condition.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum WaitError<E: std::error::Error + 'static> {
    /// The probe itself failed in a way that waiting does not mend.
    #[error(transparent)]
    Failed(E),
    /// The deadline passed.
    #[error("{what} did not happen within {seconds:.1} s; last seen: {last}")]
    TimedOut {
        /// What was waited for.
        what: String,
        /// How long, in seconds.
        seconds: f64,
        /// The last state seen.
        last: String,
    },
}

/// Calls `probe` at once and then every `every`, until it is ready, fails, or `deadline` has passed.
///
/// A probe that hangs is cut off at the deadline as well, so that a server that stopped answering cannot hold
/// the caller for longer than it asked for.
///
/// # Errors
/// [`WaitError::Failed`] as soon as the probe fails, [`WaitError::TimedOut`] when the deadline has passed.
pub async fn until<T, E, F>(
    what: &str,
    deadline: Duration,
    every: Duration,
    mut probe: F,
) -> Result<T, WaitError<E>>
where
    E: std::error::Error + 'static,
    F: AsyncFnMut() -> Result<Poll<T>, E>,
{
    let begun = Instant::now();
    let mut last = String::from("nothing yet");
    loop {
        let left = deadline.saturating_sub(begun.elapsed());
        // The first probe always gets a chance, even under a deadline of zero.
        match within(left.max(Duration::from_millis(1)), probe()).await {
            Some(Ok(Poll::Ready(value))) => return Ok(value),
            Some(Ok(Poll::NotYet(state))) => last = state,
            Some(Err(error)) => return Err(WaitError::Failed(error)),
            None => last.push_str(" (the last look got no answer)"),
        }
        if begun.elapsed() >= deadline {
            return Err(WaitError::TimedOut {
                what: what.to_owned(),
                seconds: begun.elapsed().as_secs_f64(),
                last,
            });
        }
        pause(every.min(deadline.saturating_sub(begun.elapsed()))).await;
    }
}

/// Runs a future for at most `limit`; `None` if it was not done by then.
pub async fn within<F: Future>(limit: Duration, future: F) -> Option<F::Output> {
    tokio::time::timeout(limit, future).await.ok()
}

/// Lets `every` pass: the step of a poll or of a rate limiter, never a guess at how long something takes.
pub async fn pause(every: Duration) {
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place that sleeps; every wait of cutover goes through this module"
    )]
    tokio::time::sleep(every).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("broken")]
    struct Broken;

    #[tokio::test]
    async fn a_condition_that_comes_true_is_returned() {
        let mut looks = 0;
        let got = until(
            "it",
            Duration::from_secs(5),
            Duration::from_millis(1),
            async || {
                looks += 1;
                Ok::<_, Broken>(if looks == 3 {
                    Poll::Ready(looks)
                } else {
                    Poll::NotYet(format!("look {looks}"))
                })
            },
        )
        .await;
        assert_eq!(got.unwrap(), 3);
    }

    #[tokio::test]
    async fn a_deadline_tells_the_last_state() {
        let error = until(
            "the gate",
            Duration::from_millis(5),
            Duration::from_millis(1),
            async || Ok::<Poll<()>, Broken>(Poll::NotYet("half open".into())),
        )
        .await
        .unwrap_err();
        let text = error.to_string();
        assert!(
            text.contains("the gate") && text.contains("half open"),
            "{text}"
        );
    }

    #[tokio::test]
    async fn a_probe_that_hangs_is_cut_off_at_the_deadline() {
        let begun = Instant::now();
        let error = until(
            "an answer",
            Duration::from_millis(30),
            Duration::from_millis(5),
            async || std::future::pending::<Result<Poll<()>, Broken>>().await,
        )
        .await
        .unwrap_err();
        assert!(matches!(error, WaitError::TimedOut { .. }));
        assert!(begun.elapsed() < Duration::from_secs(5));
    }

    #[tokio::test]
    async fn a_failing_probe_ends_the_wait_at_once() {
        let error = until(
            "it",
            Duration::from_secs(60),
            Duration::from_secs(60),
            async || Err::<Poll<()>, Broken>(Broken),
        )
        .await
        .unwrap_err();
        assert!(matches!(error, WaitError::Failed(Broken)));
    }
}
