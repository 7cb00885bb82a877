//! Processes by what they are, and their groups.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Counter, Mfa, Window};

/// A process as its own node writes it: `<0.123.0>`.
#[derive(
    Debug, Clone, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(transparent)]
pub struct Pid(pub String);

impl fmt::Display for Pid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Where a process's name comes from, best first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum NameSource {
    /// It is registered.
    Registered,
    /// It carries a label (`proc_lib:set_label/1`, `Process.set_label/1`).
    Label,
    /// The function that `proc_lib` started for it.
    InitialCall,
    /// The function that it was spawned with.
    SpawnedWith,
    /// It was spawned with a fun: the outermost function on its stack.
    OutermostFunction,
    /// It ended, or could not be asked.
    #[default]
    Unknown,
}

/// One process.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ProcessRow {
    /// Its identity.
    pub pid: Pid,
    /// What it is.
    pub name: String,
    /// How we know.
    pub name_source: NameSource,
    /// The application that it belongs to, by its group leader.
    pub application: Option<String>,
    /// The function that it was started with, `proc_lib` looked through.
    pub initial_call: Option<Mfa>,
    /// What it is running now.
    pub current_function: Option<Mfa>,
    /// `running`, `runnable`, `waiting`, `garbage_collecting`, `suspended`, `exiting`.
    pub status: String,
    /// Reductions.
    pub reductions: Counter,
    /// Share of all processes' reductions in the window (since start without one), 0 to 1.
    pub reductions_share: f64,
    /// Messages that wait; absent where a VM bug forbids asking.
    pub mailbox_len: Option<u64>,
    /// Heap, stack and mailbox, in bytes; absent where asking costs too much (a mailbox above 100,000).
    pub memory_bytes: Option<u64>,
}

/// Processes that are alike.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ProcessGroup {
    /// The application, the label or the initial call that they share.
    pub name: String,
    /// How many; an estimate where [`Coverage`] says sampled.
    pub processes: u64,
    /// Their reductions.
    pub reductions: Counter,
    /// Share of all processes' reductions in the window (since start without one), 0 to 1.
    pub reductions_share: f64,
    /// Messages that wait in their mailboxes.
    pub mailbox_len: u64,
}

impl ProcessGroup {
    /// The name under which those are summed up that nobody asked what they are: no group, and
    /// nobody's name.
    pub const NOT_LOOKED_AT: &'static str = "(not looked at)";
    /// The name of those that told nothing of themselves.
    pub const UNNAMED: &'static str = "(unnamed)";

    /// Whether a name of a group says who its processes are.
    pub fn is_name(name: &str) -> bool {
        name != Self::NOT_LOOKED_AT && name != Self::UNNAMED
    }
}

/// How much of a whole a figure rests on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Coverage {
    /// Processes that existed.
    pub total: u64,
    /// Processes that were asked.
    pub asked: u64,
    /// Whether the rest was estimated from those asked.
    pub sampled: bool,
}

/// All processes, reduced on the target to those that matter.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Processes {
    /// The time that their `in_window` figures cover: from the first look at them to the second,
    /// which is the snapshot's window and the first look.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window: Option<Window>,
    /// Who stands behind reductions and mailboxes.
    pub ranking_coverage: Coverage,
    /// Who stands behind the groups.
    pub group_coverage: Coverage,
    /// Reductions of all processes; an estimate where the ranking is sampled.
    pub reductions: Counter,
    /// The busiest, most reductions first.
    pub top_by_reductions: Vec<ProcessRow>,
    /// The longest mailboxes, longest first; empty mailboxes left out.
    pub top_by_mailbox: Vec<ProcessRow>,
    /// The biggest, among those in the other two lists and a sample.
    pub top_by_memory: Vec<ProcessRow>,
    /// By application.
    pub by_application: Vec<ProcessGroup>,
    /// Applications beyond those listed.
    #[serde(default)]
    pub by_application_left_out: u64,
    /// By label where they carry one, else by initial call.
    pub by_initial_call: Vec<ProcessGroup>,
    /// Labels and initial calls beyond those listed.
    #[serde(default)]
    pub by_initial_call_left_out: u64,
}
