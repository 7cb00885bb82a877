//! From spans to what a function rests on: shares, latency, callers, stability, a verdict.

use std::collections::{BTreeMap, HashMap, HashSet};

use giulia_model::{
    Caller, CallsSeen, Cycles, ExplainVerdict, Latency, Mfa, RestsOn, RestsOnKind, Stability,
};
use giulia_probe::spans::{Cycle, End, Named, Part, Span, Thing};

/// What a sample says, names and all.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Conclusion {
    pub(super) verdict: ExplainVerdict,
    pub(super) why: Option<String>,
    pub(super) rests_on: Vec<RestsOn>,
    pub(super) explained: f64,
    pub(super) calls: CallsSeen,
    pub(super) latency: Option<Latency>,
    pub(super) callers: Vec<Caller>,
    pub(super) stability: Option<Stability>,
}

/// A thing with the processes before it, named.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Place {
    kind: RestsOnKind,
    name: String,
    via: Vec<String>,
}

/// Time by place, and time without one.
#[derive(Debug, Default)]
struct Spent {
    places: BTreeMap<Place, f64>,
    unknown_us: f64,
}

/// Below this share of explained time nothing is concluded; DESIGN 6.
const EXPLAINED_MIN: f64 = 0.8;

/// Fewer whole calls than this say nothing, unless fewer were asked for: with five that agree, a
/// thing that every second call rests on is missed once in 32.
const CALLS_MIN: u64 = 5;

/// Smaller shares are left out, of time as of calls.
const SHARE_MIN: f64 = 0.001;

/// Own code of a call that took less than this is not told from tracing, in microseconds: the sum
/// of what an entry, a call and a return may take under trace (`giulia_probe::spans`).
const RESOLUTION_US: f64 = 10.0;

/// Calls that never waited and took so many times the median of their like were interrupted by the
/// machine around the node, and say nothing of what they rest on.
const INTERRUPTED: f64 = 10.0;

/// Callers listed.
const CALLERS_MAX: usize = 20;

/// What the cycles of a sample add up to.
pub(super) fn cycles(all: &[Cycle]) -> Option<Cycles> {
    let sum = |of: fn(&Cycle) -> u64| all.iter().map(of).fold(0, u64::saturating_add);
    let elapsed_us = sum(|it| it.elapsed_us);
    let seen = u64::try_from(all.len()).unwrap_or(u64::MAX);
    (elapsed_us > 0).then(|| Cycles {
        seen,
        mean_us: share(elapsed_us, seen),
        called_share: share(sum(|it| it.called_us), elapsed_us),
        waited_share: share(sum(|it| it.waited_us), elapsed_us),
    })
}

pub(super) fn conclude(spans: &[Span], names: &HashMap<Thing, Named>, wanted: u64) -> Conclusion {
    let calls = seen(spans);
    let whole: Vec<&Span> = spans.iter().filter(|it| it.end != End::Cut).collect();
    let times: Vec<Spent> = spans.iter().map(|it| Spent::of(it, names)).collect();
    let steady = steady(spans);
    let steady_times = || times.iter().zip(&steady).filter(|(_, keep)| **keep).map(|(it, _)| it);
    let mut all = Spent::default();
    for spent in steady_times() {
        all.add(spent);
    }
    let whole_times =
        times.iter().zip(spans).filter(|(_, span)| span.end != End::Cut).map(|(it, _)| it);
    let rests_on = rests_on(&all, &whole_times.collect::<Vec<_>>());
    let explained = all.explained();
    let (verdict, why) = verdict(&calls, explained, &rests_on, wanted);
    Conclusion {
        verdict,
        why,
        rests_on,
        explained,
        latency: latency(&whole),
        callers: callers(spans),
        stability: stability(&whole),
        calls,
    }
}

fn verdict(
    calls: &CallsSeen,
    explained: f64,
    rests_on: &[RestsOn],
    wanted: u64,
) -> (ExplainVerdict, Option<String>) {
    let no = |why: String| (ExplainVerdict::NotEnoughSeen, Some(why));
    if calls.whole + calls.cut == 0 {
        let why = "nobody called it in that time".to_owned();
        return (ExplainVerdict::NotCalled, Some(why));
    }
    if calls.whole < CALLS_MIN.min(wanted) {
        return no(format!(
            "only {} whole calls were seen; look longer with --for{}",
            calls.whole,
            if calls.cut > 0 { ": some were not over when the sample was" } else { "" }
        ));
    }
    if explained < EXPLAINED_MIN {
        let percent = explained * 100.0;
        return no(format!(
            "only {percent:.0} % of the time is explained: the rest waits for messages of which the \
             sample does not say whose they are"
        ));
    }
    match rests_on.first() {
        Some(first) if first.kind == RestsOnKind::OwnCode => (ExplainVerdict::OwnCode, None),
        Some(_) => (ExplainVerdict::Rests, None),
        None => (ExplainVerdict::OwnCode, None),
    }
}

fn seen(spans: &[Span]) -> CallsSeen {
    let mut calls = CallsSeen::default();
    let mut processes = HashSet::new();
    for span in spans {
        processes.insert(&span.pid);
        match span.end {
            End::Cut => calls.cut += 1,
            End::Raised => calls.raised += 1,
            End::Exited => calls.exited += 1,
            End::Returned => {}
        }
        calls.whole += u64::from(span.end != End::Cut);
    }
    calls.processes = u64::try_from(processes.len()).unwrap_or(u64::MAX);
    calls
}

/// Which spans count for the shares of time.
fn steady(spans: &[Span]) -> Vec<bool> {
    let ran = |it: &Span| it.parts.iter().map(|it| it.us).sum::<f64>();
    let mut times: Vec<f64> = spans.iter().map(ran).collect();
    times.sort_by(f64::total_cmp);
    let median = percentile(&times, 0.5);
    let limit = (median * INTERRUPTED).max(RESOLUTION_US);
    // Where most calls take longer than an interruption lasts, one of them weighs little.
    let short = median < 10.0 * RESOLUTION_US;
    spans.iter().map(|it| !short || it.waited || ran(it) <= limit).collect()
}

impl Spent {
    fn of(span: &Span, names: &HashMap<Thing, Named>) -> Self {
        let mut spent = Self::default();
        let own = |it: &&Part| it.thing == Thing::Own;
        let own_us: f64 = span.parts.iter().filter(own).map(|it| it.us).sum();
        let is_seen = own_us >= RESOLUTION_US || !span.parts.iter().any(|it| !own(&it));
        for part in span.parts.iter().filter(|it| is_seen || !own(it)) {
            let name = |thing: &Thing| {
                let own = || Named { kind: RestsOnKind::OwnCode, name: String::new() };
                if *thing == Thing::Own { Some(own()) } else { names.get(thing).cloned() }
            };
            match (&part.thing, name(&part.thing)) {
                (Thing::Unknown, _) | (_, None) => {
                    // A wait that the end of the sample cut off is neither.
                    if span.end != End::Cut {
                        spent.unknown_us += part.us;
                    }
                }
                (_, Some(Named { kind, name: shown })) => {
                    let via = part.via.iter().filter_map(name).map(|it| it.name).collect();
                    *spent.places.entry(Place { kind, name: shown, via }).or_default() += part.us;
                }
            }
        }
        spent
    }

    fn add(&mut self, other: &Self) {
        for (place, us) in &other.places {
            *self.places.entry(place.clone()).or_default() += us;
        }
        self.unknown_us += other.unknown_us;
    }

    fn known_us(&self) -> f64 {
        self.places.values().sum()
    }

    fn explained(&self) -> f64 {
        let known = self.known_us();
        let all = known + self.unknown_us;
        // Nothing that could be measured is own code too short to see.
        if all > 0.0 { known / all } else { 1.0 }
    }

    /// Where most of the time went; own code where there is none.
    fn most(&self) -> Option<&Place> {
        let most =
            self.places.iter().max_by(|(a, us), (b, than)| us.total_cmp(than).then(b.cmp(a)));
        most.filter(|(_, us)| **us >= self.unknown_us).map(|(place, _)| place)
    }
}

fn rests_on(all: &Spent, whole: &[&Spent]) -> Vec<RestsOn> {
    let total = all.known_us() + all.unknown_us;
    let mut most: BTreeMap<&Place, u64> = BTreeMap::new();
    let mut nothing = 0_u64;
    for spent in whole {
        match spent.most() {
            Some(place) => *most.entry(place).or_default() += 1,
            None if spent.unknown_us == 0.0 => nothing += 1,
            None => {}
        }
    }
    let calls = u64::try_from(whole.len()).unwrap_or(u64::MAX);
    let own = Place { kind: RestsOnKind::OwnCode, name: String::new(), via: Vec::new() };
    let mut places: BTreeMap<&Place, f64> = all.places.iter().map(|(it, us)| (it, *us)).collect();
    for place in most.keys() {
        places.entry(place).or_insert(0.0);
    }
    if nothing > 0 {
        places.entry(&own).or_insert(0.0);
    }
    let mut found: Vec<RestsOn> = places
        .into_iter()
        .map(|(place, us)| {
            let nothing = if *place == own { nothing } else { 0 };
            RestsOn {
                kind: place.kind,
                name: place.name.clone(),
                share_of_time: if total > 0.0 { us / total } else { 0.0 },
                share_of_calls: share(most.get(place).copied().unwrap_or(0) + nothing, calls),
                via: place.via.clone(),
                hops: u32::try_from(place.via.len()).unwrap_or(u32::MAX),
            }
        })
        .filter(|it| it.share_of_time >= SHARE_MIN || it.share_of_calls >= SHARE_MIN)
        .collect();
    found.sort_by(|a, b| {
        b.share_of_time
            .total_cmp(&a.share_of_time)
            .then(b.share_of_calls.total_cmp(&a.share_of_calls))
    });
    found
}

fn latency(whole: &[&Span]) -> Option<Latency> {
    let mut times: Vec<f64> = whole.iter().map(|it| it.elapsed_us).collect();
    times.sort_by(f64::total_cmp);
    let count = u32::try_from(times.len()).ok()?;
    Some(Latency {
        p50_us: percentile(&times, 0.5),
        p90_us: percentile(&times, 0.9),
        p99_us: percentile(&times, 0.99),
        max_us: *times.last()?,
        mean_us: times.iter().sum::<f64>() / f64::from(count),
        resolution_us: RESOLUTION_US,
    })
}

fn callers(spans: &[Span]) -> Vec<Caller> {
    let mut counts: BTreeMap<Option<Mfa>, u64> = BTreeMap::new();
    for span in spans {
        *counts.entry(span.caller.clone()).or_default() += 1;
    }
    let mut found: Vec<Caller> =
        counts.into_iter().map(|(function, calls)| Caller { function, calls }).collect();
    found.sort_by_key(|it| std::cmp::Reverse(it.calls));
    found.truncate(CALLERS_MAX);
    found
}

fn stability(whole: &[&Span]) -> Option<Stability> {
    // What was too large to be taken has no hash.
    let is_known = |it: &&&Span| it.key.hash != 0 && it.result.hash != 0;
    let returned: Vec<&&Span> =
        whole.iter().filter(|it| it.end == End::Returned).filter(is_known).collect();
    if returned.is_empty() {
        return None;
    }
    let mut last: HashMap<(u64, u64), (u64, bool)> = HashMap::new();
    let (mut repeated, mut changed) = (0, 0);
    for span in &returned {
        let entry = last.entry((span.key.hash, span.key.bytes));
        let is_again = matches!(entry, std::collections::hash_map::Entry::Occupied(_));
        let known = entry.or_insert((span.result.hash, true));
        if is_again {
            repeated += 1;
            changed += u64::from(known.0 != span.result.hash);
            *known = (span.result.hash, false);
        }
    }
    let seen_once = u64::try_from(last.values().filter(|it| it.1).count()).ok();
    let sizes = |of: fn(&Span) -> u64| {
        let mut sizes: Vec<u64> = returned.iter().map(|it| of(it)).collect();
        sizes.sort_unstable();
        sizes
    };
    let (keys, results) = (sizes(|it| it.key.bytes), sizes(|it| it.result.bytes));
    let half = |it: &[u64]| it.get((it.len().saturating_sub(1)) / 2).copied().unwrap_or(0);
    Some(Stability {
        calls: u64::try_from(returned.len()).unwrap_or(u64::MAX),
        distinct_keys: u64::try_from(last.len()).unwrap_or(u64::MAX),
        repeated,
        changed,
        seen_once,
        key_bytes_p50: half(&keys),
        result_bytes_p50: half(&results),
        result_bytes_max: results.last().copied().unwrap_or(0),
    })
}

/// The smallest value that so many of all do not exceed.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "a place in a sample of thousands"
)]
fn percentile(sorted: &[f64], share: f64) -> f64 {
    let place = (sorted.len() as f64 * share).ceil() as usize;
    sorted.get(place.saturating_sub(1)).copied().unwrap_or(0.0)
}

#[expect(clippy::cast_precision_loss, reason = "calls of a sample are few")]
fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}
