//! Code on this machine and of nodes: read to a graph, kept in the store, asked from memory.

mod beams;
mod following;
mod indexing;
mod kept;
mod node;
mod questions;
mod sources;

use std::path::PathBuf;

pub use self::{
    indexing::{IndexRequest, index_code},
    kept::{CodeBase, GraphCache, code_status, open_code},
    node::{NodeCodeRequest, index_node},
};
pub use giulia_code::graph::{
    Direction as EdgeDirection, EdgeFilter, Page as CodePage, Reach as EdgeReach, When as EdgeWhen,
};

/// Which graph.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GraphOf {
    /// That of a project's folder, or of a folder above this one.
    Project(PathBuf),
    /// That of a node's code.
    Node(String),
    /// That of the working folder's project; else the only one that there is.
    Here,
}
