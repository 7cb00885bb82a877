//! What stands around the processes: limits of the VM, its allocators, ports, other nodes, log
//! handlers, supervisors.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Mfa, NameSource, Pid};

/// Settings of the VM that end or hold up processes; its counts against limits stand in
/// [`crate::Counts`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SystemLimits {
    /// Bytes that wait for another node before senders to it are suspended.
    pub dist_buf_busy_limit_bytes: u64,
    /// Heap at which a process is ended or reported, in bytes, where it has no limit of its own;
    /// absent without one.
    pub max_heap_bytes: Option<u64>,
    /// Whether a process that reaches it is ended.
    pub max_heap_kills: bool,
    /// Whether binaries outside the heap count (OTP 27 and later).
    pub max_heap_includes_binaries: bool,
    /// Collections of the young generation before a full one is forced, for new processes.
    pub fullsweep_after: u64,
    /// First heap of a new process, in bytes.
    pub min_heap_bytes: u64,
    /// Where mailboxes of new processes are: `on_heap`, `off_heap`.
    pub message_queue_data: String,
}

/// One of the VM's allocators, now.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Allocator {
    /// Its name: `binary_alloc`, `eheap_alloc` …
    pub name: String,
    /// What its carriers take from the operating system, in bytes.
    pub carriers_bytes: u64,
    /// What is in use of that, in bytes.
    pub blocks_bytes: u64,
    /// Of the carriers, those of a block each, which give back all their memory with it.
    pub single_block_carriers_bytes: u64,
    /// Of the carriers, those in the pool, nearly empty and for any scheduler to take.
    pub pooled_carriers_bytes: u64,
}

/// Ports, and sockets of the module `socket`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Ports {
    /// Ports that exist.
    pub total: u64,
    /// Sockets of the module `socket` that exist.
    pub sockets: u64,
    /// How many of both were asked; the figures below are of those.
    pub asked: u64,
    /// By driver, program or protocol, most of them first.
    pub by_kind: Vec<PortKind>,
    /// Most bytes in and out since they were opened, first.
    pub top_by_bytes: Vec<PortRow>,
    /// Most bytes that wait to be written, first; empty queues left out.
    pub top_by_queue: Vec<PortRow>,
}

/// Ports that are alike.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PortKind {
    /// The driver (`tcp_inet`), the program without its arguments, or `socket tcp`.
    pub name: String,
    /// How many.
    pub count: u64,
    /// Bytes read since they were opened.
    pub input_bytes: u64,
    /// Bytes written since they were opened.
    pub output_bytes: u64,
    /// Bytes that wait to be written.
    pub queue_bytes: u64,
}

/// One port or socket.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PortRow {
    /// `#Port<0.5>`; absent for a socket.
    pub id: Option<String>,
    /// Its kind.
    pub kind: String,
    /// Who owns it.
    pub owner: Option<Pid>,
    /// Its owner's name, where it could be asked.
    pub owner_name: Option<String>,
    /// The other end of a TCP connection, where there is one.
    pub peer: Option<String>,
    /// Bytes read since it was opened.
    pub input_bytes: u64,
    /// Bytes written since it was opened.
    pub output_bytes: u64,
    /// Bytes that wait to be written; absent for a socket.
    pub queue_bytes: Option<u64>,
}

/// Connections to other nodes, ours left out.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct NodeLinks {
    /// How many there are.
    pub total: u64,
    /// Bytes that wait for one before senders to it are suspended.
    pub busy_limit_bytes: u64,
    /// At most two hundred of them, most bytes waiting first.
    pub links: Vec<NodeLink>,
}

/// A connection to another node.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct NodeLink {
    /// The other node.
    pub node: String,
    /// Whether it is hidden: a tool, or by choice.
    pub hidden: bool,
    /// Whether a process carries it, as with TLS, which tells no bytes here.
    pub by_process: bool,
    /// Bytes that its port has still to write, those in the VM's own buffer left out.
    pub queue_bytes: Option<u64>,
    /// Bytes read since it was made.
    pub input_bytes: Option<u64>,
    /// Bytes written since it was made.
    pub output_bytes: Option<u64>,
}

/// How log events are handled.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LoggerFacts {
    /// Events below are thrown away at once: `debug`, `info`, `notice` …
    pub level: String,
    /// Its handlers, twenty at most.
    pub handlers: Vec<LogHandler>,
}

/// A log handler, with the settings that decide what happens under load.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LogHandler {
    /// Its id.
    pub id: String,
    /// The module that handles events.
    pub module: String,
    /// Events below are thrown away.
    pub level: String,
    /// Where they go: `standard_io`, a file.
    pub destination: Option<String>,
    /// The process that writes them, where it is known.
    pub process: Option<Pid>,
    /// Events that wait for it; absent where a VM bug forbids asking.
    pub mailbox_len: Option<u64>,
    /// Its reductions since it started.
    pub reductions: Option<u64>,
    /// From so many waiting events on, callers wait until theirs is handled.
    pub sync_mode_qlen: Option<u64>,
    /// From so many on, new events are dropped.
    pub drop_mode_qlen: Option<u64>,
    /// From so many on, those that wait are thrown away.
    pub flush_qlen: Option<u64>,
    /// At most so many events in a window; absent when that is switched off.
    pub burst_limit_max_count: Option<u64>,
    /// That window, in milliseconds.
    pub burst_limit_window_ms: Option<u64>,
    /// From so many waiting events on, the process is ended; absent when that is switched off.
    pub overload_kill_qlen: Option<u64>,
    /// From so much memory on, in bytes.
    pub overload_kill_bytes: Option<u64>,
}

/// Supervision trees.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Supervision {
    /// One for each application that has processes.
    pub applications: Vec<ApplicationTree>,
    /// Processes that were looked at.
    pub asked: u64,
    /// Whether processes were left out: below eight levels, beyond two thousand.
    pub cut: bool,
}

/// The supervision tree of an application.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ApplicationTree {
    /// Its name.
    pub application: String,
    /// Its top supervisor, and everybody below: each before its own children.
    pub members: Vec<Supervised>,
}

/// A process in a supervision tree.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Supervised {
    /// How far below the top supervisor, which is 0.
    pub depth: u32,
    /// Its identity.
    pub pid: Pid,
    /// What it is.
    pub name: String,
    /// How we know.
    pub name_source: NameSource,
    /// The function that it was started with, `proc_lib` looked through.
    pub initial_call: Option<Mfa>,
    /// Whether it supervises.
    pub supervisor: bool,
    /// Children of a supervisor: its links, its own parent left out.
    pub children: u64,
    /// Whether those follow, or were only counted.
    pub followed: bool,
}

/// Processes that hold the most binaries outside their heaps.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct BinaryHolders {
    /// Processes that were ranked, by the VM's own rough count.
    pub ranked: u64,
    /// Processes that existed.
    pub total: u64,
    /// Most bytes first.
    pub top: Vec<BinaryHolder>,
}

/// A process, and the binaries outside its heap that it keeps alive.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct BinaryHolder {
    /// Its identity.
    pub pid: Pid,
    /// What it is.
    pub name: String,
    /// How we know.
    pub name_source: NameSource,
    /// How many, each counted once.
    pub count: u64,
    /// Their sizes together, in bytes; others may hold the same ones.
    pub bytes: u64,
}
