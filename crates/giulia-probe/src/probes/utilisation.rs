//! Question: how busy are the schedulers?
//!
//! Call: `erlang:statistics(scheduler_wall_time_all)`, once a tick; two of them make a window.
//! First OTP: 23.
//! Cost: constant in processes; each scheduler thread is asked for its own two counters.
//! Limit: none needed.
//! Side effects: none of the question. It answers only while somebody holds the system flag
//! `scheduler_wall_time`, which a session's keeper does; a look without a session leaves it be.

use std::collections::HashMap;

use giulia_dist::{Error, term::Term};
use giulia_model::{Schedulers, ThreadsBusy, Utilisation};

use super::Probe;
use crate::{
    answer::{self, Answer, Bif, Problem},
    link::Link,
};

pub(crate) const PROBE: Probe =
    Probe { name: "utilisation", question: "how busy are the schedulers?" };

/// What every scheduler thread has counted so far, by its id; in no unit that OTP names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WallTimes {
    threads: HashMap<u64, Times>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Times {
    active: u64,
    total: u64,
}

pub(crate) fn questions() -> Vec<Bif> {
    vec![Bif::new("erlang", "statistics", [Term::atom("scheduler_wall_time_all")])]
}

/// One sample; nothing where nobody holds the flag.
pub(crate) fn read(answers: &[Answer]) -> Result<Option<WallTimes>, Problem> {
    of_term(answer::term(answers, 0)?)
}

/// One sample from its term.
pub(crate) fn of_term(told: Term<'_>) -> Result<Option<WallTimes>, Problem> {
    if told.is_atom("undefined") {
        return Ok(None);
    }
    let mut threads = HashMap::new();
    for it in &answer::list(told)? {
        let Some([id, active, total]) = it.as_tuple() else { return Err(answer::unexpected(it)) };
        let times = Times { active: answer::uint(active)?, total: answer::uint(total)? };
        threads.insert(answer::uint(id)?, times);
    }
    Ok(Some(WallTimes { threads }))
}

/// One sample in a question of its own; nothing where nobody holds the flag.
///
/// # Errors
///
/// When the node does not answer.
pub async fn wall_times(link: &Link) -> Result<Option<WallTimes>, Error> {
    Ok(read(&link.ask_all(PROBE.name, &questions()).await)?)
}

impl WallTimes {
    /// How busy the threads were between an earlier sample and this one.
    ///
    /// Nothing where the two do not belong together: another number of threads, a counter that
    /// fell (the flag was let go of in between, which sets them to zero) or did not move.
    /// `schedulers` tells the kinds apart: ids count normal ones first, then dirty CPU, then
    /// dirty IO. Threads that are offline are left out.
    pub fn since(&self, earlier: &Self, schedulers: &Schedulers) -> Option<Utilisation> {
        if self.threads.len() != earlier.threads.len() {
            return None;
        }
        let all = u64::try_from(self.threads.len()).ok()?;
        let dirty_io_from = all.checked_sub(schedulers.dirty_io)?.checked_add(1)?;
        let dirty_cpu_from = schedulers.total.checked_add(1)?;
        if dirty_cpu_from > dirty_io_from {
            return None;
        }
        let busy =
            |from: u64, n_threads: u64| self.busy(earlier, from..from.saturating_add(n_threads));
        Some(Utilisation {
            normal: busy(1, schedulers.online)?,
            dirty_cpu: busy(dirty_cpu_from, schedulers.dirty_cpu_online)?,
            dirty_io: busy(dirty_io_from, schedulers.dirty_io)?,
        })
    }

    fn busy(&self, earlier: &Self, ids: std::ops::Range<u64>) -> Option<ThreadsBusy> {
        let mut sums = Times { active: 0, total: 0 };
        let mut each = Vec::new();
        for id in ids {
            let (now, before) = (self.threads.get(&id)?, earlier.threads.get(&id)?);
            let active = now.active.checked_sub(before.active)?;
            let total = now.total.checked_sub(before.total).filter(|it| *it > 0)?;
            sums.active = sums.active.saturating_add(active);
            sums.total = sums.total.saturating_add(total);
            each.push(share(active, total));
        }
        Some(ThreadsBusy { total: share(sums.active, sums.total), each })
    }
}

/// A thread that began to wait just before the sample can be told a hair over its whole time.
#[expect(clippy::cast_precision_loss, reason = "a share is shown to a percent")]
fn share(active: u64, total: u64) -> f64 {
    if total == 0 { 0.0 } else { (active as f64 / total as f64).min(1.0) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two normal ones, one of them online, two dirty CPU, one dirty IO.
    const SCHEDULERS: Schedulers = Schedulers {
        total: 2,
        online: 1,
        dirty_cpu_online: 1,
        dirty_io: 1,
        logical_processors: None,
        run_queue_lens: Vec::new(),
        active_tasks: 0,
    };

    fn sample(times: &[(u64, i64, i64)]) -> WallTimes {
        let rows = times.iter().map(|(id, active, total)| {
            Term::tuple([Term::uint(*id), Term::int(*active), Term::int(*total)])
        });
        let mut bytes = Vec::new();
        Term::list(rows).encode(&mut bytes).unwrap();
        read(&[Ok(bytes)]).unwrap().unwrap()
    }

    /// As OTP tells it: in no order.
    fn before() -> WallTimes {
        sample(&[(5, 7, 100), (2, 0, 100), (1, 50, 100), (4, 0, 100), (3, 20, 100)])
    }

    #[test]
    fn kinds_are_told_apart_and_who_is_offline_is_left_out() {
        let now = sample(&[(1, 130, 200), (2, 0, 200), (3, 45, 200), (4, 0, 200), (5, 7, 200)]);
        let busy = now.since(&before(), &SCHEDULERS).unwrap();
        assert_eq!(busy.normal, ThreadsBusy { total: 0.8, each: vec![0.8] });
        assert_eq!(busy.dirty_cpu, ThreadsBusy { total: 0.25, each: vec![0.25] });
        assert_eq!(busy.dirty_io, ThreadsBusy { total: 0.0, each: vec![0.0] });
    }

    #[test]
    fn samples_that_do_not_belong_together_tell_nothing() {
        assert_eq!(before().since(&before(), &SCHEDULERS), None);
        let zeroed = sample(&[(1, 1, 9), (2, 0, 9), (3, 0, 9), (4, 0, 9), (5, 0, 9)]);
        assert_eq!(zeroed.since(&before(), &SCHEDULERS), None);
        let fewer = sample(&[(1, 130, 200), (2, 0, 200), (3, 45, 200)]);
        assert_eq!(fewer.since(&before(), &SCHEDULERS), None);
        let mut undefined = Vec::new();
        Term::atom("undefined").encode(&mut undefined).unwrap();
        assert_eq!(read(&[Ok(undefined)]).unwrap(), None);
    }
}
