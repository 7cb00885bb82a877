//! How long windows are and which tick is in which, before a record is read.

use std::time::Duration;

use giulia_model::Session;

use super::ProfileRequest;
use crate::{Error, ErrorKind};

/// Windows of one answer: each has some hundred figures, and nobody compares more of them.
pub(super) const WINDOWS_MAX: usize = 1000;
/// Rows of one ranking over all windows; an answer has eight rankings with some 200 bytes a row, so
/// it ends at about 16 MB.
const ROWS_MAX: usize = 10_000;
/// Windows where nobody says how long: as many lines as a screen has.
const WINDOWS_WANTED: u64 = 60;
/// Lengths that people think in.
const ROUND_MS: &[u64] = &[
    100, 200, 500, 1_000, 2_000, 5_000, 10_000, 15_000, 30_000, 60_000, 120_000, 300_000, 600_000,
    900_000, 1_800_000, 3_600_000, 7_200_000, 21_600_000, 43_200_000, 86_400_000,
];

/// Windows of a session.
#[derive(Debug, Clone)]
#[expect(clippy::struct_field_names, reason = "a unit stands at the end of a name")]
pub(super) struct Plan {
    pub(super) every_ms: u64,
    pub(super) window_ms: u64,
    from_ms: Option<u64>,
    to_ms: Option<u64>,
    /// Where the last tick is expected.
    end_ms: u64,
}

impl Plan {
    /// # Errors
    /// When such windows do not fit the session.
    pub(super) fn new(
        session: &Session,
        last_ms: Option<u64>,
        request: &ProfileRequest,
    ) -> Result<Self, Error> {
        let every_ms = session.every_ms.max(1);
        let by_head = session.ticks.saturating_add(session.ticks_missed).saturating_mul(every_ms);
        let mut it = Self {
            every_ms,
            window_ms: 0,
            from_ms: request.from.map(millis).filter(|it| *it > 0),
            to_ms: request.to.map(millis),
            end_ms: last_ms.unwrap_or(by_head),
        };
        if let Some(to_ms) = it.to_ms.filter(|to_ms| *to_ms <= it.from_ms.unwrap_or_default()) {
            let text = format!(
                "a profile from {} to {}: it ends before it begins",
                shown(it.from_ms.unwrap_or_default()),
                shown(to_ms)
            );
            return Err(wrong(format!("{text}; take a --to after --from")));
        }
        it.window_ms = match request.window.map(millis) {
            None => it.chosen_ms(),
            Some(window_ms) if window_ms < every_ms => {
                let (window, every) = (shown(window_ms), shown(every_ms));
                return Err(wrong(format!(
                    "windows of {window} are shorter than the ticks of this session, which come \
                     every {every} and are never split; take --window {every} or more"
                )));
            }
            Some(window_ms) => window_ms,
        };
        let n_windows = it.span_ms().div_ceil(it.window_ms);
        if n_windows > u64::try_from(WINDOWS_MAX).unwrap_or(u64::MAX) {
            return Err(it.too_many());
        }
        let n_rows = n_windows.saturating_mul(u64::try_from(request.top).unwrap_or(u64::MAX));
        if n_rows > u64::try_from(ROWS_MAX).unwrap_or(u64::MAX) {
            let most = u64::try_from(ROWS_MAX).unwrap_or(u64::MAX) / n_windows.max(1);
            return Err(wrong(format!(
                "{n_windows} windows with {} rows of each ranking are more than {ROWS_MAX} rows; \
                 take --top {most} or less, or a longer --window",
                request.top
            )));
        }
        Ok(it)
    }

    /// Time that windows may be of.
    fn span_ms(&self) -> u64 {
        let last_ms = self.due_ms(self.end_ms);
        let end_ms = self.to_ms.map_or(last_ms, |it| it.min(last_ms));
        end_ms.saturating_sub(self.from_ms.unwrap_or_default()).max(1)
    }

    /// The shortest that makes few enough, of those that people think in and that hold as many ticks
    /// each.
    fn chosen_ms(&self) -> u64 {
        let fits = |it: &u64| {
            *it >= self.every_ms
                && it.is_multiple_of(self.every_ms)
                && self.span_ms().div_ceil(*it) <= WINDOWS_WANTED
        };
        let ticks = self.span_ms().div_ceil(self.every_ms.saturating_mul(WINDOWS_WANTED));
        let exact = self.every_ms.saturating_mul(ticks.max(1));
        ROUND_MS.iter().copied().find(fits).unwrap_or(exact)
    }

    /// The tick nearest to when it was made, by its number: it comes when the node has answered, and
    /// is still the tick that was due.
    fn number(&self, at_ms: u64) -> u64 {
        at_ms.saturating_add(self.every_ms / 2) / self.every_ms
    }

    fn due_ms(&self, at_ms: u64) -> u64 {
        self.number(at_ms).saturating_mul(self.every_ms)
    }

    /// Which window a tick is in, from 0; none before the first.
    pub(super) fn window_of(&self, at_ms: u64) -> Option<u64> {
        let due_ms = self.due_ms(at_ms);
        let since_ms = match self.from_ms {
            None => due_ms,
            Some(from_ms) => due_ms.checked_sub(from_ms).filter(|it| *it > 0)?,
        };
        // The tick at an edge is the last of the window that ends there.
        Some(since_ms.saturating_sub(1) / self.window_ms)
    }

    /// Where the last window ends at the latest.
    pub(super) fn to_ms(&self) -> Option<u64> {
        self.to_ms
    }

    /// Whether a tick is behind all windows.
    pub(super) fn is_behind(&self, at_ms: u64) -> bool {
        self.to_ms.is_some_and(|to_ms| self.due_ms(at_ms) > to_ms)
    }

    /// Ticks that were due after the tick at an edge, or from the start on, in a window with this
    /// last tick and this end.
    pub(super) fn due_in(&self, edge_ms: Option<u64>, last_ms: u64, to_ms: u64) -> u64 {
        let last = self.number(last_ms).max(to_ms / self.every_ms);
        edge_ms.map_or(last.saturating_add(1), |it| last.saturating_sub(self.number(it)))
    }

    /// Why there is no window at all.
    pub(super) fn nothing(&self) -> String {
        match (self.from_ms, self.to_ms) {
            (None, None) => "no tick was recorded, and windows begin and end with ticks".to_owned(),
            (from_ms, to_ms) => {
                let from = shown(from_ms.unwrap_or_default());
                let to = to_ms.map(|it| format!(" up to {}", shown(it))).unwrap_or_default();
                let last = shown(self.end_ms);
                format!("no tick was recorded from {from} on{to}; the last one is at {last}")
            }
        }
    }

    /// The error for windows that are too short for the session.
    pub(super) fn too_many(&self) -> Error {
        let most = u64::try_from(WINDOWS_MAX).unwrap_or(u64::MAX);
        let least_ms = self.span_ms().div_ceil(most).max(self.window_ms.saturating_add(1));
        let least_ms = least_ms.div_ceil(self.every_ms).saturating_mul(self.every_ms);
        wrong(format!(
            "windows of {} are more than {WINDOWS_MAX} in the {} of this session; take --window {} \
             or more, or a part of it by --from and --to",
            shown(self.window_ms),
            shown(self.span_ms()),
            shown(least_ms)
        ))
    }
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

fn wrong(text: String) -> Error {
    Error::new(ErrorKind::Window, text)
}

/// As it would be typed: in the largest unit that leaves a whole number.
fn shown(ms: u64) -> String {
    match ms {
        0 => "0s".to_owned(),
        it if it.is_multiple_of(3_600_000) => format!("{}h", it / 3_600_000),
        it if it.is_multiple_of(60_000) => format!("{}m", it / 60_000),
        it if it.is_multiple_of(1000) => format!("{}s", it / 1000),
        it => format!("{it}ms"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(every_ms: u64, end_ms: u64, request: &ProfileRequest) -> Result<Plan, Error> {
        let session = Session { every_ms, ..Session::default() };
        Plan::new(&session, Some(end_ms), request)
    }

    fn request() -> ProfileRequest {
        ProfileRequest { window: None, from: None, to: None, top: 5 }
    }

    fn lasting(window_ms: u64) -> ProfileRequest {
        ProfileRequest { window: Some(Duration::from_millis(window_ms)), ..request() }
    }

    #[test]
    fn the_window_that_is_chosen_is_round_and_makes_at_most_60() {
        for (every_ms, end_ms, window_ms) in [
            (1000, 0, 1000),
            (1000, 60_000, 1000),
            (1000, 60_003, 1000),
            (1000, 61_000, 2000),
            (200, 30_000, 1000),
            (1000, 36_000_000, 600_000),
            // No round number has whole ticks of seven seconds.
            (7000, 420_000, 7000),
            (7000, 425_000, 14_000),
            (3_600_000, 3_600_000, 3_600_000),
        ] {
            let it = plan(every_ms, end_ms, &request()).unwrap();
            assert_eq!(it.window_ms, window_ms, "{every_ms} {end_ms}");
            assert!(it.span_ms().div_ceil(it.window_ms) <= WINDOWS_WANTED, "{it:?}");
        }
        // What an import claims.
        plan(u64::MAX, u64::MAX, &request()).unwrap();
        plan(0, u64::MAX, &request()).unwrap();
    }

    #[test]
    fn windows_that_do_not_fit_are_refused_with_those_that_do() {
        let error = |it: Result<Plan, Error>| {
            let it = it.unwrap_err();
            assert_eq!(it.kind(), ErrorKind::Window);
            it.to_string()
        };
        let text = error(plan(2000, 60_000, &lasting(1000)));
        assert!(text.contains("take --window 2s or more"), "{text}");
        assert!(plan(1000, 1_000_003, &lasting(1000)).is_ok());
        let text = error(plan(1000, 1_001_000, &lasting(1000)));
        assert!(text.contains("take --window 2s or more"), "{text}");
        assert!(plan(1000, 1_001_000, &lasting(2000)).is_ok());
        let rows = ProfileRequest { top: 101, ..lasting(1000) };
        let text = error(plan(1000, 100_000, &rows));
        assert!(text.contains("take --top 100 or less"), "{text}");
        assert!(plan(1000, 100_000, &ProfileRequest { top: 100, ..rows }).is_ok());
        let at = |ms| Some(Duration::from_millis(ms));
        let turned = ProfileRequest { from: at(2000), to: at(2000), ..request() };
        assert!(error(plan(1000, 100_000, &turned)).contains("take a --to after --from"));
        // A part of it may be cut finer than all of it.
        let part = ProfileRequest { from: at(3_600_000), to: at(3_660_000), ..lasting(1000) };
        assert!(plan(1000, 36_000_000, &part).is_ok());
    }

    #[test]
    fn a_tick_at_an_edge_ends_a_window_also_when_it_comes_late() {
        let it = plan(1000, 60_000, &lasting(10_000)).unwrap();
        let windows = [0, 1003, 9998, 10_003, 10_499, 10_501, 20_000].map(|it_| it.window_of(it_));
        assert_eq!(windows, [0, 0, 0, 0, 0, 1, 1].map(Some));
        let from = Some(Duration::from_secs(5));
        let it = plan(1000, 60_000, &ProfileRequest { from, ..lasting(10_000) }).unwrap();
        let windows = [4000, 5003, 6003, 15_003, 16_003].map(|it_| it.window_of(it_));
        assert_eq!(windows, [None, None, Some(0), Some(0), Some(1)]);
    }
}
