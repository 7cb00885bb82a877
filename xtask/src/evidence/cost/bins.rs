//! CPU time in bins of 20 ms, and what one process's acts add to another's.
//!
//! The speed of a shared machine drifts by a fifth from second to second, but hardly within a
//! tenth: what a tick adds is what its bins hold more than their neighbours, and the drift is in
//! both.

use std::{ops::Range, thread, time::Duration, time::Instant};

use anyhow::Result;

use crate::evidence::os;

/// Long enough for a scheduler's time slices to even out, short against what a tick sets off.
pub(super) const BIN_MS: f64 = 20.0;
/// Bins in which giulia used less than this, in milliseconds, are none in which it sent anything:
/// a message costs it 30 to 60 us.
const ACT_MS: f64 = 0.02;
/// What a tick sets off on the node is over so many bins after giulia's last act; the profile
/// shows that nothing is left then.
const AFTERMATH: usize = 6;
/// Quiet bins on each side that an episode is compared with: as many as it has, and at least these.
const NEIGHBOURS_MIN: usize = 8;
/// A trimmed mean leaves out this part at each end.
const TRIMMED_PART: usize = 5;
/// Two-sided 95 % of Student's t for many figures; for few, the table below.
const T_MANY: f64 = 1.96;
/// The same by degrees of freedom, from 1.
const T: [f64; 30] = [
    12.71, 4.30, 3.18, 2.78, 2.57, 2.45, 2.36, 2.31, 2.26, 2.23, 2.20, 2.18, 2.16, 2.14, 2.13,
    2.12, 2.11, 2.10, 2.09, 2.09, 2.08, 2.07, 2.07, 2.06, 2.06, 2.06, 2.05, 2.05, 2.05, 2.04,
];

/// CPU time of some processes, read again and again.
#[derive(Debug)]
pub(super) struct Recording {
    began: Instant,
    /// Milliseconds since it began, and each process's CPU milliseconds so far.
    readings: Vec<(f64, Vec<f64>)>,
}

/// A figure with half of its 95 % interval.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Estimate {
    pub(super) mean: f64,
    pub(super) half: f64,
}

/// One act of giulia, in bins, and what it added.
#[derive(Debug, Clone)]
pub(super) struct Episode {
    pub(super) bins: Range<usize>,
    /// Milliseconds more than the neighbours.
    pub(super) extra_ms: f64,
}

impl Recording {
    pub(super) fn start() -> Self {
        Self { began: Instant::now(), readings: Vec::new() }
    }

    /// Reads for so long; a process that ends meanwhile keeps its last figure.
    pub(super) fn record(&mut self, pids: &[u32], lasting: Duration) -> Result<()> {
        let until = Instant::now() + lasting;
        let mut next = Instant::now();
        while Instant::now() < until {
            let at_ms = self.now_ms();
            let mut cpu = Vec::with_capacity(pids.len());
            for (idx, pid) in pids.iter().enumerate() {
                let last = self.readings.last().and_then(|it| it.1.get(idx)).copied();
                cpu.push(os::process_clock_ms(*pid).or_else(|why| last.ok_or(why))?);
            }
            self.readings.push((at_ms, cpu));
            next += Duration::from_secs_f64(BIN_MS / 1000.0);
            thread::sleep(next.saturating_duration_since(Instant::now()));
        }
        Ok(())
    }

    /// Milliseconds since it began.
    pub(super) fn now_ms(&self) -> f64 {
        self.ms(Instant::now())
    }

    /// When that was, in milliseconds since it began.
    pub(super) fn ms(&self, at: Instant) -> f64 {
        at.saturating_duration_since(self.began).as_secs_f64() * 1000.0
    }

    /// CPU milliseconds of a process in each bin since it began.
    pub(super) fn bins(&self, process: usize) -> Vec<f64> {
        let points: Vec<(f64, f64)> = self
            .readings
            .iter()
            .filter_map(|(at, cpu)| Some((*at, cpu.get(process).copied()?)))
            .collect();
        let mut edges = Vec::new();
        let mut at = 0.0;
        for pair in points.windows(2) {
            let [(from, low), (until, high)] = pair else { continue };
            while at <= *until {
                edges.push(low + (at - from).max(0.0) / (until - from) * (high - low));
                at += BIN_MS;
            }
        }
        edges
            .windows(2)
            .map(|it| it.iter().rev().copied().reduce(|l, r| l - r).unwrap_or(0.0))
            .collect()
    }
}

impl Estimate {
    /// Of some figures: their mean.
    pub(super) fn of(figures: &[f64]) -> Self {
        let mean = mean(figures);
        let t = figures.len().checked_sub(2).map(|it| T.get(it).copied().unwrap_or(T_MANY));
        // One figure says nothing of its own error.
        let half = t.map_or(f64::INFINITY, |t| t * deviation(figures) / count(figures).sqrt());
        Self { mean, half }
    }

    /// Of figures with a few wild ones on both sides: the mean of those in the middle, its error
    /// from all with the wild ones drawn in, as for any trimmed mean.
    pub(super) fn trimmed(figures: &[f64]) -> Self {
        let mut sorted = figures.to_vec();
        sorted.sort_by(f64::total_cmp);
        let cut = sorted.len() / TRIMMED_PART;
        let middle = sorted.get(cut..sorted.len() - cut).unwrap_or_default();
        let Some((low, high)) = middle.first().zip(middle.last()) else { return Self::of(&[]) };
        let drawn_in: Vec<f64> = figures.iter().map(|it| it.clamp(*low, *high)).collect();
        let share = count(middle) / count(figures);
        Self { mean: mean(middle), half: Self::of(&drawn_in).half / share }
    }

    /// The same in another unit.
    pub(super) fn times(self, factor: f64) -> Self {
        Self { mean: self.mean * factor, half: self.half * factor.abs() }
    }

    /// The sum of two that do not depend on each other.
    pub(super) fn plus(self, other: Self) -> Self {
        Self { mean: self.mean + other.mean, half: self.half.hypot(other.half) }
    }
}

impl std::fmt::Display for Estimate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { mean, half } = *self;
        write!(f, "{mean:+.2} ({:+.2} to {:+.2})", mean - half, mean + half)
    }
}

/// Where giulia acted, by its own CPU time.
pub(super) fn acts(giulia: &[f64]) -> Vec<Range<usize>> {
    let mut found: Vec<Range<usize>> = Vec::new();
    for (idx, _) in giulia.iter().enumerate().filter(|(_, ms)| **ms > ACT_MS) {
        // Interpolation puts a part of an act into the bin before it.
        let bins = idx.saturating_sub(1)..idx + AFTERMATH;
        match found.last_mut() {
            Some(last) if last.end >= bins.start => last.end = bins.end,
            _ => found.push(bins),
        }
    }
    found
}

/// What a process used more in each act than in the quiet bins around it.
///
/// Left out are the first and the last ones, which lack neighbours.
pub(super) fn episodes(node: &[f64], acts: &[Range<usize>]) -> Vec<Episode> {
    let is_quiet = |idx: &usize| !acts.iter().any(|it| it.contains(idx));
    let mut found = Vec::new();
    for bins in acts {
        let wanted = bins.len().max(NEIGHBOURS_MIN);
        let of = |idx: usize| node.get(idx).copied();
        let before: Vec<f64> =
            (0..bins.start).rev().filter(is_quiet).take(wanted).filter_map(of).collect();
        let after: Vec<f64> =
            (bins.end..node.len()).filter(is_quiet).take(wanted).filter_map(of).collect();
        if before.len() < wanted || after.len() < wanted {
            continue;
        }
        let held: f64 = bins.clone().filter_map(of).sum();
        let expected = count(node.get(bins.clone()).unwrap_or_default())
            * f64::midpoint(mean(&before), mean(&after));
        found.push(Episode { bins: bins.clone(), extra_ms: held - expected });
    }
    found
}

pub(super) fn mean(figures: &[f64]) -> f64 {
    figures.iter().sum::<f64>() / count(figures)
}

fn deviation(figures: &[f64]) -> f64 {
    let middle = mean(figures);
    let squares = figures.iter().map(|it| (it - middle).powi(2)).sum::<f64>();
    (squares / (count(figures) - 1.0)).sqrt()
}

#[expect(clippy::cast_precision_loss, reason = "thousands of figures")]
pub(super) fn count<T>(figures: &[T]) -> f64 {
    figures.len() as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interval_of_known_figures() {
        // Ten figures of mean 5 and sample deviation 2: 2.26 * 2 / sqrt(10).
        let it = Estimate::of(&[3.0, 7.0, 3.0, 7.0, 5.0, 5.0, 2.0, 8.0, 4.0, 6.0]);
        assert!((it.mean - 5.0).abs() < 1e-9, "{it}");
        assert!((it.half - 2.26 * 2.0 / 10.0_f64.sqrt()).abs() < 1e-9, "{it}");
        assert!(Estimate::of(&[1.0]).half.is_infinite());
    }

    #[test]
    fn a_drift_is_not_an_extra_and_a_tick_is() {
        // Ten seconds whose machine slows down by a third; giulia acts once a second, the node does
        // 2 ms more in that bin and 1 ms more two bins later.
        let mut node: Vec<f64> = (0..500).map(|it| 10.0 + f64::from(it) / 150.0).collect();
        let mut giulia = vec![0.0; 500];
        for second in 0..10 {
            let at = second * 50 + 25;
            giulia[at] = 0.5;
            node[at] += 2.0;
            node[at + 2] += 1.0;
        }
        let found = episodes(&node, &acts(&giulia));
        assert_eq!(found.len(), 10);
        for it in &found {
            assert!((it.extra_ms - 3.0).abs() < 1e-9, "{it:?}");
        }
        // A moment later nothing is found, so it is the tick that was.
        giulia.rotate_right(20);
        for it in episodes(&node, &acts(&giulia)) {
            assert!(it.extra_ms.abs() < 1e-9, "{it:?}");
        }
    }

    #[test]
    fn acts_that_follow_each_other_are_one() {
        let mut giulia = vec![0.0; 100];
        giulia[10] = 0.1;
        giulia[14] = 0.1;
        giulia[50] = 0.1;
        giulia[70] = ACT_MS / 2.0;
        assert_eq!(acts(&giulia), [9..14 + AFTERMATH, 49..50 + AFTERMATH]);
    }

    #[test]
    fn readings_at_odd_times_become_even_bins() {
        let readings = [0.0, 13.0, 45.0, 61.0, 100.0].map(|at| (at, vec![at / 2.0])).to_vec();
        let it = Recording { began: Instant::now(), readings };
        for ms in it.bins(0) {
            assert!((ms - BIN_MS / 2.0).abs() < 1e-9, "{ms}");
        }
        assert_eq!(it.bins(0).len(), 5);
    }
}
