//! The answers of one tick.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    Activity, Allocator, BinaryHolders, Counts, EtsTables, HostFacts, Impact, LoggerFacts, Memory,
    NodeFacts, NodeLinks, Ports, Processes, Schedulers, Supervision, SystemEvents, SystemLimits,
    Utilisation, Window,
};

/// Everything one tick learnt about a node. A part that could not be seen is absent, and
/// [`Snapshot::not_seen`] says why.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
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
    /// Settings that end or hold up processes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limits: Option<SystemLimits>,
    /// Memory by kind.
    pub memory: Option<Memory>,
    /// Schedulers and run queues.
    pub schedulers: Option<Schedulers>,
    /// How busy the schedulers were since the tick before; absent outside sessions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub utilisation: Option<Utilisation>,
    /// Reductions, garbage collection, IO.
    pub activity: Option<Activity>,
    /// Processes and their groups.
    pub processes: Option<Processes>,
    /// ETS tables.
    pub ets: Option<EtsTables>,
    /// What the allocators take from the operating system, and what of it is in use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allocators: Option<Vec<Allocator>>,
    /// Who holds the most binaries outside its heap.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub binaries: Option<BinaryHolders>,
    /// Ports and sockets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ports: Option<Ports>,
    /// Connections to other nodes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub links: Option<NodeLinks>,
    /// Log handlers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub logger: Option<LoggerFacts>,
    /// Supervision trees.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub supervision: Option<Supervision>,
    /// The operating system around the node.
    pub host: Option<HostFacts>,
    /// What the VM reported as unusual; absent outside sessions, and before OTP 28.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub system_events: Option<SystemEvents>,
    /// What could not be seen, and why.
    pub not_seen: Vec<NotSeen>,
    /// What looking cost the node.
    pub impact: Impact,
}

/// Something that a snapshot does not hold.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct NotSeen {
    /// Which part.
    pub what: String,
    /// Why not, and what would help.
    pub why: String,
}
