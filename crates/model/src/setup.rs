//! What a server needs for a stream, what of it is there, and what was made. Computed by `upgrade`, shown by `report`.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Format name.
pub const SETUP_FORMAT: &str = "cutover.setup/1";

/// What is to be said of one thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SetupState {
    /// It is as it should be.
    Present,
    /// It is to be made.
    Wanted,
    /// It was made.
    Made,
    /// It cannot be made as things are.
    InTheWay,
}

impl fmt::Display for SetupState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            SetupState::Present => "present",
            SetupState::Wanted => "wanted",
            SetupState::Made => "made",
            SetupState::InTheWay => "in the way",
        })
    }
}

/// One thing that a stream needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SetupItem {
    /// `slot x`, `publication x`, `table a.b`, `server`.
    pub subject: String,
    /// What is to be said of it.
    pub state: SetupState,
    /// What was found.
    pub found: String,
    /// The statement that makes it, or that was run.
    pub statement: Option<String>,
    /// What to do about what is in the way.
    pub remedy: Option<String>,
}

/// Everything that a stream needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SetupReport {
    /// [`SETUP_FORMAT`].
    pub format: String,
    /// The server, without password.
    pub server: String,
    /// Things, in the order in which they are made.
    pub items: Vec<SetupItem>,
    /// Something was changed.
    pub changed: bool,
    /// What the process ends with.
    pub exit_code: u8,
}

impl SetupReport {
    /// Whether something has this state.
    pub fn has(&self, state: SetupState) -> bool {
        self.items.iter().any(|item| item.state == state)
    }
}
