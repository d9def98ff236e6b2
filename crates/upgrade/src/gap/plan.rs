//! From the state of a key to what can be done about it. Pure.
//!
//! The rule it protects: a repair is exact or it is not made. A row may be written only if the topic has held exactly
//! this row before; of a key that the stream has written to since the run was recorded, nothing is known.

use cutover_audit::gap::KeyState;
use cutover_model::gap::{Closure, KeyGap, KeyTrouble};

use super::forms::DeleteForm;

/// What can be done about a key. `envelopes`: records are Debezium's envelopes, as far as it is known.
pub fn plan(state: &KeyState, form: &DeleteForm, envelopes: bool) -> KeyGap {
    let (closure, why) = decide(state);
    let writes = match (closure, state.trouble) {
        _ if state.newer => Vec::new(),
        (Closure::ByRecords, KeyTrouble::Ghost) => form.letters(envelopes),
        (Closure::ByRecords, KeyTrouble::Unfinished) => vec!["x"],
        (Closure::ByRecords, KeyTrouble::Missing) if envelopes => vec!["c"],
        (Closure::ByRecords, _) => vec!["u"],
        _ => Vec::new(),
    };
    KeyGap {
        relation: state.relation.clone(),
        key: state.key.clone(),
        trouble: state.trouble,
        newer: state.newer,
        closure,
        why: why.to_owned(),
        last: state.last.as_ref().map(|(place, _)| place.clone()),
        last_op: state.last.as_ref().map(|(_, op)| op.clone()),
        source_offset: state.source,
        writes: writes.into_iter().map(str::to_owned).collect(),
    }
}

fn decide(state: &KeyState) -> (Closure, &'static str) {
    if state.newer {
        return (
            Closure::No,
            "the stream has written to this key since the run was recorded; record again to know its state",
        );
    }
    let has_row = matches!(state.trouble, KeyTrouble::Missing | KeyTrouble::Stale);
    if state.scattered {
        let why = "its records stand in several partitions, so no record written now is certain to be the last";
        return (
            if has_row {
                Closure::ByReread
            } else {
                Closure::No
            },
            why,
        );
    }
    match state.trouble {
        KeyTrouble::Ghost => (
            Closure::ByRecords,
            "a delete of what its last record brought",
        ),
        KeyTrouble::Unfinished => (
            Closure::ByRecords,
            "the tombstone that belongs to the delete",
        ),
        _ if state.source.is_some() => (
            Closure::ByRecords,
            "an earlier record of this key brought exactly the stored row",
        ),
        _ => (
            Closure::ByReread,
            "no record of this key ever brought the stored row",
        ),
    }
}

#[cfg(test)]
mod tests {
    use cutover_model::gap::RecordPlace;

    use super::*;

    fn state(trouble: KeyTrouble) -> KeyState {
        KeyState {
            relation: "public.orders".into(),
            key: "{\"id\":\"1\"}".into(),
            trouble,
            newer: false,
            scattered: false,
            last: Some((
                RecordPlace {
                    topic: "t".into(),
                    partition: 0,
                    offset: 9,
                },
                "u".into(),
            )),
            source: None,
        }
    }

    fn planned(state: &KeyState) -> (Closure, Vec<String>) {
        let form = DeleteForm {
            tombstone: true,
            rewritten: None,
        };
        let plan = plan(state, &form, true);
        (plan.closure, plan.writes)
    }

    #[test]
    fn a_ghost_is_closed_by_a_delete_and_its_tombstone() {
        let letters = vec!["d".to_owned(), "x".to_owned()];
        assert_eq!(
            planned(&state(KeyTrouble::Ghost)),
            (Closure::ByRecords, letters)
        );
    }

    #[test]
    fn a_row_is_closed_by_records_only_if_the_topic_has_held_it() {
        for (trouble, letter) in [(KeyTrouble::Stale, "u"), (KeyTrouble::Missing, "c")] {
            let mut state = state(trouble);
            assert_eq!(planned(&state), (Closure::ByReread, vec![]));
            state.source = Some(3);
            assert_eq!(
                planned(&state),
                (Closure::ByRecords, vec![letter.to_owned()])
            );
        }
    }

    #[test]
    fn nothing_is_planned_for_a_key_that_the_stream_has_written_to_since() {
        for trouble in KeyTrouble::ALL {
            let newer = KeyState {
                newer: true,
                source: Some(3),
                ..state(trouble)
            };
            assert_eq!(planned(&newer), (Closure::No, vec![]));
        }
    }

    #[test]
    fn records_in_several_partitions_are_not_outrun() {
        let mut ghost = state(KeyTrouble::Ghost);
        ghost.scattered = true;
        assert_eq!(planned(&ghost), (Closure::No, vec![]));
        let mut stale = state(KeyTrouble::Stale);
        (stale.scattered, stale.source) = (true, Some(3));
        assert_eq!(planned(&stale), (Closure::ByReread, vec![]));
    }
}
