//! Claims about forms of records: whatever `ExtractNewRecordState` makes of deletes, wherever it puts operation and
//! position, whatever converter writes and however many partitions there are, a clean stream is proven whole, or the
//! verdict says what the form leaves out. Where a form shows deletes, one that is missing is found.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test that cannot go on shall stop, in its own helpers too"
)]

mod flattened;
mod judging;
mod lab;
mod shapes;
mod streams;

use std::cell::Cell;
use std::collections::BTreeSet;
use std::time::Instant;

use cutover_audit::{Judgement, judge};
use cutover_clients::kafka::{KafkaAddress, RepairRecord, RepairWriter};
use cutover_lab::StackSpec;
use cutover_lab::stack::RegistrySpec;
use cutover_model::run_folder::LedgerKind;
use cutover_model::{ChangeRow, FindingKind, Op, Verdict};
use cutover_rehearse::connector::{ConnectorPlan, Converter};
use flattened::{Form, OLD, Proven};
use judging::{Judged, Played, Wanted, copy, run_folder};
use lab::Lab;
use shapes::Shape;

fn spacious(spec: &mut StackSpec) {
    spec.registry = Some(RegistrySpec::default());
    let room = [
        ("max_replication_slots", "80"),
        ("max_wal_senders", "80"),
        ("max_connections", "400"),
    ];
    let settings = room.map(|(name, value)| (name.to_owned(), value.to_owned()));
    spec.postgres[0].1.settings.extend(settings);
}

fn all(groups: &[&'static [Shape]]) -> Vec<&'static Shape> {
    groups.iter().copied().flatten().collect()
}

/// A connector whose envelopes another converter writes.
fn written(name: &'static str, converter: Converter) -> Wanted {
    let plan = ConnectorPlan {
        converter,
        ..ConnectorPlan::default()
    };
    Wanted::new(name, plan)
}

const ROUTE: [(&str, &str); 3] = [
    (
        "transforms.route.type",
        "org.apache.kafka.connect.transforms.RegexRouter",
    ),
    ("transforms.route.regex", "(.*)\\.public\\.q_.*"),
    ("transforms.route.replacement", "$1.all"),
];

/// The partition by values of the row. `change` is the new row, of a delete the old one.
const ROUTING: [(&str, &str); 5] = [
    ("topic.creation.default.partitions", "3"),
    ("transforms", "spread"),
    (
        "transforms.spread.type",
        "io.debezium.transforms.partitions.PartitionRouting",
    ),
    (
        "transforms.spread.partition.payload.fields",
        "change.id,change.a,change.b,change.code,change.Id,change.größe",
    ),
    ("transforms.spread.partition.topic.num", "3"),
];

#[tokio::test]
async fn every_form_is_proven_whole_or_says_what_it_leaves_out() {
    let begun = Instant::now();
    let mut lab = Lab::up("forms", "17", spacious).await;
    println!("lab up after {:.1} s", begun.elapsed().as_secs_f64());
    let keyed = all(&[&shapes::KEYED, &shapes::NAMED]);
    let forms = flattened::forms();
    let of_forms = forms.iter().map(|form| form.wanted.clone()).collect();
    let groups = vec![
        lab.group("keyed", keyed, false, of_keyed(&lab)).await,
        lab.group("forms", all(&[&flattened::TABLES]), false, of_forms)
            .await,
        lab.group("keyless", all(&[&shapes::KEYLESS]), false, keyless())
            .await,
        lab.group("truncated", all(&[&shapes::TRUNCATED]), false, truncated())
            .await,
        lab.group("routed", all(&[&shapes::ROUTED]), false, routed())
            .await,
        lab.group(
            "defaulted",
            all(&[&flattened::DEFAULTED]),
            false,
            defaulted(),
        )
        .await,
    ];
    println!("streaming after {:.1} s", begun.elapsed().as_secs_f64());
    signal(&lab).await;
    let (mut names, mut wrong) = (Vec::new(), Vec::new());
    for played in lab.played(groups).await {
        names.extend(played.connectors.iter().map(|one| one.wanted.name));
        wrong.extend(of_group(&lab, &played, &forms).await);
    }
    println!("judged after {:.1} s", begun.elapsed().as_secs_f64());
    for name in names {
        lab.connect.delete(name).await.unwrap();
    }
    // The last line of versions with the options before.
    lab.stack.swap_debezium("3.0.0").await.unwrap();
    let forms = flattened::old_forms();
    let wanted = forms.iter().map(|form| form.wanted.clone()).collect();
    let groups = vec![lab.group("old", all(&[&OLD]), false, wanted).await];
    for played in lab.played(groups).await {
        wrong.extend(of_group(&lab, &played, &forms).await);
    }
    lab.down().await;
    println!("ended after {:.1} s", begun.elapsed().as_secs_f64());
    assert_eq!(wrong, Vec::<String>::new());
}

/// What is wrong with a connector's stream or with what is said of it.
type Claim = Result<(), String>;

fn claim(holds: bool, otherwise: impl FnOnce() -> String) -> Claim {
    if holds { Ok(()) } else { Err(otherwise()) }
}

/// Every connector of a group, by what its form can prove. Gives what is wrong.
async fn of_group(lab: &Lab, played: &Played, forms: &[Form]) -> Vec<String> {
    let mut wrong = Vec::new();
    for connector in &played.connectors {
        let name = connector.wanted.name;
        let judged = played.judged(lab, connector).await;
        let form = forms.iter().find(|form| form.wanted.name == name);
        let held = match form {
            Some(form) => as_proven(lab, form.proven, (name, &judged)).await,
            None => as_expected(lab, name, &judged),
        };
        if let Err(why) = held {
            println!("{name}: {why}");
            wrong.push(name.to_owned());
        }
    }
    wrong
}

fn as_expected(lab: &Lab, name: &str, judged: &Judged) -> Claim {
    match name {
        "p_tombstones" => tombstones_stray(judged)?,
        "t_flat" => truncates_are_lost(judged)?,
        "n_flat" | "n_headers" => unknown(judged, "updates cannot be told apart")?,
        "r_tombstone" => unknown(judged, "could not be decoded")?,
        "d_kept" | "d_flat_kept" => passes(judged)?,
        name if name.starts_with("d_") => nulls_became_defaults(judged)?,
        _ => passes(judged)?,
    }
    match name {
        "p_three" | "p_avro" => beside_the_changes(lab, name, judged)?,
        _ => {}
    }
    match name {
        "r_plain" => several_partitions(judged, "r_plain.all"),
        name if name.starts_with("p_") => {
            several_partitions(judged, &format!("{name}.public.k_default"))
        }
        _ => Ok(()),
    }
}

/// Every converter and every spread over partitions.
fn of_keyed(lab: &Lab) -> Vec<Wanted> {
    let routing = || Wanted::new("p_routing", ConnectorPlan::default()).with(&ROUTING);
    vec![
        written("e_schema", Converter::JsonSchema),
        written("e_avro", Converter::Avro),
        flattened::usual("e_flat"),
        flattened::of("e_flat_schema", Converter::JsonSchema),
        flattened::of("e_flat_avro", Converter::Avro),
        spread(lab),
        spread_avro(),
        routing().with(&[("tombstones.on.delete", "false")]),
        Wanted {
            name: "p_tombstones",
            ..routing()
        },
    ]
}

/// Three partitions, with everything beside the changes that a connector can write, under names of our choice.
fn spread(lab: &Lab) -> Wanted {
    let bootstrap = lab.stack.kafka.bootstrap();
    Wanted::new("p_three", ConnectorPlan::default()).with(&[
        ("topic.creation.default.partitions", "3"),
        ("provide.transaction.metadata", "true"),
        ("topic.transaction", "tx"),
        ("heartbeat.interval.ms", "100"),
        ("topic.heartbeat.prefix", "beats"),
        ("signal.enabled.channels", "kafka"),
        ("signal.kafka.topic", "p_three.signals"),
        ("signal.kafka.bootstrap.servers", &bootstrap),
        ("signal.poll.interval.ms", "500"),
        ("notification.enabled.channels", "sink"),
        ("notification.sink.topic.name", "p_three.notes"),
    ])
}

/// Four partitions in Avro, with transactions and heartbeats under their usual names.
fn spread_avro() -> Wanted {
    written("p_avro", Converter::Avro).with(&[
        ("topic.creation.default.partitions", "4"),
        ("provide.transaction.metadata", "true"),
        ("heartbeat.interval.ms", "100"),
    ])
}

/// A signal that does nothing, but is there. The topic is made by the connector that reads it.
async fn signal(lab: &Lab) {
    let address = KafkaAddress::plain(&lab.stack.kafka.bootstrap());
    let value = r#"{"id":"1","type":"log","data":{"message":"nothing to do at {}"}}"#;
    let record = RepairRecord {
        topic: "p_three.signals".into(),
        partition: 0,
        key: b"p_three".to_vec(),
        value: Some(value.into()),
        headers: Vec::new(),
    };
    let send = move || {
        let writer = RepairWriter::new(&address).unwrap();
        writer.write(&record).unwrap();
        writer.settle().unwrap();
    };
    tokio::task::spawn_blocking(send).await.unwrap();
}

fn keyless() -> Vec<Wanted> {
    vec![
        written("n_schema", Converter::JsonSchema),
        written("n_avro", Converter::Avro),
        flattened::usual("n_flat"),
        flattened::told("n_headers", "tombstone"),
    ]
}

/// Nulls stay nulls.
const KEPT: (&str, &str) = ("value.converter.replace.null.with.default", "false");

fn defaulted() -> Vec<Wanted> {
    vec![
        written("d_plain", Converter::Json),
        written("d_avro", Converter::Avro),
        flattened::usual("d_flat"),
        written("d_kept", Converter::Json).with(&[KEPT]),
        flattened::usual("d_flat_kept").with(&[
            KEPT,
            ("transforms.unwrap.replace.null.with.default", "false"),
        ]),
    ]
}

fn truncated() -> Vec<Wanted> {
    vec![
        written("t_schema", Converter::JsonSchema),
        written("t_avro", Converter::Avro),
        flattened::usual("t_flat"),
    ]
}

/// Several tables in one topic, of which a record without value says nothing unless a header does.
fn routed() -> Vec<Wanted> {
    let plain = Wanted::new("r_plain", ConnectorPlan::default())
        .with(&ROUTE)
        .with(&[
            ("transforms", "route"),
            ("topic.creation.default.partitions", "3"),
        ]);
    let named = "op,source.lsn,source.schema,source.table";
    let flat = |wanted: Wanted| wanted.with(&ROUTE).with(&[("transforms", "unwrap,route")]);
    vec![
        plain,
        flat(flattened::dropping("r_tombstone", "tombstone")).with(&[(flattened::FIELDS, named)]),
        flat(flattened::told("r_headers", "tombstone")).with(&[(flattened::HEADERS, named)]),
    ]
}

fn shown(judgement: &Judgement) -> String {
    let findings: Vec<_> = judgement.findings.iter().take(8).collect();
    format!("{:?} {findings:#?}", judgement.reasons)
}

fn passes(judged: &Judged) -> Claim {
    let judgement = &judged.judgement;
    let whole = judgement.verdict == Verdict::Pass && judgement.findings.is_empty();
    claim(whole, || shown(judgement))
}

/// Not proven, for this reason, and nobody is accused of losing anything.
fn unknown(judged: &Judged, why: &str) -> Claim {
    let judgement = &judged.judgement;
    let named = |reason: &String| reason.contains(why);
    let honest = judgement.verdict == Verdict::Unknown
        && judgement.reasons.iter().any(named)
        && judgement.counts.lost == 0;
    claim(honest, || shown(judgement))
}

async fn as_proven(lab: &Lab, proven: Proven, (name, judged): (&str, &Judged)) -> Claim {
    let why = match proven {
        Proven::Whole => {
            passes(judged)?;
            let kinds = without_the_delete(lab, name, Op::Delete).await?;
            return claim(kinds.contains(&FindingKind::Lost), || format!("{kinds:?}"));
        }
        Proven::States(why) | Proven::Nothing(why) => why,
    };
    unknown(judged, why)?;
    let found = &judged.judgement;
    claim(found.findings.is_empty(), || shown(found))?;
    if let Proven::States(_) = proven {
        let kinds = without_the_delete(lab, name, Op::Tombstone).await?;
        let only = BTreeSet::from([FindingKind::Divergent]);
        claim(kinds == only, || format!("{kinds:?}"))?;
    }
    Ok(())
}

/// Judges the stream again without the record that says that one key is gone, and gives the kinds of what is found.
async fn without_the_delete(
    lab: &Lab,
    name: &str,
    op: Op,
) -> Result<BTreeSet<FindingKind>, String> {
    let run = run_folder(lab, name);
    let (ledger, whole) = (run.ledger(LedgerKind::Published), run.root().join("whole"));
    std::fs::rename(&ledger, &whole).unwrap();
    let removed = Cell::new(0);
    let keep = |row: &ChangeRow| {
        let of =
            |(table, key): &(&str, &str)| row.relation == *table && row.key.as_deref() == Some(key);
        let this = row.op == op && flattened::GONE.iter().any(of);
        removed.set(removed.get() + i32::from(this));
        !this
    };
    copy(&whole, &ledger, keep);
    claim(removed.get() > 0, || "has no such record".into())?;
    let judgement = judge(&run).await.unwrap();
    claim(judgement.verdict == Verdict::Fail, || shown(&judgement))?;
    Ok(kinds(&judgement))
}

fn kinds(judgement: &Judgement) -> BTreeSet<FindingKind> {
    let kinds = judgement.findings.iter().map(|finding| finding.kind);
    kinds.collect()
}

/// What docs/anomalies.md has as A-030: the transformation does not look at tombstones.
fn tombstones_stray(judged: &Judged) -> Claim {
    let judgement = &judged.judgement;
    println!("p_tombstones: {:?}", judgement.counts.findings);
    let kinds = kinds(judgement);
    let stray = BTreeSet::from([
        FindingKind::TombstoneMissing,
        FindingKind::Duplicated,
        FindingKind::Repartitioned,
    ]);
    claim(kinds == stray, || shown(judgement))
}

/// What docs/anomalies.md has as A-031: a new row and an update, and the states of both.
fn nulls_became_defaults(judged: &Judged) -> Claim {
    let judgement = &judged.judgement;
    let only = BTreeSet::from([FindingKind::Divergent]);
    let both = kinds(judgement) == only && judgement.counts.divergent == 4;
    claim(both, || shown(judgement))
}

/// What docs/anomalies.md has as A-029.
fn truncates_are_lost(judged: &Judged) -> Claim {
    let judgement = &judged.judgement;
    println!("t_flat: {:?}", judgement.counts.findings);
    let lost = judgement.findings.iter();
    let lost = lost.filter(|finding| finding.kind == FindingKind::Lost);
    let ops: Vec<_> = lost.map(|finding| finding.op.as_deref()).collect();
    claim(ops == [Some("t"); 4], || shown(judgement))
}

/// Transactions, heartbeats, signals and notifications were read, and none of them was taken for a change.
fn beside_the_changes(lab: &Lab, name: &str, judged: &Judged) -> Claim {
    let mut checks = judged.judgement.checks.iter();
    let transactions = checks.find(|check| check.check == "i10_transaction");
    let held = transactions.is_some_and(|check| check.verdict == Verdict::Pass);
    claim(held, || format!("{transactions:?}"))?;
    let topics: &[&str] = match name {
        "p_three" => &[
            "p_three.tx",
            "beats.p_three",
            "p_three.signals",
            "p_three.notes",
        ],
        _ => &["p_avro.transaction", "__debezium-heartbeat.p_avro"],
    };
    let partitions = &judged.evidence.partitions;
    for topic in topics {
        let read = partitions.iter().filter(|one| one.topic == *topic);
        let records: i64 = read.map(|one| one.end).sum();
        claim(records > 0, || format!("nothing in {topic}"))?;
    }
    let known = lab.spans(name).len();
    claim(partitions.len() == known, || format!("{known} partitions"))
}

fn several_partitions(judged: &Judged, topic: &str) -> Claim {
    let partitions = judged.evidence.partitions.iter();
    let held = partitions.filter(|one| one.topic == topic && one.end > 0);
    let held = held.count();
    claim(held > 1, || format!("{held} partitions hold records"))
}
