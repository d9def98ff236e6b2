//! From pgoutput messages to rows of the committed ledger.
//!
//! Rows are written as they come, so memory does not grow with a transaction; every row carries the commit LSN that
//! BEGIN announces. The server may send a transaction again after a reconnect. Two facts make skipping exact:
//! transactions arrive in the order of their commit LSNs, and decoding one twice gives the same changes in
//! the same order. So a transaction at or before the last one written is skipped whole, and of the one that
//! the break interrupted exactly the ordinals already written.

use std::collections::HashMap;
use std::sync::Arc;

use cutover_clients::pg::PgError;
use cutover_clients::pg::pgoutput::{self, Cell, Message, OldKind, OldTuple};
use cutover_ledger::LedgerError;
use cutover_model::{ChangeRow, Half, Lsn, Op, Relation, TableShape};

use super::tracked::{Tracked, Work};
use crate::canonical::{Version, change_key_hash};
use crate::notes::Notes;
use crate::{Alterations, RecordError};

/// µs from 1970 to 2000, where PostgreSQL's clock starts.
const POSTGRES_EPOCH_US: i64 = 946_684_800_000_000;

/// What a message meant for the reader's position.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Nothing: inside a transaction, or a description.
    Within,
    /// A transaction is complete; a reader that has it goes on at `end`.
    Committed {
        /// End of the COMMIT record.
        end: Lsn,
    },
    /// A marker was read; everything committed before it has been.
    Marker {
        /// Its content.
        token: String,
        /// Start of its record.
        lsn: Lsn,
    },
}

/// Where rows go.
pub(super) type Append<'a> = dyn FnMut(&ChangeRow) -> Result<(), LedgerError> + 'a;

struct Open {
    commit_lsn: Lsn,
    time_ms: i64,
    xid: u32,
    origin: Option<String>,
    ordinal: i64,
    /// Ordinals below it are in the ledger already.
    first_new: i64,
}

/// One row of the ledger to be.
struct Change {
    op: Op,
    half: Half,
    before: Option<Version>,
    after: Option<Version>,
}

impl Change {
    fn new(op: Op, before: Option<Version>, after: Option<Version>) -> Change {
        Change {
            op,
            half: Half::Whole,
            before,
            after,
        }
    }
}

pub(super) struct Assembly {
    incarnation: i32,
    marker_prefix: String,
    shapes: HashMap<Relation, TableShape>,
    /// By relation oid; `None` for a table that is not in the configuration.
    relations: HashMap<u32, Option<Arc<Tracked>>>,
    open: Option<Open>,
    last_commit: Lsn,
    /// Commit LSN of a transaction that is partly written, and the first ordinal that is not.
    partial: Option<(Lsn, i64)>,
    changes: u64,
    out_of_scope: u64,
    work: Work,
    alterations: Alterations,
}

impl Assembly {
    pub(super) fn new(incarnation: i32, shapes: &[TableShape], marker_prefix: &str) -> Assembly {
        let by_name = |shape: &TableShape| (shape.relation.clone(), shape.clone());
        Assembly {
            incarnation,
            marker_prefix: marker_prefix.to_owned(),
            shapes: shapes.iter().map(by_name).collect(),
            relations: HashMap::new(),
            open: None,
            last_commit: Lsn::INVALID,
            partial: None,
            changes: 0,
            out_of_scope: 0,
            work: Work::default(),
            alterations: Alterations::default(),
        }
    }

    /// A new stream begins: what the old one had under way will be sent again, table descriptions too.
    pub(super) fn restart(&mut self) {
        self.open = None;
        self.relations.clear();
    }

    /// Between BEGIN and COMMIT.
    pub(super) fn inside(&self) -> bool {
        self.open.is_some()
    }

    /// Rows of a transaction whose COMMIT has not been read are in the ledger.
    pub(super) fn half_written(&self) -> bool {
        self.partial.is_some()
    }

    pub(super) fn changes(&self) -> u64 {
        self.changes
    }

    pub(super) fn out_of_scope(&self) -> u64 {
        self.out_of_scope
    }

    /// Content that was not compared.
    pub(super) fn notes(&self) -> &Notes {
        &self.work.notes
    }

    /// What became of the tables since they were described.
    pub(super) fn alterations(&self) -> &Alterations {
        &self.alterations
    }

    /// Takes one message; `lsn` is that of the frame, which is the LSN of the change.
    pub(super) fn take(
        &mut self,
        lsn: Lsn,
        payload: &[u8],
        append: &mut Append<'_>,
    ) -> Result<Step, RecordError> {
        match pgoutput::decode(payload).map_err(PgError::from)? {
            Message::Begin {
                final_lsn,
                commit_time_us,
                xid,
            } => {
                self.begin(final_lsn, commit_time_us, xid)?;
            }
            Message::Commit {
                commit_lsn,
                end_lsn,
                ..
            } => return self.commit(commit_lsn, end_lsn),
            Message::Origin { name, .. } => self.open()?.origin = Some(name.to_owned()),
            Message::Relation {
                oid,
                schema,
                name,
                columns,
                ..
            } => {
                let shape = self.shapes.get(&Relation::new(schema, name));
                let tracked = match shape {
                    Some(shape) => {
                        let content = self.alterations.note(shape, &columns)?;
                        Some(Arc::new(Tracked::new(shape, &columns, content)))
                    }
                    None => None,
                };
                self.relations.insert(oid, tracked);
            }
            Message::Type { .. } => {}
            Message::Message {
                lsn,
                prefix,
                content,
                ..
            } => {
                if prefix == self.marker_prefix {
                    let token = String::from_utf8_lossy(content).into_owned();
                    return Ok(Step::Marker { token, lsn });
                }
            }
            change => self.change(lsn, &change, append)?,
        }
        Ok(Step::Within)
    }

    /// The messages that are changes of rows.
    fn change(
        &mut self,
        lsn: Lsn,
        message: &Message<'_>,
        append: &mut Append<'_>,
    ) -> Result<(), RecordError> {
        let oids = match message {
            Message::Insert { oid, .. }
            | Message::Update { oid, .. }
            | Message::Delete { oid, .. } => std::slice::from_ref(oid),
            Message::Truncate { oids, .. } => oids.as_slice(),
            _ => &[],
        };
        for oid in oids {
            let Some(table) = self.table(*oid)? else {
                continue;
            };
            match message {
                Message::Insert { new, .. } => {
                    let after = new_side(&table, new, None, &mut self.work)?;
                    let change = Change::new(Op::Create, None, Some(after));
                    self.write(&table, lsn, change, append)?;
                }
                Message::Update { old, new, .. } => {
                    for change in update(&table, old.as_ref(), new, &mut self.work)? {
                        self.write(&table, lsn, change, append)?;
                    }
                }
                Message::Delete { old, .. } => {
                    let before = old_side(&table, old, &mut self.work)?;
                    let change = Change::new(Op::Delete, Some(before), None);
                    self.write(&table, lsn, change, append)?;
                }
                _ => self.write(&table, lsn, Change::new(Op::Truncate, None, None), append)?,
            }
        }
        Ok(())
    }

    fn begin(&mut self, commit_lsn: Lsn, time_us: i64, xid: u32) -> Result<(), RecordError> {
        if self.open.is_some() {
            return Err(out_of_order("a transaction began inside another"));
        }
        let written_whole = commit_lsn <= self.last_commit;
        let first_new = match self.partial {
            _ if written_whole => i64::MAX,
            None => 0,
            Some((partial, next)) if partial == commit_lsn => next,
            Some(_) => {
                return Err(out_of_order(
                    "the transaction that a lost connection interrupted was not sent again",
                ));
            }
        };
        self.open = Some(Open {
            commit_lsn,
            time_ms: time_us.saturating_add(POSTGRES_EPOCH_US).div_euclid(1000),
            xid,
            origin: None,
            ordinal: 0,
            first_new,
        });
        Ok(())
    }

    fn commit(&mut self, commit_lsn: Lsn, end: Lsn) -> Result<Step, RecordError> {
        match self.open.take() {
            Some(open) if open.commit_lsn == commit_lsn => {}
            _ => {
                return Err(out_of_order(
                    "a COMMIT that does not belong to the last BEGIN",
                ));
            }
        }
        if commit_lsn > self.last_commit {
            self.last_commit = commit_lsn;
            self.partial = None;
        }
        Ok(Step::Committed { end })
    }

    fn write(
        &mut self,
        table: &Tracked,
        lsn: Lsn,
        change: Change,
        append: &mut Append<'_>,
    ) -> Result<(), RecordError> {
        let incarnation = self.incarnation;
        let open = self.open()?;
        let ordinal = open.ordinal;
        open.ordinal += 1;
        if ordinal < open.first_new {
            return Ok(());
        }
        let mut row = ChangeRow::new(incarnation, table.name(), change.op);
        row.xid = Some(i64::from(open.xid));
        row.commit_lsn = Some(open.commit_lsn.as_i64());
        row.time_ms = Some(open.time_ms);
        row.origin.clone_from(&open.origin);
        let written = (open.commit_lsn, ordinal + 1);
        row.lsn = Some(lsn.as_i64());
        row.ordinal = Some(ordinal);
        row.half = change.half;
        row.before = change.before.as_ref().and_then(|side| side.hash);
        row.after = change.after.as_ref().and_then(|side| side.hash);
        let last = change.after.or(change.before).unwrap_or_default();
        row.revision = last.revision;
        row.key = last.key;
        row.key_hash = change_key_hash(table.name(), row.key.as_deref(), row.before, row.after);
        append(&row)?;
        self.partial = Some(written);
        self.changes += 1;
        Ok(())
    }

    fn open(&mut self) -> Result<&mut Open, RecordError> {
        let outside = || out_of_order("a change outside a transaction");
        self.open.as_mut().ok_or_else(outside)
    }

    /// The table of a change; `None` (and counted) when it is none of ours.
    fn table(&mut self, oid: u32) -> Result<Option<Arc<Tracked>>, RecordError> {
        let Some(known) = self.relations.get(&oid) else {
            return Err(out_of_order("a change of a table that was not described"));
        };
        if known.is_none() {
            self.out_of_scope += 1;
        }
        Ok(known.clone())
    }
}

/// An update is one change, or two when it moves the row to another key.
fn update(
    table: &Tracked,
    old: Option<&OldTuple<'_>>,
    new: &[Cell<'_>],
    work: &mut Work,
) -> Result<Vec<Change>, RecordError> {
    let after = new_side(table, new, old, work)?;
    let before = old.map(|old| old_side(table, old, work)).transpose()?;
    let old_key = before.as_ref().and_then(|side| side.key.as_ref());
    if old_key.is_none_or(|old_key| after.key.as_ref() == Some(old_key)) {
        return Ok(vec![Change::new(Op::Update, before, Some(after))]);
    }
    let halves = [
        (Half::OldKey, Change::new(Op::Delete, before, None)),
        (Half::NewKey, Change::new(Op::Create, None, Some(after))),
    ];
    Ok(halves
        .into_iter()
        .map(|(half, change)| Change { half, ..change })
        .collect())
}

/// The new version of a row. A large value that the update did not touch is taken from the old one if that is
/// complete; otherwise the row has no image.
fn new_side(
    table: &Tracked,
    new: &[Cell<'_>],
    old: Option<&OldTuple<'_>>,
    work: &mut Work,
) -> Result<Version, RecordError> {
    let full = old.filter(|old| old.kind == OldKind::Full);
    table.side(new, full.map(|old| old.tuple.as_slice()), work)
}

/// The old version of a row; from a key tuple only the key is known, and only if it covers the whole key.
fn old_side(table: &Tracked, old: &OldTuple<'_>, work: &mut Work) -> Result<Version, RecordError> {
    match old.kind {
        OldKind::Full => table.side(&old.tuple, None, work),
        OldKind::Key => table.key_side(&old.tuple, work),
    }
}

fn out_of_order(what: &str) -> RecordError {
    RecordError::Witness(format!("the stream is out of order: {what}"))
}
