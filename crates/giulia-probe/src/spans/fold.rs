//! Spans of one function, and what their time was spent on.
//!
//! Making a trace message takes as long as a read of a table, so the time between two events is
//! worth what remains after that: the median of all times after an event of that kind, as long as
//! it is not above what making one was measured to take ([`Kind::most_us`]). What remains below
//! that is not measured: it counts nothing as own code, and 0.1 us as a boundary, which is what the
//! cheapest of them takes without a trace.

use std::collections::{BTreeMap, HashMap};

use giulia_dist::term::Pid;
use giulia_model::Mfa;

use super::{
    event::{Digest, Event, What},
    thing::{Thing, Who},
    timeline::{Cause, Kind, Role, Segment, State, World},
};

/// One call of the function, from its entry to its end.
#[derive(Debug, Clone, PartialEq)]
pub struct Span {
    /// In whose process.
    pub pid: Pid,
    /// Who called it, as far as the stack says.
    pub caller: Option<Mfa>,
    /// When, by the node's clock, in microseconds.
    pub began_us: u64,
    /// How it ended.
    pub end: End,
    /// The arguments.
    pub key: Digest,
    /// The value, or what was raised.
    pub result: Digest,
    /// From entry to end, waiting for a scheduler included, in microseconds; tracing's own time
    /// taken out as far as it is known.
    pub elapsed_us: f64,
    /// It could run and waited for a scheduler, in microseconds.
    pub runnable_us: f64,
    /// Whether it waited for anything.
    pub waited: bool,
    /// What its time was spent on, waiting for a scheduler left out.
    pub parts: Vec<Part>,
}

/// How a span ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// It returned.
    Returned,
    /// It raised.
    Raised,
    /// Its process ended in it.
    Exited,
    /// The sample ended before it did.
    Cut,
}

/// Time that was spent on one thing.
#[derive(Debug, Clone, PartialEq)]
pub struct Part {
    /// On what.
    pub thing: Thing,
    /// Through which processes.
    pub via: Vec<Thing>,
    /// For how long, in microseconds.
    pub us: f64,
}

/// From one call of the function to the next by the same process, as it was seen: the time that
/// tracing took is part of it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Cycle {
    /// From entry to entry, in microseconds.
    pub elapsed_us: u64,
    /// Of that, inside of the call.
    pub called_us: u64,
    /// Of that, waiting outside of the call for something that is no answer of a process of this
    /// node: a socket, a clock, a message of which the sample does not say whose it is.
    pub waited_us: u64,
}

/// What a boundary takes that is too short to be measured, in microseconds: an `ets:lookup` of a
/// small row took 0.1 to 0.2 on OTP 25, 27 and 29.
const BOUNDARY_MIN_US: f64 = 0.1;

/// How often a call is followed into the process that serves it.
const HOPS_MAX: usize = 3;

impl Kind {
    /// What making an event of this kind takes at most, in microseconds. Measured on two shared
    /// cores with OTP 25, 27 and 29: the first quartile of 1,000 each was 4 for an entry (flags
    /// are set there), 1 for calls and returns, 2 for the others.
    fn most_us(self) -> f64 {
        match self {
            Self::Entry => 6.0,
            Self::Call | Self::Return => 2.0,
            Self::Send | Self::Received | Self::Scheduled | Self::Other => 3.0,
        }
    }
}

/// All spans of one sample.
pub fn spans(messages: &[Vec<u8>], function: &Mfa, names: &BTreeMap<String, Pid>) -> Vec<Span> {
    let read = |it: &Vec<u8>| Event::read(it, function).ok().flatten();
    let world = World::new(messages.iter().filter_map(read).collect(), names.clone());
    let mut found = Vec::new();
    for events in world.timelines() {
        found.extend(raw(events, &world));
    }
    let costs = costs(&found);
    let fold = Fold { world: &world, costs, timelines: HashMap::new() };
    fold.all(found)
}

/// What callers do between their calls: whole cycles of the sample.
pub fn cycles(messages: &[Vec<u8>], function: &Mfa, names: &BTreeMap<String, Pid>) -> Vec<Cycle> {
    let read = |it: &Vec<u8>| Event::read(it, function).ok().flatten();
    let world = World::new(messages.iter().filter_map(read).collect(), names.clone());
    let mut found = Vec::new();
    for events in world.timelines() {
        let mut entered: Option<(usize, usize)> = None;
        let mut idx = 0;
        while let Some(event) = events.get(idx) {
            if !matches!(event.what, What::Entry { .. }) {
                idx += 1;
                continue;
            }
            if let Some((from, left)) = entered {
                found.extend(cycle(events, &world, (from, left, idx)));
            }
            let (len, _, _) = extent(events.get(idx..).unwrap_or_default());
            entered = Some((idx, idx + len.max(1) - 1));
            idx += len.max(1);
        }
    }
    found
}

/// From the entry at `from` over the end of the call at `left` to the next entry.
fn cycle(
    events: &[Event],
    world: &World,
    (from, left, next): (usize, usize, usize),
) -> Option<Cycle> {
    let at = |idx: usize| events.get(idx).map(|it| it.at_us);
    let (began, ended, again) = (at(from)?, at(left)?, at(next)?);
    let outside = |it: &Segment| match &it.state {
        State::Waits(Cause::Thing(thing)) | State::Boundary { thing, waits: true } => {
            thing.process().is_none() && !matches!(thing, Thing::File(_) | Thing::DiskTable(_))
        }
        State::Waits(Cause::Unknown) => true,
        State::Own
        | State::Runnable
        | State::Waits(Cause::Child(_))
        | State::Boundary { waits: false, .. } => false,
    };
    let between = world.segments(events.get(left..=next)?, Role::Calls);
    let waited = between.iter().filter(|it| outside(it)).map(|it| it.to_us - it.from_us);
    Some(Cycle {
        elapsed_us: again.saturating_sub(began),
        called_us: ended.saturating_sub(began),
        waited_us: waited.sum(),
    })
}

/// A span before its segments are told apart.
struct Raw {
    span: Span,
    segments: Vec<Segment>,
}

/// The outermost calls of the function in one process.
fn raw(events: &[Event], world: &World) -> Vec<Raw> {
    let mut found = Vec::new();
    let mut idx = 0;
    while let Some(event) = events.get(idx) {
        let What::Entry { caller, key } = &event.what else {
            idx += 1;
            continue;
        };
        let rest = events.get(idx..).unwrap_or_default();
        let (len, end, result) = extent(rest);
        let its = rest.get(..len).unwrap_or(rest);
        let span = Span {
            pid: event.pid.clone(),
            caller: caller.clone(),
            began_us: event.at_us,
            end,
            key: *key,
            result,
            elapsed_us: 0.0,
            runnable_us: 0.0,
            waited: false,
            parts: Vec::new(),
        };
        found.push(Raw { span, segments: world.segments(its, Role::Calls) });
        idx += len.max(1);
    }
    found
}

/// How many events belong to the call that the first of them enters, and how it ends.
fn extent(events: &[Event]) -> (usize, End, Digest) {
    let mut depth = 0_usize;
    // Boundaries inside: what returns a large value does not say which function it is.
    let mut open: Vec<&Mfa> = Vec::new();
    for (idx, event) in events.iter().enumerate() {
        match &event.what {
            What::Entry { .. } => depth += 1,
            What::Left { raised, result } => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    let end = if *raised { End::Raised } else { End::Returned };
                    return (idx + 1, end, *result);
                }
            }
            What::Call { mfa, .. } => open.push(mfa),
            What::Return { mfa } => {
                if let Some(at) = open.iter().rposition(|it| *it == mfa) {
                    open.truncate(at);
                }
            }
            What::ReturnLarge { result } if open.is_empty() => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return (idx + 1, End::Returned, *result);
                }
            }
            What::ReturnLarge { .. } => drop(open.pop()),
            What::Exit => return (idx + 1, End::Exited, Digest::default()),
            What::Send { .. }
            | What::Received { .. }
            | What::In
            | What::Out
            | What::Spawn(_)
            | What::Spawned(_)
            | What::Other => {}
        }
    }
    (events.len(), End::Cut, Digest::default())
}

/// What making an event of each kind takes, by the times after them.
fn costs(found: &[Raw]) -> HashMap<Kind, f64> {
    let mut times: HashMap<Kind, Vec<u64>> = HashMap::new();
    for segment in found.iter().flat_map(|it| &it.segments) {
        let runs = matches!(segment.state, State::Own | State::Boundary { waits: false, .. });
        if runs {
            times.entry(segment.after).or_default().push(segment.to_us - segment.from_us);
        }
    }
    let median = |mut times: Vec<u64>| {
        times.sort_unstable();
        times.get(times.len() / 2).copied().unwrap_or(0)
    };
    times.into_iter().map(|(kind, it)| (kind, float(median(it)).min(kind.most_us()))).collect()
}

/// What was found on the way through serving processes, and the way.
#[derive(Default)]
struct Trail {
    via: Vec<Thing>,
    parts: Vec<Part>,
}

struct Fold<'w> {
    world: &'w World,
    costs: HashMap<Kind, f64>,
    timelines: HashMap<Pid, Vec<Segment>>,
}

impl Fold<'_> {
    fn all(mut self, found: Vec<Raw>) -> Vec<Span> {
        let mut spans: Vec<Span> = found.into_iter().map(|it| self.one(it)).collect();
        spans.sort_by_key(|it| it.began_us);
        spans
    }

    fn one(&mut self, Raw { mut span, segments }: Raw) -> Span {
        for segment in &segments {
            let whole_us = float(segment.to_us - segment.from_us);
            span.waited |=
                matches!(segment.state, State::Waits(_) | State::Boundary { waits: true, .. });
            match &segment.state {
                State::Runnable => {
                    span.runnable_us += whole_us;
                    span.elapsed_us += whole_us;
                }
                State::Own => {
                    let us = self.corrected(segment, 0.0);
                    span.add(Part { thing: Thing::Own, via: Vec::new(), us });
                }
                State::Boundary { thing, waits } => {
                    let us = match waits {
                        true => whole_us,
                        false => self.corrected(segment, BOUNDARY_MIN_US),
                    };
                    self.follow(thing, segment, us, &mut span);
                }
                State::Waits(Cause::Unknown) => {
                    span.add(Part { thing: Thing::Unknown, via: Vec::new(), us: whole_us });
                }
                State::Waits(Cause::Thing(thing)) => {
                    self.follow(thing, segment, whole_us, &mut span);
                }
                State::Waits(Cause::Child(pid)) => {
                    let mut trail = Trail::default();
                    self.inside(pid, &Thing::Child, segment, &mut trail);
                    span.add_scaled(trail.parts, whole_us);
                }
            }
        }
        span
    }

    /// What running took without the making of the event before it.
    fn corrected(&self, segment: &Segment, least: f64) -> f64 {
        let whole = float(segment.to_us - segment.from_us);
        let cost = self.costs.get(&segment.after).copied().unwrap_or(0.0);
        if whole <= 2.0 * cost { least } else { (whole - cost).max(least) }
    }

    /// A thing, or what the process behind it spent the same time on.
    fn follow(&mut self, thing: &Thing, segment: &Segment, us: f64, span: &mut Span) {
        let pid = thing.process().and_then(|it| self.world.pid(it));
        let mut trail = Trail::default();
        match pid {
            Some(pid) => self.inside(&pid, thing, segment, &mut trail),
            None => trail.add(thing, us),
        }
        span.add_scaled(trail.parts, us);
    }

    /// What a process did in the time of a segment of another.
    fn inside(&mut self, pid: &Pid, thing: &Thing, window: &Segment, trail: &mut Trail) {
        let its = self.timeline(pid);
        let mut covered = 0;
        for segment in &its {
            let from_us = segment.from_us.max(window.from_us);
            let to_us = segment.to_us.min(window.to_us);
            if to_us <= from_us {
                continue;
            }
            covered += to_us - from_us;
            let clipped = Segment { from_us, to_us, ..segment.clone() };
            let us = float(to_us - from_us);
            match next(&segment.state) {
                Some(Next::Thing(ground)) if ground.is_ground() => {
                    trail.via.push(thing.clone());
                    trail.add(ground, us);
                    trail.via.pop();
                }
                Some(it) if trail.via.len() + 1 < HOPS_MAX => {
                    let (pid, next) = match it {
                        Next::Thing(next) => {
                            (next.process().and_then(|it| self.world.pid(it)), next)
                        }
                        Next::Child(pid) => (Some(pid.clone()), &Thing::Child),
                    };
                    match pid.filter(|it| next != thing && self.world.knows(it)) {
                        Some(pid) => {
                            trail.via.push(thing.clone());
                            self.inside(&pid, next, &clipped, trail);
                            trail.via.pop();
                        }
                        None => trail.add(thing, us),
                    }
                }
                _ => trail.add(thing, us),
            }
        }
        let rest = (window.to_us - window.from_us).saturating_sub(covered);
        if rest > 0 || covered == 0 {
            trail.add(thing, float(rest));
        }
    }

    fn timeline(&mut self, pid: &Pid) -> Vec<Segment> {
        if let Some(known) = self.timelines.get(pid) {
            return known.clone();
        }
        let events = self.world.events(pid);
        let segments = self.world.segments(events, Role::Serves);
        self.timelines.insert(pid.clone(), segments.clone());
        segments
    }
}

impl Trail {
    fn add(&mut self, thing: &Thing, us: f64) {
        self.parts.push(Part { thing: thing.clone(), via: self.via.clone(), us });
    }
}

enum Next<'s> {
    Thing(&'s Thing),
    Child(&'s Pid),
}

/// What a serving process itself is waiting for or inside of.
fn next(state: &State) -> Option<Next<'_>> {
    match state {
        State::Boundary { thing, .. } | State::Waits(Cause::Thing(thing)) => {
            Some(Next::Thing(thing))
        }
        State::Waits(Cause::Child(pid)) => Some(Next::Child(pid)),
        State::Own | State::Runnable | State::Waits(Cause::Unknown) => None,
    }
}

impl Span {
    fn add(&mut self, part: Part) {
        self.elapsed_us += part.us;
        let same = |it: &&mut Part| it.thing == part.thing && it.via == part.via;
        match self.parts.iter_mut().find(same) {
            Some(known) => known.us += part.us,
            None => self.parts.push(part),
        }
    }

    /// Parts that make up so many microseconds together.
    fn add_scaled(&mut self, parts: Vec<Part>, us: f64) {
        let whole: f64 = parts.iter().map(|it| it.us).sum();
        let count = float(u64::try_from(parts.len()).unwrap_or(1));
        for part in parts {
            let share = if whole > 0.0 { part.us / whole } else { 1.0 / count };
            self.add(Part { us: us * share, ..part });
        }
    }

    /// The receiver processes that time was spent on.
    pub fn waits_for(&self) -> impl Iterator<Item = (&Who, f64)> {
        self.parts.iter().filter_map(|it| Some((it.thing.process()?, it.us)))
    }
}

#[expect(clippy::cast_precision_loss, reason = "microseconds of a sample are far below 2^52")]
fn float(us: u64) -> f64 {
    us as f64
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use giulia_dist::term::Reader;

    use super::*;

    fn recorded_messages(file: &str) -> Vec<Vec<u8>> {
        let bytes = std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap();
        let mut messages = Vec::new();
        let mut reader = Reader::new(&bytes[1..]);
        let read = reader.each(|it| {
            messages.push(it.raw()?.to_vec());
            Ok(())
        });
        read.unwrap();
        messages
    }

    /// The first 80 messages about `kit_rests:FUNCTION/1`, recorded from a real node.
    fn recorded(otp: u32, function: &str) -> Vec<Span> {
        let file = format!("../../fixtures/otp-{otp}/spans/{function}.etf");
        let messages = recorded_messages(&file);
        let mfa = Mfa::new("kit_rests", function, 1);
        let mut found = spans(&messages, &mfa, &BTreeMap::new());
        found.retain(|it| it.end != End::Cut);
        assert!(found.len() >= 2, "{function} on {otp}: {} spans", found.len());
        found
    }

    /// Shares of the time of all spans, by what `kind` says of a thing.
    fn shares(
        found: &[Span],
        kind: impl Fn(&Thing) -> &'static str,
    ) -> BTreeMap<&'static str, f64> {
        let mut times = BTreeMap::new();
        for part in found.iter().flat_map(|it| &it.parts) {
            *times.entry(kind(&part.thing)).or_insert(0.0) += part.us;
        }
        let all: f64 = times.values().sum();
        times.into_iter().map(|(kind, us)| (kind, us / all)).collect()
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "the rest is nobody's truth here")]
    fn kind(thing: &Thing) -> &'static str {
        match thing {
            Thing::Own => "own",
            Thing::Table(_) => "table",
            Thing::PersistentTerm(_) => "persistent_term",
            Thing::Process(Who::Remote(..)) => "remote",
            Thing::Process(_) => "process",
            Thing::Child => "child",
            Thing::Socket(_) => "socket",
            Thing::Tls(_) => "tls",
            Thing::Timer => "timer",
            _ => "other",
        }
    }

    #[test]
    fn recorded_calls_rest_on_what_they_were_written_to_rest_on() {
        for otp in [25, 27, 29] {
            for (function, truth) in [
                ("server_t", "process"),
                ("active", "socket"),
                ("tls", "tls"),
                ("driver", "process"),
                ("pool", "process"),
                ("bang_t", "process"),
                ("remote", "remote"),
                ("task", "child"),
                ("nothing", "own"),
                ("sleeping_t", "timer"),
            ] {
                let shares = shares(&recorded(otp, function), kind);
                assert!(shares.get(truth) > Some(&0.95), "{function} on {otp}: {shares:?}");
            }
        }
    }

    #[test]
    fn calls_of_a_table_show_it_and_no_one_else() {
        for otp in [25, 27, 29] {
            for (function, truth) in
                [("raising", "table"), ("nested", "table"), ("persistent", "persistent_term")]
            {
                let shares = shares(&recorded(otp, function), kind);
                assert!(shares.contains_key(truth), "{function} on {otp}: {shares:?}");
                let others = shares.keys().filter(|it| **it != truth && **it != "own");
                assert_eq!(others.count(), 0, "{function} on {otp}: {shares:?}");
            }
        }
    }

    #[test]
    fn mixes_have_their_shares() {
        for otp in [25, 27, 29] {
            let halves = shares(&recorded(otp, "halves"), kind);
            assert!((0.35..0.65).contains(&halves["socket"]), "{otp}: {halves:?}");
            assert!((0.35..0.65).contains(&halves["process"]), "{otp}: {halves:?}");
        }
    }

    #[test]
    fn raised_calls_end_and_keep_what_they_did() {
        for otp in [25, 27, 29] {
            let found = recorded(otp, "raising");
            let raised = found.iter().filter(|it| it.end == End::Raised).count();
            assert!(raised > 0 && raised < found.len(), "{raised} of {} on {otp}", found.len());
        }
    }

    #[test]
    fn callers_that_sleep_between_two_calls_wait_for_a_clock() {
        // The callers of these samples call, sleep, and call again.
        for otp in [25, 27, 29] {
            let file = format!("../../fixtures/otp-{otp}/spans/server_t.etf");
            let mfa = Mfa::new("kit_rests", "server_t", 1);
            let found = cycles(&recorded_messages(&file), &mfa, &BTreeMap::new());
            assert!(!found.is_empty(), "{otp}");
            for it in &found {
                assert!(it.called_us + it.waited_us <= it.elapsed_us, "{otp}: {it:?}");
            }
            let sum = |of: fn(&Cycle) -> u64| float(found.iter().map(of).sum());
            let waited = sum(|it| it.waited_us) / sum(|it| it.elapsed_us);
            assert!((0.8..0.99).contains(&waited), "{otp}: {found:?}");
        }
    }

    #[test]
    fn a_sample_cut_anywhere_is_read_without_a_panic_or_negative_time() {
        let messages = recorded_messages("../../fixtures/otp-27/spans/driver.etf");
        let mfa = Mfa::new("kit_rests", "driver", 1);
        for from in 0..messages.len() {
            for to in from..messages.len() {
                for span in spans(&messages[from..to], &mfa, &BTreeMap::new()) {
                    assert!(span.elapsed_us >= 0.0 && span.parts.iter().all(|it| it.us >= 0.0));
                }
            }
        }
    }
}
