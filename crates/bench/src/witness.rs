//! The witness beside `pg_recvlogical -f /dev/null`, each on a slot of its own that was made before the first change,
//! so both get exactly the same stream. The best time of each counts. The witness does more: it decodes, hashes both
//! images and keeps a ledger on disk, confirming as it goes.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use cutover_clients::pg::{self, Client, PgAddress, facts, marker, publication, slots};
use cutover_clients::wait::{self, Poll};
use cutover_ledger::{ChangeWriter, buckets_for};
use cutover_model::{Lsn, Relation, TableShape};
use cutover_record::RecordError;
use cutover_record::witness::{Witness, WitnessConfig};

use crate::error::BenchError;
use crate::figure::{Figure, peak_bytes};
use crate::server::{drop_database, execute, make_database, program, scratch, timed};
use crate::tables::{COLUMNS, VALUES};

const ROUNDS: usize = 3;
const MARKERS: &str = "cutover_bench";
const PUBLICATION: &str = "cutover_bench";
/// Rows of one transaction.
const TRANSACTION_ROWS: u64 = 100;
const PATIENCE: Duration = Duration::from_secs(3600);

/// What to follow, and where.
#[derive(Debug, Clone)]
pub struct WitnessBench {
    /// A server on which databases and slots may be made.
    pub server: PgAddress,
    /// Rows that are written.
    pub rows: u64,
    /// Where the ledgers are written meanwhile.
    pub folder: PathBuf,
    /// The program pg_recvlogical.
    pub pg_recvlogical: PathBuf,
}

/// Writes changes, follows them both ways, and removes what was made.
///
/// # Errors
/// The server, pg_recvlogical, the witness; or not every change is in the ledger.
pub async fn witness(bench: WitnessBench) -> Result<Vec<Figure>, BenchError> {
    let database = make_database(&bench.server, "witness").await?;
    let measured = measure(&bench, &database).await;
    let session = pg::connect_admin(&database).await?;
    for slot in names() {
        execute(
            &session,
            &format!(
                "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = '{slot}'"
            ),
        )
        .await?;
    }
    drop(session);
    drop_database(&bench.server, &database).await?;
    measured
}

/// A slot for each round of either.
fn names() -> Vec<String> {
    let own = std::process::id();
    let kinds = ["ours", "theirs"];
    let name = |round| kinds.map(|kind| format!("cutover_bench_{kind}_{round}_{own}"));
    (0..ROUNDS).flat_map(name).collect()
}

async fn measure(bench: &WitnessBench, database: &PgAddress) -> Result<Vec<Figure>, BenchError> {
    let session = pg::connect_admin(database).await?;
    let rows = bench.rows.div_ceil(TRANSACTION_ROWS) * TRANSACTION_ROWS;
    let table = Relation::new("public", "orders");
    execute(&session, &format!("CREATE TABLE orders ({COLUMNS})")).await?;
    publication::create_publication(&session, PUBLICATION, std::slice::from_ref(&table)).await?;
    let shapes = publication::table_shapes(&session, &[table]).await?;
    for slot in names() {
        slots::create_slot(&session, &slot, "pgoutput").await?;
    }
    let fill = format!(
        "DO $$ BEGIN FOR base IN 0..{} BY {TRANSACTION_ROWS} LOOP
           INSERT INTO orders SELECT {VALUES}
             FROM generate_series(base + 1, base + {TRANSACTION_ROWS}) n;
           COMMIT;
         END LOOP; END $$",
        rows - 1
    );
    execute(&session, &fill).await?;
    marker::emit_message(&session, MARKERS, "end").await?;
    let end = facts::current_lsn(&session).await?;
    let (mut ours, mut theirs) = (f64::INFINITY, f64::INFINITY);
    for pair in names().chunks(2) {
        let [own, other] = pair else { continue };
        theirs = theirs.min(with_pg_recvlogical(bench, database, other, end)?);
        ours = ours.min(with_witness(bench, database, own, &shapes, rows).await?);
        forget(&session, own, other).await?;
    }
    let per_second = |seconds: f64| rows as f64 / seconds;
    let size = format!("{rows} rows, {TRANSACTION_ROWS} in a transaction");
    let mut figures = vec![
        Figure::new(
            format!("{size}: pg_recvlogical -f /dev/null"),
            per_second(theirs),
            "rows/s",
        ),
        Figure::new(
            format!("{size}: slot to committed ledger"),
            per_second(ours),
            "rows/s",
        ),
        Figure::new("witness against pg_recvlogical", theirs / ours, "×"),
    ];
    if let Some(peak) = peak_bytes() {
        let mib = peak as f64 / f64::from(1 << 20);
        figures.push(Figure::new("peak memory of this process", mib, "MiB"));
    }
    Ok(figures)
}

async fn forget(session: &Client, own: &str, other: &str) -> Result<(), BenchError> {
    slots::drop_slot(session, own).await?;
    slots::drop_slot(session, other).await?;
    Ok(())
}

fn with_pg_recvlogical(
    bench: &WitnessBench,
    database: &PgAddress,
    slot: &str,
    end: Lsn,
) -> Result<f64, BenchError> {
    let mut command = program(&bench.pg_recvlogical, database);
    command.args(["--start", "--slot", slot, "-f", "/dev/null", "--no-loop"]);
    command.args(["--endpos", &end.to_string(), "-d", &database.database]);
    command.args(["-o", "proto_version=1", "-o", "messages=true"]);
    command.args(["-o", &format!("publication_names={PUBLICATION}")]);
    Ok(timed(command, "pg_recvlogical")?.0)
}

async fn with_witness(
    bench: &WitnessBench,
    database: &PgAddress,
    slot: &str,
    shapes: &[TableShape],
    rows: u64,
) -> Result<f64, BenchError> {
    let folder = scratch(&bench.folder)?;
    let begun = Instant::now();
    let writer = ChangeWriter::create(folder.path(), buckets_for(rows))?;
    let writer = Arc::new(Mutex::new(writer));
    let config = WitnessConfig {
        address: database.clone(),
        slot: slot.to_owned(),
        publication: PUBLICATION.to_owned(),
        incarnation: 0,
        shapes: shapes.to_vec(),
        marker_prefix: MARKERS.to_owned(),
    };
    let witness = Witness::start(config, Arc::clone(&writer))?;
    let seen = wait::until(
        "the last change",
        PATIENCE,
        Duration::from_millis(5),
        async || {
            let status = witness.status();
            Ok::<_, RecordError>(match (witness.saw_marker("end"), status.error) {
                (Some(_), _) => Poll::Ready(()),
                (None, Some(error)) => return Err(RecordError::Witness(error)),
                (None, None) => Poll::NotYet(format!("{} changes", status.changes)),
            })
        },
    );
    seen.await
        .map_err(|error| BenchError::Void(error.to_string()))?;
    let end = witness.stop()?;
    let seconds = begun.elapsed().as_secs_f64();
    if end.changes == rows {
        return Ok(seconds);
    }
    Err(BenchError::Void(format!(
        "{rows} changes, {} in the ledger",
        end.changes
    )))
}
