//! What code says: facts from bytecode, on the way to a graph.
//!
//! Bytes go in, facts come out: a `.beam` file of OTP 23 to 29, from a build or fetched from a
//! node, is read by a reader of our own. [`loops()`] says which functions never return to a traced
//! caller; [`facts()`] says what a module has and calls, from the debug information that compilers
//! leave (Erlang's abstract code, Elixir's expanded definitions) and from the bytecode, each call
//! with who says so.
//!
//! What it refuses to do: open a file, read a clock, fail on broken code (what cannot be read
//! is a [`Problem`] beside what can), believe a length, recurse as deep as its input nests.
//!
//! ```
//! # let file: &[u8] = include_bytes!("../../../fixtures/beam/spin.beam");
//! // -module(spin). -export([down/1, other/1, ...]).
//! // down(0) -> ok;
//! // down(N) -> down(N - 1).
//! // other(It) -> lists:reverse(It).
//! let (name, arity, down) = giulia_code::loops(file)?.swap_remove(0);
//! assert_eq!((name.as_str(), arity, down.is_loop()), ("down", 1, true));
//!
//! let facts = giulia_code::facts(file)?;
//! let other = facts.functions.iter().find(|it| it.name == "other").unwrap();
//! let call = other.calls[0];
//! assert_eq!(facts.targets[call.to as usize].to_string(), "lists:reverse/1");
//! assert_eq!((call.origin, call.line), (giulia_code::Origin::Both, Some(22)));
//! # Ok::<(), giulia_code::Problem>(())
//! ```

mod beam;
mod components;
mod ets;
mod facts;
pub mod graph;
mod loops;
mod problem;
pub mod source;

pub use beam::{
    Beam, Call, Callee, Code, Fun, Function, Import, Lines, Literals, UNPACKED_BYTES_MAX, opcode,
    unpack,
};
use ets::ets_use;
pub use facts::{
    CallFacts, CallbackFacts, Facts, FactsReader, FunctionFacts, How, Origin, Record, facts,
};
pub use loops::{Loop, loops};
pub use problem::{Problem, ProblemKind};
