//! The sequence of a session: which transaction comes next.
//!
//! Each transaction has dice of its own, thrown from seed, session and number, so its content does
//! not depend on how often others were refused or how fast anything went.

use rand::SeedableRng;

use crate::content::Dice;
use crate::plan::{Draft, Plan, Turn};
use crate::rows::OwnRows;
use crate::shapes::{self, Copies};

/// The plan of one turn, given the rows that the session has by then.
pub fn plan(seed: u64, turn: Turn, own: &OwnRows) -> Plan {
    plan_with_copies(seed, turn, own, None)
}

/// The same for a load with bulk loads in it.
pub fn plan_with_copies(seed: u64, turn: Turn, own: &OwnRows, copies: Option<Copies>) -> Plan {
    let mut dice = dice(seed, turn);
    let shape = shapes::choose(own, &mut dice, copies);
    let mut draft = Draft::new(shape.name, turn, own);
    (shape.write)(own, &mut dice, &mut draft);
    draft.finish()
}

fn dice(seed: u64, turn: Turn) -> Dice {
    // Odd constants keep neighbouring numbers and sessions apart; the generator's own seeding mixes
    // the rest.
    let mixed = seed
        .rotate_left(17)
        .wrapping_add(turn.number.wrapping_mul(0x9E37_79B9_7F4A_7C15))
        ^ u64::from(turn.session).wrapping_mul(0xD6E8_FEB8_6659_FD93);
    Dice::seed_from_u64(mixed)
}
