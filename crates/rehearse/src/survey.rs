//! What the lab has for a second cluster, for the preflight: programs, room, and what an empty server of the new
//! programs answers. That server is made for the question and removed with its data.

use cutover_clients::pg::inventory::{available_extensions, icu_refused, settings};
use cutover_clients::pg::{PgAddress, connect_admin};
use cutover_lab::services::postgres::{Login, PostgresSpec};
use cutover_lab::stack::Stack;
use cutover_lab::{Component, PartDir, disk};
use cutover_upgrade::UpgradeError;
use cutover_upgrade::preflight::{
    Extension, NewServer, NewSide, Place, Purpose, SETTINGS, Way, backup_tool_knows,
};

use crate::error::RehearseError;
use crate::servers::{DATABASE, Servers, cluster};

/// Name of the server that is made for the question.
const PROBE: &str = "preflight";

impl Servers {
    /// What there is for a second cluster.
    pub async fn survey(&self, version: &str, way: Way) -> Result<NewSide, RehearseError> {
        let mut stack = self.stack.lock().await;
        let new = stack.part(Component::Postgres, version).await?;
        let old = cluster(&mut stack, "old")?.binaries().clone();
        let clone_refused = match way {
            Way::UpgradeClone => disk::clone_refused(stack.folder())?,
            _ => None,
        };
        let backup_tool = match (&self.repository, way) {
            (Some(repository), Way::Restore) => Some(repository.version().await?),
            _ => None,
        };
        Ok(NewSide {
            version: new.version.clone(),
            missing_programs: missing(&new, &old, way),
            places: self.places(&mut stack, way)?,
            clone_refused,
            backup_tool,
            server: self.ask_probe(&mut stack, version).await?,
        })
    }

    /// Where files of the plan go.
    fn places(&self, stack: &mut Stack, way: Way) -> Result<Vec<Place>, RehearseError> {
        let old = cluster(stack, "old")?;
        let mut all = vec![(Purpose::Old, old.data())];
        if way == Way::Dump {
            all.push((Purpose::Dump, old.work_folder()));
        }
        all.push((Purpose::New, stack.folder().to_owned()));
        if let (Some(repository), Way::Restore) = (&self.repository, way) {
            all.push((Purpose::Repository, repository.place()));
        }
        let place = |(purpose, path): (Purpose, std::path::PathBuf)| {
            let room = disk::room(&path)?;
            Ok(Place {
                purpose,
                path,
                file_system: room.file_system,
                free_bytes: room.free_bytes,
            })
        };
        all.into_iter().map(place).collect()
    }

    async fn ask_probe(
        &self,
        stack: &mut Stack,
        version: &str,
    ) -> Result<NewServer, RehearseError> {
        // One that was left behind by a driver that was broken off.
        stack.remove_postgres(PROBE).await?;
        let spec = PostgresSpec::new(PROBE, DATABASE);
        let made = stack.add_postgres(version, spec).await;
        let answered = match made {
            Ok(probe) => ask(&probe.address(Login::Admin, DATABASE)).await,
            Err(error) => Err(error.into()),
        };
        stack.remove_postgres(PROBE).await?;
        answered
    }
}

async fn ask(address: &PgAddress) -> Result<NewServer, RehearseError> {
    let client = connect_admin(address).await?;
    let extensions = available_extensions(&client).await?.into_iter();
    Ok(NewServer {
        extensions: extensions
            .map(|(name, version)| Extension {
                name,
                version,
                database: String::new(),
            })
            .collect(),
        icu_refused: icu_refused(&client).await?,
        settings: settings(&client, &SETTINGS).await?,
    })
}

/// Programs that the plan calls and that are not in their folder.
fn missing(new: &PartDir, old: &PartDir, way: Way) -> Vec<String> {
    let (of_new, of_old): (&[&str], &[&str]) = match way {
        Way::UpgradeCopy | Way::UpgradeLink | Way::UpgradeClone => (
            &[
                "postgres",
                "initdb",
                "pg_upgrade",
                "pg_dump",
                "pg_restore",
                "pg_resetwal",
            ],
            &["postgres", "pg_ctl", "pg_controldata", "pg_resetwal"],
        ),
        Way::Dump | Way::Logical => (&["postgres", "initdb", "pg_dump", "pg_restore"], &[]),
        Way::Standby | Way::Copy => (&["postgres", "pg_basebackup"], &[]),
        Way::Restore => (&["postgres"], &[]),
    };
    let wanted = of_new
        .iter()
        .map(|name| new.bin().join(name))
        .chain(of_old.iter().map(|name| old.bin().join(name)));
    wanted
        .filter(|program| !program.is_file())
        .map(|program| program.display().to_string())
        .collect()
}

/// The repository cannot even be made for a server that its program does not know: so it is asked before.
pub(super) fn known_to(tool: &str, version: &str) -> Result<(), RehearseError> {
    let major = version.split('.').next().unwrap_or(version);
    match backup_tool_knows(tool, major.parse().unwrap_or(0)) {
        Some(finding) if finding.code == "PRE-BACKUP-001" => {
            Err(UpgradeError::Preflight(vec![finding]).into())
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_that_are_not_in_their_folder_are_named_with_it() {
        let part = cutover_lab::catalog::find(Component::Postgres, "16.14").unwrap();
        let root = tempfile::tempdir().unwrap();
        let place = PartDir {
            part,
            root: root.path().to_owned(),
            version: "16.14".into(),
            archives: None,
        };
        std::fs::create_dir_all(place.bin()).unwrap();
        let all = missing(&place, &place, Way::UpgradeLink);
        assert_eq!(all.len(), 10, "{all:?}");
        for program in missing(&place, &place, Way::Standby) {
            std::fs::write(program, "").unwrap();
        }
        assert!(missing(&place, &place, Way::Standby).is_empty());
        let left = missing(&place, &place, Way::UpgradeLink);
        assert!(
            left.iter()
                .any(|program| program.ends_with("bin/pg_upgrade")),
            "{left:?}"
        );
    }

    #[test]
    fn a_repository_is_not_made_for_a_server_that_the_tool_does_not_know() {
        assert!(known_to("2.45", "15").is_ok());
        let error = known_to("2.45", "16.14").unwrap_err();
        assert!(matches!(
            error,
            RehearseError::Upgrade(UpgradeError::Preflight(_))
        ));
    }
}
