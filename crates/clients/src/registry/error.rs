//! What can go wrong between us and a schema registry. No answer and a 5xx may pass; the rest stays.

use cutover_model::{Classified, ExitCode, Permanence};

use crate::tls::TlsError;

/// An error of a call to a schema registry. Its texts hold no credentials.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RegistryError {
    /// No answer.
    #[error("the schema registry at {address} does not answer: {detail}")]
    Unreachable {
        /// Where.
        address: String,
        /// Cause.
        detail: String,
    },
    /// 429 or 5xx, repeatedly.
    #[error("the schema registry at {address} failed ({code}): {message}")]
    Server {
        /// Where.
        address: String,
        /// Status.
        code: u16,
        /// First line of the answer.
        message: String,
    },
    /// 401 or 403.
    #[error("the schema registry at {address} denied access ({code})")]
    Denied {
        /// Where.
        address: String,
        /// Status.
        code: u16,
    },
    /// Something answered that is no schema registry, or its interface begins at another path.
    #[error("what answers at {address} is not a schema registry ({code})")]
    NotRegistry {
        /// Where.
        address: String,
        /// Status.
        code: u16,
    },
    /// A file of the encryption cannot be used.
    #[error("encrypt the connection to the schema registry at {address}: {source}")]
    Tls {
        /// Where.
        address: String,
        /// Which, and why.
        source: TlsError,
    },
    /// The address is no `http://` or `https://` URL.
    #[error(
        "'{address}' is not an address of a schema registry that can be asked (http://host:port/path)"
    )]
    Address {
        /// As given.
        address: String,
    },
    /// The answer is longer than any schema.
    #[error(
        "the schema registry at {address} answers with more than {limit_mib} MiB for schema {id}"
    )]
    TooLong {
        /// Where.
        address: String,
        /// Id of the schema.
        id: u32,
        /// What is read at most.
        limit_mib: usize,
    },
}

impl Classified for RegistryError {
    fn permanence(&self) -> Permanence {
        match self {
            RegistryError::Unreachable { .. } | RegistryError::Server { .. } => {
                Permanence::Transient
            }
            _ => Permanence::Definite,
        }
    }

    fn exit_code(&self) -> ExitCode {
        match self {
            RegistryError::Denied { .. } => ExitCode::Denied,
            RegistryError::Address { .. } | RegistryError::Tls { .. } => ExitCode::Usage,
            _ => ExitCode::Unreachable,
        }
    }

    fn remedy(&self) -> Option<String> {
        let advice = match self {
            RegistryError::Unreachable { .. } => {
                "start the registry, or give its present address, and read the topics again"
            }
            RegistryError::Server { .. } => "look into the registry's log and try again",
            RegistryError::Denied { .. } => {
                "give credentials that may read schemas (http://user:password@host:port)"
            }
            RegistryError::NotRegistry { .. } | RegistryError::TooLong { .. } => {
                "check the address: below it, /schemas/ids/1 must answer as Confluent's registry does"
            }
            RegistryError::Address { .. } => {
                "give the registry's address as http://host:port/path or https://host:port/path"
            }
            RegistryError::Tls { .. } => {
                "correct registry.ca, registry.certificate and registry.key: files as PEM"
            }
        };
        Some(advice.to_owned())
    }

    fn code(&self) -> &'static str {
        match self {
            RegistryError::Unreachable { .. } => "REGISTRY-UNREACHABLE-001",
            RegistryError::Server { .. } => "REGISTRY-SERVER-001",
            RegistryError::Denied { .. } => "REGISTRY-DENIED-001",
            RegistryError::NotRegistry { .. } => "REGISTRY-ADDRESS-002",
            RegistryError::Address { .. } => "REGISTRY-ADDRESS-001",
            RegistryError::Tls { .. } => "REGISTRY-TLS-001",
            RegistryError::TooLong { .. } => "REGISTRY-ANSWER-001",
        }
    }
}
