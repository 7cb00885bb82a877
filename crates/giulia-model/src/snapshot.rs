//! The answers of one tick.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    Activity, Counts, EtsTables, HostFacts, Impact, Memory, NodeFacts, Processes, Schedulers,
    Window,
};

/// Everything one tick learnt about a node. A part that could not be seen is absent, and
/// [`Snapshot::not_seen`] says why.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Snapshot {
    /// `giulia.snapshot/1`.
    pub schema: String,
    /// When the last answer came, RFC 3339 in UTC, by our clock.
    pub taken_at: String,
    /// The time that `in_window` figures cover; absent without `--window`.
    pub window: Option<Window>,
    /// What the node is.
    pub node: Option<NodeFacts>,
    /// Counts against limits.
    pub counts: Option<Counts>,
    /// Memory by kind.
    pub memory: Option<Memory>,
    /// Schedulers and run queues.
    pub schedulers: Option<Schedulers>,
    /// Reductions, garbage collection, IO.
    pub activity: Option<Activity>,
    /// Processes and their groups.
    pub processes: Option<Processes>,
    /// ETS tables.
    pub ets: Option<EtsTables>,
    /// The operating system around the node.
    pub host: Option<HostFacts>,
    /// What could not be seen, and why.
    pub not_seen: Vec<NotSeen>,
    /// What looking cost the node.
    pub impact: Impact,
}

/// Something that a snapshot does not hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct NotSeen {
    /// Which part.
    pub what: String,
    /// Why not, and what would help.
    pub why: String,
}
