//! Java's stores of certificates and keys, as PEM: Kafka's library has to be given that.
//!
//! Stands beside [`super::properties`]. The rule it protects: whoever a Java client would trust by its store is
//! trusted, and nobody else; a store that does not open trusts nobody, and shows nobody's certificate.

use std::fs;

use p12_keystore::{
    Certificate, CertificateBag, KeyStore, KeyStoreEntry, Pkcs12Archive, Pkcs12ImportPolicy,
};
use pem_rfc7468::{LineEnding, encode_string};

use super::jks::{self, Jks, Unopened};
use crate::secret::Secret;

/// The form of a store of certificates or keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Store {
    Pem,
    Pkcs12,
    Jks,
}

/// Larger than any list of authorities.
const BYTES_MAX: u64 = 16 * 1024 * 1024;

impl Store {
    /// By what is said, else by the first bytes of the file, as Java's own reader does it for both of its forms.
    pub(super) fn of(said: Option<&str>, path: Option<&str>) -> Store {
        if said.is_some_and(|said| said.eq_ignore_ascii_case("PEM")) {
            return Store::Pem;
        }
        let mut first = [0_u8; 4];
        let file = path.and_then(|path| fs::File::open(path).ok());
        let read =
            file.is_some_and(|mut file| std::io::Read::read_exact(&mut file, &mut first).is_ok());
        match (read && first == jks::MAGIC, said) {
            (true, _) => Store::Jks,
            (false, Some(said)) if said.eq_ignore_ascii_case("PKCS12") => Store::Pkcs12,
            // A sequence of ASN.1: newer Java tools write that whatever the store is called.
            _ if read && first[0] == 0x30 => Store::Pkcs12,
            _ => Store::Jks,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Store::Pem => "PEM",
            Store::Pkcs12 => "PKCS12",
            Store::Jks => "JKS",
        }
    }
}

/// A store of the file of properties: its form, its place, and the option that has its password.
#[derive(Clone, Copy)]
pub(super) struct Place<'a> {
    pub(super) store: Store,
    pub(super) path: &'a str,
    pub(super) password: Option<&'a str>,
    pub(super) option: &'static str,
}

/// A key and the certificates that go with it, as PEM.
#[derive(Debug)]
pub(super) struct Own {
    pub(super) key: Secret,
    pub(super) chain: String,
}

impl Place<'_> {
    /// A store that is opened here, and not PEM for the library.
    pub(super) fn is_there(&self) -> bool {
        self.store != Store::Pem && !self.path.is_empty()
    }

    fn bytes(&self) -> Result<Vec<u8>, String> {
        let path = self.path;
        let failed = |error: std::io::Error| format!("read {path}: {error}");
        if fs::metadata(path).map_err(failed)?.len() > BYTES_MAX {
            return Err(format!("{path} is larger than 16 MiB"));
        }
        fs::read(path).map_err(failed)
    }

    fn password(&self) -> Result<&str, String> {
        let missing = || {
            format!(
                "{} is missing, and Java reads nothing without it",
                self.option
            )
        };
        self.password.ok_or_else(missing)
    }

    /// What a library says of a store is left out: nothing of what it read belongs into a message.
    fn unopened(&self) -> String {
        let (path, kind, option) = (self.path, self.store.name(), self.option);
        format!("{path} does not open as {kind} with {option}")
    }

    fn jks(&self) -> Result<Jks, String> {
        jks::read(&self.bytes()?, self.password).map_err(|unopened| match unopened {
            Unopened::Password => self.unopened(),
            Unopened::NoStore => format!("{} is neither JKS nor PKCS12", self.path),
        })
    }
}

/// Certificates of a store that Java trusts, as PEM: those that were put there for it, and of each key its own. Of the
/// latter only one that signed itself is of use, because OpenSSL trusts nobody else without their authority.
pub(super) fn authorities(place: &Place<'_>) -> Result<String, String> {
    let path = place.path;
    let trusted: Vec<Vec<u8>> = match place.store {
        Store::Jks => {
            let store = place.jks()?;
            let keys = store.keys.into_iter();
            let own = keys.filter_map(|key| key.chain.into_iter().next());
            let own =
                own.filter(|der| Certificate::from_der(der).is_ok_and(|one| signed_itself(&one)));
            store.trusted.into_iter().chain(own).collect()
        }
        _ => {
            let archive = Pkcs12Archive::from_pkcs12(&place.bytes()?, place.password()?);
            let archive = archive.map_err(|_| place.unopened())?;
            let of_a_key =
                |one: &CertificateBag| one.local_key_id.is_some() && signed_itself(&one.cert);
            let trusted = archive.certs.iter();
            let trusted = trusted.filter(|one| one.trusted || of_a_key(one));
            trusted.map(|one| one.cert.as_der().to_vec()).collect()
        }
    };
    if trusted.is_empty() {
        return Err(format!(
            "{path} holds no certificate of an authority that can be trusted: keytool -importcert -keystore STORE \
             -file CA"
        ));
    }
    certificates(path, &trusted)
}

/// The one key of a store, with its certificates. Java chooses among several while it connects.
pub(super) fn own(place: &Place<'_>, key_password: Option<&str>) -> Result<Own, String> {
    let path = place.path;
    let mut found = match place.store {
        Store::Jks => of_jks(place, key_password)?,
        // This form has one password for all.
        _ if key_password.is_some_and(|key| Some(key) != place.password) => {
            return Err("ssl.key.password is another one than ssl.keystore.password".into());
        }
        _ => of_pkcs12(place)?,
    };
    match (found.pop(), found.len()) {
        (Some((key, chain)), 0) => Ok(Own {
            key: Secret::new(pem(path, "PRIVATE KEY", &key)?),
            chain: certificates(path, &chain)?,
        }),
        (None, _) => Err(format!("{path} holds no key with its certificate")),
        (Some(_), more) => Err(format!(
            "{path} holds {} keys, and which one is meant is not said: keytool -importkeystore -srcalias ALIAS \
             -srckeystore STORE -destkeystore store.p12 -deststoretype PKCS12",
            more + 1
        )),
    }
}

/// A key and its certificates, as DER.
type Found = (Vec<u8>, Vec<Vec<u8>>);

fn of_jks(place: &Place<'_>, key_password: Option<&str>) -> Result<Vec<Found>, String> {
    let store = place.jks()?;
    // Java asks for it; its tools give a key the store's password where none is named.
    let password = key_password.or(place.password);
    let password =
        password.ok_or("ssl.key.password is missing, and Java reads no key without it")?;
    let keys = store.keys.iter().filter(|key| !key.chain.is_empty());
    let open = |key: &jks::Key| {
        let opened = key.open(password).map_err(|unopened| match unopened {
            Unopened::Password => {
                format!("the key of {} does not open with its password", place.path)
            }
            Unopened::NoStore => format!("the key of {} is not in the form of a JDK", place.path),
        });
        Ok((opened?, key.chain.clone()))
    };
    keys.map(open).collect()
}

fn of_pkcs12(place: &Place<'_>) -> Result<Vec<Found>, String> {
    let (bytes, password) = (place.bytes()?, place.password()?);
    let store = KeyStore::from_pkcs12(&bytes, password, Pkcs12ImportPolicy::Strict);
    let store = store.map_err(|_| place.unopened())?;
    let chains = store.entries().filter_map(|(_, entry)| match entry {
        KeyStoreEntry::PrivateKeyChain(chain) => Some(chain),
        _ => None,
    });
    let found = chains.map(|chain| {
        let certificates = chain.certs().iter().map(|one| one.as_der().to_vec());
        (chain.key().as_der().to_vec(), certificates.collect())
    });
    Ok(found.collect())
}

fn signed_itself(certificate: &Certificate) -> bool {
    certificate.subject() == certificate.issuer()
}

fn certificates(path: &str, certificates: &[Vec<u8>]) -> Result<String, String> {
    let of = |der: &Vec<u8>| pem(path, "CERTIFICATE", der);
    certificates.iter().map(of).collect()
}

fn pem(path: &str, label: &'static str, der: &[u8]) -> Result<String, String> {
    encode_string(label, LineEnding::LF, der).map_err(|error| format!("{path}: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_open_trusts_nobody_and_says_why_without_the_password() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("broken.p12").display().to_string();
        let place = |store, password| Place {
            store,
            path: &path,
            password,
            option: "ssl.truststore.password",
        };
        let refused = |store, password| {
            let place = place(store, password);
            let (trust, key) = (authorities(&place), own(&place, None));
            (trust.unwrap_err(), key.unwrap_err())
        };
        let absent = refused(Store::Pkcs12, Some("hunter2")).0;
        assert!(absent.contains("No such file"), "{absent}");
        for bytes in [&b""[..], b"0", b"0\x82\xff\xff", &[0x30; 4096], &jks::MAGIC] {
            fs::write(&path, bytes).unwrap();
            for store in [Store::Pkcs12, Store::Jks] {
                let (trust, key) = refused(store, Some("hunter2"));
                for said in [trust, key] {
                    let named = said.contains("does not open") || said.contains("neither JKS");
                    assert!(named && !said.contains("hunter2"), "{said}");
                }
            }
        }
        let missing = refused(Store::Pkcs12, None).0;
        assert!(missing.contains("ssl.truststore.password"), "{missing}");
    }

    #[test]
    fn the_form_is_told_by_the_file_as_java_tells_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store").display().to_string();
        let of = |said| Store::of(said, Some(&path));
        fs::write(&path, jks::MAGIC).unwrap();
        assert_eq!(of(Some("PKCS12")), Store::Jks);
        assert_eq!((of(None), of(Some("pem"))), (Store::Jks, Store::Pem));
        fs::write(&path, [0x30, 0x82, 1, 1]).unwrap();
        assert_eq!((of(None), of(Some("JKS"))), (Store::Pkcs12, Store::Pkcs12));
    }
}
