//! Question: what ran between the calls of a function and their returns?
//!
//! Call: through [`Tracing`]: a meta trace of the function, which tells of each call, its caller,
//! its arguments and its result, and sets flags on whoever calls, so that short-lived processes
//! count; local patterns on the boundary functions; flags on the processes that calls go to, once
//! it is known who they are, at most three hops away.
//! First OTP: 24 (ERTS 11.2.2.11; before, the flag `running` leaks).
//! Cost: 0.5 to 2 us a message, some ten messages a call; arming takes 0.2 ms a function on an idle
//! node, and each function that is armed is 3 to 6 ns dearer for everyone meanwhile.
//! Limit: [`MESSAGES_MAX`] messages on the node at a time, after which the VM drops all flags;
//! [`ROUNDS_MAX`] times; 2 % of a core over all of them, for which it rests in between; 32 processes
//! followed.
//! Side effects: none that last. Arguments, results and messages of up to 64 KB travel to us and
//! are hashed and forgotten.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    future::Future,
    sync::Arc,
    time::{Duration, Instant},
};

use giulia_dist::{
    Error, ErrorKind,
    term::{Pid, Term},
};
use giulia_model::Mfa;

use super::{
    boundaries::{boundary_spec, entry_spec, loaded},
    fold::{Cycle, End, Span, cycles, spans},
    thing::{Thing, Who},
};
use crate::{
    Armable, Keeper, KeptChange, Link, NotResolved, Scope, SinkEnd, SinkLimits, Tracing,
    TracingOptions, Whom,
    answer::{self, Bif},
    gates,
    link::HEAP_WORDS,
    paged,
};

/// What to sample.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpanOptions {
    /// The calls of this function.
    pub function: Mfa,
    /// So many whole calls are enough.
    pub calls: usize,
    /// For at most so long.
    pub lasting: Duration,
}

/// What a sample brought.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SpanSample {
    /// The calls that were seen, in the order in which they began.
    pub spans: Vec<Span>,
    /// What callers did between their calls, in all rounds.
    pub cycles: Vec<Cycle>,
    /// Registered names that were asked for.
    pub names: BTreeMap<String, Pid>,
    /// Times that tracing was switched on.
    pub rounds: u32,
    /// Trace messages that arrived.
    pub messages: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Messages that were too large, or lost.
    pub dropped: u64,
    /// Boundary functions that were armed.
    pub boundaries: u64,
    /// Processes that were followed.
    pub followed: Vec<Pid>,
    /// Those did more than a round holds before anybody was seen to call: they are not followed any
    /// more, and what they rest on themselves is not seen.
    pub servers_unseen: bool,
    /// How long it took.
    pub window: Duration,
    /// How much of that nothing was armed, so that the rest was not too much.
    pub rested: Duration,
    /// What was switched on, and what became of it.
    pub changes: Vec<KeptChange>,
    /// What could not be done.
    pub notes: Vec<String>,
}

/// On the node at a time: some 200 bytes each, so 2 MB, and 200 to 1,000 calls.
const MESSAGES_MAX: usize = 10_000;

/// In the first round, which learns who serves, and in those that hold the least.
const FIRST_MESSAGES_MAX: usize = 1_000;

/// As much as a tracing may hold; a large message counts as 64 KB although it is not kept.
const BYTES_MAX: usize = 4 << 20;

/// What one argument, result or message may have.
const MESSAGE_BYTES_MAX: usize = 64 << 10;

/// Times that tracing is switched on; each shows calls of another moment.
const ROUNDS_MAX: u32 = 8;

/// So many rounds without a call in a row are no accident: a busy node loses one now and then.
const WITHOUT_CALLS_MAX: u32 = 3;

/// What a trace message costs the node: 1 us of the process that is traced and as much of the tracer
/// (measured on OTP 23 to 29; the upper end of `beam-facts` 4.4 without arguments).
const MESSAGE_COST: Duration = Duration::from_micros(2);

/// What messages may cost, of one core, over the rounds: what `giulia mailbox` may.
const COST_SHARE_MAX: f64 = 0.02;

/// All that we hold here: 20 times what a node holds.
const HELD_MAX: usize = 200_000;

/// Processes followed at a time: as many as a pool of connections has.
const FOLLOWED_MAX: usize = 32;

/// Who takes less of the time than this is not followed.
const FOLLOWED_SHARE: f64 = 0.02;

/// What arming may take in all rounds together: a host whose other work takes all its cores was
/// seen to need 7 s for one (OTP 27, load 40 on two cores).
const ARMING_MAX: Duration = Duration::from_secs(15);

/// Between two looks at what came, so that a slow function is seen as it ends.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// What the VM tells of a process that calls, and of its children.
const FLAGS: [&str; 8] =
    ["call", "send", "receive", "running", "procs", "set_on_spawn", "arity", "timestamp"];

/// And of one that serves.
const SERVING: [&str; 7] = ["call", "send", "receive", "running", "procs", "arity", "timestamp"];

/// Samples calls of a function until there are enough, the time is over, or `stop` is ready.
///
/// # Errors
///
/// Those of [`Tracing`]: a function that is traced by others or never traced, a VM whose bugs
/// forbid it, a connection that ended.
pub async fn sample_spans(
    link: &Link,
    keeper: &Arc<Keeper>,
    options: &SpanOptions,
    stop: impl Future<Output = ()>,
) -> Result<SpanSample, Error> {
    permitted(link)?;
    if gates::off(link.erts(), gates::SESSIONS).is_some() {
        nobody_else_traces(link).await?;
    }
    let boundaries = loaded(link).await.map_err(not_resolved)?;
    let mut sampler = Sampler {
        link,
        keeper,
        options,
        boundaries,
        began: Instant::now(),
        watched: Duration::ZERO,
        found: SpanSample::default(),
        is_provisional: false,
        messages_max: MESSAGES_MAX,
        without_calls: 0,
    };
    tokio::pin!(stop);
    while sampler.goes_on() {
        if !sampler.round(&mut stop).await? || !sampler.rest(&mut stop).await {
            break;
        }
    }
    sampler.found.window = sampler.began.elapsed();
    Ok(sampler.found)
}

/// The match specification sets the flags, so nothing else asks whether they may be set.
fn permitted(link: &Link) -> Result<(), Error> {
    if link.accepts_vm_bug() {
        return Ok(());
    }
    for feature in [gates::FLAMES, gates::TRACE_FLAGS, gates::RUNNING_FLAG] {
        if let Some(why) = gates::off(link.erts(), feature) {
            let text = format!(
                "{feature}: off on this node (ERTS {}): {why}; --accept-vm-bug does it all the same",
                link.erts()
            );
            return Err(Error::new(ErrorKind::VersionUnsupported, text));
        }
    }
    Ok(())
}

/// Without a session a process has one tracer, and a match specification that names ours takes a
/// process away from the tracer that it has (measured on OTP 25). So there must be none.
async fn nobody_else_traces(link: &Link) -> Result<(), Error> {
    let everyone = paged::all(link).await?.into_iter().map(Term::Pid);
    let tracer = Term::atom("tracer");
    let items = [Term::atom("new_processes")].into_iter().chain(everyone);
    for question in &Bif::zip_pages("erlang", "trace_info", items, &tracer, 500) {
        let reply = link.ask("spans", question, HEAP_WORDS, Duration::ZERO).await?;
        let told = answer::list(Term::decode(&reply).map_err(answer::Problem::from)?)?;
        // None is `[]`; of a process that has ended it says `undefined`.
        let is_free = |it: &Term<'_>| match it.as_tuple() {
            Some([_, tracer]) => matches!(tracer, Term::Nil) || tracer.is_atom("undefined"),
            Some(_) | None => it.is_atom("undefined"),
        };
        if !told.iter().all(is_free) {
            let text = "another tool traces processes of this node, and before OTP 27 each has one \
                        tracer: stop it, or look again when it is done";
            return Err(Error::new(ErrorKind::Request, text));
        }
    }
    Ok(())
}

struct Sampler<'a> {
    link: &'a Link,
    keeper: &'a Arc<Keeper>,
    options: &'a SpanOptions,
    boundaries: Vec<Mfa>,
    began: Instant,
    /// Without the arming.
    watched: Duration,
    found: SpanSample,
    /// What was found was seen before all that serve were followed.
    is_provisional: bool,
    /// What a round may hold; half as much after one whose messages took more memory than they may.
    messages_max: usize,
    /// Rounds in a row that brought no call.
    without_calls: u32,
}

/// What one round has seen so far.
#[derive(Default)]
struct Seen {
    messages: Vec<Vec<u8>>,
    spans: Vec<Span>,
    /// Spans that began before this were seen before all their servers were, in microseconds.
    followed_since_us: u64,
    ended: Option<SinkEnd>,
}

impl Sampler<'_> {
    fn goes_on(&self) -> bool {
        self.found.rounds < ROUNDS_MAX
            && self.watched < self.options.lasting
            && self.began.elapsed() < self.options.lasting + ARMING_MAX
            && self.settled() < self.options.calls
    }

    /// Switches tracing on, waits for enough, and off; whether it may be done again.
    async fn round(
        &mut self,
        stop: &mut (impl Future<Output = ()> + Unpin),
    ) -> Result<bool, Error> {
        self.found.rounds += 1;
        let messages_max =
            if self.found.rounds == 1 { FIRST_MESSAGES_MAX } else { self.messages_max };
        let sink =
            SinkLimits { messages_max, bytes_max: BYTES_MAX, message_bytes_max: MESSAGE_BYTES_MAX };
        let name = format!("spans of {}", self.options.function);
        let tracing =
            Tracing::start(self.link, self.keeper, TracingOptions { name, sink: Some(sink) });
        let tracing = tracing.await?;
        let mut seen = Seen::default();
        let armed = self.arm(&tracing).await;
        let since = Instant::now();
        let watched = match armed {
            Ok(()) => self.watch(&tracing, &mut seen, stop).await,
            Err(error) => Err(error),
        };
        self.watched += since.elapsed();
        self.found.changes.extend(tracing.stop().await);
        let goes_on = watched?;
        self.keep(seen);
        Ok(goes_on)
    }

    /// The impact meter: what a round took above the budget is waited for with nothing armed, as
    /// long as there is time. Whether nobody asked to stop.
    async fn rest(&mut self, stop: &mut (impl Future<Output = ()> + Unpin)) -> bool {
        let spent = spent(self.found.messages);
        let due = spent.div_f64(COST_SHARE_MAX).saturating_sub(self.watched);
        let rest = due.min(self.options.lasting.saturating_sub(self.watched));
        if rest.is_zero() || !self.goes_on() {
            return true;
        }
        self.watched += rest;
        self.found.rested += rest;
        tokio::select! {
            () = tokio::time::sleep(rest) => true,
            () = &mut *stop => false,
        }
    }

    async fn arm(&mut self, tracing: &Tracing) -> Result<(), Error> {
        let wanted: Vec<_> =
            self.boundaries.iter().map(|it| (it.clone(), boundary_spec(it.arity))).collect();
        let (armed, left_alone) = tracing.patterns(&wanted, Scope::Local).await?;
        for it in left_alone {
            if let Armable::Function(function) = it.what {
                note(&mut self.found.notes, format!("{function} is not watched: {}", it.why));
            }
        }
        self.found.boundaries = armed;
        let followed = self.found.followed.clone();
        if !followed.is_empty() && !self.found.servers_unseen {
            tracing.flags(Whom::Pids(&followed), &SERVING).await?;
        }
        let tracer = (!tracing.is_isolated()).then(|| Term::Pid(tracing.sink().clone()));
        let spec = entry_spec(&FLAGS, tracer);
        tracing.pattern(&self.options.function, spec, Scope::Meta).await?;
        Ok(())
    }

    async fn watch(
        &mut self,
        tracing: &Tracing,
        seen: &mut Seen,
        stop: &mut (impl Future<Output = ()> + Unpin),
    ) -> Result<bool, Error> {
        let since = Instant::now();
        let lasting = self.options.lasting.saturating_sub(self.watched);
        loop {
            let left = lasting.saturating_sub(since.elapsed());
            let stopped = tokio::select! {
                _ = tracing.ended(LOOK_EVERY.min(left)) => false,
                () = &mut *stop => true,
            };
            let batch = tracing.take().await?;
            let news = !batch.messages.is_empty();
            self.found.dropped += batch.dropped;
            seen.messages.extend(batch.messages);
            seen.ended = batch.ended;
            if news {
                self.look(tracing, seen).await?;
            }
            let enough = self.settled() + seen.settled() >= self.options.calls;
            let over = stopped || since.elapsed() >= lasting;
            if over || enough || seen.messages.len() >= HELD_MAX {
                return Ok(false);
            }
            match &seen.ended {
                Some(SinkEnd::Full) => return Ok(true),
                Some(end) => {
                    if *end == SinkEnd::Killed {
                        self.messages_max = (self.messages_max / 2).max(FIRST_MESSAGES_MAX);
                    }
                    note(
                        &mut self.found.notes,
                        format!("the sample of one round was lost: {end:?}"),
                    );
                    return Ok(true);
                }
                None => {}
            }
        }
    }

    /// Folds what came and follows whoever serves it.
    async fn look(&mut self, tracing: &Tracing, seen: &mut Seen) -> Result<(), Error> {
        let function = &self.options.function;
        seen.spans = spans(&seen.messages, function, &self.found.names);
        if self.found.servers_unseen {
            return Ok(());
        }
        let new = self.servers(&seen.spans).await;
        if new.is_empty() {
            return Ok(());
        }
        self.found.followed.extend(new.iter().cloned());
        if seen.ended.is_none() {
            tracing.flags(Whom::Pids(&new), &SERVING).await?;
            let batch = tracing.take().await?;
            self.found.dropped += batch.dropped;
            seen.messages.extend(batch.messages);
            seen.ended = batch.ended;
            let function = &self.options.function;
            seen.spans = spans(&seen.messages, function, &self.found.names);
        }
        seen.followed_since_us = seen.spans.iter().map(|it| it.began_us).max().unwrap_or(0);
        Ok(())
    }

    /// Processes that take a part of the time and are not followed yet.
    async fn servers(&mut self, spans: &[Span]) -> Vec<Pid> {
        let mut times: HashMap<Who, f64> = HashMap::new();
        for (who, us) in spans.iter().flat_map(Span::waits_for) {
            *times.entry(who.clone()).or_default() += us;
        }
        let all: f64 = spans.iter().flat_map(|it| &it.parts).map(|it| it.us).sum();
        times.retain(|_, us| *us > all * FOLLOWED_SHARE);
        let mut new = Vec::new();
        for who in times.into_keys() {
            let pid = match who {
                Who::Pid(pid) => Some(pid),
                Who::Name(name) => self.whereis(&name).await,
                Who::Remote(..) => None,
            };
            let known: HashSet<&Pid> = self.found.followed.iter().chain(&new).collect();
            let room = known.len() < FOLLOWED_MAX;
            if let Some(pid) = pid
                && room
                && !known.contains(&pid)
                && pid.node.as_str() == self.link.connection().peer().name.as_str()
            {
                new.push(pid);
            }
        }
        new
    }

    /// A name that the node itself told, so that none becomes an atom.
    async fn whereis(&mut self, name: &str) -> Option<Pid> {
        if let Some(known) = self.found.names.get(name) {
            return Some(known.clone());
        }
        let asked = Bif::new("erlang", "whereis", [Term::atom(name.to_owned())]);
        let reply = self.link.ask("spans", &asked, HEAP_WORDS, Duration::ZERO).await.ok()?;
        let pid = Term::decode(&reply).ok()?.as_pid()?.clone();
        self.found.names.insert(name.to_owned(), pid.clone());
        Some(pid)
    }

    /// Takes over what a round saw. Calls whose servers were not all followed count only as long
    /// as there are no others.
    fn keep(&mut self, seen: Seen) {
        let bytes: usize = seen.messages.iter().map(Vec::len).sum();
        self.found.messages += u64::try_from(seen.messages.len()).unwrap_or(u64::MAX);
        self.found.bytes += u64::try_from(bytes).unwrap_or(u64::MAX);
        self.found.cycles.extend(cycles(&seen.messages, &self.options.function, &self.found.names));
        // A round that fills up with what servers do before anybody calls brings no call: what an
        // earlier one saw stays.
        let is_settled = !self.found.servers_unseen
            && (seen.settled() > 0 || (seen.followed_since_us == 0 && !self.is_provisional));
        let is_lost = self.is_provisional && seen.spans.is_empty() && seen.ended.is_some();
        self.without_calls = if is_lost { self.without_calls + 1 } else { 0 };
        if self.without_calls == WITHOUT_CALLS_MAX {
            self.found.servers_unseen = true;
            let text = "those that serve do so much that no call is seen beside them: what they rest \
                        on themselves is not told";
            note(&mut self.found.notes, text.to_owned());
        }
        if is_settled {
            if self.is_provisional || seen.followed_since_us > 0 {
                self.found.spans.clear();
            }
            self.is_provisional = false;
            let since = seen.followed_since_us;
            self.found.spans.extend(seen.spans.into_iter().filter(|it| it.began_us > since));
        } else {
            self.is_provisional = true;
            self.found.spans.extend(seen.spans);
        }
    }

    fn settled(&self) -> usize {
        if self.is_provisional { 0 } else { whole(&self.found.spans) }
    }
}

impl Seen {
    /// Whole calls whose servers were all followed.
    fn settled(&self) -> usize {
        let its = self.spans.iter().filter(|it| it.began_us > self.followed_since_us);
        its.filter(|it| it.end != End::Cut).count()
    }
}

fn spent(messages: u64) -> Duration {
    MESSAGE_COST.saturating_mul(u32::try_from(messages).unwrap_or(u32::MAX))
}

fn whole(spans: &[Span]) -> usize {
    spans.iter().filter(|it| it.end != End::Cut).count()
}

fn note(notes: &mut Vec<String>, text: String) {
    if notes.len() < 20 && !notes.contains(&text) {
        notes.push(text);
    }
}

fn not_resolved(error: NotResolved) -> Error {
    match error {
        NotResolved::Node(error) => error,
        NotResolved::TooMany(text) => Error::new(ErrorKind::Request, text),
    }
}

/// What was spent on things that a trace names only by handles.
impl SpanSample {
    /// Estimate of what the trace cost the node meanwhile, of one core, 0 to 1.
    pub fn cost_share(&self) -> f64 {
        let window = self.window.as_secs_f64().max(f64::MIN_POSITIVE);
        (spent(self.messages).as_secs_f64() / window).min(1.0)
    }

    /// All things of the sample, each once.
    pub fn things(&self) -> Vec<Thing> {
        let parts = self.spans.iter().flat_map(|it| &it.parts);
        let mut found: Vec<Thing> = Vec::new();
        let mut known = HashSet::new();
        for it in parts.flat_map(|it| it.via.iter().chain([&it.thing])) {
            if known.insert(it) {
                found.push(it.clone());
            }
        }
        found
    }
}
