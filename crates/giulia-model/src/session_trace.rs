//! Calls that a session counted: what it records on the way, and what that comes to.
//!
//! Counting happens in stretches, each from arming to reading. Where counters had to be armed anew
//! (the node was restarted, the connection was gone, the lease lapsed), calls between the last
//! reading of one stretch and the beginning of the next are in no figure, and the gap is told.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    Gap, LeftOut, Measured, Mfa, ModuleCode, NotSeen, PlacedFunction, TracedFunction, TracedGroup,
    TracedModule,
};

/// One record of kind `trace` in a session.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TraceRecord {
    /// `giulia.trace_record/1`.
    pub schema: String,
    /// Which stretch, from 0.
    pub stretch: u32,
    /// Since when, in milliseconds from the start of the session.
    pub from_ms: u64,
    /// Until when, in milliseconds from the start of the session.
    pub to_ms: u64,
    /// What happened.
    #[serde(flatten)]
    pub event: TraceEvent,
}

/// What happened to counters.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum TraceEvent {
    /// They were armed and priced; a stretch begins.
    Began(TraceBegan),
    /// They were read.
    Counted(TraceDelta),
    /// Modules that were loaded since the reading before have counters too.
    TookOver(TraceTookOver),
    /// Own time and words of the hottest were measured.
    Measured(Box<TraceMeasured>),
    /// Where the hottest are written, and what ran.
    Placed(TracePlaced),
    /// The stretch is over.
    Ended(TraceEnded),
    /// The sums of all stretches: the last record of a session that ended well.
    Totals(Box<SessionTrace>),
}

/// Counters that were armed.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TraceBegan {
    /// The patterns, as giulia writes them.
    pub patterns: Vec<String>,
    /// What counting may cost, of the time of all schedulers, 0 to 1.
    pub budget_share: f64,
    /// Modules with a counter.
    pub modules: u64,
    /// Functions with a counter.
    pub functions: u64,
    /// Functions that the patterns mean and that are not counted.
    pub left_out: Vec<LeftOut>,
    /// Other tools that trace this node.
    pub other_tracers: Vec<String>,
    /// What could not be seen, and why.
    pub not_seen: Vec<NotSeen>,
}

/// What was called since the reading before.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TraceDelta {
    /// Those that were called.
    pub functions: Vec<FunctionCalls>,
    /// Those whose counter is gone since then.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lost: Vec<FunctionLost>,
    /// Those that became too dear and are not counted from here on; they are in `lost` too.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<LeftOut>,
    /// Estimate of what the counters cost meanwhile, of the time of all schedulers, 0 to 1.
    pub counters_share: f64,
}

/// Modules that the patterns mean and that were loaded after arming: counted from the end of this
/// record on, and not there yet at its beginning.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TraceTookOver {
    /// Their atoms.
    pub modules: Vec<String>,
    /// How many functions they have.
    pub functions: u64,
}

/// Calls of one function.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FunctionCalls {
    /// The module's atom, `Elixir.` included.
    pub module: String,
    /// The function's atom.
    pub name: String,
    /// How many arguments it takes.
    pub arity: u32,
    /// Calls by all processes.
    pub calls: u64,
}

/// A function whose counter is gone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FunctionLost {
    /// The module's atom, `Elixir.` included.
    pub module: String,
    /// The function's atom.
    pub name: String,
    /// How many arguments it takes.
    pub arity: u32,
    /// In a sentence.
    pub why: String,
}

/// Own time and words of the hottest functions, for a part of a stretch.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TraceMeasured {
    /// For whom.
    pub measured: Measured,
    /// Function by function; their calls are in the readings.
    pub functions: Vec<TracedFunction>,
    /// By kind of process.
    pub groups: Vec<TracedGroup>,
    /// What could not be measured, and why.
    pub not_seen: Vec<NotSeen>,
}

/// What ran, and where it is written by the node's own files.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TracePlaced {
    /// Modules with the MD5 of what runs.
    pub modules: Vec<ModuleCode>,
    /// Functions whose file was read.
    pub functions: Vec<PlacedFunction>,
}

/// How a stretch ended.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TraceEnded {
    /// Whether counters were stopped and then read, so that no call is missing up to here.
    pub paused: bool,
    /// Why it ended where nobody wanted it to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// Modules that the patterns mean and that were loaded after arming; not counted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub loaded_meanwhile: Vec<String>,
}

/// Calls of a whole session.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SessionTrace {
    /// The patterns, as giulia writes them.
    pub patterns: Vec<String>,
    /// Time in which counters ran, in milliseconds; the base of every rate.
    pub counted_ms: u64,
    /// From arming to reading, each of them.
    pub stretches: Vec<TraceStretch>,
    /// Spans between the first arming and the end in which nothing was counted.
    pub gaps: Vec<Gap>,
    /// Whether every call of every function below, between the first arming and the last reading, is
    /// in its figure: no gap, nothing taken over later, and the last reading was of stopped counters.
    pub complete: bool,
    /// Modules with a counter, at the last arming.
    pub modules_counted: u64,
    /// Functions with a counter, at the last arming.
    pub functions_counted: u64,
    /// Calls of all functions whose counter was not lost.
    pub calls: u64,
    /// The most that counters cost between two readings by estimate, of the time of all schedulers,
    /// 0 to 1.
    pub counters_share_max: f64,
    /// What they may cost, 0 to 1.
    pub budget_share: f64,
    /// Functions that were called and those whose counter was lost, most called first.
    pub functions: Vec<TracedFunction>,
    /// The same by module.
    pub modules: Vec<TracedModule>,
    /// What ran, by the MD5 of the module; of those whose functions were called most.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub code: Vec<ModuleCode>,
    /// For whom own time and words were measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub measured: Option<Measured>,
    /// Own time and words by kind of process.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<TracedGroup>,
    /// Functions that the patterns mean and that were not counted, or not to the end.
    pub left_out: Vec<LeftOut>,
    /// Other tools that traced this node.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub other_tracers: Vec<String>,
    /// Modules that were loaded after arming and are counted from then on; what was called in between
    /// is in no figure.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub taken_over: Vec<TakenOver>,
    /// Modules that the patterns mean and that were loaded after arming; not counted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub loaded_meanwhile: Vec<String>,
    /// What could not be seen, and why.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub not_seen: Vec<NotSeen>,
}

/// A module that was counted from the middle of a session on.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TakenOver {
    /// Its atom.
    pub module: String,
    /// It was not loaded yet, in milliseconds from the start of the session.
    pub absent_at_ms: u64,
    /// Its counters were there, in milliseconds from the start of the session.
    pub from_ms: u64,
}

/// Time in which counters ran without a break.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TraceStretch {
    /// When the last counter was there, in milliseconds from the start of the session.
    pub from_ms: u64,
    /// When they were read last, in milliseconds from the start of the session.
    pub to_ms: u64,
    /// Whether they were stopped before that reading.
    pub paused: bool,
    /// Why it ended where nobody wanted it to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

impl FunctionCalls {
    /// Of one function.
    pub fn new(mfa: &Mfa, calls: u64) -> Self {
        let Mfa { module, function, arity } = mfa.clone();
        Self { module, name: function, arity, calls }
    }

    /// Its identity.
    pub fn mfa(&self) -> Mfa {
        Mfa::new(&self.module, &self.name, self.arity)
    }
}

impl FunctionLost {
    /// Of one function.
    pub fn new(mfa: &Mfa, why: &str) -> Self {
        let Mfa { module, function, arity } = mfa.clone();
        Self { module, name: function, arity, why: why.to_owned() }
    }

    /// Its identity.
    pub fn mfa(&self) -> Mfa {
        Mfa::new(&self.module, &self.name, self.arity)
    }
}
