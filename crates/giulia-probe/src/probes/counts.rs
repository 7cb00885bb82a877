//! Question: how close are the things that the VM counts to their limits?
//!
//! Call: `erlang:system_info/1` of seven items, mapped in one call.
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
    question: "how close are processes, ports and atoms to their limits, and how many ETS tables are there?",
};

const ITEMS: [&str; 7] = [
    "process_count",
    "process_limit",
    "port_count",
    "port_limit",
    "atom_count",
    "atom_limit",
    "ets_count",
];

pub(crate) fn questions() -> Vec<Bif> {
    vec![Bif::map("erlang", "system_info", ITEMS.map(Term::atom))]
}

pub(crate) fn read(answers: &[Answer]) -> Result<Counts, Problem> {
    let told = answer::terms(answers, 0, ITEMS.len())?;
    let pair = |at: usize| -> Result<CountAgainstLimit, Problem> {
        let count = told.get(at).map_or(Ok(0), answer::uint)?;
        let limit = told.get(at + 1).and_then(|it| answer::uint(it).ok());
        Ok(CountAgainstLimit { count, limit })
    };
    let mut processes = pair(0)?;
    processes.count = processes.count.saturating_sub(1);
    // `ets_limit` has no meaning: tables have been unlimited since OTP 20.
    let ets_tables = pair(6)?;
    Ok(Counts { processes, ports: pair(2)?, atoms: pair(4)?, ets_tables })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_have_no_limit_and_our_own_process_is_left_out() {
        let told = [51, 262_144, 4, 65_536, 10_000, 1_048_576, 30].map(Term::int);
        let mut bytes = Vec::new();
        Term::list(told).encode(&mut bytes).unwrap();
        let counts = read(&[Ok(bytes)]).unwrap();
        assert_eq!((counts.processes.count, counts.processes.limit), (50, Some(262_144)));
        assert_eq!((counts.ets_tables.count, counts.ets_tables.limit), (30, None));
    }
}
