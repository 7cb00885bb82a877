//! How long to wait before dialling again.

/// Waits that double from 500 ms to 30 s, each shortened at random by up to a quarter.
#[derive(Debug, Clone)]
pub struct Backoff {}
