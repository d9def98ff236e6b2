//! Transactions whose changes the committed ledger does not hold whole.
//!
//! The witness numbers the captured changes of a transaction 0, 1, 2, …, so a transaction with n changes has the
//! ordinals 0 to n-1, each once; anything else means that rows of the ledger are missing or double. The changes of a
//! transaction lie in many buckets, so this looks at the whole ledger: its rows are dealt to files by transaction, and
//! each file is sorted in memory. Memory depends on the largest file, not on the ledger.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use cutover_ledger::{Content, LedgerError, read_columns};
use datafusion::arrow::array::{Array, AsArray};
use datafusion::arrow::datatypes::{Int32Type, Int64Type};

use crate::error::AuditError;

/// Rows of a file at most, if transactions are small: 20 bytes each.
const DEALT_ROWS: u64 = 500_000;
const FILES_MAX: u64 = 256;
const ROW: usize = 20;

type Place = (i32, i64, i64);

/// Counts them in `files`, which hold `rows` rows in all; works in `folder`.
pub(crate) fn torn(files: &[PathBuf], rows: u64, folder: &Path) -> Result<u64, AuditError> {
    let hands = (rows / DEALT_ROWS + 1).min(FILES_MAX);
    let dealt: Vec<PathBuf> = (0..hands)
        .map(|number| folder.join(format!("transactions-{number}")))
        .collect();
    deal(files, &dealt)?;
    let mut torn = 0;
    for path in &dealt {
        torn += torn_in(path).map_err(AuditError::Workspace)?;
        std::fs::remove_file(path).map_err(AuditError::Workspace)?;
    }
    Ok(torn)
}

fn deal(files: &[PathBuf], dealt: &[PathBuf]) -> Result<(), AuditError> {
    let open = |path: &PathBuf| File::create(path).map(BufWriter::new);
    let writers: io::Result<Vec<BufWriter<File>>> = dealt.iter().map(open).collect();
    let mut writers = writers.map_err(AuditError::Workspace)?;
    let count = writers.len().max(1) as u64;
    for file in files {
        let columns = ["incarnation", "commit_lsn", "ordinal"];
        for batch in read_columns(file, Content::Changes, &columns)? {
            let batch = batch?;
            let long = |name: &str| {
                let column = batch.column_by_name(name);
                column.and_then(|column| column.as_primitive_opt::<Int64Type>())
            };
            let lives = batch.column_by_name("incarnation");
            let lives = lives.and_then(|column| column.as_primitive_opt::<Int32Type>());
            let (Some(lives), Some(commits), Some(ordinals)) =
                (lives, long("commit_lsn"), long("ordinal"))
            else {
                return Err(LedgerError::Damaged {
                    path: file.clone(),
                    reason: "it lacks the place of its changes".to_owned(),
                }
                .into());
            };
            for row in 0..batch.num_rows() {
                // What has no place is counted by `coverage.sql`.
                if commits.is_null(row) || ordinals.is_null(row) {
                    continue;
                }
                let place = (lives.value(row), commits.value(row), ordinals.value(row));
                let hand = place.1.cast_unsigned().wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32;
                if let Some(writer) = usize::try_from(hand % count)
                    .ok()
                    .and_then(|hand| writers.get_mut(hand))
                {
                    writer
                        .write_all(&bytes(place))
                        .map_err(AuditError::Workspace)?;
                }
            }
        }
    }
    for mut writer in writers {
        writer.flush().map_err(AuditError::Workspace)?;
    }
    Ok(())
}

fn bytes((incarnation, commit_lsn, ordinal): Place) -> [u8; ROW] {
    let mut bytes = [0; ROW];
    bytes[..4].copy_from_slice(&incarnation.to_le_bytes());
    bytes[4..12].copy_from_slice(&commit_lsn.to_le_bytes());
    bytes[12..].copy_from_slice(&ordinal.to_le_bytes());
    bytes
}

fn place(bytes: &[u8; ROW]) -> Place {
    let [a, b, c, d, rest @ ..] = *bytes;
    let (mut commit, mut ordinal) = ([0; 8], [0; 8]);
    commit.copy_from_slice(&rest[..8]);
    ordinal.copy_from_slice(&rest[8..]);
    (
        i32::from_le_bytes([a, b, c, d]),
        i64::from_le_bytes(commit),
        i64::from_le_bytes(ordinal),
    )
}

fn torn_in(path: &Path) -> io::Result<u64> {
    let mut reader = BufReader::new(File::open(path)?);
    let mut places = Vec::new();
    let mut row = [0; ROW];
    loop {
        match reader.read_exact(&mut row) {
            Ok(()) => places.push(place(&row)),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => break,
            Err(error) => return Err(error),
        }
    }
    places.sort_unstable();
    let transactions = places.chunk_by(|one, other| (one.0, one.1) == (other.0, other.1));
    let whole = |changes: &[Place]| changes.iter().zip(0..).all(|(change, at)| change.2 == at);
    Ok(transactions.filter(|changes| !whole(changes)).count() as u64)
}

#[cfg(test)]
mod tests {
    use cutover_ledger::ChangeWriter;
    use cutover_model::{ChangeRow, Op};

    use super::*;

    fn torn_of(places: &[Place]) -> u64 {
        let folder = tempfile::tempdir().unwrap();
        let ledger = folder.path().join("committed");
        let mut writer = ChangeWriter::create(&ledger, 1).unwrap();
        for (incarnation, commit_lsn, ordinal) in places {
            let row = ChangeRow {
                commit_lsn: Some(*commit_lsn),
                ordinal: Some(*ordinal),
                ..ChangeRow::new(*incarnation, "public.a", Op::Create)
            };
            writer.append(&row).unwrap();
        }
        writer.finish().unwrap();
        let survey = cutover_ledger::survey(&ledger, Content::Changes).unwrap();
        let files = survey.parts.concat();
        // As if the ledger were large: the rows are dealt to many files.
        torn(&files, 50 * DEALT_ROWS, folder.path()).unwrap()
    }

    #[test]
    fn missing_double_and_renumbered_changes_tear_a_transaction() {
        assert_eq!(
            torn_of(&[(0, 10, 0), (0, 10, 1), (0, 20, 0), (1, 10, 0)]),
            0
        );
        assert_eq!(torn_of(&[(0, 10, 1), (0, 20, 0)]), 1);
        assert_eq!(
            torn_of(&[(0, 10, 0), (0, 10, 2), (0, 20, 0), (0, 20, 0)]),
            2
        );
        assert_eq!(torn_of(&[(0, 10, 0), (1, 10, 1)]), 1);
    }

    #[test]
    fn a_place_is_the_same_after_its_way_through_a_file() {
        let (low, high) = ((i32::MIN, i64::MIN, 0), (7, i64::MAX, -1));
        assert_eq!((place(&bytes(low)), place(&bytes(high))), (low, high));
    }
}
