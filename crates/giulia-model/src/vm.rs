//! The VM as a whole: counts against limits, memory by kind, schedulers, work done.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Counter;

/// A count and the limit that it must not reach.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CountAgainstLimit {
    /// Now.
    pub count: u64,
    /// The node's limit; absent where the VM has none to tell.
    pub limit: Option<u64>,
}

/// Everything the VM counts against a limit.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Counts {
    /// Processes.
    pub processes: CountAgainstLimit,
    /// Ports.
    pub ports: CountAgainstLimit,
    /// Atoms.
    pub atoms: CountAgainstLimit,
    /// ETS tables.
    pub ets_tables: CountAgainstLimit,
}

/// `erlang:memory/0`, in bytes, now.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Memory {
    /// Everything the VM accounts for.
    pub total_bytes: u64,
    /// Processes: heaps, stacks, mailboxes.
    pub processes_bytes: u64,
    /// Everything that is not processes.
    pub system_bytes: u64,
    /// Atoms.
    pub atom_bytes: u64,
    /// Binaries that live outside heaps.
    pub binary_bytes: u64,
    /// Loaded code.
    pub code_bytes: u64,
    /// ETS tables.
    pub ets_bytes: u64,
}

/// Schedulers and their queues, now.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Schedulers {
    /// Threads that the VM started with.
    pub total: u64,
    /// Threads that may run now.
    pub online: u64,
    /// Dirty CPU schedulers online.
    pub dirty_cpu_online: u64,
    /// Dirty IO schedulers.
    pub dirty_io: u64,
    /// Logical processors that the VM sees, where it knows.
    pub logical_processors: Option<u64>,
    /// Processes and ports waiting to run, one figure a queue: normal schedulers, then dirty CPU, then dirty IO.
    pub run_queue_lens: Vec<u64>,
    /// Processes and ports waiting or running, all normal schedulers.
    pub active_tasks: u64,
}

/// Work done by the VM.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Activity {
    /// Reductions of all processes (time slices that are over).
    pub reductions: Counter,
    /// Garbage collections.
    pub garbage_collections: Counter,
    /// Words that they reclaimed.
    pub gc_words_reclaimed: Counter,
    /// Switches between processes.
    pub context_switches: Counter,
    /// Bytes that came in through ports.
    pub io_in_bytes: Counter,
    /// Bytes that went out through ports.
    pub io_out_bytes: Counter,
    /// CPU time of the VM's threads, in milliseconds.
    pub runtime_ms: Counter,
}
