//! Rules about files as a whole: size, length, depth, names.

use super::repository::SourceFile;

/// Longest source file, in lines.
const LINES_MAX: usize = 500;

/// Longest file that holds tests only.
const TEST_LINES_MAX: usize = 800;

/// Folders below `src`.
const DEPTH_MAX: usize = 2;

/// Largest file of any kind, in bytes.
const SIZE_MAX: u64 = 1024 * 1024;

/// Names that say nothing about what is inside.
const EMPTY_NAMES: [&str; 8] = [
    "utils", "util", "common", "types", "imp", "helpers", "misc", "shared",
];

/// What is wrong with a file.
pub fn complaints(file: &SourceFile) -> Vec<String> {
    let mut complaints = Vec::new();
    let mut complain = |what: String| complaints.push(format!("{}: {what}", file.path));
    if file.size > SIZE_MAX {
        complain(format!("{} bytes; at most {SIZE_MAX}", file.size));
    }
    let Some(text) = file.text.as_deref() else {
        return complaints;
    };
    if file.is_rust() || file.extension() == "sql" {
        let most = if file.is_test() {
            TEST_LINES_MAX
        } else {
            LINES_MAX
        };
        let lines = text.lines().count();
        if lines > most {
            complain(format!(
                "{lines} lines; at most {most}, so split it by what it does"
            ));
        }
    }
    let depth = file.below_src().map_or(0, |path| path.matches('/').count());
    if depth > DEPTH_MAX {
        complain(format!("{depth} folders below src; at most {DEPTH_MAX}"));
    }
    if file.is_rust() {
        for part in file.path.trim_end_matches(".rs").split('/') {
            if EMPTY_NAMES.contains(&part) {
                complain(format!("'{part}' names nothing; call it by what it does"));
            }
        }
        let first = text.lines().next().unwrap_or("");
        if !first.starts_with("//! ") {
            complain("must open with //! (what for, where in the flow, which rule)".to_owned());
        }
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
    fn a_good_file_passes() {
        assert_eq!(found("crates/a/src/b/c/d.rs", "//! Does d.\n"), 0);
        assert_eq!(found("docs/common/x.md", "# x\n"), 0);
    }

    #[test]
    fn length_depth_names_and_header_are_checked() {
        let long = format!("//! x\n{}", "\n".repeat(LINES_MAX));
        assert_eq!(found("crates/a/src/b.rs", &long), 1);
        assert_eq!(found("crates/a/src/b/tests.rs", &long), 0);
        assert_eq!(found("crates/a/tests/b.rs", &long.repeat(2)), 1);
        assert_eq!(found("crates/a/src/b/c/d/e.rs", "//! x\n"), 1);
        assert_eq!(found("crates/a/src/utils/b.rs", "//! x\n"), 1);
        assert_eq!(found("crates/a/src/types.rs", "//! x\n"), 1);
        assert_eq!(found("crates/a/src/b.rs", "use x;\n"), 1);
    }

    #[test]
    fn a_large_file_is_found_even_if_it_is_no_text() {
        let blob = SourceFile {
            path: "a.bin".into(),
            size: SIZE_MAX + 1,
            text: None,
        };
        assert_eq!(complaints(&blob).len(), 1);
    }
}
