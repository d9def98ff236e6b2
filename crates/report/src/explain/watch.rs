//! What `cutover watch` finds.

use super::{Explanation, Family, entry};

const OF: Family = Family::Diagnosis;

/// By code.
pub const ALL: &[Explanation] = &[
    entry(
        OF,
        "CUT-WATCH-001",
        [
            "The connector is paused or stopped.",
            "Connector and tasks in the report; the log that is kept for its slot.",
            "Somebody paused or stopped it, and the server keeps log until it goes on.",
            "`cutover connector resume`, unless an upgrade is under way.",
        ],
    ),
    entry(
        OF,
        "CUT-WATCH-010",
        [
            "A marker that was written into the log is overdue in Kafka: the stream does not deliver, \
                whatever its states say.",
            "Age of the marker, state of connector and tasks, whether the slot is in use; then \
                `cutover doctor` and the worker's log.",
            "A task that hangs, a broker that does not take records, an offset of another log, or a \
                connector that is stopped.",
            "Find out which with `cutover doctor` and `cutover connector offsets show`; leave slot \
                and offset as they are until then.",
        ],
    ),
    entry(
        OF,
        "CUT-WATCH-011",
        [
            "Markers were passed over: a later one came out and these did not.",
            "How many, and the events of the watch around that time.",
            "The slot was made again or moved, or the offset was set ahead: what stands between the \
                markers in the log is missing too.",
            "Find out what is missing (`cutover gap` of a recorded run), or read the tables again.",
        ],
    ),
    entry(
        OF,
        "CUT-WATCH-012",
        [
            "A marker could not be written, so liveness is not proven any more.",
            "The reason in the evidence.",
            "The server is a standby, refuses writes or does not answer, or the role may not execute \
                pg_logical_emit_message.",
            "Name the primary and a role that may write; during an upgrade this passes.",
        ],
    ),
    entry(
        OF,
        "CUT-WATCH-020",
        [
            "The connector's slot is lost: the server removed log that was not read.",
            "wal_status and the reason that the server gives.",
            "The connector did not read while more was written than max_slot_wal_keep_size allows, or \
                an idle timeout.",
            "`cutover doctor` names the statements; what was committed since is missing (`cutover \
                gap`, or a new snapshot).",
        ],
    ),
    entry(
        OF,
        "CUT-WATCH-021",
        [
            "The connector's slot is not there.",
            "The list of slots in the report, and whether the server is the right one.",
            "It was dropped, or the server was upgraded or restored without it.",
            "`cutover doctor` says how to make it again and what may be missing.",
        ],
    ),
    entry(
        OF,
        "CUT-WATCH-022",
        [
            "Connector and tasks show RUNNING, and nobody reads the slot.",
            "Whether it is so at several looks; the worker's log.",
            "The task is between two tries, or its connection died and it did not notice.",
            "Look again; if it stays, `cutover connector restart --all`.",
        ],
    ),
    entry(
        OF,
        "CUT-WATCH-023",
        [
            "The server is about to run out of log for the slot.",
            "wal_status, and the bytes that are left where max_slot_wal_keep_size is set.",
            "The connector reads too slowly or not at all.",
            "Make the connector read, or raise max_slot_wal_keep_size.",
        ],
    ),
    entry(
        OF,
        "CUT-WATCH-030",
        [
            "The stored offset lies beyond the end of the server's log.",
            "Offset and end of the log; whether the server was upgraded, restored or exchanged.",
            "The offset counts the log of another server: nothing is sent until this log has got \
                there, and that is lost.",
            "`cutover connector stop`, then `cutover connector offsets set --to-slot`.",
        ],
    ),
    entry(
        OF,
        "CUT-WATCH-040",
        [
            "Log has not been confirmed for longer than the limit.",
            "The curve of the lag; `cutover connector status`.",
            "The connector is slow or stands still; on an idle database also log that no table of the stream wrote.",
            "See whether markers come back; if they do, it is delay and not a stop. `--max-lag` sets the limit.",
        ],
    ),
    entry(
        OF,
        "CUT-WATCH-041",
        [
            "The server keeps more log for the connector's slot than the limit.",
            "Bytes kept, and the room on the server's disk.",
            "The connector does not confirm: it stands still, or the stream is idle while others write.",
            "Make it read, or give the stream a heartbeat; `--max-kept` sets the limit.",
        ],
    ),
];
