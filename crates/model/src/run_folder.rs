//! Names inside a run folder: the only place that knows them.
//!
//! ```text
//! runs/<id>/<scenario>/ run.toml events.jsonl journal.jsonl logs/<service>.log
//!                       ledger/{attempted,committed,published,stored}/bucket=NN/part-NNNNN.parquet
//!                       ledger/transactions/ (the same, where the connector writes transaction metadata)
//!                       gap/ (the same ledgers, of the moment before a gap was closed)
//!                       ledger/evidence.json findings.parquet report.json report.html report.md junit.xml
//! ```

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::result::Stack;

/// Format name of `run.toml`.
pub const RUN_FORMAT: &str = "cutover.run/1";

/// The four ledgers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum LedgerKind {
    /// What the load tried.
    Attempted,
    /// What the witness saw committed.
    Committed,
    /// What the topics hold.
    Published,
    /// What the tables hold.
    Stored,
}

impl LedgerKind {
    /// All four, in the order of the chain.
    pub const ALL: [LedgerKind; 4] = [
        LedgerKind::Attempted,
        LedgerKind::Committed,
        LedgerKind::Published,
        LedgerKind::Stored,
    ];

    /// Folder name, table name in SQL, and word in output.
    pub fn name(self) -> &'static str {
        match self {
            LedgerKind::Attempted => "attempted",
            LedgerKind::Committed => "committed",
            LedgerKind::Published => "published",
            LedgerKind::Stored => "stored",
        }
    }
}

/// Paths of one run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunFolder {
    root: PathBuf,
}

impl RunFolder {
    /// The folder at `root`; nothing is read or made.
    pub fn at(root: impl Into<PathBuf>) -> RunFolder {
        RunFolder { root: root.into() }
    }

    /// The folder itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Who, when, which scenario, how it ended ([`RunManifest`]).
    pub fn manifest(&self) -> PathBuf {
        self.root.join("run.toml")
    }

    /// The event stream, one `RunEvent` a line.
    pub fn events(&self) -> PathBuf {
        self.root.join("events.jsonl")
    }

    /// The upgrade engine's journal.
    pub fn journal(&self) -> PathBuf {
        self.root.join("journal.jsonl")
    }

    /// Folder of service logs.
    pub fn logs(&self) -> PathBuf {
        self.root.join("logs")
    }

    /// Log of one service.
    pub fn log(&self, service: &str) -> PathBuf {
        self.logs().join(format!("{service}.log"))
    }

    /// Folder of all ledgers.
    pub fn ledgers(&self) -> PathBuf {
        self.root.join("ledger")
    }

    /// The moment before the gap was closed, as a run folder of its own.
    pub fn before_closing(&self) -> RunFolder {
        RunFolder::at(self.root.join("gap"))
    }

    /// Folder of one ledger.
    pub fn ledger(&self, kind: LedgerKind) -> PathBuf {
        self.ledgers().join(kind.name())
    }

    /// Folder of the transactions ledger, which exists where the connector writes transaction metadata.
    pub fn transactions(&self) -> PathBuf {
        self.ledgers().join("transactions")
    }

    /// The frame of the ledgers.
    pub fn evidence(&self) -> PathBuf {
        self.ledgers().join("evidence.json")
    }

    /// Every finding.
    pub fn findings(&self) -> PathBuf {
        self.root.join("findings.parquet")
    }

    /// The result as JSON.
    pub fn report_json(&self) -> PathBuf {
        self.root.join("report.json")
    }

    /// The matrix, in a run folder of `cutover matrix`.
    pub fn matrix_json(&self) -> PathBuf {
        self.root.join("matrix.json")
    }

    /// The matrix for documents.
    pub fn matrix_markdown(&self) -> PathBuf {
        self.root.join("matrix.md")
    }

    /// The matrix as a page.
    pub fn matrix_html(&self) -> PathBuf {
        self.root.join("matrix.html")
    }

    /// The result as a page, with everything in it.
    pub fn report_html(&self) -> PathBuf {
        self.root.join("report.html")
    }

    /// The result for documents.
    pub fn report_markdown(&self) -> PathBuf {
        self.root.join("report.md")
    }

    /// The result as JUnit XML.
    pub fn junit(&self) -> PathBuf {
        self.root.join("junit.xml")
    }
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RunStatus {
    /// Still going, or killed without a chance to say so.
    Running,
    /// Judged.
    Finished,
    /// Ended by an error before it could be judged.
    Failed,
    /// Ended by a signal.
    Interrupted,
}

/// `run.toml`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunManifest {
    /// [`RUN_FORMAT`].
    pub format: String,
    /// Version of cutover that wrote it.
    pub cutover: String,
    /// Scenario name.
    pub scenario: String,
    /// One line for people.
    pub title: String,
    /// Verdict that the scenario expects.
    pub expected: crate::Verdict,
    /// Proof level that the scenario expects at least.
    pub expected_proof_level: crate::ProofLevel,
    /// Finding kinds that must occur in an expected failure; empty for an expected pass.
    #[serde(default)]
    pub expected_findings: Vec<crate::FindingKind>,
    /// Finding kinds that may follow from those.
    #[serde(default)]
    pub expected_consequences: Vec<crate::FindingKind>,
    /// The sentence that says what this runbook loses and why.
    pub lesson: Option<String>,
    /// UTC, ISO 8601.
    pub started: String,
    /// UTC, ISO 8601; `None` while running.
    pub ended: Option<String>,
    /// How it ended.
    pub status: RunStatus,
    /// Why it failed or was interrupted.
    pub cause: Option<String>,
    /// Seed of the load.
    pub seed: u64,
    /// Longest refusal of writes around the cutover.
    #[serde(default)]
    pub refused_write_seconds: f64,
    /// The server's own share of it.
    #[serde(default)]
    pub server_restart_seconds: f64,
    /// Versions.
    pub stack: Stack,
    /// Phases in order.
    #[serde(default)]
    pub phases: Vec<crate::result::Phase>,
    /// The runbook that was driven.
    pub runbook: Option<crate::plan::Runbook>,
    /// What was predicted right before the connector's last start.
    #[serde(default)]
    pub prediction: Option<crate::Prediction>,
    /// Why the connector ended, as its task says.
    #[serde(default)]
    pub connector_refused: Option<String>,
    /// What it ran on: processors, memory, system.
    #[serde(default)]
    pub machine: Option<String>,
    /// The command that does the same again.
    #[serde(default)]
    pub repeat: Option<String>,
}
