//! The facts that decide how a stream crosses an upgrade. Read once, before anything is changed.

use cutover_clients::connect::{Connect, StoredOffset};
use cutover_clients::pg::facts::{ServerFacts, server_facts};
use cutover_clients::pg::publication::publication_tables;
use cutover_clients::pg::slots::{Slot, slot};
use cutover_clients::pg::{PgAddress, connect_admin};
use cutover_model::Relation;
use serde::{Deserialize, Serialize};

use crate::cutover::Stream;
use crate::error::UpgradeError;

/// What is known about a stream before an upgrade.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Facts {
    /// The server.
    pub server: ServerFacts,
    /// The connector's slot, if it is there.
    pub slot: Option<Slot>,
    /// Tables of the publication, if it is there.
    pub publication: Option<Vec<Relation>>,
    /// Offset that Connect has stored, if any.
    pub offset: Option<StoredOffset>,
    /// Connector and every task run.
    pub connector_running: bool,
}

/// Reads the facts. Changes nothing.
pub async fn read(
    server: &PgAddress,
    connect: &Connect,
    stream: &Stream,
) -> Result<Facts, UpgradeError> {
    let client = connect_admin(server).await?;
    let status = connect.status(&stream.connector).await?;
    Ok(Facts {
        server: server_facts(&client).await?,
        slot: slot(&client, &stream.slot).await?,
        publication: publication_tables(&client, &stream.publication).await?,
        offset: connect.offsets(&stream.connector).await?,
        connector_running: status.is_some_and(|status| status.running()),
    })
}

impl Facts {
    /// One line for the journal and the report.
    pub fn summary(&self) -> String {
        let slot = self.slot.as_ref().map_or_else(
            || "no slot".to_owned(),
            |slot| {
                let at = slot
                    .confirmed_flush
                    .map_or_else(|| "-".into(), |lsn| lsn.to_string());
                format!("slot confirmed to {at}")
            },
        );
        let offset = self.offset.as_ref().and_then(StoredOffset::lsn);
        let offset = offset.map_or_else(|| "no offset".into(), |lsn| format!("offset {lsn}"));
        format!(
            "PostgreSQL {} at {}, {slot}, {offset}, {}",
            self.server.version, self.server.current_lsn, self.server.incarnation
        )
    }
}
