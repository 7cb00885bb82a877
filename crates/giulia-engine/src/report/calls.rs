//! Calls of a session: its records of kind `trace` in, sums of all stretches out.

use std::collections::BTreeMap;

use giulia_model::{
    Gap, LeftOut, Mfa, ModuleCode, NotSeen, Own, Place, SessionTrace, TakenOver, TraceBegan,
    TraceDelta, TraceEvent, TraceMeasured, TracePlaced, TraceRecord, TraceStretch, TraceTookOver,
    TracedFunction, TracedModule,
};

/// Functions that are kept: more than a session counts ([`giulia_probe::FUNCTIONS_MAX`] at once), and
/// a limit for what an import brings.
const FUNCTIONS_MAX: usize = 100_000;
/// Stretches and gaps that are listed; an hour of a node that restarts each minute.
const STRETCHES_MAX: usize = 1000;
/// Names that are listed of what was left out.
const NAMED_MAX: usize = 1000;
/// Longest name of an atom, in bytes: 255 characters of four.
const NAME_BYTES_MAX: usize = 1020;
/// Of a reason: what giulia itself writes has a tenth of it, an import may bring anything.
const WHY_CHARS_MAX: usize = 2000;

/// Counters of a session on their way to sums.
#[derive(Debug, Default)]
pub(crate) struct CallsFold {
    sums: SessionTrace,
    functions: BTreeMap<Mfa, Function>,
    code: BTreeMap<String, ModuleCode>,
    places: BTreeMap<Mfa, Place>,
    open: Option<TraceStretch>,
    /// The last one that is over, which a gap may follow.
    closed: Option<TraceStretch>,
    is_begun: bool,
    was_paused: bool,
    n_refused: u64,
}

#[derive(Debug, Default)]
struct Function {
    calls: u64,
    lost: Option<String>,
    own: Option<Own>,
}

impl CallsFold {
    /// Takes in the next record.
    pub(crate) fn record(&mut self, record: TraceRecord) {
        let (from_ms, to_ms) = (record.from_ms, record.to_ms);
        match record.event {
            TraceEvent::Began(began) => self.began(from_ms, to_ms, began),
            TraceEvent::Counted(delta) => self.counted(to_ms, delta),
            TraceEvent::TookOver(taken) => self.took_over((from_ms, to_ms), &taken),
            TraceEvent::Measured(measured) => self.measured(*measured),
            TraceEvent::Placed(placed) => self.placed(placed),
            TraceEvent::Ended(ended) => {
                let loaded = ended.loaded_meanwhile.iter().map(|it| short(it));
                add_all(&mut self.sums.loaded_meanwhile, loaded);
                if let Some(open) = &mut self.open {
                    open.to_ms = open.to_ms.max(to_ms);
                    open.paused = ended.paused;
                    open.why = ended.why.as_deref().map(short);
                }
                self.close();
            }
            // They are what the others come to.
            TraceEvent::Totals(_) => {}
        }
    }

    /// When the open stretch was read last, if there is one.
    pub(crate) fn open_since(&self) -> Option<(u64, u64)> {
        self.open.as_ref().map(|it| (it.from_ms, it.to_ms))
    }

    fn began(&mut self, from_ms: u64, to_ms: u64, began: TraceBegan) {
        self.close();
        self.is_begun = true;
        self.sums.patterns = began.patterns.iter().take(NAMED_MAX).map(|it| short(it)).collect();
        self.sums.budget_share = began.budget_share;
        (self.sums.modules_counted, self.sums.functions_counted) = (began.modules, began.functions);
        self.left_out(began.left_out);
        add_all(&mut self.sums.other_tracers, began.other_tracers.iter().map(|it| short(it)));
        self.not_seen(&began.not_seen);
        self.open = Some(TraceStretch { from_ms, to_ms, paused: false, why: None });
    }

    fn counted(&mut self, to_ms: u64, delta: TraceDelta) {
        if let Some(open) = &mut self.open {
            open.to_ms = open.to_ms.max(to_ms);
        }
        self.sums.counters_share_max = self.sums.counters_share_max.max(delta.counters_share);
        for it in delta.functions {
            if let Some(function) = self.function(it.mfa()) {
                function.calls = function.calls.saturating_add(it.calls);
            }
        }
        for it in delta.lost {
            if let Some(function) = self.function(it.mfa()) {
                let until = function.calls;
                function.lost.get_or_insert_with(|| {
                    format!("{} ({until} calls were counted until then)", short(&it.why))
                });
            }
        }
        self.left_out(delta.left_out);
    }

    fn took_over(&mut self, (absent_at_ms, from_ms): (u64, u64), taken: &TraceTookOver) {
        self.sums.functions_counted = self.sums.functions_counted.saturating_add(taken.functions);
        for module in taken.modules.iter().map(|it| short(it)) {
            self.sums.modules_counted = self.sums.modules_counted.saturating_add(1);
            let is_known = self.sums.taken_over.iter().any(|it| it.module == module);
            if !is_known && self.sums.taken_over.len() < NAMED_MAX {
                self.sums.taken_over.push(TakenOver { module, absent_at_ms, from_ms });
            }
        }
    }

    fn measured(&mut self, it: TraceMeasured) {
        self.not_seen(&it.not_seen);
        if it.functions.is_empty() {
            return;
        }
        // Each stretch measures for itself; the one with the most to say is shown.
        let is_more = self.sums.measured.as_ref().is_none_or(|old| old.calls <= it.measured.calls);
        if !is_more {
            return;
        }
        self.functions.values_mut().for_each(|it| it.own = None);
        for row in it.functions {
            if let Some(function) = self.function(row.mfa()) {
                function.own = row.own;
            }
        }
        self.sums.measured = Some(it.measured);
        self.sums.groups = it.groups.into_iter().take(NAMED_MAX).collect();
    }

    fn placed(&mut self, placed: TracePlaced) {
        for it in placed.modules {
            let has_room = self.code.len() < NAMED_MAX || self.code.contains_key(&it.module);
            if has_room && it.module.len() <= NAME_BYTES_MAX && it.digest().is_some() {
                self.code.insert(it.module.clone(), it);
            }
        }
        for mut it in placed.functions {
            let mfa = it.mfa();
            let has_room = self.places.len() < NAMED_MAX || self.places.contains_key(&mfa);
            if has_room && mfa.module.len().max(mfa.function.len()) <= NAME_BYTES_MAX {
                it.place.file = short(&it.place.file);
                it.place.graph = None;
                self.places.insert(mfa, it.place);
            }
        }
    }

    fn function(&mut self, mfa: Mfa) -> Option<&mut Function> {
        let is_named = mfa.module.len().max(mfa.function.len()) <= NAME_BYTES_MAX;
        let has_room = self.functions.len() < FUNCTIONS_MAX || self.functions.contains_key(&mfa);
        if !is_named || !has_room {
            self.n_refused += 1;
            return None;
        }
        Some(self.functions.entry(mfa).or_default())
    }

    fn left_out(&mut self, left_out: Vec<LeftOut>) {
        for it in left_out {
            let is_known = self.sums.left_out.iter().any(|known| known.what == it.what);
            if !is_known && self.sums.left_out.len() < NAMED_MAX {
                let (what, why) = (short(&it.what), short(&it.why));
                self.sums.left_out.push(LeftOut { what, why, ..it });
            }
        }
    }

    fn not_seen(&mut self, not_seen: &[NotSeen]) {
        let short = |it: &NotSeen| NotSeen { what: short(&it.what), why: short(&it.why) };
        add_all(&mut self.sums.not_seen, not_seen.iter().map(short));
    }

    fn close(&mut self) {
        let Some(open) = self.open.take() else { return };
        self.sums.counted_ms =
            self.sums.counted_ms.saturating_add(open.to_ms.saturating_sub(open.from_ms));
        if let Some(before) = self.closed.replace(open.clone())
            && self.sums.gaps.len() < STRETCHES_MAX
        {
            let why = before.why.unwrap_or_default();
            self.sums.gaps.push(Gap { from_ms: before.to_ms, to_ms: open.from_ms, why });
        }
        self.was_paused = open.paused;
        if self.sums.stretches.len() < STRETCHES_MAX {
            self.sums.stretches.push(open);
        }
    }

    /// What was read up to here; what is read from now on is summed up anew. Readings and gaps are
    /// in one of the two as a whole, and a lost counter is lost in the part that lost it.
    pub(super) fn cut(&mut self) -> Self {
        let not_seen = self.take_not_seen();
        let it = &self.sums;
        let sums = SessionTrace {
            patterns: it.patterns.clone(),
            budget_share: it.budget_share,
            modules_counted: it.modules_counted,
            functions_counted: it.functions_counted,
            not_seen,
            ..SessionTrace::default()
        };
        let open = self.open.clone().map(|it| TraceStretch { from_ms: it.to_ms, ..it });
        // Between two parts of one stretch there is no gap.
        let closed = if open.is_some() { None } else { self.closed.clone() };
        let is_begun = self.is_begun;
        std::mem::replace(self, Self { sums, open, closed, is_begun, ..Self::default() })
    }

    /// What could not be seen so far.
    pub(super) fn take_not_seen(&mut self) -> Vec<NotSeen> {
        let mut not_seen = std::mem::take(&mut self.sums.not_seen);
        if std::mem::take(&mut self.n_refused) > 0 {
            add_all(&mut not_seen, [refused()]);
        }
        not_seen
    }

    /// The sums; nothing where nothing was counted. `top` rows of each ranking.
    pub(crate) fn finish(mut self, running: bool, top: usize) -> Option<SessionTrace> {
        if !self.is_begun {
            return None;
        }
        if let Some(open) = &mut self.open
            && !running
        {
            open.why = Some("the session ended before counters were stopped".to_owned());
        }
        self.close();
        let mut sums = self.sums;
        sums.code = self.code.into_values().collect();
        sums.complete = self.was_paused
            && sums.gaps.is_empty()
            && sums.taken_over.is_empty()
            && self.n_refused == 0;
        if self.n_refused > 0 {
            sums.not_seen.push(refused());
        }
        let known = self.functions.values().filter(|it| it.lost.is_none());
        sums.calls = known.map(|it| it.calls).fold(0, u64::saturating_add);
        let mut modules: BTreeMap<String, TracedModule> = BTreeMap::new();
        for (mfa, it) in self.functions {
            let mut row = row(&mfa, it, &sums);
            row.place = self.places.remove(&mfa);
            module(modules.entry(mfa.module).or_default(), &row);
            sums.functions.push(row);
        }
        let (calls, counted_ms) = (sums.calls, sums.counted_ms);
        let taken = sums.taken_over.iter().map(|it| &it.module);
        let windows: BTreeMap<String, u64> =
            taken.map(|it| (it.clone(), counted_since(it, &sums))).collect();
        sums.modules = modules.into_values().collect();
        for it in &mut sums.modules {
            it.share = super::tally::share(it.calls, calls);
            it.calls_per_s =
                per_s(it.calls, windows.get(&it.module).copied().unwrap_or(counted_ms));
        }
        let order = |calls: Option<u64>| std::cmp::Reverse(calls.unwrap_or_default());
        sums.functions.sort_by_key(|it| (order(it.calls), it.mfa()));
        sums.functions.truncate(top);
        sums.modules.sort_by_key(|it| (order(Some(it.calls)), it.module.clone()));
        sums.modules.truncate(top);
        sums.groups.truncate(top);
        Some(sums)
    }
}

fn refused() -> NotSeen {
    let why = format!("these records have more than {FUNCTIONS_MAX}, or names too long for any");
    NotSeen { what: "functions".to_owned(), why }
}

fn row(mfa: &Mfa, it: Function, sums: &SessionTrace) -> TracedFunction {
    let window_ms = counted_since(&mfa.module, sums);
    let mut row = TracedFunction {
        module: mfa.module.clone(),
        name: mfa.function.clone(),
        arity: mfa.arity,
        window_ms: as_f64(window_ms),
        own: it.own,
        ..TracedFunction::default()
    };
    if it.lost.is_none() {
        row.calls = Some(it.calls);
        row.calls_per_s = Some(per_s(it.calls, window_ms));
        row.share = Some(super::tally::share(it.calls, sums.calls));
    }
    row.lost = it.lost;
    row
}

/// How long a module was counted: of one that was taken over, from then on.
fn counted_since(module: &str, sums: &SessionTrace) -> u64 {
    let Some(taken) = sums.taken_over.iter().find(|it| it.module == module) else {
        return sums.counted_ms;
    };
    let since = |it: &TraceStretch| it.to_ms.saturating_sub(it.from_ms.max(taken.from_ms));
    sums.stretches.iter().map(since).fold(0, u64::saturating_add).min(sums.counted_ms)
}

fn module(module: &mut TracedModule, row: &TracedFunction) {
    module.module.clone_from(&row.module);
    match row.calls {
        Some(calls) => {
            module.functions_called += u64::from(calls > 0);
            module.calls = module.calls.saturating_add(calls);
        }
        None => module.functions_lost += 1,
    }
    if let Some(own) = &row.own {
        let time = module.own_time_us.get_or_insert(0);
        *time = time.saturating_add(own.own_time_us);
        if let Some(words) = own.words {
            let sum = module.words.get_or_insert(0);
            *sum = sum.saturating_add(words);
        }
    }
}

fn short(text: &str) -> String {
    text.chars().take(WHY_CHARS_MAX).collect()
}

fn add_all<T: PartialEq>(all: &mut Vec<T>, more: impl IntoIterator<Item = T>) {
    for it in more {
        if !all.contains(&it) && all.len() < NAMED_MAX {
            all.push(it);
        }
    }
}

fn per_s(calls: u64, ms: u64) -> f64 {
    as_f64(calls) * 1000.0 / as_f64(ms.max(1))
}

#[expect(clippy::cast_precision_loss, reason = "rates are shown to three digits")]
fn as_f64(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use giulia_model::{FunctionCalls, FunctionLost, TraceEnded};

    use super::*;

    fn record(from_ms: u64, to_ms: u64, event: TraceEvent) -> TraceRecord {
        TraceRecord { schema: String::new(), stretch: 0, from_ms, to_ms, event }
    }

    fn began(at_ms: u64) -> TraceRecord {
        let began = TraceBegan { functions: 2, modules: 1, ..TraceBegan::default() };
        record(at_ms, at_ms, TraceEvent::Began(began))
    }

    fn counted(to_ms: u64, calls: &[(&str, u64)], lost: &[&str]) -> TraceRecord {
        let mfa = |name: &str| Mfa::new("m", name, 1);
        let functions = calls.iter().map(|(name, calls)| FunctionCalls::new(&mfa(name), *calls));
        let lost = lost.iter().map(|name| FunctionLost::new(&mfa(name), "reloaded"));
        let delta = TraceDelta {
            functions: functions.collect(),
            lost: lost.collect(),
            ..TraceDelta::default()
        };
        record(0, to_ms, TraceEvent::Counted(delta))
    }

    fn ended(to_ms: u64, why: Option<&str>) -> TraceRecord {
        let why = why.map(str::to_owned);
        record(
            0,
            to_ms,
            TraceEvent::Ended(TraceEnded { paused: why.is_none(), why, ..TraceEnded::default() }),
        )
    }

    fn folded(records: Vec<TraceRecord>) -> SessionTrace {
        let mut fold = CallsFold::default();
        for it in records {
            fold.record(it);
        }
        fold.finish(false, 10).unwrap()
    }

    #[test]
    fn deltas_are_summed_and_a_clean_end_is_complete() {
        let it = folded(vec![
            began(100),
            counted(1100, &[("a", 3), ("b", 1)], &[]),
            counted(2100, &[("a", 4)], &[]),
            ended(2100, None),
        ]);
        assert!(it.complete && it.gaps.is_empty());
        assert_eq!((it.counted_ms, it.calls), (2000, 8));
        let rows: Vec<_> = it.functions.iter().map(|it| (it.name.as_str(), it.calls)).collect();
        assert_eq!(rows, [("a", Some(7)), ("b", Some(1))]);
        assert_eq!(it.functions[0].calls_per_s, Some(3.5));
        assert_eq!((it.modules[0].calls, it.modules[0].functions_called), (8, 2));
    }

    #[test]
    fn time_without_counters_is_a_gap_and_in_no_rate() {
        let it = folded(vec![
            began(0),
            counted(1000, &[("a", 10)], &[]),
            ended(1000, Some("the connection ended")),
            began(5000),
            counted(6000, &[("a", 10)], &[]),
            ended(6000, None),
        ]);
        assert!(!it.complete);
        let gap = &it.gaps[0];
        assert_eq!(
            (gap.from_ms, gap.to_ms, gap.why.as_str()),
            (1000, 5000, "the connection ended")
        );
        assert_eq!((it.counted_ms, it.functions[0].calls), (2000, Some(20)));
        assert_eq!(it.functions[0].calls_per_s, Some(10.0));
    }

    #[test]
    fn what_was_taken_over_has_its_own_window_and_is_not_complete() {
        let taken = TraceTookOver { modules: vec!["m".to_owned()], functions: 3 };
        let it = folded(vec![
            began(0),
            counted(3000, &[], &[]),
            record(2000, 3000, TraceEvent::TookOver(taken.clone())),
            counted(4000, &[("a", 10)], &[]),
            ended(5000, None),
        ]);
        assert!(!it.complete);
        assert_eq!((it.functions_counted, it.modules_counted), (5, 2));
        let known = TakenOver { module: "m".to_owned(), absent_at_ms: 2000, from_ms: 3000 };
        assert_eq!(it.taken_over, [known]);
        assert_eq!((it.counted_ms, it.functions[0].window_ms), (5000, 2000.0));
        assert_eq!((it.functions[0].calls_per_s, it.modules[0].calls_per_s), (Some(5.0), 5.0));
    }

    #[test]
    fn a_lost_counter_is_never_a_smaller_count() {
        let it = folded(vec![
            began(0),
            counted(1000, &[("a", 10), ("b", 1)], &[]),
            counted(2000, &[], &["a"]),
            // As a later stretch would count it again.
            counted(3000, &[("a", 5)], &[]),
            ended(3000, None),
        ]);
        let a = it.functions.iter().find(|it| it.name == "a").unwrap();
        assert_eq!(a.calls, None);
        assert_eq!(a.lost.as_deref(), Some("reloaded (10 calls were counted until then)"));
        assert_eq!((it.calls, it.modules[0].functions_lost), (1, 1));
    }

    #[test]
    fn what_an_import_brings_is_held_within_limits() {
        let long = "x".repeat(1 << 16);
        let mut began = began(0);
        if let TraceEvent::Began(it) = &mut began.event {
            it.patterns = vec![long.clone(); 2000];
            let left_out = |n: usize| LeftOut {
                node: None,
                what: format!("{n}{long}"),
                why: long.clone(),
                calls_per_s: None,
                price_share: None,
            };
            it.left_out = (0..1100).map(left_out).collect();
        }
        let it = folded(vec![
            began,
            counted(1000, &[(&long, 10), ("a", 1)], &[]),
            ended(1000, Some(&long)),
        ]);
        assert_eq!(it.functions.len(), 1);
        assert!(!it.complete && it.not_seen[0].what == "functions", "{:?}", it.not_seen);
        assert_eq!((it.patterns.len(), it.left_out.len()), (NAMED_MAX, NAMED_MAX));
        let bytes = serde_json::to_vec(&it).unwrap().len();
        assert!(bytes < 8 << 20, "{bytes}");
    }

    #[test]
    fn a_session_that_was_killed_says_so() {
        let it = folded(vec![began(0), counted(1000, &[("a", 10)], &[])]);
        assert!(!it.complete);
        assert!(it.stretches[0].why.as_deref().unwrap().contains("before counters were stopped"));
        assert!(CallsFold::default().finish(false, 10).is_none());
    }
}
