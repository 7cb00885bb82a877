//! Counters of a session: armed once, read now and then, and told as what came since the reading
//! before. A stretch runs from arming to reading; whoever watches begins another where the node let
//! go of this one.

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use giulia_model::{
    FunctionCalls, FunctionLost, FunctionPattern, Mfa, NotSeen, TraceBegan, TraceDelta, TraceEnded,
    TraceEvent, TraceMeasured, TracePlaced, TracedFunction,
};
use giulia_probe::{
    Foreign, Keeper, KeeperEnd, KeeperOptions, KeptChange, Resolved, Tracing, TracingOptions,
    foreign, resolve,
};
use tokio::{sync::Notify, time::Instant};

use super::{
    AFTER, ARMING,
    counting::{Counting, Failed, PRICING},
    document, measuring, not_resolved, nothing_meant,
    plan::Room,
    stop,
};
use crate::{
    Bounds, Cancel, Error, Stop,
    observe::TICK_TOP,
    places::{Graphs, Places},
    remote::Link,
};

/// Under which counters of a session appear in its manifest.
const NAME: &str = "call counters of the session";
/// Readings may take this part of one core by our clock, which is more than they take there.
const READING_SHARE: u32 = 100;
/// A reading at least so often, whatever it costs.
const READINGS_APART_MAX: Duration = Duration::from_mins(1);
/// Time between two records for each function in the first: 200 rows a second are 16 KB, and a
/// tenth of that in the store.
const RECORD_EACH: Duration = Duration::from_millis(5);
/// Own time is measured in the first so many seconds of calls, for a part of them: whoever wants
/// another part of the session asks `giulia trace`.
const MEASURED_WITHIN: Duration = Duration::from_secs(10);
/// Functions whose file and line a session keeps: as many as a report shows.
const PLACED_MAX: usize = TICK_TOP;
/// How long it is waited for the keeper to say that it is gone when counters are.
const GONE_WITHIN: Duration = Duration::from_millis(500);

/// Which functions a session counts, and what that may cost.
#[derive(Debug, Clone, PartialEq)]
pub struct CountRequest {
    /// Which functions.
    pub patterns: Vec<FunctionPattern>,
    /// What counters may cost, of the time of all schedulers, 0 to 1.
    pub budget_share: f64,
}

/// What a stretch tells on its way.
#[derive(Debug)]
pub(crate) enum StretchTold {
    /// Something was recorded, between these times.
    Event(std::time::Instant, std::time::Instant, Box<TraceEvent>),
    /// What was switched on.
    Kept(Vec<KeptChange>),
}

/// How a stretch ended.
#[derive(Debug)]
pub(crate) enum StretchEnd {
    /// As it was asked to, and everything was read.
    Wanted,
    /// The node let go of it after it had begun.
    Lapsed,
    /// It did not begin.
    Failed(Error),
}

/// One stretch of counting.
pub(crate) struct Stretch<'a> {
    pub(crate) node: &'a str,
    pub(crate) link: &'a Link,
    pub(crate) request: &'a CountRequest,
    pub(crate) every: Duration,
    /// For finding functions.
    pub(crate) timeout: Duration,
    /// Told when other tools were looked for; without it nobody looks: what we ourselves switched on
    /// meanwhile would be taken for theirs.
    pub(crate) looked: Option<&'a Notify>,
    /// Asks it to read for the last time.
    pub(crate) stop: &'a Stop,
    pub(crate) tell: &'a (dyn Fn(StretchTold) + Send + Sync),
}

/// What was told of a stretch, and what was not yet.
struct Reader<'a> {
    of: &'a Stretch<'a>,
    /// What readings said that nothing spoke against.
    confirmed: HashMap<Mfa, u64>,
    confirmed_at: Instant,
    told: HashMap<Mfa, u64>,
    told_at: Instant,
    lost: BTreeSet<Mfa>,
    n_left_out: usize,
    /// Whose place was asked for.
    placed: HashSet<Mfa>,
    /// What the next record says beside calls.
    next: TraceDelta,
    record_at: Instant,
}

impl Stretch<'_> {
    /// Counts until it is asked to stop or the node lets go.
    pub(crate) async fn run(&self) -> StretchEnd {
        let bounds = Bounds::new(self.timeout, self.stop.clone());
        let looking = bounds.run("finding the functions", self.resolved()).await;
        if let Some(looked) = self.looked {
            looked.notify_one();
        }
        let (resolved, others) = match looking {
            Ok(found) => found,
            Err(error) => return StretchEnd::Failed(error),
        };
        let failed =
            |it: giulia_probe::dist::Error| StretchEnd::Failed(Error::asking(self.node, &it));
        let keeper = match Keeper::start(self.link, &KeeperOptions::default()).await {
            Ok(keeper) => Arc::new(keeper),
            Err(error) => return failed(error),
        };
        let options = TracingOptions { name: NAME.to_owned(), sink: None };
        let (end, hottest) = match Tracing::start(self.link, &keeper, options).await {
            Ok(tracing) => {
                let counted = self.counted(&tracing, &keeper, (&resolved, others)).await;
                drop(tokio::time::timeout(AFTER, tracing.stop()).await);
                counted
            }
            Err(error) => (failed(error), Vec::new()),
        };
        (self.tell)(StretchTold::Kept(stop(keeper).await));
        self.place(&hottest).await;
        end
    }

    async fn resolved(&self) -> Result<(Resolved, Vec<String>), Error> {
        let resolved = resolve(self.link, &self.request.patterns).await;
        let resolved = resolved.map_err(|it| not_resolved(self.node, it))?;
        if let Some(error) = nothing_meant(self.node, &resolved) {
            return Err(error);
        }
        if self.looked.is_none() {
            return Ok((resolved, Vec::new()));
        }
        let others = foreign(self.link, &[], &[]).await;
        let Foreign { node: others, .. } = others.map_err(|it| Error::asking(self.node, &it))?;
        Ok((resolved, others))
    }

    async fn counted(
        &self,
        tracing: &Tracing,
        keeper: &Keeper,
        (resolved, others): (&Resolved, Vec<String>),
    ) -> (StretchEnd, Vec<Mfa>) {
        // Counting has no end of its own.
        let bounds = Bounds::new(ARMING, self.stop.clone());
        let arming = async {
            let mut it = Counting::arm(self.link, tracing, resolved, &bounds).await?;
            let room = it.price(self.request.budget_share).await?;
            Ok::<_, Failed>((it, room))
        };
        let (mut it, room) = match arming.await {
            Ok(armed) => armed,
            Err(failed) => return (StretchEnd::Failed(failed.of(self.node)), Vec::new()),
        };
        (self.tell)(StretchTold::Kept(keeper.changes()));
        self.began(&it, resolved, others);
        let mut reader = Reader::new(self, &it);
        let until = Instant::now() + self.every;
        let lapsed = self.read_on(&mut it, &mut reader, (room, until), keeper).await;
        let why = match lapsed {
            Some(why) => why,
            None => match it.stop_and_read().await {
                Ok(()) if !reader.lets_go(&it, keeper).await => {
                    reader.confirm(&it);
                    reader.note(&it);
                    reader.record(room);
                    let loaded_meanwhile = it.loaded_meanwhile(&self.request.patterns).await;
                    let ended = TraceEnded { paused: true, why: None, loaded_meanwhile };
                    self.event(it.armed_at, it.seen_at, TraceEvent::Ended(ended));
                    return (StretchEnd::Wanted, reader.unplaced());
                }
                Ok(()) => gone(&keeper.ended().await),
                Err(failed) => failed.of(self.node).to_string(),
            },
        };
        reader.record(room);
        let ended = TraceEnded { why: Some(why), ..TraceEnded::default() };
        self.event(it.armed_at, reader.confirmed_at, TraceEvent::Ended(ended));
        (StretchEnd::Lapsed, Vec::new())
    }

    /// Tells where functions are written, and what runs.
    async fn place(&self, hottest: &[Mfa]) {
        if hottest.is_empty() || self.link.connection().is_closed() {
            return;
        }
        let began = Instant::now();
        // Whoever asked the session to stop wants its report whole.
        let never = Cancel::new().stop();
        let places = Places::of_node(self.link, Graphs::default(), hottest, &never).await;
        let (modules, functions) = places.recorded();
        if !modules.is_empty() {
            let told = TracePlaced { modules, functions };
            self.event(began, Instant::now(), TraceEvent::Placed(told));
        }
    }

    /// Reads until somebody asks to stop; why, where the node let go before.
    async fn read_on(
        &self,
        it: &mut Counting<'_>,
        reader: &mut Reader<'_>,
        (room, mut next): (Option<Room>, Instant),
        keeper: &Keeper,
    ) -> Option<String> {
        let mut is_measured = false;
        loop {
            tokio::select! {
                biased;
                end = keeper.ended() => return Some(gone(&end)),
                () = it.sleep_until(next) => {}
            }
            if self.stop.is_asked() {
                return None;
            }
            let began = Instant::now();
            let looked = it.look(room).await;
            next = self.after(began);
            if let Err(failed) = looked {
                // Counters go on where only an answer is missing.
                if self.link.connection().is_closed() {
                    return Some(gone(&KeeperEnd::Connection));
                }
                tracing::debug!(?failed, "counters were not read");
                continue;
            }
            if reader.lets_go(it, keeper).await {
                return Some(gone(&keeper.ended().await));
            }
            reader.confirm(it);
            let has_news = reader.note(it);
            if has_news || Instant::now() >= reader.record_at {
                reader.record(room);
            }
            if self.take_over(it, keeper).await {
                // What they cost is known after a moment.
                next = Instant::now() + PRICING;
            } else {
                next = self.after(began);
            }
            let is_called = it.rates.values().any(|rate| *rate > 0.0);
            if !is_measured && is_called && it.armed_at.elapsed() >= MEASURED_WITHIN / 10 {
                is_measured = true;
                self.measure(it, room).await;
                self.place(&reader.unplaced()).await;
            }
        }
    }

    /// When the next reading is due after one that began then and is over.
    fn after(&self, began: Instant) -> Instant {
        let rest = began.elapsed().saturating_mul(READING_SHARE).min(READINGS_APART_MAX);
        began + self.every.max(rest)
    }

    /// Takes over what was loaded since the reading before, if anything was.
    async fn take_over(&self, it: &mut Counting<'_>, keeper: &Keeper) -> bool {
        let absent_at = it.looked_for_modules_at;
        match it.take_over(&self.request.patterns).await {
            Ok(Some(taken)) => {
                self.event(absent_at, Instant::now(), TraceEvent::TookOver(taken));
                (self.tell)(StretchTold::Kept(keeper.changes()));
                true
            }
            Ok(None) => false,
            Err(failed) => {
                tracing::debug!(?failed, "it was not seen what was loaded meanwhile");
                false
            }
        }
    }

    async fn measure(&self, it: &mut Counting<'_>, room: Option<Room>) {
        let began = Instant::now();
        let within = (MEASURED_WITHIN, began + MEASURED_WITHIN);
        let known = it.counted.not_seen.len();
        let Some(measurement) = measuring::measure(it, room, within).await else {
            let not_seen = it.counted.not_seen.split_off(known.min(it.counted.not_seen.len()));
            let told = TraceMeasured { not_seen, ..TraceMeasured::default() };
            self.event(began, Instant::now(), TraceEvent::Measured(Box::new(told)));
            return;
        };
        let mut functions: Vec<TracedFunction> = measurement
            .functions
            .keys()
            .map(|mfa| TracedFunction {
                module: mfa.module.clone(),
                name: mfa.function.clone(),
                arity: mfa.arity,
                own: measurement.own(mfa).filter(|it| it.own_time_calls > 0),
                ..TracedFunction::default()
            })
            .collect();
        functions.sort_by_key(TracedFunction::mfa);
        let told = TraceMeasured {
            measured: measurement.facts(),
            functions,
            groups: measurement.rows(None),
            not_seen: it.counted.not_seen.split_off(known.min(it.counted.not_seen.len())),
        };
        self.event(began, Instant::now(), TraceEvent::Measured(Box::new(told)));
    }

    fn began(&self, it: &Counting<'_>, resolved: &Resolved, other_tracers: Vec<String>) {
        let modules: HashSet<&str> = it.functions.iter().map(|it| it.module.as_str()).collect();
        let mut not_seen: Vec<NotSeen> =
            document::not_loaded(&resolved.not_loaded).into_iter().collect();
        not_seen.extend(document::ours(it.functions.iter()));
        not_seen.extend(it.counted.not_seen.iter().cloned());
        let began = TraceBegan {
            patterns: self.request.patterns.iter().map(ToString::to_string).collect(),
            budget_share: self.request.budget_share,
            modules: document::number(modules.len()),
            functions: document::number(it.functions.len()),
            left_out: it.counted.left_out.clone(),
            other_tracers,
            not_seen,
        };
        self.event(it.armed_at, it.seen_at, TraceEvent::Began(began));
    }

    fn event(&self, from: Instant, to: Instant, event: TraceEvent) {
        let (from, to) = (from.into_std(), to.into_std());
        (self.tell)(StretchTold::Event(from, to, Box::new(event)));
    }
}

impl<'a> Reader<'a> {
    fn new(of: &'a Stretch<'a>, it: &Counting<'_>) -> Self {
        Self {
            of,
            confirmed: it.seen.clone(),
            confirmed_at: it.seen_at,
            told: HashMap::new(),
            told_at: it.armed_at,
            // Those that were dropped for their price are named as left out, and have no row.
            lost: it.dropped.iter().cloned().collect(),
            n_left_out: it.counted.left_out.len(),
            placed: HashSet::new(),
            next: TraceDelta::default(),
            record_at: it.seen_at,
        }
    }

    /// Whether counters are gone because what held them is: before OTP 27 that looks like functions
    /// that were loaded anew.
    async fn lets_go(&self, it: &Counting<'_>, keeper: &Keeper) -> bool {
        let is_new = it.lost.keys().any(|mfa| !self.lost.contains(mfa));
        is_new && tokio::time::timeout(GONE_WITHIN, keeper.ended()).await.is_ok()
    }

    fn confirm(&mut self, it: &Counting<'_>) {
        self.confirmed.clone_from(&it.seen);
        self.confirmed_at = it.seen_at;
    }

    /// Those that were called most and whose place nobody asked for yet.
    fn unplaced(&mut self) -> Vec<Mfa> {
        let mut called: Vec<(&Mfa, u64)> =
            self.confirmed.iter().map(|(mfa, calls)| (mfa, *calls)).filter(|it| it.1 > 0).collect();
        called.sort_by_key(|(mfa, calls)| (std::cmp::Reverse(*calls), *mfa));
        let hottest = called.into_iter().take(PLACED_MAX).map(|(mfa, _)| mfa.clone());
        let new: Vec<Mfa> = hottest.filter(|it| !self.placed.contains(it)).collect();
        self.placed.extend(new.iter().cloned());
        new
    }

    /// Takes in what is not only more calls; whether there is any.
    fn note(&mut self, it: &Counting<'_>) -> bool {
        let known = self.next.lost.len() + self.next.left_out.len();
        self.next.left_out.extend(it.counted.left_out.iter().skip(self.n_left_out).cloned());
        self.n_left_out = it.counted.left_out.len();
        let dear = "it became too dear for the budget and lost its counter";
        let dropped = it.dropped.iter().map(|mfa| (mfa, dear));
        let lost = it.lost.iter().map(|(mfa, why)| (mfa, why.as_str()));
        for (mfa, why) in dropped.chain(lost) {
            if self.lost.insert(mfa.clone()) {
                self.next.lost.push(FunctionLost::new(mfa, why));
            }
        }
        self.next.lost.len() + self.next.left_out.len() > known
    }

    /// Tells what was confirmed and noted since the record before.
    fn record(&mut self, room: Option<Room>) {
        let mut delta = std::mem::take(&mut self.next);
        let mut sum = 0_u64;
        #[expect(clippy::iter_over_hash_type, reason = "sorted below")]
        for (mfa, calls) in &self.confirmed {
            let told = self.told.entry(mfa.clone()).or_default();
            let more = calls.saturating_sub(*told);
            if more > 0 {
                *told = *calls;
                sum = sum.saturating_add(more);
                delta.functions.push(FunctionCalls::new(mfa, more));
            }
        }
        delta.functions.sort_by_key(FunctionCalls::mfa);
        delta.lost.sort_by_key(FunctionLost::mfa);
        let elapsed = self.confirmed_at.saturating_duration_since(self.told_at);
        #[expect(clippy::cast_precision_loss, reason = "a share is an estimate")]
        let per_s = sum as f64 / elapsed.as_secs_f64().max(1e-3);
        delta.counters_share = room.map_or(0.0, |it| it.counting(per_s));
        let rows = u32::try_from(delta.functions.len()).unwrap_or(u32::MAX);
        let apart = RECORD_EACH.saturating_mul(rows).min(READINGS_APART_MAX);
        self.of.event(self.told_at, self.confirmed_at, TraceEvent::Counted(delta));
        self.told_at = self.confirmed_at;
        self.record_at = self.confirmed_at + apart;
    }
}

/// Why counters are gone, as what held them tells.
fn gone(end: &KeeperEnd) -> String {
    match end {
        KeeperEnd::LeaseLapsed => "the node did not hear from us in time and removed the counters",
        KeeperEnd::Connection => "the connection ended, and the node removed the counters",
        KeeperEnd::Killed => {
            "somebody at the node killed what holds the counters, which removed them"
        }
        KeeperEnd::Stopped => "counting was stopped",
        KeeperEnd::Other(why) => return format!("the node removed the counters: {why}"),
        _ => "the node removed the counters",
    }
    .to_owned()
}
