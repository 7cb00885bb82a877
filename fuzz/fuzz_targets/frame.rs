//! Arbitrary streams of frames, in arbitrary pieces.
//!
//! What must hold: nothing panics; never more is held than the limits allow; and the pieces
//! that bytes come in change nothing.
#![no_main]

use bytes::BytesMut;
use giulia_dist::{
    Limits,
    frame::{FrameError, FrameReader, Incoming},
};
use libfuzzer_sys::fuzz_target;

fn limits() -> Limits {
    Limits {
        message_bytes_max: 256,
        fragmented_max: 4,
        fragmented_bytes_max: 512,
        ..Limits::default()
    }
}

fn all(reader: &mut FrameReader, out: &mut Vec<Incoming>) -> Result<(), FrameError> {
    while let Some(incoming) = reader.take()? {
        assert!(reader.fragmented_bytes() <= 512);
        out.push(incoming);
    }
    assert!(reader.fragmented_bytes() <= 512);
    Ok(())
}

fuzz_target!(|bytes: &[u8]| {
    let Some((step, stream)) = bytes.split_first() else { return };
    let mut at_once = Vec::new();
    let whole = all(&mut FrameReader::new(&limits(), BytesMut::from(stream)), &mut at_once);
    let mut reader = FrameReader::new(&limits(), BytesMut::new());
    let mut in_pieces = Vec::new();
    let mut result = Ok(());
    for piece in stream.chunks(usize::from(*step) + 1) {
        reader.buffer().extend_from_slice(piece);
        result = all(&mut reader, &mut in_pieces);
        if result.is_err() {
            break;
        }
    }
    assert_eq!(whole, result);
    assert_eq!(at_once, in_pieces);
});
