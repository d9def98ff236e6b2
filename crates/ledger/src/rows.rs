//! The Parquet form of each row type. Column names are the field names of `model`.

use cutover_model::{ChangeRow, Finding, FindingKind, Half, Outcome, StoredRow, TransactionRow};

use crate::columns::{Cells, ColumnSpec, Columns, Kind, Record};

fn needed<T>(value: Option<T>, name: &str) -> Result<T, String> {
    value.ok_or_else(|| format!("column '{name}' is empty"))
}

impl Record for ChangeRow {
    const FORMAT: &'static str = "cutover.changes/1";
    const COLUMNS: &'static [ColumnSpec] = &[
        ("incarnation", Kind::Int, false),
        ("relation", Kind::Text, false),
        ("op", Kind::Text, false),
        ("key", Kind::Text, true),
        ("key_hash", Kind::Long, false),
        ("before", Kind::Long, true),
        ("after", Kind::Long, true),
        ("revision", Kind::Long, true),
        ("xid", Kind::Long, true),
        ("lsn", Kind::Long, true),
        ("commit_lsn", Kind::Long, true),
        ("ordinal", Kind::Long, true),
        ("half", Kind::Int, false),
        ("origin", Kind::Text, true),
        ("outcome", Kind::Text, true),
        ("resolution", Kind::Text, true),
        ("session", Kind::Int, true),
        ("transaction", Kind::Long, true),
        ("topic", Kind::Text, true),
        ("partition", Kind::Int, true),
        ("record_offset", Kind::Long, true),
        ("time_ms", Kind::Long, true),
        ("compensation", Kind::Text, true),
        ("tx_id", Kind::Text, true),
        ("tx_order", Kind::Long, true),
        ("tx_table_order", Kind::Long, true),
        ("filled", Kind::Long, true),
    ];
    const ADDED: &'static [&'static str] = &[
        "compensation",
        "tx_id",
        "tx_order",
        "tx_table_order",
        "filled",
    ];
    const VARIED: &'static [&'static str] = &["key", "key_hash", "before", "after"];

    fn write(&self, columns: &mut Columns) {
        columns.int(Some(self.incarnation));
        columns.text(Some(&self.relation));
        columns.text(Some(self.op.letter()));
        columns.text(self.key.as_deref());
        columns.long(Some(self.key_hash));
        columns.long(self.before);
        columns.long(self.after);
        columns.long(self.revision);
        columns.long(self.xid);
        columns.long(self.lsn);
        columns.long(self.commit_lsn);
        columns.long(self.ordinal);
        columns.int(Some(self.half.number()));
        columns.text(self.origin.as_deref());
        columns.text(self.outcome.map(Outcome::word));
        columns.text(self.resolution.as_deref());
        columns.int(self.session);
        columns.long(self.transaction);
        columns.text(self.topic.as_deref());
        columns.int(self.partition);
        columns.long(self.record_offset);
        columns.long(self.time_ms);
        columns.text(self.compensation.as_deref());
        columns.text(self.tx_id.as_deref());
        columns.long(self.tx_order);
        columns.long(self.tx_table_order);
        columns.long(self.filled);
    }

    fn read(cells: &mut Cells<'_>) -> Result<ChangeRow, String> {
        Ok(ChangeRow {
            incarnation: needed(cells.int(), "incarnation")?,
            relation: needed(cells.text(), "relation")?.to_owned(),
            op: needed(cells.text(), "op")?.parse()?,
            key: cells.text().map(str::to_owned),
            key_hash: needed(cells.long(), "key_hash")?,
            before: cells.long(),
            after: cells.long(),
            revision: cells.long(),
            xid: cells.long(),
            lsn: cells.long(),
            commit_lsn: cells.long(),
            ordinal: cells.long(),
            half: cells
                .int()
                .and_then(Half::from_number)
                .ok_or("column 'half' is none of 0, 1, 2")?,
            origin: cells.text().map(str::to_owned),
            outcome: cells.text().map(str::parse).transpose()?,
            resolution: cells.text().map(str::to_owned),
            session: cells.int(),
            transaction: cells.long(),
            topic: cells.text().map(str::to_owned),
            partition: cells.int(),
            record_offset: cells.long(),
            time_ms: cells.long(),
            compensation: cells.text().map(str::to_owned),
            tx_id: cells.text().map(str::to_owned),
            tx_order: cells.long(),
            tx_table_order: cells.long(),
            filled: cells.long(),
        })
    }
}

impl Record for StoredRow {
    const FORMAT: &'static str = "cutover.stored/1";
    const COLUMNS: &'static [ColumnSpec] = &[
        ("incarnation", Kind::Int, false),
        ("relation", Kind::Text, false),
        ("key", Kind::Text, true),
        ("key_hash", Kind::Long, false),
        ("image", Kind::Long, true),
        ("revision", Kind::Long, true),
    ];
    const VARIED: &'static [&'static str] = &["key", "key_hash", "image"];

    fn write(&self, columns: &mut Columns) {
        columns.int(Some(self.incarnation));
        columns.text(Some(&self.relation));
        columns.text(self.key.as_deref());
        columns.long(Some(self.key_hash));
        columns.long(self.image);
        columns.long(self.revision);
    }

    fn read(cells: &mut Cells<'_>) -> Result<StoredRow, String> {
        Ok(StoredRow {
            incarnation: needed(cells.int(), "incarnation")?,
            relation: needed(cells.text(), "relation")?.to_owned(),
            key: cells.text().map(str::to_owned),
            key_hash: needed(cells.long(), "key_hash")?,
            image: cells.long(),
            revision: cells.long(),
        })
    }
}

impl Record for TransactionRow {
    const FORMAT: &'static str = "cutover.transactions/1";
    const COLUMNS: &'static [ColumnSpec] = &[
        ("incarnation", Kind::Int, false),
        ("tx_id", Kind::Text, false),
        ("mark", Kind::Text, false),
        ("relation", Kind::Text, true),
        ("events", Kind::Long, true),
        ("topic", Kind::Text, false),
        ("partition", Kind::Int, false),
        ("record_offset", Kind::Long, false),
    ];

    fn write(&self, columns: &mut Columns) {
        columns.int(Some(self.incarnation));
        columns.text(Some(&self.tx_id));
        columns.text(Some(self.mark.word()));
        columns.text(self.relation.as_deref());
        columns.long(self.events);
        columns.text(Some(&self.topic));
        columns.int(Some(self.partition));
        columns.long(Some(self.record_offset));
    }

    fn read(cells: &mut Cells<'_>) -> Result<TransactionRow, String> {
        Ok(TransactionRow {
            incarnation: needed(cells.int(), "incarnation")?,
            tx_id: needed(cells.text(), "tx_id")?.to_owned(),
            mark: needed(cells.text(), "mark")?.parse()?,
            relation: cells.text().map(str::to_owned),
            events: cells.long(),
            topic: needed(cells.text(), "topic")?.to_owned(),
            partition: needed(cells.int(), "partition")?,
            record_offset: needed(cells.long(), "record_offset")?,
        })
    }
}

impl Record for Finding {
    const FORMAT: &'static str = "cutover.findings/1";
    const COLUMNS: &'static [ColumnSpec] = &[
        ("check", Kind::Text, false),
        ("kind", Kind::Text, false),
        ("incarnation", Kind::Int, true),
        ("relation", Kind::Text, false),
        ("key", Kind::Text, true),
        ("op", Kind::Text, true),
        ("revision", Kind::Long, true),
        ("lsn", Kind::Long, true),
        ("xid", Kind::Long, true),
        ("topic", Kind::Text, true),
        ("partition", Kind::Int, true),
        ("record_offset", Kind::Long, true),
        ("detail", Kind::Text, false),
    ];

    fn write(&self, columns: &mut Columns) {
        columns.text(Some(&self.check));
        columns.text(Some(self.kind.name()));
        columns.int(self.incarnation);
        columns.text(Some(&self.relation));
        columns.text(self.key.as_deref());
        columns.text(self.op.as_deref());
        columns.long(self.revision);
        columns.long(self.lsn);
        columns.long(self.xid);
        columns.text(self.topic.as_deref());
        columns.int(self.partition);
        columns.long(self.record_offset);
        columns.text(Some(&self.detail));
    }

    fn read(cells: &mut Cells<'_>) -> Result<Finding, String> {
        Ok(Finding {
            check: needed(cells.text(), "check")?.to_owned(),
            kind: cells
                .text()
                .and_then(FindingKind::from_name)
                .ok_or("column 'kind' names no kind of finding")?,
            incarnation: cells.int(),
            relation: needed(cells.text(), "relation")?.to_owned(),
            key: cells.text().map(str::to_owned),
            op: cells.text().map(str::to_owned),
            revision: cells.long(),
            lsn: cells.long(),
            xid: cells.long(),
            topic: cells.text().map(str::to_owned),
            partition: cells.int(),
            record_offset: cells.long(),
            detail: needed(cells.text(), "detail")?.to_owned(),
        })
    }
}
