//! What the library says about its connections, and what of it ends a wait at once.
//!
//! librdkafka tries for ever, whatever the cause: a wrong password and a broker that is down both end in a time-out. It
//! tells the cause beside that, as an event; here it is kept, so that a refused login is called one. Nothing that it
//! says holds a secret.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer as _, ConsumerContext};
use rdkafka::error::KafkaError as Cause;
use rdkafka::types::RDKafkaErrorCode as Code;

use super::KafkaError;

/// A consumer that remembers.
pub(super) type Consumer = BaseConsumer<Talk>;

/// All that is there is heard in so long.
const DRAIN: Duration = Duration::from_millis(20);

/// Why waiting for a broker is of no use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Heard {
    /// It does not let us in.
    Login(String),
    /// The two do not agree on encryption, or a certificate is not what it should be.
    Encryption(String),
}

impl Heard {
    /// The error of the cluster.
    pub(super) fn error(self, bootstrap: &str) -> KafkaError {
        let bootstrap = bootstrap.to_owned();
        match self {
            Heard::Login(reason) => KafkaError::Login { bootstrap, reason },
            Heard::Encryption(reason) => KafkaError::Tls { bootstrap, reason },
        }
    }
}

/// Keeps the first thing of weight that was said since there was an answer: what follows from it is said later, and the
/// library does not say a thing again as long as it goes on.
#[derive(Debug, Default)]
pub(super) struct Talk(Mutex<Option<Heard>>);

impl Talk {
    fn kept(&self) -> MutexGuard<'_, Option<Heard>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// There was an answer: what was said before it is over.
    pub(super) fn forget(&self) {
        *self.kept() = None;
    }
}

impl ClientContext for Talk {
    fn log(&self, _level: RDKafkaLogLevel, _fac: &str, _message: &str) {}

    fn error(&self, error: Cause, reason: &str) {
        if let Some(heard) = weighed(&error, reason) {
            self.kept().get_or_insert(heard);
        }
    }
}

impl ConsumerContext for Talk {}

/// What the library has said of its connections since there was an answer, if it is of weight.
pub(super) fn heard(consumer: &Consumer) -> Option<Heard> {
    // Events come to whoever polls; there is nothing else to poll for, since nothing is assigned. A poll that waits for
    // no time at all ends behind the first event that the library deals with by itself (a lost connection, say), and
    // what stands behind it, such as the certificate that was the reason, would be heard too late.
    while consumer.poll(DRAIN).is_some() {}
    consumer.context().kept().clone()
}

fn weighed(error: &Cause, reason: &str) -> Option<Heard> {
    let reason = plain(reason);
    match error.rdkafka_error_code()? {
        Code::Authentication
        | Code::SaslAuthenticationFailed
        | Code::UnsupportedSASLMechanism
        | Code::IllegalSASLState
        | Code::ClusterAuthorizationFailed => Some(Heard::Login(reason)),
        Code::SSL => Some(Heard::Encryption(reason)),
        Code::BrokerTransportFailure
            if reason.contains("security.protocol") || reason.contains("SSL ") =>
        {
            Some(Heard::Encryption(reason))
        }
        _ => None,
    }
}

/// One line, without how long it took, and without places in OpenSSL's source.
fn plain(reason: &str) -> String {
    let line = reason.lines().next().unwrap_or_default();
    let line = line.split(" (after ").next().unwrap_or(line);
    let words = line.split(' ').filter(|word| !word.contains(".c:"));
    let line = words.collect::<Vec<_>>().join(" ");
    line.trim_end_matches([':', ' '])
        .chars()
        .take(400)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_login_and_a_bad_certificate_are_told_from_a_broker_that_is_down() {
        let heard = |code, reason| weighed(&Cause::Global(code), reason);
        let login = heard(
            Code::Authentication,
            "sasl_plaintext://h:1/bootstrap: SASL authentication error: invalid credentials \
             (after 305ms in state AUTH_REQ)",
        );
        assert_eq!(
            login,
            Some(Heard::Login(
                "sasl_plaintext://h:1/bootstrap: SASL authentication error: invalid credentials"
                    .into()
            ))
        );
        let certificate = heard(
            Code::SSL,
            "ssl://h:1/bootstrap: SSL handshake failed: ssl/statem/statem_clnt.c:1889: certificate verify \
             failed (after 3ms in state X)",
        );
        assert_eq!(
            certificate,
            Some(Heard::Encryption(
                "ssl://h:1/bootstrap: SSL handshake failed: certificate verify failed".into()
            ))
        );
        assert_eq!(
            heard(
                Code::BrokerTransportFailure,
                "h:1/bootstrap: Connect to ipv4#h:1 failed: Connection refused"
            ),
            None
        );
        assert_eq!(heard(Code::AllBrokersDown, "1/1 brokers are down"), None);
    }
}
