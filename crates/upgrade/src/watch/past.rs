//! What earlier looks saw, as far as the next judgement needs it: ends of the log for a lag in seconds, ends of topics
//! for rates. Pure code, bounded.

use std::collections::{BTreeMap, VecDeque};

use cutover_model::Lsn;

use super::look::Sample;

/// Ends of the log that are kept. A lag that is older is "at least" that.
const ENDS_MAX: usize = 5_000;

/// Whose log: system identifier and timeline.
type Log = (u64, u32);

/// Earlier looks.
#[derive(Debug, Clone, Default)]
pub struct Past {
    log: Option<Log>,
    ends: VecDeque<(f64, Lsn)>,
    topics: Option<(f64, BTreeMap<String, u64>)>,
    topics_before: Option<(f64, BTreeMap<String, u64>)>,
}

impl Past {
    /// Notes a look. To be called once for each, before it is judged.
    pub fn note(&mut self, sample: &Sample) {
        if let Some((_, facts)) = &sample.server {
            let log = (facts.incarnation.system_id, facts.incarnation.timeline);
            if self.log != Some(log) {
                // Positions of two logs do not compare.
                self.ends.clear();
                self.log = Some(log);
            }
            self.ends.push_back((sample.at, facts.current_lsn));
            if self.ends.len() > ENDS_MAX {
                self.ends.pop_front();
            }
        }
        if let Some(topics) = &sample.topics {
            self.topics_before = self.topics.take();
            self.topics = Some((sample.at, topics.clone()));
        }
    }

    /// Age of the oldest byte after `confirmed`, and whether it is at least that old. `None` if nothing is known of it.
    ///
    /// All positions here are of one log; `confirmed` is of a slot of the same server.
    pub fn age(&self, confirmed: Lsn, now: f64) -> Option<(f64, bool)> {
        let (_, newest) = self.ends.back()?;
        if confirmed >= *newest {
            return Some((0.0, false));
        }
        // The last look at which everything that is confirmed now was all there was: what is not confirmed came later.
        let covered = self.ends.iter().rev().find(|(_, end)| *end <= confirmed);
        match covered {
            Some((at, _)) => Some((now - at, false)),
            None if self.ends.len() < 2 => None,
            None => Some((now - self.ends.front()?.0, true)),
        }
    }

    /// Growth of a topic per second between the last two looks.
    pub fn rate(&self, topic: &str) -> Option<f64> {
        let (at, now) = self.topics.as_ref()?;
        let (since, before) = self.topics_before.as_ref()?;
        let (end, begin) = (*now.get(topic)?, *before.get(topic)?);
        let seconds = at - since;
        // A topic that was made again begins anew.
        (seconds > 0.0 && end >= begin).then(|| (end - begin) as f64 / seconds)
    }
}
