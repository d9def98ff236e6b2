//! Runs one plan on one connection and says what became of it.
//!
//! COMMIT is sent by itself, after every answer before it has arrived: so the transaction id is
//! known by then, and whatever goes wrong earlier means "rolled back" for certain. Only a COMMIT
//! without an answer is open. Two round trips per transaction: BEGIN, id and statements in one,
//! COMMIT in the other.

use std::time::{Duration, Instant};

use bytes::Bytes;
use cutover_clients::pg::PgError;
use cutover_clients::wait;
use futures_util::future::{join_all, join3};
use futures_util::{SinkExt, pin_mut};
use tokio::sync::watch;
use tokio_postgres::error::Severity;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Statement};

use crate::connection::{Connection, sql_error};
use crate::load::Phase;
use crate::plan::{Intent, Plan, Step, Value};

const TRANSACTION_ID: &str = "select pg_current_xact_id()::text";

/// Statements in flight at once; the driver keeps them in order.
const PIPELINE_MAX: usize = 24;

/// A server that gives no answer for so long counts as gone.
const PATIENCE: Duration = Duration::from_secs(30);

/// And for so long, once the load is to stop.
const STOP_PATIENCE: Duration = Duration::from_secs(3);

const HOLD_STEP: Duration = Duration::from_millis(50);

/// What became of a transaction.
pub(crate) enum Ending {
    /// COMMIT was acknowledged.
    Committed,
    /// Rolled back, as the plan wanted.
    RolledBack,
    /// The server takes no writes, or was gone before BEGIN; nothing was done.
    Refused,
    /// Certainly rolled back; another try may help.
    Failed,
    /// Certainly rolled back: the server's rows were not those that the session expected.
    Disagreed(String),
    /// Certainly rolled back, and it would be again.
    Broken(PgError),
    /// COMMIT was sent and never answered.
    CommitLost(u64),
}

/// A transaction that ran, or tried to.
pub(crate) struct Ran {
    /// What became of it.
    pub ending: Ending,
    /// Its id, if the server had told it.
    pub xid: Option<u64>,
    /// Whether the connection can be used again.
    pub usable: bool,
}

/// What stands in a transaction's way.
enum Trouble {
    /// The connection is gone, or the server went quiet.
    Lost,
    /// Writes are refused (25006).
    ReadOnly,
    /// Worth another try (serialisation, deadlock, resources).
    Passing,
    /// Row counts or unique keys are not what the session expects.
    Conflict(String),
    /// Anything else.
    Lasting(PgError),
}

/// How long a transaction stays open, and who may cut that short.
pub(crate) struct Limits<'a> {
    /// For [`Step::Hold`].
    pub hold: Duration,
    /// Phase of the load.
    pub phase: &'a mut watch::Receiver<Phase>,
}

/// Runs the plan to its end.
pub(crate) async fn run(connection: &mut Connection, plan: &Plan, limits: Limits<'_>) -> Ran {
    let (mut xid, mut begun) = (None, false);
    let Limits { hold, phase } = limits;
    let body = async {
        prepare_all(connection, plan).await?;
        begun = true;
        statements(connection, plan, &mut xid, (hold, phase.clone())).await
    };
    let mut watched = phase.clone();
    let held = plan.steps.contains(&Step::Hold);
    let limit = if held { PATIENCE + hold } else { PATIENCE };
    let done = match patiently(&mut watched, limit, body).await {
        Some(done) => done,
        None => Err(Trouble::Lost),
    };
    let client = &connection.client;
    match (done, plan.intent, xid) {
        (Ok(()), Intent::Commit, Some(xid)) => commit(client, xid, &mut watched).await,
        (Ok(()), _, xid) => {
            let usable = roll_back(client, &mut watched).await;
            Ran {
                ending: Ending::RolledBack,
                xid,
                usable,
            }
        }
        (Err(trouble), _, xid) => {
            let lost = matches!(trouble, Trouble::Lost);
            let usable = !lost && roll_back(client, &mut watched).await;
            let ending = match trouble {
                Trouble::ReadOnly => Ending::Refused,
                Trouble::Lost | Trouble::Passing if !begun => Ending::Refused,
                Trouble::Lost | Trouble::Passing => Ending::Failed,
                Trouble::Conflict(what) => Ending::Disagreed(what),
                Trouble::Lasting(error) => Ending::Broken(error),
            };
            Ran {
                ending,
                xid,
                usable,
            }
        }
    }
}

/// The whole part before COMMIT.
async fn statements(
    connection: &Connection,
    plan: &Plan,
    xid: &mut Option<u64>,
    (hold, mut phase): (Duration, watch::Receiver<Phase>),
) -> Result<(), Trouble> {
    let client = &connection.client;
    let mut segments = plan
        .steps
        .split_inclusive(|step| matches!(step, Step::Hold | Step::Copy { .. }));
    let first = segments.next().unwrap_or_default();
    let id = connection.prepared(TRANSACTION_ID).ok_or(Trouble::Lost)?;
    let (begun, told, done) = join3(
        client.batch_execute("begin"),
        client.query_one(id, &[]),
        pipeline(connection, plain(first)),
    )
    .await;
    begun.map_err(trouble)?;
    let text: String = told.map_err(trouble)?.get(0);
    *xid = text.parse().ok();
    done?;
    barrier(connection, first, hold, &mut phase).await?;
    for segment in segments {
        pipeline(connection, plain(segment)).await?;
        barrier(connection, segment, hold, &mut phase).await?;
    }
    Ok(())
}

/// The steps of a segment that can be sent without waiting for each other.
fn plain(segment: &[Step]) -> &[Step] {
    match segment.split_last() {
        Some((Step::Hold | Step::Copy { .. }, before)) => before,
        _ => segment,
    }
}

/// The step that ends a segment, if it is one that cannot be pipelined.
async fn barrier(
    connection: &Connection,
    segment: &[Step],
    hold: Duration,
    phase: &mut watch::Receiver<Phase>,
) -> Result<(), Trouble> {
    match segment.last() {
        Some(Step::Hold) => held(&connection.client, hold, phase).await,
        Some(Step::Copy { sql, data, rows }) => {
            let statement = connection.prepared(sql).ok_or(Trouble::Lost)?;
            let sink = connection
                .client
                .copy_in(statement)
                .await
                .map_err(trouble)?;
            pin_mut!(sink);
            sink.send(Bytes::from(data.clone()))
                .await
                .map_err(trouble)?;
            let copied = sink.finish().await.map_err(trouble)?;
            counted(sql, *rows, copied)
        }
        _ => Ok(()),
    }
}

/// Keeps the transaction open until the time is up, the load pauses or stops, or the server hangs
/// up.
async fn held(
    client: &Client,
    hold: Duration,
    phase: &mut watch::Receiver<Phase>,
) -> Result<(), Trouble> {
    let until = Instant::now() + hold;
    let stays = |phase: Phase| matches!(phase, Phase::Run | Phase::Rest);
    while Instant::now() < until && stays(*phase.borrow_and_update()) {
        if client.is_closed() {
            return Err(Trouble::Lost);
        }
        wait::pause(HOLD_STEP).await;
    }
    Ok(())
}

async fn pipeline(connection: &Connection, steps: &[Step]) -> Result<(), Trouble> {
    for steps in steps.chunks(PIPELINE_MAX) {
        for done in join_all(steps.iter().map(|step| one(connection, step))).await {
            done?;
        }
    }
    Ok(())
}

async fn one(connection: &Connection, step: &Step) -> Result<(), Trouble> {
    match step {
        Step::Command(text) => connection.client.batch_execute(text).await.map_err(trouble),
        Step::Statement { sql, values, rows } => {
            let statement = connection.prepared(sql).ok_or(Trouble::Lost)?;
            let touched = execute(&connection.client, statement, values).await?;
            counted(sql, *rows, touched)
        }
        Step::Copy { .. } | Step::Hold => Ok(()),
    }
}

async fn execute(client: &Client, statement: &Statement, values: &[Value]) -> Result<u64, Trouble> {
    let values: Vec<&(dyn ToSql + Sync)> = values.iter().map(|value| value as _).collect();
    client.execute(statement, &values).await.map_err(trouble)
}

fn counted(sql: &str, expected: u64, touched: u64) -> Result<(), Trouble> {
    if touched == expected {
        return Ok(());
    }
    let start: String = sql.chars().take(40).collect();
    Err(Trouble::Conflict(format!(
        "'{start}…' touched {touched} rows instead of {expected}"
    )))
}

async fn prepare_all(connection: &mut Connection, plan: &Plan) -> Result<(), Trouble> {
    connection.prepare(TRANSACTION_ID).await.map_err(trouble)?;
    for step in &plan.steps {
        match step {
            Step::Statement { sql, .. } => connection.prepare(sql).await.map_err(trouble)?,
            Step::Copy { sql, .. } => connection.prepare(sql).await.map_err(trouble)?,
            Step::Command(_) | Step::Hold => (),
        }
    }
    Ok(())
}

async fn commit(client: &Client, xid: u64, phase: &mut watch::Receiver<Phase>) -> Ran {
    let answer = patiently(phase, PATIENCE, client.batch_execute("commit")).await;
    let (ending, usable) = match answer {
        Some(Ok(())) => (Ending::Committed, true),
        // A plain error at COMMIT is the server's word that it rolled back. A fatal one is not: a
        // session can be told to go between its commit and the answer.
        Some(Err(error)) if is_plain_error(&error) => match trouble(error) {
            Trouble::Lasting(error) => (Ending::Broken(error), true),
            Trouble::Conflict(what) => (Ending::Disagreed(what), true),
            _ => (Ending::Failed, true),
        },
        Some(Err(_)) | None => (Ending::CommitLost(xid), false),
    };
    Ran {
        ending,
        xid: Some(xid),
        usable,
    }
}

async fn roll_back(client: &Client, phase: &mut watch::Receiver<Phase>) -> bool {
    let answer = patiently(phase, PATIENCE, client.batch_execute("rollback")).await;
    matches!(answer, Some(Ok(())))
}

/// Waits for the server, but not for ever, and not for long once the load is to stop.
async fn patiently<F: Future>(
    phase: &mut watch::Receiver<Phase>,
    limit: Duration,
    work: F,
) -> Option<F::Output> {
    let stopped = async {
        // An error means that the load itself is gone: the same as a stop.
        let _ = phase.wait_for(|phase| *phase == Phase::Stop).await;
        wait::pause(STOP_PATIENCE).await;
    };
    tokio::select! {
        biased;
        done = wait::within(limit, work) => done,
        () = stopped => None,
    }
}

fn is_plain_error(error: &tokio_postgres::Error) -> bool {
    error
        .as_db_error()
        .and_then(tokio_postgres::error::DbError::parsed_severity)
        == Some(Severity::Error)
}

fn trouble(error: tokio_postgres::Error) -> Trouble {
    let Some(code) = error.code().map(|state| state.code().to_owned()) else {
        return match error.is_closed() || is_io(&error) {
            true => Trouble::Lost,
            false => Trouble::Lasting(sql_error("running a statement", error)),
        };
    };
    match code.as_str() {
        "25006" => Trouble::ReadOnly,
        code if !is_plain_error(&error) || code.starts_with("08") || code.starts_with("57P") => {
            Trouble::Lost
        }
        code if ["40", "53", "55", "57"].contains(&&code[..2]) => Trouble::Passing,
        code if code.starts_with("23") => {
            Trouble::Conflict(sql_error("running a statement", error).to_string())
        }
        _ => Trouble::Lasting(sql_error("running a statement", error)),
    }
}

fn is_io(error: &tokio_postgres::Error) -> bool {
    std::error::Error::source(error).is_some_and(|source| source.is::<std::io::Error>())
}
