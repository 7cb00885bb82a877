//! What the VM itself reported as unusual while somebody listened (`trace:system/3`, OTP 28).

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Events of the VM since the look before.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SystemEvents {
    /// How many of each kind among the first 200: `long_gc`, `long_schedule`, `large_heap`,
    /// `long_message_queue`, `busy_port`, `busy_dist_port`; kinds without one are left out.
    pub counts: BTreeMap<String, u64>,
    /// How many of each kind came after them; giulia's own are not told apart there.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub counts_beyond: BTreeMap<String, u64>,
    /// How many of the first 200 were about processes of giulia's own; nothing else here is.
    pub of_giulia: u64,
    /// The first ones, oldest first.
    pub events: Vec<SystemEvent>,
}

/// One event.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SystemEvent {
    /// When, by the node's own clock: milliseconds since 1970.
    pub at_ms: i64,
    /// Which kind.
    pub kind: String,
    /// The process or port, as its node writes it.
    pub who: String,
    /// What the process is called, if it still lived when the event came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What the VM says of it, as its node writes it; may be cut.
    pub info: String,
}
