//! One process in depth.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Frame, Impact, Mfa, NameSource, NotSeen, Pid};

/// Everything about one process that asking does not change. What could not be seen is absent, and
/// [`ProcessDetail::not_seen`] says why.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ProcessDetail {
    /// `giulia.process/1`.
    pub schema: String,
    /// When the last answer came, RFC 3339 in UTC, by our clock.
    pub taken_at: String,
    /// The node.
    pub node: String,
    /// Its identity.
    pub pid: Pid,
    /// What it is.
    pub name: String,
    /// How we know.
    pub name_source: NameSource,
    /// The name that it is registered with.
    pub registered_name: Option<String>,
    /// The function that it was started with, `proc_lib` looked through.
    pub initial_call: Option<Mfa>,
    /// The application that it belongs to, by its group leader.
    pub application: Option<String>,
    /// Its group leader.
    pub group_leader: Option<Neighbour>,
    /// Who started it, first, and who started that one, and so on, as `proc_lib` noted it.
    pub ancestors: Vec<Neighbour>,
    /// Who spawned it, where the OTP tells (25 and later).
    pub parent: Option<Neighbour>,
    /// `running`, `runnable`, `waiting`, `garbage_collecting`, `suspended`, `exiting`.
    pub status: String,
    /// `low`, `normal`, `high`, `max`.
    pub priority: Option<String>,
    /// Whether it handles exits of linked processes in place of ending with them.
    pub trap_exit: Option<bool>,
    /// Processes that it suspends.
    pub suspending: Option<u64>,
    /// Messages that wait; absent where a VM bug forbids asking.
    pub mailbox_len: Option<u64>,
    /// Where they wait: `on_heap`, `off_heap`.
    pub message_queue_data: Option<String>,
    /// Reductions since it started.
    pub reductions: u64,
    /// Heap, stack and mailbox, in bytes; absent where asking costs too much (a mailbox above 100,000).
    pub memory_bytes: Option<u64>,
    /// Its heap and how it is collected.
    pub heap: Option<Heap>,
    /// Binaries outside its heap that it holds on to.
    pub binaries: Option<BinariesHeld>,
    /// Linked processes and ports.
    pub links: Option<Neighbours>,
    /// What it monitors.
    pub monitors: Option<Neighbours>,
    /// Who monitors it.
    pub monitored_by: Option<Neighbours>,
    /// What it runs, innermost first; empty for one that hibernates, has not begun, or ends.
    pub stack: Vec<Frame>,
    /// Whether the VM cut the stack at its `backtrace_depth`, so that outer frames are missing.
    pub stack_cut: bool,
    /// Keys of its dictionary, never values.
    pub dictionary_keys: Option<Keys>,
    /// The shape of its state, where that was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<Shape>,
    /// What could not be seen, and why.
    pub not_seen: Vec<NotSeen>,
    /// What looking cost the node.
    pub impact: Impact,
}

/// Another process, a port, or a name.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Neighbour {
    /// As its node writes it: `<0.123.0>`, `#Port<0.5>`, or the name that is monitored.
    pub id: String,
    /// What it is, where it could be asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Its node, where that is another one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
}

/// Other processes, the first few of them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Neighbours {
    /// How many there are.
    pub total: u64,
    /// At most fifty of them.
    pub first: Vec<Neighbour>,
}

/// A heap and how it is collected.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Heap {
    /// All of it, mailbox on the heap included, in bytes.
    pub total_bytes: u64,
    /// Young generation, in bytes.
    pub young_bytes: u64,
    /// Stack in use, in bytes.
    pub stack_bytes: u64,
    /// Collections of the young generation since the last full one.
    pub minor_collections: Option<u64>,
    /// Collections of the young generation before a full one is forced.
    pub fullsweep_after: Option<u64>,
    /// Where the VM would end it; absent without a limit.
    pub max_bytes: Option<u64>,
}

/// Binaries outside a heap that a process holds on to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct BinariesHeld {
    /// How many, each counted once.
    pub count: u64,
    /// Their sizes together, in bytes; others may hold the same ones.
    pub bytes: u64,
}

/// Keys of a dictionary, the first few of them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Keys {
    /// How many there are.
    pub total: u64,
    /// At most fifty of them, in Erlang's writing.
    pub first: Vec<String>,
}

/// What a term is made of, without its contents.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Shape {
    /// Its parts, each before what is inside of it.
    pub parts: Vec<ShapePart>,
    /// Whether parts were left out: below six levels, beyond two hundred.
    pub cut: bool,
}

/// One part of a term.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ShapePart {
    /// How deep inside, 0 for the whole.
    pub depth: u32,
    /// Where in what surrounds it: a place in a tuple, an atom that is the key of a map, or `each` for
    /// one of many; absent for the whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<String>,
    /// `map`, `tuple`, `list`, `binary`, `integer`, `atom`, `pid` …
    pub kind: String,
    /// Elements, keys, or bytes of a binary.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    /// Which atom.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub atom: Option<String>,
}
