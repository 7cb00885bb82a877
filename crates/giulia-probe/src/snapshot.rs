//! One tick: every probe, each part on its own, in two round trips.

use std::time::Duration;

use giulia_model::{NotSeen, Snapshot};

use crate::{
    answer::{Answer, Bif, Problem},
    link::Link,
    probes::{activity, counts, ets, host, memory, node, processes, schedulers},
};

/// What a snapshot covers.
#[derive(Debug, Clone)]
pub struct SnapshotOptions {
    /// Figures of a window of this length beside those since start; one look without.
    pub window: Option<Duration>,
    /// Rows in each list. 20.
    pub top: usize,
}

/// The small probes travel together, so their price has one name.
const TOGETHER: &str = "node, counts, memory, schedulers, activity, ets, host";

/// What each small probe asks, and where its answers stand among all.
struct Plan {
    questions: Vec<Bif>,
    ends: Vec<usize>,
}

impl Plan {
    fn add(&mut self, questions: Vec<Bif>) {
        self.questions.extend(questions);
        self.ends.push(self.questions.len());
    }

    /// The answers of the probe that was added at this place.
    fn of<'a>(&self, probe: usize, answers: &'a [Answer]) -> &'a [Answer] {
        let start = probe.checked_sub(1).and_then(|it| self.ends.get(it)).copied().unwrap_or(0);
        let end = self.ends.get(probe).copied().unwrap_or(start);
        answers.get(start..end).unwrap_or_default()
    }
}

/// Asks a node everything once.
///
/// A probe that fails is in [`Snapshot::not_seen`] with its reason and spoils nothing else.
/// `schema` and `taken_at` stay empty: whoever owns the clock fills them in.
pub async fn snapshot(link: &Link, options: &SnapshotOptions) -> Snapshot {
    let name = link.connection().peer().name.clone();
    let about = node::About {
        name: name.as_str(),
        us: link.connection().local_name(),
        erts: link.erts(),
        no_eval: link.no_eval(),
    };
    let mut plan = Plan { questions: Vec::new(), ends: Vec::new() };
    plan.add(node::questions(&about));
    plan.add(counts::questions());
    plan.add(memory::questions());
    plan.add(schedulers::questions());
    plan.add(activity::questions());
    plan.add(host::questions(link.no_eval()));
    if !link.no_eval() {
        plan.add(vec![ets::question(i64::try_from(options.top).unwrap_or(i64::MAX))]);
    }
    let answers = link.ask_all(TOGETHER, &plan.questions).await;

    let mut seen = Seen::default();
    let facts = seen.part("node", node::read(plan.of(0, &answers), &about));
    let counts = seen.part("counts", counts::read(plan.of(1, &answers)));
    let memory = seen.part("memory", memory::read(plan.of(2, &answers)));
    let schedulers = seen.part("schedulers", schedulers::read(plan.of(3, &answers)));
    let totals = seen.part("activity", activity::read(plan.of(4, &answers)));
    if let Some(counts) = &counts {
        link.set_processes(counts.processes.count);
    }
    let online = schedulers.as_ref().map(|it| it.online);
    let host = seen.part("host", host_facts(link, plan.of(5, &answers), online).await);
    let word_bytes = facts.as_ref().map_or(8, |it| u64::from(it.word_bytes));
    let tables = if link.no_eval() {
        ets::paged(link, options.top, word_bytes).await
    } else {
        ets::read(plan.of(6, &answers), word_bytes)
    };
    let tables = seen.part("ets", tables);
    if let Some(partial) = tables.as_ref().and_then(partial) {
        seen.not.push(partial);
    }
    // After the others, so that their work is not in the window and not among the counted.
    let looked = processes::ask(link, options.top, options.window).await;
    let looked = seen.part("processes", looked);
    let (window, windowed, processes) = match looked {
        Some(it) => {
            seen.not.extend(it.not_seen);
            (it.window, it.activity, Some(it.processes))
        }
        None => (None, None, None),
    };
    Snapshot {
        schema: String::new(),
        taken_at: String::new(),
        window,
        node: facts,
        counts,
        memory,
        schedulers,
        activity: windowed.or_else(|| totals.map(|it| activity::activity(it, None))),
        processes,
        ets: tables.map(|it| it.tables),
        host,
        not_seen: seen.not,
        impact: link.impact(),
    }
}

/// What could not be seen.
#[derive(Debug, Default)]
struct Seen {
    not: Vec<NotSeen>,
}

impl Seen {
    /// The part, or its reason into the list.
    fn part<T>(&mut self, what: &str, read: Result<T, Problem>) -> Option<T> {
        read.map_err(|why| self.not.push(NotSeen { what: what.to_owned(), why: why.to_string() }))
            .ok()
    }
}

/// The host's facts; the VM's own cgroup is one more question where it is not the root.
async fn host_facts(
    link: &Link,
    answers: &[Answer],
    online: Option<u64>,
) -> Result<giulia_model::HostFacts, Problem> {
    let (mut files, descriptors) = host::read(answers, link.no_eval())?;
    if let Some(own) = host::own_cgroup(&files) {
        let answers = link.ask_each("host", std::slice::from_ref(&own.question)).await;
        host::merge(&mut files, &own, &answers);
    }
    host::facts(&files, descriptors, online)
}

/// Tables that were not asked for their size.
fn partial(tables: &ets::Tables) -> Option<NotSeen> {
    let left_out = tables.tables.total.saturating_sub(tables.asked);
    // A table or two can vanish between two questions.
    (left_out > tables.tables.total / 100 + 2).then(|| NotSeen {
        what: format!("{left_out} of {} ETS tables", tables.tables.total),
        why: "more than 10,000 tables (2,000 with --no-eval), or more than 1,000 with \
              decentralized counters, which are dear to ask"
            .to_owned(),
    })
}
