//! Errors of the upgrade itself: plans, proofs, predictions, gaps.

use super::{Explanation, Family, entry};

const OF: Family = Family::Error;

/// By code.
pub const ALL: &[Explanation] = &[
    entry(
        OF,
        "CUT-DEBEZIUM-001",
        [
            "The version of Debezium is no version, or one that is not known here.",
            "The text as it was given.",
            "Known are 2.0 to 3.7.",
            "Give major.minor.patch, such as 2.4.0.",
        ],
    ),
    entry(
        OF,
        "CUT-FACTS-001",
        [
            "The facts of a prediction are no facts.",
            "The key or line in the message; docs/schema/facts-1.schema.json.",
            "A typing error, or a field of another format version.",
            "`cutover predict --print-facts` writes a file to begin with.",
        ],
    ),
    entry(
        OF,
        "CUT-GAP-001",
        [
            "The gap is left as it is: closing it could do harm.",
            "The reasons in the report of `cutover gap close`.",
            "The stream has written to a key since, topics are not whole, or the connector runs.",
            "Stop the connector and record again, or --leave-newer.",
        ],
    ),
    entry(
        OF,
        "CUT-GAP-002",
        [
            "What stream and database have apart is not known.",
            "The evidence that is missing, in the message.",
            "The run broke off before its ledgers were complete, or tables were not read.",
            "Run it to its end.",
        ],
    ),
    entry(
        OF,
        "CUT-GAP-003",
        [
            "No working folder could be made.",
            "The path, its rights and free room.",
            "A full or read-only file system.",
            "Make room or change TMPDIR.",
        ],
    ),
    entry(
        OF,
        "CUT-HANDS-001",
        [
            "A program that a step needs failed (pg_upgrade, pg_dump, pgBackRest, …).",
            "Its last lines in the message, and its log in the run folder.",
            "What the program says.",
            "Mend that; steps before it were taken back up to the last point of no return.",
        ],
    ),
    entry(
        OF,
        "CUT-JOURNAL-001",
        [
            "The journal could not be written, so nothing more is done.",
            "The path, its rights and free room.",
            "A full or read-only file system.",
            "Make room and resume: the journal says where.",
        ],
    ),
    entry(
        OF,
        "CUT-OPTION-001",
        [
            "No version of Debezium knows this value of an option.",
            "The option and the nearest value.",
            "A typing error.",
            "Correct it; `cutover lint` shows the others.",
        ],
    ),
    entry(
        OF,
        "CUT-SETUP-001",
        [
            "`cutover setup --apply` made a part of what a stream needs, and could not make the rest.",
            "What was made, and why it went no further.",
            "Transactions that do not end keep a slot from being made; a privilege or room for a slot is missing.",
            "Do what the message says and run the same command again: what is there is left alone.",
        ],
    ),
    entry(
        OF,
        "CUT-PENDING-001",
        [
            "Transactions that could still commit a change did not end in time; the switch was not made.",
            "The list: process or prepared transaction, age, user, what ends it.",
            "A long job, a session that is idle in transaction, or a prepared transaction that was forgotten.",
            "End them, or raise writers_deadline_seconds; writers are allowed again.",
        ],
    ),
    entry(
        OF,
        "CUT-PREDICT-001",
        [
            "The outcome depends on code that facts cannot hold.",
            "snapshot.mode: custom or configuration_based.",
            "A class or options of your own decide.",
            "Use a mode that is predictable for the start after an upgrade. Exit code 5.",
        ],
    ),
    entry(
        OF,
        "CUT-PREFLIGHT-001",
        [
            "The preflight refuses; nothing was changed.",
            "Every finding with its own code, PRE-….",
            "What each finding says.",
            "Mend them all, then run again; `cutover explain PRE-…` for each.",
        ],
    ),
    entry(
        OF,
        "CUT-PROOF-001",
        [
            "A step was carried out, and what must be seen afterwards is not so.",
            "What was expected and what was seen, in the message; journal.jsonl.",
            "Something else changed the system meanwhile, or an assumption does not hold here.",
            "Do not go on by hand before the difference is understood.",
        ],
    ),
    entry(
        OF,
        "CUT-REFUSED-001",
        [
            "The plan refuses to go on, because going on could lose or repeat events.",
            "The reason in the message.",
            "A version, a setting or a state that this runbook is not made for.",
            "Follow the remedy, or choose another runbook. Exit code 3.",
        ],
    ),
    entry(
        OF,
        "CUT-WAIT-001",
        [
            "A proof was not seen within its time.",
            "The last state seen, in the message.",
            "A connector that lags or failed, a slot that nobody reads, writers that did not stop.",
            "Look at that state; steps were taken back, so trying again is safe.",
        ],
    ),
];
