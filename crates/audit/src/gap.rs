//! What a stream and its tables have apart, key by key: the ground on which a gap is shown and closed.
//!
//! Stands beside the judgement: the same engine, buckets and fold (I8), but its rows are keys to work on, not
//! findings. Reads the ledgers of a run and, for a repair, the topics as they were read again since. The rules it
//! protects: a bucket at a time, so memory is bounded; what cannot be known is said ([`GapLook::obstacle`]), never
//! guessed; of a key that the stream has written to since the run, nothing is concluded.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use cutover_ledger::{Content, read_evidence, survey};
use cutover_model::evidence::{PartitionEvidence, PayloadEvidence};
use cutover_model::gap::{KeyTrouble, KeylessGap, RecordPlace};
use cutover_model::run_folder::LedgerKind;
use cutover_model::{Evidence, Finding, FindingKind, RunFolder};
use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, Int32Array, Int64Array, RecordBatch, StringArray,
};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Int32Type, Int64Type};
use datafusion::execution::context::SessionContext;
use futures_util::future::BoxFuture;

use crate::acquit::Suspects;
use crate::bucket;
use crate::checks::{ALL, Check};
use crate::engine::{Engine, Limits, register, workspace};
use crate::error::AuditError;
use crate::gather::Rows;
use crate::survey::{Ledgers, look_over, survey_all};
use crate::verdict::Grounds;

const KEYS: &str = include_str!("prepare/gap_keys.sql");
const KEYLESS: &str = include_str!("prepare/gap_keyless.sql");

/// The topics as they are now, read again since the run was recorded.
#[derive(Debug, Clone)]
pub struct Present {
    /// Published ledger of that reading.
    pub published: PathBuf,
    /// What was read.
    pub partitions: Vec<PartitionEvidence>,
    /// What the records show.
    pub payload: PayloadEvidence,
}

/// One key whose fold is not its row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyState {
    /// `schema.table`.
    pub relation: String,
    /// Canonical key text.
    pub key: String,
    /// What is wrong.
    pub trouble: KeyTrouble,
    /// The stream has written to the key since the run was recorded.
    pub newer: bool,
    /// Its records stand in several partitions.
    pub scattered: bool,
    /// Its last record, with the operation letter.
    pub last: Option<(RecordPlace, String)>,
    /// An earlier record in the same partition that brought exactly the stored row.
    pub source: Option<i64>,
}

/// What one bucket holds.
#[derive(Debug, Default)]
pub struct BucketGap {
    /// Keys, by relation and key.
    pub keys: Vec<KeyState>,
    /// Tables without key.
    pub keyless: Vec<KeylessGap>,
    /// Committed, in no topic.
    pub lost: u64,
    /// In a topic, and no change of the database that there is.
    pub phantom: u64,
    /// The first of those events.
    pub events: Vec<Finding>,
}

/// A run that is looked at for its gap.
pub struct GapLook {
    evidence: Evidence,
    ends: Vec<PartitionEvidence>,
    ledgers: Ledgers,
    engine: Engine,
    limits: Limits,
    state_obstacle: Option<String>,
    event_obstacles: BTreeMap<&'static str, String>,
    events: bool,
    // Last, so that the engine is gone before its folder.
    _workspace: tempfile::TempDir,
}

impl GapLook {
    /// Opens a run; with `present` its topics are those, and single events are not looked for.
    ///
    /// # Errors
    /// The folder is no run of ours, or cannot be written to.
    pub fn open<'a>(
        run: &'a RunFolder,
        present: Option<&'a Present>,
    ) -> BoxFuture<'a, Result<GapLook, AuditError>> {
        Box::pin(GapLook::opened(run, present))
    }

    async fn opened(run: &RunFolder, present: Option<&Present>) -> Result<GapLook, AuditError> {
        let mut evidence = read_evidence(run)?;
        let ends = evidence.partitions.clone();
        let (mut ledgers, mut states) = survey_all(run, &evidence)?;
        if let Some(present) = present {
            let read = survey(&present.published, Content::Changes)?;
            states.insert(LedgerKind::Published, Ok(read.rows));
            ledgers.insert(LedgerKind::Published, Some(read));
            evidence.partitions.clone_from(&present.partitions);
            evidence.payload = present.payload.clone();
        }
        let limits = Limits::default();
        let workspace = workspace(run)?;
        let engine =
            Engine::new(limits, workspace.path()).map_err(AuditError::engine("started"))?;
        let mut grounds = Grounds::new(&evidence, states);
        look_over(&engine, &ledgers, &mut grounds).await;
        let state_obstacle = state_obstacle(&grounds);
        let event_obstacles = ["i1_complete", "i2_invention"]
            .into_iter()
            .filter_map(|name| Some((name, grounds.obstacle(check(name)?)?)))
            .collect();
        Ok(GapLook {
            ends,
            ledgers,
            engine,
            limits,
            state_obstacle,
            event_obstacles,
            events: present.is_none(),
            evidence,
            _workspace: workspace,
        })
    }

    /// The frame of the run.
    pub fn evidence(&self) -> &Evidence {
        &self.evidence
    }

    /// Why the states of keys cannot be known.
    pub fn obstacle(&self) -> Option<&str> {
        self.state_obstacle.as_deref()
    }

    /// Why lost events (first) or phantoms (second) cannot be known.
    pub fn event_obstacles(&self) -> (Option<&str>, Option<&str>) {
        let of = |name| self.event_obstacles.get(name).map(String::as_str);
        (of("i1_complete"), of("i2_invention"))
    }

    /// Number of buckets.
    pub fn buckets(&self) -> usize {
        usize::from(self.evidence.buckets)
    }

    /// Looks at one bucket. Events are collected up to `shown`; all of them are counted.
    pub fn bucket(
        &self,
        number: usize,
        shown: usize,
    ) -> BoxFuture<'_, Result<BucketGap, AuditError>> {
        Box::pin(self.looked_at(number, shown))
    }

    async fn looked_at(&self, number: usize, shown: usize) -> Result<BucketGap, AuditError> {
        let mut found = BucketGap::default();
        let session = self.session(number).await;
        let session = session.map_err(AuditError::engine("prepared a bucket"))?;
        if self.state_obstacle.is_none() {
            for batch in query(&session, KEYS).await? {
                found.keys.extend(keys(&batch)?);
            }
            for batch in query(&session, KEYLESS).await? {
                found.keyless.extend(keyless(&batch)?);
            }
        }
        if self.events {
            self.events(&session, shown, &mut found).await?;
        }
        bucket::close(&self.engine, number);
        Ok(found)
    }

    async fn session(&self, number: usize) -> datafusion::error::Result<SessionContext> {
        let (engine, ledgers) = (&self.engine, &self.ledgers);
        let session = if self.events {
            bucket::open(
                engine,
                self.limits,
                ledgers,
                &self.evidence,
                (number, &Suspects::Bucket),
            )
            .await?
        } else {
            bucket::tables(engine, self.limits, ledgers, &self.evidence, number).await?
        };
        let of = |value: fn(&PartitionEvidence) -> i64| self.ends.iter().map(value);
        let topics: StringArray = self.ends.iter().map(|end| Some(&end.topic)).collect();
        let partitions: Int32Array = self.ends.iter().map(|end| end.partition).collect();
        let columns: [(&str, ArrayRef); 3] = [
            ("topic", Arc::new(topics)),
            ("partition", Arc::new(partitions)),
            (
                "recorded_end",
                Arc::new(of(|end| end.end).collect::<Int64Array>()),
            ),
        ];
        let batch = RecordBatch::try_from_iter(columns)?;
        let schema = batch.schema();
        register(&session, "ends", &schema, vec![batch])?;
        Ok(session)
    }

    async fn events(
        &self,
        session: &SessionContext,
        shown: usize,
        found: &mut BucketGap,
    ) -> Result<(), AuditError> {
        for name in ["i1_complete", "i2_invention"] {
            let Some(check) = check(name).filter(|_| !self.event_obstacles.contains_key(name))
            else {
                continue;
            };
            for batch in query(session, check.sql).await? {
                for finding in Rows::new(&batch)?.findings(|_| name.to_owned()) {
                    let finding = finding?;
                    match finding.kind {
                        FindingKind::Lost => found.lost += 1,
                        FindingKind::Phantom | FindingKind::Aborted => found.phantom += 1,
                        _ => continue,
                    }
                    if found.events.len() < shown {
                        found.events.push(finding);
                    }
                }
            }
        }
        Ok(())
    }
}

fn check(name: &str) -> Option<&'static Check> {
    ALL.iter().find(|check| check.name == name)
}

/// As for the check of I8, and stricter: it convicts nobody if records are unread, a repair may not act.
fn state_obstacle(grounds: &Grounds<'_>) -> Option<String> {
    let fold = check("i8_state").and_then(|check| grounds.obstacle(check));
    let truncated = || {
        let text = "tables were truncated: no repair reaches over that (I14)";
        (grounds.amount("truncate") > 0).then(|| text.to_owned())
    };
    fold.or_else(truncated)
        .or_else(|| grounds.reading_gaps().into_iter().next())
        .or_else(|| grounds.undecoded())
        .or_else(|| grounds.arrival_gap())
}

async fn query(session: &SessionContext, sql: &str) -> Result<Vec<RecordBatch>, AuditError> {
    let rows = async { session.sql(sql).await?.collect().await };
    rows.await
        .map_err(AuditError::engine("looked for what is apart"))
}

/// Typed columns of a batch, by name.
struct Cells<'a>(&'a RecordBatch);

impl Cells<'_> {
    fn column(&self, name: &str, data_type: &DataType) -> Result<ArrayRef, AuditError> {
        let array = self.0.column_by_name(name);
        let array = array.ok_or_else(|| AuditError::Row(format!("it has no column '{name}'")))?;
        cast(array, data_type).map_err(|error| AuditError::Row(format!("column '{name}': {error}")))
    }

    fn text(&self, name: &str, row: usize) -> Result<Option<String>, AuditError> {
        let column = self.column(name, &DataType::Utf8)?;
        let texts = column
            .as_string_opt::<i32>()
            .filter(|texts| texts.is_valid(row));
        Ok(texts.map(|texts| texts.value(row).to_owned()))
    }

    fn int(&self, name: &str, row: usize) -> Result<Option<i32>, AuditError> {
        let column = self.column(name, &DataType::Int32)?;
        let ints = column.as_primitive_opt::<Int32Type>();
        Ok(ints
            .filter(|ints| ints.is_valid(row))
            .map(|ints| ints.value(row)))
    }

    fn long(&self, name: &str, row: usize) -> Result<Option<i64>, AuditError> {
        let column = self.column(name, &DataType::Int64)?;
        let longs = column.as_primitive_opt::<Int64Type>();
        Ok(longs
            .filter(|longs| longs.is_valid(row))
            .map(|longs| longs.value(row)))
    }

    fn flag(&self, name: &str, row: usize) -> Result<bool, AuditError> {
        let column = self.column(name, &DataType::Boolean)?;
        let flags = column.as_boolean_opt().filter(|flags| flags.is_valid(row));
        Ok(flags.is_some_and(|flags| flags.value(row)))
    }
}

fn keys(batch: &RecordBatch) -> Result<Vec<KeyState>, AuditError> {
    let cells = Cells(batch);
    let one = |row: usize| -> Result<KeyState, AuditError> {
        let word = cells.text("state", row)?.unwrap_or_default();
        let trouble = KeyTrouble::from_name(&word)
            .ok_or_else(|| AuditError::Row(format!("'{word}' is no state of a key")))?;
        let place = (
            cells.text("topic", row)?,
            cells.int("partition", row)?,
            cells.long("record_offset", row)?,
        );
        let last = match place {
            (Some(topic), Some(partition), Some(offset)) => Some((
                RecordPlace {
                    topic,
                    partition,
                    offset,
                },
                cells.text("op", row)?.unwrap_or_default(),
            )),
            _ => None,
        };
        Ok(KeyState {
            relation: cells.text("relation", row)?.unwrap_or_default(),
            key: cells.text("key", row)?.unwrap_or_default(),
            trouble,
            newer: cells.flag("newer", row)?,
            scattered: cells.flag("scattered", row)?,
            last,
            source: cells.long("source_offset", row)?,
        })
    };
    (0..batch.num_rows()).map(one).collect()
}

fn keyless(batch: &RecordBatch) -> Result<Vec<KeylessGap>, AuditError> {
    let cells = Cells(batch);
    let amount = |name, row| -> Result<u64, AuditError> {
        Ok(u64::try_from(cells.long(name, row)?.unwrap_or(0)).unwrap_or(0))
    };
    let one = |row: usize| -> Result<KeylessGap, AuditError> {
        Ok(KeylessGap {
            relation: cells.text("relation", row)?.unwrap_or_default(),
            too_many: amount("too_many", row)?,
            too_few: amount("too_few", row)?,
        })
    };
    (0..batch.num_rows()).map(one).collect()
}
