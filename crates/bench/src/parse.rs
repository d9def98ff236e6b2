//! Decoding alone, without Kafka and without a ledger: our decoder beside `serde_json::Value` on the same bytes, on one
//! thread. Ours does more: it hashes both images, reads the key and builds the ledger's row.

use std::hint::black_box;
use std::time::Instant;

use cutover_record::decode::{ConverterModes, Decoded, Decoder, Outline, take_apart};

use crate::envelopes;
use crate::error::BenchError;
use crate::figure::Figure;

/// The best of so many rounds counts, since anything else on the machine only makes a round slower.
const ROUNDS: usize = 5;
/// More distinct records than caches hold.
const DISTINCT: u64 = 50_000;

/// Decodes `events` records in each round.
///
/// # Errors
/// A record that was not decoded: the figure would mean nothing.
pub fn parse(events: u64) -> Result<Vec<Figure>, BenchError> {
    let distinct = events.clamp(1, DISTINCT);
    let make = |number| (envelopes::key(number), envelopes::value(number));
    let records: Vec<(String, String)> = (0..distinct).map(make).collect();
    let times = events.div_ceil(distinct).max(1);
    let decoded = (distinct * times) as f64;
    let bytes: usize = records.iter().map(|(_, value)| value.len()).sum();
    let (mut ours, mut theirs, mut apart) = (f64::INFINITY, f64::INFINITY, f64::INFINITY);
    for _ in 0..ROUNDS {
        theirs = theirs.min(with_values(&records, times)?);
        apart = apart.min(only_apart(&records, times)?);
        ours = ours.min(with_decoder(&records, times)?);
    }
    let size = format!("{} bytes each", bytes as u64 / distinct);
    Ok(vec![
        Figure::new(
            format!("serde_json::Value, {size}"),
            decoded / theirs,
            "events/s",
        ),
        Figure::new(
            format!("taken apart by us (parse only, values stay text), {size}"),
            decoded / apart,
            "events/s",
        ),
        Figure::new(
            "taken apart by us against serde_json::Value",
            theirs / apart,
            "×",
        ),
        Figure::new(
            format!("our decoder as a whole, {size}"),
            decoded / ours,
            "events/s",
        ),
        Figure::new("our decoder against serde_json::Value", theirs / ours, "×"),
    ])
}

fn with_values(records: &[(String, String)], times: u64) -> Result<f64, BenchError> {
    let begun = Instant::now();
    for _ in 0..times {
        for (_, value) in records {
            let parsed: serde_json::Value = serde_json::from_slice(value.as_bytes())
                .map_err(|error| BenchError::Void(format!("serde_json: {error}")))?;
            black_box(&parsed);
        }
    }
    Ok(begun.elapsed().as_secs_f64())
}

fn only_apart(records: &[(String, String)], times: u64) -> Result<f64, BenchError> {
    let mut outline = Outline::default();
    let begun = Instant::now();
    for _ in 0..times {
        for (_, value) in records {
            let members = take_apart(black_box(value), &mut outline);
            if members.is_none() {
                return Err(BenchError::Void(format!("no envelope: {value}")));
            }
            black_box(members);
        }
    }
    Ok(begun.elapsed().as_secs_f64())
}

fn with_decoder(records: &[(String, String)], times: u64) -> Result<f64, BenchError> {
    let (shapes, modes) = ([envelopes::shape()], ConverterModes::default());
    let mut decoder = Decoder::new("bench", &shapes, &modes);
    let begun = Instant::now();
    for _ in 0..times {
        for (record, offset) in records.iter().zip(0..) {
            match decoder.decode(&envelopes::record(record, offset), 0) {
                Decoded::Change(change) if change.row.after.is_some() => {
                    black_box(&change);
                }
                other => return Err(BenchError::Void(format!("not decoded: {other:?}"))),
            }
        }
    }
    let seconds = begun.elapsed().as_secs_f64();
    match decoder.notes().problems.first() {
        Some(problem) => Err(BenchError::Void(problem.clone())),
        None => Ok(seconds),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_record_is_decoded() {
        let figures = super::parse(50).unwrap_or_else(|error| panic!("{error}"));
        assert!(figures.iter().all(|figure| figure.value > 0.0));
    }
}
