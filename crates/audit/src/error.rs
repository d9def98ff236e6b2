//! What ends a judgement. A check that fails does not: it is `unknown` and says why.

use cutover_ledger::LedgerError;
use cutover_model::{Classified, ExitCode, Permanence};
use datafusion::error::DataFusionError;

/// Errors of judging a run.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    /// The run folder cannot be read or written.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The query engine failed outside any check.
    #[error("the query engine failed while it {during}")]
    Engine {
        /// What was being done.
        during: &'static str,
        /// Why not.
        #[source]
        source: Box<DataFusionError>,
    },
    /// A working folder could not be made inside the run folder.
    #[error("cannot make a working folder in the run folder")]
    Workspace(#[source] std::io::Error),
    /// A finding came out of the engine in a form that is no finding.
    #[error("a check returned something that is no finding: {0}")]
    Row(String),
}

impl AuditError {
    pub(crate) fn engine(during: &'static str) -> impl FnOnce(DataFusionError) -> AuditError {
        move |source| AuditError::Engine {
            during,
            source: Box::new(source),
        }
    }

    /// The whole chain in one line, for the reason of a check that could not finish.
    pub(crate) fn one_line(&self) -> String {
        if let AuditError::Engine { during, source } = self
            && matches!(source.find_root(), DataFusionError::ResourcesExhausted(_))
        {
            return format!(
                "the query engine failed while it {during}: a bucket does not fit into its memory; \
                 record with more buckets"
            );
        }
        let text = cutover_model::Failure::of(self).message;
        let lines: Vec<&str> = text.split_whitespace().collect();
        lines.join(" ")
    }
}

/// The machine stopped the engine, by too little memory, a full disk or a file that cannot be read.
fn machine(error: &DataFusionError) -> bool {
    matches!(
        error.find_root(),
        DataFusionError::ResourcesExhausted(_) | DataFusionError::IoError(_)
    )
}

impl Classified for AuditError {
    fn permanence(&self) -> Permanence {
        match self {
            AuditError::Ledger(error) => error.permanence(),
            _ => Permanence::Definite,
        }
    }

    fn exit_code(&self) -> ExitCode {
        match self {
            AuditError::Ledger(error) => error.exit_code(),
            AuditError::Workspace(_) => ExitCode::Refused,
            AuditError::Engine { source, .. } if machine(source) => ExitCode::Refused,
            AuditError::Engine { .. } | AuditError::Row(_) => ExitCode::Internal,
        }
    }

    fn remedy(&self) -> Option<String> {
        match self {
            AuditError::Ledger(error) => error.remedy(),
            AuditError::Workspace(_) => Some(
                "Give this user the right to write into the run folder, or judge a copy of it."
                    .to_owned(),
            ),
            AuditError::Engine { source, .. } if machine(source) => Some(
                "Make room for working files in the run folder and leave the program more memory, then run \
                 `cutover verify` on the folder: what was recorded is not touched."
                    .to_owned(),
            ),
            AuditError::Engine { .. } | AuditError::Row(_) => {
                Some("Keep the run folder and report it as a defect of cutover.".to_owned())
            }
        }
    }

    fn code(&self) -> &'static str {
        match self {
            AuditError::Ledger(error) => error.code(),
            AuditError::Engine { .. } => "AUDIT-ENGINE-001",
            AuditError::Workspace(_) => "AUDIT-WORKSPACE-001",
            AuditError::Row(_) => "AUDIT-ROW-001",
        }
    }
}
