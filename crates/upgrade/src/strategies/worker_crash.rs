//! A crash of Kafka Connect's worker; the server and everything in it stay as they are. What decides is where the
//! stored offset stands: Debezium finds its place again by comparing positions, and several events can share one.
//! Proven means here: before the worker is started again it is looked what the connector will do there, and one that
//! would pass over events is not started; afterwards a marker goes through.

use cutover_model::plan::RunbookClass;

use super::{Strategy, anything, flows};
use crate::steps::Step;

/// Crash and start of the worker, looked after.
pub(super) const PROVEN: Strategy = Strategy {
    name: "worker-crash-proven",
    title: "the worker crashes and is started again, looked after",
    class: RunbookClass::Proven,
    steps: proven,
    accepts: flows,
};

/// Crash and start of the worker, with the offset moved back between them: for versions that lose their place.
pub(super) const REWOUND: Strategy = Strategy {
    name: "worker-crash-rewound",
    title: "the worker crashes, its offset is moved back behind the last COMMIT, then it is started",
    class: RunbookClass::Proven,
    steps: rewound,
    accepts: flows,
};

/// Crash and start of the worker, nobody looks.
pub(super) const RUNNING: Strategy = Strategy {
    name: "worker-crash-running",
    title: "the worker crashes and is started again, nobody looks",
    class: RunbookClass::Baseline,
    steps: running,
    accepts: anything,
};

fn proven(_: &str) -> Vec<Step> {
    vec![
        Step::CaptureState,
        Step::RoundTrip,
        Step::CrashWorker,
        Step::StartWorker,
        Step::RoundTrip,
    ]
}

fn rewound(target: &str) -> Vec<Step> {
    let mut steps = proven(target);
    steps.insert(3, Step::RewindOffset);
    steps
}

fn running(_: &str) -> Vec<Step> {
    vec![
        Step::CaptureState,
        Step::CrashWorker,
        Step::StartWorker,
        Step::LetTimePass,
    ]
}
