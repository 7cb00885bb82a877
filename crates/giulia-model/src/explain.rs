//! What a function rests on, and how that was seen.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Change, Gate, Impact, Mfa, NotSeen};

/// What a function rests on: where the time of a sample of its calls went.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Explain {
    /// `giulia.explain/1`.
    pub schema: String,
    /// When the sample ended, RFC 3339 in UTC, by our clock.
    pub taken_at: String,
    /// The node.
    pub node: String,
    /// The function.
    pub function: Mfa,
    /// What the sample says.
    pub verdict: ExplainVerdict,
    /// Why it says no more, where it does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// What its bytecode says; absent where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub written: Option<ExplainWritten>,
    /// Where the time went, most of it first; what took below 0.1 % of it is left out.
    pub rests_on: Vec<RestsOn>,
    /// Share of the time that is explained, 0 to 1. Time in which a process could run and waited
    /// for a scheduler is neither.
    pub explained: f64,
    /// The calls that were seen.
    pub calls: CallsSeen,
    /// How long a call took; absent without a whole one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latency: Option<Latency>,
    /// Who called it, the most frequent first.
    pub callers: Vec<Caller>,
    /// Where the first caller is a private loop of a library, the functions of its module that call
    /// it: the first element of a list may be theirs (`lists:map/2` and `lists:map_1/2`). Empty
    /// where nobody asked.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub entered_by: Vec<Mfa>,
    /// Who stands behind a caller that is a loop of a library, the most frequent first; empty where
    /// nobody asked.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub behind: Vec<Behind>,
    /// Whether the same arguments gave the same results; absent without a call that returned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stability: Option<Stability>,
    /// What callers do between two calls; absent where none was seen to call twice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cycles: Option<Cycles>,
    /// What a read of an ETS table with the keys and results of the sample costs on this node;
    /// absent where there is no result, or the node was not asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read_price: Option<ReadPrice>,
    /// How much was traced for it.
    pub sample: ExplainSample,
    /// Everything that giulia switched on for it, and what became of that.
    pub manifest: Vec<Change>,
    /// What bugs of this VM limit.
    pub gates: Vec<Gate>,
    /// What could not be seen, and why.
    pub not_seen: Vec<NotSeen>,
    /// What looking cost.
    pub impact: Impact,
}

impl Explain {
    /// The other machine that most of the time goes to, and the share of the time, 0 to 1; whatever
    /// processes of this node are between, such as the connections of a pool, counts together.
    pub fn other_machine(&self) -> Option<(&str, f64)> {
        let mut shares: BTreeMap<&str, f64> = BTreeMap::new();
        for it in self.rests_on.iter().filter(|it| it.kind.is_far()) {
            *shares.entry(it.name.as_str()).or_default() += it.share_of_time;
        }
        shares.into_iter().max_by(|one, other| one.1.total_cmp(&other.1))
    }

    /// The function in whose text most of the calls stand, and its share of them, 0 to 1; absent
    /// where it is less than `least`, or the function itself. Where that is a loop of a library, it
    /// is who stands behind it on the stacks, if they were asked for.
    pub fn only_caller(&self, least: f64) -> Option<(Mfa, f64)> {
        let caller = self.caller()?;
        let is_it = |it: &&Caller| it.function.as_ref().is_some_and(|it| self.is_of(&caller, it));
        let by_it: u64 = self.callers.iter().filter(is_it).map(|it| it.calls).sum();
        let all: u64 = self.callers.iter().map(|it| it.calls).sum();
        let (outer, share) = match self.behind_caller() {
            Some((outer, part, _)) => (outer, part * share(by_it, all)),
            None => (caller, share(by_it, all)),
        };
        (share >= least && outer != self.function).then_some((outer, share))
    }

    /// The function in whose text most of the calls stand.
    pub fn caller(&self) -> Option<Mfa> {
        Some(self.callers.first()?.function.as_ref()?.written_in())
    }

    /// Who is most often behind the first caller, which is a loop of a library, in what share of
    /// the stacks that show somebody, 0 to 1, and how many those are.
    pub fn behind_caller(&self) -> Option<(Mfa, f64, u64)> {
        let caller = self.caller()?;
        let mut by: BTreeMap<&Mfa, u64> = BTreeMap::new();
        for it in self.behind.iter().filter(|it| self.is_of(&caller, &it.through)) {
            *by.entry(&it.function).or_default() += it.samples;
        }
        let all: u64 = by.values().sum();
        let (outer, samples) = by.into_iter().max_by_key(|it| it.1)?;
        Some((outer.clone(), share(samples, all), all))
    }

    /// Whether a call by this function is one of the loop that the first caller is.
    fn is_of(&self, caller: &Mfa, function: &Mfa) -> bool {
        let function = function.written_in();
        function == *caller || self.entered_by.contains(&function)
    }
}

#[expect(clippy::cast_precision_loss, reason = "a sample has some hundred calls")]
fn share(part: u64, whole: u64) -> f64 {
    part as f64 / whole.max(1) as f64
}

/// What bytecode says of a function, beside what was seen.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ExplainWritten {
    /// The file that it is written in, as the compiler was told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// Where it begins.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
    /// Whether the code that says so is what runs (MD5); absent where the node does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_what_runs: Option<bool>,
    /// The graph that says file and line, by its name; absent where the bytecode on the node does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub graph: Option<String>,
    /// Tables, processes, sockets and files that it, or a function of its module that it reaches,
    /// calls: what may happen, whatever did.
    pub reachable: Vec<Mfa>,
}

/// What a sample says.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ExplainVerdict {
    /// At least 80 % of the time is explained, and most of it is not the function's own code.
    Rests,
    /// At least 80 % of the time is explained, and most of it is its own code.
    OwnCode,
    /// Too few calls, or too much of their time has no explanation.
    NotEnoughSeen,
    /// It was not called in the time.
    #[default]
    NotCalled,
    /// It is not traced, for the reason in `why`.
    Refused,
}

/// Something that time was spent on.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RestsOn {
    /// What kind of thing.
    pub kind: RestsOnKind,
    /// Which one: a table's name, a process's name, a peer, a path; empty for its own code.
    pub name: String,
    /// Share of the time of all calls, 0 to 1.
    pub share_of_time: f64,
    /// Share of the calls that spent more time on this than on anything else, 0 to 1.
    pub share_of_calls: f64,
    /// Processes between the function and this, by name, the nearest first.
    pub via: Vec<String>,
    /// How many they are.
    pub hops: u32,
}

impl RestsOn {
    /// Whether a command can take its name for a registered one: what a process was started with
    /// (`kv_bucket:init/1`) or is labelled as is no name that the VM knows.
    pub fn is_named(&self) -> bool {
        let is_plain = |it: char| it.is_alphanumeric() || matches!(it, '_' | '.');
        !self.name.is_empty() && self.name.chars().all(is_plain)
    }
}

/// What kind of thing time was spent on.
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
pub enum RestsOnKind {
    /// The function's own code, with all that it calls that is no boundary.
    #[default]
    OwnCode,
    /// An ETS table.
    EtsTable,
    /// `persistent_term`.
    PersistentTerm,
    /// A process of this node.
    Process,
    /// Processes that were spawned for it.
    ChildProcess,
    /// Another node, or a process there.
    RemoteNode,
    /// A socket.
    Socket,
    /// A socket under TLS.
    TlsSocket,
    /// A port.
    Port,
    /// A file.
    File,
    /// A DETS table.
    DiskTable,
    /// Time: it slept, or a `receive` waited until its timeout.
    Timer,
}

impl RestsOnKind {
    /// Whether it is another machine, or may be.
    pub fn is_far(self) -> bool {
        matches!(self, Self::Socket | Self::TlsSocket | Self::RemoteNode)
    }
}

/// The calls of a sample.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CallsSeen {
    /// Seen from their entry to their end.
    pub whole: u64,
    /// Of those, ended by an exception.
    pub raised: u64,
    /// Of those, ended with their process.
    pub exited: u64,
    /// Seen from their entry, and not over when the sample was.
    pub cut: u64,
    /// Processes that made them.
    pub processes: u64,
}

/// How long a call took, in microseconds, waiting for a scheduler included; what tracing itself
/// took is taken out as far as it is known, so below [`Latency::resolution_us`] it says nothing.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Latency {
    /// Half of the calls took at most this.
    pub p50_us: f64,
    /// Nine of ten.
    pub p90_us: f64,
    /// 99 of 100.
    pub p99_us: f64,
    /// The slowest.
    pub max_us: f64,
    /// On average.
    pub mean_us: f64,
    /// Own code that took less than this is not told from tracing itself.
    pub resolution_us: f64,
}

/// Who stands behind a loop of a library, by stacks of processes that waited in the function.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Behind {
    /// The function of the library that calls it, as the stack has it: `Enum.map/2`.
    pub through: Mfa,
    /// The first function above it that is of no library.
    pub function: Mfa,
    /// Stacks on which it stands there.
    pub samples: u64,
}

/// Who called.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Caller {
    /// The function that the call returns to: of a tail call, the one that called the caller.
    /// Absent where the stack does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub function: Option<Mfa>,
    /// Calls of the sample.
    pub calls: u64,
}

/// Whether the same arguments gave the same results. Told by hashes; no value was kept.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Stability {
    /// Calls that returned.
    pub calls: u64,
    /// Different arguments among them.
    pub distinct_keys: u64,
    /// Calls whose arguments were seen before.
    pub repeated: u64,
    /// Of those, calls whose result was not the one before.
    pub changed: u64,
    /// Arguments that were seen once only; absent in what an older giulia wrote. Their part of the
    /// calls estimates how likely the next call brings new ones (Good, Biometrika 40, 1953).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seen_once: Option<u64>,
    /// Size of the arguments in external form, in bytes, half of the calls at most.
    pub key_bytes_p50: u64,
    /// Size of the result in external form, in bytes, half of the calls at most.
    pub result_bytes_p50: u64,
    /// The largest result.
    pub result_bytes_max: u64,
}

/// From one call of a process to its next, as it was under trace.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Cycles {
    /// Whole cycles that were seen.
    pub seen: u64,
    /// From call to call, on average, in microseconds.
    pub mean_us: f64,
    /// Share of that inside of the call, 0 to 1.
    pub called_share: f64,
    /// Share of that in which it waited for something else that is no answer of a process of the
    /// node: a socket, a clock, a message of which nobody knows whose it is. 0 for a client that
    /// does nothing but ask.
    pub waited_share: f64,
}

/// What a read of a table costs, in microseconds.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ReadPrice {
    /// One after the other.
    pub often_us: f64,
    /// Once in a while, when other work has used the caches of the processor meanwhile, with the
    /// call around it.
    pub seldom_us: f64,
}

/// How much was traced.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ExplainSample {
    /// From the first setting to the last, in milliseconds.
    pub window_ms: u64,
    /// Times that tracing was switched on.
    pub rounds: u32,
    /// Trace messages that arrived.
    pub messages: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Estimate of what they cost the node in that time, of one core, 0 to 1: 2 us each.
    #[serde(default)]
    pub cost_share: f64,
    /// Rests between rounds that kept it below its budget, in milliseconds.
    #[serde(default)]
    pub rested_ms: u64,
    /// Messages that were too large and not taken.
    pub too_large: u64,
    /// Boundary functions that were watched.
    pub boundaries: u64,
    /// Processes that were watched because calls went there.
    pub followed: Vec<String>,
    /// Whether those did so much that no call was seen beside them, so that what they rest on
    /// themselves is not told.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub servers_unseen: bool,
    /// Other tracing on the node, which makes times longer.
    pub other_tracers: Vec<String>,
}
