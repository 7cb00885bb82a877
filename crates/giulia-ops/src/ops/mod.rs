//! The table of operations: one file each, one entry each.

use crate::AnyOperation;

mod check;
mod code;
mod compare;
mod delete;
mod doctor;
mod dump;
mod ets;
mod explain;
mod flame;
mod mailbox;
mod nodes;
mod process;
mod profile;
mod prune;
mod replay;
mod report;
mod sessions;
mod snapshot;
mod trace;

/// Every operation, in the order in which help lists them.
pub static OPS: &[&dyn AnyOperation] = &[
    &nodes::Operation,
    &doctor::Operation,
    &snapshot::Operation,
    &dump::Operation,
    &flame::Operation,
    &process::Operation,
    &trace::Operation,
    &mailbox::Operation,
    &ets::Operation,
    &explain::Operation,
    &check::Operation,
    &code::index::Operation,
    &code::status::Operation,
    &code::modules::Operation,
    &code::functions::Operation,
    &code::show::Operation,
    &code::callers::Operation,
    &code::callees::Operation,
    &code::impact::Operation,
    &code::path::Operation,
    &code::cycles::Operation,
    &code::complexity::Operation,
    &code::behaviours::Operation,
    &code::supervision::Operation,
    &code::tables::Operation,
    &code::export::Operation,
    &sessions::Operation,
    &report::Operation,
    &profile::Operation,
    &replay::Operation,
    &compare::Operation,
    &delete::Operation,
    &prune::Operation,
];

/// Operations that stand together: `giulia code callers` is the operation `code-callers`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Group {
    /// Its name: the first word of its operations' names.
    pub name: &'static str,
    /// What its operations do, in one line.
    pub about: &'static str,
    /// What one should know before using them, with examples.
    pub details: &'static str,
}

/// Every group.
pub static GROUPS: &[Group] = &[Group {
    name: "code",
    about: "Ask what refers to what in code, from source and bytecode",
    details: "\
First `giulia code index` reads a project's folder or a node's code; then the other commands answer \
from the graph that is kept: of the working folder's project, of --project FOLDER or of --node NODE.

Examples:
  giulia code index /srv/shop
  giulia code show Shop.Cart.get/1
  giulia code callers Shop.Cart.get/1
  giulia code export --format tsv > calls.tsv",
}];

/// The operation of this name.
pub fn operation(name: &str) -> Option<&'static dyn AnyOperation> {
    OPS.iter().copied().find(|it| it.name() == name)
}
