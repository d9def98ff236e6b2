//! Remedies as statements and calls, with the names of slot and connector where the options give them.
//!
//! The rule it protects: names from a configuration enter SQL through the quoting of `model::table` only, and every
//! statement can be read before anybody runs it; nothing here is executed.

use cutover_model::Lsn;
use cutover_model::table::quote_literal;

use super::Case;

impl Case<'_> {
    fn option(&self, name: &str) -> Option<&str> {
        let value = self.facts.options.get(name).map(|value| value.trim());
        value.filter(|value| !value.is_empty())
    }

    fn connector(&self) -> &str {
        self.option("name").unwrap_or("CONNECTOR")
    }

    fn slot_name(&self) -> String {
        quote_literal(self.option("slot.name").unwrap_or("debezium"))
    }

    /// Stops the connector.
    pub(super) fn stop(&self) -> String {
        format!(
            "stop the connector and wait for STOPPED: PUT /connectors/{}/stop",
            self.connector()
        )
    }

    /// Starts it.
    pub(super) fn resume(&self) -> String {
        format!("PUT /connectors/{}/resume", self.connector())
    }

    /// The call that rewrites the offset to a position: right before it, so that no change is taken for a delivered one
    /// (see `steps::offset`). Debezium's numbers are decimal.
    pub(super) fn rewrite(&self, to: Lsn) -> String {
        let (before, commit) = (to.just_before().0, to.0);
        let partition =
            serde_json::json!({ "server": self.option("topic.prefix").unwrap_or("TOPIC.PREFIX") });
        format!(
            "rewrite the offset to {to}, with Kafka Connect 3.6 or newer: PATCH /connectors/{}/offsets \
             {{\"offsets\":[{{\"partition\":{partition},\"offset\":{{\"lsn\":{before},\"lsn_proc\":{before},\
             \"lsn_commit\":{commit},\"ts_usec\":MICROSECONDS_NOW}}}}]}}; older workers need the same map as a record \
             in the offsets topic",
            self.connector()
        )
    }

    /// Stop, rewrite to the slot, go on.
    pub(super) fn rewrite_to_slot(&self) -> Vec<String> {
        let begin = self.facts.slot.as_ref().and_then(|slot| slot.begin());
        let rewrite = match begin {
            Some(begin) => self.rewrite(begin),
            None => "rewrite the offset to the slot's confirmed_flush_lsn".to_owned(),
        };
        vec![self.stop(), rewrite, self.resume()]
    }

    /// Keeps what the next stop would throw away, when the connector was started already.
    pub(super) fn copy_slot(&self) -> String {
        let saved = quote_literal(&format!(
            "{}_saved",
            self.option("slot.name").unwrap_or("debezium")
        ));
        let slot = self.slot_name();
        format!(
            "if it was started already, do not stop it yet: \
             SELECT pg_copy_logical_replication_slot({slot}, {saved}); then stop it, \
             SELECT pg_drop_replication_slot({slot}), \
             SELECT pg_copy_logical_replication_slot({saved}, {slot}), \
             SELECT pg_drop_replication_slot({saved}), and rewrite the offset to that position; \
             what was in the slot before the start is gone"
        )
    }

    /// Makes the slot.
    pub(super) fn create_slot(&self) -> String {
        let plugin = quote_literal(self.option("plugin.name").unwrap_or("pgoutput"));
        format!(
            "while nobody writes: SELECT pg_create_logical_replication_slot({}, {plugin})",
            self.slot_name()
        )
    }

    /// Drops the slot.
    pub(super) fn drop_slot(&self) -> String {
        format!("SELECT pg_drop_replication_slot({})", self.slot_name())
    }

    /// Who reads from the slot.
    pub(super) fn find_reader(&self) -> String {
        format!(
            "find the reader, and end it if it should not be there: SELECT active_pid FROM pg_replication_slots WHERE \
             slot_name = {}",
            self.slot_name()
        )
    }

    /// Proves or closes a gap that the slot does not hold.
    pub(super) fn close_gap(&self) -> String {
        "find out what was committed before the slot began (a witness, the archived log, or a \
         comparison with the topics); only a server restored from backup and archive to before \
         that position, or a new snapshot, can deliver it"
            .to_owned()
    }

    /// Forbids snapshots.
    pub(super) fn no_snapshot(&self) -> String {
        let mode = if self.behaviour.snapshot_modes.contains(&"no_data") {
            "no_data"
        } else {
            "never"
        };
        format!(
            "if the slot holds what is missing, set snapshot.mode={mode} and rewrite the offset to the slot instead"
        )
    }
}
