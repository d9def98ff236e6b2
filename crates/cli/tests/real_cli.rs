//! The real binary with real servers. One file, because its tests must not run beside each other.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    clippy::print_stderr,
    reason = "a test that cannot go on has failed; the binary under test is not a lab service"
)]

#[path = "../../report/src/json/agree.rs"]
mod agree;
#[path = "real_cli/altered.rs"]
mod altered;
#[path = "real_cli/bad_inputs.rs"]
mod bad_inputs;
#[path = "real_cli/bad_servers.rs"]
mod bad_servers;
#[path = "support/certificates.rs"]
mod certificates;
#[path = "real_cli/comparing.rs"]
mod comparing;
#[path = "real_cli/encryption.rs"]
mod encryption;
#[path = "real_cli/existing.rs"]
mod existing;
#[path = "real_cli/first_hour.rs"]
mod first_hour;
#[path = "real_cli/first_steps.rs"]
mod first_steps;
#[path = "real_cli/https.rs"]
mod https;
#[path = "real_cli/interruption.rs"]
mod interruption;
#[path = "real_cli/kafka_logins.rs"]
mod kafka_logins;
#[path = "real_cli/main_job.rs"]
mod main_job;
#[path = "real_cli/matrix.rs"]
mod matrix;
#[path = "real_cli/offsets.rs"]
mod offsets;
#[path = "real_cli/operations.rs"]
mod operations;
#[path = "support/published.rs"]
mod published;
#[path = "real_cli/refusals.rs"]
mod refusals;
#[path = "support/running.rs"]
mod running;
#[path = "support/running_lab.rs"]
mod running_lab;
#[path = "../../record/tests/server/mod.rs"]
#[expect(dead_code, reason = "the server can do more than is asked of it here")]
mod server;
#[path = "support/site.rs"]
mod site;
#[path = "real_cli/standing_lab.rs"]
mod standing_lab;
#[path = "real_cli/transcript.rs"]
mod transcript;
#[path = "real_cli/watch.rs"]
mod watch;
