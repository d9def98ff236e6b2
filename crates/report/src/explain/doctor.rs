//! What `cutover doctor` finds.

use super::{Explanation, Family, entry};

const OF: Family = Family::Diagnosis;

/// By code.
pub const ALL: &[Explanation] = &[
    entry(
        OF,
        "CUT-DOC-001",
        [
            "The worker has no Debezium connector for PostgreSQL.",
            "The list of classes: GET /connector-plugins.",
            "The plug-in is in no folder of plugin.path, or the worker was not restarted since.",
            "Unpack the plug-in's archive below plugin.path and restart the worker.",
        ],
    ),
    entry(
        OF,
        "CUT-DOC-002",
        [
            "The worker has several versions of the connector.",
            "The versions in the finding.",
            "An old folder was left beside the new one in plugin.path.",
            "Leave one of them and restart the worker.",
        ],
    ),
    entry(
        OF,
        "CUT-DOC-003",
        [
            "There is no connector of the name that was asked for.",
            "The connectors that there are, in the finding.",
            "A typing error, or it was deleted or never deployed.",
            "`cutover connector deploy FILE`, or name the right one.",
        ],
    ),
    entry(
        OF,
        "CUT-DOC-004",
        [
            "Nothing is known about the version of Debezium that the worker runs.",
            "The version in the finding.",
            "It is older or newer than what was measured, or a preview.",
            "Rehearse with this version; neither lint nor prediction can be relied on.",
        ],
    ),
    entry(
        OF,
        "CUT-DOC-005",
        [
            "The connector itself has FAILED.",
            "Its trace in the finding.",
            "Its configuration was not accepted, or its server could not be reached at the start.",
            "Mend the cause, then `cutover connector restart NAME`.",
        ],
    ),
    entry(
        OF,
        "CUT-DOC-006",
        [
            "A task has FAILED; Connect may show the connector as RUNNING all the same.",
            "The trace of the task in the finding.",
            "Slot, publication or login are not what the connector needs.",
            "Mend the cause, then `cutover connector restart NAME`: nothing starts it by itself.",
        ],
    ),
    entry(
        OF,
        "CUT-DOC-007",
        [
            "The connector is paused, stopped or in between, so nothing is delivered.",
            "Its state in the finding, and how much log its slot holds back.",
            "Somebody stopped it, or a rebalance is under way.",
            "`cutover connector resume NAME`, if it is meant to run.",
        ],
    ),
    entry(
        OF,
        "CUT-DOC-008",
        [
            "Several connectors read one slot.",
            "Their names in the finding.",
            "A connector was copied with its slot.name.",
            "Stop one of them and give it a slot of its own: each delivers what the other does not.",
        ],
    ),
    entry(
        OF,
        "CUT-DOC-009",
        [
            "Options refer to config providers of the worker.",
            "The options in the finding.",
            "Secrets are kept out of the configuration, which is good.",
            "None is needed; name PostgreSQL with --postgres where it is not known otherwise.",
        ],
    ),
    entry(
        OF,
        "CUT-DOC-010",
        [
            "Kafka Connect is reached over the network without encryption.",
            "The address in the finding.",
            "An http address of another machine.",
            "Use a tunnel, or run the command on the worker's machine.",
        ],
    ),
    entry(
        OF,
        "CUT-DOC-020",
        [
            "The server's log holds too little for logical decoding.",
            "SHOW wal_level.",
            "The default of PostgreSQL is replica.",
            "ALTER SYSTEM SET wal_level = 'logical', and restart the server.",
        ],
    ),
    entry(
        OF,
        "CUT-DOC-021",
        [
            "The version of PostgreSQL is outside of what is known here.",
            "The version in the finding.",
            "It is older than 13, or newer than this program.",
            "Rehearse with this version first.",
        ],
    ),
    entry(
        OF,
        "CUT-DOC-022",
        [
            "The server replays another one's log.",
            "SELECT pg_is_in_recovery().",
            "It is a standby.",
            "None, if the connector is meant to read from a standby; else name the primary.",
        ],
    ),
    entry(
        OF,
        "CUT-DOC-023",
        [
            "Every replication slot of the server is taken.",
            "max_replication_slots and pg_replication_slots.",
            "Slots were left behind, or the limit is low.",
            "Drop a slot that nobody reads, or raise the limit and restart the server.",
        ],
    ),
    entry(
        OF,
        "CUT-DOC-024",
        [
            "As many slots are read as there may be WAL senders.",
            "max_wal_senders and pg_stat_replication.",
            "The limit is low.",
            "Raise max_wal_senders and restart the server.",
        ],
    ),
    entry(
        OF,
        "CUT-DOC-026",
        [
            "A database sorts by a collation of another version than it was made with.",
            "The versions in the finding.",
            "The operating system was upgraded below the server.",
            "REINDEX what sorts by it, then ALTER DATABASE … REFRESH COLLATION VERSION.",
        ],
    ),
    entry(
        OF,
        "CUT-DOC-030",
        [
            "The connector's slot is not there.",
            "pg_replication_slots, and the connector's slot.name.",
            "A restore, an upgrade below 17, or somebody dropped it.",
            "Make it while nobody writes, then `cutover connector offsets set --to-slot`; find out what is missing.",
        ],
    ),
    entry(
        OF,
        "CUT-DOC-031",
        [
            "The connector's slot is lost: the server has removed log that was not read.",
            "wal_status and the reason in the finding.",
            "max_slot_wal_keep_size or idle_replication_slot_timeout was reached.",
            "Make it anew, set the offset to it, and close the gap or take a new snapshot.",
        ],
    ),
    entry(
        OF,
        "CUT-DOC-032",
        [
            "The connector's slot is about to be lost.",
            "wal_status and the bytes that are left, in the finding.",
            "The connector is slow or stands, and max_slot_wal_keep_size bounds what is kept.",
            "Let it catch up, and lift the bound until then.",
        ],
    ),
    entry(
        OF,
        "CUT-DOC-033",
        [
            "The slot of that name is of another kind, plug-in or database.",
            "Its row in pg_replication_slots.",
            "Two tools use one name, or the configuration was copied.",
            "Give the connector another slot.name.",
        ],
    ),
    entry(
        OF,
        "CUT-DOC-034",
        [
            "Connector and tasks show RUNNING, and nobody reads the slot.",
            "active in pg_replication_slots; look twice.",
            "The task reconnects, or hangs.",
            "If it stays: `cutover connector restart --all NAME`.",
        ],
    ),
    entry(
        OF,
        "CUT-DOC-035",
        [
            "Somebody reads the connector's slot while the connector does not run.",
            "The process in the finding, in pg_stat_replication.",
            "A second connector, a zombie worker, or a person with pg_recvlogical.",
            "Find the reader and end it.",
        ],
    ),
    entry(
        OF,
        "CUT-DOC-036",
        [
            "A slot that nobody reads holds log back.",
            "The bytes in the finding.",
            "A connector or a standby was removed and its slot was not.",
            "Drop it, if nobody will read it again.",
        ],
    ),
    entry(
        OF,
        "CUT-DOC-037",
        [
            "Nothing bounds the log that slots hold back.",
            "max_slot_wal_keep_size is -1.",
            "It is the default.",
            "Watch the log that slots hold back; a bound protects the disk and loses the slot.",
        ],
    ),
    entry(
        OF,
        "CUT-DOC-040",
        [
            "The publication is not there, or lacks tables or kinds of changes.",
            "pg_publication_tables for the connector's publication.name.",
            "A table was added to the connector and not to the publication.",
            "The statement in the finding; what was changed before is not sent afterwards.",
        ],
    ),
    entry(
        OF,
        "CUT-DOC-041",
        [
            "A table that the connector captures is not there.",
            "table.include.list and the database.",
            "A typing error, another database, or the table was dropped.",
            "Make the table, or take it out of the list.",
        ],
    ),
    entry(
        OF,
        "CUT-DOC-050",
        [
            "The connector's role lacks a right.",
            "The right in the finding.",
            "The role was made by hand, or not carried over to a new server.",
            "The statement in the finding.",
        ],
    ),
    entry(
        OF,
        "CUT-DOC-060",
        [
            "The connector's next start does not resume exactly.",
            "The reasons in the finding: offset, slot and server side by side.",
            "An upgrade, a restore, or a slot that was made anew.",
            "The remedy in the finding, before the next start.",
        ],
    ),
    entry(
        OF,
        "CUT-DOC-070",
        [
            "A topic of the stream is compacted.",
            "cleanup.policy of the topic.",
            "The cluster's default, or a setting of the connector.",
            "Keep everything for the time of an upgrade: compaction removes the evidence.",
        ],
    ),
];
