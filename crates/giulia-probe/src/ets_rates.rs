//! Question: how often are ETS tables read and written, by whom?
//!
//! Call: `call_count` on the built-in functions of `ets`, exact; then short looks at single calls,
//! in which a meta trace tells the table and `{caller}`: calls whose arguments are small are told
//! with them, of others the process is flagged and tells of its next calls without arguments;
//! then `ets:info/1` of the tables seen.
//! First OTP: 23.
//! Cost: 28 ns a call at most (two schedulers on one counter; measured on OTP 23-29); 1 us a call
//! while a look lasts, which is some milliseconds.
//! Limit: a probe of 50 ms prices each function first, and what would take more than 1 % of the
//! schedulers is left out by name; 100 calls a look, 200 tables. Processes are flagged only where
//! no bug of the VM makes that dangerous and nobody else's flags could be met.
//! Side effects: none that last: counters and patterns are the keeper's.

mod access;
mod counting;
mod estimate;
mod sampling;

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::Duration,
};

use giulia_dist::{Error, ErrorKind, term::Term};
use giulia_model::{
    EtsAccess, EtsFunction, EtsRates, EtsSample, EtsTable, EtsTableRate, NotSeen, Switched,
};

use crate::{
    Keeper, KeeperOptions,
    answer::{self, Bif},
    link::Link,
    probes,
};
use counting::Counts;
use estimate::{Stratum, TableFigures};
use sampling::Sampled;

/// How to look at tables.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "whoever looks chooses all of them")]
pub struct EtsRatesOptions {
    /// For how long.
    pub window: Duration,
    /// One table alone: its name, or the reference of one without.
    pub table: Option<String>,
}

/// In the impact meter and the manifest.
const NAME: &str = "ets rates";

/// So much of the window is counted; the rest is for looks at single calls. One after the other,
/// because in two sessions at once they would meet a bug of the VM (ERTS 15.0 to 16.1), and
/// because looks slow down what is counted.
const COUNTED_SHARE: f64 = 0.6;

/// Tables that are listed, and tables that are asked what they are.
const TABLES_MAX: usize = 50;
const TABLES_ASKED_MAX: usize = 200;

/// How often ETS tables are read and written.
///
/// `schema` and `taken_at` stay empty: whoever owns the clock fills them in.
///
/// # Errors
///
/// [`ErrorKind::InvalidConfig`] on a link without evaluation; [`ErrorKind::Request`] when another
/// tool counts all of `ets` already; those of a node that does not answer.
pub async fn ets_rates(link: &Link, options: &EtsRatesOptions) -> Result<EtsRates, Error> {
    let keeper = Arc::new(Keeper::start(link, &KeeperOptions::default()).await?);
    let seen = whole(link, &keeper, options).await;
    let mut changes = Vec::new();
    if let Ok(keeper) = Arc::try_unwrap(keeper) {
        changes = keeper.stop().await;
    }
    let mut seen = seen?;
    let switched = changes.into_iter().map(|it| Switched { what: it.name, restored: it.restored });
    seen.changes = switched.collect();
    seen.impact = link.impact();
    Ok(seen)
}

async fn whole(
    link: &Link,
    keeper: &Arc<Keeper>,
    options: &EtsRatesOptions,
) -> Result<EtsRates, Error> {
    let mut not_seen = Vec::new();
    let counted = options.window.mul_f64(COUNTED_SHARE);
    let counts = counting::count(link, keeper, counted, &mut not_seen).await?;
    let left = options.window.saturating_sub(counted);
    let sampled = sampling::sample(link, keeper, &counts, left, &mut not_seen).await?;
    let strata = strata(&counts, &sampled);
    let known = known(link, &sampled).await;
    let tables = tables(&strata, &known, options.table.as_deref(), &mut not_seen);
    let rate = |access| {
        let of = counts.functions.iter().filter(|it| it.access == access);
        of.map(counting::Counted::per_second).sum()
    };
    Ok(EtsRates {
        schema: String::new(),
        taken_at: String::new(),
        node: link.connection().peer().name.to_string(),
        table: options.table.clone(),
        counted_ms: counts.elapsed_ms,
        counting_share: counts.share,
        reads_per_second: rate(EtsAccess::Read),
        writes_per_second: rate(EtsAccess::Write),
        functions: functions(&counts, &sampled),
        sample: EtsSample {
            calls: sampled.calls(),
            looks: sampled.looks,
            elapsed_ms: sampled.elapsed_ms,
        },
        tables,
        changes: Vec::new(),
        not_seen,
        impact: link.impact(),
    })
}

/// Each function's rate with what was seen of its calls.
fn strata(counts: &Counts, sampled: &Sampled) -> Vec<Stratum> {
    let called = counts.functions.iter().filter(|it| it.calls > 0);
    let of = called.map(|it| {
        let looks = sampled.of.get(&it.function).cloned().unwrap_or_default();
        Stratum { access: it.access, per_second: it.per_second(), looks }
    });
    of.collect()
}

fn functions(counts: &Counts, sampled: &Sampled) -> Vec<EtsFunction> {
    let called = counts.functions.iter().filter(|it| it.calls > 0 || it.left_out.is_some());
    let mut functions: Vec<EtsFunction> = called
        .map(|it| {
            let seen =
                sampled.of.get(&it.function).map_or(0, |looks| looks.iter().map(Vec::len).sum());
            EtsFunction {
                function: access::shown(&it.function.function, it.function.arity),
                does: it.access,
                calls: it.calls,
                counted_ms: it.elapsed_ms,
                per_second: it.per_second(),
                left_out: it.left_out.clone(),
                sampled: u64::try_from(seen).unwrap_or(u64::MAX),
            }
        })
        .collect();
    functions.sort_by(|one, other| other.per_second.total_cmp(&one.per_second));
    functions
}

/// Tables by what they are: the same one by its name and by its reference is one.
fn tables(
    strata: &[Stratum],
    known: &Known,
    wanted: Option<&str>,
    not_seen: &mut Vec<NotSeen>,
) -> Vec<EtsTableRate> {
    // Their samples again, under one name.
    let renamed: Vec<Stratum> = strata
        .iter()
        .map(|it| Stratum {
            access: it.access,
            per_second: it.per_second,
            looks: it.looks.iter().map(|look| rename(look, known)).collect(),
        })
        .collect();
    let mut rates: Vec<EtsTableRate> = estimate::tables(&renamed)
        .into_iter()
        .filter(|it| wanted.is_none_or(|wanted| is_wanted(it, wanted, known)))
        .map(|it| rate(it, known))
        .collect();
    if rates.is_empty()
        && let Some(wanted) = wanted
    {
        not_seen.push(NotSeen {
            what: format!("the table `{wanted}`"),
            why: "no call of it was in the sample: either there is none of this name, or it is \
                  called too seldom for this window; give more with --for"
                .to_owned(),
        });
    }
    rates.truncate(TABLES_MAX);
    rates
}

/// A table that was asked: under which key its calls are put together, and what it is.
type Known = BTreeMap<String, (String, EtsTable)>;

async fn known(link: &Link, sampled: &Sampled) -> Known {
    let asked: Vec<_> = sampled.tables.iter().take(TABLES_ASKED_MAX).collect();
    let word = Bif::new("erlang", "system_info", [Term::atom("wordsize")]);
    let pages = Bif::map_pages("ets", "info", asked.iter().map(|(_, it)| (*it).clone()), 100);
    let questions: Vec<Bif> = [word].into_iter().chain(pages).collect();
    let answers = link.ask_each(NAME, &questions).await;
    let word = answer::term(&answers, 0).ok().and_then(|it| answer::uint(&it).ok()).unwrap_or(8);
    let infos = (1..questions.len()).flat_map(|idx| {
        let page = answer::term(&answers, idx).and_then(answer::list);
        page.unwrap_or_default().into_iter().map(Term::into_owned).collect::<Vec<_>>()
    });
    let mut known = Known::new();
    for ((key, _), info) in asked.into_iter().zip(infos) {
        // One that is gone says `undefined`.
        let Ok(table) = probes::ets::table(&info, None, word) else { continue };
        let id = info.as_list().and_then(|it| answer::pair(it, "id")).map(ToString::to_string);
        known.insert(key.clone(), (id.unwrap_or_else(|| key.clone()), table));
    }
    known
}

fn rename(look: &estimate::Look, known: &Known) -> estimate::Look {
    let key = |it: &str| known.get(it).map_or_else(|| it.to_owned(), |(id, _)| id.clone());
    look.iter().map(|(table, caller)| (key(table), caller.clone())).collect()
}

fn of_id<'k>(known: &'k Known, id: &str) -> Option<&'k EtsTable> {
    known.values().find(|(it, _)| it == id).map(|(_, table)| table)
}

fn is_wanted(it: &TableFigures, wanted: &str, known: &Known) -> bool {
    let named = of_id(known, &it.key).is_some_and(|table| table.name == wanted);
    named || it.key == wanted || shown(&it.key) == wanted
}

fn rate(it: TableFigures, known: &Known) -> EtsTableRate {
    let table = of_id(known, &it.key).cloned();
    let name = table.as_ref().map_or_else(|| shown(&it.key).to_owned(), |it| it.name.clone());
    EtsTableRate {
        name,
        table,
        sampled: it.sampled,
        reads: it.reads,
        writes: it.writes,
        read_share: it.read_share,
        callers: it.callers,
    }
}

fn shown(key: &str) -> &str {
    crate::naming::atom(key)
}

/// Calls by function, for whoever wants one.
type ByFunction<T> = HashMap<giulia_model::Mfa, T>;

fn refused(text: String) -> Error {
    Error::new(ErrorKind::Request, text)
}
