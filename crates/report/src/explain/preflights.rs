//! What is in the way of a second cluster, by code. A refusal has changed nothing.

use super::{Explanation, Family, entry};

const OF: Family = Family::Preflight;

/// By code.
pub const ALL: &[Explanation] = &[
    entry(
        OF,
        "PRE-BACKUP-001",
        [
            "pgBackRest is too old for this major version of PostgreSQL.",
            "`pgbackrest version`, on the server and where the repository is.",
            "It reads the control file by itself and does not know the new form.",
            "Install the release that the finding names.",
        ],
    ),
    entry(
        OF,
        "PRE-BACKUP-002",
        [
            "It is not known here whether this pgBackRest supports the server. A warning.",
            "Its version, and pgBackRest's release notes.",
            "A version of PostgreSQL or pgBackRest that is newer than this cutover.",
            "Look it up, and try a backup and a restore first.",
        ],
    ),
    entry(
        OF,
        "PRE-CLONE-001",
        [
            "The file system does not clone files, so pg_upgrade --clone would fail.",
            "The file system of the data directory.",
            "ext4 has no reflinks; XFS and Btrfs have.",
            "Let pg_upgrade copy or link, or use another file system.",
        ],
    ),
    entry(
        OF,
        "PRE-COLLATION-001",
        [
            "Databases sort by ICU, and the new programs make no ICU collation.",
            "The databases and collations that the finding names.",
            "PostgreSQL was built without ICU; pg_upgrade --check does not look.",
            "Install a build with ICU.",
        ],
    ),
    entry(
        OF,
        "PRE-DISK-001",
        [
            "There is not enough room for the new cluster.",
            "df of the file systems named, and the size of the databases.",
            "A copy, a standby or a restore takes as much as the old cluster.",
            "Make room, use another file system, or link instead of copying.",
        ],
    ),
    entry(
        OF,
        "PRE-DISK-002",
        [
            "How much room there is could not be read. A warning.",
            "The file system of the new data directory.",
            "It is not there yet, or may not be read.",
            "Look by hand; the finding says how much is needed.",
        ],
    ),
    entry(
        OF,
        "PRE-EXTENSION-001",
        [
            "A database uses an extension that the new programs do not have.",
            "pg_extension there, pg_available_extensions on the new side.",
            "The package for the new major version is not installed.",
            "Install it, or drop the extension where nobody uses it.",
        ],
    ),
    entry(
        OF,
        "PRE-EXTENSION-002",
        [
            "The new programs have another version of an extension. A warning.",
            "Both versions, in the finding.",
            "pg_upgrade carries the old version's objects over to the new library.",
            "After the switch: ALTER EXTENSION … UPDATE.",
        ],
    ),
    entry(
        OF,
        "PRE-LINK-001",
        [
            "Old and new cluster are on different file systems: files can be neither linked nor cloned.",
            "The two directories.",
            "Hard links and reflinks do not cross file systems.",
            "Put the new cluster beside the old one, or copy.",
        ],
    ),
    entry(
        OF,
        "PRE-PREPARED-001",
        [
            "A prepared transaction would stop the switch for certain.",
            "pg_prepared_xacts on the old server.",
            "Its coordinator never ended it, or pg_upgrade refuses any.",
            "Ask its owner, then COMMIT PREPARED or ROLLBACK PREPARED; the finding has the statement.",
        ],
    ),
    entry(
        OF,
        "PRE-PREPARED-002",
        [
            "A young prepared transaction is there; the switch waits for it. A warning.",
            "pg_prepared_xacts.",
            "An application that commits in two phases.",
            "Nothing, if its coordinator ends it.",
        ],
    ),
    entry(
        OF,
        "PRE-PROGRAM-001",
        [
            "Programs that the plan calls are not where it expects them.",
            "The folder and the names in the finding.",
            "The server package without its client or contrib part, or another path.",
            "Install them, or name the right folder.",
        ],
    ),
    entry(
        OF,
        "PRE-SETTING-001",
        [
            "The new server would not have wal_level=logical, so no slot can be made there.",
            "postgresql.conf and postgresql.auto.conf of the new cluster.",
            "A new cluster has the default, replica.",
            "Set wal_level = logical before it starts.",
        ],
    ),
    entry(
        OF,
        "PRE-SETTING-002",
        [
            "The new server would have too few replication slots.",
            "max_replication_slots there.",
            "The default is 10, and an upgrade needs some more for a while.",
            "Raise it to the number in the finding.",
        ],
    ),
    entry(
        OF,
        "PRE-SETTING-003",
        [
            "The new server replays the old one's log and has less room than that one: it would stop with `recovery \
             aborted`.",
            "max_connections, max_worker_processes, max_wal_senders, max_prepared_transactions, \
             max_locks_per_transaction.",
            "They must not be lower than on the server whose log is replayed.",
            "Raise them before the new server starts.",
        ],
    ),
    entry(
        OF,
        "PRE-SETTING-004",
        [
            "A setting of the new server is lower than on the old one. A warning.",
            "The settings in the finding.",
            "The new cluster was made with defaults.",
            "Carry the setting over if the load needs it.",
        ],
    ),
    entry(
        OF,
        "PRE-SLOT-001",
        [
            "The old server has no room for the slots that the plan makes.",
            "pg_replication_slots and max_replication_slots.",
            "Slots that nobody reads any more take their place.",
            "Drop those, or raise the limit, which needs a restart.",
        ],
    ),
    entry(
        OF,
        "PRE-SLOT-002",
        [
            "A slot that stands still may be taken away under way. A warning.",
            "max_slot_wal_keep_size and idle_replication_slot_timeout of the old server.",
            "The connector's slot stands still from its stop to its resume.",
            "Switch the limit off until the switch is done; the finding has the statement.",
        ],
    ),
];
