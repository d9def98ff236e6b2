//! Errors of the command line: what is called, and what the machine does not let it do.

use super::{Explanation, Family, entry};

const OF: Family = Family::Error;

/// By code.
pub const ALL: &[Explanation] = &[
    entry(
        OF,
        "CLI-COMPARE-002",
        [
            "What differs could not be read again from where it was kept.",
            "The cause in the message: the temporary file.",
            "A disk that fails, where temporary files go.",
            "Set TMPDIR to another place, and compare again.",
        ],
    ),
    entry(
        OF,
        "CLI-ENDED-001",
        [
            "Somebody ended the command before it was done. Exit code 130 or 143.",
            "What was to be changed: the connector, its offset, the slot, the topics.",
            "Ctrl-C, a SIGTERM of a script or of the machine, a terminal that was closed.",
            "Look at what was done so far, then call it again: every command can be called twice.",
        ],
    ),
    entry(
        OF,
        "CLI-EXPLAIN-001",
        [
            "There is no text for this word.",
            "The nearest known ones, in the remedy.",
            "A typing error, or a code of a later version.",
            "`cutover explain` without a word lists all.",
        ],
    ),
    entry(
        OF,
        "CLI-INTERNAL-001",
        [
            "Something that should not happen in this program. Exit code 1, which nothing else has.",
            "The message, and with a panic the place in the sources before it.",
            "A defect. No file, server or argument can be the cause.",
            "Report it with the message and what was called; keep the run folder, if there is one.",
        ],
    ),
    entry(
        OF,
        "CLI-LINT-001",
        [
            "The file is no configuration of a connector.",
            "Line and column, or the option's name.",
            "Not JSON, or not in the form that Connect takes.",
            "Give {\"name\": …, \"config\": {…}} or the options alone.",
        ],
    ),
    entry(
        OF,
        "CLI-MAN-001",
        [
            "The manual pages could not be written.",
            "The folder and the cause in the message.",
            "A folder that may not be written, or a full disk.",
            "Name another folder with --dir.",
        ],
    ),
    entry(
        OF,
        "CLI-MATRIX-001",
        [
            "There is no matrix to go on with.",
            "The folder in the message.",
            "Another --runs, or none was begun.",
            "Run it without --resume.",
        ],
    ),
    entry(
        OF,
        "CLI-OUTPUT-001",
        [
            "The result could not be printed. Exit code 5 where it would have been 0.",
            "The cause in the message, and what stdout is connected to.",
            "The program that reads the output has ended (head, a pager), or the disk behind a redirection is full.",
            "Send the output to a file with room and run again; a judged run has its reports in the run folder.",
        ],
    ),
    entry(
        OF,
        "CLI-PREDICT-001",
        [
            "What a prediction is to be made from cannot be read.",
            "The file or address in the message.",
            "A wrong path, or missing rights.",
            "Name the file, or - for standard input.",
        ],
    ),
    entry(
        OF,
        "CLI-REPORT-001",
        [
            "A report could not be written.",
            "The path, its rights and free room.",
            "A folder that is not there (exit code 2), or a read-only or full file system (3).",
            "The run is judged all the same: `cutover report RUN -o FILE` writes it elsewhere.",
        ],
    ),
    entry(
        OF,
        "CLI-SYSTEM-001",
        [
            "The operating system refused what every command needs: threads, signals, its own program file.",
            "The cause in the message; ulimit -a.",
            "Too many processes or open files of this user, too little memory, or the binary was replaced meanwhile.",
            "End what is not needed or raise the limit (ulimit -u, ulimit -n), then call it again.",
        ],
    ),
    entry(
        OF,
        "CLI-TEMP-001",
        [
            "No temporary folder could be made.",
            "The cause in the message; TMPDIR, or /tmp without it.",
            "A TMPDIR that is not there, missing rights, or a full disk.",
            "Set TMPDIR to a folder that can be written to.",
        ],
    ),
    entry(
        OF,
        "CLI-USAGE-001",
        [
            "The command line is none: an unknown command, option or value, or one that is missing. Exit code 2.",
            "The word in the message, and what is proposed instead.",
            "A typing error, or an option of another version.",
            "`cutover COMMAND --help` lists what a command takes; nothing was done.",
        ],
    ),
];
