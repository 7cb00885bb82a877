//! The term codec against recorded terms, generated terms, real nodes and hostile bytes.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::wildcard_enum_match_arm,
    reason = "tests stop at the first surprise and say what it was"
)]

mod forms;
mod generate;
mod hostile;
mod live;
mod recorded;
mod round_trip;
