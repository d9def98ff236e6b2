//! `cutover bench`: figures of this machine, each beside what it is compared with.

use cutover_bench::{BENCH_FORMAT, Bench, BenchError, Figure, TopicsBench};
use cutover_lab::{Home, LabError, Stack, StackSpec};
use cutover_model::{EventSink, ExitCode};

use super::Settings;
use crate::args::Measure;
use crate::output::Outcome;

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
