//! Transactions that can still commit a change although writes are frozen: those that were prepared (2PC), and open
//! ones that have written already. Listed one by one, because somebody has to end each of them.
//!
//! The rule it protects: the text of a query is shown without the values in it.

use cutover_model::table::quote_literal;
use tokio_postgres::Client;

use super::PgError;

/// Longest part of a query that is shown.
const QUERY_CHARS_MAX: usize = 120;

/// A transaction that was prepared and neither committed nor rolled back.
#[derive(Debug, Clone, PartialEq)]
pub struct PreparedTransaction {
    /// What COMMIT PREPARED calls it.
    pub gid: String,
    /// Its transaction id.
    pub xid: u64,
    /// Who prepared it.
    pub owner: String,
    /// How long ago.
    pub age_seconds: f64,
}

/// An open transaction that has written.
#[derive(Debug, Clone, PartialEq)]
pub struct OpenTransaction {
    /// Process of its session.
    pub pid: i32,
    /// Role.
    pub user: String,
    /// What the session calls itself.
    pub application: String,
    /// Its transaction id.
    pub xid: u64,
    /// How long it is open.
    pub age_seconds: f64,
    /// `active`, `idle in transaction`, …
    pub state: String,
    /// Its newest statement, without values.
    pub query: String,
}

/// Everything that can still commit a change.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Pending {
    /// Prepared transactions, the oldest first.
    pub prepared: Vec<PreparedTransaction>,
    /// Open ones, the oldest first.
    pub open: Vec<OpenTransaction>,
}

impl PreparedTransaction {
    /// How it is ended.
    pub fn remedy(&self) -> String {
        let gid = quote_literal(&self.gid);
        format!(
            "COMMIT PREPARED {gid} or ROLLBACK PREPARED {gid}, whichever its coordinator decided"
        )
    }
}

impl OpenTransaction {
    /// How it is ended.
    pub fn remedy(&self) -> String {
        format!(
            "let role {} commit it, or SELECT pg_terminate_backend({})",
            self.user, self.pid
        )
    }
}

impl std::fmt::Display for PreparedTransaction {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "prepared transaction '{}' (owner {}, xid {}, {:.0} s old)",
            self.gid, self.owner, self.xid, self.age_seconds
        )
    }
}

impl std::fmt::Display for OpenTransaction {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "open transaction of pid {} (role {}, {}, xid {}, {:.0} s old, {}): {}",
            self.pid,
            self.user,
            self.application,
            self.xid,
            self.age_seconds,
            self.state,
            self.query
        )
    }
}

impl Pending {
    /// Nobody can commit a change any more.
    pub fn is_empty(&self) -> bool {
        self.prepared.is_empty() && self.open.is_empty()
    }

    /// Every transaction, one line each.
    pub fn lines(&self) -> Vec<String> {
        let prepared = self.prepared.iter().map(ToString::to_string);
        prepared
            .chain(self.open.iter().map(ToString::to_string))
            .collect()
    }

    /// How they are ended, one line each.
    pub fn remedies(&self) -> Vec<String> {
        let prepared = self.prepared.iter().map(PreparedTransaction::remedy);
        prepared
            .chain(self.open.iter().map(OpenTransaction::remedy))
            .collect()
    }
}

/// Prepared transactions of a database, or of all.
///
/// # Errors
/// The statement failed.
pub async fn prepared_transactions(
    client: &Client,
    database: Option<&str>,
) -> Result<Vec<PreparedTransaction>, PgError> {
    let rows = client
        .query(PREPARED, &[&database])
        .await
        .map_err(PgError::sql("looking for prepared transactions"))?;
    let read = |row: &tokio_postgres::Row| PreparedTransaction {
        gid: row.get(0),
        xid: row.get::<_, i64>(1).unsigned_abs(),
        owner: row.get(2),
        age_seconds: row.get(3),
    };
    Ok(rows.iter().map(read).collect())
}

/// Everything that can still commit a change in a database. Our own session does not count.
///
/// # Errors
/// A statement failed.
pub async fn pending(client: &Client, database: &str) -> Result<Pending, PgError> {
    let rows = client
        .query(OPEN, &[&database])
        .await
        .map_err(PgError::sql("looking for open transactions"))?;
    let read = |row: &tokio_postgres::Row| OpenTransaction {
        pid: row.get(0),
        user: row.get(1),
        application: row.get(2),
        xid: row.get::<_, i64>(3).unsigned_abs(),
        age_seconds: row.get(4),
        state: row.get(5),
        query: redacted(row.get(6)),
    };
    Ok(Pending {
        prepared: prepared_transactions(client, Some(database)).await?,
        open: rows.iter().map(read).collect(),
    })
}

/// A statement without the values in it: quoted texts and numbers become `?`, white space one blank.
pub fn redacted(query: &str) -> String {
    let mut shown = String::new();
    let mut rest = query.chars().peekable();
    while let Some(letter) = rest.next() {
        match letter {
            // A doubled quote ends one text and begins another: both are left out.
            '\'' => {
                while rest.next().is_some_and(|inner| inner != '\'') {}
                if !shown.ends_with('?') {
                    shown.push('?');
                }
            }
            // Dollar quotes: what stands behind one may be anything.
            '$' if rest.peek().is_none_or(|next| !next.is_ascii_digit()) => {
                shown.push('?');
                break;
            }
            digit if digit.is_ascii_digit() && !in_word(&shown) => {
                while rest
                    .next_if(|next| next.is_ascii_alphanumeric() || *next == '.')
                    .is_some()
                {}
                shown.push('?');
            }
            blank if blank.is_whitespace() => {
                if !shown.ends_with(' ') {
                    shown.push(' ');
                }
            }
            other => shown.push(other),
        }
    }
    let shown = shown.trim();
    match shown.char_indices().nth(QUERY_CHARS_MAX) {
        Some((end, _)) => format!("{}…", &shown[..end]),
        None => shown.to_owned(),
    }
}

/// Whether what was shown so far ends inside a word, as in `table2` or `$1`.
fn in_word(shown: &str) -> bool {
    let last = shown.chars().next_back();
    last.is_some_and(|last| last.is_alphanumeric() || last == '_' || last == '$')
}

const PREPARED: &str = "
SELECT gid, transaction::text::int8, owner::text,
       extract(epoch FROM clock_timestamp() - prepared)::float8
FROM pg_prepared_xacts WHERE $1::text IS NULL OR database = $1 ORDER BY prepared";

const OPEN: &str = "
SELECT pid, coalesce(usename::text, '-'), coalesce(application_name, ''), backend_xid::text::int8,
       coalesce(extract(epoch FROM clock_timestamp() - xact_start), 0)::float8,
       coalesce(state, '-'), coalesce(query, '')
FROM pg_stat_activity
WHERE datname = $1 AND backend_type = 'client backend' AND backend_xid IS NOT NULL
  AND pid <> pg_backend_pid()
ORDER BY xact_start";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_shown_without_its_values() {
        let query = "insert into t2 (a, b)\n  values (17, 'Anna''s', 1.5e3, -4, x'ff', $1)";
        assert_eq!(
            redacted(query),
            "insert into t2 (a, b) values (?, ?, ?, -?, x?, $1)"
        );
        assert_eq!(redacted("do $$ secret 'x' $$"), "do ?");
        assert_eq!(redacted("select 'never closed"), "select ?");
        assert_eq!(redacted(&"a".repeat(500)).chars().count(), 121);
    }

    #[test]
    fn each_transaction_is_named_and_so_is_what_ends_it() {
        let pending = Pending {
            prepared: vec![PreparedTransaction {
                gid: "it's".into(),
                xid: 5,
                owner: "app".into(),
                age_seconds: 61.4,
            }],
            open: vec![OpenTransaction {
                pid: 17,
                user: "batch".into(),
                application: "psql".into(),
                xid: 6,
                age_seconds: 2.0,
                state: "idle in transaction".into(),
                query: "insert into t values (?)".into(),
            }],
        };
        let text = pending.lines().join("\n");
        assert!(
            text.contains("'it's' (owner app, xid 5, 61 s old)"),
            "{text}"
        );
        assert!(text.contains("pid 17 (role batch, psql, xid 6"), "{text}");
        let text = pending.remedies().join("\n");
        assert!(text.contains("ROLLBACK PREPARED 'it''s'"), "{text}");
        assert!(text.contains("pg_terminate_backend(17)"), "{text}");
        assert!(Pending::default().is_empty() && !pending.is_empty());
    }
}
