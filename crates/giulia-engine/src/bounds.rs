//! How long a question may take, how it is stopped, and whom to tell meanwhile.

use std::{fmt, future::Future, sync::Arc, time::Duration};

use tokio::{sync::watch, time::Instant};

use crate::{Error, ErrorKind};

/// The limits of one question: a deadline and a way to stop it.
#[derive(Debug, Clone)]
pub struct Bounds {
    deadline: Instant,
    allowed: Duration,
    /// Asked to stop.
    pub stop: Stop,
}

/// The caller's end: asks a question to stop.
#[derive(Debug, Clone)]
pub struct Cancel(Arc<watch::Sender<bool>>);

/// The question's end: learns that it should stop.
#[derive(Debug, Clone)]
pub struct Stop(watch::Receiver<bool>);

/// Whom to tell what takes its time, and what is odd; never holds data.
pub trait Progress: Send + Sync + fmt::Debug {
    /// Something began that lasts about this long.
    fn begin(&self, what: &str, lasts: Duration);
    /// It is over.
    fn end(&self);
    /// Something works but should be changed; the text ends with the next step.
    fn warn(&self, text: &str);
}

/// Tells nobody.
#[derive(Debug, Clone, Copy)]
pub struct Silent;

impl Bounds {
    /// From now, stoppable by nobody.
    pub fn lasting(allowed: Duration) -> Self {
        Self::new(allowed, Cancel::new().stop())
    }

    /// From now, stoppable.
    pub fn new(allowed: Duration, stop: Stop) -> Self {
        Self { deadline: Instant::now() + allowed, allowed, stop }
    }

    /// The same, over no later than this from now.
    #[must_use]
    pub fn at_most(&self, allowed: Duration) -> Self {
        Self::new(allowed.min(self.left()), self.stop.clone())
    }

    /// What is left until the deadline.
    pub fn left(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }

    /// The whole time that was allowed.
    pub fn allowed(&self) -> Duration {
        self.allowed
    }

    /// Runs it until it is done, stopped or late, whichever comes first.
    ///
    /// # Errors
    /// [`ErrorKind::Interrupted`] or [`ErrorKind::Deadline`]; what was under way is dropped.
    pub async fn run<T>(
        &self,
        what: &str,
        work: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        tokio::select! {
            biased;
            done = work => done,
            () = self.stop.asked() => Err(Error::new(
                ErrorKind::Interrupted,
                format!("interrupted while {what}; nothing was left on the node"),
            )),
            () = tokio::time::sleep_until(self.deadline) => Err(Error::new(
                ErrorKind::Deadline,
                format!(
                    "{what} took longer than {} s; is the node frozen or the network slow? \
                     give it more with --timeout",
                    self.allowed.as_secs_f64()
                ),
            )),
        }
    }
}

impl Cancel {
    /// Nobody has asked to stop yet.
    pub fn new() -> Self {
        Self(Arc::new(watch::channel(false).0))
    }

    /// The other end.
    pub fn stop(&self) -> Stop {
        Stop(self.0.subscribe())
    }

    /// Asks to stop; doing so again changes nothing.
    pub fn cancel(&self) {
        self.0.send_replace(true);
    }
}

impl Default for Cancel {
    fn default() -> Self {
        Self::new()
    }
}

impl Stop {
    /// Whether somebody asked.
    pub fn is_asked(&self) -> bool {
        *self.0.borrow()
    }

    /// Returns once somebody asks; never, when nobody can any more.
    pub async fn asked(&self) {
        let mut receiver = self.0.clone();
        if receiver.wait_for(|asked| *asked).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

impl Progress for Silent {
    fn begin(&self, _what: &str, _lasts: Duration) {}
    fn end(&self) {}
    fn warn(&self, _text: &str) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_late_answer_is_an_error_at_the_deadline() {
        let start = Instant::now();
        let bounds = Bounds::lasting(Duration::from_secs(3));
        let late = bounds.run("waiting", std::future::pending::<Result<(), Error>>()).await;
        assert_eq!(late.unwrap_err().kind(), ErrorKind::Deadline);
        assert_eq!(start.elapsed().as_secs(), 3);
    }

    #[tokio::test(start_paused = true)]
    async fn asking_to_stop_ends_the_wait_at_once() {
        let cancel = Cancel::new();
        let bounds = Bounds::new(Duration::from_mins(1), cancel.stop());
        cancel.cancel();
        let stopped = bounds.run("waiting", std::future::pending::<Result<(), Error>>()).await;
        assert_eq!(stopped.unwrap_err().kind(), ErrorKind::Interrupted);
    }

    #[tokio::test(start_paused = true)]
    async fn a_caller_that_went_away_does_not_stop_the_question() {
        let bounds = Bounds::lasting(Duration::from_secs(1));
        let late = bounds.run("waiting", std::future::pending::<Result<(), Error>>()).await;
        assert_eq!(late.unwrap_err().kind(), ErrorKind::Deadline);
    }
}
