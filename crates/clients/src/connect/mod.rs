//! Kafka Connect's REST interface: deploy, pause, resume, stop, delete, look at state and stored offsets.
//!
//! Stands between the driver and a Connect cluster. The cluster answers 409 while it rebalances and 500 while
//! it cannot reach its own topics; both pass by themselves, so every call here is idempotent and is repeated a
//! bounded number of times. `RUNNING` is what the status topic last said, not proof that data flows.
//! The rule it protects: a configuration that was read masked is never written back.

mod error;
mod offsets;
mod status;

use std::time::Duration;

use reqwest::{Method, StatusCode, Url};
use serde_json::{Map, Value};

pub use error::ConnectError;
pub use offsets::{StoredOffset, offset_at};
pub use status::{Status, TaskStatus};

use crate::http;
use crate::secret::Secret;
use crate::tls::{TlsError, TlsFiles};
use crate::wait;

/// Of what changes something: a worker that takes a configuration lets the connector try the database first.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(60);
/// Of what is only asked for. Offsets take longest: a worker reads them from their topic.
const ASK_TIMEOUT: Duration = Duration::from_secs(20);
const RETRY_EVERY: Duration = Duration::from_millis(500);
/// A rebalance lasts seconds; a worker that answers 409 for longer has another problem.
const ATTEMPTS_BUSY: u32 = 40;
const ATTEMPTS_SERVER_ERROR: u32 = 4;
const ATTEMPTS_TRANSPORT: u32 = 4;

/// One Connect cluster, by the address of one of its workers. Cheap to clone.
#[derive(Clone)]
pub struct Connect {
    base: String,
    login: Option<(String, Secret)>,
    http: Result<reqwest::Client, TlsError>,
}

impl std::fmt::Debug for Connect {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Connect({})", shown(&self.base))
    }
}

/// A connector class that the worker has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plugin {
    /// Java class.
    pub class: String,
    /// `source` or `sink`.
    pub kind: String,
    /// Version as the class reports it.
    pub version: String,
}

struct Answer {
    found: bool,
    body: Value,
}

struct Attempt<'a> {
    method: &'a Method,
    url: &'a Url,
    body: Option<&'a Value>,
    doing: &'a str,
}

impl Connect {
    /// A client for the worker at `base_url`, e.g. `http://127.0.0.1:8083`. Nothing is sent yet.
    pub fn new(base_url: &str) -> Connect {
        Connect {
            base: base_url.trim_end_matches('/').to_owned(),
            login: None,
            http: http::client(base_url, &TlsFiles::default(), REQUEST_TIMEOUT),
        }
    }

    /// With these authorities and this certificate of ours, for an address with `https://`. A file that cannot be used
    /// is told at the first call.
    #[must_use]
    pub fn with_tls(mut self, files: &TlsFiles) -> Connect {
        self.http = http::client(&self.base, files, REQUEST_TIMEOUT);
        self
    }

    /// Logs in with user and password at every call.
    #[must_use]
    pub fn with_login(mut self, user: &str, password: Secret) -> Connect {
        self.login = Some((user.to_owned(), password));
        self
    }

    /// The address without credentials.
    pub fn shown(&self) -> String {
        shown(&self.base)
    }

    /// Version of Kafka that the worker is of.
    pub async fn version(&self) -> Result<String, ConnectError> {
        let answer = self.call(Method::GET, &[], None).await?;
        Ok(text(&answer.body, "version"))
    }

    /// The connector classes that the worker can run.
    pub async fn plugins(&self) -> Result<Vec<Plugin>, ConnectError> {
        let answer = self.call(Method::GET, &["connector-plugins"], None).await?;
        let plugins = answer.body.as_array().cloned().unwrap_or_default();
        Ok(plugins
            .iter()
            .map(|plugin| Plugin {
                class: text(plugin, "class"),
                kind: text(plugin, "type"),
                version: text(plugin, "version"),
            })
            .collect())
    }

    /// Names of all connectors.
    pub async fn connectors(&self) -> Result<Vec<String>, ConnectError> {
        let answer = self.call(Method::GET, &["connectors"], None).await?;
        let names = answer.body.as_array().cloned().unwrap_or_default();
        Ok(names
            .iter()
            .filter_map(Value::as_str)
            .map(str::to_owned)
            .collect())
    }

    /// Creates the connector or replaces its configuration. A value that looks masked is refused.
    pub async fn put_config(
        &self,
        name: &str,
        config: &Map<String, Value>,
    ) -> Result<(), ConnectError> {
        if let Some(key) = masked_key(config) {
            return Err(ConnectError::Masked {
                connector: name.to_owned(),
                key: key.to_owned(),
            });
        }
        let body = Value::Object(config.clone());
        let path = ["connectors", name, "config"];
        match self.call(Method::PUT, &path, Some(&body)).await {
            Ok(_) => Ok(()),
            Err(error) => Err(error.without_secrets(config)),
        }
    }

    /// The configuration as the worker stores it (secrets in clear text); `None` if there is no such connector.
    pub async fn config(&self, name: &str) -> Result<Option<Map<String, Value>>, ConnectError> {
        let path = ["connectors", name, "config"];
        let answer = self.call(Method::GET, &path, None).await?;
        Ok(answer
            .found
            .then(|| answer.body.as_object().cloned().unwrap_or_default()))
    }

    /// State of connector and tasks; `None` if there is no such connector.
    pub async fn status(&self, name: &str) -> Result<Option<Status>, ConnectError> {
        let path = ["connectors", name, "status"];
        let answer = self.call(Method::GET, &path, None).await?;
        Ok(answer.found.then(|| Status::from_json(&answer.body)))
    }

    /// Pauses: the tasks stay and keep their connections (and the slot stays active).
    pub async fn pause(&self, name: &str) -> Result<(), ConnectError> {
        self.act(Method::PUT, name, &["pause"]).await
    }

    /// Resumes a paused or stopped connector.
    pub async fn resume(&self, name: &str) -> Result<(), ConnectError> {
        self.act(Method::PUT, name, &["resume"]).await
    }

    /// Asks to stop: tasks end after their last offset commit. The caller awaits `Status::stopped`.
    pub async fn stop(&self, name: &str) -> Result<(), ConnectError> {
        self.act(Method::PUT, name, &["stop"]).await
    }

    /// Restarts the connector and its tasks, those only that have FAILED. Connect 3.0 and newer.
    pub async fn restart_failed(&self, name: &str) -> Result<(), ConnectError> {
        let mut url = self.url(&["connectors", name, "restart"])?;
        url.set_query(Some("includeTasks=true&onlyFailed=true"));
        must_exist(name, &self.send(Method::POST, &url, None).await?)
    }

    /// Restarts the connector and all its tasks, running ones too. Connect 3.0 and newer.
    pub async fn restart_all(&self, name: &str) -> Result<(), ConnectError> {
        let mut url = self.url(&["connectors", name, "restart"])?;
        url.set_query(Some("includeTasks=true&onlyFailed=false"));
        must_exist(name, &self.send(Method::POST, &url, None).await?)
    }

    /// Deletes the connector; its offsets and its slot stay. False if there was none.
    pub async fn delete(&self, name: &str) -> Result<bool, ConnectError> {
        let path = ["connectors", name];
        Ok(self.call(Method::DELETE, &path, None).await?.found)
    }

    async fn act(&self, method: Method, name: &str, segments: &[&str]) -> Result<(), ConnectError> {
        let path: Vec<&str> = ["connectors", name]
            .into_iter()
            .chain(segments.iter().copied())
            .collect();
        let answer = self.call(method.clone(), &path, None).await?;
        self.must_know(name, (&method, &path), &answer).await
    }

    /// A worker says 404 of a call that it is too old for, as it does of a connector that is not there. Another
    /// question tells the two apart.
    async fn must_know(
        &self,
        name: &str,
        (method, path): (&Method, &[&str]),
        answer: &Answer,
    ) -> Result<(), ConnectError> {
        if answer.found {
            return Ok(());
        }
        if self.config(name).await?.is_some() {
            let url = self.url(path)?;
            let doing = format!("{method} {}", url.path());
            return Err(ConnectError::NotSupported { doing });
        }
        must_exist(name, answer)
    }

    async fn call(
        &self,
        method: Method,
        path: &[&str],
        body: Option<&Value>,
    ) -> Result<Answer, ConnectError> {
        let url = self.url(path)?;
        self.send(method, &url, body).await
    }

    /// One call with bounded retries. All calls made here are idempotent.
    async fn send(
        &self,
        method: Method,
        url: &Url,
        body: Option<&Value>,
    ) -> Result<Answer, ConnectError> {
        let doing = format!("{method} {}", url.path());
        let attempt = Attempt {
            method: &method,
            url,
            body,
            doing: &doing,
        };
        let mut attempts = 1;
        loop {
            let error = match self.attempt(&attempt).await {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            let limit = match error {
                ConnectError::Busy { .. } => ATTEMPTS_BUSY,
                ConnectError::Server { .. } => ATTEMPTS_SERVER_ERROR,
                // Whoever has said nothing for so long is not asked again.
                ConnectError::Unreachable { ref source, .. } if source.is_timeout() => 1,
                ConnectError::Unreachable { .. } => ATTEMPTS_TRANSPORT,
                _ => return Err(error),
            };
            if attempts >= limit {
                return Err(error);
            }
            attempts += 1;
            wait::pause(RETRY_EVERY).await;
        }
    }

    async fn attempt(&self, attempt: &Attempt<'_>) -> Result<Answer, ConnectError> {
        let unreachable = |source: reqwest::Error| ConnectError::Unreachable {
            address: shown(&self.base),
            source: source.without_url(),
        };
        let http = self.http.as_ref().map_err(|source| ConnectError::Tls {
            address: shown(&self.base),
            source: source.clone(),
        })?;
        let mut request = http.request(attempt.method.clone(), attempt.url.clone());
        if attempt.method == Method::GET {
            request = request.timeout(ASK_TIMEOUT);
        }
        if let Some((user, password)) = &self.login {
            request = request.basic_auth(user, Some(password.reveal()));
        }
        if let Some(body) = attempt.body {
            request = request.json(body);
        }
        let response = request.send().await.map_err(unreachable)?;
        let status = response.status();
        let raw = response.text().await.map_err(unreachable)?;
        answer(attempt.doing, status, &raw)
    }

    fn url(&self, path: &[&str]) -> Result<Url, ConnectError> {
        let bad = || ConnectError::Address {
            address: shown(&self.base),
        };
        let mut url = Url::parse(&self.base).map_err(|_| bad())?;
        if !["http", "https"].contains(&url.scheme()) {
            return Err(bad());
        }
        url.path_segments_mut()
            .map_err(|()| bad())?
            .pop_if_empty()
            .extend(path);
        Ok(url)
    }
}

fn must_exist(name: &str, answer: &Answer) -> Result<(), ConnectError> {
    if answer.found {
        return Ok(());
    }
    Err(ConnectError::NoConnector {
        connector: name.to_owned(),
    })
}

fn answer(doing: &str, status: StatusCode, raw: &str) -> Result<Answer, ConnectError> {
    let body: Value = if raw.trim().is_empty() {
        Value::Null
    } else {
        serde_json::from_str(raw).unwrap_or(Value::Null)
    };
    if status.is_success() {
        if body.is_null() && !raw.trim().is_empty() {
            return Err(ConnectError::NotConnect {
                doing: doing.to_owned(),
            });
        }
        return Ok(Answer { found: true, body });
    }
    let message = match body.get("message").and_then(Value::as_str) {
        Some(message) => status::first_lines(message),
        None => status::first_lines(raw),
    };
    let doing = doing.to_owned();
    let code = status.as_u16();
    Err(match code {
        // Only Connect's own 404 means that the connector is missing; any other server says 404 too.
        404 if body.get("error_code").is_some() => {
            return Ok(Answer { found: false, body });
        }
        404 => ConnectError::NotConnect { doing },
        401 | 403 => ConnectError::Denied { doing, code },
        405 => ConnectError::NotSupported { doing },
        409 => ConnectError::Busy { doing, message },
        500..=599 => ConnectError::Server {
            doing,
            code,
            message,
        },
        _ => ConnectError::Refused {
            doing,
            code,
            message,
        },
    })
}

/// The first key whose value is a mask: stars only, or Kafka's own `[hidden]`.
pub fn masked_key(config: &Map<String, Value>) -> Option<&str> {
    config
        .iter()
        .find(|(_, value)| {
            value.as_str().is_some_and(|value| {
                let value = value.trim();
                let stars = value.len() >= 3 && value.bytes().all(|byte| byte == b'*');
                stars || value == "[hidden]"
            })
        })
        .map(|(key, _)| key.as_str())
}

/// The address without user and password.
fn shown(base: &str) -> String {
    match base.rsplit_once('@') {
        Some((login, host)) => {
            let scheme = login.split_once("://").map_or("http", |(scheme, _)| scheme);
            format!("{scheme}://{host}")
        }
        None => base.to_owned(),
    }
}

fn text(value: &Value, field: &str) -> String {
    value
        .get(field)
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_masked_value_is_never_put() {
        let config = |value: &str| {
            let mut map = Map::new();
            map.insert("name".into(), "a".into());
            map.insert("database.password".into(), value.into());
            map
        };
        assert_eq!(masked_key(&config("********")), Some("database.password"));
        assert_eq!(masked_key(&config("[hidden]")), Some("database.password"));
        assert_eq!(masked_key(&config("${file:/x:y}")), None);
        assert_eq!(masked_key(&config("*")), None);
    }

    #[test]
    fn names_are_encoded_and_credentials_not_shown() {
        let connect = Connect::new("http://user:pw@127.0.0.1:8083/");
        let url = connect.url(&["connectors", "a/b c", "status"]).unwrap();
        assert_eq!(url.path(), "/connectors/a%2Fb%20c/status");
        let url = connect.url(&["connectors", "a?b"]).unwrap();
        assert_eq!(url.path(), "/connectors/a%3Fb");
        assert_eq!(format!("{connect:?}"), "Connect(http://127.0.0.1:8083)");
        assert!(Connect::new("nonsense").url(&[]).is_err());
    }

    /// What a worker before 3.5 says: it knows the connector, and neither its offsets nor how to stop it.
    fn old_worker(knows: bool) -> Connect {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let mut asked = [0; 4_096];
                let length = std::io::Read::read(&mut stream, &mut asked).unwrap();
                let asked = String::from_utf8_lossy(&asked[..length]).into_owned();
                let (status, body) = match asked.contains("/config ") && knows {
                    true => ("200 OK", r#"{"name":"x"}"#),
                    false => (
                        "404 Not Found",
                        r#"{"error_code":404,"message":"HTTP 404 Not Found"}"#,
                    ),
                };
                let answer = format!(
                    "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\
                     Connection: close\r\n\r\n{body}",
                    body.len()
                );
                std::io::Write::write_all(&mut stream, answer.as_bytes()).unwrap();
            }
        });
        Connect::new(&format!("http://{address}"))
    }

    #[tokio::test]
    async fn a_worker_that_is_too_old_is_told_from_a_connector_that_is_not_there() {
        let old = old_worker(true);
        for error in [
            old.stop("x").await.unwrap_err(),
            old.offsets("x").await.unwrap_err(),
        ] {
            assert!(
                matches!(error, ConnectError::NotSupported { .. }),
                "{error}"
            );
            assert!(error.to_string().contains("/connectors/x/"), "{error}");
        }
        let empty = old_worker(false);
        let error = empty.stop("x").await.unwrap_err();
        assert!(matches!(error, ConnectError::NoConnector { .. }), "{error}");
        assert!(matches!(empty.offsets("x").await, Ok(None)));
    }

    #[test]
    fn a_404_of_another_server_is_not_a_missing_connector() {
        let connect_says = r#"{"error_code":404,"message":"Connector x not found"}"#;
        let of = |raw: &str| answer("GET /x", StatusCode::NOT_FOUND, raw);
        assert!(!of(connect_says).unwrap().found);
        assert!(matches!(of("<html>"), Err(ConnectError::NotConnect { .. })));
    }
}
