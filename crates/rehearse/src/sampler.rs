//! Counts what is committed and what is published while the load writes, the cutover included: the curves of the
//! report's timeline.
//!
//! It looks from outside only: at the load's own numbers and at the ends of the topics. A look at the database could
//! get in the way of a step that waits until nobody is connected. What could not be read is absent, never carried on.

use std::sync::Arc;
use std::time::Duration;

use cutover_clients::kafka::Kafka;
use cutover_clients::wait::{pause, within};
use cutover_model::EventSink;
use cutover_model::event::EventKind;
use cutover_upgrade::Stream;
use cutover_workload::{LoadWatch, RefusalWindow};
use tokio::task::JoinHandle;

use crate::lab_hands::LabHands;
use crate::recording::change_topic_ends;

/// Between two looks.
const EVERY: Duration = Duration::from_millis(500);

/// How long the broker may take to answer; a look that takes longer has no published number.
const ANSWERS: Duration = Duration::from_secs(2);

/// Windows told, the longest first to be kept.
const WINDOWS_TOLD: usize = 20;

/// Looks until it is dropped.
pub struct Sampler(JoinHandle<()>);

impl Sampler {
    /// Begins to look.
    pub fn start(load: LoadWatch, hands: &LabHands, events: EventSink) -> Sampler {
        let (kafka, stream) = (Arc::clone(&hands.kafka), hands.stream.clone());
        Sampler(tokio::spawn(async move {
            loop {
                let published = published(&kafka, &stream).await;
                events.emit(EventKind::Sample {
                    committed: Some(load.stats().committed_changes),
                    published,
                });
                pause(EVERY).await;
            }
        }))
    }
}

impl Drop for Sampler {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn published(kafka: &Arc<Kafka>, stream: &Stream) -> Option<u64> {
    let ends = within(ANSWERS, change_topic_ends(kafka, stream)).await?;
    let all: i64 = ends.ok()?.values().sum();
    u64::try_from(all).ok()
}

/// Tells the longest refusals of writes, in time order.
pub fn tell_windows(windows: &[RefusalWindow], events: &EventSink) {
    let mut told: Vec<&RefusalWindow> = windows.iter().collect();
    told.sort_by(|one, other| other.seconds.total_cmp(&one.seconds));
    told.truncate(WINDOWS_TOLD);
    told.sort_by_key(|window| window.from_ms);
    let shorter = windows.len() - told.len();
    if shorter > 0 {
        events.note(format!(
            "writes were refused {shorter} times more, each time for less long"
        ));
    }
    for window in told {
        let Ok(from) = jiff::Timestamp::from_millisecond(window.from_ms) else {
            continue;
        };
        events.emit(EventKind::WritesRefused {
            from: format!("{from:.3}"),
            seconds: window.seconds,
            refusals: window.refusals,
            ended: window.ended,
        });
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    #[test]
    fn the_longest_windows_are_told_in_time_order() {
        let window = |from_ms, seconds| RefusalWindow {
            from_ms,
            first_refusal_ms: from_ms,
            seconds,
            refusals: 1,
            ended: true,
        };
        let many: Vec<RefusalWindow> = (0..30).map(|n| window(n * 1000, n as f64)).collect();
        let told = Arc::new(Mutex::new(Vec::new()));
        let copy = Arc::clone(&told);
        let sink = EventSink::new(move |kind| copy.lock().unwrap().push(kind));
        tell_windows(&many, &sink);
        let mut told = told.lock().unwrap();
        let note = told.remove(0);
        assert!(matches!(note, EventKind::Note { .. }), "{note:?}");
        assert_eq!(told.len(), WINDOWS_TOLD);
        let from = |kind: &EventKind| match kind {
            EventKind::WritesRefused { from, .. } => from.clone(),
            other => panic!("{other:?}"),
        };
        assert_eq!(from(&told[0]), "1970-01-01T00:00:10.000Z");
        assert_eq!(from(&told[19]), "1970-01-01T00:00:29.000Z");
    }
}
