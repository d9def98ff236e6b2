//! How the rows of one table stand in a payload: the name and the encoding of each column's member. From the schema
//! where there is one, else from the connector's settings.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use cutover_model::canonical::ColumnMark;
use cutover_model::{Column, TableShape};
use serde::Deserialize;

use super::encoding::Encoding;
use super::modes::ConverterModes;
use super::names;
use crate::canonical::left_out;

/// A Kafka Connect schema, as far as it decides how a value is written.
#[derive(Debug, Clone, Default, Deserialize)]
pub(crate) struct Node {
    #[serde(rename = "type", default)]
    pub(crate) kind: String,
    #[serde(default)]
    pub(crate) name: Option<String>,
    #[serde(default)]
    pub(crate) field: Option<String>,
    #[serde(default)]
    pub(crate) fields: Vec<Node>,
    /// What an array holds.
    #[serde(default)]
    pub(crate) items: Option<Box<Node>>,
    #[serde(default)]
    pub(crate) parameters: BTreeMap<String, String>,
}

impl Node {
    pub(crate) fn member(&self, name: &str) -> Option<&Node> {
        let named = |node: &&Node| node.field.as_deref() == Some(name);
        self.fields.iter().find(named)
    }

    /// The same as the member of a struct.
    pub(crate) fn called(mut self, name: &str) -> Node {
        self.field = Some(name.to_owned());
        self
    }
}

/// Member and encoding of each column, in the table's order.
#[derive(Debug, Clone)]
pub(crate) struct Layout {
    pub(crate) names: Vec<String>,
    pub(crate) encodings: Vec<Encoding>,
    /// What each column's value is hashed with.
    pub(crate) marks: Vec<ColumnMark>,
    /// Places of the key's columns.
    pub(crate) keys: Vec<usize>,
    /// Place of the column `revision`.
    pub(crate) revision: Option<usize>,
    /// Every column is compared, and the topic holds it.
    pub(crate) whole: bool,
}

impl Layout {
    fn new(shape: &TableShape, names: Vec<String>, encodings: Vec<Encoding>) -> Layout {
        let columns = || shape.columns.iter();
        let lacks =
            |encoding: &Encoding| matches!(encoding, Encoding::NotCompared(_) | Encoding::Lossy(_));
        Layout {
            marks: columns()
                .map(|column| ColumnMark::new(&column.name))
                .collect(),
            keys: (0..shape.columns.len())
                .filter(|place| shape.columns[*place].key)
                .collect(),
            revision: columns().rposition(|column| column.name == "revision"),
            whole: names.len() == shape.columns.len()
                && encodings.len() == shape.columns.len()
                && !encodings.is_empty()
                && columns().all(|column| left_out(column).is_none())
                && !encodings.iter().any(lacks),
            names,
            encodings,
        }
    }

    /// By the connector's settings.
    pub(crate) fn plain(shape: &TableShape, modes: &ConverterModes) -> Layout {
        let columns = || shape.columns.iter();
        let names = columns().map(|column| modes.field_names.of(&column.name));
        let encodings = columns().map(|column| Encoding::of(column, modes, None));
        Layout::new(shape, names.collect(), encodings.collect())
    }
}

/// A parsed schema with the layouts that were derived from it, by index of the table.
#[derive(Debug)]
pub(crate) struct Schema {
    root: Node,
    /// It names Connect's types. Where none is named, a number is what the settings say.
    names_types: bool,
    layouts: RefCell<Vec<(usize, Rc<Layout>)>>,
}

impl Schema {
    /// Of an inline schema.
    pub(crate) fn parse(json: &str) -> Result<Schema, String> {
        let root = serde_json::from_str(json).map_err(|_| "no valid inline schema".to_owned())?;
        Ok(Schema::of(root, true))
    }

    pub(crate) fn of(root: Node, names_types: bool) -> Schema {
        Schema {
            root,
            names_types,
            layouts: RefCell::default(),
        }
    }

    /// How the table's rows stand in it. In an envelope the row stands under `after` and `before`.
    pub(crate) fn layout(
        &self,
        index: usize,
        shape: &TableShape,
        modes: &ConverterModes,
    ) -> Rc<Layout> {
        let known = self.layouts.borrow();
        if let Some((_, layout)) = known.iter().find(|(of, _)| *of == index) {
            return Rc::clone(layout);
        }
        drop(known);
        let row = self.row();
        let columns: Vec<&str> = shape
            .columns
            .iter()
            .map(|column| column.name.as_str())
            .collect();
        let names = names::members(&columns, |name| row.member(name).is_some());
        let encoding = |(column, name): (&Column, &String)| {
            let node = row.member(name);
            let told = |node: &&Node| {
                self.names_types || node.name.is_some() || !node.kind.starts_with("int")
            };
            Encoding::of(column, modes, node.filter(told))
        };
        let encodings = shape.columns.iter().zip(&names).map(encoding).collect();
        let layout = Rc::new(Layout::new(shape, names, encodings));
        self.layouts.borrow_mut().push((index, Rc::clone(&layout)));
        layout
    }

    fn row(&self) -> &Node {
        let source = self.root.member("source");
        let envelope = source.is_some_and(|source| source.kind == "struct");
        match self.root.member("after") {
            Some(after) if envelope => after,
            _ => &self.root,
        }
    }
}
