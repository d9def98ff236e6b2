//! A copy of the slot before the connector starts, on versions of Debezium that move the slot by themselves: 2.1 to
//! 2.4 call `pg_replication_slot_advance` with the stored offset at each start (source of 2.1.0 to 2.4.2,
//! PostgresReplicationConnection), and the server clamps that to the end of its log. What such a start skips is gone
//! from the slot at once; from a copy it can still be had.
//!
//! Stands around the start of the connector, in proven runbooks only. The copy keeps log as any slot does, so it goes
//! as soon as a marker has passed the whole stream.

use cutover_clients::pg::connect_admin;
use cutover_clients::pg::slots::{copy_slot, drop_slot, slot};

use super::connector;
use crate::cutover::Cutover;
use crate::error::UpgradeError;
use crate::predict::DebeziumVersion;

/// The copy's name. Slot names may have 63 letters.
fn name(cutover: &Cutover) -> String {
    let kept: String = cutover.stream.slot.chars().take(55).collect();
    format!("{kept}_kept")
}

/// Whether this version moves the slot at a start, whatever its options.
fn moves_slot(version: &str) -> Result<bool, UpgradeError> {
    let version: DebeziumVersion = version.parse()?;
    Ok(version >= "2.1.0".parse()? && version < "2.5.0".parse()?)
}

/// Makes the copy where the version asks for it. Idempotent; the text is for the journal.
pub(super) async fn keep(cutover: &mut Cutover, version: &str) -> Result<String, UpgradeError> {
    if !cutover.seen.proven || !moves_slot(version)? {
        return Ok(String::new());
    }
    let client = connect_admin(cutover.target()).await?;
    let copy = name(cutover);
    // Remembered first: a copy that nobody remembers would keep log for ever.
    cutover.seen.slot_copied = true;
    if slot(&client, &copy).await?.is_none() {
        copy_slot(&client, &cutover.stream.slot, &copy).await?;
    }
    Ok(format!(
        "; slot copied to {copy} first (Debezium {version} moves its slot)"
    ))
}

/// Drops the copy once the stream is proven to flow.
pub(super) async fn release(cutover: &mut Cutover) -> Result<String, UpgradeError> {
    if !cutover.seen.slot_copied {
        return Ok(String::new());
    }
    let client = connect_admin(cutover.target()).await?;
    let copy = name(cutover);
    drop_slot(&client, &copy).await?;
    cutover.seen.slot_copied = false;
    Ok(format!("; slot {copy} dropped"))
}

/// Puts the copy in the place of the slot that the start has moved.
pub(super) async fn put_back(cutover: &mut Cutover) -> Result<String, UpgradeError> {
    let client = connect_admin(cutover.target()).await?;
    let copy = name(cutover);
    if !cutover.seen.slot_copied || slot(&client, &copy).await?.is_none() {
        return Ok("nothing to take back".into());
    }
    // Taking back the stop, which comes later, resumes it.
    connector::stop(cutover).await?;
    connector::prove_stopped(cutover).await?;
    let moved = &cutover.stream.slot;
    drop_slot(&client, moved).await?;
    copy_slot(&client, &copy, moved).await?;
    drop_slot(&client, &copy).await?;
    cutover.seen.slot_copied = false;
    Ok(format!("slot {moved} is what it was before the start"))
}

#[cfg(test)]
mod tests {
    use super::moves_slot;

    #[test]
    fn only_versions_that_move_the_slot_by_themselves_get_a_copy() {
        for (version, moves) in [
            ("2.0.1.Final", false),
            ("2.1.0.Final", true),
            ("2.4.0.Final", true),
            ("2.4.2.Final", true),
            ("2.5.0.Final", false),
            ("3.7.0.Final", false),
        ] {
            assert_eq!(moves_slot(version).unwrap(), moves, "{version}");
        }
    }
}
