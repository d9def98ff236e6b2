//! What a watch costs the server that it looks at: the same load without and with it, in turn.
//!
//! Stands here and not with the other measurements because it needs both the load and the watch. Which of the two comes
//! first changes from pair to pair, so that tables which grow do not count for one side alone.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use cutover_bench::{BenchError, Figure};
use cutover_clients::pg::slots::create_slot;
use cutover_clients::pg::{PgAddress, connect_admin};
use cutover_clients::wait::pause;
use cutover_model::EventSink;
use cutover_rehearse::generate::{Request, generate};
use cutover_upgrade::watch::Eyes;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use crate::args::WatchedLoad;

/// More than any server commits.
const AS_FAST_AS_IT_CAN: u32 = 100_000;
/// Sessions of the load.
const SESSIONS: u16 = 8;

/// Measures, with a server whom both the load and the watch ask.
///
/// # Errors
/// The load or the watch did not do what it should.
pub async fn measure(server: PgAddress, how: WatchedLoad) -> Result<Vec<Figure>, BenchError> {
    let bench = WatchBench {
        server,
        pairs: how.pairs,
        length: Duration::from_secs(how.seconds),
        interval: Duration::from_secs(how.interval),
    };
    bench.measure().await
}

struct WatchBench {
    server: PgAddress,
    pairs: u32,
    length: Duration,
    interval: Duration,
}

impl WatchBench {
    /// The first load counts for nothing: it makes the tables.
    async fn measure(self) -> Result<Vec<Figure>, BenchError> {
        let client = connect_admin(&self.server).await?;
        create_slot(&client, "watched", "pgoutput").await?;
        self.without().await?;
        let (mut plain, mut watched, mut looks) = (Vec::new(), Vec::new(), 0);
        for number in 0..self.pairs {
            if number % 2 == 0 {
                plain.push(self.without().await?);
            }
            let (rate, seen) = self.with().await?;
            watched.push(rate);
            looks += seen;
            if number % 2 == 1 {
                plain.push(self.without().await?);
            }
        }
        Ok(figures(&plain, &watched, looks))
    }

    /// Transactions that were committed per second.
    async fn without(&self) -> Result<f64, BenchError> {
        let folder = tempfile::tempdir_in("/var/tmp");
        let folder = folder.map_err(|error| BenchError::Void(error.to_string()))?;
        let request = Request {
            server: self.server.clone(),
            make_tables: true,
            seed: 1,
            sessions: SESSIONS,
            rate: AS_FAST_AS_IT_CAN,
            copies: None,
            length: Some(self.length),
            ledger: folder.path().join("attempted"),
        };
        // Nobody ends it before its time, and nobody wishes for anything.
        let (_signals, mut interrupt) = watch::channel(None);
        let (_wishes, mut wishes) = mpsc::channel(1);
        let both = (&mut interrupt, &mut wishes);
        let done = generate(request, both, &EventSink::none()).await;
        let done = done.map_err(|error| BenchError::Void(error.to_string()))?;
        let committed = done.end.stats.committed_transactions;
        Ok(committed as f64 / done.length.as_secs_f64())
    }

    /// The same beside a watch, and how often that looked.
    async fn with(&self) -> Result<(f64, u32), BenchError> {
        let looks = Arc::new(AtomicU32::new(0));
        let looking = self.look(Arc::clone(&looks));
        let rate = self.without().await;
        let ended = looking.is_finished();
        looking.abort();
        if ended {
            return Err(BenchError::Void("the watch did not see the server".into()));
        }
        Ok((rate?, looks.load(Ordering::Relaxed)))
    }

    /// Looks until it is broken off, or sees nothing.
    fn look(&self, looks: Arc<AtomicU32>) -> JoinHandle<()> {
        let mut eyes = Eyes::new(None, None, Some(self.server.clone()), None);
        let interval = self.interval;
        tokio::spawn(async move {
            while eyes.look().await.server.is_some() {
                looks.fetch_add(1, Ordering::Relaxed);
                pause(interval).await;
            }
        })
    }
}

fn figures(plain: &[f64], watched: &[f64], looks: u32) -> Vec<Figure> {
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    let ratios: Vec<f64> = plain
        .iter()
        .zip(watched)
        .map(|(plain, watched)| watched / plain)
        .collect();
    let ratio = mean(&ratios);
    let squares = ratios.iter().map(|one| (one - ratio).powi(2)).sum::<f64>();
    let spread = (squares / (ratios.len() as f64 - 1.0)).sqrt();
    let figure = |what: &str, value: f64, unit| Figure {
        what: what.to_owned(),
        value,
        unit,
    };
    let lowest = ratios.iter().copied().fold(f64::INFINITY, f64::min);
    let highest = ratios.iter().copied().fold(0.0, f64::max);
    let error = spread / (ratios.len() as f64).sqrt();
    vec![
        figure("transactions without a watch", mean(plain), "per s"),
        figure("transactions beside a watch", mean(watched), "per s"),
        figure("looks of the watch", f64::from(looks), "in all"),
        figure(
            "taken by the watch, mean of all pairs",
            100.0 * (1.0 - ratio),
            "%",
        ),
        figure("standard error of that mean", 100.0 * error, "%"),
        figure("lowest of the pairs", 100.0 * (1.0 - highest), "%"),
        figure("highest of the pairs", 100.0 * (1.0 - lowest), "%"),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_taken_is_the_mean_of_the_pairs_with_its_error() {
        let figures = figures(&[100.0, 200.0], &[99.0, 194.0], 7);
        let values: Vec<f64> = figures.iter().map(|one| one.value).collect();
        let near = |at: usize, value: f64| (values[at] - value).abs() < 1e-9;
        assert!(
            near(0, 150.0) && near(1, 146.5) && near(2, 7.0),
            "{values:?}"
        );
        assert!(near(3, 2.0) && near(4, 1.0), "{values:?}");
        assert!(near(5, 1.0) && near(6, 3.0), "{values:?}");
    }
}
