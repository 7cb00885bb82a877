//! Question: what is this one process, what is it tied to, and what does it hold?
//!
//! Call: `erlang:list_to_pid/1`, or `erlang:list_to_existing_atom/1` and `erlang:whereis/1`;
//! `erlang:process_info/2` of it, its lists cut where they live (`erl/process.erl`; whole with
//! `--no-eval`), and of at most 200 neighbours for their names; with `--state`, evaluated
//! (`erl/state.erl`), `sys:get_state/2`.
//! First OTP: 23. `parent` from ERTS 13, labels from ERTS 15.2.
//! Cost: constant in processes; of this one O(its links, monitors, binaries and dictionary), and its
//! mailbox for `memory`. A common one takes 1 ms.
//! Limit: fifty of each kind of neighbour; no `memory` of a mailbox above 100,000; no dictionary of
//! a process above 8 MB; each question 40 MB of heap and 5 s. The state only of one that waits in a
//! loop of OTP's with an empty mailbox and less than 8 MB of memory, and of it kinds and sizes of
//! 200 parts.
//! Side effects: none; some signals to it. The state is copied by the process itself, which runs
//! nothing else meanwhile. A term that the state holds in several places is copied once for each of
//! them, so the copy may be larger than the 8 MB.

use std::collections::HashMap;

use giulia_dist::term::{Pid, Term};
use giulia_model::{BinariesHeld, Heap, Keys, Neighbour, Neighbours, NotSeen, ProcessDetail};

use super::Probe;
use crate::{
    answer::{self, Bif, Problem},
    eval,
    gates::Caution,
    link::Link,
    look::{self, Row},
    naming, paged, shape, stack,
    subject::Subject,
};

pub(crate) const PROBE: Probe = Probe {
    name: "process",
    question: "what is this one process, what is it tied to, and what does it hold?",
};

/// Neighbours of each kind, and keys: a supervisor's first screen.
const MOST: i64 = 50;
/// A key of a dictionary may be any term: one above so many bytes is not brought.
const KEY_BYTES_MAX: i64 = 256;
/// Whole dictionaries are copied out of processes with less memory than this, in bytes: some ms.
const DICTIONARY_BYTES_MAX: u64 = 8 << 20;
/// What to learn of a process.
#[derive(Debug, Clone, Copy)]
pub struct ProcessOptions {
    /// The shape of its state too.
    pub state: bool,
}

/// There is no such process, with what to try.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NoProcess(String);

impl NoProcess {
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }
}

/// One process in depth.
///
/// `schema` and `taken_at` stay empty: whoever owns the clock fills them in.
///
/// # Errors
///
/// When there is no such process, or the node does not answer; both say so.
pub async fn process(
    link: &Link,
    subject: &Subject,
    options: &ProcessOptions,
) -> Result<ProcessDetail, NoProcess> {
    let caution = link.caution();
    if caution == Caution::Processes {
        return Err(NoProcess(
            "process_info can hang for ever on this ERTS (fixed in 12.0.4); upgrade it".into(),
        ));
    }
    let pid = find(link, subject).await?;
    let failed = |it: Problem| NoProcess(format!("{subject}: {it}"));
    let rows = paged::rows(link, vec![pid.clone()], &HashMap::new()).await.map_err(failed)?;
    let Some(row) = rows.into_iter().next() else {
        return Err(NoProcess(format!(
            "{subject} does not run any more, or never did; `giulia snapshot {}` lists those that \
             work, `giulia dump` where all of them stand",
            link.connection().peer().name
        )));
    };
    let mut it = begun(link, &row);
    // Where signals are dangerous it was asked only if it waits and keeps its mail on the heap.
    if row.mailbox_len.is_none() && caution != Caution::None {
        it.not_seen.push(NotSeen {
            what: "everything but its name and status".to_owned(),
            why:
                "a bug of this ERTS makes asking a process dangerous that does not wait, or keeps \
                  its mail off the heap (`giulia doctor` prints it)"
                    .to_owned(),
        });
    } else {
        base(link, &pid, &mut it).await;
        lists(link, &pid, &mut it).await;
        name_all(link, &pid, &mut it).await;
        if options.state {
            match shape::state(link, &pid).await {
                Ok(shape) => it.state = Some(shape),
                Err(why) => missing(&mut it, "state", &why),
            }
        }
    }
    it.impact = link.impact();
    Ok(it)
}

/// The pid that a text means. No atom is made for a name that the node does not know.
pub(crate) async fn find(link: &Link, subject: &Subject) -> Result<Pid, NoProcess> {
    if let Subject::Pid(..) = subject {
        let question = Bif::new("erlang", "list_to_pid", [Term::string(&subject.to_string())]);
        let answers = link.ask_each(PROBE.name, &[question]).await;
        let told = answer::term(&answers, 0).map_err(|it| NoProcess(format!("{subject}: {it}")))?;
        return told.as_pid().cloned().ok_or_else(|| NoProcess(format!("{subject} is no pid")));
    }
    let names = subject.names();
    let questions: Vec<Bif> = names
        .iter()
        .map(|it| Bif::new("erlang", "list_to_existing_atom", [Term::string(it)]))
        .collect();
    // Those that raise are no atoms there.
    let answers = link.ask_each(PROBE.name, &questions).await;
    for (idx, _) in names.iter().enumerate() {
        let Ok(Term::Atom(name)) = answer::term(&answers, idx) else { continue };
        let question = Bif::new("erlang", "whereis", [Term::Atom(name.into_owned().into())]);
        let found = link.ask_each(PROBE.name, &[question]).await;
        if let Ok(Term::Pid(pid)) = answer::term(&found, 0) {
            return Ok(pid);
        }
    }
    if link.connection().is_closed() {
        return Err(NoProcess(format!("the connection ended while looking for {subject}")));
    }
    Err(NoProcess(format!(
        "no process is registered as `{subject}` (asked for {}); a name that a library keeps \
         (Registry, global, gproc) is none of the VM's: give the pid",
        names.iter().map(|it| format!("`{it}`")).collect::<Vec<_>>().join(" and "),
    )))
}

/// What the process probe tells of it.
fn begun(link: &Link, row: &Row) -> ProcessDetail {
    let (name, name_source) = row.traits.name();
    let ours = link.connection().peer().name.to_string();
    ProcessDetail {
        schema: String::new(),
        taken_at: String::new(),
        pid: giulia_model::Pid(row.pid.local()),
        name,
        name_source,
        registered_name: row.traits.registered.as_deref().map(|it| naming::atom(it).to_owned()),
        initial_call: row.traits.initial_call().cloned(),
        application: None,
        group_leader: row.leader.as_ref().map(|it| of_pid(it, &ours)),
        node: ours,
        ancestors: Vec::new(),
        parent: None,
        status: row.status.clone(),
        priority: None,
        trap_exit: None,
        suspending: None,
        mailbox_len: row.mailbox_len,
        message_queue_data: None,
        reductions: row.since_start,
        memory_bytes: row.memory_bytes,
        heap: None,
        binaries: None,
        links: None,
        monitors: None,
        monitored_by: None,
        stack: Vec::new(),
        stack_cut: false,
        dictionary_keys: None,
        state: None,
        not_seen: Vec::new(),
        impact: link.impact(),
    }
}

/// What has a fixed size.
async fn base(link: &Link, pid: &Pid, it: &mut ProcessDetail) {
    let mut items = vec![
        "priority",
        "trap_exit",
        "suspending",
        "message_queue_data",
        "total_heap_size",
        "heap_size",
        "stack_size",
        "garbage_collection",
        "current_stacktrace",
    ];
    if link.erts().at_least(&[13]) {
        items.push("parent");
    }
    let items = Term::list(items.into_iter().map(Term::atom));
    let master = Term::tuple([Term::atom("application_master"), Term::atom("$1")]);
    let questions = [
        Bif::new("erlang", "process_info", [pid.clone().into(), items]),
        Bif::new("erlang", "system_info", [Term::atom("wordsize")]),
        Bif::new("ets", "match", [Term::atom("ac_tab"), Term::tuple([master, Term::atom("$2")])]),
    ];
    let answers = link.ask_all(PROBE.name, &questions).await;
    let info = match answer::term(&answers, 0) {
        Ok(info) => info,
        Err(why) => return missing(it, "stack, heap and flags", &why),
    };
    let Some(pairs) = info.as_list() else {
        return missing(it, "stack, heap and flags", &Problem("it ended meanwhile".into()));
    };
    let word = answer::term(&answers, 1).ok().and_then(|it| answer::uint(&it).ok()).unwrap_or(8);
    let of = |name: &str| answer::pair(pairs, name);
    it.priority = of("priority").and_then(answer::text);
    it.trap_exit = of("trap_exit").map(|it| it.is_atom("true"));
    it.suspending = of("suspending").map(length);
    it.message_queue_data = of("message_queue_data").and_then(answer::text);
    it.heap = heap(pairs, word);
    it.stack = of("current_stacktrace").map(stack::frames).unwrap_or_default();
    it.stack_cut = it.stack.len() >= stack::FRAMES_CUT;
    it.parent = of("parent").and_then(Term::as_pid).map(|pid| of_pid(pid, &it.node));
    if let (Ok(found), Some(leader)) = (answer::term(&answers, 2), &it.group_leader) {
        let applications = look::applications(&found);
        let mut led = applications.into_iter();
        it.application = led.find(|(pid, _)| pid.local() == leader.id).map(|(_, name)| name);
    }
}

fn heap(pairs: &[Term<'_>], word: u64) -> Option<Heap> {
    let bytes =
        |name: &str| Some(answer::uint(answer::pair(pairs, name)?).ok()?.saturating_mul(word));
    let settings = answer::pair(pairs, "garbage_collection").and_then(Term::as_list);
    let setting = |name: &str| answer::pair(settings.unwrap_or_default(), name);
    let number = |name: &str| answer::uint(setting(name)?).ok();
    let limit = setting("max_heap_size").and_then(|it| answer::uint(it.get("size")?).ok());
    Some(Heap {
        total_bytes: bytes("total_heap_size")?,
        young_bytes: bytes("heap_size")?,
        stack_bytes: bytes("stack_size")?,
        minor_collections: number("minor_gcs"),
        fullsweep_after: number("fullsweep_after"),
        max_bytes: limit.filter(|it| *it > 0).map(|it| it.saturating_mul(word)),
    })
}

/// What can be long, each in a question of its own, so that one that is too long spoils no other.
async fn lists(link: &Link, pid: &Pid, it: &mut ProcessDetail) {
    let mut wanted = vec!["links", "monitors", "monitored_by", "binary"];
    let is_small = it.memory_bytes.is_some_and(|it| it <= DICTIONARY_BYTES_MAX);
    if link.no_eval() {
        let why = "with --no-eval its values would travel with the keys; not asked";
        missing(it, "keys of its dictionary, and ancestors", &Problem(why.to_owned()));
    } else if is_small {
        wanted.push("dictionary");
    } else {
        let why =
            "its dictionary could be as large as the process, above 8 MB, and is copied whole";
        missing(it, "keys of its dictionary, and ancestors", &Problem(why.to_owned()));
    }
    let questions: Vec<Bif> = wanted.iter().map(|item| list_question(link, pid, item)).collect();
    let answers = link.ask_each(PROBE.name, &questions).await;
    for (idx, item) in wanted.iter().enumerate() {
        if let Err(why) = answer::term(&answers, idx).and_then(|told| list(it, &told, link)) {
            missing(it, item, &why);
        }
    }
}

fn list_question(link: &Link, pid: &Pid, item: &'static str) -> Bif {
    let (pid, items) = (Term::from(pid.clone()), Term::list([Term::atom(item)]));
    if link.no_eval() {
        return Bif::new("erlang", "process_info", [pid, items]);
    }
    let limits = [Term::int(MOST), Term::int(KEY_BYTES_MAX)];
    eval::PROCESS.with(Term::tuple([pid, items].into_iter().chain(limits)))
}

/// One list: whole (`{Name, List}`), or cut (`{Name, Length, First}` and so on).
fn list(it: &mut ProcessDetail, told: &Term<'_>, link: &Link) -> Result<(), Problem> {
    let first = told.as_list().and_then(<[_]>::first);
    // Evaluated, there is a list around it.
    let inner =
        if link.no_eval() { first } else { first.and_then(Term::as_list).and_then(<[_]>::first) };
    let parts = inner.and_then(Term::as_tuple);
    let ours = it.node.clone();
    match parts {
        Some([name, total, bytes]) if name.is_atom("binary") => {
            let (count, bytes) = (answer::uint(total)?, answer::uint(bytes)?);
            it.binaries = Some(BinariesHeld { count, bytes });
        }
        Some([name, whole]) if name.is_atom("binary") => it.binaries = Some(binaries(whole)),
        Some([_, total, keys, ancestors]) => {
            let total = answer::uint(total)?;
            let keys = keys.as_list().unwrap_or_default();
            it.dictionary_keys = Some(Keys { total, first: keys.iter().map(key).collect() });
            let ancestors = ancestors.as_list().unwrap_or_default();
            it.ancestors = ancestors.iter().filter_map(|it| neighbour(it, &ours)).collect();
        }
        Some([name, rest @ ..]) => {
            let (total, first) = match rest {
                [whole] => (length(whole), whole),
                [total, first] => (answer::uint(total)?, first),
                _ => return Err(answer::unexpected(told)),
            };
            let first = first.as_list().unwrap_or_default().iter();
            let first = first.take(usize::try_from(MOST).unwrap_or_default());
            let first = first.filter_map(|it| neighbour(it, &ours)).collect();
            let slot = match name.as_atom() {
                Some("links") => &mut it.links,
                Some("monitors") => &mut it.monitors,
                _ => &mut it.monitored_by,
            };
            *slot = Some(Neighbours { total, first });
        }
        _ => return Err(Problem("it ended meanwhile".to_owned())),
    }
    Ok(())
}

/// A binary that is held twice is there twice.
fn binaries(whole: &Term<'_>) -> BinariesHeld {
    let each = whole.as_list().unwrap_or_default().iter().filter_map(Term::as_tuple);
    let sizes: HashMap<String, u64> = each
        .filter_map(|it| match it {
            [id, size, ..] => Some((id.to_string(), answer::uint(size).ok()?)),
            _ => None,
        })
        .collect();
    let count = u64::try_from(sizes.len()).unwrap_or(u64::MAX);
    BinariesHeld { count, bytes: sizes.values().sum() }
}

#[expect(clippy::wildcard_enum_match_arm, reason = "terms of all other types are alike here")]
fn key(term: &Term<'_>) -> String {
    match term {
        Term::Atom(name) if *name == "system_limit" => "(a long key)".to_owned(),
        Term::Atom(name) => naming::atom(name).to_owned(),
        other => format!("{other:.80}"),
    }
}

/// A pid, a port, a name, or what is monitored: `{process, Pid}`, `{process, {Name, Node}}`.
#[expect(clippy::wildcard_enum_match_arm, reason = "nothing else is linked or monitored")]
fn neighbour(term: &Term<'_>, ours: &str) -> Option<Neighbour> {
    let plain = |id: String| Neighbour { id, name: None, node: None };
    match term {
        Term::Pid(pid) => Some(of_pid(pid, ours)),
        Term::Port(port) => Some(plain(port.to_string())),
        Term::Atom(name) => Some(plain(naming::atom(name).to_owned())),
        Term::Reference(it) => Some(plain(it.to_string())),
        Term::Tuple(parts) => match parts.as_slice() {
            [kind, Term::Tuple(named)] if kind.as_atom().is_some() => match named.as_slice() {
                [name, node] => Some(Neighbour {
                    id: naming::atom(name.as_atom()?).to_owned(),
                    name: None,
                    node: node.as_atom().filter(|it| *it != ours).map(str::to_owned),
                }),
                _ => None,
            },
            [kind, what] if kind.as_atom().is_some() => neighbour(what, ours),
            _ => None,
        },
        _ => None,
    }
}

fn of_pid(pid: &Pid, ours: &str) -> Neighbour {
    let node = Some(pid.node.as_str()).filter(|it| *it != ours).map(str::to_owned);
    Neighbour { id: pid.local(), name: None, node }
}

/// Names of all neighbours that live there, in one go.
async fn name_all(link: &Link, its: &Pid, it: &mut ProcessDetail) {
    let ids: Vec<String> = each_neighbour(it)
        .filter(|it| it.node.is_none() && it.id.starts_with('<'))
        .map(|it| it.id.clone())
        .collect();
    let pids: Vec<Pid> = ids.iter().filter_map(|id| pid_of(its, id)).collect();
    let names: HashMap<String, String> = paged::names(link, pids)
        .await
        .into_iter()
        .map(|(pid, (name, _))| (pid.local(), name))
        .collect();
    for it in each_neighbour(it).filter(|it| it.node.is_none()) {
        it.name = names.get(&it.id).cloned();
    }
}

fn each_neighbour(it: &mut ProcessDetail) -> impl Iterator<Item = &mut Neighbour> {
    let lists = [&mut it.links, &mut it.monitors, &mut it.monitored_by];
    let listed = lists.into_iter().flatten().flat_map(|it| it.first.iter_mut());
    let single = [&mut it.parent, &mut it.group_leader].into_iter().flatten();
    listed.chain(it.ancestors.iter_mut()).chain(single)
}

/// A pid of the same node, from its text.
fn pid_of(its: &Pid, id: &str) -> Option<Pid> {
    let Ok(Subject::Pid(number, serial)) = id.parse() else { return None };
    Some(Pid { id: number, serial, ..its.clone() })
}

fn length(list: &Term<'_>) -> u64 {
    u64::try_from(list.as_list().unwrap_or_default().len()).unwrap_or(u64::MAX)
}

fn missing(it: &mut ProcessDetail, what: &str, why: &Problem) {
    it.not_seen.push(NotSeen { what: what.to_owned(), why: why.to_string() });
}
