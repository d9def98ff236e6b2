//! `cutover completions SHELL` and `cutover man --dir FOLDER`: both are made from the argument tree, so they cannot
//! know a command that is not there.

use std::path::Path;

use clap::CommandFactory;
use clap_complete::Shell;
use cutover_model::{ExitCode, Failure};

use super::Settings;
use crate::args::Arguments;
use crate::output::Outcome;

/// The script of a shell.
pub fn completions(shell: Shell, settings: Settings) -> Outcome {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Arguments::command(), "cutover", &mut script);
    let script = String::from_utf8_lossy(&script);
    if settings.json {
        let object = serde_json::json!({
            "format": "cutover.completions/1", "shell": shell.to_string(), "script": script,
        });
        return Outcome::text(format!("{object:#}"));
    }
    Outcome::text(script)
}

/// Writes one page for each command.
pub fn pages(folder: &Path, settings: Settings) -> Outcome {
    let number = commands(&Arguments::command());
    let written = std::fs::create_dir_all(folder)
        .and_then(|()| clap_mangen::generate_to(Arguments::command(), folder));
    match written {
        Ok(()) if settings.json => super::written_json(folder, number, &[]),
        Ok(()) => Outcome::text(format!("{number} manual pages in {}", folder.display())),
        Err(error) => Outcome::Failed(
            Failure::new(
                ExitCode::of_io(&error),
                "CLI-MAN-001",
                format!("write manual pages to {}", folder.display()),
                "name a folder that may be written with --dir",
            )
            .because(error),
        ),
    }
}

/// A command and all below it.
fn commands(command: &clap::Command) -> usize {
    1 + command.get_subcommands().map(commands).sum::<usize>()
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::ValueEnum;

    const TEXT: Settings = Settings {
        json: false,
        quiet: false,
    };

    /// `cutover`, `cutover-lab`, `cutover-lab-up`, …
    fn names(command: &clap::Command, before: &str, into: &mut Vec<String>) {
        let name = format!("{before}{}", command.get_name());
        for below in command.get_subcommands() {
            names(below, &format!("{name}-"), into);
        }
        into.push(name);
    }

    #[test]
    fn there_is_a_page_for_each_command_and_it_names_every_option() {
        let folder = tempfile::tempdir().unwrap();
        let below = folder.path().join("new/man1");
        assert!(matches!(
            pages(&below, TEXT),
            Outcome::Done(_, ExitCode::Pass)
        ));
        let mut expected = Vec::new();
        names(&Arguments::command(), "", &mut expected);
        let mut found: Vec<String> = std::fs::read_dir(&below)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .map(|name| name.strip_suffix(".1").unwrap().to_owned())
            .collect();
        expected.sort();
        found.sort();
        assert_eq!(found, expected);
        let page = std::fs::read_to_string(below.join("cutover-predict.1")).unwrap();
        // Dashes are escaped in pages.
        let plain = page.replace('\\', "");
        let command = Arguments::command();
        let predict = command.find_subcommand("predict").unwrap();
        for option in predict.get_arguments().filter_map(clap::Arg::get_long) {
            assert!(plain.contains(&format!("--{option}")), "{option}: {plain}");
        }
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_refused() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let Outcome::Failed(failure) = pages(&file.path().join("below"), TEXT) else {
            panic!("a file is no folder");
        };
        assert_eq!(failure.code, "CLI-MAN-001");
    }

    #[test]
    fn every_shell_is_told_every_command() {
        for shell in Shell::value_variants() {
            let Outcome::Done(script, _) = completions(*shell, TEXT) else {
                panic!("{shell} has no script");
            };
            for command in Arguments::command().get_subcommands() {
                assert!(script.contains(command.get_name()), "{shell}: {command}");
            }
        }
    }
}
