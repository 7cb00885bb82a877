//! Question: how close are the things that the VM counts to their limits?
//!
//! Call: `erlang:system_info/1` of eight items, mapped in one call.
//! First OTP: 23.
//! Cost: constant, whatever the number of processes; microseconds.
//! Limit: none needed.
//! Side effects: none. The process that asks is left out of the count.

use giulia_dist::term::Term;
use giulia_model::{CountAgainstLimit, Counts};

use super::Probe;
use crate::answer::{self, Answer, Bif, Problem};

pub(crate) const PROBE: Probe = Probe {
    name: "counts",
    question: "how close are processes, ports, atoms and ETS tables to their limits?",
    evaluates: false,
};

const ITEMS: [&str; 8] = [
    "process_count",
    "process_limit",
    "port_count",
    "port_limit",
    "atom_count",
    "atom_limit",
    "ets_count",
    "ets_limit",
];

pub(crate) fn questions() -> Vec<Bif> {
    vec![Bif::map("erlang", "system_info", ITEMS.map(Term::atom))]
}

pub(crate) fn read(answers: &[Answer]) -> Result<Counts, Problem> {
    let told = answer::terms(answers, 0, ITEMS.len())?;
    let pair = |at: usize| -> Result<CountAgainstLimit, Problem> {
        let count = told.get(at).map_or(Ok(0), answer::uint)?;
        // An ETS limit without meaning (the tables are unlimited since OTP 20) still has a number.
        let limit = told.get(at + 1).and_then(|it| answer::uint(it).ok());
        Ok(CountAgainstLimit { count, limit })
    };
    let mut processes = pair(0)?;
    processes.count = processes.count.saturating_sub(1);
    Ok(Counts { processes, ports: pair(2)?, atoms: pair(4)?, ets_tables: pair(6)? })
}
