//! Frames of an established connection: ticks, messages, and fragments put together.
//!
//! <https://www.erlang.org/doc/apps/erts/erl_dist_protocol.html#protocol-between-connected-nodes>
//! and <https://www.erlang.org/doc/apps/erts/erl_ext_dist.html#distribution-header>
//!
//! We offer fragments and no atom cache. A node of OTP 23 to 29 then puts the distribution
//! header with zero cache references before every message (measured on 23, 25, 27 and 29),
//! and splits what is above 64 KiB, so that a large reply does not block small ones.

use std::collections::HashMap;

use bytes::{Buf as _, Bytes, BytesMut};

use crate::{ErrorKind, Limits, term::Reader};

/// A frame of length zero, which only says that its sender lives.
pub const TICK: [u8; 4] = [0; 4];

/// What follows is whole terms, each with its version byte: no distribution header.
const PASS_THROUGH: u8 = 112;
/// The version byte of terms and of distribution headers.
const VERSION: u8 = 131;
/// A whole message with a distribution header.
const DIST_HEADER: u8 = 68;
/// The first fragment of a message.
const DIST_FRAG_HEADER: u8 = 69;
/// Any later fragment.
const DIST_FRAG_CONT: u8 = 70;

/// What is kept of an oversized message: enough for the reference of a call.
const HEAD_BYTES: usize = 1 << 10;

/// How terms are wrapped on the way out; the negotiated flags decide.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Header {
    /// With a distribution header: fragments or an atom cache were negotiated.
    Distribution,
    /// Without.
    PassThrough,
}

/// What arrived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Incoming {
    /// The peer lives.
    Tick,
    /// A message: a control tuple, and what it carries (empty when it carries nothing).
    Message {
        /// The control tuple, without a version byte.
        control: Bytes,
        /// The term that it carries, without a version byte.
        payload: Bytes,
    },
    /// A fragmented message grew above a limit; the rest of it is dropped as it comes.
    Oversized {
        /// The control tuple, which says whom it was for.
        control: Bytes,
        /// The start of the term that it carries, cut off.
        head: Bytes,
        /// How many bytes had come.
        n_bytes: usize,
    },
}

/// Why a connection cannot go on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub struct FrameError {
    /// [`ErrorKind::Limit`] or [`ErrorKind::Protocol`].
    pub kind: ErrorKind,
    text: String,
}

/// Cuts a stream of bytes into messages; holds no more than its limits allow.
#[derive(Debug)]
pub struct FrameReader {
    buffer: BytesMut,
    sequences: HashMap<u64, Sequence>,
    fragmented_bytes: usize,
    limits: Limits,
}

/// A fragmented message under way.
#[derive(Debug)]
struct Sequence {
    /// The number of the fragment that must come next; they count down to 1.
    next: u64,
    /// `None` once it was given up as oversized.
    data: Option<BytesMut>,
}

/// The head of a fragment.
struct Fragment {
    sequence: u64,
    id: u64,
}

impl FrameReader {
    /// A reader; `rest` is what came after the handshake's last byte.
    pub fn new(limits: &Limits, rest: BytesMut) -> Self {
        Self {
            buffer: rest,
            sequences: HashMap::new(),
            fragmented_bytes: 0,
            limits: limits.clone(),
        }
    }

    /// Where to put arriving bytes.
    pub fn buffer(&mut self) -> &mut BytesMut {
        &mut self.buffer
    }

    /// Cuts off the next frame; `None`: more bytes are needed.
    ///
    /// # Errors
    ///
    /// An announced length above the limit, a frame or fragment that is not as specified.
    pub fn take(&mut self) -> Result<Option<Incoming>, FrameError> {
        loop {
            let Some(length) = self.buffer.first_chunk::<4>() else { return Ok(None) };
            let length = u32::from_be_bytes(*length);
            let length = usize::try_from(length).unwrap_or(usize::MAX);
            if length > self.limits.message_bytes_max {
                return Err(limit(format!(
                    "a frame of {length} bytes was announced, the limit is {}",
                    self.limits.message_bytes_max
                )));
            }
            if self.buffer.len() - 4 < length {
                return Ok(None);
            }
            self.buffer.advance(4);
            if length == 0 {
                return Ok(Some(Incoming::Tick));
            }
            let frame = self.buffer.split_to(length).freeze();
            if let Some(incoming) = self.frame(&frame)? {
                return Ok(Some(incoming));
            }
        }
    }

    /// Bytes held for messages that are not complete, the read buffer apart.
    pub fn fragmented_bytes(&self) -> usize {
        self.fragmented_bytes
    }

    /// `None`: a fragment, and its message is not complete.
    fn frame(&mut self, frame: &Bytes) -> Result<Option<Incoming>, FrameError> {
        match **frame {
            [PASS_THROUGH, VERSION, ..] => pass_through(frame.slice(2..)).map(Some),
            [VERSION, DIST_HEADER, 0, ..] => message(frame.slice(3..)).map(Some),
            [VERSION, DIST_FRAG_HEADER, ..] => self.first_fragment(frame.slice(2..)),
            [VERSION, DIST_FRAG_CONT, ..] => self.next_fragment(frame.slice(2..)),
            [VERSION, DIST_HEADER, n_refs, ..] => {
                Err(protocol(format!("{n_refs} atom cache references, and no cache was agreed on")))
            }
            [first, ..] => Err(protocol(format!("a frame starts with the byte {first}"))),
            [] => Err(protocol("a frame is empty".to_owned())),
        }
    }

    fn first_fragment(&mut self, mut rest: Bytes) -> Result<Option<Incoming>, FrameError> {
        let fragment = fragment(&mut rest)?;
        match rest.try_get_u8() {
            Ok(0) => {}
            Ok(n_refs) => {
                return Err(protocol(format!(
                    "a fragment has {n_refs} atom cache references, and no cache was agreed on"
                )));
            }
            Err(_) => return Err(protocol("a fragment ends in its header".to_owned())),
        }
        if self.sequences.contains_key(&fragment.sequence) {
            return Err(protocol("a fragmented message starts twice".to_owned()));
        }
        match fragment.id {
            0 => return Err(protocol("a fragment has the number 0".to_owned())),
            1 => return message(rest).map(Some),
            _ => {}
        }
        if self.sequences.len() >= self.limits.fragmented_max {
            return Err(limit(format!(
                "more than {} fragmented messages are under way at once",
                self.limits.fragmented_max
            )));
        }
        let sequence = Sequence { next: fragment.id, data: Some(BytesMut::new()) };
        self.sequences.insert(fragment.sequence, sequence);
        self.append(&fragment, &rest)
    }

    fn next_fragment(&mut self, mut rest: Bytes) -> Result<Option<Incoming>, FrameError> {
        let fragment = fragment(&mut rest)?;
        self.append(&fragment, &rest)
    }

    fn append(
        &mut self,
        fragment: &Fragment,
        bytes: &[u8],
    ) -> Result<Option<Incoming>, FrameError> {
        let Some(sequence) = self.sequences.get_mut(&fragment.sequence) else {
            return Err(protocol("a fragment belongs to no message".to_owned()));
        };
        if sequence.next != fragment.id {
            return Err(protocol(format!(
                "fragment {} came where {} was due",
                fragment.id, sequence.next
            )));
        }
        sequence.next -= 1;
        let is_last = sequence.next == 0;
        let mut given_up = None;
        if let Some(data) = &mut sequence.data {
            let n_bytes = data.len() + bytes.len();
            let n_held = self.fragmented_bytes + bytes.len();
            if n_bytes > self.limits.message_bytes_max || n_held > self.limits.fragmented_bytes_max
            {
                self.fragmented_bytes -= data.len();
                // A first fragment that is above the limit by itself still has its control.
                if data.is_empty() {
                    data.extend_from_slice(bytes);
                }
                given_up = Some((std::mem::take(data), n_bytes));
                sequence.data = None;
            } else {
                data.extend_from_slice(bytes);
                self.fragmented_bytes = n_held;
            }
        }
        if !is_last {
            return given_up.map(|(data, n_bytes)| oversized(&data, n_bytes)).transpose();
        }
        let whole = self.sequences.remove(&fragment.sequence).and_then(|it| it.data);
        match (given_up, whole) {
            (Some((data, n_bytes)), _) => oversized(&data, n_bytes).map(Some),
            (None, Some(data)) => {
                self.fragmented_bytes -= data.len();
                message(data.freeze()).map(Some)
            }
            (None, None) => Ok(None),
        }
    }
}

/// A frame with one message, ready to write; `control` and `payload` without version bytes.
pub fn encode(header: Header, control: &[u8], payload: Option<&[u8]>) -> Vec<u8> {
    let payload_length = payload.map_or(0, <[u8]>::len);
    let mut frame = Vec::with_capacity(control.len() + payload_length + 8);
    frame.extend_from_slice(&TICK);
    match header {
        Header::Distribution => frame.extend_from_slice(&[VERSION, DIST_HEADER, 0]),
        Header::PassThrough => frame.extend_from_slice(&[PASS_THROUGH, VERSION]),
    }
    frame.extend_from_slice(control);
    if let Some(payload) = payload {
        if header == Header::PassThrough {
            frame.push(VERSION);
        }
        frame.extend_from_slice(payload);
    }
    // Requests are far below 4 GiB: callers refuse what is above 64 KiB.
    let length = u32::try_from(frame.len() - 4).unwrap_or(u32::MAX);
    if let Some(prefix) = frame.first_chunk_mut::<4>() {
        *prefix = length.to_be_bytes();
    }
    frame
}

fn pass_through(terms: Bytes) -> Result<Incoming, FrameError> {
    let (control, mut payload) = split_control(terms)?;
    match payload.try_get_u8() {
        Ok(VERSION) | Err(_) => Ok(Incoming::Message { control, payload }),
        Ok(other) => Err(protocol(format!("a message starts with {other} in place of {VERSION}"))),
    }
}

fn message(terms: Bytes) -> Result<Incoming, FrameError> {
    let (control, payload) = split_control(terms)?;
    Ok(Incoming::Message { control, payload })
}

fn oversized(terms: &[u8], n_bytes: usize) -> Result<Incoming, FrameError> {
    // Copies, so that the large rest is freed.
    let (control, payload) = split_control_at(terms)?;
    let head = payload.get(..HEAD_BYTES).unwrap_or(payload);
    Ok(Incoming::Oversized {
        control: Bytes::copy_from_slice(control),
        head: Bytes::copy_from_slice(head),
        n_bytes,
    })
}

fn split_control(mut terms: Bytes) -> Result<(Bytes, Bytes), FrameError> {
    let length = split_control_at(&terms)?.0.len();
    let control = terms.split_to(length);
    Ok((control, terms))
}

fn split_control_at(terms: &[u8]) -> Result<(&[u8], &[u8]), FrameError> {
    let mut reader = Reader::new(terms);
    reader.skip().map_err(|it| protocol(format!("the control message is not a term: {it}")))?;
    let (control, rest) = terms.split_at_checked(reader.position()).unwrap_or((terms, &[]));
    Ok((control, rest))
}

fn fragment(rest: &mut Bytes) -> Result<Fragment, FrameError> {
    let short = |_| protocol("a fragment ends in its header".to_owned());
    let sequence = rest.try_get_u64().map_err(short)?;
    let id = rest.try_get_u64().map_err(short)?;
    Ok(Fragment { sequence, id })
}

fn protocol(text: String) -> FrameError {
    FrameError { kind: ErrorKind::Protocol, text }
}

fn limit(text: String) -> FrameError {
    FrameError { kind: ErrorKind::Limit, text }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONTROL: &[u8] = &[104, 1, 97, 5];

    fn limits() -> Limits {
        Limits {
            message_bytes_max: 1_000,
            fragmented_max: 2,
            fragmented_bytes_max: 1_500,
            ..Limits::default()
        }
    }

    fn reader(bytes: &[u8]) -> FrameReader {
        FrameReader::new(&limits(), BytesMut::from(bytes))
    }

    fn wrapped(body: &[u8]) -> Vec<u8> {
        let mut frame = u32::try_from(body.len()).unwrap().to_be_bytes().to_vec();
        frame.extend_from_slice(body);
        frame
    }

    /// A fragment of sequence `sequence`; the first of a message has a control.
    fn piece(sequence: u64, id: u64, is_first: bool, data: &[u8]) -> Vec<u8> {
        let mut body = vec![VERSION, if is_first { DIST_FRAG_HEADER } else { DIST_FRAG_CONT }];
        body.extend(sequence.to_be_bytes());
        body.extend(id.to_be_bytes());
        if is_first {
            body.push(0);
            body.extend(CONTROL);
        }
        body.extend(data);
        wrapped(&body)
    }

    fn message_of(incoming: Option<Incoming>) -> (Vec<u8>, Vec<u8>) {
        match incoming {
            Some(Incoming::Message { control, payload }) => (control.to_vec(), payload.to_vec()),
            other => panic!("no message: {other:?}"),
        }
    }

    #[test]
    fn what_is_encoded_is_read_back_byte_by_byte() {
        for header in [Header::Distribution, Header::PassThrough] {
            for payload in [None, Some(&[97, 7][..])] {
                let frame = encode(header, CONTROL, payload);
                let mut reader = reader(&[]);
                for (idx, byte) in frame.iter().enumerate() {
                    assert_eq!(reader.take(), Ok(None), "{idx}");
                    reader.buffer().extend_from_slice(&[*byte]);
                }
                let (control, read) = message_of(reader.take().unwrap());
                assert_eq!(control, CONTROL);
                assert_eq!(read, payload.unwrap_or_default());
            }
        }
    }

    #[test]
    fn a_tick_is_an_empty_frame() {
        assert_eq!(reader(&TICK).take(), Ok(Some(Incoming::Tick)));
    }

    #[test]
    fn four_gib_announced_are_refused_without_room_for_them() {
        let mut reader = reader(&[0xff; 4]);
        assert_eq!(reader.take().unwrap_err().kind, ErrorKind::Limit);
        assert!(reader.buffer.capacity() < 1_024);
    }

    #[test]
    fn interleaved_fragments_are_put_together() {
        let mut bytes = piece(1, 2, true, &[109, 0, 0]);
        bytes.extend(piece(2, 3, true, &[109]));
        bytes.extend(piece(1, 1, false, &[0, 1, b'a']));
        bytes.extend(piece(2, 2, false, &[0, 0, 0]));
        bytes.extend(piece(2, 1, false, &[1, b'b']));
        let mut reader = reader(&bytes);
        let (control, payload) = message_of(reader.take().unwrap());
        assert_eq!((&control[..], &payload[..]), (CONTROL, &[109, 0, 0, 0, 1, b'a'][..]));
        let (_, payload) = message_of(reader.take().unwrap());
        assert_eq!(payload, [109, 0, 0, 0, 1, b'b']);
        assert_eq!(reader.take(), Ok(None));
        assert_eq!((reader.fragmented_bytes, reader.sequences.len()), (0, 0));
    }

    #[test]
    fn an_oversized_message_is_reported_once_and_dropped_as_it_comes() {
        let mut reader = reader(&piece(1, 5, true, &[0; 600]));
        assert_eq!(reader.take(), Ok(None));
        reader.buffer().extend(piece(1, 4, false, &[0; 600]));
        let head = vec![0; 600].into();
        let expect = Incoming::Oversized { control: CONTROL.to_vec().into(), head, n_bytes: 1_204 };
        assert_eq!(reader.take(), Ok(Some(expect)));
        assert_eq!(reader.fragmented_bytes, 0);
        for id in [3, 2, 1] {
            reader.buffer().extend(piece(1, id, false, &[0; 900]));
            assert_eq!(reader.take(), Ok(None));
            assert_eq!(reader.fragmented_bytes, 0);
        }
        // The number may be used again, and other messages go on.
        reader.buffer().extend(piece(1, 1, true, &[97, 1]));
        message_of(reader.take().unwrap());
    }

    #[test]
    fn messages_under_way_share_a_limit() {
        let mut reader = reader(&piece(1, 3, true, &[0; 900]));
        assert_eq!(reader.take(), Ok(None));
        reader.buffer().extend(piece(2, 3, true, &[0; 900]));
        assert!(matches!(reader.take(), Ok(Some(Incoming::Oversized { n_bytes: 904, .. }))));
        reader.buffer().extend(piece(3, 3, true, &[]));
        assert_eq!(reader.take().unwrap_err().kind, ErrorKind::Limit);
    }

    #[test]
    fn what_is_not_as_specified_ends_the_connection() {
        let bodies: [&[u8]; 8] = [
            &[1],
            &[VERSION],
            &[VERSION, DIST_HEADER],
            &[VERSION, DIST_HEADER, 3, 0, 0, 0],
            &[VERSION, DIST_HEADER, 0, 104, 255, 1],
            &[PASS_THROUGH, VERSION, 106, 99],
            &[VERSION, DIST_FRAG_HEADER, 0, 0],
            &[VERSION, DIST_FRAG_CONT, 0],
        ];
        for body in bodies {
            let error = reader(&wrapped(body)).take().unwrap_err();
            assert_eq!(error.kind, ErrorKind::Protocol, "{body:?}");
        }
        let first = piece(7, 3, true, &[]);
        for second in [
            piece(7, 3, false, &[]),
            piece(7, 1, false, &[]),
            piece(8, 2, false, &[]),
            piece(7, 3, true, &[]),
            piece(9, 0, true, &[]),
        ] {
            let error = reader(&[first.clone(), second].concat()).take().unwrap_err();
            assert_eq!(error.kind, ErrorKind::Protocol);
        }
    }
}
