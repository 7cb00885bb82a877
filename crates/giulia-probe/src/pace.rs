//! Which ticks look at all processes, so that looking stays within the budget.
//!
//! A light tick costs a wakeup and the small questions; the look is what grows with the node. Pure:
//! prices go in, decisions come out.

use std::time::Duration;

use crate::{meter::Budget, tick::TickPrice};

/// Light ticks at every interval, and a look at every k-th.
#[derive(Debug, Clone, PartialEq)]
pub struct Pace {
    interval: Duration,
    budget: Budget,
    every: u32,
    since: u32,
    /// Looks in a row that would have fitted a quicker pace.
    cheap: u32,
    light: Duration,
    look: Duration,
}

/// A look at least so often, whatever it costs: after ten minutes it tells of the past.
const LOOK_APART_MAX: Duration = Duration::from_mins(10);
/// Looks in a row that must have been cheap before they come more often: a node under load makes
/// single ones dear, and each change of pace is a change of what windows mean.
const CHEAP_LOOKS: u32 = 3;
/// A new price counts this much against the old ones.
const WEIGHT: u32 = 4;

impl Pace {
    /// A look at each tick, until prices say otherwise.
    pub fn new(interval: Duration, budget: Budget) -> Self {
        Self {
            interval,
            budget,
            every: 1,
            since: 0,
            cheap: 0,
            light: Duration::ZERO,
            look: Duration::ZERO,
        }
    }

    /// Whether the next tick looks at all processes.
    pub fn looks_now(&self) -> bool {
        self.since == 0
    }

    /// A look comes with every so many ticks.
    pub fn every(&self) -> u32 {
        self.every
    }

    /// Whether even ticks without a look are above the budget: then the interval is too short.
    pub fn is_too_short(&self) -> bool {
        self.light > self.allowance()
    }

    /// A tick passed whose price says nothing of the others.
    pub fn passed(&mut self) {
        self.since = (self.since + 1) % self.every;
    }

    /// Takes in what a tick cost.
    pub fn paid(&mut self, price: &TickPrice) {
        let looked = self.looks_now();
        let look = price.look + if looked { price.rest } else { Duration::ZERO };
        let light = price.total().saturating_sub(look);
        self.light = smooth(self.light, light);
        if looked {
            self.look = smooth(self.look, look);
            self.change();
        }
        self.passed();
    }

    /// What ticks may cost in an interval.
    fn allowance(&self) -> Duration {
        self.interval.mul_f64(self.budget.core_share.clamp(0.0, 1.0))
    }

    /// Slower at once, quicker after some looks that would have allowed it.
    fn change(&mut self) {
        let needed = self.needed();
        self.cheap = if needed < self.every { self.cheap + 1 } else { 0 };
        if needed > self.every || self.cheap >= CHEAP_LOOKS {
            self.every = needed;
            self.cheap = 0;
        }
    }

    fn needed(&self) -> u32 {
        let most = whole(LOOK_APART_MAX.div_duration_f64(self.interval));
        // Where light ticks take all of it, looks get a tenth more, and `is_too_short` tells.
        let left = self.allowance().saturating_sub(self.light).max(self.allowance() / 10);
        if left.is_zero() {
            return most;
        }
        whole(self.look.div_duration_f64(left)).min(most)
    }
}

/// The first price is taken as it is.
fn smooth(before: Duration, now: Duration) -> Duration {
    if before.is_zero() { now } else { (before * (WEIGHT - 1) + now) / WEIGHT }
}

/// At least one, rounded up.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a float to an integer saturates, and a count of ticks is small"
)]
fn whole(count: f64) -> u32 {
    (count.ceil() as u32).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn price(look_ms: u64) -> TickPrice {
        let small = Duration::from_micros(250);
        TickPrice {
            look: Duration::from_millis(look_ms),
            small,
            wakeups: 1,
            ..TickPrice::default()
        }
    }

    fn pace() -> Pace {
        Pace::new(Duration::from_secs(1), Budget::ONE_PERCENT)
    }

    /// Runs ticks whose looks cost so much; at which of them it looked.
    fn looks(pace: &mut Pace, n_ticks: usize, look_ms: u64) -> Vec<usize> {
        let mut at = Vec::new();
        for tick in 0..n_ticks {
            let looked = pace.looks_now();
            if looked {
                at.push(tick);
            }
            pace.paid(&price(if looked { look_ms } else { 0 }));
        }
        at
    }

    #[test]
    fn a_small_node_is_looked_at_with_each_tick() {
        let mut pace = pace();
        assert_eq!(looks(&mut pace, 50, 3).len(), 50);
        assert!(!pace.is_too_short());
    }

    #[test]
    fn a_look_of_130_ms_comes_every_15th_second() {
        let mut pace = pace();
        // 10 ms a second are allowed, 1.25 of them are spent on light ticks.
        assert_eq!(looks(&mut pace, 46, 130), [0, 15, 30, 45]);
    }

    #[test]
    fn a_tick_without_a_price_is_a_tick() {
        let mut pace = pace();
        looks(&mut pace, 1, 130);
        let mut looked = 0;
        for _ in 0..15 {
            looked += usize::from(pace.looks_now());
            pace.passed();
        }
        assert_eq!(looked, 1);
    }

    #[test]
    fn it_slows_down_at_once_and_speeds_up_after_three() {
        let mut pace = pace();
        looks(&mut pace, 10, 3);
        looks(&mut pace, 1, 400);
        let slow = pace.every();
        assert!(slow >= 10, "{slow}");
        let mut at_most = 0;
        for _ in 0..400 {
            pace.paid(&price(if pace.looks_now() { 3 } else { 0 }));
            at_most = at_most.max(pace.every());
        }
        assert_eq!((pace.every(), at_most), (1, slow));
    }

    #[test]
    fn prices_around_a_step_do_not_make_it_swing() {
        let mut pace = pace();
        let mut changes = 0;
        let mut before = pace.every();
        for tick in 0..300 {
            // 8.7 ms fit once a second; every other look is a little dearer.
            let look = Duration::from_micros(if tick % 2 == 0 { 8_600 } else { 8_900 });
            let look = if pace.looks_now() { look } else { Duration::ZERO };
            pace.paid(&TickPrice { look, ..price(0) });
            changes += usize::from(pace.every() != before);
            before = pace.every();
        }
        assert!(changes <= 10, "{changes}");
    }

    #[test]
    fn without_a_budget_there_are_still_looks() {
        let mut pace = Pace::new(Duration::from_secs(1), Budget { core_share: 0.0 });
        assert_eq!(looks(&mut pace, 1201, 5), [0, 600, 1200]);
        assert!(pace.is_too_short());
    }

    #[test]
    fn an_interval_that_light_ticks_use_up_is_too_short() {
        let mut pace = Pace::new(Duration::from_millis(100), Budget::ONE_PERCENT);
        looks(&mut pace, 20, 1);
        assert!(pace.is_too_short());
        assert!(pace.every() > 1);
    }
}
