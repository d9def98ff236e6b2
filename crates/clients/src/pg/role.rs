//! What a role may do, asked about another role: no privilege is needed.

use cutover_model::Relation;
use tokio_postgres::Client;

use super::PgError;

/// A role as a connector needs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoleFacts {
    /// It may log in.
    pub can_login: bool,
    /// It may replicate, itself or as superuser.
    pub replicates: bool,
    /// Tables that it may not read.
    pub unreadable: Vec<Relation>,
}

/// What a role may do; `None` if there is no such role.
///
/// # Errors
/// A statement failed.
pub async fn role(
    client: &Client,
    name: &str,
    tables: &[Relation],
) -> Result<Option<RoleFacts>, PgError> {
    let doing = || PgError::sql(format!("looking at role '{name}'"));
    let found = client
        .query_opt(
            "SELECT rolcanlogin, rolreplication OR rolsuper FROM pg_roles WHERE rolname = $1",
            &[&name],
        )
        .await
        .map_err(doing())?;
    let Some(found) = found else {
        return Ok(None);
    };
    let mut unreadable = Vec::new();
    for table in tables {
        let row = client
            .query_one(
                "SELECT coalesce(has_table_privilege($1::text, to_regclass($2), 'SELECT'), true)",
                &[&name, &table.quoted()],
            )
            .await
            .map_err(doing())?;
        if !row.get::<_, bool>(0) {
            unreadable.push(table.clone());
        }
    }
    Ok(Some(RoleFacts {
        can_login: found.get(0),
        replicates: found.get(1),
        unreadable,
    }))
}
