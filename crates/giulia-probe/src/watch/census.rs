//! Who is who on the target, on our side: what a process is does not change, so each is asked once.
//!
//! Up to 10,000 processes everyone is known, from the pids that the watcher tells as they are born
//! and end. Above, those that were among the busiest are, and what the others worked stays one
//! remainder. Names and labels can change: they are read again with each row that is listed.

use std::collections::{HashMap, HashSet};

use giulia_dist::term::Pid;
use giulia_model::{Coverage, Processes, Window};

use super::{List, Wanted, answer::Seen};
use crate::{
    OwnNodes,
    look::{Leader, Look, Row, Sums},
    naming::Traits,
    paged,
    probes::processes::CLOSELY_MAX,
    ranking::{self, NOT_LOOKED_AT},
};

/// Who is known, and how well.
#[derive(Debug, Default)]
pub(crate) struct Census {
    known: HashMap<Pid, Known>,
    /// Whether that is everyone.
    complete: bool,
    /// Everyone at the last look.
    total: u64,
    looks: u64,
    /// Nobody but those that are listed may be asked what they are.
    rows_only: bool,
    /// Names of applications by the pid of their master.
    applications: HashMap<Pid, String>,
    /// Group leaders that were there when applications were last asked.
    leaders: HashSet<Pid>,
}

#[derive(Debug)]
struct Known {
    leader: Pid,
    since_start: u64,
    /// The look that last told it.
    told: u64,
    /// What it is, and the group that it belongs to for that.
    traits: Option<(Traits, String)>,
}

/// What a process did since the last look, and the mail that it has.
type Did = (u64, Option<u64>);

/// Processes that are kept in mind where not everyone is: 20 looks of nobody but strangers.
const KNOWN_MAX: usize = 20_000;
/// Group leaders remembered as seen; masters of applications are some dozens.
const LEADERS_MAX: usize = 1000;
/// Processes that are asked what they are after one look: 1,000 signals and 60 KB.
const ASKED_MAX: usize = 1000;

impl Census {
    /// Nobody is known yet; `rows_only` where a bug makes asking those that are not listed dangerous.
    pub(crate) fn new(rows_only: bool) -> Self {
        Self { rows_only, ..Self::default() }
    }

    /// What the next look shall tell.
    pub(crate) fn wanted(&self, top: usize, expected: u64) -> Wanted {
        let total = if self.looks == 0 { expected } else { self.total };
        let list = match (total <= CLOSELY_MAX, self.complete) {
            (true, true) => List::Changes,
            (true, false) => List::All,
            (false, _) => List::None,
        };
        // Where everyone is known we add up ourselves.
        Wanted { top, list, led: list == List::None }
    }

    /// Takes a look in; `list` is what was wanted for it.
    pub(crate) fn take(&mut self, seen: &Seen, list: List, ours: &OwnNodes) {
        self.looks += 1;
        self.total = seen.whole.processes;
        if list == List::All {
            let mut before = std::mem::take(&mut self.known);
            for it in &seen.listed {
                let traits = before.remove(&it.pid).and_then(|it| it.traits);
                self.insert(it.pid.clone(), it.leader.clone(), it.since_start, traits);
            }
        } else {
            for it in &seen.listed {
                self.insert(it.pid.clone(), it.leader.clone(), it.since_start, None);
            }
            for pid in &seen.gone {
                self.known.remove(pid);
            }
        }
        for it in &seen.cut {
            // One that was told as new has it already.
            if let Some(known) = self.known.get_mut(&it.pid).filter(|it| it.told < self.looks) {
                known.since_start = known.since_start.saturating_add(it.worked);
            }
        }
        for it in seen.busy.iter().chain(&seen.fullest) {
            match self.known.get_mut(&it.pid) {
                Some(known) => {
                    known.since_start = it.since_start;
                    known.told = self.looks;
                    known.leader = it.leader.clone();
                }
                // Who is in the answer but was not listed, because not everyone is.
                None if list == List::None => {
                    self.insert(it.pid.clone(), it.leader.clone(), it.since_start, None);
                }
                None => {}
            }
        }
        self.known.retain(|_, it| !ours.is_own(it.leader.node.as_str()));
        let listed = u64::try_from(self.known.len()).unwrap_or(u64::MAX);
        // A burst of births is told in part: then everyone is wanted again, or nobody.
        self.complete = list != List::None && listed <= CLOSELY_MAX * 2;
        if self.known.len() > KNOWN_MAX {
            self.forget();
        }
    }

    fn insert(
        &mut self,
        pid: Pid,
        leader: Pid,
        since_start: u64,
        traits: Option<(Traits, String)>,
    ) {
        self.known.insert(pid, Known { leader, since_start, told: self.looks, traits });
    }

    /// Those that were not told for longest.
    fn forget(&mut self) {
        self.complete = false;
        let mut told: Vec<u64> = self.known.values().map(|it| it.told).collect();
        told.sort_unstable();
        let limit = told.get(told.len() / 2).copied().unwrap_or_default();
        self.known.retain(|_, it| it.told > limit);
    }

    /// Whom to ask what they are: the busiest first, then, where everyone is known, the others.
    pub(crate) fn strangers(&self, seen: &Seen) -> Vec<Pid> {
        if self.rows_only {
            return Vec::new();
        }
        let is_stranger = |pid: &&Pid| self.known.get(*pid).is_some_and(|it| it.traits.is_none());
        let active = seen.busy.iter().chain(&seen.fullest).map(|it| &it.pid);
        let mut chosen: Vec<Pid> = active.filter(is_stranger).take(ASKED_MAX).cloned().collect();
        chosen.sort_by_key(|it| (it.serial, it.id));
        chosen.dedup();
        if self.complete && chosen.len() < ASKED_MAX {
            let already: HashSet<Pid> = chosen.iter().cloned().collect();
            #[expect(clippy::iter_over_hash_type, reason = "all of them are asked in the end")]
            for (pid, known) in &self.known {
                if chosen.len() == ASKED_MAX {
                    break;
                }
                if known.traits.is_none() && !already.contains(pid) {
                    chosen.push(pid.clone());
                }
            }
        }
        chosen
    }

    /// What they answered; who ended meanwhile keeps no name.
    pub(crate) fn learn(&mut self, asked: &[Pid], rows: Vec<Row>) {
        for row in rows {
            self.know(&row);
        }
        for pid in asked {
            if let Some(known) = self.known.get_mut(pid)
                && known.traits.is_none()
            {
                known.traits = Some((Traits::default(), Traits::default().group()));
            }
        }
    }

    /// What a row tells of its process; what it could not tell this time stays.
    fn know(&mut self, row: &Row) {
        let Some(known) = self.known.get_mut(&row.pid) else { return };
        let mut traits = row.traits.clone();
        if let Some((before, _)) = &known.traits {
            traits.call = traits.call.or_else(|| before.call.clone());
            traits.label = traits.label.or_else(|| before.label.clone());
            traits.outermost = traits.outermost.or_else(|| before.outermost.clone());
            traits.initial = traits.initial.or_else(|| before.initial.clone());
        }
        let group = traits.group();
        known.traits = Some((traits, group));
    }

    /// Whether a group leader came up since applications were asked.
    pub(crate) fn wants_applications(&self) -> bool {
        self.applications.is_empty()
            || self.known.values().any(|it| !self.leaders.contains(&it.leader))
                && self.leaders.len() < LEADERS_MAX
    }

    /// Names of applications, asked just now.
    pub(crate) fn set_applications(&mut self, applications: HashMap<Pid, String>) {
        self.applications = applications;
        self.leaders = self.known.values().map(|it| it.leader.clone()).take(LEADERS_MAX).collect();
        self.leaders.extend(self.applications.keys().cloned());
    }

    /// The noun.
    pub(crate) fn processes(
        &mut self,
        seen: &Seen,
        top: usize,
        window: Option<Window>,
        ours: &OwnNodes,
    ) -> Processes {
        let rows = self.rows(seen, ours);
        let active = active(seen);
        let led = self.led(seen, &active, ours);
        let mut groups: HashMap<&str, Sums> = HashMap::new();
        let mut named = 0;
        #[expect(clippy::iter_over_hash_type, reason = "sums do not depend on the order")]
        for (pid, known) in &self.known {
            let now = active.get(pid);
            if now.is_none() && !self.complete {
                continue;
            }
            let sums = known.sums(now);
            let group = known.traits.as_ref().map_or(NOT_LOOKED_AT, |(_, group)| group);
            named += u64::from(known.traits.is_some());
            groups.entry(group).or_default().add(sums);
        }
        let grouped = groups.into_iter().map(|(name, sums)| (name.to_owned(), sums)).collect();
        let applications = self.applications.clone();
        let look = Look { exact: true, led, rows, grouped, applications, ..Look::default() };
        let mut processes = ranking::processes(&look, top, window);
        let total = processes.ranking_coverage.total;
        processes.group_coverage = Coverage { total, asked: named.min(total), sampled: false };
        processes
    }

    /// The rows to list, from the items that the watcher read of them.
    fn rows(&mut self, seen: &Seen, ours: &OwnNodes) -> Vec<Row> {
        let mut rows = Vec::new();
        for (pid, items) in &seen.closely {
            let mut told = seen.busy.iter().chain(&seen.fullest);
            let Some(it) = told.find(|it| it.pid == *pid) else { continue };
            let figures = [it.since_start, it.worked];
            let Some(mut row) = paged::row(pid.clone(), figures, items, (None, None)) else {
                continue;
            };
            if row.leader.as_ref().is_some_and(|it| ours.is_own(it.node.as_str())) {
                continue;
            }
            // Who is to be asked still is not known by a row, which has no stack.
            if self.rows_only || self.known.get(pid).is_some_and(|it| it.traits.is_some()) {
                self.know(&row);
            }
            if let Some((traits, _)) = self.known.get(pid).and_then(|it| it.traits.as_ref()) {
                row.traits = traits.clone();
            }
            // As it was ranked, not as it is a moment later.
            row.mailbox_len = it.mailbox_len;
            rows.push(row);
        }
        rows
    }

    /// Sums by group leader: the watcher's, or of everyone who is known.
    fn led(
        &self,
        seen: &Seen,
        active: &HashMap<&Pid, Did>,
        ours: &OwnNodes,
    ) -> Vec<(Leader, Sums)> {
        if !seen.led.is_empty() {
            let theirs = |it: &&(Leader, Sums)| match &it.0 {
                Leader::Pid(pid) => !ours.is_own(pid.node.as_str()),
                Leader::Others => true,
            };
            return seen.led.iter().filter(theirs).cloned().collect();
        }
        let mut led: HashMap<&Pid, Sums> = HashMap::new();
        let mut told = Sums::default();
        #[expect(clippy::iter_over_hash_type, reason = "sums do not depend on the order")]
        for (pid, known) in &self.known {
            let sums = known.sums(active.get(pid));
            told.add(sums);
            led.entry(&known.leader).or_default().add(sums);
        }
        let mut led: Vec<(Leader, Sums)> =
            led.into_iter().map(|(it, sums)| (Leader::Pid(it.clone()), sums)).collect();
        // Only where more worked than are told: everyone else is among the known.
        if seen.active > u64::try_from(seen.busy.len() + seen.cut.len()).unwrap_or(u64::MAX) {
            led.push((Leader::Others, seen.whole.less(told)));
        }
        led
    }
}

impl Known {
    fn sums(&self, did: Option<&Did>) -> Sums {
        let (worked, mailbox_len) = did.copied().unwrap_or_default();
        Sums {
            processes: 1,
            worked,
            since_start: self.since_start,
            mailbox_len: mailbox_len.unwrap_or_default(),
        }
    }
}

/// Everyone who did something, however shortly told.
fn active(seen: &Seen) -> HashMap<&Pid, Did> {
    let told =
        seen.busy.iter().chain(&seen.fullest).map(|it| (&it.pid, (it.worked, it.mailbox_len)));
    let cut = seen.cut.iter().map(|it| (&it.pid, (it.worked, it.mailbox_len)));
    // One of the longest mailboxes can be among the cut, and one of the busiest is not.
    cut.chain(told).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::watch::answer::{Active, Cut, Listed};

    fn pid(id: u32) -> Pid {
        Pid::new("shop@db1", id, 0, 7)
    }

    fn us() -> OwnNodes {
        let ours = OwnNodes::default();
        ours.add("us@here");
        ours.add("us-too@here");
        ours
    }

    fn listed(id: u32, since_start: u64) -> Listed {
        Listed { pid: pid(id), since_start, leader: pid(1) }
    }

    fn active(id: u32, worked: u64, since_start: u64) -> Active {
        Active { pid: pid(id), worked, since_start, mailbox_len: Some(0), leader: pid(1) }
    }

    fn whole(processes: u64, worked: u64, since_start: u64) -> Sums {
        Sums { processes, worked, since_start, mailbox_len: 0 }
    }

    fn named(census: &mut Census, id: u32, name: &str) {
        let call = Some(giulia_model::Mfa::new(name, "init", 1));
        let traits = Traits { call, ..Traits::default() };
        let group = traits.group();
        census.known.get_mut(&pid(id)).unwrap().traits = Some((traits, group));
    }

    /// `name processes worked since_start` of each group, and of all of them together.
    fn told(census: &mut Census, seen: &Seen) -> Vec<String> {
        let window = Some(Window { elapsed_ms: 1000.0 });
        let processes = census.processes(seen, 20, window, &us());
        let all = processes.reductions;
        let mut told: Vec<String> = processes
            .by_initial_call
            .iter()
            .map(|it| {
                let reductions = it.reductions;
                let worked = reductions.in_window.unwrap();
                format!("{} {} {worked} {}", it.name, it.processes, reductions.since_start)
            })
            .collect();
        told.push(format!("all {} {}", all.in_window.unwrap(), all.since_start));
        told
    }

    #[test]
    fn each_process_is_counted_once_whatever_it_is_told_as() {
        let mut census = Census::new(false);
        assert_eq!(census.wanted(20, 5).list, List::All);
        let all = vec![listed(10, 100), listed(11, 200), listed(12, 300)];
        let first = Seen { whole: whole(3, 600, 600), listed: all, ..Seen::default() };
        census.take(&first, List::All, &us());
        assert_eq!(census.strangers(&first).len(), 3);
        for (id, name) in [(10, "room"), (11, "room"), (12, "shop")] {
            named(&mut census, id, name);
        }
        assert_eq!(census.wanted(20, 5).list, List::Changes);
        // 10 works, 11 works a little and is cut, 12 ends, 13 is born; a new one is cut too.
        let second = Seen {
            whole: whole(4, 71, 371),
            active: 4,
            busy: vec![active(10, 50, 150), active(13, 9, 9)],
            cut: vec![
                Cut { pid: pid(11), worked: 7, mailbox_len: None },
                Cut { pid: pid(14), worked: 5, mailbox_len: None },
            ],
            listed: vec![listed(13, 9), listed(14, 5)],
            gone: vec![pid(12)],
            ..Seen::default()
        };
        census.take(&second, List::Changes, &us());
        let expected = ["room:init/1 2 57 357", "(not looked at) 2 14 14", "all 71 371"];
        assert_eq!(told(&mut census, &second), expected);
        assert_eq!(census.strangers(&second).len(), 2);
    }

    #[test]
    fn where_not_everyone_is_known_the_others_stay_one_remainder() {
        let mut census = Census::new(false);
        let wanted = census.wanted(20, 50_000);
        assert_eq!((wanted.list, wanted.led), (List::None, true));
        let seen = Seen {
            whole: whole(50_000, 1000, 9000),
            led: vec![(Leader::Pid(pid(1)), whole(50_000, 1000, 9000))],
            active: 1500,
            busy: vec![active(10, 600, 700)],
            ..Seen::default()
        };
        census.take(&seen, List::None, &us());
        named(&mut census, 10, "room");
        let expected = ["room:init/1 1 600 700", "(not looked at) 49999 400 8300", "all 1000 9000"];
        assert_eq!(told(&mut census, &seen), expected);
        // It becomes smaller: then everyone is wanted.
        let seen = Seen { whole: whole(500, 10, 10), ..Seen::default() };
        census.take(&seen, List::None, &us());
        assert_eq!(census.wanted(20, 0).list, List::All);
    }

    #[test]
    fn what_is_ours_is_nobodys_work() {
        let mut census = Census::new(false);
        let ours = Listed { leader: Pid::new("us@here", 1, 0, 1), ..listed(90, 1000) };
        // Of another connection of the same giulia.
        let too = Listed { leader: Pid::new("us-too@here", 1, 0, 1), ..listed(91, 500) };
        let all = vec![listed(10, 100), ours, too];
        let seen = Seen { whole: whole(3, 1600, 1600), listed: all, ..Seen::default() };
        census.take(&seen, List::All, &us());
        assert_eq!(told(&mut census, &seen), ["(not looked at) 1 0 100", "all 0 100"]);
    }

    #[test]
    fn memory_of_strangers_has_an_end() {
        let mut census = Census::new(false);
        for look in 0..100 {
            let busy = (0..1000).map(|it| active(look * 1000 + it, 1, 1)).collect();
            let seen = Seen { whole: whole(50_000, 1000, 1000), busy, ..Seen::default() };
            census.take(&seen, List::None, &us());
            assert!(census.known.len() <= KNOWN_MAX, "{}", census.known.len());
            assert!(census.known.contains_key(&pid(look * 1000)));
        }
    }
}
