//! What a session is made of: bytes with a kind and a time, compressed one by one.
//!
//! One by one, because a record must be on disk when the next one begins, and because a report
//! reads the marks of a session without reading its ticks.

use std::{fmt, io};

use zstd::bulk;

use crate::{Error, ErrorKind, rows::Raw};

/// Largest body of a record, in bytes before compression. A tick of a large node has 20 KB; the
/// stacks of all processes of one with 200,000 have some 10 MB.
pub const BODY_BYTES_MAX: usize = 32 << 20;

/// The level of zstd. Measured with `examples/measure.rs` on ticks of a node of 450 processes,
/// 20,200 bytes of JSON each: 3,290 bytes alone; leaning on another tick 1,100 bytes and 47 µs
/// at level 3, 1,090 and 129 µs at 6, 1,000 and 220 µs at 9.
const LEVEL: i32 = 3;

/// Ticks that share a base, which stands alone. With 60 the bases are 5 % of all; fewer would
/// save no more than that, and a damaged base takes those that lean on it along, a minute of
/// one a second.
const TICKS_A_BASE: u32 = 60;

/// Largest body that others lean on, in bytes: reading one of them unpacks it first.
const BASE_BYTES_MAX: usize = 1 << 20;

/// What a record is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Kind {
    /// A snapshot.
    Tick,
    /// Something that happened.
    Mark,
    /// What was counted or traced.
    Trace,
    /// What was asked beside the ticks.
    Answer,
    /// What the database behind the node said.
    Database,
}

/// One entry of a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Its place in the session, from 0.
    pub seq: u64,
    /// Milliseconds from the start of the session.
    pub at_ms: u64,
    /// What it is about.
    pub kind: Kind,
    /// What its owner encoded.
    pub body: Vec<u8>,
}

impl Kind {
    /// All of them.
    pub const ALL: &[Self] = &[Self::Tick, Self::Mark, Self::Trace, Self::Answer, Self::Database];

    /// Its name on disk.
    pub fn name(self) -> &'static str {
        match self {
            Self::Tick => "tick",
            Self::Mark => "mark",
            Self::Trace => "trace",
            Self::Answer => "answer",
            Self::Database => "database",
        }
    }

    /// The kind of this name; none for one that a later giulia invented.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|it| it.name() == name)
    }
}

/// A body as it is stored.
#[derive(Debug, Clone)]
pub(crate) struct Packed {
    /// A zstd frame that says its size and carries a checksum.
    pub(crate) body: Vec<u8>,
    /// The record whose body is the dictionary; none for one that stands alone.
    pub(crate) base: Option<u64>,
}

/// Packs the records of one session, in order.
pub(crate) struct Packer {
    alone: bulk::Compressor<'static>,
    leaning: bulk::Compressor<'static>,
    base: u64,
    /// Ticks that may still lean on the base.
    n_left: u32,
}

/// Unpacks records of one session; those of one base after another cost least.
pub(crate) struct Unpacker {
    unpacker: bulk::Decompressor<'static>,
    base: Option<u64>,
}

impl fmt::Debug for Packer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Packer").field("base", &self.base).finish_non_exhaustive()
    }
}

impl Packer {
    pub(crate) fn new() -> Result<Self, Error> {
        let packer = || {
            let mut it = bulk::Compressor::new(LEVEL)?;
            it.include_checksum(true)?;
            Ok(it)
        };
        let failed = |it| not_packed(&it);
        let (alone, leaning) = (packer().map_err(failed)?, packer().map_err(failed)?);
        Ok(Self { alone, leaning, base: 0, n_left: 0 })
    }

    /// Packs the record `seq`: a tick leans on one before it, or becomes a base itself.
    pub(crate) fn pack(&mut self, kind: &str, seq: u64, body: &[u8]) -> Result<Packed, Error> {
        if body.len() > BODY_BYTES_MAX {
            let text = format!(
                "keeping a record of {} bytes: more than {BODY_BYTES_MAX}; it was not kept",
                body.len()
            );
            return Err(Error::new(ErrorKind::TooLarge, text));
        }
        let failed = |it| not_packed(&it);
        let may_lean = kind == Kind::Tick.name() && body.len() <= BASE_BYTES_MAX;
        if may_lean && self.n_left > 0 {
            self.n_left -= 1;
            let body = compress(&mut self.leaning, body).map_err(failed)?;
            return Ok(Packed { body, base: Some(self.base) });
        }
        if may_lean && !body.starts_with(&zstd::zstd_safe::MAGIC_DICTIONARY.to_le_bytes()) {
            self.leaning.set_dictionary(LEVEL, body).map_err(failed)?;
            (self.base, self.n_left) = (seq, TICKS_A_BASE - 1);
        }
        Ok(Packed { body: compress(&mut self.alone, body).map_err(failed)?, base: None })
    }

    /// The last record was not kept after all: nothing may lean on it.
    pub(crate) fn forget(&mut self) {
        self.n_left = 0;
    }
}

impl Unpacker {
    pub(crate) fn new() -> Result<Self, Error> {
        let unpacker = bulk::Decompressor::new().map_err(|it| {
            Error::new(ErrorKind::Io, format!("unpacking records: {it}; is there memory left?"))
        })?;
        Ok(Self { unpacker, base: None })
    }

    /// The body, or why it cannot be had; `find` brings the record that this one leans on.
    pub(crate) fn unpack(
        &mut self,
        raw: &Raw,
        find: impl FnOnce(u64) -> Result<Raw, String>,
    ) -> Result<Vec<u8>, String> {
        let packed = raw.checked()?;
        if self.base != packed.base {
            self.base = None;
            self.unpacker.set_dictionary(&[]).map_err(|it| it.to_string())?;
            if let Some(base) = packed.base {
                let body = self
                    .unpack_base(base, find)
                    .map_err(|it| format!("it leans on record {base}: {it}"))?;
                self.unpacker.set_dictionary(&body).map_err(|it| it.to_string())?;
                self.base = Some(base);
            }
        }
        self.expand(&packed.body)
    }

    fn unpack_base(
        &mut self,
        base: u64,
        find: impl FnOnce(u64) -> Result<Raw, String>,
    ) -> Result<Vec<u8>, String> {
        let found = find(base)?;
        let packed = found.checked()?;
        if packed.base.is_some() {
            Err("which leans on another one".to_owned())
        } else {
            self.expand(&packed.body)
        }
    }

    fn expand(&mut self, body: &[u8]) -> Result<Vec<u8>, String> {
        let size = zstd::zstd_safe::get_frame_content_size(body).ok().flatten();
        let size =
            size.and_then(|it| usize::try_from(it).ok()).ok_or("it does not say its size")?;
        if size > BODY_BYTES_MAX {
            return Err(format!("it says it has {size} bytes, more than {BODY_BYTES_MAX}"));
        }
        self.unpacker.decompress(body, size).map_err(|it| it.to_string())
    }
}

/// Without the room that zstd asked for: held records are counted by what they say.
fn compress(packer: &mut bulk::Compressor<'static>, body: &[u8]) -> io::Result<Vec<u8>> {
    let mut frame = packer.compress(body)?;
    frame.shrink_to_fit();
    Ok(frame)
}

fn not_packed(error: &io::Error) -> Error {
    Error::new(ErrorKind::Io, format!("packing a record: {error}; it was not kept"))
}
