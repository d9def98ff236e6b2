//! What can go wrong while a report is made: only defects of ours, since input is already typed.

use cutover_model::{Classified, ExitCode, Permanence};

/// A report could not be made.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// The JSON writer refused the result.
    #[error("write the result as JSON")]
    Json(#[source] serde_json::Error),
    /// The XML writer refused the result.
    #[error("write the result as JUnit XML")]
    Junit(#[source] quick_junit::SerializeError),
}

impl Classified for ReportError {
    fn permanence(&self) -> Permanence {
        Permanence::Definite
    }

    fn exit_code(&self) -> ExitCode {
        ExitCode::Internal
    }

    fn remedy(&self) -> Option<String> {
        Some("keep the run folder and report this as a defect of cutover".to_owned())
    }

    fn code(&self) -> &'static str {
        match self {
            ReportError::Json(_) => "REPORT-JSON-001",
            ReportError::Junit(_) => "REPORT-JUNIT-001",
        }
    }
}
