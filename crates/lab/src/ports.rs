//! Free loopback ports, held for as long as a service may need them.
//!
//! A port is free when it can be bound *and* nobody else has leased it: a service that is down for
//! a restart does not listen, and its port must not be given away meanwhile. The lease is a locked
//! file in the state folder, so that it also holds between processes and ends with the process,
//! however that ends.

use std::fs::File;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};

use rand::RngExt;

use crate::error::LabError;
use crate::home::{self, Home};

/// First port tried. Above what services usually take.
const LOW: u16 = 20_000;
/// Last port tried. Below Linux's default range for outgoing connections, which come and go at
/// random.
const HIGH: u16 = 32_000;
/// Ports tried before giving up.
const TRIES_MAX: usize = 500;

/// A leased port.
#[derive(Debug)]
pub struct PortLease {
    port: u16,
    path: PathBuf,
    _lock: File,
}

impl PortLease {
    /// The port.
    pub fn port(&self) -> u16 {
        self.port
    }
}

impl Drop for PortLease {
    fn drop(&mut self) {
        // Removed while the lock is still held; whoever opened the file meanwhile sees that it is
        // gone.
        let _ = std::fs::remove_file(&self.path);
    }
}

/// Leases a free port.
pub fn lease(home: &Home) -> Result<PortLease, LabError> {
    let mut random = rand::rng();
    for _ in 0..TRIES_MAX {
        let port = random.random_range(LOW..=HIGH);
        if let Some(lease) = try_lease(&home.state().join("ports"), port)? {
            return Ok(lease);
        }
    }
    Err(LabError::NoPort {
        low: LOW,
        high: HIGH,
    })
}

fn try_lease(folder: &Path, port: u16) -> Result<Option<PortLease>, LabError> {
    use std::os::unix::fs::MetadataExt;
    let path = folder.join(port.to_string());
    let lock = home::open_lock(&path)?;
    if lock.try_lock().is_err() {
        return Ok(None);
    }
    // Between opening and locking, the former holder may have removed the file: then the lock means
    // nothing.
    if lock.metadata().map_or(0, |found| found.nlink()) == 0 {
        return Ok(None);
    }
    let lease = PortLease {
        port,
        path,
        _lock: lock,
    };
    Ok(is_free(port).then_some(lease))
}

/// Can the port be bound on loopback now?
pub fn is_free(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn port_that_is_leased_is_not_given_twice() {
        let folder = tempfile::tempdir().unwrap();
        let first = (LOW..HIGH)
            .find_map(|port| try_lease(folder.path(), port).unwrap())
            .expect("a free port");
        assert!(try_lease(folder.path(), first.port()).unwrap().is_none());
        let port = first.port();
        drop(first);
        assert!(!folder.path().join(port.to_string()).exists());
        assert!(try_lease(folder.path(), port).unwrap().is_some());
    }

    #[test]
    fn port_that_somebody_listens_on_is_not_leased() {
        let folder = tempfile::tempdir().unwrap();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        assert!(try_lease(folder.path(), port).unwrap().is_none());
        assert!(!is_free(port));
    }
}
