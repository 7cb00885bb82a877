//! Question: what does every process stand in, and which stand in the same place?
//!
//! Call: evaluated (`erl/dump.erl`): `erlang:processes/0`, then, in pages of 1,000,
//! `erlang:process_info/2` of two cheap items, of nine and of `current_stacktrace`, grouped there.
//! With `--no-eval`, and where little memory is left, the same functions in pages of 150 processes, above 10,000 of a sample of 2,000.
//! First OTP: 23. Single dictionary keys from ERTS 14.2, before that the whole dictionary of
//! processes below 64 KiB.
//! Cost: 7 to 10 µs a process: 50,000 took 0.33 to 0.52 s of one scheduler (OTP 23, 27, 29, two
//! shared cores), at low priority, and a reply of 2.4 KB; up to 30 µs more for each group of a page.
//! Limit: 200,000 processes, at random above; the 500 largest groups of a page, 4,000 in all and
//! then 20 of a page, and what was left out is told. Stacks are cut at `backtrace_depth`, 8 by default.
//! Side effects: none. Each process handles two or three signals. What giulia itself runs on the
//! target is left out.

use std::collections::HashMap;

use giulia_dist::term::{DecodeError, Limits, Pid, Reader, Term};
use giulia_model::{Coverage, Dump, Frame, NameSource, NamedCount, NotSeen, StackGroup};

use super::{Probe, processes};
use crate::{
    answer::{self, Problem},
    eval,
    gates::Caution,
    headroom,
    link::Link,
    look,
    naming::{self, Traits, is_fun},
    paged,
    snapshot::find_room,
    stack,
};

pub(crate) const PROBE: Probe = Probe {
    name: "dump",
    question: "what does every process stand in, and which stand in the same place?",
};

/// Processes whose stacks are in memory at once: with 8 frames of 70 words each, 5 MB, and
/// three times that while a heap is collected. Pages of 2,500 needed 24 to 48 MB (measured).
const PAGE: i64 = 1000;
/// Processes that are asked, at random above.
const MOST: i64 = 200_000;
/// The same where signals are dangerous ([`Caution::Signals`]), as of the process probe.
const MOST_CAREFUL: i64 = 2000;
/// Groups kept of all pages together, the largest of each; of a page at most, and, once those are
/// used up, still: a group that is large as a whole is among the largest of most pages. A stack
/// of 8 frames is 5 KB there.
const GROUPS: i64 = 4000;
const GROUPS_PAGE_MAX: i64 = 500;
const GROUPS_PAGE_MIN: i64 = 20;
/// Pids and registered names told of a group.
const EXAMPLES: usize = 3;
const NAMES: usize = 20;
/// 96 MB: a page, and 8,000 groups of the deepest stacks while the heap is collected. Common
/// nodes of 50,000 processes need a quarter of it (measured).
const HEAP_WORDS: u64 = 12_000_000;
/// Nodes of the terms of an answer: 8,000 groups of 8 frames, file names of 20 letters among
/// them. They are read one by one, so this is not what they take at once.
const TREE_NODES_MAX: usize = 4_000_000;

/// What a dump should hold.
#[derive(Debug, Clone, Copy)]
pub struct DumpOptions {
    /// Groups told, most processes first.
    pub top: usize,
}

/// One group of one page.
#[derive(Debug, Default)]
struct Part {
    processes: u64,
    waiting: u64,
    mailbox_len: u64,
    /// Mailbox and pid.
    members: Vec<(u64, Pid)>,
    registered: u64,
    names: Vec<String>,
}

/// All parts with one stack, by what they were started with.
type Merged = HashMap<Vec<Frame>, (Part, HashMap<(String, NameSource), u64>)>;

/// What was asked and learnt.
#[derive(Debug, Default)]
struct Looked {
    total: u64,
    asked: u64,
    /// Groups that pages held beyond what they told, and the processes in them.
    left_out: (u64, u64),
    merged: Merged,
}

/// What every process stands in.
///
/// `schema` and `taken_at` stay empty: whoever owns the clock fills them in.
pub async fn dump(link: &Link, options: &DumpOptions) -> Dump {
    let mut it = Dump { node: link.connection().peer().name.to_string(), ..Dump::default() };
    let caution = link.caution();
    let is_asked = caution != Caution::Processes;
    let in_pages = is_asked && (link.no_eval() || !has_room(link).await);
    let looked = match caution {
        Caution::Processes => Err(Problem(
            "process_info can hang for ever on this ERTS (fixed in 12.0.4); upgrade it".into(),
        )),
        Caution::None | Caution::Signals if in_pages => without_evaluation(link).await,
        Caution::None | Caution::Signals => evaluated(link, caution).await,
    };
    match looked {
        Ok(looked) => {
            it.not_seen = not_seen(&looked, caution, in_pages.then_some(link.no_eval()));
            it.coverage = Some(Coverage {
                total: looked.total,
                asked: looked.asked,
                sampled: is_sampled(&looked),
            });
            it.stacks = count(looked.merged.len());
            it.groups = groups(looked.merged, options.top);
        }
        Err(why) => {
            let what = PROBE.name.to_owned();
            it.not_seen.push(NotSeen { what, why: why.to_string() });
        }
    }
    it.impact = link.impact();
    it
}

/// Whether grouping there is small against the memory that is left.
async fn has_room(link: &Link) -> bool {
    find_room(link).await;
    headroom::allows(link.headroom(), HEAP_WORDS)
}

async fn evaluated(link: &Link, caution: Caution) -> Result<Looked, Problem> {
    let careful = caution != Caution::None;
    let most = if careful { MOST_CAREFUL } else { MOST };
    let dictionary = Term::tuple([
        Term::boolean(!link.erts().at_least(&[14, 2])),
        Term::int(processes::DICTIONARY_BYTES_MAX),
    ]);
    let argument = Term::tuple([
        Term::atom(link.connection().local_name().to_owned()),
        processes::first(careful),
        processes::choose(link.erts(), careful),
        dictionary,
        Term::int(PAGE),
        Term::int(most),
        Term::tuple([GROUPS, GROUPS_PAGE_MAX, GROUPS_PAGE_MIN].map(Term::int)),
        Term::int(i64::try_from(EXAMPLES).unwrap_or(i64::MAX)),
        Term::int(i64::try_from(NAMES).unwrap_or(i64::MAX)),
    ]);
    let question = eval::DUMP.with(argument);
    let bytes = link.ask(PROBE.name, &question, HEAP_WORDS, std::time::Duration::ZERO).await?;
    read(&bytes)
}

/// Reads the list of one binary that the evaluated question returns.
fn read(reply: &[u8]) -> Result<Looked, Problem> {
    let limits = Limits { tree_nodes_max: TREE_NODES_MAX, ..Limits::DEFAULT };
    let mut inflated = Vec::new();
    let mut reader = Reader::versioned(answer::packed(reply)?, &limits, &mut inflated)?;
    reader.tuple_of(2)?;
    // The process that asks is one of them.
    let total = reader.uint()?.saturating_sub(1);
    let mut looked = Looked { total, ..Looked::default() };
    reader.each(|it| {
        it.tuple_of(3)?;
        let (asked, groups) = (it.uint()?, it.uint()?);
        looked.asked = looked.asked.saturating_add(asked);
        let (mut told, mut told_of) = (0, 0);
        it.each(|it| {
            told += 1;
            told_of = u64::saturating_add(told_of, group(it, &mut looked.merged)?);
            Ok(())
        })?;
        looked.left_out.0 = looked.left_out.0.saturating_add(groups.saturating_sub(told));
        looked.left_out.1 = looked.left_out.1.saturating_add(asked.saturating_sub(told_of));
        Ok(())
    })?;
    Ok(looked)
}

/// One group of a page; how many processes it has.
fn group(reader: &mut Reader<'_>, merged: &mut Merged) -> Result<u64, DecodeError> {
    reader.tuple_of(7)?;
    let processes = reader.uint()?;
    let key = reader.term()?;
    let (mailbox_len, waiting) = (reader.uint()?, reader.uint()?);
    let mut members = Vec::new();
    reader.each(|it| {
        it.tuple_of(2)?;
        members.push((it.uint()?, it.pid()?));
        Ok(())
    })?;
    let registered = reader.uint()?;
    let mut names = Vec::new();
    reader.each(|it| {
        names.push(it.atom()?.into_owned());
        Ok(())
    })?;
    let part = Part { processes, waiting, mailbox_len, members, registered, names };
    if let Some([stack, calls]) = key.as_tuple()
        && let Some([_, stack]) = stack.as_tuple()
        && let Some([initial, call]) = calls.as_tuple()
    {
        merge(merged, stack, [initial, call], part);
    }
    // A process that ended between two questions has no stack.
    Ok(processes)
}

fn merge(merged: &mut Merged, stack: &Term<'_>, calls: [&Term<'_>; 2], part: Part) {
    let frames = stack::frames(stack);
    let [initial, call] = calls;
    let initial = look::as_mfa(initial);
    let is_spawned_fun = initial.as_ref().is_some_and(is_fun);
    let outermost = stack::outermost(&frames).filter(|_| is_spawned_fun).cloned();
    let name = Traits { call: look::as_call(call), initial, outermost, ..Traits::default() }.name();
    let (whole, calls) = merged.entry(frames).or_default();
    // Those with a registered name are told by it.
    let unnamed = calls.entry(name).or_default();
    *unnamed = unnamed.saturating_add(part.processes.saturating_sub(part.registered));
    whole.processes = whole.processes.saturating_add(part.processes);
    whole.waiting = whole.waiting.saturating_add(part.waiting);
    whole.mailbox_len = whole.mailbox_len.saturating_add(part.mailbox_len);
    whole.members.extend(part.members);
    whole.registered = whole.registered.saturating_add(part.registered);
    whole.names.extend(part.names);
}

fn groups(merged: Merged, top: usize) -> Vec<StackGroup> {
    let mut groups: Vec<StackGroup> =
        merged.into_iter().map(|(stack, (whole, calls))| told(stack, whole, calls)).collect();
    // Equal counts in an order that the next dump repeats.
    groups.sort_by(|left, right| {
        right.processes.cmp(&left.processes).then_with(|| left.stack.cmp(&right.stack))
    });
    groups.truncate(top);
    groups
}

fn told(
    stack: Vec<Frame>,
    mut whole: Part,
    calls: HashMap<(String, NameSource), u64>,
) -> StackGroup {
    whole.members.sort_by_key(|(mail, pid)| (std::cmp::Reverse(*mail), pid.id, pid.serial));
    whole.names.sort();
    whole.names.truncate(NAMES);
    let mut names: Vec<NamedCount> = calls
        .into_iter()
        .filter(|(_, processes)| *processes > 0)
        .map(|((name, name_source), processes)| NamedCount { name, name_source, processes })
        .collect();
    names.extend(whole.names.iter().map(|it| NamedCount {
        name: naming::atom(it).to_owned(),
        name_source: NameSource::Registered,
        processes: 1,
    }));
    names.sort_by(|left, right| {
        right.processes.cmp(&left.processes).then_with(|| left.name.cmp(&right.name))
    });
    StackGroup {
        processes: whole.processes,
        waiting: whole.waiting,
        mailbox_len: whole.mailbox_len,
        mailbox_len_max: whole.members.first().map_or(0, |(mail, _)| *mail),
        names,
        examples: whole
            .members
            .iter()
            .take(EXAMPLES)
            .map(|(_, pid)| giulia_model::Pid(pid.local()))
            .collect(),
        cut: stack.len() >= stack::FRAMES_CUT,
        stack,
    }
}

/// The same without evaluation.
async fn without_evaluation(link: &Link) -> Result<Looked, Problem> {
    let all = paged::all(link).await?;
    let total = count(all.len());
    let stood = paged::stood(link, paged::choose(&all)).await?;
    let mut looked = Looked { total, asked: count(stood.len()), ..Looked::default() };
    for it in stood {
        let part = Part {
            processes: 1,
            waiting: u64::from(it.waits),
            mailbox_len: it.mailbox_len,
            members: vec![(it.mailbox_len, it.pid)],
            registered: u64::from(it.registered.is_some()),
            names: it.registered.into_iter().collect(),
        };
        merge(&mut looked.merged, &it.stack, [&it.initial, &it.call], part);
    }
    Ok(looked)
}

fn is_sampled(looked: &Looked) -> bool {
    // A handful may be ours or end meanwhile.
    looked.total.saturating_sub(looked.asked) > looked.total / 20 + 5
}

/// `in_pages`: whether because of `--no-eval`, or else for want of memory.
fn not_seen(looked: &Looked, caution: Caution, in_pages: Option<bool>) -> Vec<NotSeen> {
    let mut not_seen = Vec::new();
    let Looked { total, asked, left_out: (groups, processes), .. } = looked;
    if is_sampled(looked) {
        let why = match (caution, in_pages) {
            (Caution::Signals, _) => {
                "a bug of this ERTS makes asking dangerous (`giulia doctor` prints it): at most \
                 2,000 are looked at, and asked if they wait and keep their mail on the heap"
            }
            (_, Some(false)) => {
                "grouping them there could take more than a quarter of the memory that its \
                 container or machine has left: above 10,000, about 2,000 are asked at random"
            }
            (_, Some(true)) => {
                "above 10,000 processes --no-eval asks about 2,000 at random; without it the \
                 target groups them itself"
            }
            (_, None) => "above 200,000 processes, a part is asked, at random",
        };
        let what = format!("{} of {total} processes", total.saturating_sub(*asked));
        not_seen.push(NotSeen { what, why: why.to_owned() });
    }
    if *groups > 0 {
        not_seen.push(NotSeen {
            what: format!("{processes} processes in {groups} small groups"),
            why: "more different stacks than are kept of so many processes; the largest groups \
                  are told, and their counts may lack some of those"
                .to_owned(),
        });
    }
    not_seen
}

fn count(it: usize) -> u64 {
    u64::try_from(it).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stack(function: &'static str) -> Term<'static> {
        let frame = [Term::atom("shop"), Term::atom(function), Term::int(1), Term::Nil];
        Term::tuple([Term::atom("current_stacktrace"), Term::list([Term::tuple(frame)])])
    }

    /// A group of processes in one function, the first of them with so much mail.
    fn group(processes: i64, function: &'static str, mail: i64, pid: u32) -> Term<'static> {
        let initial = [Term::atom("shop"), Term::atom("init"), Term::int(0)];
        let calls = Term::tuple([Term::tuple(initial), Term::atom("undefined")]);
        let member = Term::tuple([Term::int(mail), Pid::new("shop@db1", pid, 0, 1).into()]);
        Term::tuple([
            Term::int(processes),
            Term::tuple([stack(function), calls]),
            Term::int(mail),
            Term::int(processes),
            Term::list([member]),
            Term::int(1),
            Term::list([Term::atom(function)]),
        ])
    }

    fn reply(pages: [Term<'static>; 2]) -> Vec<u8> {
        let mut whole = vec![131];
        Term::tuple([Term::int(108), Term::list(pages)]).encode(&mut whole).unwrap();
        let mut bytes = Vec::new();
        Term::list([Term::binary(whole)]).encode(&mut bytes).unwrap();
        bytes
    }

    #[test]
    fn groups_of_pages_come_together_and_what_was_cut_is_counted() {
        let page = |asked: i64, groups: i64, told: Vec<Term<'static>>| {
            Term::tuple([Term::int(asked), Term::int(groups), Term::list(told)])
        };
        let first = page(60, 3, vec![group(40, "wait", 5, 7), group(10, "work", 0, 8)]);
        let second = page(47, 1, vec![group(47, "wait", 9, 9)]);
        let looked = read(&reply([first, second])).unwrap();
        assert_eq!((looked.total, looked.asked), (107, 107));
        // One group of ten was not told.
        assert_eq!(looked.left_out, (1, 10));
        let told = not_seen(&looked, Caution::None, None);
        assert_eq!(told[0].what, "10 processes in 1 small groups");
        let groups = groups(looked.merged, 10);
        let of = |at: usize| {
            let it: &StackGroup = &groups[at];
            (it.processes, it.waiting, it.mailbox_len, it.mailbox_len_max)
        };
        assert_eq!((of(0), of(1)), ((87, 87, 14, 9), (10, 10, 0, 0)));
        assert_eq!(groups[0].examples[0].0, "<0.9.0>");
        let names: Vec<_> =
            groups[0].names.iter().map(|it| (it.name.as_str(), it.processes)).collect();
        assert_eq!(names, [("shop:init/0", 85), ("wait", 1), ("wait", 1)]);
    }
}
