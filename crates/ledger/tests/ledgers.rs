//! Ledgers survive being written, torn, copied and aged; nothing is read as whole that is not.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::fs::{self, OpenOptions};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use cutover_ledger::{
    ChangeWriter, Content, LedgerError, StoredWriter, read_changes, read_stored, survey,
};
use cutover_model::canonical::{key_hash, keyless_hash};
use cutover_model::change::bucket;
use cutover_model::{ChangeRow, Classified, ExitCode, Half, Op, Outcome, StoredRow};

fn full_row() -> ChangeRow {
    ChangeRow {
        key: Some("{\"id\":\"1\"}".into()),
        key_hash: i64::MIN,
        before: Some(-1),
        after: Some(i64::MAX),
        revision: Some(3),
        xid: Some(4_294_967_295),
        lsn: Some(1),
        commit_lsn: Some(2),
        ordinal: Some(0),
        half: Half::NewKey,
        origin: Some("pg_16405".into()),
        outcome: Some(Outcome::Unknown),
        resolution: Some("pg_xact_status".into()),
        session: Some(7),
        transaction: Some(8),
        topic: Some("t.public.orders".into()),
        partition: Some(2),
        record_offset: Some(9),
        time_ms: Some(10),
        ..ChangeRow::new(1, "public.orders", Op::Update)
    }
}

fn numbered(count: i64) -> Vec<ChangeRow> {
    (0..count)
        .map(|number| {
            let key = format!("{{\"id\":\"{}\"}}", number % 997);
            ChangeRow {
                key_hash: key_hash("public.orders", &key),
                key: Some(key),
                lsn: Some(number),
                ..ChangeRow::new(0, "public.orders", Op::Update)
            }
        })
        .collect()
}

fn parts(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(parts(&path));
        } else if path
            .extension()
            .is_some_and(|extension| extension == "parquet")
        {
            files.push(path);
        }
    }
    files.sort();
    files
}

fn read(folder: &Path) -> Result<Vec<ChangeRow>, LedgerError> {
    read_changes(folder)?.collect()
}

fn write(folder: &Path, rows: &[ChangeRow], buckets: u16) {
    let mut writer = ChangeWriter::create(folder, buckets).unwrap();
    for row in rows {
        writer.append(row).unwrap();
    }
    assert_eq!(writer.finish().unwrap(), rows.len() as u64);
}

#[test]
fn every_field_survives_full_and_empty() {
    let folder = tempfile::tempdir().unwrap();
    let rows = vec![full_row(), ChangeRow::new(0, "public.log", Op::Create)];
    write(folder.path(), &rows, 1);
    assert_eq!(read(folder.path()).unwrap(), rows);

    let stored = tempfile::tempdir().unwrap();
    let row = |key: Option<&str>, image| StoredRow {
        incarnation: 1,
        relation: "public.orders".into(),
        key: key.map(str::to_owned),
        key_hash: keyless_hash("public.orders", None, image),
        image,
        revision: image,
    };
    let rows = vec![row(Some("{\"id\":\"1\"}"), Some(5)), row(None, None)];
    let mut writer = StoredWriter::create(stored.path(), 1).unwrap();
    for row in &rows {
        writer.append(row).unwrap();
    }
    assert_eq!(writer.rows(), 2);
    writer.finish().unwrap();
    let read: Vec<StoredRow> = read_stored(stored.path())
        .unwrap()
        .map(Result::unwrap)
        .collect();
    assert_eq!(read, rows);
}

#[test]
fn rows_lie_in_the_bucket_of_their_key_and_keep_their_order() {
    let folder = tempfile::tempdir().unwrap();
    let rows = numbered(20_000);
    write(folder.path(), &rows, 7);
    let mut read = read(folder.path()).unwrap();
    for pair in read.windows(2) {
        if pair[0].key == pair[1].key {
            assert!(pair[0].lsn < pair[1].lsn, "order inside a key is kept");
        }
    }
    read.sort_by_key(|row| row.lsn);
    assert_eq!(read, rows);
    let survey = survey(folder.path(), Content::Changes).unwrap();
    assert_eq!((survey.buckets, survey.rows), (7, 20_000));
    assert_eq!(
        survey
            .parts
            .iter()
            .filter(|parts| !parts.is_empty())
            .count(),
        7
    );
}

/// Old and new image of one row differ in hash, and whoever judges a table without key needs all of it at once.
#[test]
fn all_rows_of_a_table_without_key_lie_in_one_bucket() {
    let folder = tempfile::tempdir().unwrap();
    let row = |image: i64| ChangeRow {
        key_hash: keyless_hash("public.keyless", None, Some(image)),
        after: Some(image),
        ..ChangeRow::new(0, "public.keyless", Op::Create)
    };
    write(folder.path(), &(0..100).map(row).collect::<Vec<_>>(), 7);
    let rows = survey(folder.path(), Content::Changes).unwrap().rows_of;
    let place = usize::from(bucket("public.keyless", None, 7));
    assert_eq!((rows[place], rows.iter().sum()), (100, 100_u64));
}

#[test]
fn synced_rows_are_on_disk_once_however_often_sync_is_called() {
    let folder = tempfile::tempdir().unwrap();
    let rows = numbered(10_000);
    let mut writer = ChangeWriter::create(folder.path(), 2).unwrap();
    for (index, row) in rows.iter().enumerate() {
        writer.append(row).unwrap();
        if index % 100 == 99 {
            writer.sync().unwrap();
        }
    }
    writer.sync().unwrap();
    assert_eq!(count_rows(folder.path()), 10_000, "durable before finish");
    let files = parts(folder.path()).len();
    assert!(
        files <= 4,
        "{files} files: frequent syncs must not litter the folder"
    );
    writer.finish().unwrap();
    let mut read = read(folder.path()).unwrap();
    read.sort_by_key(|row| row.lsn);
    assert_eq!(read, rows);
}

fn count_rows(folder: &Path) -> i64 {
    let rows = |path: PathBuf| {
        let file = fs::File::open(path).unwrap();
        parquet::file::reader::FileReader::metadata(
            &parquet::file::serialized_reader::SerializedFileReader::new(file).unwrap(),
        )
        .file_metadata()
        .num_rows()
    };
    parts(folder).into_iter().map(rows).sum()
}

#[test]
fn a_ledger_of_more_rows_than_memory_may_hold_is_written_in_parts() {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = ChangeWriter::create(folder.path(), 3).unwrap();
    let keyless = ChangeRow::new(0, "public.log", Op::Create);
    for row in numbered(60_000) {
        writer.append(&row).unwrap();
        writer.append(&keyless).unwrap();
        writer.append(&keyless).unwrap();
    }
    // The last part may still be on its way to the disk.
    let until = Instant::now() + Duration::from_secs(30);
    let mut durable = 0;
    while durable < 180_000 - 98_304 && Instant::now() < until {
        durable = count_rows(folder.path());
    }
    assert!(
        durable >= 180_000 - 98_304,
        "{durable} rows were written before the end"
    );
    assert_eq!(writer.finish().unwrap(), 180_000);
    assert_eq!(read(folder.path()).unwrap().len(), 180_000);
}

#[test]
fn an_empty_ledger_is_whole_and_an_unfinished_one_is_not() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), &[], 4);
    assert_eq!(read(folder.path()).unwrap(), []);

    let unfinished = tempfile::tempdir().unwrap();
    let mut writer = ChangeWriter::create(unfinished.path(), 1).unwrap();
    writer.append(&full_row()).unwrap();
    writer.sync().unwrap();
    drop(writer);
    let error = read(unfinished.path()).unwrap_err();
    assert!(matches!(error, LedgerError::Incomplete { .. }), "{error}");
    assert_eq!(error.exit_code(), ExitCode::Unknown);
    let missing = read(&unfinished.path().join("nothing")).unwrap_err();
    assert!(matches!(missing, LedgerError::Incomplete { .. }));
}

#[test]
fn a_half_written_file_is_never_read() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), &[full_row()], 1);
    let torn = folder.path().join("bucket=00/part-00001.parquet.tmp");
    fs::write(torn, b"PAR1 and then the power went").unwrap();
    assert_eq!(read(folder.path()).unwrap().len(), 1);
}

#[test]
fn a_truncated_or_overwritten_file_is_reported_as_damaged() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), &numbered(5_000), 1);
    let part = parts(folder.path()).remove(0);
    let whole = fs::read(&part).unwrap();
    for length in [0, 3, whole.len() / 2, whole.len() - 1] {
        fs::write(&part, &whole[..length]).unwrap();
        let error = read(folder.path()).unwrap_err();
        assert!(
            matches!(error, LedgerError::Damaged { .. }),
            "{length}: {error}"
        );
        assert_eq!(error.exit_code(), ExitCode::Unknown);
    }
    let mut scratched = whole.clone();
    scratched[4..2_000].fill(0xEE);
    fs::write(&part, &scratched).unwrap();
    assert!(read(folder.path()).is_err(), "data pages were overwritten");
}

#[test]
fn a_ledger_that_lost_a_file_is_incomplete() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), &numbered(5_000), 2);
    fs::remove_file(parts(folder.path()).remove(0)).unwrap();
    let error = read(folder.path()).unwrap_err();
    assert!(matches!(error, LedgerError::Incomplete { .. }), "{error}");
}

#[test]
fn a_ledger_of_the_wrong_content_or_of_a_newer_format_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), &[full_row()], 1);
    let error = read_stored(folder.path()).err().unwrap();
    assert!(matches!(error, LedgerError::NotOurs { .. }), "{error}");
    assert_eq!(error.exit_code(), ExitCode::Usage);

    let summary = folder.path().join("ledger.json");
    let text = fs::read_to_string(&summary).unwrap();
    for (from, to) in [
        ("cutover.ledger/1", "cutover.ledger/2"),
        ("cutover.changes/1", "cutover.changes/2"),
    ] {
        fs::write(&summary, text.replace(from, to)).unwrap();
        let error = read(folder.path()).unwrap_err();
        assert!(matches!(error, LedgerError::Newer { .. }), "{error}");
        assert!(error.remedy().unwrap().contains("later"));
    }
    fs::write(&summary, "not json").unwrap();
    assert!(matches!(
        read(folder.path()).unwrap_err(),
        LedgerError::NotOurs { .. }
    ));
}

#[test]
fn a_parquet_file_of_another_program_or_of_a_newer_format_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), &[full_row()], 1);
    let part = parts(folder.path()).remove(0);
    for (format, newer) in [(None, false), (Some("cutover.changes/9"), true)] {
        rewrite(&part, format);
        let error = read(folder.path()).unwrap_err();
        assert_eq!(matches!(error, LedgerError::Newer { .. }), newer, "{error}");
        assert_eq!(error.exit_code(), ExitCode::Usage);
    }
}

fn rewrite(path: &Path, format: Option<&str>) {
    use arrow::array::{ArrayRef, Int32Array, RecordBatch};
    use parquet::file::metadata::KeyValue;
    let column: ArrayRef = std::sync::Arc::new(Int32Array::from(vec![1]));
    let batch = RecordBatch::try_from_iter([("x", column)]).unwrap();
    let pairs =
        format.map(|format| vec![KeyValue::new("cutover.format".into(), format.to_owned())]);
    let properties = parquet::file::properties::WriterProperties::builder()
        .set_key_value_metadata(pairs)
        .build();
    let file = OpenOptions::new()
        .write(true)
        .truncate(true)
        .open(path)
        .unwrap();
    let mut writer =
        parquet::arrow::ArrowWriter::try_new(file, batch.schema(), Some(properties)).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
}

#[test]
fn a_second_recorder_cannot_write_into_a_ledger_that_exists() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), &[full_row()], 1);
    let error = ChangeWriter::create(folder.path(), 1).err().unwrap();
    assert!(matches!(error, LedgerError::Exists { .. }));
    assert_eq!(error.exit_code(), ExitCode::Refused);
}
