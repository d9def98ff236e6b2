//! The table recorder beside `COPY … TO STDOUT` by psql into nothing, on the same table in turn; the best time of each
//! counts. The recorder does more: canonical values, hashes, and a ledger on disk.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Instant;

use cutover_clients::pg::{self, PgAddress, publication};
use cutover_ledger::{StoredWriter, buckets_for};
use cutover_model::{Relation, TableShape};
use cutover_record::tables::record_tables;

use crate::error::BenchError;
use crate::figure::{Figure, peak_bytes};
use crate::server::{drop_database, execute, make_database, program, scratch, timed};

const ROUNDS: usize = 3;

/// What to read, and where.
#[derive(Debug, Clone)]
pub struct TablesBench {
    /// A server on which databases may be made.
    pub server: PgAddress,
    /// Rows of the table.
    pub rows: u64,
    /// Where the ledgers are written meanwhile.
    pub folder: PathBuf,
    /// The program psql.
    pub psql: PathBuf,
}

/// Columns of the tables that are measured with, and a row for number `n`: about 150 bytes as text.
pub(crate) const COLUMNS: &str = "id bigint PRIMARY KEY, customer_id bigint, status text, note text, \
     amount numeric(12,2), placed_at timestamptz, paid boolean, revision bigint, reference uuid, address text";
pub(crate) const VALUES: &str = "n, n % 7919, 'shipped', 'left at the door ' || n % 977, (n % 99991) / 7.0, \
     timestamptz '2026-01-01' + n * interval '1 second', n % 3 = 0, n % 5, md5(n::text)::uuid, \
     n % 7919 || ' Long Street, Anytown'";

/// Makes a table, reads it both ways, and removes it.
///
/// # Errors
/// The server, psql, the recorder; or not every row became one of the ledger.
pub async fn tables(bench: TablesBench) -> Result<Vec<Figure>, BenchError> {
    let database = make_database(&bench.server, "tables").await?;
    let measured = measure(&bench, &database).await;
    drop_database(&bench.server, &database).await?;
    measured
}

async fn measure(bench: &TablesBench, database: &PgAddress) -> Result<Vec<Figure>, BenchError> {
    let session = pg::connect_admin(database).await?;
    let rows = bench.rows.max(1);
    let fill = format!(
        "CREATE TABLE orders ({COLUMNS}); INSERT INTO orders SELECT {VALUES} FROM generate_series(1, {rows}) n"
    );
    execute(&session, &fill).await?;
    execute(&session, "VACUUM (ANALYZE) orders").await?;
    let wanted = [Relation::new("public", "orders")];
    let shapes = publication::table_shapes(&session, &wanted).await?;
    let (mut ours, mut theirs) = (f64::INFINITY, f64::INFINITY);
    for _ in 0..ROUNDS {
        theirs = theirs.min(with_psql(bench, database)?);
        ours = ours.min(with_recorder(bench, database, &shapes, rows).await?);
    }
    let per_second = |seconds: f64| rows as f64 / seconds;
    let size = format!("{rows} rows of 10 columns");
    let mut figures = vec![
        Figure::new(
            format!("{size}: COPY TO STDOUT by psql"),
            per_second(theirs),
            "rows/s",
        ),
        Figure::new(
            format!("{size}: table to stored ledger"),
            per_second(ours),
            "rows/s",
        ),
        Figure::new("table to ledger against psql", theirs / ours, "×"),
    ];
    if let Some(peak) = peak_bytes() {
        let mib = peak as f64 / f64::from(1 << 20);
        figures.push(Figure::new("peak memory of this process", mib, "MiB"));
    }
    Ok(figures)
}

fn with_psql(bench: &TablesBench, database: &PgAddress) -> Result<f64, BenchError> {
    let mut command = program(&bench.psql, database);
    command.args(["-X", "-q", "-c", "COPY orders TO STDOUT"]);
    command.stdout(Stdio::null());
    Ok(timed(command, "psql")?.0)
}

async fn with_recorder(
    bench: &TablesBench,
    database: &PgAddress,
    shapes: &[TableShape],
    rows: u64,
) -> Result<f64, BenchError> {
    let folder = scratch(Path::new(&bench.folder))?;
    let begun = Instant::now();
    let mut writer = StoredWriter::create(folder.path(), buckets_for(rows))?;
    record_tables(database, shapes, 0, &mut writer).await?;
    let written = writer.finish()?;
    let seconds = begun.elapsed().as_secs_f64();
    if written == rows {
        return Ok(seconds);
    }
    Err(BenchError::Void(format!(
        "{rows} rows, {written} in the ledger"
    )))
}
