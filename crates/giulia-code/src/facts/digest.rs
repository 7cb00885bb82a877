//! `Module:module_info(md5)`: the digest over the chunks that decide what the code does.

use md5::{Digest, Md5};

use crate::beam::Beam;

/// Chunks that count, in the order in which the compiler and `beam_lib:md5/1` take them.
const ESSENTIAL: [[u8; 4]; 9] =
    [*b"Atom", *b"AtU8", *b"Code", *b"StrT", *b"ImpT", *b"ExpT", *b"FunT", *b"LitT", *b"Meta"];

/// Bytes of an entry of the fun table; the last four, a digest of the whole, count as zeros.
const FUN_BYTES: usize = 24;

/// The digest of a module.
pub(super) fn digest(beam: &Beam<'_>) -> [u8; 16] {
    let mut sum = Md5::new();
    for name in ESSENTIAL {
        let Some(chunk) = beam.chunk(name) else { continue };
        if name != *b"FunT" {
            sum.update(chunk);
            continue;
        }
        let (count, entries) = chunk.split_at_checked(4).unwrap_or((chunk, &[]));
        sum.update(count);
        for entry in entries.chunks(FUN_BYTES) {
            sum.update(entry.get(..FUN_BYTES - 4).unwrap_or(entry));
            sum.update([0; 4]);
        }
    }
    sum.finalize().into()
}
