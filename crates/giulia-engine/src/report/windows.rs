//! From records to windows of time: the fold of a report, cut at ticks.
//!
//! A tick stands for the time since the tick before, so an edge between two windows is always a
//! tick. Whatever stands between two ticks waits for the second one, which says whose it is: that of
//! the window that goes on, or of the one that begins.

use std::time::Duration;

use giulia_model::{
    Answer, Explain, MarkKind, NotSeen, NotSeenOver, Profile, ProfileBoundary, ProfileWindow,
    Ranking,
};
use giulia_store::{Kind, Stored};

use super::{Fold, Told, jumps, plan::Plan, tally::share};
use crate::{Archive, Error};

/// Records between two ticks that wait for the second; the rest goes to the window before it.
const WAITING_MAX: usize = 64;
/// Rows that changes are told from, of each ranking: the next group has a twentieth of the work at
/// most.
const ROWS_MIN: usize = 20;
/// Closer looks that a window lists; `giulia check` takes some ten of them.
const BOUNDARIES_MAX: usize = 50;

/// How a session is cut.
#[derive(Debug, Clone, Copy)]
pub struct ProfileRequest {
    /// How long a window is; none for one that makes at most 60 of them.
    pub window: Option<Duration>,
    /// From when on, counted from the start of the session.
    pub from: Option<Duration>,
    /// Until when, counted from the start of the session.
    pub to: Option<Duration>,
    /// Rows of each ranking of each window.
    pub top: usize,
}

/// A session by windows of time: by name, by the beginning of a name, or `last`.
///
/// # Errors
/// When there is no such session, the store cannot be read, or windows of this length do not fit
/// the session; the text says which would. A damaged record is a line of `not_seen`.
pub fn profile(archive: &Archive, name: &str, request: &ProfileRequest) -> Result<Profile, Error> {
    let store = archive.read()?;
    let stored = store.find(name)?;
    let name = stored.session.name.clone();
    let last_ms = store.last_at_ms(&name, Kind::Tick)?;
    let plan = Plan::new(&stored.session, last_ms, request)?;
    let mut windows = Windows::new(plan, request.top);
    super::each(&store, &name, Kind::ALL, |at_ms, told| windows.told(at_ms, told))?;
    windows.finish(stored)
}

/// Windows under construction.
#[derive(Debug)]
pub(super) struct Windows {
    plan: Plan,
    top: usize,
    fold: Fold,
    boundaries: Vec<ProfileBoundary>,
    /// Since the last tick.
    waiting: Vec<(u64, Result<Told, NotSeen>)>,
    /// Which window the last tick is in.
    open: Option<u64>,
    /// The tick that the open window begins with; none where it begins with the session.
    edge_ms: Option<u64>,
    done: Vec<ProfileWindow>,
    /// A tick came that is behind all windows.
    is_over: bool,
    /// Where the last window ends, when that is no tick.
    ended_ms: Option<u64>,
    /// More windows came than the plan had foreseen.
    is_too_many: bool,
}

impl Windows {
    pub(super) fn new(plan: Plan, top: usize) -> Self {
        Self {
            fold: Fold::new(plan.every_ms, top.max(ROWS_MIN)),
            plan,
            top,
            boundaries: Vec::new(),
            waiting: Vec::new(),
            open: None,
            edge_ms: None,
            done: Vec::new(),
            is_over: false,
            ended_ms: None,
            is_too_many: false,
        }
    }

    /// The next record.
    pub(super) fn told(&mut self, at_ms: u64, told: &Result<Told, NotSeen>) {
        if self.is_over {
            return;
        }
        match told {
            Ok(Told::Tick(_)) => self.tick(at_ms, told),
            Ok(Told::Mark(mark))
                if mark.kind == MarkKind::Missed && self.is_of_last_tick(at_ms) =>
            {
                self.fold.told(at_ms, told);
            }
            Err(_) => self.fold.told(at_ms, told),
            // Of a server and not of the node; the report tells it over the whole session.
            Ok(Told::Database(_)) => {}
            Ok(Told::Mark(_) | Told::Calls(_) | Told::Answer(_)) => {
                self.waiting.push((at_ms, told.clone()));
                if self.waiting.len() >= WAITING_MAX {
                    self.settle();
                }
            }
        }
    }

    /// The mark of missed ticks comes right behind the tick that ended them.
    fn is_of_last_tick(&self, at_ms: u64) -> bool {
        let since = self.fold.last_tick_ms().map(|it| at_ms.saturating_sub(it));
        since.is_some_and(|it| it < self.plan.every_ms / 2)
    }

    fn tick(&mut self, at_ms: u64, told: &Result<Told, NotSeen>) {
        if self.plan.is_behind(at_ms) {
            self.end_at(self.plan.to_ms().unwrap_or(at_ms));
            self.is_over = true;
            return;
        }
        if let Some(window) = self.plan.window_of(at_ms)
            && self.open.is_none_or(|open| window > open)
        {
            self.cut();
            self.open = Some(window);
        }
        if self.is_over {
            return;
        }
        self.settle();
        self.fold.told(at_ms, told);
    }

    /// Ends what is open: a window, or what was before the first one.
    fn cut(&mut self) {
        let edge_ms = self.fold.last_tick_ms();
        if self.open.is_some() {
            if self.done.len() + 1 >= super::plan::WINDOWS_MAX {
                (self.is_over, self.is_too_many) = (true, true);
                return;
            }
            let part = self.fold.cut();
            self.close(part, edge_ms.unwrap_or_default());
        } else if edge_ms.is_some() {
            self.fold.cut();
            self.fold.take_not_seen();
            self.boundaries.clear();
        }
        self.edge_ms = edge_ms;
    }

    fn close(&mut self, part: Fold, to_ms: u64) {
        let from_ms = self.edge_ms.unwrap_or_default();
        let last_ms = part.last_tick_ms().unwrap_or(from_ms);
        let mut window = part.into_window((from_ms, to_ms));
        let due = self.plan.due_in(self.edge_ms, last_ms, to_ms);
        window.ticks_missed = due.saturating_sub(window.ticks);
        window.boundaries = std::mem::take(&mut self.boundaries);
        self.done.push(window);
    }

    /// What came until then is in the last window, and time without ticks until then.
    fn end_at(&mut self, until_ms: u64) {
        self.waiting.retain(|it| it.0 <= until_ms);
        self.settle();
        if self.fold.end_at(until_ms) {
            self.ended_ms = Some(until_ms);
        }
    }

    /// What waited belongs to what is open.
    fn settle(&mut self) {
        for (at_ms, told) in std::mem::take(&mut self.waiting) {
            if let Ok(Told::Answer(answer)) = &told
                && let Answer::Explain(it) = &**answer
                && self.boundaries.len() < BOUNDARIES_MAX
            {
                self.boundaries.push(boundary(at_ms, it));
            }
            self.fold.told(at_ms, &told);
        }
    }

    /// # Errors
    /// When there were more windows than were foreseen.
    pub(super) fn finish(mut self, stored: Stored) -> Result<Profile, Error> {
        let Stored { session, running, .. } = stored;
        if self.is_too_many {
            return Err(self.plan.too_many());
        }
        let mut to_ms = self.fold.last_tick_ms().unwrap_or_default();
        let last_ms = self.waiting.last().map_or(0, |it| it.0);
        match self.plan.to_ms().filter(|it| *it < last_ms) {
            _ if self.is_over => {}
            // No tick came behind it, and the session went on.
            Some(until_ms) => self.end_at(until_ms),
            None => {
                self.settle();
                if !running && session.ended_at.is_some() {
                    self.fold.end();
                }
                to_ms = to_ms.max(self.fold.elapsed_ms());
            }
        }
        to_ms = to_ms.max(self.ended_ms.unwrap_or_default());
        let mut not_seen = self.fold.take_not_seen();
        if self.open.is_some() {
            let fold = std::mem::replace(&mut self.fold, Fold::new(0, 0));
            self.close(fold, to_ms);
        }
        let mut windows = self.done;
        absent(&windows, &mut not_seen, &self.plan);
        let changes = jumps::changes(&windows);
        for it in &mut windows {
            shorten(it, self.top);
        }
        Ok(Profile {
            schema: "giulia.profile/1".to_owned(),
            session,
            running,
            window_ms: self.plan.window_ms,
            from_ms: windows.first().map_or(0, |it| it.from_ms),
            to_ms: windows.last().map_or(0, |it| it.to_ms),
            windows,
            changes,
            not_seen,
        })
    }
}

fn boundary(at_ms: u64, it: &Explain) -> ProfileBoundary {
    ProfileBoundary {
        at_ms,
        function: it.function.clone(),
        verdict: it.verdict,
        why: it.why.clone(),
        rests_on: it.rests_on.clone(),
        explained: it.explained,
        calls: it.calls.clone(),
    }
}

/// A part of a window, why it may be absent, and whether it is.
type Part<'a> = (&'a str, &'a str, fn(&ProfileWindow) -> bool);

/// Why parts are absent, where no tick said it.
fn absent(windows: &[ProfileWindow], not_seen: &mut Vec<NotSeenOver>, plan: &Plan) {
    let mut add = |what: &str, why: &str, ticks: u64| {
        let it = NotSeen { what: what.to_owned(), why: why.to_owned() };
        not_seen.push(NotSeenOver { it, ticks });
    };
    if windows.is_empty() {
        add("windows", &plan.nothing(), 0);
        return;
    }
    let was_counted = windows.iter().any(|it| it.calls.is_some());
    let calls = if was_counted {
        "no reading of the counters ended in these windows"
    } else {
        "nothing was counted; `giulia observe NODE --trace PATTERN` counts calls"
    };
    let work = "no look at all processes ended in these windows, or none that has one before it; \
                only every few ticks look where that is dear, and a longer --window holds one";
    let tables = "no look at them ended in these windows; only every few ticks look where that is \
                  dear, and a longer --window holds one";
    let unseen = "none of their ticks has it";
    let closely = "no function was looked at closely in them; `giulia check NODE` does that";
    let parts: [Part<'_>; 8] = [
        ("work", work, |it| it.work.is_none()),
        ("calls of functions", calls, |it| it.calls.is_none()),
        ("schedulers", unseen, |it| it.schedulers.is_none()),
        ("memory", unseen, |it| it.memory.is_empty()),
        ("limits", unseen, |it| it.limits.is_empty()),
        ("mailboxes", tables, |it| it.mailboxes.is_none()),
        ("ETS tables", tables, |it| it.ets.is_none()),
        ("boundaries", closely, |it| it.boundaries.is_empty()),
    ];
    for (what, why, is_absent) in parts {
        let lacking = || windows.iter().filter(|it| is_absent(it));
        if lacking().next().is_some() {
            add(what, why, lacking().map(|it| it.ticks).sum());
        }
    }
}

/// Rows of each ranking, as many as were asked for.
fn shorten(it: &mut ProfileWindow, top: usize) {
    if let Some(work) = &mut it.work {
        for ranking in [
            &mut work.by_application,
            &mut work.by_initial_call,
            &mut work.by_module,
            &mut work.by_process,
        ] {
            shorten_ranking(ranking, top);
        }
    }
    if let Some(calls) = &mut it.calls {
        calls.functions.truncate(top);
        calls.modules.truncate(top);
    }
    it.mailboxes.iter_mut().for_each(|it| it.truncate(top));
    it.ets.iter_mut().for_each(|it| it.truncate(top));
    it.boundaries.iter_mut().for_each(|it| it.rests_on.truncate(top));
}

/// What the rows leave grows by what goes.
fn shorten_ranking(it: &mut Ranking, top: usize) {
    let shown = |it: &Ranking| it.rows.iter().map(|it| it.reductions).fold(0, u64::saturating_add);
    let whole = shown(it).saturating_add(it.rest_reductions);
    let n_rows = it.rows.len();
    it.rows.truncate(top);
    it.others += u64::try_from(n_rows - it.rows.len()).unwrap_or(u64::MAX);
    it.rest_reductions = whole.saturating_sub(shown(it));
    it.rest_share = share(it.rest_reductions, whole);
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use giulia_model::{
        Counter, Coverage, EtsTable, EtsTables, Explain, FunctionCalls, Mark, Memory, Mfa, Pid,
        ProcessGroup, ProcessRow, Processes, Report, Session, Snapshot, TraceBegan, TraceDelta,
        TraceEnded, TraceEvent, TraceRecord, Window,
    };
    use proptest::prelude::*;

    use super::*;

    type Record = (u64, Result<Told, NotSeen>);

    /// What a tick of one second says.
    #[derive(Debug, Clone, Copy, Default)]
    struct Load {
        /// Reductions of three groups.
        groups: [u64; 3],
        /// Those of nobody's group.
        rest: u64,
        memory: u64,
        table: u64,
        mailbox: u64,
    }

    fn tick(at_ms: u64, load: Load) -> Record {
        let counter = |in_window| Counter { since_start: 1 << 40, in_window: Some(in_window) };
        let group = |(idx, reductions): (usize, &u64)| ProcessGroup {
            name: format!("m{idx}:run/0"),
            reductions: counter(*reductions),
            processes: 1,
            ..ProcessGroup::default()
        };
        let row = ProcessRow {
            pid: Pid("<0.9.0>".to_owned()),
            name: "cart".to_owned(),
            mailbox_len: Some(load.mailbox),
            reductions: counter(0),
            ..ProcessRow::default()
        };
        let groups: Vec<_> = load.groups.iter().enumerate().map(group).collect();
        let window = Some(Window { elapsed_ms: 1000.0 });
        let processes = Processes {
            window,
            ranking_coverage: Coverage::default(),
            reductions: counter(load.groups.iter().sum::<u64>() + load.rest),
            top_by_reductions: vec![row.clone()],
            top_by_mailbox: (load.mailbox > 0).then_some(row).into_iter().collect(),
            by_initial_call: groups,
            ..Processes::default()
        };
        let memory = Memory {
            total_bytes: load.memory,
            processes_bytes: 0,
            system_bytes: 0,
            atom_bytes: 0,
            binary_bytes: 0,
            code_bytes: 0,
            ets_bytes: 0,
        };
        let table = EtsTable {
            name: "kv".to_owned(),
            memory_bytes: load.table,
            size: load.table / 8,
            ..EtsTable::default()
        };
        let ets = EtsTables { top_by_memory: vec![table], ..EtsTables::default() };
        let seen = Snapshot {
            window,
            processes: Some(processes),
            memory: Some(memory),
            ets: Some(ets),
            ..Snapshot::default()
        };
        (at_ms, Ok(Told::Tick(Box::new(seen))))
    }

    fn mark(at_ms: u64, kind: MarkKind, text: &str) -> Record {
        (at_ms, Ok(Told::Mark(Mark { at: String::new(), at_ms, kind, text: text.to_owned() })))
    }

    fn counters(from_ms: u64, to_ms: u64, event: TraceEvent) -> Record {
        let record = TraceRecord { schema: String::new(), stretch: 0, from_ms, to_ms, event };
        (to_ms, Ok(Told::Calls(Box::new(record))))
    }

    fn began(at_ms: u64) -> Record {
        counters(at_ms, at_ms, TraceEvent::Began(TraceBegan::default()))
    }

    fn counted(from_ms: u64, to_ms: u64, calls: u64) -> Record {
        let functions = vec![FunctionCalls::new(&Mfa::new("m", "f", 1), calls)];
        let delta = TraceDelta { functions, ..TraceDelta::default() };
        counters(from_ms, to_ms, TraceEvent::Counted(delta))
    }

    fn stopped(at_ms: u64) -> Record {
        let ended = TraceEnded { paused: true, ..TraceEnded::default() };
        counters(at_ms, at_ms, TraceEvent::Ended(ended))
    }

    fn looked(at_ms: u64, function: &str) -> Record {
        let function = Mfa::new("m", function, 1);
        let it = Explain { function, ..Explain::default() };
        (at_ms, Ok(Told::Answer(Box::new(Answer::Explain(Box::new(it))))))
    }

    fn stored() -> Stored {
        let session = Session {
            every_ms: 1000,
            ended_at: Some("2026-03-01T12:00:10.000Z".to_owned()),
            ..Session::default()
        };
        Stored { session, running: false, bytes: 0 }
    }

    fn request(window_ms: u64) -> ProfileRequest {
        let window = Some(Duration::from_millis(window_ms));
        ProfileRequest { window, from: None, to: None, top: 10 }
    }

    fn profiled(records: &[Record], request: &ProfileRequest) -> Profile {
        let last_ms = records.last().map(|it| it.0);
        let plan = Plan::new(&stored().session, last_ms, request).unwrap();
        let mut windows = Windows::new(plan, request.top);
        for (at_ms, told) in records {
            windows.told(*at_ms, told);
        }
        windows.finish(stored()).unwrap()
    }

    fn reported(records: &[Record]) -> Report {
        let mut fold = Fold::new(1000, 10);
        for (at_ms, told) in records {
            fold.told(*at_ms, told);
        }
        let Stored { session, running, .. } = stored();
        fold.finish(session, running)
    }

    fn sum(it: &Profile, get: impl Fn(&ProfileWindow) -> u64) -> u64 {
        it.windows.iter().map(get).sum()
    }

    /// What happens between two ticks of a session that is made up.
    #[derive(Debug, Clone, Copy)]
    enum Between {
        Nothing,
        Missed,
        Lost,
        Restarted,
        Began,
        Stopped,
    }

    prop_compose! {
        fn load()(
            groups in prop::array::uniform3(0..1000_u64),
            rest in 0..100_u64,
            memory in 1_000_000..9_000_000_u64,
            table in 1000..9000_u64,
            mailbox in prop_oneof![Just(0), 1..500_u64],
        ) -> Load {
            Load { groups, rest, memory, table, mailbox }
        }
    }

    fn between() -> impl Strategy<Value = Between> {
        use Between::{Began, Lost, Missed, Nothing, Restarted, Stopped};
        prop_oneof![
            6 => Just(Nothing),
            1 => Just(Missed),
            1 => Just(Lost),
            1 => Just(Restarted),
            1 => Just(Began),
            1 => Just(Stopped),
        ]
    }

    /// Ticks that come late, miss and end in gaps; counters that are read at any time between them.
    fn session(steps: Vec<(Load, u64, u64, u64, Between)>) -> Vec<Record> {
        let mut records = vec![tick(20, Load::default())];
        let (mut due_ms, mut read_ms) = (0, 0);
        let mut is_counted = false;
        for (load, ticks, late_ms, calls, between) in steps {
            let since = due_ms + 450;
            due_ms += 1000 * ticks;
            match between {
                Between::Lost => records.push(mark(since, MarkKind::Lost, "gone")),
                Between::Restarted => records.push(mark(since, MarkKind::Restarted, "another")),
                Between::Began if !is_counted => {
                    records.push(began(since));
                    (is_counted, read_ms) = (true, since);
                }
                Between::Stopped if is_counted => {
                    records.push(stopped(since));
                    is_counted = false;
                }
                Between::Began | Between::Stopped | Between::Nothing | Between::Missed => {}
            }
            if is_counted {
                let to_ms = due_ms - 500 + late_ms;
                records.push(counted(read_ms, to_ms, calls));
                read_ms = to_ms;
            }
            records.push(tick(due_ms + late_ms, load));
            if matches!(between, Between::Missed) && ticks > 1 {
                records.push(mark(due_ms + late_ms, MarkKind::Missed, "some missed"));
            }
        }
        if is_counted {
            records.push(counted(read_ms, due_ms + 600, 7));
            records.push(stopped(due_ms + 600));
        }
        records.push(mark(due_ms + 700, MarkKind::Ended, "its time was over"));
        records
    }

    proptest! {
        #[test]
        fn windows_sum_to_the_report(
            steps in prop::collection::vec(
                (load(), prop_oneof![5 => Just(1_u64), 1 => 2..9_u64], 0..400_u64, 0..50_u64, between()),
                1..80,
            ),
            window_ms in 1000..40_000_u64,
        ) {
            let records = session(steps);
            let (it, report) = (profiled(&records, &request(window_ms)), reported(&records));
            let whole = &report.window;
            prop_assert_eq!(sum(&it, |it| it.ticks), whole.ticks);
            prop_assert_eq!(sum(&it, |it| it.gaps_ms), whole.gaps_ms);
            let covered: f64 = it.windows.iter().map(|it| it.covered_ms).sum();
            prop_assert!((covered - whole.windows_ms).abs() < 1e-6);
            let work = report.work.as_ref().unwrap();
            let of_all = |it: &ProfileWindow| it.work.as_ref().map_or(0, |it| it.reductions);
            prop_assert_eq!(sum(&it, of_all), work.reductions);
            for row in &work.by_initial_call.rows {
                let of_it = |it: &ProfileWindow| {
                    let rows = it.work.iter().flat_map(|it| &it.by_initial_call.rows);
                    rows.filter(|it| it.name == row.name).map(|it| it.reductions).sum()
                };
                prop_assert_eq!(sum(&it, of_it), row.reductions);
            }
            let calls = |it: &ProfileWindow| it.calls.as_ref().map_or(0, |it| it.calls);
            let counted_ms = |it: &ProfileWindow| it.calls.as_ref().map_or(0, |it| it.counted_ms);
            let trace = report.trace.unwrap_or_default();
            prop_assert_eq!(sum(&it, calls), trace.calls);
            prop_assert_eq!(sum(&it, counted_ms), trace.counted_ms);
            let n_marks = report.marks.len() + usize::try_from(report.marks_left_out).unwrap();
            let marks = |it: &ProfileWindow| it.marks.len() as u64 + it.marks_left_out;
            prop_assert_eq!(sum(&it, marks), n_marks as u64);
            let longest = it.windows.iter().flat_map(|it| it.mailboxes.iter().flatten());
            let longest = longest.map(|it| it.max).max().unwrap_or_default();
            prop_assert_eq!(longest, report.mailboxes.iter().map(|it| it.max).max().unwrap_or_default());

            // One ends where the next begins, in time and in level.
            let (first, last) = (it.windows.first().unwrap(), it.windows.last().unwrap());
            prop_assert_eq!((first.from_ms, last.to_ms), (0, whole.elapsed_ms));
            prop_assert_eq!(first.memory[0].first, report.memory[0].first);
            prop_assert_eq!(last.memory[0].last, report.memory[0].last);
            for pair in it.windows.windows(2) {
                prop_assert_eq!(pair[0].to_ms, pair[1].from_ms);
                prop_assert_eq!(pair[0].memory[0].last, pair[1].memory[0].first);
                prop_assert!(pair[1].ticks > 0);
            }
            let gaps = it.windows.iter().flat_map(|it| it.gaps.clone());
            let mut listed = report.window.gaps.clone();
            listed.truncate(10);
            let mut by_window: Vec<_> = gaps.collect();
            by_window.truncate(10);
            prop_assert_eq!(by_window, listed);
        }
    }

    /// A second each, with these reductions of the first group.
    fn seconds(reductions: &[u64]) -> Vec<Record> {
        let late = |idx: usize| 1000 * u64::try_from(idx).unwrap() + 3;
        let load = |it: u64| Load { groups: [it, 1, 0], memory: it << 20, ..Load::default() };
        reductions.iter().enumerate().map(|(idx, it)| tick(late(idx), load(*it))).collect()
    }

    #[test]
    fn what_begins_in_the_middle_is_in_its_window_and_told() {
        let mut load = [10; 41];
        load[26..].fill(5000);
        let it = profiled(&seconds(&load), &request(5000));
        let work: Vec<u64> =
            it.windows.iter().map(|it| it.work.as_ref().unwrap().reductions / 1000).collect();
        assert_eq!(work, [0, 0, 0, 0, 0, 25, 25, 25]);
        let edges: Vec<_> = it.windows.iter().map(|it| (it.from_ms, it.to_ms)).collect();
        assert_eq!(edges[..2], [(0, 5003), (5003, 10_003)]);
        let group =
            it.changes.iter().find(|it| it.figure == "reductions of a group").expect("a change");
        assert_eq!(
            (group.at_ms, group.window, group.who.as_deref()),
            (25_003, 5, Some("m0:run/0"))
        );
        let memory: Vec<_> = it.windows.iter().map(|it| &it.memory[0]).collect();
        assert_eq!((memory[5].first, memory[5].last), (10 << 20, 5000 << 20));
    }

    #[test]
    fn a_reading_counts_where_it_ends_and_says_of_when_it_is() {
        let mut records = seconds(&[1; 11]);
        records.insert(1, began(300));
        records.insert(6, counted(300, 4700, 8));
        // Its second is mostly before the edge at 5 s, and it ends behind it.
        records.insert(8, counted(4700, 5100, 100));
        records.push(counted(5100, 10_010, 50));
        records.push(stopped(10_010));
        let it = profiled(&records, &request(5000));
        let told = |it: &ProfileWindow| {
            let calls = it.calls.as_ref().unwrap();
            (calls.from_ms, calls.to_ms, calls.counted_ms, calls.calls)
        };
        let told: Vec<_> = it.windows.iter().map(told).collect();
        assert_eq!(told, [(300, 4700, 4400, 8), (4700, 10_010, 5310, 150)]);
        // Nothing ends in the second of three.
        let third = profiled(&records[..8], &request(2000));
        let read: Vec<_> = third.windows.iter().map(|it| it.calls.is_some()).collect();
        assert_eq!(read, [false, false, true]);
        let why = third.not_seen.iter().find(|it| it.it.what == "calls of functions").unwrap();
        assert!(why.it.why.contains("no reading") && why.ticks == 5, "{why:?}");
    }

    #[test]
    fn a_part_goes_on_from_the_level_before_it() {
        let at = |s| Some(Duration::from_secs(s));
        let levels: Vec<u64> = (0..=20).collect();
        let part = ProfileRequest { from: at(5), to: at(15), ..request(5000) };
        let it = profiled(&seconds(&levels), &part);
        let told = |it: &ProfileWindow| {
            let work = it.work.as_ref().unwrap().by_initial_call.rows[0].reductions;
            let mb = |bytes: u64| bytes >> 20;
            (it.from_ms, it.to_ms, it.ticks, work, mb(it.memory[0].first), mb(it.memory[0].last))
        };
        let told: Vec<_> = it.windows.iter().map(told).collect();
        assert_eq!(told, [(5003, 10_003, 5, 40, 5, 10), (10_003, 15_003, 5, 65, 10, 15)]);
        let beyond = ProfileRequest { from: at(60), ..request(5000) };
        let it = profiled(&seconds(&levels), &beyond);
        assert_eq!(it.windows, []);
        assert!(it.not_seen[0].it.why.contains("from 1m on"), "{:?}", it.not_seen);
    }

    #[test]
    fn a_session_without_ticks_says_so() {
        let records = [mark(5, MarkKind::Attached, "x"), mark(900, MarkKind::Ended, "stopped")];
        let it = profiled(&records, &ProfileRequest { window: None, ..request(0) });
        assert_eq!((it.windows.len(), it.changes.len()), (0, 0));
        let told: Vec<_> = it.not_seen.iter().map(|it| it.it.why.as_str()).collect();
        assert_eq!(told, ["no tick was recorded, and windows begin and end with ticks"]);
    }

    #[test]
    fn closer_looks_are_in_the_window_in_which_they_were_taken_and_nowhere_else() {
        let mut records = seconds(&[1; 16]);
        records.insert(7, looked(6500, "slow"));
        records.push(looked(15_500, "late"));
        let it = profiled(&records, &request(5000));
        let told = |it: &ProfileWindow| {
            let of = |it: &ProfileBoundary| it.function.function.clone();
            it.boundaries.iter().map(of).collect::<Vec<_>>()
        };
        let told: Vec<_> = it.windows.iter().map(told).collect();
        assert_eq!(told, [vec![], vec!["slow".to_owned()], vec!["late".to_owned()]]);
        let json = serde_json::to_value(&it).unwrap();
        assert!(json["windows"][0].get("boundaries").is_none(), "absent, not zero: {json:#}");
        assert!(it.not_seen.iter().any(|it| it.it.what == "boundaries" && it.ticks == 6));
    }

    #[test]
    fn a_gap_is_in_the_window_of_the_tick_that_ended_it_with_its_reason() {
        let mut records = seconds(&[1; 4]);
        records.push(mark(3400, MarkKind::Restarted, "another node"));
        records.push(tick(20_004, Load::default()));
        records.push(mark(20_005, MarkKind::Missed, "16 ticks missed"));
        records.push(tick(21_004, Load::default()));
        records.push(mark(21_500, MarkKind::Ended, "stopped"));
        let it = profiled(&records, &request(5000));
        let told = |it: &ProfileWindow| {
            let why: Vec<_> = it.gaps.iter().map(|it| it.why.clone()).collect();
            (it.from_ms, it.to_ms, it.ticks, it.ticks_missed, it.gaps_ms, why)
        };
        let told: Vec<_> = it.windows.iter().map(told).collect();
        let why = vec!["16 ticks missed".to_owned()];
        assert_eq!(
            told,
            [
                (0, 3003, 4, 0, 0, vec![]),
                (3003, 20_004, 1, 16, 17_001, why),
                (20_004, 21_500, 1, 0, 0, vec![])
            ]
        );
    }

    #[test]
    fn a_part_that_ends_while_the_node_is_silent_ends_there() {
        let mut records = seconds(&[1; 8]);
        records.push(mark(7400, MarkKind::Lost, "the connection ended"));
        let part = ProfileRequest { to: Some(Duration::from_secs(15)), ..request(5000) };
        let told = |records: &[Record]| {
            let it = profiled(records, &part);
            let last = it.windows.last().unwrap().clone();
            (it.to_ms, last.gaps_ms, last.ticks_missed, last.marks.len())
        };
        let mut back = records.clone();
        back.push(tick(40_004, Load::default()));
        assert_eq!(told(&back), (15_000, 7997, 8, 1));
        // It never came back.
        records.push(mark(60_000, MarkKind::Ended, "stopped"));
        assert_eq!(told(&records), (15_000, 7997, 8, 1));
    }

    #[test]
    fn a_mailbox_and_a_table_go_on_from_the_edge() {
        let load = |table, mailbox| Load { table, mailbox, ..Load::default() };
        let records = [
            tick(0, load(800, 0)),
            tick(1000, load(1600, 40)),
            tick(2000, load(2400, 90)),
            tick(3000, load(2400, 70)),
            tick(4000, load(8000, 0)),
        ];
        let it = profiled(&records, &request(2000));
        let told = |it: &ProfileWindow| {
            let (boxes, tables) = (it.mailboxes.as_ref().unwrap(), it.ets.as_ref().unwrap());
            let table = (tables[0].size_first, tables[0].size_last);
            (boxes[0].first, boxes[0].last, boxes[0].max, table)
        };
        let told: Vec<_> = it.windows.iter().map(told).collect();
        assert_eq!(told, [(40, 90, 90, (100, 300)), (90, 0, 70, (300, 1000))]);
    }

    #[test]
    fn rows_that_are_left_out_are_in_the_rest() {
        let load = Load { groups: [500, 300, 200], ..Load::default() };
        let records: Vec<_> = (0..3).map(|idx| tick(1000 * idx, load)).collect();
        let it = profiled(&records, &ProfileRequest { top: 1, ..request(1000) });
        let ranking = &it.windows[1].work.as_ref().unwrap().by_initial_call;
        assert_eq!((ranking.rows.len(), ranking.others, ranking.rest_reductions), (1, 2, 500));
        assert!((ranking.rest_share - 0.5).abs() < 1e-9);
        let sums: BTreeMap<_, _> =
            ranking.rows.iter().map(|it| (&it.name, it.reductions)).collect();
        assert_eq!(sums.values().sum::<u64>() + ranking.rest_reductions, 1000);
    }
}
