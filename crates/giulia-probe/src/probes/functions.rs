//! Question: which functions of this node do patterns mean, and what may have been meant otherwise?
//!
//! Call: `erlang:loaded/0`, for applications `application:loaded_applications/0` and
//! `application:get_key/2`, then, evaluated (`erl/functions.erl`), the functions of the modules
//! that fit, 200 modules at a time; private ones and those of funs too.
//! First OTP: 23.
//! Cost: constant in processes; 25 bytes a module that is loaded and 5 µs a module that fits.
//! Limit: modules that are loaded now; 20,000 functions, above which nothing is meant and the
//! patterns are to be narrowed.
//! Side effects: none; no name that was typed is sent, so that none becomes an atom.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    time::Duration,
};

use giulia_dist::{
    Error,
    term::{Kind, Limits, Reader, Term},
};
use giulia_model::{FunctionPattern, Mfa, ModulePattern, NamePattern, nearest};

use super::Probe;
use crate::{
    answer::{self, Bif, Problem},
    eval,
    link::{HEAP_WORDS, Link},
};

pub(crate) const PROBE: Probe =
    Probe { name: "functions", question: "which functions of this node do patterns mean?" };

/// Functions that patterns may mean together. Arming 9,000 takes 2-4 ms on an idle node and reading
/// them 3 (`beam-facts` 4.4); large systems of several hundred modules have 10,000 of their own.
pub const FUNCTIONS_MAX: usize = 20_000;
/// Modules asked at once: 40 functions of 25 bytes each are 200 KB before they are packed.
const PAGE: usize = 200;
/// Names offered for one that is not there.
const NEAR_MAX: usize = 3;
/// Modules named where patterns mean too much.
const LARGEST: usize = 3;

/// What patterns mean on a node.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Resolved {
    /// By module, sorted; each once, whichever patterns mean it.
    pub modules: Vec<ChosenModule>,
    /// Modules that an application lists and that are not loaded, so that they have no function
    /// to speak of yet.
    pub not_loaded: Vec<String>,
    /// Patterns that mean nothing here.
    pub missing: Vec<Missing>,
}

/// Functions of a module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChosenModule {
    /// Its atom.
    pub module: String,
    /// Names and arities, sorted.
    pub functions: Vec<(String, u8)>,
    /// Whether these are all that it has.
    pub is_whole: bool,
}

/// A pattern that means nothing on this node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing {
    /// As it was written.
    pub pattern: String,
    /// What is not there: `no module Shop.Crat is loaded`.
    pub why: String,
    /// What may have been meant, closest first.
    pub near: Vec<String>,
}

/// Why patterns could not be resolved.
#[derive(Debug)]
#[non_exhaustive]
pub enum NotResolved {
    /// They mean more than [`FUNCTIONS_MAX`] functions; the text says how to narrow them.
    TooMany(String),
    /// The node did not answer.
    Node(Error),
}

impl Resolved {
    /// All functions.
    pub fn functions(&self) -> impl Iterator<Item = Mfa> {
        self.modules.iter().flat_map(|it| {
            it.functions.iter().map(|(name, arity)| Mfa::new(&it.module, name, (*arity).into()))
        })
    }

    /// How many functions.
    pub fn len(&self) -> usize {
        self.modules.iter().map(|it| it.functions.len()).sum()
    }

    /// Whether nothing is meant.
    pub fn is_empty(&self) -> bool {
        self.modules.is_empty()
    }
}

/// What patterns mean on this node now.
///
/// # Errors
///
/// When they mean too much, or the node does not answer.
pub async fn resolve(link: &Link, patterns: &[FunctionPattern]) -> Result<Resolved, NotResolved> {
    let loaded = loaded(link).await?;
    let mut resolved = Resolved::default();
    // Modules that patterns mean, with those patterns.
    let mut wanted: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (idx, pattern) in patterns.iter().enumerate() {
        let found = match pattern.modules() {
            ModulePattern::Application(name) => {
                let listed = application(link, name).await?;
                of_application(pattern, name, listed, &loaded, &mut resolved)
            }
            ModulePattern::Named(name) => of_name(pattern, name, &loaded, &mut resolved),
            _ => Vec::new(),
        };
        for module in found {
            wanted.entry(module).or_default().push(idx);
        }
    }
    let names: Vec<&str> = wanted.keys().copied().collect();
    let of_modules = functions(link, &names).await?;
    let mut is_used = vec![false; patterns.len()];
    for (module, all) in &of_modules {
        let meaning = wanted.get(module.as_str()).map(Vec::as_slice).unwrap_or_default();
        resolved.modules.extend(chosen(module, all, meaning, patterns, &mut is_used));
    }
    narrow(&resolved)?;
    for (idx, pattern) in patterns.iter().enumerate() {
        let was_found = wanted.values().any(|it| it.contains(&idx));
        if was_found && !is_used.get(idx).copied().unwrap_or(true) {
            resolved.missing.push(no_function(pattern, idx, &wanted, &of_modules));
        }
    }
    Ok(resolved)
}

/// The loaded modules that patterns mean, by name, without asking for their functions; all of them
/// where there is no pattern. Beside them, the patterns that mean none.
///
/// # Errors
///
/// When the node does not answer.
pub async fn loaded_modules(
    link: &Link,
    patterns: &[FunctionPattern],
) -> Result<(Vec<String>, Vec<Missing>), NotResolved> {
    let loaded = loaded(link).await?;
    if patterns.is_empty() {
        return Ok((loaded.into_iter().collect(), Vec::new()));
    }
    let mut resolved = Resolved::default();
    let mut found: BTreeSet<String> = BTreeSet::new();
    for pattern in patterns {
        let meant = match pattern.modules() {
            ModulePattern::Application(name) => {
                let listed = application(link, name).await?;
                of_application(pattern, name, listed, &loaded, &mut resolved)
            }
            ModulePattern::Named(name) => of_name(pattern, name, &loaded, &mut resolved),
            _ => Vec::new(),
        };
        found.extend(meant.into_iter().map(str::to_owned));
    }
    Ok((found.into_iter().collect(), resolved.missing))
}

/// A sum over the names of the modules that are loaded, to see that there is another one: 30 bytes
/// in place of all names, and sorting them there takes 1 ms for 5,000.
///
/// # Errors
///
/// When the node does not answer.
pub async fn loaded_sum(link: &Link) -> Result<u64, Error> {
    let asked = eval::LOADED.with(Term::tuple([]));
    let reply = link.ask(PROBE.name, &asked, HEAP_WORDS, Duration::ZERO).await?;
    let told = answer::list(Term::decode(&reply).map_err(Problem::from)?)?;
    Ok(answer::uint(told.first().unwrap_or(&Term::Nil))?)
}

async fn loaded(link: &Link) -> Result<BTreeSet<String>, Problem> {
    let question = Bif::new("erlang", "loaded", []);
    let bytes = link.ask(PROBE.name, &question, HEAP_WORDS, Duration::ZERO).await?;
    let mut reader = Reader::new(&bytes);
    let mut modules = BTreeSet::new();
    reader.each(|it| {
        modules.insert(it.atom()?.into_owned());
        Ok(())
    })?;
    Ok(modules)
}

/// The modules that an application lists; or those there are, where it is not among them.
async fn application(link: &Link, name: &str) -> Result<Result<Vec<String>, Vec<String>>, Problem> {
    let question = Bif::new("application", "loaded_applications", []);
    let answers = [link.ask(PROBE.name, &question, HEAP_WORDS, Duration::ZERO).await];
    let loaded = answer::list(answer::term(&answers, 0)?)?;
    let names: Vec<String> = loaded
        .iter()
        .filter_map(|it| Some(it.as_tuple()?.first()?.as_atom()?.to_owned()))
        .collect();
    if !names.iter().any(|it| it == name) {
        return Ok(Err(names));
    }
    let key = [Term::atom(name.to_owned()), Term::atom("modules")];
    let question = Bif::new("application", "get_key", key);
    let answers = [link.ask(PROBE.name, &question, HEAP_WORDS, Duration::ZERO).await];
    let told = answer::term(&answers, 0)?;
    let modules = told.as_tuple().and_then(|it| it.get(1)).and_then(Term::as_list);
    let modules = modules.unwrap_or_default().iter().filter_map(Term::as_atom);
    Ok(Ok(modules.map(str::to_owned).collect()))
}

fn of_application<'l>(
    pattern: &FunctionPattern,
    name: &str,
    listed: Result<Vec<String>, Vec<String>>,
    loaded: &'l BTreeSet<String>,
    resolved: &mut Resolved,
) -> Vec<&'l str> {
    let mut missing =
        Missing { pattern: pattern.to_string(), why: String::new(), near: Vec::new() };
    let listed = match listed {
        Ok(listed) => listed,
        Err(others) => {
            missing.why = format!("no application {name} is loaded");
            let near = nearest(name, others.iter().map(String::as_str), NEAR_MAX);
            missing.near = near.into_iter().map(|it| format!("app:{it}")).collect();
            resolved.missing.push(missing);
            return Vec::new();
        }
    };
    let n_listed = listed.len();
    let (found, not_loaded): (Vec<_>, Vec<_>) =
        listed.into_iter().partition(|it| loaded.contains(it));
    if found.is_empty() {
        missing.why = format!("none of the {n_listed} modules of application {name} is loaded");
        resolved.missing.push(missing);
    }
    resolved.not_loaded.extend(not_loaded);
    found.iter().filter_map(|it| loaded.get(it)).map(String::as_str).collect()
}

fn of_name<'l>(
    pattern: &FunctionPattern,
    name: &NamePattern,
    loaded: &'l BTreeSet<String>,
    resolved: &mut Resolved,
) -> Vec<&'l str> {
    let found: Vec<&str> = loaded.iter().map(String::as_str).filter(|it| name.fits(it)).collect();
    if found.is_empty() {
        let names = loaded.iter().map(String::as_str);
        let (why, near) = match name.exact() {
            Some(exact) => {
                let why = format!("no module {} is loaded", shown(exact));
                (why, nearest(exact, names, NEAR_MAX))
            }
            None => ("no module of such a name is loaded".to_owned(), Vec::new()),
        };
        let near = near.into_iter().map(|it| shown(it).to_owned()).collect();
        resolved.missing.push(Missing { pattern: pattern.to_string(), why, near });
    }
    found
}

/// The functions of modules, all of them.
async fn functions(
    link: &Link,
    modules: &[&str],
) -> Result<Vec<(String, Vec<(String, u8)>)>, Problem> {
    let mut all = Vec::new();
    for page in modules.chunks(PAGE) {
        let page = Term::list(page.iter().map(|it| Term::atom((*it).to_owned())));
        let question = eval::FUNCTIONS.with(Term::tuple([page]));
        let bytes = link.ask(PROBE.name, &question, HEAP_WORDS, Duration::ZERO).await?;
        let mut inflated = Vec::new();
        let mut reader =
            Reader::versioned(answer::packed(&bytes)?, &Limits::DEFAULT, &mut inflated)?;
        reader.each(|it| {
            it.tuple_of(2)?;
            let module = it.atom()?.into_owned();
            if it.kind()? == Kind::Atom {
                return it.skip();
            }
            let mut functions = Vec::new();
            it.each(|it| {
                it.tuple_of(2)?;
                let name = it.atom()?.into_owned();
                functions.push((name, u8::try_from(it.uint()?).unwrap_or(u8::MAX)));
                Ok(())
            })?;
            functions.sort_unstable();
            all.push((module, functions));
            Ok(())
        })?;
    }
    Ok(all)
}

/// What the patterns that mean a module choose of it.
fn chosen(
    module: &str,
    all: &[(String, u8)],
    meaning: &[usize],
    patterns: &[FunctionPattern],
    is_used: &mut [bool],
) -> Option<ChosenModule> {
    let mut functions = BTreeSet::new();
    for &idx in meaning {
        let Some(pattern) = patterns.get(idx) else { continue };
        let fitting = all.iter().filter(|(name, arity)| pattern.fits(name, (*arity).into()));
        let fitting: Vec<_> = fitting.cloned().collect();
        if let Some(used) = is_used.get_mut(idx) {
            *used |= !fitting.is_empty();
        }
        functions.extend(fitting);
    }
    let is_whole = functions.len() == all.len();
    let functions: Vec<(String, u8)> = functions.into_iter().collect();
    (!functions.is_empty()).then(|| ChosenModule { module: module.to_owned(), functions, is_whole })
}

fn narrow(resolved: &Resolved) -> Result<(), NotResolved> {
    let (n_functions, n_modules) = (resolved.len(), resolved.modules.len());
    if n_functions <= FUNCTIONS_MAX {
        return Ok(());
    }
    let mut largest: Vec<&ChosenModule> = resolved.modules.iter().collect();
    largest.sort_by_key(|it| std::cmp::Reverse(it.functions.len()));
    let largest: Vec<String> = largest
        .iter()
        .take(LARGEST)
        .map(|it| format!("{} ({})", shown(&it.module), it.functions.len()))
        .collect();
    Err(NotResolved::TooMany(format!(
        "the patterns mean {n_functions} functions in {n_modules} modules, and giulia counts at \
         most {FUNCTIONS_MAX} at once; the largest are {}; narrow them to an application \
         (app:NAME), a part (Shop.Cart*) or single modules",
        largest.join(", ")
    )))
}

/// A function that its module, which is there, does not have.
fn no_function(
    pattern: &FunctionPattern,
    idx: usize,
    wanted: &BTreeMap<&str, Vec<usize>>,
    of_modules: &[(String, Vec<(String, u8)>)],
) -> Missing {
    let is_meant = |module: &str| wanted.get(module).is_some_and(|it| it.contains(&idx));
    let here = || of_modules.iter().filter(|(module, _)| is_meant(module));
    let mut missing = Missing {
        pattern: pattern.to_string(),
        why: "the module is no longer loaded".to_owned(),
        near: Vec::new(),
    };
    let Some((module, _)) = here().next() else { return missing };
    let places = match here().count() {
        1 => shown(module).to_owned(),
        many => format!("the {many} modules that fit"),
    };
    let name = pattern.function().and_then(NamePattern::exact);
    let arity = pattern.arity().map(|it| format!("/{it}")).unwrap_or_default();
    missing.why = match name {
        Some(name) => format!("there is no function {name}{arity} in {places}"),
        None => format!("no function of such a name is in {places}"),
    };
    let Some(name) = name else { return missing };
    let all = || here().flat_map(|(module, all)| all.iter().map(move |it| (module, it)));
    let others: Vec<&str> = all().map(|(_, (name, _))| name.as_str()).collect();
    for near in nearest(name, others.iter().copied(), NEAR_MAX) {
        let same = all().filter(|(_, (name, _))| name == near);
        let same = same.map(|(module, (name, arity))| Mfa::new(module, name, (*arity).into()));
        missing.near.extend(same.map(|it| it.to_string()));
    }
    missing.near.truncate(NEAR_MAX * 2);
    missing
}

/// A module the way its own language writes it.
fn shown(module: &str) -> &str {
    crate::naming::atom(module)
}

impl From<Problem> for NotResolved {
    fn from(problem: Problem) -> Self {
        Self::Node(problem.into())
    }
}

impl From<giulia_dist::term::DecodeError> for NotResolved {
    fn from(error: giulia_dist::term::DecodeError) -> Self {
        Problem::from(error).into()
    }
}

impl fmt::Display for NotResolved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooMany(why) => f.write_str(why),
            Self::Node(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for NotResolved {}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.why)?;
        match self.near.as_slice() {
            [] => Ok(()),
            [one] => write!(f, "; did you mean {one}?"),
            many => write!(f, "; did you mean one of {}?", many.join(", ")),
        }
    }
}
