//! One Parquet file: written under a `.tmp` name, made durable, then renamed; read batch by batch.
//!
//! The rename is what makes a file exist: a crash before it leaves a `.tmp` that nobody reads, a
//! crash after it leaves the whole file. Renaming over an older, shorter version of the same file
//! is as safe.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use parquet::arrow::ArrowWriter;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader,
    ParquetRecordBatchReaderBuilder,
};
use parquet::basic::{Compression, Encoding};
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::schema::types::ColumnPath;

use crate::columns::{Cells, Kind, Record};
use crate::error::LedgerError;
use crate::format::{self, FORMAT_KEY};

/// Rows of one row group, and of one ledger file.
pub(crate) const GROUP_ROWS: usize = 65_536;
/// Rows that are in memory at a time while reading.
const READ_ROWS: usize = 4_096;

/// The name a file has while it is being written.
pub(crate) fn temporary(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".tmp");
    PathBuf::from(name)
}

/// Makes the entries of a folder durable.
pub(crate) fn sync_folder(folder: &Path) -> Result<(), LedgerError> {
    File::open(folder)
        .and_then(|handle| handle.sync_all())
        .map_err(LedgerError::io("sync", folder))
}

/// Gives a finished, synced temporary file its real name, durably.
pub(crate) fn publish(path: &Path) -> Result<(), LedgerError> {
    fs::rename(temporary(path), path).map_err(LedgerError::io("rename to", path))?;
    path.parent().map_or(Ok(()), sync_folder)
}

/// A file under construction.
pub(crate) struct PartFile {
    path: PathBuf,
    writer: ArrowWriter<File>,
}

impl PartFile {
    pub(crate) fn create<R: Record>(
        path: &Path,
        schema: SchemaRef,
    ) -> Result<PartFile, LedgerError> {
        let temporary = temporary(path);
        let file = File::create(&temporary).map_err(LedgerError::io("create", &temporary))?;
        let writer = ArrowWriter::try_new(file, schema, Some(properties::<R>()))
            .map_err(|source| encode(path, source))?;
        Ok(PartFile {
            path: path.to_owned(),
            writer,
        })
    }

    pub(crate) fn write(&mut self, batch: &RecordBatch) -> Result<(), LedgerError> {
        self.writer
            .write(batch)
            .map_err(|source| encode(&self.path, source))
    }

    /// Footer, fsync, rename, fsync of the folder: the rows are durable when this returns.
    pub(crate) fn finish(self) -> Result<(), LedgerError> {
        let file = self
            .writer
            .into_inner()
            .map_err(|source| encode(&self.path, source))?;
        file.sync_all()
            .map_err(LedgerError::io("sync", &self.path))?;
        publish(&self.path)
    }
}

/// How each column is written. Hashes cannot be made smaller and hardly repeat; other numbers lie near the one before
/// them; of texts, all but keys are few. What each is good at was measured (`docs/benchmarks.md`).
fn properties<R: Record>() -> WriterProperties {
    let mut properties = WriterProperties::builder()
        .set_compression(Compression::UNCOMPRESSED)
        .set_statistics_enabled(EnabledStatistics::Chunk)
        .set_max_row_group_row_count(Some(GROUP_ROWS))
        .set_created_by(format!("cutover {}", env!("CARGO_PKG_VERSION")))
        .set_key_value_metadata(Some(vec![KeyValue::new(
            FORMAT_KEY.to_owned(),
            R::FORMAT.to_owned(),
        )]));
    for (name, kind, _) in R::COLUMNS {
        let column = || ColumnPath::from(*name);
        let varied = R::VARIED.contains(name);
        if *kind == Kind::Text {
            properties = properties
                .set_column_compression(column(), Compression::SNAPPY)
                .set_column_dictionary_enabled(column(), !varied);
        } else {
            let encoding = match varied {
                true => Encoding::PLAIN,
                false => Encoding::DELTA_BINARY_PACKED,
            };
            properties = properties
                .set_column_dictionary_enabled(column(), false)
                .set_column_encoding(column(), encoding);
        }
    }
    properties.build()
}

/// A full disk arrives inside the encoder's error; it is taken out again so that its remedy is
/// shown.
fn encode(path: &Path, source: parquet::errors::ParquetError) -> LedgerError {
    if let parquet::errors::ParquetError::External(inner) = source {
        return match inner.downcast::<std::io::Error>() {
            Ok(source) => LedgerError::io("write", path)(*source),
            Err(inner) => LedgerError::Encode {
                path: path.to_owned(),
                source: parquet::errors::ParquetError::External(inner),
            },
        };
    }
    LedgerError::Encode {
        path: path.to_owned(),
        source,
    }
}

/// Opens a file of a known format; gives its reader and its number of rows.
pub(crate) fn open(
    path: &Path,
    format: &str,
) -> Result<(ParquetRecordBatchReader, u64), LedgerError> {
    let file = File::open(path).map_err(LedgerError::io("open", path))?;
    let metadata = load(path, &file, format)?;
    let rows = rows(&metadata);
    let reader = ParquetRecordBatchReaderBuilder::new_with_metadata(file, metadata)
        .with_batch_size(READ_ROWS)
        .build()
        .map_err(|error| LedgerError::damaged(path, error))?;
    Ok((reader, rows))
}

/// Some columns of a file, batch by batch, in file order; a column that the file lacks, being older, is left out.
pub(crate) fn open_columns(
    path: &Path,
    format: &str,
    columns: &[&str],
) -> Result<ParquetRecordBatchReader, LedgerError> {
    let file = File::open(path).map_err(LedgerError::io("open", path))?;
    let metadata = load(path, &file, format)?;
    let schema = metadata.metadata().file_metadata().schema_descr();
    let mask = ProjectionMask::columns(schema, columns.iter().copied());
    ParquetRecordBatchReaderBuilder::new_with_metadata(file, metadata)
        .with_batch_size(READ_ROWS)
        .with_projection(mask)
        .build()
        .map_err(|error| LedgerError::damaged(path, error))
}

/// Number of rows by the footer, after checking the format.
pub(crate) fn count(path: &Path, format: &str) -> Result<u64, LedgerError> {
    let file = File::open(path).map_err(LedgerError::io("open", path))?;
    Ok(rows(&load(path, &file, format)?))
}

fn load(path: &Path, file: &File, format: &str) -> Result<ArrowReaderMetadata, LedgerError> {
    let metadata = ArrowReaderMetadata::load(file, ArrowReaderOptions::new())
        .map_err(|error| LedgerError::damaged(path, error))?;
    let pairs = metadata.metadata().file_metadata().key_value_metadata();
    let found = pairs
        .into_iter()
        .flatten()
        .find(|pair| pair.key == FORMAT_KEY)
        .and_then(|pair| pair.value.as_deref());
    format::check(path, found, format)?;
    Ok(metadata)
}

fn rows(metadata: &ArrowReaderMetadata) -> u64 {
    u64::try_from(metadata.metadata().file_metadata().num_rows()).unwrap_or(0)
}

/// The rows of one file, one at a time.
pub(crate) struct PartRows<R> {
    path: PathBuf,
    reader: ParquetRecordBatchReader,
    ready: std::vec::IntoIter<R>,
}

impl<R: Record> PartRows<R> {
    pub(crate) fn open(path: &Path) -> Result<PartRows<R>, LedgerError> {
        let (reader, _) = open(path, R::FORMAT)?;
        Ok(PartRows {
            path: path.to_owned(),
            reader,
            ready: Vec::new().into_iter(),
        })
    }

    fn decode(&self, batch: &RecordBatch) -> Result<Vec<R>, LedgerError> {
        let mut cells = Cells::new::<R>(batch, &self.path)?;
        (0..batch.num_rows())
            .map(|row| cells.row(row))
            .collect::<Result<_, _>>()
            .map_err(|reason| LedgerError::damaged(&self.path, reason))
    }
}

impl<R: Record> Iterator for PartRows<R> {
    type Item = Result<R, LedgerError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(row) = self.ready.next() {
                return Some(Ok(row));
            }
            let batch = match self.reader.next()? {
                Ok(batch) => batch,
                Err(error) => return Some(Err(LedgerError::damaged(&self.path, error))),
            };
            match self.decode(&batch) {
                Ok(rows) => self.ready = rows.into_iter(),
                Err(error) => return Some(Err(error)),
            }
        }
    }
}
