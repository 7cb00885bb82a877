//! How the kit fails: at once, with what it was doing, in the test that asked.

use std::fmt::Display;

/// Ends the test with a reason.
#[expect(clippy::panic, reason = "a test kit fails the test, and a panic is how a test fails")]
#[track_caller]
pub(crate) fn fail(reason: impl Display) -> ! {
    panic!("test kit: {reason}")
}

/// `expect` with the error in the text, for results and options.
pub(crate) trait OrFail<T> {
    /// The value, or the end of the test.
    fn or_fail(self, doing: impl Display) -> T;
}

impl<T, E: Display> OrFail<T> for Result<T, E> {
    #[track_caller]
    fn or_fail(self, doing: impl Display) -> T {
        match self {
            Ok(value) => value,
            Err(error) => fail(format_args!("{doing}: {error}")),
        }
    }
}

impl<T> OrFail<T> for Option<T> {
    #[track_caller]
    fn or_fail(self, doing: impl Display) -> T {
        match self {
            Some(value) => value,
            None => fail(doing),
        }
    }
}
