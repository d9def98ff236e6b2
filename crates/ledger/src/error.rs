//! What can go wrong with a run folder, and what each of it means for the user.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use cutover_model::{Classified, ExitCode, Permanence};

/// Errors of reading and writing a run folder.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// The file system refused.
    #[error("cannot {action} {}", path.display())]
    Io {
        /// What was tried, e.g. `write`.
        action: &'static str,
        /// On which path.
        path: PathBuf,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// A file that cutover did not write.
    #[error("{} was not written by cutover ({reason})", path.display())]
    NotOurs {
        /// Which file.
        path: PathBuf,
        /// What it holds instead.
        reason: String,
    },
    /// A file in a format that this version does not know yet.
    #[error("{} has format {found}, this cutover reads up to {supported}", path.display())]
    Newer {
        /// Which file.
        path: PathBuf,
        /// The format it names.
        found: String,
        /// The newest format known here.
        supported: String,
    },
    /// Something that belongs to the run is missing: the recording was cut short, or files were
    /// lost.
    #[error("{} is incomplete: {reason}", path.display())]
    Incomplete {
        /// Which file or folder.
        path: PathBuf,
        /// What is missing.
        reason: String,
    },
    /// A file that is ours but cannot be read to its end.
    #[error("{} is damaged: {reason}", path.display())]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// What was met.
        reason: String,
    },
    /// A new ledger was to be made where one already is.
    #[error("{} already holds a ledger", path.display())]
    Exists {
        /// The folder.
        path: PathBuf,
    },
    /// Rows could not be encoded.
    #[error("cannot encode {}", path.display())]
    Encode {
        /// Which file was being written.
        path: PathBuf,
        /// Why not.
        #[source]
        source: parquet::errors::ParquetError,
    },
}

impl LedgerError {
    pub(crate) fn io<'a>(
        action: &'static str,
        path: &'a Path,
    ) -> impl FnOnce(std::io::Error) -> LedgerError + 'a {
        move |source| LedgerError::Io {
            action,
            path: path.to_owned(),
            source,
        }
    }

    pub(crate) fn damaged(path: &Path, reason: impl ToString) -> LedgerError {
        LedgerError::Damaged {
            path: path.to_owned(),
            reason: reason.to_string(),
        }
    }

    pub(crate) fn incomplete(path: &Path, reason: impl Into<String>) -> LedgerError {
        LedgerError::Incomplete {
            path: path.to_owned(),
            reason: reason.into(),
        }
    }
}

impl Classified for LedgerError {
    fn permanence(&self) -> Permanence {
        match self {
            LedgerError::Io { source, .. } if source.kind() == ErrorKind::Interrupted => {
                Permanence::Transient
            }
            _ => Permanence::Definite,
        }
    }

    fn exit_code(&self) -> ExitCode {
        match self {
            LedgerError::Io { source, .. } => ExitCode::of_io(source),
            LedgerError::NotOurs { .. } | LedgerError::Newer { .. } => ExitCode::Usage,
            LedgerError::Incomplete { .. } | LedgerError::Damaged { .. } => ExitCode::Unknown,
            LedgerError::Exists { .. } => ExitCode::Refused,
            LedgerError::Encode { .. } => ExitCode::Internal,
        }
    }

    fn remedy(&self) -> Option<String> {
        let text = match self {
            LedgerError::Io { source, .. } => match source.kind() {
                ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
                    "Free space on that disk, or choose another folder for runs."
                }
                ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => {
                    "Give this user the right to write there, or choose another folder for runs."
                }
                _ => {
                    "Name a folder of this machine that can be read and written; its disk's own messages are in dmesg."
                }
            },
            LedgerError::NotOurs { .. } => "Name the folder of one scenario of a cutover run.",
            LedgerError::Newer { .. } => {
                "Read this run with the version of cutover that wrote it, or a later one."
            }
            LedgerError::Incomplete { .. } => {
                "Nothing can be proven from an unfinished recording; run it again."
            }
            LedgerError::Damaged { .. } => {
                "Copy the run folder again from where it was recorded, or repeat the run."
            }
            LedgerError::Exists { .. } => "Record into a new folder.",
            LedgerError::Encode { .. } => {
                "Keep the run folder and report it as a defect of cutover."
            }
        };
        Some(text.to_owned())
    }

    fn code(&self) -> &'static str {
        match self {
            LedgerError::Io { .. } => "LEDGER-IO-001",
            LedgerError::NotOurs { .. } => "LEDGER-FOREIGN-001",
            LedgerError::Newer { .. } => "LEDGER-NEWER-001",
            LedgerError::Incomplete { .. } => "LEDGER-INCOMPLETE-001",
            LedgerError::Damaged { .. } => "LEDGER-DAMAGED-001",
            LedgerError::Exists { .. } => "LEDGER-EXISTS-001",
            LedgerError::Encode { .. } => "LEDGER-ENCODE-001",
        }
    }
}
