//! From facts and findings to verdict, proof level and reasons. Pure: no I/O, no clock.
//!
//! The rules (`docs/guarantees.md` §5): the worst counts; what is missing is `unknown` with a
//! reason that names it; a finding that rests on something being *absent* from the topics convicts
//! only if the fence arrived and the topics were read to the end. Before that, late is not lost.
//!
//! Proof levels as decided here. P1 and P2 stand for themselves, P3 needs P2, P4 needs P3:
//! - P0: counts only.
//! - P1: the state fold (I8) ran over every captured table.
//! - P2: every record was decoded and carries LSN and operation, so events have identities.
//! - P3: every incarnation was watched by a complete witness, and I1 to I5 ran against it.
//! - P4: the fence was seen everywhere (topic, stored offset, slot, witness), every partition was
//!   read to its end, every committed change has its place (commit LSN, ordinal), and no content
//!   was left uncompared.

use std::collections::BTreeMap;

use cutover_model::evidence::{Deletes, Scope};
use cutover_model::result::CheckResult;
use cutover_model::run_folder::LedgerKind;
use cutover_model::{Evidence, FindingKind, ProofLevel, Verdict};

use crate::checks::{Check, WitnessNeed};
use crate::scope;

/// Reasons that are told for records that were not decoded, those of most records.
const KINDS_TOLD: usize = 10;

/// Whether a ledger can be read: its number of rows, or why it cannot.
pub type LedgerState = Result<u64, String>;

/// What is known before any check runs.
#[derive(Debug, Clone)]
pub struct Grounds<'a> {
    /// The frame of the run.
    pub evidence: &'a Evidence,
    /// The four ledgers.
    pub ledgers: BTreeMap<LedgerKind, LedgerState>,
    /// What was counted: (`what` of `coverage.sql`, relation) → amount.
    pub coverage: BTreeMap<(String, String), u64>,
    /// Transactions that the committed ledger does not hold whole; `Err` if that could not be found
    /// out.
    pub torn_transactions: Result<u64, String>,
    /// Whether the transactions ledger can be read, where there must be one.
    pub transactions: Result<(), String>,
    /// Whether the table of truncates could be prepared.
    pub truncates: Result<(), String>,
    /// What failed outside any check: a count that could not be made, a bucket that could not be
    /// opened.
    pub failures: Vec<String>,
}

/// What one check did.
#[derive(Debug, Clone, Default)]
pub struct Outcome {
    /// Findings by kind.
    pub findings: BTreeMap<FindingKind, u64>,
    /// Why it did not finish.
    pub error: Option<String>,
}

/// The verdict and what it rests on.
#[derive(Debug, Clone, PartialEq)]
pub struct Conclusion {
    /// Pass, unknown or fail.
    pub verdict: Verdict,
    /// How much was proven.
    pub proof_level: ProofLevel,
    /// Why neither is better.
    pub reasons: Vec<String>,
}

impl<'a> Grounds<'a> {
    /// Before anything was counted.
    pub fn new(evidence: &'a Evidence, ledgers: BTreeMap<LedgerKind, LedgerState>) -> Grounds<'a> {
        Grounds {
            evidence,
            ledgers,
            coverage: BTreeMap::new(),
            torn_transactions: Ok(0),
            transactions: Ok(()),
            truncates: Ok(()),
            failures: Vec::new(),
        }
    }

    /// Sum of a count over all relations.
    pub fn amount(&self, what: &str) -> u64 {
        let of = |((name, _), amount): (&(String, String), &u64)| (name == what).then_some(*amount);
        self.coverage.iter().filter_map(of).sum()
    }

    /// Relations for which something was counted, quoted and joined.
    pub(crate) fn relations(&self, what: &str) -> String {
        let of = |(name, relation): &(String, String)| (name == what).then(|| relation.clone());
        let names: Vec<String> = self.coverage.keys().filter_map(of).collect();
        names.join(", ")
    }

    fn ledger_obstacle(&self, kind: LedgerKind) -> Option<String> {
        match self.ledgers.get(&kind) {
            None => Some(format!("the {} ledger is missing", kind.name())),
            Some(Err(reason)) => Some(reason.clone()),
            // Without a single attempted or committed change there is nothing that could have been
            // proven.
            Some(Ok(0)) if matches!(kind, LedgerKind::Attempted | LedgerKind::Committed) => {
                Some(format!("the {} ledger is empty", kind.name()))
            }
            Some(Ok(_)) => None,
        }
    }

    /// Why the witness did not see everything.
    fn witness_gaps(&self) -> Vec<String> {
        let mut gaps = Vec::new();
        if self.evidence.incarnations.is_empty() {
            gaps.push("no incarnation of the database was recorded".to_owned());
        }
        for incarnation in &self.evidence.incarnations {
            let label = &incarnation.label;
            match &incarnation.witness {
                None => gaps.push(format!("{label} had no witness")),
                Some(witness) if !witness.complete => gaps.push(format!(
                    "the witness of {label} saw its log only from {} to {}",
                    witness.from, witness.through
                )),
                Some(_) => (),
            }
        }
        match &self.torn_transactions {
            Ok(0) => (),
            Ok(torn) => gaps.push(format!(
                "the committed ledger does not hold {torn} transactions whole"
            )),
            Err(reason) => gaps.push(reason.clone()),
        }
        gaps
    }

    /// Why it is not certain that every record is in the published ledger.
    pub(crate) fn reading_gaps(&self) -> Vec<String> {
        let mut gaps = Vec::new();
        if self.evidence.partitions.is_empty() {
            gaps.push("no topic partition was read".to_owned());
        }
        for partition in &self.evidence.partitions {
            let name = format!("{}/{}", partition.topic, partition.partition);
            if !partition.complete {
                gaps.push(format!(
                    "partition {name} was not read to its end offset {}, or not from where it was asked for",
                    partition.end
                ));
            }
            if partition.start > 0 && self.evidence.scope != Scope::Window {
                gaps.push(format!(
                    "partition {name} begins at offset {}: earlier records are gone",
                    partition.start
                ));
            }
        }
        gaps
    }

    pub(crate) fn undecoded(&self) -> Option<String> {
        let payload = &self.evidence.payload;
        let mut kinds: Vec<_> = payload.undecoded_kinds.iter().collect();
        kinds.sort_by_key(|(_, records)| std::cmp::Reverse(**records));
        let kinds = kinds
            .iter()
            .map(|(why, records)| format!("{records} {why}"));
        let mut more: Vec<String> = kinds.take(KINDS_TOLD).collect();
        let first = payload.undecoded_samples.first();
        more.extend(first.map(|sample| format!("first: {sample}")));
        let told = format!("{} records could not be decoded", payload.undecoded);
        let told = [vec![told], more].concat().join(", ");
        (payload.undecoded > 0).then_some(told)
    }

    fn identity_obstacle(&self) -> Option<String> {
        let payload = &self.evidence.payload;
        if !payload.has_lsn {
            return Some("records do not carry their LSN, so events have no identity".to_owned());
        }
        (!payload.has_op).then(|| "records do not carry their operation".to_owned())
    }

    fn fence_gaps(&self) -> Vec<String> {
        let Some(fence) = &self.evidence.fence else {
            return vec!["no fence was written, so nothing bounds what is judged".to_owned()];
        };
        let last = self.evidence.incarnations.len().saturating_sub(1);
        let gaps = [
            (fence.seen_in_topic, "was not seen in Kafka"),
            (
                fence.offset_stored,
                "was not reached by the connector's stored offset",
            ),
            (
                fence.confirmed,
                "was not reached by the slot's confirmed position",
            ),
            (fence.witnessed, "was not seen by the witness"),
            (
                usize::try_from(fence.incarnation).is_ok_and(|index| index == last),
                "was not written in the last incarnation",
            ),
        ];
        gaps.into_iter()
            .filter(|(held, _)| !held)
            .map(|(_, gap)| format!("the fence at {} {gap}", fence.lsn))
            .collect()
    }

    /// Without the fence in Kafka and in the stored offset, what is missing may still be on its way: late is
    /// not lost.
    pub(crate) fn arrival_gap(&self) -> Option<String> {
        let arrived =
            |fence: &cutover_model::evidence::Fence| fence.seen_in_topic && fence.offset_stored;
        // A connector whose task has ended, or whose slot is lost, brings nothing more: then what is missing does not
        // come by itself.
        let gap = self.evidence.connector_ended.is_none()
            && !self.evidence.fence.as_ref().is_some_and(arrived);
        gap.then(|| "the fence did not arrive, so what is missing may still come".to_owned())
    }

    fn fold_obstacle(&self) -> Option<String> {
        if let Some(failure) = self.failures.first() {
            return Some(failure.clone());
        }
        let unread = |table: &&cutover_model::evidence::TableEvidence| !table.stored;
        if let Some(table) = self.evidence.tables.iter().find(unread) {
            return Some(format!("the rows of {} were not read", table.relation));
        }
        let begins_late = self
            .evidence
            .partitions
            .iter()
            .any(|partition| partition.start > 0);
        begins_late.then(|| "the topics do not reach back to their first record".to_owned())
    }

    /// Why deletes cannot be followed: a transformation leaves no record of them. Tombstones alone can still be folded.
    fn delete_obstacle(&self, check: &Check) -> Option<String> {
        let text = match self.evidence.deletes {
            Deletes::Recorded => return None,
            Deletes::TombstoneOnly if check.folds => return None,
            Deletes::TombstoneOnly => {
                "the connector's transformation leaves only a tombstone of a delete"
            }
            Deletes::Dropped => "the connector's transformation drops deletes and their tombstones",
        };
        Some(text.to_owned())
    }

    /// Why the connector's own account of transactions cannot be held against the records.
    fn transaction_obstacle(&self) -> Option<String> {
        if let Err(reason) = &self.transactions {
            return Some(reason.clone());
        }
        let without = self.amount("no-transaction");
        (without > 0).then(|| format!("{without} records do not say which transaction they are of"))
    }

    /// Whether a check belongs to the run at all: without a workload of ours nothing was attempted, and where nobody
    /// looked at sequences there is nothing to say of them.
    pub fn applies(&self, check: &Check) -> bool {
        let attempted = self.evidence.attempted || !check.reads.contains(&LedgerKind::Attempted);
        let asked = scope::asks(self.evidence.scope, check);
        let sequences = !check.sequences || !self.evidence.sequences.is_empty();
        attempted && sequences && asked
    }

    /// Why a check cannot run; `None` if it can.
    pub fn obstacle(&self, check: &Check) -> Option<String> {
        if let Some(reason) = check
            .reads
            .iter()
            .find_map(|kind| self.ledger_obstacle(*kind))
        {
            return Some(reason);
        }
        if check.identity
            && let Some(reason) = self.identity_obstacle()
        {
            return Some(reason);
        }
        let reads_records = check.reads.contains(&LedgerKind::Published);
        if reads_records && !self.evidence.payload.has_op {
            return Some("records do not carry their operation".to_owned());
        }
        if reads_records && let Some(reason) = self.delete_obstacle(check) {
            return Some(reason);
        }
        if check.folds
            && let Some(reason) = self.fold_obstacle()
        {
            return Some(reason);
        }
        if check.truncates
            && let Err(reason) = &self.truncates
        {
            return Some(reason.clone());
        }
        if check.whole
            && reads_records
            && let Some(reason) = self.transaction_obstacle()
        {
            return Some(reason);
        }
        if check.witness == WitnessNeed::Complete {
            return self.witness_gaps().into_iter().next();
        }
        None
    }

    /// Judges one check by what it found.
    pub fn check_result(&self, check: &Check, outcome: &Outcome) -> CheckResult {
        let findings: u64 = outcome.findings.values().sum();
        let result = |verdict, reason| CheckResult {
            check: check.name.to_owned(),
            guarantee: check.guarantee.to_owned(),
            verdict,
            findings,
            reason,
        };
        if let Some(reason) = self.obstacle(check) {
            return result(Verdict::Unknown, Some(reason));
        }
        let absent = |kind: &FindingKind| check.absence.contains(kind);
        let present = outcome
            .findings
            .iter()
            .any(|(kind, count)| *count > 0 && !absent(kind) && kind.is_violation());
        let missing: u64 = outcome
            .findings
            .iter()
            .filter(|(kind, _)| absent(kind))
            .map(|(_, count)| count)
            .sum();
        let mut doubts = Vec::new();
        if check.reads.contains(&LedgerKind::Published) {
            doubts.extend(self.reading_gaps());
        }
        if missing > 0 {
            doubts.extend(self.evidence.elsewhere.iter().cloned());
            doubts.extend(self.arrival_gap());
        }
        // More things missing than records unread: some of them are missing for certain.
        let certain = doubts.is_empty() && missing > self.evidence.payload.undecoded;
        if present || certain {
            return result(Verdict::Fail, outcome.error.clone());
        }
        if check.reads.contains(&LedgerKind::Published) {
            doubts.extend(self.undecoded());
        }
        if check.witness != WitnessNeed::None {
            doubts.extend(self.witness_gaps());
        }
        let counts = |(what, _): &&(&str, &str)| scope::doubts(self.evidence.scope, what);
        let asked = check
            .asks
            .iter()
            .filter(counts)
            .map(|(what, text)| (self.amount(what), text));
        let left_out = asked.filter(|(amount, _)| *amount > 0);
        doubts.extend(left_out.map(|(amount, text)| format!("{amount} {text}")));
        match outcome.error.clone().or_else(|| doubts.into_iter().next()) {
            Some(reason) => result(Verdict::Unknown, Some(reason)),
            None => result(Verdict::Pass, None),
        }
    }

    /// Everything that keeps the run as a whole from passing, whatever the checks found.
    fn shortcomings(&self) -> Vec<String> {
        let mut all = Vec::new();
        for kind in LedgerKind::ALL {
            let wanted = (kind != LedgerKind::Attempted || self.evidence.attempted)
                && scope::has(self.evidence.scope, kind);
            all.extend(self.ledger_obstacle(kind).filter(|_| wanted));
        }
        all.extend(self.transactions.clone().err());
        all.extend(self.truncates.clone().err());
        all.extend(self.identity_obstacle());
        all.extend(self.undecoded());
        all.extend(self.reading_gaps());
        let ended = self.evidence.connector_ended.as_ref();
        all.extend(ended.map(|cause| format!("the connector brings nothing more: {cause}")));
        if self.evidence.scope != Scope::States {
            all.extend(self.fence_gaps());
            all.extend(self.witness_gaps());
        }
        all.extend(self.failures.iter().cloned());
        all.extend(self.evidence.problems.iter().cloned());
        all
    }

    fn proof_level(&self, checks: &[CheckResult]) -> ProofLevel {
        let ran = |name: &str| {
            let of = |result: &&CheckResult| result.check.starts_with(name);
            let result = checks.iter().find(of);
            result.is_some_and(|result| match result.verdict {
                Verdict::Pass => true,
                Verdict::Fail => result.reason.is_none(),
                Verdict::Unknown => false,
            })
        };
        let published = self.ledger_obstacle(LedgerKind::Published).is_none();
        let named = published
            && self.identity_obstacle().is_none()
            && self.evidence.deletes == Deletes::Recorded
            && self.evidence.payload.undecoded == 0;
        let witnessed = named
            && self.witness_gaps().is_empty()
            && ["i1_", "i2_", "i3_", "i4_", "i5_"].into_iter().all(ran);
        let bounded = self.fence_gaps().is_empty() && self.reading_gaps().is_empty();
        let folded = ran("i8_") && self.amount("keyless-state") + self.amount("undecidable") == 0;
        if self.evidence.scope == Scope::States {
            return match (folded, named) {
                (true, true) => ProofLevel::P2,
                (true, false) => ProofLevel::P1,
                (false, _) => ProofLevel::P0,
            };
        }
        if witnessed && bounded && self.uncompared().is_empty() {
            ProofLevel::P4
        } else if witnessed {
            ProofLevel::P3
        } else if named {
            ProofLevel::P2
        } else if folded {
            ProofLevel::P1
        } else {
            ProofLevel::P0
        }
    }

    /// The verdict of the run.
    pub fn conclude(&self, checks: &[CheckResult]) -> Conclusion {
        let shortcomings = self.shortcomings();
        let base = if shortcomings.is_empty() && !checks.is_empty() {
            Verdict::Pass
        } else {
            Verdict::Unknown
        };
        let verdict = checks
            .iter()
            .map(|check| check.verdict)
            .fold(base, Verdict::max);
        let mut reasons = Vec::new();
        for check in checks.iter().filter(|check| check.verdict == Verdict::Fail) {
            let many = if check.findings == 1 {
                "finding"
            } else {
                "findings"
            };
            let (guarantee, findings) = (&check.guarantee, check.findings);
            reasons.push(format!("{guarantee} is violated: {findings} {many}"));
        }
        reasons.extend(shortcomings);
        let proof_level = self.proof_level(checks);
        reasons.extend(scope::silent_on(self.evidence.scope).map(str::to_owned));
        for check in checks {
            let unheard = check
                .reason
                .as_ref()
                .filter(|reason| !reasons.contains(reason));
            reasons.extend(unheard.map(|reason| format!("{}: {reason}", check.guarantee)));
        }
        if proof_level < ProofLevel::P4 {
            reasons.extend(self.uncompared());
        }
        Conclusion {
            verdict,
            proof_level,
            reasons,
        }
    }
}
