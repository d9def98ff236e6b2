//! Kinds of findings, and the checks that find them.

use super::{Explanation, Family, entry};

const KIND: Family = Family::Finding;
const CHECK: Family = Family::Check;

/// Kinds in the order of reports, then checks by name.
pub const ALL: &[Explanation] = &[
    entry(
        KIND,
        "lost",
        [
            "A change was committed before the fence and is in no topic.",
            "LSN and transaction of the finding; the stored offset and the slot's consistent point around the cutover.",
            "The slot was made after the change, or the connector went on beyond it while showing RUNNING.",
            "`cutover gap show RUN` says what of its state can be put right; next time use a proven runbook.",
        ],
    ),
    entry(
        KIND,
        "acknowledged-ahead",
        [
            "A change is lost, and the slot is confirmed beyond it: no connector will be sent it again.",
            "confirmed_flush_lsn noted at the cuts and at the fence, against the LSN of the change.",
            "The slot was advanced or made anew beyond what was delivered, or flushed by somebody else.",
            "Only a re-read or a repair brings the state; the event itself is gone from the log.",
        ],
    ),
    entry(
        KIND,
        "duplicated",
        [
            "A change is published more often than it was committed, or there is a tombstone too many.",
            "The records: topic, partition and offset of each copy.",
            "The connector went on from an older position, for example an offset from before a restore.",
            "Make consumers idempotent by key and LSN; drain and store the offset before the switch.",
        ],
    ),
    entry(
        KIND,
        "phantom",
        [
            "A record tells of a change that was never committed, or is no part of the database any more.",
            "Its place in the topic, and the point that the restore went back to.",
            "A point-in-time restore went back before it, or an upgrade was taken back after it was published.",
            "Tell consumers; `cutover gap close` puts the state of its key right, the event stays in the log.",
        ],
    ),
    entry(
        KIND,
        "aborted",
        [
            "A record tells of a change whose transaction rolled back.",
            "The attempted ledger: outcome failed for this transaction.",
            "A decoding error, or a transaction whose outcome the server changed after a crash.",
            "Report it with the run folder: no known version does this.",
        ],
    ),
    entry(
        KIND,
        "reordered",
        [
            "Records of one key, or truncates of one table, stand out of commit order.",
            "Offsets of the records and LSNs of their changes.",
            "Producer retries without idempotence, or repeated events after newer ones.",
            "Look for duplicated first; see that enable.idempotence is on in the worker's producer.",
        ],
    ),
    entry(
        KIND,
        "repartitioned",
        [
            "Records of one key stand in several partitions, so their order is not defined for consumers.",
            "Partitions of the key's records, and the topic's number of partitions over time.",
            "Partitions were added, or the key's form changed (converter, key columns, message.key.columns).",
            "Keep the number of partitions and the key's form across the upgrade.",
        ],
    ),
    entry(
        KIND,
        "interleaved",
        [
            "A record of the old life of the database follows one of the new in the same partition.",
            "Offsets around the cut.",
            "Two connectors at once: the old one was not stopped.",
            "Delete or stop the old connector before the new one starts, and see its tasks end.",
        ],
    ),
    entry(
        KIND,
        "torn",
        [
            "A transaction is not whole in the topics, or half of a changed key is missing.",
            "Its BEGIN and END records and their counts; delete and insert of the changed key.",
            "The connector was ended inside a transaction, or went on inside one.",
            "Drain before a stop. Consumers that need whole transactions re-read what the finding names.",
        ],
    ),
    entry(
        KIND,
        "key-reuse",
        [
            "A sequence of the new server will give out a value that the old one had given out.",
            "Last value on the old server, next value on the new one, in the finding and in ledger/evidence.json.",
            "Neither a logical copy nor a dump that was taken early carries what a sequence has given out.",
            "Before writes begin: setval() beyond the old server's last value, as the finding says.",
        ],
    ),
    entry(
        KIND,
        "divergent",
        [
            "Same change or same key, other content: a record differs from what was committed, or the folded topic \
             from the table.",
            "Columns not compared (ledger/evidence.json) and other findings of the key.",
            "Something lost or repeated before it, unchanged TOAST values, or a converter that rounds.",
            "Look at lost first; `cutover gap close`, or a re-read of the key.",
        ],
    ),
    entry(
        KIND,
        "broken-chain",
        [
            "A record does not go on from where the one before it of its key ended.",
            "Old and new image hashes of the two records.",
            "A lost, doubled or strayed record; by itself a snapshot that later changes do not follow from.",
            "Look for the other findings of the key; re-read it if there are none.",
        ],
    ),
    entry(
        KIND,
        "resurrected",
        [
            "Something stands for a key after its delete although it was not inserted again.",
            "Offsets of the delete and of the record after it.",
            "Repeated events, or a snapshot that raced with the delete.",
            "`cutover gap close` writes the delete again.",
        ],
    ),
    entry(
        KIND,
        "tombstone-missing",
        [
            "A keyed delete has no tombstone although tombstones are on.",
            "The delete's record and the offset after it.",
            "The connector ended between the two, or a transformation takes tombstones away.",
            "A compacted topic keeps the deleted key until a tombstone comes: write one, or set drop.tombstones=false.",
        ],
    ),
    entry(
        KIND,
        "unplanned-snapshot",
        [
            "Records of a snapshot (op=r) are in the topics although the plan allows none.",
            "Their number and tables; snapshot.mode and the stored offset at the start.",
            "The offset was gone, or snapshot.mode reads again when the slot is new.",
            "Use no_data (never up to 2.5), and keep or write the offset; `cutover lint` shows CUT-LINT-005.",
        ],
    ),
    entry(
        KIND,
        "database-lost",
        [
            "The server acknowledged a commit, and the witness never saw the change.",
            "The attempted ledger (outcome ok) against the committed one.",
            "A crash with synchronous_commit=off, a failover to a standby that lagged, or a restore to an earlier \
             point.",
            "This is a loss in the database itself: compare the restore point with the last commit.",
        ],
    ),
    entry(
        KIND,
        "database-invented",
        [
            "A change rolled back for its writer, and yet the witness saw it committed.",
            "The attempted ledger (outcome failed) against the committed one.",
            "A commit whose answer was lost was taken for failed.",
            "See how the outcome was resolved (column resolution); report it if it was pg_xact_status.",
        ],
    ),
    entry(
        KIND,
        "undecidable",
        [
            "A truncate whose place among the rows of its table no consumer can know. No violation: it makes the run \
             unknown.",
            "The table and the number of its partitions.",
            "The table has several partitions, and a truncate stands in one of them.",
            "Give such tables one partition, or do not truncate during the upgrade.",
        ],
    ),
    entry(
        CHECK,
        "a1_attempted",
        [
            "Attempted against committed: what PostgreSQL acknowledged the witness saw, what was rolled back it did \
             not.",
            "The attempted and committed ledgers; crates/audit/src/checks/a1_attempted.sql.",
            "It finds database-lost and database-invented; it needs a load of ours.",
            "On your own cluster there is no attempted ledger, and the check says so.",
        ],
    ),
    entry(
        CHECK,
        "i1_complete",
        [
            "Looks for committed changes that are not published, or with another content (I1).",
            "The committed and published ledgers; crates/audit/src/checks/i1_complete.sql.",
            "It finds lost and divergent.",
            "See `cutover explain lost`.",
        ],
    ),
    entry(
        CHECK,
        "i2_invention",
        [
            "Looks for published changes that were not committed (I2).",
            "The published, committed and attempted ledgers; i2_invention.sql.",
            "It finds phantom and aborted.",
            "See `cutover explain phantom`.",
        ],
    ),
    entry(
        CHECK,
        "i3_once",
        [
            "Looks for changes published more often than committed, and for tombstones (I3).",
            "The published and committed ledgers; i3_once.sql.",
            "It finds duplicated and tombstone-missing.",
            "See `cutover explain duplicated`.",
        ],
    ),
    entry(
        CHECK,
        "i3_repeated",
        [
            "Looks for records that tell of the same change of a key twice; asked where no witness watched (I3).",
            "Copies in the published ledger with one LSN, transaction and row; i3_repeated.sql.",
            "It finds duplicated.",
            "See `cutover explain duplicated`.",
        ],
    ),
    entry(
        CHECK,
        "i4_key_order",
        [
            "Looks whether records of a key stand in commit order and in one partition (I4).",
            "Offsets in the published ledger, positions in the committed one; i4_key_order.sql.",
            "It finds reordered and repartitioned.",
            "See `cutover explain reordered`.",
        ],
    ),
    entry(
        CHECK,
        "i5_cut_order",
        [
            "Looks for records of the old life after those of the new in a partition (I5).",
            "The cuts in ledger/evidence.json; i5_cut_order.sql.",
            "It finds interleaved.",
            "See `cutover explain interleaved`.",
        ],
    ),
    entry(
        CHECK,
        "i6_chain",
        [
            "Looks whether images of a key chain up (I6).",
            "Hashes of old and new rows in the published ledger; i6_chain.sql.",
            "It finds broken-chain; it needs a complete witness and old images.",
            "See `cutover explain broken-chain`.",
        ],
    ),
    entry(
        CHECK,
        "i7_resurrection",
        [
            "Looks for records of a key after its delete (I7).",
            "The published ledger; i7_resurrection.sql.",
            "It finds resurrected.",
            "See `cutover explain resurrected`.",
        ],
    ),
    entry(
        CHECK,
        "i8_state",
        [
            "Folds the published log per key and compares it with the stored rows (I8).",
            "The published and stored ledgers; i8_state.sql.",
            "It finds divergent; it needs tables read at the fence and logs that are not cut off.",
            "See `cutover gap show RUN`.",
        ],
    ),
    entry(
        CHECK,
        "i9_snapshot",
        [
            "Looks for snapshot records where the plan allows none (I9).",
            "Records with op=r in the published ledger; i9_snapshot.sql.",
            "It finds unplanned-snapshot.",
            "See `cutover explain unplanned-snapshot`.",
        ],
    ),
    entry(
        CHECK,
        "i9_reread",
        [
            "Looks for keys that a snapshot read again; asked where no witness watched (I9).",
            "Records with op=r behind another record of their key; i9_reread.sql.",
            "It finds unplanned-snapshot.",
            "See `cutover explain unplanned-snapshot`; `--allow-reread` says that it was wanted.",
        ],
    ),
    entry(
        CHECK,
        "i10_transaction",
        [
            "Compares what the connector counts of each transaction with what is in the topics, and looks at changed \
             keys (I10).",
            "ledger/transactions and the published ledger; i10_transaction.sql.",
            "It finds torn; counts need provide.transaction.metadata=true.",
            "See `cutover explain torn`.",
        ],
    ),
    entry(
        CHECK,
        "i11_acknowledged",
        [
            "Looks for lost changes that the slot is confirmed beyond (I11).",
            "Noted positions of the slot in ledger/evidence.json; i11_acknowledged.sql.",
            "It finds acknowledged-ahead; unknown if something is lost and no position was noted.",
            "See `cutover explain acknowledged-ahead`.",
        ],
    ),
    entry(
        CHECK,
        "i13_sequences",
        [
            "Compares what sequences had given out on the old server with what comes next on the new one (I13).",
            "Values read by the run, in ledger/evidence.json; i13_sequences.sql.",
            "It finds key-reuse; without both looks, or without sequences, it does not run.",
            "See `cutover explain key-reuse`.",
        ],
    ),
    entry(
        CHECK,
        "i14_truncate",
        [
            "Looks at the order of truncates, and which of them nobody can place (I14).",
            "Truncates in the published ledger and the topic's partitions; i14_truncate.sql.",
            "It finds reordered and undecidable.",
            "See `cutover explain undecidable`.",
        ],
    ),
];
