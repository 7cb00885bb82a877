//! Everything that a rule may look at: one session, as plain data, with what is missing.

use std::collections::BTreeSet;

use giulia_model::{
    EtsRates, Explain, Mailbox, Mfa, ProcessDetail, Report, Snapshot, Trace, TracedFunction,
};
use serde::{Deserialize, Serialize};

use crate::Over;

/// A part of a picture, or why it is not there.
pub type Part<T> = Result<T, Missing>;

/// Why a part of a picture is not there, and the command that would show it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Missing {
    /// Which part.
    pub what: String,
    /// Why it is not there.
    pub why: String,
    /// The command that shows it; absent where none does.
    pub ask: Option<String>,
}

/// One session, as rules see it.
#[derive(Debug, Clone, PartialEq)]
pub struct Picture {
    /// The node's name.
    pub node: String,
    /// The session's figures: work, memory, limits, mailboxes, tables, marks. Its own parts may be
    /// absent: `report.not_seen` says why.
    pub report: Report,
    /// Of each part the first look of the session: `first.ets`, `first.supervision` and so on; what
    /// changes slowly is looked at every ten seconds. Without a tick, or where a part was never
    /// seen, `not_seen` in it says why.
    pub first: Part<Snapshot>,
    /// Of each part the last look, with the facts of the node.
    pub last: Part<Snapshot>,
    /// What the ticks add up to beside the report.
    pub over: Part<Over>,
    /// Call counters, in the order in which they were counted. Never empty.
    pub traces: Part<Vec<Trace>>,
    /// What functions rest on, of those whose calls were sampled. Never empty.
    pub explains: Part<Vec<Explain>>,
    /// The first function that was to be sampled and was not; nothing is clear beside it.
    pub unexplained: Option<Missing>,
    /// What processes receive, how long they take and how long a message waits. Never empty.
    pub mailboxes: Part<Vec<Mailbox>>,
    /// How often tables are read and written, by whom. Never empty.
    pub ets_rates: Part<Vec<EtsRates>>,
    /// Suspects in depth. Never empty.
    pub processes: Part<Vec<ProcessDetail>>,
}

impl Missing {
    /// A part that is not there, with the command that shows it.
    pub fn new(what: impl Into<String>, why: impl Into<String>, ask: impl Into<String>) -> Self {
        Self { what: what.into(), why: why.into(), ask: Some(ask.into()) }
    }
}

/// Nothing was seen at all.
impl Default for Picture {
    fn default() -> Self {
        Self::of_report(Report::default())
    }
}

impl Picture {
    /// A session of which there is nothing but its figures yet.
    pub fn of_report(report: Report) -> Self {
        let node = report.session.node.clone();
        let shown = if node.is_empty() { "NODE" } else { node.as_str() };
        let observe = format!("giulia observe {shown} --for 30s");
        let no_tick = || Missing::new("ticks", "the session has no tick", &observe);
        let not_asked = |what: &str, ask: String| {
            Missing::new(what, "the session did not ask for it", format!("giulia {ask}"))
        };
        Self {
            first: Err(no_tick()),
            last: Err(no_tick()),
            over: Err(no_tick()),
            traces: Err(not_asked("call counters", format!("check {shown} --trace 'MODULE.*'"))),
            unexplained: None,
            explains: Err(not_asked(
                "what functions rest on",
                format!("check {shown} --trace 'MODULE.*'"),
            )),
            mailboxes: Err(not_asked("messages of processes", format!("check {shown}"))),
            ets_rates: Err(not_asked("calls of ets", format!("check {shown}"))),
            processes: Err(not_asked("processes in depth", format!("check {shown}"))),
            node,
            report,
        }
    }

    /// Each function by the last call counters that saw it, those counted last first.
    pub fn counted(&self) -> Vec<&TracedFunction> {
        let traces = self.traces.as_deref().unwrap_or_default();
        let mut once = BTreeSet::new();
        let all = traces.iter().rev().flat_map(|it| &it.functions);
        all.filter(|it| once.insert((&it.module, &it.name, it.arity))).collect()
    }

    /// Calls a second of a function, by the last call counters that saw it to the end.
    pub fn calls_per_s(&self, mfa: &Mfa) -> Option<(f64, f64)> {
        let traces = self.traces.as_ref().ok()?;
        traces.iter().rev().find_map(|trace| {
            let of = |it: &&TracedFunction| {
                it.name == mfa.function && it.arity == mfa.arity && it.module == mfa.module
            };
            let it = trace.functions.iter().find(of)?;
            Some((it.calls_per_s?, it.window_ms))
        })
    }

    /// What a process receives, by its name or pid.
    pub fn mailbox_of(&self, process: &str) -> Option<&Mailbox> {
        let all = self.mailboxes.as_ref().ok()?;
        all.iter().rev().find(|it| it.name == process || it.pid.0 == process)
    }

    /// A process in depth, by its name or pid.
    pub fn process_of(&self, process: &str) -> Option<&ProcessDetail> {
        let all = self.processes.as_ref().ok()?;
        all.iter().rev().find(|it| it.name == process || it.pid.0 == process)
    }

    /// A part of the last look.
    ///
    /// # Errors
    /// When no look of the session held it; with its reason.
    pub fn last_of<'a, T>(
        &'a self,
        what: &str,
        part: impl Fn(&'a Snapshot) -> Option<&'a T>,
    ) -> Result<&'a T, Missing> {
        let seen = self.last.as_ref().map_err(Clone::clone)?;
        part(seen).ok_or_else(|| self.lacks(what, seen))
    }

    fn lacks(&self, what: &str, seen: &Snapshot) -> Missing {
        let why = seen.not_seen.iter().find(|it| it.what.contains(what));
        let why = why.map_or("no tick of the session held it", |it| it.why.as_str());
        Missing::new(what, why, format!("giulia snapshot {}", self.node))
    }
}
