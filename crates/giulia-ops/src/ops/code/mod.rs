//! The operations of `giulia code`: one file each.

pub(super) mod behaviours;
pub(super) mod callees;
pub(super) mod callers;
pub(super) mod complexity;
pub(super) mod cycles;
pub(super) mod export;
pub(super) mod functions;
pub(super) mod impact;
pub(super) mod index;
pub(super) mod modules;
pub(super) mod path;
pub(super) mod show;
pub(super) mod status;
pub(super) mod supervision;
pub(super) mod tables;
