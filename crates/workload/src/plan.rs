//! One transaction before it runs: statements and, for each, the change rows it must cause.
//!
//! A plan is a value made without I/O by a shape (`shapes/`), from the session's rows and a random
//! number generator. The session executes the steps and writes the changes into the attempted
//! ledger with whatever became of the transaction; so the plan must foresee every change exactly,
//! in statement order.

use std::borrow::Cow;

use bytes::BytesMut;
use cutover_model::{Half, Op};
use tokio_postgres::types::{IsNull, ToSql, Type, to_sql_checked};

use crate::content::{CustomerContent, OrderContent};
use crate::revision::{CHANGES_MAX, revision};
use crate::rows::{NextIds, OwnRows, Row};
use crate::tables::{self, Table};

/// A statement parameter.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// `int8`; smaller numbers are cast by the statement.
    Int(i64),
    /// `text`, or anything that the statement casts from text.
    Text(String),
    /// `bool`.
    Bool(bool),
    /// NULL.
    Null,
}

impl ToSql for Value {
    fn to_sql(
        &self,
        ty: &Type,
        out: &mut BytesMut,
    ) -> Result<IsNull, Box<dyn std::error::Error + Sync + Send>> {
        match self {
            Value::Int(value) => value.to_sql(ty, out),
            Value::Text(value) => value.to_sql(ty, out),
            Value::Bool(value) => value.to_sql(ty, out),
            Value::Null => Ok(IsNull::Yes),
        }
    }

    fn accepts(ty: &Type) -> bool {
        matches!(*ty, Type::INT8 | Type::TEXT | Type::BOOL)
    }

    to_sql_checked!();
}

/// One thing to do inside the transaction.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// A prepared statement; `rows` is how many rows it must touch.
    Statement {
        /// Text with `$n` parameters.
        sql: Cow<'static, str>,
        /// Parameters.
        values: Vec<Value>,
        /// Rows it must report; another number means that session and server disagree.
        rows: u64,
    },
    /// COPY FROM STDIN in text format.
    Copy {
        /// The COPY statement.
        sql: String,
        /// All lines.
        data: String,
        /// Rows it must report.
        rows: u64,
    },
    /// A command without parameters or rows (savepoints).
    Command(&'static str),
    /// Leave the transaction open for the configured time.
    Hold,
}

/// One change row that the plan causes.
#[derive(Debug, Clone, PartialEq)]
pub struct PlannedChange {
    /// Table.
    pub table: Table,
    /// `c`, `u` or `d`.
    pub op: Op,
    /// Half of a key update, or whole.
    pub half: Half,
    /// Identity of the row (`order_id` of an event).
    pub id: i64,
    /// What the ledger's `revision` must be: of the new row, for a delete of the old row.
    pub revision: i64,
    /// Revision of the row before, if there was one.
    pub previous: Option<i64>,
    /// False when a savepoint, or the plan's own ROLLBACK, takes it back.
    pub survives: bool,
}

/// How the plan wants its transaction to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Intent {
    /// COMMIT.
    Commit,
    /// ROLLBACK.
    Rollback,
}

/// One transaction, ready to run.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// Name of the shape.
    pub shape: &'static str,
    /// Number of the transaction in its session.
    pub number: u64,
    /// What to do, in order.
    pub steps: Vec<Step>,
    /// What it causes, in order.
    pub changes: Vec<PlannedChange>,
    /// How it ends.
    pub intent: Intent,
    /// Identities that are free after this plan.
    pub next: NextIds,
}

/// A version of a row whose presence tells whether the plan's transaction was committed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Proof {
    /// Table to look in.
    pub table: Table,
    /// The version to look for.
    pub row: Row,
    /// It is there if the transaction was committed, and only then; or the other way round.
    pub there_if_committed: bool,
}

impl Plan {
    /// The row to look at when nobody said what became of COMMIT; `None` if no row would tell.
    pub fn proof(&self) -> Option<Proof> {
        let surviving = || self.changes.iter().filter(|change| change.survives);
        let made_here = |revision: i64| {
            surviving().any(|change| change.op != Op::Delete && change.revision == revision)
        };
        let replaced_here =
            |revision: i64| surviving().any(|change| change.previous == Some(revision));
        surviving().rev().find_map(|change| {
            let (revision, there_if_committed) = match (change.op, change.previous) {
                (Op::Delete, Some(old)) if !made_here(old) => (old, false),
                (Op::Create | Op::Update, _) if !replaced_here(change.revision) => {
                    (change.revision, true)
                }
                _ => return None,
            };
            Some(Proof {
                table: change.table,
                row: Row {
                    id: change.id,
                    revision,
                },
                there_if_committed,
            })
        })
    }
}

/// Which try of which transaction a draft is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Turn {
    /// Session.
    pub session: u16,
    /// Number of the transaction in the session.
    pub number: u64,
    /// Try of this transaction, from 0. Content is the same in each try; revisions are not.
    pub attempt: u32,
}

/// Collects the steps and changes of one transaction while a shape writes it down.
#[derive(Debug)]
pub struct Draft {
    turn: Turn,
    plan: Plan,
    savepoint: usize,
}

impl Draft {
    /// An empty transaction.
    pub fn new(shape: &'static str, turn: Turn, own: &OwnRows) -> Draft {
        Draft {
            turn,
            plan: Plan {
                shape,
                number: turn.number,
                steps: Vec::new(),
                changes: Vec::new(),
                intent: Intent::Commit,
                next: own.next,
            },
            savepoint: 0,
        }
    }

    /// The finished plan.
    pub fn finish(self) -> Plan {
        self.plan
    }

    /// How many more changes fit.
    pub fn room(&self) -> usize {
        CHANGES_MAX - self.plan.changes.len()
    }

    fn next_revision(&self) -> i64 {
        let Turn {
            session,
            number,
            attempt,
        } = self.turn;
        revision(session, number, attempt, self.plan.changes.len())
    }

    fn statement(&mut self, sql: impl Into<Cow<'static, str>>, values: Vec<Value>, rows: usize) {
        self.plan.steps.push(Step::Statement {
            sql: sql.into(),
            values,
            rows: rows as u64,
        });
    }

    fn change(&mut self, table: Table, op: Op, row: Row, previous: Option<i64>) {
        self.plan.changes.push(PlannedChange {
            table,
            op,
            half: Half::Whole,
            id: row.id,
            revision: row.revision,
            previous,
            survives: true,
        });
    }

    /// Inserts a customer.
    pub fn insert_customer(&mut self, content: CustomerContent) -> Row {
        let row = Row {
            id: self.plan.next.customer,
            revision: self.next_revision(),
        };
        self.plan.next.customer += 1;
        self.statement(tables::INSERT_CUSTOMER, content.values(row), 1);
        self.change(Table::Customers, Op::Create, row, None);
        row
    }

    /// Updates a customer.
    pub fn update_customer(&mut self, old: Row, content: &CustomerContent) -> Row {
        let row = Row {
            id: old.id,
            revision: self.next_revision(),
        };
        let values = vec![
            Value::Int(row.id),
            Value::Text(content.tier.into()),
            Value::Text(content.balance.clone()),
            Value::Bool(content.active),
            Value::Text(content.profile.clone()),
            Value::Int(row.revision),
        ];
        self.statement(tables::UPDATE_CUSTOMER, values, 1);
        self.change(Table::Customers, Op::Update, row, Some(old.revision));
        row
    }

    /// Deletes a customer.
    pub fn delete_customer(&mut self, old: Row) {
        self.statement(tables::DELETE_CUSTOMER, vec![Value::Int(old.id)], 1);
        self.change(Table::Customers, Op::Delete, old, Some(old.revision));
    }

    fn new_orders(&mut self, contents: &[OrderContent]) -> Vec<Row> {
        let mut rows = Vec::with_capacity(contents.len());
        for _ in contents {
            let row = Row {
                id: self.plan.next.order,
                revision: self.next_revision(),
            };
            self.plan.next.order += 1;
            self.change(Table::Orders, Op::Create, row, None);
            rows.push(row);
        }
        rows
    }

    /// Inserts orders with one INSERT of several rows.
    pub fn insert_orders(&mut self, contents: &[OrderContent]) -> Vec<Row> {
        let rows = self.new_orders(contents);
        let values = contents
            .iter()
            .zip(&rows)
            .flat_map(|(content, row)| content.values(*row))
            .collect();
        self.statement(tables::insert_orders(rows.len()), values, rows.len());
        rows
    }

    /// Inserts orders with COPY: their changes can share one LSN.
    pub fn copy_orders(&mut self, contents: &[OrderContent]) -> Vec<Row> {
        let rows = self.new_orders(contents);
        let mut data = String::new();
        for (content, row) in contents.iter().zip(&rows) {
            copy_line(&mut data, &content.values(*row));
        }
        self.plan.steps.push(Step::Copy {
            sql: tables::copy_orders(),
            data,
            rows: rows.len() as u64,
        });
        rows
    }

    /// Moves an order on in its life.
    pub fn update_order_status(&mut self, old: Row, content: &OrderContent) -> Row {
        let row = Row {
            id: old.id,
            revision: self.next_revision(),
        };
        let values = vec![
            Value::Int(row.id),
            Value::Text(content.status.into()),
            content.due.clone().map_or(Value::Null, Value::Text),
            content.tracking.clone().map_or(Value::Null, Value::Text),
            Value::Int(row.revision),
        ];
        self.statement(tables::UPDATE_ORDER_STATUS, values, 1);
        self.change(Table::Orders, Op::Update, row, Some(old.revision));
        row
    }

    /// Changes what an order is about.
    pub fn update_order_amount(&mut self, old: Row, content: &OrderContent) -> Row {
        let row = Row {
            id: old.id,
            revision: self.next_revision(),
        };
        let values = vec![
            Value::Int(row.id),
            Value::Text(content.amount.clone()),
            Value::Int(content.quantity),
            content.note.clone().map_or(Value::Null, Value::Text),
            Value::Int(row.revision),
        ];
        self.statement(tables::UPDATE_ORDER_AMOUNT, values, 1);
        self.change(Table::Orders, Op::Update, row, Some(old.revision));
        row
    }

    /// Gives an order another primary key: two changes, as a consumer of Kafka sees them.
    pub fn update_order_key(&mut self, old: Row) -> Row {
        self.change(Table::Orders, Op::Delete, old, Some(old.revision));
        let row = Row {
            id: self.plan.next.order,
            revision: self.next_revision(),
        };
        self.plan.next.order += 1;
        self.change(Table::Orders, Op::Create, row, None);
        for (change, half) in self
            .plan
            .changes
            .iter_mut()
            .rev()
            .zip([Half::NewKey, Half::OldKey])
        {
            change.half = half;
        }
        let values = [old.id, row.id, row.revision].map(Value::Int).to_vec();
        self.statement(tables::UPDATE_ORDER_KEY, values, 1);
        row
    }

    /// Deletes an order.
    pub fn delete_order(&mut self, old: Row) {
        self.statement(tables::DELETE_ORDER, vec![Value::Int(old.id)], 1);
        self.change(Table::Orders, Op::Delete, old, Some(old.revision));
    }

    /// Inserts an event of an order.
    pub fn insert_event(&mut self, order: Row, kind: &str, at: String) -> Row {
        let row = Row {
            id: order.id,
            revision: self.next_revision(),
        };
        let values = vec![
            Value::Int(row.id),
            Value::Text(kind.into()),
            Value::Text(at),
            Value::Int(row.revision),
        ];
        self.statement(tables::INSERT_EVENT, values, 1);
        self.change(Table::OrderEvents, Op::Create, row, None);
        row
    }

    /// Updates one event, found by its whole content, since there is no key.
    pub fn update_event(&mut self, old: Row, kind: &str) -> Row {
        let row = Row {
            id: old.id,
            revision: self.next_revision(),
        };
        let values = vec![
            Value::Int(old.id),
            Value::Int(old.revision),
            Value::Text(kind.into()),
            Value::Int(row.revision),
        ];
        self.statement(tables::UPDATE_EVENT, values, 1);
        self.change(Table::OrderEvents, Op::Update, row, Some(old.revision));
        row
    }

    /// Deletes one event.
    pub fn delete_event(&mut self, old: Row) {
        let values = [old.id, old.revision].map(Value::Int).to_vec();
        self.statement(tables::DELETE_EVENT, values, 1);
        self.change(Table::OrderEvents, Op::Delete, old, Some(old.revision));
    }

    /// Leaves the transaction open for the configured time.
    pub fn hold(&mut self) {
        self.plan.steps.push(Step::Hold);
    }

    /// Sets the savepoint.
    pub fn savepoint(&mut self) {
        self.savepoint = self.plan.changes.len();
        self.plan.steps.push(Step::Command("savepoint step"));
    }

    /// Takes back everything since the savepoint. Rows of before are again what they were.
    pub fn rollback_to_savepoint(&mut self) {
        for change in &mut self.plan.changes[self.savepoint..] {
            change.survives = false;
        }
        self.plan
            .steps
            .push(Step::Command("rollback to savepoint step"));
    }

    /// Ends the transaction with ROLLBACK instead of COMMIT.
    pub fn roll_back(&mut self) {
        self.plan.intent = Intent::Rollback;
        for change in &mut self.plan.changes {
            change.survives = false;
        }
    }
}

fn copy_line(data: &mut String, values: &[Value]) {
    for (index, value) in values.iter().enumerate() {
        if index > 0 {
            data.push('\t');
        }
        match value {
            Value::Int(number) => data.push_str(&number.to_string()),
            Value::Bool(flag) => data.push_str(if *flag { "t" } else { "f" }),
            Value::Null => data.push_str("\\N"),
            Value::Text(text) => {
                for letter in text.chars() {
                    match letter {
                        '\\' => data.push_str("\\\\"),
                        '\t' => data.push_str("\\t"),
                        '\n' => data.push_str("\\n"),
                        '\r' => data.push_str("\\r"),
                        other => data.push(other),
                    }
                }
            }
        }
    }
    data.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copy_text_cannot_break_out_of_its_cell() {
        let mut data = String::new();
        let hostile = Value::Text("a\tb\nc\\N\r".into());
        copy_line(&mut data, &[Value::Int(1), hostile, Value::Null]);
        assert_eq!(data, "1\ta\\tb\\nc\\\\N\\r\t\\N\n");
    }
}
