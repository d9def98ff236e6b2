//! The house rules that neither rustfmt nor clippy knows, as a task and as a test of this crate.
//!
//! A rule is a function from the repository to complaints; to add one, write it into the file of its subject
//! and call it in [`check`]. Every complaint names the place and what to do.

mod code;
mod edges;
mod files;
mod links;
mod repository;
mod text;

use anyhow::Result;

use self::repository::Repository;
use crate::workspace::Workspace;

/// Everything untidy, one line each; empty when all is well.
pub fn check(workspace: &Workspace) -> Result<Vec<String>> {
    let repository = Repository::read(&workspace.root)?;
    let mut complaints = edges::forbidden(workspace);
    complaints.extend(edges::settings(&repository));
    for file in &repository.files {
        complaints.extend(files::complaints(file));
        complaints.extend(text::complaints(file));
        complaints.extend(code::complaints(file));
        complaints.extend(links::complaints(file, &repository));
    }
    complaints.sort();
    Ok(complaints)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_repository_is_tidy() {
        let untidy = check(&Workspace::load().unwrap()).unwrap();
        assert!(
            untidy.is_empty(),
            "{} places:\n{}",
            untidy.len(),
            untidy.join("\n")
        );
    }
}
