//! One page with zoom and search: no other file, no network, no script that is not in it (its
//! policy forbids any).

use std::{collections::HashMap, fmt::Write as _};

use giulia_model::Flame;
use serde_json::{Value, json};

use super::{
    escaped, name, notes, subtitle, title,
    tree::{self, Kind, Node},
};
use crate::Writer;

pub(super) const WRITER: Writer<Flame> =
    Writer { name: "html", endings: &[".html", ".htm"], write };

/// The page without its figures.
const PAGE: &str = include_str!("page.html");
/// Functions and groups in its tables; the graph has all.
const FUNCTIONS: usize = 30;
const GROUPS: usize = 12;

fn write(it: &Flame) -> Vec<u8> {
    let mut paragraphs = String::new();
    for note in notes(it) {
        writeln!(paragraphs, "<p>{}</p>", escaped(&note)).ok();
    }
    let mut names = Names::default();
    let root = node(&tree::tree(it), &mut names);
    let functions = it.functions.iter().take(FUNCTIONS);
    let functions: Vec<Value> = functions
        .map(|it| json!([name(&it.function), it.self_samples, it.total_samples]))
        .collect();
    let groups = it.groups.iter().take(GROUPS);
    let groups: Vec<Value> = groups.map(|it| json!([it.name, it.samples])).collect();
    let data = json!({"names": names.all, "root": root, "functions": functions, "groups": groups});
    // Nothing in it ends the element that it stands in.
    let data = data.to_string().replace('<', "\\u003c");
    let parts = [
        ("@TITLE@", escaped(&title(it))),
        ("@SUBTITLE@", escaped(&subtitle(it))),
        ("@NOTES@", paragraphs),
        ("@DATA@", data),
    ];
    filled(PAGE, &parts).into_bytes()
}

/// A text with its places filled; what is filled in is not looked at again.
fn filled(text: &str, parts: &[(&str, String)]) -> String {
    let first = parts.iter().filter_map(|(place, with)| {
        let (before, after) = text.split_once(place)?;
        Some((before, with, after))
    });
    match first.min_by_key(|(before, ..)| before.len()) {
        Some((before, with, after)) => format!("{before}{with}{}", filled(after, parts)),
        None => text.to_owned(),
    }
}

/// `[name, kind, total, own, children]`.
fn node(it: &Node, names: &mut Names) -> Value {
    let children: Vec<Value> = it.children.iter().map(|it| node(it, names)).collect();
    json!([names.place(&it.name), kind(it.kind), it.total, it.own, children])
}

/// As the page's script counts them.
fn kind(it: Kind) -> u8 {
    match it {
        Kind::All => 0,
        Kind::Group => 1,
        Kind::Library => 2,
        Kind::Elixir => 3,
        Kind::Erlang => 4,
        Kind::Missing => 5,
    }
}

/// Names, each once.
#[derive(Default)]
struct Names {
    all: Vec<String>,
    places: HashMap<String, usize>,
}

impl Names {
    fn place(&mut self, name: &str) -> usize {
        let next = self.all.len();
        let place = *self.places.entry(name.to_owned()).or_insert(next);
        if place == next {
            self.all.push(name.to_owned());
        }
        place
    }
}
