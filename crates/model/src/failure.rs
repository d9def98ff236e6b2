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
    /// The causes that stand at the end of the message, the nearest first.
    pub causes: Vec<String>,
    /// The next thing to do; without it, what `cutover explain` says of the code is the next thing.
    pub remedy: Option<String>,
    /// Exit code.
    pub exit: ExitCode,
}

impl Failure {
    /// An error that the command line itself finds.
    pub fn new(
        exit: ExitCode,
        code: &str,
        message: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Failure {
        Failure {
            code: code.to_owned(),
            message: message.into(),
            causes: Vec::new(),
            remedy: Some(remedy.into()),
            exit,
        }
    }

    /// A defect of cutover: something that no user and no machine can be the cause of.
    pub fn defect(message: impl Into<String>) -> Failure {
        Failure::new(
            ExitCode::Internal,
            "CLI-INTERNAL-001",
            message,
            "report it as a defect of cutover, with this message and what was called",
        )
    }

    /// The same with the cause that the operating system or a library names.
    #[must_use]
    pub fn because(mut self, cause: impl std::fmt::Display) -> Failure {
        let cause = cause.to_string();
        self.message.push_str(": ");
        self.message.push_str(&cause);
        self.causes.push(cause);
        self
    }

    /// What failed, without the causes behind it.
    pub fn what(&self) -> &str {
        let behind: usize = self.causes.iter().map(|cause| cause.len() + 2).sum();
        let end = self.message.len().saturating_sub(behind);
        self.message.get(..end).unwrap_or(&self.message)
    }

    /// Takes an error apart; causes are joined with `: ` in one line.
    pub fn of(error: &dyn Classified) -> Failure {
        let mut failure = Failure {
            code: error.code().to_owned(),
            message: error.to_string(),
            causes: Vec::new(),
            remedy: error.remedy(),
            exit: error.exit_code(),
        };
        let mut cause = std::error::Error::source(error);
        while let Some(inner) = cause {
            let text = inner.to_string();
            // Some errors show their cause in their own text.
            if !failure.message.contains(&text) {
                failure = failure.because(text);
            }
            cause = inner.source();
        }
        failure
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("read /x")]
    struct Unread(#[source] std::io::Error);

    impl Classified for Unread {
        fn permanence(&self) -> Permanence {
            Permanence::Definite
        }
        fn exit_code(&self) -> ExitCode {
            ExitCode::Usage
        }
        fn remedy(&self) -> Option<String> {
            None
        }
        fn code(&self) -> &'static str {
            "X-Y-001"
        }
    }

    #[test]
    fn what_failed_and_why_stand_in_one_line_and_apart() {
        let failure = Failure::of(&Unread(std::io::Error::other("not: there")));
        assert_eq!(failure.message, "read /x: not: there");
        assert_eq!(failure.what(), "read /x");
        assert_eq!(failure.causes, ["not: there"]);
        let plain = Failure::defect("a: b");
        assert_eq!((plain.what(), plain.causes.len()), ("a: b", 0));
    }
}
