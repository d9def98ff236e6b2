//! Errors about the run folder, the load, the recorders and the audit.

use super::{Explanation, Family, entry};

const OF: Family = Family::Error;

/// By code.
pub const ALL: &[Explanation] = &[
    entry(
        OF,
        "AUDIT-ENGINE-001",
        [
            "The query engine failed while it judged.",
            "What it was doing, and the cause after it.",
            "Too little memory or disk for its working files, or a defect.",
            "Make room and run `cutover verify RUN`: the recorded run is not touched.",
        ],
    ),
    entry(
        OF,
        "AUDIT-ROW-001",
        [
            "A check returned a row that is no finding.",
            "The row in the message.",
            "A defect in a check.",
            "Keep the run folder and report it.",
        ],
    ),
    entry(
        OF,
        "AUDIT-WORKSPACE-001",
        [
            "No working folder could be made inside the run folder.",
            "Rights and free room there.",
            "A read-only or full file system.",
            "Copy the run folder to where it can be written.",
        ],
    ),
    entry(
        OF,
        "BENCH-FOLDER-001",
        [
            "A folder of the measurement cannot be used.",
            "The path in the message.",
            "Missing rights or room.",
            "Name another with --folder.",
        ],
    ),
    entry(
        OF,
        "BENCH-KAFKA-001",
        [
            "Kafka failed during a measurement.",
            "The cause after the message.",
            "A broker that is not there or is overloaded.",
            "Leave out --kafka, so that a lab is started for it.",
        ],
    ),
    entry(
        OF,
        "BENCH-TOOL-001",
        [
            "A program that a measurement is compared with cannot be used.",
            "Its name and its last lines, in the message.",
            "It is not installed, or cannot take the address that was given.",
            "Install it, or give the server's host and port.",
        ],
    ),
    entry(
        OF,
        "BENCH-PAGE-001",
        [
            "The page whose opening is to be measured is not there.",
            "Its path and the system's reason, in the message.",
            "The run has no report, or is in another folder.",
            "Name the report.html of a run: cutover report RUN --format html writes one.",
        ],
    ),
    entry(
        OF,
        "BENCH-VOID-001",
        [
            "What was measured proves nothing.",
            "The reason in the message.",
            "Numbers that must agree did not.",
            "Remove the reason; no figure is printed.",
        ],
    ),
    entry(
        OF,
        "LEDGER-DAMAGED-001",
        [
            "A file of the run folder is ours and cannot be read to its end.",
            "The file and what was met.",
            "A copy that was cut short, or a disk error.",
            "Copy the folder again from where it is whole.",
        ],
    ),
    entry(
        OF,
        "LEDGER-ENCODE-001",
        [
            "Rows could not be encoded.",
            "The file being written.",
            "A defect.",
            "Report it.",
        ],
    ),
    entry(
        OF,
        "LEDGER-EXISTS-001",
        [
            "A ledger is there already, and is never written over.",
            "The folder.",
            "The same run folder was named twice.",
            "Use another folder.",
        ],
    ),
    entry(
        OF,
        "LEDGER-FOREIGN-001",
        [
            "A file was not written by cutover.",
            "The file and what it holds.",
            "A wrong folder, or somebody edited it.",
            "Name a run folder.",
        ],
    ),
    entry(
        OF,
        "LEDGER-INCOMPLETE-001",
        [
            "Something that belongs to the run is missing.",
            "What is missing.",
            "The recording was cut short, or files were lost.",
            "Run it to its end; nothing is concluded from a part.",
        ],
    ),
    entry(
        OF,
        "LEDGER-IO-001",
        [
            "The file system refused.",
            "Path and cause.",
            "Missing rights or room.",
            "Mend that and try again.",
        ],
    ),
    entry(
        OF,
        "LEDGER-NEWER-001",
        [
            "The file has a format of a later version.",
            "Both formats in the message.",
            "A newer cutover wrote the folder.",
            "Use that version.",
        ],
    ),
    entry(
        OF,
        "LOAD-LEDGER-001",
        [
            "The load stopped because its ledger could not be written.",
            "The cause after the message.",
            "A full disk.",
            "Make room and run again.",
        ],
    ),
    entry(
        OF,
        "LOAD-LEDGER-002",
        [
            "The thread that writes the load's ledger ended unexpectedly.",
            "Warnings before it.",
            "Memory, or a defect.",
            "Run again; report it if it comes back.",
        ],
    ),
    entry(
        OF,
        "LOAD-LEDGER-003",
        [
            "No thread could be made for the load's ledger.",
            "ulimit -u.",
            "Too many processes.",
            "End some.",
        ],
    ),
    entry(
        OF,
        "LOAD-ROWS-001",
        [
            "A transaction of the load changed other rows than it expected.",
            "Session, transaction and rows.",
            "Somebody else writes to the load's tables.",
            "Leave these tables to the load.",
        ],
    ),
    entry(
        OF,
        "LOAD-SERVER-001",
        [
            "A session of the load cannot use the server.",
            "The cause after the message.",
            "Missing rights or tables.",
            "Grant what is missing.",
        ],
    ),
    entry(
        OF,
        "LOAD-STATEMENT-001",
        [
            "A statement of the load failed in a way that no upgrade explains.",
            "SQLSTATE and message.",
            "A table that was altered, or a constraint.",
            "Use the tables that the load ships.",
        ],
    ),
    entry(
        OF,
        "LOAD-TABLES-001",
        [
            "The load's tables could not be looked at or made.",
            "SQLSTATE and message.",
            "A role that may not make tables in the schema public, or no server.",
            "Give another role, or make the tables with it: crates/workload/src/schema.sql.",
        ],
    ),
    entry(
        OF,
        "LOAD-TABLES-002",
        [
            "There are no tables that a load could write to.",
            "Their names.",
            "Nobody made them in this database.",
            "`cutover generate --make-tables`.",
        ],
    ),
    entry(
        OF,
        "LOAD-TABLES-003",
        [
            "A table has a name that the load uses, and does not say that it is the load's.",
            "The table; `\\d+` shows its comment.",
            "An application has tables of these names.",
            "Give another database: the load changes and deletes any row of such a table.",
        ],
    ),
    entry(
        OF,
        "LOAD-STOP-001",
        [
            "Sessions of the load did not end in time.",
            "Their number; pg_stat_activity.",
            "A statement that waits for a lock.",
            "Look who holds it.",
        ],
    ),
    entry(
        OF,
        "RECORD-COMPARE-001",
        [
            "A table that was asked for is in neither database.",
            "The name in the message, with its schema.",
            "A typing error, another schema, or another database.",
            "Name it as schema.table; without names every table is compared.",
        ],
    ),
    entry(
        OF,
        "RECORD-COMPARE-002",
        [
            "The rows that differ could not be written down.",
            "The file in the message.",
            "No room left where temporary files go.",
            "Make room, or set TMPDIR to another place, and compare again.",
        ],
    ),
    entry(
        OF,
        "RECORD-SHAPE-001",
        [
            "A table or record has a shape that the recorder cannot follow.",
            "What it is, in the message.",
            "A type, converter or transformation that is not supported.",
            "The message names it; such a run never passes.",
        ],
    ),
    entry(
        OF,
        "RECORD-THREAD-001",
        [
            "A recorder ended unexpectedly.",
            "The cause after the message.",
            "Memory, or a defect.",
            "Run again; report it if it comes back.",
        ],
    ),
    entry(
        OF,
        "RECORD-THREAD-002",
        [
            "No thread could be made for a recorder.",
            "ulimit -u.",
            "Too many processes, or too little memory.",
            "End some, and record again.",
        ],
    ),
    entry(
        OF,
        "RECORD-WITNESS-001",
        [
            "The witness could not go on.",
            "The cause after the message; its slot in pg_replication_slots.",
            "Its slot was dropped or lost, or the server went away.",
            "Leave the witness slot alone during the run.",
        ],
    ),
    entry(
        OF,
        "REH-FOLDER-001",
        [
            "The run folder could not be used.",
            "What was tried, and the path.",
            "Missing rights or room.",
            "Set --runs or CUTOVER_RUNS.",
        ],
    ),
    entry(
        OF,
        "REH-LOAD-001",
        [
            "A rehearsal could not go on.",
            "The reason in the message.",
            "What it says: the load, a runbook, or a selection.",
            "Follow the message; the run folder has the logs.",
        ],
    ),
    entry(
        OF,
        "REH-LOCK-001",
        [
            "Another run holds the lock.",
            "The process in the message.",
            "Two rehearsals at once would disturb each other.",
            "Wait for the other one, or give this one a CUTOVER_STATE of its own.",
        ],
    ),
    entry(
        OF,
        "REH-SCENARIO-001",
        [
            "There is no scenario of this name.",
            "The nearest name.",
            "A typing error; a path needs a / or .toml.",
            "`cutover matrix --plan-only` lists them.",
        ],
    ),
    entry(
        OF,
        "REH-SCENARIO-002",
        [
            "The scenario file cannot be read.",
            "Path and cause.",
            "A wrong path, or missing rights.",
            "Correct the path.",
        ],
    ),
    entry(
        OF,
        "REH-SCENARIO-003",
        [
            "The scenario is not valid.",
            "Key and reason.",
            "A typing error, or values that exclude each other.",
            "Correct it; scenarios/minor.toml is a place to start.",
        ],
    ),
    entry(
        OF,
        "REH-SERVICE-001",
        [
            "A server ended in the middle of the run.",
            "Its last lines, and its log in the run folder.",
            "What the log says; often memory.",
            "Mend that and run again.",
        ],
    ),
    entry(
        OF,
        "REPORT-JSON-001",
        [
            "A result could not be written as JSON.",
            "The cause after the message.",
            "A defect.",
            "Keep the run folder and report it.",
        ],
    ),
    entry(
        OF,
        "REPORT-JUNIT-001",
        [
            "A result could not be written as JUnit XML.",
            "The cause after the message.",
            "A defect.",
            "Keep the run folder and report it.",
        ],
    ),
    entry(
        OF,
        "RUN-FOLDER-001",
        [
            "The folder is no run folder.",
            "What is missing in it.",
            "Another folder was meant.",
            "Name a folder that `cutover rehearse` wrote, as its result says.",
        ],
    ),
    entry(
        OF,
        "RUN-FOLDER-002",
        [
            "The folder has no result that can be read.",
            "report.json in it.",
            "The run broke off before it was judged, or the file was damaged.",
            "`cutover verify RUN` judges it and writes the reports.",
        ],
    ),
];
