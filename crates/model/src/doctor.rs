//! What a running system suffers from, as values: computed by `upgrade`, shown by `report`.
//!
//! The rule it protects: a finding has its evidence and its exact remedy; what could not be looked at is listed and
//! never passes for healthy.

use serde::{Deserialize, Serialize};

use crate::lint::Severity;
use crate::prediction::Prediction;

/// Format name.
pub const DOCTOR_FORMAT: &str = "cutover.doctor/1";

/// One thing that was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Diagnosis {
    /// Stable code.
    pub code: String,
    /// How bad.
    pub severity: Severity,
    /// What it is about: `slot x`, `connector x`, an option, ….
    pub subject: String,
    /// What was seen, with the names and figures that show it.
    pub evidence: String,
    /// What to do, as statements and calls where there are some. Never executed.
    pub remedy: String,
}

/// A part that was not looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotLookedAt {
    /// The part.
    pub part: String,
    /// Why not.
    pub why: String,
    /// Code of the error, if one was the reason.
    pub code: Option<String>,
}

/// The whole examination.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DoctorReport {
    /// [`DOCTOR_FORMAT`].
    pub format: String,
    /// Parts that were looked at, with what they are.
    pub looked_at: Vec<String>,
    /// Parts that were not.
    pub not_looked_at: Vec<NotLookedAt>,
    /// What was found, the worst first.
    pub findings: Vec<Diagnosis>,
    /// What the connector does at its next start.
    pub prediction: Option<Prediction>,
    /// What the process ends with.
    pub exit_code: u8,
}
