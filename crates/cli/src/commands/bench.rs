//! `cutover bench`: figures of this machine, each beside what it is compared with.

use cutover_bench::{BENCH_FORMAT, Bench, Figure};
use cutover_model::ExitCode;

use super::Settings;
use crate::args::Measure;
use crate::output::Outcome;

/// Measures, and prints a Markdown table or one JSON object.
pub async fn run(what: Measure, settings: Settings) -> Outcome {
    let measured = match what {
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
