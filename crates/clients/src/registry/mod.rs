//! A schema registry with Confluent's interface: the schema that an id in front of a record stands for.
//!
//! Stands between the topic recorder and the registry, and asks one question only, `GET /schemas/ids/N`. Schemas
//! never change under their id, so whoever asks may keep the answer. The rules it protects: no answer is an error,
//! never "no such schema"; and no answer, however long, is read without bound.

mod error;

use std::time::{Duration, Instant};

use reqwest::{Response, StatusCode, Url};
use serde::Deserialize;
use serde::de::IgnoredAny;

pub use error::RegistryError;

use crate::http;
use crate::secret::Secret;
use crate::tls::{TlsError, TlsFiles};
use crate::wait;

const REQUEST_TIMEOUT: Duration = Duration::from_secs(20);
const RETRY_EVERY: Duration = Duration::from_millis(500);
const ATTEMPTS: u32 = 4;
/// The schema of a table with PostgreSQL's 1,600 columns has some hundred KiB.
const ANSWER_MIB_MAX: usize = 4;
/// Codes of the registry's own "not found": subject, version, schema.
const NOT_FOUND: std::ops::RangeInclusive<u64> = 40_401..=40_403;

/// Where a registry is, and who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegistryAddress {
    urls: Vec<String>,
    user: String,
    password: Secret,
    tls: TlsFiles,
}

impl RegistryAddress {
    /// From one URL or several, separated by commas, as converters take them. Credentials in a URL are taken out.
    pub fn parse(urls: &str) -> RegistryAddress {
        let mut address = RegistryAddress {
            urls: Vec::new(),
            user: String::new(),
            password: Secret::default(),
            tls: TlsFiles::default(),
        };
        for url in urls.split(',').map(str::trim).filter(|url| !url.is_empty()) {
            let (bare, credentials) = without_credentials(url);
            if let Some(credentials) = credentials {
                address = address.with_credentials(credentials);
            }
            address.urls.push(bare);
        }
        address
    }

    /// With `user:password` as a converter's `basic.auth.user.info` has it.
    #[must_use]
    pub fn with_credentials(mut self, user_info: &str) -> RegistryAddress {
        let (user, password) = user_info.split_once(':').unwrap_or((user_info, ""));
        user.clone_into(&mut self.user);
        self.password = Secret::new(password);
        self
    }

    /// With these authorities and this certificate of ours, for addresses with `https://`.
    #[must_use]
    pub fn with_tls(mut self, files: &TlsFiles) -> RegistryAddress {
        self.tls = files.clone();
        self
    }

    /// The addresses without credentials, as they may be shown and kept.
    pub fn shown(&self) -> String {
        self.urls.join(",")
    }
}

/// `scheme://user:password@host` apart: without credentials, and the credentials.
fn without_credentials(url: &str) -> (String, Option<&str>) {
    let Some((scheme, rest)) = url.split_once("://") else {
        return (url.to_owned(), None);
    };
    let host_ends = rest.find('/').unwrap_or(rest.len());
    match rest[..host_ends].rsplit_once('@') {
        Some((credentials, _)) => (
            format!("{scheme}://{}", &rest[credentials.len() + 1..]),
            Some(credentials),
        ),
        None => (url.to_owned(), None),
    }
}

/// A schema as the registry holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registered {
    /// Its language: `AVRO`, `PROTOBUF`, `JSON`.
    pub kind: String,
    /// Its text.
    pub text: String,
    /// It refers to other schemas, which are not in the text.
    pub refers: bool,
}

#[derive(Deserialize)]
struct Answer {
    schema: String,
    #[serde(rename = "schemaType", default)]
    kind: Option<String>,
    #[serde(default)]
    references: Vec<IgnoredAny>,
}

#[derive(Deserialize)]
struct Complaint {
    error_code: u64,
    #[serde(default)]
    message: String,
}

/// A client. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Registry {
    address: RegistryAddress,
    http: Result<reqwest::Client, TlsError>,
}

impl Registry {
    /// A client for the registry at an address. Nothing is sent yet.
    pub fn new(address: &RegistryAddress) -> Registry {
        // Members of one registry are spoken to alike.
        let encrypted = |url: &&String| {
            url.get(..8)
                .is_some_and(|scheme| scheme.eq_ignore_ascii_case("https://"))
        };
        let url = address.urls.iter().find(encrypted).or(address.urls.first());
        let url = url.map_or("", String::as_str);
        Registry {
            address: address.clone(),
            http: http::client(url, &address.tls, REQUEST_TIMEOUT),
        }
    }

    /// The schema of an id; `None` if the registry says that it has none.
    pub async fn schema(&self, id: u32) -> Result<Option<Registered>, RegistryError> {
        let mut attempts = 1;
        let begun = Instant::now();
        loop {
            let error = match self.ask_each(id).await {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            let passing = matches!(
                error,
                RegistryError::Unreachable { .. } | RegistryError::Server { .. }
            );
            // Whoever has said nothing for so long is not asked again.
            let patient = attempts < ATTEMPTS && begun.elapsed() < REQUEST_TIMEOUT;
            if !passing || !patient {
                return Err(error);
            }
            attempts += 1;
            wait::pause(RETRY_EVERY).await;
        }
    }

    /// Asks one member of the registry after the other until one answers.
    async fn ask_each(&self, id: u32) -> Result<Option<Registered>, RegistryError> {
        let mut last = RegistryError::Address {
            address: self.address.shown(),
        };
        for address in &self.address.urls {
            match self.ask(address, id).await {
                Err(error @ RegistryError::Unreachable { .. }) => last = error,
                other => return other,
            }
        }
        Err(last)
    }

    async fn ask(&self, address: &str, id: u32) -> Result<Option<Registered>, RegistryError> {
        let unreachable = |error: reqwest::Error| RegistryError::Unreachable {
            address: address.to_owned(),
            detail: causes(&error.without_url()),
        };
        let http = self.http.as_ref().map_err(|source| RegistryError::Tls {
            address: address.to_owned(),
            source: source.clone(),
        })?;
        let mut request = http.get(url(address, id)?);
        if !self.address.user.is_empty() {
            let password = self.address.password.reveal();
            request = request.basic_auth(&self.address.user, Some(password));
        }
        let response = request.send().await.map_err(unreachable)?;
        let status = response.status();
        let Some(body) = read(response).await.map_err(unreachable)? else {
            return Err(RegistryError::TooLong {
                address: address.to_owned(),
                id,
                limit_mib: ANSWER_MIB_MAX,
            });
        };
        answer(address, status, &body)
    }
}

/// Reads a body up to the limit; `None` if there is more.
async fn read(mut response: Response) -> Result<Option<Vec<u8>>, reqwest::Error> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        if body.len() + chunk.len() > ANSWER_MIB_MAX * 1024 * 1024 {
            return Ok(None);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Some(body))
}

fn answer(
    address: &str,
    status: StatusCode,
    body: &[u8],
) -> Result<Option<Registered>, RegistryError> {
    let (address, code) = (address.to_owned(), status.as_u16());
    if status.is_success() {
        return match serde_json::from_slice::<Answer>(body) {
            Ok(answer) => Ok(Some(Registered {
                kind: answer.kind.unwrap_or_else(|| "AVRO".to_owned()),
                text: answer.schema,
                refers: !answer.references.is_empty(),
            })),
            Err(_) => Err(RegistryError::NotRegistry { address, code }),
        };
    }
    let complaint = serde_json::from_slice::<Complaint>(body).ok();
    match (code, complaint) {
        // Any other server says 404 too; only a registry has these codes.
        (404, Some(complaint)) if NOT_FOUND.contains(&complaint.error_code) => Ok(None),
        (401 | 403, _) => Err(RegistryError::Denied { address, code }),
        (429 | 500..=599, complaint) => Err(RegistryError::Server {
            address,
            code,
            message: complaint.map_or_else(String::new, |complaint| first_line(&complaint.message)),
        }),
        _ => Err(RegistryError::NotRegistry { address, code }),
    }
}

fn url(address: &str, id: u32) -> Result<Url, RegistryError> {
    let bad = || RegistryError::Address {
        address: address.to_owned(),
    };
    let mut url = Url::parse(address).map_err(|_| bad())?;
    if !["http", "https"].contains(&url.scheme()) {
        return Err(bad());
    }
    url.path_segments_mut()
        .map_err(|()| bad())?
        .pop_if_empty()
        .extend(["schemas", "ids", &id.to_string()]);
    Ok(url)
}

/// An error with its causes in one line: the outermost one alone says only that sending failed.
fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text = format!("{text}: {inner}");
        cause = inner.source();
    }
    text
}

fn first_line(text: &str) -> String {
    let line = text.lines().next().unwrap_or_default();
    line.chars().take(200).collect()
}

#[cfg(test)]
mod tests;
