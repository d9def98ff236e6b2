//! Claims about fetching: what is missing, damaged or unreachable is told by code and exit code,
//! and nothing half done counts. The fetch runs in a process of its own, because the environment is
//! the input. No network: wheels come from a folder.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use cutover_lab::spawn::{self, Launch};
use cutover_lab::{Component, Home, Part, catalog, fetch};
use cutover_model::{EventSink, Failure};

use crate::support::Place;

fn part(name: &str) -> &'static Part {
    catalog::parts()
        .unwrap()
        .iter()
        .find(|part| part.name() == name)
        .unwrap()
}

/// Not a test: fetches what its environment names, and prints how that ended.
#[tokio::test]
#[ignore = "started by the tests below"]
async fn fetch_in_this_environment() {
    let home = Home::locate(None, None).unwrap();
    let part = part(&std::env::var("XDG_TEST_PART").unwrap());
    match fetch::ensure(&home, part, &EventSink::new(|kind| println!("{kind:?}"))).await {
        Ok(dir) => println!("RESULT ok {}", dir.version),
        Err(error) => {
            let failure = Failure::of(&error);
            println!(
                "RESULT {} {} {}",
                failure.code,
                failure.exit.number(),
                failure.message
            );
            println!("REMEDY {}", failure.remedy.unwrap_or_default());
        }
    }
}

/// A fetch of `name` into an empty cache, with these variables set.
fn launch(place: &Place, name: &str, env: &[(&str, &str)]) -> Launch {
    let this = std::env::current_exe().unwrap();
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    let log = place.root().join(format!("fetch-{number}.log"));
    let launch = Launch::new("fetch", &this, place.root(), &log)
        .args([
            "--exact",
            "real_fetch::fetch_in_this_environment",
            "--ignored",
            "--nocapture",
        ])
        .pass_tool_settings()
        .env("XDG_TEST_PART", name)
        .env("CUTOVER_CACHE", place.root().join("cache"))
        .env("CUTOVER_STATE", place.root().join("state"));
    env.iter()
        .fold(launch, |launch, (name, value)| launch.env(name, value))
}

async fn outcome(place: &Place, name: &str, env: &[(&str, &str)]) -> String {
    let end = spawn::run(launch(place, name, env), Duration::from_secs(180))
        .await
        .unwrap();
    let lines = end.output.lines().filter(|line| line.starts_with("RE"));
    let text = lines.collect::<Vec<_>>().join("\n");
    assert!(!text.is_empty(), "{}", end.output);
    text
}

/// Names of programs, and the shell script that each of them is.
type Fakes<'a> = &'a [(&'a str, &'a str)];

/// A folder with fake programs, to be used as the whole `PATH` (with the shell for the fakes
/// themselves).
fn programs(place: &Place, fakes: Fakes<'_>) -> String {
    use std::os::unix::fs::PermissionsExt;
    let folder = place.root().join("bin");
    std::fs::create_dir_all(&folder).unwrap();
    for (name, script) in fakes {
        let path = folder.join(name);
        std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }
    folder.display().to_string()
}

fn wheel_folder(place: &Place) -> PathBuf {
    place.home.cache().join("wheels")
}

fn wheel_in(folder: &Path) -> PathBuf {
    folder.join("pgserver-0.1.4-cp312-cp312-manylinux_2_17_x86_64.manylinux2014_x86_64.whl")
}

#[tokio::test]
async fn missing_tools_are_told_apart_and_refused() {
    let place = Place::new();
    let java = "echo 'openjdk version \"17.0.1\"' >&2";
    let old = "echo 'openjdk version \"11.0.2\"' >&2";
    let no_pip = "echo '/usr/bin/python3: No module named pip' >&2; exit 1";
    let cases: [(&str, Fakes<'_>, &str); 5] = [
        (
            "kafka-4.3.1",
            &[],
            "RESULT LAB-JAVA-001 3 Java is needed and was not found on the PATH",
        ),
        ("kafka-4.3.1", &[("java", old)], "RESULT LAB-JAVA-002 3 "),
        (
            "debezium-3.7.0",
            &[("java", java)],
            "RESULT LAB-MAVEN-001 3 Maven (mvn) is needed",
        ),
        ("postgres-16.2", &[], "RESULT LAB-PYTHON-001 3 "),
        (
            "postgres-16.2",
            &[("python3", no_pip)],
            "RESULT LAB-PIP-001 3 pip (python3 -m pip) is needed",
        ),
    ];
    for (name, fakes, expected) in cases {
        let _ = std::fs::remove_dir_all(place.root().join("bin"));
        let path = programs(&place, fakes);
        let text = outcome(&place, name, &[("PATH", &path), ("JAVA_HOME", "")]).await;
        assert!(text.starts_with(expected), "{text}");
        assert!(text.contains("REMEDY Install"), "{text}");
        assert!(
            !place
                .root()
                .join(format!("cache/parts/{name}/ready.toml"))
                .exists()
        );
    }
}

#[tokio::test]
async fn java_home_without_java_is_named() {
    let place = Place::new();
    let text = outcome(&place, "kafka-4.3.1", &[("JAVA_HOME", "/no/such/jdk")]).await;
    assert!(text.starts_with("RESULT LAB-JAVA-001 3 "), "{text}");
    assert!(text.contains("JAVA_HOME is /no/such/jdk"), "{text}");
}

#[tokio::test]
async fn registry_that_cannot_be_reached_is_told_with_what_the_tool_said() {
    let place = Place::new();
    let nowhere = [
        ("PIP_INDEX_URL", "http://127.0.0.1:9/simple"),
        ("PIP_EXTRA_INDEX_URL", ""),
        ("PIP_FIND_LINKS", ""),
        ("PIP_RETRIES", "0"),
    ];
    let text = outcome(&place, "postgres-16.2", &nowhere).await;
    assert!(
        text.starts_with("RESULT LAB-FETCH-001 6 pip could not fetch postgres 16.2"),
        "{text}"
    );
    assert!(text.contains("pgserver==0.1.4"), "{text}");
    assert!(text.contains("REMEDY Check the network"), "{text}");
}

#[tokio::test]
async fn damaged_download_is_refused_and_not_kept() {
    let place = Place::new();
    let folder = place.root().join("links");
    std::fs::create_dir(&folder).unwrap();
    let part_dir = place.part(Component::Postgres, "16.2").await;
    assert!(part_dir.bin().exists());
    let mut bytes = std::fs::read(wheel_in(&wheel_folder(&place))).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(wheel_in(&folder), bytes).unwrap();
    let links = folder.display().to_string();
    let only = [("PIP_NO_INDEX", "1"), ("PIP_FIND_LINKS", links.as_str())];
    let text = outcome(&place, "postgres-16.2", &only).await;
    assert!(text.starts_with("RESULT LAB-FETCH-002 6 "), "{text}");
    assert!(!wheel_in(&place.root().join("cache/wheels")).exists());
    // The same again with a good wheel: nothing of the failed fetch is in the way.
    let good = wheel_folder(&place).display().to_string();
    let text = outcome(
        &place,
        "postgres-16.2",
        &[("PIP_NO_INDEX", "1"), ("PIP_FIND_LINKS", &good)],
    )
    .await;
    assert_eq!(text, "RESULT ok 16.2");
}

#[tokio::test]
async fn two_fetches_at_once_give_one_good_part() {
    let place = Place::new();
    place.part(Component::Postgres, "16.2").await;
    let good = wheel_folder(&place).display().to_string();
    let env = [("PIP_NO_INDEX", "1"), ("PIP_FIND_LINKS", good.as_str())];
    let (one, two) = tokio::join!(
        outcome(&place, "postgres-16.2", &env),
        outcome(&place, "postgres-16.2", &env)
    );
    assert_eq!(
        (one.as_str(), two.as_str()),
        ("RESULT ok 16.2", "RESULT ok 16.2")
    );
}

#[tokio::test]
async fn interrupted_fetch_is_made_anew() {
    let place = Place::new();
    place.part(Component::Postgres, "16.2").await;
    let half = place
        .root()
        .join("cache/parts/postgres-16.2/pgserver/pginstall/bin");
    std::fs::create_dir_all(&half).unwrap();
    std::fs::write(half.join("postgres"), "half a program").unwrap();
    let good = wheel_folder(&place).display().to_string();
    let env = [("PIP_NO_INDEX", "1"), ("PIP_FIND_LINKS", good.as_str())];
    assert_eq!(
        outcome(&place, "postgres-16.2", &env).await,
        "RESULT ok 16.2"
    );
}
