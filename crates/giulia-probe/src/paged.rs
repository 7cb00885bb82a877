//! The process probe without evaluation, or with little memory left: the same items, in pages.
//!
//! Nothing is reduced on the target, so a node with more than 10,000 processes is sampled, and a
//! window is two rounds of pages by our clock.

use std::{
    cmp::Reverse,
    collections::HashMap,
    hash::{BuildHasher, RandomState},
    time::{Duration, Instant},
};

use giulia_dist::term::{Pid, Term};
use giulia_model::{Mfa, NameSource, NotSeen, Processes};

use crate::{
    OwnNodes,
    answer::{self, Bif, Problem},
    gates::Caution,
    link::Link,
    look::{self, Brief, Leader, Look, Row, Sums},
    naming::{Label, Traits, is_fun},
    probes::{
        activity,
        processes::{self, Answer, CLOSELY_MAX, Closeness, DICTIONARY_BYTES_MAX, MEMORY_MAIL_MAX},
    },
    ranking,
};

/// Most processes in a question, which repeats the items for each; fewer under a long node name.
const PAGE: usize = 150;
/// Processes that are asked on larger nodes.
const SAMPLE: usize = 2000;

/// Where signals are dangerous, only the busiest are signalled: a page passes between the look
/// that finds them waiting and the question.
const CAREFUL_TOP: usize = 20;

/// `backtrace_depth`, by default: the VM cuts stacks to so many frames. Nothing tells a depth that
/// somebody lowered; names after functions are then those of inner ones.
const STACK_FRAMES_MAX: usize = 8;

const NAME: &str = processes::PROBE.name;

pub(crate) async fn ask(
    link: &Link,
    top: usize,
    window: Option<Duration>,
    mut not_seen: Vec<NotSeen>,
) -> Result<Answer, Problem> {
    let all = all(link).await?;
    let chosen = choose(&all);
    let sampled = chosen.len() < all.len();
    if sampled {
        not_seen.push(unsampled(link, chosen.len(), all.len()));
    }
    let mut earlier = HashMap::new();
    let mut opened = None;
    let began = Instant::now();
    if let Some(wait) = window {
        earlier = reductions(link, &chosen).await?;
        opened = Some((Instant::now(), totals(link).await?));
        tokio::time::sleep(wait).await;
    }
    let closed = (Instant::now(), totals(link).await?);
    let apart = began.elapsed();
    let rows = rows(link, chosen, &earlier).await?;
    let factor = if sampled { ratio(all.len(), rows.len()) } else { 1.0 };
    let look = whole(link, rows, sampled.then_some(factor)).await?;
    let measured =
        |it: Duration| activity::window(0, i64::try_from(it.as_micros()).unwrap_or(i64::MAX));
    let seen = ranking::processes(&look, top, window.map(|_| measured(apart)));
    let window = opened.as_ref().map(|(at, _)| measured(closed.0.duration_since(*at)));
    let activity = opened.map(|(_, before)| activity::activity(closed.1, Some(before)));
    not_seen.extend(activity.as_ref().and_then(|it| processes::ended(&seen, it)));
    Ok(Answer { processes: seen, window, activity, not_seen })
}

/// The look from its rows; `factor` is how many each of them stands for, where they are a sample.
async fn whole(link: &Link, rows: Vec<Row>, factor: Option<f64>) -> Result<Look, Problem> {
    let found = link.ask_each(NAME, &[masters()]).await;
    let applications = look::applications(&answer::term(&found, 0)?);
    let briefs: Vec<Brief> = rows.iter().map(brief).collect();
    let (busy, sampled) = if factor.is_some() { (vec![], briefs) } else { (briefs, vec![]) };
    Ok(Look {
        exact: factor.is_none(),
        ranked: factor.map(|_| u64::try_from(rows.len()).unwrap_or(u64::MAX)),
        led: led(&rows, factor.unwrap_or(1.0)),
        busy,
        sampled,
        rows,
        applications,
        ..Look::default()
    })
}

/// Which application has which master.
pub(crate) fn masters() -> Bif {
    let master = Term::tuple([Term::atom("application_master"), Term::atom("$1")]);
    let pattern = Term::tuple([master, Term::atom("$2")]);
    Bif::new("ets", "match", [Term::atom("ac_tab"), pattern])
}

/// Looks of a session, one a tick: each is measured from the one before.
#[derive(Debug)]
pub(crate) struct Rounds {
    /// The same choice in each look, so that those chosen were chosen before.
    random: RandomState,
    earlier: HashMap<Pid, u64>,
    at: Option<Instant>,
}

impl Default for Rounds {
    fn default() -> Self {
        let (random, earlier) = (RandomState::new(), HashMap::new());
        Self { random, earlier, at: None }
    }
}

impl Rounds {
    /// One look.
    pub(crate) async fn look(
        &mut self,
        link: &Link,
        top: usize,
    ) -> Result<(Processes, Vec<NotSeen>), Problem> {
        let all = all(link).await?;
        let chosen = choose_by(&all, |_, pid| self.random.hash_one(pid));
        let sampled = chosen.len() < all.len();
        let not_seen = sampled.then(|| unsampled(link, chosen.len(), all.len()));
        let at = Instant::now();
        let rows = rows(link, chosen, &self.earlier).await?;
        let window = self.at.map(|it| {
            let apart = i64::try_from(at.duration_since(it).as_micros()).unwrap_or(i64::MAX);
            activity::window(0, apart)
        });
        self.at = Some(at);
        self.earlier = rows.iter().map(|it| (it.pid.clone(), it.since_start)).collect();
        let factor = sampled.then(|| ratio(all.len(), rows.len()));
        let look = whole(link, rows, factor).await?;
        Ok((ranking::processes(&look, top, window), not_seen.into_iter().collect()))
    }
}

fn unsampled(link: &Link, n_asked: usize, n_all: usize) -> NotSeen {
    let why = match link.headroom() {
        Some(left) if !link.no_eval() => format!(
            "ranking all of them could take more than a quarter of the {} MiB of memory that its \
             container or machine has left",
            left >> 20
        ),
        _ => "without --no-eval the target ranks all of them itself".to_owned(),
    };
    NotSeen {
        what: "processes that were not sampled".to_owned(),
        why: format!("{n_asked} of {n_all} processes are asked, at random: {why}"),
    }
}

/// Everyone but what we run there: nobody else is led by a process of ours.
pub(crate) async fn all(link: &Link) -> Result<Vec<Pid>, Problem> {
    let answers = link.ask_each(NAME, &[Bif::new("erlang", "processes", [])]).await;
    let told = match answers.into_iter().next() {
        Some(told) => told?,
        None => return Err(Problem("the node lists no processes".to_owned())),
    };
    let mut pids = Vec::new();
    let mut reader = giulia_dist::term::Reader::new(&told);
    reader.each(|it| {
        pids.push(it.pid()?);
        Ok(())
    })?;
    Ok(pids)
}

/// All, or about as many as [`SAMPLE`] at random places: a fixed stride would meet every second
/// process of nodes that start them in pairs.
pub(crate) fn choose(all: &[Pid]) -> Vec<Pid> {
    let random = RandomState::new();
    choose_by(all, |idx, _| random.hash_one(idx))
}

fn choose_by(all: &[Pid], hash: impl Fn(usize, &Pid) -> u64) -> Vec<Pid> {
    if u64::try_from(all.len()).is_ok_and(|it| it <= CLOSELY_MAX) {
        return all.to_vec();
    }
    let share = u64::MAX / u64::try_from(all.len()).unwrap_or(u64::MAX).max(1);
    let limit = share.saturating_mul(u64::try_from(SAMPLE).unwrap_or_default());
    all.iter()
        .enumerate()
        .filter(|(idx, pid)| hash(*idx, pid) < limit)
        .map(|it| it.1.clone())
        .collect()
}

/// `process_info` of each, in pages side by side; `None` for who is gone.
async fn infos(
    link: &Link,
    pids: &[Pid],
    items: &Term<'static>,
) -> Result<Vec<Term<'static>>, Problem> {
    let terms = pids.iter().cloned().map(Term::from);
    let pages = Bif::zip_pages("erlang", "process_info", terms, items, PAGE);
    let answers = link.ask_each(NAME, &pages).await;
    let mut infos = Vec::with_capacity(pids.len());
    for idx in 0..pages.len() {
        infos.extend(answer::list(answer::term(&answers, idx)?.into_owned())?);
    }
    if infos.len() == pids.len() {
        Ok(infos)
    } else {
        Err(Problem("the node answered for another number of processes".to_owned()))
    }
}

async fn reductions(link: &Link, pids: &[Pid]) -> Result<HashMap<Pid, u64>, Problem> {
    let infos = infos(link, pids, &Term::atom("reductions")).await?;
    let pairs = pids.iter().zip(&infos).filter_map(|(pid, info)| {
        let value = info.as_tuple()?.get(1)?;
        Some((pid.clone(), answer::uint(value).ok()?))
    });
    Ok(pairs.collect())
}

async fn totals(link: &Link) -> Result<activity::Totals, Problem> {
    activity::read(&link.ask_each(NAME, &activity::questions()).await)
}

/// First what is cheap, then, for those whose mailbox allows, the rest.
pub(crate) async fn rows(
    link: &Link,
    pids: Vec<Pid>,
    earlier: &HashMap<Pid, u64>,
) -> Result<Vec<Row>, Problem> {
    let careful = link.caution() != Caution::None;
    let cheap = if careful {
        ["reductions", "status", "message_queue_data"]
    } else {
        ["reductions", "message_queue_len", "priority"]
    };
    let first = infos(link, &pids, &Term::list(cheap.map(Term::atom))).await?;
    let worked = |pid: &Pid, now: u64| now.saturating_sub(earlier.get(pid).copied().unwrap_or(0));
    let mut looked: Vec<(Pid, u64, &[Term<'_>])> = Vec::new();
    for (pid, info) in pids.into_iter().zip(&first) {
        let pairs = info.as_list().unwrap_or_default();
        if let Some(now) = answer::pair(pairs, "reductions").and_then(|it| answer::uint(it).ok()) {
            looked.push((pid, now, pairs));
        }
    }
    looked.sort_by_key(|(pid, now, _)| Reverse(worked(pid, *now)));
    let mut alike: [Vec<(Pid, u64)>; 3] = Default::default();
    for (place, (pid, now, pairs)) in looked.into_iter().enumerate() {
        let says =
            |name: &str, value: &str| answer::pair(pairs, name).is_some_and(|it| it.is_atom(value));
        let letters = answer::pair(pairs, "message_queue_len").and_then(Term::as_int);
        let safe = says("status", "waiting") && says("message_queue_data", "on_heap");
        let [full, no_memory, poor] = &mut alike;
        let list = match (careful, letters.unwrap_or_default() > MEMORY_MAIL_MAX) {
            (true, _) if safe && place < CAREFUL_TOP => full,
            (true, _) => poor,
            (false, true) => no_memory,
            (false, false) => full,
        };
        list.push((pid, now));
    }
    let mut rows = Vec::new();
    let [full, no_memory, poor] = alike;
    for (closeness, some) in
        [(Closeness::Full, full), (Closeness::NoMemory, no_memory), (Closeness::Poor, poor)]
    {
        let pids: Vec<Pid> = some.iter().map(|(pid, _)| pid.clone()).collect();
        let infos = infos(link, &pids, &processes::items(link.erts(), closeness)).await?;
        let kept = dictionaries(link, &pids, &infos).await?;
        let stacks = stacks(link, &pids, &infos).await?;
        let more = kept.into_iter().zip(stacks);
        let ours = link.own();
        for (((pid, since_start), info), more) in some.into_iter().zip(&infos).zip(more) {
            let worked = worked(&pid, since_start);
            let row = row(pid, [since_start, worked], info, more);
            rows.extend(
                row.filter(|it| it.leader.as_ref().is_none_or(|it| !ours.is_own(it.node.as_str()))),
            );
        }
    }
    Ok(rows)
}

/// What processes are called, and how we know; those that ended or may not be asked are absent.
pub(crate) async fn names(link: &Link, mut pids: Vec<Pid>) -> HashMap<Pid, (String, NameSource)> {
    pids.sort_by_key(|it| (it.id, it.serial));
    pids.dedup();
    if pids.is_empty() {
        return HashMap::new();
    }
    let rows = rows(link, pids, &HashMap::new()).await.unwrap_or_default();
    let named = rows.into_iter().map(|it| (it.pid, it.traits.name()));
    named.filter(|(_, (_, source))| *source != NameSource::Unknown).collect()
}

/// A process and what it stands in, as the dump wants it.
pub(crate) struct Stood {
    pub(crate) pid: Pid,
    pub(crate) registered: Option<String>,
    pub(crate) initial: Term<'static>,
    pub(crate) call: Term<'static>,
    pub(crate) mailbox_len: u64,
    pub(crate) waits: bool,
    pub(crate) stack: Term<'static>,
}

/// Those of them that may be asked, ours left out.
pub(crate) async fn stood(link: &Link, mut pids: Vec<Pid>) -> Result<Vec<Stood>, Problem> {
    let careful = link.caution() != Caution::None;
    if careful {
        pids.truncate(SAMPLE);
    }
    let first = infos(link, &pids, &processes::first(careful)).await?;
    let mut alike: [Vec<Pid>; 2] = Default::default();
    for (pid, info) in pids.into_iter().zip(&first) {
        let Some(pairs) = info.as_list() else { continue };
        let says =
            |name: &str, value: &str| answer::pair(pairs, name).is_some_and(|it| it.is_atom(value));
        if careful && !(says("status", "waiting") && says("message_queue_data", "on_heap")) {
            continue;
        }
        let letters = answer::pair(pairs, "message_queue_len").and_then(Term::as_int);
        let [full, no_memory] = &mut alike;
        let is_long = letters.is_some_and(|it| it > MEMORY_MAIL_MAX);
        if is_long { no_memory.push(pid) } else { full.push(pid) }
    }
    let mut stood = Vec::new();
    let [full, no_memory] = alike;
    for (closeness, pids) in [(Closeness::Full, full), (Closeness::NoMemory, no_memory)] {
        let infos = infos(link, &pids, &processes::items(link.erts(), closeness)).await?;
        let kept = dictionaries(link, &pids, &infos).await?;
        let stacks = of_some(link, &pids, &infos, "current_stacktrace", |_| true).await?;
        let ours = link.own();
        for (((pid, info), kept), stack) in pids.into_iter().zip(infos).zip(kept).zip(stacks) {
            let Some(stack) = stack else { continue };
            stood.extend(one_stood(pid, &info, kept.as_ref(), stack, ours));
        }
    }
    Ok(stood)
}

fn one_stood(
    pid: Pid,
    info: &Term<'static>,
    kept: Option<&Term<'static>>,
    stack: Term<'static>,
    ours: &OwnNodes,
) -> Option<Stood> {
    let pairs: Vec<&Term<'static>> =
        info.as_list()?.iter().filter_map(|it| it.as_tuple()?.get(1)).collect();
    let [registered, initial, _, _, status, leader, mailbox, call, _] = pairs.as_slice() else {
        return None;
    };
    if leader.as_pid().is_some_and(|it| ours.is_own(it.node.as_str())) {
        return None;
    }
    let key = kept.and_then(Term::as_list).and_then(|it| answer::pair(it, "$initial_call"));
    Some(Stood {
        pid,
        registered: registered.as_atom().map(str::to_owned),
        initial: (*initial).clone(),
        call: key.unwrap_or(call).clone(),
        mailbox_len: mailbox.as_int().and_then(|it| u64::try_from(it).ok()).unwrap_or_default(),
        waits: status.is_atom("waiting"),
        stack,
    })
}

/// Real initial calls and labels from whole dictionaries, where single keys cannot be read.
async fn dictionaries(
    link: &Link,
    pids: &[Pid],
    infos: &[Term<'static>],
) -> Result<Vec<Option<Term<'static>>>, Problem> {
    let by_key = link.erts().at_least(&[14, 2]);
    let small = |info: &Term<'_>| {
        let memory = answer::pair(info.as_list().unwrap_or_default(), "memory");
        memory.and_then(Term::as_int).is_some_and(|it| !by_key && it <= DICTIONARY_BYTES_MAX)
    };
    of_some(link, pids, infos, "dictionary", small).await
}

/// Stacks of those that were spawned with a fun, and that may be signalled.
async fn stacks(
    link: &Link,
    pids: &[Pid],
    infos: &[Term<'static>],
) -> Result<Vec<Option<Term<'static>>>, Problem> {
    let nameless = |info: &Term<'_>| {
        let pairs = info.as_list().unwrap_or_default();
        let initial = answer::pair(pairs, "initial_call").and_then(look::as_mfa);
        answer::pair(pairs, "current_function").is_some() && initial.is_some_and(|it| is_fun(&it))
    };
    of_some(link, pids, infos, "current_stacktrace", nameless).await
}

/// One more item of those whose first answer says so; the value, without its key.
async fn of_some(
    link: &Link,
    pids: &[Pid],
    infos: &[Term<'static>],
    item: &'static str,
    wanted: impl Fn(&Term<'_>) -> bool,
) -> Result<Vec<Option<Term<'static>>>, Problem> {
    let mut kept = vec![None; pids.len()];
    let some = infos.iter().enumerate().filter(|(_, it)| wanted(it));
    let at: Vec<usize> = some.map(|(idx, _)| idx).collect();
    let some: Vec<Pid> = at.iter().filter_map(|idx| pids.get(*idx).cloned()).collect();
    let found = self::infos(link, &some, &Term::atom(item)).await?;
    for (idx, it) in at.into_iter().zip(found) {
        if let (Some(slot), Term::Tuple(mut pair)) = (kept.get_mut(idx), it) {
            *slot = pair.pop();
        }
    }
    Ok(kept)
}

/// A row from the items of [`processes::items`]; nothing for who is gone.
pub(crate) fn row(
    pid: Pid,
    [since_start, worked]: [u64; 2],
    info: &Term<'static>,
    (kept, stack): (Option<Term<'static>>, Option<Term<'static>>),
) -> Option<Row> {
    let pairs: Vec<&Term<'_>> =
        info.as_list()?.iter().filter_map(|it| it.as_tuple()?.get(1)).collect();
    let [registered, initial, current, memory, status, leader, mailbox, call, label] =
        pairs.as_slice()
    else {
        return None;
    };
    let dictionary = kept.as_ref().and_then(Term::as_list);
    let key = |name: &str| answer::pair(dictionary?, name);
    let number = |it: &Term<'_>| it.as_int().and_then(|it| u64::try_from(it).ok());
    let traits = Traits {
        registered: registered.as_atom().map(str::to_owned),
        label: key("$process_label").map_or_else(|| Label::new(label), Label::new),
        call: key("$initial_call").map_or_else(|| look::as_mfa(call), look::as_mfa),
        initial: look::as_mfa(initial),
        outermost: stack.as_ref().and_then(|it| outermost(it.as_list()?)),
    };
    Some(Row {
        pid,
        worked,
        since_start,
        traits,
        current: look::as_mfa(current),
        status: status.as_atom().unwrap_or_default().to_owned(),
        memory_bytes: number(memory),
        leader: leader.as_pid().cloned(),
        mailbox_len: number(mailbox),
    })
}

/// The last frame of a whole stack: one of [`STACK_FRAMES_MAX`] is cut, and ends anywhere.
fn outermost(stack: &[Term<'_>]) -> Option<Mfa> {
    if stack.len() < STACK_FRAMES_MAX { look::as_mfa(stack.last()?) } else { None }
}

fn brief(row: &Row) -> Brief {
    Brief { traits: row.traits.clone(), sums: sums(row) }
}

fn sums(row: &Row) -> Sums {
    Sums {
        processes: 1,
        worked: row.worked,
        since_start: row.since_start,
        mailbox_len: row.mailbox_len.unwrap_or_default(),
    }
}

/// Sums by group leader, scaled up to everyone.
fn led(rows: &[Row], factor: f64) -> Vec<(Leader, Sums)> {
    let mut led: HashMap<Option<Pid>, Sums> = HashMap::new();
    for row in rows {
        led.entry(row.leader.clone()).or_default().add(sums(row));
    }
    led.into_iter()
        .map(|(leader, sums)| (leader.map_or(Leader::Others, Leader::Pid), sums.times(factor)))
        .collect()
}

#[expect(clippy::cast_precision_loss, reason = "an estimate has three digits")]
fn ratio(whole: usize, part: usize) -> f64 {
    if part == 0 { 0.0 } else { whole as f64 / part as f64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stack_that_may_be_cut_names_nobody() {
        let frame = |module: &'static str| {
            Term::tuple([Term::atom(module), Term::atom("loop"), Term::int(1), Term::Nil])
        };
        let mut stack = vec![frame("inner"); STACK_FRAMES_MAX - 2];
        stack.push(frame("shop"));
        assert_eq!(outermost(&stack), Some(Mfa::new("shop", "loop", 1)));
        stack.push(frame("shop"));
        assert_eq!(outermost(&stack), None);
        assert_eq!(outermost(&[]), None);
    }
}
