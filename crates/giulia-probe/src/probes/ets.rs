//! Question: which ETS tables hold the most, and how are they set up?
//!
//! Call: evaluated, `ets:all/0`, `ets:info/2` of all, `ets:info/1` of the biggest; with
//! `--no-eval`, or where the node has little memory left, the same in pages.
//! First OTP: 23.
//! Cost: 0.4 µs a table, 17–46 µs one with decentralized counters; nothing a process.
//! Limit: 10,000 tables, 1,000 of them with decentralized counters, 2,000 with `--no-eval`;
//! the rest is not asked, and said so.
//! Side effects: none; no table is fixed or read.

use std::time::Duration;

use giulia_dist::term::Term;
use giulia_model::{EtsTable, EtsTables, Pid};

use super::Probe;
use crate::{
    answer::{self, Answer, Bif, Problem},
    eval, headroom,
    link::Link,
};

pub(crate) const PROBE: Probe =
    Probe { name: "ets", question: "which ETS tables hold the most, and how are they set up?" };

/// Tables that are asked for their size: 10,000 take some 10 ms (measured on OTP 23-29).
pub(crate) const TABLES_MAX: u64 = 10_000;
/// Of those, tables with decentralized counters, at up to 46 µs each.
const DECENTRALIZED_MAX: i64 = 1000;
/// Heap for the question: 4 MB, and 3,600 bytes for each table, several times what 10,000 needed
/// (measured on OTP 23-29).
const HEAP_WORDS_BASE: u64 = 500_000;
const HEAP_WORDS_EACH: u64 = 450;
/// With `--no-eval`: tables, and most tables in a question; fewer under a long node name.
const PAGED_MAX: usize = 2000;
const PAGE: usize = 500;

/// The tables, and how many of them were asked for their size.
pub(crate) struct Tables {
    pub(crate) tables: EtsTables,
    pub(crate) asked: u64,
}

pub(crate) async fn ask(
    link: &Link,
    top: usize,
    word_bytes: u64,
    n_tables: u64,
) -> Result<Tables, Problem> {
    let heap_words = heap_words(n_tables);
    if link.no_eval() || !headroom::allows(link.headroom(), heap_words) {
        return paged(link, top, word_bytes).await;
    }
    let top = i64::try_from(top).unwrap_or(i64::MAX);
    let limits = [Term::int(top), Term::uint(TABLES_MAX), Term::int(DECENTRALIZED_MAX)];
    let question = eval::ETS.with(Term::tuple(limits));
    let answer = link.ask(PROBE.name, &question, heap_words, Duration::ZERO).await;
    read(&[answer], word_bytes)
}

/// The heap limit for so many tables.
fn heap_words(n_tables: u64) -> u64 {
    n_tables.min(TABLES_MAX).saturating_mul(HEAP_WORDS_EACH).saturating_add(HEAP_WORDS_BASE)
}

fn read(answers: &[Answer], word_bytes: u64) -> Result<Tables, Problem> {
    let whole = answer::term(answers, 0)?;
    let inner = whole.as_list().and_then(<[_]>::first).and_then(Term::as_tuple);
    let Some([total, asked, words, biggest]) = inner else {
        return Err(answer::unexpected(&whole));
    };
    let mut top = Vec::new();
    for it in &answer::list(biggest.clone())? {
        let Some([info, owner]) = it.as_tuple() else { return Err(answer::unexpected(it)) };
        top.push(table(info, Some(owner), word_bytes)?);
    }
    let memory_bytes = answer::uint(words)?.saturating_mul(word_bytes);
    let tables = EtsTables { total: answer::uint(total)?, memory_bytes, top_by_memory: top };
    Ok(Tables { tables, asked: answer::uint(asked)? })
}

/// The same without evaluation: sizes in pages, then the biggest.
async fn paged(link: &Link, top: usize, word_bytes: u64) -> Result<Tables, Problem> {
    let name = PROBE.name;
    let answers = link.ask_each(name, &[Bif::new("ets", "all", [])]).await;
    let all = answer::list(answer::term(&answers, 0)?.into_owned())?;
    let asked: Vec<_> = all.iter().take(PAGED_MAX).cloned().collect();
    let memory = Term::atom("memory");
    let pages = Bif::zip_pages("ets", "info", asked.iter().cloned(), &memory, PAGE);
    let answers = link.ask_each(name, &pages).await;
    let mut sizes = Vec::new();
    for idx in 0..pages.len() {
        sizes.extend(answer::list(answer::term(&answers, idx)?)?.iter().map(answer::uint));
    }
    // A table that is gone says `undefined`.
    let mut known: Vec<(u64, Term<'static>)> =
        sizes.into_iter().zip(asked).filter_map(|(size, it)| Some((size.ok()?, it))).collect();
    let words: u64 = known.iter().map(|(size, _)| size).sum();
    let n_asked = known.len();
    known.sort_by_key(|(size, _)| std::cmp::Reverse(*size));
    known.truncate(top);
    let biggest = known.into_iter().map(|(_, it)| it);
    let pages = Bif::map_pages("ets", "info", biggest, PAGE);
    let answers = link.ask_each(name, &pages).await;
    let mut infos = Vec::new();
    for idx in 0..pages.len() {
        infos.extend(answer::list(answer::term(&answers, idx)?)?);
    }
    let top = infos
        .iter()
        .filter(|it| !it.is_atom("undefined"))
        .map(|it| table(it, None, word_bytes))
        .collect::<Result<Vec<_>, _>>()?;
    let count = |it: usize| u64::try_from(it).unwrap_or(u64::MAX);
    let memory_bytes = words.saturating_mul(word_bytes);
    let tables = EtsTables { total: count(all.len()), memory_bytes, top_by_memory: top };
    Ok(Tables { tables, asked: count(n_asked) })
}

/// One table from what `ets:info/1` says of it.
pub(crate) fn table(
    info: &Term<'_>,
    owner: Option<&Term<'_>>,
    word_bytes: u64,
) -> Result<EtsTable, Problem> {
    let keys = info.as_list().ok_or_else(|| answer::unexpected(info))?;
    let get = |name: &str| answer::pair(keys, name);
    let shown = |name: &str| get(name).and_then(answer::text);
    let flag = |name: &str| get(name).map(|it| it.is_atom("true"));
    let number = |name: &str| get(name).map_or(Ok(0), answer::uint);
    let pid = get("owner").and_then(Term::as_pid).map(|it| Pid(it.local()));
    let owner_name = owner.and_then(Term::as_tuple).and_then(|it| answer::text(it.get(1)?));
    Ok(EtsTable {
        name: shown("name").map(|it| crate::naming::atom(&it).to_owned()).unwrap_or_default(),
        named: flag("named_table").unwrap_or_default(),
        kind: shown("type").unwrap_or_default(),
        protection: shown("protection").unwrap_or_default(),
        size: number("size")?,
        memory_bytes: number("memory")?.saturating_mul(word_bytes),
        owner: pid.ok_or_else(|| answer::unexpected(info))?,
        owner_name: owner_name.map(|it| crate::naming::atom(&it).to_owned()),
        read_concurrency: flag("read_concurrency"),
        write_concurrency: shown("write_concurrency"),
        decentralized_counters: flag("decentralized_counters"),
        compressed: flag("compressed").unwrap_or_default(),
    })
}
