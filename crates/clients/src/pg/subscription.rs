//! Logical replication from one PostgreSQL to another, as a blue/green upgrade uses it, and the sequences that
//! it does not carry.
//!
//! The rule it protects: a subscription is ended without touching the publisher's slot by accident, and a
//! sequence on the new side never gives out a value again.

use cutover_model::Lsn;
use cutover_model::table::{quote_identifier, quote_literal};
use tokio_postgres::Client;

use super::{PgAddress, PgError, PgHost, parse_lsn};

/// Makes a subscription that copies what is there and then follows. The publisher is reached by `from`.
///
/// # Errors
/// The server refused.
pub async fn create_subscription(
    client: &Client,
    name: &str,
    from: &PgAddress,
    publication: &str,
) -> Result<(), PgError> {
    let host = match &from.host {
        PgHost::Tcp(host) => host.clone(),
        PgHost::Unix(folder) => folder.display().to_string(),
    };
    let part = |value: &str| format!("'{}'", value.replace('\\', "\\\\").replace('\'', "\\'"));
    let connection = format!(
        "host={} port={} user={} password={} dbname={}",
        part(&host),
        from.port,
        part(&from.user),
        part(from.password.reveal()),
        part(&from.database)
    );
    let statement = format!(
        "CREATE SUBSCRIPTION {} CONNECTION {} PUBLICATION {}",
        quote_identifier(name),
        quote_literal(&connection),
        quote_identifier(publication)
    );
    // The statement holds a password: neither we nor the server's log may tell it, not even if it fails.
    client
        .batch_execute("SET log_statement = 'none'; SET log_min_error_statement = 'panic'")
        .await
        .map_err(PgError::sql("keeping the password out of the server's log"))?;
    client
        .batch_execute(&statement)
        .await
        .map_err(PgError::sql(format!("creating subscription '{name}'")))
}

/// Tables of the subscription that are still being copied or have not caught up with their copy.
///
/// # Errors
/// The statement failed.
pub async fn tables_not_ready(client: &Client, name: &str) -> Result<i64, PgError> {
    let row = client
        .query_one(
            "SELECT count(*) FROM pg_subscription_rel r JOIN pg_subscription s ON s.oid = r.srsubid
             WHERE s.subname = $1 AND r.srsubstate <> 'r'",
            &[&name],
        )
        .await
        .map_err(PgError::sql(format!("looking at subscription '{name}'")))?;
    Ok(row.get(0))
}

/// How far the subscriber has confirmed the publisher's log, seen on the *publisher*: the position of the
/// subscription's slot. Everything before it is applied and flushed.
///
/// # Errors
/// The statement failed.
pub async fn applied_through(publisher: &Client, name: &str) -> Result<Option<Lsn>, PgError> {
    let row = publisher
        .query_opt(
            "SELECT confirmed_flush_lsn::text FROM pg_replication_slots WHERE slot_name = $1",
            &[&name],
        )
        .await
        .map_err(PgError::sql(format!("looking at slot '{name}'")))?;
    let text: Option<String> = row.and_then(|row| row.get(0));
    text.as_deref().map(parse_lsn).transpose()
}

/// Whether there is a subscription of this name.
///
/// # Errors
/// The statement failed.
pub async fn subscribes(client: &Client, name: &str) -> Result<bool, PgError> {
    let found = client
        .query_opt("SELECT 1 FROM pg_subscription WHERE subname = $1", &[&name])
        .await
        .map_err(PgError::sql(format!("looking for subscription '{name}'")))?;
    Ok(found.is_some())
}

/// Ends a subscription and leaves the publisher's slot alone. One that is not there counts as ended.
///
/// # Errors
/// The server refused.
pub async fn end_subscription(client: &Client, name: &str) -> Result<(), PgError> {
    if !subscribes(client, name).await? {
        return Ok(());
    }
    let quoted = quote_identifier(name);
    for statement in [
        format!("ALTER SUBSCRIPTION {quoted} DISABLE"),
        format!("ALTER SUBSCRIPTION {quoted} SET (slot_name = NONE)"),
        format!("DROP SUBSCRIPTION {quoted}"),
    ] {
        client
            .batch_execute(&statement)
            .await
            .map_err(PgError::sql(format!("ending subscription '{name}'")))?;
    }
    Ok(())
}

/// A sequence and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sequence {
    /// Schema.
    pub schema: String,
    /// Name.
    pub name: String,
    /// Value that was given out last; `None` if none was yet.
    pub last: Option<i64>,
    /// It counts downwards.
    pub descending: bool,
    /// The last value that it can give out.
    pub end: i64,
}

impl Sequence {
    /// A value so far beyond the last one given out, but never beyond the end; `None` if none was given out.
    pub fn beyond(&self, margin: i64) -> Option<i64> {
        let last = self.last?;
        Some(if self.descending {
            last.saturating_sub(margin).max(self.end)
        } else {
            last.saturating_add(margin).min(self.end)
        })
    }

    /// Whether this sequence, going on, gives out nothing that `other` has given out.
    pub fn is_past(&self, other: &Sequence) -> bool {
        match (self.last, other.last) {
            (_, None) => true,
            (None, Some(_)) => false,
            (Some(own), Some(others)) if self.descending => own <= others,
            (Some(own), Some(others)) => own >= others,
        }
    }
}

/// Every sequence of the database, by name.
///
/// # Errors
/// The statement failed.
pub async fn sequences(client: &Client) -> Result<Vec<Sequence>, PgError> {
    let rows = client
        .query(
            "SELECT schemaname::text, sequencename::text, last_value, increment_by < 0,
                    CASE WHEN increment_by < 0 THEN min_value ELSE max_value END
             FROM pg_sequences ORDER BY 1, 2",
            &[],
        )
        .await
        .map_err(PgError::sql("reading the sequences"))?;
    Ok(rows
        .iter()
        .map(|row| Sequence {
            schema: row.get(0),
            name: row.get(1),
            last: row.get(2),
            descending: row.get(3),
            end: row.get(4),
        })
        .collect())
}

/// Of every sequence of the database: schema, name, and the value that it gives out next.
///
/// # Errors
/// A statement failed.
pub async fn next_values(client: &Client) -> Result<Vec<(String, String, i64)>, PgError> {
    let rows = client
        .query(
            "SELECT schemaname::text, sequencename::text, last_value, increment_by
             FROM pg_sequences ORDER BY 1, 2",
            &[],
        )
        .await
        .map_err(PgError::sql("reading the sequences"))?;
    let mut all = Vec::with_capacity(rows.len());
    for row in &rows {
        let (schema, name): (String, String) = (row.get(0), row.get(1));
        let (last, increment): (Option<i64>, i64) = (row.get(2), row.get(3));
        let next = match last {
            Some(last) => last.saturating_add(increment),
            // Not used since it was made or set: the sequence itself knows what it begins with.
            None => first_value(client, &schema, &name).await?,
        };
        all.push((schema, name, next));
    }
    Ok(all)
}

async fn first_value(client: &Client, schema: &str, name: &str) -> Result<i64, PgError> {
    let name = format!("{}.{}", quote_identifier(schema), quote_identifier(name));
    let row = client
        .query_one(&format!("SELECT last_value FROM {name}"), &[])
        .await
        .map_err(PgError::sql(format!("reading sequence {name}")))?;
    Ok(row.get(0))
}

/// Lets a sequence go on after `value`.
///
/// # Errors
/// The server refused.
pub async fn set_sequence(client: &Client, sequence: &Sequence, value: i64) -> Result<(), PgError> {
    let name = format!(
        "{}.{}",
        quote_identifier(&sequence.schema),
        quote_identifier(&sequence.name)
    );
    client
        .execute("SELECT setval($1::text::regclass, $2)", &[&name, &value])
        .await
        .map(|_| ())
        .map_err(PgError::sql(format!("setting sequence {name}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sequence(last: Option<i64>, descending: bool) -> Sequence {
        Sequence {
            schema: "public".into(),
            name: "s".into(),
            last,
            descending,
            end: if descending { -100 } else { 100 },
        }
    }

    #[test]
    fn a_sequence_that_would_give_a_value_out_again_is_not_past_the_other() {
        for (new, old, descending, past) in [
            (Some(10), Some(10), false, true),
            (Some(9), Some(10), false, false),
            (None, Some(10), false, false),
            (None, None, false, true),
            (Some(5), None, false, true),
            (Some(-10), Some(-10), true, true),
            (Some(-9), Some(-10), true, false),
            // Never used on the new server: it would begin with -1 again.
            (None, Some(-10), true, false),
        ] {
            let (new, old) = (sequence(new, descending), sequence(old, descending));
            assert_eq!(new.is_past(&old), past, "{new:?} {old:?}");
        }
    }

    #[test]
    fn what_is_carried_over_stays_inside_the_sequence() {
        assert_eq!(sequence(Some(10), false).beyond(50), Some(60));
        assert_eq!(sequence(Some(90), false).beyond(50), Some(100));
        assert_eq!(sequence(Some(-90), true).beyond(50), Some(-100));
        assert_eq!(sequence(None, false).beyond(50), None);
    }
}
