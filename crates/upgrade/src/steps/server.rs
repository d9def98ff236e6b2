//! The servers: who starts, stops or makes them is behind `Hands`; what they are afterwards is asked of them.

use cutover_clients::pg::connect_admin;
use cutover_clients::pg::facts::server_facts;
use cutover_clients::pg::publication::count_rows;
use cutover_clients::pg::recovery;

use super::{cluster, logical, predict, standby};
use crate::cutover::Cutover;
use crate::error::UpgradeError;
use crate::hands::{Hands, Side};

pub(super) async fn stop<H: Hands>(
    cutover: &mut Cutover,
    hands: &mut H,
) -> Result<String, UpgradeError> {
    let seconds = hands.stop_server(Side::Old).await?;
    cutover.seen.server_seconds += seconds;
    Ok(format!("stopped after {seconds:.2} s"))
}

/// The crash is followed by a look at what the old server had committed, for the proof only: in the field that
/// machine may be gone.
pub(super) async fn crash<H: Hands>(
    cutover: &mut Cutover,
    hands: &mut H,
) -> Result<String, UpgradeError> {
    let seconds = hands.crash_server(Side::Old).await?;
    cutover.seen.server_seconds += seconds;
    Ok(format!("ended after {seconds:.2} s without a checkpoint"))
}

/// Back to the old server: it is started if it does not run, and both application and connector are to use it.
/// What was written on the new server stays there; the database that people use has it no more.
pub(super) async fn return_to_old<H: Hands>(
    cutover: &mut Cutover,
    hands: &mut H,
) -> Result<String, UpgradeError> {
    let back = hands.return_to_old().await?;
    cutover.new = None;
    (cutover.primary, cutover.reader) = (Side::Old, Side::Old);
    // An upgrade that had kept writers and autovacuum out of the old server left it so.
    let quiet = cluster::unquiet(cutover).await?;
    standby::drop_guard(cutover).await?;
    Ok(format!("{back}; {quiet}"))
}

pub(super) async fn start<H: Hands>(
    cutover: &mut Cutover,
    hands: &mut H,
) -> Result<String, UpgradeError> {
    let seconds = hands.start_server(Side::Old).await?;
    cutover.seen.server_seconds += seconds;
    Ok(format!("answers after {seconds:.2} s"))
}

/// A connector that was not stopped finds the server again by itself: that is a start too.
pub(super) async fn start_and_predict<H: Hands>(
    cutover: &mut Cutover,
    hands: &mut H,
) -> Result<String, UpgradeError> {
    let started = start(cutover, hands).await?;
    let name = cutover.stream.connector.clone();
    let status = cutover.connect.status(&name).await?;
    if status.is_none_or(|status| status.connector_state == "STOPPED") {
        return Ok(started);
    }
    let config = cutover.connect.config(&name).await?.unwrap_or_default();
    let prediction = predict::note(cutover, hands, &config).await?;
    let told = predict::told(&prediction);
    Ok(format!("{started}; {told}"))
}

pub(super) async fn prove_stopped(cutover: &Cutover) -> Result<String, UpgradeError> {
    match connect_admin(&cutover.old).await {
        Ok(_) => Err(UpgradeError::Disproved(
            "a server still answers at the old address".into(),
        )),
        // A refusal with an SQLSTATE ("shutting down", "too many clients") comes from a server that lives.
        Err(error) if error.sqlstate().is_some() => Err(UpgradeError::Disproved(format!(
            "a server still answers at the old address: {error}"
        ))),
        Err(_) => Ok("nobody answers at its address any more".into()),
    }
}

pub(super) async fn prove_started(
    cutover: &Cutover,
    version: Option<&str>,
) -> Result<String, UpgradeError> {
    let client = connect_admin(cutover.target()).await?;
    let facts = server_facts(&client).await?;
    match version {
        Some(planned) if !is_version(&facts.version, planned) => Err(UpgradeError::Disproved(
            format!("the server says {}, planned was {planned}", facts.version),
        )),
        _ => Ok(format!(
            "PostgreSQL {} answers at {}",
            facts.version, facts.current_lsn
        )),
    }
}

/// Writes are refused on the old side, so both sides stand still while they are counted.
pub(super) async fn prove_restored(cutover: &Cutover) -> Result<String, UpgradeError> {
    let old = connect_admin(&cutover.old).await?;
    let new = connect_admin(cutover.target()).await?;
    let mut rows = 0;
    for table in &cutover.stream.tables {
        let (before, after) = (
            count_rows(&old, table).await?,
            count_rows(&new, table).await?,
        );
        if before != after {
            return Err(UpgradeError::Disproved(format!(
                "{table} has {before} rows on the old server and {after} on the new one"
            )));
        }
        rows += after;
    }
    let sequences = logical::prove_sequences(&old, &new).await?;
    Ok(format!(
        "{rows} rows in {} tables, as many as on the old server; {sequences}",
        cutover.stream.tables.len()
    ))
}

/// A plan may name a major version only: `17` is met by `17.12`, `16.1` is not met by `16.14`.
fn is_version(found: &str, planned: &str) -> bool {
    let rest = found.strip_prefix(planned);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

pub(super) async fn swap_back<H: Hands>(
    cutover: &Cutover,
    hands: &mut H,
) -> Result<String, UpgradeError> {
    let version = cutover.before()?.server.version.clone();
    // The step before it (stop-server) is taken back next and starts what is in place then.
    hands.stop_server(Side::Old).await?;
    hands.swap_binaries(&version).await
}

pub(super) async fn create<H: Hands>(
    cutover: &mut Cutover,
    hands: &mut H,
    version: &str,
) -> Result<String, UpgradeError> {
    let address = hands.create_server(version).await?;
    let port = address.port;
    cutover.new = Some(address);
    Ok(format!("PostgreSQL {version} on port {port}"))
}

/// Nothing that counts was written to the new server.
/// A copy begins with a checkpoint, and a stop ends with one.
pub(super) async fn checkpoint(cutover: &Cutover) -> Result<String, UpgradeError> {
    let client = connect_admin(cutover.primary()).await?;
    recovery::checkpoint(&client).await?;
    Ok("what was dirty is written".into())
}

pub(super) async fn discard<H: Hands>(
    cutover: &mut Cutover,
    hands: &mut H,
) -> Result<String, UpgradeError> {
    let gone = hands.discard_new().await?;
    cutover.new = None;
    (cutover.primary, cutover.reader) = (Side::Old, Side::Old);
    Ok(gone)
}

pub(super) async fn restore<H: Hands>(
    cutover: &mut Cutover,
    hands: &mut H,
) -> Result<String, UpgradeError> {
    let restored = hands.restore_database().await?;
    let opened = hands.open_incarnation().await?;
    cutover.primary = Side::New;
    Ok(format!("{restored}; {opened}"))
}

#[cfg(test)]
mod tests {
    use super::is_version;

    #[test]
    fn a_major_version_is_met_by_its_minors_and_by_nothing_else() {
        assert!(is_version("17.12", "17") && is_version("16.14", "16.14"));
        assert!(!is_version("16.14", "16.1") && !is_version("17.12", "1"));
    }
}
