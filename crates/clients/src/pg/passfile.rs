//! Passwords from a file in libpq's format: `host:port:database:user:password`, `*` for any, `\` escapes.
//!
//! The rule it protects: a file that others can read gives no password, as with libpq.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::{PgAddress, PgHost};
use crate::secret::Secret;

/// The password for an address, if the file is there, private, and has a line for it.
pub fn password(file: &Path, address: &PgAddress) -> Option<Secret> {
    let metadata = std::fs::metadata(file).ok()?;
    if metadata.permissions().mode() & 0o077 != 0 {
        return None;
    }
    find(&std::fs::read_to_string(file).ok()?, address)
}

/// Whether the file is there and would be read, were it not open to others.
pub fn is_open_to_others(file: &Path) -> bool {
    std::fs::metadata(file).is_ok_and(|found| found.permissions().mode() & 0o077 != 0)
}

fn find(text: &str, address: &PgAddress) -> Option<Secret> {
    let host = match &address.host {
        PgHost::Tcp(host) => host.clone(),
        PgHost::Unix(folder) => folder.display().to_string(),
    };
    let wanted = [
        host,
        address.port.to_string(),
        address.database.clone(),
        address.user.clone(),
    ];
    let mut lines = text
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(fields);
    lines.find_map(|fields| {
        let (password, names) = fields.split_last()?;
        let fits = names.len() == wanted.len()
            && names
                .iter()
                .zip(&wanted)
                .all(|(name, wanted)| name == "*" || name == wanted);
        fits.then(|| Secret::new(password.clone()))
    })
}

fn fields(line: &str) -> Vec<String> {
    let mut fields = vec![String::new()];
    let mut characters = line.chars();
    while let Some(character) = characters.next() {
        let next = match character {
            // What follows the fourth colon is the password, colons included.
            ':' if fields.len() < 5 => {
                fields.push(String::new());
                continue;
            }
            '\\' => characters.next(),
            other => Some(other),
        };
        if let (Some(next), Some(field)) = (next, fields.last_mut()) {
            field.push(next);
        }
    }
    fields
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_that_fits_gives_the_password() {
        let address = PgAddress::parse("postgresql://u@h:5433/d").unwrap();
        let text =
            "# h:5433:d:u:comment\nother:5433:d:u:no\n*:5433:*:u:pa\\:ss:word\n*:*:*:*:late\n";
        assert_eq!(find(text, &address).unwrap().reveal(), "pa:ss:word");
        assert!(find("h:5432:d:u:x\nh:5433:d:u", &address).is_none());
    }
}
