//! One tick: every probe, each part on its own, in three round trips: what is cheap, then, knowing
//! how much memory is left, the tables and the processes.

use std::time::Duration;

use giulia_dist::Error;
use giulia_model::{NotSeen, Processes, Snapshot};
use tokio::time::{Instant, timeout_at};

use crate::{
    answer::{Answer, Bif, Problem},
    headroom,
    link::Link,
    probes::{activity, counts, ets, host, limits, memory, node, processes, schedulers},
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
const TOGETHER: &str = "node, counts, memory, schedulers, activity, host, limits";

/// What each small probe asks, and where its answers stand among all.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    pub(crate) questions: Vec<Bif>,
    ends: Vec<usize>,
}

impl Plan {
    pub(crate) fn add(&mut self, questions: Vec<Bif>) {
        self.questions.extend(questions);
        self.ends.push(self.questions.len());
    }

    /// The answers of the probe that was added at this place.
    pub(crate) fn of<'a>(&self, probe: usize, answers: &'a [Answer]) -> &'a [Answer] {
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
    ask(link, options, Within::ITS_TIME).await
}

/// The same, over when the time is: what was answered by then is told, the rest is
/// [`Snapshot::not_seen`].
pub async fn snapshot_within(link: &Link, options: &SnapshotOptions, left: Duration) -> Snapshot {
    ask(link, options, Within { until: Instant::now().checked_add(left), left }).await
}

async fn ask(link: &Link, options: &SnapshotOptions, within: Within) -> Snapshot {
    let mut seen = Seen::default();
    let mut snapshot = small(link, options, within, &mut seen).await;
    // After the others, so that their work is not in the window and not among the counted.
    let looked = within.ask(processes::ask(link, options.top, options.window)).await;
    if let Some(it) = seen.part("processes", looked) {
        seen.not.extend(it.not_seen);
        snapshot.window = it.window;
        snapshot.activity = it.activity.or(snapshot.activity);
        snapshot.processes = Some(it.processes);
    }
    snapshot.not_seen = seen.not;
    snapshot.impact = link.impact();
    snapshot
}

/// What all processes are and who is first among them, and nothing else; with what of that could not
/// be seen.
///
/// # Errors
/// When the node does not say, with the reason.
pub async fn all_processes(link: &Link, top: usize) -> Result<(Processes, Vec<NotSeen>), Error> {
    let answers = link.ask_all("counts", &counts::questions()).await;
    link.set_processes(counts::read(&answers)?.processes.count);
    find_room(link).await;
    let told = processes::ask(link, top, None).await?;
    Ok((told.processes, told.not_seen))
}

/// Everything but processes.
async fn small(
    link: &Link,
    options: &SnapshotOptions,
    within: Within,
    seen: &mut Seen,
) -> Snapshot {
    let about = node::About::of(link);
    let mut plan = Plan::default();
    plan.add(node::questions(&about));
    plan.add(counts::questions());
    plan.add(memory::questions());
    plan.add(schedulers::questions());
    plan.add(activity::questions());
    plan.add(host::questions(link.no_eval()));
    plan.add(limits::questions());
    let asked = within.ask(async { Ok(link.ask_all(TOGETHER, &plan.questions).await) }).await;
    link.disturbs(activity::DISTURBS);
    let answers = asked.unwrap_or_else(|why| vec![Err(why); plan.questions.len()]);
    let counts = seen.part("counts", counts::read(plan.of(1, &answers)));
    if let Some(counts) = &counts {
        link.set_processes(counts.processes.count);
    }
    let totals = seen.part("activity", activity::read(plan.of(4, &answers)));
    let mut snapshot = Snapshot {
        counts,
        memory: seen.part("memory", memory::read(plan.of(2, &answers))),
        schedulers: seen.part("schedulers", schedulers::read(plan.of(3, &answers))),
        activity: totals.map(|it| activity::activity(it, None)),
        // What sessions own must be switched on for them, and slow parts are asked apart.
        ..Snapshot::default()
    };
    let around = [0, 5, 6].map(|it| plan.of(it, &answers));
    surroundings((link, options.top, within), &about, around, (&mut snapshot, seen)).await;
    snapshot
}

/// Reads what the node, its host and its limits answered, and asks for the tables, which must know
/// how much memory is left.
pub(crate) async fn surroundings(
    (link, top, within): (&Link, usize, Within),
    about: &node::About<'_>,
    [node, host, limits]: [&[Answer]; 3],
    (snapshot, seen): (&mut Snapshot, &mut Seen),
) {
    snapshot.node = seen.part("node", node::read(node, about));
    let online = snapshot.schedulers.as_ref().map(|it| it.online);
    snapshot.host = seen.part("host", within.ask(host_facts(link, host, online)).await);
    seen.not.extend(snapshot.host.iter().flat_map(host::not_seen));
    // Before anything that needs a heap worth the name.
    link.set_headroom(snapshot.host.as_ref().and_then(headroom::headroom));
    let word_bytes = snapshot.node.as_ref().map_or(8, |it| u64::from(it.word_bytes));
    snapshot.limits = seen.part("limits", limits::read(limits, word_bytes));
    let n_tables = snapshot.counts.as_ref().map_or(ets::TABLES_MAX, |it| it.ets_tables.count);
    let tables = within.ask(ets::ask(link, top, word_bytes, n_tables)).await;
    let tables = seen.part("ets", tables);
    seen.not.extend(tables.as_ref().and_then(partial));
    snapshot.ets = tables.map(|it| it.tables);
}

/// Until when parts are waited for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Within {
    until: Option<Instant>,
    left: Duration,
}

impl Within {
    /// For as long as each question may take.
    pub(crate) const ITS_TIME: Self = Self { until: None, left: Duration::MAX };

    async fn ask<T>(self, part: impl Future<Output = Result<T, Problem>>) -> Result<T, Problem> {
        let Some(until) = self.until else { return part.await };
        timeout_at(until, part).await.unwrap_or_else(|_| {
            let seconds = self.left.as_secs_f64();
            Err(Problem(format!(
                "it was not answered when the {seconds:.1} s for all were over; give more time"
            )))
        })
    }
}

/// What could not be seen.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    pub(crate) not: Vec<NotSeen>,
}

impl Seen {
    /// The part, or its reason into the list.
    pub(crate) fn part<T>(&mut self, what: &str, read: Result<T, Problem>) -> Option<T> {
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

/// Reads how much memory the node has left, for a large question that comes before its host.
pub(crate) async fn find_room(link: &Link) {
    let answers = link.ask_all("host", &host::questions(link.no_eval())).await;
    let host = host_facts(link, &answers, None).await.ok();
    link.set_headroom(host.as_ref().and_then(headroom::headroom));
}

/// Tables that were not asked for their size.
fn partial(tables: &ets::Tables) -> Option<NotSeen> {
    let left_out = tables.tables.total.saturating_sub(tables.asked);
    // A table or two can vanish between two questions.
    (left_out > tables.tables.total / 100 + 2).then(|| NotSeen {
        what: format!("{left_out} of {} ETS tables", tables.tables.total),
        why: "more than 10,000 tables (2,000 with --no-eval or little memory left), or more than \
              1,000 with decentralized counters, which are dear to ask"
            .to_owned(),
    })
}
