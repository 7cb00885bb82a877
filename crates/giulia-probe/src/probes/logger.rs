//! Question: where do log events go, and what happens when there are too many?
//!
//! Call: evaluated (`erl/logger.erl`): `logger:get_handler_config/0`, `get_primary_config/0`,
//! `erlang:whereis/1` and `process_info/2` of the process behind each handler.
//! First OTP: 23. Elixir's own handler of before 1.15 has two thresholds in place of three.
//! Cost: constant in processes; some 10 µs a handler.
//! Limit: twenty handlers; not asked with `--no-eval`.
//! Side effects: none. `get_handler_config/0` calls the handler's own `filter_config/1`, as it
//! does for everybody.

use giulia_dist::term::Term;
use giulia_model::{LogHandler, LoggerFacts, Pid};

use super::{Probe, processes};
use crate::{
    answer::{self, Answer, Bif, Problem},
    eval, naming,
};

pub(crate) const PROBE: Probe = Probe {
    name: "logger",
    question: "where do log events go, and what happens when there are too many?",
};

/// Handlers that are told; a node has one to three.
const MOST: i64 = 20;

/// `careful`: signals are dangerous, so mail is asked only of who waits with it on the heap.
pub(crate) fn question(careful: bool) -> Bif {
    let pair = |key, value| Term::tuple([Term::atom(key), Term::atom(value)]);
    let safe = if careful {
        Term::list([pair("status", "waiting"), pair("message_queue_data", "on_heap")])
    } else {
        Term::atom("any")
    };
    eval::LOGGER.with(Term::tuple([Term::int(MOST), processes::first(careful), safe]))
}

pub(crate) fn read(answers: &[Answer]) -> Result<LoggerFacts, Problem> {
    let whole = answer::term(answers, 0)?;
    let inner = whole.as_list().and_then(<[_]>::first).and_then(Term::as_tuple);
    let Some([level, handlers]) = inner else { return Err(answer::unexpected(&whole)) };
    let handlers = handlers.as_list().unwrap_or_default().iter().map(handler);
    Ok(LoggerFacts {
        level: answer::text(level).unwrap_or_default(),
        handlers: handlers.collect::<Result<_, _>>()?,
    })
}

fn handler(term: &Term<'_>) -> Result<LogHandler, Problem> {
    let Some([id, module, level, config, process]) = term.as_tuple() else {
        return Err(answer::unexpected(term));
    };
    let name = |it: &Term<'_>| naming::atom(it.as_atom().unwrap_or_default()).to_owned();
    let config = config.as_list().unwrap_or_default();
    let number = |key: &str| answer::pair(config, key).and_then(|it| answer::uint(it).ok());
    let is_on = |key: &str| answer::pair(config, key).is_some_and(|it| it.is_atom("true"));
    let (burst, kill) = (is_on("burst_limit_enable"), is_on("overload_kill_enable"));
    // Elixir's: callers wait from the first on, events are dropped from the second on.
    let thresholds = answer::pair(config, "thresholds").and_then(Term::as_tuple);
    let threshold =
        |at: usize| thresholds.and_then(|it| it.get(at)).and_then(|it| answer::uint(it).ok());
    let (pid, info) = match process.as_tuple() {
        Some([pid, info]) => (pid.as_pid(), info.as_list().unwrap_or_default()),
        _ => (None, [].as_slice()),
    };
    let asked = |key: &str| answer::pair(info, key).and_then(|it| answer::uint(it).ok());
    Ok(LogHandler {
        id: name(id),
        module: name(module),
        level: name(level),
        destination: destination(config),
        process: pid.map(|it| Pid(it.local())),
        mailbox_len: asked("message_queue_len"),
        reductions: asked("reductions"),
        sync_mode_qlen: number("sync_mode_qlen")
            .or_else(|| number("sync_threshold"))
            .or_else(|| threshold(0)),
        drop_mode_qlen: number("drop_mode_qlen")
            .or_else(|| number("discard_threshold"))
            .or_else(|| threshold(1)),
        flush_qlen: number("flush_qlen"),
        burst_limit_max_count: number("burst_limit_max_count").filter(|_| burst),
        burst_limit_window_ms: number("burst_limit_window_time").filter(|_| burst),
        overload_kill_qlen: number("overload_kill_qlen").filter(|_| kill),
        overload_kill_bytes: number("overload_kill_mem_size").filter(|_| kill),
    })
}

/// `standard_io`, `standard_error`, or the file, however its handler writes it.
fn destination(config: &[Term<'_>]) -> Option<String> {
    let kind = answer::pair(config, "type");
    let named = kind.and_then(|it| match it.as_tuple() {
        Some([_, path, ..]) => answer::text(path),
        _ => it.as_atom().map(str::to_owned),
    });
    let file = answer::pair(config, "file").and_then(answer::text).filter(|it| !it.is_empty());
    // A handler of type `file` names it beside.
    file.or(named)
}
