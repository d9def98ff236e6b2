//! Closes what records can close: reads the topics again, plans against them, writes, and reads them once more.
//!
//! The rules it protects: without `apply` nothing is written; keys that the stream has written to since the run make
//! it refuse, unless they are to be left out; what it says at the end was read back from the topics, folded by the
//! same code that judges runs (I8), and never concluded from acknowledgements.

use std::path::Path;

use cutover_audit::gap::{KeyState, Present};
use cutover_clients::kafka::{Kafka, KafkaAddress};
use cutover_clients::registry::RegistryAddress;
use cutover_ledger::{ChangeWriter, read_evidence};
use cutover_model::evidence::{Evidence, StreamEvidence};
use cutover_model::gap::{Closure, GapAction, GapReport, KeyCounts, Written};
use cutover_model::{EventSink, ExitCode, RunFolder};
use cutover_record::RecordError;
use cutover_record::topics::{
    ConverterModes, PartitionSpan, TopicsConfig, TopicsEnd, record_topics_of,
};
use serde_json::{Map, Value};

use super::plan::plan;
use super::rewriting::{BATCH, Done, Rewriting};
use super::tally::{LISTED, Tally};
use super::{delete_form, envelopes, survey};
use crate::error::UpgradeError;

/// What to close, and how far to go.
#[derive(Debug, Clone, Copy)]
pub struct Closing<'a> {
    /// Run folder of one scenario.
    pub run: &'a RunFolder,
    /// The cluster that holds its topics.
    pub kafka: &'a KafkaAddress,
    /// The schema registry, if it has another address than it had for the run, or wants credentials.
    pub registry: Option<&'a RegistryAddress>,
    /// Write; otherwise only plan.
    pub apply: bool,
    /// Leave out keys that the stream has written to since the run, instead of refusing.
    pub leave_newer: bool,
}

/// Closes the gap of a run, or says what that would take. The report's exit code: 0 if every state is right at the
/// end, 3 if it was refused, 4 if a state is wrong, 5 if newer records leave it open.
pub async fn close(closing: Closing<'_>, events: &EventSink) -> Result<GapReport, UpgradeError> {
    let (evidence, stream) = frame(closing.run)?;
    let scratch = tempfile::Builder::new()
        .prefix(".gap-")
        .tempdir_in(closing.run.root())
        .map_err(|source| UpgradeError::GapFolder {
            path: closing.run.root().display().to_string(),
            source,
        })?;
    let reading = Reading {
        closing,
        evidence: &evidence,
        stream: &stream,
        events,
    };
    let present = reading.again(&scratch.path().join("before")).await?;
    let (look, tally) = survey(closing.run, Some(&present)).await?;
    if let Some(reason) = look.obstacle() {
        return Err(UpgradeError::GapUnknown(reason.to_owned()));
    }
    let before = tally.keys;
    let refused = before.newer > 0 && !closing.leave_newer;
    let idle = tally.closable.by_records == 0;
    if refused || !closing.apply || idle {
        let planned = match refused {
            true => Done::default(),
            false => reading.work(&present, None).await?,
        };
        return Ok(planned_only(closing, tally, planned));
    }
    let token = format!("gap-{:016x}", rand::random::<u64>());
    let done = reading.work(&present, Some(token.clone())).await?;
    let present = reading.again(&scratch.path().join("after")).await?;
    let (look, tally) = survey(closing.run, Some(&present)).await?;
    if let Some(reason) = look.obstacle() {
        return Err(UpgradeError::GapUnknown(reason.to_owned()));
    }
    let written = Written {
        token,
        keys: done.keys,
        records: done.records,
        overtaken: done.overtaken,
        before,
    };
    Ok(applied(closing, tally, written))
}

/// The frame of a run, if its topics can be understood again.
fn frame(run: &RunFolder) -> Result<(Evidence, StreamEvidence), UpgradeError> {
    let evidence = read_evidence(run)?;
    let stream = evidence.stream.clone().ok_or_else(|| {
        let what =
            "the run was recorded by a version that did not note how to read its topics again";
        UpgradeError::GapRefused(what.into())
    })?;
    if stream.uncommitted {
        let what =
            "the run was recorded with read_uncommitted: what it counts may have been aborted";
        return Err(UpgradeError::GapRefused(what.into()));
    }
    Ok((evidence, stream))
}

struct Reading<'a> {
    closing: Closing<'a>,
    evidence: &'a Evidence,
    stream: &'a StreamEvidence,
    events: &'a EventSink,
}

impl Reading<'_> {
    /// How the run's records were written, and where their schemas are now.
    fn modes(&self) -> ConverterModes {
        let options = self.stream.options.iter();
        let options: Map<String, Value> = options
            .map(|(name, value)| (name.clone(), Value::from(value.as_str())))
            .collect();
        ConverterModes::from_connector_config(&options).with_registry(self.closing.registry)
    }

    /// Reads the topics of the run from where it did to where they end now, into a ledger of its own.
    async fn again(&self, folder: &Path) -> Result<Present, UpgradeError> {
        let address = self.closing.kafka.clone();
        let mut config = TopicsConfig {
            bootstrap: address.bootstrap().to_owned(),
            prefix: self.stream.topic_prefix.clone(),
            shapes: self.stream.shapes.clone(),
            modes: self.modes(),
            schemas: self.stream.schemas.clone(),
            spans: Vec::new(),
        };
        let (recorded, buckets) = (self.evidence.partitions.clone(), self.evidence.buckets);
        let forks = self.evidence.forks();
        let (events, published) = (self.events.clone(), folder.to_owned());
        let read = move || -> Result<(TopicsEnd, Option<String>), RecordError> {
            let kafka = Kafka::at(&address)?;
            let topics = kafka.topics()?;
            let mut strange = None;
            for partition in &recorded {
                let (topic, number) = (&partition.topic, partition.partition);
                let known = recorded
                    .iter()
                    .filter(|other| other.topic == *topic)
                    .count();
                let found = topics.iter().find(|found| found.name == *topic);
                let now = found.map_or(0, |found| found.partitions.len());
                let (_, end) = kafka.watermarks(topic, number)?;
                if now != known || end < partition.end {
                    strange.get_or_insert_with(|| {
                        format!(
                            "topic {topic} is another one than was recorded: {now} partitions, {known} then; \
                             partition {number} ends at {end}, {} then",
                            partition.end
                        )
                    });
                }
                config.spans.push(PartitionSpan {
                    topic: topic.clone(),
                    partition: number,
                    end,
                    cuts: partition.cuts.clone(),
                    forks: forks.clone(),
                });
            }
            let mut writer = ChangeWriter::create(&published, buckets)?;
            let end = record_topics_of(&kafka, &config, &mut writer, (None, &events))?;
            writer.finish()?;
            Ok((end, strange))
        };
        let read = tokio::task::spawn_blocking(read).await;
        let (end, strange) = read.map_err(|panic| {
            UpgradeError::GapUnknown(format!("reading the topics failed: {panic}"))
        })??;
        match strange.or_else(|| end.problems.first().cloned()) {
            Some(problem) => Err(UpgradeError::GapRefused(problem)),
            None => Ok(Present {
                published: folder.to_owned(),
                partitions: end.partitions,
                payload: end.payload,
            }),
        }
    }

    /// Drafts the records of every key that records close, bucket by bucket; writes them if there is a token.
    async fn work(&self, present: &Present, token: Option<String>) -> Result<Done, UpgradeError> {
        let look = cutover_audit::gap::GapLook::open(self.closing.run, Some(present)).await?;
        let (form, envelopes) = (delete_form(self.evidence), envelopes(self.evidence));
        let mut sum = Done::default();
        for number in 0..look.buckets() {
            let keys = look.bucket(number, LISTED).await?.keys;
            let of_records = |state: &KeyState| {
                !state.newer && plan(state, &form, envelopes).closure == Closure::ByRecords
            };
            let keys: Vec<KeyState> = keys.into_iter().filter(of_records).collect();
            for batch in keys.chunks(BATCH) {
                let rewriting = Rewriting {
                    kafka: self.closing.kafka.clone(),
                    partitions: present.partitions.clone(),
                    form: form.clone(),
                    token: token.clone(),
                };
                let batch = batch.to_vec();
                let done = crate::fence::blocking(move || rewriting.batch(&batch)).await?;
                sum.keys += done.keys;
                sum.records += done.records;
                sum.overtaken += done.overtaken;
            }
        }
        Ok(sum)
    }
}

fn planned_only(closing: Closing<'_>, tally: Tally, planned: Done) -> GapReport {
    let (keys, clean) = (tally.keys, tally.is_clean());
    let by_records = tally.closable.by_records;
    let refused = keys.newer > 0 && !closing.leave_newer;
    let action = match (refused, closing.apply) {
        (true, _) => GapAction::Refused,
        (false, true) => GapAction::Applied,
        (false, false) => GapAction::DryRun,
    };
    let run_dir = closing.run.root().display().to_string();
    let mut report = tally.report(run_dir, action, (true, true));
    report.planned_records = planned.records;
    if refused {
        report.reasons.push(format!(
            "the stream has written to {} of the keys since the run was recorded, so their stored rows are not \
             known: record again, or leave these keys out with --leave-newer",
            keys.newer
        ));
    } else if closing.apply {
        report.written = Some(Written {
            token: String::new(),
            keys: 0,
            records: 0,
            overtaken: 0,
            before: keys,
        });
    } else if by_records > 0 {
        report
            .reasons
            .push("nothing was written: this was the plan, --apply carries it out".into());
    }
    report.exit_code = match refused {
        true => ExitCode::Refused.number(),
        false => state_exit(keys, clean).number(),
    };
    report
}

fn applied(closing: Closing<'_>, tally: Tally, written: Written) -> GapReport {
    let (keys, clean) = (tally.keys, tally.is_clean());
    let left = tally.closable.by_records;
    let run_dir = closing.run.root().display().to_string();
    let mut report = tally.report(run_dir, GapAction::Applied, (true, true));
    if left > 0 {
        report.reasons.push(format!(
            "{left} keys that records can close are not closed; run it once more"
        ));
    }
    let overtaken = keys.newer.saturating_sub(written.before.newer);
    if overtaken > 0 {
        report.reasons.push(format!(
            "the stream wrote to {overtaken} of the keys at the same moment: stop the connector, record again, \
             and look at them"
        ));
    }
    let exit = match overtaken {
        0 => state_exit(keys, clean),
        _ => ExitCode::Violated,
    };
    report.written = Some(written);
    report.exit_code = exit.number();
    report
}

/// What the states at the end of the command mean.
fn state_exit(keys: KeyCounts, clean: bool) -> ExitCode {
    match (clean, keys.newer) {
        (false, _) => ExitCode::Violated,
        (true, 0) => ExitCode::Pass,
        (true, _) => ExitCode::Unknown,
    }
}
