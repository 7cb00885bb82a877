//! From two readings to what came in between: pure, and never a smaller figure than what is true of
//! the time that it speaks of.
//!
//! Counters of `pg_stat_statements` only rise until somebody resets them, the server throws an entry
//! out to make room, or ends without writing them down. An entry that fell or is gone is lost, with
//! its figures until then; where all are, nothing can be said beyond.

use std::collections::{BTreeMap, BTreeSet};

use giulia_model::{DatabaseCounted, StatementCounted, StatementSums};

/// Statements that are kept one by one; those below are summed.
pub(crate) const STATEMENTS_MAX: usize = 50;

/// What the server had counted at one moment.
#[derive(Debug, Clone, Default)]
pub(crate) struct Reading {
    /// When the server was started, and when its statistics were reset last, where it says so.
    pub(crate) epoch: Epoch,
    /// How often it threw entries out.
    pub(crate) evictions: Option<u64>,
    pub(crate) entries: BTreeMap<Key, Figures>,
}

/// Counters of one epoch are those of one count.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Epoch {
    pub(crate) started: String,
    /// Absent before `PostgreSQL` 14.
    pub(crate) reset: Option<String>,
}

/// Which entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key {
    pub(crate) user: i64,
    pub(crate) database: i64,
    /// Whether that is the database that was named.
    pub(crate) is_here: bool,
    /// None of a statement of another user that the role may not see.
    pub(crate) id: Option<i64>,
    pub(crate) is_top: bool,
}

/// Totals since whatever reset.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Figures {
    pub(crate) calls: u64,
    pub(crate) rows: u64,
    pub(crate) exec_ms: f64,
    pub(crate) hit: u64,
    pub(crate) read: u64,
}

/// What came since the first reading.
#[derive(Debug)]
pub(crate) struct Ledger {
    epoch: Epoch,
    evictions: Option<u64>,
    first: BTreeMap<Key, Figures>,
    /// What came, as of the last reading that still had the entry.
    came: BTreeMap<Key, Figures>,
    lost: BTreeMap<Key, &'static str>,
    evicted: Option<u64>,
}

/// Statements that are followed, those that the server threw out among them: twice what one reading
/// may hold, and some dozen megabytes of ours.
const KNOWN_MAX: usize = 200_000;

/// The counters are others now, and why.
pub(crate) type Reset = String;

impl Figures {
    /// None where a counter fell.
    fn since(self, before: Self) -> Option<Self> {
        let exec_ms = self.exec_ms - before.exec_ms;
        Some(Self {
            calls: self.calls.checked_sub(before.calls)?,
            rows: self.rows.checked_sub(before.rows)?,
            // Sums of floating point numbers; calls and rows are exact.
            exec_ms: exec_ms.max(0.0),
            hit: self.hit.checked_sub(before.hit)?,
            read: self.read.checked_sub(before.read)?,
        })
    }

    /// Takes in another one.
    pub(crate) fn add(&mut self, it: Self) {
        self.calls = self.calls.saturating_add(it.calls);
        self.rows = self.rows.saturating_add(it.rows);
        self.exec_ms += it.exec_ms;
        self.hit = self.hit.saturating_add(it.hit);
        self.read = self.read.saturating_add(it.read);
    }
}

impl Ledger {
    /// Counts from here.
    pub(crate) fn begin(reading: Reading) -> Self {
        let Reading { epoch, evictions, entries } = reading;
        Self {
            epoch,
            evictions,
            first: entries,
            came: BTreeMap::new(),
            lost: BTreeMap::new(),
            evicted: None,
        }
    }

    /// The next reading.
    ///
    /// # Errors
    /// Why nothing can be said of the time since the reading before; the ledger is as it was then.
    pub(crate) fn read(&mut self, reading: &Reading) -> Result<(), Reset> {
        if self.epoch.started != reading.epoch.started {
            return Err("the server was restarted".to_owned());
        }
        if self.epoch.reset != reading.epoch.reset {
            return Err("its statistics were reset".to_owned());
        }
        let mut came = BTreeMap::new();
        let mut lost = BTreeMap::new();
        for (key, now) in &reading.entries {
            let before = self.first.get(key).copied().unwrap_or_default();
            let known = self.came.get(key).copied().unwrap_or_default();
            // Also against the reading before: what was thrown out and came back may have passed
            // its first reading again.
            if let Some(it) = now.since(before).filter(|it| it.since(known).is_some()) {
                came.insert(*key, it);
            } else {
                lost.insert(*key, "its counters fell: they were reset, or thrown out");
            }
        }
        for key in self.first.keys().chain(self.came.keys()) {
            if !reading.entries.contains_key(key) {
                lost.insert(*key, "the server threw it out to make room, or it was reset");
            }
        }
        // A server that does not say when it was reset shows it by most of them at once.
        let known = self.first.keys().chain(self.came.keys()).collect::<BTreeSet<_>>();
        if known.len() > KNOWN_MAX {
            return Err("more statements came and went than are followed".to_owned());
        }
        let newly = lost.keys().filter(|it| !self.lost.contains_key(it)).count();
        if reading.epoch.reset.is_none() && newly > known.len().saturating_sub(self.lost.len()) / 2
        {
            return Err("most of its counters fell at once: its statistics were reset".to_owned());
        }
        for (key, why) in lost {
            self.lost.entry(key).or_insert(why);
        }
        // What is lost keeps the figures that it had.
        came.retain(|key, _| !self.lost.contains_key(key));
        self.came.extend(came);
        self.evicted =
            reading.evictions.zip(self.evictions).map(|(now, first)| now.saturating_sub(first));
        Ok(())
    }

    /// What came until the last reading, texts left out, and the ids of those that are told one by
    /// one.
    pub(crate) fn counted(&self) -> (DatabaseCounted, Vec<i64>) {
        let mut counted = DatabaseCounted {
            evictions: self.evicted,
            lost: u64::try_from(self.lost.len()).unwrap_or(u64::MAX),
            ..DatabaseCounted::default()
        };
        let mut here: BTreeMap<i64, StatementCounted> = BTreeMap::new();
        let mut lost_only = self.lost.clone();
        for (key, it) in &self.came {
            let lost = lost_only.remove(key);
            if it.calls == 0 && lost.is_none() {
                continue;
            }
            match key.id {
                Some(id) if key.is_here => add(here.entry(id).or_default(), it, lost),
                Some(_) => counted.elsewhere.add_all(sums(it)),
                None => counted.hidden.add_all(sums(it)),
            }
        }
        // Lost before anything came of them.
        for (key, why) in lost_only {
            if let (Some(id), true) = (key.id, key.is_here) {
                add(here.entry(id).or_default(), &Figures::default(), Some(why));
            }
        }
        let mut all: Vec<(i64, StatementCounted)> = here.into_iter().collect();
        all.sort_by(|(one_id, one), (other_id, other)| {
            let by_time = other.exec_ms.total_cmp(&one.exec_ms);
            by_time.then(other.calls.cmp(&one.calls)).then(one_id.cmp(other_id))
        });
        for (_, it) in all.iter().skip(STATEMENTS_MAX) {
            counted.others.add(it);
        }
        all.truncate(STATEMENTS_MAX);
        let ids = all.iter().map(|it| it.0).collect();
        counted.statements =
            all.into_iter().map(|(id, it)| StatementCounted { id: id.to_string(), ..it }).collect();
        (counted, ids)
    }
}

fn sums(it: &Figures) -> StatementSums {
    StatementSums { statements: 1, calls: it.calls, rows: it.rows, exec_ms: it.exec_ms }
}

/// One statement is an entry for each user, and for its calls from within others.
fn add(into: &mut StatementCounted, it: &Figures, lost: Option<&str>) {
    into.calls = into.calls.saturating_add(it.calls);
    into.rows = into.rows.saturating_add(it.rows);
    into.exec_ms += it.exec_ms;
    for (sum, more) in [(&mut into.blocks_hit, it.hit), (&mut into.blocks_read, it.read)] {
        *sum = Some(sum.unwrap_or_default().saturating_add(more));
    }
    if let Some(why) = lost {
        into.lost.get_or_insert_with(|| why.to_owned());
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn key(id: i64) -> Key {
        Key { user: 10, database: 5, is_here: true, id: Some(id), is_top: true }
    }

    fn figures(calls: u64) -> Figures {
        #[expect(clippy::cast_precision_loss, reason = "small")]
        let exec_ms = calls as f64 * 0.5;
        Figures { calls, rows: calls, exec_ms, hit: calls * 3, read: 0 }
    }

    fn reading(entries: &[(i64, u64)]) -> Reading {
        let epoch = Epoch { started: "a".to_owned(), reset: Some("r".to_owned()) };
        let entries = entries.iter().map(|(id, calls)| (key(*id), figures(*calls))).collect();
        Reading { epoch, evictions: Some(7), entries }
    }

    fn calls(ledger: &Ledger) -> Vec<(String, u64, bool)> {
        let statements = ledger.counted().0.statements;
        statements.into_iter().map(|it| (it.id, it.calls, it.lost.is_some())).collect()
    }

    fn row(id: &str, calls: u64, is_lost: bool) -> (String, u64, bool) {
        (id.to_owned(), calls, is_lost)
    }

    #[test]
    fn what_came_is_counted_from_the_first_reading_and_new_statements_from_nothing() {
        let mut it = Ledger::begin(reading(&[(1, 100), (2, 5)]));
        it.read(&reading(&[(1, 110), (2, 5), (3, 4)])).unwrap();
        it.read(&reading(&[(1, 130), (2, 5), (3, 9)])).unwrap();
        assert_eq!(calls(&it), [row("1", 30, false), row("3", 9, false)]);
        let (counted, ids) = it.counted();
        assert_eq!((ids, counted.evictions), (vec![1, 3], Some(0)));
        assert_eq!(counted.statements[0].blocks_hit, Some(90));
        assert!((counted.statements[0].exec_ms - 15.0).abs() < 1e-9);
    }

    #[test]
    fn a_statement_that_was_thrown_out_keeps_its_figures_and_is_lost() {
        let mut it = Ledger::begin(reading(&[(1, 100), (2, 5), (3, 1)]));
        it.read(&reading(&[(1, 110), (2, 9), (3, 1)])).unwrap();
        it.read(&Reading { evictions: Some(8), ..reading(&[(1, 120), (3, 1)]) }).unwrap();
        assert_eq!(calls(&it), [row("1", 20, false), row("2", 4, true)]);
        assert_eq!(it.counted().0.evictions, Some(1));
        // Back again, with more than it had: still lost, and no more.
        it.read(&reading(&[(1, 130), (2, 900), (3, 1)])).unwrap();
        assert_eq!(calls(&it), [row("1", 30, false), row("2", 4, true)]);
    }

    #[test]
    fn one_that_is_lost_in_another_database_is_counted_as_lost() {
        let with = |ids: &[i64]| {
            let mut it = reading(&[(1, 100)]);
            let elsewhere = |id: &i64| (Key { is_here: false, ..key(*id) }, figures(7));
            it.entries.extend(ids.iter().map(elsewhere));
            it
        };
        let mut it = Ledger::begin(with(&[8, 9]));
        it.read(&with(&[8, 9])).unwrap();
        assert_eq!(it.counted().0.lost, 0);
        it.read(&with(&[8])).unwrap();
        assert_eq!((it.counted().0.lost, calls(&it)), (1, Vec::new()));
    }

    #[test]
    fn one_that_fell_is_lost_also_before_anything_came_of_it() {
        let mut it = Ledger::begin(reading(&[(1, 100), (2, 5), (3, 1)]));
        it.read(&reading(&[(1, 3), (2, 5), (3, 2)])).unwrap();
        assert_eq!(calls(&it), [row("3", 1, false), row("1", 0, true)]);
        // One that was new and fell against the reading before.
        it.read(&reading(&[(1, 4), (2, 5), (3, 3), (4, 50)])).unwrap();
        it.read(&reading(&[(1, 4), (2, 5), (3, 4), (4, 20)])).unwrap();
        assert_eq!(calls(&it), [row("4", 50, true), row("3", 3, false), row("1", 0, true)]);
    }

    #[test]
    fn a_reset_or_another_server_ends_the_count_and_changes_nothing() {
        let mut it = Ledger::begin(reading(&[(1, 100)]));
        it.read(&reading(&[(1, 110)])).unwrap();
        let mut reset = reading(&[(1, 300)]);
        reset.epoch.reset = Some("later".to_owned());
        assert!(it.read(&reset).unwrap_err().contains("reset"));
        let mut restarted = reading(&[(1, 300)]);
        restarted.epoch.started = "b".to_owned();
        assert!(it.read(&restarted).unwrap_err().contains("restarted"));
        assert_eq!(calls(&it), [row("1", 10, false)]);
    }

    #[test]
    fn a_server_that_does_not_say_when_it_was_reset_shows_it() {
        let old = |entries: &[(i64, u64)]| {
            let mut it = reading(entries);
            (it.epoch.reset, it.evictions) = (None, None);
            it
        };
        let mut it = Ledger::begin(old(&[(1, 100), (2, 50), (3, 9)]));
        it.read(&old(&[(1, 110), (2, 50), (3, 9)])).unwrap();
        assert!(it.read(&old(&[(1, 2)])).unwrap_err().contains("most of its counters fell"));
        // One of three is an eviction.
        it.read(&old(&[(1, 120), (2, 50)])).unwrap();
        assert_eq!(calls(&it), [row("1", 20, false), row("3", 0, true)]);
    }

    #[test]
    fn ties_have_an_order_and_what_is_below_the_top_is_summed() {
        let all: Vec<(i64, u64)> = (0..60).map(|id| (id, 2)).collect();
        let mut it = Ledger::begin(reading(&[]));
        it.read(&reading(&all)).unwrap();
        let (counted, ids) = it.counted();
        assert_eq!(ids, (0..50).collect::<Vec<i64>>());
        assert_eq!((counted.others.statements, counted.others.calls), (10, 20));
    }

    #[test]
    fn other_users_and_databases_are_sums_and_users_of_one_statement_are_together() {
        let mut it = Ledger::begin(reading(&[]));
        let mut now = reading(&[(1, 2)]);
        for (other, calls) in [
            (Key { user: 11, ..key(1) }, 3),
            (Key { is_here: false, database: 6, ..key(1) }, 5),
            (Key { id: None, ..key(0) }, 7),
        ] {
            now.entries.insert(other, figures(calls));
        }
        it.read(&now).unwrap();
        assert_eq!(calls(&it), [row("1", 5, false)]);
        let (counted, _) = it.counted();
        assert_eq!((counted.elsewhere.calls, counted.hidden.calls), (5, 7));
    }

    proptest! {
        /// Whatever a server says, no figure is more than what the readings rose by, and none falls.
        #[test]
        fn nothing_is_made_up(
            steps in prop::collection::vec(prop::collection::vec((0_i64..6, 0_u64..1000), 0..6), 1..12),
        ) {
            let mut it = Ledger::begin(reading(&steps[0]));
            let mut before: BTreeMap<String, u64> = BTreeMap::new();
            let first: BTreeMap<i64, u64> = steps[0].iter().copied().collect();
            let mut most: BTreeMap<i64, u64> = BTreeMap::new();
            for step in &steps[1..] {
                for (id, calls) in step.iter().copied().collect::<BTreeMap<_, _>>() {
                    let rose = calls.saturating_sub(first.get(&id).copied().unwrap_or_default());
                    let it = most.entry(id).or_default();
                    *it = rose.max(*it);
                }
                it.read(&reading(step)).unwrap();
                for (id, calls, _) in calls(&it) {
                    let bound = most.get(&id.parse().unwrap()).copied().unwrap_or_default();
                    prop_assert!(calls <= bound, "{id}: {calls} of {bound}");
                    let last = before.insert(id, calls).unwrap_or_default();
                    prop_assert!(calls >= last);
                }
            }
        }
    }
}
