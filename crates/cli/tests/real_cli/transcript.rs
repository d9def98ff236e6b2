//! Transcripts in documents, held against what the program says. Numbers may differ: a word with a digit in it stands
//! for all such words. A line that ends with an ellipsis goes on.

/// A command with what a document shows below it.
pub struct Entered {
    pub line: String,
    pub shown: Vec<String>,
    pub code: i32,
}

/// Everything in the blocks of a document that begin with ```console.
pub fn entered(document: &str) -> Vec<Entered> {
    let mut all: Vec<Entered> = Vec::new();
    for block in document.split("```console\n").skip(1) {
        for line in block.split("```").next().unwrap().lines() {
            if let Some(command) = line.strip_prefix("$ ") {
                all.push(Entered {
                    line: command.to_owned(),
                    shown: Vec::new(),
                    code: 0,
                });
                continue;
            }
            let last = all.last_mut().unwrap();
            match line.strip_prefix("(exit code ") {
                Some(code) => last.code = code.trim_end_matches(')').parse().unwrap(),
                None => last.shown.push(line.to_owned()),
            }
        }
    }
    all
}

fn words(line: &str) -> Vec<&str> {
    let number = |word: &str| word.contains(|one: char| one.is_ascii_digit());
    let words = line.split_whitespace();
    words
        .map(|word| if number(word) { "#" } else { word })
        .collect()
}

fn agrees(shown: &str, said: &str) -> bool {
    match shown.trim_end().strip_suffix('…') {
        Some(beginning) => words(said).starts_with(&words(beginning)),
        None => words(said) == words(shown),
    }
}

/// The first shown line that was not said, or not in this order.
pub fn missing<'a>(shown: &'a [String], said: &[String]) -> Option<&'a str> {
    let mut left = said.iter();
    let shown = shown.iter().filter(|line| !line.trim().is_empty());
    let mut wanted = shown.filter(|line| line.trim() != "…");
    wanted
        .find(|line| !left.any(|said| agrees(line, said)))
        .map(String::as_str)
}

pub fn lines(text: &str) -> Vec<String> {
    text.lines().map(str::to_owned).collect()
}

/// Lines with those joined to them that only go on because the screen ended.
pub fn unwrapped(lines: &[String]) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    for line in lines {
        let deep = line.starts_with("      ");
        match all.last_mut().filter(|_| deep) {
            Some(last) => *last = format!("{last} {}", line.trim()),
            None => all.push(line.clone()),
        }
    }
    all
}

#[test]
fn numbers_may_differ_and_words_may_not() {
    assert!(agrees("ended in 0.5 s", "ended in 12.5 s"));
    assert!(agrees(
        "step 1 proved: slot …",
        "step 9 proved: slot free, and more"
    ));
    assert!(!agrees("ended in 0.5 s", "ended badly in 0.5 s"));
    assert!(!agrees("ended", "ended in 0.5 s"));
    let screen = lines("  phases   load 1 s,\n           fence 2 s\n  folder   x");
    assert_eq!(unwrapped(&screen)[0], "  phases   load 1 s, fence 2 s");
    assert_eq!(missing(&lines("b\na"), &lines("a\nb")), Some("a"));
}
