//! The impact meter: what each question cost, by our clock and by what went over the wire.

use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use giulia_model::{Impact, Question};

/// How many single questions are remembered; the sums go on.
const QUESTIONS_MAX: usize = 256;

/// The sum and the latest questions.
#[derive(Debug, Default)]
pub(crate) struct Meter(Mutex<Sums>);

#[derive(Debug, Default)]
struct Sums {
    questions: VecDeque<Question>,
    round_trips: u64,
    sent_bytes: u64,
    received_bytes: u64,
    target_time_ms: f64,
}

impl Meter {
    pub(crate) fn add(&self, question: Question) {
        let mut sums = self.sums();
        sums.round_trips += 1;
        sums.sent_bytes += question.sent_bytes;
        sums.received_bytes += question.received_bytes;
        sums.target_time_ms += question.elapsed_ms;
        if sums.questions.len() == QUESTIONS_MAX {
            sums.questions.pop_front();
        }
        sums.questions.push_back(question);
    }

    pub(crate) fn impact(&self) -> Impact {
        let sums = self.sums();
        Impact {
            questions: sums.questions.iter().cloned().collect(),
            round_trips: sums.round_trips,
            sent_bytes: sums.sent_bytes,
            received_bytes: sums.received_bytes,
            target_time_ms: sums.target_time_ms,
            changed: Vec::new(),
        }
    }

    fn sums(&self) -> MutexGuard<'_, Sums> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The share of one core of the target that asking may take. Nothing holds anybody to it yet.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Budget {
    /// 0.01 is 1 %.
    pub core_share: f64,
}

impl Budget {
    /// 1 % of one core, the default.
    pub const ONE_PERCENT: Self = Self { core_share: 0.01 };

    /// How far apart ticks must start so that their price stays within the share.
    pub fn interval(self, price: Duration) -> Duration {
        // Below a millionth the wait would be days: as good as never, and no division by zero.
        price.div_f64(self.core_share.clamp(1e-6, 1.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tick_of_30_ms_within_one_percent_comes_every_3_s() {
        let apart = Budget::ONE_PERCENT.interval(Duration::from_millis(30));
        assert_eq!(apart.as_millis(), 3000);
        let never = Budget { core_share: 0.0 };
        assert!(never.interval(Duration::from_millis(1)) >= Duration::from_secs(1000));
    }

    #[test]
    fn sums_outlive_the_remembered_questions() {
        let meter = Meter::default();
        for _ in 0..300 {
            meter.add(Question {
                probe: "node".to_owned(),
                elapsed_ms: 0.5,
                sent_bytes: 2,
                received_bytes: 3,
            });
        }
        let impact = meter.impact();
        assert_eq!(impact.round_trips, 300);
        assert_eq!(impact.received_bytes, 900);
        assert_eq!(impact.questions.len(), QUESTIONS_MAX);
    }
}
