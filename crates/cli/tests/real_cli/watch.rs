//! `cutover watch` on real servers: what it sees, what it serves, and that a stream which stands still behind RUNNING
//! is found within two marker intervals.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::time::{Duration, Instant};

use cutover_clients::connect::{Connect, Status};
use serde_json::{Value, json};

use crate::agree::agree;
use crate::running::{Running, kill};
use crate::running_lab::{CONNECTOR, RunningLab};

/// Seconds between two markers.
const MARKERS: u64 = 5;

/// As the published schema describes it.
fn fits(report: &Value) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/schema/watch-1.schema.json");
    let schema: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    agree(&schema, &schema, report, "watch");
}

fn codes(report: &Value) -> Vec<&str> {
    let alerts = report["alerts"].as_array().unwrap();
    alerts
        .iter()
        .map(|one| one["code"].as_str().unwrap())
        .collect()
}

/// Everything that a watch could leave behind on the server.
fn left_behind(lab: &RunningLab) -> String {
    lab.ask(
        "SELECT concat_ws(' ', (SELECT string_agg(slot_name, ',' ORDER BY 1) FROM pg_replication_slots),
                (SELECT string_agg(relname, ',' ORDER BY 1) FROM pg_class WHERE oid >= 16384),
                (SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'cutover-%'
                   AND pid <> pg_backend_pid()))",
    )
}

/// A watch in the background that serves.
struct Served<'a> {
    lab: &'a RunningLab,
    running: Running,
    address: String,
}

impl<'a> Served<'a> {
    fn start(lab: &'a RunningLab, more: &[&str]) -> Served<'a> {
        let config = lab.site.path("cutover.toml");
        let first = ["watch", "--config", config.to_str().unwrap()];
        let rest = ["--listen", "127.0.0.1:0", "--interval", "1"];
        let running = lab.site.start(&[&first[..], &rest[..], more].concat());
        let address = lab.site.wait("address", || {
            let talk = lab.site.talk();
            let from = talk.split_once("listening on http://")?.1;
            Some(from.split_once('/')?.0.to_owned())
        });
        Served {
            lab,
            running,
            address,
        }
    }

    /// Status line and headers, and the body.
    fn get(&self, path: &str, host: &str) -> (String, String) {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        write!(
            stream,
            "GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(!answer.contains(&self.lab.secret), "{path}: {answer}");
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head.to_owned(), body.to_owned())
    }

    fn metrics(&self) -> String {
        self.get("/metrics", &self.address).1
    }

    /// Waits until a line is served; gives how long that took.
    fn wait(&self, line: &str) -> Duration {
        let begun = Instant::now();
        self.lab.site.wait(line, || {
            let metrics = self.metrics();
            metrics.lines().any(|one| one == line).then_some(())
        });
        begun.elapsed()
    }
}

#[test]
fn a_stream_is_watched_and_one_that_stands_still_behind_running_is_found() {
    let lab = RunningLab::up("4.3.1", "3.7.0");
    lab.execute("INSERT INTO public.order_events VALUES (1, 'test', now(), 1)");
    lab.site.wait("stored offset", || {
        let shown = lab.json(&["connector", "offsets", "show"], 0);
        shown["offsets"][0]["lsn"].is_object().then_some(())
    });
    one_look(&lab);
    bad_arguments(&lab);
    let served = Served::start(&lab, &["--markers=5", "--output", "json"]);
    what_is_served(&served);
    the_server_hardly_notices(&served);
    a_reader_that_hangs_is_found(&served);
    an_offset_of_another_log_is_found(&served);
    served.running.signal("TERM");
    let Served { running, .. } = served;
    assert_eq!(running.wait().code(), Some(143));
    reports_are_lines_of_the_published_form(&lab);
    lab.down();
}

fn one_look(lab: &RunningLab) {
    let before = left_behind(lab);
    let report = lab.json(&["watch", "--once"], 0);
    fits(&report);
    assert_eq!(report["state"], "not-proven", "{report}");
    assert_eq!(report["markers"]["liveness"], "not-asked");
    assert_eq!(report["connector"]["health"], "running");
    let own = &report["slots"][0];
    assert_eq!(
        (&own["of_connector"], &own["active"]),
        (&json!(true), &json!(true))
    );
    assert!(
        report["offset"]["behind_server_bytes"].as_i64().unwrap() >= 0,
        "{report}"
    );
    let topics = report["topics"].as_array().unwrap();
    let ends: u64 = topics
        .iter()
        .map(|one| one["end_offset"].as_u64().unwrap())
        .sum();
    assert!(ends >= 1, "{report}");
    lab.site.wait("nothing left behind", || {
        (left_behind(lab) == before).then_some(())
    });

    let report = lab.json(&["watch", "--once", "--markers=20"], 0);
    fits(&report);
    assert_eq!(report["state"], "alive", "{report}");
    assert_eq!(report["markers"]["arrived"], 1);
    let said = lab.says(&["watch", "--once"], 0);
    assert!(
        said.ends_with("NOT PROVEN\n") && said.contains(CONNECTOR),
        "{said}"
    );
}

fn bad_arguments(lab: &RunningLab) {
    for (more, word) in [
        (&["--listen", "0.0.0.0:0"][..], "--listen-anywhere"),
        (&["--listen", "nonsense"], "127.0.0.1:9187"),
        (
            &["--listen", &format!("127.0.0.1:{}", lab.port("connect"))],
            "another port",
        ),
    ] {
        let said = lab.says(&[&["watch"], more].concat(), 2);
        assert!(
            said.contains("CLI-WATCH-002") && said.contains(word),
            "{said}"
        );
    }
    lab.says(&["watch", "--once", "--listen", "127.0.0.1:0"], 2);
    let nothing = lab.private("nothing.toml", "");
    let said = lab.says(&["watch", "--once", "--config", &nothing], 2);
    assert!(said.contains("--postgres"), "{said}");
    let postgres = lab.private(
        "postgres.toml",
        &format!(
            "[postgres]\naddress = \"postgresql://debezium@127.0.0.1:{}/testdb\"\npassfile = \"{}\"\n",
            lab.port("postgres-main"),
            lab.site.path("state/folders/lab/postgres-main/pgpass").display()
        ),
    );
    let said = lab.says(&["watch", "--markers", "--config", &postgres], 2);
    assert!(said.contains("CLI-WATCH-001"), "{said}");
    let gone = lab.json(&["watch", "absent", "--once"], 3);
    assert_eq!(codes(&gone), ["CONNECT-CONNECTOR-001"], "{gone}");
    // What is not named is not passed over in silence.
    let part = lab.json(&["watch", "--once", "--config", &postgres], 5);
    assert_eq!(part["state"], "unknown");
    assert_eq!(part["slots"].as_array().unwrap().len(), 1, "{part}");
}

fn what_is_served(served: &Served<'_>) {
    served.wait("cutover_state{state=\"alive\"} 1");
    // A curve needs two looks.
    served.lab.site.wait("curves", || {
        let (_, page) = served.get("/", &served.address);
        page.contains("<svg").then_some(())
    });
    let metrics = served.metrics();
    for line in [
        "cutover_part_up{part=\"postgres\"} 1",
        "cutover_part_up{part=\"connect\"} 1",
        "cutover_part_up{part=\"kafka\"} 1",
        "cutover_marker_overdue 0",
        "cutover_task_running{connector=\"cutover-lab\",task=\"0\"} 1",
    ] {
        assert!(metrics.lines().any(|one| one == line), "{line}: {metrics}");
    }
    let (head, body) = served.get("/healthz", "localhost");
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    let health: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(
        (&health["status"], &health["state"]),
        (&json!("ok"), &json!("alive"))
    );
    let (head, page) = served.get("/", &served.address);
    assert!(
        head.contains("content-security-policy: default-src 'none'"),
        "{head}"
    );
    for part in ["✔ ALIVE", "<svg", "Replication slots", CONNECTOR] {
        assert!(page.contains(part), "{part}: {page}");
    }
    let (head, _) = served.get("/", "evil.example");
    assert!(head.starts_with("HTTP/1.1 421"), "{head}");
}

/// Ticks of processor time that a process has used; none once it is gone.
fn ticks(pid: i32) -> Option<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name, in parentheses, may hold anything; what follows it has no surprises.
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    Some(fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap())
}

/// The bar: of the processor time that the server takes while a load writes, one part in a hundred is the watch's, here
/// with a look each second and a marker every five.
fn the_server_hardly_notices(served: &Served<'_>) {
    let lab = served.lab;
    let watching = lab.ask(
        "SELECT string_agg(pid::text, ',') FROM pg_stat_activity
         WHERE application_name IN ('cutover-look', 'cutover-watch')",
    );
    let watching: Vec<i32> = watching
        .split(',')
        .map(|pid| pid.parse().unwrap())
        .collect();
    assert_eq!(watching.len(), 2, "one session looks, one writes markers");
    let servers = || {
        lab.site
            .processes()
            .into_iter()
            .filter(|(_, line)| line.starts_with("postgres: "))
    };
    let used = |pids: &[i32]| -> u64 { pids.iter().filter_map(|pid| ticks(*pid)).sum() };
    let (commits, before, after) = lab.sql(async |client| {
        let all: Vec<i32> = servers().map(|(pid, _)| pid).collect();
        let before = (used(&all), used(&watching));
        let (begun, mut commits) = (Instant::now(), 0_u64);
        while begun.elapsed() < Duration::from_secs(20) {
            let load = "INSERT INTO public.order_events VALUES (1, 'load', now(), 1)";
            client.batch_execute(load).await.unwrap();
            commits += 1;
        }
        (commits, before, (used(&all), used(&watching)))
    });
    let (server, watch) = (after.0 - before.0, after.1 - before.1);
    eprintln!(
        "watch: {watch} of the server's {server} ticks of processor time while {commits} transactions committed in 20 s"
    );
    assert!(watch * 100 <= server, "{watch} of {server} ticks");
    served.wait("cutover_state{state=\"alive\"} 1");
}

fn status(served: &Served<'_>) -> Status {
    let connect = Connect::new(&format!("http://127.0.0.1:{}", served.lab.port("connect")));
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime
        .block_on(connect.status(CONNECTOR))
        .unwrap()
        .unwrap()
}

/// The bar: the server's process that sends to the connector stands still, while connector, task and slot show what
/// they always show.
fn a_reader_that_hangs_is_found(served: &Served<'_>) {
    let lab = served.lab;
    let sender = lab.ask("SELECT active_pid::text FROM pg_replication_slots WHERE active");
    let sender: i32 = sender.parse().unwrap();
    kill("STOP", sender);
    let found = served.wait("cutover_marker_overdue 1");
    let (running, metrics) = (status(served).running(), served.metrics());
    kill("CONT", sender);
    eprintln!(
        "a stream that stands still was found after {:.1} s",
        found.as_secs_f64()
    );
    assert!(running, "Connect shows RUNNING all the while");
    assert!(metrics.contains("cutover_slot_active{slot=\""), "{metrics}");
    assert!(
        metrics
            .lines()
            .any(|one| one == "cutover_state{state=\"alert\"} 1"),
        "{metrics}"
    );
    assert!(
        metrics.contains("cutover_alert{code=\"CUT-WATCH-010\""),
        "{metrics}"
    );
    let bar = Duration::from_secs(2 * MARKERS);
    assert!(found <= bar, "found after {found:?}, the bar is {bar:?}");
    served.wait("cutover_state{state=\"alive\"} 1");
    let skipped = "cutover_markers_skipped_total 0";
    assert!(
        served.metrics().lines().any(|one| one == skipped),
        "late is not lost"
    );
}

/// A-004 of docs/anomalies.md: RUNNING, slot in use, no error, nothing delivered.
fn an_offset_of_another_log_is_found(served: &Served<'_>) {
    let lab = served.lab;
    lab.says(&["connector", "stop"], 0);
    served.wait("cutover_connector_state{connector=\"cutover-lab\",state=\"stopped\"} 1");
    let connect = Connect::new(&format!("http://127.0.0.1:{}", lab.port("connect")));
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let stored = connect.offsets(CONNECTOR).await.unwrap().unwrap();
        let mut offset = stored.offset;
        for field in ["lsn", "lsn_proc", "lsn_commit"] {
            offset.insert(field.into(), json!(0x7_0000_0000_u64));
        }
        connect
            .patch_offset(CONNECTOR, &stored.partition, &offset)
            .await
            .unwrap();
    });
    let begun = Instant::now();
    lab.says(&["connector", "resume"], 0);
    lab.site.wait("CUT-WATCH-030 beside RUNNING", || {
        let metrics = served.metrics();
        let running = "cutover_connector_state{connector=\"cutover-lab\",state=\"running\"} 1";
        let told = metrics.contains("cutover_alert{code=\"CUT-WATCH-030\"")
            && metrics.contains("cutover_alert{code=\"CUT-WATCH-010\"")
            && metrics.lines().any(|one| one == running);
        told.then_some(())
    });
    assert!(status(served).running());
    eprintln!(
        "an offset of another log was found after {:.1} s",
        begun.elapsed().as_secs_f64()
    );
    let once = lab.json(&["watch", "--once"], 3);
    fits(&once);
    assert_eq!(codes(&once), ["CUT-WATCH-030"], "{once}");
    assert_eq!(once["connector"]["health"], "running");
}

fn reports_are_lines_of_the_published_form(lab: &RunningLab) {
    let talk = lab.site.talk();
    let mut states = Vec::new();
    for line in talk.lines().filter(|line| line.starts_with('{')) {
        let report: Value = serde_json::from_str(line).unwrap();
        fits(&report);
        states.push(report["state"].as_str().unwrap().to_owned());
    }
    for state in ["alive", "alert"] {
        assert!(states.iter().any(|one| one == state), "{states:?}");
    }
}

/// Processes that stand still for as long as this lives.
struct Halted<'a>(&'a [i32]);

impl Halted<'_> {
    fn new(pids: &[i32]) -> Halted<'_> {
        pids.iter().for_each(|pid| kill("STOP", *pid));
        Halted(pids)
    }
}

impl Drop for Halted<'_> {
    fn drop(&mut self) {
        self.0.iter().for_each(|pid| kill("CONT", *pid));
    }
}

/// A part that is there and answers nobody, and a figure that only it can tell.
struct Silent<'a> {
    part: &'a str,
    label: &'a str,
    pids: Vec<i32>,
    figure: &'a str,
}

#[test]
fn parts_that_are_silent_are_told_hold_up_nothing_and_come_back() {
    let lab = RunningLab::up("4.3.1", "3.7.0");
    lab.execute("INSERT INTO public.order_events VALUES (1, 'test', now(), 1)");
    let served = Served::start(&lab, &["--markers=5", "--output", "json"]);
    served.wait("cutover_state{state=\"alive\"} 1");
    let sessions = lab.ask(
        "SELECT string_agg(pid::text, ',') FROM pg_stat_activity
         WHERE application_name IN ('cutover-look', 'cutover-watch')",
    );
    let sessions = sessions.split(',').map(|pid| pid.parse().unwrap());
    let postmaster = lab.site.service("/bin/postgres -D");
    for silent in [
        Silent {
            part: "Kafka",
            label: "kafka",
            pids: vec![lab.site.service("kafka.Kafka")],
            figure: "cutover_topic_end_offset_total{",
        },
        Silent {
            part: "Kafka Connect",
            label: "connect",
            pids: vec![lab.site.service("ConnectDistributed")],
            figure: "cutover_connector_state{",
        },
        Silent {
            part: "PostgreSQL",
            label: "postgres",
            pids: sessions.chain([postmaster]).collect(),
            figure: "cutover_server_position_bytes ",
        },
    ] {
        a_part_is_silent(&served, &silent);
    }
    let kafka = [lab.site.service("kafka.Kafka")];
    let halted = Halted::new(&kafka);
    served.wait("cutover_part_up{part=\"kafka\"} 0");
    let begun = Instant::now();
    served.running.signal("TERM");
    let Served { running, .. } = served;
    assert_eq!(running.wait().code(), Some(143));
    let took = begun.elapsed();
    drop(halted);
    eprintln!(
        "ended {:.1} s after SIGTERM while Kafka was silent",
        took.as_secs_f64()
    );
    assert!(took < Duration::from_secs(5), "{took:?}");
    reports_are_lines_of_the_published_form(&lab);
    lab.down();
}

fn threads(pid: i32) -> usize {
    std::fs::read_dir(format!("/proc/{pid}/task"))
        .unwrap()
        .count()
}

fn a_part_is_silent(served: &Served<'_>, silent: &Silent<'_>) {
    let Silent { label, figure, .. } = silent;
    let is = |metrics: &str, line: &str| metrics.lines().any(|one| one == line);
    let has = |metrics: &str| metrics.lines().any(|one| one.starts_with(figure));
    // Topics are counted from the second look on, when the stream has a name.
    let site = &served.lab.site;
    site.wait(figure, || has(&served.metrics()).then_some(()));
    let before = threads(served.running.pid());
    let halted = Halted::new(&silent.pids);
    let told = served.wait(&format!("cutover_part_up{{part=\"{label}\"}} 0"));
    let (begun, mut slowest, mut most) = (Instant::now(), Duration::ZERO, before);
    while begun.elapsed() < Duration::from_secs(20) {
        let asked = Instant::now();
        let metrics = served.metrics();
        let (health, body) = served.get("/healthz", "localhost");
        slowest = slowest.max(asked.elapsed());
        most = most.max(threads(served.running.pid()));
        assert!(health.starts_with("HTTP/1.1 200"), "{health} {body}");
        assert!(!has(&metrics), "{metrics}");
        for state in ["alive", "not_proven", "warning"] {
            let line = format!("cutover_state{{state=\"{state}\"}} 0");
            assert!(is(&metrics, &line), "{line}: {metrics}");
        }
        std::thread::park_timeout(Duration::from_millis(100));
    }
    let once = served.lab.json(&["watch", "--once"], 6);
    fits(&once);
    let parts = once["not_looked_at"].as_array().unwrap();
    let why = parts.iter().find(|one| one["part"] == silent.part);
    let why = why.unwrap_or_else(|| panic!("{once}"));
    assert!(why["code"].is_string() && why["why"] != "", "{once}");
    drop(halted);
    let up = served.wait(&format!("cutover_part_up{{part=\"{label}\"}} 1"));
    let alive = up + served.wait("cutover_state{state=\"alive\"} 1");
    site.wait(figure, || has(&served.metrics()).then_some(()));
    eprintln!(
        "{}: told after {:.1} s, alive again {:.1} s after it went on; slowest answer {:.2} s; {before} threads, at \
         most {most}",
        silent.part,
        told.as_secs_f64(),
        alive.as_secs_f64(),
        slowest.as_secs_f64(),
    );
    assert!(slowest < Duration::from_secs(1), "{slowest:?}");
    assert!(most <= before + 2, "{before} threads before, {most} now");
}
