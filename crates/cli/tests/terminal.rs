//! `cutover watch` on a real terminal, without any server: what it draws, which keys it follows, and that the terminal
//! is given back however it ends.
#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test that cannot go on has failed; the binary under test is not a lab service"
)]

#[path = "support/pseudo_terminal.rs"]
mod pseudo_terminal;
#[path = "support/site.rs"]
#[expect(dead_code, reason = "programs are started on a terminal here")]
mod site;

use pseudo_terminal::Terminal;
use site::Site;

/// Nobody listens there.
const NOWHERE: &str = "postgresql://nobody@127.0.0.1:1/nothing";
const WATCH: [&str; 5] = ["watch", "--postgres", NOWHERE, "--interval", "1"];

fn watch(site: &Site, variables: &[(&str, &str)]) -> Terminal {
    let mut terminal = Terminal::start(site, &WATCH, variables);
    terminal.wait_for_line("not seen: PostgreSQL");
    terminal
}

#[test]
fn the_screen_is_drawn_follows_size_and_keys_and_goes_away() {
    let site = Site::new();
    let mut terminal = watch(&site, &[]);
    assert!(!terminal.is_cooked(), "keys come one by one");
    let lines = terminal.screen();
    assert!(lines[0].contains("UNKNOWN"), "{lines:?}");
    assert!(terminal.colours(), "{lines:?}");
    assert!(lines.len() <= 24, "{lines:?}");
    for (key, pane) in [
        ("l", "[slots]"),
        ("\u{1b}[C", "[topics]"),
        ("\t", "[events]"),
        ("h", "[topics]"),
        ("\u{1b}[D", "[slots]"),
    ] {
        terminal.press(key);
        terminal.wait_for_line(pane);
    }
    terminal.press("\u{1b}[Z?x\u{1b}[H");
    terminal.press("h");
    terminal.wait_for_line("[overview]");
    for (rows, columns) in [(8, 40), (50, 150), (1, 1), (24, 80)] {
        terminal.resize(rows, columns);
        terminal.wait("a screen of the new size", |terminal| {
            let lines = terminal.screen();
            let wide = lines.iter().map(|line| line.chars().count()).max();
            let fits = lines.len() <= usize::from(rows) && wide <= Some(usize::from(columns));
            let grown = rows < 50 || wide > Some(80);
            fits && grown
        });
    }
    terminal.press("q");
    assert_eq!(terminal.ended(), Some(0));
    terminal.is_given_back();
}

#[test]
fn a_small_screen_is_scrolled() {
    let site = Site::new();
    let mut terminal = watch(&site, &[]);
    terminal.resize(10, 80);
    terminal.wait_for_line("more lines below");
    // Six lines of head and the names of the panes stay.
    let first = |terminal: &Terminal| terminal.screen().into_iter().nth(7);
    let before = first(&terminal);
    terminal.press("j\u{1b}[B");
    terminal.wait("another part", |terminal| first(terminal) != before);
    terminal.press("\u{1b}[6~\u{1b}[6~");
    terminal.wait("its end", |terminal| {
        let last = terminal.screen().pop().unwrap_or_default();
        last.starts_with("q quit") && !last.contains("below")
    });
    terminal.press("\u{1b}[1~");
    terminal.wait_for_line("more lines below");
    terminal.press("Q");
    assert_eq!(terminal.ended(), Some(0));
    terminal.is_given_back();
}

#[test]
fn without_colour_the_same_is_told_in_words() {
    let site = Site::new();
    let mut terminal = watch(&site, &[("NO_COLOR", "1")]);
    assert!(!terminal.colours());
    assert!(terminal.screen()[0].starts_with("UNKNOWN"));
    terminal.press("q");
    assert_eq!(terminal.ended(), Some(0));
    terminal.is_given_back();
}

#[test]
fn a_terminal_that_can_do_nothing_gets_lines() {
    let site = Site::new();
    for variables in [[("TERM", "dumb")], [("TERM", "")], [("CI", "true")]] {
        let mut terminal = Terminal::start(&site, &WATCH, &variables);
        terminal.wait("a line", |terminal| terminal.text().contains("UNKNOWN"));
        let text = terminal.text();
        let coloured = variables[0].0 == "CI";
        assert_eq!(text.contains('\u{1b}'), coloured, "{text:?}");
        assert!(!text.contains("\u{1b}[?"), "{text:?}");
        assert!(terminal.is_cooked());
        terminal.signal("TERM");
        assert_eq!(terminal.ended(), Some(143));
        terminal.is_given_back();
    }
}

#[test]
fn signals_give_the_terminal_back() {
    let site = Site::new();
    for (signal, code) in [("TERM", 143), ("INT", 130), ("HUP", 143)] {
        let mut terminal = watch(&site, &[]);
        terminal.signal(signal);
        assert_eq!(terminal.ended(), Some(code), "{signal}");
        terminal.is_given_back();
    }
    // As a key.
    let mut terminal = watch(&site, &[]);
    terminal.press("\u{3}");
    assert_eq!(terminal.ended(), Some(130));
    terminal.is_given_back();
}

/// The program cannot follow the first signal: it is in the middle of a write that does not end.
#[test]
fn a_second_signal_ends_at_once_and_gives_the_terminal_back_too() {
    let site = Site::new();
    let mut terminal = watch(&site, &[]);
    terminal.stop_reading();
    // Each key is answered by a screen, and nobody reads them: at some time none goes through any more.
    for _ in 0..200 {
        terminal.press("lhlhlhlhlhlhlhlh");
    }
    terminal.wait("a write that does not end", Terminal::is_writing);
    terminal.signal("INT");
    terminal.signal_until_ended("INT", 130);
    assert!(terminal.is_cooked());
}

#[test]
fn it_rests_and_goes_on() {
    let site = Site::new();
    let mut terminal = watch(&site, &[]);
    terminal.press("\u{1a}");
    terminal.wait("a rest", Terminal::is_stopped);
    assert!(terminal.is_cooked());
    let before = terminal.text().len();
    terminal.signal("CONT");
    terminal.wait("the screen again", |terminal| {
        let text = terminal.text();
        text[before..].contains("\u{1b}[?1049h") && !terminal.is_cooked()
    });
    terminal.press("q");
    assert_eq!(terminal.ended(), Some(0));
    terminal.is_given_back();
}

#[test]
fn what_fails_before_the_screen_leaves_the_terminal_alone() {
    let site = Site::new();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap().to_string();
    let listening = [&WATCH[..], &["--listen", &taken]].concat();
    for (args, code, word) in [
        (&listening[..], 2, "CLI-WATCH-002"),
        (&["watch", "--once", "--postgres", NOWHERE], 6, "UNKNOWN"),
        (
            &["watch", "--postgres", NOWHERE, "--markers"],
            2,
            "CLI-WATCH-001",
        ),
        (
            &["watch", "--postgres", "nonsense"],
            2,
            "CONFIG-POSTGRES-001",
        ),
    ] {
        let mut terminal = Terminal::start(&site, args, &[]);
        assert_eq!(
            terminal.ended(),
            Some(code),
            "{args:?}: {}",
            terminal.text()
        );
        terminal.wait(word, |terminal| terminal.text().contains(word));
        let text = terminal.text();
        assert!(!text.contains("\u{1b}[?"), "{text:?}");
        assert!(terminal.is_cooked());
    }
}
