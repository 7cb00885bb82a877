//! Whose calls are looked at.

use std::{collections::HashMap, str::FromStr};

use giulia_dist::term::{Pid, Term};

use crate::{
    Link, NotASubject, Subject,
    answer::{self, Bif, Problem},
    gates::Caution,
    link::HEAP_WORDS,
    look::as_mfa,
    paged,
    probes::process::find,
};

/// Whose calls are looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Who {
    /// A process.
    Process(Subject),
    /// Those that a snapshot shows as one group: of a label or an initial call.
    Group(String),
    /// Those that begin in the window.
    New,
}

/// Processes to ask.
#[derive(Debug, Default)]
pub(super) struct Chosen {
    pub(super) pids: Vec<Pid>,
    /// From how many.
    pub(super) total: usize,
    /// New ones too.
    pub(super) new_too: bool,
}

/// One-shot messages of so many, at less than 5 KB each, are below the tracer's heap limit; and
/// setting a flag takes 5 us each.
const PROCESSES_MAX: usize = 5000;

impl FromStr for Who {
    type Err = NotASubject;

    /// Takes `new`, `group:NAME`, a pid or a registered name.
    fn from_str(text: &str) -> Result<Self, NotASubject> {
        match text.strip_prefix("group:") {
            Some(group) if !group.is_empty() => Ok(Self::Group(group.to_owned())),
            Some(_) | None if text == "new" => Ok(Self::New),
            Some(_) | None => text.parse().map(Self::Process),
        }
    }
}

/// The processes that are meant; all and new ones where nobody is named.
pub(super) async fn chosen(link: &Link, wanted: &[Who]) -> Result<Chosen, Problem> {
    if wanted.is_empty() {
        let all = paged::all(link).await?;
        return Ok(Chosen { total: all.len(), pids: spread(all), new_too: true });
    }
    let mut chosen = Chosen::default();
    for who in wanted {
        match who {
            Who::New => chosen.new_too = true,
            Who::Process(subject) => {
                let pid = find(link, subject).await.map_err(|it| Problem(it.to_string()))?;
                chosen.pids.push(pid);
            }
            Who::Group(group) => chosen.pids.extend(of_group(link, group).await?),
        }
    }
    chosen.pids.sort_by_key(|it| (it.id, it.serial));
    chosen.pids.dedup();
    chosen.total = chosen.pids.len();
    chosen.pids = spread(chosen.pids);
    Ok(chosen)
}

/// All of them, or so many, equally far from each other.
fn spread(all: Vec<Pid>) -> Vec<Pid> {
    let every = all.len().div_ceil(PROCESSES_MAX).max(1);
    all.into_iter().step_by(every).collect()
}

async fn of_group(link: &Link, group: &str) -> Result<Vec<Pid>, Problem> {
    let all = paged::all(link).await?;
    let looked_at = paged::choose(&all);
    let is_all = looked_at.len() == all.len();
    let rows = paged::rows(link, looked_at, &HashMap::new()).await?;
    let of = |row: &crate::look::Row| {
        let name = row.traits.group();
        name == group || name.strip_prefix("Elixir.") == Some(group)
    };
    let found: Vec<Pid> = rows.into_iter().filter(of).map(|it| it.pid).collect();
    if found.is_empty() {
        let among = if is_all { "" } else { ", among those that were looked at" };
        return Err(Problem(format!(
            "no process is of the group `{group}`{among}; `giulia snapshot` lists groups by initial call"
        )));
    }
    Ok(found)
}

/// Those with a heap small enough that whatever they hand over may be copied, and those without.
pub(super) async fn small(
    link: &Link,
    pids: Vec<Pid>,
    words_max: u64,
) -> Result<(Vec<Pid>, Vec<Pid>), Problem> {
    let item = Term::atom("total_heap_size");
    let told = infos(link, &pids, &item).await?;
    let is_small = |it: &Term<'_>| {
        let value = it.as_tuple().and_then(|it| it.get(1));
        value.and_then(|it| answer::uint(it).ok()).is_some_and(|it| it <= words_max)
    };
    let mut both = (Vec::new(), Vec::new());
    for (pid, it) in pids.into_iter().zip(&told) {
        if is_small(it) { both.0.push(pid) } else { both.1.push(pid) }
    }
    Ok(both)
}

/// Those that do not stand on one of the functions, and those that do: these never return from it.
pub(super) async fn not_standing_on(
    link: &Link,
    pids: Vec<Pid>,
    functions: &[giulia_model::Mfa],
) -> Result<(Vec<Pid>, Vec<Pid>), Problem> {
    if link.caution() != Caution::None {
        return Ok((pids, Vec::new()));
    }
    let told = infos(link, &pids, &Term::atom("current_stacktrace")).await?;
    let stands = |it: &Term<'_>| {
        let frames = it.as_tuple().and_then(|it| it.get(1)).and_then(Term::as_list);
        let outermost = frames.and_then(<[_]>::last).and_then(as_mfa);
        outermost.is_some_and(|it| functions.contains(&it))
    };
    let mut both = (Vec::new(), Vec::new());
    for (pid, it) in pids.into_iter().zip(&told) {
        if stands(it) { both.1.push(pid) } else { both.0.push(pid) }
    }
    Ok(both)
}

/// `process_info` of each; of those that are gone, something else.
async fn infos(
    link: &Link,
    pids: &[Pid],
    item: &Term<'static>,
) -> Result<Vec<Term<'static>>, Problem> {
    let terms = pids.iter().cloned().map(Term::Pid);
    let mut told = Vec::new();
    for page in Bif::zip_pages("erlang", "process_info", terms, item, 200) {
        let reply = link.ask("sample", &page, HEAP_WORDS, std::time::Duration::ZERO).await?;
        told.extend(answer::list(Term::decode(&reply)?.into_owned())?);
    }
    Ok(told)
}
