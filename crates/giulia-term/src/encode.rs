//! Writing terms as `term_to_binary/1` of OTP 26 and later does, or not at all.
//!
//! Every length meets the format's limit first: a malformed term makes the node that
//! receives it drop the connection.

use std::{error::Error, fmt};

use super::{
    cursor::ATOM_CHARS_MAX,
    error::DecodeError,
    ids::{Pid, Port, Reference},
    limits::{DEPTH_CAP, Limits},
    tag,
    tree::{BigInt, BitString, Export, Improper, Record, Term},
    validate::validate,
};

/// The longest list that a node writes as a string.
const STRING_MAX: usize = 65_535;

/// The largest port number of the form that OTP 23 reads: 28 bits.
/// <https://www.erlang.org/doc/apps/erts/erl_ext_dist.html#new_port_ext>
const NEW_PORT_MAX: u64 = (1 << 28) - 1;

/// Why a term cannot be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EncodeError {
    kind: EncodeErrorKind,
    source: Option<DecodeError>,
}

/// The ways in which a term can be one that no node would read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum EncodeErrorKind {
    /// An atom of more than 255 characters.
    AtomLength,
    /// More elements or bytes than the format can count.
    Length,
    /// A float that is not finite.
    Float,
    /// A bit string with an impossible last byte.
    Bits,
    /// A map that has a key twice.
    DuplicateKey,
    /// Nested deeper than 256.
    Depth,
    /// Bytes that were said to be a term and are not.
    Encoded,
}

impl EncodeError {
    /// What happened, for programs.
    pub fn kind(&self) -> EncodeErrorKind {
        self.kind
    }
}

impl From<EncodeErrorKind> for EncodeError {
    fn from(kind: EncodeErrorKind) -> Self {
        Self { kind, source: None }
    }
}

impl fmt::Display for EncodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.kind {
            EncodeErrorKind::AtomLength => "an atom may have 255 characters, not more",
            EncodeErrorKind::Length => "a term has more elements or bytes than 32 bits can count",
            EncodeErrorKind::Float => "a float that is not finite is no Erlang term",
            EncodeErrorKind::Bits => "the last byte of a bit string has 1 to 7 bits that count",
            EncodeErrorKind::DuplicateKey => "a map may have a key only once",
            EncodeErrorKind::Depth => "a term may nest 256 deep, not deeper",
            EncodeErrorKind::Encoded => "bytes that were to be sent as a term are not one",
        })
    }
}

impl Error for EncodeError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_ref().map(|it| it as &(dyn Error + 'static))
    }
}

impl Term<'_> {
    /// Appends the term, without a version byte; on an error `out` is as it was.
    ///
    /// # Errors
    /// When no node would read the result.
    pub fn encode(&self, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        let len = out.len();
        let result = term(self, out, DEPTH_CAP);
        if result.is_err() {
            out.truncate(len);
        }
        result
    }

    /// Appends the version byte and the term, as `term_to_binary` does.
    ///
    /// # Errors
    /// When no node would read the result.
    pub fn encode_versioned(&self, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        let len = out.len();
        out.push(tag::VERSION);
        self.encode(out).inspect_err(|_| out.truncate(len))
    }
}

fn term(it: &Term<'_>, out: &mut Vec<u8>, depth_left: usize) -> Result<(), EncodeError> {
    match it {
        Term::Int(it) => int(*it, out),
        Term::Big(it) => return big(it, out),
        Term::Float(it) if !it.is_finite() => return Err(EncodeErrorKind::Float.into()),
        Term::Float(it) => {
            out.push(tag::NEW_FLOAT);
            out.extend_from_slice(&it.to_be_bytes());
        }
        Term::Atom(it) => return atom(it, out),
        Term::Nil => out.push(tag::NIL),
        Term::List(it) => return list(it, &Term::Nil, out, depth_left),
        Term::Improper(it) => {
            let Improper { elements, tail } = &**it;
            return list(elements, tail, out, depth_left);
        }
        Term::Tuple(it) => return tuple(it, out, depth_left),
        Term::Map(it) => return map(it, out, depth_left),
        Term::Binary(it) => {
            out.push(tag::BINARY);
            count(it.len(), out)?;
            out.extend_from_slice(it);
        }
        Term::Bits(it) => return bits(it, out),
        Term::Pid(it) => return pid(it, out),
        Term::Port(it) => return port(it, out),
        Term::Reference(it) => return reference(it, out),
        Term::Export(it) => return export(it, out),
        Term::Record(it) => return record(it, out, depth_left),
        Term::Fun(it) | Term::Local(it) | Term::Encoded(it) => return raw(it, out, depth_left),
    }
    Ok(())
}

fn int(value: i64, out: &mut Vec<u8>) {
    if let Ok(value) = u8::try_from(value) {
        out.extend_from_slice(&[tag::SMALL_INTEGER, value]);
    } else if let Ok(value) = i32::try_from(value) {
        out.push(tag::INTEGER);
        out.extend_from_slice(&value.to_be_bytes());
    } else {
        let magnitude = value.unsigned_abs().to_le_bytes();
        let len = magnitude.iter().rposition(|it| *it != 0).map_or(0, |it| it + 1);
        // At most eight.
        let len_byte = u8::try_from(len).unwrap_or(8);
        out.extend_from_slice(&[tag::SMALL_BIG, len_byte, u8::from(value < 0)]);
        out.extend_from_slice(magnitude.get(..len).unwrap_or(&magnitude));
    }
}

fn big(it: &BigInt<'_>, out: &mut Vec<u8>) -> Result<(), EncodeError> {
    if let Some(value) = it.to_i64() {
        int(value, out);
        return Ok(());
    }
    let magnitude = it.significant();
    if let Ok(len) = u8::try_from(magnitude.len()) {
        out.extend_from_slice(&[tag::SMALL_BIG, len]);
    } else {
        out.push(tag::LARGE_BIG);
        count(magnitude.len(), out)?;
    }
    out.push(u8::from(it.negative));
    out.extend_from_slice(magnitude);
    Ok(())
}

fn atom(name: &str, out: &mut Vec<u8>) -> Result<(), EncodeError> {
    if let Ok(len) = u8::try_from(name.len()) {
        out.extend_from_slice(&[tag::SMALL_ATOM_UTF8, len]);
    } else {
        // A character has up to four bytes, so that the length fits once the count does.
        let len = u16::try_from(name.len()).ok();
        let len = len.filter(|_| name.chars().count() <= ATOM_CHARS_MAX);
        out.push(tag::ATOM_UTF8);
        out.extend_from_slice(&len.ok_or(EncodeErrorKind::AtomLength)?.to_be_bytes());
    }
    out.extend_from_slice(name.as_bytes());
    Ok(())
}

fn list(
    elements: &[Term<'_>],
    tail: &Term<'_>,
    out: &mut Vec<u8>,
    depth_left: usize,
) -> Result<(), EncodeError> {
    if elements.is_empty() {
        return term(tail, out, depth_left);
    }
    if matches!(tail, Term::Nil) && string(elements, out) {
        return Ok(());
    }
    let inside = depth_left.checked_sub(1).ok_or(EncodeErrorKind::Depth)?;
    out.push(tag::LIST);
    count(elements.len(), out)?;
    for it in elements {
        term(it, out, inside)?;
    }
    term(tail, out, inside)
}

/// Writes a list of bytes the way a node does, if it is one.
fn string(elements: &[Term<'_>], out: &mut Vec<u8>) -> bool {
    let Some(len) = u16::try_from(elements.len()).ok().filter(|_| elements.len() <= STRING_MAX)
    else {
        return false;
    };
    let start = out.len();
    out.push(tag::STRING);
    out.extend_from_slice(&len.to_be_bytes());
    for it in elements {
        let Some(byte) = it.as_int().and_then(|it| u8::try_from(it).ok()) else {
            out.truncate(start);
            return false;
        };
        out.push(byte);
    }
    true
}

fn tuple(it: &[Term<'_>], out: &mut Vec<u8>, depth_left: usize) -> Result<(), EncodeError> {
    if let Ok(arity) = u8::try_from(it.len()) {
        out.extend_from_slice(&[tag::SMALL_TUPLE, arity]);
    } else {
        out.push(tag::LARGE_TUPLE);
        count(it.len(), out)?;
    }
    if it.is_empty() {
        return Ok(());
    }
    let inside = depth_left.checked_sub(1).ok_or(EncodeErrorKind::Depth)?;
    it.iter().try_for_each(|it| term(it, out, inside))
}

fn map(
    pairs: &[(Term<'_>, Term<'_>)],
    out: &mut Vec<u8>,
    depth_left: usize,
) -> Result<(), EncodeError> {
    out.push(tag::MAP);
    count(pairs.len(), out)?;
    if pairs.is_empty() {
        return Ok(());
    }
    let inside = depth_left.checked_sub(1).ok_or(EncodeErrorKind::Depth)?;
    let mut keys = Vec::with_capacity(pairs.len());
    for (key, value) in pairs {
        let start = out.len();
        term(key, out, inside)?;
        keys.push(start..out.len());
        term(value, out, inside)?;
    }
    // The receiver refuses a map with a key twice, and with it the connection.
    keys.sort_unstable_by(|a, b| out.get(a.clone()).cmp(&out.get(b.clone())));
    let twice = keys.windows(2).any(|it| match it {
        [a, b] => out.get(a.clone()) == out.get(b.clone()),
        _ => false,
    });
    if twice { Err(EncodeErrorKind::DuplicateKey.into()) } else { Ok(()) }
}

fn bits(it: &BitString<'_>, out: &mut Vec<u8>) -> Result<(), EncodeError> {
    let Some((last, body)) = it.bytes.split_last().filter(|_| (1..8).contains(&it.last_bits))
    else {
        return Err(EncodeErrorKind::Bits.into());
    };
    out.push(tag::BIT_BINARY);
    count(it.bytes.len(), out)?;
    out.push(it.last_bits);
    out.extend_from_slice(body);
    out.push(last & !(0xff_u8 >> it.last_bits));
    Ok(())
}

fn pid(it: &Pid, out: &mut Vec<u8>) -> Result<(), EncodeError> {
    out.push(tag::NEW_PID);
    atom(&it.node, out)?;
    words(&[it.id, it.serial, it.creation], out);
    Ok(())
}

fn port(it: &Port, out: &mut Vec<u8>) -> Result<(), EncodeError> {
    let small = u32::try_from(it.id).ok().filter(|_| it.id <= NEW_PORT_MAX);
    out.push(if small.is_some() { tag::NEW_PORT } else { tag::V4_PORT });
    atom(&it.node, out)?;
    match small {
        Some(id) => words(&[id], out),
        None => out.extend_from_slice(&it.id.to_be_bytes()),
    }
    words(&[it.creation], out);
    Ok(())
}

fn reference(it: &Reference, out: &mut Vec<u8>) -> Result<(), EncodeError> {
    // One to five words.
    let len = u16::try_from(it.ids().len()).map_err(|_| EncodeErrorKind::Length)?;
    out.push(tag::NEWER_REFERENCE);
    out.extend_from_slice(&len.to_be_bytes());
    atom(&it.node, out)?;
    words(&[it.creation], out);
    words(it.ids(), out);
    Ok(())
}

fn export(it: &Export<'_>, out: &mut Vec<u8>) -> Result<(), EncodeError> {
    out.push(tag::EXPORT);
    atom(&it.module, out)?;
    atom(&it.function, out)?;
    out.extend_from_slice(&[tag::SMALL_INTEGER, it.arity]);
    Ok(())
}

fn record(it: &Record<'_>, out: &mut Vec<u8>, depth_left: usize) -> Result<(), EncodeError> {
    out.push(tag::RECORD);
    count(it.fields.len(), out)?;
    out.push(u8::from(it.exported));
    atom(&it.module, out)?;
    atom(&it.name, out)?;
    for (name, _) in &it.fields {
        atom(name, out)?;
    }
    if it.fields.is_empty() {
        return Ok(());
    }
    let inside = depth_left.checked_sub(1).ok_or(EncodeErrorKind::Depth)?;
    it.fields.iter().try_for_each(|(_, value)| term(value, out, inside))
}

fn raw(bytes: &[u8], out: &mut Vec<u8>, depth_left: usize) -> Result<(), EncodeError> {
    let limits = Limits { depth_max: depth_left, ..Limits::DEFAULT };
    match validate(bytes, &limits) {
        Ok(()) => out.extend_from_slice(bytes),
        Err(it) => {
            return Err(EncodeError { kind: EncodeErrorKind::Encoded, source: Some(it) });
        }
    }
    Ok(())
}

fn count(len: usize, out: &mut Vec<u8>) -> Result<(), EncodeError> {
    let len = u32::try_from(len).map_err(|_| EncodeErrorKind::Length)?;
    out.extend_from_slice(&len.to_be_bytes());
    Ok(())
}

fn words(words: &[u32], out: &mut Vec<u8>) {
    for word in words {
        out.extend_from_slice(&word.to_be_bytes());
    }
}
