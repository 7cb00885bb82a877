//! Trace messages as calls: which began, which ended, how long they took.

use std::collections::HashMap;

use giulia_dist::term::{Pid, Term};
use giulia_model::{CallSample, Mfa, Outcome, Seen, Writing};

use super::sketch::{self, Sketch};
use crate::look;

/// Calls in the order in which they began.
#[derive(Debug)]
pub(super) struct Calls {
    values: bool,
    begun: Vec<(Pid, CallSample)>,
    /// Calls of rounds that are over.
    kept: Vec<(Pid, CallSample)>,
    /// How long calls of those rounds took.
    durations_us: Vec<u64>,
    /// Calls that have not ended, innermost last, by process: their place in `begun`.
    open: HashMap<Pid, Vec<usize>>,
    first_at: Option<i64>,
    last_at: i64,
    /// Units of the node's clock in a second.
    per_second: i64,
    /// Messages that were too large, by kind.
    pub(super) too_large: u64,
    /// Messages that were no trace messages, or ends of calls whose beginning was not seen.
    pub(super) unread: u64,
}

/// How deep a return value is sketched: a tagged tuple and what is in it.
const DEPTH: usize = 2;

impl Calls {
    pub(super) fn new(values: bool, per_second: i64) -> Self {
        Self {
            values,
            begun: Vec::new(),
            kept: Vec::new(),
            durations_us: Vec::new(),
            open: HashMap::new(),
            first_at: None,
            last_at: 0,
            per_second: per_second.max(1),
            too_large: 0,
            unread: 0,
        }
    }

    /// Reads one message; says whose flag it used up.
    pub(super) fn add(&mut self, message: &[u8]) -> Option<Pid> {
        let Ok(term) = Term::decode(message) else {
            self.unread += 1;
            return None;
        };
        let parts = term.as_tuple().unwrap_or_default();
        match parts {
            [large, _, Term::Pid(pid), kind] if large.is_atom("large") => {
                self.too_large += 1;
                // What it says is lost; that a call ended is not.
                if !kind.is_atom("call") {
                    self.ended(pid, None, None);
                }
                Some(pid.clone())
            }
            [ts, Term::Pid(pid), kind, mfa, rest @ .., Term::Int(at)] if ts.is_atom("trace_ts") => {
                let first = *self.first_at.get_or_insert(*at);
                self.last_at = self.last_at.max(*at);
                let at_us = self.us(at.saturating_sub(first));
                match kind.as_atom() {
                    Some("call") => self.began(pid, mfa, rest.first(), at_us),
                    Some("return_from") => {
                        let returned = rest.first().map(|it| self.seen(it, mfa));
                        self.ended(pid, returned.map(Outcome::Returned), Some(at_us));
                    }
                    Some("exception_from") => {
                        let raised = rest.first().and_then(|it| self.raised(it, mfa));
                        self.ended(pid, raised, Some(at_us));
                    }
                    _ => self.unread += 1,
                }
                Some(pid.clone())
            }
            _ => {
                self.unread += 1;
                None
            }
        }
    }

    /// How many began.
    pub(super) fn len(&self) -> usize {
        self.begun.len()
    }

    /// How many have ended.
    pub(super) fn len_ended(&self) -> usize {
        self.begun.iter().filter(|(_, it)| it.outcome.is_some()).count()
    }

    /// Ends of calls that are open now will not be heard of; of those that have ended only the
    /// slow ones are kept, and of the others how long they took.
    pub(super) fn cut(&mut self, slow_from_us: u64) {
        self.mark_open();
        self.open.clear();
        for (_, it) in &self.begun {
            if it.outcome != Some(Outcome::StillRunning) {
                self.durations_us.extend(it.duration_us);
            }
        }
        self.begun.retain(|(_, it)| it.duration_us.is_some_and(|it| it >= slow_from_us));
        // Otherwise these would be counted a second time.
        self.kept.append(&mut self.begun);
    }

    /// All of them, and how long those took that ended; those that have not are marked so, if ends
    /// were asked for.
    pub(super) fn finish(mut self, has_ends: bool) -> (Vec<(Pid, CallSample)>, Vec<u64>) {
        if has_ends {
            self.mark_open();
        }
        let ended = self.begun.iter().filter(|(_, it)| it.outcome != Some(Outcome::StillRunning));
        self.durations_us.extend(ended.filter_map(|(_, it)| it.duration_us));
        self.kept.append(&mut self.begun);
        (self.kept, self.durations_us)
    }

    fn mark_open(&mut self) {
        let last_us = self.us(self.last_at.saturating_sub(self.first_at.unwrap_or(0)));
        for (_, it) in &mut self.begun {
            if it.outcome.is_none() {
                it.outcome = Some(Outcome::StillRunning);
                it.duration_us = Some(last_us.saturating_sub(it.at_us));
            }
        }
    }

    fn began(&mut self, pid: &Pid, mfa: &Term<'_>, told: Option<&Term<'_>>, at_us: u64) {
        let Some(function) = look::as_mfa(mfa) else {
            self.unread += 1;
            return;
        };
        // `{Arguments, Caller}`, as the match specification asks.
        let told = told.and_then(Term::as_tuple).unwrap_or_default();
        let arguments = told.first().and_then(Term::as_list).filter(|_| function.arity > 0);
        let writing = writing(&function);
        let arguments =
            arguments.map(|it| it.iter().map(|it| self.argument(it, writing)).collect::<Vec<_>>());
        let call = CallSample {
            function,
            pid: giulia_model::Pid(pid.local()),
            process: None,
            at_us,
            arguments,
            returns_to: told.get(1).and_then(look::as_mfa),
            outcome: None,
            duration_us: None,
        };
        self.open.entry(pid.clone()).or_default().push(self.begun.len());
        self.begun.push((pid.clone(), call));
    }

    fn ended(&mut self, pid: &Pid, outcome: Option<Outcome>, at_us: Option<u64>) {
        let place = self.open.get_mut(pid).and_then(Vec::pop);
        let Some((_, call)) = place.and_then(|it| self.begun.get_mut(it)) else {
            self.unread += 1;
            return;
        };
        call.outcome = outcome;
        call.duration_us = at_us.map(|it| it.saturating_sub(call.at_us));
    }

    fn argument(&self, told: &Term<'_>, writing: Writing) -> Seen {
        if self.values {
            return sketch::value(told, writing);
        }
        Sketch::read(told).unwrap_or(Sketch::Other("term")).seen(writing)
    }

    fn seen(&self, it: &Term<'_>, mfa: &Term<'_>) -> Seen {
        let writing = look::as_mfa(mfa).map_or(Writing::Erlang, |it| writing(&it));
        if self.values { sketch::value(it, writing) } else { Sketch::of(it, DEPTH).seen(writing) }
    }

    /// `{Class, Reason}`.
    fn raised(&self, it: &Term<'_>, mfa: &Term<'_>) -> Option<Outcome> {
        let [class, reason] = it.as_tuple()? else { return None };
        let class = class.as_atom()?.to_owned();
        Some(Outcome::Raised { class, reason: self.seen(reason, mfa) })
    }

    fn us(&self, units: i64) -> u64 {
        let us = i128::from(units) * 1_000_000 / i128::from(self.per_second);
        u64::try_from(us).unwrap_or(0)
    }
}

/// Elixir's for functions of Elixir's modules.
fn writing(function: &Mfa) -> Writing {
    if function.module.starts_with("Elixir.") { Writing::Elixir } else { Writing::Erlang }
}
