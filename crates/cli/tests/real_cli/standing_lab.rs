//! The lab that stays, with the real binary: up, status, logs, down, and what must never be found in its files.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;

use serde_json::Value;

use crate::published;
use crate::running::kill;
use crate::site::{Site, text};

/// What a command prints as JSON, which must be what is published.
fn json(site: &Site, args: &[&str]) -> Value {
    let output = site.run(&[args, &["--output", "json"]].concat());
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    let value = serde_json::from_slice(&output.stdout).unwrap();
    published::fits(&value);
    value
}

fn status(site: &Site) -> Value {
    json(site, &["lab", "status"])
}

fn service<'a>(status: &'a Value, name: &str) -> &'a Value {
    let services = status["services"].as_array().unwrap();
    services
        .iter()
        .find(|service| service["name"] == name)
        .unwrap()
}

/// The connector's password, as Connect's own interface gives it away.
pub fn password(connect_port: u64, connector: &str) -> String {
    let mut stream =
        TcpStream::connect(("127.0.0.1", u16::try_from(connect_port).unwrap())).unwrap();
    let path = format!("/connectors/{connector}/config");
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let config: Value = serde_json::from_str(&answer[answer.find('{').unwrap()..]).unwrap();
    config["database.password"].as_str().unwrap().to_owned()
}

/// Every file below a folder that holds a text, the servers' own data left out.
pub fn files_with(folder: &Path, needle: &str, found: &mut Vec<String>) {
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        let own_data = path.ends_with("data") || path.ends_with("folders");
        if path.is_dir() && !own_data {
            files_with(&path, needle, found);
        } else if path.is_file() {
            let bytes = std::fs::read(&path).unwrap_or_default();
            if bytes
                .windows(needle.len())
                .any(|window| window == needle.as_bytes())
            {
                found.push(path.display().to_string());
            }
        }
    }
}

#[test]
fn a_lab_stays_until_it_is_taken_down_and_its_password_stands_in_no_log() {
    let site = Site::new();
    let up = site.run(&["lab", "up"]);
    assert_eq!(up.status.code(), Some(0), "{}", text(&up));
    let second = site.run(&["lab", "up"]);
    assert_eq!(second.status.code(), Some(8), "{}", text(&second));
    let running = status(&site);
    assert_eq!(running["running"], true);
    for name in ["postgres-main", "kafka", "connect"] {
        assert!(service(&running, name)["pid"].is_u64(), "{running}");
    }
    let logs = site.run(&["lab", "logs", "connect"]);
    assert!(logs.status.success() && !logs.stdout.is_empty());
    let log = json(&site, &["lab", "logs", "connect", "-n", "3"]);
    assert_eq!(log["lines"].as_array().unwrap().len(), 3, "{log}");
    let config = json(&site, &["lab", "config"]);
    let port = &service(&running, "kafka")["ports"][0];
    assert_eq!(config["kafka"]["bootstrap"], format!("127.0.0.1:{port}"));
    let parts = json(&site, &["lab", "fetch", "postgres-16.14"]);
    assert_eq!(parts["parts"][0]["part"], "postgres-16.14", "{parts}");

    let secret = password(
        service(&running, "connect")["ports"][0].as_u64().unwrap(),
        "cutover-lab",
    );
    assert!(secret.len() >= 16);
    let mut found = Vec::new();
    files_with(&site.path("state"), &secret, &mut found);
    assert_eq!(found, Vec::<String>::new());
    assert!(!text(&up).contains(&secret) && !running.to_string().contains(&secret));
    let shown = site
        .processes()
        .into_iter()
        .find(|(_, line)| line.contains(&secret));
    assert!(shown.is_none(), "{shown:?}");

    let down = site.run(&["lab", "down", "--purge"]);
    assert_eq!(down.status.code(), Some(0), "{}", text(&down));
    site.assert_nothing_left();
}

#[test]
fn a_lab_whose_owner_is_killed_ends_and_can_still_be_taken_down() {
    let site = Site::new();
    let up = site.run(&["lab", "up"]);
    assert_eq!(up.status.code(), Some(0), "{}", text(&up));
    kill("KILL", site.service("lab up --foreground"));
    site.assert_nothing_left();
    let down = json(&site, &["lab", "down"]);
    assert_eq!(down["in_order"], false, "{down}");
    assert_eq!(status(&site)["running"], false);
}
