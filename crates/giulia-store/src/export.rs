//! A session as one file: a line that says what it is, then one compressed, checked stream.
//!
//! ```text
//! giulia.export/1 VERSION\n        VERSION: the giulia that wrote it
//! one zstd frame with a checksum:
//!   head      u32 length, JSON
//!   record *  u8 length and name of the kind, u64 seq, u64 at_ms, u32 length and body
//!   end       u8 0, u64 number of records
//! ```
//!
//! All numbers are little-endian. What is read was written by anybody: a length meets a limit
//! and the bytes at hand before it meets memory, and the store is touched by one transaction
//! after everything was read.

use std::{
    fs::OpenOptions,
    io::{self, BufRead, BufReader, BufWriter, Read, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

use giulia_model::Session;
use rusqlite::{Connection, TransactionBehavior};

use crate::{
    BODY_BYTES_MAX, Error, ErrorKind, Store,
    record::{Packer, Unpacker},
    rows::{self, Raw},
    schema,
    store::check_name,
    writer,
};

const MAGIC: &str = "giulia.export/";
const VERSION: u32 = 1;

/// Level of zstd for the whole stream: each record is also a copy of the one before it.
const LEVEL: i32 = 3;

/// Longest first line, in bytes.
const LINE_BYTES_MAX: u64 = 128;

/// Largest head, in bytes: the facts of a node and a manifest take a few KB.
const HEAD_BYTES_MAX: usize = 4 << 20;

/// Longest name of a kind, in bytes.
const KIND_BYTES_MAX: usize = 32;

/// Most bytes that a reader keeps to go back to, as a power of two: 8 MB, what level 3 needs
/// and some more.
const WINDOW_LOG_MAX: u32 = 23;

/// Most bytes of all bodies together: two days of one tick of 20 KB a second are 3.5 GB.
const TOTAL_BYTES_MAX: u64 = 32 << 30;

/// Most records: four months of one a second.
const RECORDS_MAX: u64 = 10_000_000;

/// Records that an export reads at once.
const PAGE: usize = 256;

impl Store {
    /// Writes a session, with all it recorded, as one stream.
    ///
    /// # Errors
    /// `NoSession`, `Corrupt` with the first damaged record, `Full`, `Io`.
    pub fn export(&self, name: &str, to: impl Write) -> Result<(), Error> {
        let session = self.find(name)?.session;
        write_export(self, &session, &[], to).map(drop)
    }

    /// Adds a session from what [`Store::export`] wrote, under its name or another one.
    ///
    /// # Errors
    /// `NotAnExport` for what is damaged, cut or no export, `Newer`, `NameTaken`, `TooLarge`,
    /// `ReadOnly`, `Full`, `Locked`, `Io`. Then nothing was added.
    pub fn import(&self, from: impl Read, rename: Option<&str>) -> Result<Session, Error> {
        self.must_write("importing into")?;
        let path = &self.inner.path;
        let failed = |it| Error::sqlite("importing into", path, it);
        let mut db = schema::open_again(path)?;
        // Read first, then add at once: a slow pipe must not keep others from recording.
        db.execute_batch(rows::STAGING).and_then(|()| db.execute_batch("BEGIN")).map_err(failed)?;
        let mut packer = Packer::new()?;
        let mut session = read_export(from, |it| stage(&db, path, &mut packer, it))?;
        db.execute_batch("COMMIT").map_err(failed)?;
        if let Some(name) = rename {
            name.clone_into(&mut session.name);
        }
        check_name(&session.name)?;
        let change =
            db.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failed)?;
        let id = writer::insert_session(&change, path, &session, None)?;
        rows::unstage(&change, id).map_err(failed)?;
        change.commit().map_err(failed)?;
        Ok(self.find(&session.name)?.session)
    }
}

/// What session an export holds, read to its end as an import reads it, without a store.
///
/// # Errors
/// `NotAnExport`, `Newer`, `TooLarge`.
pub fn inspect(from: impl Read) -> Result<Session, Error> {
    read_export(from, |_| Ok(()))
}

/// A record as it travels.
pub(crate) struct Loose {
    seq: u64,
    at_ms: u64,
    kind: String,
    body: Vec<u8>,
}

fn stage(db: &Connection, path: &Path, packer: &mut Packer, it: Loose) -> Result<(), Error> {
    let ready = packer.pack(&it.kind, it.seq, &it.body)?;
    rows::stage(db, &Raw::new(it.seq, it.at_ms, it.kind.into(), ready))
        .map_err(|it| Error::sqlite("importing into", path, it))
}

/// Everything that the store has of a session and what it could not take, to a new file; how
/// many records came from the store.
pub(crate) fn rescue(
    store: &Store,
    session: &Session,
    held: &[Raw],
    path: &Path,
) -> Result<u64, Error> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(0o600);
    let file = options.open(path).map_err(|it| Error::io("writing", path, it))?;
    write_export(store, session, held, file)
}

fn write_export(
    store: &Store,
    session: &Session,
    held: &[Raw],
    to: impl Write,
) -> Result<u64, Error> {
    let failed = |it: io::Error| {
        let kind = crate::error::io_kind(&it);
        Error::new(kind, format!("exporting session {}: {it}; nothing was changed", session.name))
    };
    let mut to = BufWriter::new(to);
    writeln!(to, "{MAGIC}{VERSION} {}", env!("CARGO_PKG_VERSION")).map_err(failed)?;
    let mut to = zstd::Encoder::new(to, LEVEL).map_err(failed)?;
    to.include_checksum(true).map_err(failed)?;
    write_sized(&mut to, writer::encode(session)?.as_bytes()).map_err(failed)?;
    let (id, mut after, mut n_stored) = (store.head(&session.name)?.id, None, 0);
    let mut unpacker = Unpacker::new()?;
    loop {
        let page = store.read("reading", |db| rows::select(db, id, &[], after, PAGE))?;
        for it in &page {
            let body = unpacker
                .unpack(it, |base| store.row(id, base))
                .map_err(|why| damaged(session, it.seq, &why))?;
            write_record(&mut to, it.seq, it.at_ms, &it.kind, &body).map_err(failed)?;
            n_stored += 1;
            after = Some(it.seq);
        }
        if page.len() < PAGE {
            break;
        }
    }
    for it in held {
        let find = |base| {
            let found = held.iter().find(|it| it.seq == base).cloned();
            found.map_or_else(|| store.row(id, base), Ok)
        };
        let body = unpacker.unpack(it, find).map_err(|why| damaged(session, it.seq, &why))?;
        write_record(&mut to, it.seq, it.at_ms, &it.kind, &body).map_err(failed)?;
    }
    to.write_all(&[0]).map_err(failed)?;
    to.write_all(&(n_stored + held.len() as u64).to_le_bytes()).map_err(failed)?;
    let mut to = to.finish().map_err(failed)?;
    to.flush().map_err(failed)?;
    Ok(n_stored)
}

fn damaged(session: &Session, seq: u64, why: &str) -> Error {
    let text = format!(
        "exporting session {}: record {seq} is damaged ({why}); the others can still be read \
         here, an export would not be whole",
        session.name
    );
    Error::new(ErrorKind::Corrupt, text)
}

fn write_record(
    to: &mut impl Write,
    seq: u64,
    at_ms: u64,
    kind: &str,
    body: &[u8],
) -> io::Result<()> {
    to.write_all(&[u8::try_from(kind.len()).map_err(io::Error::other)?])?;
    to.write_all(kind.as_bytes())?;
    to.write_all(&seq.to_le_bytes())?;
    to.write_all(&at_ms.to_le_bytes())?;
    write_sized(to, body)
}

fn write_sized(to: &mut impl Write, bytes: &[u8]) -> io::Result<()> {
    to.write_all(&u32::try_from(bytes.len()).map_err(io::Error::other)?.to_le_bytes())?;
    to.write_all(bytes)
}

/// Reads a stream to its end and hands over each record; the head, once all of it was sound.
pub(crate) fn read_export(
    from: impl Read,
    mut take: impl FnMut(Loose) -> Result<(), Error>,
) -> Result<Session, Error> {
    let mut from = BufReader::new(from);
    check_line(&mut from)?;
    let mut unpacked = zstd::Decoder::with_buffer(from).map_err(|it| broken(&it))?.single_frame();
    unpacked.window_log_max(WINDOW_LOG_MAX).map_err(|it| broken(&it))?;
    let head = read_sized(&mut unpacked, HEAD_BYTES_MAX)?;
    let session: Session = serde_json::from_slice(&head).map_err(|it| broken(&it))?;
    let (mut n_records, mut n_bytes, mut last) = (0_u64, 0_u64, None);
    while let Some(it) = read_record(&mut unpacked)? {
        n_records += 1;
        n_bytes += it.body.len() as u64;
        if n_records > RECORDS_MAX || n_bytes > TOTAL_BYTES_MAX {
            let text = format!(
                "reading an export: more than {RECORDS_MAX} records or {TOTAL_BYTES_MAX} bytes; \
                 nothing was added"
            );
            return Err(Error::new(ErrorKind::TooLarge, text));
        }
        if last.is_some_and(|last| last >= it.seq) || i64::try_from(it.at_ms.max(it.seq)).is_err() {
            return Err(broken(&"its records are out of order"));
        }
        last = Some(it.seq);
        take(it)?;
    }
    if u64::from_le_bytes(read_array(&mut unpacked)?) != n_records {
        return Err(broken(&"records are missing"));
    }
    // At the end of the frame its checksum is compared.
    let mut rest = [0; 1];
    if unpacked.read(&mut rest).map_err(|it| broken(&it))? != 0
        || unpacked.finish().read(&mut rest).map_err(|it| broken(&it))? != 0
    {
        return Err(broken(&"there is more after its end"));
    }
    Ok(session)
}

fn check_line(from: &mut impl BufRead) -> Result<(), Error> {
    let mut line = Vec::new();
    from.take(LINE_BYTES_MAX).read_until(b'\n', &mut line).map_err(|it| broken(&it))?;
    let line = line.strip_suffix(b"\n").and_then(|it| std::str::from_utf8(it).ok());
    let parts = line.and_then(|it| it.strip_prefix(MAGIC)).and_then(|it| it.split_once(' '));
    let Some((version, writer)) = parts else {
        return Err(broken(&"it does not begin as one"));
    };
    match version.parse::<u32>() {
        Ok(VERSION) => Ok(()),
        Ok(it) if it > VERSION => {
            let text = format!(
                "reading an export: giulia {} wrote it (format {it}) and this is giulia {} \
                 (format {VERSION}); import it with that giulia",
                writer.escape_debug(),
                env!("CARGO_PKG_VERSION")
            );
            Err(Error::new(ErrorKind::Newer, text))
        }
        _ => Err(broken(&"it does not begin as one")),
    }
}

fn read_record(from: &mut impl Read) -> Result<Option<Loose>, Error> {
    let [kind_len] = read_array(from)?;
    if kind_len == 0 {
        return Ok(None);
    }
    let kind = read_exactly(from, usize::from(kind_len))?;
    let is_name = kind.iter().all(|it| it.is_ascii_lowercase() || *it == b'_');
    if kind.len() > KIND_BYTES_MAX || !is_name {
        return Err(broken(&"a kind of record is not a name"));
    }
    let kind = String::from_utf8(kind).map_err(|it| broken(&it))?;
    let seq = u64::from_le_bytes(read_array(from)?);
    let at_ms = u64::from_le_bytes(read_array(from)?);
    let body = read_sized(from, BODY_BYTES_MAX)?;
    Ok(Some(Loose { seq, at_ms, kind, body }))
}

fn read_sized(from: &mut impl Read, max: usize) -> Result<Vec<u8>, Error> {
    let len = u32::from_le_bytes(read_array(from)?) as usize;
    if len > max {
        return Err(broken(&format!("it announces {len} bytes where {max} are the limit")));
    }
    read_exactly(from, len)
}

/// Memory grows with what is there, not with what was announced.
fn read_exactly(from: &mut impl Read, len: usize) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    from.take(len as u64).read_to_end(&mut bytes).map_err(|it| broken(&it))?;
    if bytes.len() == len { Ok(bytes) } else { Err(broken(&"it is cut")) }
}

fn read_array<const N: usize>(from: &mut impl Read) -> Result<[u8; N], Error> {
    let mut bytes = [0; N];
    from.read_exact(&mut bytes).map_err(|it| broken(&it))?;
    Ok(bytes)
}

fn broken(why: &dyn std::fmt::Display) -> Error {
    let text = format!(
        "reading an export: {why}; it is damaged, cut, or not an export of giulia; nothing was \
         added"
    );
    Error::new(ErrorKind::NotAnExport, text)
}
