//! Question: who does the work, who has mail waiting, what are all these processes?
//!
//! Call: evaluated (`erl/processes.erl`): `erlang:processes/0`, `erlang:process_info/2` of three
//! cheap items of everyone, then nine items of those that matter; two looks with a window. With
//! `--no-eval`, or where a quarter of the memory that the node has left is less than the heap limit,
//! the same functions in pages of 150 processes, above 10,000 of a sample of 2,000.
//! First OTP: 23. Labels from ERTS 15.2; single dictionary keys from ERTS 14.2, before that the
//! whole dictionary of processes below 64 KiB.
//! Cost: a snapshot without a window took 123 ms of the VM's CPU with 200,000 processes and 6 ms
//! with 50 (medians of five, OTP 23 and 27, wakeups and everything else included), and a reply of
//! 14 KB; 1–2 µs more for each process that is looked at closely.
//! Limit: up to 10,000 processes all are looked at closely; above, the 1,000 busiest, the longest
//! mailboxes and 1,000 at random; above 1.37 million none, and the answer says so. Where a
//! bug of the ERTS makes signals dangerous, only the listed are, while they wait. `memory` is not
//! asked of a mailbox above 100,000. Labels above 256 bytes stay there. A stack of 8 frames is taken
//! for cut and names nobody; where somebody lowered `backtrace_depth`, which cannot be told, an
//! inner function can stand for the outermost. Who ended in the window cannot be asked: what they
//! worked is told as a share.
//! Side effects: none. Each process looked at closely handles one signal. What giulia itself
//! runs on the target is left out.

use std::time::Duration;

use giulia_dist::term::Term;
use giulia_model::{Activity, NotSeen, Processes, Window};

use super::{Probe, activity};
use crate::{
    ErtsVersion, answer::Problem, eval, gates::Caution, headroom, link::Link, look, paged, ranking,
};

pub(crate) const PROBE: Probe = Probe {
    name: "processes",
    question: "who does the work, who has mail waiting, what are all these processes?",
};

/// Up to here, every process is looked at closely: 10,000 signals take some 20 ms.
pub(crate) const CLOSELY_MAX: u64 = 10_000;
/// Above, the busiest that are, and as many others at random: shares within two points. A look at
/// 200,000 processes takes 200 ms with 1,000 and 240 ms with 2,000 (OTP 27, best of six).
const BUSIEST: i64 = 1000;
/// Who runs is asked when it waits: now, or a few milliseconds later.
const CAUTIOUS_WAITS_MS: [i64; 4] = [0, 3, 7, 13];
/// `memory` of a process walks its mailbox: 9 ms at 2 million messages (measured).
pub(crate) const MEMORY_MAIL_MAX: i64 = 100_000;
/// Whole dictionaries are copied only out of processes with less memory than this, in bytes.
pub(crate) const DICTIONARY_BYTES_MAX: i64 = 64 << 10;

/// Heap for one look: 32 MB for what is looked at closely (a slice of 250 whole dictionaries of
/// 64 KiB is 16 MB), and 560 bytes for each process. A look at 200,000 processes passed with
/// 240 to 400 bytes each, counted as the VM counts: old and new heap while it collects.
const HEAP_WORDS_BASE: u64 = 4_000_000;
const HEAP_WORDS_EACH: u64 = 70;
/// Below, the difference may be our own questions and time slices that are not over (4,000
/// reductions on each scheduler): some ms of one core.
const ENDED_REDUCTIONS_MIN: u64 = 200_000;
/// 800 MB, which is enough for 1.37 million processes; with more, nobody is asked.
const HEAP_WORDS_MAX: u64 = 100_000_000;

/// What the probe learnt, with what it could not.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) processes: Processes,
    pub(crate) window: Option<Window>,
    pub(crate) activity: Option<Activity>,
    pub(crate) not_seen: Vec<NotSeen>,
}

pub(crate) async fn ask(
    link: &Link,
    top: usize,
    window: Option<Duration>,
) -> Result<Answer, Problem> {
    let caution = link.caution();
    if caution == Caution::Processes {
        return Err(Problem(
            "process_info can hang for ever on this ERTS (fixed in 12.0.4); upgrade it".into(),
        ));
    }
    let mut not_seen = Vec::new();
    if caution == Caution::Signals {
        not_seen.push(NotSeen {
            what: "mailboxes and names of most processes".to_owned(),
            why: "a bug of this ERTS makes asking dangerous (`giulia doctor` prints it): only \
                  those of the listed that wait and keep their mail on the heap are asked; the \
                  others stay in one group"
                .to_owned(),
        });
    }
    if link.no_eval() || !headroom::allows(link.headroom(), heap_words(link.processes())?) {
        return paged::ask(link, top, window, not_seen).await;
    }
    let bytes = reply(link, top, window, caution).await?;
    let look = look::read(&bytes, top)?;
    let apart = look.window.map(|_| activity::window(0, look.apart_us));
    let processes = ranking::processes(&look, top, apart);
    let activity = look.window.map(|((_, before), (_, now))| activity::activity(now, Some(before)));
    not_seen.extend(activity.as_ref().and_then(|it| ended(&processes, it)));
    link.set_processes(processes.ranking_coverage.total);
    Ok(Answer {
        processes,
        window: look.window.map(|((from, _), (until, _))| activity::window(from, until)),
        activity,
        not_seen,
    })
}

/// The work that no process of the second look did: those that did it have ended.
///
/// Processes are watched a little longer than the VM's counters, so this is the least it can be.
/// An estimate of all processes proves nothing here.
pub(crate) fn ended(processes: &Processes, activity: &Activity) -> Option<NotSeen> {
    let (all, seen) = (activity.reductions.in_window?, processes.reductions.in_window?);
    let missing = all.saturating_sub(seen);
    if processes.ranking_coverage.sampled || missing <= (all / 50).max(ENDED_REDUCTIONS_MIN) {
        return None;
    }
    #[expect(clippy::cast_precision_loss, reason = "a share is shown to a percent")]
    let percent = missing as f64 / all as f64 * 100.0;
    Some(NotSeen {
        what: "work of processes that ended in the window".to_owned(),
        why: format!(
            "{percent:.0} % of all reductions: who ended cannot be asked; shares and groups are of \
             the other work"
        ),
    })
}

/// The bytes of one look, for fixtures.
///
/// # Errors
///
/// When the node does not answer.
#[doc(hidden)]
pub async fn recorded(link: &Link, window: Duration) -> Result<Vec<u8>, giulia_dist::Error> {
    Ok(reply(link, 20, Some(window), link.caution()).await?)
}

async fn reply(
    link: &Link,
    top: usize,
    window: Option<Duration>,
    caution: Caution,
) -> Result<Vec<u8>, Problem> {
    let heap_words = heap_words(link.processes())?;
    let question = eval::PROCESSES.with(argument(link, top, window, caution));
    link.ask(PROBE.name, &question, heap_words, window.unwrap_or_default()).await
}

/// The heap limit for a look at so many, or why there is none.
pub(crate) fn heap_words(processes: u64) -> Result<u64, Problem> {
    let words = processes.saturating_mul(HEAP_WORDS_EACH).saturating_add(HEAP_WORDS_BASE);
    if words <= HEAP_WORDS_MAX {
        return Ok(words);
    }
    let most = (HEAP_WORDS_MAX - HEAP_WORDS_BASE) / HEAP_WORDS_EACH;
    Err(Problem(format!(
        "{processes} processes are too many to look at (at most {most}): it could take more than \
         800 MB of the node's memory; its counts and memory by kind are told all the same"
    )))
}

/// See the head of `erl/processes.erl`.
fn argument(link: &Link, top: usize, window: Option<Duration>, caution: Caution) -> Term<'static> {
    let few = link.processes() <= CLOSELY_MAX;
    let (busiest, sample) = match caution {
        Caution::None if few => (CLOSELY_MAX.cast_signed(), BUSIEST),
        Caution::None => (BUSIEST, BUSIEST),
        // Where signals are dangerous, only those that are listed get one.
        Caution::Signals | Caution::Processes => (i64::try_from(top).unwrap_or(i64::MAX), 0),
    };
    let wait = match window {
        Some(it) => Term::uint(u64::try_from(it.as_millis()).unwrap_or(u64::MAX)),
        None => Term::atom("none"),
    };
    let careful = caution != Caution::None;
    let dictionary = Term::tuple([
        Term::boolean(!link.erts().at_least(&[14, 2])),
        Term::int(DICTIONARY_BYTES_MAX),
    ]);
    Term::tuple([
        Term::int(i64::try_from(top).unwrap_or(i64::MAX)),
        Term::int(busiest),
        Term::int(sample),
        wait,
        everyone(careful),
        first(careful),
        choose(link.erts(), careful),
        dictionary,
        Term::list(
            if careful { &CAUTIOUS_WAITS_MS[..] } else { &[0] }.iter().copied().map(Term::int),
        ),
        Term::atom(link.connection().local_name().to_owned()),
    ])
}

/// The items of a close look, by position; `priority` and `group_leader` stand in for what must
/// not or cannot be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Closeness {
    Full,
    NoMemory,
    Poor,
}

pub(crate) fn items(erts: &ErtsVersion, closeness: Closeness) -> Term<'static> {
    let key = |name: &'static str| Term::tuple([Term::atom("dictionary"), Term::atom(name)]);
    let has_keys = erts.at_least(&[14, 2]) && closeness != Closeness::Poor;
    let call = if has_keys { key("$initial_call") } else { Term::atom("priority") };
    let label = match (has_keys, erts.at_least(&[15, 2])) {
        (true, true) => Term::atom("label"),
        (true, false) => key("$process_label"),
        (false, _) => Term::atom("group_leader"),
    };
    let names = match closeness {
        Closeness::Full => ["current_function", "memory", "message_queue_len"],
        Closeness::NoMemory => ["current_function", "priority", "message_queue_len"],
        Closeness::Poor => ["priority", "priority", "priority"],
    };
    let [current, memory, mailbox] = names.map(Term::atom);
    Term::list([
        Term::atom("registered_name"),
        Term::atom("initial_call"),
        current,
        memory,
        Term::atom("status"),
        Term::atom("group_leader"),
        mailbox,
        call,
        label,
    ])
}

/// What is read of everyone: reductions, mailbox or what stands in for it, group leader.
pub(crate) fn everyone(careful: bool) -> Term<'static> {
    let mailbox = if careful { "priority" } else { "message_queue_len" };
    Term::list(["reductions", mailbox, "group_leader"].map(Term::atom))
}

/// What decides which of them may be asked.
pub(crate) fn first(careful: bool) -> Term<'static> {
    let first =
        if careful { ["status", "message_queue_data"] } else { ["message_queue_len", "priority"] };
    Term::list(first.map(Term::atom))
}

/// The match specification that turns `{Pid, FirstLook}` into the items to ask.
pub(crate) fn choose(erts: &ErtsVersion, careful: bool) -> Term<'static> {
    let all = || Term::atom("_");
    let pair = |left: Term<'static>, right: Term<'static>| Term::tuple([left, right]);
    let clause = |pattern: Term<'static>, guards: Vec<Term<'static>>, closeness| {
        let body = pair(Term::atom("const"), items(erts, closeness));
        Term::tuple([pattern, Term::list(guards), Term::list([body])])
    };
    if careful {
        let waits = pair(Term::atom("status"), Term::atom("waiting"));
        let on_heap = pair(Term::atom("message_queue_data"), Term::atom("on_heap"));
        let safe = pair(all(), Term::list([waits, on_heap]));
        Term::list([clause(safe, vec![], Closeness::Full), clause(all(), vec![], Closeness::Poor)])
    } else {
        let mail = pair(all(), Term::list([pair(all(), Term::atom("$1")), all()]));
        let long = Term::tuple([Term::atom(">"), Term::atom("$1"), Term::int(MEMORY_MAIL_MAX)]);
        let careless = clause(all(), vec![], Closeness::Full);
        Term::list([clause(mail, vec![long], Closeness::NoMemory), careless])
    }
}

#[cfg(test)]
mod tests {
    use giulia_model::{Counter, Coverage};

    use super::*;

    #[test]
    fn above_the_bound_nobody_is_asked() {
        assert_eq!(heap_words(0).unwrap(), HEAP_WORDS_BASE);
        assert_eq!(heap_words(1_371_428).unwrap(), 99_999_960);
        assert!(heap_words(1_371_429).unwrap_err().to_string().contains("at most 1371428"));
        assert!(heap_words(u64::MAX).is_err());
    }

    #[test]
    fn missing_work_is_told_from_two_percent_on() {
        let ended = |all: u64, seen: u64, sampled: bool| {
            let counter = |it| Counter { since_start: it, in_window: Some(it) };
            let zero = counter(0);
            let activity = Activity {
                reductions: counter(all),
                garbage_collections: zero,
                gc_words_reclaimed: zero,
                context_switches: zero,
                io_in_bytes: zero,
                io_out_bytes: zero,
                runtime_ms: zero,
            };
            let coverage = Coverage { total: 10, asked: 10, sampled };
            let processes = Processes {
                window: None,
                ranking_coverage: coverage,
                group_coverage: coverage,
                reductions: counter(seen),
                top_by_reductions: Vec::new(),
                top_by_mailbox: Vec::new(),
                top_by_memory: Vec::new(),
                by_application: Vec::new(),
                by_application_left_out: 0,
                by_initial_call: Vec::new(),
                by_initial_call_left_out: 0,
            };
            super::ended(&processes, &activity).map(|it| it.why)
        };
        let third = ended(30_000_000, 20_000_000, false).unwrap();
        assert!(third.starts_with("33 % of all reductions"), "{third}");
        assert_eq!(ended(100_000_000, 98_000_000, false), None);
        assert_eq!(ended(30_000_000, 31_000_000, false), None);
        assert_eq!(ended(100_000, 10_000, false), None);
        assert_eq!(ended(30_000_000, 20_000_000, true), None);
    }
}
