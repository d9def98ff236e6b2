//! `cutover completions SHELL` and `cutover man --dir FOLDER`: both are made from the argument tree, so they cannot
//! know a command that is not there.

use std::path::Path;

use clap::CommandFactory;
use clap_complete::Shell;
use cutover_model::{ExitCode, Failure};

use crate::args::Arguments;
use crate::output::Outcome;

/// The script of a shell.
pub fn completions(shell: Shell) -> Outcome {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Arguments::command(), "cutover", &mut script);
    Outcome::text(String::from_utf8_lossy(&script))
}

/// Writes one page for each command.
pub fn pages(folder: &Path) -> Outcome {
    let written = std::fs::create_dir_all(folder)
        .and_then(|()| clap_mangen::generate_to(Arguments::command(), folder));
    match written {
        Ok(()) => Outcome::text(format!(
            "{} manual pages in {}",
            commands(&Arguments::command()),
            folder.display()
        )),
        Err(error) => Outcome::Failed(Failure {
            code: "CLI-MAN-001".into(),
            message: format!("write manual pages to {}: {error}", folder.display()),
            remedy: Some("name a folder that may be written with --dir".into()),
            exit: ExitCode::Refused,
        }),
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
        assert!(matches!(pages(&below), Outcome::Done(_, ExitCode::Pass)));
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
        let Outcome::Failed(failure) = pages(&file.path().join("below")) else {
            panic!("a file is no folder");
        };
        assert_eq!(failure.code, "CLI-MAN-001");
    }

    #[test]
    fn every_shell_is_told_every_command() {
        for shell in Shell::value_variants() {
            let Outcome::Done(script, _) = completions(*shell) else {
                panic!("{shell} has no script");
            };
            for command in Arguments::command().get_subcommands() {
                assert!(script.contains(command.get_name()), "{shell}: {command}");
            }
        }
    }
}
