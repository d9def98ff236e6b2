//! A column of every type in seven combinations of handling modes: records captured from Debezium 3.7.0 on
//! PostgreSQL 17 against what PostgreSQL prints of the same rows (`tests/fixtures/types*`, written by `real_types`).
//!
//! The table in `docs/types.md` is what these tests find.

use std::fmt::Write as _;

use cutover_model::Comparison;

use super::*;

/// Connectors: name, and their modes for decimals, times, binaries, intervals, hstores, unknown types.
const FORMS: [(&str, [&str; 6]); 7] = [
    (
        "types_precise",
        ["precise", "adaptive", "bytes", "numeric", "json", "false"],
    ),
    (
        "types_string",
        ["string", "isostring", "hex", "string", "map", "true"],
    ),
    (
        "types_double",
        ["double", "connect", "base64", "string", "json", "true"],
    ),
    (
        "types_micros",
        [
            "precise",
            "microseconds",
            "base64-url-safe",
            "string",
            "map",
            "true",
        ],
    ),
    (
        "types_nanos",
        ["precise", "nanoseconds", "base64", "string", "json", "true"],
    ),
    (
        "types_adaptive",
        [
            "string",
            "adaptive_time_microseconds",
            "base64-url-safe",
            "string",
            "json",
            "false",
        ],
    ),
    (
        "types_avro",
        ["precise", "adaptive", "bytes", "string", "map", "true"],
    ),
];

#[derive(Deserialize)]
struct Half {
    base64: Option<String>,
    schema: Option<String>,
    of: Option<usize>,
    text: Option<String>,
}

#[derive(Deserialize)]
struct TypedLine {
    topic: String,
    offset: i64,
    key: Option<Half>,
    value: Option<Half>,
}

/// The records of a connector; inline schemas stand in the file once.
fn records(form: &str) -> Vec<Captured> {
    let mut schemas = Vec::new();
    let mut bytes = |half: Half| {
        schemas.extend(half.schema);
        match (half.base64, half.of, half.text) {
            (Some(base64), ..) => STANDARD.decode(base64).unwrap(),
            (None, Some(of), Some(rest)) => format!("{{\"schema\":{}{rest}", schemas[of]).into(),
            (None, _, text) => text.unwrap().into(),
        }
    };
    let mut one = |line: &str| {
        let line: TypedLine = serde_json::from_str(line).unwrap();
        Captured {
            topic: line.topic,
            offset: line.offset,
            headers: Vec::new(),
            key: line.key.map(&mut bytes),
            value: line.value.map(&mut bytes),
        }
    };
    let text = fixture(&format!("{form}.jsonl"));
    text.lines().map(&mut one).collect()
}

fn registry() -> Box<Kept> {
    let texts: BTreeMap<u32, String> =
        serde_json::from_str(&fixture("types_schemas.json")).unwrap();
    let registered = |(id, text)| {
        let kind = "AVRO".to_owned();
        let refers = false;
        (id, Registered { kind, text, refers })
    };
    Box::new(Kept(texts.into_iter().map(registered).collect()))
}

fn modes_of(modes: &[&str; 6]) -> ConverterModes {
    let names = [
        "decimal.handling.mode",
        "time.precision.mode",
        "binary.handling.mode",
        "interval.handling.mode",
        "hstore.handling.mode",
        "include.unknown.datatypes",
    ];
    let options = names.iter().zip(modes);
    let options = options.map(|(name, mode)| ((*name).to_owned(), Value::from(*mode)));
    ConverterModes::from_connector_config(&options.collect())
}

/// `awkward` and `large` with a form's settings.
fn settled(modes: &ConverterModes) -> Vec<TableShape> {
    let mut shapes: Vec<TableShape> = serde_json::from_str(&fixture("types_shapes.json")).unwrap();
    settle(&mut shapes, modes);
    shapes
}

/// What a form shows of one column.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Shown {
    /// As it stands in the table, but for these rows.
    Compared(Vec<u32>),
    LeftOut(String),
}

/// Of every column of `awkward`, in order.
fn shown(form: &str, modes: &[&str; 6]) -> Vec<(String, Shown)> {
    let modes = modes_of(modes);
    let wide = settled(&modes).remove(0);
    let records = records(form);
    let rows = lines("types_rows.jsonl");
    let one = |place: usize| {
        let column = &wide.columns[place];
        if let Comparison::LeftOut(why) = &column.comparison {
            return (column.name.clone(), Shown::LeftOut(why.clone()));
        }
        let narrow = [narrow(&wide, place)];
        let mut decoder = Decoder::new(form, &narrow, &modes).with_schemas(registry());
        let mut last = BTreeMap::new();
        for record in records.iter().filter(|r| r.topic.ends_with("awkward")) {
            match decoder.decode(&record.record(), 0) {
                Decoded::Change(change) => last.insert(change.row.key.unwrap(), change.row.after),
                other => panic!("{form}: {other:?}"),
            };
        }
        let mut different = Vec::new();
        for row in &rows {
            let value = |column: &Column| match row.get(&column.name) {
                Some(text) => from_text(column, text.as_str().unwrap()),
                None => Canonical::Null,
            };
            let values: Vec<Canonical> = narrow[0].columns.iter().map(value).collect();
            let whole = values
                .iter()
                .all(|v| !matches!(v, Canonical::NotCompared(_)));
            assert!(whole, "{form} {}: {values:?}", column.name);
            let image = row_image(&narrow[0], &values);
            let found = last[image.key.as_ref().unwrap()];
            if found != image.hash {
                different.push(row["id"].as_str().unwrap().parse().unwrap());
            }
        }
        (column.name.clone(), Shown::Compared(different))
    };
    let stored = |place: &usize| !wide.columns[*place].generated;
    (1..wide.columns.len()).filter(stored).map(one).collect()
}

/// The tables of `docs/types.md`, from what the fixtures show.
#[derive(Default)]
struct Tables {
    reasons: Vec<String>,
    /// Type, value, and the forms that publish it otherwise: read first, and while streaming.
    differences: Vec<(String, String, [BTreeSet<String>; 2])>,
}

fn word(of: &Map<String, Value>, name: &str) -> String {
    of[name].as_str().unwrap().to_owned()
}

fn lines(name: &str) -> Vec<Map<String, Value>> {
    let text = fixture(name);
    let one = |line: &str| serde_json::from_str(line).unwrap();
    text.lines().map(one).collect()
}

impl Tables {
    fn cell(&mut self, form: &str, (kind, name): (&str, &str), shown: &Shown) -> String {
        match shown {
            Shown::Compared(ids) if ids.is_empty() => "=".to_owned(),
            Shown::Compared(ids) => {
                let rows = lines("types_rows.jsonl");
                for id in ids {
                    let row = rows.iter().find(|row| row["id"] == id.to_string().as_str());
                    let value = row.and_then(|row| row.get(name)?.as_str());
                    self.differs(form, kind, value.unwrap_or("null"), *id >= 2000);
                }
                "≠".to_owned()
            }
            Shown::LeftOut(why) => {
                let known = self.reasons.iter().position(|known| known == why);
                let place = known.unwrap_or(self.reasons.len());
                if known.is_none() {
                    self.reasons.push(why.clone());
                }
                format!("– {}", place + 1)
            }
        }
    }

    fn differs(&mut self, form: &str, kind: &str, value: &str, later: bool) {
        let same = |one: &&mut (String, String, _)| one.0 == kind && one.1 == value;
        let place = match self.differences.iter_mut().find(same) {
            Some((_, _, sides)) => sides,
            None => {
                let new = (kind.to_owned(), value.to_owned(), Default::default());
                self.differences.push(new);
                &mut self.differences.last_mut().unwrap().2
            }
        };
        place[usize::from(later)].insert(form.to_owned());
    }
}

fn tables() -> String {
    let short = |form: &'static str| form.trim_start_matches("types_");
    let heads: Vec<&str> = FORMS.iter().map(|(form, _)| short(form)).collect();
    let forms: Vec<Vec<(String, Shown)>> = FORMS
        .iter()
        .map(|(form, modes)| shown(form, modes))
        .collect();
    let mut tables = Tables::default();
    let mut out = format!(
        "| type | {} |\n|---|{}\n",
        heads.join(" | "),
        "---|".repeat(7)
    );
    let types: Vec<Map<String, Value>> = serde_json::from_str(&fixture("types.json")).unwrap();
    for of in &types {
        let (name, kind) = (word(of, "name"), word(of, "type"));
        let mut cells = Vec::new();
        for (form, columns) in heads.iter().zip(&forms) {
            let (_, shown) = columns.iter().find(|(column, _)| *column == name).unwrap();
            cells.push(tables.cell(form, (&kind, &name), shown));
        }
        writeln!(out, "| `{kind}` | {} |", cells.join(" | ")).unwrap();
    }
    out.push('\n');
    for (place, why) in tables.reasons.iter().enumerate() {
        writeln!(out, "{}. {why}", place + 1).unwrap();
    }
    out.push_str(
        "\n| type | value in the table | in the snapshot | while streaming |\n|---|---|---|---|\n",
    );
    let list = |forms: &BTreeSet<String>| match forms.len() {
        0 => "=".to_owned(),
        7 => "≠ in all".to_owned(),
        _ => format!(
            "≠ in {}",
            forms.iter().cloned().collect::<Vec<_>>().join(", ")
        ),
    };
    for (kind, value, [first, later]) in &tables.differences {
        let value = value.replace('|', "\\|");
        writeln!(
            out,
            "| `{kind}` | `{value}` | {} | {} |",
            list(first),
            list(later)
        )
        .unwrap();
    }
    out
}

#[test]
fn the_document_says_of_each_type_and_mode_what_the_captured_records_show() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/types.md");
    let document = std::fs::read_to_string(path).unwrap_or_default();
    let tables = tables();
    if let Some(folder) = std::env::var_os("CUTOVER_CAPTURE") {
        let file = std::path::Path::new(&folder).join("types_tables.md");
        std::fs::write(file, &tables).unwrap();
    }
    assert!(
        document.contains(&tables),
        "docs/types.md should hold\n{tables}"
    );
}

/// Each type's first value is an everyday one, and every mode that does not leave the type out shows it.
#[test]
fn everyday_values_equal_the_table_in_every_mode_that_shows_their_type() {
    let mut compared = 0;
    for (form, modes) in &FORMS {
        for (name, shown) in shown(form, modes) {
            let Shown::Compared(rows) = shown else {
                continue;
            };
            compared += 1;
            // While streaming, names are published as null unless unknown types are included.
            let name_lost = name == "nm" && rows == [2000, 2001];
            assert!(
                name_lost || !rows.contains(&1000) && !rows.contains(&2000),
                "{form} {name} {rows:?}"
            );
            assert!(
                !rows.contains(&1099) && !rows.contains(&2099),
                "{form} {name} {rows:?}"
            );
        }
    }
    assert!(compared > 550, "{compared}");
}

/// What a form shows of the update that left every large value of a row alone.
fn untouched(form: &str, modes: &[&str; 6]) -> BTreeMap<String, &'static str> {
    let modes = modes_of(modes);
    let wide = settled(&modes).remove(1);
    let records = records(form);
    let mut found = BTreeMap::new();
    for place in 2..wide.columns.len() {
        let name = wide.columns[place].name.clone();
        if wide.columns[place].comparison != Comparison::Compared {
            continue;
        }
        let narrow = [narrow(&wide, place)];
        let mut decoder = Decoder::new(form, &narrow, &modes).with_schemas(registry());
        let mut images = Vec::new();
        for record in records.iter().filter(|r| r.topic.ends_with("large")) {
            match decoder.decode(&record.record(), 0) {
                Decoded::Change(change) => images.push(change.row.after),
                other => panic!("{form} {name}: {other:?}"),
            }
        }
        let null = row_image(&narrow[0], &[Canonical::Text("1".into()), Canonical::Null]).hash;
        let reasons: Vec<&String> = decoder.notes().not_compared.values().collect();
        assert!(images[0].is_some() && images[0] != null, "{form} {name}");
        // The other columns are unknown to a shape that is cut down to one.
        let mut problems = decoder.notes().problems.iter();
        assert!(
            problems.all(|problem| problem.contains("unknown column")),
            "{form}"
        );
        let what = match (images[1], reasons.as_slice()) {
            (None, [why]) if why.contains("placeholder") => "named",
            (image, []) if image == null => "null",
            other => panic!("{form} {name}: {other:?}"),
        };
        found.insert(name, what);
    }
    found
}

/// Types of `large`, in the table's order.
const LARGE: [&str; 33] = [
    "text",
    "varchar",
    "citext",
    "json",
    "jsonb",
    "xml",
    "bytea",
    "numeric",
    "bit varying",
    "hstore",
    "tsvector",
    "int4multirange",
    "dom_text",
    "dom_arr",
    "text[]",
    "varchar[]",
    "citext[]",
    "smallint[]",
    "integer[]",
    "bigint[]",
    "oid[]",
    "boolean[]",
    "date[]",
    "uuid[]",
    "bytea[]",
    "numeric[]",
    "timestamptz[]",
    "timestamp[]",
    "double precision[]",
    "mood[]",
    "jsonb[]",
    "inet[]",
    "int4range[]",
];

/// The table of `docs/types.md` about large values.
fn untouched_table() -> String {
    let forms: Vec<(&str, BTreeMap<String, &str>)> = FORMS
        .iter()
        .map(|(form, modes)| (form.trim_start_matches("types_"), untouched(form, modes)))
        .collect();
    let shapes = settled(&ConverterModes::default());
    let columns = &shapes[1].columns[2..];
    assert_eq!(columns.len(), LARGE.len());
    let mut out = String::from("| type | named | published as null |\n|---|---|---|\n");
    for (column, kind) in columns.iter().zip(LARGE) {
        let those = |what: &str| {
            let there = forms
                .iter()
                .filter(|(_, found)| found.contains_key(&column.name));
            let all = there.clone().count();
            let those = there.filter(|(_, found)| found[&column.name] == what);
            let names: Vec<&str> = those.map(|(form, _)| *form).collect();
            match names.len() {
                0 => "–".to_owned(),
                many if many == all => "always".to_owned(),
                _ => names.join(", "),
            }
        };
        let row = (those("named"), those("null"));
        writeln!(out, "| `{kind}` | {} | {} |", row.0, row.1).unwrap();
    }
    out
}

/// A placeholder is not taken for a value. Some types have none: an update that leaves them alone publishes null, which
/// nobody can tell from a null.
#[test]
fn a_large_value_that_an_update_left_alone_is_named_or_was_published_as_null() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/types.md");
    let document = std::fs::read_to_string(path).unwrap_or_default();
    let table = untouched_table();
    if let Some(folder) = std::env::var_os("CUTOVER_CAPTURE") {
        let file = std::path::Path::new(&folder).join("types_large.md");
        std::fs::write(file, &table).unwrap();
    }
    assert!(
        document.contains(&table),
        "docs/types.md should hold\n{table}"
    );
}

#[test]
fn what_every_form_leaves_out_is_settled_before_a_record_is_read() {
    for (form, modes) in &FORMS {
        let modes = modes_of(modes);
        let shapes = settled(&modes);
        let mut decoder = Decoder::new(form, &shapes, &modes).with_schemas(registry());
        let mut images = 0;
        for record in records(form) {
            match decoder.decode(&record.record(), 0) {
                Decoded::Change(change) if record.topic.ends_with("awkward") => {
                    // The rest of the row is compared all the same.
                    assert!(change.row.after.is_some(), "{form} {:?}", change.row.key);
                    images += 1;
                }
                Decoded::Change(_) => {}
                other => panic!("{form}: {other:?}"),
            }
        }
        assert!(images >= 18, "{form} {images}");
        assert_eq!(decoder.notes().problems, BTreeSet::new(), "{form}");
        let left: BTreeSet<&String> = shapes[0]
            .columns
            .iter()
            .filter(|column| column.comparison != Comparison::Compared)
            .map(|column| &column.name)
            .collect();
        let named: BTreeSet<&String> = decoder
            .notes()
            .not_compared
            .keys()
            .filter(|(table, _)| table.ends_with("awkward"))
            .map(|(_, column)| column)
            .collect();
        // A value that is null says nothing of its type.
        assert!(named.is_subset(&left), "{form} {named:?}");
    }
}
