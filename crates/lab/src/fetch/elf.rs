//! One repair of program headers, needed by programs that were patched by a tool with a defect.
//!
//! The loader writes into `.dynamic`. Where that section shares a page with a segment mapped
//! read-only, the program crashes before `main`. Setting the write flag of that segment is all it
//! takes.

use std::io::Read;
use std::path::Path;

use crate::error::LabError;

const MAGIC: [u8; 4] = *b"\x7fELF";
const PAGE: u64 = 4096;
const TYPE_LOAD: u32 = 1;
const TYPE_DYNAMIC: u32 = 2;
const FLAG_WRITE: u32 = 2;

/// Is the file an ELF program or library?
pub(super) fn is_elf(path: &Path) -> Result<bool, LabError> {
    let mut magic = [0_u8; 4];
    let mut file = std::fs::File::open(path).map_err(LabError::io("open", path))?;
    Ok(file.read_exact(&mut magic).is_ok() && magic == MAGIC)
}

/// Repairs one program in place; one that is fine, or no ELF file, is left alone. Returns whether
/// it was changed.
pub(super) fn make_dynamic_writable(path: &Path) -> Result<bool, LabError> {
    let mut bytes = std::fs::read(path).map_err(LabError::io("read", path))?;
    let flags = flags_to_set(&bytes).unwrap_or_default();
    if flags.is_empty() {
        return Ok(false);
    }
    for place in flags {
        bytes[place] |= FLAG_WRITE.to_le_bytes()[0];
    }
    std::fs::write(path, bytes).map_err(LabError::io("write", path))?;
    Ok(true)
}

struct Header {
    kind: u32,
    flags: u32,
    address: u64,
    file_size: u64,
    memory_size: u64,
    flags_at: usize,
}

/// Offsets of the flag words that lack the write flag; `None` when this is not a 64-bit ELF file
/// that we read.
fn flags_to_set(bytes: &[u8]) -> Option<Vec<usize>> {
    if !bytes.starts_with(&MAGIC) || bytes.get(4) != Some(&2) || bytes.get(5) != Some(&1) {
        return None;
    }
    let table = usize::try_from(long(bytes, 32)?).ok()?;
    let size = usize::from(short(bytes, 54)?);
    let count = usize::from(short(bytes, 56)?);
    let headers: Vec<Header> = (0..count)
        .map(|index| header(bytes, table + index * size))
        .collect::<Option<_>>()?;
    let dynamic = headers.iter().find(|header| header.kind == TYPE_DYNAMIC)?;
    let (low, high) = (dynamic.address, dynamic.address + dynamic.memory_size);
    let page_down = |address: u64| address & !(PAGE - 1);
    let page_up = |address: u64| (address + PAGE - 1) & !(PAGE - 1);
    let wrong = headers.iter().filter(|header| {
        header.kind == TYPE_LOAD
            && header.flags & FLAG_WRITE == 0
            && page_down(header.address) < high
            && page_up(header.address + header.memory_size.max(header.file_size)) > low
    });
    Some(wrong.map(|header| header.flags_at).collect())
}

fn header(bytes: &[u8], at: usize) -> Option<Header> {
    Some(Header {
        kind: word(bytes, at)?,
        flags: word(bytes, at + 4)?,
        address: long(bytes, at + 16)?,
        file_size: long(bytes, at + 32)?,
        memory_size: long(bytes, at + 40)?,
        flags_at: at + 4,
    })
}

fn short(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

fn long(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(bytes.get(at..at + 8)?.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An ELF header and two program headers: a read-only segment and `.dynamic` at `dynamic`.
    fn program(dynamic: u64) -> Vec<u8> {
        let mut bytes = vec![0_u8; 64 + 2 * 56];
        bytes[..6].copy_from_slice(b"\x7fELF\x02\x01");
        bytes[32..40].copy_from_slice(&64_u64.to_le_bytes());
        bytes[54..56].copy_from_slice(&56_u16.to_le_bytes());
        bytes[56..58].copy_from_slice(&2_u16.to_le_bytes());
        let mut put = |at: usize, kind: u32, flags: u32, address: u64, size: u64| {
            bytes[at..at + 4].copy_from_slice(&kind.to_le_bytes());
            bytes[at + 4..at + 8].copy_from_slice(&flags.to_le_bytes());
            bytes[at + 16..at + 24].copy_from_slice(&address.to_le_bytes());
            bytes[at + 32..at + 40].copy_from_slice(&size.to_le_bytes());
            bytes[at + 40..at + 48].copy_from_slice(&size.to_le_bytes());
        };
        put(64, TYPE_LOAD, 4, 0x1000, 0x1100);
        put(64 + 56, TYPE_DYNAMIC, 6, dynamic, 0x100);
        bytes
    }

    #[test]
    fn segment_that_shares_a_page_with_dynamic_gets_the_write_flag() {
        assert_eq!(flags_to_set(&program(0x2200)), Some(vec![68]));
    }

    #[test]
    fn segment_on_other_pages_is_left_alone() {
        assert_eq!(flags_to_set(&program(0x5000)), Some(vec![]));
        assert_eq!(flags_to_set(b"#!/bin/sh\n"), None);
        assert_eq!(flags_to_set(b"\x7fELF\x02\x01"), None);
    }
}
