//! A `.beam` file: its chunks, the tables in them, and the code that refers to the tables.
//!
//! <https://www.erlang.org/doc/apps/stdlib/beam_lib.html> names the chunks. What a file can
//! make us hold: a table needs at most 24 bytes for each byte of its chunk, because every
//! announced entry must be covered by bytes of its own before its slot is allocated; calls
//! need at most 32 bytes for each byte of code; inflating stops at [`UNPACKED_BYTES_MAX`].

mod bytes;
mod code;
mod file;
mod lines;
mod literals;
mod opcodes;
mod operand;

pub use code::{Call, Callee, Code, Function};
pub use file::{Beam, Fun, Import, UNPACKED_BYTES_MAX, unpack};
pub use lines::Lines;
pub use literals::Literals;
pub use opcodes::opcode;
