//! Question: is work waiting for a scheduler?
//!
//! Call: `erlang:system_info/1` of five items, `erlang:statistics/1` of `run_queue_lengths_all`
//! and `total_active_tasks`, mapped in two calls.
//! First OTP: 23.
//! Cost: constant in processes; microseconds.
//! Limit: none needed.
//! Side effects: none. The process that asks is left out of the active tasks.

use giulia_dist::term::Term;
use giulia_model::Schedulers;

use super::Probe;
use crate::answer::{self, Answer, Bif, Problem};

pub(crate) const PROBE: Probe =
    Probe { name: "schedulers", question: "is work waiting for a scheduler?" };

const ITEMS: [&str; 5] = [
    "schedulers",
    "schedulers_online",
    "dirty_cpu_schedulers_online",
    "dirty_io_schedulers",
    "logical_processors",
];

pub(crate) fn questions() -> Vec<Bif> {
    let queues = ["run_queue_lengths_all", "total_active_tasks"];
    vec![
        Bif::map("erlang", "system_info", ITEMS.map(Term::atom)),
        Bif::map("erlang", "statistics", queues.map(Term::atom)),
    ]
}

pub(crate) fn read(answers: &[Answer]) -> Result<Schedulers, Problem> {
    let told = answer::terms(answers, 0, ITEMS.len())?;
    let item = |at: usize| told.get(at).map_or(Ok(0), answer::uint);
    let queues = answer::terms(answers, 1, 2)?;
    let lengths = queues.first().cloned().map_or(Ok(Vec::new()), answer::list)?;
    let active = queues.get(1).map_or(Ok(0), answer::uint)?;
    Ok(Schedulers {
        total: item(0)?,
        online: item(1)?,
        dirty_cpu_online: item(2)?,
        dirty_io: item(3)?,
        // The atom `unknown` where the operating system does not tell.
        logical_processors: told.get(4).and_then(|it| answer::uint(it).ok()),
        run_queue_lens: lengths.iter().map(answer::uint).collect::<Result<_, _>>()?,
        active_tasks: active.saturating_sub(1),
    })
}
