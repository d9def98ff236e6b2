//! The topics of one connector in a lab: where they end, and what is in them.

use std::collections::BTreeMap;
use std::path::Path;

use cutover_clients::wait::Poll;
use cutover_ledger::{ChangeWriter, TransactionWriter};
use cutover_model::run_folder::LedgerKind;
use cutover_model::{EventSink, RunFolder, TableShape};
use cutover_record::RecordError;
use cutover_record::topics::{
    ConverterModes, PartitionSpan, TopicsConfig, TopicsEnd, record_topics,
};
use serde_json::{Map, Value};

use crate::lab::{Lab, wait};

/// Buckets of the ledgers of a test: each costs every check once more.
pub const BUCKETS: u16 = 1;

impl Lab {
    /// Every partition of every topic of this prefix, those without changes too.
    pub fn spans(&self, prefix: &str) -> Vec<PartitionSpan> {
        let (begins, ends) = (format!("{prefix}."), format!(".{prefix}"));
        let span = |((topic, partition), end)| PartitionSpan {
            topic,
            partition,
            end,
            cuts: vec![(0, 0)],
            forks: Vec::new(),
        };
        self.ends(|topic| topic.starts_with(&begins) || topic.ends_with(&ends))
            .map(span)
            .collect()
    }

    fn ends(&self, of: impl Fn(&str) -> bool) -> impl Iterator<Item = ((String, i32), i64)> {
        let mut topics = self.kafka.topics().unwrap();
        topics.retain(|topic| of(&topic.name));
        self.kafka.ends(&topics).unwrap().into_iter()
    }

    /// Waits until so many logical messages have come through a connector.
    pub async fn messages(&self, prefix: &str, wanted: i64) {
        let topic = format!("{prefix}.message");
        wait(&format!("{wanted} messages in {topic}"), async || {
            let ends = self.ends(|name| name == topic);
            match ends.map(|(_, end)| end).sum::<i64>() {
                there if there == wanted => Poll::Ready(()),
                there => Poll::NotYet(format!("{there} there")),
            }
        })
        .await;
    }

    /// Reads all topics of a prefix into a run folder, as a run does.
    pub async fn published(
        &self,
        prefix: &str,
        shapes: &[TableShape],
        config: &Map<String, Value>,
        folder: &Path,
    ) -> Result<TopicsEnd, RecordError> {
        let reading = TopicsConfig {
            bootstrap: self.stack.kafka.bootstrap(),
            prefix: prefix.to_owned(),
            shapes: shapes.to_vec(),
            modes: ConverterModes::from_connector_config(config),
            schemas: BTreeMap::new(),
            spans: self.spans(prefix),
        };
        let run = RunFolder::at(folder);
        let read = move || {
            let ledger = run.ledger(LedgerKind::Published);
            let mut writer = ChangeWriter::create(&ledger, BUCKETS).unwrap();
            let mut beside = TransactionWriter::create(&run.transactions(), BUCKETS).unwrap();
            let end = record_topics(&reading, &mut writer, Some(&mut beside), &EventSink::none());
            writer.finish().unwrap();
            beside.finish().unwrap();
            end
        };
        tokio::task::spawn_blocking(read).await.unwrap()
    }
}
