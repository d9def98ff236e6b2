//! A password that cannot be shown by accident.
//!
//! Every `Debug`, `Display` and therefore every log line, event and report prints asterisks. The one way to the
//! text is [`Secret::reveal`], called where it goes onto the wire and nowhere else.

use std::fmt;

/// A secret text. Compares and clones like a string, prints as asterisks.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Secret(String);

impl Secret {
    /// Wraps a secret.
    pub fn new(text: impl Into<String>) -> Secret {
        Secret(text.into())
    }

    /// The text itself, for the wire only.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// Whether there is nothing to hide (no password was given).
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("********")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("********")
    }
}

/// What stands for a secret wherever one is shown.
pub const MASK: &str = "********";

/// Words in the names of options that hold secrets.
const SECRET_WORDS: [&str; 9] = [
    "password",
    "secret",
    "jaas",
    "token",
    "credential",
    "passphrase",
    "auth.user.info",
    "keystore.key",
    "ssl.key",
];

/// Whether the value of an option of this name (of Connect, Kafka, Debezium) is a secret.
pub fn names_secret(option: &str) -> bool {
    let option = option.to_lowercase();
    // `schema.registry.api.key` and its like; the outbox router calls a column so.
    let key = option.ends_with(".key") && !option.ends_with("event.key");
    key || SECRET_WORDS.iter().any(|word| option.contains(word))
}

/// Whether an option holds a secret: by its name, or as an address with a login in it (`http://user:password@host`).
pub fn holds_secret(option: &str, value: &str) -> bool {
    let in_address = |rest: &str| {
        let host = rest.split(['/', ',']).next().unwrap_or_default();
        host.contains('@')
    };
    names_secret(option) || value.split("://").skip(1).any(in_address)
}

/// A text from elsewhere (a trace, a message) without secrets: known ones are masked wherever they stand, others where
/// a form gives them away: `password=…` and its like, and the credentials of an address.
pub fn scrubbed<'a>(text: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    let mut text = text.to_owned();
    // A secret of three letters would blacken words.
    for secret in known.into_iter().filter(|secret| secret.len() >= 4) {
        text = text.replace(secret, MASK);
    }
    let pieces = text.split_inclusive(|character: char| character.is_whitespace());
    let mut state = Next::Anything;
    pieces
        .map(|piece| {
            let shown = without_address_login(&scrubbed_piece(piece, state == Next::Value));
            state = state.after(piece.trim());
            shown
        })
        .collect()
}

/// `password = value` comes in three pieces.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Next {
    Anything,
    Sign,
    Value,
}

impl Next {
    fn after(self, piece: &str) -> Next {
        let sign = piece.ends_with(['=', ':']);
        match self {
            Next::Sign if piece == "=" || piece == ":" => Next::Value,
            _ if names_secret(piece) && sign => Next::Value,
            _ if names_secret(piece) && !piece.contains(['=', ':']) => Next::Sign,
            _ => Next::Anything,
        }
    }
}

fn scrubbed_piece(piece: &str, is_value: bool) -> String {
    let bare = piece.trim_end();
    let rest = &piece[bare.len()..];
    if is_value {
        return format!("{MASK}{rest}");
    }
    let mut shown = String::with_capacity(piece.len());
    for part in bare.split_inclusive(['&', ',', ';']) {
        match part.split_once('=') {
            Some((name, value)) if names_secret(name) && !value.is_empty() => {
                let end = value.trim_end_matches(['&', ',', ';', ')', '}', ']']);
                shown.push_str(&format!("{name}={MASK}{}", &value[end.len()..]));
            }
            _ => shown.push_str(part),
        }
    }
    shown + rest
}

fn without_address_login(piece: &str) -> String {
    let Some((before, after)) = piece.split_once("://") else {
        return piece.to_owned();
    };
    let host_ends = after.find(['/', '?', '#']).unwrap_or(after.len());
    match after[..host_ends].rsplit_once('@') {
        Some((login, _)) => {
            // A login of one word may be a token.
            let user = login.split_once(':').map(|(user, _)| format!("{user}:"));
            let user = user.unwrap_or_default();
            format!("{before}://{user}{MASK}{}", &after[login.len()..])
        }
        None => piece.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_prints_as_asterisks_however_it_is_printed() {
        let secret = Secret::new("hunter2");
        for text in [
            format!("{secret}"),
            format!("{secret:?}"),
            format!("{:?}", Some(&secret)),
        ] {
            assert!(!text.contains("hunter2"), "{text}");
        }
        assert_eq!(secret.reveal(), "hunter2");
    }

    #[test]
    fn a_text_from_elsewhere_loses_what_is_known_and_what_its_form_gives_away() {
        let shown = |text: &str| scrubbed(text, ["hunter2"]);
        for (text, expected) in [
            (
                "login as app/hunter2 failed",
                "login as app/******** failed",
            ),
            (
                "jdbc:postgresql://h/d?user=a&password=x1&ssl=1",
                "jdbc:postgresql://h/d?user=a&password=********&ssl=1",
            ),
            ("at http://u:pw@h:8083/x", "at http://u:********@h:8083/x"),
            ("at http://tok@h/x", "at http://********@h/x"),
            (
                "database.password = x1 ok",
                "database.password = ******** ok",
            ),
            ("{ssl.key.password=x1}", "{ssl.key.password=********}"),
            ("line one\n\tline two", "line one\n\tline two"),
        ] {
            assert_eq!(shown(text), expected);
        }
    }

    #[test]
    fn options_that_hold_secrets_are_known_by_their_names() {
        for name in [
            "database.password",
            "sasl.jaas.config",
            "value.converter.basic.auth.user.info",
            "schema.registry.api.key",
        ] {
            assert!(names_secret(name), "{name}");
        }
        for name in [
            "slot.name",
            "key.converter",
            "database.user",
            "transforms.outbox.table.field.event.key",
        ] {
            assert!(!names_secret(name), "{name}");
        }
    }
}
