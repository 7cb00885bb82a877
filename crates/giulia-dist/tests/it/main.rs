//! The connection against peers that misbehave: stand-ins on loopback, no Erlang needed.
//!
//! Every test here has a deadline of its own in what it asks of the client, because "an error
//! before the deadline" is the promise under test.

mod dialling;
mod established;
mod peer;
