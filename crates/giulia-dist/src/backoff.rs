//! How long to wait before dialling again.

use std::time::Duration;

/// The first wait: long enough for a node that restarts its listener.
const FIRST: Duration = Duration::from_millis(500);
/// The longest wait: a person who repairs the node sees us back within half a minute.
const LAST: Duration = Duration::from_secs(30);

/// Waits that double from 500 ms to 30 s, each shortened at random by up to a quarter.
///
/// The randomness keeps many observers from dialling a restarted node in step.
#[derive(Debug, Clone)]
pub struct Backoff {
    next: Duration,
}

impl Backoff {
    /// Starts at 500 ms.
    pub fn new() -> Self {
        Self { next: FIRST }
    }

    /// The next wait, between three quarters of the step and the whole step.
    #[expect(
        clippy::should_implement_trait,
        reason = "an endless series, but not one to loop over"
    )]
    pub fn next(&mut self) -> Duration {
        let step = self.next;
        self.next = (step * 2).min(LAST);
        shortened(step, random_byte())
    }

    /// Back to 500 ms, after a connection that held.
    pub fn reset(&mut self) {
        self.next = FIRST;
    }
}

impl Default for Backoff {
    fn default() -> Self {
        Self::new()
    }
}

/// A byte of 0 leaves the step whole, 255 takes a quarter away.
fn shortened(step: Duration, byte: u8) -> Duration {
    step.saturating_sub(step / 4 * u32::from(byte) / 255)
}

/// Without randomness from the system the waits are merely whole.
fn random_byte() -> u8 {
    let mut byte = [0u8; 1];
    match getrandom::fill(&mut byte) {
        Ok(()) => byte[0],
        Err(_) => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_half_a_minute_and_start_over() {
        let mut backoff = Backoff::new();
        for whole_ms in [500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000] {
            let wait = backoff.next();
            assert!(wait <= Duration::from_millis(whole_ms), "{wait:?} > {whole_ms} ms");
            assert!(wait >= Duration::from_millis(whole_ms * 3 / 4), "{wait:?} of {whole_ms} ms");
        }
        backoff.reset();
        assert!(backoff.next() <= Duration::from_millis(500));
    }

    #[test]
    fn at_most_a_quarter_is_taken_away() {
        let step = Duration::from_secs(8);
        assert_eq!(shortened(step, 0), step);
        assert_eq!(shortened(step, 255), Duration::from_secs(6));
    }
}
