//! Claims about shapes of data: whatever the keys, identities, names and alterations of a table, what the witness, the
//! topics and the tables show of it is the same, and the checks find nothing.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on shall stop, in its own helpers too"
)]

mod alterations;
mod judging;
mod lab;
mod shapes;
mod streams;

use std::collections::BTreeSet;

use cutover_audit::Judgement;
use cutover_model::{Finding, FindingKind, Verdict};
use cutover_rehearse::connector::ConnectorPlan;
use judging::{Judged, Wanted};
use lab::Lab;
use shapes::Shape;

/// A connector with the default form of records.
fn plain(name: &'static str, options: &[(&'static str, &str)]) -> Vec<Wanted> {
    vec![Wanted::new(name, ConnectorPlan::default()).with(options)]
}

/// Sends records to other topics than their tables'.
const ROUTE: [(&str, &str); 8] = [
    ("transforms", "route,logical"),
    (
        "transforms.route.type",
        "org.apache.kafka.connect.transforms.RegexRouter",
    ),
    ("transforms.route.regex", "routed\\.public\\.q_(.*)"),
    ("transforms.route.replacement", "routed.all"),
    (
        "transforms.logical.type",
        "io.debezium.transforms.ByLogicalTableRouter",
    ),
    ("transforms.logical.topic.regex", "routed\\.public\\.l_(.*)"),
    ("transforms.logical.topic.replacement", "routed.logical"),
    ("transforms.logical.key.field.name", "shard"),
];

#[tokio::test]
async fn every_shape_of_data_is_read_alike_by_the_witness_the_topics_and_the_tables() {
    let lab = Lab::up("shapes", "17", |_| {}).await;
    let groups: [&'static [Shape]; 6] = [
        &shapes::KEYED,
        &shapes::KEYLESS,
        &shapes::TRUNCATED,
        &shapes::NAMED,
        &alterations::ALTERED,
        &alterations::PARTITIONED,
    ];
    let leaves = groups.into_iter().flatten().collect();
    let routed = shapes::ROUTED.iter().collect();
    let without = alterations::WITHOUT_KEY_IN_IDENTITY.iter().collect();
    let roots = alterations::ROOTED.iter().collect();
    let groups = vec![
        lab.group("leaves", leaves, false, plain("leaves", &[]))
            .await,
        lab.group("roots", roots, true, plain("roots", &[])).await,
        lab.group("routed", routed, false, plain("routed", &ROUTE))
            .await,
        lab.group("without", without, false, plain("without", &[]))
            .await,
    ];
    for played in lab.played(groups).await {
        let connector = &played.connectors[0];
        let judged = played.judged(&lab, connector).await;
        let (name, judgement) = (connector.wanted.name, &judged.judgement);
        if name == "without" {
            keys_are_invented(judgement);
            continue;
        }
        let findings: Vec<_> = judgement.findings.iter().take(10).collect();
        let (verdict, reasons) = (judgement.verdict, &judgement.reasons);
        assert_eq!(verdict, Verdict::Pass, "{name}: {reasons:?} {findings:#?}");
        if name == "leaves" {
            contents_are_named(&judged);
        }
    }
    lab.down().await;
}

/// Of the key that Debezium makes up for an old row whose key the log does not have.
fn keys_are_invented(judgement: &Judgement) {
    assert_eq!(judgement.verdict, Verdict::Fail, "{:?}", judgement.reasons);
    let phantoms = judgement
        .findings
        .iter()
        .filter(|finding| finding.kind == FindingKind::Phantom);
    let keys: BTreeSet<_> = phantoms
        .filter(|finding| finding.op.as_deref() == Some("d"))
        .map(|finding| finding.key.clone())
        .collect();
    assert_eq!(keys, BTreeSet::from([Some("{\"id\":\"0\"}".to_owned())]));
    let lost = |finding: &&Finding| finding.kind == FindingKind::Lost;
    let mut lost = judgement.findings.iter().filter(lost);
    assert!(lost.next().is_some());
    // The row that was deleted stays with every consumer.
    let kept = |finding: &&Finding| finding.kind == FindingKind::Divergent;
    let mut kept = judgement.findings.iter().filter(kept);
    assert!(kept.any(|finding| finding.key.as_deref() == Some("{\"id\":\"1\"}")));
}

/// What an alteration took out of the comparison, and nothing else.
fn contents_are_named(judged: &Judged) {
    let of = |table: &str| {
        let relation = format!("public.{table}");
        let mut tables = judged.evidence.tables.iter();
        let table = tables.find(|found| found.relation == relation).unwrap();
        let columns = table.not_compared.iter().map(|(column, _)| column.as_str());
        columns.collect::<Vec<_>>()
    };
    assert_eq!(of("k_default"), [""; 0]);
    assert_eq!(of("k_generated"), ["twice"]);
    assert_eq!(of("k_large"), ["large"]);
    assert_eq!(of("k_large_full"), [""; 0]);
    assert_eq!(of("a_add"), ["more"]);
    assert_eq!(of("a_drop"), ["gone", "note"]);
    assert_eq!(of("a_rename"), ["note", "remark"]);
    assert_eq!(of("a_wider"), [""; 0]);
    assert_eq!(of("a_retype"), ["amount", "at"]);
    assert_eq!(of("a_enum"), [""; 0]);
}
