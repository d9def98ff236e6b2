//! Format names: `name/number`. A reader takes its own number and every smaller one, says so when
//! the number is greater, and calls anything else foreign.

use std::path::Path;

use crate::error::LedgerError;

/// Key of the format name in the footer of every Parquet file that cutover writes.
pub(crate) const FORMAT_KEY: &str = "cutover.format";

/// Compares the format that a file names with the newest one known here.
pub(crate) fn check(path: &Path, found: Option<&str>, supported: &str) -> Result<(), LedgerError> {
    let foreign = |reason: String| LedgerError::NotOurs {
        path: path.to_owned(),
        reason,
    };
    let Some(found) = found else {
        return Err(foreign("it names no format".to_owned()));
    };
    let wrong = || foreign(format!("it names the format '{found}', not '{supported}'"));
    let (name, number) = found.rsplit_once('/').ok_or_else(wrong)?;
    let (known_name, known_number) = supported.rsplit_once('/').ok_or_else(wrong)?;
    let number: u32 = number.parse().map_err(|_| wrong())?;
    let known_number: u32 = known_number.parse().map_err(|_| wrong())?;
    if name != known_name {
        return Err(wrong());
    }
    if number > known_number {
        return Err(LedgerError::Newer {
            path: path.to_owned(),
            found: found.to_owned(),
            supported: supported.to_owned(),
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_are_told_apart_as_known_newer_and_foreign() {
        let path = Path::new("x");
        assert!(check(path, Some("cutover.ledger/1"), "cutover.ledger/1").is_ok());
        assert!(check(path, Some("cutover.ledger/1"), "cutover.ledger/2").is_ok());
        let newer = check(path, Some("cutover.ledger/2"), "cutover.ledger/1");
        assert!(matches!(newer, Err(LedgerError::Newer { .. })));
        for foreign in [
            None,
            Some("cutover.run/1"),
            Some("ledger"),
            Some("cutover.ledger/x"),
        ] {
            let result = check(path, foreign, "cutover.ledger/1");
            assert!(
                matches!(result, Err(LedgerError::NotOurs { .. })),
                "{foreign:?}"
            );
        }
    }
}
