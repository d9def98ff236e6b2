//! The plan as people read it, before anything runs and in the run folder afterwards: numbered steps, what
//! each must prove, how it is taken back, and after which one there is no way back.
//!
//! The rule it protects: a step without proof says so in plain words instead of showing nothing.

use cutover_model::plan::{Runbook, RunbookClass, RunbookStep};

use crate::text::{WIDTH, counted, foreign, wrapped};

/// The runbook as numbered text with a final line break.
pub fn numbered(runbook: &Runbook) -> String {
    let class = match runbook.class {
        RunbookClass::Baseline => {
            "baseline: as people do it, although it can lose or repeat events"
        }
        RunbookClass::Proven => {
            "proven: no step begins before the one before it has shown its proof"
        }
    };
    let mut text = format!(
        "Runbook {}: {}\n",
        foreign(&runbook.name),
        foreign(&runbook.title)
    );
    text.push_str(&format!("({class})\n{}\n", way_back(&runbook.steps)));
    let digits = runbook.steps.len().max(1).to_string().len();
    for step in &runbook.steps {
        text.push('\n');
        text.push_str(&numbered_step(step, digits));
    }
    text
}

fn way_back(steps: &[RunbookStep]) -> String {
    let all = counted(steps.len() as u64, "step");
    match steps.iter().find(|step| step.point_of_no_return) {
        Some(step) => format!(
            "{all}; the point of no return is step {} ({}), all before it can be undone.",
            step.number,
            foreign(&step.step)
        ),
        None => format!("{all}; none is a point of no return."),
    }
}

fn numbered_step(step: &RunbookStep, digits: usize) -> String {
    let indent = " ".repeat(digits + 3);
    let first = format!(" {:>digits$}. ", step.number);
    let headline = format!("{}: {}", foreign(&step.step), foreign(&step.title));
    let rest = " ".repeat(first.len());
    let mut lines = vec![wrapped(&headline, &first, &rest, WIDTH)];
    let mut say = |label: &str, what: &str| {
        let first = format!("{indent}   {label:<6} ");
        let rest = " ".repeat(first.len());
        lines.push(wrapped(what, &first, &rest, WIDTH));
    };
    let proof = step.proof.as_deref().map(foreign);
    say(
        "proof",
        proof.as_deref().unwrap_or("none; this step is not checked"),
    );
    match &step.undo {
        Some(undo) => say("undo", &foreign(undo)),
        None if step.point_of_no_return => {}
        None => say("undo", "nothing to take back"),
    }
    if step.point_of_no_return {
        say(
            "",
            "POINT OF NO RETURN: after this step there is no way back",
        );
    }
    lines.push(String::new());
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples;

    #[test]
    fn a_proven_runbook_shows_proofs_undo_and_the_point_of_no_return() {
        let expected = "\
Runbook minor-proven: Minor upgrade on the same data directory
(proven: no step begins before the one before it has shown its proof)
3 steps; the point of no return is step 3 (swap-binaries), all before it can be undone.

 1. freeze-writes: Make the database refuse writes
       proof  no session of the writers' role holds a transaction id
       undo   allow writes again

 2. drain-proof: Wait until everything before the marker is published
       proof  the marker stands in Kafka, the stored offset and the slot
       undo   nothing to take back

 3. swap-binaries: Stop the server and start the new binaries
       proof  the server answers with version 16.14
              POINT OF NO RETURN: after this step there is no way back
";
        assert_eq!(numbered(&samples::proven_runbook()), expected);
    }

    #[test]
    fn a_baseline_admits_that_it_checks_nothing() {
        let text = numbered(&samples::baseline_runbook());
        assert!(text.contains("(baseline: as people do it"), "{text}");
        assert!(
            text.contains("1 step; none is a point of no return."),
            "{text}"
        );
        assert!(
            text.contains("proof  none; this step is not checked"),
            "{text}"
        );
        assert!(text.contains("undo   resume the connector"), "{text}");
    }

    #[test]
    fn long_steps_are_broken_and_hostile_ones_escaped() {
        let mut runbook = samples::baseline_runbook();
        runbook.steps[0].title = format!("\u{1b}[31m{}", "word ".repeat(40));
        let text = numbered(&runbook);
        assert!(!text.contains('\u{1b}'));
        assert!(
            text.lines().all(|line| line.chars().count() <= WIDTH),
            "{text}"
        );
    }
}
