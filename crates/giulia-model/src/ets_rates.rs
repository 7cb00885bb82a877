//! How often ETS tables are read and written, by whom.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{EtsTable, Impact, Mfa, NotSeen, Switched};

/// Operations on ETS tables over a window: exact per function, sampled per table and caller.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct EtsRates {
    /// `giulia.ets/1`.
    pub schema: String,
    /// When the last answer came, RFC 3339 in UTC, by our clock.
    pub taken_at: String,
    /// The node.
    pub node: String,
    /// The one table that was asked for, as it was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub table: Option<String>,
    /// For how long calls were counted, in milliseconds.
    pub counted_ms: f64,
    /// How much of a core counting cost at most, 0 to 1: calls a second times the price of one
    /// when two schedulers share a counter.
    pub counting_share: f64,
    /// Functions of `ets` that were called, the most frequent first.
    pub functions: Vec<EtsFunction>,
    /// Reads per second, all tables.
    pub reads_per_second: f64,
    /// Writes per second, all tables.
    pub writes_per_second: f64,
    /// How the sample was taken.
    pub sample: EtsSample,
    /// Tables seen in the sample, the busiest first, at most fifty.
    pub tables: Vec<EtsTableRate>,
    /// What was switched on at the node for this, and what became of it.
    pub changes: Vec<Switched>,
    /// What could not be seen, and why.
    pub not_seen: Vec<NotSeen>,
    /// What looking cost the node.
    pub impact: Impact,
}

/// One function of `ets`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct EtsFunction {
    /// `lookup/2`.
    pub function: String,
    /// What it does to a table.
    pub does: EtsAccess,
    /// Calls in the time in which it was counted.
    pub calls: u64,
    /// That time, in milliseconds.
    pub counted_ms: f64,
    /// Calls per second of it.
    pub per_second: f64,
    /// Why it was not counted for the whole window: too dear, or lost to another tool.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left_out: Option<String>,
    /// Calls in the sample.
    pub sampled: u64,
}

/// What a function does to a table.
#[derive(
    Debug,
    Clone,
    Copy,
    Default,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum EtsAccess {
    /// Reads objects or keys.
    Read,
    /// Changes objects.
    Write,
    /// Neither: makes, fixes, or tells of tables.
    #[default]
    Other,
}

/// How calls were sampled.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct EtsSample {
    /// Calls seen, each with its table and its caller.
    pub calls: u64,
    /// Looks, each at one function or at a group of seldom called ones.
    pub looks: u64,
    /// How long they lasted together, in milliseconds.
    pub elapsed_ms: f64,
}

/// One table.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct EtsTableRate {
    /// Its name, or its reference where it is gone.
    pub name: String,
    /// What it is; absent when it was gone before it could be asked.
    pub table: Option<EtsTable>,
    /// Calls in the sample.
    pub sampled: u64,
    /// Reads per second: exact rates of the functions times the sampled share of this table;
    /// what could not be sampled may all be of this table and widens the upper end; absent where
    /// that is more than a quarter of the reads.
    pub reads: Option<Estimate>,
    /// Writes per second, in the same way.
    pub writes: Option<Estimate>,
    /// Reads of reads and writes, 0 to 1; absent where more than one in a hundred of either could not
    /// be sampled.
    pub read_share: Option<Estimate>,
    /// Who calls, the most frequent first, at most ten.
    pub callers: Vec<EtsCaller>,
}

/// A figure from a sample, with the interval that holds the true one 95 times of 100.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Estimate {
    /// The likeliest.
    pub value: f64,
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

/// Who calls.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct EtsCaller {
    /// The function; absent where the VM does not know.
    pub function: Option<Mfa>,
    /// Calls of this table in the sample.
    pub sampled: u64,
    /// Operations per second on this table.
    pub per_second: Estimate,
    /// Of those, writes; absent in what an older giulia wrote.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub writes: Option<Estimate>,
}
