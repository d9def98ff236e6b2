//! What can go wrong between us and Connect. A 409 and a 5xx may pass; a 4xx stays.

use cutover_model::{Classified, ExitCode, Permanence};
use serde_json::{Map, Value};

use crate::secret::{MASK, names_secret};
use crate::tls::TlsError;

/// An error of a call to Connect.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// No answer.
    #[error("Kafka Connect at {address} does not answer")]
    Unreachable {
        /// Where, without credentials.
        address: String,
        /// Cause, without the URL.
        #[source]
        source: reqwest::Error,
    },
    /// A file of the encryption cannot be used.
    #[error("encrypt the connection to Kafka Connect at {address}: {source}")]
    Tls {
        /// Where, without credentials.
        address: String,
        /// Which, and why.
        source: TlsError,
    },
    /// The address is no `http://` or `https://` URL.
    #[error("'{address}' is not the address of a Kafka Connect worker (http://host:port)")]
    Address {
        /// As given, without credentials.
        address: String,
    },
    /// Something answered that is not Connect.
    #[error("{doing}: what answered is not Kafka Connect")]
    NotConnect {
        /// Method and path.
        doing: String,
    },
    /// 409 for longer than a rebalance takes.
    #[error("{doing}: Kafka Connect is busy (409): {message}")]
    Busy {
        /// Method and path.
        doing: String,
        /// First lines of the answer.
        message: String,
    },
    /// 5xx, repeatedly.
    #[error("{doing}: Kafka Connect failed ({code}): {message}")]
    Server {
        /// Method and path.
        doing: String,
        /// Status.
        code: u16,
        /// First lines of the answer.
        message: String,
    },
    /// 400 and other refusals.
    #[error("{doing}: Kafka Connect refused ({code}): {message}")]
    Refused {
        /// Method and path.
        doing: String,
        /// Status.
        code: u16,
        /// First lines of the answer.
        message: String,
    },
    /// 401 or 403.
    #[error("{doing}: Kafka Connect denied access ({code})")]
    Denied {
        /// Method and path.
        doing: String,
        /// Status.
        code: u16,
    },
    /// The worker is too old for this call.
    #[error("{doing}: this version of Kafka Connect does not know the call")]
    NotSupported {
        /// Method and path.
        doing: String,
    },
    /// There is no such connector.
    #[error("there is no connector '{connector}'")]
    NoConnector {
        /// Name.
        connector: String,
    },
    /// The configuration holds a masked value.
    #[error("configuration of '{connector}': the value of '{key}' is masked, so it was not sent")]
    Masked {
        /// Name.
        connector: String,
        /// Option.
        key: String,
    },
    /// Several stored offsets, and no way to tell which one counts.
    #[error(
        "connector '{connector}' has {count} stored offsets and none is that of its topic.prefix"
    )]
    AmbiguousOffset {
        /// Name.
        connector: String,
        /// How many.
        count: usize,
    },
}

impl ConnectError {
    /// Takes values of secret options out of a message (the validator quotes values that it dislikes).
    pub(super) fn without_secrets(mut self, config: &Map<String, Value>) -> ConnectError {
        let (ConnectError::Refused { message, .. } | ConnectError::Server { message, .. }) =
            &mut self
        else {
            return self;
        };
        for (key, value) in config {
            let secret = names_secret(key);
            if let Some(value) = value.as_str().filter(|value| secret && value.len() >= 4) {
                *message = message.replace(value, MASK);
            }
        }
        self
    }
}

impl Classified for ConnectError {
    fn permanence(&self) -> Permanence {
        match self {
            ConnectError::Unreachable { .. }
            | ConnectError::Busy { .. }
            | ConnectError::Server { .. } => Permanence::Transient,
            _ => Permanence::Definite,
        }
    }

    fn exit_code(&self) -> ExitCode {
        match self {
            ConnectError::Unreachable { .. }
            | ConnectError::NotConnect { .. }
            | ConnectError::Busy { .. }
            | ConnectError::Server { .. } => ExitCode::Unreachable,
            ConnectError::Address { .. }
            | ConnectError::Tls { .. }
            | ConnectError::Masked { .. } => ExitCode::Usage,
            ConnectError::Denied { .. } => ExitCode::Denied,
            ConnectError::Refused { .. }
            | ConnectError::NotSupported { .. }
            | ConnectError::NoConnector { .. }
            | ConnectError::AmbiguousOffset { .. } => ExitCode::Refused,
        }
    }

    fn remedy(&self) -> Option<String> {
        let advice = match self {
            ConnectError::Unreachable { .. } | ConnectError::NotConnect { .. } => {
                "check the address and that the worker is up (GET /connectors answers 200)"
            }
            ConnectError::Address { .. } => {
                "give the worker's address as http://host:port or https://host:port"
            }
            ConnectError::Tls { .. } => {
                "correct connect.ca, connect.certificate and connect.key: files as PEM"
            }
            ConnectError::Busy { .. } => "wait for the rebalance to end and try again",
            ConnectError::Server { .. } => {
                "look into the worker's log; it may not reach its broker"
            }
            ConnectError::Refused { .. } => return None,
            ConnectError::Denied { .. } => "use credentials that may change connectors",
            ConnectError::NotSupported { .. } => {
                "Kafka Connect stops connectors and shows offsets from 3.5 on, and alters offsets from 3.6 on"
            }
            ConnectError::NoConnector { .. } => "deploy the connector, or check its name",
            ConnectError::Masked { .. } => {
                "give the real value, or a reference of a config provider (${file:…})"
            }
            ConnectError::AmbiguousOffset { .. } => {
                "remove the offsets of former topic prefixes, then try again"
            }
        };
        Some(advice.to_owned())
    }

    fn code(&self) -> &'static str {
        match self {
            ConnectError::Unreachable { .. } => "CONNECT-UNREACHABLE-001",
            ConnectError::Address { .. } => "CONNECT-ADDRESS-001",
            ConnectError::Tls { .. } => "CONNECT-TLS-001",
            ConnectError::NotConnect { .. } => "CONNECT-ADDRESS-002",
            ConnectError::Busy { .. } => "CONNECT-BUSY-001",
            ConnectError::Server { .. } => "CONNECT-SERVER-001",
            ConnectError::Refused { .. } => "CONNECT-REFUSED-001",
            ConnectError::Denied { .. } => "CONNECT-DENIED-001",
            ConnectError::NotSupported { .. } => "CONNECT-VERSION-001",
            ConnectError::NoConnector { .. } => "CONNECT-CONNECTOR-001",
            ConnectError::Masked { .. } => "CONNECT-MASKED-001",
            ConnectError::AmbiguousOffset { .. } => "CONNECT-OFFSET-001",
        }
    }
}
