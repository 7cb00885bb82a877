//! Question: in what functions do processes spend their time, without tracing?
//!
//! Call: evaluated (`erl/stacks.erl`), a batch of rounds at a time: `erlang:processes/0` and the
//! `status` of everyone, then `process_info/2` of seven items, `current_stacktrace` among them, of
//! those on a scheduler or in line for one (or of those that wait).
//! First OTP: 23. Labels from ERTS 15.2; single dictionary keys from ERTS 14.2, before that the
//! whole dictionary of 200 processes below 64 KiB a batch.
//! Cost: a round is a wakeup, 0.1 µs for each process there is and some µs for each that is asked;
//! the pause between rounds grows until that is within the budget, 1 % of a core.
//! Limit: a round asks 32 processes, of the waiting 1,000, at random above; a batch keeps 4,000
//! answers and tells 1,000 different ones; 20,000 different ones are kept of all. Stacks are cut at
//! `backtrace_depth`, 8 by default. Nothing where a bug of the ERTS makes signals to running
//! processes dangerous, nor with `--no-eval`.
//! Side effects: each process asked handles one signal. The flag `scheduler_wall_time`, which the
//! VM counts by process, is held by the process that asks while it asks.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use giulia_dist::term::{Limits, Pid, Reader, Term};
use giulia_model::{
    Flame, FlameGroup, FlameOf, FlameStack, Frame, Mfa, NotSeen, Schedulers, ThreadsBusy,
    Utilisation,
};

use super::{
    Probe, processes, schedulers,
    utilisation::{self, WallTimes},
};
use crate::{
    answer::{self, Problem},
    eval,
    gates::{self, Caution},
    headroom,
    link::Link,
    look,
    meter::Budget,
    naming::{Label, Traits, is_fun},
    snapshot::find_room,
    stack,
};

pub(crate) const PROBE: Probe = Probe {
    name: "stacks",
    question: "in what functions do processes spend their time, without tracing?",
};

/// A batch: short enough that Ctrl-C and the end of the window lose little, long enough that the
/// form, 16 KB, is nothing beside it.
const BATCH: Duration = Duration::from_secs(1);
/// Processes that a round asks at most: as many as schedulers on a large machine, and of those in
/// line behind them some. Of the waiting, what is asked in 3 ms.
const RUNNING_MAX: u32 = 32;
const WAITING_MAX: u32 = 1000;
/// Answers that a batch keeps before it counts: with 8 frames of 70 words each, 18 MB at most.
const KEPT: i64 = 4000;
/// Different answers that a batch tells: 1 KB each before they are compressed.
const TOLD: i64 = 1000;
/// Different stacks kept of all batches.
const STACKS_MAX: usize = 20_000;
/// On top of the heap for a look at everyone: twice the answers kept.
const HEAP_WORDS: u64 = 8_000_000;
/// Nodes of the terms of an answer: 1,000 of 8 frames, file names of 40 letters among them.
const TREE_NODES_MAX: usize = 2_000_000;
/// What a round costs beside its look, in microseconds: some 50 interpreted expressions (measured
/// without pauses on OTP 27).
const ROUND_US: f64 = 50.0;
/// What one answer costs, in microseconds: a signal to a running process, and its stack.
const ANSWER_US: f64 = 12.0;
/// What a look costs before one was measured, in microseconds a process.
const LOOK_EACH_US: f64 = 0.15;
/// And a list of all processes: the VM walks its whole table, of a million places from OTP 27 on.
const LIST_US: f64 = 350.0;

/// What to sample.
#[derive(Debug, Clone, Copy)]
pub struct StackOptions {
    /// Whose stacks.
    pub of: FlameOf,
    /// Rounds a second at most.
    pub hz_max: u32,
    /// What sampling may take of the target.
    pub budget: Budget,
}

/// Stacks of a node that are being sampled.
#[derive(Debug)]
pub struct Stacks {
    link: Link,
    options: StackOptions,
    schedulers: Option<Schedulers>,
    began: Instant,
    sampled: Sampled,
    /// Of the last batch: the cheapest look, the cheapest list, and answers a round.
    look_us: Option<f64>,
    list_us: f64,
    answers_each: f64,
}

/// Why nothing can be sampled.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct CannotSample(String);

/// All batches together.
#[derive(Debug, Default)]
struct Sampled {
    rounds: u64,
    time_us: u64,
    processes: u64,
    seen: u64,
    asked: u64,
    /// Of those asked, who answered; samples are more where an answer stands for several rounds.
    answers: u64,
    brief: u64,
    brief_groups: HashMap<String, u64>,
    stacks: HashMap<(String, Vec<Frame>), u64>,
    /// Samples with stacks that there was no room for.
    left_out: u64,
    busy: Vec<(Utilisation, u64)>,
}

/// What one batch did.
#[derive(Debug, Clone, Copy)]
struct Batch {
    interval_ms: u64,
    rounds: u64,
    /// The processes are listed anew with each so many rounds.
    list_every: u64,
    lasts: Duration,
}

impl Stacks {
    /// Checks that this node's stacks can be sampled, and how much of that it can bear.
    ///
    /// # Errors
    /// Where a bug of its VM, its memory or `--no-eval` forbids it; the text says which.
    pub async fn start(link: &Link, options: StackOptions) -> Result<Self, CannotSample> {
        if let Some(reason) = gates::off(link.erts(), gates::FLAMES)
            && !link.accepts_vm_bug()
        {
            return Err(CannotSample(format!(
                "{reason}; upgrade it, or take the risk with --accept-vm-bug"
            )));
        }
        if link.caution() == Caution::Processes {
            return Err(CannotSample(
                "process_info can hang for ever on this ERTS (fixed in 12.0.4); upgrade it".into(),
            ));
        }
        if link.no_eval() {
            return Err(CannotSample(
                "sampling runs there, by an expression: not with --no-eval".to_owned(),
            ));
        }
        find_room(link).await;
        if !headroom::allows(link.headroom(), heap_words(link)?) {
            return Err(CannotSample(
                "it could take more than a quarter of the memory that its container or machine \
                 has left"
                    .to_owned(),
            ));
        }
        let answers = link.ask_all(PROBE.name, &schedulers::questions()).await;
        Ok(Self {
            link: link.clone(),
            options,
            schedulers: schedulers::read(&answers).ok(),
            began: Instant::now(),
            sampled: Sampled::default(),
            look_us: None,
            list_us: LIST_US,
            answers_each: 2.0,
        })
    }

    /// Samples for a second, or for as long as is left.
    ///
    /// # Errors
    /// When the node did not answer; what was sampled before is still there.
    pub async fn batch(&mut self, left: Duration) -> Result<(), CannotSample> {
        let batch = self.plan(left);
        let question = eval::STACKS.with(self.argument(batch));
        let heap_words = heap_words(&self.link)?;
        let answer = self.link.ask_in_turn(PROBE.name, &question, heap_words, batch.lasts).await;
        let bytes = answer.map_err(|it| CannotSample(it.to_string()))?;
        self.read(&bytes).map_err(|it| CannotSample(it.to_string()))
    }

    /// What was sampled so far; `schema`, `taken_at`, `functions` and `bias` stay empty.
    pub fn so_far(&self) -> Flame {
        let it = &self.sampled;
        let mut stacks: Vec<FlameStack> = it
            .stacks
            .iter()
            .map(|((group, stack), samples)| FlameStack {
                samples: *samples,
                group: group.clone(),
                stack: stack.clone(),
                cut: stack.len() >= stack::FRAMES_CUT,
            })
            .collect();
        // Equal counts in an order that the next graph repeats.
        stacks.sort_by(|left, right| {
            right
                .samples
                .cmp(&left.samples)
                .then_with(|| (&left.group, &left.stack).cmp(&(&right.group, &right.stack)))
        });
        let samples = stacks.iter().map(|it| it.samples).sum();
        let window_ms = self.began.elapsed().as_secs_f64() * 1000.0;
        Flame {
            node: self.link.connection().peer().name.to_string(),
            of: self.options.of,
            window_ms,
            rounds: it.rounds,
            rate_hz: ratio(it.rounds, 1) / window_ms.max(1.0) * 1000.0,
            processes: it.processes,
            samples,
            samples_all: samples.saturating_add(it.left_out),
            brief: it.brief,
            brief_groups: groups(&it.brief_groups, it.brief),
            stacks,
            utilisation: mean(&it.busy),
            not_seen: it.not_seen(),
            impact: self.link.impact(),
            ..Flame::default()
        }
    }

    /// As often as was wished for, or as the budget allows.
    fn plan(&self, left: Duration) -> Batch {
        let look_us = self.look_us.unwrap_or(ratio(self.link.processes(), 1) * LOOK_EACH_US);
        let round_us = ROUND_US + look_us + self.answers_each * ANSWER_US;
        let wished_us = 1e6 / f64::from(self.options.hz_max.max(1));
        let share = self.options.budget.core_share.max(1e-4);
        // The target's timers know whole milliseconds.
        let interval_ms = whole(wished_us.max(round_us / share) / 1000.0).max(2);
        let spent = round_us / ratio(interval_ms * 1000, 1);
        let for_lists = (share - spent).max(share / 2.0);
        let list_every = whole(self.list_us / ratio(interval_ms * 1000, 1) / for_lists);
        let lasts = BATCH.min(left).max(Duration::from_millis(interval_ms));
        let rounds = u64::try_from(lasts.as_millis()).unwrap_or(1000) / interval_ms;
        Batch { interval_ms, rounds: rounds.max(1), list_every: list_every.clamp(1, 50), lasts }
    }

    /// See the head of `erl/stacks.erl`.
    fn argument(&self, batch: Batch) -> Term<'static> {
        let waiting = self.options.of == FlameOf::Waiting;
        let erts = self.link.erts();
        let key = |name: &'static str| Term::tuple([Term::atom("dictionary"), Term::atom(name)]);
        let has_keys = erts.at_least(&[14, 2]);
        let call = if has_keys { key("$initial_call") } else { Term::atom("priority") };
        let label = match (has_keys, erts.at_least(&[15, 2])) {
            (true, true) => Term::atom("label"),
            (true, false) => key("$process_label"),
            (false, _) => Term::atom("priority"),
        };
        let names =
            ["status", "current_stacktrace", "group_leader", "registered_name", "initial_call"];
        let items = names.map(Term::atom).into_iter().chain([call, label]);
        let most = if waiting { WAITING_MAX } else { RUNNING_MAX };
        Term::tuple([
            Term::atom(self.link.connection().local_name().to_owned()),
            Term::uint(batch.rounds),
            Term::uint(batch.interval_ms / 2),
            Term::uint(batch.interval_ms),
            Term::uint(u64::try_from(batch.lasts.as_micros()).unwrap_or(u64::MAX)),
            Term::uint(batch.list_every),
            Term::boolean(waiting),
            Term::int(most),
            Term::int(KEPT),
            Term::list(items),
            Term::tuple([Term::boolean(!has_keys), Term::int(processes::DICTIONARY_BYTES_MAX)]),
            Term::int(TOLD),
        ])
    }

    /// Reads the list of one binary that the evaluated question returns.
    fn read(&mut self, reply: &[u8]) -> Result<(), Problem> {
        let limits = Limits { tree_nodes_max: TREE_NODES_MAX, ..Limits::DEFAULT };
        let mut inflated = Vec::new();
        let mut reader = Reader::versioned(answer::packed(reply)?, &limits, &mut inflated)?;
        reader.tuple_of(4)?;
        reader.tuple_of(10)?;
        let mut figures = [0; 10];
        for figure in &mut figures {
            *figure = reader.uint()?;
        }
        let [processes, rounds, seen, asked, samples, _, list_us, least_us, time_us, answers] =
            figures;
        let walls = reader.term()?;
        let calls = calls(&reader.term()?);
        let mut told = 0;
        let of = self.options.of;
        reader.each(|it| {
            it.tuple_of(2)?;
            it.tuple_of(2)?;
            let count = it.uint()?;
            it.skip()?;
            told = u64::saturating_add(told, count);
            let sample = it.term()?;
            self.sampled.add(&sample, count, &calls, of);
            Ok(())
        })?;
        let it = &mut self.sampled;
        it.processes = processes;
        it.rounds += rounds;
        it.seen = it.seen.saturating_add(seen);
        it.asked = it.asked.saturating_add(asked);
        it.answers = it.answers.saturating_add(answers);
        it.time_us = it.time_us.saturating_add(time_us);
        it.left_out = it.left_out.saturating_add(samples.saturating_sub(told));
        if let (Some(schedulers), Some([before, now])) = (&self.schedulers, walls.as_tuple())
            && let Some((now, before)) = wall_times(now).zip(wall_times(before))
            && let Some(busy) = now.since(&before, schedulers)
        {
            it.busy.push((busy, time_us));
        }
        self.link.set_processes(processes);
        if rounds > 0 {
            self.look_us = Some(ratio(least_us, 1));
            self.list_us = ratio(list_us, 1);
            self.answers_each = ratio(asked, rounds);
        }
        Ok(())
    }
}

impl Sampled {
    /// One answer: `{Status, Stack, RegisteredName, InitialCall, Call, Label}`.
    fn add(&mut self, sample: &Term<'_>, count: u64, calls: &HashMap<Pid, Mfa>, of: FlameOf) {
        let Some([status, frames, registered, initial, call, label]) = sample.as_tuple() else {
            return;
        };
        let frames = stack::frames(frames);
        let initial = look::as_mfa(initial);
        let is_spawned_fun = initial.as_ref().is_some_and(is_fun);
        let group = Traits {
            registered: registered.as_atom().map(str::to_owned),
            label: Label::new(label).filter(|_| !label.is_atom("none") && !label.is_atom("normal")),
            call: call
                .as_pid()
                .and_then(|it| calls.get(it).cloned())
                .or_else(|| look::as_call(call)),
            outermost: stack::outermost(&frames).filter(|_| is_spawned_fun).cloned(),
            initial,
        };
        let group = group.shared_name();
        // Found at work, and in the answer it waited: where it had worked, nobody knows.
        if of == FlameOf::Running && status.is_atom("waiting") {
            self.brief = self.brief.saturating_add(count);
            let groups = self.brief_groups.len();
            if groups < STACKS_MAX || self.brief_groups.contains_key(&group) {
                let known = self.brief_groups.entry(group).or_default();
                *known = known.saturating_add(count);
            }
            return;
        }
        let key = (group, frames);
        if self.stacks.len() >= STACKS_MAX && !self.stacks.contains_key(&key) {
            self.left_out = self.left_out.saturating_add(count);
            return;
        }
        let known = self.stacks.entry(key).or_default();
        *known = known.saturating_add(count);
    }

    fn not_seen(&self) -> Vec<NotSeen> {
        let mut not_seen = Vec::new();
        if self.left_out > 0 {
            not_seen.push(NotSeen {
                what: format!("{} samples of rare stacks", self.left_out),
                why: "more different stacks than are kept".to_owned(),
            });
        }
        if self.seen > self.asked {
            not_seen.push(NotSeen {
                what: format!("{} of {} processes found", self.seen - self.asked, self.seen),
                why: "a round asks only so many, at random above".to_owned(),
            });
        }
        not_seen
    }
}

fn heap_words(link: &Link) -> Result<u64, CannotSample> {
    let words = processes::heap_words(link.processes());
    words.map(|it| it + HEAP_WORDS).map_err(|it| CannotSample(it.to_string()))
}

fn wall_times(told: &Term<'_>) -> Option<WallTimes> {
    utilisation::of_term(told.clone()).ok().flatten()
}

/// Initial calls that were looked up by pid.
fn calls(told: &Term<'_>) -> HashMap<Pid, Mfa> {
    let pairs = told.as_list().unwrap_or_default().iter().filter_map(Term::as_tuple);
    let known = pairs.filter_map(|it| match it {
        [pid, call] => Some((pid.as_pid()?.clone(), look::as_call(call)?)),
        _ => None,
    });
    known.collect()
}

fn groups(counted: &HashMap<String, u64>, all: u64) -> Vec<FlameGroup> {
    let mut groups: Vec<FlameGroup> = counted
        .iter()
        .map(|(name, samples)| FlameGroup {
            name: name.clone(),
            samples: *samples,
            share: ratio(*samples, all),
        })
        .collect();
    groups.sort_by(|left, right| {
        right.samples.cmp(&left.samples).then_with(|| left.name.cmp(&right.name))
    });
    groups
}

/// The utilisation of all batches, each weighted by its time.
fn mean(busy: &[(Utilisation, u64)]) -> Option<Utilisation> {
    let all: u64 = busy.iter().map(|(_, time_us)| time_us).sum();
    let (first, _) = busy.first()?;
    let kind = |of: fn(&Utilisation) -> &ThreadsBusy| {
        let sum = |share: &dyn Fn(&ThreadsBusy) -> f64| -> f64 {
            busy.iter().map(|(it, time_us)| share(of(it)) * ratio(*time_us, all)).sum()
        };
        let each = (0..of(first).each.len())
            .map(|idx| sum(&|it| it.each.get(idx).copied().unwrap_or_default()));
        ThreadsBusy { total: sum(&|it| it.total), each: each.collect() }
    };
    Some(Utilisation {
        normal: kind(|it| &it.normal),
        dirty_cpu: kind(|it| &it.dirty_cpu),
        dirty_io: kind(|it| &it.dirty_io),
    })
}

#[expect(clippy::cast_precision_loss, reason = "counts of samples and microseconds")]
fn ratio(part: u64, of: u64) -> f64 {
    if of == 0 { 0.0 } else { part as f64 / of as f64 }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a float to an integer saturates, and an interval is small"
)]
fn whole(number: f64) -> u64 {
    number.ceil() as u64
}
