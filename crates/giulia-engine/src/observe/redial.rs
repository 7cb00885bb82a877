//! Whether a node may be dialled again: one without a process to spare ends when anybody does.
//!
//! `net_kernel` (OTP 23 to 29) spawns a process for whoever connects; where there is none to be had
//! it falls over `system_limit` and takes `kernel`, and with it the node, along. Nobody can ask
//! whether there is room without dialling, so it is concluded from the last ticks, and what is
//! asked meanwhile is EPMD alone, which the node does not notice: a node that was started anew has
//! another port there, or was missing there for a while, and its table is another one.

use std::collections::VecDeque;

use giulia_model::CountAgainstLimit;

use super::alarms::LIMIT_SHARE;

/// How long ago the pace of growth is measured from, in milliseconds: a burst of a second is no
/// pace, and a leak has one.
const PACE_MS: u64 = 60_000;
/// Between two samples of it.
const SAMPLES_APART_MS: u64 = 1_000;
/// How long EPMD must not know the name before the same port is another node's, in milliseconds. A
/// node whose EPMD was restarted registers again after 2 s (`RECONNECT_TIME` in `erl_epmd`).
const GONE_MS: u64 = 10_000;

/// Whether a session dials a node that was near its limit of processes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "there is nothing between")]
pub enum Redial {
    /// Not before EPMD says that it was started anew.
    Careful,
    /// It does, whatever comes of it.
    Always,
}

/// What EPMD says of the node's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Registered {
    /// It has this port.
    At(u16),
    /// It is not there.
    Gone,
    /// EPMD did not answer, or nobody may ask it.
    Unknown,
}

/// How full the node was, and what EPMD said since.
#[derive(Debug, Default)]
pub(super) struct Room {
    /// Processes, each with its time, the last one last.
    seen: VecDeque<(u64, u64)>,
    limit: u64,
    /// The port of the node that was full; none where it was dialled elsewhere than EPMD says.
    port: Option<u16>,
    gone_since_ms: Option<u64>,
    is_another: bool,
}

impl Room {
    /// Another link to it; whether it leads to the same node as the one before.
    pub(super) fn attached(&mut self, port: Option<u16>, is_same: bool) {
        let kept = if is_same { std::mem::take(self) } else { Self::default() };
        *self = Self { port, gone_since_ms: None, is_another: false, ..kept };
    }

    /// What a tick says.
    pub(super) fn ticked(&mut self, now_ms: u64, processes: CountAgainstLimit) {
        let Some(limit) = processes.limit.filter(|it| *it > 0) else { return };
        self.limit = limit;
        let since = |at_ms: u64| now_ms.saturating_sub(at_ms);
        // The last one is always there, and those before it are apart.
        let before = self.seen.len().checked_sub(2).and_then(|idx| self.seen.get(idx));
        if before.is_some_and(|it| since(it.0) < SAMPLES_APART_MS) {
            self.seen.pop_back();
        }
        self.seen.push_back((now_ms, processes.count));
        while self.seen.len() > 2 && self.seen.front().is_some_and(|it| since(it.0) > PACE_MS) {
            self.seen.pop_front();
        }
    }

    /// Why dialling it now might end it, if it might.
    pub(super) fn crowded(&self, now_ms: u64) -> Option<String> {
        let (at_ms, count) = *self.seen.back()?;
        let limit = self.limit;
        if is_near(count, limit) {
            return Some(format!("it had {count} of at most {limit} processes at the last tick"));
        }
        let by_now = self.by_now(now_ms, (at_ms, count));
        (by_now >= limit).then(|| {
            format!(
                "it had {count} of at most {limit} processes at the last tick, and with the growth of \
                 the ticks before it has none to spare by now"
            )
        })
    }

    /// Why it is not to be dialled again now, if it is not.
    pub(super) fn why_not(&self, now_ms: u64) -> Option<String> {
        let had = self.crowded(now_ms).filter(|_| !self.is_another)?;
        let until = match self.port {
            Some(_) => "it is when EPMD says that it was started anew",
            None => "EPMD is not asked with --at, so nothing tells when it was started anew",
        };
        Some(format!(
            "it is not dialled again: {had}, and a node without one to spare ends when anybody dials \
             it (net_kernel of OTP 23 to 29 falls over it); {until}; once you know that there is room \
             (erlang:system_info(process_count) in its own shell), begin another session, or one with \
             --redial always, which dials whatever it saw"
        ))
    }

    /// Takes in what EPMD says; whether it is another node by now.
    pub(super) fn registered(&mut self, now_ms: u64, registered: Registered) -> bool {
        match registered {
            // An EPMD that was restarted knows nobody at first, and that says nothing of the node.
            Registered::Unknown => self.gone_since_ms = None,
            Registered::Gone => {
                self.gone_since_ms.get_or_insert(now_ms);
            }
            Registered::At(port) => {
                let was_gone = self.gone_since_ms.take();
                let was_gone = was_gone.is_some_and(|it| now_ms.saturating_sub(it) >= GONE_MS);
                self.is_another |= was_gone || self.port.is_some_and(|it| it != port);
            }
        }
        self.is_another
    }

    /// How many there are by now, at the pace of the ticks that there were.
    fn by_now(&self, now_ms: u64, (at_ms, count): (u64, u64)) -> u64 {
        let Some((first_ms, first)) = self.seen.front() else { return count };
        let (over_ms, since_ms) = (at_ms.saturating_sub(*first_ms), now_ms.saturating_sub(at_ms));
        let more = count.saturating_sub(*first).saturating_mul(since_ms);
        count.saturating_add(more.checked_div(over_ms).unwrap_or_default())
    }
}

/// The last fifth goes fast where something leaks; the share at which a session raises its alarm.
fn is_near(count: u64, limit: u64) -> bool {
    #[expect(clippy::cast_precision_loss, reason = "a share of a limit")]
    let share = count as f64 / limit as f64;
    share >= LIMIT_SHARE
}

#[cfg(test)]
mod tests {
    use super::*;

    fn room(ticks: &[(u64, u64)]) -> Room {
        let mut room = Room::default();
        room.attached(Some(40_000), false);
        for (at_ms, count) in ticks {
            room.ticked(*at_ms, CountAgainstLimit { count: *count, limit: Some(1000) });
        }
        room
    }

    #[test]
    fn a_node_near_its_limit_is_not_dialled_and_one_with_room_is() {
        assert_eq!(Room::default().why_not(0), None, "nobody knows");
        assert_eq!(room(&[(0, 100), (1000, 799)]).why_not(1000), None);
        let why = room(&[(0, 100), (1000, 800)]).why_not(1000).unwrap();
        assert!(why.contains("it had 800 of at most 1000 processes"), "{why}");
        assert_eq!(room(&[(0, 999), (1000, 100)]).why_not(900_000), None, "it has room again");
    }

    #[test]
    fn a_leak_goes_on_while_nobody_looks() {
        // Ten more each second: full 50 s after the last tick.
        let ticks: Vec<_> = (0..=30).map(|it| (it * 1000, 200 + it * 10)).collect();
        let leak = room(&ticks);
        assert_eq!(leak.why_not(79_000), None);
        let why = leak.why_not(80_000).unwrap();
        assert!(why.contains("with the growth"), "{why}");
        // One burst within a minute of ticks is a pace of five a second.
        let mut ticks: Vec<_> = (0..60).map(|it| (it * 1000, 100)).collect();
        ticks.push((60_000, 400));
        assert_eq!(room(&ticks).why_not(120_000), None);
        assert!(room(&ticks).seen.len() <= 62);
        // Ticks of 100 ms are kept a second apart, and the last one of them.
        let ticks: Vec<_> = (0..=100).map(|it| (it * 100, it)).collect();
        let many = room(&ticks);
        assert!(many.seen.len() <= 13, "{:?}", many.seen);
        assert_eq!(many.seen.back(), Some(&(10_000, 100)));
    }

    #[test]
    fn another_port_or_a_name_that_was_gone_is_another_node() {
        let full = || room(&[(0, 990)]);
        let mut it = full();
        assert!(!it.registered(1000, Registered::At(40_000)) && it.why_not(1000).is_some());
        assert!(it.registered(2000, Registered::At(40_001)));
        assert_eq!(it.why_not(2000), None);
        // It stays another one until somebody is attached to it.
        assert!(it.registered(2500, Registered::Unknown) && it.why_not(2500).is_none());
        it.attached(Some(40_001), false);
        it.ticked(3000, CountAgainstLimit { count: 950, limit: Some(1000) });
        assert!(it.why_not(3000).is_some(), "the new one is full as well");
        // The same port: an EPMD that was restarted forgets for two seconds.
        let mut it = full();
        assert!(!it.registered(1000, Registered::Gone) && !it.registered(4000, Registered::Gone));
        assert!(!it.registered(5000, Registered::At(40_000)));
        assert!(!it.registered(6000, Registered::Gone) && !it.registered(15_000, Registered::Gone));
        assert!(it.registered(16_000, Registered::At(40_000)));
        // Who did not answer in between may have been restarted.
        let mut it = full();
        assert!(
            !it.registered(1000, Registered::Gone) && !it.registered(9000, Registered::Unknown)
        );
        assert!(!it.registered(12_000, Registered::At(40_000)));
    }

    #[test]
    fn where_epmd_is_not_asked_nothing_tells() {
        let mut it = Room::default();
        it.attached(None, false);
        it.ticked(0, CountAgainstLimit { count: 990, limit: Some(1000) });
        assert!(it.why_not(0).unwrap().contains("--at"));
        assert!(!it.registered(60_000, Registered::Unknown));
        // The same node that let us in again is as full as it was.
        it.attached(None, true);
        assert!(it.why_not(60_000).is_some());
    }
}
