//! The keys of a terminal that is held for a screen.

use std::io::Read as _;

use cutover_model::Failure;
use nix::sys::signal::{Signal, raise};
use tokio::sync::mpsc;

use super::screen::Key;
use crate::terminal;

/// Holds the terminal until it is dropped.
pub struct Keyboard {
    /// Keys, as they come.
    pub keys: mpsc::Receiver<Key>,
}

fn failed(error: nix::Error) -> Failure {
    super::refused(
        "CLI-WATCH-001",
        format!("set up the terminal: {error}"),
        "use --plain",
    )
}

impl Keyboard {
    /// Takes the terminal.
    pub fn take() -> Result<Keyboard, Failure> {
        terminal::hold().map_err(failed)?;
        let (sender, keys) = mpsc::channel(16);
        // A read cannot be broken off, so it has a thread that ends with the process.
        std::thread::spawn(move || {
            let mut bytes = [0; 64];
            while let Ok(length @ 1..) = std::io::stdin().read(&mut bytes) {
                for key in keys_in(&bytes[..length]) {
                    if sender.blocking_send(key).is_err() {
                        return;
                    }
                }
            }
        });
        Ok(Keyboard { keys })
    }

    /// Gives the terminal back and stands still until the shell lets us go on (Ctrl-Z, `fg`).
    pub fn rest(&self) -> Result<(), Failure> {
        terminal::give_back();
        raise(Signal::SIGSTOP).map_err(failed)?;
        terminal::hold().map_err(failed)
    }
}

impl Drop for Keyboard {
    fn drop(&mut self) {
        terminal::give_back();
    }
}

/// Keys in what a terminal sent at once. Sequences that mean nothing here are passed over.
fn keys_in(mut bytes: &[u8]) -> Vec<Key> {
    const SEQUENCES: [(&[u8], Key); 12] = [
        (b"\x1b[A", Key::Up),
        (b"\x1b[B", Key::Down),
        (b"\x1b[C", Key::Right),
        (b"\x1b[D", Key::Left),
        (b"\x1bOA", Key::Up),
        (b"\x1bOB", Key::Down),
        (b"\x1bOC", Key::Right),
        (b"\x1bOD", Key::Left),
        (b"\x1b[5~", Key::PageUp),
        (b"\x1b[6~", Key::PageDown),
        (b"\x1b[H", Key::Top),
        (b"\x1b[1~", Key::Top),
    ];
    let mut keys = Vec::new();
    while let Some((first, rest)) = bytes.split_first() {
        if let Some((sequence, key)) = SEQUENCES.iter().find(|(one, _)| bytes.starts_with(one)) {
            keys.push(*key);
            bytes = &bytes[sequence.len()..];
            continue;
        }
        if *first == 0x1b {
            // Up to the letter that ends it.
            let begun = rest.iter().position(|byte| !matches!(byte, b'[' | b'O'));
            let ends = |byte: &u8| byte.is_ascii_alphabetic() || *byte == b'~';
            let end = begun.and_then(|from| rest[from..].iter().position(ends).map(|at| from + at));
            bytes = end.map_or(&[], |end| &rest[end + 1..]);
            continue;
        }
        keys.extend(match first {
            b'q' | b'Q' => Some(Key::Quit),
            b'k' => Some(Key::Up),
            b'j' => Some(Key::Down),
            b'l' | b'\t' => Some(Key::Right),
            b'h' => Some(Key::Left),
            _ => None,
        });
        bytes = rest;
    }
    keys
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_told_apart_and_unknown_sequences_are_passed_over() {
        let keys = keys_in(b"\x1b[A\x1bOBjx\x1b[5~\x1b[15~\x1b[1;5Cq\t");
        assert_eq!(
            keys,
            [
                Key::Up,
                Key::Down,
                Key::Down,
                Key::PageUp,
                Key::Quit,
                Key::Right
            ]
        );
        assert_eq!(keys_in(b"\x1b"), []);
        assert_eq!(keys_in(b"\x1b["), []);
    }
}
