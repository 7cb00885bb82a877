//! Question: does another tool trace this node?
//!
//! Call: `erlang:trace_info/2` of the global settings, `erlang:system_monitor/0`,
//! `erlang:registered/0`, `erlang:system_info(trace_control_word)`; from OTP 27
//! `trace:session_info/1`.
//! First OTP: 23.
//! Cost: constant in processes.
//! Limit: settings of single processes and functions are not searched for.
//! Side effects: none.

use giulia_dist::{Error, term::Term};

use super::Probe;
use crate::{
    answer::{self, Bif},
    link::Link,
};

pub(crate) const PROBE: Probe =
    Probe { name: "tracers", question: "does another tool trace this node?" };

/// Processes of tools that trace, by the names that they register.
const TOOLS: [&str; 9] = [
    "recon_trace_tracer",
    "recon_trace_formatter",
    "redbug",
    "dbg",
    "xprof_core_tracer",
    "eprof",
    "fprof_server",
    "tprof",
    "etop_server",
];

/// Settings that are `clean` on a node that nobody traces, and how to say otherwise.
const SETTINGS: [(&str, &str, &str); 6] = [
    ("new_processes", "flags", "flags on new processes"),
    ("new_processes", "tracer", "a tracer for new processes"),
    ("new_ports", "flags", "flags on new ports"),
    ("on_load", "all", "patterns on code that is still to be loaded"),
    ("send", "match_spec", "a match specification on send"),
    ("receive", "match_spec", "a match specification on receive"),
];

/// Other tools' tracing, each as a sentence; empty where there is none.
///
/// # Errors
///
/// When the node does not answer.
pub async fn tracers(link: &Link) -> Result<Vec<String>, Error> {
    let mut questions: Vec<Bif> = SETTINGS
        .iter()
        .map(|(of, item, _)| Bif::new("erlang", "trace_info", [*of, *item].map(Term::atom)))
        .collect();
    questions.push(Bif::new("erlang", "system_monitor", []));
    questions.push(Bif::new("erlang", "registered", []));
    questions.push(Bif::new("erlang", "system_info", [Term::atom("trace_control_word")]));
    if link.erts().at_least(&[15]) {
        questions.push(Bif::new("trace", "session_info", [Term::atom("all")]));
    }
    let answers = link.ask_all(PROBE.name, &questions).await;
    let mut found = Vec::new();
    for (idx, (_, _, words)) in SETTINGS.iter().enumerate() {
        let told = answer::term(&answers, idx)?;
        let value = told.as_tuple().and_then(|it| it.get(1));
        if !value.is_some_and(is_clean) {
            found.push(format!("{words}: {told}"));
        }
    }
    let monitor = answer::term(&answers, 6)?;
    if !monitor.is_atom("undefined") {
        found.push(format!("somebody owns erlang:system_monitor: {monitor}"));
    }
    let registered = answer::list(answer::term(&answers, 7)?)?;
    for name in registered.iter().filter_map(Term::as_atom).filter(|it| TOOLS.contains(it)) {
        found.push(format!("the process `{name}` of a tracing tool is registered"));
    }
    if answer::term(&answers, 8)?.as_int().is_some_and(|it| it != 0) {
        found.push("the trace control word is set".to_owned());
    }
    if questions.len() > 9 {
        let sessions = answer::list(answer::term(&answers, 9)?)?;
        let mut own = link.own().sessions_on(&link.connection().peer().name.to_string());
        for it in &sessions {
            let name = it.as_tuple().and_then(<[_]>::first).unwrap_or(it);
            if name.is_atom("giulia") {
                // Of keepers: as many as ours hold are ours.
                if own > 0 {
                    own -= 1;
                    continue;
                }
                found.push("another giulia observes it: the trace session `giulia` exists".into());
            } else if !name.is_atom("legacy") {
                found.push(format!("the trace session `{name}` exists"));
            }
        }
    }
    Ok(found)
}

/// `[]`, `false`, `undefined` and, for send and receive without a tracer, `true`.
fn is_clean(value: &Term<'_>) -> bool {
    matches!(value, Term::Nil) || ["false", "undefined", "true"].iter().any(|it| value.is_atom(it))
}
