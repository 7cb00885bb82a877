//! Question: which settings end processes, or hold them up?
//!
//! Call: `erlang:system_info/1` of five items, mapped in one call.
//! First OTP: 23. Binaries count for a heap's limit from OTP 27.
//! Cost: constant in processes; microseconds.
//! Limit: none needed.
//! Side effects: none.

use giulia_dist::term::Term;
use giulia_model::SystemLimits;

use super::Probe;
use crate::answer::{self, Answer, Bif, Problem};

pub(crate) const PROBE: Probe =
    Probe { name: "limits", question: "which settings end processes, or hold them up?" };

const ITEMS: [&str; 5] = [
    "dist_buf_busy_limit",
    "max_heap_size",
    "fullsweep_after",
    "min_heap_size",
    "message_queue_data",
];

pub(crate) fn questions() -> Vec<Bif> {
    vec![Bif::map("erlang", "system_info", ITEMS.map(Term::atom))]
}

pub(crate) fn read(answers: &[Answer], word_bytes: u64) -> Result<SystemLimits, Problem> {
    let told = answer::terms(answers, 0, ITEMS.len())?;
    let [busy, heap, fullsweep, min_heap, mailbox] = told.as_slice() else {
        return Err(Problem("a setting is missing".to_owned()));
    };
    // `{fullsweep_after, 65535}`.
    let named = |it: &Term<'_>| match it.as_tuple() {
        Some([_, value]) => answer::uint(value),
        _ => Err(answer::unexpected(it)),
    };
    let is = |name: &str| heap.get(name).is_some_and(|it| it.is_atom("true"));
    let size = heap.get("size").map_or_else(|| Err(answer::unexpected(heap)), answer::uint)?;
    Ok(SystemLimits {
        dist_buf_busy_limit_bytes: answer::uint(busy)?,
        max_heap_bytes: (size > 0).then(|| size.saturating_mul(word_bytes)),
        max_heap_kills: is("kill"),
        max_heap_includes_binaries: is("include_shared_binaries"),
        fullsweep_after: named(fullsweep)?,
        min_heap_bytes: named(min_heap)?.saturating_mul(word_bytes),
        message_queue_data: answer::text(mailbox).unwrap_or_default(),
    })
}
