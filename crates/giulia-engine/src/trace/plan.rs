//! What counting may cost: which functions are left out, which are measured, and for how long.
//! Pure; what it knows is how often each was called while all of them were counted for a moment.

use std::time::Duration;

/// What a counted call costs more where two schedulers share the function, in nanoseconds: 17 to 28
/// (measured on OTP 23 to 27, `beam-facts` 8.2); one alone costs 5 to 8.
pub(super) const COUNT_NS: f64 = 28.0;
/// Where there is one scheduler, nobody shares.
pub(super) const COUNT_ALONE_NS: f64 = 8.0;
/// What a measured call costs more before OTP 27, in nanoseconds: 168 to 178 (`beam-facts` 4.4).
const TIME_OLD_NS: f64 = 180.0;
/// From OTP 27 with count, time and words together: 79 to 84.
const TIME_NS: f64 = 85.0;

/// Functions that are measured: reading one takes up to 30 µs while the node is busy.
const MEASURED_MAX: usize = 50;
/// Before OTP 27 arming each takes longer, and so does measuring.
const MEASURED_OLD_MAX: usize = 20;
/// While measuring, of the time of all schedulers: five times the usual budget, for a part of the
/// window so short that the whole stays within it.
const PEAK_SHARE: f64 = 0.1;
/// A shorter measurement says little.
const MEASURE_MIN: Duration = Duration::from_millis(100);
/// A longer one makes more rows of processes, and the node keeps each of them.
const MEASURE_MAX: Duration = Duration::from_secs(30);
/// Of what counting leaves of the budget, at least this part is for measuring.
const MEASURE_PART: f64 = 0.25;

/// What a node is worth of, for prices.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Room {
    /// Normal schedulers online.
    pub(super) schedulers: u64,
    /// Of the time of all of them, 0 to 1.
    pub(super) budget_share: f64,
    /// Whether it is before OTP 27.
    pub(super) is_old: bool,
}

/// Which functions to measure, by their places, and how long.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Measuring {
    pub(super) functions: Vec<usize>,
    pub(super) lasts: Duration,
}

impl Room {
    /// What so many counted calls a second cost, of the time of all schedulers.
    pub(super) fn counting(&self, calls_per_s: f64) -> f64 {
        let ns = if self.schedulers > 1 { COUNT_NS } else { COUNT_ALONE_NS };
        self.share(calls_per_s, ns)
    }

    fn measuring(&self, calls_per_s: f64) -> f64 {
        self.share(calls_per_s, if self.is_old { TIME_OLD_NS } else { TIME_NS })
    }

    #[expect(clippy::cast_precision_loss, reason = "schedulers are some hundreds at most")]
    fn share(&self, calls_per_s: f64, ns: f64) -> f64 {
        calls_per_s * ns * 1e-9 / self.schedulers.max(1) as f64
    }

    /// The functions that cannot be counted within the budget, hottest first: as few as possible.
    pub(super) fn left_out(&self, calls_per_s: &[f64]) -> Vec<usize> {
        let mut hottest = by_rate(calls_per_s);
        let mut total = self.counting(calls_per_s.iter().sum());
        let fits = |(_, rate): &(usize, f64)| {
            let is_over = total > self.budget_share;
            total -= self.counting(*rate);
            is_over
        };
        let left_out = hottest.iter().copied().take_while(fits).count();
        hottest.truncate(left_out);
        hottest.into_iter().map(|(idx, _)| idx).collect()
    }

    /// What to measure in a window of counting that has this much left.
    pub(super) fn measured(
        &self,
        calls_per_s: &[f64],
        window: Duration,
        left: Duration,
    ) -> Measuring {
        let counting = self.counting(calls_per_s.iter().sum());
        let budget = (self.budget_share - counting).max(self.budget_share * MEASURE_PART).max(0.0);
        let most = if self.is_old { MEASURED_OLD_MAX } else { MEASURED_MAX };
        // What may be spent in all, as a share of the shortest measurement.
        let dearest = budget * window.as_secs_f64() / MEASURE_MIN.as_secs_f64();
        let allowed = dearest.min(PEAK_SHARE);
        let (mut functions, mut peak) = (Vec::new(), 0.0);
        for (idx, rate) in by_rate(calls_per_s) {
            let more = self.measuring(rate);
            if functions.len() < most && rate > 0.0 && peak + more <= allowed {
                peak += more;
                functions.push(idx);
            }
        }
        if functions.is_empty() || left < MEASURE_MIN {
            return Measuring::default();
        }
        let affordable = window.as_secs_f64() * budget / peak.max(f64::MIN_POSITIVE);
        let affordable = Duration::try_from_secs_f64(affordable).unwrap_or(MEASURE_MAX);
        let lasts = affordable.min(left / 2).min(MEASURE_MAX).max(MEASURE_MIN.min(left));
        Measuring { functions, lasts }
    }
}

fn by_rate(calls_per_s: &[f64]) -> Vec<(usize, f64)> {
    let mut hottest: Vec<(usize, f64)> = calls_per_s.iter().copied().enumerate().collect();
    hottest.sort_by(|left, right| right.1.total_cmp(&left.1).then(left.0.cmp(&right.0)));
    hottest
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ROOM: Room = Room { schedulers: 2, budget_share: 0.02, is_old: false };

    #[test]
    fn what_fits_is_counted_and_the_hottest_go_first() {
        // 2 % of two schedulers are 40 ms a second: 1.43 million calls of 28 ns.
        assert_eq!(ROOM.left_out(&[1.4e6, 10.0]), [] as [usize; 0]);
        assert_eq!(ROOM.left_out(&[10.0, 1.5e6]), [1]);
        assert_eq!(ROOM.left_out(&[1e6, 3e6, 1e5, 9e5]), [1, 0]);
        let alone = Room { schedulers: 1, ..ROOM };
        assert_eq!(alone.left_out(&[2.4e6]), [] as [usize; 0]);
        let generous = Room { budget_share: 0.5, ..ROOM };
        assert_eq!(generous.left_out(&[3e7]), [] as [usize; 0]);
    }

    #[test]
    fn a_hot_function_is_measured_for_a_part_of_the_window() {
        let window = Duration::from_secs(10);
        let left = Duration::from_secs(8);
        let cool = ROOM.measured(&[100.0, 0.0], window, left);
        assert_eq!((cool.functions, cool.lasts), (vec![0], left / 2));
        // 1.2 million calls of 85 ns on two schedulers are 5.1 %; a quarter of 2 % over 10 s is 1 s.
        let hot = ROOM.measured(&[1.2e6, 100.0], window, left);
        assert_eq!(hot.functions, [0, 1]);
        assert!((0.9..1.1).contains(&hot.lasts.as_secs_f64()), "{:?}", hot.lasts);
        let dear = ROOM.measured(&[1e7, 100.0], window, left);
        assert_eq!(dear.functions, [1]);
        assert_eq!(ROOM.measured(&[0.0], window, left), Measuring::default());
        assert_eq!(ROOM.measured(&[1.0; 80], window, left).functions.len(), MEASURED_MAX);
    }

    proptest! {
        #[test]
        fn counting_and_measuring_keep_within_their_budgets(
            rates in proptest::collection::vec(0.0..1e8_f64, 0..40),
            schedulers in 1_u64..64,
            budget_share in 0.001..0.5_f64,
            is_old in any::<bool>(),
            window_ms in 200_u64..60_000,
        ) {
            let room = Room { schedulers, budget_share, is_old };
            let left_out = room.left_out(&rates);
            let kept: Vec<f64> = (0..rates.len()).filter(|it| !left_out.contains(it)).map(|it| rates[it]).collect();
            prop_assert!(room.counting(kept.iter().sum()) <= budget_share * 1.000_001);
            if let Some(coolest) = left_out.last() {
                let with = room.counting(kept.iter().sum::<f64>() + rates[*coolest]);
                prop_assert!(with > budget_share * 0.999_999, "left out for nothing");
            }
            let window = Duration::from_millis(window_ms);
            let measuring = room.measured(&kept, window, window);
            let peak: f64 = measuring.functions.iter().map(|it| room.measuring(kept[*it])).sum();
            let spent = peak * measuring.lasts.as_secs_f64() / window.as_secs_f64();
            prop_assert!(peak <= PEAK_SHARE * 1.000_001);
            prop_assert!(spent <= budget_share * 1.000_001, "{spent} of {budget_share}");
        }
    }
}
