//! The terms that the code holds ready: compressed up to OTP 27, as they are since OTP 28.

use std::{borrow::Cow, io::Read};

use super::{bytes::Bytes, file::UNPACKED_BYTES_MAX};
use crate::problem::{Problem, ProblemKind};

/// The literals of a module.
#[derive(Debug, Clone, Default)]
pub struct Literals<'a> {
    // A count, then each with its length.
    table: Cow<'a, [u8]>,
}

impl<'a> Literals<'a> {
    /// Reads the literal chunk.
    pub(super) fn read(chunk: &'a [u8]) -> Result<Self, Problem> {
        let mut bytes = Bytes::new("LitT", chunk);
        let declared = bytes.u32()?;
        // <https://github.com/erlang/otp/pull/8940>: a size of nothing says that it is no packed one.
        if declared == 0 {
            return Ok(Self { table: Cow::Borrowed(bytes.rest()) });
        }
        let size = usize::try_from(declared).unwrap_or(usize::MAX);
        if size > UNPACKED_BYTES_MAX {
            let text = format!("literals of more than {UNPACKED_BYTES_MAX} bytes");
            return Err(Problem::new(ProblemKind::Limit, text));
        }
        let mut table = Vec::new();
        let packed = flate2::read::ZlibDecoder::new(bytes.rest());
        // One more than declared, to see whether there is more.
        let read = packed.take(u64::from(declared) + 1).read_to_end(&mut table);
        if read.is_err() || table.len() != size {
            let text = "literals that do not inflate to what they declare";
            return Err(bytes.problem(ProblemKind::Compressed, text));
        }
        Ok(Self { table: Cow::Owned(table) })
    }

    /// Each literal's bytes; the first is number 0.
    ///
    /// # Errors
    /// When the table is not whole.
    pub fn each(&self) -> Result<Vec<&[u8]>, Problem> {
        if self.table.is_empty() {
            return Ok(Vec::new());
        }
        let mut bytes = Bytes::new("LitT", &self.table);
        let count = bytes.count(4)?;
        (0..count)
            .map(|_| {
                let len = bytes.count(1)?;
                bytes.take(len)
            })
            .collect()
    }
}
