//! Whom the servers run as. PostgreSQL refuses root, and a lab has no business running anything as
//! root.
//!
//! As root: user `postgres` if there is one, else `nobody` (the uid needs a passwd entry,
//! PostgreSQL looks it up). Not as root: ourselves, and every function here does nothing.

use std::path::Path;

use nix::unistd::{Gid, Uid, User};

use crate::error::LabError;

/// An unprivileged user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// Its name.
    pub name: String,
    /// Its user id.
    pub uid: Uid,
    /// Its group id.
    pub gid: Gid,
}

/// The user to drop to; `None` when there is nothing to drop.
pub fn service_account() -> Result<Option<Account>, LabError> {
    if !Uid::effective().is_root() {
        return Ok(None);
    }
    ["postgres", "nobody"]
        .into_iter()
        .find_map(|name| User::from_name(name).ok().flatten())
        .filter(|user| !user.uid.is_root())
        .map(|user| {
            Some(Account {
                name: user.name,
                uid: user.uid,
                gid: user.gid,
            })
        })
        .ok_or(LabError::NoAccount)
}

/// Gives one file or folder to the account.
pub fn give(path: &Path, account: Option<&Account>) -> Result<(), LabError> {
    let Some(account) = account else {
        return Ok(());
    };
    nix::unistd::chown(path, Some(account.uid), Some(account.gid))
        .map_err(|errno| LabError::io("change the owner of", path)(errno.into()))
}

/// Makes a folder that only the account (and we) can look into, with parents.
pub fn private_folder(path: &Path, account: Option<&Account>) -> Result<(), LabError> {
    use std::os::unix::fs::PermissionsExt;
    std::fs::create_dir_all(path).map_err(LabError::io("create", path))?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o700))
        .map_err(LabError::io("protect", path))?;
    give(path, account)
}

/// Lets everybody look into a folder.
pub fn public_folder(path: &Path) -> Result<(), LabError> {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755))
        .map_err(LabError::io("open to all", path))
}

/// Writes a file that only the account (and root) can read.
pub fn private_file(path: &Path, text: &str, account: Option<&Account>) -> Result<(), LabError> {
    use std::io::Write;
    use std::os::unix::fs::OpenOptionsExt;
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            return Err(LabError::io("replace", path)(error));
        }
        _ => {}
    }
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .map_err(LabError::io("create", path))?;
    file.write_all(text.as_bytes())
        .map_err(LabError::io("write", path))?;
    give(path, account)
}

/// Can the account walk to `path`? Checked on every ancestor, because root's home is not open to it
/// and the server's own message about that is unhelpful.
pub fn check_reachable(path: &Path, account: Option<&Account>) -> Result<(), LabError> {
    use std::os::unix::fs::MetadataExt;
    let Some(account) = account else {
        return Ok(());
    };
    let ancestors: Vec<&Path> = path.ancestors().collect();
    for folder in ancestors.into_iter().rev() {
        let Ok(found) = std::fs::metadata(folder) else {
            continue;
        };
        let bit = if found.uid() == account.uid.as_raw() {
            0o100
        } else if found.gid() == account.gid.as_raw() {
            0o010
        } else {
            0o001
        };
        if found.mode() & bit == 0 {
            let (user, path) = (account.name.clone(), folder.to_owned());
            return Err(LabError::NotReachable { user, path });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folder_closed_to_others_is_named() {
        use std::os::unix::fs::PermissionsExt;
        let root = tempfile::tempdir().unwrap();
        let inner = root.path().join("inner");
        std::fs::create_dir(&inner).unwrap();
        std::fs::set_permissions(root.path(), std::fs::Permissions::from_mode(0o700)).unwrap();
        let stranger = Account {
            name: "stranger".to_owned(),
            uid: Uid::from_raw(4_000_000),
            gid: Gid::from_raw(4_000_000),
        };
        let error = check_reachable(&inner, Some(&stranger)).unwrap_err();
        assert!(matches!(error, LabError::NotReachable { path, .. } if path == root.path()));
        assert!(check_reachable(&inner, None).is_ok());
    }
}
