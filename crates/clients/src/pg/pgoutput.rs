//! Decoder of the `pgoutput` plugin's messages, protocol version 1 (whole transactions in commit order).
//!
//! Pure: bytes in, a borrowed message out. Whatever the bytes are, the answer is a message or a
//! [`DecodeError`]: nothing is allocated on the word of a length that the bytes do not back, and a message with
//! bytes left over is refused as well, since then we have misread it.

use cutover_model::{Lsn, ReplicaIdentity};

use super::cursor::{Cursor, shown};

pub use super::cursor::DecodeError;

/// One value of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cell<'a> {
    /// SQL NULL, or not part of a key tuple.
    Null,
    /// A large value that the change did not touch and that the server did not send.
    Unchanged,
    /// Text form.
    Text(&'a [u8]),
    /// Binary form (only when asked for).
    Binary(&'a [u8]),
}

/// What an old tuple holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OldKind {
    /// The columns of the replica identity only; the others are null.
    Key,
    /// Every column.
    Full,
}

/// The old version of a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OldTuple<'a> {
    /// How much of it there is.
    pub kind: OldKind,
    /// Its values.
    pub tuple: Vec<Cell<'a>>,
}

/// A column as a Relation message describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RelationColumn<'a> {
    /// Part of the replica identity.
    pub identity: bool,
    /// Name.
    pub name: &'a str,
    /// Type.
    pub type_oid: u32,
    /// Type modifier, -1 for none.
    pub type_modifier: i32,
}

/// One message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message<'a> {
    /// A transaction begins; it has committed already.
    Begin {
        /// LSN of its COMMIT record.
        final_lsn: Lsn,
        /// Commit time, µs since 2000-01-01 UTC.
        commit_time_us: i64,
        /// Transaction id.
        xid: u32,
    },
    /// The transaction is complete.
    Commit {
        /// LSN of the COMMIT record.
        commit_lsn: Lsn,
        /// End of the COMMIT record: where a cursor that has it all goes on.
        end_lsn: Lsn,
        /// Commit time, µs since 2000-01-01 UTC.
        commit_time_us: i64,
    },
    /// The transaction came from another server.
    Origin {
        /// Commit LSN there.
        commit_lsn: Lsn,
        /// Name of the origin here.
        name: &'a str,
    },
    /// Describes a table before its first change, and again after it has changed.
    Relation {
        /// `pg_class.oid`.
        oid: u32,
        /// Schema.
        schema: &'a str,
        /// Table.
        name: &'a str,
        /// Replica identity.
        identity: ReplicaIdentity,
        /// Published columns.
        columns: Vec<RelationColumn<'a>>,
    },
    /// Describes a type that is not built in.
    Type {
        /// `pg_type.oid`.
        oid: u32,
        /// Schema.
        schema: &'a str,
        /// Name.
        name: &'a str,
    },
    /// INSERT of one row.
    Insert {
        /// Table.
        oid: u32,
        /// The row.
        new: Vec<Cell<'a>>,
    },
    /// UPDATE of one row.
    Update {
        /// Table.
        oid: u32,
        /// Old row: with identity FULL always, otherwise when the key changed.
        old: Option<OldTuple<'a>>,
        /// New row.
        new: Vec<Cell<'a>>,
    },
    /// DELETE of one row.
    Delete {
        /// Table.
        oid: u32,
        /// Old row.
        old: OldTuple<'a>,
    },
    /// TRUNCATE of tables.
    Truncate {
        /// Tables.
        oids: Vec<u32>,
        /// 1 CASCADE, 2 RESTART IDENTITY.
        options: u8,
    },
    /// `pg_logical_emit_message`.
    Message {
        /// Part of its transaction.
        transactional: bool,
        /// LSN of the record.
        lsn: Lsn,
        /// Prefix.
        prefix: &'a str,
        /// Content.
        content: &'a [u8],
    },
}

/// Decodes one message.
///
/// # Errors
/// [`DecodeError`] for bytes that are no whole message of protocol version 1.
pub fn decode(bytes: &[u8]) -> Result<Message<'_>, DecodeError> {
    let cursor = &mut Cursor::new(bytes);
    let message = match cursor.u8()? {
        b'B' => Message::Begin {
            final_lsn: cursor.lsn()?,
            commit_time_us: cursor.i64()?,
            xid: cursor.u32()?,
        },
        b'C' => commit(cursor)?,
        b'O' => Message::Origin {
            commit_lsn: cursor.lsn()?,
            name: cursor.text()?,
        },
        b'R' => relation(cursor)?,
        b'Y' => Message::Type {
            oid: cursor.u32()?,
            schema: cursor.text()?,
            name: cursor.text()?,
        },
        b'I' => {
            let oid = cursor.u32()?;
            cursor.expect(b'N')?;
            Message::Insert {
                oid,
                new: tuple(cursor)?,
            }
        }
        b'U' => update(cursor)?,
        b'D' => {
            let oid = cursor.u32()?;
            let tag = cursor.u8()?;
            Message::Delete {
                oid,
                old: old_tuple(cursor, tag)?,
            }
        }
        b'T' => truncate(cursor)?,
        b'M' => message(cursor)?,
        tag => return Err(cursor.error(format!("unknown message type {}", shown(tag)))),
    };
    match cursor.left() {
        0 => Ok(message),
        rest => Err(cursor.error(format!("{rest} bytes left over"))),
    }
}

fn commit<'a>(cursor: &mut Cursor<'a>) -> Result<Message<'a>, DecodeError> {
    let flags = cursor.u8()?;
    if flags != 0 {
        return Err(cursor.error(format!("unknown commit flags {flags}")));
    }
    Ok(Message::Commit {
        commit_lsn: cursor.lsn()?,
        end_lsn: cursor.lsn()?,
        commit_time_us: cursor.i64()?,
    })
}

fn relation<'a>(cursor: &mut Cursor<'a>) -> Result<Message<'a>, DecodeError> {
    let oid = cursor.u32()?;
    let schema = cursor.text()?;
    let name = cursor.text()?;
    let identity = match cursor.u8()? {
        b'd' => ReplicaIdentity::Default,
        b'f' => ReplicaIdentity::Full,
        b'i' => ReplicaIdentity::Index,
        b'n' => ReplicaIdentity::Nothing,
        tag => return Err(cursor.error(format!("unknown replica identity {}", shown(tag)))),
    };
    let count = cursor.count()?;
    // A column takes at least ten bytes, so the capacity is backed by bytes that are there.
    let mut columns = Vec::with_capacity(count.min(cursor.left() / 10));
    for _ in 0..count {
        columns.push(RelationColumn {
            identity: cursor.u8()? & 1 == 1,
            name: cursor.text()?,
            type_oid: cursor.u32()?,
            type_modifier: cursor.i32()?,
        });
    }
    Ok(Message::Relation {
        oid,
        // The server sends pg_catalog as an empty name.
        schema: if schema.is_empty() {
            "pg_catalog"
        } else {
            schema
        },
        name,
        identity,
        columns,
    })
}

fn update<'a>(cursor: &mut Cursor<'a>) -> Result<Message<'a>, DecodeError> {
    let oid = cursor.u32()?;
    let old = match cursor.u8()? {
        b'N' => None,
        tag => {
            let old = old_tuple(cursor, tag)?;
            cursor.expect(b'N')?;
            Some(old)
        }
    };
    Ok(Message::Update {
        oid,
        old,
        new: tuple(cursor)?,
    })
}

fn truncate<'a>(cursor: &mut Cursor<'a>) -> Result<Message<'a>, DecodeError> {
    let count = cursor.u32()? as usize;
    let options = cursor.u8()?;
    let mut oids = Vec::with_capacity(count.min(cursor.left() / 4));
    for _ in 0..count {
        oids.push(cursor.u32()?);
    }
    Ok(Message::Truncate { oids, options })
}

fn message<'a>(cursor: &mut Cursor<'a>) -> Result<Message<'a>, DecodeError> {
    let transactional = match cursor.u8()? {
        0 => false,
        1 => true,
        flags => return Err(cursor.error(format!("unknown message flags {flags}"))),
    };
    Ok(Message::Message {
        transactional,
        lsn: cursor.lsn()?,
        prefix: cursor.text()?,
        content: cursor.counted()?,
    })
}

fn old_tuple<'a>(cursor: &mut Cursor<'a>, tag: u8) -> Result<OldTuple<'a>, DecodeError> {
    let kind = match tag {
        b'K' => OldKind::Key,
        b'O' => OldKind::Full,
        tag => return Err(cursor.error(format!("unknown tuple kind {}", shown(tag)))),
    };
    Ok(OldTuple {
        kind,
        tuple: tuple(cursor)?,
    })
}

fn tuple<'a>(cursor: &mut Cursor<'a>) -> Result<Vec<Cell<'a>>, DecodeError> {
    let count = cursor.count()?;
    // A cell takes at least one byte.
    let mut cells = Vec::with_capacity(count.min(cursor.left()));
    for _ in 0..count {
        cells.push(match cursor.u8()? {
            b'n' => Cell::Null,
            b'u' => Cell::Unchanged,
            b't' => Cell::Text(cursor.counted()?),
            b'b' => Cell::Binary(cursor.counted()?),
            tag => return Err(cursor.error(format!("unknown cell kind {}", shown(tag)))),
        });
    }
    Ok(cells)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every kind of message, written by hand after the protocol's description.
    fn samples() -> Vec<Vec<u8>> {
        let row = b"\x00\x04nut\x00\x00\x00\x02abb\x00\x00\x00\x01\xff";
        let with = |head: &[u8], rows: &[(&[u8], &[u8])]| {
            let mut bytes = head.to_vec();
            for (tag, row) in rows {
                bytes.extend_from_slice(tag);
                bytes.extend_from_slice(row);
            }
            bytes
        };
        let column = b"\x01id\0\x00\x00\x00\x14\xff\xff\xff\xff";
        vec![
            b"B\0\0\0\x01\0\0\0\x02\0\0\0\0\0\0\0\x07\0\0\x03\x09".to_vec(),
            b"C\0\0\0\0\x01\0\0\0\x02\0\0\0\x01\0\0\0\x30\0\0\0\0\0\0\0\x07".to_vec(),
            b"O\0\0\0\0\0\0\0\x05node one\0".to_vec(),
            with(b"R\0\0\x40\0public\0orders\0f\0\x02", &[(column, column)]),
            b"Y\0\0\x40\x01public\0mood\0".to_vec(),
            with(b"I\0\0\x40\0", &[(b"N", row)]),
            with(b"U\0\0\x40\0", &[(b"N", row)]),
            with(b"U\0\0\x40\0", &[(b"O", row), (b"N", row)]),
            with(b"U\0\0\x40\0", &[(b"K", row), (b"N", row)]),
            with(b"D\0\0\x40\0", &[(b"K", row)]),
            b"T\0\0\0\x02\x01\0\0\x40\0\0\0\x40\x01".to_vec(),
            b"M\0\0\0\0\0\0\0\0\x09cutover\0\0\0\0\x03abc".to_vec(),
        ]
    }

    #[test]
    fn every_kind_of_message_is_read() {
        for bytes in samples() {
            decode(&bytes).unwrap();
        }
        let bytes = &samples()[0];
        let begin = Message::Begin {
            final_lsn: Lsn(0x1_0000_0002),
            commit_time_us: 7,
            xid: 777,
        };
        assert_eq!(decode(bytes).unwrap(), begin);
    }

    #[test]
    fn an_update_with_full_identity_has_both_rows() {
        let bytes = &samples()[7];
        let Message::Update { oid, old, new } = decode(bytes).unwrap() else {
            panic!("no update");
        };
        let row = vec![
            Cell::Null,
            Cell::Unchanged,
            Cell::Text(b"ab"),
            Cell::Binary(b"\xff"),
        ];
        assert_eq!((oid, &new), (0x4000, &row));
        let full = OldTuple {
            kind: OldKind::Full,
            tuple: row,
        };
        assert_eq!(old.unwrap(), full);
    }

    #[test]
    fn a_relation_names_its_columns_and_identity() {
        let bytes = &samples()[3];
        let Message::Relation {
            schema,
            name,
            identity,
            columns,
            ..
        } = decode(bytes).unwrap()
        else {
            panic!("no relation");
        };
        assert_eq!(
            (schema, name, identity),
            ("public", "orders", ReplicaIdentity::Full)
        );
        assert_eq!(columns.len(), 2);
        assert_eq!(
            (
                columns[0].name,
                columns[0].type_oid,
                columns[0].type_modifier
            ),
            ("id", 20, -1)
        );
        assert!(columns[0].identity);
    }

    #[test]
    fn every_truncation_of_a_valid_message_is_an_error() {
        for bytes in samples() {
            for end in 0..bytes.len() {
                assert!(decode(&bytes[..end]).is_err(), "{bytes:?} cut at {end}");
            }
        }
    }

    #[test]
    fn bytes_left_over_are_an_error() {
        for mut bytes in samples() {
            bytes.push(0);
            assert!(decode(&bytes).is_err(), "{bytes:?}");
        }
    }

    #[test]
    fn lengths_that_the_bytes_do_not_back_are_errors_and_allocate_nothing() {
        let hostile: [&[u8]; 6] = [
            b"I\0\0\x40\0N\x7f\xff",
            b"I\0\0\x40\0N\xff\xff",
            b"I\0\0\x40\0N\0\x01t\x7f\xff\xff\xff",
            b"I\0\0\x40\0N\0\x01t\xff\xff\xff\xff",
            b"T\xff\xff\xff\xff\0",
            b"M\0\0\0\0\0\0\0\0\x09p\0\x7f\xff\xff\xffabc",
        ];
        for bytes in hostile {
            assert!(decode(bytes).is_err(), "{bytes:?}");
        }
    }

    #[test]
    fn no_single_wrong_byte_makes_the_decoder_panic() {
        for sample in samples() {
            for at in 0..sample.len() {
                for value in 0..=255 {
                    let mut bytes = sample.clone();
                    bytes[at] = value;
                    let _ = decode(&bytes);
                }
            }
        }
    }
}
