//! The container files (`compose/`) against the compose specification as far as they use it, the catalogue, and each
//! other. No engine is needed: a key that is not known, a service without health check, a version that the process lab
//! does not have, or a file that is not there fails here.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use cutover_lab::catalog::{self, Component, Source};
use serde::Deserialize;

/// A compose file; what these files do not need is not known here either.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Compose {
    name: String,
    services: BTreeMap<String, Service>,
    volumes: BTreeMap<String, Option<()>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Service {
    image: String,
    user: String,
    build: Option<Build>,
    #[serde(default)]
    command: Vec<String>,
    #[serde(default)]
    environment: BTreeMap<String, String>,
    #[serde(default)]
    volumes: Vec<String>,
    #[serde(default)]
    ports: Vec<String>,
    #[serde(default)]
    depends_on: BTreeMap<String, Dependency>,
    healthcheck: Option<Health>,
    restart: Option<Restart>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Build {
    context: String,
    dockerfile: Option<String>,
    #[serde(default)]
    args: BTreeMap<String, String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Dependency {
    condition: Condition,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Condition {
    ServiceHealthy,
    ServiceCompletedSuccessfully,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Health {
    test: Vec<String>,
    interval: String,
    timeout: String,
    start_period: Option<String>,
    retries: u32,
}

#[derive(Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Restart {
    UnlessStopped,
}

const FILES: [&str; 2] = ["compose.yaml", "request.yaml"];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../compose")
}

fn text(path: &str) -> String {
    std::fs::read_to_string(folder().join(path)).unwrap()
}

fn read(file: &str) -> Compose {
    serde_norway::from_str(&text(file)).unwrap()
}

/// Every service of both files.
fn services() -> Vec<(String, Service)> {
    let all = FILES.iter().flat_map(|file| {
        let named = move |(name, service)| (format!("{file}: {name}"), service);
        read(file).services.into_iter().map(named)
    });
    all.collect()
}

/// Services that others wait for until they have ended.
fn ends(compose: &Compose) -> BTreeSet<&str> {
    let waited = compose.services.values().flat_map(|one| &one.depends_on);
    let ended = waited.filter(|(_, how)| how.condition == Condition::ServiceCompletedSuccessfully);
    ended.map(|(name, _)| name.as_str()).collect()
}

#[test]
fn every_service_has_a_health_check_or_ends_and_waits_for_what_can_be_waited_for() {
    for file in FILES {
        let compose = read(file);
        assert!(compose.name.starts_with("cutover"));
        let ends = ends(&compose);
        for (name, service) in &compose.services {
            let short = ends.contains(name.as_str());
            assert_ne!(service.healthcheck.is_some(), short, "{file}: {name}");
            if let Some(health) = &service.healthcheck {
                assert_eq!(health.test.first().unwrap(), "CMD", "{file}: {name}");
                let times = [&health.interval, &health.timeout];
                for time in times.into_iter().chain(&health.start_period) {
                    let seconds = time.strip_suffix('s').unwrap();
                    assert!(seconds.parse::<u32>().unwrap() > 0, "{file}: {name}");
                }
                assert!(health.retries > 1, "{file}: {name}");
            }
            for (other, how) in &service.depends_on {
                let waited = &compose.services[other];
                assert_eq!(
                    waited.healthcheck.is_some(),
                    how.condition == Condition::ServiceHealthy,
                    "{file}: {name} waits for {other}"
                );
            }
            assert!(
                !(short && service.restart.is_some()),
                "{file}: {name} would be started again and again"
            );
        }
    }
}

#[test]
fn nothing_runs_as_root_and_nothing_listens_beyond_this_machine() {
    for (name, service) in services() {
        let user = service.user.split(':').next().unwrap();
        assert!(!user.is_empty() && user != "root" && user != "0", "{name}");
        for port in &service.ports {
            let parts: Vec<&str> = port.split(':').collect();
            let [host, from, to] = parts.as_slice() else {
                unreachable!("{name}: {port} has no address");
            };
            assert_eq!(*host, "127.0.0.1", "{name}");
            assert!(from.parse::<u16>().is_ok() && to.parse::<u16>().is_ok());
        }
    }
    for file in FILES {
        let published: Vec<u16> = read(file)
            .services
            .values()
            .flat_map(|service| &service.ports)
            .map(|port| port.split(':').nth(1).unwrap().parse().unwrap())
            .collect();
        let ports: BTreeSet<u16> = published.iter().copied().collect();
        assert_eq!(ports, BTreeSet::from([5432, 9092, 8081, 8083]), "{file}");
        assert_eq!(ports.len(), published.len(), "{file}: one port twice");
    }
}

#[test]
fn every_file_that_is_mounted_built_or_copied_is_there() {
    for file in FILES {
        let compose = read(file);
        for (name, service) in &compose.services {
            for mount in &service.volumes {
                let (from, to) = mount.split_once(':').unwrap();
                assert!(to.starts_with('/'), "{file}: {name}: {mount}");
                if from.starts_with('.') {
                    assert!(folder().join(from).exists(), "{file}: {name}: {from}");
                    assert!(
                        to.ends_with(":ro"),
                        "{file}: {name}: {mount} can be written"
                    );
                } else {
                    assert!(compose.volumes.contains_key(from), "{file}: {name}: {from}");
                }
            }
            let check = service.healthcheck.iter().flat_map(|health| &health.test);
            for word in service.command.iter().chain(check) {
                let mounts = service
                    .volumes
                    .iter()
                    .filter_map(|mount| mount.split_once(':'));
                for (from, to) in mounts.filter(|(from, _)| from.starts_with('.')) {
                    let to = to.trim_end_matches(":ro");
                    if let Some(below) = word.strip_prefix(to) {
                        let path = folder().join(from).join(below.trim_start_matches('/'));
                        let path = if below.is_empty() {
                            folder().join(from)
                        } else {
                            path
                        };
                        assert!(path.exists(), "{file}: {name}: {word}");
                    }
                }
            }
            if let Some(build) = &service.build {
                let file_name = build.dockerfile.as_deref().unwrap_or("Dockerfile");
                let dockerfile = folder().join(&build.context).join(file_name);
                assert!(dockerfile.exists(), "{file}: {name}: {dockerfile:?}");
            }
        }
    }
    for script in [
        "make-env.sh",
        "postgres/init.sh",
        "generator/run.sh",
        "generator/writes.sh",
        "connect/http-ok",
    ] {
        let mode = std::fs::metadata(folder().join(script)).unwrap();
        assert_eq!(mode.permissions().mode() & 0o111, 0o111, "{script}");
    }
    for name in copied(&text("connect/Dockerfile")) {
        for (kafka, debezium) in builds() {
            let name = name
                .replace("${KAFKA}", &kafka)
                .replace("${DEBEZIUM}", &debezium);
            assert!(folder().join("connect").join(&name).exists(), "{name}");
        }
    }
}

/// What a Dockerfile takes from its context.
fn copied(dockerfile: &str) -> Vec<&str> {
    let lines = dockerfile
        .lines()
        .filter_map(|line| line.strip_prefix("COPY "));
    let own = lines.filter(|line| !line.starts_with("--from"));
    own.flat_map(|line| {
        let mut words: Vec<&str> = line
            .split(' ')
            .filter(|word| !word.starts_with("--"))
            .collect();
        words.pop();
        words
    })
    .collect()
}

/// Versions of the images that are built with Debezium in them.
fn builds() -> Vec<(String, String)> {
    let built = services().into_iter().filter_map(|(_, one)| one.build);
    built
        .filter(|build| !build.args.is_empty())
        .map(|build| (build.args["KAFKA"].clone(), build.args["DEBEZIUM"].clone()))
        .collect()
}

#[test]
fn images_name_a_version_and_no_registry() {
    let mut images: Vec<String> = services().into_iter().map(|(_, one)| one.image).collect();
    for file in ["connect/Dockerfile", "cutover/Dockerfile"] {
        let dockerfile = text(file);
        let from = dockerfile
            .lines()
            .filter_map(|line| line.strip_prefix("FROM "));
        images.extend(from.map(|line| line.split(' ').next().unwrap().to_owned()));
        let mut users = dockerfile
            .lines()
            .filter_map(|line| line.strip_prefix("USER "));
        assert_eq!(users.next_back().unwrap(), "10001", "{file}");
        assert!(dockerfile.contains("HEALTHCHECK"), "{file}");
    }
    assert!(images.len() > 12, "{images:?}");
    for image in images {
        let (name, tag) = image.rsplit_once(':').unwrap();
        let first = name.split('/').next().unwrap();
        assert!(
            !first.contains(['.', ':']) && first != "localhost",
            "{image}"
        );
        assert!(
            tag.starts_with(|one: char| one.is_ascii_digit()) || name == "debian",
            "{image}"
        );
    }
}

fn known(component: Component, version: &str) -> &'static catalog::Part {
    let part = catalog::find(component, version).unwrap();
    assert_eq!(part.version, version);
    part
}

#[test]
fn versions_are_those_of_the_process_lab() {
    for (name, service) in services() {
        let (image, tag) = service.image.rsplit_once(':').unwrap();
        match image {
            "postgres" => drop(known(Component::Postgres, tag)),
            "apache/kafka" => drop(known(Component::Kafka, tag)),
            "apicurio/apicurio-registry" => drop(known(Component::Registry, tag)),
            "cutover" => assert_eq!(tag, env!("CARGO_PKG_VERSION"), "{name}"),
            "cutover-connect" => assert_eq!(tag, service.build.unwrap().args["DEBEZIUM"]),
            platform => {
                assert!(
                    platform.starts_with("confluentinc/cp-"),
                    "{name}: {platform}"
                );
                let release = tag.rsplit_once('.').unwrap().0;
                let kafka = known(Component::Kafka, "3.5.1");
                let platform = format!("as in Confluent Platform {release}");
                assert!(kafka.title.ends_with(&platform), "{name}: {tag}");
            }
        }
    }
    assert_eq!(
        builds(),
        [
            ("4.3.1".to_owned(), "3.7.0".to_owned()),
            ("3.5.1".to_owned(), "2.4.0".to_owned())
        ]
    );
}

#[test]
fn the_worker_is_made_of_the_jars_of_the_process_lab() {
    let dockerfile = text("connect/Dockerfile");
    for (kafka, debezium) in builds() {
        let parts = [
            known(Component::Kafka, &kafka),
            known(Component::Debezium, &debezium),
        ];
        for part in parts {
            let Source::Maven {
                artifacts, exclude, ..
            } = &part.source
            else {
                unreachable!("{} does not come by Maven", part.name());
            };
            let project = text(&format!("connect/{}.xml", part.name()));
            assert_eq!(&coordinates(&project), artifacts, "{}", part.name());
            if !exclude.is_empty() {
                let option = format!("-DexcludeArtifactIds={}\n", exclude.join(","));
                assert!(dockerfile.contains(&option), "{option}");
            }
        }
    }
}

/// `group:artifact:version` of each dependency.
fn coordinates(project: &str) -> Vec<String> {
    let value = |text: &str, tag: &str| {
        let (_, rest) = text.split_once(&format!("<{tag}>")).unwrap();
        rest.split('<').next().unwrap().to_owned()
    };
    let dependencies = project.split("<dependency>").skip(1);
    dependencies
        .map(|one| {
            ["groupId", "artifactId", "version"]
                .map(|tag| value(one, tag))
                .join(":")
        })
        .collect()
}

#[test]
fn passwords_come_from_the_file_that_the_script_makes_and_from_nowhere_else() {
    let folder = tempfile::tempdir().unwrap();
    let script = folder.path().join("make-env.sh");
    std::fs::copy(self::folder().join("make-env.sh"), &script).unwrap();
    // Named to a shell: a file that was just written cannot be executed while another test's child still has it open.
    let run = || {
        let output = Command::new("bash").arg(&script).output().unwrap();
        output.status.success()
    };
    assert!(run());
    assert!(
        !run(),
        "passwords of data that is there must not be replaced"
    );
    let made = folder.path().join(".env");
    let mode = std::fs::metadata(&made).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let made = std::fs::read_to_string(made).unwrap();
    let made: BTreeMap<&str, &str> = made
        .lines()
        .map(|line| line.split_once('=').unwrap())
        .collect();
    let different: BTreeSet<&&str> = made.values().collect();
    assert_eq!(different.len(), made.len());
    assert!(made.values().all(|secret| secret.len() == 32));

    let mut wanted = BTreeSet::new();
    for (name, service) in services() {
        let secrets = service
            .environment
            .iter()
            .filter(|(variable, _)| variable.contains("PASSWORD"));
        for (variable, value) in secrets {
            let inside = value
                .strip_prefix("${")
                .and_then(|rest| rest.strip_suffix('}'));
            let (secret, otherwise) = inside.unwrap().split_once(":?").unwrap();
            assert_eq!(
                otherwise, "run compose/make-env.sh first",
                "{name}: {variable}"
            );
            wanted.insert(secret.to_owned());
        }
    }
    let made: BTreeSet<String> = made.keys().map(|name| (*name).to_owned()).collect();
    assert_eq!(wanted, made);
    let ignored = std::fs::read_to_string(self::folder().join("../.gitignore")).unwrap();
    assert!(ignored.lines().any(|line| line == "/compose/.env"));
}

/// Answers one request with this status line.
fn answer_once(status: &'static str) -> (u16, std::thread::JoinHandle<String>) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let served = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let (mut asked, mut buffer) = (Vec::new(), [0_u8; 256]);
        // Whole: who answers before the end and closes lets the other side's last write fail.
        while !asked.ends_with(b"\r\n\r\n") {
            let read = stream.read(&mut buffer).unwrap();
            assert!(read > 0, "it has gone before the end of its question");
            asked.extend_from_slice(&buffer[..read]);
        }
        write!(stream, "HTTP/1.1 {status}\r\nContent-Length: 2\r\n\r\n[]").unwrap();
        String::from_utf8_lossy(&asked).into_owned()
    });
    (port, served)
}

#[test]
fn the_health_check_believes_200_and_nothing_else() {
    let healthy = |port: u16| {
        let mut command = Command::new(folder().join("connect/http-ok"));
        let output = command.args([&port.to_string(), "/connectors"]).output();
        output.unwrap().status.success()
    };
    for (status, expected) in [("200 OK", true), ("503 Service Unavailable", false)] {
        let (port, served) = answer_once(status);
        assert_eq!(healthy(port), expected, "{status}");
        assert!(
            served
                .join()
                .unwrap()
                .starts_with("GET /connectors HTTP/1.0")
        );
    }
    let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = gone.local_addr().unwrap().port();
    drop(gone);
    assert!(!healthy(port), "nobody listens there");
}

#[test]
fn what_the_program_is_built_from_is_in_its_context() {
    let listed = text("cutover/Dockerfile.dockerignore");
    let listed: BTreeSet<&str> = listed
        .lines()
        .filter_map(|line| line.strip_prefix('!'))
        .collect();
    for needed in [
        "Cargo.toml",
        "Cargo.lock",
        "crates",
        "catalog",
        "connectors",
        "scenarios",
        "sql",
    ] {
        assert!(listed.contains(needed), "{needed}");
        assert!(folder().join("..").join(needed).exists(), "{needed}");
    }
}
