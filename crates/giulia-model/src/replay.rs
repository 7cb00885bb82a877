//! A session told again, record by record.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A page of the records of a session, in the order in which they were made.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Replay {
    /// `giulia.replay/1`.
    pub schema: String,
    /// The session.
    pub session: String,
    /// The node.
    pub node: String,
    /// When it began, RFC 3339 in UTC.
    pub started_at: String,
    /// The records.
    pub records: Vec<ReplayRecord>,
    /// The record to go on after; absent at the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_after: Option<u64>,
}

/// One record.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ReplayRecord {
    /// Its place in the session, from 0.
    pub seq: u64,
    /// Milliseconds from the start of the session.
    pub at_ms: u64,
    /// `tick`, `mark`, `trace`, `answer`; `damaged` for one that cannot be read.
    pub kind: String,
    /// In a line.
    pub text: String,
    /// The whole record, as it was made.
    pub body: serde_json::Value,
}
