//! Java's own form of a store (JKS), as `keytool` wrote it before Java 9 and still does when it is asked to.
//!
//! Stands below [`super::stores`]. The layout is that of the JDK's `sun.security.provider.JavaKeyStore` and
//! `KeyProtector`: entries behind a magic number, in front of a hash of the password and all of it; a key is xored
//! with a chain of SHA-1 sums of password and salt. The rule it protects: a store that was changed, or does not fit
//! its password, gives nothing.

use der::asn1::{AnyRef, ObjectIdentifier, OctetStringRef};
use der::{Decode as _, Reader as _};
use sha1::{Digest as _, Sha1};

pub(super) const MAGIC: [u8; 4] = [0xfe, 0xed, 0xfe, 0xed];
/// What the JDK hashes between the password and the store.
const SALT: &[u8] = b"Mighty Aphrodite";
const HASH: usize = 20;
/// `KeyProtector`: the form of a key inside.
const PROTECTED: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.42.2.17.1.1");

/// What a store holds, certificates as DER.
#[derive(Default)]
pub(super) struct Jks {
    /// Certificates that were put there to be trusted.
    pub(super) trusted: Vec<Vec<u8>>,
    pub(super) keys: Vec<Key>,
}

/// A key under its password, and the certificates that go with it, its own first.
pub(super) struct Key {
    protected: Vec<u8>,
    pub(super) chain: Vec<Vec<u8>>,
}

/// Why a store gives nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unopened {
    /// It is none, or only a part of one.
    NoStore,
    /// It was made with another password, or was changed.
    Password,
}

/// Reads a store. Without a password its hash is not checked; Java does the same.
pub(super) fn read(bytes: &[u8], password: Option<&str>) -> Result<Jks, Unopened> {
    let body = bytes.len().checked_sub(HASH).ok_or(Unopened::NoStore)?;
    let (body, hash) = bytes.split_at(body);
    if let Some(password) = password {
        let told = Sha1::new_with_prefix(wide(password));
        let told = told.chain_update(SALT).chain_update(body).finalize();
        if told.as_slice() != hash {
            return Err(match body.starts_with(&MAGIC) {
                true => Unopened::Password,
                false => Unopened::NoStore,
            });
        }
    }
    entries(&mut Bytes(body)).ok_or(Unopened::NoStore)
}

impl Key {
    /// The key as PKCS#8.
    pub(super) fn open(&self, password: &str) -> Result<Vec<u8>, Unopened> {
        let inside = unwrapped(&self.protected).map_err(|_| Unopened::NoStore)?;
        let rest = inside.len().checked_sub(2 * HASH);
        let rest = rest.ok_or(Unopened::NoStore)?;
        let (salt, sealed) = inside.split_at(HASH);
        let (sealed, check) = sealed.split_at(rest);
        let password = wide(password);
        let mut link = salt.to_vec();
        let mut plain = Vec::with_capacity(rest);
        for block in sealed.chunks(HASH) {
            let next = Sha1::new_with_prefix(&password).chain_update(&link);
            link = next.finalize().to_vec();
            plain.extend(block.iter().zip(&link).map(|(one, other)| one ^ other));
        }
        let told = Sha1::new_with_prefix(&password).chain_update(&plain);
        match told.finalize().as_slice() == check {
            true => Ok(plain),
            false => Err(Unopened::Password),
        }
    }
}

/// Salt, key and check out of their frame of ASN.1.
fn unwrapped(protected: &[u8]) -> Result<&[u8], der::Error> {
    AnyRef::from_der(protected)?.sequence(|frame| {
        let form: AnyRef<'_> = frame.decode()?;
        let form = form.sequence(|form| {
            let form_of: ObjectIdentifier = form.decode()?;
            let _nothing: AnyRef<'_> = form.decode()?;
            Ok::<_, der::Error>(form_of)
        })?;
        let inside: &OctetStringRef = frame.decode()?;
        match form == PROTECTED {
            true => Ok(inside.as_bytes()),
            false => Err(der::ErrorKind::OidUnknown { oid: form }.into()),
        }
    })
}

fn entries(bytes: &mut Bytes<'_>) -> Option<Jks> {
    let mut store = Jks::default();
    let magic = bytes.take(MAGIC.len())? == MAGIC;
    let version = bytes.number()?;
    if !magic || !(1..=2).contains(&version) {
        return None;
    }
    for _ in 0..bytes.number()? {
        let kind = bytes.number()?;
        let _alias = bytes.text()?;
        let _made = bytes.take(8)?;
        match kind {
            1 => {
                let protected = bytes.counted()?.to_vec();
                let mut chain = Vec::new();
                for _ in 0..bytes.number()? {
                    chain.push(bytes.certificate(version)?);
                }
                store.keys.push(Key { protected, chain });
            }
            2 => store.trusted.push(bytes.certificate(version)?),
            _ => return None,
        }
    }
    bytes.0.is_empty().then_some(store)
}

/// What is left to read.
struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    fn number(&mut self) -> Option<u32> {
        let bytes = self.take(4)?;
        Some(u32::from_be_bytes(bytes.try_into().ok()?))
    }

    /// Behind its length in two bytes.
    fn text(&mut self) -> Option<&'a [u8]> {
        let bytes = self.take(2)?;
        self.take(u16::from_be_bytes(bytes.try_into().ok()?).into())
    }

    /// Behind its length in four bytes.
    fn counted(&mut self) -> Option<&'a [u8]> {
        let length = self.number()?;
        self.take(usize::try_from(length).ok()?)
    }

    fn certificate(&mut self, version: u32) -> Option<Vec<u8>> {
        if version == 2 {
            // Always X.509: Java knows no other.
            let _type = self.text()?;
        }
        Some(self.counted()?.to_vec())
    }
}

/// Two bytes for each unit, as Java's characters are.
fn wide(password: &str) -> Vec<u8> {
    password.encode_utf16().flat_map(u16::to_be_bytes).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A store of one certificate to be trusted, as the JDK lays it out.
    fn store(password: &str) -> Vec<u8> {
        let mut body = MAGIC.to_vec();
        for number in [2_u32, 1, 2] {
            body.extend(number.to_be_bytes());
        }
        body.extend([0, 2, b'c', b'a', 0, 0, 0, 0, 0, 0, 0, 9]);
        body.extend([0, 5, b'X', b'.', b'5', b'0', b'9', 0, 0, 0, 3, 1, 2, 3]);
        let hash = Sha1::new_with_prefix(wide(password));
        let hash = hash.chain_update(SALT).chain_update(&body).finalize();
        [body, hash.to_vec()].concat()
    }

    #[test]
    fn a_store_opens_with_its_password_and_unchecked_without_one() {
        let bytes = store("hunter2");
        for password in [Some("hunter2"), None] {
            let opened = read(&bytes, password).map(|store| store.trusted);
            assert_eq!(opened, Ok(vec![vec![1, 2, 3]]));
        }
        let wrong = read(&bytes, Some("hunter3")).map(|store| store.trusted);
        assert_eq!(wrong, Err(Unopened::Password));
    }

    #[test]
    fn a_part_of_a_store_or_something_else_gives_nothing() {
        let bytes = store("hunter2");
        for end in 0..bytes.len() {
            assert!(read(&bytes[..end], Some("hunter2")).is_err(), "{end}");
            assert!(read(&bytes[..end], None).is_err(), "{end}");
        }
        let other = read(&[0x30; 500], None).map(|store| store.trusted);
        assert_eq!(other, Err(Unopened::NoStore));
        let more = [&bytes[..], &[0; 7]].concat();
        assert!(read(&more, None).is_err());
        let key = Key {
            protected: vec![0x30; 90],
            chain: Vec::new(),
        };
        assert_eq!(key.open("hunter2"), Err(Unopened::NoStore));
    }
}
