//! What was asked of a node in a session beside its ticks, as the session keeps it.

use serde::{Deserialize, Serialize};

use crate::{
    EtsRates, Explain, Findings, Flame, Mailbox, NotSeen, ProcessDetail, Processes, Trace,
};

/// One answer: what was asked, and the whole document that came of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "asked", content = "answer", rename_all = "snake_case")]
pub enum Answer {
    /// What processes wait in, and what they run.
    Flame(Box<Flame>),
    /// Which functions are called how often.
    Trace(Box<Trace>),
    /// What a function rests on.
    Explain(Box<Explain>),
    /// What a process receives.
    Mailbox(Box<Mailbox>),
    /// How often tables are read and written.
    Ets(Box<EtsRates>),
    /// One process in depth.
    Process(Box<ProcessDetail>),
    /// What all processes are, by a sample, where ticks know too few of them.
    Processes(Box<Processes>),
    /// What all rules concluded then, with the predictions that a later session is held against.
    Findings(Box<Findings>),
    /// Something could not be asked.
    NotSeen(NotSeen),
}
