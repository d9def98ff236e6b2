//! What Connect has stored for a connector, taken apart, and what it means beside the slot and the server.
//!
//! The rule it protects: an offset does not say whose log it counts, so a comparison says each time that it holds only
//! if the offset is of this server.

use cutover_clients::connect::{Connect, ConnectError, StoredOffset};
use cutover_clients::pg::facts::{ServerFacts, server_facts};
use cutover_clients::pg::slots::{Slot, slot};
use cutover_clients::pg::{PgAddress, connect_looking};
use cutover_model::connector::{
    DecodedOffset, Health, OFFSETS_FORMAT, OffsetsReport, ServerPlace, SlotPlace,
};
use cutover_model::{ExitCode, Lsn, Prediction};
use serde_json::Value;

use super::connector::Operated;
use crate::error::UpgradeError;
use crate::predict::{LiveFacts, PredictionFacts, predict};
use crate::start::Starting;

/// The server's side of an offset.
#[derive(Debug, Clone)]
pub(super) struct Beside {
    /// What the connector has stored.
    pub offset: Option<StoredOffset>,
    pub address: String,
    pub server: ServerFacts,
    pub slot_name: String,
    pub slot: Option<Slot>,
}

impl Beside {
    pub async fn read(address: &PgAddress, starting: &Starting) -> Result<Beside, UpgradeError> {
        let client = connect_looking(address).await?;
        let slot_name = starting
            .option("slot.name")
            .unwrap_or("debezium")
            .to_owned();
        // In this order: a connector that runs moves all three on, each behind the next.
        let slot = slot(&client, &slot_name).await?;
        let offset = current(&starting.connect, &starting.connector).await?;
        Ok(Beside {
            address: address.to_string(),
            server: server_facts(&client).await?,
            offset,
            slot,
            slot_name,
        })
    }

    pub fn slot_place(&self) -> SlotPlace {
        let slot = self.slot.as_ref();
        SlotPlace {
            name: self.slot_name.clone(),
            found: slot.is_some(),
            active: slot.is_some_and(|slot| slot.active),
            restart: slot.and_then(|slot| slot.restart_lsn).map(Into::into),
            confirmed: slot.and_then(|slot| slot.confirmed_flush).map(Into::into),
            wal_status: slot.and_then(|slot| slot.wal_status.clone()),
        }
    }

    pub fn server_place(&self) -> ServerPlace {
        let server = &self.server;
        ServerPlace {
            address: self.address.clone(),
            version: server.version.clone(),
            system_id: server.incarnation.system_id.to_string(),
            timeline: server.incarnation.timeline,
            end: server.current_lsn.into(),
        }
    }

    /// What the connector does at a start with this offset; `None` where that cannot be predicted.
    pub async fn predict(
        &self,
        starting: &Starting,
        offset: Option<&StoredOffset>,
    ) -> Option<Prediction> {
        let debezium = starting.version().await.ok()?;
        let status = starting.connect.status(&starting.connector).await.ok()?;
        let facts = PredictionFacts::from_live(LiveFacts {
            server: &self.server,
            slot: self.slot.as_ref(),
            offset,
            config: &starting.config,
            debezium: &debezium,
            offset_of: None,
            slot_is_read_by_us: status.is_some_and(|status| status.running()),
        });
        let mut facts = facts.ok()?;
        let name = || starting.connector.clone();
        facts.options.entry("name".into()).or_insert_with(name);
        predict(&facts).ok()
    }
}

/// The stored offset; `None` too if there are several.
async fn current(connect: &Connect, name: &str) -> Result<Option<StoredOffset>, UpgradeError> {
    match connect.offsets(name).await {
        Ok(current) => Ok(current),
        Err(ConnectError::AmbiguousOffset { .. }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Reads everything that is stored, and compares it with the server if there is an address.
pub async fn show(
    connect: &Connect,
    name: &str,
    postgres: Option<&PgAddress>,
) -> Result<OffsetsReport, UpgradeError> {
    let starting = Starting::find(connect.clone(), Some(name)).await?;
    let stored = connect.all_offsets(name).await?;
    let beside = match postgres {
        Some(address) => Some(Beside::read(address, &starting).await?),
        None => None,
    };
    let current = match &beside {
        Some(beside) => beside.offset.clone(),
        None => current(connect, name).await?,
    };
    let prediction = match &beside {
        Some(beside) => beside.predict(&starting, current.as_ref()).await,
        None => None,
    };
    Ok(OffsetsReport {
        format: OFFSETS_FORMAT.to_owned(),
        connector: name.to_owned(),
        health: health(connect, name).await?,
        offsets: stored.iter().map(decoded).collect(),
        compared: compared(current.as_ref(), beside.as_ref()),
        slot: beside.as_ref().map(Beside::slot_place),
        server: beside.as_ref().map(Beside::server_place),
        prediction,
        change: None,
        exit_code: ExitCode::Pass.number(),
    })
}

pub(super) async fn health(connect: &Connect, name: &str) -> Result<Health, UpgradeError> {
    let operated = Operated {
        connect,
        name,
        deadline: std::time::Duration::ZERO,
    };
    Ok(operated.state().await?.health)
}

/// Takes an offset apart.
pub(crate) fn decoded(stored: &StoredOffset) -> DecodedOffset {
    let field = |name: &str| stored.offset.get(name);
    let microseconds = field("ts_usec").and_then(Value::as_i64);
    let time = microseconds.and_then(|at| jiff::Timestamp::from_microsecond(at).ok());
    DecodedOffset {
        partition: stored.partition.clone(),
        lsn: stored.lsn().map(Into::into),
        lsn_proc: stored.lsn_proc().map(Into::into),
        lsn_commit: stored.lsn_commit().map(Into::into),
        transaction: field("txId").and_then(Value::as_i64),
        time: time.map(|time| time.to_string()),
        message_type: stored.message_type().map(str::to_owned),
        events_processed: stored.events_processed(),
        snapshot: snapshot(stored),
        fields: stored.offset.clone(),
    }
}

/// Every field about a snapshot, in one line.
fn snapshot(stored: &StoredOffset) -> Option<String> {
    let names = [
        "snapshot",
        "last_snapshot_record",
        "snapshot_completed",
        "incremental_snapshot_signal_id",
    ];
    let told: Vec<String> = names
        .iter()
        .filter_map(|name| Some((name, stored.offset.get(*name)?)))
        .map(|(name, value)| {
            format!(
                "{name}={}",
                value
                    .as_str()
                    .map_or_else(|| value.to_string(), str::to_owned)
            )
        })
        .collect();
    (!told.is_empty()).then(|| told.join(", "))
}

/// Where Debezium asks the server to go on.
fn begins(stored: &StoredOffset) -> Option<Lsn> {
    stored.lsn_proc().or(stored.lsn())
}

/// Offset, slot and server side by side.
pub(super) fn compared(stored: Option<&StoredOffset>, beside: Option<&Beside>) -> Vec<String> {
    let Some(beside) = beside else {
        return vec!["not compared with slot and server: PostgreSQL was not named".to_owned()];
    };
    let mut lines = Vec::new();
    let name = &beside.slot_name;
    let Some(at) = stored.and_then(begins) else {
        lines
            .push("no offset is stored: snapshot.mode decides what the next start does".to_owned());
        if beside.slot.is_none() {
            lines.push(format!("slot {name} is not there"));
        }
        return lines;
    };
    let end = beside.server.current_lsn;
    lines.push("positions compare only if the offset is of this server's log, which Connect does not store".to_owned());
    let apart = |one: Lsn, other: Lsn| bytes(one.0.abs_diff(other.0));
    lines.push(if at > end {
        format!("offset {at} is {} ahead of the server's log, which ends at {end}: everything up to there \
            would be passed over", apart(at, end))
    } else {
        format!("offset {at} is {} behind the end of the server's log at {end}", apart(at, end))
    });
    let Some(slot) = &beside.slot else {
        lines.push(format!(
            "slot {name} is not there: nothing holds what was committed after the offset"
        ));
        return lines;
    };
    if slot.is_lost() {
        lines.push(format!(
            "slot {name} is lost: the server no longer holds what it promised"
        ));
    }
    if let Some(confirmed) = slot.confirmed_flush {
        lines.push(if at == confirmed || at.adjoins(confirmed) {
            format!("offset {at} is where slot {name} is confirmed to ({confirmed})")
        } else if at < confirmed {
            format!("offset {at} is {} behind slot {name}, confirmed to {confirmed}: what lies between is \
                not sent again", apart(at, confirmed))
        } else {
            format!("offset {at} is {} ahead of slot {name}, confirmed to {confirmed}: the slot still holds \
                what comes after the offset", apart(at, confirmed))
        });
    }
    lines
}

fn bytes(number: u64) -> String {
    match number {
        1 => "1 byte".to_owned(),
        _ => format!("{number} bytes"),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use cutover_model::Incarnation;
    use serde_json::json;

    use super::*;

    pub fn stored(value: Value) -> StoredOffset {
        StoredOffset {
            partition: json!({"server": "a"}),
            offset: value.as_object().unwrap().clone(),
        }
    }

    pub fn beside(confirmed: Option<u64>) -> Beside {
        Beside {
            address: "u@h:1/d".into(),
            server: ServerFacts {
                version: "17.1".into(),
                version_num: 170_001,
                incarnation: Incarnation {
                    system_id: 7,
                    timeline: 1,
                    database_oid: 5,
                },
                current_lsn: Lsn(0x200),
                in_recovery: false,
                wal_level: "logical".into(),
            },
            offset: None,
            slot_name: "s".into(),
            slot: confirmed.map(|at| Slot {
                name: "s".into(),
                plugin: "pgoutput".into(),
                active: false,
                active_pid: None,
                restart_lsn: Some(Lsn(at)),
                confirmed_flush: Some(Lsn(at)),
                wal_status: Some("reserved".into()),
                failover: false,
            }),
        }
    }

    fn said(lsn: u64, confirmed: Option<u64>) -> String {
        let offset = stored(json!({"lsn": lsn, "lsn_proc": lsn}));
        compared(Some(&offset), Some(&beside(confirmed))).join("\n")
    }

    #[test]
    fn offset_slot_and_server_are_put_side_by_side() {
        assert!(said(0x300, Some(0x100)).contains("256 bytes ahead of the server's log"));
        assert!(said(0x80, Some(0x100)).contains("128 bytes behind slot s"));
        assert!(said(0x180, Some(0x100)).contains("128 bytes ahead of slot s"));
        for at in [0xFF, 0x100] {
            assert!(said(at, Some(0x100)).contains("is where slot s is confirmed to"));
        }
        assert!(said(0x100, None).contains("not there"));
        assert!(
            compared(None, Some(&beside(None)))
                .join(" ")
                .contains("snapshot.mode")
        );
        assert!(compared(None, None)[0].contains("not compared"));
    }

    #[test]
    fn fields_are_spelt_as_people_and_as_debezium_write_them() {
        let offset = stored(
            json!({"lsn": 26_000_448, "lsn_proc": 26_000_448, "txId": 741, "ts_usec": 1_700_000_000_000_000_i64,
            "snapshot": true, "last_snapshot_record": true, "lsn_events_processed": 3}),
        );
        let told = decoded(&offset);
        assert_eq!(told.lsn.unwrap().lsn.to_string(), "0/18CBC40");
        assert_eq!(told.lsn.unwrap().decimal, 26_000_448);
        assert_eq!(told.transaction, Some(741));
        assert_eq!(told.time.as_deref(), Some("2023-11-14T22:13:20Z"));
        assert_eq!(
            told.snapshot.as_deref(),
            Some("snapshot=true, last_snapshot_record=true")
        );
        assert_eq!(told.events_processed, Some(3));
    }
}
