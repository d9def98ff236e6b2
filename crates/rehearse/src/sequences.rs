//! What sequences have given out where one life of the database follows another: read on the old server when nothing
//! can be committed there any more, and on the new one before the application writes to it. Evidence for I13: no value
//! is given out twice. A switch at which one of the two looks is missing gives no evidence, and the audit claims
//! nothing.

use cutover_clients::pg::Client;
use cutover_clients::pg::subscription::{Sequence, next_values, sequences};
use cutover_model::evidence::SequenceEvidence;
use cutover_upgrade::UpgradeError;

/// What was seen so far.
#[derive(Debug, Default)]
pub struct Sequences {
    /// The life that ended last, and where its sequences stood.
    ended: Option<(i32, Vec<Sequence>)>,
    carried: Vec<SequenceEvidence>,
}

impl Sequences {
    /// A life ends; nobody writes to it any more.
    pub async fn ends(&mut self, life: i32, client: &Client) -> Result<(), UpgradeError> {
        self.ended = Some((life, sequences(client).await?));
        Ok(())
    }

    /// A life is about to be written to.
    pub async fn begins(&mut self, life: i32, client: &Client) -> Result<(), UpgradeError> {
        let follows = |ended: &(i32, Vec<Sequence>)| ended.0 + 1 == life;
        let Some((_, old)) = self.ended.take_if(|ended| follows(ended)) else {
            return Ok(());
        };
        let new = next_values(client).await?;
        self.carried
            .extend(old.iter().map(|old| carried(life, old, &new)));
        Ok(())
    }

    /// Evidence of every switch that was seen on both sides.
    pub fn carried(&self) -> Vec<SequenceEvidence> {
        self.carried.clone()
    }
}

fn carried(life: i32, old: &Sequence, new: &[(String, String, i64)]) -> SequenceEvidence {
    let same =
        |(schema, name, _): &&(String, String, i64)| *schema == old.schema && *name == old.name;
    SequenceEvidence {
        name: format!("{}.{}", old.schema, old.name),
        incarnation: life,
        descending: old.descending,
        used: old.last,
        next: new.iter().find(same).map(|(_, _, next)| *next),
    }
}
