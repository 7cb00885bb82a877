//! The probes: one question a file, one entry in [`PROBES`].

pub(crate) mod activity;
pub(crate) mod allocators;
pub(crate) mod binaries;
pub(crate) mod busy;
pub(crate) mod bytecode;
pub(crate) mod counts;
pub(crate) mod dump;
pub(crate) mod ets;
pub(crate) mod functions;
pub(crate) mod host;
pub(crate) mod limits;
pub(crate) mod links;
pub(crate) mod logger;
pub(crate) mod memory;
pub(crate) mod node;
pub(crate) mod ports;
pub(crate) mod prices;
pub(crate) mod process;
pub(crate) mod processes;
pub(crate) mod schedulers;
pub(crate) mod stacks;
pub(crate) mod supervision;
pub(crate) mod tracers;
pub(crate) mod utilisation;

/// What a probe is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Probe {
    /// Its name, as in [`giulia_model::NotSeen`] and [`giulia_model::Question`].
    pub name: &'static str,
    /// What it asks.
    pub question: &'static str,
}

/// Every probe: first those of a snapshot in its order, then those of questions of their own.
pub static PROBES: &[&Probe] = &[
    &node::PROBE,
    &counts::PROBE,
    &memory::PROBE,
    &schedulers::PROBE,
    &utilisation::PROBE,
    &activity::PROBE,
    &processes::PROBE,
    &ets::PROBE,
    &host::PROBE,
    &limits::PROBE,
    &allocators::PROBE,
    &logger::PROBE,
    &links::PROBE,
    &ports::PROBE,
    &supervision::PROBE,
    &binaries::PROBE,
    &tracers::PROBE,
    &dump::PROBE,
    &process::PROBE,
    &functions::PROBE,
    &bytecode::PROBE,
    &stacks::PROBE,
    &busy::PROBE,
    &prices::PROBE,
];
