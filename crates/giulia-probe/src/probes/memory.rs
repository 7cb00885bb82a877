//! Question: what does the VM's memory hold?
//!
//! Call: `erlang:memory/0`.
//! First OTP: 23.
//! Cost: constant in processes; it sums the counters of all allocators, some ten microseconds a scheduler.
//! Limit: none needed.
//! Side effects: none.

use giulia_model::Memory;

use super::Probe;
use crate::answer::{self, Answer, Bif, Problem};

pub(crate) const PROBE: Probe =
    Probe { name: "memory", question: "what does the VM's memory hold?" };

pub(crate) fn questions() -> Vec<Bif> {
    vec![Bif::new("erlang", "memory", [])]
}

pub(crate) fn read(answers: &[Answer]) -> Result<Memory, Problem> {
    let told = answer::list(answer::term(answers, 0)?)?;
    let kind = |name: &str| -> Result<u64, Problem> {
        answer::pair(&told, name).map_or_else(
            || Err(Problem(format!("erlang:memory() does not tell `{name}`"))),
            answer::uint,
        )
    };
    // Its definition; ERTS 11 subtracts without a sign and can tell 2^64 too much (seen on 11.1.8).
    let (total_bytes, processes_bytes) = (kind("total")?, kind("processes")?);
    Ok(Memory {
        total_bytes,
        processes_bytes,
        system_bytes: total_bytes.saturating_sub(processes_bytes),
        atom_bytes: kind("atom")?,
        binary_bytes: kind("binary")?,
        code_bytes: kind("code")?,
        ets_bytes: kind("ets")?,
    })
}
