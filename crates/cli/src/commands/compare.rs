//! `cutover compare`: the stored rows of two databases, exactly, with every row that differs.
//!
//! Reads only, each side in one snapshot. What differs is kept on disk while tables are read and printed at the end,
//! so neither the tables nor their differences need to fit into memory, and stdout never holds half a result.

use cutover_clients::pg::PgAddress;
use cutover_model::comparison::{Comparison, RowDifference};
use cutover_model::{ExitCode, Failure};
use cutover_record::compare::{CompareConfig, compare_telling};
use cutover_report::comparison::{
    TAIL_JSON, closing, difference, difference_json, head_json, table,
};

use super::Settings;
use crate::args::CompareWhat;
use crate::config::{self, Said};
use crate::output::{self, Outcome};
use crate::spool::Spool;

/// Compares, and ends with 0 only if every row is equal.
pub async fn run(what: CompareWhat, settings: Settings) -> Outcome {
    let (left, right) = match sides(&what) {
        Ok(sides) => sides,
        Err(failure) => return Outcome::Failed(failure),
    };
    let config = CompareConfig {
        left,
        right,
        tables: what.tables,
        show_rows: what.show_rows,
    };
    let progress = settings.progress();
    let events = progress.sink();
    let reading = tokio::task::spawn_blocking(move || {
        let mut spool = Spool::default();
        let compared = compare_telling(&config, &mut spool, &events);
        compared.map(|comparison| (comparison, spool))
    });
    let read = reading.await;
    progress.finish();
    let (comparison, spool) = match read {
        Ok(Ok(read)) => read,
        Ok(Err(error)) => return error.into(),
        Err(panic) => return Outcome::Failed(Failure::defect("compare").because(panic)),
    };
    let exit = ExitCode::of(comparison.verdict);
    match show(&comparison, spool, settings) {
        Ok(rest) => Outcome::Done(rest, exit),
        // What was found stays found, though nobody reads all of it.
        Err(failure) if exit != ExitCode::Pass => Outcome::Failed(Failure { exit, ..failure }),
        Err(failure) => Outcome::Failed(failure),
    }
}

/// Left and right.
fn sides(what: &CompareWhat) -> Result<(PgAddress, PgAddress), Failure> {
    let (left, right) = match what.databases.as_slice() {
        [left, right] => (Some(left), Some(right)),
        [right] => (None, Some(right)),
        _ => (None, None),
    };
    let left_file = ("--left-password-file", what.left_password_file.as_ref());
    let right_file = ("--right-password-file", what.right_password_file.as_ref());
    let left = side(what, ("the left database", left), left_file)?;
    Ok((left, side(what, ("the right database", right), right_file)?))
}

/// One side: of the argument, or of the configuration without one.
fn side(
    what: &CompareWhat,
    (side, address): (&'static str, Option<&String>),
    (flag, file): (&'static str, Option<&String>),
) -> Result<PgAddress, Failure> {
    let address = address.map(|address| ("postgres.address", side, address.clone()));
    let file = file.map(|file| ("postgres.password_file", flag, file.clone()));
    config::database(&Said {
        file: what.config.clone(),
        values: address.into_iter().chain(file).collect(),
    })
}

fn unread(error: std::io::Error) -> Failure {
    Failure::new(
        ExitCode::Refused,
        "CLI-COMPARE-002",
        "read the rows that differ, from where they were kept meanwhile",
        "set TMPDIR to another place and compare again",
    )
    .because(error)
}

/// Prints all but the end, which it gives.
fn show(comparison: &Comparison, spool: Spool, settings: Settings) -> Result<String, Failure> {
    let mut rows = spool.rows().map_err(unread)?.peekable();
    if settings.json {
        let failed = |error| Failure::of(&error);
        output::line(&head_json(comparison).map_err(failed)?)?;
        let mut first = true;
        for row in rows {
            let row = row.map_err(unread)?;
            output::line(&difference_json(&row, first).map_err(failed)?)?;
            first = false;
        }
        return Ok(TAIL_JSON.to_owned());
    }
    let look = settings.result_look();
    for one in &comparison.tables {
        output::line(&table(one, look))?;
        let of_it = |row: &std::io::Result<RowDifference>| {
            row.as_ref().map_or(true, |row| row.table == one.table)
        };
        while let Some(row) = rows.next_if(of_it) {
            output::line(&difference(&row.map_err(unread)?))?;
        }
    }
    Ok(closing(comparison, look))
}
