//! A fold that is cut at an edge: what came before becomes a window, and what comes next goes on
//! from the levels at the edge, so that no change between two ticks is lost with it.

use std::collections::BTreeMap;

use giulia_model::{NotSeenOver, ProfileCalls, ProfileLooks, ProfileWindow, SessionTrace};

use super::{FOLLOWED_MAX, Fold, TableKey, changed, directed, longest};

/// Gaps that a window lists.
const GAPS_SHOWN: usize = 10;
/// Marks at each end of a window that are kept of many.
const MARKS_AT_EACH_END: usize = 10;

/// Levels at the edge where a part of a session begins.
#[derive(Debug, Default)]
pub(super) struct Before {
    at_ms: u64,
    /// Those that held a message at the last tick.
    mailboxes: BTreeMap<(u32, String), u64>,
    /// Objects and bytes, when the table was seen last.
    tables: BTreeMap<TableKey, (u64, u64)>,
}

impl Before {
    /// When, and how many messages waited.
    pub(super) fn mailbox(&self, key: &(u32, String)) -> Option<(u64, u64)> {
        self.mailboxes.get(key).map(|len| (self.at_ms, *len))
    }

    /// Objects and bytes.
    pub(super) fn table(&self, key: &TableKey) -> Option<(u64, u64)> {
        self.tables.get(key).copied()
    }
}

impl Fold {
    /// What was told so far; what is told from now on is a part of its own.
    ///
    /// Reasons for what was not seen stay with the part that goes on: each is told once.
    pub(in crate::report) fn cut(&mut self) -> Self {
        let mut next = Self::new(self.every_ms, self.top);
        next.incarnation = self.incarnation;
        next.last_tick_ms = self.last_tick_ms;
        next.last_mark_ms = self.last_mark_ms;
        next.why.clone_from(&self.why);
        next.online = self.online;
        next.memory = self.memory.iter().map(|(name, it)| (*name, it.going_on())).collect();
        let limits = self.limits.iter().map(|(it, series)| {
            let known = giulia_model::LimitOver { first: it.last, max: 0, ..it.clone() };
            (known, series.going_on())
        });
        next.limits = limits.collect();
        next.before = self.levels();
        next.not_seen = std::mem::take(&mut self.not_seen);
        next.cost.latest = std::mem::take(&mut self.cost.latest);
        let calls = self.calls.cut();
        next.calls = std::mem::replace(&mut self.calls, calls);
        std::mem::replace(self, next)
    }

    fn levels(&mut self) -> Before {
        let mailboxes = self.mailboxes.iter().filter(|(_, it)| it.over.last > 0);
        let mailboxes = mailboxes.map(|(key, it)| (key.clone(), it.over.last)).collect();
        let mut tables = std::mem::take(&mut self.before.tables);
        for (key, it) in &self.tables {
            if tables.len() < FOLLOWED_MAX || tables.contains_key(key) {
                tables.insert(key.clone(), (it.size_last, it.memory_last));
            }
        }
        Before { at_ms: self.last_tick_ms.unwrap_or_default(), mailboxes, tables }
    }

    /// A look at all processes that ends now and is of the time before.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a time that passed, in whole milliseconds"
    )]
    pub(super) fn look(&mut self, at_ms: u64, elapsed_ms: f64) {
        let from_ms = at_ms.saturating_sub(elapsed_ms.round() as u64);
        let looks = self.looks.get_or_insert(ProfileLooks { from_ms, to_ms: at_ms, looks: 0 });
        looks.to_ms = at_ms;
        looks.looks += 1;
    }

    /// The last gap, where the session ended long after its last tick.
    pub(in crate::report) fn end(&mut self) {
        self.gap_until(self.last_mark_ms);
    }

    /// Time without ticks until then; whether there was some.
    pub(in crate::report) fn end_at(&mut self, at_ms: u64) -> bool {
        let before = self.window.gaps_ms;
        self.gap_until(at_ms);
        self.window.gaps_ms > before
    }

    /// The last tick, in milliseconds from the start of the session.
    pub(in crate::report) fn last_tick_ms(&self) -> Option<u64> {
        self.last_tick_ms
    }

    /// The last record, in milliseconds from the start of the session.
    pub(in crate::report) fn elapsed_ms(&self) -> u64 {
        self.window.elapsed_ms
    }

    /// What could not be seen so far, by ticks and by counters.
    pub(in crate::report) fn take_not_seen(&mut self) -> Vec<NotSeenOver> {
        let by_counters = self.calls.take_not_seen();
        let by_counters = by_counters.into_iter().map(|it| NotSeenOver { it, ticks: 0 });
        let by_ticks = std::mem::take(&mut self.not_seen).into_iter().map(|(_, it)| it);
        by_ticks.chain(by_counters).collect()
    }

    /// It as one window from here to there.
    pub(in crate::report) fn into_window(mut self, (from_ms, to_ms): (u64, u64)) -> ProfileWindow {
        let work = self.work();
        let schedulers = self.schedulers_over();
        let mut gaps = self.window.gaps;
        gaps.truncate(GAPS_SHOWN);
        let limits = self.limits.into_iter().filter(|it| !it.1.is_empty());
        let mut marks: Vec<_> = self.first_marks.into_iter().chain(self.last_marks).collect();
        let more = marks.len().saturating_sub(2 * MARKS_AT_EACH_END);
        if more > 0 {
            marks.drain(MARKS_AT_EACH_END..MARKS_AT_EACH_END + more);
        }
        ProfileWindow {
            from_ms,
            to_ms,
            ticks: self.window.ticks,
            ticks_missed: 0,
            covered_ms: self.window.windows_ms,
            looks: self.looks,
            gaps_ms: self.window.gaps_ms,
            gaps,
            work,
            // Counters that are read on are still there at the edge.
            calls: self.calls.finish(true, self.top).and_then(calls),
            schedulers,
            memory: self
                .memory
                .iter()
                .filter(|it| !it.1.is_empty())
                .filter_map(|(name, it)| it.trend(name))
                .collect(),
            limits: limits.map(directed).collect(),
            mailboxes: self.are_mailboxes_seen.then(|| longest(self.mailboxes, self.top)),
            ets: self.are_tables_seen.then(|| changed(self.tables, self.top)),
            boundaries: Vec::new(),
            marks,
            marks_left_out: self
                .marks_left_out
                .saturating_add(u64::try_from(more).unwrap_or(u64::MAX)),
        }
    }
}

/// None where no reading ended here.
fn calls(it: SessionTrace) -> Option<ProfileCalls> {
    if it.counted_ms == 0 && it.functions.is_empty() {
        return None;
    }
    let read = || it.stretches.iter().filter(|it| it.to_ms > it.from_ms);
    let from_ms = read().map(|it| it.from_ms).min().unwrap_or_default();
    let to_ms = read().map(|it| it.to_ms).max().unwrap_or_default();
    let rate = |calls: u64| super::as_f64(calls) * 1000.0 / super::as_f64(it.counted_ms.max(1));
    Some(ProfileCalls {
        from_ms,
        to_ms,
        counted_ms: it.counted_ms,
        calls: it.calls,
        calls_per_s: rate(it.calls),
        gaps: it.gaps.into_iter().take(GAPS_SHOWN).collect(),
        functions: it.functions,
        modules: it.modules,
        measured: it.measured,
    })
}
