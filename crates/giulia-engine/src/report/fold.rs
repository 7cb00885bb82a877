//! The fold: ticks and marks in, in their order; a report out. Memory does not grow with them.

mod cut;

use std::collections::BTreeMap;

use giulia_model::{
    Answer, Counts, Covered, DatabaseRecord, Ended, EtsTables, Gap, HostFacts, Impact, LimitOver,
    LoggerShare, MailboxOver, Mark, MarkKind, Memory, NotSeen, NotSeenOver, Processes,
    ProfileLooks, Report, Restored, Schedulers, SchedulersOver, SeriesOver, Session, Snapshot,
    TableOver, TraceRecord, Work,
};

use super::{
    Told,
    calls::CallsFold,
    database::DatabaseFold,
    logger::{is_logger_module, is_logger_name, module_of},
    series::Series,
    tally::{Seen, Tally, share},
};
use crate::observe::TICK_TOP;

/// Marks at each end that are kept of very many.
const MARKS_AT_EACH_END: usize = 100;
/// Gaps that are listed.
const GAPS_MAX: usize = 100;
/// Between two ticks that a growth is told from: two points of a few seconds, stretched to a minute,
/// would tell of messages that nobody saw.
const PER_MINUTE_FROM_MS: u64 = 60_000;
/// Tables and mailboxes that are followed; each tick brings its top rows only.
const FOLLOWED_MAX: usize = 5_000;
/// Points of a chart: one for each second pixel of the charts of `giulia report -o FILE.html`.
const POINTS_SHOWN: usize = 240;
/// Reasons that are listed.
const NOT_SEEN_MAX: usize = 50;
/// What the rows of a module without one are called.
const NO_MODULE: &str = "(labelled or unknown)";

/// A report under construction.
#[derive(Debug)]
pub(crate) struct Fold {
    every_ms: u64,
    top: usize,
    /// Grows with each restart: the same pid is another process then.
    incarnation: u32,
    window: Covered,
    last_tick_ms: Option<u64>,
    last_mark_ms: u64,
    /// Why there may be a gap now.
    why: Option<String>,
    reductions: u64,
    sampled: bool,
    cores: Series,
    by_application: Tally,
    by_initial_call: Tally,
    by_module: Tally,
    by_process: Tally,
    logger: LoggerShare,
    online: u64,
    run_queue: Series,
    utilisation: Series,
    memory: Vec<(&'static str, Series)>,
    limits: Vec<(LimitOver, Series)>,
    mailboxes: BTreeMap<(u32, String), Mailbox>,
    tables: BTreeMap<TableKey, TableOver>,
    /// What was so at the edge where it began, of one that goes on after a cut.
    before: cut::Before,
    looks: Option<ProfileLooks>,
    are_mailboxes_seen: bool,
    are_tables_seen: bool,
    first_marks: Vec<Mark>,
    last_marks: std::collections::VecDeque<Mark>,
    marks_left_out: u64,
    not_seen: Vec<(String, NotSeenOver)>,
    cost: CostFold,
    calls: CallsFold,
    database: DatabaseFold,
}

/// A table: incarnation, name, owner.
type TableKey = (u32, String, String);

#[derive(Debug)]
struct Mailbox {
    over: MailboxOver,
    first_ms: u64,
    last_ms: u64,
}

#[derive(Debug, Default)]
struct CostFold {
    sum: giulia_model::Cost,
    /// What the link had cost at the last tick.
    latest: Impact,
}

impl Fold {
    pub(crate) fn new(every_ms: u64, top: usize) -> Self {
        Self {
            every_ms,
            top,
            incarnation: 0,
            window: Covered::default(),
            last_tick_ms: None,
            last_mark_ms: 0,
            why: None,
            reductions: 0,
            sampled: false,
            cores: Series::default(),
            by_application: Tally::default(),
            by_initial_call: Tally::default(),
            by_module: Tally::default(),
            by_process: Tally::default(),
            logger: LoggerShare::default(),
            online: 0,
            run_queue: Series::default(),
            utilisation: Series::default(),
            memory: MEMORY.iter().map(|name| (*name, Series::default())).collect(),
            limits: Vec::new(),
            mailboxes: BTreeMap::new(),
            tables: BTreeMap::new(),
            before: cut::Before::default(),
            looks: None,
            are_mailboxes_seen: false,
            are_tables_seen: false,
            first_marks: Vec::new(),
            last_marks: std::collections::VecDeque::new(),
            marks_left_out: 0,
            not_seen: Vec::new(),
            cost: CostFold::default(),
            calls: CallsFold::default(),
            database: DatabaseFold::default(),
        }
    }

    /// The next record.
    pub(crate) fn told(&mut self, at_ms: u64, told: &Result<Told, NotSeen>) {
        match told {
            Ok(Told::Tick(seen)) => self.tick(at_ms, seen),
            Ok(Told::Mark(mark)) => self.mark(mark.clone()),
            Ok(Told::Calls(record)) => self.calls((**record).clone()),
            Ok(Told::Answer(answer)) => self.answer(at_ms, answer),
            Ok(Told::Database(record)) => self.database((**record).clone()),
            Err(damaged) => self.not_seen(damaged),
        }
    }

    /// What counters said.
    pub(super) fn calls(&mut self, record: TraceRecord) {
        self.window.elapsed_ms = self.window.elapsed_ms.max(record.to_ms);
        self.calls.record(record);
    }

    /// What somebody asked beside the ticks.
    pub(crate) fn answer(&mut self, at_ms: u64, answer: &Answer) {
        self.window.elapsed_ms = self.window.elapsed_ms.max(at_ms);
        if let Answer::Trace(it) = answer {
            let window_ms = it.nodes.iter().map(|it| it.window_ms).fold(0.0, f64::max);
            self.database.looked(at_ms.saturating_sub(whole_ms(window_ms)), at_ms);
        }
    }

    /// What the database behind the node said.
    fn database(&mut self, record: DatabaseRecord) {
        self.window.elapsed_ms = self.window.elapsed_ms.max(record.to_ms);
        self.database.record(record);
    }

    pub(super) fn tick(&mut self, at_ms: u64, seen: &Snapshot) {
        self.gap_until(at_ms);
        self.why = None;
        self.last_tick_ms = Some(at_ms);
        self.window.ticks += 1;
        self.window.elapsed_ms = self.window.elapsed_ms.max(at_ms);
        if let Some(processes) = &seen.processes {
            self.processes(at_ms, processes);
        }
        if let Some((work, window)) = seen.activity.as_ref().zip(seen.window)
            && let Some(per_second) = work.runtime_ms.per_second(Some(window))
        {
            self.cores.add(at_ms, per_second / 1000.0);
        }
        if let Some(vm) = &seen.schedulers {
            self.schedulers(at_ms, vm);
        }
        if let Some(busy) = &seen.utilisation {
            self.utilisation.add(at_ms, busy.normal.total);
        }
        if let Some(memory) = &seen.memory {
            self.memory(at_ms, memory, seen.host.as_ref());
        }
        if let Some(counts) = &seen.counts {
            self.limits(at_ms, counts);
        }
        if let Some(tables) = &seen.ets {
            self.tables(tables);
        }
        for it in &seen.not_seen {
            self.not_seen(it);
        }
        self.cost.add(&seen.impact);
    }

    pub(super) fn mark(&mut self, mark: Mark) {
        self.last_mark_ms = self.last_mark_ms.max(mark.at_ms);
        self.window.elapsed_ms = self.window.elapsed_ms.max(mark.at_ms);
        match mark.kind {
            MarkKind::Restarted => {
                self.incarnation = self.incarnation.saturating_add(1);
                // Another VM: what it has more or less than the one before grew in neither.
                self.memory.iter_mut().for_each(|it| it.1.begin_anew());
                self.limits.iter_mut().for_each(|it| it.1.begin_anew());
                self.cost.latest = Impact::default();
            }
            MarkKind::Returned => self.cost.latest = Impact::default(),
            MarkKind::Missed => self.explain(&mark),
            MarkKind::Lost | MarkKind::Frozen | MarkKind::Refused | MarkKind::Held => {
                self.why = Some(mark.text.clone());
            }
            MarkKind::Attached
            | MarkKind::Thawed
            | MarkKind::LeaseLapsed
            | MarkKind::Armed
            | MarkKind::Disarmed
            | MarkKind::StoreFailed
            | MarkKind::StoreRecovered
            | MarkKind::Workload
            | MarkKind::Alarm
            | MarkKind::Ended => {}
        }
        if self.first_marks.len() < MARKS_AT_EACH_END {
            self.first_marks.push(mark);
            return;
        }
        self.last_marks.push_back(mark);
        if self.last_marks.len() > MARKS_AT_EACH_END {
            self.last_marks.pop_front();
            self.marks_left_out += 1;
        }
    }

    /// Counts a reason once, with the ticks that had it.
    pub(super) fn not_seen(&mut self, it: &NotSeen) {
        // "40 of 88 ETS tables" is the same next time with other figures.
        let key: String = it.what.chars().filter(|it| !it.is_ascii_digit()).collect();
        if let Some((_, known)) = self.not_seen.iter_mut().find(|(known, _)| *known == key) {
            known.ticks += 1;
        } else if self.not_seen.len() < NOT_SEEN_MAX {
            self.not_seen.push((key, NotSeenOver { it: it.clone(), ticks: 1 }));
        }
    }

    pub(crate) fn finish(mut self, mut session: Session, running: bool) -> Report {
        if !running && matches!(session.ended, Some(Ended::Killed) | None) {
            // Nobody was left to write down what the node did then.
            for change in session.manifest.iter_mut().filter(|it| it.restored == Restored::NotYet) {
                change.restored = Restored::ByTheNode;
            }
        }
        if !running && session.ended_at.is_some() {
            self.gap_until(self.last_mark_ms);
        }
        self.window.ticks_missed = session.ticks_missed;
        let work = self.work();
        let elapsed_ms = self.window.elapsed_ms;
        let series = self.series();
        let schedulers = self.schedulers_over();
        Report {
            schema: "giulia.report/1".to_owned(),
            session,
            running,
            window: self.window,
            work,
            trace: self.calls.finish(running, self.top.max(TICK_TOP)),
            database: self.database.finish(self.top.max(TICK_TOP)),
            schedulers,
            memory: self.memory.iter().filter_map(|(name, it)| it.trend(name)).collect(),
            limits: self.limits.into_iter().map(directed).collect(),
            mailboxes: longest(self.mailboxes, self.top),
            ets: changed(self.tables, self.top),
            marks: self.first_marks.into_iter().chain(self.last_marks).collect(),
            marks_left_out: self.marks_left_out,
            not_seen: self.not_seen.into_iter().map(|(_, it)| it).collect(),
            series,
            cost: self.cost.finish(elapsed_ms),
            findings: None,
        }
    }

    fn schedulers_over(&self) -> Option<SchedulersOver> {
        self.run_queue.spread().map(|run_queue| SchedulersOver {
            online: self.online,
            utilisation: self.utilisation.spread(),
            run_queue,
        })
    }

    fn series(&self) -> Vec<SeriesOver> {
        let of = |name: &str, unit: &str, series: &Series| SeriesOver {
            name: name.to_owned(),
            unit: unit.to_owned(),
            points: series.thinned(POINTS_SHOWN),
        };
        let mut all = vec![
            of("schedulers busy", "share", &self.utilisation),
            of("CPU of the VM", "cores", &self.cores),
            of("run queue", "waiting", &self.run_queue),
        ];
        all.extend(
            self.memory.iter().map(|(name, it)| of(&format!("memory: {name}"), "bytes", it)),
        );
        all.extend(self.limits.iter().map(|(limit, it)| of(&limit.name, "count", it)));
        all.retain(|it| !it.points.is_empty());
        all
    }

    fn work(&mut self) -> Option<Work> {
        if self.window.windows_ms <= 0.0 {
            return None;
        }
        let (whole, top) = (self.reductions, self.top);
        self.logger.share = share(self.logger.reductions, whole).min(1.0);
        #[expect(clippy::cast_precision_loss, reason = "a rate is shown to three digits")]
        let per_second = whole as f64 * 1000.0 / self.window.windows_ms;
        Some(Work {
            reductions: whole,
            reductions_per_second: per_second,
            cpu_cores: self.cores.spread(),
            sampled: self.sampled,
            by_application: self.by_application.ranking(whole, top, false),
            by_initial_call: self.by_initial_call.ranking(whole, top, false),
            by_module: self.by_module.ranking(whole, top, false),
            by_process: self.by_process.ranking(whole, top, true),
            logger: self.logger.clone(),
        })
    }

    /// Remembers a span without ticks that ends now.
    fn gap_until(&mut self, at_ms: u64) {
        let from_ms = self.last_tick_ms.unwrap_or_default();
        let apart = at_ms.saturating_sub(from_ms);
        // A tick may come late by half an interval, and the one after it in time again.
        if apart <= self.every_ms.saturating_add(self.every_ms / 2) {
            return;
        }
        self.window.gaps_ms = self.window.gaps_ms.saturating_add(apart);
        if self.window.gaps.len() < GAPS_MAX {
            let why = self.why.clone().unwrap_or_default();
            self.window.gaps.push(Gap { from_ms, to_ms: at_ms, why });
        }
    }

    /// The mark of missed ticks comes right behind the tick that ended them, or, where the session
    /// ended first, before that end.
    fn explain(&mut self, mark: &Mark) {
        let last_tick_ms = self.last_tick_ms.unwrap_or_default();
        if mark.at_ms.saturating_sub(last_tick_ms) >= self.every_ms / 2 {
            self.why.get_or_insert_with(|| mark.text.clone());
            return;
        }
        let ended_now = |it: &&mut Gap| it.to_ms == last_tick_ms && it.why.is_empty();
        if let Some(gap) = self.window.gaps.last_mut().filter(ended_now) {
            mark.text.clone_into(&mut gap.why);
        }
    }

    fn processes(&mut self, at_ms: u64, seen: &Processes) {
        self.mailboxes(at_ms, seen);
        let Some((window, whole)) = seen.window.zip(seen.reductions.in_window) else { return };
        self.window.windows_ms += window.elapsed_ms;
        self.look(at_ms, window.elapsed_ms);
        self.reductions = self.reductions.saturating_add(whole);
        self.sampled |= seen.ranking_coverage.sampled || seen.group_coverage.sampled;
        for it in &seen.by_application {
            let group = Seen {
                name: &it.name,
                application: None,
                reductions: it.reductions.in_window.unwrap_or_default(),
                processes: it.processes,
                mailbox_len: it.mailbox_len,
            };
            self.by_application.add((0, &it.name), &group);
        }
        // Several initial calls of one module are one row of this tick, not several.
        let mut modules: BTreeMap<&str, (u64, u64, u64)> = BTreeMap::new();
        for it in &seen.by_initial_call {
            let reductions = it.reductions.in_window.unwrap_or_default();
            let group = Seen {
                name: &it.name,
                application: None,
                reductions,
                processes: it.processes,
                mailbox_len: it.mailbox_len,
            };
            self.by_initial_call.add((0, &it.name), &group);
            let module = module_of(&it.name);
            let sums = modules.entry(module.unwrap_or(NO_MODULE)).or_default();
            sums.0 = sums.0.saturating_add(reductions);
            sums.1 = sums.1.saturating_add(it.processes);
            sums.2 = sums.2.max(it.mailbox_len);
            if module.is_some_and(is_logger_module) {
                self.logs(&it.name, reductions, it.mailbox_len);
            }
        }
        for (name, (reductions, processes, mailbox_len)) in modules {
            let module = Seen { name, application: None, reductions, processes, mailbox_len };
            self.by_module.add((0, name), &module);
        }
        self.busiest(seen);
    }

    fn busiest(&mut self, seen: &Processes) {
        for it in &seen.top_by_reductions {
            let reductions = it.reductions.in_window.unwrap_or_default();
            let process = Seen {
                name: &it.name,
                application: it.application.as_deref(),
                reductions,
                processes: 1,
                mailbox_len: it.mailbox_len.unwrap_or_default(),
            };
            self.by_process.add((self.incarnation, &it.pid.0), &process);
            // Counted already where its group is one of the logger's.
            let by_group = it.initial_call.as_ref().is_some_and(|it| {
                is_logger_module(it.module.strip_prefix("Elixir.").unwrap_or(&it.module))
            });
            if !by_group && is_logger_name(&it.name) {
                self.logs(&it.name, reductions, it.mailbox_len.unwrap_or_default());
            }
        }
    }

    fn logs(&mut self, name: &str, reductions: u64, mailbox_len: u64) {
        self.logger.reductions = self.logger.reductions.saturating_add(reductions);
        self.logger.mailbox_len_max = self.logger.mailbox_len_max.max(mailbox_len);
        if reductions > 0 && !self.logger.who.iter().any(|it| it == name) {
            self.logger.who.push(name.to_owned());
        }
    }

    fn mailboxes(&mut self, at_ms: u64, seen: &Processes) {
        let mut rows = seen.top_by_reductions.iter().chain(&seen.top_by_mailbox);
        self.are_mailboxes_seen |= rows.any(|it| it.mailbox_len.is_some());
        // A list with room left holds every mailbox that is not empty.
        if seen.top_by_mailbox.len() < TICK_TOP {
            for ((incarnation, pid), it) in &mut self.mailboxes {
                let is_listed = seen.top_by_mailbox.iter().any(|row| row.pid.0 == *pid);
                if *incarnation == self.incarnation && !is_listed {
                    (it.over.last, it.last_ms) = (0, at_ms);
                }
            }
        }
        for row in &seen.top_by_mailbox {
            let Some(len) = row.mailbox_len else { continue };
            if self.mailboxes.len() >= FOLLOWED_MAX {
                // Those that were never long are the least loss.
                self.mailboxes.retain(|_, it| it.over.max > 10);
            }
            let key = (self.incarnation, row.pid.0.clone());
            let (first_ms, first) = self.before.mailbox(&key).unwrap_or((at_ms, len));
            let it = self.mailboxes.entry(key).or_insert_with(|| Mailbox {
                over: MailboxOver {
                    name: row.name.clone(),
                    pid: row.pid.0.clone(),
                    first,
                    last: len,
                    max: len,
                    ticks: 0,
                    per_minute: None,
                },
                first_ms,
                last_ms: at_ms,
            });
            it.over.ticks += 1;
            it.over.max = it.over.max.max(len);
            (it.over.last, it.last_ms) = (len, at_ms);
        }
    }

    fn schedulers(&mut self, at_ms: u64, vm: &Schedulers) {
        self.online = vm.online;
        let waiting = vm.run_queue_lens.iter().fold(0_u64, |sum, it| sum.saturating_add(*it));
        self.run_queue.add(at_ms, as_f64(waiting));
    }

    fn memory(&mut self, at_ms: u64, it: &Memory, host: Option<&HostFacts>) {
        let named = [it.atom_bytes, it.binary_bytes, it.code_bytes, it.ets_bytes]
            .into_iter()
            .fold(0_u64, u64::saturating_add);
        let kinds = [
            Some(it.total_bytes),
            Some(it.processes_bytes),
            Some(it.binary_bytes),
            Some(it.ets_bytes),
            Some(it.code_bytes),
            Some(it.atom_bytes),
            Some(it.system_bytes.saturating_sub(named)),
            host.and_then(|it| it.rss_bytes),
        ];
        for ((_, series), bytes) in self.memory.iter_mut().zip(kinds) {
            if let Some(bytes) = bytes {
                series.add(at_ms, as_f64(bytes));
            }
        }
    }

    fn limits(&mut self, at_ms: u64, counts: &Counts) {
        for (name, now) in [
            ("processes", counts.processes),
            ("ports", counts.ports),
            ("atoms", counts.atoms),
            ("ETS tables", counts.ets_tables),
        ] {
            let known = self.limits.iter().position(|it| it.0.name == name);
            if known.is_none() {
                let first =
                    LimitOver { name: name.to_owned(), first: now.count, ..LimitOver::default() };
                self.limits.push((first, Series::default()));
            }
            let known = known.unwrap_or(self.limits.len().saturating_sub(1));
            let Some((it, series)) = self.limits.get_mut(known) else { continue };
            series.add(at_ms, as_f64(now.count));
            it.last = now.count;
            it.max = it.max.max(now.count);
            it.limit = now.limit;
            it.max_share = now.limit.map(|limit| share(it.max, limit));
        }
    }

    fn tables(&mut self, seen: &EtsTables) {
        self.are_tables_seen = true;
        for it in &seen.top_by_memory {
            if self.tables.len() >= FOLLOWED_MAX {
                // Small ones that do not change are the least loss.
                self.tables.retain(|_, it| it.memory_first != it.memory_last);
            }
            let key = (self.incarnation, it.name.clone(), it.owner.0.clone());
            let before = self.before.table(&key);
            let (size_first, memory_first) = before.unwrap_or((it.size, it.memory_bytes));
            let over = self.tables.entry(key).or_insert_with(|| TableOver {
                name: it.name.clone(),
                owner: it.owner_name.clone().unwrap_or_else(|| it.owner.0.clone()),
                size_first,
                size_last: it.size,
                memory_first,
                memory_last: it.memory_bytes,
                memory_max: it.memory_bytes,
            });
            (over.size_last, over.memory_last) = (it.size, it.memory_bytes);
            over.memory_max = over.memory_max.max(it.memory_bytes);
        }
    }
}

/// Kinds of memory in the order of [`Fold::memory`].
const MEMORY: &[&str] =
    &["total", "processes", "binaries", "ETS", "code", "atoms", "other system", "RSS"];

/// With how it grew, and whether that is more than noise.
fn directed((it, series): (LimitOver, Series)) -> LimitOver {
    let trend = series.trend(&it.name);
    LimitOver {
        per_minute: trend.as_ref().and_then(|it| it.per_minute),
        direction: trend.map(|it| it.direction).unwrap_or_default(),
        ..it
    }
}

impl CostFold {
    fn add(&mut self, now: &Impact) {
        // A link counts from nothing; one that has less than before is another one.
        let before = std::mem::replace(
            &mut self.latest,
            Impact { questions: Vec::new(), changed: Vec::new(), disturbed: Vec::new(), ..*now },
        );
        let is_same = now.round_trips >= before.round_trips;
        let before = if is_same { before } else { Impact::default() };
        let took_ms = (now.target_time_ms - before.target_time_ms).max(0.0);
        self.sum.target_time_ms += took_ms;
        self.sum.tick_max_ms = self.sum.tick_max_ms.max(took_ms);
        let add = |sum: &mut u64, now: u64, before: u64| {
            *sum = sum.saturating_add(now.saturating_sub(before));
        };
        add(&mut self.sum.round_trips, now.round_trips, before.round_trips);
        add(&mut self.sum.sent_bytes, now.sent_bytes, before.sent_bytes);
        add(&mut self.sum.received_bytes, now.received_bytes, before.received_bytes);
    }

    fn finish(mut self, elapsed_ms: u64) -> giulia_model::Cost {
        if elapsed_ms > 0 {
            self.sum.core_share = self.sum.target_time_ms / as_f64(elapsed_ms);
        }
        self.sum
    }
}

fn longest(mailboxes: BTreeMap<(u32, String), Mailbox>, top: usize) -> Vec<MailboxOver> {
    let mut rows: Vec<MailboxOver> = mailboxes
        .into_values()
        .map(|mut it| {
            let span_ms = it.last_ms.saturating_sub(it.first_ms);
            let change = as_f64(it.over.last) - as_f64(it.over.first);
            it.over.per_minute =
                (span_ms >= PER_MINUTE_FROM_MS).then(|| change * 60_000.0 / as_f64(span_ms));
            it.over
        })
        .collect();
    rows.sort_by(|a, b| b.max.cmp(&a.max).then_with(|| a.pid.cmp(&b.pid)));
    rows.truncate(top);
    rows
}

fn changed(tables: BTreeMap<(u32, String, String), TableOver>, top: usize) -> Vec<TableOver> {
    let mut rows: Vec<TableOver> = tables.into_values().collect();
    rows.sort_by_key(|it| {
        let change = it.memory_last.abs_diff(it.memory_first);
        std::cmp::Reverse((change, it.memory_last))
    });
    rows.truncate(top);
    rows
}

#[expect(clippy::cast_precision_loss, reason = "bytes and counts, shown to three digits")]
fn as_f64(number: u64) -> f64 {
    number as f64
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a window is not negative, and no session lasts longer than 2^64 ms"
)]
fn whole_ms(ms: f64) -> u64 {
    ms as u64
}

#[cfg(test)]
mod tests {
    use giulia_model::{
        Change, CountAgainstLimit, Counter, Coverage, Direction, NameSource, Pid, ProcessGroup,
        ProcessRow, Window,
    };

    use super::*;

    fn counter(in_window: u64) -> Counter {
        Counter { since_start: 1_000_000, in_window: Some(in_window) }
    }

    fn group(name: &str, reductions: u64) -> ProcessGroup {
        ProcessGroup {
            name: name.to_owned(),
            processes: 3,
            reductions: counter(reductions),
            reductions_share: 0.0,
            mailbox_len: 0,
        }
    }

    fn row(pid: &str, name: &str, reductions: u64, mailbox_len: u64) -> ProcessRow {
        ProcessRow {
            pid: Pid(pid.to_owned()),
            name: name.to_owned(),
            name_source: NameSource::Registered,
            application: Some("shop".to_owned()),
            initial_call: None,
            current_function: None,
            status: "waiting".to_owned(),
            reductions: counter(reductions),
            reductions_share: 0.0,
            mailbox_len: Some(mailbox_len),
            memory_bytes: None,
        }
    }

    /// One second in which `all` reductions were used.
    fn tick(all: u64, groups: &[(&str, u64)], rows: &[ProcessRow]) -> Snapshot {
        let coverage = Coverage { total: 50, asked: 50, sampled: false };
        let window = Some(Window { elapsed_ms: 1000.0 });
        let processes = Processes {
            window,
            ranking_coverage: coverage,
            group_coverage: coverage,
            reductions: counter(all),
            top_by_reductions: rows.to_vec(),
            top_by_mailbox: rows.iter().filter(|it| it.mailbox_len > Some(0)).cloned().collect(),
            top_by_memory: Vec::new(),
            by_application: Vec::new(),
            by_initial_call: groups.iter().map(|(name, work)| group(name, *work)).collect(),
            by_application_left_out: 0,
            by_initial_call_left_out: 0,
        };
        Snapshot { window, processes: Some(processes), ..Snapshot::default() }
    }

    fn mark(at_ms: u64, kind: MarkKind, text: &str) -> Mark {
        Mark { at: String::new(), at_ms, kind, text: text.to_owned() }
    }

    fn session() -> Session {
        Session {
            name: "shop-1".to_owned(),
            node: "shop@db1".to_owned(),
            started_at: "2026-03-01T12:00:00.000Z".to_owned(),
            ended_at: Some("2026-03-01T12:00:10.000Z".to_owned()),
            ended: Some(Ended::TimeUp),
            every_ms: 1000,
            ticks: 0,
            ticks_missed: 0,
            facts: None,
            workload: None,
            manifest: Vec::new(),
            giulia_version: "0".to_owned(),
        }
    }

    #[test]
    fn sums_over_ticks_are_what_was_planted() {
        let mut fold = Fold::new(1000, 2);
        fold.tick(0, &Snapshot::default());
        fold.tick(1000, &tick(100, &[("a:b/1", 60), ("a:c/1", 30), ("X.Y.z/2", 10)], &[]));
        fold.tick(2000, &tick(300, &[("a:b/1", 90), ("logger_olp:init/1", 150), ("q 7", 20)], &[]));
        let report = fold.finish(session(), false);
        let work = report.work.unwrap();
        assert_eq!((work.reductions, report.window.ticks), (400, 3));
        assert!((report.window.windows_ms - 2000.0).abs() < 1e-9);
        assert!((work.reductions_per_second - 200.0).abs() < 1e-9);
        let rows = |it: &giulia_model::Ranking| -> Vec<(String, u64)> {
            it.rows.iter().map(|it| (it.name.clone(), it.reductions)).collect()
        };
        let groups = [("a:b/1".to_owned(), 150), ("logger_olp:init/1".to_owned(), 150)];
        assert_eq!(rows(&work.by_initial_call), groups);
        assert_eq!((work.by_initial_call.others, work.by_initial_call.rest_reductions), (3, 100));
        let modules = [("a".to_owned(), 180), ("logger_olp".to_owned(), 150)];
        assert_eq!(rows(&work.by_module), modules);
        assert!((work.by_module.rows[0].share - 0.45).abs() < 1e-9);
        assert!((work.logger.share - 0.375).abs() < 1e-9);
        assert_eq!(work.logger.who, ["logger_olp:init/1"]);
    }

    #[test]
    fn a_process_after_a_restart_is_another_one() {
        let mut fold = Fold::new(1000, 5);
        fold.tick(1000, &tick(100, &[], &[row("<0.9.0>", "cart", 70, 0)]));
        fold.mark(mark(1500, MarkKind::Restarted, "another node"));
        fold.tick(2000, &tick(100, &[], &[row("<0.9.0>", "mail", 20, 0)]));
        let processes = fold.finish(session(), false).work.unwrap().by_process;
        let names: Vec<_> = processes.rows.iter().map(|it| it.name.as_str()).collect();
        assert_eq!((names, processes.rest_reductions), (vec!["cart", "mail"], 110));
    }

    #[test]
    fn a_gap_is_told_with_its_reason_and_is_in_no_window() {
        let mut fold = Fold::new(1000, 5);
        fold.tick(0, &tick(100, &[], &[]));
        fold.tick(1010, &tick(100, &[], &[]));
        fold.mark(mark(1500, MarkKind::Lost, "the node closed the connection"));
        fold.tick(6000, &tick(100, &[], &[]));
        fold.mark(mark(6000, MarkKind::Missed, "4 ticks missed"));
        fold.tick(9000, &tick(100, &[], &[]));
        fold.mark(mark(9000, MarkKind::Missed, "2 ticks missed"));
        fold.mark(mark(9900, MarkKind::Ended, "its time was over"));
        let window = fold.finish(session(), false).window;
        let gaps: Vec<_> =
            window.gaps.iter().map(|it| (it.from_ms, it.to_ms, it.why.as_str())).collect();
        let lost = (1010, 6000, "the node closed the connection");
        assert_eq!(gaps, [lost, (6000, 9000, "2 ticks missed")]);
        assert_eq!((window.gaps_ms, window.elapsed_ms), (7990, 9900));
        assert!((window.windows_ms - 4000.0).abs() < 1e-9);
    }

    #[test]
    fn a_session_that_ends_long_after_its_last_tick_says_so() {
        let end = |running: bool| {
            let mut fold = Fold::new(1000, 5);
            fold.tick(0, &tick(100, &[], &[]));
            fold.mark(mark(400, MarkKind::Frozen, "no answer"));
            fold.mark(mark(8000, MarkKind::Ended, "stopped"));
            fold.finish(session(), running).window.gaps
        };
        assert_eq!(end(false), [Gap { from_ms: 0, to_ms: 8000, why: "no answer".to_owned() }]);
        assert_eq!(end(true), []);
    }

    #[test]
    fn nothing_and_one_tick_have_levels_and_no_shares() {
        let nothing = Fold::new(1000, 5).finish(session(), false);
        assert!(nothing.work.is_none() && nothing.memory.is_empty() && nothing.limits.is_empty());
        let mut fold = Fold::new(1000, 5);
        let count = CountAgainstLimit { count: 90, limit: Some(100) };
        let counts = Counts { processes: count, ports: count, atoms: count, ets_tables: count };
        let memory = Memory {
            total_bytes: 100,
            processes_bytes: 40,
            system_bytes: 60,
            atom_bytes: 10,
            binary_bytes: 10,
            code_bytes: 10,
            ets_bytes: 10,
        };
        let seen = Snapshot { counts: Some(counts), memory: Some(memory), ..Snapshot::default() };
        fold.tick(5, &seen);
        let one = fold.finish(session(), false);
        assert!(one.work.is_none());
        assert_eq!(one.limits[0].max_share, Some(0.9));
        let other = one.memory.iter().find(|it| it.name == "other system").unwrap();
        assert_eq!((other.last, other.direction), (20, Direction::Unknown));
    }

    #[test]
    fn a_mailbox_that_was_emptied_ends_at_nothing() {
        let mut fold = Fold::new(1000, 5);
        fold.tick(0, &tick(9, &[], &[row("<0.9.0>", "mail", 1, 500)]));
        fold.tick(30_000, &tick(9, &[], &[row("<0.9.0>", "mail", 1, 900)]));
        fold.tick(60_000, &tick(9, &[], &[row("<0.9.0>", "mail", 1, 0)]));
        let box_of = fold.finish(session(), false).mailboxes.remove(0);
        assert_eq!((box_of.first, box_of.max, box_of.last, box_of.ticks), (500, 900, 0, 2));
        assert_eq!(box_of.per_minute, Some(-500.0));
    }

    #[test]
    fn cost_goes_on_over_a_new_link() {
        let mut fold = Fold::new(1000, 5);
        for (at_ms, round_trips, target_time_ms) in
            [(0, 3, 30.0), (1000, 5, 40.0), (2000, 2, 20.0), (3000, 4, 25.0)]
        {
            let impact = Impact { round_trips, target_time_ms, ..Impact::default() };
            fold.tick(at_ms, &Snapshot { impact, ..Snapshot::default() });
        }
        let cost = fold.finish(session(), true).cost;
        assert_eq!(cost.round_trips, 9);
        assert!(
            (cost.target_time_ms - 65.0).abs() < 1e-9 && (cost.tick_max_ms - 30.0).abs() < 1e-9
        );
        assert!((cost.core_share - 65.0 / 3000.0).abs() < 1e-9);
    }

    #[test]
    fn a_new_link_that_asked_more_than_the_one_before_is_counted_whole() {
        let mut fold = Fold::new(1000, 5);
        let tick = |fold: &mut Fold, at_ms, round_trips, target_time_ms| {
            let impact = Impact { round_trips, target_time_ms, ..Impact::default() };
            fold.tick(at_ms, &Snapshot { impact, ..Snapshot::default() });
        };
        tick(&mut fold, 0, 3, 30.0);
        fold.mark(mark(1500, MarkKind::Returned, "the same node is back"));
        tick(&mut fold, 2000, 4, 35.0);
        let cost = fold.finish(session(), true).cost;
        assert_eq!(cost.round_trips, 7);
        assert!((cost.target_time_ms - 65.0).abs() < 1e-9);
    }

    #[test]
    fn memory_that_a_restart_freed_did_not_fall() {
        let of = |total_bytes| Memory {
            total_bytes,
            processes_bytes: 0,
            system_bytes: 0,
            atom_bytes: 0,
            binary_bytes: 0,
            code_bytes: 0,
            ets_bytes: 0,
        };
        let seen = |bytes| Snapshot { memory: Some(of(bytes)), ..Snapshot::default() };
        let trend = |restarts: bool| {
            let mut fold = Fold::new(1000, 5);
            (0..20).for_each(|idx| fold.tick(idx * 1000, &seen(9_000_000)));
            if restarts {
                fold.mark(mark(20_000, MarkKind::Restarted, "another node"));
            }
            (20..40).for_each(|idx| fold.tick(idx * 1000, &seen(1_000_000)));
            fold.finish(session(), false).memory.remove(0)
        };
        assert_eq!(trend(false).direction, Direction::Falling);
        let over = trend(true);
        assert_eq!((over.direction, over.per_minute), (Direction::Steady, Some(0.0)));
        assert_eq!((over.first, over.last, over.max), (9_000_000, 1_000_000, 9_000_000));
    }

    #[test]
    fn what_a_killed_session_held_is_left_to_the_node() {
        let change = Change {
            what: "scheduler wall time".to_owned(),
            made_at_ms: 5,
            restored: Restored::NotYet,
            restored_at_ms: None,
        };
        let of = |ended, running| {
            let session = Session { ended, manifest: vec![change.clone()], ..session() };
            Fold::new(1000, 5).finish(session, running).session.manifest.remove(0).restored
        };
        assert_eq!(of(Some(Ended::Killed), false), Restored::ByTheNode);
        assert_eq!(of(None, true), Restored::NotYet);
        assert_eq!(of(Some(Ended::TimeUp), false), Restored::NotYet);
    }
}
