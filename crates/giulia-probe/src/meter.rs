//! The impact meter: what each question cost, by our clock and by what went over the wire.

use std::{
    collections::{BTreeSet, VecDeque},
    sync::{Mutex, MutexGuard, PoisonError},
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
    disturbed: BTreeSet<&'static str>,
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

    /// Something of others that a question touches and cannot put back; once is enough.
    pub(crate) fn disturbs(&self, what: &'static str) {
        self.sums().disturbed.insert(what);
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
            disturbed: sums.disturbed.iter().map(|it| (*it).to_owned()).collect(),
        }
    }

    fn sums(&self) -> MutexGuard<'_, Sums> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The share of one core of the target that asking may take.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Budget {
    /// 0.01 is 1 %.
    pub core_share: f64,
}

impl Budget {
    /// 1 % of one core, the default.
    pub const ONE_PERCENT: Self = Self { core_share: 0.01 };
}

#[cfg(test)]
mod tests {
    use super::*;

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
