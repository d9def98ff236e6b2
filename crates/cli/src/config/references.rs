//! `${env:NAME}` and `${file:PATH}` in values of the file, so that a secret need not stand in it.
//!
//! The rule it protects: a secret comes only from a file that nobody else can read, and what a reference leads to is
//! never quoted.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::layers::Lookup;

/// Replaces references. `base` is the folder that relative paths begin in.
///
/// # Errors
/// What is said about the reference in one line, without any value.
pub(super) fn expand(text: &str, base: &Path, variable: Lookup<'_>) -> Result<String, String> {
    let mut whole = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("${") {
        // $${ is ${ itself.
        if rest[..at].ends_with('$') {
            whole.push_str(&rest[..at]);
            whole.push('{');
            rest = &rest[at + 2..];
            continue;
        }
        whole.push_str(&rest[..at]);
        let (inside, after) = rest[at + 2..]
            .split_once('}')
            .ok_or_else(|| "a reference is not closed by }".to_owned())?;
        whole.push_str(&one(inside, base, variable)?);
        rest = after;
    }
    whole.push_str(rest);
    Ok(whole)
}

fn one(inside: &str, base: &Path, variable: Lookup<'_>) -> Result<String, String> {
    match inside.split_once(':') {
        Some(("env", name)) => match variable(name) {
            Some(value) if !value.is_empty() => Ok(value),
            Some(_) => Err(format!("variable {name} is empty")),
            None => Err(format!("variable {name} is not set")),
        },
        Some(("file", path)) => secret_file(&base.join(path)),
        Some((other, _)) => Err(format!(
            "'{other}' is no kind of reference; there are ${{env:NAME}} and ${{file:PATH}}"
        )),
        None => Err("a reference is ${env:NAME} or ${file:PATH}".to_owned()),
    }
}

/// What a file of ours alone holds, without line breaks at its end.
///
/// # Errors
/// It cannot be read, others can read it, or it is somebody else's.
pub(super) fn secret_file(path: &Path) -> Result<String, String> {
    if let Some(reason) = not_private(path) {
        return Err(reason);
    }
    let text = std::fs::read_to_string(path);
    let text = text.map_err(|error| format!("read {}: {error}", path.display()))?;
    let text = text.trim_end_matches(['\r', '\n']);
    if text.is_empty() {
        return Err(format!("{} is empty", path.display()));
    }
    Ok(text.to_owned())
}

/// Why a file must hold no secret; `None` if it may, or is not there.
pub(super) fn not_private(path: &Path) -> Option<String> {
    let found = std::fs::metadata(path).ok()?;
    let shown = path.display();
    let own = nix::unistd::Uid::effective().as_raw();
    if found.is_file() && found.mode() & 0o077 != 0 {
        return Some(format!(
            "{shown} holds a secret and is open to others: chmod 600 {shown}"
        ));
    }
    (found.uid() != own && found.uid() != 0)
        .then(|| format!("{shown} holds a secret and belongs to another user"))
}
