//! Reads a message's fields one after the other, and never beyond what the bytes back.

use cutover_model::Lsn;

/// The bytes are no pgoutput message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("malformed pgoutput message at byte {at}: {reason}")]
pub struct DecodeError {
    /// Where in the message.
    pub at: usize,
    /// What was wrong.
    pub reason: String,
}

/// The bytes of a message and how far they have been read.
pub(super) struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Cursor<'a> {
        Cursor { bytes, at: 0 }
    }

    pub(super) fn left(&self) -> usize {
        self.bytes.len() - self.at
    }

    pub(super) fn error(&self, reason: impl Into<String>) -> DecodeError {
        DecodeError {
            at: self.at,
            reason: reason.into(),
        }
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8], DecodeError> {
        match self.bytes.get(self.at..).and_then(|rest| rest.get(..count)) {
            Some(taken) => {
                self.at += count;
                Ok(taken)
            }
            None => {
                let left = self.left();
                Err(self.error(format!("{count} bytes wanted, {left} left")))
            }
        }
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N)?);
        Ok(array)
    }

    pub(super) fn u8(&mut self) -> Result<u8, DecodeError> {
        Ok(self.array::<1>()?[0])
    }

    pub(super) fn u32(&mut self) -> Result<u32, DecodeError> {
        Ok(u32::from_be_bytes(self.array()?))
    }

    pub(super) fn i32(&mut self) -> Result<i32, DecodeError> {
        Ok(i32::from_be_bytes(self.array()?))
    }

    pub(super) fn i64(&mut self) -> Result<i64, DecodeError> {
        Ok(i64::from_be_bytes(self.array()?))
    }

    pub(super) fn lsn(&mut self) -> Result<Lsn, DecodeError> {
        Ok(Lsn(u64::from_be_bytes(self.array()?)))
    }

    pub(super) fn count(&mut self) -> Result<usize, DecodeError> {
        let count = i16::from_be_bytes(self.array()?);
        usize::try_from(count).map_err(|_| self.error(format!("{count} columns")))
    }

    pub(super) fn counted(&mut self) -> Result<&'a [u8], DecodeError> {
        let length = self.i32()?;
        let length =
            usize::try_from(length).map_err(|_| self.error(format!("a length of {length}")))?;
        self.take(length)
    }

    pub(super) fn text(&mut self) -> Result<&'a str, DecodeError> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let end = rest.iter().position(|byte| *byte == 0);
        let end = end.ok_or_else(|| self.error("a name without an end"))?;
        let text = self.take(end)?;
        self.at += 1;
        std::str::from_utf8(text).map_err(|_| self.error("a name that is not UTF-8"))
    }

    pub(super) fn expect(&mut self, wanted: u8) -> Result<(), DecodeError> {
        match self.u8()? {
            tag if tag == wanted => Ok(()),
            tag => Err(self.error(format!("{} wanted, {} found", shown(wanted), shown(tag)))),
        }
    }
}

/// A byte as people read it in a message.
pub(super) fn shown(tag: u8) -> String {
    format!("'{}'", char::from(tag).escape_default())
}
