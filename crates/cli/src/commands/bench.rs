//! `cutover bench`: figures of this machine, each beside what it is compared with.

mod watch;

use std::path::PathBuf;
use std::time::Duration;

use cutover_bench::{
    BENCH_FORMAT, Bench, BenchError, CompareBench, Figure, PageBench, TablesBench, TopicsBench,
    WitnessBench,
};
use cutover_clients::pg::PgAddress;
use cutover_lab::services::Setup;
use cutover_lab::services::postgres::{Login, Postgres, PostgresSpec, StopMode};
use cutover_lab::{Component, Home, LabError, Stack, StackSpec, catalog, fetch};
use cutover_model::{EventSink, ExitCode, Failure};

use super::Settings;
use crate::args::Measure;
use crate::config::{self, Said};
use crate::output::Outcome;

/// The server of measurements that start one.
const SERVER_VERSION: &str = "16.14";
const STOP_DEADLINE: Duration = Duration::from_secs(4);

/// Measures, and prints a Markdown table or one JSON object.
pub async fn run(what: Measure, settings: Settings) -> Outcome {
    let figures = match measured(what).await {
        Ok(figures) => figures,
        Err(failure) => return Outcome::Failed(failure),
    };
    let text = if settings.json {
        let bench = Bench {
            format: BENCH_FORMAT,
            figures,
        };
        format!("{:#}\n", serde_json::json!(bench))
    } else {
        table(&figures)
    };
    Outcome::Done(text, ExitCode::Pass)
}

async fn measured(what: Measure) -> Result<Vec<Figure>, Failure> {
    let failed = |error: BenchError| Failure::of(&error);
    let done = match what {
        Measure::Topics {
            kafka,
            events,
            partitions,
            folder,
            kcat,
        } => {
            let bench = |bootstrap| TopicsBench {
                bootstrap,
                events,
                partitions,
                folder,
                kcat,
            };
            match kafka {
                Some(kafka) => cutover_bench::topics(bench(kafka)).await,
                None => in_a_lab(bench).await?,
            }
        }
        Measure::Compare { postgres, rows } => compared(postgres.as_deref(), rows).await?,
        Measure::Tables {
            postgres,
            rows,
            folder,
        } => {
            let bench = |place: Place| TablesBench {
                psql: place.program("psql"),
                server: place.socket,
                rows,
                folder,
            };
            let measure = |place| cutover_bench::tables(bench(place));
            with_server(postgres.as_deref(), measure).await?
        }
        Measure::Witness {
            postgres,
            rows,
            folder,
        } => {
            let bench = |place: Place| WitnessBench {
                pg_recvlogical: place.program("pg_recvlogical"),
                server: place.socket,
                rows,
                folder,
            };
            let measure = |place| cutover_bench::witness(bench(place));
            with_server(postgres.as_deref(), measure).await?
        }
        Measure::Watch(how) => {
            let measure = |place: Place| watch::measure(place.tcp, how);
            with_server(None, measure).await?
        }
        Measure::Page { page, browser } => cutover_bench::page(&PageBench { page, browser }),
        Measure::Parse { events } => cutover_bench::parse(events),
        Measure::Audit { rows, folder } => cutover_bench::audit(&folder, rows).await,
    };
    done.map_err(failed)
}

async fn compared(
    postgres: Option<&str>,
    rows: u64,
) -> Result<Result<Vec<Figure>, BenchError>, Failure> {
    let home = Home::locate(None, None).map_err(|error| Failure::of(&error))?;
    let bench = |place: Place| CompareBench {
        server: place.tcp,
        rows,
        tools: home.cache().join("tools"),
    };
    let measure = |place| cutover_bench::compare(bench(place));
    with_server(postgres, measure).await
}

/// With a broker that lives as long as the measurement.
async fn in_a_lab(
    bench: impl FnOnce(String) -> TopicsBench,
) -> Result<Result<Vec<Figure>, BenchError>, Failure> {
    let failed = |error: LabError| Failure::of(&error);
    let home = Home::locate(None, None).map_err(failed)?;
    let name = format!("bench-{}", std::process::id());
    let spec = StackSpec::new(&name, home.state().join("bench-logs"));
    let stack = Stack::up(&home, spec, &EventSink::none()).await;
    let stack = stack.map_err(failed)?;
    let measured = cutover_bench::topics(bench(stack.kafka.bootstrap())).await;
    stack.down_and_purge().await.map_err(failed)?;
    Ok(measured)
}

/// A server to measure with.
struct Place {
    tcp: PgAddress,
    socket: PgAddress,
    /// Where its own programs are; without it, they are found by name.
    programs: PathBuf,
}

impl Place {
    fn program(&self, name: &str) -> PathBuf {
        self.programs.join(name)
    }
}

/// With the server that was named, or with one that lives as long as the measurement.
async fn with_server<M>(
    named: Option<&str>,
    measure: impl FnOnce(Place) -> M,
) -> Result<Result<Vec<Figure>, BenchError>, Failure>
where
    M: Future<Output = Result<Vec<Figure>, BenchError>>,
{
    if let Some(text) = named {
        let address = config::database(&Said {
            file: None,
            values: vec![("postgres.address", "--postgres", text.to_owned())],
        })?;
        let place = Place {
            tcp: address.clone(),
            socket: address,
            programs: PathBuf::new(),
        };
        return Ok(measure(place).await);
    }
    let failed = |error: LabError| Failure::of(&error);
    let home = Home::locate(None, None).map_err(failed)?;
    home.sweep().map_err(failed)?;
    let part = catalog::find(Component::Postgres, SERVER_VERSION).map_err(failed)?;
    let ensured = fetch::ensure(&home, part, &EventSink::none()).await;
    let binaries = ensured.map_err(failed)?;
    let life = home.life(&format!("bench-{}", std::process::id()));
    let life = life.map_err(failed)?;
    let setup = Setup {
        home: home.clone(),
        folder: life.path().to_owned(),
        logs: home.state().join("bench-logs"),
    };
    let spec = PostgresSpec::new("bench", "bench");
    let created = Postgres::create(&setup, spec, binaries).await;
    let mut server = created.map_err(failed)?;
    let place = Place {
        tcp: server.tcp_address(Login::Admin, "bench"),
        socket: server.address(Login::Admin, "bench"),
        programs: server.binaries().bin(),
    };
    let measured = measure(place).await;
    let stopped = server.stop(StopMode::Immediate, STOP_DEADLINE).await;
    stopped.map_err(failed)?;
    drop(server);
    life.purge().map_err(failed)?;
    Ok(measured)
}

fn table(figures: &[Figure]) -> String {
    let mut text = String::from("| what | measured |\n|---|---|\n");
    for figure in figures {
        let value = if figure.value >= 100.0 {
            format!("{:.0}", figure.value)
        } else {
            format!("{:.2}", figure.value)
        };
        text.push_str(&format!("| {} | {value} {} |\n", figure.what, figure.unit));
    }
    text
}
