//! Compressed terms (tag 80): inflated up to their declared size, which is checked first.
//!
//! <https://www.erlang.org/doc/apps/erts/erl_ext_dist.html#overall_format>

use flate2::{Decompress, FlushDecompress, Status};

use super::{
    DecodeErrorKind::{Compressed, Limit},
    cursor::Cursor,
    error::DecodeError,
    limits::Limits,
};

/// Output bytes that one input byte of deflate can stand for at best (258 bytes a match of
/// two bits), <https://www.zlib.net/zlib_tech.html>. A declared size above it is a lie.
const RATIO_MAX: usize = 1032;

/// Inflates what follows the tag into `out`, all of it or an error.
pub(super) fn inflate(
    cursor: &mut Cursor<'_>,
    limits: &Limits,
    out: &mut Vec<u8>,
) -> Result<(), DecodeError> {
    let start = cursor.position();
    let declared = usize::try_from(cursor.u32()?).unwrap_or(usize::MAX);
    if declared > limits.inflated_bytes_max {
        let most = limits.inflated_bytes_max;
        let text = format!("a compressed term declares {declared} bytes, {most} are allowed");
        return Err(DecodeError::new(Limit, start, text));
    }
    let input = cursor.rest();
    if declared.div_ceil(RATIO_MAX) > input.len() {
        return Err(mismatch(start, declared));
    }
    out.clear();
    // `decompress_vec` writes into spare capacity and never grows it.
    out.reserve_exact(declared);
    // One byte more would be seen as spare capacity if the allocator rounded up.
    let mut state = Decompress::new(true);
    let status = state.decompress_vec(input, out, FlushDecompress::Finish);
    let used = usize::try_from(state.total_in()).unwrap_or(usize::MAX);
    if !matches!(status, Ok(Status::StreamEnd)) || out.len() != declared || used != input.len() {
        out.clear();
        return Err(mismatch(start, declared));
    }
    cursor.take(used).map(|_| ())
}

#[cold]
fn mismatch(start: usize, declared: usize) -> DecodeError {
    let text = format!("a compressed term does not inflate to the {declared} bytes it declares");
    DecodeError::new(Compressed, start, text)
}
