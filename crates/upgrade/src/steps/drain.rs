//! Drain proofs: a marker through the whole stream (`fence`).

use crate::cutover::Cutover;
use crate::error::UpgradeError;
use crate::fence::MarkerWatch;

/// A marker while everything runs: shows that the connector delivers, and leaves little to drain later.
pub(super) async fn round_trip(cutover: &Cutover) -> Result<String, UpgradeError> {
    let mut watch = MarkerWatch::send(cutover, cutover.current()).await?;
    watch.arrive(cutover, cutover.deadlines.drain).await
}

/// A marker after the last write: what is before it is everything.
pub(super) async fn prove(cutover: &mut Cutover) -> Result<String, UpgradeError> {
    let mut watch = MarkerWatch::send(cutover, cutover.current()).await?;
    let seen = watch.arrive(cutover, cutover.deadlines.drain).await?;
    cutover.seen.drained = Some(watch.marker.lsn);
    Ok(seen)
}
