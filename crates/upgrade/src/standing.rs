//! What is true after a plan has stopped, and how to go on or back: looked at once everything was taken back, told to
//! whoever has to decide. A message that only says which proof failed leaves people with the question whether their
//! application can write and whether the stream still holds everything.

use std::time::Duration;

use cutover_clients::pg::connect_admin;
use cutover_clients::pg::freeze::writes_frozen;
use cutover_clients::pg::slots::{Slot, slot};
use cutover_clients::wait::within;
use cutover_model::Lsn;

use crate::cutover::Cutover;
use crate::hands::Side;

/// How long one look may take: the server may be what failed.
const LOOK: Duration = Duration::from_secs(5);

/// How a plan ended that did not come to its end.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stopped {
    /// The step that failed.
    pub step: String,
    /// A step after which nothing is taken back by itself was done.
    pub past_return: bool,
    /// Steps that could not be taken back.
    pub not_undone: Vec<String>,
}

/// What was seen. `None` where nobody answered.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Seen {
    on_new: bool,
    frozen: Option<bool>,
    connector: Option<String>,
    slot: Option<Option<Slot>>,
    drained: Option<Lsn>,
}

/// Looks, and says it in lines.
pub async fn lines(cutover: &Cutover, stopped: &Stopped) -> Vec<String> {
    let mut seen = Seen {
        on_new: cutover.primary == Side::New,
        drained: cutover.seen.drained,
        ..Seen::default()
    };
    let primary = cutover.primary().clone();
    let frozen = async {
        let client = connect_admin(&primary).await.ok()?;
        writes_frozen(&client, &primary.database).await.ok()
    };
    seen.frozen = within(LOOK, frozen).await.flatten();
    let status = cutover.connect.status(&cutover.stream.connector);
    let status = within(LOOK, status).await.and_then(Result::ok);
    seen.connector = status.map(|status| {
        status.map_or_else(
            || "not there".into(),
            |status| match status.failure() {
                Some(_) => format!("{}, its task FAILED", status.connector_state),
                None => status.connector_state,
            },
        )
    });
    let held = async {
        let client = connect_admin(cutover.reader()).await.ok()?;
        slot(&client, &cutover.stream.slot).await.ok()
    };
    seen.slot = within(LOOK, held).await.flatten();
    told(&seen, stopped)
}

fn told(seen: &Seen, stopped: &Stopped) -> Vec<String> {
    let server = if seen.on_new { "new" } else { "old" };
    let writes = match seen.frozen {
        Some(false) => format!("the {server} server takes writes"),
        Some(true) => format!("the {server} server refuses writes"),
        None => format!("the {server} server does not answer"),
    };
    let connector = seen
        .connector
        .as_deref()
        .unwrap_or("not known: Connect does not answer");
    let lost = matches!(&seen.slot, Some(held) if held.as_ref().is_none_or(Slot::is_lost));
    let held = match &seen.slot {
        None => "its slot cannot be looked at".to_owned(),
        Some(None) => "its slot is gone".to_owned(),
        Some(Some(slot)) => format!(
            "its slot {} is {}, confirmed to {}",
            slot.name,
            slot.wal_status.as_deref().unwrap_or("-"),
            slot.confirmed_flush
                .map_or_else(|| "-".into(), |lsn| lsn.to_string())
        ),
    };
    let mut all = vec![format!(
        "stopped at {}; true now: {writes}; the connector is {connector}; {held}",
        stopped.step
    )];
    if !stopped.not_undone.is_empty() {
        let steps = stopped.not_undone.join(", ");
        all.push(format!(
            "not taken back: {steps} (journal.jsonl says why); take these back by hand"
        ));
    }
    if lost {
        let from = seen.drained.map_or_else(
            || "the connector's stored offset".into(),
            |lsn| lsn.to_string(),
        );
        all.push(format!(
            "no slot holds what was committed after {from}: keep the application stopped, make the slot again and \
             rewrite the offset to it; what was committed meanwhile is a gap (`cutover gap show`)"
        ));
    }
    all.push(if stopped.past_return {
        "on: mend the cause and do the remaining steps; back: the runbook rollback-proven, which names every event \
         that the old server does not have"
            .to_owned()
    } else {
        "back: nothing was switched, everything runs as before once the lines above are true; on: mend the cause \
         and run the plan again from its beginning"
            .to_owned()
    });
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(wal_status: &str) -> Seen {
        Seen {
            on_new: false,
            frozen: Some(false),
            connector: Some("RUNNING".into()),
            slot: Some(Some(Slot {
                name: "s".into(),
                plugin: "pgoutput".into(),
                active: true,
                active_pid: None,
                restart_lsn: None,
                confirmed_flush: Some(Lsn(0x20)),
                wal_status: Some(wal_status.into()),
                failover: false,
            })),
            drained: Some(Lsn(0x10)),
        }
    }

    fn stopped() -> Stopped {
        Stopped {
            step: "verify-slot".into(),
            ..Stopped::default()
        }
    }

    #[test]
    fn what_is_true_and_the_way_on_and_back_are_always_said() {
        let text = told(&seen("reserved"), &stopped()).join("\n");
        assert!(text.contains("stopped at verify-slot"), "{text}");
        assert!(text.contains("the old server takes writes"), "{text}");
        assert!(text.contains("nothing was switched"), "{text}");
        let past = Stopped {
            past_return: true,
            ..stopped()
        };
        let text = told(&Seen::default(), &past).join("\n");
        assert!(
            text.contains("does not answer") && text.contains("rollback-proven"),
            "{text}"
        );
    }

    #[test]
    fn a_slot_that_is_lost_is_said_with_the_position_from_which_nothing_is_held() {
        let text = told(&seen("lost"), &stopped()).join("\n");
        assert!(
            text.contains("no slot holds what was committed after 0/10"),
            "{text}"
        );
    }

    #[test]
    fn what_could_not_be_taken_back_is_named() {
        let left = Stopped {
            not_undone: vec!["stop-server".into()],
            ..stopped()
        };
        let text = told(&seen("reserved"), &left).join("\n");
        assert!(text.contains("not taken back: stop-server"), "{text}");
    }
}
