//! Encryption as all of our own clients use it: which authorities are trusted, how much of a server's certificate is
//! looked at, and who we are.
//!
//! Shared by PostgreSQL, Connect and the registry (Kafka's library has its own). The rules it protects: what was asked
//! for is done or refused, never less; and a file with a key that others can read is not used.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
};

/// How much of a server's certificate is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Check {
    /// Nothing: whoever answers is taken for the server.
    Nothing,
    /// That a trusted authority signed it.
    Authority,
    /// That, and that it is of the host that was asked for.
    #[default]
    Host,
}

/// Files of an encrypted connection. All of them are PEM.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TlsFiles {
    /// Certificates of authorities; the system's own without it.
    pub authorities: Option<PathBuf>,
    /// Our certificate with those that lead to it.
    pub certificate: Option<PathBuf>,
    /// Its key; without it, the key is in the file of the certificate.
    pub key: Option<PathBuf>,
}

/// A file that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{path}: {reason}")]
pub struct TlsError {
    /// Which.
    pub path: String,
    /// Why.
    pub reason: String,
}

impl TlsError {
    fn of(path: &Path, reason: impl Into<String>) -> TlsError {
        TlsError {
            path: path.display().to_string(),
            reason: reason.into(),
        }
    }
}

/// A configuration of the library for these files.
///
/// # Errors
/// A file cannot be read, holds something else, or is open to others.
pub fn client_config(files: &TlsFiles, check: Check) -> Result<ClientConfig, TlsError> {
    let provider = provider();
    let trusted = match (&files.authorities, check) {
        (_, Check::Nothing) => Vec::new(),
        (Some(path), _) => certificates(path)?,
        (None, _) => rustls_native_certs::load_native_certs().certs,
    };
    let verifier: Arc<dyn ServerCertVerifier> = match check {
        Check::Nothing => Arc::new(Verifier {
            signed: None,
            trusted: Vec::new(),
            host: false,
            provider: Arc::clone(&provider),
        }),
        Check::Authority | Check::Host => Arc::new(Verifier {
            signed: chains(files, &trusted, &provider)?,
            trusted,
            host: check == Check::Host,
            provider: Arc::clone(&provider),
        }),
    };
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| TlsError::of(Path::new("TLS"), error.to_string()))?
        .dangerous()
        .with_custom_certificate_verifier(verifier);
    let Some(path) = &files.certificate else {
        return Ok(config.with_no_client_auth());
    };
    let key = files.key.as_ref().unwrap_or(path);
    let (chain, key_read) = (certificates(path)?, private_key(key)?);
    config
        .with_client_auth_cert(chain, key_read)
        .map_err(|error| TlsError::of(key, format!("it does not fit the certificate: {error}")))
}

/// A configuration for addresses that are not encrypted: it trusts nobody.
pub(crate) fn unused() -> ClientConfig {
    let config =
        ClientConfig::builder_with_provider(provider()).with_safe_default_protocol_versions();
    // The versions are the provider's own, so it has them.
    config.map_or_else(
        |_| {
            ClientConfig::builder()
                .with_root_certificates(RootCertStore::empty())
                .with_no_client_auth()
        },
        |config| {
            config
                .with_root_certificates(RootCertStore::empty())
                .with_no_client_auth()
        },
    )
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

fn chains(
    files: &TlsFiles,
    trusted: &[CertificateDer<'static>],
    provider: &Arc<CryptoProvider>,
) -> Result<Option<Arc<WebPkiServerVerifier>>, TlsError> {
    let mut roots = RootCertStore::empty();
    let (taken, _) = roots.add_parsable_certificates(trusted.iter().cloned());
    let place = || match &files.authorities {
        Some(path) => path.display().to_string(),
        None => "certificates of the system's authorities".to_owned(),
    };
    if taken == 0 {
        return Err(TlsError {
            path: place(),
            reason: "it holds no certificate of an authority".to_owned(),
        });
    }
    let verifier =
        WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider)).build();
    verifier.map(Some).map_err(|error| TlsError {
        path: place(),
        reason: error.to_string(),
    })
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let read = CertificateDer::pem_file_iter(path).and_then(Iterator::collect);
    let found: Vec<CertificateDer<'static>> =
        read.map_err(|error| TlsError::of(path, words(&error)))?;
    if found.is_empty() {
        return Err(TlsError::of(
            path,
            "it holds no certificate as PEM (-----BEGIN CERTIFICATE-----)",
        ));
    }
    Ok(found)
}

fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    let open = std::fs::metadata(path).is_ok_and(|found| found.permissions().mode() & 0o077 != 0);
    if open {
        return Err(TlsError::of(path, "the key is open to others: chmod 600"));
    }
    let text = std::fs::read_to_string(path).unwrap_or_default();
    if text.contains("ENCRYPTED") {
        return Err(TlsError::of(
            path,
            "the key is encrypted, which is not supported: openssl pkey -in KEY -out PLAIN, with mode 600",
        ));
    }
    PrivateKeyDer::from_pem_file(path).map_err(|error| TlsError::of(path, words(&error)))
}

/// The library's text quotes bytes of the file, which may be a key.
fn words(error: &rustls::pki_types::pem::Error) -> String {
    match error {
        rustls::pki_types::pem::Error::Io(error) => error.to_string(),
        rustls::pki_types::pem::Error::NoItemsFound => "it holds no such thing as PEM".to_owned(),
        _ => "it is no PEM".to_owned(),
    }
}

/// Looks at as much of a certificate as is asked for.
#[derive(Debug)]
struct Verifier {
    /// Follows certificates to a trusted authority; `None` where that is not asked for.
    signed: Option<Arc<WebPkiServerVerifier>>,
    /// What is trusted; a server may have one of these itself.
    trusted: Vec<CertificateDer<'static>>,
    host: bool,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let Some(signed) = &self.signed else {
            return Ok(ServerCertVerified::assertion());
        };
        let looked =
            signed.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now);
        match looked {
            // The chain is followed first, so the name is all that is wrong.
            Err(Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) if !self.host => Ok(ServerCertVerified::assertion()),
            // A certificate that signed itself, and is trusted as it is. Usual tools make it one of an authority.
            Err(Error::InvalidCertificate(
                CertificateError::UnknownIssuer | CertificateError::Other(_),
            )) if self.trusted.contains(end_entity) => {
                if self.host {
                    let parsed = ParsedCertificate::try_from(end_entity)?;
                    rustls::client::verify_server_name(&parsed, server_name)?;
                }
                Ok(ServerCertVerified::assertion())
            }
            other => other,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(
            message,
            cert,
            dss,
            &self.provider.signature_verification_algorithms,
        )
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(
            message,
            cert,
            dss,
            &self.provider.signature_verification_algorithms,
        )
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}
