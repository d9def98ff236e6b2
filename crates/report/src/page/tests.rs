//! The page as text: what a browser makes of it is tested in a real one (`real_browser`).

use super::*;
use crate::samples;

fn told(values: Values) -> String {
    page(&samples::result(), &[samples::hostile_story(1_000)], values)
}

/// Every tag of a page, with its attributes; text in between is left out.
fn tags(page: &str) -> Vec<&str> {
    let pieces = page.split('<').skip(1);
    pieces.filter_map(|piece| piece.split('>').next()).collect()
}

#[test]
fn the_verdict_comes_first_and_the_story_before_its_proofs() {
    let text = page(&samples::result(), &[samples::story()], Values::Hidden);
    let places: Vec<usize> = [
        "✓ PASS",
        "The story of the run",
        "<svg",
        "Counts</h2>",
        "Runbook and proofs</h2>",
        "cutover rehearse minor",
    ]
    .iter()
    .map(|words| text.find(words).unwrap_or_else(|| panic!("{words}")))
    .collect();
    assert!(places.is_sorted(), "{places:?}");
}

#[test]
fn nothing_is_loaded_and_nothing_runs() {
    let text = told(Values::Shown);
    for tag in tags(&text) {
        let name = tag.split([' ', '/']).find(|part| !part.is_empty()).unwrap();
        assert!(
            !["script", "img", "iframe", "object", "link", "form", "b"].contains(&name),
            "{tag}"
        );
        let attributes = tag
            .split_once(' ')
            .map(|(_, rest)| rest)
            .unwrap_or_default();
        let names = attributes
            .split("=\"")
            .map(|piece| piece.rsplit(' ').next().unwrap());
        assert!(
            names.filter(|name| name.starts_with("on")).count() == 0,
            "{tag}"
        );
    }
    let hrefs = text.split("href=\"").skip(1);
    assert!(hrefs.into_iter().all(|rest| rest.starts_with('#')));
}

#[test]
fn hostile_text_stays_text() {
    let text = told(Values::Shown);
    for bad in ["\u{202e}", "\u{1b}", "\u{0}", "\u{2028}"] {
        assert!(!text.contains(bad), "{bad:?}");
    }
    assert!(text.contains("&lt;script&gt;alert(1)&lt;/script&gt;&quot;&#39;&gt;"));
    assert!(text.contains("\\u{202e}gnp"));
}

#[test]
fn row_values_are_hidden_unless_asked_for() {
    assert!(!told(Values::Hidden).contains("987654"));
    assert!(!told(Values::Hidden).contains("{&quot;id&quot;"));
    assert!(told(Values::Hidden).contains("key 999"));
    assert!(told(Values::Shown).contains("987654"));
}

#[test]
fn a_thousand_hostile_findings_fit_into_two_mebibytes() {
    for values in [Values::Hidden, Values::Shown] {
        let size = told(values).len();
        assert!(size <= 2 << 20, "{size}");
    }
    let mut story = samples::hostile_story(1_000);
    for finding in &mut story.scenario.findings {
        finding.relation = "\"".repeat(10_000);
        finding.detail = "'".repeat(10_000);
    }
    let text = page(&samples::result(), &[story], Values::Shown);
    assert!(
        text.len() <= 2 << 20 && text.contains("are listed; all of them"),
        "{}",
        text.len()
    );
}

/// A browser lays a table out as a whole, so a long one holds it up.
#[test]
fn a_long_list_is_in_parts_that_are_laid_out_when_they_come_into_view() {
    let text = told(Values::Hidden);
    let parts: Vec<&str> = text.split("<div class=\"long\">").skip(1).collect();
    assert_eq!(parts.len(), 10);
    for part in &parts {
        let (table, _) = part.split_once("</table>").unwrap();
        assert_eq!(table.matches("<tr>").count(), 101, "with its head");
    }
    assert!(parts[9].contains("Findings, beginning with number 901"));
}

#[test]
fn headings_go_down_one_level_at_a_time_and_ids_are_unique() {
    let stories = [samples::story(), samples::hostile_story(2)];
    for stories in [&stories[..1], &stories[..]] {
        let text = page(&samples::result(), stories, Values::Hidden);
        let tags = tags(&text);
        let levels: Vec<u32> = tags
            .iter()
            .filter_map(|tag| tag.strip_prefix('h')?.chars().next()?.to_digit(10))
            .collect();
        assert_eq!(levels[0], 1);
        assert!(
            levels.windows(2).all(|pair| pair[1] <= pair[0] + 1),
            "{levels:?}"
        );
        let mut ids: Vec<&str> = text
            .split(" id=\"")
            .skip(1)
            .filter_map(|rest| rest.split('"').next())
            .collect();
        let all = ids.len();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), all, "{ids:?}");
        for target in text
            .split("href=\"#")
            .skip(1)
            .filter_map(|rest| rest.split('"').next())
        {
            assert!(ids.contains(&target), "{target}");
        }
        for landmark in ["<main", "<header", "<footer"] {
            assert_eq!(text.matches(landmark).count(), 1, "{landmark}");
        }
    }
}

#[test]
fn a_curve_is_told_as_a_table_too() {
    let text = page(&samples::result(), &[samples::story()], Values::Hidden);
    assert!(text.contains("Rates and lag as a table") && text.contains("writes refused 2.1 s"));
    assert!(text.contains("aria-labelledby=\"whole-title whole-text\""));
}

#[test]
fn classic_counts_stand_in_a_table_where_they_were_asked_for() {
    let told = |story| page(&samples::result(), &[story], Values::Hidden);
    let mut story = samples::story();
    let text = told(story.clone());
    assert!(
        text.contains("The four classic counts") && text.contains("an update is a message too")
    );
    story.scenario.naive.clear();
    assert!(!told(story).contains("classic counts"));
}
