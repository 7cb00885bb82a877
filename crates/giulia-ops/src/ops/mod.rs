//! The table of operations: one file each, one entry each.

use crate::AnyOperation;

mod doctor;
mod nodes;
mod snapshot;

/// Every operation, in the order in which help lists them.
pub static OPS: &[&dyn AnyOperation] =
    &[&nodes::Operation, &doctor::Operation, &snapshot::Operation];

/// The operation of this name.
pub fn operation(name: &str) -> Option<&'static dyn AnyOperation> {
    OPS.iter().copied().find(|it| it.name() == name)
}
