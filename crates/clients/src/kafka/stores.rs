//! Java's stores of certificates and keys, as far as Kafka's library has to be given something else.
//!
//! Stands beside [`super::properties`]. The library takes certificates as PEM, and of Java's stores a key in PKCS12
//! only. The rule it protects: whoever a Java client would trust by its store is trusted, and nobody else; a store that
//! does not open trusts nobody.

use p12_keystore::Pkcs12Archive;
use pem_rfc7468::{LineEnding, encode_string};

/// The form of a store of certificates or keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Store {
    Pem,
    Pkcs12,
    Jks,
}

/// What to do about a store of authorities that is not read.
pub(super) const TRUST_JKS: &str = "a JKS store is not read: keytool -importkeystore -srckeystore STORE -destkeystore \
    store.p12 -deststoretype PKCS12, then ssl.truststore.type=PKCS12 and ssl.truststore.location=store.p12";
/// The same of a store of keys.
pub(super) const OWN_JKS: &str = "a JKS store is not read: keytool -importkeystore -srckeystore STORE -destkeystore \
    store.p12 -deststoretype PKCS12, then ssl.keystore.type=PKCS12 and ssl.keystore.location=store.p12";

/// Larger than any list of authorities.
const BYTES_MAX: u64 = 16 * 1024 * 1024;

impl Store {
    /// By what is said, else by the first bytes of the file; Java itself takes JKS for what is not said.
    pub(super) fn of(said: Option<&str>, path: Option<&str>) -> Store {
        match said.map(str::to_uppercase).as_deref() {
            Some("PEM") => return Store::Pem,
            Some("PKCS12") => return Store::Pkcs12,
            _ => {}
        }
        let mut first = [0_u8; 1];
        let file = path.and_then(|path| std::fs::File::open(path).ok());
        let read =
            file.is_some_and(|mut file| std::io::Read::read_exact(&mut file, &mut first).is_ok());
        match first {
            // A sequence of ASN.1: newer Java tools write that whatever the store is called.
            [0x30] if read => Store::Pkcs12,
            _ => Store::Jks,
        }
    }
}

/// Certificates of a PKCS12 store that Java takes for those of authorities, as PEM. Others may stand in it: what
/// belongs to a key, or was put there by a tool that knows nothing of trust.
pub(super) fn authorities(path: &str, password: Option<&str>) -> Result<String, String> {
    let failed = |error: std::io::Error| format!("read {path}: {error}");
    if std::fs::metadata(path).map_err(failed)?.len() > BYTES_MAX {
        return Err(format!("{path} is larger than 16 MiB"));
    }
    let bytes = std::fs::read(path).map_err(failed)?;
    let password =
        password.ok_or("ssl.truststore.password is missing, and Java reads nothing without it")?;
    // The library's texts tell nothing but that; what it read stays with it.
    let archive = Pkcs12Archive::from_pkcs12(&bytes, password)
        .map_err(|_| format!("{path} does not open as PKCS12 with ssl.truststore.password"))?;
    let trusted = archive.certs.iter().filter(|one| one.trusted);
    let pem = |der| encode_string("CERTIFICATE", LineEnding::LF, der);
    let pem: Result<String, _> = trusted.map(|one| pem(one.cert.as_der())).collect();
    let pem = pem.map_err(|error| format!("{path}: {error}"))?;
    if pem.is_empty() {
        return Err(format!(
            "{path} holds no certificate that Java trusts: keytool -importcert -keystore STORE -file CA"
        ));
    }
    Ok(pem)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_open_trusts_nobody_and_says_why_without_the_password() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("broken.p12").display().to_string();
        let refused = |password| authorities(&path, password).unwrap_err();
        assert!(refused(Some("hunter2")).contains("No such file"), "{path}");
        for bytes in [&b""[..], b"0", b"0\x82\xff\xff", &[0x30; 4096]] {
            std::fs::write(&path, bytes).unwrap();
            let said = refused(Some("hunter2"));
            assert!(
                said.contains("does not open") && !said.contains("hunter2"),
                "{said}"
            );
        }
        assert!(refused(None).contains("ssl.truststore.password"));
    }
}
