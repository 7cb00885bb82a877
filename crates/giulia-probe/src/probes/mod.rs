//! The probes: one question a file, one entry in [`PROBES`].

pub(crate) mod activity;
pub(crate) mod counts;
pub(crate) mod ets;
pub(crate) mod host;
pub(crate) mod memory;
pub(crate) mod node;
pub(crate) mod processes;
pub(crate) mod schedulers;
pub(crate) mod tracers;

/// What a probe is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Probe {
    /// Its name, as in [`giulia_model::NotSeen`] and [`giulia_model::Question`].
    pub name: &'static str,
    /// What it asks.
    pub question: &'static str,
}

/// Every probe, in the order of a snapshot.
pub static PROBES: &[&Probe] = &[
    &node::PROBE,
    &counts::PROBE,
    &memory::PROBE,
    &schedulers::PROBE,
    &activity::PROBE,
    &processes::PROBE,
    &ets::PROBE,
    &host::PROBE,
    &tracers::PROBE,
];
