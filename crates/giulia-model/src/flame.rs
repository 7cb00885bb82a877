//! Stacks sampled over a window: what a flame graph is drawn from.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Frame, Impact, Mfa, NotSeen, Utilisation};

/// Where the processes of a node were, sample by sample, equal stacks together.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Flame {
    /// `giulia.flame/1`.
    pub schema: String,
    /// When the last sample came, RFC 3339 in UTC, by our clock.
    pub taken_at: String,
    /// The node.
    pub node: String,
    /// Whose stacks.
    pub of: FlameOf,
    /// From the first round to the last, in milliseconds.
    pub window_ms: f64,
    /// How often it was looked who is where.
    pub rounds: u64,
    /// Rounds a second, as achieved.
    pub rate_hz: f64,
    /// Processes at the last look.
    pub processes: u64,
    /// Samples in `stacks`, `groups` and `functions`.
    pub samples: u64,
    /// Samples before `--pattern` and `--group` chose among them.
    pub samples_all: u64,
    /// How far a share of one half may be off by chance, in points, 95 of 100 times.
    pub margin_points: f64,
    /// Processes that were found at work and waited again before they could be asked, so that
    /// nobody knows in what function they were; in none of the other figures.
    pub brief: u64,
    /// Of those, the groups of processes they were, most first.
    pub brief_groups: Vec<FlameGroup>,
    /// Most samples first.
    pub stacks: Vec<FlameStack>,
    /// Groups of processes, most samples first.
    pub groups: Vec<FlameGroup>,
    /// Functions, most samples of their own first.
    pub functions: Vec<FlameFunction>,
    /// How busy the scheduler threads were meanwhile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub utilisation: Option<Utilisation>,
    /// What this way of looking shows too large, too small or not at all.
    pub bias: Vec<String>,
    /// What could not be seen, and why.
    pub not_seen: Vec<NotSeen>,
    /// What looking cost the node.
    pub impact: Impact,
}

/// Whose stacks were sampled.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema, Hash)]
#[serde(rename_all = "snake_case")]
pub enum FlameOf {
    /// Of processes on a scheduler, or in line for one.
    #[default]
    Running,
    /// Of processes that wait for a message.
    Waiting,
}

/// One stack of one group of processes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FlameStack {
    /// How often it was seen.
    pub samples: u64,
    /// The processes: a registered name, a kind of label, or what they were started with.
    pub group: String,
    /// What they run, innermost first; empty where the VM tells none.
    pub stack: Vec<Frame>,
    /// Whether the VM cut the stack at its `backtrace_depth`, so that outer frames are missing.
    pub cut: bool,
}

/// A group of processes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct FlameGroup {
    /// What they share.
    pub name: String,
    /// How often one of them was seen.
    pub samples: u64,
    /// Of all samples, 0 to 1.
    pub share: f64,
}

/// A function.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct FlameFunction {
    /// Which.
    pub function: Mfa,
    /// How often it was the innermost.
    pub self_samples: u64,
    /// How often it was anywhere on a stack; once a sample.
    pub total_samples: u64,
    /// `self_samples` of all samples, 0 to 1.
    pub self_share: f64,
    /// `total_samples` of all samples, 0 to 1.
    pub total_share: f64,
}
