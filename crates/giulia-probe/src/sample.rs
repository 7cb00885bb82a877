//! Bounded samples of calls: with what, what came of it, from where, and which took long.
//!
//! Question: what do a few calls of these functions look like, closely?
//!
//! Protocol: a pattern on each function and flags on a bounded set of processes, all through
//! [`Tracing`]. The match specification decides before a call whether it fits, takes of it only what
//! is asked (`arity` always; arguments as types and sizes, made by the VM itself), and with
//! `disable_trace` takes the flag from its process at once, so that each sends one message a round,
//! however often it calls. A process that has sent is given its flag again while more is wanted.
//! Where ends of calls are asked for, callers are found that way first, and at most ten of them
//! are followed.
//!
//! Cost: a flagged process pays 0.5 us for the message it sends; everyone pays 3-6 ns for each call
//! of a function with a pattern while the sample lasts.
//!
//! Limit: 5,000 processes, a thousand calls; what a tracer may hold ([`SinkLimits`]), with which it
//! ends, and all flags with it. Values and returns are copied whole, so only of processes with less
//! than 1 MB of heap, and of new ones only where those are asked for by name.
//!
//! Side effects: none that last. Ends of calls (`exception_trace`) put a frame on the stack for each
//! open call, so functions that call themselves in tail position are refused, and no more than the
//! tracer's messages can be put there.

mod choose;
mod match_spec;
mod messages;
mod plan;
mod sketch;

use std::{
    collections::{BTreeSet, HashMap},
    fmt,
    sync::Arc,
    time::{Duration, Instant},
};

use giulia_dist::{
    Error, ErrorKind,
    term::{Pid, Term},
};
use giulia_model::{
    CallPattern, CallSample, CallerShare, Durations, LeftAlone, Mfa, NotSeen, SampleEnd,
    SampleKind, SampledProcesses, Samples,
};

use crate::{
    Keeper, Link,
    answer::{self, Bif, Problem},
    eval, gates,
    link::HEAP_WORDS,
    paged,
    tracing::{Flagged, Scope, SinkEnd, SinkLimits, Tracing, TracingOptions, Whom, foreign},
};
use choose::{Chosen, chosen};
use messages::Calls;

pub use choose::Who;
pub use match_spec::{CannotCompile, Heads};
pub use plan::{SamplePlan, plan_sample};

/// A function whose calls are looked at.
#[derive(Debug, Clone, PartialEq)]
#[expect(clippy::exhaustive_structs, reason = "whoever samples chooses both")]
pub struct SampledFunction {
    /// Which.
    pub function: Mfa,
    /// Which calls of it; all without one.
    pub pattern: Option<CallPattern>,
}

/// What to sample.
#[derive(Debug, Clone, PartialEq)]
#[expect(clippy::exhaustive_structs, reason = "whoever samples chooses all of them")]
pub struct SampleOptions {
    /// What of each call.
    pub kind: SampleKind,
    /// How many calls. 1 to 1,000.
    pub wanted: usize,
    /// Show values in place of shapes.
    pub values: bool,
    /// Whose calls; all processes' and those of new ones where nobody is named.
    pub whom: Vec<Who>,
    /// How long to wait for them.
    pub within: Duration,
}

/// Tells which functions of a module, from the bytes of its `.beam` file, call themselves in tail
/// position, directly or through others.
pub type Loops<'a> = dyn Fn(&[u8]) -> Result<Vec<(String, u32)>, String> + Send + Sync + 'a;

/// Between two looks at what came: each gives those that sent a message their flag again.
const ROUND: Duration = Duration::from_millis(25);
/// Processes that are followed through whole calls; each sends two messages a call, as fast as it
/// calls, until the tracer has its turn. Fifty of them, each with a million calls a second, were
/// more than its heap limit of 24 MB on every OTP.
const FOLLOWED_MAX: usize = 10;
/// Heap of a process whose values may be copied, in words of 8 bytes: 1 MB. Ten of them at once are
/// 10 MB, half of what the tracer may take.
const HEAP_WORDS_MAX: u64 = 131_072;
/// Messages of one round about slow calls, two a call: with 500 bytes each a tenth of the tracer's
/// heap limit, whatever comes before it runs.
const SLOW_MESSAGES_MAX: usize = 4_000;
/// Between two such rounds, so that a hot function is left alone for most of the time.
const SLOW_PAUSE: Duration = Duration::from_millis(200);
/// How much a tracer holds of a sample.
const BYTES_MAX: usize = 2 << 20;
/// Of one message: a shape of many arguments has 3 KB.
const MESSAGE_BYTES_MAX: usize = 64 << 10;
/// A specification that travels twice in one request of at most 64 KiB.
const SPEC_BYTES_MAX: usize = 16 << 10;
/// Processes that are named as left alone.
const LEFT_ALONE_MAX: usize = 50;

/// Processes of other tools that a pattern is told to pass over.
const OTHERS_MAX: u8 = 50;

const FLAGS: [&str; 3] = ["call", "arity", "monotonic_timestamp"];

/// Whether somebody asked to stop; what was seen until then is the answer.
pub type Stopped<'a> = dyn Fn() -> bool + Send + Sync + 'a;

/// Looks at calls until there are enough, the time is up, or somebody asks to stop.
///
/// # Errors
///
/// [`giulia_dist::ErrorKind::Request`] when there is nobody to ask;
/// [`giulia_dist::ErrorKind::VersionUnsupported`] where a bug of the VM forbids flags on processes;
/// those of a keeper or a connection that is gone.
pub async fn sample(
    link: &Link,
    keeper: &Arc<Keeper>,
    functions: &[SampledFunction],
    options: &SampleOptions,
    (loops, stopped): (&Loops<'_>, &Stopped<'_>),
) -> Result<Samples, Error> {
    let mut sampler = Sampler {
        link,
        keeper: Some(keeper),
        options,
        stopped,
        has_structs: has_structs(link).await?,
        others: Vec::new(),
        left_alone: Vec::new(),
        not_seen: Vec::new(),
    };
    sampler.look_for_others().await?;
    let targets = sampler.targets(functions, loops).await?;
    let mut whom = chosen(link, &options.whom).await?;
    whom.pids.retain(|it| !sampler.others.contains(it));
    let asked_for_new = options.whom.contains(&Who::New);
    let (total, asked) = (whom.total, whom.pids.len());
    if options.kind.has_ends() && !targets.is_empty() {
        whom = sampler.callers_of(&targets, whom).await?;
    }
    if options.kind.has_ends() || options.values {
        whom = sampler.only_small(whom, asked_for_new).await?;
    }
    let new_too = whom.new_too;
    let taken = sampler.take(&targets, whom).await?;
    let functions = targets.into_iter().map(|it| it.function).collect();
    let mut told = sampler.answer(functions, taken).await;
    told.processes.total = count(total);
    told.processes.asked = count(asked);
    told.processes.new_too = new_too;
    Ok(told)
}

/// A function with what is asked before its calls.
struct Target {
    function: Mfa,
    heads: Heads,
}

/// What a tracer had to say.
struct Taken {
    calls: Vec<(Pid, CallSample)>,
    durations_us: Vec<u64>,
    window: Duration,
    ended: SampleEnd,
    too_large: u64,
}

struct Sampler<'a> {
    link: &'a Link,
    /// None where it is only planned.
    keeper: Option<&'a Arc<Keeper>>,
    options: &'a SampleOptions,
    stopped: &'a Stopped<'a>,
    /// Processes whose calls other tools trace, where a pattern of ours would speak to theirs.
    others: Vec<Pid>,
    /// Whether the node knows Elixir's structs.
    has_structs: bool,
    left_alone: Vec<LeftAlone>,
    not_seen: Vec<NotSeen>,
}

impl Sampler<'_> {
    /// Before OTP 27 a pattern is one for all tracers: it would send messages to those of others,
    /// and take flags from their processes. So it must not fit calls of those.
    async fn look_for_others(&mut self) -> Result<(), Error> {
        if gates::off(self.link.erts(), gates::SESSIONS).is_none() {
            return Ok(());
        }
        let asked = eval::TRACED.with(Term::tuple([Term::int(OTHERS_MAX + 1)]));
        let reply = self.link.ask("tracers", &asked, HEAP_WORDS * 2, Duration::ZERO).await?;
        let told = answer::list(Term::decode(&reply).map_err(Problem::from)?)?;
        let told = told.first().and_then(Term::as_tuple).unwrap_or_default();
        let found = told.get(1).and_then(Term::as_list).unwrap_or_default();
        for it in found {
            let Some([Term::Pid(pid), tracer, flags]) = it.as_tuple() else { continue };
            let flags: Vec<&str> =
                flags.as_list().unwrap_or_default().iter().filter_map(Term::as_atom).collect();
            if !flags.contains(&"call") {
                continue;
            }
            let refused = |why: &str| {
                let text = format!(
                    "another tool ({tracer}) traces calls of {}, {why}, and before OTP 27 our \
                     messages would go to it too; wait until it has finished, or count in place \
                     of sampling",
                    pid.local()
                );
                Err(Error::new(ErrorKind::Request, text))
            };
            if flags.iter().any(|it| it.starts_with("set_on_")) {
                return refused("and of processes that it starts");
            }
            if self.others.len() >= usize::from(OTHERS_MAX) {
                return refused("and of many more");
            }
            self.others.push(pid.clone());
            self.leave(vec![pid.clone()], &format!("another tool traces it: {tracer}"));
        }
        Ok(())
    }

    /// Functions that can be asked; of the others it is said why not.
    async fn targets(
        &mut self,
        functions: &[SampledFunction],
        loops: &Loops<'_>,
    ) -> Result<Vec<Target>, Error> {
        let atoms = functions.iter().filter_map(|it| it.pattern.as_ref());
        let atoms: BTreeSet<&str> = atoms.flat_map(CallPattern::atoms).collect();
        let missing = missing_atoms(self.link, atoms).await?;
        let mut targets = Vec::new();
        let mut looping = HashMap::new();
        for SampledFunction { function, pattern } in functions {
            if self.options.kind.has_ends() {
                let module = function.module.as_str();
                if !looping.contains_key(module) {
                    let found = match bytecode(self.link, module).await {
                        Ok(bytes) => loops(&bytes),
                        Err(problem) => Err(problem.to_string()),
                    };
                    looping.insert(module.to_owned(), found);
                }
                if let Some(why) = looping.get(module).and_then(|it| refusal(it, function)) {
                    self.unseen(function, &why);
                    continue;
                }
            }
            let arity = usize::try_from(function.arity).unwrap_or(usize::MAX);
            let heads = match pattern {
                None => Ok(Heads::any(arity)),
                Some(it) => match it.atoms().into_iter().find(|it| missing.contains(*it)) {
                    Some(atom) => {
                        Err(format!("`{atom}` is no atom on this node, so no call there can match"))
                    }
                    None => Heads::compile(it, self.link.erts()).map_err(|it| it.to_string()),
                },
            };
            match heads {
                Ok(heads) => targets.push(Target { function: function.clone(), heads }),
                Err(why) => self.unseen(function, &why),
            }
        }
        Ok(targets)
    }

    /// Who among the chosen calls the functions, found by one message each.
    async fn callers_of(&mut self, targets: &[Target], whom: Chosen) -> Result<Chosen, Error> {
        let most = FOLLOWED_MAX;
        if whom.pids.len() <= most {
            return Ok(whom);
        }
        let specs = self.specs_of_callers(targets);
        let limits = SinkLimits {
            messages_max: most * 4,
            bytes_max: BYTES_MAX,
            message_bytes_max: MESSAGE_BYTES_MAX,
        };
        let new_too = whom.new_too;
        let existing = Chosen { new_too: false, ..whom };
        let run = self.start("sample (who calls)", targets, &specs, limits).await?;
        let within = self.options.within / 4;
        self.flag(&run, &existing).await?;
        let began = Instant::now();
        let mut found = Vec::new();
        while began.elapsed() < within && found.len() < most && !(self.stopped)() {
            let end = run.ended(ROUND).await;
            let batch = run.take().await?;
            let mut calls = Calls::new(false, 1);
            found.extend(batch.messages.iter().filter_map(|it| calls.add(it)));
            if end.is_some() || batch.ended.is_some() {
                break;
            }
        }
        drop(run.stop().await);
        found.sort_by_key(|it| (it.id, it.serial));
        found.dedup();
        let functions: Vec<Mfa> = targets.iter().map(|it| it.function.clone()).collect();
        let (mut pids, standing) = choose::not_standing_on(self.link, found, &functions).await?;
        self.leave(standing, "it stands on the function itself, from which it never returns");
        pids.truncate(most);
        Ok(Chosen { total: pids.len(), pids, new_too })
    }

    /// One message of each process, which says nothing but that it called.
    fn specs_of_callers(&self, targets: &[Target]) -> Vec<Term<'static>> {
        let once = [call_of("message", Term::boolean(true)), once()];
        targets.iter().map(|it| it.heads.with(&once, &self.others)).collect()
    }

    /// Leaves out those whose values would be dear to copy.
    async fn only_small(&mut self, whom: Chosen, with_new: bool) -> Result<Chosen, Error> {
        let (pids, large) = choose::small(self.link, whom.pids, HEAP_WORDS_MAX).await?;
        self.leave(large, "its heap is above 1 MB, and values are copied whole");
        Ok(Chosen { pids, new_too: whom.new_too && with_new, ..whom })
    }

    /// The sample itself.
    async fn take(&mut self, targets: &[Target], mut whom: Chosen) -> Result<Taken, Error> {
        let SampleOptions { kind, wanted, values, within, .. } = *self.options;
        let mut calls = Calls::new(values, units_per_second(self.link).await?);
        let began = Instant::now();
        let nobody = whom.pids.is_empty() && !whom.new_too;
        if targets.is_empty() || nobody {
            let why = if nobody { "no process called it" } else { "nothing could be asked" };
            let ended = SampleEnd::Other(why.to_owned());
            let window = Duration::ZERO;
            let (calls, durations_us) = (Vec::new(), Vec::new());
            return Ok(Taken { calls, durations_us, window, ended, too_large: 0 });
        }
        let messages_max = match kind {
            SampleKind::Slow { .. } => SLOW_MESSAGES_MAX,
            SampleKind::Returns => wanted * 2 + 50,
            SampleKind::Arguments | SampleKind::Callers => wanted,
        };
        let limits =
            SinkLimits { messages_max, bytes_max: BYTES_MAX, message_bytes_max: MESSAGE_BYTES_MAX };
        let mut specs = Vec::new();
        for target in targets {
            specs.push(self.spec(&target.heads));
        }
        let until = began + within;
        let ended = loop {
            let run = self.start("sample", targets, &specs, limits).await?;
            let ended = self.round(&run, &whom, &mut calls, until).await;
            drop(run.stop().await);
            match (kind, ended?) {
                (SampleKind::Slow { from_us }, SampleEnd::Full) => {
                    calls.cut(from_us);
                    let left = until.saturating_duration_since(Instant::now());
                    tokio::time::sleep(SLOW_PAUSE.min(left)).await;
                }
                // Fewer of them say less at once.
                (SampleKind::Slow { from_us }, SampleEnd::Killed) if whom.pids.len() > 1 => {
                    calls.cut(from_us);
                    whom.pids.truncate(whom.pids.len() / 2);
                }
                (_, ended) => break ended,
            }
        };
        let (window, too_large) = (began.elapsed(), calls.too_large);
        let (calls, durations_us) = calls.finish(kind.has_ends());
        Ok(Taken { calls, durations_us, window, ended, too_large })
    }

    /// One tracer's life.
    async fn round(
        &mut self,
        run: &Tracing,
        whom: &Chosen,
        calls: &mut Calls,
        until: Instant,
    ) -> Result<SampleEnd, Error> {
        let SampleOptions { kind, wanted, .. } = *self.options;
        self.flag(run, whom).await?;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(SampleEnd::Time);
            }
            if (self.stopped)() {
                return Ok(SampleEnd::Stopped);
            }
            drop(run.ended(ROUND.min(left)).await);
            let batch = run.take().await?;
            let mut used: Vec<Pid> = batch.messages.iter().filter_map(|it| calls.add(it)).collect();
            let n = if kind.has_ends() { calls.len_ended() } else { calls.len() };
            if n >= wanted && !matches!(kind, SampleKind::Slow { .. }) {
                return Ok(SampleEnd::Whole);
            }
            match batch.ended {
                Some(SinkEnd::Full) => return Ok(SampleEnd::Full),
                Some(SinkEnd::Killed) => return Ok(SampleEnd::Killed),
                Some(end) => return Ok(SampleEnd::Other(format!("{end:?}"))),
                None => {}
            }
            if !kind.has_ends() && !used.is_empty() {
                used.sort_by_key(|it| (it.id, it.serial));
                used.dedup();
                // Who has ended since is none that is left alone.
                drop(run.flags(Whom::Pids(&used), &FLAGS).await);
            }
        }
    }

    /// What the VM does with a call that fits.
    fn spec(&self, heads: &Heads) -> Term<'static> {
        let mut spec = Term::Nil;
        // Of slow calls thousands come at once.
        let depths = if matches!(self.options.kind, SampleKind::Slow { .. }) { 0..1 } else { 0..2 };
        for depth in depths.rev() {
            spec = heads.with(&self.body(heads, depth), &self.others);
            if answer::encoded_bytes(&spec) <= SPEC_BYTES_MAX {
                break;
            }
        }
        spec
    }

    fn body(&self, heads: &Heads, depth: usize) -> Vec<Term<'static>> {
        let sketch = |idx| sketch::expression(&heads.argument(idx), self.has_structs, depth);
        let arguments = if self.options.kind == SampleKind::Callers {
            Term::Nil
        } else if self.options.values {
            Term::atom("$_")
        } else {
            Term::list((0..heads.arity()).map(sketch))
        };
        let caller = Term::tuple([Term::atom("caller")]);
        let told = Term::tuple([Term::tuple([arguments, caller])]);
        let then = match self.options.kind {
            SampleKind::Returns | SampleKind::Slow { .. } => {
                Term::tuple([Term::atom("exception_trace")])
            }
            SampleKind::Arguments | SampleKind::Callers => once(),
        };
        vec![call_of("message", told), then]
    }

    /// A tracer with a pattern on each function.
    async fn start(
        &mut self,
        name: &str,
        targets: &[Target],
        specs: &[Term<'static>],
        limits: SinkLimits,
    ) -> Result<Tracing, Error> {
        let options = TracingOptions { name: name.to_owned(), sink: Some(limits) };
        let Some(keeper) = self.keeper else {
            return Err(Problem("a plan arms nothing".to_owned()).into());
        };
        let run = Tracing::start(self.link, keeper, options).await?;
        for (target, spec) in targets.iter().zip(specs) {
            match run.pattern(&target.function, spec.clone(), Scope::Local).await {
                Ok(0) => self.unseen(&target.function, "the node has no such function (any more)"),
                Ok(_) => {}
                Err(error) => {
                    if self.link.connection().is_closed() {
                        return Err(error);
                    }
                    self.unseen(&target.function, &error.to_string());
                }
            }
        }
        Ok(run)
    }

    async fn flag(&mut self, run: &Tracing, whom: &Chosen) -> Result<(), Error> {
        let mut flagged = Flagged::default();
        if !whom.pids.is_empty() {
            flagged = run.flags(Whom::Pids(&whom.pids), &FLAGS).await?;
        }
        if whom.new_too
            && let Err(error) = run.flags(Whom::New, &FLAGS).await
        {
            let what = "calls of processes that begin in the window".to_owned();
            self.not_seen.push(NotSeen { what, why: error.to_string() });
        }
        let traced: Vec<Pid> = flagged.left_alone.iter().map(|it| it.pid.clone()).collect();
        let traced = traced.get(..traced.len().min(LEFT_ALONE_MAX)).unwrap_or_default();
        let others = foreign(self.link, &[], traced).await.unwrap_or_default().processes;
        let were_named = !self.options.whom.is_empty();
        for it in flagged.left_alone {
            // Of everybody, only those are told that another time would be asked.
            if !were_named && !it.is_traced() {
                continue;
            }
            let why = match others.iter().find(|other| other.pid == it.pid) {
                Some(other) => format!("{}: {}", it.why, other.tracer),
                None => it.why.to_owned(),
            };
            self.leave(vec![it.pid], &why);
        }
        Ok(())
    }

    async fn answer(self, functions: Vec<Mfa>, taken: Taken) -> Samples {
        let options = self.options;
        let mut not_seen = self.not_seen;
        if taken.too_large > 0 {
            not_seen.push(NotSeen {
                what: format!("{} messages", taken.too_large),
                why: format!("each is above {MESSAGE_BYTES_MAX} bytes"),
            });
        }
        let durations = Durations::of(taken.durations_us);
        let (mut calls, mut callers) = (taken.calls, Vec::new());
        match options.kind {
            SampleKind::Callers => {
                calls.truncate(options.wanted);
                callers = shares(&std::mem::take(&mut calls));
            }
            SampleKind::Slow { from_us } => {
                calls.retain(|(_, it)| it.duration_us.is_some_and(|it| it >= from_us));
                calls.sort_by_key(|(_, it)| std::cmp::Reverse(it.duration_us));
            }
            SampleKind::Arguments | SampleKind::Returns => {}
        }
        calls.truncate(options.wanted);
        let pids: Vec<Pid> = calls.iter().map(|(pid, _)| pid.clone()).collect();
        let known = paged::names(self.link, pids).await;
        let named = |(pid, it): (Pid, CallSample)| {
            let process = known.get(&pid).map(|it| it.0.clone());
            CallSample { process, ..it }
        };
        let left_alone_more = self.left_alone.len().saturating_sub(LEFT_ALONE_MAX);
        let left_alone = self.left_alone.into_iter().take(LEFT_ALONE_MAX).collect();
        Samples {
            node: self.link.connection().peer().name.to_string(),
            kind: options.kind,
            wanted: count(options.wanted),
            window_ms: taken.window.as_secs_f64() * 1000.0,
            values: options.values,
            functions,
            processes: SampledProcesses {
                left_alone,
                left_alone_more: count(left_alone_more),
                ..SampledProcesses::default()
            },
            calls: calls.into_iter().map(named).collect(),
            callers,
            durations,
            ended: taken.ended,
            not_seen,
        }
    }

    fn unseen(&mut self, function: &Mfa, why: &str) {
        let what = format!("calls of {function}");
        if !self.not_seen.iter().any(|it| it.what == what) {
            self.not_seen.push(NotSeen { what, why: why.to_owned() });
        }
    }

    fn leave(&mut self, pids: Vec<Pid>, why: &str) {
        let left =
            |pid: Pid| LeftAlone { pid: giulia_model::Pid(pid.local()), why: why.to_owned() };
        self.left_alone.extend(pids.into_iter().map(left));
    }
}

impl fmt::Debug for Sampler<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sampler").field("options", self.options).finish_non_exhaustive()
    }
}

/// Whether the node knows Elixir's structs.
async fn has_structs(link: &Link) -> Result<bool, Error> {
    Ok(!missing_atoms(link, ["__struct__"].into()).await?.contains("__struct__"))
}

/// Which of the atoms a node does not know.
async fn missing_atoms(link: &Link, atoms: BTreeSet<&str>) -> Result<BTreeSet<String>, Error> {
    let questions = atoms.iter().map(|it| {
        let args = [Term::binary(it.as_bytes().to_vec()), Term::atom("utf8")];
        Bif::new("erlang", "binary_to_existing_atom", args)
    });
    let questions: Vec<Bif> = questions.collect();
    let answers = link.ask_each("sample", &questions).await;
    if link.connection().is_closed() {
        return Err(Problem("the connection ended".to_owned()).into());
    }
    let missing = atoms.iter().zip(answers).filter(|(_, answer)| answer.is_err());
    Ok(missing.map(|(it, _)| (*it).to_owned()).collect())
}

/// Why ends of a function's calls are not asked for.
fn refusal(loops: &Result<Vec<(String, u32)>, String>, function: &Mfa) -> Option<String> {
    match loops {
        Ok(found) => {
            let is_it = |(name, arity): &(String, u32)| {
                *name == function.function && *arity == function.arity
            };
            found.iter().any(is_it).then(|| {
                "it calls itself in tail position, or ends in a function that does: a trace of its returns would \
                 keep each round on the stack; ask for --args or --callers"
                    .to_owned()
            })
        }
        Err(why) => Some(format!(
            "whether it is a loop cannot be told ({why}), and a trace of a loop's returns would \
             keep each round on the stack; ask for --args or --callers"
        )),
    }
}

/// A module's bytecode as its file is now: a read of the path that the code server knows.
async fn bytecode(link: &Link, module: &str) -> Result<Vec<u8>, Problem> {
    let which = Bif::new("code", "which", [Term::atom(module.to_owned())]);
    let reply = link.ask("bytecode", &which, HEAP_WORDS, Duration::ZERO).await?;
    let path = Term::decode(&reply)?;
    if path.as_list().is_some_and(|it| !it.is_empty()) {
        let read = Bif::new("prim_file", "read_file", [path.into_owned()]);
        let reply = link.ask("bytecode", &read, HEAP_WORDS, Duration::ZERO).await?;
        if let Some([ok, Term::Binary(bytes)]) = Term::decode(&reply)?.as_tuple()
            && ok.is_atom("ok")
        {
            return Ok(bytes.to_vec());
        }
    }
    // In an archive, or preloaded: the code server knows.
    let object = Bif::new("code", "get_object_code", [Term::atom(module.to_owned())]);
    let reply = link.ask("bytecode", &object, HEAP_WORDS, Duration::ZERO).await?;
    match Term::decode(&reply)?.as_tuple() {
        Some([_, Term::Binary(bytes), _]) => Ok(bytes.to_vec()),
        _ => Err(Problem("the node has no bytecode of its module".to_owned())),
    }
}

/// Units of the node's monotonic clock in a second.
async fn units_per_second(link: &Link) -> Result<i64, Problem> {
    let args = [Term::Int(1), Term::atom("second"), Term::atom("native")];
    let question = Bif::new("erlang", "convert_time_unit", args);
    let reply = link.ask("sample", &question, HEAP_WORDS, Duration::ZERO).await?;
    let term = Term::decode(&reply)?;
    term.as_int().ok_or_else(|| answer::unexpected(&term))
}

/// Where calls return to, most frequent first.
fn shares(calls: &[(Pid, CallSample)]) -> Vec<CallerShare> {
    let mut counts: HashMap<(&Mfa, Option<&Mfa>), u64> = HashMap::new();
    let mut totals: HashMap<&Mfa, u64> = HashMap::new();
    for (_, it) in calls {
        *counts.entry((&it.function, it.returns_to.as_ref())).or_default() += 1;
        *totals.entry(&it.function).or_default() += 1;
    }
    let mut shares = Vec::new();
    #[expect(clippy::iter_over_hash_type, reason = "sorted right after")]
    for ((function, returns_to), calls) in counts {
        #[expect(clippy::cast_precision_loss, reason = "at most a thousand calls")]
        let share = calls as f64 / totals.get(function).copied().unwrap_or(1).max(1) as f64;
        let (function, returns_to) = (function.clone(), returns_to.cloned());
        shares.push(CallerShare { function, returns_to, calls, share });
    }
    shares.sort_by(|a, b| {
        let key = |it: &CallerShare| (std::cmp::Reverse(it.calls), it.function.clone());
        key(a).cmp(&key(b)).then_with(|| a.returns_to.cmp(&b.returns_to))
    });
    shares
}

/// Takes the flag from the calling process.
fn once() -> Term<'static> {
    call_of("disable_trace", Term::atom("call"))
}

fn call_of(name: &'static str, argument: Term<'static>) -> Term<'static> {
    match_spec::call(name, [argument])
}

fn count(n: usize) -> u64 {
    u64::try_from(n).unwrap_or(u64::MAX)
}
