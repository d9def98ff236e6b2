//! Links in documents lead somewhere: to a file of the repository, and to a heading that it has.

use std::path::{Component, Path, PathBuf};

use super::repository::{Repository, SourceFile};

/// Links of a document that lead nowhere.
pub fn complaints(file: &SourceFile, repository: &Repository) -> Vec<String> {
    let Some(text) = file.text.as_deref().filter(|_| file.extension() == "md") else {
        return Vec::new();
    };
    let mut complaints = Vec::new();
    for (number, line) in prose(text) {
        for target in targets(line) {
            if let Some(problem) = dead(file, target, repository) {
                complaints.push(file.at(number, &format!("link to {target}: {problem}")));
            }
        }
    }
    complaints
}

/// Lines outside code blocks.
fn prose(text: &str) -> Vec<(usize, &str)> {
    let mut in_code = false;
    let mut lines = Vec::new();
    for (number, line) in text.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            in_code = !in_code;
        } else if !in_code {
            lines.push((number, line));
        }
    }
    lines
}

/// What stands in the round brackets of `[words](target)`.
fn targets(line: &str) -> Vec<&str> {
    let after = line.split("](").skip(1);
    after
        .filter_map(|rest| rest.split_once(')').map(|(target, _)| target))
        .collect()
}

fn dead(file: &SourceFile, target: &str, repository: &Repository) -> Option<&'static str> {
    if target.contains("://") || target.starts_with("mailto:") {
        return None;
    }
    let (path, heading) = target.split_once('#').unwrap_or((target, ""));
    let path = if path.is_empty() {
        file.path.clone()
    } else {
        let folder = Path::new(&file.path).parent().unwrap_or(Path::new(""));
        plain(&folder.join(path))?
    };
    if !repository.root.join(&path).exists() {
        return Some("no such file");
    }
    let linked = repository.files.iter().find(|other| other.path == path)?;
    let text = linked.text.as_deref().filter(|_| !heading.is_empty())?;
    let headings = prose(text).into_iter().filter_map(|(_, line)| anchor(line));
    let known: Vec<String> = headings.collect();
    (!known.iter().any(|known| known == heading)).then_some("no such heading")
}

/// The path without `.` and `..`; `None` if it leaves the repository (then nothing can be said).
fn plain(path: &Path) -> Option<String> {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::Normal(name) => plain.push(name),
            Component::CurDir => {}
            Component::ParentDir => {
                if !plain.pop() {
                    return None;
                }
            }
            Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    Some(plain.to_string_lossy().into_owned())
}

/// The anchor that code hosts make of a heading: lower case, spaces to dashes, signs left out.
fn anchor(line: &str) -> Option<String> {
    let heading = line
        .strip_prefix('#')?
        .trim_start_matches('#')
        .strip_prefix(' ')?;
    let kept = heading.trim().to_lowercase();
    let kept = kept
        .chars()
        .filter(|it| it.is_alphanumeric() || matches!(it, ' ' | '-' | '_'));
    Some(kept.map(|it| if it == ' ' { '-' } else { it }).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dead_links_and_dead_headings_are_found() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("docs")).unwrap();
        let page = "# One: two\n[a](docs/b.md) [c](docs/c.md) [h](#one-two) [n](#no)\n\
                    [web](https://example.org/x) [b](docs/b.md#here) [b](docs/b.md#gone)\n\
                    ```\n[x](not-looked-at.md)\n```\n";
        std::fs::write(folder.path().join("a.md"), page).unwrap();
        std::fs::write(folder.path().join("docs/b.md"), "## Here\n[up](../a.md)\n").unwrap();
        let repository = Repository::read(folder.path()).unwrap();
        let found: Vec<String> = repository
            .files
            .iter()
            .flat_map(|file| complaints(file, &repository))
            .collect();
        assert_eq!(
            found,
            [
                "a.md:2: link to docs/c.md: no such file",
                "a.md:2: link to #no: no such heading",
                "a.md:3: link to docs/b.md#gone: no such heading",
            ]
        );
    }
}
