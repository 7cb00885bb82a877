//! The one clock: every time that giulia writes down comes from here, so tests own the time.

use jiff::Timestamp;

/// What time it is.
#[derive(Debug, Clone)]
pub struct Clock(Source);

#[derive(Debug, Clone)]
enum Source {
    System,
    Fixed(String),
}

impl Clock {
    /// The machine's clock.
    pub fn system() -> Self {
        Self(Source::System)
    }

    /// A clock that stands still at this RFC 3339 time.
    pub fn fixed(rfc3339: impl Into<String>) -> Self {
        Self(Source::Fixed(rfc3339.into()))
    }

    /// Now, RFC 3339 in UTC, to the millisecond: `2026-03-01T12:00:00.250Z`.
    pub fn now_rfc3339(&self) -> String {
        match &self.0 {
            Source::System => format!("{:.3}", system_now()),
            Source::Fixed(time) => time.clone(),
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the one place that asks the machine; everybody else takes a Clock"
)]
fn system_now() -> Timestamp {
    // A machine set to a year outside jiff's range (-9999 to 9999) shows the epoch.
    Timestamp::try_from(std::time::SystemTime::now()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_system_clock_writes_utc_to_the_millisecond() {
        let now = Clock::system().now_rfc3339();
        assert_eq!(now.len(), "2026-03-01T12:00:00.250Z".len(), "{now}");
        assert!(now.ends_with('Z') && now.as_bytes()[10] == b'T', "{now}");
    }
}
