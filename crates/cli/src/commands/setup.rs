//! `cutover setup`: slot, publication and replica identity of a stream.

use std::time::Duration;

use cutover_model::{ExitCode, Failure, Relation};
use cutover_report::setup::{setup, setup_json};
use cutover_upgrade::doctor::ConnectorFacts;
use cutover_upgrade::operate::connector::Operated;
use cutover_upgrade::operate::setup::{Wanted, set_up};
use cutover_upgrade::start::Starting;

use super::Settings;
use crate::args::SetupArgs;
use crate::config::{self, Systems};
use crate::output::Outcome;

/// Looks, and with `--apply` makes what is missing.
pub async fn run(arguments: &SetupArgs, settings: Settings) -> Outcome {
    let report = match prepared(arguments).await {
        Ok((systems, wanted)) => match systems.need_postgres() {
            Ok(address) => {
                let patience = Duration::from_secs(arguments.timeout);
                set_up(address, &wanted, arguments.apply, patience).await
            }
            Err(failure) => return Outcome::Failed(failure),
        },
        Err(failure) => return Outcome::Failed(failure),
    };
    let report = match report {
        Ok(report) => report,
        Err(error) => return error.into(),
    };
    let exit = match report.exit_code {
        0 => ExitCode::Pass,
        _ => ExitCode::Refused,
    };
    if !settings.json {
        return Outcome::Done(setup(&report, settings.result_look()), exit);
    }
    match setup_json(&report) {
        Ok(text) => Outcome::Done(text, exit),
        Err(error) => error.into(),
    }
}

/// What is wanted: from the arguments, and what they leave open from the connector.
async fn prepared(arguments: &SetupArgs) -> Result<(Systems, Wanted), Failure> {
    let systems = config::load(&arguments.one.systems.said(arguments.one.name.as_deref()))?;
    let mut tables = Vec::new();
    for text in &arguments.tables {
        tables.push(table(text)?);
    }
    let open = arguments.slot.is_none() || arguments.publication.is_none() || tables.is_empty();
    let connector = match &systems.connect {
        Some(connect) if open => {
            let starting = Starting::find(connect.clone(), systems.connector.as_deref()).await;
            let starting = starting.map_err(|error| Failure::of(&error))?;
            let operated = Operated {
                connect,
                name: &starting.connector,
                deadline: Duration::ZERO,
            };
            let state = operated
                .state()
                .await
                .map_err(|error| Failure::of(&error))?;
            Some(ConnectorFacts {
                state,
                config: starting.config,
            })
        }
        _ => None,
    };
    let part = |given: &Option<String>, own: fn(&ConnectorFacts) -> &str, what: &str| {
        let own = connector
            .as_ref()
            .map(|connector| own(connector).to_owned());
        given.clone().or(own).ok_or_else(|| {
            bad(
                format!("nothing names the {what}"),
                &format!("give --{what}, or the connector with --connect"),
            )
        })
    };
    let wanted = Wanted {
        slot: part(&arguments.slot, ConnectorFacts::slot, "slot")?,
        publication: part(
            &arguments.publication,
            ConnectorFacts::publication,
            "publication",
        )?,
        tables: match (tables.is_empty(), &connector) {
            (true, Some(connector)) => connector.named_tables(),
            _ => tables,
        },
    };
    if wanted.tables.is_empty() {
        return Err(bad(
            "nothing names a table".into(),
            "give --table schema.name once for each table",
        ));
    }
    Ok((systems, wanted))
}

/// `schema.name`, parts in double quotes where they hold a dot.
pub(super) fn table(text: &str) -> Result<Relation, Failure> {
    let mut parts = vec![String::new()];
    let mut quoted = false;
    for character in text.chars() {
        match character {
            '"' => quoted = !quoted,
            '.' if !quoted => parts.push(String::new()),
            other => {
                if let Some(part) = parts.last_mut() {
                    part.push(other);
                }
            }
        }
    }
    match parts.as_slice() {
        [schema, name] if !schema.is_empty() && !name.is_empty() && !quoted => {
            Ok(Relation::new(schema, name))
        }
        _ => Err(bad(
            format!("--table '{text}' is no schema.name"),
            "give public.orders, or \"a.b\".\"c\" where a name holds a dot",
        )),
    }
}

fn bad(message: String, remedy: &str) -> Failure {
    Failure::new(ExitCode::Usage, "CLI-SETUP-001", message, remedy)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_two_names_and_a_dot_in_quotes_is_none() {
        assert_eq!(
            table("public.orders").unwrap(),
            Relation::new("public", "orders")
        );
        assert_eq!(table("\"a.b\".c").unwrap(), Relation::new("a.b", "c"));
        for text in ["orders", "a.b.c", ".b", "a.", "\"a.b"] {
            assert_eq!(table(text).unwrap_err().exit, ExitCode::Usage, "{text}");
        }
    }
}
