//! What is worth a look while a session runs: few, cheap, each told once per rise.

use std::collections::{BTreeMap, BTreeSet};

use giulia_model::{Counts, Schedulers, Snapshot};

/// A count this close to its limit: the node dies when it gets there, and the last fifth goes
/// fast when something leaks. The same as in the text of a snapshot.
pub(super) const LIMIT_SHARE: f64 = 0.8;
/// It is over only below this, so that a count that swings around the line is told once.
const LIMIT_SHARE_OVER: f64 = 0.75;
/// A mailbox this long that still grows: a healthy server's is near empty, and from here on
/// each `receive` that selects walks over ten thousand messages.
const MAILBOX_LEN: u64 = 10_000;
/// Waiting processes for each scheduler: each waits about four time slices of a millisecond.
const RUN_QUEUE_FACTOR: u64 = 4;
/// Ticks in a row before a run queue is an alarm, so that a burst is none.
const RUN_QUEUE_TICKS: u32 = 5;
/// Of the container's memory limit; the kernel kills at 1.
const CGROUP_SHARE: f64 = 0.9;

/// Which alarms are up.
#[derive(Debug, Default)]
pub(crate) struct Alarms {
    up: BTreeSet<String>,
    mailboxes: BTreeMap<String, u64>,
    busy_ticks: u32,
}

impl Alarms {
    /// What rose with this tick, in sentences.
    pub(crate) fn look(&mut self, seen: &Snapshot) -> Vec<String> {
        let mut told = Vec::new();
        if let Some(counts) = &seen.counts {
            self.limits(counts, &mut told);
        }
        if let Some(vm) = &seen.schedulers {
            self.run_queue(vm, &mut told);
        }
        self.mailboxes(seen, &mut told);
        self.container(seen, &mut told);
        told
    }

    fn limits(&mut self, counts: &Counts, told: &mut Vec<String>) {
        for (name, it) in [
            ("processes", counts.processes),
            ("ports", counts.ports),
            ("atoms", counts.atoms),
            ("ETS tables", counts.ets_tables),
        ] {
            let Some(limit) = it.limit.filter(|it| *it > 0) else { continue };
            let share = ratio(it.count, limit);
            let text = format!("{name}: {} of {limit}, {:.0} %", it.count, share * 100.0);
            self.line(name, (share, LIMIT_SHARE, LIMIT_SHARE_OVER), text, told);
        }
    }

    fn run_queue(&mut self, vm: &Schedulers, told: &mut Vec<String>) {
        let normal = usize::try_from(vm.total).unwrap_or(usize::MAX);
        let queues = vm.run_queue_lens.iter().take(normal);
        let waiting = queues.fold(0_u64, |sum, it| sum.saturating_add(*it));
        if waiting <= RUN_QUEUE_FACTOR.saturating_mul(vm.online) {
            self.busy_ticks = 0;
            self.up.remove("run queue");
            return;
        }
        self.busy_ticks += 1;
        if self.busy_ticks == RUN_QUEUE_TICKS && self.up.insert("run queue".to_owned()) {
            told.push(format!(
                "run queues: {waiting} wait for {} schedulers, for {RUN_QUEUE_TICKS} ticks now",
                vm.online
            ));
        }
    }

    fn mailboxes(&mut self, seen: &Snapshot, told: &mut Vec<String>) {
        let Some(processes) = &seen.processes else { return };
        let rows = processes
            .top_by_mailbox
            .iter()
            .filter_map(|row| Some((row, row.mailbox_len.filter(|it| *it > MAILBOX_LEN)?)));
        let mut now = BTreeMap::new();
        for (row, len) in rows {
            let before = self.mailboxes.get(&row.pid.0).copied();
            if before.is_some_and(|it| len > it) && self.up.insert(row.pid.0.clone()) {
                told.push(format!(
                    "mailbox of {} {}: {len} messages and growing",
                    row.name, row.pid
                ));
            }
            now.insert(row.pid.0.clone(), len);
        }
        // Whoever emptied its mailbox or ended may rise again.
        for gone in self.mailboxes.keys().filter(|it| !now.contains_key(*it)) {
            self.up.remove(gone);
        }
        self.mailboxes = now;
    }

    fn container(&mut self, seen: &Snapshot, told: &mut Vec<String>) {
        let Some(host) = &seen.host else { return };
        let limit = host.cgroup.as_ref().and_then(|it| it.memory_limit_bytes);
        let (Some(limit), Some(rss)) = (limit.filter(|it| *it > 0), host.rss_bytes) else { return };
        let share = ratio(rss, limit);
        let text = format!(
            "memory: the VM occupies {:.0} % of its container's limit of {limit} bytes",
            share * 100.0
        );
        self.line("memory", (share, CGROUP_SHARE, CGROUP_SHARE - 0.05), text, told);
    }

    /// Up above the second figure, down below the third.
    fn line(
        &mut self,
        name: &str,
        (value, up, down): (f64, f64, f64),
        text: String,
        told: &mut Vec<String>,
    ) {
        if value > up {
            if self.up.insert(name.to_owned()) {
                told.push(text);
            }
        } else if value < down {
            self.up.remove(name);
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "a share of a limit")]
fn ratio(part: u64, whole: u64) -> f64 {
    part as f64 / whole as f64
}

#[cfg(test)]
mod tests {
    use giulia_model::CountAgainstLimit;

    use super::*;

    fn with_atoms(count: u64) -> Snapshot {
        let free = CountAgainstLimit { count: 1, limit: Some(1000) };
        let atoms = CountAgainstLimit { count, limit: Some(1000) };
        let counts = Counts { processes: free, ports: free, atoms, ets_tables: free };
        Snapshot { counts: Some(counts), ..Snapshot::default() }
    }

    fn with_queue(waiting: u64) -> Snapshot {
        let schedulers = Schedulers {
            total: 2,
            online: 2,
            dirty_cpu_online: 2,
            dirty_io: 10,
            logical_processors: None,
            run_queue_lens: vec![waiting, 0, 500, 500],
            active_tasks: 0,
        };
        Snapshot { schedulers: Some(schedulers), ..Snapshot::default() }
    }

    #[test]
    fn a_limit_is_told_once_per_rise() {
        let mut alarms = Alarms::default();
        let told: Vec<usize> =
            [700, 801, 900, 790, 810, 700, 850].map(|it| alarms.look(&with_atoms(it)).len()).into();
        assert_eq!(told, [0, 1, 0, 0, 0, 0, 1]);
    }

    #[test]
    fn a_burst_in_the_run_queue_is_none_and_dirty_queues_do_not_count() {
        let mut alarms = Alarms::default();
        let mut look = |waiting| alarms.look(&with_queue(waiting)).len();
        assert_eq!([9, 9, 9, 9, 8].map(&mut look), [0; 5]);
        assert_eq!([9, 9, 9, 9, 9, 9].map(&mut look), [0, 0, 0, 0, 1, 0]);
    }
}
