//! Findings: a bounded list, and beside the first ones what was committed and published around them.

use cutover_model::story::{Neighbour, Neighbourhood};
use cutover_model::{Finding, Lsn};

use super::Telling;
use super::markup::Markup;
use crate::telling::veil::place;
use crate::telling::words;
use crate::text::{count, counted, foreign};

/// Findings listed at most.
const LISTED: usize = 1_000;

/// Bytes that the list may take: a page stays below two mebibytes whatever names it has to show.
const BYTES: usize = 1 << 20;

/// Findings of one table: a browser lays a table out as a whole.
const TOGETHER: usize = 100;

/// Neighbourhoods that are open when the page is.
const OPEN: usize = 1;

impl Telling<'_> {
    pub(super) fn findings(&mut self, page: &mut Markup) {
        let scenario = &self.story.scenario;
        let all = words::findings_in_all(scenario);
        if all == 0 {
            page.put("p", &[], &words::no_findings(scenario));
            return;
        }
        if !self.story.neighbourhoods.is_empty() {
            self.heading(page, 2, None, "What stands beside the first of them");
            for (number, hood) in self.story.neighbourhoods.iter().enumerate() {
                self.neighbourhood(page, hood, number < OPEN);
            }
            self.heading(page, 2, None, "The list");
        }
        let listed = self.list(page, &scenario.findings);
        let words = if listed as u64 == all {
            format!("These are all {}.", count(all))
        } else {
            format!(
                "{} of {} are listed; all of them stand in findings.parquet of the run folder.",
                count(listed as u64),
                count(all)
            )
        };
        page.put("p", &[], &words);
    }

    fn list(&mut self, page: &mut Markup, findings: &[Finding]) -> usize {
        let heads = [
            "number",
            "kind",
            "table",
            "row",
            "operation",
            "where",
            "what was seen",
            "check",
        ];
        let begun = page.size();
        let mut listed = 0;
        for (finding, number) in findings.iter().take(LISTED).zip(1_u64..) {
            if page.size() - begun > BYTES {
                break;
            }
            if listed % TOGETHER == 0 {
                end_part(page, listed);
                // Laid out when it comes into view: a long list must not hold up the verdict.
                page.open("div", &[("class", "long")]);
                page.table(&caption(number), &heads);
            }
            let row = self.key_of(finding);
            let operation = finding.op.as_deref().map(words::operation);
            page.row(&[
                &count(number),
                finding.kind.name(),
                &foreign(&finding.relation),
                &row,
                operation.unwrap_or_default(),
                &place(finding),
                &foreign(&finding.detail),
                &foreign(&finding.check),
            ]);
            listed += 1;
        }
        end_part(page, listed);
        listed
    }

    fn key_of(&mut self, finding: &Finding) -> String {
        let key = self.veil.key(&finding.relation, finding.key.as_deref());
        match self.veil.revision(finding.revision) {
            Some(revision) => format!("{key}, {revision}"),
            None => key,
        }
    }

    fn neighbourhood(&mut self, page: &mut Markup, hood: &Neighbourhood, open: bool) {
        let Some(finding) = self.story.scenario.findings.get(hood.finding) else {
            return;
        };
        let row = self.key_of(finding);
        let named = format!(
            "{}: {} {}, {row}{}",
            hood.finding + 1,
            finding.kind,
            foreign(&finding.relation),
            self.moment(hood)
        );
        page.open("details", if open { &[("open", "")] } else { &[] });
        page.put("summary", &[], &named);
        page.put("p", &[], &foreign(&finding.detail));
        page.put("p", &[], &in_both(hood));
        let heads = [
            "",
            "ledger",
            "time",
            "operation",
            "row",
            "life",
            "LSN",
            "transaction",
            "record",
        ];
        page.table("Changes committed and records published around it", &heads);
        for beside in &hood.rows {
            self.beside(page, &finding.relation, beside);
        }
        page.end_table();
        page.close("details");
    }

    /// When it was committed or published, in words.
    fn moment(&self, hood: &Neighbourhood) -> String {
        let time = hood
            .rows
            .iter()
            .find(|row| row.itself)
            .and_then(|row| row.time_ms);
        let words = self
            .line
            .as_ref()
            .zip(time)
            .and_then(|(line, time)| line.at(time));
        words.map_or_else(String::new, |words| format!(", {}", foreign(&words)))
    }

    fn beside(&mut self, page: &mut Markup, relation: &str, row: &Neighbour) {
        let key = self.veil.key(relation, row.key.as_deref());
        let revision = self
            .veil
            .revision(row.revision)
            .map(|words| format!(", {words}"));
        let lsn = row.lsn.and_then(Lsn::from_i64).map(|lsn| lsn.to_string());
        let record = row.record.as_ref();
        let record = record
            .map(|(topic, partition, offset)| format!("{}/{partition}/{offset}", foreign(topic)));
        let time = row
            .time_ms
            .and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok());
        let class = if row.itself { "itself" } else { "beside" };
        page.open("tr", &[("class", class)]);
        page.put(
            "th",
            &[("scope", "row")],
            if row.itself { "▶ this" } else { "beside" },
        );
        let cells = [
            row.ledger.name().to_owned(),
            time.map_or_else(String::new, |time| format!("{time:.3}")),
            words::operation(row.op.letter()).to_owned(),
            format!("{key}{}", revision.unwrap_or_default()),
            row.incarnation.to_string(),
            lsn.unwrap_or_default(),
            row.xid.map_or_else(String::new, |xid| xid.to_string()),
            record.unwrap_or_default(),
        ];
        for cell in &cells {
            page.put("td", &[], cell);
        }
        page.close("tr");
    }
}

fn caption(first: u64) -> String {
    match first {
        1 => "Findings, most important first".to_owned(),
        _ => format!("Findings, beginning with number {}", count(first)),
    }
}

/// Ends the part of the list that is open, if one is.
fn end_part(page: &mut Markup, listed: usize) {
    if listed > 0 {
        page.end_table();
        page.close("div");
    }
}

/// What the two ledgers say of the finding itself.
pub(crate) fn in_both(hood: &Neighbourhood) -> String {
    let looked = (hood.committed, hood.published);
    let (Some(committed), Some(published)) = looked else {
        let of = |number: Option<u64>, what: &str| match number {
            Some(number) => counted(number, what),
            None => format!("{what}s were not looked through"),
        };
        return format!(
            "At this place: {}; {}.",
            of(hood.committed, "committed change"),
            of(hood.published, "published record")
        );
    };
    match (committed, published) {
        (0, 0) => "Neither ledger has a row at this place.".to_owned(),
        (_, 0) => {
            "It is among the committed changes; no record at this place is published.".to_owned()
        }
        (0, _) => {
            "It is published; no change at this place is among the committed ones.".to_owned()
        }
        (committed, published) => format!(
            "At this place: {} and {}.",
            counted(committed, "committed change"),
            counted(published, "published record")
        ),
    }
}
