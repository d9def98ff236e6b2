//! The live page, metrics and health over HTTP.
//!
//! The rules it protects: only machines that were meant can ask (loopback unless it is said otherwise, and there only
//! under a loopback name, so that a foreign page cannot read it through a name of its own); a slow or silent client
//! holds up nobody; nothing is taken from a request but method, path and host.

use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use cutover_clients::wait::within;
use cutover_model::Failure;
use cutover_report::watch::Told;
use cutover_report::watch::metrics::metrics;
use cutover_report::watch::page::{POLICY, page};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::HeaderValue;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode, header};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};

use crate::output;

/// Connections at a time.
const CONNECTIONS: usize = 64;
/// How long a client may take to say what it wants.
const ASKS: Duration = Duration::from_secs(5);
/// How long a connection may live.
const LIVES: Duration = Duration::from_secs(120);

/// What is served.
#[derive(Debug, Default)]
pub struct Shown {
    told: Told,
    /// When it was shown.
    at: Option<Instant>,
}

impl Shown {
    /// As it is now.
    pub fn of(told: &Told) -> Shown {
        Shown {
            told: told.clone(),
            at: Some(Instant::now()),
        }
    }

    /// Seconds since the newest look ended.
    fn age(&self) -> Option<f64> {
        let newest = self.told.history.points.last()?;
        let now = jiff::Timestamp::now().as_millisecond() as f64 / 1000.0;
        self.at.map(|_| (now - newest.at).max(0.0))
    }
}

/// Where to listen; an address that others reach only if that is meant.
pub fn address(text: &str, anywhere: bool) -> Result<SocketAddr, Failure> {
    let numeric = text.replacen("localhost:", "127.0.0.1:", 1);
    let address: SocketAddr = numeric.parse().map_err(|_| {
        super::refused(
            "CLI-WATCH-002",
            format!("--listen {text} is no address with a port"),
            "give an address and a port, such as 127.0.0.1:9187",
        )
    })?;
    if address.ip().is_loopback() || anywhere {
        return Ok(address);
    }
    Err(super::refused(
        "CLI-WATCH-002",
        format!("{text} can be reached from other machines, and the page asks for no login"),
        "listen on 127.0.0.1, or say --listen-anywhere",
    ))
}

/// Begins to listen.
pub async fn bind(address: SocketAddr) -> Result<TcpListener, Failure> {
    let failed = |error: std::io::Error| {
        super::refused(
            "CLI-WATCH-002",
            format!("listen on {address}: {error}"),
            "choose another port",
        )
    };
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let bound = listener.local_addr().map_err(failed)?;
    output::talk(&format!(
        "listening on http://{bound}/ (also /metrics, /healthz)"
    ));
    Ok(listener)
}

/// Answers requests.
#[derive(Clone)]
pub struct Server {
    /// What there is to show.
    pub shown: watch::Receiver<Arc<Shown>>,
    /// Seconds between two looks.
    pub every: u64,
}

impl Server {
    /// Accepts until it is dropped.
    pub async fn run(self, listener: TcpListener) {
        let loopback = listener
            .local_addr()
            .is_ok_and(|address| address.ip().is_loopback());
        let room = Arc::new(Semaphore::new(CONNECTIONS));
        loop {
            let Ok(permit) = Arc::clone(&room).acquire_owned().await else {
                return;
            };
            let Ok((stream, _)) = listener.accept().await else {
                // Out of file handles, for one: others may be closed meanwhile.
                cutover_clients::wait::pause(Duration::from_millis(50)).await;
                continue;
            };
            let server = self.clone();
            tokio::spawn(async move {
                within(LIVES, server.talk(stream, loopback)).await;
                drop(permit);
            });
        }
    }

    async fn talk(self, stream: TcpStream, loopback: bool) {
        let service = service_fn(|request: Request<Incoming>| {
            let host = request.headers().get(header::HOST);
            let asked = Asked {
                method: request.method(),
                path: request.uri().path(),
                host: host.map(|host| host.to_str().unwrap_or("?")),
                loopback,
            };
            let shown = Arc::clone(&self.shown.borrow());
            let answer = answer(&asked, &shown, self.every);
            std::future::ready(Ok::<_, Infallible>(answer))
        });
        // What a client does wrong ends its connection and is nobody else's business.
        let _ = hyper::server::conn::http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(ASKS)
            .serve_connection(TokioIo::new(stream), service)
            .await;
    }
}

/// What is taken from a request.
struct Asked<'a> {
    method: &'a Method,
    path: &'a str,
    host: Option<&'a str>,
    loopback: bool,
}

fn answer(asked: &Asked<'_>, shown: &Shown, every: u64) -> Response<Full<Bytes>> {
    if asked.loopback && !asked.host.is_none_or(is_loopback_name) {
        return plain(
            StatusCode::MISDIRECTED_REQUEST,
            "ask for 127.0.0.1 or localhost\n",
        );
    }
    if !matches!(*asked.method, Method::GET | Method::HEAD) {
        let mut answer = plain(StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD\n");
        let allowed = HeaderValue::from_static("GET, HEAD");
        answer.headers_mut().insert(header::ALLOW, allowed);
        return answer;
    }
    match asked.path {
        "/" => {
            let text = page(&shown.told, shown.age().unwrap_or(0.0), every);
            body(StatusCode::OK, "text/html; charset=utf-8", text)
        }
        "/metrics" => body(
            StatusCode::OK,
            "text/plain; version=0.0.4; charset=utf-8",
            metrics(&shown.told),
        ),
        "/healthz" => health(shown, every),
        _ => plain(
            StatusCode::NOT_FOUND,
            "there are /, /metrics and /healthz\n",
        ),
    }
}

/// Whether the watch itself looks; what it sees is in the body.
fn health(shown: &Shown, every: u64) -> Response<Full<Bytes>> {
    let age = shown.age();
    // A look has as long as its slowest part.
    let fresh = age.is_some_and(|age| age <= 3.0 * every as f64 + 30.0);
    let state = shown.told.report.as_ref().map(|report| report.state);
    let told = serde_json::json!({
        "status": if fresh { "ok" } else { "no recent look" },
        "state": state,
        "look_age_seconds": age,
    });
    let status = if fresh {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    body(status, "application/json", format!("{told}\n"))
}

fn is_loopback_name(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    let bare = name.trim_start_matches('[').trim_end_matches(']');
    let address = bare.parse::<IpAddr>();
    name.eq_ignore_ascii_case("localhost") || address.is_ok_and(|address| address.is_loopback())
}

fn plain(status: StatusCode, text: &'static str) -> Response<Full<Bytes>> {
    body(status, "text/plain; charset=utf-8", text.to_owned())
}

fn body(status: StatusCode, kind: &'static str, text: String) -> Response<Full<Bytes>> {
    let mut answer = Response::new(Full::new(Bytes::from(text)));
    *answer.status_mut() = status;
    for (name, value) in [
        (header::CONTENT_TYPE, kind),
        (header::CACHE_CONTROL, "no-store"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CONTENT_SECURITY_POLICY, POLICY),
    ] {
        answer
            .headers_mut()
            .insert(name, HeaderValue::from_static(value));
    }
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(path: &str, host: Option<&str>, method: &Method) -> StatusCode {
        let asked = Asked {
            method,
            path,
            host,
            loopback: true,
        };
        answer(&asked, &Shown::default(), 5).status()
    }

    #[test]
    fn only_loopback_is_listened_on_unless_more_is_meant() {
        assert!(address("127.0.0.1:0", false).is_ok());
        assert!(address("localhost:80", false).is_ok());
        assert!(address("[::1]:0", false).is_ok());
        for text in ["0.0.0.0:1", "192.0.2.1:80", "[::]:1"] {
            assert_eq!(address(text, false).unwrap_err().code, "CLI-WATCH-002");
            assert!(address(text, true).is_ok(), "{text}");
        }
        assert!(address("example.org:80", true).is_err());
        assert!(address("9187", true).is_err());
    }

    #[test]
    fn paths_methods_and_hosts_are_told_apart() {
        let get = Method::GET;
        assert_eq!(asked("/", Some("localhost:1"), &get), StatusCode::OK);
        assert_eq!(asked("/metrics", Some("[::1]:1"), &get), StatusCode::OK);
        assert_eq!(asked("/metrics", None, &get), StatusCode::OK);
        assert_eq!(asked("/x", None, &get), StatusCode::NOT_FOUND);
        assert_eq!(
            asked("/", None, &Method::POST),
            StatusCode::METHOD_NOT_ALLOWED
        );
        for host in [
            "evil.example",
            "evil.example:80",
            "127.0.0.1.evil.example",
            "?",
        ] {
            assert_eq!(
                asked("/", Some(host), &get),
                StatusCode::MISDIRECTED_REQUEST,
                "{host}"
            );
        }
        // Nobody has looked yet.
        assert_eq!(
            asked("/healthz", None, &get),
            StatusCode::SERVICE_UNAVAILABLE
        );
    }
}
