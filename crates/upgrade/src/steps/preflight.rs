//! Reads what the preflight judges by, and refuses the plan if anything is in its way. Changes nothing.

use cutover_clients::pg::facts::server_facts;
use cutover_clients::pg::inventory::{databases, extensions, icu_uses, settings, sizes};
use cutover_clients::pg::pending::prepared_transactions;
use cutover_clients::pg::{Client, PgAddress, connect_admin};

use crate::cutover::Cutover;
use crate::error::UpgradeError;
use crate::hands::Hands;
use crate::preflight::{
    Extension, OldSide, PreflightFacts, SETTINGS, Severity, Way, lines, preflight,
};

/// What was looked at, or a refusal with every finding.
pub(super) async fn prove<H: Hands>(
    cutover: &Cutover,
    hands: &mut H,
    (version, way): (&str, Way),
) -> Result<String, UpgradeError> {
    let new = hands.survey(version, way).await?;
    let facts = PreflightFacts {
        way,
        old: old_side(cutover.primary(), way).await?,
        new,
        writers_seconds: cutover.deadlines.writers.as_secs_f64(),
    };
    let findings = preflight(&facts);
    if findings
        .iter()
        .any(|finding| finding.severity == Severity::Refuses)
    {
        return Err(UpgradeError::Preflight(findings));
    }
    let (extensions, bytes) = (facts.old.extensions.len(), facts.old.bytes);
    let seen = format!(
        "{extensions} extensions and {} KiB of data; nothing is in the way",
        bytes / 1024
    );
    if findings.is_empty() {
        return Ok(seen);
    }
    Ok(format!("{seen}; {}", lines(&findings).replace('\n', "; ")))
}

/// pg_upgrade and a physical copy take every database along, the others the captured one.
async fn old_side(address: &PgAddress, way: Way) -> Result<OldSide, UpgradeError> {
    let client = connect_admin(address).await?;
    let facts = server_facts(&client).await?;
    let sizes = sizes(&client).await?;
    let mut side = OldSide {
        major: u32::try_from(facts.version_num / 10_000).unwrap_or_default(),
        bytes: sizes.bytes,
        wal_bytes: sizes.wal_bytes,
        databases: sizes.databases,
        logical_slots: sizes.logical_slots,
        slots: sizes.slots,
        prepared: prepared_transactions(&client, None).await?,
        settings: settings(&client, &SETTINGS).await?,
        ..OldSide::default()
    };
    let names = if way.upgrades() || way.is_physical() {
        databases(&client).await?
    } else {
        vec![address.database.clone()]
    };
    for database in names {
        let inside = connect_admin(&PgAddress {
            database: database.clone(),
            ..address.clone()
        })
        .await?;
        look_into(&mut side, &inside, &database).await?;
    }
    Ok(side)
}

async fn look_into(
    side: &mut OldSide,
    client: &Client,
    database: &str,
) -> Result<(), UpgradeError> {
    let found = extensions(client).await?.into_iter();
    side.extensions
        .extend(found.map(|(name, version)| Extension {
            name,
            version,
            database: database.to_owned(),
        }));
    let uses = icu_uses(client).await?.into_iter();
    side.icu
        .extend(uses.map(|what| format!("{what} of {database}")));
    Ok(())
}
