//! The command that plays a scenario again, as it stands in the run folder and in the report.
//!
//! A scenario file of the user's own is named by its path. A cell of the matrix with another Debezium than its scenario
//! says cannot be had from `rehearse`, so the cell is named instead.

use crate::matrix::label;
use crate::scenario;
use crate::scene::Cast;

/// The command, for a shell.
pub fn command(cast: &Cast<'_>) -> String {
    let (scenario, seed) = (cast.scenario, cast.seed);
    let name = scenario.file.as_deref().unwrap_or(&scenario.name);
    let own = scenario::find(name).is_ok_and(|own| own.stack == scenario.stack);
    if own {
        return format!("cutover rehearse {} --seed {seed}", quoted(name));
    }
    format!(
        "cutover matrix --kinds {} --runbooks {} --debezium {} --seeds {seed}",
        quoted(&scenario.upgrade.kind),
        quoted(&label(scenario)),
        quoted(&scenario.stack.debezium)
    )
}

/// A word that a POSIX shell reads as it is.
fn quoted(word: &str) -> String {
    let harmless = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./,:=+".contains(&byte);
    if !word.is_empty() && word.bytes().all(harmless) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Arc;

    use super::*;
    use crate::scenario::Scenario;

    fn told(scenario: &Scenario) -> String {
        command(&Cast {
            scenario,
            label: &scenario.name,
            seed: 7,
            root: Path::new("/nowhere"),
            display: &(Arc::new(|_: &cutover_model::RunEvent| ()) as _),
        })
    }

    #[test]
    fn a_shipped_scenario_is_named_and_another_debezium_is_a_cell() {
        let mut scenario = scenario::find("minor").unwrap();
        assert_eq!(told(&scenario), "cutover rehearse minor --seed 7");
        scenario.stack.debezium = "3.6.0".into();
        assert_eq!(
            told(&scenario),
            "cutover matrix --kinds minor --runbooks proven --debezium 3.6.0 --seeds 7"
        );
    }

    #[test]
    fn a_file_is_named_by_its_path_in_a_form_that_a_shell_takes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("it's mine.toml");
        let shipped = scenario::ALL.iter().find(|shipped| shipped.name == "minor");
        std::fs::write(&path, shipped.unwrap().text).unwrap();
        let scenario = scenario::find(path.to_str().unwrap()).unwrap();
        let command = told(&scenario);
        assert!(
            command.contains("it'\\''s mine.toml' --seed 7"),
            "{command}"
        );
    }
}
