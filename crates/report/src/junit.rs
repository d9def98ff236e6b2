//! The result as JUnit XML, for CI servers: one suite per run, one case for the scenario and one per check.
//!
//! The rule it protects: a CI gate turns red exactly when cutover's exit code is not 0. So a check that fails
//! in a scenario which expects just that is a passed case that says what it found, and a check that could not
//! run is an error, never a skipped test. CI servers show it to many, so keys are hidden unless somebody asks.

use std::time::Duration;

use cutover_model::Verdict;
use cutover_model::result::{CheckResult, RunResult, ScenarioResult};
use quick_junit::{NonSuccessKind, Property, Report, TestCase, TestCaseStatus, TestSuite};

use crate::error::ReportError;
use crate::telling::{Values, Veil, words};
use crate::text::{count, counted, foreign};

/// The result as JUnit XML.
pub fn to_junit(result: &RunResult, values: Values) -> Result<String, ReportError> {
    let mut report = Report::new("cutover");
    let mut veil = Veil::new(values);
    for scenario in &result.scenarios {
        report.add_test_suite(suite(scenario, &mut veil));
    }
    report.to_string().map_err(ReportError::Junit)
}

fn suite(scenario: &ScenarioResult, veil: &mut Veil) -> TestSuite {
    let name = foreign(&scenario.name);
    let mut suite = TestSuite::new(format!("cutover.{name}"));
    let stack = &scenario.stack;
    for (key, value) in [
        ("run_dir", &scenario.run_dir),
        ("proof_level", &scenario.proof_level.to_string()),
        ("seed", &scenario.seed.to_string()),
        ("postgres_old", &stack.postgres_old),
        ("postgres_new", &stack.postgres_new),
        ("kafka", &stack.kafka),
        ("debezium", &stack.debezium),
        ("committed", &scenario.counts.committed.to_string()),
        ("published", &scenario.counts.published.to_string()),
        ("lost", &words::found(scenario, "lost")),
        ("duplicated", &words::found(scenario, "duplicated")),
        (
            "refused_write_seconds",
            &format!("{:.3}", scenario.refused_write_seconds),
        ),
    ] {
        suite.add_property(Property::new(key, foreign(value)));
    }
    let total: f64 = scenario.phases.iter().map(|phase| phase.seconds).sum();
    let total = Duration::try_from_secs_f64(total).unwrap_or_default();
    suite.set_time(total);
    suite.add_test_case(scenario_case(scenario, (&name, total), veil));
    for check in &scenario.checks {
        suite.add_test_case(check_case(scenario, check, &name, veil));
    }
    suite
}

fn scenario_case(
    scenario: &ScenarioResult,
    (class, total): (&str, Duration),
    veil: &mut Veil,
) -> TestCase {
    let told = format!(
        "verdict {} at {}, expected {}",
        scenario.verdict, scenario.proof_level, scenario.expected
    );
    let status = if scenario.as_expected {
        TestCaseStatus::success()
    } else {
        let mut lines: Vec<String> = scenario
            .reasons
            .iter()
            .map(|reason| foreign(reason))
            .collect();
        lines.extend(
            scenario
                .findings
                .iter()
                .take(FINDINGS_MAX)
                .map(|finding| crate::terminal::finding(&veil.over(finding))),
        );
        not_success(scenario.verdict, &told, &lines)
    };
    let mut case = TestCase::new("verdict as expected", status);
    case.set_classname(class.to_owned()).set_time(total);
    let lesson = crate::terminal::lesson(scenario).map(|lesson| format!("\n{lesson}"));
    let mut out = format!("{told}{}", lesson.unwrap_or_default());
    if !scenario.naive.is_empty() {
        let lines = crate::naive::lines(&scenario.naive);
        out.push_str(&format!("\n{}\n{}", crate::naive::WHAT, lines.join("\n")));
    }
    case.set_system_out(out);
    case
}

/// Findings listed in a failed case; all of them are in the run folder.
const FINDINGS_MAX: usize = 20;

fn check_case(
    scenario: &ScenarioResult,
    check: &CheckResult,
    class: &str,
    veil: &mut Veil,
) -> TestCase {
    let told = match (check.verdict, check.reason.as_deref()) {
        (Verdict::Pass, _) => "no findings".to_owned(),
        (Verdict::Unknown, reason) => {
            format!(
                "not judged: {}",
                foreign(reason.unwrap_or("the reason is not known"))
            )
        }
        (Verdict::Fail, _) => counted(check.findings, "finding"),
    };
    let expected = scenario.as_expected;
    let status = match check.verdict {
        Verdict::Pass => TestCaseStatus::success(),
        _ if expected => TestCaseStatus::success(),
        verdict => {
            let own = scenario
                .findings
                .iter()
                .filter(|finding| finding.check == check.check);
            let lines: Vec<String> = own
                .take(FINDINGS_MAX)
                .map(|finding| crate::terminal::finding(&veil.over(finding)))
                .collect();
            not_success(verdict, &told, &lines)
        }
    };
    let name = format!("{} ({})", foreign(&check.guarantee), foreign(&check.check));
    let mut case = TestCase::new(name, status);
    let note = if expected && check.verdict != Verdict::Pass {
        format!("{told}; the scenario expects verdict {}", scenario.expected)
    } else {
        told
    };
    case.set_classname(class.to_owned()).set_system_out(note);
    case
}

/// A violated invariant is a failure; what could not be judged is an error.
fn not_success(verdict: Verdict, message: &str, lines: &[String]) -> TestCaseStatus {
    let kind = if verdict == Verdict::Unknown {
        NonSuccessKind::Error
    } else {
        NonSuccessKind::Failure
    };
    let mut status = TestCaseStatus::non_success(kind);
    status
        .set_message(message.to_owned())
        .set_type(format!("cutover.{verdict}"));
    let mut described = lines.join("\n");
    if lines.len() == FINDINGS_MAX {
        described.push_str(&format!(
            "\nonly the first {} are listed",
            count(FINDINGS_MAX as u64)
        ));
    }
    status.set_description(described);
    status
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples;

    fn report(result: &RunResult) -> Report {
        Report::deserialize_from_str(&to_junit(result, Values::Hidden).unwrap()).unwrap()
    }

    #[test]
    fn an_expected_loss_is_green_and_says_what_it_found() {
        let xml = to_junit(&samples::result(), Values::Hidden).unwrap();
        let report = Report::deserialize_from_str(&xml).unwrap();
        assert_eq!(
            (report.tests, report.failures, report.errors),
            (11, 0, 0),
            "{xml}"
        );
        assert_eq!(
            report.test_suites[1].name.as_str(),
            "cutover.dump-restore-baseline"
        );
        assert!(
            xml.contains("1,201 findings; the scenario expects verdict fail"),
            "{xml}"
        );
    }

    #[test]
    fn keys_are_hidden_unless_somebody_asks_and_the_same_row_has_the_same_number() {
        let mut result = samples::result();
        result.scenarios[1].as_expected = false;
        let xml = |values| to_junit(&result, values).unwrap();
        let (hidden, shown) = (xml(Values::Hidden), xml(Values::Shown));
        assert!(
            shown.contains("key {&quot;id&quot;:&quot;42&quot;}"),
            "{shown}"
        );
        assert!(shown.contains("revision 3"), "{shown}");
        assert!(
            !hidden.contains("42&quot;") && !hidden.contains("revision"),
            "{hidden}"
        );
        assert!(hidden.contains("key #1 "), "{hidden}");
    }

    #[test]
    fn an_unexpected_loss_is_red_and_a_check_that_did_not_run_is_an_error() {
        let mut result = samples::result();
        result.scenarios[1].as_expected = false;
        result.scenarios[1].expected = Verdict::Pass;
        let report = report(&result);
        assert_eq!((report.tests, report.failures, report.errors), (11, 2, 1));
    }

    #[test]
    fn classic_counts_stand_beside_the_verdict_where_they_were_asked_for() {
        let result = samples::result();
        let xml = to_junit(&result, Values::Hidden).unwrap();
        let told = "5120 rows, 20412 messages: the count says fail, the events say pass";
        assert_eq!(xml.matches(told).count(), 1, "{xml}");
        assert!(
            xml.contains("name=\"refused_write_seconds\" value=\"2.140\""),
            "{xml}"
        );
        let mut silent = result;
        silent.scenarios[0].naive.clear();
        let xml = to_junit(&silent, Values::Hidden).unwrap();
        assert!(!xml.contains(crate::naive::WHAT), "{xml}");
    }

    #[test]
    fn hostile_text_leaves_the_xml_well_formed() {
        let mut result = samples::result();
        let scenario = &mut result.scenarios[1];
        scenario.as_expected = false;
        scenario.name = "a\"<b>&\u{0}]]>".into();
        let xml = to_junit(&result, Values::Hidden).unwrap();
        assert!(!xml.contains('\u{1b}') && !xml.contains('\u{0}'));
        assert_eq!(
            Report::deserialize_from_str(&xml)
                .unwrap()
                .test_suites
                .len(),
            2
        );
    }
}
