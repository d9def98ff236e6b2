//! A terminal that is held for a screen: keys come one by one and unseen, on a page of its own.
//!
//! What is held is given back however the process ends: in order, by a panic, or by a signal that waits for nothing.
//! Only SIGKILL leaves it as it was. The rule it protects: nobody is left with a shell that does not show what is
//! typed.

use std::sync::{Mutex, MutexGuard, Once, PoisonError, mpsc};
use std::time::Duration;

use nix::sys::termios::{LocalFlags, SetArg, Termios, tcgetattr, tcsetattr};

use crate::output;

/// Another page of the terminal, so that what stood there comes back; no cursor.
const ENTER: &str = "\u{1b}[?1049h\u{1b}[?25l\u{1b}[2J";
const LEAVE: &str = "\u{1b}[?25h\u{1b}[?1049l";

/// How long the terminal is given to take the last word: one whose output is halted takes none.
const LAST_WORD: Duration = Duration::from_millis(300);

/// What it was like before.
static HELD: Mutex<Option<Termios>> = Mutex::new(None);
static PANICS: Once = Once::new();

fn held() -> MutexGuard<'static, Option<Termios>> {
    HELD.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Takes the terminal. Ctrl-C and Ctrl-Z stay signals.
///
/// # Errors
/// Standard input is no terminal, or it does not change its ways.
pub fn hold() -> nix::Result<()> {
    PANICS.call_once(|| {
        let told = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            // First: what is said on the page of the screen goes with it.
            give_back();
            told(panic);
        }));
    });
    let before = tcgetattr(std::io::stdin())?;
    let mut quiet = before.clone();
    quiet
        .local_flags
        .remove(LocalFlags::ICANON | LocalFlags::ECHO);
    // Remembered before it is changed: a signal may end the process in between.
    *held() = Some(before);
    if let Err(error) = tcsetattr(std::io::stdin(), SetArg::TCSANOW, &quiet) {
        held().take();
        return Err(error);
    }
    output::stream(ENTER);
    Ok(())
}

/// Gives it back, if it is held. May be called by anybody, at any time.
pub fn give_back() {
    let Some(before) = held().take() else {
        return;
    };
    // There is nobody left who could do something about it.
    let _ = tcsetattr(std::io::stdin(), SetArg::TCSANOW, &before);
    let (sender, said) = mpsc::channel();
    // Somebody may be in the middle of a write that does not end.
    std::thread::spawn(move || {
        output::stream(LEAVE);
        let _ = sender.send(());
    });
    let _ = said.recv_timeout(LAST_WORD);
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::Read as _;
    use std::process::{Command, Stdio};

    use nix::pty::openpty;

    use super::*;

    const INSIDE: &str = "CUTOVER_TEST_INSIDE";
    const NAME: &str = "terminal::tests::a_panic_gives_the_terminal_back_before_it_is_told";

    fn is_cooked(terminal: impl std::os::fd::AsFd) -> bool {
        let modes = tcgetattr(terminal).unwrap().local_flags;
        modes.contains(LocalFlags::ICANON | LocalFlags::ECHO)
    }

    /// Runs itself on a terminal of its own.
    #[test]
    fn a_panic_gives_the_terminal_back_before_it_is_told() {
        if std::env::var_os(INSIDE).is_some() {
            hold().unwrap();
            assert!(!is_cooked(std::io::stdin()));
            panic!("it breaks");
        }
        let pair = openpty(None, None).unwrap();
        let side = || Stdio::from(pair.slave.try_clone().unwrap());
        let status = Command::new("setsid")
            .arg("--ctty")
            .arg(std::env::current_exe().unwrap())
            .args(["--exact", NAME, "--nocapture"])
            .env(INSIDE, "1")
            .stdin(side())
            .stdout(side())
            .stderr(side())
            .status();
        assert!(!status.unwrap().success());
        assert!(is_cooked(&pair.slave));
        drop(pair.slave);
        let mut said = Vec::new();
        // It ends with an error, since nobody is left on the other side.
        let _ = File::from(pair.master).read_to_end(&mut said);
        let said = String::from_utf8_lossy(&said);
        let (before, after) = said.split_once(LEAVE).unwrap();
        assert!(before.contains(ENTER), "{said:?}");
        assert!(after.contains("it breaks"), "{said:?}");
    }
}
