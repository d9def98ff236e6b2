//! How the rows of one table stand in a payload: the name and the encoding of each column's member. From the schema
//! where there is one, else from the connector's settings.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use cutover_model::{Column, TableShape};
use serde::Deserialize;

use super::encoding::Encoding;
use super::modes::ConverterModes;
use super::names;

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
}

impl Layout {
    /// By the connector's settings.
    pub(crate) fn plain(shape: &TableShape, modes: &ConverterModes) -> Layout {
        let columns = shape.columns.iter();
        Layout {
            names: columns
                .clone()
                .map(|column| modes.field_names.of(&column.name))
                .collect(),
            encodings: columns
                .map(|column| Encoding::of(column, modes, None))
                .collect(),
        }
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
        let layout = Rc::new(Layout { names, encodings });
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
