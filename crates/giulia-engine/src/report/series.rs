//! A figure over time in bounded memory: exact ends and extremes, a thinned middle.

use giulia_model::{Direction, SeriesPoint, Spread, Trend};

/// Points that are kept; one more, and every second of them is let go.
const POINTS_MAX: usize = 4096;
/// A direction needs this many points: three in each third.
const POINTS_FOR_TREND: usize = 9;
/// A change is beyond the noise when it is this many times what the points swing within a
/// third (median distance from its line). For normal noise that distance is 0.67 standard
/// deviations, so 4 of them are 2.7 deviations of a single point, and medians swing less.
pub(super) const NOISE_FACTOR: f64 = 4.0;
/// And when it is more than this share of the figure: below, nobody would act on it.
pub(super) const CHANGE_MIN: f64 = 0.01;

/// One figure over the session.
#[derive(Debug, Clone, Default)]
pub(crate) struct Series {
    points: Vec<(u64, f64)>,
    /// Every so many points one is kept.
    stride: usize,
    seen: usize,
    /// What it was before the first point, where that is known.
    before: Option<f64>,
    first: f64,
    last: f64,
    min: f64,
    max: f64,
}

impl Series {
    pub(crate) fn add(&mut self, at_ms: u64, value: f64) {
        if self.seen == 0 {
            (self.first, self.min, self.max, self.stride) = (value, value, value, 1);
        }
        self.last = value;
        self.min = self.min.min(value);
        self.max = self.max.max(value);
        if self.seen.is_multiple_of(self.stride) {
            self.points.push((at_ms, value));
        }
        self.seen += 1;
        if self.points.len() > POINTS_MAX {
            self.stride *= 2;
            let mut idx = 0;
            self.points.retain(|_| {
                idx += 1;
                idx % 2 == 1
            });
        }
    }

    /// The same figure from here on: no point yet, and what it begins from.
    pub(crate) fn going_on(&self) -> Self {
        let before = if self.seen > 0 { Some(self.last) } else { self.before };
        Self { before, ..Self::default() }
    }

    /// Whether nothing was added yet.
    pub(crate) fn is_empty(&self) -> bool {
        self.seen == 0
    }

    /// For a chart: at most so many points, evenly taken.
    pub(crate) fn thinned(&self, most: usize) -> Vec<SeriesPoint> {
        let stride = self.points.len().div_ceil(most.max(1)).max(1);
        let point = |&(at_ms, value): &(u64, f64)| SeriesPoint { at_ms, value };
        self.points.iter().step_by(stride).map(point).collect()
    }

    /// What comes now does not go on from what was before: ends and extremes stay, and how it grows
    /// is told from here on.
    pub(crate) fn begin_anew(&mut self) {
        self.points.clear();
        self.stride = 1;
    }

    pub(crate) fn spread(&self) -> Option<Spread> {
        let median = median(self.points.iter().map(|it| it.1))?;
        Some(Spread { min: self.min, median, max: self.max })
    }

    /// Absent where no tick showed it.
    pub(crate) fn trend(&self, name: &str) -> Option<Trend> {
        if self.seen == 0 {
            return None;
        }
        let growth = self.growth();
        let direction = match growth {
            None => Direction::Unknown,
            Some((_, false)) => Direction::Steady,
            Some((per_minute, true)) if per_minute > 0.0 => Direction::Rising,
            Some((_, true)) => Direction::Falling,
        };
        Some(Trend {
            name: name.to_owned(),
            first: whole(self.before.unwrap_or(self.first)),
            last: whole(self.last),
            min: whole(self.min),
            max: whole(self.max),
            per_minute: growth.map(|it| it.0),
            direction,
        })
    }

    /// By the minute, and whether that is more than noise.
    fn growth(&self) -> Option<(f64, bool)> {
        if self.points.len() < POINTS_FOR_TREND {
            return None;
        }
        let third = self.points.len() / 3;
        let early = self.points.get(..third)?;
        let late = self.points.get(self.points.len() - third..)?;
        let (before, after) = (middle(early)?, middle(late)?);
        let minutes = (after.0 - before.0) / 60_000.0;
        if minutes <= 0.0 {
            return None;
        }
        let change = after.1 - before.1;
        let slope = change / minutes;
        // What a steady growth adds within a third is no noise.
        let noise = swing(early, before, slope)?.max(swing(late, after, slope)?);
        let is_beyond = change.abs() > NOISE_FACTOR * noise
            && change.abs() > CHANGE_MIN * before.1.abs().max(1.0);
        Some((slope, is_beyond))
    }
}

/// The middle in time and in height.
fn middle(points: &[(u64, f64)]) -> Option<(f64, f64)> {
    Some((median(points.iter().map(|it| as_f64(it.0)))?, median(points.iter().map(|it| it.1))?))
}

/// The middle distance from a line of this slope (by the minute) through the middle.
fn swing(points: &[(u64, f64)], middle: (f64, f64), slope: f64) -> Option<f64> {
    let off = |it: &(u64, f64)| {
        let line = middle.1 + slope * (as_f64(it.0) - middle.0) / 60_000.0;
        (it.1 - line).abs()
    };
    median(points.iter().map(off))
}

pub(super) fn median(values: impl Iterator<Item = f64>) -> Option<f64> {
    let mut sorted: Vec<f64> = values.collect();
    sorted.sort_by(f64::total_cmp);
    let upper = *sorted.get(sorted.len() / 2)?;
    if sorted.len() % 2 == 1 {
        return Some(upper);
    }
    Some(f64::midpoint(*sorted.get(sorted.len() / 2 - 1)?, upper))
}

#[expect(clippy::cast_precision_loss, reason = "milliseconds of a session")]
fn as_f64(ms: u64) -> f64 {
    ms as f64
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "they were whole and not negative when they came"
)]
fn whole(value: f64) -> u64 {
    value.round() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trend(values: impl IntoIterator<Item = f64>) -> Trend {
        let mut series = Series::default();
        for (at_ms, value) in (0..).step_by(1000).zip(values) {
            series.add(at_ms, value);
        }
        series.trend("total").unwrap()
    }

    /// Noise that is the same in every run: -1 to 1.
    fn noise(idx: u32) -> f64 {
        f64::from((idx.wrapping_mul(2_654_435_761)) >> 16) / 32768.0 - 1.0
    }

    #[test]
    fn a_leak_rises_by_what_it_leaks() {
        // 1 MB and 6,000 bytes a second, with noise of 5,000.
        let it = trend((0..60).map(|idx| 1e6 + 6e3 * f64::from(idx) + 5e3 * noise(idx)));
        assert_eq!(it.direction, Direction::Rising);
        let per_minute = it.per_minute.unwrap();
        assert!((per_minute - 360_000.0).abs() < 36_000.0, "{per_minute}");
        let falls = trend((0..60).map(|idx| 1e6 - 6e3 * f64::from(idx)));
        assert_eq!(falls.direction, Direction::Falling);
    }

    #[test]
    fn a_sawtooth_and_noise_are_steady() {
        let sawtooth = trend((0..60).map(|idx| 1e6 + 5e4 * f64::from(idx % 7)));
        assert_eq!(sawtooth.direction, Direction::Steady, "{sawtooth:?}");
        let noisy = trend((0..60).map(|idx| 1e6 + 5e4 * noise(idx)));
        assert_eq!(noisy.direction, Direction::Steady, "{noisy:?}");
        assert_eq!(trend([5e6; 60]).direction, Direction::Steady);
    }

    #[test]
    fn too_few_points_say_nothing() {
        let it = trend([1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0]);
        assert_eq!((it.direction, it.per_minute), (Direction::Unknown, None));
        assert_eq!((it.first, it.last, it.min, it.max), (1, 8, 1, 8));
    }

    #[test]
    fn a_long_session_keeps_its_ends_and_extremes_in_bounded_memory() {
        let mut series = Series::default();
        for idx in 0..100_000_u32 {
            let value = if idx == 77_777 { 5e6 } else { f64::from(idx) };
            series.add(u64::from(idx), value);
        }
        assert!(series.points.len() <= POINTS_MAX, "{}", series.points.len());
        let spread = series.spread().unwrap();
        assert!((spread.max - 5e6).abs() < 1.0 && spread.min.abs() < 1.0);
        assert!((spread.median - 5e4).abs() < 100.0, "{}", spread.median);
    }
}
