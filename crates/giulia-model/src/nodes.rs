//! What an EPMD knows, and which of it answers.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The nodes of one host.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Nodes {
    /// `giulia.nodes/1`.
    pub schema: String,
    /// The host that was asked.
    pub host: String,
    /// EPMD's port there.
    pub epmd_port: u16,
    /// What it knows.
    pub nodes: Vec<NodeEntry>,
}

/// One registered node.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct NodeEntry {
    /// The part before the `@`.
    pub alive: String,
    /// Its distribution port.
    pub port: u16,
    /// Its full name, when it told us in the handshake.
    pub name: Option<String>,
    /// `answers`, `authenticated`, or why it did not.
    pub status: String,
    /// Whether it answered.
    pub answers: bool,
    /// From dialling to its challenge, in milliseconds.
    pub elapsed_ms: Option<f64>,
}
