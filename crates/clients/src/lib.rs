//! The wires: PostgreSQL (SQL and replication), Kafka, Kafka Connect, schema registry. What each server says comes
//! out as a plain type; what to make of it is decided elsewhere.
//!
//! The four never import each other, so that no finding can come from one client trusting another. What they
//! share is [`wait`] (the only poll), [`secret`] (what must not be shown) and [`tls`].

pub mod connect;
mod http;
pub mod kafka;
pub mod pg;
pub mod registry;
pub mod secret;
pub mod tls;
pub mod wait;
