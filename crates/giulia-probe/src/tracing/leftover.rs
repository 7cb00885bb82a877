//! What stayed armed before OTP 27: finding it again, and removing it by its exact kind.
//!
//! Custodian and sentinel killed together leave patterns behind, and so does a node that was
//! frozen for longer than both; nothing else does.

use std::{fmt, io};

use giulia_dist::{Error, term::Term};
use giulia_model::{ArmedPattern, Mfa};

use super::{
    Armable, Kind, Scope, Tracing,
    arming::{bytes_fitting, function_of, looked_at},
    lock,
};
use crate::{
    Link, Step,
    answer::{self, Bif, Problem, encoded_bytes},
    eval, gates,
    link::HEAP_WORDS,
};

/// Where it is written down what is armed, before it is.
pub trait Ledger: fmt::Debug + Send + Sync {
    /// These will be armed on this node, which has lived since it got this creation.
    ///
    /// # Errors
    ///
    /// When it cannot be written down; then nothing is armed.
    fn will_arm(&self, node: &str, creation: u32, patterns: &[ArmedPattern]) -> io::Result<()>;

    /// These are another's by now, whatever was written down before.
    ///
    /// # Errors
    ///
    /// When it cannot be written down.
    fn let_go(&self, node: &str, creation: u32, patterns: &[ArmedPattern]) -> io::Result<()>;

    /// The node said that these are undone.
    fn undone(&self, patterns: &[ArmedPattern]);
}

/// What a search may find, and which kind of pattern it is.
const FINDINGS: [(&str, &str); 4] = [
    ("call_count", "call_count"),
    ("call_time", "call_time"),
    ("call_memory", "call_memory"),
    ("meta_match_spec", "meta"),
];

/// Modules in one page of a search: some 5,000 functions with three questions each, 5 ms.
const MODULES_MAX: usize = 100;

/// Of one request.
const PAGE_BYTES: usize = 24 << 10;

impl Tracing {
    /// Writes down what the VM would not undo by itself.
    pub(super) fn write_down(
        &self,
        what: &[Armable],
        kind: Kind,
        match_spec: Option<&Term<'_>>,
    ) -> Result<(), Error> {
        let Some(ledger) = self.link.ledger().filter(|_| !self.is_isolated()) else {
            return Ok(());
        };
        let patterns: Vec<ArmedPattern> =
            what.iter().map(|it| pattern_of(it, kind, match_spec)).collect();
        let peer = self.link.connection().peer();
        let written = ledger.will_arm(&peer.name.to_string(), peer.creation, &patterns);
        written.map_err(|error| {
            let text = format!(
                "nothing is armed, because it could not be written down for `giulia doctor --clean`: {error}"
            );
            Error::new(giulia_dist::ErrorKind::Request, text)
        })?;
        lock(&self.written).extend(patterns);
        Ok(())
    }

    /// All of it is undone.
    pub(super) fn written_off(&self) {
        if let Some(ledger) = self.link.ledger() {
            ledger.undone(&std::mem::take(&mut *lock(&self.written)));
        }
    }
}

fn pattern_of(what: &Armable, kind: Kind, match_spec: Option<&Term<'_>>) -> ArmedPattern {
    let name = match kind {
        Kind::Counter(counter) => counter.name(),
        Kind::Pattern(Scope::Local) => "local",
        Kind::Pattern(Scope::Meta) => "meta",
    };
    let function = match what {
        Armable::Module(_) => None,
        Armable::Function(mfa) => Some((mfa.function.clone(), mfa.arity)),
    };
    let match_spec = match_spec.map(|it| {
        let mut bytes = Vec::new();
        // One that cannot be encoded is not sent either.
        drop(it.encode(&mut bytes));
        bytes
    });
    ArmedPattern { module: what.module().to_owned(), function, kind: name.to_owned(), match_spec }
}

/// Which of these are still there, function by function.
///
/// # Errors
///
/// When the node does not answer.
pub async fn still_armed(
    link: &Link,
    patterns: &[ArmedPattern],
) -> Result<Vec<ArmedPattern>, Error> {
    let mut found = Vec::new();
    for (item, kind) in FINDINGS.into_iter().chain([("match_spec", "local")]) {
        let of_kind: Vec<&ArmedPattern> = patterns.iter().filter(|it| it.kind == kind).collect();
        let armables: Vec<Armable> = of_kind.iter().map(|it| armable(it)).collect();
        for_pages(link, &armables, &[item], |idx, (mfa, _, value)| {
            let Some(pattern) = of_kind.get(idx) else { return };
            let is_ours = match &pattern.match_spec {
                None => true,
                Some(bytes) => Term::decode(bytes).is_ok_and(|it| it == *value),
            };
            if is_ours {
                let function = Some((mfa.function, mfa.arity));
                found.push(ArmedPattern { function, ..(*pattern).clone() });
            }
        })
        .await?;
    }
    Ok(found)
}

/// Everything that anybody has armed on this node's functions but counters of times, which nobody
/// can see without stopping every scheduler, and global patterns, which giulia never makes.
///
/// # Errors
///
/// When the node does not answer.
pub async fn all_armed(link: &Link) -> Result<Vec<ArmedPattern>, Error> {
    let reply = link.ask_soon("leftovers", &Bif::new("erlang", "loaded", []), HEAP_WORDS).await?;
    let loaded = answer::list(Term::decode(&reply).map_err(Problem::from)?)?;
    let modules = loaded.iter().filter_map(Term::as_atom);
    let modules: Vec<Armable> = modules.map(|it| Armable::Module(it.to_owned())).collect();
    let mut found = Vec::new();
    let items = ["call_count", "meta_match_spec", "match_spec"];
    for_pages(link, &modules, &items, |_, (mfa, item, value)| {
        let kind = FINDINGS.iter().find(|(it, _)| *it == item).map_or("local", |(_, it)| it);
        let match_spec = item.ends_with("match_spec").then(|| {
            let mut bytes = Vec::new();
            drop(value.encode(&mut bytes));
            bytes
        });
        let function = Some((mfa.function, mfa.arity));
        let kind = kind.to_owned();
        found.push(ArmedPattern { module: mfa.module, function, kind, match_spec });
    })
    .await?;
    Ok(found)
}

/// Removes these, each by its exact kind, and returns how many functions that were.
///
/// # Errors
///
/// When the node does not answer, or has sessions (OTP 27), where there is nothing of ours.
pub async fn disarm_left(link: &Link, patterns: &[ArmedPattern]) -> Result<u64, Error> {
    let mut removed = 0_u64;
    let steps: Vec<Term<'static>> = patterns.iter().map(|it| removal(it).term()).collect();
    let mut rest = steps.as_slice();
    while !rest.is_empty() {
        let mut bytes = 0;
        let fits = rest.iter().take_while(|it| {
            bytes += encoded_bytes(it);
            bytes <= PAGE_BYTES
        });
        let Some((page, left)) = rest.split_at_checked(fits.count().clamp(1, 100)) else { break };
        rest = left;
        let calls = eval::ARM.with(Term::tuple([Term::list(page.iter().cloned())]));
        let reply = link.ask_soon("leftovers", &calls, HEAP_WORDS).await?;
        let told = answer::list(Term::decode(&reply).map_err(Problem::from)?)?;
        let results = told.first().and_then(Term::as_tuple).and_then(|it| it.first());
        let results = results.and_then(Term::as_list).unwrap_or_default();
        for n in results.iter().filter_map(Term::as_int).filter_map(|it| u64::try_from(it).ok()) {
            removed = removed.saturating_add(n);
        }
    }
    Ok(removed)
}

/// Whether patterns can be left on this node at all.
pub fn leaves_patterns(link: &Link) -> bool {
    gates::off(link.erts(), gates::SESSIONS).is_some()
}

fn removal(pattern: &ArmedPattern) -> Step {
    let kinds = Term::list([Term::atom(pattern.kind.clone())]);
    Step::new(
        "erlang",
        "trace_pattern",
        vec![armable(pattern).pattern(), Term::boolean(false), kinds],
    )
}

fn armable(pattern: &ArmedPattern) -> Armable {
    match &pattern.function {
        None => Armable::Module(pattern.module.clone()),
        Some((function, arity)) => {
            Armable::Function(Mfa::new(pattern.module.clone(), function.clone(), *arity))
        }
    }
}

/// Asks for items of all these in pages, and hands over what is set, with its place among these.
async fn for_pages(
    link: &Link,
    what: &[Armable],
    items: &[&'static str],
    mut each: impl FnMut(usize, (Mfa, &str, &Term<'_>)),
) -> Result<(), Error> {
    let mut rest = what;
    let mut before = 0;
    while !rest.is_empty() {
        let n = bytes_fitting(rest, PAGE_BYTES).min(MODULES_MAX);
        let Some((page, left)) = rest.split_at_checked(n) else { break };
        rest = left;
        let asked = Term::list(page.iter().map(looked_at));
        let items = Term::list(items.iter().map(|it| Term::atom(*it)));
        let asked = eval::FREE.with(Term::tuple([asked, items, Term::atom("none")]));
        let reply = link.ask_soon("leftovers", &asked, HEAP_WORDS).await?;
        let told = answer::list(Term::decode(&reply).map_err(Problem::from)?)?;
        let told = told.first().and_then(Term::as_list).unwrap_or_default();
        for (at, (what, told)) in page.iter().zip(told).enumerate() {
            let Some([_, _, taken, _]) = told.as_tuple() else { continue };
            for it in taken.as_list().unwrap_or_default() {
                let Some([function, arity, item, value]) = it.as_tuple() else { continue };
                if let (Some(mfa), Some(item)) =
                    (function_of(what.module(), function, arity), item.as_atom())
                {
                    each(before + at, (mfa, item, value));
                }
            }
        }
        before += page.len();
    }
    Ok(())
}
