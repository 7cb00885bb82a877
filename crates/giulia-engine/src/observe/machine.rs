//! What a session does next: pure decisions over events and milliseconds, without a node.
//!
//! Ticks are due at multiples of the interval from the start, so they do not drift. One that was
//! due while another was under way, or while nobody could be asked, is counted as missed, and
//! the span without ticks gets one mark with its reason when it ends.

use giulia_model::{Ended, MarkKind};

/// A node is called frozen when it has not answered for this many intervals, and
const FROZEN_INTERVALS: u64 = 3;
/// no less than this, in milliseconds: the longest that one question may take on a busy node.
const FROZEN_MS_MIN: u64 = 5_000;
/// What the last tick may take once the session ends, in milliseconds; a sample of 200,000
/// processes takes a third of it (`beam-facts` 8.2).
const LAST_TICK_MS: u64 = 2_000;
/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Event {
    /// The node let us in; which incarnation of it.
    Attached {
        /// The creation of its handshake.
        creation: u32,
    },
    /// It did not; when to dial again, or never.
    NotAttached {
        /// Why.
        why: String,
        /// Milliseconds to wait; none where trying again is useless or does harm.
        again_in_ms: Option<u64>,
    },
    /// It is not dialled, because that may end it.
    Held {
        /// Why, and what to do.
        why: String,
        /// Milliseconds until somebody looks again whether it may be.
        again_in_ms: u64,
    },
    /// The tick under way brought something.
    Answered,
    /// It brought nothing.
    Unanswered,
    /// The connection is over.
    ConnectionEnded {
        /// Why.
        why: String,
    },
    /// The session shall end.
    Stop(Ended),
    /// Nothing but time.
    Time,
}

/// What to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Do {
    /// Dial the node.
    Dial,
    /// Ask for a tick.
    Tick,
    /// Ask for the last one.
    LastTick,
    /// Write down.
    Mark(MarkKind, String),
    /// Everything is over.
    Finish(Ended),
}

/// Where a session stands.
#[derive(Debug)]
pub(crate) struct Machine {
    every_ms: u64,
    ends_at_ms: Option<u64>,
    phase: Phase,
    creation: Option<u32>,
    /// The number of the next tick; it is due at its multiple of the interval.
    next: u64,
    /// When the oldest tick without an answer was asked for.
    asked_at_ms: Option<u64>,
    gap: Option<Gap>,
    missed: u64,
    ending: Option<Ending>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Phase {
    /// A tick can be asked for, or is under way.
    Attached { is_asking: bool, is_frozen: bool },
    /// It is being dialled, or where it was held, looked for.
    Dialling { is_held: bool },
    /// It is dialled at this time, or where it is held, somebody looks whether it may be.
    Waiting { until_ms: u64, is_held: bool },
    /// It is not dialled any more.
    Refused,
    /// All is done.
    Finished,
}

#[derive(Debug, Clone, Copy)]
struct Ending {
    ended: Ended,
    until_ms: u64,
}

#[derive(Debug)]
struct Gap {
    from_ms: u64,
    missed: u64,
    why: Why,
}

/// Why ticks are missing, the graver later.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Why {
    Asleep,
    Slow,
    Silent,
    Lost,
}

impl Machine {
    /// A session that was let in at 0 ms by this incarnation of the node.
    pub(crate) fn attached(every_ms: u64, ends_at_ms: Option<u64>, creation: u32) -> Self {
        Self {
            every_ms: every_ms.max(1),
            ends_at_ms,
            phase: Phase::Attached { is_asking: false, is_frozen: false },
            creation: Some(creation),
            next: 0,
            asked_at_ms: None,
            gap: None,
            missed: 0,
            ending: None,
        }
    }

    /// Ticks that were due and are not there, so far.
    pub(crate) fn missed(&self) -> u64 {
        self.missed
    }

    /// Whether no more ticks will be asked for.
    pub(crate) fn is_ending(&self) -> bool {
        self.ending.is_some() || self.phase == Phase::Finished
    }

    /// How the node is, in one word.
    pub(crate) fn state(&self) -> &'static str {
        match (&self.phase, self.ending) {
            (Phase::Finished, _) | (_, Some(_)) => "ending",
            (Phase::Attached { is_frozen: true, .. }, _) => "frozen",
            (Phase::Attached { .. }, _) => "attached",
            (Phase::Waiting { is_held: true, .. } | Phase::Dialling { is_held: true }, _) => "held",
            (Phase::Dialling { .. } | Phase::Waiting { .. }, _) => "lost",
            (Phase::Refused, _) => "refused",
        }
    }

    /// When to call [`Machine::step`] with [`Event::Time`] at the latest.
    pub(crate) fn wakes_at_ms(&self) -> u64 {
        let mut wakes = self.due_ms();
        if let Some(ends) = self.ends_at_ms.filter(|_| self.ending.is_none()) {
            wakes = wakes.min(ends);
        }
        if let Some(ending) = self.ending {
            wakes = ending.until_ms;
        }
        if let Phase::Waiting { until_ms, .. } = self.phase {
            wakes = wakes.min(until_ms);
        }
        match (&self.phase, self.asked_at_ms) {
            (Phase::Attached { is_frozen: false, .. }, Some(asked)) => {
                wakes.min(asked + self.frozen_ms())
            }
            _ => wakes,
        }
    }

    /// What follows from an event at this time, in milliseconds from the start.
    pub(crate) fn step(&mut self, now_ms: u64, event: Event) -> Vec<Do> {
        let mut todo = Vec::new();
        match event {
            Event::Attached { creation } => self.on_attached(now_ms, creation, &mut todo),
            Event::NotAttached { why, again_in_ms } => {
                self.on_not_attached(now_ms, &why, again_in_ms, &mut todo);
            }
            Event::Held { why, again_in_ms } => self.on_held(now_ms, why, again_in_ms, &mut todo),
            Event::Answered => self.on_answered(now_ms, &mut todo),
            Event::Unanswered => self.on_unanswered(now_ms, &mut todo),
            Event::ConnectionEnded { why } => self.on_connection_ended(now_ms, why, &mut todo),
            Event::Stop(ended) => self.on_stop(now_ms, ended, &mut todo),
            Event::Time => {}
        }
        self.on_time(now_ms, &mut todo);
        todo
    }

    fn on_attached(&mut self, now_ms: u64, creation: u32, todo: &mut Vec<Do>) {
        let is_same = self.creation.replace(creation) == Some(creation);
        self.phase = Phase::Attached { is_asking: false, is_frozen: false };
        self.asked_at_ms = None;
        // What is due by now was missed; the next one is asked for in its own time.
        self.skip_due(now_ms, Why::Lost);
        todo.push(if is_same {
            Do::Mark(MarkKind::Returned, "the same node is back; it ran on meanwhile".to_owned())
        } else {
            let text = "another node of this name is back; its counters start anew";
            Do::Mark(MarkKind::Restarted, text.to_owned())
        });
    }

    fn on_not_attached(
        &mut self,
        now_ms: u64,
        why: &str,
        again_in_ms: Option<u64>,
        todo: &mut Vec<Do>,
    ) {
        if let Some(wait) = again_in_ms {
            self.phase = Phase::Waiting { until_ms: now_ms + wait, is_held: false };
            return;
        }
        self.phase = Phase::Refused;
        todo.push(Do::Mark(
            MarkKind::Refused,
            format!("the node is there and does not let us in, so it is not asked again: {why}"),
        ));
    }

    fn on_held(&mut self, now_ms: u64, why: String, again_in_ms: u64, todo: &mut Vec<Do>) {
        let is_told = matches!(self.phase, Phase::Dialling { is_held: true });
        self.phase = Phase::Waiting { until_ms: now_ms + again_in_ms, is_held: true };
        if !is_told {
            todo.push(Do::Mark(MarkKind::Held, why));
        }
    }

    fn on_answered(&mut self, now_ms: u64, todo: &mut Vec<Do>) {
        let Phase::Attached { is_asking, is_frozen } = &mut self.phase else { return };
        *is_asking = false;
        if std::mem::take(is_frozen) {
            let since = self.asked_at_ms.unwrap_or(now_ms);
            let text = format!("it answers again after {}", seconds(now_ms - since.min(now_ms)));
            todo.push(Do::Mark(MarkKind::Thawed, text));
        }
        self.asked_at_ms = None;
        // Those that were due meanwhile; one of this very moment can still be asked for.
        self.skip_before(now_ms, Why::Slow);
        self.close_gap(now_ms, todo);
        if let Some(ending) = self.ending {
            self.finish(now_ms, ending.ended, todo);
        }
    }

    fn on_unanswered(&mut self, now_ms: u64, todo: &mut Vec<Do>) {
        let Phase::Attached { is_asking, .. } = &mut self.phase else { return };
        *is_asking = false;
        let at_ms = self.asked_at_ms.unwrap_or_default();
        self.miss(at_ms, 1, Why::Silent);
        if let Some(ending) = self.ending {
            self.finish(now_ms, ending.ended, todo);
        }
    }

    fn on_connection_ended(&mut self, now_ms: u64, why: String, todo: &mut Vec<Do>) {
        let Phase::Attached { is_asking, .. } = self.phase else { return };
        if is_asking {
            self.miss(self.asked_at_ms.unwrap_or(now_ms), 1, Why::Lost);
        }
        self.asked_at_ms = None;
        self.phase = Phase::Dialling { is_held: false };
        todo.push(Do::Mark(MarkKind::Lost, why));
        if self.ending.is_none() {
            todo.push(Do::Dial);
        }
    }

    fn on_stop(&mut self, now_ms: u64, ended: Ended, todo: &mut Vec<Do>) {
        if self.ending.is_some() || self.phase == Phase::Finished {
            return;
        }
        if matches!(self.phase, Phase::Attached { is_asking: false, .. }) {
            // The one that is due just now, if any, is the last one of all.
            self.skip_before(now_ms / self.every_ms * self.every_ms, Why::Asleep);
        } else {
            self.skip_before(now_ms, Why::Slow);
        }
        let Phase::Attached { is_asking, is_frozen: false } = &mut self.phase else {
            self.finish(now_ms, ended, todo);
            return;
        };
        if !*is_asking {
            *is_asking = true;
            self.asked_at_ms.get_or_insert(now_ms);
            todo.push(Do::LastTick);
        }
        self.next = self.next.max(now_ms / self.every_ms + 1);
        self.ending = Some(Ending { ended, until_ms: now_ms + LAST_TICK_MS });
    }

    fn on_time(&mut self, now_ms: u64, todo: &mut Vec<Do>) {
        if self.phase == Phase::Finished {
            return;
        }
        if let Some(ending) = self.ending {
            if now_ms >= ending.until_ms || !matches!(self.phase, Phase::Attached { .. }) {
                if matches!(self.phase, Phase::Attached { is_asking: true, .. }) {
                    self.miss(self.asked_at_ms.unwrap_or(now_ms), 1, Why::Silent);
                }
                self.finish(now_ms, ending.ended, todo);
            }
            return;
        }
        if self.ends_at_ms.is_some_and(|ends| now_ms >= ends) {
            self.on_stop(now_ms, Ended::TimeUp, todo);
            return;
        }
        self.freeze(now_ms, todo);
        match self.phase {
            Phase::Waiting { until_ms, is_held } if now_ms >= until_ms => {
                self.phase = Phase::Dialling { is_held };
                todo.push(Do::Dial);
            }
            Phase::Attached { is_asking: false, .. } if now_ms >= self.due_ms() => {
                // All but the latest were due while we ourselves did not run.
                let latest = now_ms / self.every_ms;
                self.skip_before(latest * self.every_ms, Why::Asleep);
                self.next = latest + 1;
                self.phase = Phase::Attached { is_asking: true, is_frozen: self.is_frozen() };
                self.asked_at_ms.get_or_insert(now_ms);
                todo.push(Do::Tick);
            }
            Phase::Attached { is_asking: true, .. } => {
                let why = if self.is_frozen() { Why::Silent } else { Why::Slow };
                self.skip_due(now_ms, why);
            }
            Phase::Attached { .. } => {}
            Phase::Dialling { .. } | Phase::Waiting { .. } | Phase::Refused | Phase::Finished => {
                self.skip_due(now_ms, Why::Lost);
            }
        }
    }

    /// Calls the node frozen when it is time to.
    fn freeze(&mut self, now_ms: u64, todo: &mut Vec<Do>) {
        let frozen_ms = self.frozen_ms();
        let Phase::Attached { is_frozen, .. } = &mut self.phase else { return };
        let silent = self.asked_at_ms.map(|it| now_ms.saturating_sub(it));
        if let Some(silent) = silent.filter(|it| !*is_frozen && *it >= frozen_ms) {
            *is_frozen = true;
            let text = format!("no answer for {}; the connection stands", seconds(silent));
            todo.push(Do::Mark(MarkKind::Frozen, text));
        }
    }

    fn finish(&mut self, now_ms: u64, ended: Ended, todo: &mut Vec<Do>) {
        self.close_gap(now_ms, todo);
        self.phase = Phase::Finished;
        todo.push(Do::Finish(ended));
    }

    /// Counts what was due by now as missed.
    fn skip_due(&mut self, now_ms: u64, why: Why) {
        self.skip_before(now_ms + 1, why);
    }

    /// Counts what was due before this time as missed.
    fn skip_before(&mut self, until_ms: u64, why: Why) {
        let due_ms = self.due_ms();
        let after = until_ms.div_ceil(self.every_ms);
        if after > self.next {
            let count = after - self.next;
            self.next = after;
            self.miss(due_ms, count, why);
        }
    }

    fn miss(&mut self, from_ms: u64, count: u64, why: Why) {
        self.missed += count;
        match &mut self.gap {
            Some(gap) => {
                gap.missed += count;
                gap.from_ms = gap.from_ms.min(from_ms);
                gap.why = gap.why.max(why);
            }
            None => self.gap = Some(Gap { from_ms, missed: count, why }),
        }
    }

    fn close_gap(&mut self, now_ms: u64, todo: &mut Vec<Do>) {
        let Some(gap) = self.gap.take() else { return };
        let why = match gap.why {
            Why::Asleep => "giulia itself did not run",
            Why::Slow => "the tick before took longer than the interval",
            Why::Silent => "the node did not answer",
            Why::Lost => "there was no connection",
        };
        let ticks = if gap.missed == 1 { "tick" } else { "ticks" };
        let text = format!(
            "{} {ticks} missed from {} to {}: {why}",
            gap.missed,
            seconds(gap.from_ms),
            seconds(now_ms),
        );
        todo.push(Do::Mark(MarkKind::Missed, text));
    }

    fn is_frozen(&self) -> bool {
        matches!(self.phase, Phase::Attached { is_frozen: true, .. })
    }

    fn due_ms(&self) -> u64 {
        self.next.saturating_mul(self.every_ms)
    }

    fn frozen_ms(&self) -> u64 {
        self.every_ms.saturating_mul(FROZEN_INTERVALS).max(FROZEN_MS_MIN)
    }
}

#[expect(clippy::cast_precision_loss, reason = "shown to a tenth of a second")]
fn seconds(ms: u64) -> String {
    format!("{:.1} s", ms as f64 / 1000.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs a script of (time, event) and tells what came of each, in short.
    fn run(machine: &mut Machine, script: &[(u64, Event)]) -> Vec<String> {
        let mut told = Vec::new();
        for (at, event) in script {
            for it in machine.step(*at, event.clone()) {
                told.push(match &it {
                    Do::Mark(kind, text) => format!("{at} {kind:?}: {text}"),
                    Do::Finish(ended) => format!("{at} finish {ended:?}"),
                    Do::Dial | Do::Tick | Do::LastTick => format!("{at} {it:?}"),
                });
            }
        }
        told
    }

    fn lost(why: &str) -> Event {
        Event::ConnectionEnded { why: why.to_owned() }
    }

    fn one_second() -> Machine {
        Machine::attached(1000, None, 7)
    }

    #[test]
    fn ticks_are_due_at_multiples_of_the_interval_however_late_they_are_served() {
        let mut machine = one_second();
        let mut asked = Vec::new();
        let mut now = 0;
        for late in [0, 3, 900, 40, 0] {
            now = machine.wakes_at_ms() + late;
            assert_eq!(machine.step(now, Event::Time), [Do::Tick]);
            assert_eq!(machine.step(now + 5, Event::Answered), []);
            asked.push(now - late);
        }
        assert_eq!(asked, [0, 1000, 2000, 3000, 4000]);
        assert_eq!((machine.missed(), now), (0, 4000));
    }

    #[test]
    fn a_tick_that_was_due_during_another_is_missed_and_said() {
        let mut machine = one_second();
        let told = run(
            &mut machine,
            &[
                (0, Event::Time),
                (1000, Event::Time),
                (2000, Event::Time),
                (2400, Event::Answered),
                (3000, Event::Time),
            ],
        );
        let missed = "2400 Missed: 2 ticks missed from 1.0 s to 2.4 s: the tick before took longer \
                      than the interval";
        assert_eq!(told, ["0 Tick", missed, "3000 Tick"]);
        assert_eq!(machine.missed(), 2);
    }

    #[test]
    fn a_giulia_that_was_stopped_says_so_and_goes_on_with_the_latest() {
        let mut machine = one_second();
        let told = run(
            &mut machine,
            &[(0, Event::Time), (5, Event::Answered), (5500, Event::Time), (5510, Event::Answered)],
        );
        let missed = "5510 Missed: 4 ticks missed from 1.0 s to 5.5 s: giulia itself did not run";
        assert_eq!(told, ["0 Tick", "5500 Tick", missed]);
        assert_eq!(machine.wakes_at_ms(), 6000);
    }

    #[test]
    fn a_node_that_does_not_answer_is_frozen_once_and_thaws() {
        let mut machine = one_second();
        let mut script = vec![(0, Event::Time), (5, Event::Answered), (1000, Event::Time)];
        script.extend((2..=6).map(|it| (it * 1000, Event::Time)));
        script.extend([(6500, Event::Unanswered), (7000, Event::Time), (8200, Event::Answered)]);
        let told = run(&mut machine, &script);
        assert_eq!(
            told,
            [
                "0 Tick",
                "1000 Tick",
                "6000 Frozen: no answer for 5.0 s; the connection stands",
                "7000 Tick",
                "8200 Thawed: it answers again after 7.2 s",
                "8200 Missed: 7 ticks missed from 1.0 s to 8.2 s: the node did not answer",
            ]
        );
        assert_eq!((machine.missed(), machine.state()), (7, "attached"));
    }

    #[test]
    fn a_frozen_node_is_told_after_three_intervals_where_those_are_longer() {
        let mut machine = Machine::attached(10_000, None, 7);
        assert_eq!(machine.step(0, Event::Time), [Do::Tick]);
        assert_eq!(machine.wakes_at_ms(), 10_000);
        assert_eq!(machine.step(10_000, Event::Time), []);
        assert_eq!(machine.step(29_999, Event::Time), []);
        assert!(matches!(machine.step(30_000, Event::Time)[..], [Do::Mark(MarkKind::Frozen, _)]));
    }

    #[test]
    fn a_lost_node_is_dialled_until_it_returns() {
        let mut machine = one_second();
        let refused = || Event::NotAttached { why: "refused".to_owned(), again_in_ms: Some(500) };
        let told = run(
            &mut machine,
            &[
                (0, Event::Time),
                (5, Event::Answered),
                (600, lost("closed")),
                (650, refused()),
                (1000, Event::Time),
                (1150, Event::Time),
                (1160, Event::Attached { creation: 7 }),
                (2000, Event::Time),
                (2010, Event::Answered),
            ],
        );
        let missed = "2010 Missed: 1 tick missed from 1.0 s to 2.0 s: there was no connection";
        assert_eq!(
            told,
            [
                "0 Tick",
                "600 Lost: closed",
                "600 Dial",
                "1150 Dial",
                "1160 Returned: the same node is back; it ran on meanwhile",
                "2000 Tick",
                missed,
            ]
        );
    }

    #[test]
    fn a_node_that_is_held_is_told_of_once_and_looked_for_until_it_may_be_dialled() {
        let held = || Event::Held { why: "full".to_owned(), again_in_ms: 500 };
        let refused = || Event::NotAttached { why: "down".to_owned(), again_in_ms: Some(500) };
        let mut machine = one_second();
        let script = [(0, Event::Time), (5, Event::Answered), (600, lost("closed")), (601, held())];
        let told = run(&mut machine, &script);
        assert_eq!(told[1..], ["600 Lost: closed", "600 Dial", "601 Held: full"]);
        assert_eq!((machine.state(), machine.wakes_at_ms()), ("held", 1000));
        let script = [(1101, Event::Time), (1102, held()), (1602, Event::Time)];
        assert_eq!(run(&mut machine, &script), ["1101 Dial", "1602 Dial"]);
        assert_eq!(machine.state(), "held");
        // It may be dialled now, is not there yet, and is again what it was before it was held.
        run(&mut machine, &[(1603, refused())]);
        assert_eq!(machine.state(), "lost");
        let told = run(&mut machine, &[(2103, Event::Time), (2104, held())]);
        assert_eq!(told, ["2103 Dial", "2104 Held: full"]);
        let told = run(&mut machine, &[(2200, Event::Stop(Ended::Stopped))]);
        assert!(told.last().is_some_and(|it| it.ends_with("finish Stopped")), "{told:?}");
    }

    #[test]
    fn another_incarnation_is_a_restart() {
        let mut machine = one_second();
        machine.step(0, Event::Time);
        machine.step(3, lost("killed"));
        assert_eq!(machine.missed(), 1);
        let told = machine.step(900, Event::Attached { creation: 8 });
        assert!(matches!(told[..], [Do::Mark(MarkKind::Restarted, _)]), "{told:?}");
        machine.step(950, lost("killed"));
        let told = machine.step(999, Event::Attached { creation: 8 });
        assert!(matches!(told[..], [Do::Mark(MarkKind::Returned, _)]), "{told:?}");
    }

    #[test]
    fn a_node_that_refuses_is_never_dialled_again() {
        let mut machine = one_second();
        machine.step(0, Event::Time);
        machine.step(10, lost("killed"));
        let why = "another cookie".to_owned();
        let told = machine.step(20, Event::NotAttached { why, again_in_ms: None });
        assert!(
            matches!(&told[..], [Do::Mark(MarkKind::Refused, text)] if text.contains("cookie"))
        );
        for at in 1..100 {
            assert_eq!(machine.step(at * 1000, Event::Time), []);
        }
        assert_eq!((machine.missed(), machine.state()), (100, "refused"));
        let told = machine.step(100_000, Event::Stop(Ended::Stopped));
        assert!(matches!(told[..], [Do::Mark(MarkKind::Missed, _), Do::Finish(Ended::Stopped)]));
    }

    #[test]
    fn the_end_takes_one_last_tick_and_waits_for_it_two_seconds() {
        let mut machine = Machine::attached(1000, Some(2500), 7);
        let mut script = vec![(0, Event::Time), (5, Event::Answered)];
        script.extend([(1000, Event::Time), (1005, Event::Answered)]);
        script.extend([(2000, Event::Time), (2005, Event::Answered)]);
        run(&mut machine, &script);
        assert_eq!(machine.wakes_at_ms(), 2500);
        assert_eq!(machine.step(2500, Event::Time), [Do::LastTick]);
        assert_eq!(machine.wakes_at_ms(), 4500);
        let mut late = Machine::attached(1000, None, 7);
        assert_eq!(machine.step(2520, Event::Answered), [Do::Finish(Ended::TimeUp)]);
        late.step(0, Event::Time);
        assert_eq!(late.step(300, Event::Stop(Ended::Stopped)), []);
        let told = late.step(2300, Event::Time);
        assert!(matches!(told[..], [Do::Mark(MarkKind::Missed, _), Do::Finish(Ended::Stopped)]));
    }

    #[test]
    fn an_end_on_a_due_tick_takes_that_one_and_misses_none() {
        let mut machine = Machine::attached(1000, Some(2000), 7);
        run(&mut machine, &[(0, Event::Time), (5, Event::Answered)]);
        run(&mut machine, &[(1000, Event::Time), (1005, Event::Answered)]);
        let told = run(&mut machine, &[(2001, Event::Time), (2004, Event::Answered)]);
        assert_eq!(
            (told, machine.missed()),
            (vec!["2001 LastTick".into(), "2004 finish TimeUp".into()], 0)
        );
    }

    #[test]
    fn stopping_twice_or_while_lost_ends_once_and_at_once() {
        let mut machine = one_second();
        machine.step(0, Event::Time);
        machine.step(10, lost("gone"));
        let told = machine.step(20, Event::Stop(Ended::WorkloadEnded));
        assert!(matches!(told.last(), Some(Do::Finish(Ended::WorkloadEnded))), "{told:?}");
        assert_eq!(machine.step(30, Event::Stop(Ended::Stopped)), []);
        assert_eq!(machine.step(9000, Event::Time), []);
    }
}
