//! The connection against peers that misbehave: stand-ins on loopback, no Erlang needed.
//!
//! Every test here has a deadline of its own in what it asks of the client, because "an error
//! before the deadline" is the promise under test.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "tests stop at the first surprise and say what it was"
)]

mod dialling;
mod established;
mod peer;
