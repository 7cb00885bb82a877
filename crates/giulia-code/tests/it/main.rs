//! The reader of bytecode against OTP's own tools, on the modules of real installations.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::cast_precision_loss,
    clippy::print_stdout,
    reason = "tests stop at the first surprise and say what it was"
)]

mod corpus;
mod disassembled;
mod elixir;
mod erlang_source;
mod graph;
mod graph_truth;
mod hostile;
mod hostile_source;
mod linking;
mod speed;
mod xref;
