//! Every key of the configuration, in display order.

/// One key.
#[derive(Debug, Clone, Copy)]
pub struct Key {
    /// `section.name`.
    pub name: &'static str,
    /// Its value is a secret.
    pub secret: bool,
    /// Its value is a path, relative to the file that says it.
    pub path: bool,
    /// A variable besides the long one.
    short: Option<&'static str>,
}

impl Key {
    const fn new(name: &'static str) -> Key {
        Key {
            name,
            secret: false,
            path: false,
            short: None,
        }
    }

    const fn secret(name: &'static str) -> Key {
        let mut key = Key::new(name);
        key.secret = true;
        key
    }

    const fn path(name: &'static str) -> Key {
        let mut key = Key::new(name);
        key.path = true;
        key
    }

    const fn or(mut self, short: &'static str) -> Key {
        self.short = Some(short);
        self
    }

    /// Variables that say it, the long one first: `CUTOVER_SECTION_NAME`.
    pub fn variables(&self) -> Vec<String> {
        let long = format!("CUTOVER_{}", self.name.to_uppercase().replace('.', "_"));
        [long]
            .into_iter()
            .chain(self.short.map(str::to_owned))
            .collect()
    }
}

/// Every key.
pub const ALL: [Key; 31] = [
    Key::new("postgres.address").or("CUTOVER_POSTGRES"),
    Key::new("postgres.service"),
    Key::path("postgres.service_file"),
    Key::new("postgres.host"),
    Key::new("postgres.port"),
    Key::new("postgres.user"),
    Key::new("postgres.database"),
    Key::secret("postgres.password"),
    Key::path("postgres.password_file"),
    Key::path("postgres.passfile"),
    Key::new("postgres.sslmode"),
    Key::path("postgres.sslrootcert"),
    Key::path("postgres.sslcert"),
    Key::path("postgres.sslkey"),
    Key::new("kafka.bootstrap").or("CUTOVER_KAFKA"),
    Key::path("kafka.properties"),
    Key::new("kafka.offsets_topic"),
    Key::new("connect.address").or("CUTOVER_CONNECT"),
    Key::new("connect.user"),
    Key::secret("connect.password"),
    Key::new("connect.connector").or("CUTOVER_CONNECTOR"),
    Key::path("connect.connector_file"),
    Key::path("connect.ca"),
    Key::path("connect.certificate"),
    Key::path("connect.key"),
    Key::new("registry.address").or("CUTOVER_REGISTRY"),
    Key::new("registry.user"),
    Key::secret("registry.password"),
    Key::path("registry.ca"),
    Key::path("registry.certificate"),
    Key::path("registry.key"),
];

/// A key by its name; a name that is none is a defect, and answered with the first.
pub fn key(name: &str) -> &'static Key {
    ALL.iter().find(|key| key.name == name).unwrap_or(&ALL[0])
}
