//! What the ticks of a session add up to, beside its report.

use std::collections::BTreeMap;

use giulia_model::{Spread, SystemEvent};
use serde::{Deserialize, Serialize};

/// Sums and spreads over the ticks.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Over {
    /// `reductions`, `garbage collections`, `words reclaimed`, `context switches`,
    /// `bytes in`, `bytes out`; those that no tick held left out.
    pub rates: Vec<RateOver>,
    /// Scheduler threads by kind: `normal`, `dirty CPU`, `dirty IO`; empty where the VM did not
    /// measure them.
    pub threads: Vec<ThreadsOver>,
    /// Run queues, in the VM's order (normal schedulers, dirty CPU, dirty IO): what waited in each,
    /// the mean of the ticks.
    pub run_queue_lens_mean: Vec<f64>,
    /// What the VM reported as unusual; absent where it cannot (before OTP 28) or was not asked.
    pub events: Option<EventsOver>,
    /// Time that the container's CPU quota took from the VM, in milliseconds, over the session.
    pub throttled_ms: Option<f64>,
    /// Processes in supervision trees that were another one (by pid) at a later look under the same
    /// name and parent: by name, how often, at least. Looks are ten seconds apart.
    pub replaced: BTreeMap<String, u64>,
    /// Between the first and the last look at supervision, in milliseconds; 0 with fewer than two.
    pub replaced_window_ms: u64,
    /// Processes spawned in the session, at least: by the highest pid that a tick showed first and
    /// last. Absent where that tells nothing.
    pub spawned_at_least: Option<u64>,
}

/// A counter by the second, over the ticks.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct RateOver {
    /// Which.
    pub name: String,
    /// Per second: least, middle and most of the ticks.
    pub per_second: Spread,
}

/// Scheduler threads of one kind.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ThreadsOver {
    /// Which kind.
    pub name: String,
    /// Share of the time in which they worked, all together, 0 to 1.
    pub total: Spread,
    /// Of each thread the mean over the ticks, 0 to 1.
    pub each_mean: Vec<f64>,
}

/// Events of the VM.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct EventsOver {
    /// How many of each kind (`long_gc`, `long_schedule`, `large_heap`, `long_message_queue`,
    /// `busy_port`, `busy_dist_port`), giulia's own left out as far as they are told apart.
    pub counts: BTreeMap<String, u64>,
    /// The first hundred.
    pub events: Vec<SystemEvent>,
    /// Time that the VM was listened to, in milliseconds.
    pub listened_ms: f64,
}

impl Over {
    /// A rate by its name.
    pub fn rate(&self, name: &str) -> Option<Spread> {
        self.rates.iter().find(|it| it.name == name).map(|it| it.per_second)
    }
}
