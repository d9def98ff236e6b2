//! Guarantees, proof levels and verdicts: what is promised, and what shows it (`docs/guarantees.md`).

use super::{Explanation, Family, entry};

const OF: Family = Family::Guarantee;

/// In the order of `docs/guarantees.md`.
pub const ALL: &[Explanation] = &[
    entry(
        OF,
        "I1",
        [
            "Complete: each change committed before the fence is published, with its key, operation and content.",
            "The check i1_complete, and findings lost and divergent: LSN, transaction and key of each.",
            "The connector went on from a position beyond what it had delivered: a slot made too late, or an offset \
             of another life of the database.",
            "Compare the stored offset with the slot's consistent point; choose a proven runbook; `cutover gap show \
             RUN` says what can be put right.",
        ],
    ),
    entry(
        OF,
        "I2",
        [
            "No invention: each published change was committed.",
            "The check i2_invention, and findings phantom and aborted: topic, partition and offset of each.",
            "A restore went back before changes that were already published, or an upgrade was taken back.",
            "Tell consumers of the topic which records are void; `cutover gap close` puts the state of their keys \
             right.",
        ],
    ),
    entry(
        OF,
        "I3",
        [
            "Once: each committed change is published once, with one tombstone per keyed delete where tombstones are \
             on.",
            "The check i3_once, and findings duplicated and tombstone-missing.",
            "The connector began again from an older position, or read the tables again.",
            "See how the runbook leaves the offset before the connector's start, and what `cutover predict` says of \
             it.",
        ],
    ),
    entry(
        OF,
        "I4",
        [
            "Key order: records of one key stand in commit order, in one partition.",
            "The check i4_key_order, and findings reordered and repartitioned: partition and offset.",
            "The topic got more partitions in between, the key of records changed, or a producer retried without \
             idempotence.",
            "Compare the number of partitions before and after; keep the connector's key options and producer \
             settings as they were.",
        ],
    ),
    entry(
        OF,
        "I5",
        [
            "Cut order: in a partition, no record of the old life of the database follows one of the new.",
            "The check i5_cut_order, and finding interleaved.",
            "Two connectors wrote to the same topics at the same time, or the old one was started once more.",
            "Make sure that the old connector is deleted or stopped before the new server takes writes.",
        ],
    ),
    entry(
        OF,
        "I6",
        [
            "Chain: of a key, an insert or snapshot record, then updates, then a delete; each old image is the new \
             image of the record before it.",
            "The check i6_chain, and finding broken-chain.",
            "By itself a snapshot that the changes after it do not go on from; else something lost or doubled beside \
             it.",
            "Look at lost and duplicated first; a chain that is broken without them needs a re-read of the key.",
        ],
    ),
    entry(
        OF,
        "I7",
        [
            "No resurrection: nothing for a key follows its delete unless it was inserted again.",
            "The check i7_resurrection, and finding resurrected.",
            "An old record came after the delete: repeated events, or a snapshot that raced with it.",
            "Look at the records of the key around the delete; `cutover gap close` writes the delete again.",
        ],
    ),
    entry(
        OF,
        "I8",
        [
            "State: the published log, folded per key, gives the rows of the table.",
            "The check i8_state, and finding divergent; `cutover gap show RUN` lists key by key.",
            "Lost, repeated or invented events before it, or a column whose content the connector does not send \
             (unchanged TOAST).",
            "Look at the other findings of the key first; close the gap with `cutover gap close` or by a re-read.",
        ],
    ),
    entry(
        OF,
        "I9",
        [
            "Snapshot: records of a snapshot (op=r) appear only where the plan allows them.",
            "The check i9_snapshot, and finding unplanned-snapshot with the number of records.",
            "snapshot.mode reads everything again because the offset was gone or named another server.",
            "Set snapshot.mode=no_data (never up to 2.5) for a start that has an offset; `cutover lint` shows \
             CUT-LINT-005.",
        ],
    ),
    entry(
        OF,
        "I10",
        [
            "Transaction: BEGIN and END of each transaction are there once and count what is in the topics; a \
             changed key is a delete and an insert of one transaction.",
            "The check i10_transaction, and finding torn.",
            "The connector was ended inside a transaction and took its first part for delivered, or went on inside it.",
            "Stop the connector at a place between transactions: drain first, then stop; see the scenario \
             worker-crash.",
        ],
    ),
    entry(
        OF,
        "I11",
        [
            "Acknowledged: no committed change is missing that the slot is confirmed beyond.",
            "The check i11_acknowledged, and confirmed_flush_lsn as noted at each cut and at the fence.",
            "The slot was advanced, or made anew, beyond what had been delivered.",
            "What is missing is not sent again by any connector: it takes a re-read or a repair.",
        ],
    ),
    entry(
        OF,
        "I12",
        [
            "Switch: writes on the old side are proven stopped, and the new slot exists before the first write on \
             the new side.",
            "The proofs of the steps that refuse writes and make the slot, in the report and in journal.jsonl.",
            "A runbook that lets writers in before the slot is made.",
            "Use a proven runbook; its steps do not begin before the one before has shown its proof.",
        ],
    ),
    entry(
        OF,
        "I13",
        [
            "Sequences: a sequence gives no value out again after the switch.",
            "The check i13_sequences, and the proof of the step that carries them over after a dump or a logical copy.",
            "Logical replication and a dump taken early do not carry the last values.",
            "Let the runbook set them after writes are refused; other upgrade kinds take them along by themselves.",
        ],
    ),
    entry(
        OF,
        "I14",
        [
            "Truncate: where a table's records stand in one partition, its truncates stand there in commit order; \
             elsewhere nobody can know.",
            "The check i14_truncate, and findings reordered and undecidable.",
            "A table with several partitions was truncated: the record stands in one of them only.",
            "Do not truncate captured tables during an upgrade, or give them one partition; the verdict is unknown \
             otherwise.",
        ],
    ),
    entry(
        OF,
        "I15",
        [
            "Repair: closing a gap a second time writes nothing.",
            "The second run of `cutover gap close --apply`: its number of records.",
            "The stream wrote to a key between the two.",
            "Run `cutover gap show` again; stop the connector while a gap is closed.",
        ],
    ),
    entry(
        OF,
        "I16",
        [
            "Resumption: a driver that is killed at any instant and replaced comes to the same end.",
            "journal.jsonl: the last line is where another driver goes on; scenarios with broken_off = true show it.",
            "A machine that went down, or a user who ended the command.",
            "Resume the plan instead of doing steps by hand; a run that was killed and not resumed stays unknown.",
        ],
    ),
    entry(
        OF,
        "P0",
        [
            "Proof level P0: only counts were compared.",
            "The reasons of the verdict name what was missing.",
            "Neither keys nor positions could be read from records.",
            "Record with a payload that has source.lsn and op, and give the recorder a witness.",
        ],
    ),
    entry(
        OF,
        "P1",
        [
            "Proof level P1: the log folded per key gives the stored rows; single events were not identified.",
            "The reasons of the verdict, and the payload line in ledger/evidence.json.",
            "Records carry no position (an unwrapping transformation without add.fields).",
            "Add source.lsn and op to the records, for example add.fields=op,source.lsn,source.txId.",
        ],
    ),
    entry(
        OF,
        "P2",
        [
            "Proof level P2: every record was identified by its own position and transaction.",
            "The reasons of the verdict.",
            "There was no witness, so an error that Debezium and its slot make together would not be seen.",
            "Allow a witness slot for the time of the upgrade.",
        ],
    ),
    entry(
        OF,
        "P3",
        [
            "Proof level P3: every event was compared with what an independent witness saw committed.",
            "The reasons of the verdict say what P4 would have needed.",
            "Markers did not reach every partition, or neither transaction metadata nor complete ordinals were there.",
            "It is enough for most purposes; provide.transaction.metadata=true raises it.",
        ],
    ),
    entry(
        OF,
        "P4",
        [
            "Proof level P4: as P3, between markers on every partition, with complete places inside transactions.",
            "The checks, all of which ran.",
            "Nothing is missing.",
            "Nothing to do.",
        ],
    ),
    entry(
        OF,
        "pass",
        [
            "Every check ran, had its input, and found nothing.",
            "The checks and the proof level beside it.",
            "The stream lost, repeated and invented nothing up to the fence.",
            "Nothing to do; the proof level says how strong the statement is. Exit code 0.",
        ],
    ),
    entry(
        OF,
        "unknown",
        [
            "Something that was needed is missing, so neither good nor bad is proven. Never exit code 0.",
            "The reasons of the verdict, and checks whose verdict is unknown.",
            "A run that broke off, a partition that was not read to its end, records that could not be decoded.",
            "Remove the reason that is named first and run again. Exit code 5.",
        ],
    ),
    entry(
        OF,
        "fail",
        [
            "A guarantee is violated, and the evidence is named.",
            "The findings, with key, LSN, transaction, topic, partition and offset.",
            "See the kind of each finding: `cutover explain lost`, and so on.",
            "Exit code 4 unless the scenario expects just this.",
        ],
    ),
];
