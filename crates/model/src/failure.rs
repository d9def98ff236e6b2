//! How every error of cutover tells three things: whether trying again can help, which exit code it means,
//! and what the user does next.
//!
//! Each crate has its own error enum and implements [`Classified`]; the command line turns whatever arrives
//! into one [`Failure`] and prints it (what failed → cause → next command → code).

use crate::exit::ExitCode;

/// Whether the same call may succeed later without anybody acting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Permanence {
    /// Trying again gives the same answer.
    Definite,
    /// A retry may help (connection lost, timeout, rebalance).
    Transient,
}

/// What the type of an error says about it.
pub trait Classified: std::error::Error {
    /// May a retry help?
    fn permanence(&self) -> Permanence;
    /// Exit code if this error ends the command.
    fn exit_code(&self) -> ExitCode;
    /// The next thing to do, in one sentence; `None` if there is no advice beyond the message.
    fn remedy(&self) -> Option<String>;
    /// Stable code, e.g. `LAB-JAVA-001`. Codes are never reused.
    fn code(&self) -> &'static str;
}

/// A classified error, ready to be shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Stable code.
    pub code: String,
    /// What failed, in one line, with its causes.
    pub message: String,
    /// The next thing to do.
    pub remedy: Option<String>,
    /// Exit code.
    pub exit: ExitCode,
}

impl Failure {
    /// Takes an error apart; causes are joined with `: ` in one line.
    pub fn of(error: &dyn Classified) -> Failure {
        let mut message = error.to_string();
        let mut cause = std::error::Error::source(error);
        while let Some(inner) = cause {
            let text = inner.to_string();
            if !message.contains(&text) {
                message.push_str(": ");
                message.push_str(&text);
            }
            cause = inner.source();
        }
        Failure {
            code: error.code().to_owned(),
            message,
            remedy: error.remedy(),
            exit: error.exit_code(),
        }
    }
}
