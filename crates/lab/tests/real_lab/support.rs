//! What the real-process tests share: the warm cache of this machine, and a state folder of their
//! own.

use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use cutover_clients::wait::{self, Poll};
use cutover_lab::services::Setup;
use cutover_lab::{Component, PartDir, catalog};
use cutover_lab::{Home, LabError, fetch};
use cutover_model::EventSink;

/// A state folder that the servers' user can enter, removed at the end of the test.
pub struct Place {
    pub home: Home,
    pub setup: Setup,
    root: tempfile::TempDir,
    _alone: MutexGuard<'static, ()>,
}

/// Tests with real processes run one at a time.
static ALONE: Mutex<()> = Mutex::new(());

impl Place {
    pub fn new() -> Place {
        use std::os::unix::fs::PermissionsExt;
        let alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
        let root = tempfile::Builder::new()
            .prefix("lab-test-")
            .tempdir()
            .unwrap();
        let open = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(root.path(), open).unwrap();
        let home = Home::locate(None, Some(root.path().join("state"))).unwrap();
        let folder = root.path().join("life");
        std::fs::create_dir(&folder).unwrap();
        let setup = Setup {
            home: home.clone(),
            folder,
            logs: root.path().join("logs"),
        };
        Place {
            home,
            setup,
            root,
            _alone: alone,
        }
    }

    pub fn root(&self) -> &Path {
        self.root.path()
    }

    pub async fn part(&self, component: Component, version: &str) -> PartDir {
        let part = catalog::find(component, version).unwrap();
        fetch::ensure(&self.home, part, &EventSink::none())
            .await
            .unwrap()
    }
}

/// Is there a process with this pid that is not a zombie?
pub fn process_lives(pid: u32) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/cmdline")).is_ok_and(|text| !text.is_empty())
}

/// Waits for something that must come true soon.
pub async fn eventually(what: &str, mut check: impl FnMut() -> bool) {
    wait::until(
        what,
        Duration::from_secs(20),
        Duration::from_millis(20),
        async || {
            Ok::<_, LabError>(if check() {
                Poll::Ready(())
            } else {
                Poll::NotYet("not so".into())
            })
        },
    )
    .await
    .unwrap();
}
