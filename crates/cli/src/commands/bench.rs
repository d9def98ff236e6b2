//! `cutover bench`: figures of this machine, each beside what it is compared with.

use std::time::Duration;

use cutover_bench::{BENCH_FORMAT, Bench, BenchError, CompareBench, Figure, TopicsBench};
use cutover_clients::pg::PgAddress;
use cutover_lab::services::Setup;
use cutover_lab::services::postgres::{Login, Postgres, PostgresSpec, StopMode};
use cutover_lab::{Component, Home, LabError, Stack, StackSpec, catalog, fetch};
use cutover_model::{EventSink, ExitCode, Failure};

use super::Settings;
use crate::args::Measure;
use crate::output::Outcome;

/// The server of measurements that start one.
const SERVER_VERSION: &str = "16.14";
const STOP_DEADLINE: Duration = Duration::from_secs(4);

/// Measures, and prints a Markdown table or one JSON object.
pub async fn run(what: Measure, settings: Settings) -> Outcome {
    let measured = match what {
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
                None => match in_a_lab(bench).await {
                    Ok(measured) => measured,
                    Err(error) => return error.into(),
                },
            }
        }
        Measure::Compare { postgres, rows } => {
            let tools = match Home::locate(None, None) {
                Ok(home) => home.cache().join("tools"),
                Err(error) => return error.into(),
            };
            let measure = |server| {
                cutover_bench::compare(CompareBench {
                    server,
                    rows,
                    tools,
                })
            };
            match with_server(postgres.as_deref(), measure).await {
                Ok(measured) => measured,
                Err(failure) => return Outcome::Failed(failure),
            }
        }
        Measure::Parse { events } => cutover_bench::parse(events),
        Measure::Audit { rows, folder } => cutover_bench::audit(&folder, rows).await,
    };
    let figures = match measured {
        Ok(figures) => figures,
        Err(error) => return error.into(),
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

/// With a broker that lives as long as the measurement.
async fn in_a_lab(
    bench: impl FnOnce(String) -> TopicsBench,
) -> Result<Result<Vec<Figure>, BenchError>, LabError> {
    let home = Home::locate(None, None)?;
    let name = format!("bench-{}", std::process::id());
    let spec = StackSpec::new(&name, home.state().join("bench-logs"));
    let stack = Stack::up(&home, spec, &EventSink::none()).await?;
    let measured = cutover_bench::topics(bench(stack.kafka.bootstrap())).await;
    stack.down_and_purge().await?;
    Ok(measured)
}

/// With the server that was named, or with one that lives as long as the measurement.
async fn with_server<M>(
    named: Option<&str>,
    measure: impl FnOnce(PgAddress) -> M,
) -> Result<Result<Vec<Figure>, BenchError>, Failure>
where
    M: Future<Output = Result<Vec<Figure>, BenchError>>,
{
    if let Some(text) = named {
        let address = super::compare::address(text, None)?;
        return Ok(measure(address).await);
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
    let measured = measure(server.tcp_address(Login::Admin, "bench")).await;
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
