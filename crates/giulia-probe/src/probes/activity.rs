//! Question: how much work did the VM do, since it started and in the window?
//!
//! Call: `erlang:statistics/1` of `reductions`, `garbage_collection`, `context_switches`, `io`
//! and `runtime`, mapped in one call; at both edges of a window, by the process probe.
//! First OTP: 23.
//! Cost: constant in processes; microseconds.
//! Limit: none needed.
//! Side effects: `statistics(reductions)` and `statistics(runtime)` also return what was added
//! since anybody's previous call, so the next caller's second figure is shorter; OTP has no
//! call without that. Tools that subtract totals themselves notice nothing.

use giulia_dist::term::Term;
use giulia_model::{Activity, Counter, Window};

use super::Probe;
use crate::answer::{self, Answer, Bif, Problem};

pub(crate) const PROBE: Probe = Probe {
    name: "activity",
    question: "how much work did the VM do, since it started and in the window?",
};

/// What each of our questions takes from others. Reductions have no other source; the CPU time of
/// `/proc/self/stat` comes in hundredths of a second, too coarse for a window of one.
pub(crate) const DISTURBS: &str =
    "the \"since last call\" figures of statistics(reductions) and statistics(runtime)";

const ITEMS: [&str; 5] = ["reductions", "garbage_collection", "context_switches", "io", "runtime"];

/// The VM's counters at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Totals {
    reductions: u64,
    garbage_collections: u64,
    gc_words_reclaimed: u64,
    context_switches: u64,
    io_in_bytes: u64,
    io_out_bytes: u64,
    runtime_ms: u64,
}

pub(crate) fn questions() -> Vec<Bif> {
    vec![Bif::map("erlang", "statistics", ITEMS.map(Term::atom))]
}

pub(crate) fn read(answers: &[Answer]) -> Result<Totals, Problem> {
    totals(&answer::terms(answers, 0, ITEMS.len())?)
}

/// The counters from what `statistics/1` returned for the items, in order.
pub(crate) fn totals(told: &[Term<'_>]) -> Result<Totals, Problem> {
    let field = |at: usize, within: usize| -> Result<u64, Problem> {
        let term = told.get(at).ok_or_else(|| Problem("a counter is missing".to_owned()))?;
        let part = term.as_tuple().and_then(|it| it.get(within));
        part.map_or_else(|| Err(answer::unexpected(term)), answer::uint)
    };
    let io = |within: usize| -> Result<u64, Problem> {
        let term = told.get(3).ok_or_else(|| Problem("a counter is missing".to_owned()))?;
        let part = term.as_tuple().and_then(|it| it.get(within)?.as_tuple()?.get(1));
        part.map_or_else(|| Err(answer::unexpected(term)), answer::uint)
    };
    Ok(Totals {
        reductions: field(0, 0)?,
        garbage_collections: field(1, 0)?,
        gc_words_reclaimed: field(1, 1)?,
        context_switches: field(2, 0)?,
        io_in_bytes: io(0)?,
        io_out_bytes: io(1)?,
        runtime_ms: field(4, 0)?,
    })
}

/// Totals, with what the window added where there was one.
pub(crate) fn activity(now: Totals, before: Option<Totals>) -> Activity {
    let counter = |read: fn(&Totals) -> u64| Counter {
        since_start: read(&now),
        in_window: before.map(|it| read(&now).saturating_sub(read(&it))),
    };
    Activity {
        reductions: counter(|it| it.reductions),
        garbage_collections: counter(|it| it.garbage_collections),
        gc_words_reclaimed: counter(|it| it.gc_words_reclaimed),
        context_switches: counter(|it| it.context_switches),
        io_in_bytes: counter(|it| it.io_in_bytes),
        io_out_bytes: counter(|it| it.io_out_bytes),
        runtime_ms: counter(|it| it.runtime_ms),
    }
}

/// An edge of a window as the process probe reports it: microseconds, then the counters.
pub(crate) fn edge(term: &Term<'_>) -> Result<(i64, Totals), Problem> {
    match term.as_tuple() {
        Some([at, told @ ..]) => {
            let at = at.as_int().ok_or_else(|| answer::unexpected(term))?;
            Ok((at, totals(told)?))
        }
        _ => Err(answer::unexpected(term)),
    }
}

/// The time between two edges.
pub(crate) fn window(from_us: i64, until_us: i64) -> Window {
    #[expect(clippy::cast_precision_loss, reason = "a window of microseconds fits 52 bits")]
    let elapsed_ms = until_us.saturating_sub(from_us) as f64 / 1000.0;
    Window { elapsed_ms }
}
