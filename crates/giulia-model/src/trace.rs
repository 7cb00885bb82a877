//! What functions were called how often, and what that took, as the VM itself counted it.
//!
//! Every figure is the VM's own counter of one function, so that no call is credited to another of
//! the same name. What was not measured is absent, and what was left out is named.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Change, Impact, NotSeen, Place, Samples};

/// Functions counted on one node or several.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Trace {
    /// `giulia.trace/1`.
    pub schema: String,
    /// When counting ended, RFC 3339 in UTC, by our clock.
    pub taken_at: String,
    /// The patterns, as giulia writes them.
    pub patterns: Vec<String>,
    /// What the rows are sorted by: `calls`, `time` or `memory`.
    pub sort: String,
    /// How long counting was to last, in milliseconds.
    pub asked_ms: u64,
    /// Node by node.
    pub nodes: Vec<TracedNode>,
    /// The functions that were called and those whose counter was lost, most first. Functions that
    /// were counted and not called are in [`TracedNode::functions_counted`] alone.
    pub functions: Vec<TracedFunction>,
    /// The same by module.
    pub modules: Vec<TracedModule>,
    /// Own time and words by kind of process, of the functions and processes that were measured.
    pub groups: Vec<TracedGroup>,
    /// Functions that the patterns mean and that were not counted, or not to the end.
    pub left_out: Vec<LeftOut>,
    /// What could not be seen, and why.
    pub not_seen: Vec<NotSeen>,
    /// A few calls closely, node by node; then nothing was counted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub samples: Vec<Samples>,
    /// What giulia would call on the node, in this order; only of a dry run, which calls none of it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub planned_calls: Vec<String>,
}

/// One node of a trace.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TracedNode {
    /// Its name.
    pub node: String,
    /// Between the moment when the last counter was there and the one when they were stopped, in
    /// milliseconds by our clock: the base of every rate.
    pub window_ms: f64,
    /// Whether somebody stopped it before its time was over.
    pub interrupted: bool,
    /// Modules with a counter.
    pub modules_counted: u64,
    /// Functions with a counter, whether they were called or not.
    pub functions_counted: u64,
    /// Calls of all of them.
    pub calls: u64,
    /// Estimate of what the counters cost in the window, of the time of all schedulers, 0 to 1: calls
    /// a second times what a call with a counter costs more when two schedulers share it.
    pub counters_share: f64,
    /// What it might have been at most, 0 to 1.
    pub budget_share: f64,
    /// Own time and words, where they were measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub measured: Option<Measured>,
    /// Other tools that trace this node.
    pub other_tracers: Vec<String>,
    /// Modules that the patterns mean and that were loaded after counting began; not counted.
    pub loaded_meanwhile: Vec<String>,
    /// Everything that giulia changed on the node, and what became of it.
    pub manifest: Vec<Change>,
    /// What asking cost the node, its counters left out.
    pub impact: Impact,
}

/// For whom own time and words were measured.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Measured {
    /// How long, in milliseconds; within the window of the node.
    pub window_ms: f64,
    /// Functions.
    pub functions: u64,
    /// Processes: those that worked most just before. Those that were born later are not among them.
    pub processes: u64,
    /// All processes at that moment.
    pub processes_total: u64,
    /// Calls of these functions by these processes.
    pub calls: u64,
    /// Calls of these functions by everybody meanwhile; the rest is not in own time and words.
    pub calls_of_everybody: u64,
    /// Whether words allocated were measured too.
    pub memory: bool,
}

/// One function.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TracedFunction {
    /// The node, where there are several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    /// The module's atom, `Elixir.` included.
    pub module: String,
    /// The function's atom.
    pub name: String,
    /// How many arguments it takes.
    pub arity: u32,
    /// Calls by all processes, exact; absent where the counter was lost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calls: Option<u64>,
    /// The same by the second of window.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calls_per_s: Option<f64>,
    /// How long it was counted, in milliseconds.
    pub window_ms: f64,
    /// Its part of all calls counted, 0 to 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub share: Option<f64>,
    /// Why its figures are not there: the counter is gone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lost: Option<String>,
    /// Where it is written, where somebody knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<Place>,
    /// Own time, and words.
    #[serde(default, flatten, skip_serializing_if = "Option::is_none")]
    pub own: Option<Own>,
}

/// What measured processes did in a function, in the window of [`Measured`].
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Own {
    /// CPU time in it in microseconds: neither waiting nor what it called.
    pub own_time_us: u64,
    /// Its part of all own time measured, 0 to 1.
    pub own_time_share: f64,
    /// Calls that this is the time of.
    pub own_time_calls: u64,
    /// Processes that called it.
    pub processes: u64,
    /// Words that it allocated; absent where they were not measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub words: Option<u64>,
}

/// The functions of a module together.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TracedModule {
    /// The node, where there are several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    /// The module's atom.
    pub module: String,
    /// Functions of it that were called.
    pub functions_called: u64,
    /// Functions of it whose counter was lost.
    pub functions_lost: u64,
    /// Calls of those whose counter was not lost.
    pub calls: u64,
    /// The same by the second of window.
    pub calls_per_s: f64,
    /// Its part of all calls counted, 0 to 1.
    pub share: f64,
    /// Own time of its measured functions, in microseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub own_time_us: Option<u64>,
    /// Words that they allocated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub words: Option<u64>,
}

/// What a kind of process did in the measured functions.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TracedGroup {
    /// The node, where there are several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    /// Label or initial call; `(ended)` for those that could not be asked any more.
    pub group: String,
    /// Processes.
    pub processes: u64,
    /// Calls.
    pub calls: u64,
    /// Own time in microseconds.
    pub own_time_us: u64,
    /// Its part of all own time measured, 0 to 1.
    pub own_time_share: f64,
    /// Words allocated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub words: Option<u64>,
}

/// A function or a module that was not counted, or not to the end.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LeftOut {
    /// The node, where there are several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    /// The module or function, as its language writes it.
    pub what: String,
    /// In a sentence.
    pub why: String,
    /// Calls a second while it was priced.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calls_per_s: Option<f64>,
    /// What counting it would have cost, of the time of all schedulers, 0 to 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub price_share: Option<f64>,
}

impl TracedFunction {
    /// Its identity.
    pub fn mfa(&self) -> crate::Mfa {
        crate::Mfa::new(&self.module, &self.name, self.arity)
    }
}
