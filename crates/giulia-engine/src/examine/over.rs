//! Sums and spreads over ticks that the report does not tell and rules look at.

use std::collections::{BTreeMap, BTreeSet};

use giulia_model::{
    Activity, Counter, Snapshot, Spread, Supervision, SystemEvents, ThreadsBusy, Window,
};
use giulia_rules::{EventsOver, Over, RateOver, ThreadsOver};

use crate::report::series::Series;

/// Events that are kept.
const EVENTS_MAX: usize = 100;
/// Names of replaced processes that are kept.
const REPLACED_MAX: usize = 1_000;

/// Under construction.
#[derive(Debug, Default)]
pub(super) struct OverFold {
    ticks: u64,
    rates: Vec<(&'static str, Series)>,
    threads: Vec<(&'static str, Series, Vec<f64>, u64)>,
    run_queues: Vec<f64>,
    run_queue_ticks: u64,
    events: Option<EventsOver>,
    throttled_ms: Option<(f64, f64)>,
    supervised: Option<(u64, Supervised)>,
    replaced: BTreeMap<String, u64>,
    replaced_window_ms: u64,
    pids: Option<(u64, u64)>,
}

/// Process by its place in the trees, where only one has that place.
type Supervised = BTreeMap<(String, String), Option<String>>;

impl OverFold {
    pub(super) fn tick(&mut self, at_ms: u64, seen: &Snapshot) {
        self.ticks += 1;
        if let Some((work, window)) = seen.activity.as_ref().zip(seen.window) {
            self.rates(at_ms, work, window);
        }
        if let Some(busy) = &seen.utilisation {
            self.threads(at_ms, "normal", &busy.normal);
            self.threads(at_ms, "dirty CPU", &busy.dirty_cpu);
            self.threads(at_ms, "dirty IO", &busy.dirty_io);
        }
        if let Some(vm) = &seen.schedulers {
            self.run_queue_ticks += 1;
            add(&mut self.run_queues, vm.run_queue_lens.iter().map(|it| as_f64(*it)));
        }
        if let Some(events) = &seen.system_events {
            self.events(events, seen.window);
        }
        let cgroup = seen.host.as_ref().and_then(|it| it.cgroup.as_ref());
        if let Some(throttled) = cgroup.and_then(|it| it.throttled_ms) {
            let first = self.throttled_ms.map_or(throttled, |it| it.0);
            self.throttled_ms = Some((first, throttled));
        }
        if let Some(supervision) = &seen.supervision {
            self.supervision(at_ms, supervision);
        }
        self.pids(seen);
    }

    pub(super) fn finish(self) -> Over {
        let looks = as_f64(self.run_queue_ticks.max(1));
        Over {
            rates: self.rates.iter().filter_map(|(name, it)| rate(name, it)).collect(),
            threads: self.threads.into_iter().filter_map(threads).collect(),
            run_queue_lens_mean: self.run_queues.iter().map(|it| it / looks).collect(),
            events: self.events,
            throttled_ms: self.throttled_ms.map(|(first, last)| (last - first).max(0.0)),
            replaced: self.replaced,
            replaced_window_ms: self.replaced_window_ms,
            spawned_at_least: self.pids.map(|(first, last)| last.saturating_sub(first)),
        }
    }

    fn rates(&mut self, at_ms: u64, work: &Activity, window: Window) {
        let all: [(&'static str, &Counter); 6] = [
            ("reductions", &work.reductions),
            ("garbage collections", &work.garbage_collections),
            ("words reclaimed", &work.gc_words_reclaimed),
            ("context switches", &work.context_switches),
            ("bytes in", &work.io_in_bytes),
            ("bytes out", &work.io_out_bytes),
        ];
        for (name, counter) in all {
            let Some(per_second) = counter.per_second(Some(window)) else { continue };
            if !self.rates.iter().any(|it| it.0 == name) {
                self.rates.push((name, Series::default()));
            }
            if let Some((_, series)) = self.rates.iter_mut().find(|it| it.0 == name) {
                series.add(at_ms, per_second);
            }
        }
    }

    fn threads(&mut self, at_ms: u64, name: &'static str, busy: &ThreadsBusy) {
        if !self.threads.iter().any(|it| it.0 == name) {
            self.threads.push((name, Series::default(), Vec::new(), 0));
        }
        if let Some((_, series, each, ticks)) = self.threads.iter_mut().find(|it| it.0 == name) {
            series.add(at_ms, busy.total);
            add(each, busy.each.iter().copied());
            *ticks += 1;
        }
    }

    fn events(&mut self, seen: &SystemEvents, window: Option<Window>) {
        let over = self.events.get_or_insert_default();
        for (kind, count) in seen.counts.iter().chain(&seen.counts_beyond) {
            let sum = over.counts.entry(kind.clone()).or_default();
            *sum = sum.saturating_add(*count);
        }
        let room = EVENTS_MAX.saturating_sub(over.events.len());
        over.events.extend(seen.events.iter().take(room).cloned());
        over.listened_ms += window.map_or(0.0, |it| it.elapsed_ms);
    }

    fn supervision(&mut self, at_ms: u64, seen: &Supervision) {
        let now = places(seen);
        if let Some((before_ms, before)) = &self.supervised {
            self.replaced_window_ms += at_ms.saturating_sub(*before_ms);
            for (place, pid) in &now {
                let was = before.get(place).and_then(Option::as_ref);
                let is_another = was.zip(pid.as_ref()).is_some_and(|(was, is)| was != is);
                if is_another && self.replaced.len() < REPLACED_MAX {
                    *self.replaced.entry(place.1.clone()).or_default() += 1;
                }
            }
        }
        self.supervised = Some((at_ms, now));
    }

    /// The highest number of a pid grows with each spawn.
    fn pids(&mut self, seen: &Snapshot) {
        let Some(processes) = &seen.processes else { return };
        let rows = processes.top_by_reductions.iter().chain(&processes.top_by_mailbox);
        let highest = rows.chain(&processes.top_by_memory).filter_map(|it| number(&it.pid.0)).max();
        let Some(highest) = highest else { return };
        let (first, last) = self.pids.unwrap_or((highest, highest));
        self.pids = Some((first, last.max(highest)));
    }
}

/// Who is where, for places that one process alone has.
fn places(seen: &Supervision) -> Supervised {
    let mut found = Supervised::new();
    let mut twice = BTreeSet::new();
    for tree in &seen.applications {
        let mut above: Vec<&str> = Vec::new();
        for it in &tree.members {
            let depth = usize::try_from(it.depth).unwrap_or(usize::MAX);
            above.truncate(depth);
            let parent = above.last().copied().unwrap_or(&tree.application).to_owned();
            above.push(&it.name);
            let place = (parent, it.name.clone());
            if found.insert(place.clone(), Some(it.pid.0.clone())).is_some() {
                twice.insert(place);
            }
        }
    }
    for place in twice {
        found.insert(place, None);
    }
    found
}

/// How many spawns came before this one, at least: the 7 of `<0.7.0>`, and the serial after it counts
/// how often numbers began anew, which is after 32,768 on OTP 23 and not before on later ones.
fn number(pid: &str) -> Option<u64> {
    const NUMBERS_MIN: u64 = 1 << 15;
    let mut parts = pid.strip_prefix('<')?.strip_suffix('>')?.split('.');
    let (_, number, serial) = (parts.next()?, parts.next()?, parts.next()?);
    let serial: u64 = serial.parse().ok()?;
    serial.checked_mul(NUMBERS_MIN)?.checked_add(number.parse().ok()?)
}

fn rate(name: &str, series: &Series) -> Option<RateOver> {
    Some(RateOver { name: name.to_owned(), per_second: series.spread()? })
}

fn threads(
    (name, series, each, ticks): (&'static str, Series, Vec<f64>, u64),
) -> Option<ThreadsOver> {
    let total: Spread = series.spread()?;
    let ticks = as_f64(ticks.max(1));
    let each_mean = each.iter().map(|it| it / ticks).collect();
    Some(ThreadsOver { name: name.to_owned(), total, each_mean })
}

fn add(sums: &mut Vec<f64>, values: impl Iterator<Item = f64>) {
    for (idx, value) in values.enumerate() {
        match sums.get_mut(idx) {
            Some(sum) => *sum += value,
            None => sums.push(value),
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts of a session")]
fn as_f64(it: u64) -> f64 {
    it as f64
}

#[cfg(test)]
mod tests {
    use giulia_model::{ApplicationTree, Pid, Supervised as Member};

    use super::*;

    fn looked(pids: &[(&str, &str)]) -> Snapshot {
        let members = pids.iter().map(|(name, pid)| Member {
            depth: 1,
            name: (*name).to_owned(),
            pid: Pid((*pid).to_owned()),
            ..Member::default()
        });
        let top = Member { name: "top".to_owned(), ..Member::default() };
        let members = std::iter::once(top).chain(members).collect();
        let tree = ApplicationTree { application: "shop".to_owned(), members };
        let supervision = Supervision { applications: vec![tree], ..Supervision::default() };
        Snapshot { supervision: Some(supervision), ..Snapshot::default() }
    }

    #[test]
    fn a_process_that_is_another_one_at_the_next_look_was_replaced() {
        let mut fold = OverFold::default();
        fold.tick(0, &looked(&[("cart", "<0.7.0>"), ("worker", "<0.8.0>"), ("worker", "<0.9.0>")]));
        fold.tick(10_000, &looked(&[("cart", "<0.17.0>"), ("worker", "<0.18.0>")]));
        fold.tick(20_000, &looked(&[("cart", "<0.27.0>"), ("worker", "<0.18.0>")]));
        let over = fold.finish();
        assert_eq!(over.replaced, BTreeMap::from([("cart".to_owned(), 2)]));
        assert_eq!(over.replaced_window_ms, 20_000);
    }

    #[test]
    fn numbers_of_pids_tell_how_many_came_before() {
        assert_eq!(number("<0.123.0>"), Some(123));
        assert_eq!(number("<0.123.3>"), Some(3 * 32_768 + 123));
        assert_eq!(number("<0.1.18446744073709551615>"), None);
        assert_eq!(number("shop"), None);
    }
}
