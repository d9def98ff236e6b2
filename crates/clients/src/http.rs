//! The HTTP client of Connect and the registry: with encryption where the address asks for it, and no proxy.

use std::time::Duration;

use crate::tls::{Check, TlsError, TlsFiles, client_config, unused};

/// A client for an address.
///
/// # Errors
/// The address is `https://…` and a file of its encryption cannot be used.
pub(crate) fn client(
    address: &str,
    files: &TlsFiles,
    timeout: Duration,
) -> Result<reqwest::Client, TlsError> {
    let encrypted = address
        .get(..8)
        .is_some_and(|scheme| scheme.eq_ignore_ascii_case("https://"));
    let config = if encrypted {
        client_config(files, Check::Host)?
    } else {
        unused()
    };
    let built = reqwest::Client::builder()
        // A proxy from the environment would hijack loopback addresses.
        .no_proxy()
        // What is sent holds passwords: it goes where it was addressed to, or nowhere.
        .redirect(reqwest::redirect::Policy::none())
        .timeout(timeout)
        .connect_timeout(Duration::from_secs(5))
        .tls_backend_preconfigured(config)
        .build();
    built.map_err(|error| TlsError {
        path: "the HTTP client".to_owned(),
        reason: error.to_string(),
    })
}
