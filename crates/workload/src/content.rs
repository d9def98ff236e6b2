//! What rows contain: invented people, orders and notes, with the values that trip converters up
//! (quotes, backslashes, letters outside ASCII, empty text beside NULL, negative and trailing-zero
//! amounts).

use rand::rngs::Xoshiro256PlusPlus;
use rand::seq::IndexedRandom;
use rand::{Rng, RngExt};

use crate::plan::Value;
use crate::rows::Row;

/// The generator of all choices; named, since `seed` must mean the same in every later version.
pub type Dice = Xoshiro256PlusPlus;

const FIRST: [&str; 10] = [
    "Ada",
    "Björn",
    "Chloé",
    "Dmitri",
    "Elif",
    "Fāṭima",
    "Gábor",
    "花子",
    "Ivy",
    "O'Hara",
];
const LAST: [&str; 8] = [
    "Lovelace",
    "Ångström",
    "D'Arcy",
    "Kowalski",
    "Şahin",
    "李",
    "van \"Q\" Rijn",
    "Smith\\Jones",
];
const CITY: [&str; 6] = ["Oslo", "São Paulo", "Zürich", "東京", "Kraków", "Reykjavík"];
const TIER: [&str; 4] = ["basic", "silver", "gold", "platinum"];
const STATUS: [&str; 6] = ["new", "paid", "packed", "shipped", "delivered", "returned"];
const NOTE: [&str; 8] = [
    "",
    "leave at the door",
    "tab\there, newline\nthere",
    "back\\slash and \"quotes\" and 'apostrophes'",
    "emoji 🎁 please",
    "{\"looks\":\"like json\"}",
    "\\N",
    "call before delivery; the bell does not work and the dog is friendly but loud",
];

/// Kinds of order events.
pub const EVENT_KINDS: [&str; 5] = ["created", "paid", "packed", "shipped", "viewed"];

/// A new or changed customer.
#[derive(Debug, Clone, PartialEq)]
pub struct CustomerContent {
    name: String,
    email: String,
    city: Option<&'static str>,
    /// Price group.
    pub tier: &'static str,
    /// Balance of a new customer; what an update adds.
    pub balance: String,
    /// Whether they may order.
    pub active: bool,
    /// Free-form attributes as JSON.
    pub profile: String,
    created: String,
}

impl CustomerContent {
    /// Invents one.
    pub fn roll(dice: &mut Dice) -> CustomerContent {
        let number = dice.random_range(0..1_000_000);
        CustomerContent {
            name: format!("{} {}", pick(dice, &FIRST), pick(dice, &LAST)),
            email: format!("customer{number}@example.org"),
            city: dice.random_bool(0.9).then(|| pick(dice, &CITY)),
            tier: pick(dice, &TIER),
            balance: amount(dice, -50_000..100_000),
            active: dice.random_bool(0.95),
            profile: format!(
                "{{\"visits\": {}, \"score\": {}, \"tags\": [\"{}\", \"{}\"], \"ref\": null}}",
                dice.random_range(0..500),
                amount(dice, 0..1000),
                pick(dice, &TIER),
                pick(dice, &CITY),
            ),
            created: format!("{}+00", moment(dice)),
        }
    }

    pub(crate) fn values(self, row: Row) -> Vec<Value> {
        vec![
            Value::Int(row.id),
            Value::Text(self.name),
            Value::Text(self.email),
            self.city
                .map_or(Value::Null, |city| Value::Text(city.into())),
            Value::Text(self.tier.into()),
            Value::Text(self.balance),
            Value::Bool(self.active),
            Value::Text(self.profile),
            Value::Text(self.created),
            Value::Int(row.revision),
        ]
    }
}

/// A new or changed order.
#[derive(Debug, Clone, PartialEq)]
pub struct OrderContent {
    customer: i64,
    /// Where it stands.
    pub status: &'static str,
    /// Price.
    pub amount: String,
    /// Pieces.
    pub quantity: i64,
    /// What the customer wrote.
    pub note: Option<String>,
    placed: String,
    /// Promised date.
    pub due: Option<String>,
    /// Parcel, once there is one.
    pub tracking: Option<String>,
}

impl OrderContent {
    /// Invents one for a customer.
    pub fn roll(dice: &mut Dice, customer: i64) -> OrderContent {
        OrderContent {
            customer,
            status: pick(dice, &STATUS),
            amount: amount(dice, 1..500_000),
            quantity: dice.random_range(1..40),
            note: dice.random_bool(0.6).then(|| pick(dice, &NOTE).to_owned()),
            placed: format!("{}+00", moment(dice)),
            due: dice.random_bool(0.7).then(|| day(dice)),
            tracking: dice.random_bool(0.5).then(|| uuid(dice)),
        }
    }

    pub(crate) fn values(&self, row: Row) -> Vec<Value> {
        let optional = |text: &Option<String>| text.clone().map_or(Value::Null, Value::Text);
        vec![
            Value::Int(row.id),
            Value::Int(self.customer),
            Value::Text(self.status.into()),
            Value::Text(self.amount.clone()),
            Value::Int(self.quantity),
            optional(&self.note),
            Value::Text(self.placed.clone()),
            optional(&self.due),
            optional(&self.tracking),
            Value::Int(row.revision),
        ]
    }
}

/// One entry of a list.
pub fn pick(dice: &mut Dice, list: &[&'static str]) -> &'static str {
    list.choose(dice).copied().unwrap_or("")
}

/// Date and time without zone, microseconds included.
pub fn moment(dice: &mut Dice) -> String {
    let day = day(dice);
    let (hour, minute) = (dice.random_range(0..24), dice.random_range(0..60));
    let (second, micros) = (dice.random_range(0..60), dice.random_range(0..1_000_000));
    format!("{day} {hour:02}:{minute:02}:{second:02}.{micros:06}")
}

/// Days stop at the 28th: every month has those.
fn day(dice: &mut Dice) -> String {
    let (year, month) = (dice.random_range(2020..2027), dice.random_range(1..13));
    format!("{year}-{month:02}-{:02}", dice.random_range(1..29))
}

fn amount(dice: &mut Dice, cents: std::ops::Range<i64>) -> String {
    let cents = dice.random_range(cents);
    let sign = if cents < 0 { "-" } else { "" };
    format!("{sign}{}.{:02}", cents.abs() / 100, cents.abs() % 100)
}

fn uuid(dice: &mut Dice) -> String {
    let (high, low) = (dice.next_u64(), dice.next_u64());
    format!(
        "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
        high >> 32,
        (high >> 16) & 0xffff,
        high & 0xffff,
        low >> 48,
        low & 0xffff_ffff_ffff
    )
}
