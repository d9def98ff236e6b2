//! What was left uncompared, in words.
//!
//! Stands beside the verdict. The rule it protects: whatever was compared in part only, or by other means than a
//! record's own row, is named with its table and its number.

use crate::verdict::Grounds;

impl Grounds<'_> {
    /// What was left uncompared; lowers what is claimed, not the verdict.
    pub(crate) fn uncompared(&self) -> Vec<String> {
        let mut all = Vec::new();
        for table in &self.evidence.tables {
            for (column, reason) in &table.not_compared {
                all.push(format!(
                    "content of {}.{column} was not compared: {reason}",
                    table.relation
                ));
            }
        }
        for (what, text) in [
            (
                "content",
                "changes were published without comparable row image in",
            ),
            (
                "old-content",
                "changes have their old row on one side only in",
            ),
            (
                "keyless-state",
                "records or rows without image keep the state unproven of",
            ),
            (
                "stored-content",
                "stored rows could not be compared by content in",
            ),
            (
                "filled-state",
                "keys end with a record from before an ALTER TABLE, or one of which that cannot be told, which with \
                 what was filled in since is the stored row, in",
            ),
            (
                "no-place",
                "committed changes have no commit LSN or ordinal in",
            ),
        ] {
            let amount = self.amount(what);
            if amount > 0 {
                all.push(format!("{amount} {text} {}", self.relations(what)));
            }
        }
        all
    }
}
