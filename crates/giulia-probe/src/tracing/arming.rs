//! Counters: on what, within which time, and what is left alone.

use std::fmt;

use giulia_dist::{Error, ErrorKind, term::Term};
use giulia_model::Mfa;

use super::{Armable, Counter, Kind, Scope, Tracing, letting_go::Part, lock, mfa_term};
use crate::{
    Step, Undo,
    answer::{self, Problem, encoded_bytes},
    eval, gates,
    link::HEAP_WORDS,
};

/// What carries a counter now, and what does not.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Armed {
    /// With how many functions each; those of modules that others trace in part one by one.
    pub armed: Vec<(Armable, u64)>,
    /// All together.
    pub functions: u64,
    /// Each with its reason.
    pub not_armed: Vec<NotArmed>,
    /// How many calls that took.
    pub calls: u64,
    /// What the first call took on the node, in microseconds.
    pub first_us: u64,
    /// What all of them took.
    pub spent_us: u64,
}

/// Something that carries no counter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotArmed {
    /// A module, or a function of one.
    pub what: Armable,
    /// Why.
    pub why: WhyNot,
}

/// Why something is not armed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum WhyNot {
    /// Somebody else traces or counts it; as the node says it.
    Traced(String),
    /// This tracing has it already.
    OursAlready,
    /// There is no such function, or its module is not loaded.
    NotThere,
    /// Arming what came before took all the time that there is.
    NoTime,
    /// The node refused; as it says it.
    Refused(String),
}

/// What arming may take on a node before OTP 27, where patterns are undone one by one: 1 s.
const LEGACY_US: u64 = 1_000_000;

/// And with a session, which the VM removes as a whole: as long as the slowest that was measured
/// (300 modules on a starved node), so that nobody waits for minutes.
const SESSION_US: u64 = 14_000_000;

/// One request to the custodian, which does nothing else meanwhile: a fifth of a second.
const PART_US: u64 = 200_000;

/// Calls and their undoing, which is as long, stay below 64 KiB together with the form.
const PART_BYTES: usize = 24 << 10;

/// What `trace_info/2` tells of a function without stopping anybody.
pub(super) const AT_ONCE: [&str; 3] = ["traced", "meta_match_spec", "call_count"];

/// Of one request for what is free.
const LOOK_BYTES: usize = 16 << 10;

impl Tracing {
    /// Puts counters on modules and functions, all of one function with one call.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::VersionUnsupported`] where this ERTS lacks the counter;
    /// [`ErrorKind::Request`] for times here and words there ([`Tracing::in_step`]);
    /// those of a keeper that is gone. What could not be armed for itself is in the answer.
    pub async fn count(&self, what: &[Armable], counters: &[Counter]) -> Result<Armed, Error> {
        self.in_step(counters)?;
        let (mut wanted, mut not_armed) = (what.to_vec(), Vec::new());
        for counter in counters {
            counter.permitted(self)?;
            let (free, not) = self.free(&wanted, Kind::Counter(*counter)).await?;
            wanted = free;
            not_armed.extend(not);
        }
        let mut armed = Armed { not_armed, ..Armed::default() };
        let budget_us = if self.is_isolated() { SESSION_US } else { LEGACY_US };
        let mut rest = wanted.as_slice();
        while !rest.is_empty() {
            let n = armed.next_part(rest, budget_us);
            let Some((part, left)) = rest.split_at_checked(n).filter(|_| n > 0) else { break };
            rest = left;
            for counter in counters {
                self.write_down(part, Kind::Counter(*counter), None)?;
            }
            let (results, took_us) =
                self.pattern_calls(part, Term::boolean(true), counters, true).await?;
            armed.add(part, &results, took_us);
        }
        armed
            .not_armed
            .extend(rest.iter().map(|it| NotArmed { what: it.clone(), why: WhyNot::NoTime }));
        for counter in counters {
            let now = armed.armed.iter().map(|(what, _)| (what.clone(), Kind::Counter(*counter)));
            lock(&self.armed).extend(now);
        }
        Ok(armed)
    }

    /// Stops counters where they are; they can be read and not be started again.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Request`] for times without the words armed with them, or the
    /// other way round; those of a keeper that is gone.
    pub async fn pause(&self, what: &[Armable], counters: &[Counter]) -> Result<(), Error> {
        self.in_step(counters)?;
        let (ours, rest_of_others) =
            if counters == [Counter::Calls] { self.to_pause(what) } else { (what.to_vec(), None) };
        if let Some(told) = rest_of_others {
            self.evaluate(eval::UNCOUNT, told, Undo::None).await?;
        }
        let mut rest = ours.as_slice();
        while !rest.is_empty() {
            let n = fitting(rest).min(20);
            let Some((part, left)) = rest.split_at_checked(n) else { break };
            rest = left;
            self.pattern_calls(part, Term::atom("pause"), counters, false).await?;
            for counter in counters {
                lock(&self.paused).extend(part.iter().map(|it| (it.clone(), *counter)));
            }
        }
        Ok(())
    }

    /// Takes counters of calls away before the end, from functions, and lets go of these: whoever
    /// counts one of them from here on keeps its counter.
    ///
    /// # Errors
    ///
    /// Those of a keeper that is gone.
    pub async fn uncount(&self, functions: &[Mfa]) -> Result<(), Error> {
        let what: Vec<Armable> = functions.iter().cloned().map(Armable::Function).collect();
        let mut rest = what.as_slice();
        while !rest.is_empty() {
            let n = fitting(rest).min(20);
            let Some((part, left)) = rest.split_at_checked(n) else { break };
            rest = left;
            self.pattern_calls(part, Term::boolean(false), &[Counter::Calls], false).await?;
        }
        self.let_go(functions, &[]).await
    }

    /// Times and words of one tracing are armed, paused and removed with one call for each function,
    /// or only one of them is used at all.
    ///
    /// A call leaves one note on the stack for both: who was called before. A function with the
    /// words alone notes that nobody was, and then the return to a caller with the times follows
    /// that note into nothing: the VM crashes (measured on ERTS 15.2.7 and 17.1: times armed, words
    /// a second later, a node at 2,000 requests a second).
    fn in_step(&self, counters: &[Counter]) -> Result<(), Error> {
        let wanted = [Counter::Time, Counter::Memory].map(|it| counters.contains(&it));
        let armed = lock(&self.armed);
        let held = [Counter::Time, Counter::Memory]
            .map(|it| armed.iter().any(|(_, kind)| *kind == Kind::Counter(it)));
        let none = [false, false];
        if wanted == none || held == none || wanted == held {
            return Ok(());
        }
        Err(Error::new(
            ErrorKind::Request,
            "times and words are counted together, or one of them alone: armed one after the \
             other they crash the VM; start another tracing",
        ))
    }

    /// What nobody traces or counts yet; before OTP 27, and of what sessions share by a bug.
    pub(super) async fn free(
        &self,
        what: &[Armable],
        kind: Kind,
    ) -> Result<(Vec<Armable>, Vec<NotArmed>), Error> {
        let (mut free, mut not) = (Vec::new(), Vec::new());
        let (ours, new): (Vec<_>, Vec<_>) =
            what.iter().cloned().partition(|it| self.holds(it, kind));
        let already = |what| NotArmed { what, why: WhyNot::OursAlready };
        not.extend(ours.into_iter().map(already));
        let own = match &self.session {
            None => Term::atom("none"),
            Some(session) if gates::limited(self.link.erts(), gates::SESSION_BIFS) => {
                session.as_tuple().and_then(|it| it.get(1)).cloned().unwrap_or(Term::Nil)
            }
            Some(_) => return Ok((new, not)),
        };
        let mut rest = new.as_slice();
        while !rest.is_empty() {
            let n = bytes_fitting(rest, LOOK_BYTES).min(100);
            let Some((page, left)) = rest.split_at_checked(n) else { break };
            rest = left;
            let asked = Term::list(page.iter().map(looked_at));
            let asked = eval::FREE.with(Term::tuple([asked, items(kind), own.clone()]));
            let reply = self.link.ask_soon("tracing", &asked, HEAP_WORDS).await?;
            self.sort(page, &reply, kind, (&mut free, &mut not))?;
        }
        Ok((free, not))
    }

    /// `[[{M, N | gone, [{F, A, Item, Value}], [{F, A}]}]]`.
    fn sort(
        &self,
        page: &[Armable],
        reply: &[u8],
        kind: Kind,
        (free, not): (&mut Vec<Armable>, &mut Vec<NotArmed>),
    ) -> Result<(), Problem> {
        let told = answer::list(Term::decode(reply)?)?;
        let told = told.first().and_then(Term::as_list).unwrap_or_default();
        for (what, told) in page.iter().zip(told) {
            let Some([_, n, taken, all]) = told.as_tuple() else {
                return Err(answer::unexpected(told));
            };
            if n.is_atom("gone") {
                not.push(NotArmed { what: what.clone(), why: WhyNot::NotThere });
                continue;
            }
            let mut others: Vec<(Mfa, WhyNot)> = Vec::new();
            for it in taken.as_list().unwrap_or_default() {
                let Some([function, arity, item, value]) = it.as_tuple() else { continue };
                if let Some(mfa) = function_of(what.module(), function, arity)
                    && !self.is_ours(&mfa, item, kind)
                    && others.iter().all(|(it, _)| *it != mfa)
                {
                    let how = format!("{item} {value}").chars().take(200).collect();
                    others.push((mfa, WhyNot::Traced(how)));
                }
            }
            if others.is_empty() {
                free.push(what.clone());
                continue;
            }
            let is_other = |mfa: &Mfa| others.iter().any(|(it, _)| it == mfa);
            let all = all.as_list().unwrap_or_default().iter().filter_map(|it| {
                let [function, arity] = it.as_tuple()? else { return None };
                function_of(what.module(), function, arity)
            });
            free.extend(all.filter(|it| !is_other(it)).map(Armable::Function));
            let others = others.into_iter();
            not.extend(others.map(|(mfa, why)| NotArmed { what: Armable::Function(mfa), why }));
        }
        Ok(())
    }

    /// Whether what the node says of a function is ours, and not this kind.
    fn is_ours(&self, mfa: &Mfa, item: &Term<'_>, kind: Kind) -> bool {
        let of = match item.as_atom() {
            Some("call_count") => Kind::Counter(Counter::Calls),
            Some("call_time") => Kind::Counter(Counter::Time),
            Some("call_memory") => Kind::Counter(Counter::Memory),
            Some("traced") => Kind::Pattern(Scope::Local),
            Some("meta_match_spec") => Kind::Pattern(Scope::Meta),
            _ => return false,
        };
        let is_others = of == Kind::Counter(Counter::Calls) && lock(&self.let_go).has(mfa);
        of != kind
            && !is_others
            && (self.holds(&Armable::Function(mfa.clone()), of)
                || self.holds(&Armable::Module(mfa.module.clone()), of))
    }

    /// Calls on patterns, one after the other; what each returned, and what all took.
    async fn pattern_calls(
        &self,
        part: &[Armable],
        value: Term<'static>,
        counters: &[Counter],
        is_undone: bool,
    ) -> Result<(Vec<Term<'static>>, u64), Error> {
        let kinds = || Term::list(counters.iter().map(|it| Term::atom(it.name())));
        let call = |what: &Armable, value: Term<'static>| match &self.session {
            Some(session) => {
                let args = vec![session.clone(), what.pattern(), value, kinds()];
                Step::new("trace", "function", args)
            }
            None => Step::new("erlang", "trace_pattern", vec![what.pattern(), value, kinds()]),
        };
        let calls = Term::list(part.iter().map(|it| call(it, value.clone()).term()));
        let undo = if is_undone && !self.is_isolated() {
            Undo::Told(part.iter().map(|it| call(it, Term::boolean(false))).collect())
        } else {
            Undo::None
        };
        let is_told = matches!(undo, Undo::Told(_));
        let (id, told) = self.evaluate_by(eval::ARM, Term::tuple([calls]), undo).await?;
        if is_told && counters == [Counter::Calls] {
            lock(&self.parts).push(Part { id, what: part.to_vec() });
        }
        let Some([results, took_us]) = told.as_tuple() else {
            return Err(answer::unexpected(&told).into());
        };
        let took_us = answer::uint(took_us)?;
        let results = results.as_list().unwrap_or_default().to_vec();
        Ok((results, took_us))
    }
}

impl Armed {
    /// How much of the rest is armed next: one first, to learn the price.
    fn next_part(&self, rest: &[Armable], budget_us: u64) -> usize {
        if self.calls == 0 {
            return 1.min(rest.len());
        }
        let price_us = (self.spent_us / self.calls).max(1);
        let time_us = budget_us.saturating_sub(self.spent_us).min(PART_US.max(price_us));
        let n = usize::try_from(time_us / price_us).unwrap_or(usize::MAX);
        n.min(fitting(rest))
    }

    fn add(&mut self, part: &[Armable], results: &[Term<'_>], took_us: u64) {
        if self.calls == 0 {
            self.first_us = took_us;
        }
        self.calls = self.calls.saturating_add(u64::try_from(part.len()).unwrap_or(u64::MAX));
        self.spent_us = self.spent_us.saturating_add(took_us);
        for (what, result) in part.iter().zip(results) {
            let not = |why| NotArmed { what: what.clone(), why };
            match result.as_int().and_then(|it| u64::try_from(it).ok()) {
                Some(0) => self.not_armed.push(not(WhyNot::NotThere)),
                Some(functions) => {
                    self.functions = self.functions.saturating_add(functions);
                    self.armed.push((what.clone(), functions));
                }
                None => {
                    let why = result.to_string().chars().take(200).collect();
                    self.not_armed.push(not(WhyNot::Refused(why)));
                }
            }
        }
    }
}

impl Counter {
    fn permitted(self, tracing: &Tracing) -> Result<(), Error> {
        match self {
            Self::Calls => Ok(()),
            Self::Time => tracing.permitted(gates::CALL_TIME),
            Self::Memory => tracing.permitted(gates::CALL_MEMORY),
        }
    }
}

impl fmt::Display for WhyNot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Traced(setting) => write!(f, "another tool traces or counts it ({setting})"),
            Self::OursAlready => f.write_str("this giulia has it already"),
            Self::NotThere => f.write_str("there is no such function on the node"),
            Self::NoTime => f.write_str("arming what came before took all the time there is"),
            Self::Refused(why) => write!(f, "the node refused ({why})"),
        }
    }
}

/// What tells that a function is not free for this kind; a counter of times that others keep is
/// only asked for where one of ours would take its place, because the question stops every
/// scheduler, and a counter of calls beside it changes nothing in it.
fn items(kind: Kind) -> Term<'static> {
    let also = match kind {
        Kind::Counter(counter @ (Counter::Time | Counter::Memory)) => Some(counter.name()),
        Kind::Counter(Counter::Calls) | Kind::Pattern(_) => None,
    };
    Term::list(AT_ONCE.into_iter().chain(also).map(Term::atom))
}

/// `{M, all}` or `{M, [{F, A}]}`.
pub(super) fn looked_at(what: &Armable) -> Term<'static> {
    let module = Term::atom(what.module().to_owned());
    let which = match what {
        Armable::Module(_) => Term::atom("all"),
        Armable::Function(mfa) => {
            let name = Term::atom(mfa.function.clone());
            Term::list([Term::tuple([name, Term::int(mfa.arity)])])
        }
    };
    Term::tuple([module, which])
}

pub(super) fn function_of(module: &str, function: &Term<'_>, arity: &Term<'_>) -> Option<Mfa> {
    let arity = arity.as_int().and_then(|it| u32::try_from(it).ok())?;
    Some(Mfa::new(module, function.as_atom()?, arity))
}

/// How many go into one request.
fn fitting(rest: &[Armable]) -> usize {
    bytes_fitting(rest, PART_BYTES)
}

pub(super) fn bytes_fitting(rest: &[Armable], most: usize) -> usize {
    let mut bytes = 0;
    let fits = rest.iter().take_while(|it| {
        let term = match it {
            Armable::Module(_) => it.pattern(),
            Armable::Function(mfa) => mfa_term(mfa),
        };
        // Names of the call and its arguments around the pattern; a session's handle too.
        bytes += encoded_bytes(&term) + 120;
        bytes <= most
    });
    fits.count().max(1)
}
