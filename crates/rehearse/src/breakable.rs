//! The lab's hands for a driver that is dropped: they finish what they were asked for, whoever asked.
//!
//! Stands between the engine and the lab in rehearsals of broken off plans (`broken_off`). The rule it protects: a
//! driver is dropped between two actions on the infrastructure and never inside one.

use cutover_clients::pg::PgAddress;
use cutover_model::Lsn;
use cutover_upgrade::hands::Gate;
use cutover_upgrade::predict::{AroundFacts, OffsetFacts};
use cutover_upgrade::preflight::{NewSide, Way};
use cutover_upgrade::steps::{Feed, RestoreTarget, Transfer};
use cutover_upgrade::{Hands, Side, UpgradeError};
use tokio::sync::watch;

use crate::lab_hands::LabHands;

/// The lab's hands, between whose actions a driver can be dropped.
pub struct Breakable<'a> {
    /// What acts.
    pub hands: &'a mut LabHands,
    /// Whether it is acting now.
    pub busy: watch::Sender<bool>,
}

impl Breakable<'_> {
    fn enter(&self) {
        self.busy.send_replace(true);
    }

    /// The action is done; its driver may be dropped before it hears of that.
    async fn leave(&self) {
        self.busy.send_replace(false);
        tokio::task::yield_now().await;
    }
}

impl Hands for Breakable<'_> {
    fn address(&self, side: Side) -> Option<PgAddress> {
        self.hands.address(side)
    }

    async fn survey(&mut self, version: &str, way: Way) -> Result<NewSide, UpgradeError> {
        self.enter();
        let done = self.hands.survey(version, way).await;
        self.leave().await;
        done
    }

    async fn applied(&mut self, step: &str) -> Result<(), UpgradeError> {
        self.enter();
        let done = self.hands.applied(step).await;
        self.leave().await;
        done
    }

    async fn at_stake(&mut self, slot_begins: Lsn) -> Option<u64> {
        self.hands.at_stake(slot_begins).await
    }

    async fn around(&mut self, offset: &OffsetFacts) -> Option<AroundFacts> {
        self.hands.around(offset).await
    }

    async fn crash_worker(&mut self) -> Result<String, UpgradeError> {
        self.enter();
        let done = self.hands.crash_worker().await;
        self.leave().await;
        done
    }

    async fn start_worker(&mut self) -> Result<f64, UpgradeError> {
        self.enter();
        let done = self.hands.start_worker().await;
        self.leave().await;
        done
    }

    async fn stop_server(&mut self, side: Side) -> Result<f64, UpgradeError> {
        self.enter();
        let done = self.hands.stop_server(side).await;
        self.leave().await;
        done
    }

    async fn swap_binaries(&mut self, version: &str) -> Result<String, UpgradeError> {
        self.enter();
        let done = self.hands.swap_binaries(version).await;
        self.leave().await;
        done
    }

    async fn start_server(&mut self, side: Side) -> Result<f64, UpgradeError> {
        self.enter();
        let done = self.hands.start_server(side).await;
        self.leave().await;
        done
    }

    async fn create_server(&mut self, version: &str) -> Result<PgAddress, UpgradeError> {
        self.enter();
        let done = self.hands.create_server(version).await;
        self.leave().await;
        done
    }

    async fn dump_database(&mut self) -> Result<String, UpgradeError> {
        self.enter();
        let done = self.hands.dump_database().await;
        self.leave().await;
        done
    }

    async fn restore_database(&mut self) -> Result<String, UpgradeError> {
        self.enter();
        let done = self.hands.restore_database().await;
        self.leave().await;
        done
    }

    async fn crash_server(&mut self, side: Side) -> Result<f64, UpgradeError> {
        self.enter();
        let done = self.hands.crash_server(side).await;
        self.leave().await;
        done
    }

    async fn prepare_cluster(
        &mut self,
        version: &str,
        transfer: Transfer,
    ) -> Result<String, UpgradeError> {
        self.enter();
        let done = self.hands.prepare_cluster(version, transfer).await;
        self.leave().await;
        done
    }

    async fn upgrade_cluster(
        &mut self,
        transfer: Transfer,
    ) -> Result<(PgAddress, String), UpgradeError> {
        self.enter();
        let done = self.hands.upgrade_cluster(transfer).await;
        self.leave().await;
        done
    }

    async fn create_standby(&mut self, feed: Feed) -> Result<PgAddress, UpgradeError> {
        self.enter();
        let done = self.hands.create_standby(feed).await;
        self.leave().await;
        done
    }

    async fn back_up(&mut self) -> Result<String, UpgradeError> {
        self.enter();
        let done = self.hands.back_up().await;
        self.leave().await;
        done
    }

    async fn restore_backup(
        &mut self,
        target: RestoreTarget,
        moment: Option<&str>,
    ) -> Result<(PgAddress, String), UpgradeError> {
        self.enter();
        let done = self.hands.restore_backup(target, moment).await;
        self.leave().await;
        done
    }

    async fn open_base_backup(&mut self) -> Result<(PgAddress, String), UpgradeError> {
        self.enter();
        let done = self.hands.open_base_backup().await;
        self.leave().await;
        done
    }

    async fn copy_schema(&mut self) -> Result<String, UpgradeError> {
        self.enter();
        let done = self.hands.copy_schema().await;
        self.leave().await;
        done
    }

    async fn create_side_server(&mut self, until: Lsn) -> Result<PgAddress, UpgradeError> {
        self.enter();
        let done = self.hands.create_side_server(until).await;
        self.leave().await;
        done
    }

    async fn open_gate(&mut self, gate: Gate) -> Result<String, UpgradeError> {
        self.enter();
        let done = self.hands.open_gate(gate).await;
        self.leave().await;
        done
    }

    async fn discard_side(&mut self) -> Result<String, UpgradeError> {
        self.enter();
        let done = self.hands.discard_side().await;
        self.leave().await;
        done
    }

    async fn discard_new(&mut self) -> Result<String, UpgradeError> {
        self.enter();
        let done = self.hands.discard_new().await;
        self.leave().await;
        done
    }

    async fn return_to_old(&mut self) -> Result<String, UpgradeError> {
        self.enter();
        let done = self.hands.return_to_old().await;
        self.leave().await;
        done
    }

    async fn let_time_pass(&mut self) -> Result<String, UpgradeError> {
        self.enter();
        let done = self.hands.let_time_pass().await;
        self.leave().await;
        done
    }

    async fn move_application(&mut self, side: Side) -> Result<String, UpgradeError> {
        self.enter();
        let done = self.hands.move_application(side).await;
        self.leave().await;
        done
    }

    async fn close_incarnation(&mut self) -> Result<String, UpgradeError> {
        self.enter();
        let done = self.hands.close_incarnation().await;
        self.leave().await;
        done
    }

    async fn resume_incarnation(&mut self) -> Result<(), UpgradeError> {
        self.enter();
        let done = self.hands.resume_incarnation().await;
        self.leave().await;
        done
    }

    async fn open_incarnation(&mut self) -> Result<String, UpgradeError> {
        self.enter();
        let done = self.hands.open_incarnation().await;
        self.leave().await;
        done
    }

    async fn note_cut(&mut self) -> Result<String, UpgradeError> {
        self.enter();
        let done = self.hands.note_cut().await;
        self.leave().await;
        done
    }
}
