//! Arguments of `cutover watch`.

use clap::Args;

use super::OneConnector;

/// What is watched, how often, and how it is shown.
#[derive(Debug, Args)]
pub struct WatchArgs {
    /// Which connector, and where the systems are.
    #[command(flatten)]
    pub one: OneConnector,
    /// Look, print everything that was seen, and end.
    #[arg(long)]
    pub once: bool,
    /// Seconds between two looks.
    #[arg(long, value_name = "SECONDS", default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=3_600))]
    pub interval: u64,
    /// Consent to markers: write a logical message into PostgreSQL's log every so many seconds (10 without a number),
    /// and look for it in Kafka.
    ///
    /// The only proof that the stream delivers. Each marker is two small messages (prefix cutover-watch) in the topic
    /// PREFIX.message, where other consumers see them. No table is touched.
    #[arg(long, value_name = "SECONDS", num_args = 0..=1, require_equals = true, default_missing_value = "10",
          value_parser = clap::value_parser!(u64).range(1..=3_600))]
    pub markers: Option<u64>,
    /// Serve a live page, /metrics and /healthz on this address, such as 127.0.0.1:9187.
    #[arg(long, value_name = "ADDRESS:PORT", conflicts_with = "once")]
    pub listen: Option<String>,
    /// Also on an address that other machines reach; there is no login and no encryption.
    #[arg(long, requires = "listen")]
    pub listen_anywhere: bool,
    /// Lines, also on a terminal.
    #[arg(long)]
    pub plain: bool,
    /// Warn when log has not been confirmed for longer.
    #[arg(long, value_name = "SECONDS", default_value_t = 300)]
    pub max_lag: u32,
    /// Warn when the server keeps more log for the connector's slot.
    #[arg(long, value_name = "MIB", default_value_t = 10_240)]
    pub max_kept: u32,
}
