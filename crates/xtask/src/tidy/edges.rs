//! Which crate may know which: the shape of the program, pinned.
//!
//! A crate exists where code must not have a dependency, so an edge that is not listed here is a change of
//! the design (`ARCHITECTURE.md` §"Crates"), not of a manifest. Test and build dependencies count as well.

use super::repository::Repository;
use crate::workspace::Workspace;

/// Crate, and the crates of ours that it may use.
const ALLOWED: [(&str, &[&str]); 13] = [
    ("cutover-model", &[]),
    ("cutover-ledger", &["cutover-model"]),
    ("cutover-clients", &["cutover-model"]),
    ("cutover-lab", &["cutover-clients", "cutover-model"]),
    (
        "cutover-workload",
        &["cutover-ledger", "cutover-clients", "cutover-model"],
    ),
    (
        "cutover-record",
        &["cutover-ledger", "cutover-clients", "cutover-model"],
    ),
    ("cutover-audit", &["cutover-ledger", "cutover-model"]),
    (
        "cutover-upgrade",
        &[
            "cutover-clients",
            "cutover-record",
            "cutover-audit",
            "cutover-ledger",
            "cutover-model",
        ],
    ),
    (
        "cutover-rehearse",
        &[
            "cutover-lab",
            "cutover-workload",
            "cutover-upgrade",
            "cutover-record",
            "cutover-audit",
            "cutover-ledger",
            "cutover-clients",
            "cutover-model",
        ],
    ),
    ("cutover-report", &["cutover-model"]),
    (
        "cutover-bench",
        &[
            "cutover-audit",
            "cutover-record",
            "cutover-ledger",
            "cutover-clients",
            "cutover-model",
        ],
    ),
    (
        "cutover",
        &[
            "cutover-bench",
            "cutover-rehearse",
            "cutover-lab",
            "cutover-upgrade",
            "cutover-record",
            "cutover-audit",
            "cutover-report",
            "cutover-ledger",
            "cutover-clients",
            "cutover-model",
        ],
    ),
    ("xtask", &[]),
];

/// Edges that the design forbids, crates that it does not know, and crates that are gone.
pub fn forbidden(workspace: &Workspace) -> Vec<String> {
    let mut complaints = Vec::new();
    for member in &workspace.members {
        let Some((_, allowed)) = ALLOWED.iter().find(|(name, _)| *name == member.name) else {
            complaints.push(format!(
                "crate {} has no line in tidy/edges.rs",
                member.name
            ));
            continue;
        };
        for (to, kind) in &member.edges {
            if !allowed.contains(&to.as_str()) {
                complaints.push(format!("crate {} must not use {to} ({kind})", member.name));
            }
        }
    }
    for (name, _) in &ALLOWED {
        if !workspace.members.iter().any(|member| member.name == *name) {
            complaints.push(format!("tidy/edges.rs lists {name}, which is no crate"));
        }
    }
    complaints
}

/// Settings that other rules rest on: every crate takes the workspace's lints, clippy has its thresholds.
pub fn settings(repository: &Repository) -> Vec<String> {
    let mut complaints = Vec::new();
    for file in &repository.files {
        let Some(text) = file.text.as_deref() else {
            continue;
        };
        if file.path.starts_with("crates/") && file.path.matches('/').count() == 2 {
            complaints.extend(
                (file.name() == "Cargo.toml")
                    .then(|| manifest(text))
                    .and_then(|problem| problem.map(|problem| format!("{}: {problem}", file.path))),
            );
        }
        if file.path == "clippy.toml" {
            complaints.extend(clippy(text));
        }
    }
    complaints
}

fn manifest(text: &str) -> Option<&'static str> {
    let Ok(table) = text.parse::<toml::Table>() else {
        return Some("is no TOML");
    };
    let lints = table.get("lints").and_then(|lints| lints.get("workspace"));
    if lints.and_then(toml::Value::as_bool) != Some(true) {
        return Some("must take the workspace's lints ([lints] workspace = true)");
    }
    table
        .contains_key("features")
        .then_some("has features; one build serves all uses")
}

fn clippy(text: &str) -> Vec<String> {
    let table = text.parse::<toml::Table>().unwrap_or_default();
    [
        ("too-many-lines-threshold", 70),
        ("too-many-arguments-threshold", 5),
    ]
    .into_iter()
    .filter(|(name, value)| table.get(*name).and_then(toml::Value::as_integer) != Some(*value))
    .map(|(name, value)| format!("clippy.toml: {name} must be {value}"))
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace::Member;

    fn workspace(members: &[(&str, &[&str])]) -> Workspace {
        let members = members.iter().map(|(name, edges)| Member {
            name: (*name).to_owned(),
            edges: edges
                .iter()
                .map(|to| ((*to).to_owned(), "in its code"))
                .collect(),
            tests: vec![],
        });
        Workspace {
            root: "/".into(),
            target: "/".into(),
            members: members.collect(),
        }
    }

    #[test]
    fn a_forbidden_edge_and_an_unknown_crate_are_found() {
        let found = forbidden(&workspace(&[
            ("cutover-audit", &["cutover-model", "cutover-clients"]),
            ("cutover-extra", &[]),
        ]));
        assert!(found.contains(
            &"crate cutover-audit must not use cutover-clients (in its code)".to_owned()
        ));
        assert!(found.contains(&"crate cutover-extra has no line in tidy/edges.rs".to_owned()));
    }

    #[test]
    fn the_list_itself_has_no_cycle() {
        let mut left: Vec<(&str, &[&str])> = ALLOWED.to_vec();
        while !left.is_empty() {
            let free: Vec<&str> = left
                .iter()
                .filter(|(_, uses)| !uses.iter().any(|to| left.iter().any(|(it, _)| it == to)))
                .map(|(name, _)| *name)
                .collect();
            assert!(!free.is_empty(), "a cycle among {left:?}");
            left.retain(|(name, _)| !free.contains(name));
        }
    }

    #[test]
    fn a_manifest_without_the_common_lints_is_found() {
        assert!(manifest("[package]\nname = \"a\"").is_some());
        assert!(manifest("[lints]\nworkspace = true").is_none());
        assert_eq!(clippy("too-many-lines-threshold = 700").len(), 2);
    }
}
