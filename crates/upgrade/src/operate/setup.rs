//! Slot, publication and replica identity for a stream, made where they are missing.
//!
//! Facts in, items out ([`items`]), and then, if asked to, the statements of the items. The rules it protects: the
//! publication is there before the slot, because pgoutput looks it up at the time of each change; what is there already
//! is left alone and said; what is there and is something else is never replaced.

use std::time::Duration;

use cutover_clients::pg::facts::{ServerFacts, server_facts};
use cutover_clients::pg::inventory::settings;
use cutover_clients::pg::pending::pending;
use cutover_clients::pg::publication::{
    create_publication, publication_tables, set_replica_identity_full, table_shapes,
};
use cutover_clients::pg::publication_details::{
    PublicationTraits, add_tables, adding, publication_traits,
};
use cutover_clients::pg::slot_details::{SlotDetail, slot_details};
use cutover_clients::pg::slots::create_slot;
use cutover_clients::pg::{Client, PgAddress, PgError, connect_admin, connect_looking};
use cutover_model::setup::{SETUP_FORMAT, SetupItem, SetupReport, SetupState};
use cutover_model::table::{quote_identifier, quote_literal};
use cutover_model::{ExitCode, Lsn, Relation, ReplicaIdentity};

use crate::error::UpgradeError;

/// The decoding plug-in that every version has.
const PLUGIN: &str = "pgoutput";
/// `query_canceled`: `statement_timeout`, here.
const CANCELED: &str = "57014";

/// What is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// Slot.
    pub slot: String,
    /// Publication.
    pub publication: String,
    /// Its tables.
    pub tables: Vec<Relation>,
}

/// What is there.
#[derive(Debug, Clone)]
struct Found {
    database: String,
    server: ServerFacts,
    slots_max: Option<usize>,
    slots: Vec<SlotDetail>,
    publication: Option<(PublicationTraits, Vec<Relation>)>,
    /// `None`: there is no such table.
    identities: Vec<Option<ReplicaIdentity>>,
}

/// Looks, and with `apply` makes what is missing. `patience` bounds how long making the slot may wait for transactions.
pub async fn set_up(
    address: &PgAddress,
    wanted: &Wanted,
    apply: bool,
    patience: Duration,
) -> Result<SetupReport, UpgradeError> {
    let client = connect_looking(address).await?;
    let mut list = items(wanted, &read(&client, address, wanted).await?);
    let blocked = list.iter().any(|item| item.state == SetupState::InTheWay);
    let missing = list.iter().any(|item| item.state == SetupState::Wanted);
    let changes = apply && missing && !blocked;
    if changes {
        let admin = connect_admin(address).await?;
        let mut made = Vec::new();
        let rest = make(&admin, (address, wanted), &list, patience, &mut made).await;
        if let Err(source) = rest {
            return Err(match made.is_empty() {
                true => source,
                false => UpgradeError::Halfway {
                    made,
                    source: Box::new(source),
                },
            });
        }
        let now = items(wanted, &read(&client, address, wanted).await?);
        for (before, now) in list.iter_mut().zip(now) {
            if before.state == SetupState::Wanted {
                if now.state != SetupState::Present {
                    return Err(UpgradeError::Disproved(format!(
                        "{} was made and is not there: {}",
                        now.subject, now.found
                    )));
                }
                before.state = SetupState::Made;
                before.found = now.found;
            }
        }
    }
    let exit = if blocked {
        ExitCode::Refused
    } else {
        ExitCode::Pass
    };
    Ok(SetupReport {
        format: SETUP_FORMAT.to_owned(),
        server: address.to_string(),
        items: list,
        changed: changes,
        exit_code: exit.number(),
    })
}

async fn read(
    client: &Client,
    address: &PgAddress,
    wanted: &Wanted,
) -> Result<Found, UpgradeError> {
    let traits = publication_traits(client, &wanted.publication).await?;
    let tables = publication_tables(client, &wanted.publication).await?;
    let mut identities = Vec::new();
    for table in &wanted.tables {
        identities.push(
            match table_shapes(client, std::slice::from_ref(table)).await {
                Ok(shapes) => shapes.first().map(|shape| shape.replica_identity),
                Err(PgError::Missing(_)) => None,
                Err(error) => return Err(error.into()),
            },
        );
    }
    let limits = settings(client, &["max_replication_slots"]).await?;
    let limit = limits.get("max_replication_slots");
    Ok(Found {
        database: address.database.clone(),
        server: server_facts(client).await?,
        slots_max: limit.and_then(|limit| limit.parse().ok()),
        slots: slot_details(client).await?,
        publication: traits.zip(tables),
        identities,
    })
}

/// Makes what is missing; `made` is what there is of it, whatever comes of the rest.
async fn make(
    client: &Client,
    (address, wanted): (&PgAddress, &Wanted),
    list: &[SetupItem],
    patience: Duration,
    made: &mut Vec<String>,
) -> Result<(), UpgradeError> {
    let is_wanted = |subject: &str| {
        list.iter()
            .any(|item| item.subject == subject && item.state == SetupState::Wanted)
    };
    if is_wanted(&publication_subject(wanted)) {
        match publication_tables(client, &wanted.publication).await? {
            None => create_publication(client, &wanted.publication, &wanted.tables).await?,
            Some(there) => {
                let missing: Vec<Relation> = wanted
                    .tables
                    .iter()
                    .filter(|table| !there.contains(table))
                    .cloned()
                    .collect();
                add_tables(client, &wanted.publication, &missing).await?;
            }
        }
        made.push(publication_subject(wanted));
    }
    for table in &wanted.tables {
        if is_wanted(&table_subject(table)) {
            set_replica_identity_full(client, table).await?;
            made.push(format!("REPLICA IDENTITY FULL of {}", table_subject(table)));
        }
    }
    if !is_wanted(&slot_subject(wanted)) {
        return Ok(());
    }
    make_slot(client, (&address.database, &wanted.slot), patience).await?;
    Ok(())
}

/// Makes a slot on a session of its own, which waits for transactions that have begun, and no longer than this.
///
/// # Errors
/// Whoever has written and not ended is named, because somebody has to end it; the server refused.
async fn make_slot(
    client: &Client,
    (database, name): (&str, &str),
    patience: Duration,
) -> Result<Lsn, UpgradeError> {
    let limit = format!("SET statement_timeout = {}", patience.as_millis());
    client
        .batch_execute(&limit)
        .await
        .map_err(|source| PgError::Sql {
            what: "limiting how long making the slot may wait".to_owned(),
            source,
        })?;
    match create_slot(client, name, PLUGIN).await {
        Ok(position) => Ok(position),
        Err(error) if error.sqlstate() == Some(CANCELED) => Err(UpgradeError::Pending {
            seconds: patience.as_secs_f64(),
            pending: pending(client, database).await?,
        }),
        Err(error) => Err(error.into()),
    }
}

fn slot_subject(wanted: &Wanted) -> String {
    format!("slot {}", wanted.slot)
}

fn publication_subject(wanted: &Wanted) -> String {
    format!("publication {}", wanted.publication)
}

fn table_subject(table: &Relation) -> String {
    format!("table {table}")
}

fn item(subject: String, state: SetupState, found: impl Into<String>) -> Item {
    Item(SetupItem {
        subject,
        state,
        found: found.into(),
        statement: None,
        remedy: None,
    })
}

/// An item whose last word is not said yet.
struct Item(SetupItem);

impl Item {
    fn done(self) -> SetupItem {
        self.0
    }

    fn by(mut self, statement: String) -> SetupItem {
        self.0.statement = Some(statement);
        self.0
    }

    fn remedy(mut self, remedy: impl Into<String>) -> SetupItem {
        self.0.remedy = Some(remedy.into());
        self.0
    }
}

/// What is to be said of everything that is wanted.
fn items(wanted: &Wanted, found: &Found) -> Vec<SetupItem> {
    let mut list = vec![server(found), publication(wanted, found)];
    for (table, identity) in wanted.tables.iter().zip(&found.identities) {
        list.push(table_item(table, *identity));
    }
    list.push(slot(wanted, found));
    list
}

fn server(found: &Found) -> SetupItem {
    let server = &found.server;
    let told = format!(
        "PostgreSQL {}, wal_level {}",
        server.version, server.wal_level
    );
    if server.in_recovery {
        return item(
            "server".into(),
            SetupState::InTheWay,
            format!("{told}, replays another server's log"),
        )
        .remedy(
            "set up the primary; publication and replica identity come to the standby with its log",
        );
    }
    if server.wal_level != "logical" {
        return item("server".into(), SetupState::InTheWay, told)
            .remedy("ALTER SYSTEM SET wal_level = 'logical', and restart the server");
    }
    item("server".into(), SetupState::Present, told).done()
}

fn publication(wanted: &Wanted, found: &Found) -> SetupItem {
    let subject = publication_subject(wanted);
    let Some((traits, tables)) = &found.publication else {
        let tables: Vec<String> = wanted.tables.iter().map(Relation::quoted).collect();
        let name = quote_identifier(&wanted.publication);
        return item(subject, SetupState::Wanted, "not there").by(format!(
            "CREATE PUBLICATION {name} FOR TABLE {}",
            tables.join(", ")
        ));
    };
    if !traits.all_changes {
        let name = quote_identifier(&wanted.publication);
        return item(
            subject,
            SetupState::InTheWay,
            "it leaves out inserts, updates or deletes",
        )
        .remedy(format!(
            "ALTER PUBLICATION {name} SET (publish = 'insert, update, delete, truncate')"
        ));
    }
    if traits.all_tables {
        return item(subject, SetupState::Present, "for all tables").done();
    }
    let missing: Vec<Relation> = wanted
        .tables
        .iter()
        .filter(|table| !tables.contains(table))
        .cloned()
        .collect();
    if missing.is_empty() {
        return item(
            subject,
            SetupState::Present,
            format!("it has {} tables", tables.len()),
        )
        .done();
    }
    let names: Vec<String> = missing.iter().map(ToString::to_string).collect();
    item(
        subject,
        SetupState::Wanted,
        format!("it lacks {}", names.join(", ")),
    )
    .by(adding(&wanted.publication, &missing))
}

fn table_item(table: &Relation, identity: Option<ReplicaIdentity>) -> SetupItem {
    let subject = table_subject(table);
    match identity {
        None => item(subject, SetupState::InTheWay, "not there")
            .remedy("make the table, or leave it out"),
        Some(ReplicaIdentity::Full) => {
            item(subject, SetupState::Present, "replica identity full").done()
        }
        Some(other) => {
            let word = format!("{other:?}").to_lowercase();
            item(
                subject,
                SetupState::Wanted,
                format!("replica identity {word}"),
            )
            .by(format!(
                "ALTER TABLE {} REPLICA IDENTITY FULL",
                table.quoted()
            ))
        }
    }
}

fn slot(wanted: &Wanted, found: &Found) -> SetupItem {
    let subject = slot_subject(wanted);
    let of_it = |detail: &&SlotDetail| detail.slot.name == wanted.slot;
    let Some(detail) = found.slots.iter().find(of_it) else {
        return no_slot(subject, wanted, found);
    };
    if let Some((told, remedy)) = unusable(detail, found) {
        return item(subject, SetupState::InTheWay, told).remedy(remedy);
    }
    let position = detail.slot.confirmed_flush;
    let position = position.map_or_else(|| "-".to_owned(), |at| at.to_string());
    let reader = if detail.slot.active { "in use" } else { "free" };
    let told = format!("confirmed to {position}, {reader}");
    item(subject, SetupState::Present, told).done()
}

fn no_slot(subject: String, wanted: &Wanted, found: &Found) -> SetupItem {
    let taken = found.slots.len();
    if found.slots_max.is_some_and(|most| taken >= most) {
        let told = format!("not there, and all {taken} replication slots are taken");
        return item(subject, SetupState::InTheWay, told).remedy(
            "drop a slot that nobody reads, or raise max_replication_slots and restart the server",
        );
    }
    let name = quote_literal(&wanted.slot);
    item(subject, SetupState::Wanted, "not there").by(format!(
        "SELECT pg_create_logical_replication_slot({name}, '{PLUGIN}')"
    ))
}

/// Why a slot of this name cannot be the stream's, and what to do about it.
fn unusable(detail: &SlotDetail, found: &Found) -> Option<(String, String)> {
    let another = "choose another name";
    let of_database = detail.database.as_deref().unwrap_or("no database");
    let (told, remedy) = if detail.kind != "logical" {
        (format!("it is a {} slot", detail.kind), another.to_owned())
    } else if detail.temporary {
        (
            "it is temporary: it belongs to the session that made it, and goes away with it"
                .to_owned(),
            format!("end that session, or {another}"),
        )
    } else if of_database != found.database {
        (
            format!("it is of database {of_database}"),
            another.to_owned(),
        )
    } else if detail.slot.plugin != PLUGIN {
        (
            format!("it decodes with {}", detail.slot.plugin),
            format!("{another}, or drop it if nobody needs it"),
        )
    } else if detail.slot.is_lost() {
        let why = detail.invalidation.as_deref();
        let why = why.unwrap_or("no reason is given");
        let name = quote_literal(&detail.slot.name);
        (
            format!("it is lost ({why}): what was committed since will not come from it"),
            format!(
                "find out what is missing (`cutover doctor`), then SELECT pg_drop_replication_slot({name}) and run \
                 this again"
            ),
        )
    } else {
        return None;
    };
    Some((told, remedy))
}

#[cfg(test)]
mod tests;
