//! The systems that layers describe, and the report of who said what.

use std::path::{Path, PathBuf};

use cutover_clients::connect::Connect;
use cutover_clients::kafka::{KafkaAddress, properties};
use cutover_clients::pg::PgAddress;
use cutover_clients::pg::libpq::{self, Keywords};
use cutover_clients::registry::RegistryAddress;
use cutover_clients::secret::{MASK, Secret, scrubbed};
use cutover_clients::tls::TlsFiles;
use cutover_model::configuration::{
    CONFIGURATION_FORMAT, ConfigurationReport, LeftOut, Origin, OriginKind, ShownSetting,
};
use cutover_model::{Classified, Failure};

use super::layers::{Given, Layers, Lookup, password_file};
use super::{keys, refused};

/// What a command works with. A system that nobody described is absent.
#[derive(Debug)]
pub struct Systems {
    /// The database.
    pub postgres: Option<PgAddress>,
    /// The Kafka cluster.
    pub kafka: Option<KafkaAddress>,
    /// Topic of the Connect cluster's offsets.
    pub offsets_topic: Option<String>,
    /// The Connect cluster.
    pub connect: Option<Connect>,
    /// The schema registry.
    pub registry: Option<RegistryAddress>,
    /// The connector that is meant where none is named.
    pub connector: Option<String>,
    /// Who said what.
    pub report: ConfigurationReport,
}

impl Systems {
    /// The Connect cluster, or what is missing.
    pub fn need_connect(&self) -> Result<&Connect, Failure> {
        self.connect.as_ref().ok_or_else(|| {
            missing(
                "Kafka Connect",
                "--connect http://host:port",
                "connect.address",
            )
        })
    }

    /// The Kafka cluster, or what is missing.
    pub fn need_kafka(&self) -> Result<&KafkaAddress, Failure> {
        self.kafka
            .as_ref()
            .ok_or_else(|| missing("Kafka", "--kafka host:port", "kafka.bootstrap"))
    }

    /// The database, or what is missing.
    pub fn need_postgres(&self) -> Result<&PgAddress, Failure> {
        let flag = "--postgres postgresql://user@host:port/database";
        self.postgres
            .as_ref()
            .ok_or_else(|| missing("PostgreSQL", flag, "postgres.address"))
    }
}

fn missing(what: &str, flag: &str, key: &str) -> Failure {
    refused(
        "CONFIG-MISSING-001",
        format!("nothing says where {what} is"),
        format!("give {flag}, or {key} in cutover.toml"),
    )
}

/// libpq's word for a key.
const KEYWORDS: [(&str, &str); 10] = [
    ("postgres.service", "service"),
    ("postgres.host", "host"),
    ("postgres.port", "port"),
    ("postgres.user", "user"),
    ("postgres.database", "dbname"),
    ("postgres.passfile", "passfile"),
    ("postgres.sslmode", "sslmode"),
    ("postgres.sslrootcert", "sslrootcert"),
    ("postgres.sslcert", "sslcert"),
    ("postgres.sslkey", "sslkey"),
];

/// Makes the systems.
pub(super) fn build(layers: &Layers, variable: Lookup<'_>) -> Result<Systems, Failure> {
    let mut shown = Shown::default();
    let postgres = postgres(layers, variable, &mut shown)?;
    let kafka = kafka(layers, &mut shown)?;
    let connect = layers.text("connect.address").map(|address| {
        let connect = Connect::new(address);
        let connect = match files(layers, "connect") {
            Some(files) => connect.with_tls(&files),
            None => connect,
        };
        match (layers.text("connect.user"), layers.top("connect.password")) {
            (Some(user), password) => {
                let password =
                    password.map_or_else(Secret::default, |(_, given)| given.value.clone());
                connect.with_login(user, password)
            }
            (None, _) => connect,
        }
    });
    for key in keys::ALL
        .iter()
        .filter(|key| !key.name.starts_with("postgres."))
    {
        let known = shown.rows.iter().any(|row| row.key == key.name);
        if let Some((_, given)) = layers.top(key.name).filter(|_| !known) {
            shown.add(key.name, given);
        }
    }
    shown
        .rows
        .sort_by_key(|row| keys::ALL.iter().position(|key| key.name == row.key));
    shown.notes.splice(0..0, layers.notes.iter().cloned());
    let text = |key: &str| layers.text(key).map(str::to_owned);
    Ok(Systems {
        postgres,
        kafka,
        offsets_topic: text("kafka.offsets_topic"),
        connect,
        registry: registry(layers),
        connector: text("connect.connector"),
        report: ConfigurationReport {
            format: CONFIGURATION_FORMAT.to_owned(),
            file: layers.file.as_ref().map(|file| file.display().to_string()),
            settings: shown.rows,
            left_out: shown.left_out,
            notes: shown.notes,
        },
    })
}

#[derive(Default)]
struct Shown {
    rows: Vec<ShownSetting>,
    left_out: Vec<LeftOut>,
    notes: Vec<String>,
}

impl Shown {
    fn add(&mut self, key: &str, given: &Given) {
        let secret = keys::key(key).secret;
        let value = match secret {
            true => MASK.to_owned(),
            false => scrubbed(given.value.reveal(), []),
        };
        self.rows.retain(|row| row.key != key);
        self.rows.push(ShownSetting {
            key: key.to_owned(),
            value,
            secret,
            origin: given.origin.clone(),
        });
    }
}

/// Parts of an address by the keys of the file, and who said each.
type Origins = Vec<(&'static str, Given)>;

/// What each place says, the strongest last, with who said it.
fn gathered(layers: &Layers) -> Result<(Keywords, Origins), Failure> {
    let mut keywords = Keywords::new();
    let mut origins = Origins::new();
    for layer in &layers.all {
        if let Some(given) = layer.get("postgres.address") {
            // Another server, and not a weaker connection to it.
            keywords.retain(|key, _| key.starts_with("ssl"));
            origins.retain(|(key, _)| key.starts_with("postgres.ssl"));
            let parts =
                libpq::parse(given.value.reveal()).map_err(|error| wrong_address(given, &error))?;
            if parts.contains_key("password") && given.origin.kind == OriginKind::Flag {
                let argument = &given.origin.name;
                let message =
                    format!("{argument} holds a password, and arguments can be read by others");
                return Err(refused(
                    "CONFIG-SECRET-001",
                    message,
                    "give it by PGPASSWORD, PGPASSFILE, ~/.pgpass or --password-file",
                ));
            }
            for (key, value) in parts {
                origins.push((
                    own_key(&key),
                    Given {
                        value: value.clone(),
                        ..given.clone()
                    },
                ));
                keywords.insert(key, value);
            }
        }
        for (key, word) in KEYWORDS {
            if let Some(given) = layer.get(key) {
                let known = keywords.get(word);
                if word == "host"
                    && known.is_some_and(|known| known.reveal() != given.value.reveal())
                {
                    // Another server: its password is another one.
                    keywords.remove("password");
                    origins.retain(|(key, _)| *key != "postgres.password");
                }
                keywords.insert(word.to_owned(), given.value.clone());
                origins.push((key, given.clone()));
            }
        }
        let password = match (
            layer.get("postgres.password_file"),
            layer.get("postgres.password"),
        ) {
            (Some(given), _) => Some((password_file(given)?, given)),
            (None, Some(given)) => Some((given.value.clone(), given)),
            (None, None) => None,
        };
        if let Some((password, given)) = password {
            origins.push(("postgres.password", given.clone()));
            keywords.insert("password".to_owned(), password);
        }
    }
    Ok((keywords, origins))
}

/// A place that names the server anew takes what weaker places said about it away, login included: nobody wants a
/// password sent to another server.
fn postgres(
    layers: &Layers,
    variable: Lookup<'_>,
    shown: &mut Shown,
) -> Result<Option<PgAddress>, Failure> {
    let (keywords, origins) = gathered(layers)?;
    let service_file = layers.text("postgres.service_file").map(str::to_owned);
    let lookup = |name: &str| match (name, &service_file) {
        ("PGSERVICEFILE", Some(file)) => Some(file.clone()),
        _ => variable(name),
    };
    let named = ["PGSERVICE", "PGHOST", "PGHOSTADDR"]
        .iter()
        .any(|name| variable(name).is_some());
    // A password alone describes no server; it may be for one that is found elsewhere.
    let describes =
        |word: &str| !["password", "passfile"].contains(&word) && !word.starts_with("ssl");
    if !named && !keywords.keys().any(|word| describes(word)) {
        return Ok(None);
    }
    let found = libpq::resolve(&keywords, &lookup).map_err(|error| {
        refused(
            "CONFIG-POSTGRES-001",
            error.to_string(),
            "give postgresql://user@host:port/database, or the parts one by one",
        )
    })?;
    show_postgres(&found, &origins, shown);
    Ok(Some(found.address))
}

fn own_key(keyword: &str) -> &'static str {
    match keyword {
        "hostaddr" => "postgres.host",
        "password" => "postgres.password",
        other => KEYWORDS
            .iter()
            .find(|(_, word)| *word == other)
            .map_or("postgres.address", |(key, _)| key),
    }
}

fn wrong_address(given: &Given, error: &libpq::ConnectionError) -> Failure {
    let remedy = "give postgresql://user@host:port/database or 'host=… port=… user=… dbname=…'";
    refused(
        "CONFIG-POSTGRES-001",
        format!("{}: {error}", given.origin.name),
        remedy,
    )
}

fn show_postgres(found: &libpq::Connection, origins: &[(&str, Given)], shown: &mut Shown) {
    let address = &found.address;
    let path = |path: &Option<PathBuf>| {
        let shown = path.as_ref().map(|path| path.display().to_string());
        shown.unwrap_or_default()
    };
    for (word, origin) in &found.origins {
        let value = match *word {
            "host" | "hostaddr" => match &address.host {
                cutover_clients::pg::PgHost::Tcp(host) => host.clone(),
                cutover_clients::pg::PgHost::Unix(folder) => folder.display().to_string(),
            },
            "port" => address.port.to_string(),
            "user" => address.user.clone(),
            "dbname" => address.database.clone(),
            "sslmode" => address.tls.mode.name().to_owned(),
            "sslrootcert" => path(&address.tls.root),
            "sslcert" => path(&address.tls.certificate),
            "sslkey" => path(&address.tls.key),
            _ => String::new(),
        };
        let key = own_key(word);
        let said = origins
            .iter()
            .rev()
            .find(|(name, _)| *name == key)
            .map(|(_, given)| given);
        let place = |kind, name: String| Origin { kind, name };
        let origin = match (origin, said) {
            (libpq::Origin::Given, Some(given)) => given.origin.clone(),
            (libpq::Origin::Service(file), _) => {
                place(OriginKind::ServiceFile, file.display().to_string())
            }
            (libpq::Origin::PasswordFile(file), _) => {
                place(OriginKind::PasswordFile, file.display().to_string())
            }
            (libpq::Origin::Variable(name), _) => {
                place(OriginKind::Environment, (*name).to_owned())
            }
            (libpq::Origin::Default | libpq::Origin::Given, _) => {
                place(OriginKind::Default, String::new())
            }
        };
        let value = match said.filter(|_| value.is_empty()) {
            Some(given) => given.value.clone(),
            None => Secret::new(value),
        };
        shown.add(key, &Given { value, origin });
    }
    shown.notes.extend(found.notes.iter().cloned());
}

/// Files of an encrypted connection, if any is named.
fn files(layers: &Layers, section: &str) -> Option<TlsFiles> {
    let path = |name: &str| layers.text(&format!("{section}.{name}")).map(PathBuf::from);
    let files = TlsFiles {
        authorities: path("ca"),
        certificate: path("certificate"),
        key: path("key"),
    };
    (files != TlsFiles::default()).then_some(files)
}

fn registry(layers: &Layers) -> Option<RegistryAddress> {
    let address = RegistryAddress::parse(layers.text("registry.address")?);
    let address = match files(layers, "registry") {
        Some(files) => address.with_tls(&files),
        None => address,
    };
    Some(match layers.text("registry.user") {
        Some(user) => {
            let password = layers.text("registry.password").unwrap_or_default();
            address.with_credentials(&format!("{user}:{password}"))
        }
        None => address,
    })
}

fn kafka(layers: &Layers, shown: &mut Shown) -> Result<Option<KafkaAddress>, Failure> {
    let mut bootstrap = layers
        .top("kafka.bootstrap")
        .map(|(number, given)| (number, given.value.reveal().to_owned()));
    let mut settings = Vec::new();
    if let Some((number, given)) = layers.top("kafka.properties") {
        let read = read_properties(given)?;
        let origin = Origin {
            kind: OriginKind::Properties,
            name: given.value.reveal().to_owned(),
        };
        if let Some(of_file) = read.bootstrap
            && bootstrap.as_ref().is_none_or(|(said, _)| *said < number)
        {
            shown.add(
                "kafka.bootstrap",
                &Given {
                    value: Secret::new(of_file.clone()),
                    origin: origin.clone(),
                },
            );
            bootstrap = Some((number, of_file));
        }
        let left = read.left_out.into_iter().map(|(key, why)| LeftOut {
            key,
            why: why.to_owned(),
            origin: origin.clone(),
        });
        shown.left_out.extend(left);
        settings = read.settings;
        if bootstrap.is_none() {
            let message = format!(
                "{} has no bootstrap.servers, and nothing else says them",
                given.value.reveal()
            );
            return Err(refused(
                "CONFIG-KAFKA-001",
                message,
                "give --kafka host:port, or kafka.bootstrap in cutover.toml",
            ));
        }
    }
    Ok(bootstrap.map(|(_, bootstrap)| KafkaAddress::plain(&bootstrap).with(settings)))
}

fn read_properties(given: &Given) -> Result<properties::ClientProperties, Failure> {
    let path = given.value.reveal();
    let text = std::fs::read_to_string(Path::new(path)).map_err(|error| {
        refused(
            "CONFIG-FILE-001",
            format!("read {path}: {error}"),
            "name the file that Kafka's own tools take (--command-config)",
        )
    })?;
    let read = properties::read(&text).map_err(|error| {
        let remedy = "take the options out, or give what they say in the form named here";
        let mut failure = refused("CONFIG-KAFKA-001", format!("{path}: {error}"), remedy);
        if let properties::PropertiesError::Library(library) = &error {
            failure.exit = library.exit_code();
        }
        failure
    })?;
    let secret = read
        .settings
        .iter()
        .any(|(name, _)| cutover_clients::secret::names_secret(name));
    match super::references::not_private(Path::new(path)).filter(|_| secret) {
        Some(reason) => Err(refused(
            "CONFIG-SECRET-001",
            reason,
            "make the file readable by its owner only",
        )),
        None => Ok(read),
    }
}
