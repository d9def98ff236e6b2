//! Rows that differ, kept until they are shown: in a file without a name, which ends with the process, since they may
//! be more than memory holds.

use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Result, Seek, SeekFrom, Write};

use cutover_model::comparison::RowDifference;
use cutover_record::compare::Differences;

/// The rows, one JSON object a line.
#[derive(Default)]
pub struct Spool {
    file: Option<BufWriter<File>>,
    /// Where the rows of the table begin that was added to last.
    table: Option<(String, u64)>,
    end: u64,
}

impl Spool {
    /// Every row, in the order in which they were added.
    ///
    /// # Errors
    /// The file cannot be read again.
    pub fn rows(self) -> Result<impl Iterator<Item = Result<RowDifference>>> {
        let file = self.file.map(|file| file.into_inner()).transpose();
        let mut file = file.map_err(std::io::IntoInnerError::into_error)?;
        if let Some(file) = &mut file {
            file.seek(SeekFrom::Start(0))?;
        }
        let lines = file
            .into_iter()
            .flat_map(|file| BufReader::new(file).lines());
        Ok(lines.map(|line| Ok(serde_json::from_str(&line?)?)))
    }
}

impl Differences for Spool {
    fn add(&mut self, difference: &RowDifference) -> Result<()> {
        let file = match &mut self.file {
            Some(file) => file,
            empty => empty.insert(BufWriter::new(tempfile::tempfile()?)),
        };
        let known = self
            .table
            .as_ref()
            .is_some_and(|(table, _)| *table == difference.table);
        if !known {
            self.table = Some((difference.table.clone(), self.end));
        }
        let mut line = serde_json::to_vec(difference)?;
        line.push(b'\n');
        self.end += line.len() as u64;
        file.write_all(&line)
    }

    fn withdraw(&mut self, table: &str) -> Result<()> {
        if let (Some(file), Some((last, begin))) = (&mut self.file, &self.table)
            && last == table
        {
            file.flush()?;
            file.get_mut().set_len(*begin)?;
            file.seek(SeekFrom::Start(*begin))?;
            self.end = *begin;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use cutover_model::comparison::RowDifferenceKind;

    use super::*;

    #[test]
    fn rows_come_back_in_order_without_those_that_were_withdrawn() {
        let row = |table: &str, id: u64| RowDifference {
            table: table.to_owned(),
            kind: RowDifferenceKind::Different,
            key: [("id".to_owned(), format!("{id}\n"))].into(),
            content: None,
            count: id,
            columns: Vec::new(),
        };
        let mut spool = Spool::default();
        for (table, id) in [("a", 1), ("a", 2), ("b", 3), ("b", 4)] {
            spool.add(&row(table, id)).unwrap();
        }
        spool.withdraw("b").unwrap();
        spool.withdraw("c").unwrap();
        spool.add(&row("d", 5)).unwrap();
        let rows: Vec<RowDifference> = spool.rows().unwrap().map(Result::unwrap).collect();
        assert_eq!(rows, [row("a", 1), row("a", 2), row("d", 5)]);
        assert_eq!(Spool::default().rows().unwrap().count(), 0);
    }
}
