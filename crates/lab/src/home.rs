//! Where the lab keeps things: a cache that runs share, and the state of what is alive.
//!
//! Explicit flag, then environment (`CUTOVER_CACHE`, `CUTOVER_STATE`), then `/var/cache/cutover`
//! and `/var/lib/cutover` for root, the XDG folders for others. Root's own home is never the
//! default, because the unprivileged user that runs the servers could not enter it.

use std::fs::File;
use std::path::{Path, PathBuf};

use nix::unistd::Uid;

use crate::catalog::Part;
use crate::error::LabError;
use crate::privilege::{self, Account};

/// The two folders, made and writable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Home {
    cache: PathBuf,
    state: PathBuf,
    account: Option<Account>,
}

impl Home {
    /// Chooses, makes and checks the folders.
    pub fn locate(cache: Option<PathBuf>, state: Option<PathBuf>) -> Result<Home, LabError> {
        let account = privilege::service_account()?;
        let root = Uid::effective().is_root();
        let cache = cache
            .or_else(|| from_environment("CUTOVER_CACHE"))
            .unwrap_or_else(|| default_folder(root, "/var/cache", "XDG_CACHE_HOME", ".cache"));
        let state = state
            .or_else(|| from_environment("CUTOVER_STATE"))
            .unwrap_or_else(|| default_folder(root, "/var/lib", "XDG_STATE_HOME", ".local/state"));
        let cache = prepare("cache", &cache)?;
        let state = prepare("state", &state)?;
        privilege::check_reachable(&cache, account.as_ref())?;
        privilege::check_reachable(&state, account.as_ref())?;
        Ok(Home {
            cache,
            state,
            account,
        })
    }

    /// Folder that runs share.
    pub fn cache(&self) -> &Path {
        &self.cache
    }

    /// Folder of what is alive.
    pub fn state(&self) -> &Path {
        &self.state
    }

    /// Whom servers run as; `None` = ourselves.
    pub fn account(&self) -> Option<&Account> {
        self.account.as_ref()
    }

    /// Folder of one fetched part.
    pub fn part(&self, part: &Part) -> PathBuf {
        self.cache.join("parts").join(part.name())
    }

    /// Lock of one thing in the cache.
    pub(crate) fn lock(&self, name: &str) -> PathBuf {
        self.cache.join("locks").join(name)
    }

    /// What the package tools printed while they fetched one part.
    pub fn fetch_log(&self, part: &Part) -> PathBuf {
        self.cache
            .join("logs")
            .join(format!("fetch-{}.log", part.name()))
    }

    /// Makes the empty folder of one life (a rehearsal's stack, the long-lived lab), held until
    /// dropped. What a former life of that name left is removed.
    pub fn life(&self, name: &str) -> Result<LifeFolder, LabError> {
        let path = self.state.join("folders").join(name);
        std::fs::create_dir_all(&path).map_err(LabError::io("create", &path))?;
        let lock_path = path.join("lock");
        let lock = open_lock(&lock_path)?;
        if lock.try_lock().is_err() {
            let pid = std::fs::read_to_string(&lock_path).unwrap_or_default();
            let what = format!("folder {}", path.display());
            return Err(LabError::Locked {
                what,
                pid: pid.trim().to_owned(),
            });
        }
        write_pid(&lock, &lock_path)?;
        for entry in std::fs::read_dir(&path)
            .map_err(LabError::io("read", &path))?
            .flatten()
        {
            if entry.path() != lock_path {
                remove(&entry.path())?;
            }
        }
        Ok(LifeFolder { path, _lock: lock })
    }

    /// Removes what crashed runs left: every life whose owner is gone. Returns how many.
    pub fn sweep(&self) -> Result<usize, LabError> {
        let folders = self.state.join("folders");
        let Ok(entries) = std::fs::read_dir(&folders) else {
            return Ok(0);
        };
        let mut removed = 0;
        for entry in entries.flatten() {
            let path = entry.path();
            let keep = path.join("keep").exists();
            let Ok(lock) = open_lock(&path.join("lock")) else {
                continue;
            };
            if !keep && lock.try_lock().is_ok() {
                std::fs::remove_dir_all(&path).map_err(LabError::io("remove", &path))?;
                removed += 1;
            }
        }
        Ok(removed)
    }
}

/// A folder that belongs to one life. The lock inside is held by this value.
#[derive(Debug)]
pub struct LifeFolder {
    path: PathBuf,
    _lock: File,
}

impl LifeFolder {
    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Says that the data outlives the process, so that [`Home::sweep`] leaves it alone.
    pub fn keep(&self) -> Result<(), LabError> {
        let mark = self.path.join("keep");
        std::fs::write(&mark, "").map_err(LabError::io("write", &mark))
    }

    /// Removes everything in it. Call after the last service has stopped.
    pub fn purge(self) -> Result<(), LabError> {
        std::fs::remove_dir_all(&self.path).map_err(LabError::io("remove", &self.path))
    }
}

/// Removes a file or a folder.
fn remove(path: &Path) -> Result<(), LabError> {
    let removed = if path.is_dir() {
        std::fs::remove_dir_all(path)
    } else {
        std::fs::remove_file(path)
    };
    removed.map_err(LabError::io("remove", path))
}

/// Opens (and makes) a lock file; the lock itself is the caller's to take.
pub(crate) fn open_lock(path: &Path) -> Result<File, LabError> {
    File::options()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(path)
        .map_err(LabError::io("open", path))
}

/// Writes our process id into a lock file that we hold.
pub(crate) fn write_pid(mut lock: &File, path: &Path) -> Result<(), LabError> {
    use std::io::Write;
    lock.set_len(0)
        .and_then(|()| writeln!(lock, "{}", std::process::id()))
        .map_err(LabError::io("write", path))
}

fn from_environment(name: &str) -> Option<PathBuf> {
    std::env::var_os(name)
        .filter(|value| !value.is_empty())
        .map(PathBuf::from)
}

fn default_folder(root: bool, system: &str, xdg: &str, below_home: &str) -> PathBuf {
    let base = if root {
        PathBuf::from(system)
    } else {
        from_environment(xdg)
            .filter(|path| path.is_absolute())
            .unwrap_or_else(|| {
                from_environment("HOME")
                    .unwrap_or_else(std::env::temp_dir)
                    .join(below_home)
            })
    };
    base.join("cutover")
}

/// Makes a folder and proves that it can be written.
fn prepare(what: &'static str, path: &Path) -> Result<PathBuf, LabError> {
    let refuse = |error: std::io::Error| match error.kind() {
        std::io::ErrorKind::StorageFull => LabError::DiskFull {
            path: path.to_owned(),
        },
        _ => LabError::NotWritable {
            what,
            path: path.to_owned(),
            reason: error.to_string(),
        },
    };
    let children: &[&str] = if what == "cache" {
        &["parts", "wheels", "locks", "logs"]
    } else {
        &["ports", "folders"]
    };
    for child in children {
        std::fs::create_dir_all(path.join(child)).map_err(refuse)?;
    }
    tempfile::tempfile_in(path).map_err(refuse)?;
    path.canonicalize().map_err(refuse)
}

#[cfg(test)]
mod tests {
    use super::*;
    use cutover_model::{Classified, ExitCode};

    fn open_folder() -> tempfile::TempDir {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let open = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(folder.path(), open).unwrap();
        folder
    }

    #[test]
    fn folder_that_cannot_be_made_is_refused_with_a_remedy() {
        let error = Home::locate(Some("/proc/cutover".into()), None).unwrap_err();
        assert_eq!(error.exit_code(), ExitCode::Refused);
        assert_eq!(error.code(), "LAB-HOME-001");
        assert!(error.remedy().unwrap().contains("CUTOVER_CACHE"));
    }

    #[test]
    fn life_folder_has_one_owner_and_is_swept_when_the_owner_is_gone() {
        let root = open_folder();
        let home = Home::locate(Some(root.path().join("c")), Some(root.path().join("s"))).unwrap();
        let life = home.life("one").unwrap();
        assert!(matches!(home.life("one"), Err(LabError::Locked { .. })));
        assert_eq!(home.sweep().unwrap(), 0);
        let path = life.path().to_owned();
        drop(life);
        assert_eq!(home.sweep().unwrap(), 1);
        assert!(!path.exists());
        let kept = home.life("two").unwrap();
        kept.keep().unwrap();
        drop(kept);
        assert_eq!(home.sweep().unwrap(), 0);
    }

    #[test]
    fn root_uses_system_folders_and_others_their_own() {
        let root = default_folder(true, "/var/cache", "XDG_CACHE_HOME", ".cache");
        assert_eq!(root, Path::new("/var/cache/cutover"));
        let other = default_folder(false, "/var/cache", "XDG_NONE_SUCH", ".cache");
        assert!(other.ends_with(".cache/cutover"));
    }
}
