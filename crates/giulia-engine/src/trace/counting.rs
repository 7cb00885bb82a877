//! Counters from the first to the last: armed, priced, left to run, stopped, read.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    time::Duration,
};

use giulia_model::{FunctionPattern, LeftOut, Mfa, NotSeen, TraceTookOver};
use giulia_probe::{
    Armable, Armed, Busy, ChosenModule, Counter, NotArmed, Reading, Resolved, Tracing, WhyNot,
    busy, dist, loaded_sum, resolve,
};
use tokio::time::Instant;

use super::{
    AFTER, ARMING, TraceRequest,
    measuring::{self, Measurement},
    plan::Room,
};
use crate::{Attempt, Bounds, Error, ErrorKind, remote::Link};

/// How long all functions are counted before they have a price.
pub(super) const PRICING: Duration = Duration::from_millis(50);
/// When measuring begins: after this part of the window, so that prices are those of a longer time.
const BEFORE_MEASURING: u32 = 5;
/// Between two looks at whether counting still keeps within its budget, and whether counters are
/// still there.
const LOOKS_APART: Duration = Duration::from_secs(5);
/// How long the last reading is tried again, and
const READ_AGAIN_FOR: Duration = Duration::from_secs(8);
/// how often.
const READ_AGAIN_AFTER: Duration = Duration::from_millis(250);
/// Modules loaded meanwhile that are named.
const LOADED_MAX: usize = 50;

/// What counters said.
#[derive(Debug, Default)]
pub(super) struct Counted {
    pub(super) window: Duration,
    pub(super) interrupted: bool,
    pub(super) room: Option<Room>,
    /// Each function that carried a counter to the end, with its calls or why they are not known.
    pub(super) functions: BTreeMap<Mfa, Result<u64, String>>,
    pub(super) left_out: Vec<LeftOut>,
    pub(super) not_seen: Vec<NotSeen>,
    pub(super) measurement: Option<Measurement>,
    pub(super) loaded_meanwhile: Vec<String>,
}

/// Why counting failed.
#[derive(Debug)]
pub(super) enum Failed {
    Node(dist::Error),
    Engine(Error),
    /// Everything is traced by somebody else; their names.
    Taken(Vec<String>),
}

/// One node's counters while they run.
#[derive(Debug)]
pub(super) struct Counting<'a> {
    pub(super) link: &'a Link,
    pub(super) tracing: &'a Tracing,
    pub(super) bounds: &'a Bounds,
    /// Modules or functions that carry a counter.
    pub(super) armed: Vec<Armable>,
    /// Modules that the patterns meant at that time.
    known: HashSet<String>,
    /// Which modules were loaded when it was looked last.
    loaded: Option<u64>,
    pub(super) looked_for_modules_at: Instant,
    /// The functions of them.
    pub(super) functions: HashSet<Mfa>,
    /// When the last counter was there.
    pub(super) armed_at: Instant,
    /// What each said last, and when that was.
    pub(super) seen: HashMap<Mfa, u64>,
    pub(super) seen_at: Instant,
    /// Calls a second between the last two looks.
    pub(super) rates: HashMap<Mfa, f64>,
    pub(super) lost: HashMap<Mfa, String>,
    /// Those of them that whatever we do leaves alone.
    let_go: HashSet<Mfa>,
    /// Whether nothing was read yet.
    is_fresh: bool,
    /// Those that were priced and are too dear, since [`Counting::arm`].
    pub(super) dropped: Vec<Mfa>,
    pub(super) counted: Counted,
}

/// Counts for the window, or until somebody asks to stop.
pub(super) async fn count(
    link: &Link,
    tracing: &Tracing,
    resolved: &Resolved,
    (request, attempt): (&TraceRequest, Attempt<'_>),
) -> Result<Counted, Failed> {
    let mut it = Counting::arm(link, tracing, resolved, attempt.bounds).await?;
    let armed_at = it.armed_at;
    let until = armed_at + request.window;
    let room = it.price(request.budget_share).await?;
    let before_measuring = request.window / BEFORE_MEASURING;
    it.run_until(armed_at + before_measuring, room).await?;
    if !it.is_over(until) {
        it.look(room).await?;
        it.counted.measurement = measuring::measure(&mut it, room, (request.window, until)).await;
    }
    it.run_until(until, room).await?;
    it.end(request).await
}

impl<'a> Counting<'a> {
    /// Puts a counter on everything that is meant.
    pub(super) async fn arm(
        link: &'a Link,
        tracing: &'a Tracing,
        resolved: &Resolved,
        bounds: &'a Bounds,
    ) -> Result<Self, Failed> {
        let wanted = armables(&resolved.modules);
        let arming = async { Ok(tracing.count(&wanted, &[Counter::Calls]).await) };
        let began = Instant::now();
        let armed = bounds.at_most(ARMING).run("arming", arming).await??;
        let mut it = Self::new(link, tracing, bounds, middle(began));
        it.known = resolved.modules.iter().map(|it| it.module.clone()).collect();
        let taken = it.take(armed, &resolved.modules);
        if it.armed.is_empty() && !taken.is_empty() {
            return Err(Failed::Taken(taken));
        }
        Ok(it)
    }

    fn new(link: &'a Link, tracing: &'a Tracing, bounds: &'a Bounds, armed_at: Instant) -> Self {
        Self {
            link,
            tracing,
            bounds,
            armed: Vec::new(),
            known: HashSet::new(),
            loaded: None,
            looked_for_modules_at: armed_at,
            functions: HashSet::new(),
            armed_at,
            seen: HashMap::new(),
            seen_at: armed_at,
            rates: HashMap::new(),
            lost: HashMap::new(),
            let_go: HashSet::new(),
            is_fresh: true,
            dropped: Vec::new(),
            counted: Counted::default(),
        }
    }

    /// What carries a counter, and what does not; the names of what others have.
    fn take(&mut self, armed: Armed, modules: &[ChosenModule]) -> Vec<String> {
        let of_module: HashMap<&str, _> =
            modules.iter().map(|it| (it.module.as_str(), it)).collect();
        for (what, _) in armed.armed {
            match &what {
                Armable::Function(mfa) => {
                    self.functions.insert(mfa.clone());
                }
                Armable::Module(name) => {
                    let all = of_module.get(name.as_str()).into_iter().flat_map(|it| &it.functions);
                    let all =
                        all.map(|(function, arity)| Mfa::new(name, function, (*arity).into()));
                    self.functions.extend(all);
                }
            }
            self.armed.push(what);
        }
        self.counted.left_out.extend(armed.not_armed.iter().map(not_armed));
        let taken = |it: &&NotArmed| matches!(it.why, WhyNot::Traced(_));
        armed.not_armed.iter().filter(taken).map(|it| it.what.to_string()).collect()
    }

    /// Counts everything for a moment, and takes the counters away that would be too dear.
    pub(super) async fn price(&mut self, budget_share: f64) -> Result<Option<Room>, Failed> {
        let asked = async { Ok(busy(self.link, PRICING).await) };
        let pricing = self.bounds.run("pricing", asked).await;
        let (busy, is_asked) = match pricing {
            Ok(Ok(busy)) => (busy, false),
            Ok(Err(error)) => {
                let why = error.to_string();
                self.counted.not_seen.push(NotSeen { what: "own time".to_owned(), why });
                tokio::time::sleep(PRICING).await;
                (Busy { schedulers: 1, ..Busy::default() }, false)
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => (Busy::default(), true),
            Err(error) => return Err(Failed::Engine(error)),
        };
        if is_asked {
            return Ok(None);
        }
        let room =
            Room { schedulers: busy.schedulers, budget_share, is_old: !self.tracing.is_isolated() };
        self.counted.room = Some(room);
        self.look(Some(room)).await?;
        Ok(Some(room))
    }

    /// Reads all counters, notes what was lost, and leaves out what is too dear now.
    pub(super) async fn look(&mut self, room: Option<Room>) -> Result<(), Failed> {
        let began = Instant::now();
        let readings = self.tracing.read(&self.armed, Counter::Calls).await?;
        let at = middle(began);
        let elapsed = at.saturating_duration_since(self.seen_at).as_secs_f64().max(1e-3);
        let before = std::mem::take(&mut self.seen);
        self.sort(readings, &before);
        let rate = |(mfa, calls): (&Mfa, &u64)| {
            let more = calls.saturating_sub(before.get(mfa).copied().unwrap_or_default());
            #[expect(clippy::cast_precision_loss, reason = "a price")]
            let rate = more as f64 / elapsed;
            (mfa.clone(), rate)
        };
        self.rates = self.seen.iter().map(rate).collect();
        self.seen_at = at;
        self.let_go().await?;
        if let Some(room) = room {
            self.leave_out(room).await?;
        }
        Ok(())
    }

    /// What each counter says; one that fell or is gone is lost, for good.
    fn sort(&mut self, readings: Vec<Reading>, before: &HashMap<Mfa, u64>) {
        let mut told = HashSet::new();
        let is_first = std::mem::take(&mut self.is_fresh);
        for Reading { function, counted } in readings {
            // A module that was loaded anew between being looked at and being armed has others.
            if is_first && matches!(counted, giulia_probe::Counted::Calls(_)) {
                self.functions.insert(function.clone());
            }
            if !self.functions.contains(&function) {
                continue;
            }
            told.insert(function.clone());
            if self.lost.contains_key(&function) {
                // What it says by now is another's.
                continue;
            }
            let earlier = before.get(&function).copied().unwrap_or_default();
            match counted {
                giulia_probe::Counted::Calls(calls) if calls >= earlier => {
                    self.seen.insert(function, calls);
                }
                giulia_probe::Counted::Calls(calls) => {
                    let why = format!(
                        "its counter fell from {earlier} to {calls}: another tool set it back"
                    );
                    self.lost.entry(function).or_insert(why);
                }
                giulia_probe::Counted::Lost | giulia_probe::Counted::PerProcess { .. } => {
                    self.lost.entry(function).or_insert_with(|| GONE.to_owned());
                }
            }
        }
        for function in self.functions.iter().filter(|it| !told.contains(*it)) {
            self.lost.entry(function.clone()).or_insert_with(|| GONE.to_owned());
        }
    }

    /// Leaves alone from here on what was lost: before OTP 27 it is another tool's by now, and what we
    /// pause or undo would be theirs.
    async fn let_go(&mut self) -> Result<(), Failed> {
        let new: Vec<Mfa> =
            self.lost.keys().filter(|it| !self.let_go.contains(*it)).cloned().collect();
        if self.tracing.is_isolated() || new.is_empty() {
            return Ok(());
        }
        self.let_go.extend(new.iter().cloned());
        let mut modules: Vec<String> = new.iter().map(|it| it.module.clone()).collect();
        modules.sort();
        modules.dedup();
        let left: HashSet<&str> = self
            .functions
            .iter()
            .filter(|it| !self.let_go.contains(*it))
            .map(|it| it.module.as_str())
            .collect();
        modules.retain(|it| !left.contains(it.as_str()));
        match self.tracing.let_go(&new, &modules).await {
            Err(error) if error.kind() == dist::ErrorKind::Request => {
                let what = "counters that another tool set back".to_owned();
                let why = format!("they may be removed with ours at the end: {error}");
                self.counted.not_seen.push(NotSeen { what, why });
                Ok(())
            }
            told => Ok(told?),
        }
    }

    /// Puts counters on modules that the patterns mean and that were loaded since; which those are.
    ///
    /// # Errors
    /// When the node does not answer.
    pub(super) async fn take_over(
        &mut self,
        patterns: &[FunctionPattern],
    ) -> Result<Option<TraceTookOver>, Failed> {
        let began = Instant::now();
        let sum = loaded_sum(self.link).await?;
        if self.loaded == Some(sum) {
            self.looked_for_modules_at = began;
            return Ok(None);
        }
        // Patterns that mean too much by now are told at the end, as what was not counted.
        let Ok(now) = resolve(self.link, patterns).await else { return Ok(None) };
        self.loaded = Some(sum);
        self.looked_for_modules_at = began;
        let is_new = |it: &ChosenModule| !self.known.contains(&it.module);
        let new: Vec<ChosenModule> = now.modules.into_iter().filter(is_new).collect();
        if new.is_empty() {
            return Ok(None);
        }
        let armed = self.tracing.count(&armables(&new), &[Counter::Calls]).await?;
        let mut modules: Vec<String> =
            armed.armed.iter().map(|(it, _)| it.module().to_owned()).collect();
        modules.dedup();
        let functions = armed.functions;
        self.known.extend(new.iter().map(|it| it.module.clone()));
        self.take(armed, &new);
        Ok((!modules.is_empty()).then_some(TraceTookOver { modules, functions }))
    }

    async fn leave_out(&mut self, room: Room) -> Result<(), Failed> {
        let mut functions: Vec<(&Mfa, f64)> =
            self.rates.iter().map(|(mfa, rate)| (mfa, *rate)).collect();
        functions.sort_by(|left, right| left.0.cmp(right.0));
        let rates: Vec<f64> = functions.iter().map(|(_, rate)| *rate).collect();
        let dear = room.left_out(&rates);
        let dear: Vec<(Mfa, f64)> = dear
            .into_iter()
            .filter_map(|idx| functions.get(idx).map(|(mfa, rate)| ((*mfa).clone(), *rate)))
            .collect();
        if dear.is_empty() {
            return Ok(());
        }
        let what: Vec<Mfa> = dear.iter().map(|(mfa, _)| mfa.clone()).collect();
        self.tracing.uncount(&what).await?;
        for (mfa, rate) in dear {
            self.functions.remove(&mfa);
            self.rates.remove(&mfa);
            self.seen.remove(&mfa);
            self.dropped.push(mfa.clone());
            self.counted.left_out.push(LeftOut {
                node: None,
                what: mfa.to_string(),
                why: "called too often for the budget; --budget raises it".to_owned(),
                calls_per_s: Some(rate),
                price_share: Some(room.counting(rate)),
            });
        }
        self.armed.retain(|it| match it {
            Armable::Function(mfa) => self.functions.contains(mfa),
            Armable::Module(_) => true,
        });
        Ok(())
    }

    /// Waits, and looks now and then.
    pub(super) async fn run_until(
        &mut self,
        until: Instant,
        room: Option<Room>,
    ) -> Result<(), Failed> {
        while !self.is_over(until) {
            let next = until.min(Instant::now() + LOOKS_APART);
            self.sleep_until(next).await;
            if next < until && !self.bounds.stop.is_asked() {
                self.look_or_go_on(room).await?;
            }
        }
        Ok(())
    }

    /// Counters go on where only an answer is missing: a node that has no process to spare, or does
    /// not answer for a while, may answer the next time.
    async fn look_or_go_on(&mut self, room: Option<Room>) -> Result<(), Failed> {
        match self.look(room).await {
            Err(Failed::Node(error)) if self.may_answer_later(&error) => {
                tracing::debug!(%error, "counters were not read");
                Ok(())
            }
            looked => looked,
        }
    }

    fn may_answer_later(&self, error: &dist::Error) -> bool {
        let is_for_good =
            matches!(error.kind(), dist::ErrorKind::Closed | dist::ErrorKind::Request);
        !is_for_good && !self.link.connection().is_closed() && self.tracing.is_held()
    }

    /// Waits, and no longer than anybody wants.
    pub(super) async fn sleep_until(&self, until: Instant) {
        tokio::select! {
            () = self.bounds.stop.asked() => {}
            () = tokio::time::sleep_until(until) => {}
        }
    }

    pub(super) fn is_over(&self, until: Instant) -> bool {
        self.bounds.stop.is_asked() || Instant::now() >= until
    }

    /// Stops the counters, reads them, and looks what was loaded meanwhile.
    async fn end(mut self, request: &TraceRequest) -> Result<Counted, Failed> {
        self.counted.interrupted = self.bounds.stop.is_asked();
        self.stop_and_read().await?;
        let told = std::mem::take(&mut self.functions).into_iter().map(|function| {
            let calls = self.seen.get(&function).copied().unwrap_or_default();
            let told = self.lost.remove(&function).map_or(Ok(calls), Err);
            (function, told)
        });
        self.counted.functions = told.collect();
        if !self.counted.interrupted {
            self.counted.loaded_meanwhile = self.loaded_meanwhile(&request.patterns).await;
        }
        Ok(self.counted)
    }

    /// Stops the counters and reads them: no call until then is missing.
    pub(super) async fn stop_and_read(&mut self) -> Result<(), Failed> {
        if !self.tracing.is_isolated() {
            // What another tool armed on its own since the last look is not ours to stop.
            self.look_or_go_on(None).await?;
        }
        let began = Instant::now();
        self.tracing.pause(&self.armed, &[Counter::Calls]).await?;
        let stopped_at = middle(began);
        self.counted.window = stopped_at.saturating_duration_since(self.armed_at);
        // Stopped counters wait, so a node that cannot answer now is asked again.
        let again_until = Instant::now() + READ_AGAIN_FOR;
        let readings = loop {
            match self.tracing.read(&self.armed, Counter::Calls).await {
                Err(error) if self.may_answer_later(&error) && Instant::now() < again_until => {
                    tokio::time::sleep(READ_AGAIN_AFTER).await;
                }
                told => break told?,
            }
        };
        let before = std::mem::take(&mut self.seen);
        self.sort(readings, &before);
        self.seen_at = stopped_at;
        self.let_go().await
    }

    /// Modules that the patterns mean now and that were not there before.
    pub(super) async fn loaded_meanwhile(&self, patterns: &[FunctionPattern]) -> Vec<String> {
        let looking = async { Ok(resolve(self.link, patterns).await) };
        let Ok(Ok(now)) = Bounds::lasting(AFTER).run("looking", looking).await else {
            return Vec::new();
        };
        let new = now.modules.into_iter().map(|it| it.module);
        new.filter(|it| !self.known.contains(it)).take(LOADED_MAX).collect()
    }
}

/// What became of a counter that is not there any more.
const GONE: &str = "its counter is gone: the module was loaded anew or purged, or another tool \
                    removed it";

impl Failed {
    /// As an error of this node.
    pub(super) fn of(self, node: &str) -> Error {
        match self {
            Self::Node(error) => Error::asking(node, &error),
            Self::Engine(error) => error,
            Self::Taken(names) => {
                let shown = names.iter().take(TAKEN_SHOWN).cloned().collect::<Vec<_>>().join(", ");
                let more = match names.len().saturating_sub(TAKEN_SHOWN) {
                    0 => String::new(),
                    more => format!(" and {more} more"),
                };
                Error::new(
                    ErrorKind::Taken,
                    format!(
                        "{node}: another tool or another giulia already traces or counts {shown}{more}, \
                         and before OTP 27 there is one counter for everybody; nothing was armed, wait \
                         until it is done"
                    ),
                )
            }
        }
    }
}

/// Functions named in the error.
const TAKEN_SHOWN: usize = 20;

impl From<dist::Error> for Failed {
    fn from(error: dist::Error) -> Self {
        Self::Node(error)
    }
}

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        Self::Engine(error)
    }
}

fn armables(modules: &[ChosenModule]) -> Vec<Armable> {
    let mut all = Vec::new();
    for it in modules {
        if it.is_whole {
            all.push(Armable::Module(it.module.clone()));
        } else {
            let functions = it.functions.iter();
            let functions =
                functions.map(|(name, arity)| Mfa::new(&it.module, name, (*arity).into()));
            all.extend(functions.map(Armable::Function));
        }
    }
    all
}

fn not_armed(it: &NotArmed) -> LeftOut {
    LeftOut {
        node: None,
        what: it.what.to_string(),
        why: it.why.to_string(),
        calls_per_s: None,
        price_share: None,
    }
}

/// Between then and now: what happened at the node happened meanwhile.
fn middle(began: Instant) -> Instant {
    began + began.elapsed() / 2
}
