//! What a connector will do (predictions), and what is wrong with its configuration (lints).

use super::{Explanation, Family, entry};

const OUTCOME: Family = Family::Prediction;
const LINT: Family = Family::Lint;

/// Outcomes, then lints by code.
pub const ALL: &[Explanation] = &[
    entry(
        OUTCOME,
        "resumes",
        [
            "The connector goes on where it stopped: nothing is passed over, nothing comes twice.",
            "The stored offset, the slot's confirmed and restart positions, and whose log they count.",
            "Offset, slot and server belong together.",
            "Nothing to do; exit code 0.",
        ],
    ),
    entry(
        OUTCOME,
        "refuses",
        [
            "The connector fails at its start and says so; nothing is delivered until somebody acts.",
            "The message of the failed task, and the slot: missing, lost, or beyond the offset.",
            "The slot is gone or was invalidated, or the version looks whether the offset is still in the log.",
            "Follow the remedy of the prediction: usually make the slot, then write the offset. What the slot holds \
             stays there.",
        ],
    ),
    entry(
        OUTCOME,
        "resnapshots",
        [
            "The connector reads the tables again: the history in between is gone, and deletes of that time never \
             arrive.",
            "snapshot.mode, and whether there is a stored offset.",
            "The offset is missing or is not looked at, and snapshot.mode allows a snapshot.",
            "Set snapshot.mode=no_data (never up to 2.5) and write the offset, if the log still holds what is missing.",
        ],
    ),
    entry(
        OUTCOME,
        "skips",
        [
            "The connector runs and shows RUNNING, and committed events are not delivered.",
            "The stored offset against the slot's consistent point; the number at stake, where it is known.",
            "The slot was made after changes that nobody delivered, or the offset counts another server's log.",
            "Do not start it. Write the offset that the remedy names; without one, events are lost for good.",
        ],
    ),
    entry(
        OUTCOME,
        "repeats",
        [
            "The connector runs and delivers events a second time.",
            "The stored offset against what the topics hold.",
            "The offset is older than what was delivered: it was not stored at the last stop, or was reset.",
            "Drain, stop, and let Connect store the offset; or write it. Consumers that are idempotent by key and \
             LSN are safe.",
        ],
    ),
    entry(
        LINT,
        "CUT-LINT-001",
        [
            "connector.class is not Debezium's PostgreSQL connector, or is missing.",
            "The option connector.class.",
            "A configuration of another connector, or a part of one.",
            "Set connector.class=io.debezium.connector.postgresql.PostgresConnector.",
        ],
    ),
    entry(
        LINT,
        "CUT-LINT-002",
        [
            "topic.prefix is missing, or database.server.name of 1.x is still there.",
            "Both options.",
            "A configuration written for Debezium 1.x.",
            "Rename the option and keep its value: it is part of topic names and of the offset's key.",
        ],
    ),
    entry(
        LINT,
        "CUT-LINT-003",
        [
            "snapshot.mode has a value that this version does not know.",
            "The option and the version.",
            "Names changed: never became no_data in 2.6 and is gone from 3.3 on.",
            "`cutover lint --to VERSION` translates it.",
        ],
    ),
    entry(
        LINT,
        "CUT-LINT-004",
        [
            "snapshot.mode=never still works here and will not in a later version.",
            "The option and the version.",
            "It was renamed to no_data in 2.6.",
            "Write no_data as soon as every worker runs 2.6 or later.",
        ],
    ),
    entry(
        LINT,
        "CUT-LINT-005",
        [
            "snapshot.mode reads everything again when offset or slot are gone, as after a restore.",
            "snapshot.mode, and the scenario restore-wrong-config.",
            "initial, always, when_needed and their like are for a first start.",
            "Use no_data (never up to 2.5) where the stream goes on.",
        ],
    ),
    entry(
        LINT,
        "CUT-LINT-006",
        [
            "ExtractNewRecordState has options that 3.2 removed; they are ignored in silence.",
            "Options drop.tombstones and delete.handling.mode of the transformation.",
            "They became delete.tombstone.handling.mode.",
            "Translate with `cutover lint --to`.",
        ],
    ),
    entry(
        LINT,
        "CUT-LINT-007",
        [
            "ExtractNewRecordState has options that came with 2.5; this version ignores them.",
            "delete.tombstone.handling.mode and the version.",
            "The configuration was written for a later version.",
            "Use drop.tombstones and delete.handling.mode here.",
        ],
    ),
    entry(
        LINT,
        "CUT-LINT-008",
        [
            "An option is newer than the version and is ignored.",
            "The option and the release that brought it.",
            "The configuration was written for a later version.",
            "Remove it, or run the version that knows it.",
        ],
    ),
    entry(
        LINT,
        "CUT-LINT-009",
        [
            "An option has a new name.",
            "The old and the new name.",
            "Debezium renamed it; the old name is ignored sooner or later.",
            "Use the new name, or `cutover lint --to`.",
        ],
    ),
    entry(
        LINT,
        "CUT-LINT-010",
        [
            "At a start the slot is moved to the stored offset.",
            "slot.seek.to.known.offset.on.start and the version: 2.1 to 2.4 always do it.",
            "A slot cannot be moved back: what is before the offset is gone for everybody.",
            "Copy the slot before such a start; see the runbook pg-upgrade-trust-slot.",
        ],
    ),
    entry(
        LINT,
        "CUT-LINT-011",
        [
            "offset.mismatch.strategy has an unknown value, or trusts the slot.",
            "The option (3.4 and newer), the slot and the offset.",
            "trust_slot goes on from the slot whatever the offset says: right for one start after an upgrade, wrong \
             for ever.",
            "Take it away after that start.",
        ],
    ),
    entry(
        LINT,
        "CUT-LINT-012",
        [
            "Positions are not confirmed by the connector alone.",
            "lsn.flush.mode or flush.lsn.source.",
            "The driver or somebody else may confirm log that was not delivered.",
            "Leave the option at its default.",
        ],
    ),
    entry(
        LINT,
        "CUT-LINT-013",
        [
            "The publication may be made or altered by the connector.",
            "publication.autocreate.mode.",
            "After an upgrade a missing publication is made anew, with more or other tables than before.",
            "Make it yourself and set publication.autocreate.mode=disabled.",
        ],
    ),
    entry(
        LINT,
        "CUT-LINT-014",
        [
            "There are no heartbeats: on an idle database neither offset nor slot moves.",
            "heartbeat.interval.ms.",
            "It is off by default.",
            "Set it, or write a logical message before an upgrade, so that the slot can be seen drained.",
        ],
    ),
    entry(
        LINT,
        "CUT-LINT-015",
        [
            "An orderly stop drops the slot: what is committed until the next start is in no slot.",
            "slot.drop.on.stop.",
            "A setting for tests that stayed.",
            "Remove it.",
        ],
    ),
    entry(
        LINT,
        "CUT-LINT-016",
        [
            "The decoding plug-in is not pgoutput.",
            "plugin.name; the default is decoderbufs.",
            "Other plug-ins must be installed on the new server, in a build for its version.",
            "Use pgoutput with a slot made for it: a slot cannot change its plug-in.",
        ],
    ),
    entry(
        LINT,
        "CUT-LINT-017",
        [
            "A table's replica identity leaves out old rows.",
            "relreplident of the table, and its primary key.",
            "The default identity sends the key only; without key the server refuses UPDATE and DELETE.",
            "ALTER TABLE … REPLICA IDENTITY FULL, where old images are wanted.",
        ],
    ),
    entry(
        LINT,
        "CUT-LINT-018",
        [
            "snapshot.mode=initial_only reads once and never streams.",
            "snapshot.mode.",
            "A mode for copies, not for a stream.",
            "Use another mode.",
        ],
    ),
    entry(
        LINT,
        "CUT-LINT-019",
        [
            "Numbers are rounded, so events and rows cannot be compared exactly.",
            "decimal.handling.mode=double.",
            "A double does not hold every NUMERIC: two values can become one, in a key too.",
            "Use string or precise, in agreement with consumers.",
        ],
    ),
    entry(
        LINT,
        "CUT-LINT-020",
        [
            "The check of the stored position at a start is switched off.",
            "The option that the lint names.",
            "Without it a connector goes on although its offset is not in the log any more, and skips in silence.",
            "Leave the check on.",
        ],
    ),
];
