//! What the VM told of one process, folded into kinds of messages, service times and a busy share.
//!
//! Pure: trace messages in, figures out. Of one process they come in the order in which things
//! happened (OTP: "trace messages from one tracee to one tracer arrive in the order of the trace
//! events"), so one pass with a little state is enough.

use std::collections::BTreeMap;

use giulia_dist::term::Term;
use giulia_model::{Busy, BusySource, MeasuredSize, MessageKind, ServiceTime};

use super::kinds::{self, Look};

/// Kinds that are listed; a process that takes more makes tags of data.
const KINDS_MAX: usize = 50;
/// Kinds that are told apart at all, so that tags made of data cannot fill our memory.
const KINDS_TOLD_APART: usize = 1000;

/// Modules whose loops call callbacks: coming back to one of them ends what was being handled.
const LOOPS: [&str; 3] = ["gen_server", "gen_statem", "gen_event"];
/// Functions of theirs that call themselves from inside, once for each handler.
const RECURSIVE: [&str; 2] = ["server_notify", "server_call"];
/// Where a server waits for its next message.
const IDLE: [&str; 5] = ["loop", "fetch_msg", "loop_hibernate", "loop_receive", "hibernate"];

/// Figures under construction, over any number of samples.
#[derive(Debug)]
pub(super) struct Fold {
    sees: Sees,
    kinds: BTreeMap<(String, String), Kind>,
    beyond: u64,
    messages: u64,
    busy_ns: i64,
    waiting_ns: i64,
    seen_ns: i64,
    samples: u64,
    services_ns: Vec<i64>,
    /// Messages of which nothing could be told.
    unread: u64,
}

/// What trace messages there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Sees {
    /// When the process runs and when not.
    pub(super) running: bool,
    /// Messages as it takes them, and no callbacks.
    pub(super) received: bool,
}

#[derive(Debug, Default)]
struct Kind {
    count: u64,
    sizes: BTreeMap<MeasuredSize, Vec<u64>>,
    services_ns: Vec<i64>,
}

/// One sample: from when to when, and what came.
#[derive(Debug)]
pub(super) struct Sample<'a> {
    /// When everything was switched on, by the node's monotonic clock in nanoseconds.
    pub(super) from_ns: i64,
    /// When it was still on; absent when the sample was full before, and ends with its last message.
    pub(super) until_ns: Option<i64>,
    /// Trace messages without a version byte.
    pub(super) messages: &'a [Vec<u8>],
}

/// Where a process stands between two trace messages.
#[derive(Debug, Default, Clone)]
pub(super) struct Standing {
    at_ns: Option<i64>,
    on_scheduler: Option<bool>,
    /// Since when it handles a message, and of which kind; the kind is absent when that is no
    /// message, or began before we looked.
    handling: Option<(i64, Option<(String, String)>)>,
    depth: u32,
}

/// One trace message.
#[derive(Debug)]
enum Event {
    Called { depth_only: bool, kind: Option<(String, Look)> },
    Returned { to_loop: bool },
    In,
    Out { idle: bool },
    Received(Look),
    Large(u64),
    Unread,
}

impl Fold {
    pub(super) fn new(sees: Sees) -> Self {
        Self {
            sees,
            kinds: BTreeMap::new(),
            beyond: 0,
            messages: 0,
            busy_ns: 0,
            waiting_ns: 0,
            seen_ns: 0,
            samples: 0,
            services_ns: Vec::new(),
            unread: 0,
        }
    }

    /// Begins a sample, of which the messages may come in parts.
    pub(super) fn begin(&mut self) -> Standing {
        self.samples += 1;
        Standing::default()
    }

    /// Adds a part of a sample.
    pub(super) fn add(&mut self, sample: &Sample<'_>, standing: &mut Standing) {
        if standing.at_ns.is_none() {
            standing.at_ns = Some(sample.from_ns);
        }
        for bytes in sample.messages {
            let (at_ns, event) = read(bytes);
            self.step(at_ns, event, standing);
        }
        if let Some(until_ns) = sample.until_ns {
            self.pass(until_ns, standing);
        }
    }

    fn step(&mut self, at_ns: Option<i64>, event: Event, standing: &mut Standing) {
        if let Some(at_ns) = at_ns {
            self.began_before(&event, at_ns, standing);
            self.pass(at_ns, standing);
        }
        let now = at_ns.or(standing.at_ns).unwrap_or_default();
        match event {
            Event::Called { depth_only, kind } => self.called(now, depth_only, kind, standing),
            Event::Returned { to_loop } => {
                standing.depth = standing.depth.saturating_sub(1);
                if to_loop || standing.depth == 0 {
                    self.handled(now, standing);
                }
            }
            Event::In => standing.on_scheduler = Some(true),
            Event::Out { idle } => {
                standing.on_scheduler = Some(false);
                // An exception that the loop caught told of no return.
                if idle {
                    self.handled(now, standing);
                }
            }
            Event::Received(look) => {
                self.count("message", look);
            }
            Event::Large(bytes) => {
                let size = Some((MeasuredSize::EncodedBytes, bytes));
                self.count("message", Look { shape: "too large to look at".to_owned(), size });
            }
            Event::Unread => self.unread += 1,
        }
    }

    /// What the first event says of the time before it.
    fn began_before(&self, event: &Event, at_ns: i64, standing: &mut Standing) {
        let from = standing.at_ns.unwrap_or(at_ns).min(at_ns);
        match event {
            Event::Out { idle } if standing.on_scheduler.is_none() => {
                standing.on_scheduler = Some(true);
                if !idle && !self.sees.received && standing.handling.is_none() {
                    // It was handling something when we began to look.
                    standing.handling = Some((from, None));
                    standing.depth = 1;
                }
            }
            Event::Returned { .. } if standing.handling.is_none() && standing.depth == 0 => {
                self.was_on(standing);
                standing.handling = Some((from, None));
                standing.depth = 1;
            }
            Event::Called { .. } => self.was_on(standing),
            Event::In if standing.on_scheduler.is_none() => standing.on_scheduler = Some(false),
            Event::In
            | Event::Out { .. }
            | Event::Returned { .. }
            | Event::Received(_)
            | Event::Large(_)
            | Event::Unread => {}
        }
    }

    fn was_on(&self, standing: &mut Standing) {
        if self.sees.running && standing.on_scheduler.is_none() {
            standing.on_scheduler = Some(true);
        }
    }

    /// Time passes.
    fn pass(&mut self, to_ns: i64, standing: &mut Standing) {
        let from = standing.at_ns.unwrap_or(to_ns);
        // The clock is read by the scheduler of the moment: a little behind is possible.
        let passed = to_ns.saturating_sub(from).max(0);
        standing.at_ns = Some(from.max(to_ns));
        self.seen_ns += passed;
        let is_on = standing.on_scheduler == Some(true);
        let is_handling = standing.handling.is_some();
        if is_on || is_handling {
            self.busy_ns += passed;
        }
        if is_handling && standing.on_scheduler == Some(false) {
            self.waiting_ns += passed;
        }
    }

    fn called(
        &mut self,
        now: i64,
        depth_only: bool,
        kind: Option<(String, Look)>,
        standing: &mut Standing,
    ) {
        standing.depth = standing.depth.saturating_add(1);
        if standing.handling.is_some() {
            // A callback that calls another one, or itself for the next handler.
            return;
        }
        let key = match kind {
            Some((via, look)) if !depth_only => self.count(&via, look),
            Some(_) => None,
            None => {
                self.unread += 1;
                None
            }
        };
        standing.handling = Some((now, key));
    }

    fn handled(&mut self, now: i64, standing: &mut Standing) {
        standing.depth = 0;
        let Some((from, key)) = standing.handling.take() else { return };
        let Some(key) = key else { return };
        let took = now.saturating_sub(from).max(0);
        self.services_ns.push(took);
        if let Some(kind) = self.kinds.get_mut(&key) {
            kind.services_ns.push(took);
        }
    }

    fn count(&mut self, via: &str, look: Look) -> Option<(String, String)> {
        self.messages += 1;
        let key = (via.to_owned(), look.shape);
        if self.kinds.len() >= KINDS_TOLD_APART && !self.kinds.contains_key(&key) {
            self.beyond += 1;
            return None;
        }
        let kind = self.kinds.entry(key.clone()).or_default();
        kind.count += 1;
        if let Some((of, size)) = look.size {
            kind.sizes.entry(of).or_default().push(size);
        }
        Some(key)
    }

    /// Messages so far.
    pub(super) fn messages(&self) -> u64 {
        self.messages
    }

    /// Looks that something came of.
    pub(super) fn samples(&self) -> u64 {
        if self.seen_ns > 0 { self.samples } else { 0 }
    }

    pub(super) fn unread(&self) -> u64 {
        self.unread
    }

    /// For how long the process was seen, in milliseconds.
    pub(super) fn seen_ms(&self) -> f64 {
        ms(self.seen_ns)
    }

    /// Messages per second of the time seen; absent below a millisecond, where it means nothing.
    pub(super) fn per_second(&self, count: u64) -> Option<f64> {
        let seconds = self.seen_ms() / 1000.0;
        (seconds >= 0.001).then(|| float(count) / seconds)
    }

    pub(super) fn service(&self) -> Option<ServiceTime> {
        service(self.services_ns.clone())
    }

    pub(super) fn busy(&self) -> Option<Busy> {
        let seen = self.seen_ms();
        if seen <= 0.0 {
            return None;
        }
        let source = match (self.sees.running, self.sees.received) {
            (true, false) => BusySource::RunningOrInCallback,
            (false, false) => BusySource::InCallback,
            (true, true) => BusySource::Running,
            (false, true) => return None,
        };
        let share = |ns| (ms(ns) / seen).clamp(0.0, 1.0);
        let waits = source == BusySource::RunningOrInCallback;
        let waiting_share = waits.then(|| share(self.waiting_ns));
        Some(Busy { share: share(self.busy_ns), waiting_share, source })
    }

    /// The kinds, the most frequent first, and how many messages are of kinds not listed.
    pub(super) fn kinds(&self) -> (Vec<MessageKind>, u64) {
        let mut kinds: Vec<MessageKind> = self
            .kinds
            .iter()
            .map(|((via, shape), kind)| MessageKind {
                via: via.clone(),
                shape: shape.clone(),
                count: kind.count,
                share: float(kind.count) / float(self.messages.max(1)),
                per_second: self.per_second(kind.count),
                size: sizes(kind),
                service: service(kind.services_ns.clone()),
            })
            .collect();
        kinds.sort_by_key(|it| std::cmp::Reverse(it.count));
        let rest = kinds.get(KINDS_MAX..).unwrap_or_default();
        let others = self.beyond + rest.iter().map(|it| it.count).sum::<u64>();
        kinds.truncate(KINDS_MAX);
        (kinds, others)
    }
}

/// Sizes of messages of one kind, of what most of them were measured by.
fn sizes(kind: &Kind) -> Option<giulia_model::MessageSize> {
    let (of, sizes) = kind.sizes.iter().max_by_key(|(_, it)| it.len())?;
    kinds::size(*of, sizes.clone())
}

fn service(mut took_ns: Vec<i64>) -> Option<ServiceTime> {
    took_ns.sort_unstable();
    let last = took_ns.len().checked_sub(1)?;
    let at = |share: usize| took_ns.get(last * share / 100).map_or(0.0, |it| us(*it));
    let sum: i64 = took_ns.iter().sum();
    let count = u64::try_from(took_ns.len()).unwrap_or(u64::MAX);
    let mean_us = us(sum) / float(count);
    Some(ServiceTime { count, mean_us, p50_us: at(50), p99_us: at(99), max_us: at(100) })
}

/// Whether the sink kept the size alone, which still counts as a message seen.
pub(super) fn is_large(bytes: &[u8]) -> bool {
    matches!(read(bytes), (_, Event::Large(_)))
}

/// A trace message, and when it was.
fn read(bytes: &[u8]) -> (Option<i64>, Event) {
    let Ok(term) = Term::decode(bytes) else { return (None, Event::Unread) };
    let Some(parts) = term.as_tuple() else { return (None, Event::Unread) };
    match parts {
        // Of one that was too large the sink keeps this.
        [large, size, _, kind] if large.is_atom("large") => {
            let size = size.as_int().and_then(|it| u64::try_from(it).ok()).unwrap_or_default();
            let event = if kind.is_atom("receive") { Event::Large(size) } else { Event::Unread };
            (None, event)
        }
        [_, _, kind, rest @ .., at] => {
            let event = kind.as_atom().and_then(|kind| event(kind, rest, bytes.len()));
            (at.as_int(), event.unwrap_or(Event::Unread))
        }
        _ => (None, Event::Unread),
    }
}

fn event(kind: &str, rest: &[Term<'_>], bytes: usize) -> Option<Event> {
    let place = rest.first().and_then(Term::as_tuple);
    let module = place.and_then(|it| it.first()).and_then(Term::as_atom).unwrap_or_default();
    let function = place.and_then(|it| it.get(1)).and_then(Term::as_atom).unwrap_or_default();
    let in_loop = LOOPS.contains(&module);
    Some(match kind {
        "call" => {
            let kind = rest.get(1).and_then(kinds::told);
            let depth_only =
                matches!(&kind, Some((via, _)) if ["enter", "internal"].contains(&via.as_str()));
            Event::Called { depth_only, kind }
        }
        "return_to" => Event::Returned { to_loop: in_loop && !RECURSIVE.contains(&function) },
        "in" | "in_exiting" => Event::In,
        "out" | "out_exiting" | "out_exited" => {
            let hibernates = (module, function) == ("erlang", "hibernate");
            Event::Out { idle: hibernates || (in_loop && IDLE.contains(&function)) }
        }
        "receive" => Event::Received(kinds::of_message(rest.first()?, bytes)),
        _ => return None,
    })
}

fn ms(ns: i64) -> f64 {
    signed(ns) / 1e6
}

fn us(ns: i64) -> f64 {
    signed(ns) / 1e3
}

#[expect(clippy::cast_precision_loss, reason = "a window is far below 2^53 ns")]
fn signed(number: i64) -> f64 {
    number as f64
}

#[expect(clippy::cast_precision_loss, reason = "a sample is far below 2^53 messages")]
pub(super) fn float(number: u64) -> f64 {
    number as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOOP: (&str, &str) = ("gen_server", "loop");
    const DISPATCH: (&str, &str) = ("gen_server", "try_handle_call");
    const MODULE: (&str, &str) = ("shop", "handle_call");

    fn message(kind: &str, rest: Vec<Term<'static>>, at_us: i64) -> Vec<u8> {
        let head = ["trace_ts", "pid", kind].map(|it| Term::atom(it.to_owned()));
        let all = head.into_iter().chain(rest).chain([Term::int(at_us * 1000)]);
        let mut bytes = Vec::new();
        Term::tuple(all).encode(&mut bytes).unwrap();
        bytes
    }

    fn place((module, function): (&'static str, &'static str)) -> Term<'static> {
        Term::tuple([Term::atom(module), Term::atom(function), Term::int(3)])
    }

    fn call(tag: &'static str, at_us: i64) -> Vec<u8> {
        via("call", tag, at_us)
    }

    fn via(via: &'static str, tag: &'static str, at_us: i64) -> Vec<u8> {
        let told = Term::tuple([Term::atom(via), Term::int(0), Term::atom(tag)]);
        message("call", vec![place(MODULE), told], at_us)
    }

    fn at(kind: &str, it: (&'static str, &'static str), at_us: i64) -> Vec<u8> {
        message(kind, vec![place(it)], at_us)
    }

    fn folded(running: bool, messages: &[Vec<u8>], until_us: i64) -> Fold {
        let mut fold = Fold::new(Sees { running, received: false });
        let mut standing = fold.begin();
        let sample = Sample { from_ns: 0, until_ns: Some(until_us * 1000), messages };
        fold.add(&sample, &mut standing);
        fold
    }

    #[test]
    fn service_and_busy_time_are_those_between_call_and_return() {
        let messages = [
            at("in", LOOP, 100),
            call("get", 110),
            at("return_to", DISPATCH, 160),
            at("out", LOOP, 200),
            at("in", LOOP, 500),
            call("put", 500),
            at("out", ("gen", "do_call"), 550),
            at("in", ("gen", "do_call"), 650),
            at("return_to", DISPATCH, 700),
            at("out", LOOP, 700),
        ];
        let fold = folded(true, &messages, 1000);
        let busy = fold.busy().unwrap();
        assert_eq!(busy.source, BusySource::RunningOrInCallback);
        assert!((busy.share - 0.3).abs() < 1e-9, "{busy:?}");
        assert!((busy.waiting_share.unwrap() - 0.1).abs() < 1e-9, "{busy:?}");
        let service = fold.service().unwrap();
        assert_eq!((service.count, service.p50_us, service.max_us), (2, 50.0, 200.0));
        assert!((service.mean_us - 125.0).abs() < 1e-9);
        let (kinds, others) = fold.kinds();
        assert_eq!((kinds.len(), others, fold.messages()), (2, 0, 2));
        // Without the running flag only callbacks are known.
        let calls: Vec<_> = messages
            .iter()
            .enumerate()
            .filter(|(idx, _)| [1, 2, 5, 8].contains(idx))
            .map(|(_, it)| it.clone())
            .collect();
        let busy = folded(false, &calls, 1000).busy().unwrap();
        assert_eq!((busy.source, busy.waiting_share), (BusySource::InCallback, None));
        assert!((busy.share - 0.25).abs() < 1e-9, "{busy:?}");
    }

    #[test]
    fn a_callback_inside_a_callback_is_no_message() {
        let messages = [
            call("outer", 10),
            call("inner", 20),
            at("return_to", MODULE, 30),
            at("return_to", DISPATCH, 40),
            // One that calls the next as its last thing returns once for both.
            call("first", 50),
            call("second", 60),
            at("return_to", DISPATCH, 70),
            call("third", 80),
            at("return_to", DISPATCH, 90),
        ];
        let fold = folded(false, &messages, 100);
        let (kinds, _) = fold.kinds();
        let mut shapes: Vec<_> = kinds.iter().map(|it| it.shape.as_str()).collect();
        shapes.sort_unstable();
        assert_eq!(shapes, ["first", "outer", "third"]);
        assert_eq!(fold.service().unwrap().count, 3);
    }

    #[test]
    fn handlers_of_one_event_are_one_message() {
        let notify = ("gen_event", "server_notify");
        let messages = [
            call("ev", 10),
            call("ev", 12),
            call("ev", 14),
            at("return_to", notify, 16),
            at("return_to", notify, 18),
            at("return_to", ("gen_event", "handle_msg"), 20),
            call("ev", 30),
            at("return_to", ("gen_event", "handle_msg"), 35),
        ];
        let fold = folded(false, &messages, 100);
        let service = fold.service().unwrap();
        assert_eq!((fold.messages(), service.count, service.max_us), (2, 2, 10.0));
    }

    #[test]
    fn what_began_before_the_sample_counts_as_busy_and_as_no_message() {
        let fold = folded(false, &[at("return_to", DISPATCH, 40)], 100);
        assert!((fold.busy().unwrap().share - 0.4).abs() < 1e-9);
        assert_eq!((fold.messages(), fold.service()), (0, None));
        let messages = [at("out", ("gen", "do_call"), 40), at("in", ("gen", "do_call"), 60)];
        let busy = folded(true, &messages, 100).busy().unwrap();
        assert!((busy.share - 1.0).abs() < 1e-9, "{busy:?}");
        assert!((busy.waiting_share.unwrap() - 0.2).abs() < 1e-9, "{busy:?}");
    }

    #[test]
    fn a_callback_that_ends_with_an_exception_ends_where_the_loop_waits() {
        let messages = [at("in", LOOP, 0), call("throws", 10), at("out", LOOP, 40)];
        let fold = folded(true, &messages, 100);
        assert!((fold.busy().unwrap().share - 0.4).abs() < 1e-9);
        assert_eq!(fold.service().unwrap().count, 1);
    }

    #[test]
    fn entering_a_state_is_work_and_no_message() {
        let messages = [via("enter", "s", 10), at("return_to", ("gen_statem", "loop"), 30)];
        let fold = folded(false, &messages, 100);
        assert_eq!((fold.messages(), fold.service()), (0, None));
        assert!((fold.busy().unwrap().share - 0.2).abs() < 1e-9);
    }

    #[test]
    fn a_full_sample_ends_with_its_last_message() {
        let mut fold = Fold::new(Sees { running: false, received: false });
        let mut standing = fold.begin();
        let messages = [call("a", 10), at("return_to", DISPATCH, 20)];
        let sample = Sample { from_ns: 0, until_ns: None, messages: &messages };
        fold.add(&sample, &mut standing);
        assert!((fold.seen_ms() - 0.02).abs() < 1e-9);
        assert_eq!(fold.per_second(1), None);
    }

    #[test]
    fn received_messages_are_told_by_shape_and_size_and_too_large_ones_are_counted() {
        let large =
            Term::tuple([Term::atom("large"), Term::int(70_000), Term::Nil, Term::atom("receive")]);
        let mut bytes = Vec::new();
        large.encode(&mut bytes).unwrap();
        let mut fold = Fold::new(Sees { running: true, received: true });
        let mut standing = fold.begin();
        let body = Term::tuple([Term::atom("job"), Term::int(1)]);
        let messages = [
            at("in", ("w", "loop"), 10),
            message("receive", vec![body], 11),
            bytes,
            at("out", ("w", "loop"), 60),
            vec![7, 7],
        ];
        let sample = Sample { from_ns: 0, until_ns: Some(100_000), messages: &messages };
        fold.add(&sample, &mut standing);
        let (kinds, _) = fold.kinds();
        let mut shapes: Vec<_> = kinds.iter().map(|it| it.shape.as_str()).collect();
        shapes.sort_unstable();
        assert_eq!(shapes, ["too large to look at", "{job, _}"]);
        assert_eq!((fold.messages(), fold.unread()), (2, 1));
        let busy = fold.busy().unwrap();
        assert_eq!(busy.source, BusySource::Running);
        assert!((busy.share - 0.5).abs() < 1e-9);
    }

    #[test]
    fn tags_made_of_data_do_not_fill_our_memory() {
        let mut fold = Fold::new(Sees { running: false, received: true });
        for idx in 0..2000 {
            fold.count("message", Look { shape: format!("tag{idx}"), size: None });
        }
        let (kinds, others) = fold.kinds();
        assert_eq!((kinds.len(), others, fold.messages()), (KINDS_MAX, 1950, 2000));
        assert!(fold.kinds.len() <= KINDS_TOLD_APART);
    }
}
