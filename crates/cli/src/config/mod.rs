//! Which systems a command works with: one file, `cutover.toml`, overridden by variables, overridden by arguments.
//!
//! Stands between the arguments and the clients. Layers are kept apart until the end, so that each value knows who said
//! it ([`layers`]); what people have already (libpq's files, a Java client's properties, a connector's JSON) is read as
//! it is ([`systems`]). The rules it protects: a secret is a [`cutover_clients::secret::Secret`] from the moment it is
//! read, and a file that others can read gives none.

mod file;
pub mod keys;
mod layers;
mod references;
mod systems;

use std::path::PathBuf;

use cutover_clients::pg::PgAddress;
use cutover_model::{ExitCode, Failure};

pub use systems::Systems;

/// Looked for where no file is named.
const FILE: &str = "cutover.toml";

/// What the arguments say.
#[derive(Debug, Default)]
pub struct Said {
    /// The file, if one is named.
    pub file: Option<PathBuf>,
    /// Key, argument and value.
    pub values: Vec<(&'static str, &'static str, String)>,
}

/// Reads everything.
///
/// # Errors
/// Anything that is said is not what it should be. Nothing is sent anywhere.
pub fn load(said: &Said) -> Result<Systems, Failure> {
    let variable = |name: &str| std::env::var(name).ok();
    let layers = layers::gather(said, &variable)?;
    systems::build(&layers, &variable)
}

/// The database alone.
///
/// # Errors
/// As [`load`], or nothing says where it is.
pub fn database(said: &Said) -> Result<PgAddress, Failure> {
    load(said)?.need_postgres().cloned()
}

/// A configuration that cannot be used.
fn refused(code: &str, message: impl Into<String>, remedy: impl Into<String>) -> Failure {
    Failure::new(ExitCode::Usage, code, message, remedy)
}

#[cfg(test)]
mod tests;
