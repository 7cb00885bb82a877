//! A database over a session: its records in, sums and rates out, and what it did around each closer
//! look at the node.

use std::collections::{BTreeMap, VecDeque};

use giulia_model::{
    Database, DatabaseCounted, DatabaseEvent, DatabaseLook, DatabaseRecord, Gap, NotSeen,
    SessionDatabase, StatementCounted, StatementOver, StatementRate, StatementSums,
};

/// Statements that are kept, and a limit for what an import brings; a session records 50 a reading.
const STATEMENTS_MAX: usize = 2000;
/// Gaps and reasons that are listed.
const LISTED_MAX: usize = 100;
/// Readings that closer looks are held against: twenty minutes at one in ten seconds, and a check
/// takes three.
const READINGS_MAX: usize = 120;
/// Closer looks that are kept, as many as of their answers.
const LOOKS_MAX: usize = 200;
/// Of a text, in characters: what giulia itself writes is shorter, an import may bring anything.
const TEXT_CHARS_MAX: usize = 2000;

/// A database's account under construction.
#[derive(Debug, Default)]
pub(crate) struct DatabaseFold {
    is_told: bool,
    over: SessionDatabase,
    statements: BTreeMap<String, StatementCounted>,
    open: Option<Stretch>,
    /// Why the stretch before ended, and when.
    ended: Option<(u64, String)>,
    readings: VecDeque<ReadingAt>,
    looks: VecDeque<(u64, u64)>,
    n_refused: u64,
    /// Statements whose counters were lost, those that are not told one by one among them.
    n_lost: u64,
}

/// Readings that count from one.
#[derive(Debug, Default)]
struct Stretch {
    from_ms: u64,
    to_ms: u64,
    counted: DatabaseCounted,
}

/// Calls and time of each statement since the stretch began.
#[derive(Debug)]
struct ReadingAt {
    from_ms: u64,
    at_ms: u64,
    statements: BTreeMap<String, (u64, f64)>,
}

impl DatabaseFold {
    /// Takes in the next record.
    pub(crate) fn record(&mut self, record: DatabaseRecord) {
        self.is_told = true;
        let (from_ms, to_ms) = (record.from_ms, record.to_ms);
        match record.event {
            DatabaseEvent::Began(database) => self.began(to_ms, &database),
            DatabaseEvent::Counted(counted) => self.counted((from_ms, to_ms), *counted),
            DatabaseEvent::Lost(lost) => {
                let last_ms = self.open.as_ref().map_or(to_ms, |it| it.to_ms);
                self.close();
                self.ended = Some((last_ms, short(&lost.why)));
            }
            DatabaseEvent::NotSeen(it) => self.not_seen(&it),
        }
    }

    /// A closer look at calls of the node, between these times.
    pub(crate) fn looked(&mut self, from_ms: u64, to_ms: u64) {
        if self.looks.len() >= LOOKS_MAX {
            self.looks.pop_front();
        }
        self.looks.push_back((from_ms, to_ms));
    }

    fn began(&mut self, at_ms: u64, database: &Database) {
        self.close();
        if let Some((from_ms, why)) = self.ended.take()
            && self.over.gaps.len() < LISTED_MAX
        {
            self.over.gaps.push(Gap { from_ms, to_ms: at_ms, why });
        }
        for it in &database.not_seen {
            self.not_seen(it);
        }
        if self.over.database.is_none() {
            self.over.from_ms = at_ms;
            self.over.database = Some(bounded(database));
        }
        self.open = Some(Stretch { from_ms: at_ms, to_ms: at_ms, ..Stretch::default() });
        self.remember(ReadingAt { from_ms: at_ms, at_ms, statements: BTreeMap::new() });
    }

    fn counted(&mut self, (_, to_ms): (u64, u64), counted: DatabaseCounted) {
        let Some(open) = &mut self.open else { return };
        let all = counted.statements.iter().take(STATEMENTS_MAX);
        let statements = all.map(|it| (it.id.clone(), (it.calls, it.exec_ms)));
        let reading =
            ReadingAt { from_ms: open.from_ms, at_ms: to_ms, statements: statements.collect() };
        open.to_ms = open.to_ms.max(to_ms);
        // Each counts from the beginning of its stretch.
        open.counted = counted;
        self.remember(reading);
    }

    fn remember(&mut self, it: ReadingAt) {
        if self.readings.len() >= READINGS_MAX {
            self.readings.pop_front();
        }
        self.readings.push_back(it);
    }

    fn not_seen(&mut self, it: &NotSeen) {
        let it = NotSeen { what: short(&it.what), why: short(&it.why) };
        if !self.over.not_seen.contains(&it) && self.over.not_seen.len() < LISTED_MAX {
            self.over.not_seen.push(it);
        }
    }

    fn close(&mut self) {
        let Some(Stretch { from_ms, to_ms, counted }) = self.open.take() else { return };
        let over = &mut self.over;
        over.to_ms = over.to_ms.max(to_ms);
        over.counted_ms = over.counted_ms.saturating_add(to_ms.saturating_sub(from_ms));
        add_stretch(&mut over.others, counted.others);
        add_stretch(&mut over.hidden, counted.hidden);
        add_stretch(&mut over.elsewhere, counted.elsewhere);
        over.readings = over.readings.max(counted.readings);
        over.reading_max_ms = over.reading_max_ms.max(counted.reading_max_ms);
        self.n_lost = self.n_lost.saturating_add(counted.lost);
        if let Some(more) = counted.evictions {
            over.evictions = Some(over.evictions.unwrap_or_default().saturating_add(more));
        }
        for it in counted.statements {
            let has_room =
                self.statements.len() < STATEMENTS_MAX || self.statements.contains_key(&it.id);
            if has_room && it.id.len() <= 20 {
                merge(self.statements.entry(it.id.clone()).or_default(), it);
            } else {
                self.n_refused += 1;
                over.others.add(&it);
            }
        }
    }

    /// The whole; nothing where no database was asked. `top` statements.
    pub(crate) fn finish(mut self, top: usize) -> Option<SessionDatabase> {
        if !self.is_told {
            return None;
        }
        self.close();
        let looks = self.looks.iter().map(|it| look(&self.readings, *it)).collect();
        let mut over = self.over;
        if let Some((at_ms, why)) = self.ended {
            let text = format!("nothing is counted from {} s on: {why}", at_ms / 1000);
            over.not_seen.push(NotSeen { what: "the end of the session".to_owned(), why: text });
        }
        over.looks = looks;
        over.all = over.others;
        self.statements.values().for_each(|it| over.all.add(it));
        let seconds = as_f64(over.counted_ms) / 1000.0;
        if seconds > 0.0 {
            over.calls_per_s = as_f64(over.all.calls) / seconds;
            over.executing = over.all.exec_ms / 1000.0 / seconds;
        }
        over.complete = over.database.is_some()
            && over.counted_ms > 0
            && over.gaps.is_empty()
            && over.not_seen.is_empty()
            && over.hidden.calls == 0
            && over.evictions.is_none_or(|it| it == 0)
            && self.n_lost == 0
            && self.n_refused == 0;
        let mut all: Vec<StatementCounted> = self.statements.into_values().collect();
        all.sort_by(|one, other| {
            let by_time = other.exec_ms.total_cmp(&one.exec_ms);
            by_time.then(other.calls.cmp(&one.calls)).then_with(|| one.id.cmp(&other.id))
        });
        for it in all.iter().skip(top) {
            over.others.add(it);
        }
        all.truncate(top);
        over.statements = all.into_iter().map(|it| row(it, over.all, seconds)).collect();
        Some(over)
    }
}

/// What came between the readings around it.
fn look(readings: &VecDeque<ReadingAt>, (from_ms, to_ms): (u64, u64)) -> DatabaseLook {
    let nothing = DatabaseLook::default;
    let Some(before) = readings.iter().rev().find(|it| it.at_ms <= from_ms) else {
        return nothing();
    };
    // One that is of another stretch counts from another beginning.
    let mut after =
        readings.iter().filter(|it| it.from_ms == before.from_ms && it.at_ms > before.at_ms);
    let Some(after) = after.clone().find(|it| it.at_ms >= to_ms).or_else(|| after.next_back())
    else {
        return nothing();
    };
    let seconds = as_f64(after.at_ms.saturating_sub(before.at_ms)) / 1000.0;
    let statements = after.statements.iter().filter_map(|(id, (calls, exec_ms))| {
        // One that was below the top before has no figure that could be taken away.
        let known = before.statements.get(id);
        if known.is_none() && before.at_ms != before.from_ms {
            return None;
        }
        let (calls_before, exec_before) = known.copied().unwrap_or_default();
        let calls = calls.saturating_sub(calls_before);
        let mean_ms = (exec_ms - exec_before).max(0.0) / as_f64(calls.max(1));
        let it = StatementRate { id: id.clone(), calls_per_s: as_f64(calls) / seconds, mean_ms };
        (calls > 0).then_some(it)
    });
    DatabaseLook { from_ms: before.at_ms, to_ms: after.at_ms, statements: statements.collect() }
}

/// Calls and times add up; the statements of two stretches are mostly the same.
fn add_stretch(into: &mut StatementSums, it: StatementSums) {
    let statements = into.statements.max(it.statements);
    into.add_all(it);
    into.statements = statements;
}

fn merge(into: &mut StatementCounted, it: StatementCounted) {
    let add = |one: u64, other: u64| one.saturating_add(other);
    let both = |one: Option<u64>, other: Option<u64>| match (one, other) {
        (Some(one), Some(other)) => Some(add(one, other)),
        (one, other) => one.or(other),
    };
    into.id = it.id;
    if !it.query.is_empty() {
        into.query = short(&it.query);
    }
    into.calls = add(into.calls, it.calls);
    into.rows = add(into.rows, it.rows);
    into.exec_ms += it.exec_ms;
    into.blocks_hit = both(into.blocks_hit, it.blocks_hit);
    into.blocks_read = both(into.blocks_read, it.blocks_read);
    if let Some(why) = it.lost {
        into.lost.get_or_insert(short(&why));
    }
}

fn row(it: StatementCounted, all: StatementSums, seconds: f64) -> StatementOver {
    let calls = as_f64(it.calls);
    let each = |sum: f64| (it.calls > 0).then_some(sum / calls);
    StatementOver {
        calls_per_s: if seconds > 0.0 { calls / seconds } else { 0.0 },
        mean_ms: each(it.exec_ms),
        rows_per_call: each(as_f64(it.rows)),
        share: if all.exec_ms > 0.0 { it.exec_ms / all.exec_ms } else { 0.0 },
        counted: it,
    }
}

fn bounded(it: &Database) -> Database {
    Database {
        host: short(&it.host),
        port: it.port,
        name: short(&it.name),
        server_version: short(&it.server_version),
        extension_version: short(&it.extension_version),
        addresses: it.addresses.iter().take(LISTED_MAX).map(|it| short(it)).collect(),
        not_seen: Vec::new(),
    }
}

fn short(text: &str) -> String {
    text.chars().take(TEXT_CHARS_MAX).collect()
}

#[expect(clippy::cast_precision_loss, reason = "rates are shown to three digits")]
fn as_f64(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use giulia_model::DatabaseLost;
    use proptest::prelude::*;

    use super::*;

    fn record(from_ms: u64, to_ms: u64, event: DatabaseEvent) -> DatabaseRecord {
        DatabaseRecord { schema: String::new(), from_ms, to_ms, event }
    }

    fn began(at_ms: u64) -> DatabaseRecord {
        record(at_ms, at_ms, DatabaseEvent::Began(Box::default()))
    }

    fn statement(id: &str, calls: u64) -> StatementCounted {
        let query = format!("SELECT {id}");
        let exec_ms = as_f64(calls) * 2.0;
        StatementCounted {
            id: id.to_owned(),
            query,
            calls,
            rows: calls * 3,
            exec_ms,
            ..StatementCounted::default()
        }
    }

    fn counted(to_ms: u64, calls: &[(&str, u64)]) -> DatabaseRecord {
        let statements = calls.iter().map(|(id, calls)| statement(id, *calls)).collect();
        let counted = DatabaseCounted {
            statements,
            evictions: Some(0),
            readings: 2,
            ..DatabaseCounted::default()
        };
        record(0, to_ms, DatabaseEvent::Counted(Box::new(counted)))
    }

    fn lost(at_ms: u64) -> DatabaseRecord {
        let why = "its statistics were reset".to_owned();
        record(at_ms, at_ms, DatabaseEvent::Lost(DatabaseLost { why }))
    }

    fn folded(records: Vec<DatabaseRecord>, looks: &[(u64, u64)]) -> SessionDatabase {
        let mut fold = DatabaseFold::default();
        for it in records {
            fold.record(it);
        }
        for it in looks {
            fold.looked(it.0, it.1);
        }
        fold.finish(10).unwrap()
    }

    #[test]
    fn the_last_reading_is_the_whole_and_nothing_asked_is_nothing() {
        assert_eq!(DatabaseFold::default().finish(10), None);
        let it = folded(
            vec![
                began(1000),
                counted(11_000, &[("1", 40)]),
                counted(21_000, &[("1", 100), ("2", 20)]),
            ],
            &[],
        );
        assert!(it.complete, "{it:#?}");
        assert_eq!((it.counted_ms, it.all.calls, it.readings), (20_000, 120, 2));
        let first = &it.statements[0];
        assert_eq!((first.counted.id.as_str(), first.calls_per_s), ("1", 5.0));
        assert_eq!((first.mean_ms, first.rows_per_call), (Some(2.0), Some(3.0)));
        assert!((first.share - 100.0 / 120.0).abs() < 1e-9 && (it.executing - 0.012).abs() < 1e-9);
    }

    /// Also where the statement is not among those that are told one by one.
    #[test]
    fn a_lost_statement_makes_the_account_incomplete() {
        let with = |lost| {
            let counted = DatabaseCounted { lost, ..DatabaseCounted::default() };
            let counted = record(0, 11_000, DatabaseEvent::Counted(Box::new(counted)));
            folded(vec![began(1000), counted], &[]).complete
        };
        assert!(with(0) && !with(1));
    }

    #[test]
    fn a_reset_is_a_gap_that_is_in_no_rate_and_never_a_smaller_figure() {
        let it = folded(
            vec![
                began(0),
                counted(10_000, &[("1", 100)]),
                lost(20_000),
                began(20_000),
                counted(30_000, &[("1", 50)]),
            ],
            &[],
        );
        assert!(!it.complete);
        assert_eq!((it.counted_ms, it.statements[0].counted.calls), (20_000, 150));
        let gap = &it.gaps[0];
        assert_eq!((gap.from_ms, gap.to_ms), (10_000, 20_000));
        assert!(gap.why.contains("reset"), "{gap:?}");
    }

    #[test]
    fn one_that_went_away_says_since_when_nothing_is_counted() {
        let it = folded(vec![began(0), counted(10_000, &[("1", 100)]), lost(20_000)], &[]);
        assert!(!it.complete);
        assert_eq!(it.counted_ms, 10_000);
        assert!(it.not_seen[0].why.contains("from 10 s on: its statistics"), "{:?}", it.not_seen);
    }

    #[test]
    fn a_closer_look_is_held_against_the_readings_around_it() {
        let records = vec![
            began(0),
            counted(10_000, &[("1", 100)]),
            counted(20_000, &[("1", 300), ("2", 9)]),
            counted(30_000, &[("1", 310), ("2", 19)]),
        ];
        let it = folded(
            records,
            &[(11_000, 16_000), (21_000, 26_000), (29_000, 34_000), (40_000, 41_000)],
        );
        let looks: Vec<_> = it.looks.iter().map(|it| (it.from_ms, it.to_ms)).collect();
        assert_eq!(looks, [(10_000, 20_000), (20_000, 30_000), (20_000, 30_000), (0, 0)]);
        let rate = |idx: usize| &it.looks[idx].statements[0];
        assert_eq!((rate(0).calls_per_s, rate(1).calls_per_s), (20.0, 1.0));
        // Where it was below the top before, nobody knows since when it was called.
        assert_eq!(it.looks[0].statements.len(), 1);
    }

    #[test]
    fn what_is_below_the_top_is_summed_and_an_import_is_held_within_limits() {
        let long = "9".repeat(1 << 12);
        let ids: Vec<String> = (0..12).map(|it| it.to_string()).collect();
        let mut rows: Vec<(&str, u64)> = ids.iter().map(|it| (it.as_str(), 5)).collect();
        rows.push((&long, 7));
        let it = folded(vec![began(0), counted(1000, &rows)], &[]);
        assert_eq!((it.statements.len(), it.others.statements, it.others.calls), (10, 3, 17));
        assert!(!it.complete && it.all.calls == 67);
    }

    proptest! {
        #[test]
        fn any_order_of_records_is_folded(
            records in prop::collection::vec((0_u8..4, 0..u64::MAX, 0..u64::MAX, any::<u64>()), 0..40),
        ) {
            let mut fold = DatabaseFold::default();
            for (which, from_ms, to_ms, calls) in records {
                fold.record(match which {
                    0 => began(to_ms),
                    1 => lost(to_ms),
                    2 => record(from_ms, to_ms, DatabaseEvent::NotSeen(NotSeen::default())),
                    _ => {
                        let it = StatementCounted { calls, ..statement("1", 1) };
                        let it = DatabaseCounted { statements: vec![it], ..DatabaseCounted::default() };
                        record(from_ms, to_ms, DatabaseEvent::Counted(Box::new(it)))
                    }
                });
                fold.looked(from_ms, to_ms);
            }
            if let Some(it) = fold.finish(5) {
                prop_assert!(it.calls_per_s.is_finite() && it.executing.is_finite());
                for look in &it.looks {
                    prop_assert!(look.statements.iter().all(|it| it.calls_per_s.is_finite()));
                }
            }
        }
    }
}
