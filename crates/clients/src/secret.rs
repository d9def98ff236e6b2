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
}
