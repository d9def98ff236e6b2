//! Errors of the lab: what it needs, fetches and starts.

use super::{Explanation, Family, entry};

const OF: Family = Family::Error;

/// By code.
pub const ALL: &[Explanation] = &[
    entry(
        OF,
        "LAB-APT-001",
        [
            "apt-get is needed to fetch a part, and was not found.",
            "PATH.",
            "Not a Debian machine.",
            "Use Debian or Ubuntu, or bring the part's programs yourself.",
        ],
    ),
    entry(
        OF,
        "LAB-APT-002",
        [
            "dpkg-deb is needed to unpack a part, and was not found.",
            "PATH.",
            "A slimmed image.",
            "Install the package dpkg.",
        ],
    ),
    entry(
        OF,
        "LAB-APT-003",
        [
            "The keyring of Debian's archive is needed to check packages, and was not found.",
            "/usr/share/keyrings.",
            "A slimmed image.",
            "Install the package debian-archive-keyring.",
        ],
    ),
    entry(
        OF,
        "LAB-CLI-001",
        [
            "The lab's state does not allow the command.",
            "The message, and `cutover lab status`.",
            "A lab that runs already, or does not.",
            "`cutover lab down`, then again.",
        ],
    ),
    entry(
        OF,
        "LAB-DISK-001",
        [
            "The device is full.",
            "df of the path in the message.",
            "Data of runs, or another program.",
            "Make room; the cache's parts can be fetched again.",
        ],
    ),
    entry(
        OF,
        "LAB-DISK-002",
        [
            "There is too little room for what is about to be fetched or started.",
            "Both numbers in the message.",
            "As it says.",
            "Make room, or set CUTOVER_CACHE or CUTOVER_STATE to another device.",
        ],
    ),
    entry(
        OF,
        "LAB-FETCH-001",
        [
            "A part could not be fetched.",
            "The tool's last lines.",
            "No network, a proxy that is not set, or an archive that is away.",
            "Set the tool's own proxy or mirror and try again.",
        ],
    ),
    entry(
        OF,
        "LAB-FETCH-002",
        [
            "A fetched file is not what it must be.",
            "Both sha256 sums.",
            "A broken download, or something between that changes files.",
            "Delete the file and fetch again.",
        ],
    ),
    entry(
        OF,
        "LAB-FETCH-003",
        [
            "A fetched program does not run here.",
            "Its own message.",
            "A missing library, or another processor.",
            "Install the library that it names.",
        ],
    ),
    entry(
        OF,
        "LAB-FETCH-004",
        [
            "A part comes from Debian packages, and this machine has no archive for them.",
            "The reason in the message; /etc/apt/sources.list.d.",
            "Another distribution, or no sources.",
            "Add a Debian archive, or choose another version.",
        ],
    ),
    entry(
        OF,
        "LAB-HOME-001",
        [
            "The state or cache folder cannot be written.",
            "The path and its rights.",
            "Another user owns it.",
            "Set CUTOVER_STATE or CUTOVER_CACHE to a folder of yours.",
        ],
    ),
    entry(
        OF,
        "LAB-HOME-002",
        [
            "The user that runs the servers cannot enter the folder.",
            "Rights of every folder above it.",
            "A home folder that only its owner may enter, while servers run as another user.",
            "Set CUTOVER_STATE to a folder such as /var/lib/cutover.",
        ],
    ),
    entry(
        OF,
        "LAB-IO-001",
        [
            "A file of the lab could not be read or written.",
            "Path and cause.",
            "Missing rights or room.",
            "Mend that and try again.",
        ],
    ),
    entry(
        OF,
        "LAB-JAVA-001",
        [
            "Java is needed and was not found.",
            "PATH and JAVA_HOME.",
            "Kafka and Connect run on it.",
            "Install a JDK of version 17 or later.",
        ],
    ),
    entry(
        OF,
        "LAB-JAVA-002",
        [
            "Java is too old.",
            "Both versions in the message.",
            "Another Java stands first on the path.",
            "Set JAVA_HOME to 17 or later.",
        ],
    ),
    entry(
        OF,
        "LAB-LOCK-001",
        [
            "Another process holds the lab.",
            "Its number in the message.",
            "A lab or a rehearsal is running.",
            "Wait for it, or end that process.",
        ],
    ),
    entry(
        OF,
        "LAB-LOG-001",
        [
            "There is no service of this name, or no log of it.",
            "The names in the remedy.",
            "A typing error, or no lab.",
            "Name one of them.",
        ],
    ),
    entry(
        OF,
        "LAB-MAVEN-001",
        [
            "Maven is needed to fetch a part, and was not found.",
            "PATH.",
            "Kafka and Debezium come through it.",
            "Install the package maven.",
        ],
    ),
    entry(
        OF,
        "LAB-OWNER-001",
        [
            "The lab ended before it was ready.",
            "lab-owner.log in the state folder.",
            "A server that could not start.",
            "Look at the log, then `cutover lab up --foreground`.",
        ],
    ),
    entry(
        OF,
        "LAB-PART-001",
        [
            "The catalogue has no such part or version.",
            "The known versions in the message.",
            "A typing error, or a version that nobody added.",
            "Name one of them; CONTRIBUTING.md says how to add another.",
        ],
    ),
    entry(
        OF,
        "LAB-PART-002",
        [
            "An entry of the catalogue is wrong.",
            "The file and the reason.",
            "A defect in the catalogue.",
            "Correct the entry.",
        ],
    ),
    entry(
        OF,
        "LAB-PG-001",
        [
            "The data directory is of another major version than the programs.",
            "Both versions in the message.",
            "A step was left out, or a folder was mixed up.",
            "Use the programs of that version.",
        ],
    ),
    entry(
        OF,
        "LAB-PG-002",
        [
            "A server is not in the state that the step needs.",
            "The state in the message.",
            "It was stopped or started meanwhile.",
            "Look at its log.",
        ],
    ),
    entry(
        OF,
        "LAB-PG-003",
        [
            "A server of the lab did not do what it was asked.",
            "The cause after the message, and its log.",
            "What PostgreSQL says.",
            "`cutover lab logs postgres`.",
        ],
    ),
    entry(
        OF,
        "LAB-PIP-001",
        [
            "pip is needed to fetch a part, and was not found.",
            "`python3 -m pip --version`.",
            "Debian has it in a package of its own.",
            "Install python3-pip.",
        ],
    ),
    entry(
        OF,
        "LAB-PORT-001",
        [
            "A service cannot listen on its port.",
            "Its last lines.",
            "Another program took the port in between.",
            "Try again; the lab takes other ports.",
        ],
    ),
    entry(
        OF,
        "LAB-PORT-002",
        [
            "No loopback port is free.",
            "The range in the message.",
            "Very many sockets are open.",
            "End what holds them.",
        ],
    ),
    entry(
        OF,
        "LAB-PROCESS-001",
        [
            "A program could not be started.",
            "Path and cause.",
            "Missing rights, or a file system that runs no programs (noexec).",
            "Move the cache with CUTOVER_CACHE.",
        ],
    ),
    entry(
        OF,
        "LAB-PROCESS-002",
        [
            "A server ended by itself.",
            "Its last lines, and its log in the run folder.",
            "What the log says; often memory.",
            "Mend that and run again.",
        ],
    ),
    entry(
        OF,
        "LAB-PROCESS-003",
        [
            "A program of PostgreSQL or of a tool failed.",
            "Its last lines.",
            "What it says.",
            "Mend that and run again.",
        ],
    ),
    entry(
        OF,
        "LAB-PYTHON-001",
        [
            "python3 is needed to fetch a part, and was not found.",
            "PATH.",
            "A slimmed image.",
            "Install python3.",
        ],
    ),
    entry(
        OF,
        "LAB-STATE-001",
        [
            "No lab is running.",
            "The state folder in the message.",
            "It was never started, or CUTOVER_STATE is another one.",
            "`cutover lab up`.",
        ],
    ),
    entry(
        OF,
        "LAB-STATE-002",
        [
            "The lab's record is not understood.",
            "The file in the message.",
            "Another version wrote it, or it is torn.",
            "End the lab's processes with the version that started them, then delete the file.",
        ],
    ),
    entry(
        OF,
        "LAB-USER-001",
        [
            "Started as root, and there is no account to run servers as.",
            "/etc/passwd.",
            "PostgreSQL refuses to run as root.",
            "Make a user postgres, or run as an ordinary user.",
        ],
    ),
    entry(
        OF,
        "LAB-WAIT-001",
        [
            "A service was not ready in time.",
            "The last state seen.",
            "A slow machine, or a server that waits for something.",
            "Look at its log; try again when the machine is less busy.",
        ],
    ),
];
