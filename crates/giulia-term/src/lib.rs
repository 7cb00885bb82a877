//! Erlang's external term format: what nodes send and what `.beam` files hold.
//!
//! What it refuses to do: IO, allocate before a length met its limit, follow nesting deeper than
//! its limit, panic.
//!
//! <https://www.erlang.org/doc/apps/erts/erl_ext_dist.html>
//!
//! Two ways to read. [`Reader`] pulls values straight into the caller's structs, without a
//! tree, for replies with many thousand elements. [`Term`] is a tree that borrows its leaves
//! from the bytes, for small answers and for everything we send. [`validate()`] only checks.
//!
//! What a peer can make us hold: [`validate()`], [`Reader::skip`] and the pulling methods
//! allocate nothing but the values they return. A tree needs at most 32 bytes in slots for
//! each byte of input (every announced element must be covered by a byte of its own before
//! its slot is allocated) and 40 with what the allocator adds, and never more than
//! [`Limits::tree_nodes_max`] nodes. Inflating stops at the declared size, which meets
//! [`Limits::inflated_bytes_max`] and the best ratio that deflate can reach first.
//!
//! ```
//! use giulia_term::{Reader, Term};
//!
//! let mut bytes = Vec::new();
//! Term::tuple([Term::atom("ok"), Term::list([Term::int(1), Term::int(1000)])]).encode(&mut bytes)?;
//! assert_eq!(Term::decode(&bytes)?.to_string(), "{ok,[1,1000]}");
//!
//! let mut reader = Reader::new(&bytes);
//! reader.tuple_of(2)?;
//! reader.expect_atom("ok")?;
//! assert_eq!(reader.integers()?, [1, 1000]);
//! reader.finish()?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod compressed;
mod cursor;
mod display;
mod encode;
mod error;
mod ids;
mod limits;
mod read_tree;
mod reader;
mod tag;
mod tree;
mod validate;

pub use encode::{EncodeError, EncodeErrorKind};
pub use error::{DecodeError, DecodeErrorKind};
pub use ids::{Node, Pid, Port, Reference};
pub use limits::Limits;
pub use reader::{Kind, List, Reader};
pub use tree::{BigInt, BitString, Export, Improper, Record, Term};
pub use validate::validate;
