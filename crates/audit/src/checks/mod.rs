//! The checks: one SQL file each, whose rows are the findings.
//!
//! To add one: write `<name>.sql` with guarantee, method and caveats in its header, and register it
//! in [`ALL`]. The SQL reads the tables `attempted`, `committed`, `published`, `stored` (one bucket
//! of each), `matches` (`prepare/matches.sql`) and `evidence` (the one row of `evidence.json`), and
//! stays in the subset that DuckDB runs unchanged over the same files.

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
    /// It folds the whole log, so the log must be whole and free of truncates.
    pub folds: bool,
    /// What it asks of the witness.
    pub witness: WitnessNeed,
    /// Kinds that say something is *not* in the topics: certain only if the topics were read to the
    /// end.
    pub absence: &'static [FindingKind],
}

const CHANGES: &[LedgerKind] = &[LedgerKind::Committed, LedgerKind::Published];

/// A check of identities, which most are.
const IDENTITY: Check = Check {
    name: "",
    guarantee: "",
    sql: "",
    reads: CHANGES,
    identity: true,
    folds: false,
    witness: WitnessNeed::Partial,
    absence: &[],
};

/// A check of published records alone.
const RECORDS: Check = Check {
    reads: &[LedgerKind::Published],
    identity: false,
    witness: WitnessNeed::None,
    ..IDENTITY
};

/// Every check, in the order that reports list them.
pub const ALL: [Check; 9] = [
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
        reads: &[LedgerKind::Published, LedgerKind::Stored],
        folds: true,
        absence: &[FindingKind::Divergent],
        ..RECORDS
    },
    Check {
        name: "i9_snapshot",
        guarantee: "I9 snapshot",
        sql: include_str!("i9_snapshot.sql"),
        ..RECORDS
    },
    Check {
        name: "a1_attempted",
        guarantee: "attempted against committed",
        sql: include_str!("a1_attempted.sql"),
        reads: &[LedgerKind::Attempted, LedgerKind::Committed],
        identity: false,
        witness: WitnessNeed::Complete,
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
