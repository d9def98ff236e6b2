//! Errors of the configuration and of work on running systems.

use super::{Explanation, Family, entry};

const OF: Family = Family::Error;

/// By code.
pub const ALL: &[Explanation] = &[
    entry(
        OF,
        "CLI-CONNECTOR-001",
        [
            "Arguments of `cutover connector` do not say enough, or contradict each other.",
            "The argument in the message.",
            "A name, a position or a file was left out.",
            "Give what the message asks for.",
        ],
    ),
    entry(
        OF,
        "CLI-INIT-001",
        [
            "`cutover init` writes no file over another one.",
            "The path in the message.",
            "The configuration was written before.",
            "Name another file with --file, or move this one away.",
        ],
    ),
    entry(
        OF,
        "CLI-SETUP-001",
        [
            "Arguments of `cutover setup` do not say which slot, publication or tables.",
            "The argument in the message.",
            "No connector is named that says it.",
            "Give --slot, --publication and --table, or the connector with --connect.",
        ],
    ),
    entry(
        OF,
        "CLI-WATCH-001",
        [
            "Arguments of `cutover watch` do not say enough, or contradict each other.",
            "The argument in the message.",
            "Markers without all three systems, or an interval that is too long for them.",
            "Give what the message asks for.",
        ],
    ),
    entry(
        OF,
        "CLI-WATCH-002",
        [
            "The address that --listen names is not one to listen on.",
            "The address in the message.",
            "Another program has the port, or the address can be reached from other machines.",
            "Choose another port, or 127.0.0.1; --listen-anywhere says that others may read it.",
        ],
    ),
    entry(
        OF,
        "CONFIG-EMPTY-001",
        [
            "A value of the configuration is empty.",
            "The key, variable or argument in the message.",
            "A variable that is set to nothing.",
            "Give it a value, or leave it out.",
        ],
    ),
    entry(
        OF,
        "CONFIG-FILE-001",
        [
            "A file that the configuration names cannot be read or is not what it should be.",
            "The path in the message.",
            "A wrong path; paths in the file are relative to the file.",
            "Name the right file.",
        ],
    ),
    entry(
        OF,
        "CONFIG-KAFKA-001",
        [
            "What is said about Kafka cannot be followed.",
            "The options in the message, line by line.",
            "A way to log in or to encrypt that this build does not have, or a key store in Java's own form.",
            "Give it in the form that the message names.",
        ],
    ),
    entry(
        OF,
        "CONFIG-KEY-001",
        [
            "cutover.toml has a key that is none, or is no TOML.",
            "The line in the message.",
            "A typing error.",
            "`cutover config keys` lists every key.",
        ],
    ),
    entry(
        OF,
        "CONFIG-MISSING-001",
        [
            "A command needs a system that nothing describes.",
            "`cutover config show`.",
            "Another folder than that of cutover.toml.",
            "Give the argument that the message names, or --config.",
        ],
    ),
    entry(
        OF,
        "CONFIG-POSTGRES-001",
        [
            "What is said about PostgreSQL is no address.",
            "`cutover config show`, and the service file.",
            "A part is missing, a service is not there, or TLS is asked for.",
            "Give postgresql://user@host:port/database or libpq's pairs.",
        ],
    ),
    entry(
        OF,
        "CONFIG-REFERENCE-001",
        [
            "A reference in cutover.toml leads nowhere.",
            "The key and the reference in the message.",
            "A variable is not set, or a file is not there.",
            "Set it; there are ${env:NAME} and ${file:PATH}.",
        ],
    ),
    entry(
        OF,
        "CONFIG-SECRET-001",
        [
            "A secret stands where others can read it.",
            "The file or argument in the message.",
            "A file of mode 644, or a password in an argument.",
            "chmod 600, or a reference to a file of your own.",
        ],
    ),
    entry(
        OF,
        "CONFIG-VALUE-001",
        [
            "A value of cutover.toml is not of the right form.",
            "The key in the message.",
            "A list or a table where a text belongs.",
            "Write a text or a number.",
        ],
    ),
    entry(
        OF,
        "CONFIG-VERSION-001",
        [
            "cutover.toml is of another version than this program reads.",
            "The version in the message.",
            "It was written for a newer program.",
            "Use that program.",
        ],
    ),
    entry(
        OF,
        "CONNECT-FAILED-001",
        [
            "The connector itself has FAILED.",
            "Its trace in the output.",
            "Its configuration was not accepted at the start.",
            "Mend the cause, then `cutover connector restart NAME`.",
        ],
    ),
    entry(
        OF,
        "CONNECT-TASK-001",
        [
            "A task has FAILED, whatever Connect shows for the connector.",
            "The trace of the task in the output.",
            "Slot, publication or login are not what the connector needs.",
            "Mend the cause, then `cutover connector restart NAME`.",
        ],
    ),
    entry(
        OF,
        "CONNECT-UNSETTLED-001",
        [
            "Connector and tasks are not in one state.",
            "Their states in the output.",
            "A rebalance, a start or a stop is under way.",
            "Look again; if it stays, read the worker's log.",
        ],
    ),
    entry(
        OF,
        "CUT-CONNECTOR-001",
        [
            "A connector's file is no JSON that Connect takes.",
            "The place or option in the message.",
            "A typing error, or a variable for a placeholder is not set.",
            "Give {\"name\": …, \"config\": {…}} or the options alone.",
        ],
    ),
    entry(
        OF,
        "CUT-OFFSET-001",
        [
            "An offset can be changed only while its connector is STOPPED.",
            "`cutover connector status`.",
            "It runs, or is only paused.",
            "`cutover connector stop NAME`, then again.",
        ],
    ),
    entry(
        OF,
        "CUT-OFFSET-002",
        [
            "The connector has stored another offset since the change that is to be taken back.",
            "`cutover connector offsets show`.",
            "It was resumed after the change.",
            "Leave it; with --discard-newer what was delivered since is delivered again.",
        ],
    ),
    entry(
        OF,
        "CUT-OFFSET-003",
        [
            "The offset from before a change cannot be kept or read.",
            "The path in the message.",
            "No right to write there, or no file of this program.",
            "Choose a folder with --undo-folder.",
        ],
    ),
    entry(
        OF,
        "CUT-OFFSET-004",
        [
            "The offset would go back, so events could be delivered again.",
            "`cutover connector offsets show`: the stored offset beside the slot.",
            "The slot was not confirmed as far as the offset has come, which is usual after a stop.",
            "Leave the offset as it is; --may-repeat only if it is of another server's log.",
        ],
    ),
];
