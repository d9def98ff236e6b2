//! Who a server is: version, incarnation, position. Read-only.

use cutover_model::{Incarnation, Lsn};
use serde::{Deserialize, Serialize};
use tokio_postgres::Client;

use super::{PgError, parse_lsn};

/// What identifies a server, read in one statement.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerFacts {
    /// E.g. `16.2`, without what packagers append.
    pub version: String,
    /// E.g. 160002.
    pub version_num: i32,
    /// Which life of the database this is.
    pub incarnation: Incarnation,
    /// Write position; in recovery, replay position.
    pub current_lsn: Lsn,
    /// The server replays somebody else's log.
    pub in_recovery: bool,
    /// `wal_level`.
    pub wal_level: String,
}

// Outside recovery the timeline is taken from the name of the file being written: after a promotion the
// control file names the old timeline until the next checkpoint.
const FACTS: &str = "
SELECT current_setting('server_version'),
       current_setting('server_version_num')::int4,
       s.system_identifier::text,
       CASE WHEN pg_is_in_recovery() THEN lpad(to_hex(c.timeline_id), 8, '0')
            ELSE substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8) END,
       (SELECT oid FROM pg_database WHERE datname = current_database()),
       CASE WHEN pg_is_in_recovery() THEN coalesce(pg_last_wal_replay_lsn(), '0/0')
            ELSE pg_current_wal_lsn() END::text,
       pg_is_in_recovery(),
       current_setting('wal_level')
FROM pg_control_system() s, pg_control_checkpoint() c";

/// Reads the facts of the server and database that `client` is connected to.
///
/// # Errors
/// The statement failed, or the server answered with something that is no identity.
pub async fn server_facts(client: &Client) -> Result<ServerFacts, PgError> {
    let row = client
        .query_one(FACTS, &[])
        .await
        .map_err(PgError::sql("reading the server's identity"))?;
    let version: String = row.get(0);
    let system_id: String = row.get(2);
    let timeline: String = row.get(3);
    let odd = |what: &str, value: &str| PgError::Protocol {
        what: "reading the server's identity".to_owned(),
        reason: format!("'{value}' is no {what}"),
    };
    Ok(ServerFacts {
        version: version
            .split_whitespace()
            .next()
            .unwrap_or_default()
            .to_owned(),
        version_num: row.get(1),
        incarnation: Incarnation {
            system_id: system_id
                .parse()
                .map_err(|_| odd("system identifier", &system_id))?,
            timeline: u32::from_str_radix(&timeline, 16).map_err(|_| odd("timeline", &timeline))?,
            database_oid: row.get(4),
        },
        current_lsn: parse_lsn(row.get(5))?,
        in_recovery: row.get(6),
        wal_level: row.get(7),
    })
}

/// The write position of the server (replay position in recovery).
///
/// # Errors
/// The statement failed.
pub async fn current_lsn(client: &Client) -> Result<Lsn, PgError> {
    let row = client
        .query_one(
            "SELECT CASE WHEN pg_is_in_recovery() THEN coalesce(pg_last_wal_replay_lsn(), '0/0')
                    ELSE pg_current_wal_lsn() END::text",
            &[],
        )
        .await
        .map_err(PgError::sql("reading the server's position"))?;
    parse_lsn(row.get(0))
}
