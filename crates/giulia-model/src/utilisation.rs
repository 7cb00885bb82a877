//! How busy scheduler threads were in a window.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Scheduler threads by kind. A share is the time in which a thread was not waiting for work,
/// 0 to 1; it says nothing of whether the operating system gave it a core meanwhile.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Utilisation {
    /// Threads that run Erlang code: those online, by id.
    pub normal: ThreadsBusy,
    /// Threads that run long CPU-bound native functions: those online, by id.
    pub dirty_cpu: ThreadsBusy,
    /// Threads that run native functions that wait for files and the like, by id.
    pub dirty_io: ThreadsBusy,
}

/// Threads of one kind.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ThreadsBusy {
    /// Share of all of them together, 0 to 1.
    pub total: f64,
    /// Share of each, 0 to 1.
    pub each: Vec<f64>,
}
