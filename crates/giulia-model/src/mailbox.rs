//! What a process receives: kinds of messages, how fast they come, how long they wait and take.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Impact, NameSource, NotSeen, Pid, Restored};

/// The messages of one process over a window. Never their contents: a tag, a shape and sizes.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Mailbox {
    /// `giulia.mailbox/1`.
    pub schema: String,
    /// When the last answer came, RFC 3339 in UTC, by our clock.
    pub taken_at: String,
    /// The node.
    pub node: String,
    /// The process.
    pub pid: Pid,
    /// What it is.
    pub name: String,
    /// How we know.
    pub name_source: NameSource,
    /// What it runs in, which decides how its messages can be seen.
    pub server: ServerKind,
    /// The module whose callbacks handle its messages, where it has one.
    pub callback: Option<String>,
    /// How the messages were seen.
    pub source: MessageSource,
    /// How long they were to be seen for, in milliseconds by our clock.
    pub window_ms: f64,
    /// Whether somebody asked to stop before the time was up.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub interrupted: bool,
    /// For how long of that they were really seen, in milliseconds by the node's clock: less than
    /// the window when they came faster than a sample may grow.
    pub seen_ms: f64,
    /// Samples in that time; one when nothing was left out.
    pub samples: u64,
    /// Whether every message of the window was seen.
    pub complete: bool,
    /// Messages seen.
    pub messages: u64,
    /// Per second of the time in which they were seen; absent when that was too short to tell.
    pub per_second: Option<f64>,
    /// Their kinds, the most frequent first, at most fifty.
    pub kinds: Vec<MessageKind>,
    /// Messages of kinds that are not listed.
    pub other_kinds: u64,
    /// How long the process took for one, from the call of its callback to its return.
    pub service: Option<ServiceTime>,
    /// How busy it was.
    pub busy: Option<Busy>,
    /// How long a message waits before it is taken.
    pub waiting: Option<Waiting>,
    /// Messages that wait.
    pub mailbox: Option<MailboxLens>,
    /// What was switched on at the node for this, and what became of it.
    pub changes: Vec<Switched>,
    /// What could not be seen, and why.
    pub not_seen: Vec<NotSeen>,
    /// What looking cost the node.
    pub impact: Impact,
}

/// Something that was switched on for one question.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Switched {
    /// What.
    pub what: String,
    /// What became of it.
    pub restored: Restored,
}

/// What a process runs in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ServerKind {
    /// `gen_server`: Elixir's `GenServer`, `Agent` and supervisors too.
    GenServer,
    /// `gen_statem`.
    GenStatem,
    /// `gen_event`.
    GenEvent,
    /// A receive loop of its own.
    #[default]
    Plain,
}

/// How messages were seen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum MessageSource {
    /// Calls of its callbacks, of which the VM told tag and sizes only.
    Callbacks,
    /// A receive trace: the VM copied each message into a process of ours on that node, under a
    /// limit of its heap; tag and size were kept.
    Receive,
    /// Not at all.
    #[default]
    Nothing,
}

/// Messages that look alike.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct MessageKind {
    /// How it came: `call`, `cast`, `info`, `event`, `state_timeout` and so on; `message` to a
    /// process that is no server of OTP's.
    pub via: String,
    /// Its shape: `{get, _}`, `refresh`, `%Order{}`, `binary`.
    pub shape: String,
    /// Seen.
    pub count: u64,
    /// Of all that were seen, 0 to 1.
    pub share: f64,
    /// Per second of the time in which they were seen.
    pub per_second: Option<f64>,
    /// How large they are.
    pub size: Option<MessageSize>,
    /// How long the process took for one.
    pub service: Option<ServiceTime>,
}

/// How large messages of a kind are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct MessageSize {
    /// What is measured.
    pub of: MeasuredSize,
    /// Half of them have at most so much.
    pub p50: u64,
    /// The largest.
    pub max: u64,
}

/// What of a message is measured.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum MeasuredSize {
    /// Bytes of a binary, or of the binaries that are the second and third element of a tuple.
    BinaryBytes,
    /// Keys of a map.
    Keys,
    /// Bytes of the whole message as it would travel between nodes.
    EncodedBytes,
}

/// How long something took, in microseconds of real time, waiting for others included.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ServiceTime {
    /// How many were measured.
    pub count: u64,
    /// Their mean.
    pub mean_us: f64,
    /// Half of them took at most so long.
    pub p50_us: f64,
    /// Of a hundred, 99 took at most so long.
    pub p99_us: f64,
    /// The longest.
    pub max_us: f64,
}

/// How busy a process was.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Busy {
    /// Of the time in which it was seen, 0 to 1.
    pub share: f64,
    /// Of that time, while a callback waited for somebody else; absent where the VM did not tell.
    pub waiting_share: Option<f64>,
    /// What counts as busy.
    pub source: BusySource,
}

/// What counts as busy.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum BusySource {
    /// On a scheduler, or inside a callback.
    RunningOrInCallback,
    /// Inside a callback; the loop around it is not counted.
    InCallback,
    /// On a scheduler; waiting for others in the middle of a message is not counted.
    #[default]
    Running,
}

/// How long a message waits in the mailbox before it is taken.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Waiting {
    /// The mean, in milliseconds; when no look at the mailbox found a message, the most that it can
    /// be (`is_bound`).
    pub mean_ms: f64,
    /// Whether the mean is that bound.
    pub is_bound: bool,
    /// Messages that waited, the mean over all looks.
    pub mailbox_len_mean: f64,
    /// Messages that came, per second.
    pub arrivals_per_second: f64,
    /// Looks at the mailbox.
    pub looks: u64,
}

/// Messages that wait.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct MailboxLens {
    /// At the last look.
    pub now: u64,
    /// At the first one.
    pub first: u64,
    /// The most of all looks.
    pub max: u64,
    /// Looks.
    pub looks: u64,
}
