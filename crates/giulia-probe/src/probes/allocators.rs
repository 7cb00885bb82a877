//! Question: how much of what the allocators took from the operating system is in use?
//!
//! Call: `erlang:system_info({allocator_sizes, A})` of the ten allocators, mapped in one call.
//! First OTP: 23.
//! Cost: constant in processes; every scheduler is asked for its own figures, some ten microseconds
//! each and allocator.
//! Limit: none needed.
//! Side effects: none.

use giulia_dist::term::Term;
use giulia_model::Allocator;

use super::Probe;
use crate::answer::{self, Answer, Bif, Problem};

pub(crate) const PROBE: Probe = Probe {
    name: "allocators",
    question: "how much of what the allocators took from the operating system is in use?",
};

/// Those of `erlang:system_info(alloc_util_allocators)`, the same on OTP 23 to 29.
const ALLOCATORS: [&str; 10] = [
    "temp_alloc",
    "sl_alloc",
    "std_alloc",
    "ll_alloc",
    "eheap_alloc",
    "ets_alloc",
    "fix_alloc",
    "literal_alloc",
    "binary_alloc",
    "driver_alloc",
];

pub(crate) fn questions() -> Vec<Bif> {
    let of = |name| Term::tuple([Term::atom("allocator_sizes"), Term::atom(name)]);
    vec![Bif::map("erlang", "system_info", ALLOCATORS.map(of))]
}

/// Most carriers first; those that are switched off left out.
pub(crate) fn read(answers: &[Answer]) -> Result<Vec<Allocator>, Problem> {
    let told = answer::terms(answers, 0, ALLOCATORS.len())?;
    let mut found: Vec<Allocator> =
        ALLOCATORS.iter().zip(&told).filter_map(|(name, sizes)| allocator(name, sizes)).collect();
    found.sort_by_key(|it| std::cmp::Reverse(it.carriers_bytes));
    Ok(found)
}

/// From `[{instance, N, [{mbcs, ..}, {mbcs_pool, ..}, {sbcs, ..}]}]`; an instance a scheduler.
fn allocator(name: &str, sizes: &Term<'_>) -> Option<Allocator> {
    let mut it = Allocator {
        name: name.to_owned(),
        carriers_bytes: 0,
        blocks_bytes: 0,
        single_block_carriers_bytes: 0,
        pooled_carriers_bytes: 0,
    };
    for instance in sizes.as_list()? {
        let kinds = instance.as_tuple().and_then(|it| it.get(2)).and_then(Term::as_list);
        for kind in kinds.unwrap_or_default() {
            let Some([kind, facts]) = kind.as_tuple() else { continue };
            let facts = facts.as_list().unwrap_or_default();
            let carriers = current(facts, "carriers_size");
            let add = |sum: &mut u64, bytes: u64| *sum = sum.saturating_add(bytes);
            add(&mut it.carriers_bytes, carriers);
            add(&mut it.blocks_bytes, blocks(facts));
            if kind.is_atom("sbcs") {
                add(&mut it.single_block_carriers_bytes, carriers);
            }
            if kind.is_atom("mbcs_pool") {
                add(&mut it.pooled_carriers_bytes, carriers);
            }
        }
    }
    Some(it)
}

/// `{blocks, [{Allocator, [{size, Now, ..}]}]}`: a carrier of the pool may hold others' blocks.
fn blocks(facts: &[Term<'_>]) -> u64 {
    let owners = answer::pair(facts, "blocks").and_then(Term::as_list).unwrap_or_default();
    let sizes = owners.iter().filter_map(|it| match it.as_tuple() {
        Some([_, sizes]) => Some(current(sizes.as_list()?, "size")),
        _ => None,
    });
    sizes.sum()
}

/// The first figure behind a name: now, before the two maxima where there are such.
fn current(facts: &[Term<'_>], name: &str) -> u64 {
    let found = facts.iter().find_map(|it| match it.as_tuple() {
        Some([key, now, ..]) if key.is_atom(name) => answer::uint(now).ok(),
        _ => None,
    });
    found.unwrap_or(0)
}
