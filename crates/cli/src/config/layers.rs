//! What each place says, kept apart: a connector's file below, `cutover.toml`, variables, arguments on top.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use cutover_clients::pg::libpq;
use cutover_clients::secret::Secret;
use cutover_model::Failure;
use cutover_model::configuration::{Origin, OriginKind};
use cutover_upgrade::operate::description::Description;
use cutover_upgrade::predict::facts::suggestion;

use super::file::File;
use super::keys::{self, Key};
use super::references::{expand, not_private, secret_file};
use super::{FILE, Said, refused};

/// Variables of the environment.
pub(super) type Lookup<'a> = &'a dyn Fn(&str) -> Option<String>;

/// One value.
#[derive(Debug, Clone)]
pub(super) struct Given {
    pub value: Secret,
    pub origin: Origin,
}

/// What one place says.
pub(super) type Layer = BTreeMap<&'static str, Given>;

/// Every place, the weakest first.
#[derive(Debug, Default)]
pub(super) struct Layers {
    pub file: Option<PathBuf>,
    pub all: Vec<Layer>,
    pub notes: Vec<String>,
}

impl Layers {
    /// The strongest value of a key, with the number of its layer.
    pub fn top(&self, key: &str) -> Option<(usize, &Given)> {
        let mut layers = self.all.iter().enumerate().rev();
        layers.find_map(|(number, layer)| Some((number, layer.get(key)?)))
    }

    /// The strongest value of a key as text.
    pub fn text(&self, key: &str) -> Option<&str> {
        self.top(key).map(|(_, given)| given.value.reveal())
    }
}

/// Reads every place.
pub(super) fn gather(said: &Said, variable: Lookup<'_>) -> Result<Layers, Failure> {
    let mut layers = Layers::default();
    let named = said
        .file
        .clone()
        .or_else(|| variable("CUTOVER_CONFIG").map(PathBuf::from));
    let file = named.or_else(|| Path::new(FILE).exists().then(|| PathBuf::from(FILE)));
    if let Some(file) = file {
        layers.all.push(of_file(&file, variable)?);
        layers.file = Some(file);
    }
    layers.all.push(of_variables(variable)?);
    let mut flags = Layer::new();
    for (key, flag, value) in &said.values {
        if value.is_empty() {
            return Err(refused(
                "CONFIG-EMPTY-001",
                format!("{flag} is empty"),
                "give it a value or leave it out",
            ));
        }
        flags.insert(key, given(value, OriginKind::Flag, flag));
    }
    layers.all.push(flags);
    if let Some(path) = layers.text("connect.connector_file").map(PathBuf::from) {
        let layer = of_connector(&path, &mut layers.notes)?;
        layers.all.insert(0, layer);
    }
    for (address, login) in LOGINS {
        forget_logins(&mut layers.all, address, &login);
    }
    Ok(layers)
}

/// Where a system is, and what lets somebody in there.
const LOGINS: [(&str, [&str; 2]); 2] = [
    ("connect.address", ["connect.user", "connect.password"]),
    ("registry.address", ["registry.user", "registry.password"]),
];

/// A place that names another address takes the login of weaker places away: nobody wants a password sent to another
/// server.
fn forget_logins(all: &mut [Layer], address: &str, login: &[&str]) {
    let mut known: Option<String> = None;
    for place in 0..all.len() {
        let Some(named) = all[place].get(address) else {
            continue;
        };
        let named = named.value.reveal().to_owned();
        if known.is_some_and(|known| known != named) {
            for weaker in &mut all[..place] {
                weaker.retain(|key, _| !login.contains(key));
            }
        }
        known = Some(named);
    }
}

fn given(value: &str, kind: OriginKind, name: &str) -> Given {
    Given {
        value: Secret::new(value),
        origin: Origin {
            kind,
            name: name.to_owned(),
        },
    }
}

fn of_variables(variable: Lookup<'_>) -> Result<Layer, Failure> {
    let mut layer = Layer::new();
    for key in keys::ALL {
        let names = key.variables();
        let found = names.iter().find_map(|name| Some((name, variable(name)?)));
        let Some((name, value)) = found else { continue };
        if value.is_empty() {
            let message = format!("variable {name} is empty");
            return Err(refused(
                "CONFIG-EMPTY-001",
                message,
                "give it a value or unset it",
            ));
        }
        layer.insert(key.name, given(&value, OriginKind::Environment, name));
    }
    Ok(layer)
}

fn of_file(path: &Path, variable: Lookup<'_>) -> Result<Layer, Failure> {
    let shown = path.display();
    let text = std::fs::read_to_string(path).map_err(|error| {
        let remedy = "name a file that is there with --config or CUTOVER_CONFIG";
        refused("CONFIG-FILE-001", format!("read {shown}: {error}"), remedy)
    })?;
    let form: File = toml::from_str(&text).map_err(|error| wrong_form(path, &text, &error))?;
    if let Some(version) = form.version.filter(|version| *version != 1) {
        let message = format!("{shown} has version {version}, and this program reads version 1");
        return Err(refused(
            "CONFIG-VERSION-001",
            message,
            "use the program that the file was written for",
        ));
    }
    let base = path.parent().unwrap_or_else(|| Path::new("."));
    let mut layer = Layer::new();
    for (name, raw) in form.values() {
        let wrong = |code: &str, reason: String| {
            let remedy = "correct the value, or take it from ${env:NAME} or ${file:PATH}";
            refused(code, format!("{shown}: {name}: {reason}"), remedy)
        };
        let raw =
            raw.ok_or_else(|| wrong("CONFIG-VALUE-001", "the value must be a text".into()))?;
        let value =
            expand(&raw, base, variable).map_err(|reason| wrong("CONFIG-REFERENCE-001", reason))?;
        if value.is_empty() {
            return Err(wrong("CONFIG-EMPTY-001", "the value is empty".into()));
        }
        if is_secret(keys::key(name), &raw)
            && let Some(reason) = not_private(path)
        {
            return Err(wrong("CONFIG-SECRET-001", reason));
        }
        // libpq's word for the authorities of the system is no file.
        let file =
            keys::key(name).path && (name, value.as_str()) != ("postgres.sslrootcert", "system");
        let value = if file {
            base.join(&value).display().to_string()
        } else {
            value
        };
        layer.insert(name, given(&value, OriginKind::File, &shown.to_string()));
    }
    Ok(layer)
}

/// Whether the text of the file itself is a secret, and not only where one is.
fn is_secret(key: &Key, raw: &str) -> bool {
    let own = without_references(raw);
    let authority = own.split_once("://").map_or("", |(_, rest)| {
        rest.split(['/', '?']).next().unwrap_or(rest)
    });
    let login = authority.rsplit_once('@');
    let password = login.and_then(|(login, _)| login.split_once(':'));
    let in_address = password.is_some_and(|(_, password)| !password.is_empty());
    // As libpq reads it; what it cannot read is refused later, and may be a secret until then.
    let in_pairs = own.contains("password")
        && libpq::parse(&own).map_or(true, |parts| {
            let password = parts.get("password");
            password.is_some_and(|password| !password.is_empty())
        });
    in_address || in_pairs || key.secret && !own.is_empty()
}

/// What of a value stands in the file itself.
fn without_references(raw: &str) -> String {
    let mut own = String::new();
    let mut rest = raw;
    while let Some((before, after)) = rest.split_once("${") {
        own.push_str(before);
        rest = after.split_once('}').map_or("", |(_, rest)| rest);
    }
    own + rest
}

/// The message of the parser quotes the line, which may hold a secret: only its place is told, and the wrong key.
fn wrong_form(path: &Path, text: &str, error: &toml::de::Error) -> Failure {
    let at = error.span().map_or(0, |span| span.start.min(text.len()));
    let line = text[..at].matches('\n').count() + 1;
    let message = error.message();
    let told = if message.starts_with("unknown field") || message.starts_with("duplicate key") {
        message.to_owned() + &suggestion(message).unwrap_or_default()
    } else if message.starts_with("invalid type") {
        "a value or a section is not of the form that it should have".to_owned()
    } else {
        "this is no TOML".to_owned()
    };
    let remedy = "the sections are postgres, kafka, connect and registry; `cutover config keys` lists every key";
    refused(
        "CONFIG-KEY-001",
        format!("{}: line {line}: {told}", path.display()),
        remedy,
    )
}

/// Name, server and login of a connector's file.
fn of_connector(path: &Path, notes: &mut Vec<String>) -> Result<Layer, Failure> {
    let shown = path.display().to_string();
    let text = std::fs::read_to_string(path).map_err(|error| {
        refused(
            "CONFIG-FILE-001",
            format!("read {shown}: {error}"),
            "name the connector's JSON file",
        )
    })?;
    let read = Description::parse(&text);
    let read = read.map_err(|error| {
        refused(
            "CONFIG-FILE-001",
            format!("{shown}: {error}"),
            "give the JSON that Connect takes",
        )
    })?;
    let mut layer = Layer::new();
    if let Some(name) = &read.name {
        layer.insert(
            "connect.connector",
            given(name, OriginKind::ConnectorFile, &shown),
        );
    }
    let options = [
        ("database.hostname", "postgres.host"),
        ("database.port", "postgres.port"),
        ("database.user", "postgres.user"),
        ("database.password", "postgres.password"),
        ("database.dbname", "postgres.database"),
        ("database.sslmode", "postgres.sslmode"),
    ];
    for (option, key) in options {
        match read.option(option) {
            // What the worker's config providers hold, only the worker can read.
            Some(value) if value.contains("${") => {
                notes.push(format!(
                    "{shown}: {option} is a reference of the worker's and not followed"
                ));
            }
            Some("") => {}
            Some(_) if keys::key(key).secret && not_private(path).is_some() => {
                notes.push(format!(
                    "{shown} is open to others, so the password in it is not used"
                ));
            }
            Some(value) => {
                layer.insert(key, given(value, OriginKind::ConnectorFile, &shown));
            }
            None => {}
        }
    }
    Ok(layer)
}

/// A password alone in a file.
pub(super) fn password_file(given: &Given) -> Result<Secret, Failure> {
    let read = secret_file(Path::new(given.value.reveal()));
    let read = read.map_err(|reason| {
        refused(
            "CONFIG-SECRET-001",
            format!("postgres.password_file: {reason}"),
            "keep the password in a file of your own, mode 600",
        )
    })?;
    Ok(Secret::new(read))
}
