//! The screen of a watch: draws what `report` makes of it, and follows keys and the terminal's size.

use cutover_model::Failure;
use cutover_report::Look;
use cutover_report::watch::Told;
use cutover_report::watch::screen::{Reader, screen};
use terminal_size::{Height, Width, terminal_size};
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::keyboard::Keyboard;
use crate::output;

/// What a reader can ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Key {
    Quit,
    Up,
    Down,
    Left,
    Right,
    PageUp,
    PageDown,
    Top,
    /// The terminal has another size now.
    Resized,
    /// Ctrl-Z.
    Rest,
}

/// Lines of a page.
const PAGE: usize = 15;

/// The screen, as long as it lives.
pub struct Screen {
    keyboard: Keyboard,
    resized: Signal,
    rested: Signal,
    reader: Reader,
    look: Look,
}

impl Screen {
    /// Takes the terminal.
    pub fn open(look: Look) -> Result<Screen, Failure> {
        let listen = |kind: SignalKind| {
            signal(kind).map_err(|error| {
                super::refused(
                    "CLI-WATCH-001",
                    format!("follow the terminal: {error}"),
                    "use --plain",
                )
            })
        };
        let rest = SignalKind::from_raw(nix::libc::SIGTSTP);
        let (resized, rested) = (listen(SignalKind::window_change())?, listen(rest)?);
        let mut screen = Screen {
            keyboard: Keyboard::take()?,
            resized,
            rested,
            reader: Reader::default(),
            look,
        };
        screen.draw(&Told::default());
        Ok(screen)
    }

    /// The next key, or what happened to the terminal.
    pub async fn pressed(&mut self) -> Key {
        tokio::select! {
            Some(key) = self.keyboard.keys.recv() => key,
            _ = self.resized.recv() => Key::Resized,
            _ = self.rested.recv() => Key::Rest,
        }
    }

    /// Follows a key; false if nobody reads any more.
    pub fn press(&mut self, key: Key, told: &Told) -> bool {
        let at = &mut self.reader.scrolled;
        match key {
            Key::Up => *at = at.saturating_sub(1),
            Key::Down => *at += 1,
            Key::PageUp => *at = at.saturating_sub(PAGE),
            Key::PageDown => *at += PAGE,
            Key::Top => *at = 0,
            Key::Left => self.reader.turn(false),
            Key::Right => self.reader.turn(true),
            // A terminal that cannot be taken again is none to draw on.
            Key::Rest if self.keyboard.rest().is_err() => return false,
            Key::Resized | Key::Rest | Key::Quit => {}
        }
        self.draw(told)
    }

    /// Draws everything; false if nobody reads any more.
    pub fn draw(&mut self, told: &Told) -> bool {
        let (width, height) = terminal_size()
            .map_or((self.look.width, 24), |(Width(columns), Height(rows))| {
                (usize::from(columns), usize::from(rows))
            });
        let look = Look { width, ..self.look };
        let lines = screen(told, &mut self.reader, look, height);
        // From the upper left corner; what is left over of the screen before is wiped.
        let text = lines.join("\u{1b}[K\r\n");
        output::stream(&format!("\u{1b}[H{text}\u{1b}[K\u{1b}[J"))
    }
}
