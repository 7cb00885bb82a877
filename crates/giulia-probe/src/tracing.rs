//! Tracing: counters on functions and messages about calls, all of it through the keeper.
//!
//! Question: none of its own; it arms what others ask about, reads counters and hands messages out.
//!
//! Protocol: from OTP 27 on one isolated session named `giulia`, whose handle the custodian holds
//! and with which everything goes. Before, `erlang:trace_pattern/3` with the exact function or
//! module and the exact kind, each undoing told to the sentinel before, and flags on processes that
//! the VM forgets when their tracer, the sink (`erl/keep.erl`), ends. What somebody else traces or
//! counts there is never touched and is named ([`NotArmed`]).
//!
//! Cost: arming waits for every scheduler thread, 0.1 ms a module on a quiet node and 40 ms on a
//! starved one: before OTP 27 the first call is timed and no more is armed than fits into a second.
//! A counter is 5 to 28 ns a call; flags on a process with a pattern are 0.5 us a message and more.
//!
//! Limit: requests below 64 KiB, messages up to [`SinkLimits`]; a sample that is whole ends the
//! tracer, whereby the VM drops its flags at once.
//!
//! Side effects: none that last. A Tracing that is dropped instead of stopped loses its flags at
//! once; its patterns stay until its keeper ends. Counters are never restarted (a bug of the VM
//! may crash it), and `all` processes are never named.

mod arming;
mod foreign;
mod leftover;
mod letting_go;
mod reading;
mod refusal;
mod sink;
mod whom;

use std::{
    collections::HashSet,
    sync::{Arc, PoisonError},
    time::Duration,
};

use giulia_dist::{
    Error, ErrorKind,
    term::{Pid, Term},
};
use giulia_model::{ArmedPattern, Mfa, Restored};
use tokio::sync::Mutex;

use crate::{
    Keeper, KeptChange, Link, Step, Steps, Undo,
    answer::Bif,
    eval::{self, Form},
    gates,
    keeper::setting,
    link::HEAP_WORDS,
};
use letting_go::{LetGo, Part};
use sink::Sink;

pub use arming::{Armed, NotArmed, WhyNot};
pub use foreign::{Foreign, ForeignFunction, ForeignProcess, foreign};
pub use leftover::{Ledger, all_armed, disarm_left, leaves_patterns, still_armed};
pub use reading::{Counted, ProcessCount, Reading};
pub use refusal::refused;
pub use sink::{Batch, SinkEnd, SinkLimits};
pub use whom::{Flagged, LeftAlone, Whom};

/// What is armed on a node, and the tracer that receives what it says.
#[derive(Debug)]
pub struct Tracing {
    link: Link,
    keeper: Arc<Keeper>,
    name: String,
    /// The handle of the session, where there are sessions.
    session: Option<Term<'static>>,
    sink: Mutex<Sink>,
    sink_pid: Pid,
    /// What is armed and what is paused, to arm nothing of ours a second time.
    armed: std::sync::Mutex<HashSet<(Armable, Kind)>>,
    paused: std::sync::Mutex<HashSet<(Armable, Counter)>>,
    /// Counters of calls by what undoes them, before OTP 27, and those that are another's by now.
    parts: std::sync::Mutex<Vec<Part>>,
    let_go: std::sync::Mutex<LetGo>,
    /// What is in the ledger of the link.
    written: std::sync::Mutex<Vec<ArmedPattern>>,
}

/// How to start one.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "whoever traces chooses all of them")]
pub struct TracingOptions {
    /// Under which it is in the manifest; one of a name at a time.
    pub name: String,
    /// How many messages are kept; none where only counters are wanted.
    pub sink: Option<SinkLimits>,
}

/// What can carry a counter.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[expect(clippy::exhaustive_enums, reason = "there is nothing else")]
pub enum Armable {
    /// All functions of a module, private ones too, with one call.
    Module(String),
    /// One function.
    Function(Mfa),
}

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "the VM has no others")]
pub enum Counter {
    /// `call_count`: calls of everyone, exact.
    Calls,
    /// `call_time`: own CPU time, of processes with the flag `call`.
    Time,
    /// `call_memory`: words allocated, of processes with the flag `call`. OTP 26.
    Memory,
}

/// From whom a pattern sends messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "global patterns are not used")]
pub enum Scope {
    /// `local`: from processes with the flag `call`.
    Local,
    /// `meta`: from whoever calls.
    Meta,
}

/// What a function can be armed with, for the check whether it is so already.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Kind {
    Counter(Counter),
    Pattern(Scope),
}

/// Each with its undoing, which has a form of 1 KB: together far below 64 KB.
const PATTERNS_AT_ONCE: usize = 16;

impl Tracing {
    /// Starts a tracer and, from OTP 27, a session; nothing is traced yet.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Request`] when the keeper holds something of this name; those of a keeper that
    /// is gone or of a node that starts no process.
    pub async fn start(
        link: &Link,
        keeper: &Arc<Keeper>,
        options: TracingOptions,
    ) -> Result<Self, Error> {
        let TracingOptions { name, sink } = options;
        if keeper.holds(&name) {
            let text = format!("{name} is switched on already; stop it first");
            return Err(Error::new(ErrorKind::Request, text));
        }
        let sink = Sink::start(link.connection(), sink.unwrap_or(SinkLimits::FEW)).await?;
        let sink_pid = sink.pid().clone();
        keeper.end_first(&sink_pid).await?;
        let mut session = None;
        if gates::off(link.erts(), gates::SESSIONS).is_none() {
            let part =
                Steps { name: name.clone(), ..setting::session(&Term::Pid(sink_pid.clone())) };
            session = keeper.extend(part).await?.pop();
        }
        Ok(Self {
            link: link.clone(),
            keeper: Arc::clone(keeper),
            name,
            session,
            sink: Mutex::new(sink),
            sink_pid,
            armed: std::sync::Mutex::default(),
            paused: std::sync::Mutex::default(),
            parts: std::sync::Mutex::default(),
            let_go: std::sync::Mutex::default(),
            written: std::sync::Mutex::default(),
        })
    }

    /// Whether nobody else's tracing can meet ours: OTP 27 and later.
    pub fn is_isolated(&self) -> bool {
        self.session.is_some()
    }

    /// Whether what it armed is still held, as far as we were told.
    pub fn is_held(&self) -> bool {
        self.keeper.holds(&self.name)
    }

    /// The tracer, for match specifications that name it.
    pub fn sink(&self) -> &Pid {
        &self.sink_pid
    }

    /// Messages that came since the last call.
    ///
    /// # Errors
    ///
    /// Those of a connection that ended, or a node that does not answer in time; what came is then
    /// in the next batch.
    pub async fn take(&self) -> Result<Batch, Error> {
        self.sink.lock().await.take().await
    }

    /// Waits until the tracer has ended: the sample is whole, and [`Tracing::take`] has it.
    pub async fn ended(&self, within: Duration) -> Option<SinkEnd> {
        self.sink.lock().await.ended(within).await
    }

    /// Makes a pattern on one function and returns how many it matched: 1, or 0 where there is no
    /// such function. `true` as a match specification is the empty one.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Request`] for a function that is [`refused`] or that somebody else traces;
    /// [`ErrorKind::VersionUnsupported`] where a bug of the VM forbids it; those of a keeper.
    pub async fn pattern(
        &self,
        function: &Mfa,
        match_spec: Term<'static>,
        scope: Scope,
    ) -> Result<u64, Error> {
        if let Some(why) = refused(function) {
            let text = format!("no messages about {function}: {why}; count it instead");
            return Err(Error::new(ErrorKind::Request, text));
        }
        if self.is_isolated() {
            self.permitted(gates::SESSION_SPECS)?;
        }
        let what = Armable::Function(function.clone());
        let (_, taken) = self.free(std::slice::from_ref(&what), Kind::Pattern(scope)).await?;
        if let Some(NotArmed { why, .. }) = taken.first() {
            let text = format!("{function} is left alone: {why}");
            return Err(Error::new(ErrorKind::Request, text));
        }
        let match_spec = if match_spec.is_atom("true") { Term::Nil } else { match_spec };
        self.write_down(std::slice::from_ref(&what), Kind::Pattern(scope), Some(&match_spec))?;
        let steps = self.pattern_steps(&what, match_spec, scope);
        let made = self.keeper.extend(steps).await?;
        lock(&self.armed).insert((what, Kind::Pattern(scope)));
        Ok(made.first().and_then(Term::as_int).and_then(|it| u64::try_from(it).ok()).unwrap_or(0))
    }

    /// Makes many patterns, each on one function, with few questions; how many functions they
    /// matched, and those that are left alone.
    ///
    /// # Errors
    ///
    /// As [`Tracing::pattern`], but what cannot be armed for itself is in the answer.
    pub async fn patterns(
        &self,
        wanted: &[(Mfa, Term<'static>)],
        scope: Scope,
    ) -> Result<(u64, Vec<NotArmed>), Error> {
        if self.is_isolated() {
            self.permitted(gates::SESSION_SPECS)?;
        }
        let may = wanted.iter().filter(|(function, _)| refused(function).is_none());
        let may: Vec<Armable> =
            may.map(|(function, _)| Armable::Function(function.clone())).collect();
        let (free, mut not) = self.free(&may, Kind::Pattern(scope)).await?;
        for (function, _) in wanted {
            if let Some(why) = refused(function) {
                let what = Armable::Function(function.clone());
                not.push(NotArmed { what, why: WhyNot::Refused(why.to_owned()) });
            }
        }
        let free: HashSet<Armable> = free.into_iter().collect();
        let specs = wanted.iter().map(|(it, spec)| (Armable::Function(it.clone()), spec));
        let specs: Vec<_> = specs.filter(|(it, _)| free.contains(it)).collect();
        let mut matched = 0_u64;
        for part in specs.chunks(PATTERNS_AT_ONCE) {
            let mut together =
                Steps { name: self.name.clone(), apply: Vec::new(), undo: Undo::None };
            for (what, spec) in part {
                let Steps { apply, undo, .. } = self.pattern_steps(what, (*spec).clone(), scope);
                together.apply.extend(apply);
                together.undo = match (together.undo, undo) {
                    (Undo::Told(mut all), Undo::Told(its)) => {
                        all.extend(its);
                        Undo::Told(all)
                    }
                    (_, its) => its,
                };
            }
            let made = self.keeper.extend(together).await?;
            let counts = made.iter().filter_map(Term::as_int);
            matched += counts.filter_map(|it| u64::try_from(it).ok()).sum::<u64>();
            let now = part.iter().map(|(it, _)| (it.clone(), Kind::Pattern(scope)));
            lock(&self.armed).extend(now);
        }
        Ok((matched, not))
    }

    /// Undoes all of it, tracer first, then patterns, then the session; what became of it.
    pub async fn stop(self) -> Vec<KeptChange> {
        let exit = [Term::Pid(self.sink_pid.clone()), Term::atom("kill")];
        let exit = Bif::new("erlang", "exit", exit);
        // Where it fails the custodian is gone too, and has done it; so for what follows.
        drop(self.link.ask_soon("tracing", &exit, HEAP_WORDS).await);
        drop(self.keeper.release(&self.name).await);
        let mut changes = self.keeper.changes();
        changes.retain(|it| it.name == self.name);
        if changes.iter().all(|it| it.restored == Restored::Yes) {
            self.written_off();
        }
        changes
    }

    fn pattern_steps(&self, what: &Armable, match_spec: Term<'static>, scope: Scope) -> Steps {
        let (item, kind) = match scope {
            Scope::Local => ("match_spec", Term::atom("local")),
            Scope::Meta => ("meta_match_spec", Term::atom("meta")),
        };
        let kinds = Term::list([kind.clone()]);
        let (apply, undo) = if let Some(session) = &self.session {
            let args = vec![session.clone(), what.pattern(), match_spec, kinds];
            (Step::new("trace", "function", args), Undo::None)
        } else {
            let told = match scope {
                Scope::Local => kind,
                Scope::Meta => Term::tuple([kind, Term::Pid(self.sink_pid.clone())]),
            };
            let args = vec![what.pattern(), match_spec.clone(), Term::list([told])];
            let back = Term::list([what.pattern(), Term::boolean(false), kinds]);
            let ours = Term::list([match_spec]);
            let back = still_ours(what.pattern(), (item, ours), "trace_pattern", back);
            (Step::new("erlang", "trace_pattern", args), Undo::Told(vec![back]))
        };
        Steps { name: self.name.clone(), apply: vec![apply], undo }
    }

    /// Evaluates a form in the custodian, as a step that needs no undoing or is told one.
    async fn evaluate(
        &self,
        form: Form,
        argument: Term<'static>,
        undo: Undo,
    ) -> Result<Term<'static>, Error> {
        self.evaluate_by(form, argument, undo).await.map(|(_, told)| told)
    }

    /// The same, with the number of the part, by which its undoing can be replaced.
    async fn evaluate_by(
        &self,
        form: Form,
        argument: Term<'static>,
        undo: Undo,
    ) -> Result<(u64, Term<'static>), Error> {
        let steps = Steps { name: self.name.clone(), apply: vec![evaluated(form, argument)], undo };
        let (id, mut told) = self.keeper.extend_by(steps).await?;
        match told.pop() {
            Some(Term::List(mut values)) if values.len() == 1 => {
                Ok((id, values.pop().unwrap_or(Term::Nil)))
            }
            other => Err(crate::answer::unexpected(&other.unwrap_or(Term::Nil)).into()),
        }
    }

    /// Whether a bug of this ERTS forbids it.
    fn permitted(&self, feature: &str) -> Result<(), Error> {
        match gates::off(self.link.erts(), feature) {
            Some(why) => Err(Error::new(
                ErrorKind::VersionUnsupported,
                format!("{feature} is off on this node (ERTS {}): {why}", self.link.erts()),
            )),
            None => Ok(()),
        }
    }

    fn holds(&self, what: &Armable, kind: Kind) -> bool {
        lock(&self.armed).contains(&(what.clone(), kind))
    }
}

impl Armable {
    /// As the VM takes it.
    fn pattern(&self) -> Term<'static> {
        let any = || Term::atom("_");
        match self {
            Self::Module(module) => Term::tuple([Term::atom(module.clone()), any(), any()]),
            Self::Function(mfa) => mfa_term(mfa),
        }
    }

    /// Its module.
    pub fn module(&self) -> &str {
        match self {
            Self::Module(module) => module,
            Self::Function(mfa) => &mfa.module,
        }
    }
}

impl std::fmt::Display for Armable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Module(module) => f.write_str(module.strip_prefix("Elixir.").unwrap_or(module)),
            Self::Function(mfa) => mfa.fmt(f),
        }
    }
}

impl Counter {
    /// As the VM calls it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Calls => "call_count",
            Self::Time => "call_time",
            Self::Memory => "call_memory",
        }
    }
}

pub(crate) fn mfa_term(mfa: &Mfa) -> Term<'static> {
    Term::tuple([
        Term::atom(mfa.module.clone()),
        Term::atom(mfa.function.clone()),
        Term::int(mfa.arity),
    ])
}

fn evaluated(form: Form, argument: Term<'static>) -> Step {
    let call = form.with(argument);
    Step::new(call.module, call.function, call.args)
}

/// A call of `erlang`'s that is made only while `trace_info` says one of these.
fn still_ours(
    what: Term<'static>,
    (item, ours): (&str, Term<'static>),
    function: &str,
    args: Term<'static>,
) -> Step {
    let item = Term::atom(item.to_owned());
    let function = Term::atom(function.to_owned());
    let told = [what, item, ours, Term::atom("erlang"), function, args];
    evaluated(eval::UNPATTERN, Term::tuple(told))
}

fn lock<T>(mutex: &std::sync::Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
