//! Looks at single calls: which table, which caller.
//!
//! A meta trace speaks for everyone who calls, short-lived processes among them, but its messages
//! carry the arguments. So only calls with small ones are told that way; each call flags its
//! process too, whose next calls with large ones are told without arguments by a local pattern. Of
//! a process that began with a large one, that first one is added; a process that makes a single
//! large call in a look is not seen. Where processes may not be flagged, functions that take
//! objects or patterns are not sampled at all. A look ends after a hundred calls: the tracer is
//! full and ends, and with it flags and meta trace.

use std::{
    collections::{BTreeMap, HashSet},
    sync::Arc,
    time::Duration,
};

use giulia_dist::{
    Error,
    term::{Pid, Term},
};
use giulia_model::{Mfa, NotSeen};
use tokio::time::Instant;

use super::{ByFunction, NAME, access, counting::Counts, estimate::Look};
use crate::{
    Keeper, SinkLimits, Tracing, TracingOptions,
    answer::{self, Bif},
    foreign, gates,
    link::Link,
    look,
    tracing::Scope,
};

/// Calls of a look. Their share of two tables is told to ten points; looks make it better.
const CALLS_A_LOOK: usize = 100;

/// Looks at all functions together: some 10 ms of round trips each, and where calls are frequent
/// some 2 ms in which each of them takes 1 us longer.
const LOOKS_MAX: usize = 120;

/// How long a look waits for its hundred calls.
const LOOK_MAX: Duration = Duration::from_millis(40);

/// Functions that are looked at one by one; the seldom called are looked at together.
const ALONE_MAX: usize = 6;
/// What is called more often is looked at alone: in 40 ms it fills half a look.
const ALONE_PER_SECOND: f64 = 1000.0;

/// Arguments up to this size, in bytes, travel with a call: a key that somebody types.
const SMALL_BYTES: i64 = 256;

/// Before OTP 27 nobody else's flags may be met, and everybody is asked.
const ASKED_MAX: usize = 20_000;

/// What the looks saw.
#[derive(Debug, Default)]
pub(super) struct Sampled {
    pub(super) of: ByFunction<Vec<Look>>,
    /// Tables by the keys that stand for them in looks.
    pub(super) tables: BTreeMap<String, Term<'static>>,
    pub(super) looks: u64,
    pub(super) elapsed_ms: f64,
}

/// How calls with large arguments are seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Large {
    /// By flags in a session of our own.
    Session,
    /// By flags that name their tracer: before OTP 27.
    Named,
    /// Not at all.
    No,
}

impl Sampled {
    pub(super) fn calls(&self) -> u64 {
        let calls: usize = self.of.values().flatten().map(Vec::len).sum();
        u64::try_from(calls).unwrap_or(u64::MAX)
    }
}

/// Looks at what is called, for so long.
pub(super) async fn sample(
    link: &Link,
    keeper: &Arc<Keeper>,
    counts: &Counts,
    window: Duration,
    not_seen: &mut Vec<NotSeen>,
) -> Result<Sampled, Error> {
    let mut sampled = Sampled::default();
    if let Some(why) = gates::off(link.erts(), gates::SESSION_SPECS) {
        let why = format!("match specifications are off on this ERTS ({}): {why}", link.erts());
        not_seen.push(NotSeen { what: "tables and callers".to_owned(), why });
        return Ok(sampled);
    }
    let large = large(link, not_seen).await?;
    let groups = groups(counts, large);
    let until = Instant::now() + window;
    for idx in 0..LOOKS_MAX {
        let Some(group) = groups.get(idx % groups.len().max(1)) else { break };
        let now = Instant::now();
        if now >= until {
            break;
        }
        let looked = look(link, keeper, group, (large, (until - now).min(LOOK_MAX))).await?;
        sampled.add(group, &looked, now.elapsed());
    }
    Ok(sampled)
}

/// What is looked at together: the busiest functions alone, the others in one.
fn groups(counts: &Counts, large: Large) -> Vec<Vec<Mfa>> {
    let mut called: Vec<(f64, Mfa)> = counts
        .functions
        .iter()
        .filter(|it| it.calls > 0 && access::takes_table(&it.function.function, it.function.arity))
        .filter(|it| large != Large::No || access::takes_keys_only(&it.function.function))
        .map(|it| (it.per_second(), it.function.clone()))
        .collect();
    called.sort_by(|one, other| other.0.total_cmp(&one.0));
    let alone = called.iter().take(ALONE_MAX).filter(|it| it.0 >= ALONE_PER_SECOND).count();
    let seldom: Vec<Mfa> = called.split_off(alone).into_iter().map(|(_, mfa)| mfa).collect();
    let alone = called.into_iter().map(|(_, mfa)| vec![mfa]);
    alone.chain([seldom].into_iter().filter(|it| !it.is_empty())).collect()
}

/// Whether processes may be flagged.
async fn large(link: &Link, not_seen: &mut Vec<NotSeen>) -> Result<Large, Error> {
    let mut refuse = |why: String| {
        let what = "tables and callers of functions that take objects or patterns".to_owned();
        not_seen.push(NotSeen { what, why });
        Ok(Large::No)
    };
    if let Some(why) = gates::off(link.erts(), gates::TRACE_FLAGS)
        && !link.accepts_vm_bug()
    {
        let erts = link.erts();
        return refuse(format!("trace flags on processes are off on this ERTS ({erts}): {why}"));
    }
    if gates::off(link.erts(), gates::SESSIONS).is_none() {
        return Ok(Large::Session);
    }
    // Who is traced cannot be asked there, however much of a bug is accepted.
    if gates::caution(link.erts()) != gates::Caution::None {
        let erts = link.erts();
        return refuse(format!(
            "before OTP 27 a process that another tool traces would be taken from it, and on this \
             ERTS ({erts}) asking each for its tracer is dangerous"
        ));
    }
    let answers = link.ask_each(NAME, &[Bif::new("erlang", "processes", [])]).await;
    let all = answer::list(answer::term(&answers, 0)?)?;
    let pids: Vec<Pid> = all.iter().filter_map(|it| it.as_pid().cloned()).collect();
    if pids.len() > ASKED_MAX {
        return refuse(format!(
            "before OTP 27 a process that another tool traces would be taken from it, and {} are \
             too many to ask each",
            pids.len()
        ));
    }
    // Measured on OTP 23 and 25: `{trace, [], [call, {{tracer, _}}]}` in a meta trace takes a
    // process from the tracer that it has.
    let others = foreign(link, &[], &pids).await?;
    if others.processes.is_empty() {
        Ok(Large::Named)
    } else {
        let n = others.processes.len();
        refuse(format!(
            "another tool traces {n} processes, which before OTP 27 could be taken from it"
        ))
    }
}

/// One look: calls of these functions until it is full or the time is over.
async fn look(
    link: &Link,
    keeper: &Arc<Keeper>,
    functions: &[Mfa],
    (large, within): (Large, Duration),
) -> Result<Vec<Vec<u8>>, Error> {
    let sink =
        SinkLimits { messages_max: CALLS_A_LOOK, bytes_max: 1 << 20, message_bytes_max: 4 << 10 };
    let options = TracingOptions { name: NAME.to_owned(), sink: Some(sink) };
    let tracing = Tracing::start(link, keeper, options).await?;
    let seen = seen(&tracing, keeper, functions, (large, within)).await;
    tracing.stop().await;
    seen
}

async fn seen(
    tracing: &Tracing,
    keeper: &Arc<Keeper>,
    functions: &[Mfa],
    (large, within): (Large, Duration),
) -> Result<Vec<Vec<u8>>, Error> {
    let never =
        [tracing.sink(), keeper.custodian(), keeper.sentinel()].map(|it| Term::Pid(it.clone()));
    for function in functions {
        if large != Large::No {
            let spec = told_without_arguments(function.arity, &never);
            tracing.pattern(function, spec, Scope::Local).await?;
        }
        let spec = told_with_arguments(function.arity, (large, tracing.sink()), &never);
        tracing.pattern(function, spec, Scope::Meta).await?;
    }
    drop(tracing.ended(within).await);
    Ok(tracing.take().await?.messages)
}

/// Calls whose arguments are small tell of themselves; all flag their process.
fn told_with_arguments(
    arity: u32,
    (large, sink): (Large, &Pid),
    never: &[Term<'static>],
) -> Term<'static> {
    let quiet = || call("message", [Term::boolean(false)]);
    let flags = || ["call", "arity"].map(Term::atom).into_iter();
    let flagged = match large {
        Large::No => None,
        Large::Session => Some(call("trace", [Term::Nil, Term::list(flags())])),
        Large::Named => {
            let sink = call("const", [Term::Pid(sink.clone())]);
            let tracer = Term::tuple([Term::tuple([Term::atom("tracer"), sink])]);
            Some(call("trace", [Term::Nil, Term::list(flags().chain([tracer]))]))
        }
    };
    let ours = excluded(never)
        .map(|guard| Term::tuple([head(arity), Term::list([guard]), Term::list([quiet()])]));
    // Where nobody may be flagged only keys are looked at, whatever they are.
    let guards = if flagged.is_some() { small(arity) } else { Vec::new() };
    let body = |told| Term::list([told].into_iter().chain(flagged.clone()));
    let small = Term::tuple([head(arity), Term::list(guards), body(told())]);
    let large = Term::tuple([head(arity), Term::Nil, body(quiet())]);
    Term::list(ours.into_iter().chain([small, large]))
}

/// The rest of the same calls, of processes that are flagged.
fn told_without_arguments(arity: u32, never: &[Term<'static>]) -> Term<'static> {
    let quiet = || Term::list([call("message", [Term::boolean(false)])]);
    let ours =
        excluded(never).map(|guard| Term::tuple([head(arity), Term::list([guard]), quiet()]));
    let small = Term::tuple([head(arity), Term::list(small(arity)), quiet()]);
    let large = Term::tuple([head(arity), Term::Nil, Term::list([told()])]);
    Term::list(ours.into_iter().chain([small, large]))
}

/// `{message, {{ {caller}, Table }}}`.
fn told() -> Term<'static> {
    let pair = Term::tuple([call("caller", []), Term::atom("$1")]);
    call("message", [Term::tuple([pair])])
}

/// A guard that lets ours through.
fn excluded(never: &[Term<'static>]) -> Option<Term<'static>> {
    let each = never.iter().map(|it| call("=:=", [call("self", []), it.clone()]));
    Some(call("orelse", each)).filter(|_| !never.is_empty())
}

fn head(arity: u32) -> Term<'static> {
    Term::list((1..=arity).map(variable))
}

/// That every argument behind the table is small: no list, no map, and no tuple with one.
fn small(arity: u32) -> Vec<Term<'static>> {
    (2..=arity).map(|idx| is_small(&|| variable(idx), true)).collect()
}

fn is_small(it: &dyn Fn() -> Term<'static>, with_tuples: bool) -> Term<'static> {
    let tests = ["is_atom", "is_number", "is_pid", "is_reference", "is_port"];
    let plain = tests.map(|test| call(test, [it()]));
    let size = || call("size", [it()]);
    let short =
        call("andalso", [call("is_binary", [it()]), call("=<", [size(), Term::int(SMALL_BYTES)])]);
    let mut any: Vec<Term<'static>> = plain.into_iter().chain([short]).collect();
    if with_tuples {
        const ELEMENTS_MAX: i64 = 4;
        let parts = (1..=ELEMENTS_MAX).map(|idx| {
            let element = || call("element", [Term::int(idx), it()]);
            let absent = call("<", [size(), Term::int(idx)]);
            call("orelse", [absent, is_small(&element, false)])
        });
        let few = [call("is_tuple", [it()]), call("=<", [size(), Term::int(ELEMENTS_MAX)])];
        any.push(call("andalso", few.into_iter().chain(parts)));
    }
    call("orelse", any)
}

fn variable(idx: u32) -> Term<'static> {
    Term::atom(format!("${idx}"))
}

fn call(name: &'static str, args: impl IntoIterator<Item = Term<'static>>) -> Term<'static> {
    Term::tuple([Term::atom(name)].into_iter().chain(args))
}

impl Sampled {
    fn add(&mut self, group: &[Mfa], messages: &[Vec<u8>], took: Duration) {
        self.looks += 1;
        self.elapsed_ms += took.as_secs_f64() * 1000.0;
        let mut seen: BTreeMap<Mfa, Look> = BTreeMap::new();
        let mut told: HashSet<(Mfa, String)> = HashSet::new();
        for it in messages.iter().filter_map(|it| read(it)) {
            let key = it.table.to_string();
            let look = seen.entry(it.function.clone()).or_default();
            // One that begins with a large call was flagged by another, which told nothing.
            let is_first = told.insert((it.function, it.who));
            if is_first && it.is_flagged {
                look.push((key.clone(), it.caller.clone()));
            }
            look.push((key.clone(), it.caller));
            self.tables.entry(key).or_insert(it.table);
        }
        for (function, look) in seen {
            if group.contains(&function) {
                self.of.entry(function).or_default().push(look);
            }
        }
    }
}

/// One call.
#[derive(Debug, Clone, PartialEq)]
struct Seen {
    function: Mfa,
    table: Term<'static>,
    caller: Option<Mfa>,
    who: String,
    /// Told by a process that is flagged: its arguments are large.
    is_flagged: bool,
}

/// `{trace | trace_ts, Pid, call, {M, F, Args | Arity}, {Caller, Table}, ...}`.
fn read(bytes: &[u8]) -> Option<Seen> {
    let term = Term::decode(bytes).ok()?;
    let [_, who, kind, what, told, ..] = term.as_tuple()? else { return None };
    if !kind.is_atom("call") {
        return None;
    }
    let [module, function, args] = what.as_tuple()? else { return None };
    let arity = match (args.as_int(), args.as_list()) {
        (Some(arity), _) => u32::try_from(arity).ok()?,
        (None, Some(args)) => u32::try_from(args.len()).ok()?,
        (None, None) => return None,
    };
    let [caller, table] = told.as_tuple()? else { return None };
    let is_table = matches!(table, Term::Atom(_) | Term::Reference(_));
    is_table.then(|| {
        Some(Seen {
            function: Mfa::new(module.as_atom()?, function.as_atom()?, arity),
            table: table.clone().into_owned(),
            caller: look::as_mfa(caller).map(outer),
            who: who.to_string(),
            is_flagged: args.as_int().is_some(),
        })
    })?
}

/// `-get/1-lc$^0/1-0-` is written inside `get/1`: that is what a reader finds in the source.
fn outer(mfa: Mfa) -> Mfa {
    let inner = mfa.function.strip_prefix('-').and_then(|it| {
        let (name, rest) = it.split_once('/')?;
        let arity: String = rest.chars().take_while(char::is_ascii_digit).collect();
        Some((name.to_owned(), arity.parse().ok()?))
    });
    match inner {
        Some((function, arity)) => Mfa { function, arity, ..mfa },
        None => mfa,
    }
}

#[cfg(test)]
mod tests {
    use giulia_model::EtsAccess;

    use super::{super::counting::Counted, *};

    fn encoded(term: &Term<'_>) -> Vec<u8> {
        let mut bytes = Vec::new();
        term.encode(&mut bytes).unwrap();
        bytes
    }

    fn traced(args: Term<'static>, caller: Term<'static>, table: Term<'static>) -> Vec<u8> {
        let what = Term::tuple([Term::atom("ets"), Term::atom("lookup"), args]);
        let head = ["trace", "pid", "call"].map(Term::atom);
        let told = Term::tuple([caller, table]);
        encoded(&Term::tuple(head.into_iter().chain([what, told])))
    }

    #[test]
    fn a_call_is_read_with_and_without_its_arguments() {
        let inside =
            || Term::tuple([Term::atom("shop"), Term::atom("-all/2-lc$^0/1-0-"), Term::int(2)]);
        let lookup = Mfa::new("ets", "lookup", 2);
        let all = Some(Mfa::new("shop", "all", 2));
        let args = Term::list([Term::atom("cart"), Term::int(1)]);
        for (args, is_flagged) in [(args, false), (Term::int(2), true)] {
            let read = read(&traced(args, inside(), Term::atom("cart"))).unwrap();
            assert_eq!((&read.function, &read.caller), (&lookup, &all));
            assert_eq!((read.table, read.is_flagged), (Term::atom("cart"), is_flagged));
        }
        let unknown = read(&traced(Term::int(2), Term::atom("undefined"), Term::atom("cart")));
        assert_eq!(unknown.unwrap().caller, None);
        assert_eq!(read(&traced(Term::int(2), inside(), Term::int(7))), None);
        assert_eq!(read(&[1, 2, 3]), None);
    }

    #[test]
    fn a_process_that_begins_with_a_large_call_made_one_more() {
        let call = |args| traced(args, Term::atom("undefined"), Term::atom("cart"));
        let args = || Term::list([Term::atom("cart"), Term::int(1)]);
        let lookup = Mfa::new("ets", "lookup", 2);
        let calls = |messages: &[Vec<u8>]| {
            let mut sampled = Sampled::default();
            sampled.add(std::slice::from_ref(&lookup), messages, Duration::ZERO);
            sampled.calls()
        };
        assert_eq!(calls(&[call(Term::int(2)), call(Term::int(2))]), 3);
        assert_eq!(calls(&[call(args()), call(Term::int(2))]), 2);
    }

    #[test]
    fn the_busiest_are_looked_at_alone_and_the_others_together() {
        let counted = |name: &str, arity, calls| Counted {
            function: Mfa::new("ets", name, arity),
            access: EtsAccess::Read,
            calls,
            elapsed_ms: 1000.0,
            left_out: None,
        };
        let functions = vec![
            counted("insert", 2, 10),
            counted("lookup", 2, 50_000),
            counted("member", 2, 0),
            counted("select", 1, 70_000),
            counted("delete", 2, 2_000),
            counted("take", 2, 5),
        ];
        let counts = Counts { functions, elapsed_ms: 1000.0, share: 0.0 };
        let names: Vec<Vec<String>> = groups(&counts, Large::Session)
            .into_iter()
            .map(|it| it.into_iter().map(|it| it.function).collect())
            .collect();
        assert_eq!(names, [vec!["lookup"], vec!["delete"], vec!["insert", "take"]]);
    }
}
