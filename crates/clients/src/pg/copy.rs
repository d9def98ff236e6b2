//! COPY out over our own protocol client: rows are looked at where they arrived, without one allocation or copy each.
//!
//! Blocking: it belongs to a thread of its own. A session holds one snapshot from [`Snapshot::open`] until it is
//! dropped, so everything read through it is of one moment. The rules it protects: row security must not hide rows
//! (the server refuses instead), and the text of a value must not depend on the server's own settings.

use std::time::Duration;

use bytes::BytesMut;
use cutover_model::table::quote_literal;
use postgres_protocol::message::backend::Message;
use postgres_protocol::message::frontend;

use super::login;
use super::wire::Wire;
use super::{PgAddress, PgError};

/// The longest silence: a server that sorts a large table says nothing meanwhile.
const PATIENCE: Duration = Duration::from_secs(6 * 3600);

/// Beyond `SESSION_SETTINGS`: what else the text of a value depends on, and what may end or narrow a long read.
const PARAMETERS: [(&str, &str); 5] = [
    ("application_name", "cutover-tables"),
    ("lc_monetary", "C"),
    ("row_security", "off"),
    ("statement_timeout", "0"),
    ("idle_in_transaction_session_timeout", "0"),
];

/// A session that reads from one snapshot.
pub struct Snapshot {
    wire: Wire,
    version: String,
}

impl std::fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Snapshot")
            .field("version", &self.version)
            .finish_non_exhaustive()
    }
}

impl Snapshot {
    /// Connects, logs in, and opens a read-only transaction; the snapshot is taken by the first statement. `more` are
    /// further settings of the session.
    ///
    /// # Errors
    /// The server cannot be reached, or refuses.
    pub fn open(address: &PgAddress, more: &[(&str, &str)]) -> Result<Snapshot, PgError> {
        let mut wire = Wire::connect(address)?;
        let parameters = [&PARAMETERS, more].concat();
        let welcome = login::login(&mut wire, address, &parameters)?;
        let mut snapshot = Snapshot {
            wire,
            version: welcome.server_version,
        };
        let what = format!("opening a snapshot of {address}");
        snapshot.send("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")?;
        while !matches!(snapshot.message(&what)?, Message::ReadyForQuery(_)) {}
        Ok(snapshot)
    }

    /// The same, of a snapshot that another session holds.
    ///
    /// # Errors
    /// As [`Snapshot::open`], or nobody holds such a snapshot.
    pub fn open_at(address: &PgAddress, name: &str) -> Result<Snapshot, PgError> {
        let mut snapshot = Snapshot::open(address, &[])?;
        let what = "taking over a snapshot".to_owned();
        snapshot.send(&format!("SET TRANSACTION SNAPSHOT {}", quote_literal(name)))?;
        while !matches!(snapshot.message(&what)?, Message::ReadyForQuery(_)) {}
        Ok(snapshot)
    }

    /// The server's version as it says it.
    pub fn server_version(&self) -> &str {
        &self.version
    }

    /// Sends the rows of a query as COPY's text.
    ///
    /// # Errors
    /// The server refused, or the session broke.
    pub fn copy(&mut self, query: &str, what: &str) -> Result<CopyRows<'_>, PgError> {
        self.copy_as(CopyForm::Text, query, what)
    }

    /// Sends the rows of a query in one of COPY's forms.
    ///
    /// # Errors
    /// The server refused, or the session broke.
    pub fn copy_as(
        &mut self,
        form: CopyForm,
        query: &str,
        what: &str,
    ) -> Result<CopyRows<'_>, PgError> {
        let format = match form {
            CopyForm::Text => "text",
            CopyForm::Binary => "binary",
        };
        self.send(&format!("COPY ({query}) TO STDOUT (FORMAT {format})"))?;
        while !matches!(self.message(what)?, Message::CopyOutResponse(_)) {}
        Ok(CopyRows {
            wire: &mut self.wire,
            what: what.to_owned(),
            form,
            length: 0,
            ended: false,
        })
    }

    /// All rows of a small query, each a list of its values; `None` is NULL.
    ///
    /// # Errors
    /// As [`Snapshot::copy`], or text that is not UTF-8.
    pub fn table(&mut self, query: &str, what: &str) -> Result<Vec<Vec<Option<String>>>, PgError> {
        let mut rows = self.copy(query, what)?;
        let mut table = Vec::new();
        while rows.advance()? {
            let fields = rows.row().split(|byte| *byte == b'\t');
            let values: Option<Vec<Option<String>>> = fields.map(value).collect();
            table.push(values.ok_or_else(|| PgError::Protocol {
                what: what.to_owned(),
                reason: "text that is not UTF-8".to_owned(),
            })?);
        }
        Ok(table)
    }

    fn send(&mut self, sql: &str) -> Result<(), PgError> {
        let mut out = BytesMut::new();
        frontend::query(sql, &mut out).map_err(|error| PgError::Protocol {
            what: "writing a statement".to_owned(),
            reason: error.to_string(),
        })?;
        self.wire.send(&out)
    }

    fn message(&mut self, what: &str) -> Result<Message, PgError> {
        login::parse(self.wire.answer(what, PATIENCE)?, what)
    }
}

/// `Some(None)` is NULL, `None` is text that is not UTF-8.
#[expect(clippy::option_option, reason = "NULL and failure are two things")]
fn value(field: &[u8]) -> Option<Option<String>> {
    match field {
        b"\\N" => Some(None),
        field => String::from_utf8(unescape(field)).ok().map(Some),
    }
}

/// How COPY writes rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CopyForm {
    /// A line for each row.
    Text,
    /// The types' own binary forms, with a header before the first row and a mark behind the last one.
    Binary,
}

/// Rows of one COPY. Dropping it before the end leaves the session unusable.
pub struct CopyRows<'s> {
    wire: &'s mut Wire,
    what: String,
    form: CopyForm,
    /// Length of the message that holds the current row; 0 before the first and after the last.
    length: usize,
    ended: bool,
}

/// Header of a message, and the line break that ends a row.
const BEFORE_ROW: usize = 5;
const AFTER_ROW: usize = 1;

impl CopyRows<'_> {
    /// Goes to the next row; false after the last one, when the server has said that the COPY is complete.
    ///
    /// # Errors
    /// The server broke off, or the session did.
    pub fn advance(&mut self) -> Result<bool, PgError> {
        if self.ended {
            return Ok(false);
        }
        self.wire.discard(self.length);
        self.length = 0;
        loop {
            let (tag, length) = self.wire.peek(&self.what, PATIENCE)?;
            match tag {
                b'd' => {
                    self.length = length;
                    return self.one_row();
                }
                b'Z' => {
                    self.wire.discard(length);
                    self.ended = true;
                    return Ok(false);
                }
                // The end of the data, the server's notices and settings; or its error, which ends the reading.
                _ => {
                    login::parse(self.wire.answer(&self.what, PATIENCE)?, &self.what)?;
                }
            }
        }
    }

    /// A server sends one row in each message (the protocol's words on CopyData). In the binary form the header stands
    /// before the first, and whoever reads it sees where a row ends.
    fn one_row(&self) -> Result<bool, PgError> {
        if self.form == CopyForm::Binary {
            return Ok(true);
        }
        if self.wire.peeked(self.length).last() == Some(&b'\n') {
            return Ok(true);
        }
        Err(PgError::Protocol {
            what: self.what.clone(),
            reason: "a message that is not one row".to_owned(),
        })
    }

    /// The current row with its line break, or, in the binary form, all of the message.
    pub fn line(&self) -> &[u8] {
        self.wire
            .peeked(self.length)
            .get(BEFORE_ROW..)
            .unwrap_or_default()
    }

    /// The current row without its line break: values between tabs, escaped as COPY does.
    pub fn row(&self) -> &[u8] {
        let end = self.length.saturating_sub(AFTER_ROW);
        self.wire.peeked(end).get(BEFORE_ROW..).unwrap_or_default()
    }
}

/// Takes COPY's backslash escapes back.
pub fn unescape(field: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(field.len());
    let mut rest = field.iter();
    while let Some(byte) = rest.next() {
        if *byte != b'\\' {
            bytes.push(*byte);
            continue;
        }
        bytes.push(match rest.next() {
            Some(b'b') => 8,
            Some(b'f') => 12,
            Some(b'n') => b'\n',
            Some(b'r') => b'\r',
            Some(b't') => b'\t',
            Some(b'v') => 11,
            Some(other) => *other,
            None => b'\\',
        });
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_of_copy_are_taken_back() {
        assert_eq!(
            unescape(b"a\\tb\\\\c\\n\\r\\b\\f\\v"),
            b"a\tb\\c\n\r\x08\x0c\x0b"
        );
        assert_eq!(unescape(b"plain"), b"plain");
        assert_eq!(value(b"\\N"), Some(None));
        assert_eq!(value(b"\\\\N"), Some(Some("\\N".to_owned())));
    }
}
