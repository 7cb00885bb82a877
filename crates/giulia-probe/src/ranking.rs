//! From one look at the processes to ranked lists and groups.

use std::{cmp::Reverse, collections::BTreeMap};

use giulia_model::{Counter, Coverage, Pid, ProcessGroup, ProcessRow, Processes, Window};

use crate::look::{Brief, Leader, Look, Row, Sums, times};

/// Groups beyond this many are left out of the answer: a label for each of 200,000 processes
/// would otherwise make as many groups.
const GROUPS_MAX: usize = 100;

/// The first [`GROUPS_MAX`], and how many more there are.
type Groups = (Vec<ProcessGroup>, u64);
/// A group for those whom nobody asked what they are, and for whom no sample stands.
pub(crate) const NOT_LOOKED_AT: &str = ProcessGroup::NOT_LOOKED_AT;

/// The noun from the look.
pub(crate) fn processes(look: &Look, top: usize, window: Option<Window>) -> Processes {
    let mut whole = Sums::default();
    for (_, sums) in &look.led {
        whole.add(*sums);
    }
    let scale = Scale { whole, windowed: window.is_some() };
    let listed = |key: fn(&Row) -> Option<u64>| {
        let mut rows: Vec<(u64, &Row)> =
            look.rows.iter().filter_map(|row| Some((key(row)?, row))).collect();
        rows.sort_by_key(|(by, _)| Reverse(*by));
        rows.iter().take(top).map(|(_, row)| shown(row, look, scale)).collect()
    };
    let closely = if look.exact {
        whole.processes
    } else {
        u64::try_from(look.busy.len() + look.mailers.len() + look.sampled.len()).unwrap_or(u64::MAX)
    };
    let coverage = |asked, sampled| Coverage { total: whole.processes, asked, sampled };
    let (by_application, by_application_left_out) = by_application(look, scale);
    let (by_initial_call, by_initial_call_left_out) = by_initial_call(look, scale);
    Processes {
        window,
        ranking_coverage: coverage(look.ranked.unwrap_or(whole.processes), look.ranked.is_some()),
        group_coverage: coverage(closely, !look.sampled.is_empty()),
        reductions: scale.counter(whole.since_start, whole.worked),
        top_by_reductions: listed(|row| Some(row.worked)),
        top_by_mailbox: listed(|row| row.mailbox_len.filter(|it| *it > 0)),
        top_by_memory: listed(|row| row.memory_bytes),
        by_application,
        by_application_left_out,
        by_initial_call,
        by_initial_call_left_out,
    }
}

/// What figures of one process or group are related to.
#[derive(Debug, Clone, Copy)]
struct Scale {
    whole: Sums,
    windowed: bool,
}

impl Scale {
    fn counter(self, since_start: u64, worked: u64) -> Counter {
        Counter { since_start, in_window: self.windowed.then_some(worked) }
    }

    #[expect(clippy::cast_precision_loss, reason = "a share is shown to three digits")]
    fn share(self, worked: u64) -> f64 {
        if self.whole.worked == 0 { 0.0 } else { worked as f64 / self.whole.worked as f64 }
    }

    fn groups(self, sums: BTreeMap<String, Sums>) -> Groups {
        let mut groups: Vec<ProcessGroup> = sums
            .into_iter()
            .filter(|(_, sums)| *sums != Sums::default())
            .map(|(name, sums)| ProcessGroup {
                name,
                processes: sums.processes,
                reductions: self.counter(sums.since_start, sums.worked),
                reductions_share: self.share(sums.worked).min(1.0),
                mailbox_len: sums.mailbox_len,
            })
            .collect();
        groups.sort_by(|left, right| {
            let by_share = right.reductions_share.total_cmp(&left.reductions_share);
            by_share.then(right.processes.cmp(&left.processes)).then(left.name.cmp(&right.name))
        });
        let left_out = groups.len().saturating_sub(GROUPS_MAX);
        groups.truncate(GROUPS_MAX);
        (groups, u64::try_from(left_out).unwrap_or(u64::MAX))
    }
}

fn shown(row: &Row, look: &Look, scale: Scale) -> ProcessRow {
    let (name, name_source) = row.traits.name();
    let application = row.leader.as_ref().and_then(|it| look.applications.get(it));
    ProcessRow {
        pid: Pid(row.pid.local()),
        name,
        name_source,
        application: application.cloned(),
        initial_call: row.traits.initial_call().cloned(),
        current_function: row.current.clone(),
        status: row.status.clone(),
        reductions: scale.counter(row.since_start, row.worked),
        reductions_share: scale.share(row.worked),
        mailbox_len: row.mailbox_len,
        memory_bytes: row.memory_bytes,
    }
}

/// Exact for all processes: their group leaders are read with their reductions.
fn by_application(look: &Look, scale: Scale) -> Groups {
    let mut groups: BTreeMap<String, Sums> = BTreeMap::new();
    for (leader, sums) in &look.led {
        let name = match leader {
            Leader::Pid(pid) => match look.applications.get(pid) {
                Some(name) => name.as_str(),
                None if pid.local() == "<0.0.0>" => "init",
                None => "(no application)",
            },
            Leader::Others => "(no application)",
        };
        groups.entry(name.to_owned()).or_default().add(*sums);
    }
    scale.groups(groups)
}

/// The busiest and the longest mailboxes count as they are; the others are estimated from the
/// sample of them, so that estimates and the sums of everyone agree.
fn by_initial_call(look: &Look, scale: Scale) -> Groups {
    let mut exact = total(&look.busy);
    exact.add(total(&look.mailers));
    for (_, sums) in &look.grouped {
        exact.add(*sums);
    }
    let sampled = total(&look.sampled);
    let rest = |of: fn(&Sums) -> u64| {
        let rest = of(&scale.whole).saturating_sub(of(&exact));
        ratio(rest, of(&sampled))
    };
    let (count, worked) = (rest(|it| it.processes), rest(|it| it.worked));
    let (since_start, mail) = (rest(|it| it.since_start), rest(|it| it.mailbox_len));
    let mut groups: BTreeMap<String, Sums> = BTreeMap::new();
    for (name, sums) in &look.grouped {
        groups.entry(name.clone()).or_default().add(*sums);
    }
    for it in look.busy.iter().chain(&look.mailers) {
        groups.entry(it.traits.group()).or_default().add(it.sums);
    }
    if look.sampled.is_empty() {
        let left = scale.whole.less(exact);
        if left != Sums::default() {
            groups.entry(NOT_LOOKED_AT.to_owned()).or_default().add(left);
        }
    }
    let mut estimated: BTreeMap<String, Sums> = BTreeMap::new();
    for it in &look.sampled {
        estimated.entry(it.traits.group()).or_default().add(it.sums);
    }
    for (name, sums) in estimated {
        groups.entry(name).or_default().add(Sums {
            processes: times(sums.processes, count),
            worked: times(sums.worked, worked),
            since_start: times(sums.since_start, since_start),
            mailbox_len: times(sums.mailbox_len, mail),
        });
    }
    scale.groups(groups)
}

fn total(briefs: &[Brief]) -> Sums {
    let mut total = Sums::default();
    for it in briefs {
        total.add(it.sums);
    }
    total
}

#[expect(clippy::cast_precision_loss, reason = "an estimate has three digits")]
fn ratio(whole: u64, part: u64) -> f64 {
    if part == 0 { 0.0 } else { whole as f64 / part as f64 }
}

#[cfg(test)]
mod tests {
    use giulia_model::Mfa;

    use super::*;
    use crate::naming::Traits;

    fn brief(name: &str, worked: u64, mailbox_len: u64) -> Brief {
        let call = Some(Mfa::new(name, "init", 1));
        let sums = Sums { processes: 1, worked, since_start: worked, mailbox_len };
        Brief { traits: Traits { call, ..Traits::default() }, sums }
    }

    #[test]
    fn groups_that_are_not_listed_are_counted() {
        let names: Vec<String> = (0..130).map(|it| format!("shop_{it}")).collect();
        let look = Look {
            exact: true,
            led: vec![(Leader::Others, Sums { processes: 130, ..Sums::default() })],
            busy: names.iter().map(|it| brief(it, 1, 0)).collect(),
            ..Look::default()
        };
        let seen = processes(&look, 20, None);
        assert_eq!((seen.by_initial_call.len(), seen.by_initial_call_left_out), (100, 30));
        assert_eq!((seen.by_application.len(), seen.by_application_left_out), (1, 0));
    }

    #[test]
    fn the_mail_of_a_stuck_server_is_not_laid_at_another_door() {
        let whole = Sums {
            processes: 20_000,
            worked: 101_000,
            since_start: 101_000,
            mailbox_len: 1_000_500,
        };
        let look = Look {
            led: vec![(Leader::Others, whole)],
            busy: vec![brief("worker", 1000, 0)],
            mailers: vec![brief("stuck", 0, 1_000_000)],
            sampled: vec![brief("shop", 5, 1), brief("shop", 5, 0)],
            ..Look::default()
        };
        let seen = processes(&look, 20, None);
        let mail = |name: &str| {
            let group = seen.by_initial_call.iter().find(|it| it.name == name).unwrap();
            (group.processes, group.mailbox_len)
        };
        assert_eq!(mail("stuck:init/1"), (1, 1_000_000));
        assert_eq!(mail("shop:init/1"), (19_998, 500));
        assert_eq!(seen.group_coverage.asked, 4);
    }
}
