//! The real binary with real servers. One file, because its tests must not run beside each other.

#[path = "real_cli/interruption.rs"]
mod interruption;
#[path = "real_cli/main_job.rs"]
mod main_job;
#[path = "support/running.rs"]
mod running;
#[path = "support/site.rs"]
mod site;
