//! The checks: one SQL file each, whose rows are the findings.
//!
//! To add one: write `<name>.sql` with guarantee, method and caveats in its header, and register it
//! in [`ALL`]. The SQL reads the tables `attempted`, `committed`, `published`, `stored` (one bucket
//! of each), `matches` (`prepare/matches.sql`), `truncates` (`prepare/truncates.sql`, of all
//! buckets), `evidence` and `lives` (from `evidence.json`), and stays in the subset that DuckDB runs
//! unchanged over the same files. A check that is `whole` runs once, over all buckets of `published`
//! and over `transactions` and `sequences` (the latter from `evidence.json`).

use cutover_model::FindingKind;
use cutover_model::run_folder::LedgerKind;

/// What a check asks of the witness.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WitnessNeed {
    /// Nothing: it does not look at committed changes.
    None,
    /// What the witness saw is enough to convict, all of it is needed to acquit.
    Partial,
    /// Without the whole log its findings would be wrong.
    Complete,
}

/// Of which streams a check is asked (`Evidence::scope`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Of {
    /// Of any, if the ledgers that it reads belong to it.
    Any,
    /// Of those with a beginning and a plan: a run, or a window.
    Planned,
    /// Of those without a witness, instead of a check against what was committed.
    Records,
}

/// One check.
#[derive(Debug, Clone, Copy)]
pub struct Check {
    /// Name of its file without `.sql`.
    pub name: &'static str,
    /// The guarantee it checks, as reports show it.
    pub guarantee: &'static str,
    /// Its SQL.
    pub sql: &'static str,
    /// Ledgers that it cannot do without.
    pub reads: &'static [LedgerKind],
    /// It compares identities, so records must carry their LSN.
    pub identity: bool,
    /// It folds the whole log, so the log must be whole.
    pub folds: bool,
    /// It reads `truncates`.
    pub truncates: bool,
    /// It looks at what lies in several buckets, and runs once over all of them.
    pub whole: bool,
    /// It reads `sequences`, and runs only where somebody looked at them.
    pub sequences: bool,
    /// What it asks of the witness.
    pub witness: WitnessNeed,
    /// Kinds that say something is *not* in the topics: certain only if the topics were read to the
    /// end.
    pub absence: &'static [FindingKind],
    /// Of which streams it is asked.
    pub of: Of,
    /// What must not have been left out for a pass: what is counted (`coverage.sql`), and how a reason
    /// says so after the number.
    pub asks: &'static [(&'static str, &'static str)],
}

/// Without a witness, the stored row is all that a record can be compared with.
pub(crate) const KEYED_STATE: &str = "keyed-state";

/// Truncates whose place nobody can know; what the check of I14 calls so, the fold leaves out.
const UNDECIDABLE: (&str, &str) = (
    "undecidable",
    "truncates of tables whose records stand in several partitions: where they belong among them is \
     undecidable (I14)",
);

const CHANGES: &[LedgerKind] = &[LedgerKind::Committed, LedgerKind::Published];

/// A check of identities, which most are.
const IDENTITY: Check = Check {
    name: "",
    guarantee: "",
    sql: "",
    reads: CHANGES,
    identity: true,
    folds: false,
    truncates: false,
    whole: false,
    sequences: false,
    witness: WitnessNeed::Partial,
    absence: &[],
    of: Of::Any,
    asks: &[],
};

/// A check of published records alone.
const RECORDS: Check = Check {
    reads: &[LedgerKind::Published],
    identity: false,
    witness: WitnessNeed::None,
    ..IDENTITY
};

/// Every check, in the order that reports list them.
pub const ALL: [Check; 16] = [
    Check {
        name: "i1_complete",
        guarantee: "I1 complete",
        sql: include_str!("i1_complete.sql"),
        absence: &[FindingKind::Lost],
        ..IDENTITY
    },
    Check {
        name: "i2_invention",
        guarantee: "I2 no invention",
        sql: include_str!("i2_invention.sql"),
        witness: WitnessNeed::Complete,
        ..IDENTITY
    },
    Check {
        name: "i3_once",
        guarantee: "I3 once",
        sql: include_str!("i3_once.sql"),
        absence: &[FindingKind::TombstoneMissing],
        ..IDENTITY
    },
    Check {
        name: "i3_repeated",
        guarantee: "I3 once",
        sql: include_str!("i3_repeated.sql"),
        identity: true,
        of: Of::Records,
        ..RECORDS
    },
    Check {
        name: "i4_key_order",
        guarantee: "I4 key order",
        sql: include_str!("i4_key_order.sql"),
        ..IDENTITY
    },
    Check {
        name: "i5_cut_order",
        guarantee: "I5 cut order",
        sql: include_str!("i5_cut_order.sql"),
        ..IDENTITY
    },
    Check {
        name: "i6_chain",
        guarantee: "I6 chain",
        sql: include_str!("i6_chain.sql"),
        truncates: true,
        witness: WitnessNeed::Complete,
        absence: &[FindingKind::BrokenChain],
        ..IDENTITY
    },
    Check {
        name: "i7_resurrection",
        guarantee: "I7 no resurrection",
        sql: include_str!("i7_resurrection.sql"),
        absence: &[FindingKind::Resurrected],
        ..RECORDS
    },
    Check {
        name: "i8_state",
        guarantee: "I8 state",
        sql: include_str!("i8_state.sql"),
        truncates: true,
        reads: &[LedgerKind::Published, LedgerKind::Stored],
        folds: true,
        absence: &[FindingKind::Divergent],
        asks: &[
            (
                "keyless-state",
                "records or rows have neither key nor image, so the state of their tables was not folded",
            ),
            (
                KEYED_STATE,
                "keys end with a record that does not hold the whole row (an untouched large value; \
                 an older form of the table, and the row is not that with what ADD COLUMN filled \
                 in), so whether it is the stored row is not known",
            ),
            (
                "before-capture",
                "rows have no record, and the connector took no snapshot: they may have been there before it",
            ),
            UNDECIDABLE,
        ],
        ..RECORDS
    },
    Check {
        name: "i9_snapshot",
        guarantee: "I9 snapshot",
        sql: include_str!("i9_snapshot.sql"),
        of: Of::Planned,
        ..RECORDS
    },
    Check {
        name: "i9_reread",
        guarantee: "I9 snapshot",
        sql: include_str!("i9_reread.sql"),
        of: Of::Records,
        ..RECORDS
    },
    Check {
        name: "i10_transaction",
        guarantee: "I10 transaction",
        sql: include_str!("i10_transaction.sql"),
        identity: true,
        whole: true,
        absence: &[FindingKind::Torn],
        ..RECORDS
    },
    Check {
        name: "i11_acknowledged",
        guarantee: "I11 acknowledged",
        sql: include_str!("i11_acknowledged.sql"),
        absence: &[FindingKind::AcknowledgedAhead],
        asks: &[(
            "no-position",
            "lost changes are of a life in which nobody noted how far the slot was confirmed",
        )],
        ..IDENTITY
    },
    Check {
        name: "i13_sequences",
        guarantee: "I13 sequences",
        sql: include_str!("i13_sequences.sql"),
        reads: &[],
        whole: true,
        sequences: true,
        ..RECORDS
    },
    Check {
        name: "i14_truncate",
        guarantee: "I14 truncate",
        sql: include_str!("i14_truncate.sql"),
        truncates: true,
        asks: &[UNDECIDABLE],
        ..IDENTITY
    },
    Check {
        name: "a1_attempted",
        guarantee: "attempted against committed",
        sql: include_str!("a1_attempted.sql"),
        reads: &[LedgerKind::Attempted, LedgerKind::Committed],
        identity: false,
        witness: WitnessNeed::Complete,
        asks: &[(
            "no-xid",
            "acknowledged changes have no transaction id to look them up by",
        )],
        ..IDENTITY
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_the_folder_in_order() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/checks");
        let mut files: Vec<String> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter_map(|name| name.strip_suffix(".sql").map(str::to_owned))
            .collect();
        files.sort();
        let mut listed: Vec<&str> = ALL.iter().map(|check| check.name).collect();
        listed.sort_unstable();
        assert_eq!(files, listed);
        for check in ALL {
            let path = format!("{folder}/{}.sql", check.name);
            assert_eq!(std::fs::read_to_string(path).unwrap(), check.sql);
        }
    }

    #[test]
    fn every_check_says_its_guarantee_method_and_caveats() {
        for check in ALL {
            let header: String = check
                .sql
                .lines()
                .take_while(|line| line.starts_with("--"))
                .collect();
            for part in ["Finds: ", "Method: ", "Caveats: "] {
                assert!(header.contains(part), "{} lacks '{part}'", check.name);
            }
            let guarantee = check.guarantee.split(' ').next().unwrap();
            assert!(header.contains(guarantee) || check.name == "a1_attempted");
            for kind in check.absence {
                assert!(header.contains(kind.name()), "{}: {kind}", check.name);
            }
        }
    }
}
