//! What a file system has left, and whether it clones files. Asked of the file system itself: `df` rounds, and a list
//! of names that are said to clone is wrong for the next kernel.

use std::fs::File;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use crate::error::LabError;

/// Room under a folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room {
    /// Which file system it is on.
    pub file_system: u64,
    /// Bytes that an unprivileged user may still write.
    pub free_bytes: u64,
}

/// What the file system of a folder has left.
pub fn room(folder: &Path) -> Result<Room, LabError> {
    let failed = |error: nix::Error| LabError::io("ask for the room under", folder)(error.into());
    let stat = nix::sys::statvfs::statvfs(folder).map_err(failed)?;
    let meta = std::fs::metadata(folder).map_err(LabError::io("look at", folder))?;
    Ok(Room {
        file_system: meta.dev(),
        free_bytes: stat.blocks_available() * stat.fragment_size(),
    })
}

/// Why files cannot be cloned in a folder, found out by cloning one; `None` if they can. Leaves nothing behind.
pub fn clone_refused(folder: &Path) -> Result<Option<String>, LabError> {
    let probe = tempfile::Builder::new()
        .prefix("clone-probe-")
        .tempdir_in(folder)
        .map_err(LabError::io("create a folder in", folder))?;
    let (from, to) = (probe.path().join("from"), probe.path().join("to"));
    std::fs::write(&from, [7_u8; 8192]).map_err(LabError::io("write", &from))?;
    let source = File::open(&from).map_err(LabError::io("open", &from))?;
    let target = File::create(&to).map_err(LabError::io("create", &to))?;
    let cloned = rustix::fs::ioctl_ficlone(&target, &source);
    Ok(cloned.err().map(|error| {
        format!(
            "the file system under {} clones no file (FICLONE: {})",
            folder.display(),
            std::io::Error::from(error)
        )
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_is_what_the_file_system_says_and_a_probe_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let room = room(folder.path()).unwrap();
        assert!(room.free_bytes > 0);
        // Whichever it is here: it is found out, and the folder is as empty as before.
        let _ = clone_refused(folder.path()).unwrap();
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
