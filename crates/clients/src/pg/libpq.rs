//! A connection as libpq would make it: a URL or `key=value` pairs, completed from a service file, from the `PG…`
//! variables, and with a password from a password file.
//!
//! Stands in front of [`PgAddress`]: people have these files and variables already. Whoever asks learns where each part
//! came from. The rules it protects: what asks for more safety than there is (an encrypted key, a revocation list) is
//! refused, never ignored; no message quotes a value, which may be a password.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::passfile;
use super::{PgAddress, PgHost, PgTls, SslMode};
use crate::secret::Secret;

/// Parts of a connection that are used here, by libpq's keywords.
pub const USED: [&str; 12] = [
    "host",
    "hostaddr",
    "port",
    "user",
    "password",
    "dbname",
    "service",
    "passfile",
    "sslmode",
    "sslrootcert",
    "sslcert",
    "sslkey",
];

/// Keywords that change nothing about where a connection leads or how safe it is.
const PASSED_OVER: [&str; 15] = [
    "application_name",
    "fallback_application_name",
    "connect_timeout",
    "client_encoding",
    "keepalives",
    "keepalives_idle",
    "keepalives_interval",
    "keepalives_count",
    "tcp_user_timeout",
    "gssencmode",
    "krbsrvname",
    "sslcompression",
    "sslsni",
    "options",
    "target_session_attrs",
];

/// Variables that fill in what is missing.
const VARIABLES: [(&str, &str); 11] = [
    ("service", "PGSERVICE"),
    ("host", "PGHOST"),
    ("hostaddr", "PGHOSTADDR"),
    ("port", "PGPORT"),
    ("user", "PGUSER"),
    ("dbname", "PGDATABASE"),
    ("sslmode", "PGSSLMODE"),
    ("sslrootcert", "PGSSLROOTCERT"),
    ("sslcert", "PGSSLCERT"),
    ("sslkey", "PGSSLKEY"),
    ("passfile", "PGPASSFILE"),
];

/// Why there is no connection.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("PostgreSQL's address {0}")]
pub struct ConnectionError(String);

/// Values by keyword; all of them may be secrets, since a typing error can put a password anywhere.
pub type Keywords = BTreeMap<String, Secret>;

/// Where a part came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// It was given.
    Given,
    /// A section of a service file.
    Service(PathBuf),
    /// A variable.
    Variable(&'static str),
    /// A line of a password file.
    PasswordFile(PathBuf),
    /// Nobody said it.
    Default,
}

/// A connection, with the origin of each part by keyword.
#[derive(Debug, Clone)]
pub struct Connection {
    /// Where to connect, and as whom.
    pub address: PgAddress,
    /// Parts of the address, in [`USED`]'s order.
    pub origins: Vec<(&'static str, Origin)>,
    /// What should be known: a password file that was not read, for one.
    pub notes: Vec<String>,
}

/// What surrounds a connection: the environment.
pub type Lookup<'a> = &'a dyn Fn(&str) -> Option<String>;

fn refused(reason: impl Into<String>) -> ConnectionError {
    ConnectionError(reason.into())
}

/// Takes a URL or pairs apart.
///
/// # Errors
/// It is neither, or has a keyword that libpq does not know.
pub fn parse(text: &str) -> Result<Keywords, ConnectionError> {
    let text = text.trim();
    let url = ["postgresql://", "postgres://"]
        .iter()
        .find_map(|scheme| text.strip_prefix(scheme));
    let keywords = match url {
        Some(rest) => url_parts(rest)?,
        None => pairs(text)?,
    };
    match keywords.keys().find(|key| !known(key)) {
        // The key is quoted only where it looks like one: the text may be a password with an = in it.
        Some(key)
            if key
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte == b'_') =>
        {
            Err(refused(format!(
                "has '{key}', which is no keyword of libpq's or not supported here"
            )))
        }
        Some(_) => Err(no_form()),
        None => Ok(keywords),
    }
}

fn known(key: &str) -> bool {
    USED.contains(&key) || PASSED_OVER.contains(&key)
}

fn no_form() -> ConnectionError {
    refused("is neither postgresql://user@host:port/database nor 'host=… port=… user=… dbname=…'")
}

/// `user:password@host:port/database?key=value&…`, percent-encoded.
fn url_parts(rest: &str) -> Result<Keywords, ConnectionError> {
    let mut parts = Keywords::new();
    let mut set = |key: &str, value: &str| -> Result<(), ConnectionError> {
        if !value.is_empty() {
            parts.insert(key.to_owned(), Secret::new(decoded(value)?));
        }
        Ok(())
    };
    let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (authority, database) = rest.split_once('/').unwrap_or((rest, ""));
    let (login, place) = match authority.rsplit_once('@') {
        Some((login, place)) => (login, place),
        None => ("", authority),
    };
    let (user, password) = login.split_once(':').unwrap_or((login, ""));
    // A host in brackets is an IPv6 address, whose colons are its own.
    let port_at = place.rfind(':').filter(|at| !place[*at..].contains(']'));
    let (host, port) = match port_at {
        Some(at) => (&place[..at], &place[at + 1..]),
        None => (place, ""),
    };
    set("user", user)?;
    set("password", password)?;
    set("host", host.trim_start_matches('[').trim_end_matches(']'))?;
    set("port", port)?;
    set("dbname", database)?;
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (key, value) = pair.split_once('=').ok_or_else(no_form)?;
        set(key, value)?;
    }
    Ok(parts)
}

fn decoded(text: &str) -> Result<String, ConnectionError> {
    let bad = || refused("holds a % that is not followed by two hexadecimal digits");
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let digits: Vec<u8> = rest.by_ref().take(2).collect();
        let digits = std::str::from_utf8(&digits)
            .ok()
            .filter(|digits| digits.len() == 2);
        let value = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
        bytes.push(value.ok_or_else(bad)?);
    }
    String::from_utf8(bytes).map_err(|_| refused("is no text once it is decoded"))
}

/// `key = 'value'` pairs; `\` takes the next character as it is.
fn pairs(text: &str) -> Result<Keywords, ConnectionError> {
    let mut parts = Keywords::new();
    let mut rest = text;
    while !rest.trim_start().is_empty() {
        let (key, after) = rest.split_once('=').ok_or_else(no_form)?;
        let (value, after) = one_value(after.trim_start()).ok_or_else(no_form)?;
        parts.insert(key.trim().to_owned(), Secret::new(value));
        rest = after;
    }
    if parts.is_empty() {
        Err(no_form())
    } else {
        Ok(parts)
    }
}

/// A value and what follows it; `None` if its quote does not end.
fn one_value(text: &str) -> Option<(String, &str)> {
    let quote = text.starts_with('\'');
    let mut value = String::new();
    let mut characters = text.char_indices().skip(usize::from(quote));
    while let Some((at, character)) = characters.next() {
        match character {
            '\\' => value.push(characters.next()?.1),
            '\'' if quote => return Some((value, &text[at + 1..])),
            space if !quote && space.is_whitespace() => return Some((value, &text[at..])),
            other => value.push(other),
        }
    }
    (!quote).then_some((value, ""))
}

/// Completes what was given as libpq does: service file, then variables, then defaults, then the password file.
///
/// # Errors
/// A part is missing or is no such part, several hosts are named, a service is not there, or more safety is asked for
/// than there is.
pub fn resolve(given: &Keywords, lookup: Lookup<'_>) -> Result<Connection, ConnectionError> {
    let mut work = Work {
        parts: BTreeMap::new(),
        notes: Vec::new(),
        lookup,
    };
    for (key, value) in given {
        if let Some(key) = USED.iter().find(|used| *used == key) {
            work.parts.insert(key, (value.clone(), Origin::Given));
        }
    }
    work.fill_from_service()?;
    for (key, variable) in VARIABLES {
        if let Some(value) = lookup(variable).filter(|value| !value.is_empty()) {
            work.fill(key, value, Origin::Variable(variable));
        }
    }
    work.fill("port", "5432".to_owned(), Origin::Default);
    let mut address = work.address()?;
    work.password(&mut address);
    let origins = USED.iter().filter_map(|key| {
        let (_, origin) = work.parts.get(key)?;
        Some((*key, origin.clone()))
    });
    Ok(Connection {
        address,
        origins: origins.collect(),
        notes: work.notes.clone(),
    })
}

struct Work<'a> {
    parts: BTreeMap<&'static str, (Secret, Origin)>,
    notes: Vec<String>,
    lookup: Lookup<'a>,
}

impl Work<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        let value = self.parts.get(key).map(|(value, _)| value.reveal());
        value.filter(|value| !value.is_empty())
    }

    fn fill(&mut self, key: &'static str, value: String, origin: Origin) {
        self.parts
            .entry(key)
            .or_insert_with(|| (Secret::new(value), origin));
    }

    fn fill_from_service(&mut self) -> Result<(), ConnectionError> {
        let named = self.get("service").map(str::to_owned);
        let Some(name) = named
            .or_else(|| (self.lookup)("PGSERVICE"))
            .filter(|name| !name.is_empty())
        else {
            return Ok(());
        };
        let files = service_files(self.lookup);
        let found = files.iter().find_map(|file| {
            let text = std::fs::read_to_string(file).ok()?;
            Some((file.clone(), service(&text, &name)?))
        });
        let Some((file, parts)) = found else {
            let looked: Vec<String> = files
                .iter()
                .map(|file| file.display().to_string())
                .collect();
            let looked = looked.join(", ");
            return Err(refused(format!(
                "names the service '{name}', which is in none of: {looked}"
            )));
        };
        for (key, value) in parts {
            match USED.iter().find(|used| **used == key) {
                Some(key) => self.fill(key, value, Origin::Service(file.clone())),
                None if known(&key) => {}
                None => {
                    let file = file.display();
                    return Err(refused(format!(
                        "has '{key}' in service '{name}' of {file}: no keyword of libpq's"
                    )));
                }
            }
        }
        Ok(())
    }

    /// `sslmode` and its files; what nobody says is where libpq looks for it.
    fn encryption(&self) -> Result<PgTls, ConnectionError> {
        let system = self.get("sslrootcert") == Some("system");
        let mode = match self.get("sslmode") {
            None if system => SslMode::VerifyFull,
            None => SslMode::Prefer,
            Some(name) => SslMode::parse(name)
                .ok_or_else(|| refused("has an sslmode that libpq does not know"))?,
        };
        if system && mode != SslMode::VerifyFull {
            // Anybody can have a certificate of these authorities, for a name of theirs.
            return Err(refused(
                "trusts the system's authorities (sslrootcert=system) with an sslmode weaker than verify-full",
            ));
        }
        let home = (self.lookup)("HOME").map(|home| Path::new(&home).join(".postgresql"));
        let file = |key: &str, usual: &str| {
            let usual = || Some(home.as_ref()?.join(usual)).filter(|path| path.exists());
            self.get(key).map(PathBuf::from).or_else(usual)
        };
        let wanted = !matches!(mode, SslMode::Disable | SslMode::Allow | SslMode::Prefer);
        let certificate = file("sslcert", "postgresql.crt");
        let root = file("sslrootcert", "root.crt").filter(|_| wanted);
        if mode == SslMode::VerifyCa && root.is_none() {
            return Err(refused(
                "has sslmode=verify-ca and no root certificate: name one with sslrootcert",
            ));
        }
        Ok(PgTls {
            mode,
            root,
            key: file("sslkey", "postgresql.key").filter(|_| certificate.is_some()),
            certificate,
            server_name: self
                .get("hostaddr")
                .and(self.get("host"))
                .map(str::to_owned),
        })
    }

    fn address(&self) -> Result<PgAddress, ConnectionError> {
        let part = |key: &str, name: &str| {
            let value = self.get(key).map(str::to_owned);
            value.ok_or_else(|| refused(format!("names no {name}")))
        };
        let host = match self.get("hostaddr") {
            Some(address) => address.to_owned(),
            None => part("host", "host")?,
        };
        if host.contains(',') {
            return Err(refused("must name one host"));
        }
        let port = part("port", "port")?;
        let port: u16 = port
            .parse()
            .map_err(|_| refused("has a port that is no number from 1 to 65535"))?;
        Ok(PgAddress {
            host: if host.starts_with('/') {
                PgHost::Unix(PathBuf::from(host))
            } else {
                PgHost::Tcp(host)
            },
            port,
            user: part("user", "user")?,
            password: Secret::default(),
            database: part("dbname", "database")?,
            tls: self.encryption()?,
        })
    }

    /// Given or in the service, then `PGPASSWORD`, then the password file.
    fn password(&mut self, address: &mut PgAddress) {
        if !self.parts.contains_key("password")
            && let Some(value) = (self.lookup)("PGPASSWORD")
        {
            self.fill("password", value, Origin::Variable("PGPASSWORD"));
        }
        if !self.parts.contains_key("password") {
            let named = self.get("passfile").map(PathBuf::from);
            let home = || (self.lookup)("HOME").map(|home| Path::new(&home).join(".pgpass"));
            if let Some(file) = named.or_else(home) {
                if passfile::is_open_to_others(&file) {
                    let file = file.display();
                    self.notes.push(format!(
                        "{file} is open to others and was not read: chmod 600 {file}"
                    ));
                } else if let Some(password) = passfile::password(&file, address) {
                    self.parts
                        .insert("password", (password, Origin::PasswordFile(file)));
                }
            }
        }
        if let Some((password, _)) = self.parts.get("password") {
            address.password = password.clone();
        }
    }
}

/// Where services are looked for: the named file, or the user's own and the system's.
fn service_files(lookup: Lookup<'_>) -> Vec<PathBuf> {
    let own = lookup("PGSERVICEFILE").map(PathBuf::from);
    let own = own.or_else(|| lookup("HOME").map(|home| Path::new(&home).join(".pg_service.conf")));
    let system = lookup("PGSYSCONFDIR").unwrap_or_else(|| "/etc/postgresql-common".to_owned());
    own.into_iter()
        .chain([Path::new(&system).join("pg_service.conf")])
        .collect()
}

/// The pairs of one section.
fn service(text: &str, name: &str) -> Option<Vec<(String, String)>> {
    let heading = format!("[{name}]");
    let mut lines = text
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.by_ref().find(|line| *line == heading)?;
    let section = lines.take_while(|line| !line.starts_with('['));
    let pair = |line: &str| {
        let (key, value) = line.split_once('=').unwrap_or((line, ""));
        (key.trim().to_owned(), value.trim().to_owned())
    };
    Some(section.map(pair).collect())
}

#[cfg(test)]
mod tests;
