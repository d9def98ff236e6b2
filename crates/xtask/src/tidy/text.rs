//! Rules about lines of any text file: white space, unfinished work, addresses of package registries.
//!
//! The words looked for are put together from halves, so that this file does not find itself.

use super::repository::SourceFile;

/// Files that a person writes. Others (data of tests, the lock file) are what they are.
const WRITTEN: [&str; 9] = [
    "rs", "toml", "md", "sql", "json", "yml", "yaml", "sh", "xml",
];

/// Files by name that a person writes although the extension does not say so.
const WRITTEN_NAMES: [&str; 3] = ["run", "LICENSE", ".gitignore"];

/// Marks of unfinished work.
const UNFINISHED: [&str; 6] = [
    concat!("TO", "DO"),
    concat!("FIX", "ME"),
    concat!("XX", "X:"),
    concat!("todo", "!("),
    concat!("unimplemented", "!("),
    concat!("#[ig", "nore"),
];

/// A process that another test starts and kills is written as a test that is left out; that is no unfinished work.
const ROLE: &str = concat!("nore = \"started ", "by ");

/// Hosts of package registries: parts come through package managers, whose settings name the hosts.
const REGISTRIES: [&str; 14] = [
    concat!("crates", ".io"),
    concat!("maven.apache", ".org"),
    concat!("repo1.maven", ".org"),
    concat!("maven.google", ".com"),
    concat!("packages.conflu", "ent.io"),
    concat!("pypi", ".org"),
    concat!("pythonhosted", ".org"),
    concat!("deb.debian", ".org"),
    concat!("security.debian", ".org"),
    concat!("apt.postgresql", ".org"),
    concat!("registry.npmjs", ".org"),
    concat!("proxy.golang", ".org"),
    concat!("docker", ".io/"),
    concat!("ghcr", ".io/"),
];

/// Lines that a merge leaves where two sides did not agree.
const MERGE_MARKS: [&str; 2] = [concat!("<<<<", "<<< "), concat!(">>>>", ">>> ")];

/// What is wrong with the lines of a file.
pub fn complaints(file: &SourceFile) -> Vec<String> {
    let written = WRITTEN.contains(&file.extension()) || WRITTEN_NAMES.contains(&file.name());
    let Some(text) = file.text.as_deref().filter(|_| written) else {
        return Vec::new();
    };
    let mut complaints = Vec::new();
    for (number, line) in text.lines().enumerate() {
        if line.contains('\t') {
            complaints.push(file.at(number, "a tab"));
        }
        if line.ends_with([' ', '\r']) {
            complaints.push(file.at(number, "white space at the end of the line"));
        }
        if MERGE_MARKS.iter().any(|mark| line.starts_with(mark)) {
            complaints.push(file.at(number, "left over from a merge"));
        }
        complaints.extend(
            UNFINISHED
                .iter()
                .filter(|mark| line.contains(**mark) && !line.contains(ROLE))
                .map(|mark| {
                    file.at(
                        number,
                        &format!("'{mark}': finish it or write down why not"),
                    )
                }),
        );
        complaints.extend(
            REGISTRIES
                .iter()
                .filter(|host| line.contains(**host))
                .map(|host| {
                    file.at(
                        number,
                        &format!("'{host}': name coordinates, not a registry's host"),
                    )
                }),
        );
    }
    if !text.is_empty() && !text.ends_with('\n') {
        complaints.push(file.at(text.lines().count(), "no line break at the end"));
    }
    complaints
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(path: &str, text: &str) -> usize {
        complaints(&SourceFile::made_up(path, text)).len()
    }

    #[test]
    fn clean_text_passes_and_data_is_left_alone() {
        assert_eq!(found("a.rs", "let a = 1;\n"), 0);
        assert_eq!(found("tests/data/copy.txt", "1\t2 \n"), 0);
        assert_eq!(found("Cargo.lock", concat!("crates", ".io\n")), 0);
    }

    #[test]
    fn white_space_unfinished_work_and_registries_are_found() {
        assert_eq!(found("a.rs", "\tx\n"), 1);
        assert_eq!(found("a.md", "x \n"), 1);
        assert_eq!(found("a.toml", "x"), 1);
        assert_eq!(found("a.sql", concat!("-- TO", "DO later\n")), 1);
        assert_eq!(found("a.rs", concat!("#[ig", "nore]\n")), 1);
        assert_eq!(found("a.md", concat!("<<<<", "<<< ours\n")), 1);
        assert_eq!(found("a.md", "a <<<<<<< b\n"), 0);
        assert_eq!(
            found(".ci/run", concat!("curl https://pypi", ".org/x\n")),
            1
        );
    }
}
