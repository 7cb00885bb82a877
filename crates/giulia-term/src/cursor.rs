//! Bytes with a position: every read is checked against what is left.

use std::borrow::Cow;

use super::{
    DecodeErrorKind::{Limit, Truncated, Value},
    error::DecodeError,
    ids::Reference,
    tag,
};

/// Characters that an atom may have.
/// <https://www.erlang.org/doc/system/system_limits.html>
pub(super) const ATOM_CHARS_MAX: usize = 255;

/// Bytes with a position.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cursor<'a> {
    rest: &'a [u8],
    total: usize,
}

/// How a native record begins.
#[derive(Debug, Clone, Copy)]
pub(super) struct RecordHead {
    pub(super) count: usize,
    pub(super) exported: bool,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes, total: bytes.len() }
    }

    pub(super) fn position(&self) -> usize {
        self.total - self.rest.len()
    }

    pub(super) fn left(&self) -> usize {
        self.rest.len()
    }

    pub(super) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    pub(super) fn peek(&self) -> Option<u8> {
        self.rest.first().copied()
    }

    #[inline]
    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let Some((head, rest)) = self.rest.split_first_chunk::<N>() else {
            return Err(self.truncated(N));
        };
        self.rest = rest;
        Ok(*head)
    }

    #[inline]
    pub(super) fn u8(&mut self) -> Result<u8, DecodeError> {
        self.array::<1>().map(|[it]| it)
    }

    #[inline]
    pub(super) fn u16(&mut self) -> Result<u16, DecodeError> {
        self.array().map(u16::from_be_bytes)
    }

    #[inline]
    pub(super) fn u32(&mut self) -> Result<u32, DecodeError> {
        self.array().map(u32::from_be_bytes)
    }

    #[inline]
    pub(super) fn u64(&mut self) -> Result<u64, DecodeError> {
        self.array().map(u64::from_be_bytes)
    }

    /// A 32-bit length, refused when it is above what is left.
    #[inline]
    pub(super) fn len32(&mut self) -> Result<usize, DecodeError> {
        let len = usize::try_from(self.u32()?).unwrap_or(usize::MAX);
        if len > self.left() { Err(self.truncated(len)) } else { Ok(len) }
    }

    #[inline]
    pub(super) fn take(&mut self, len: usize) -> Result<&'a [u8], DecodeError> {
        let Some((head, rest)) = self.rest.split_at_checked(len) else {
            return Err(self.truncated(len));
        };
        self.rest = rest;
        Ok(head)
    }

    /// A count of elements, refused when they cannot all have a byte of their own.
    #[inline]
    pub(super) fn covered(&self, count: usize) -> Result<usize, DecodeError> {
        if count > self.left() { Err(self.truncated(count)) } else { Ok(count) }
    }

    /// Goes over these bytes if they are next.
    #[inline]
    pub(super) fn skip_prefix(&mut self, bytes: &[u8]) -> bool {
        let Some(rest) = self.rest.strip_prefix(bytes) else { return false };
        self.rest = rest;
        true
    }

    /// A float whose tag was read.
    #[inline]
    pub(super) fn float(&mut self, tag: u8) -> Result<f64, DecodeError> {
        if tag != tag::NEW_FLOAT {
            return self.text_float();
        }
        let value = f64::from_bits(self.u64()?);
        if value.is_finite() { Ok(value) } else { Err(self.value(8, "a float that is not finite")) }
    }

    // What C's printf made of `%.20e`, padded with zeros to 31 bytes.
    fn text_float(&mut self) -> Result<f64, DecodeError> {
        let bytes: [u8; 31] = self.array()?;
        let text = bytes.split(|it| *it == 0).next().unwrap_or_default();
        let value = std::str::from_utf8(text).ok().and_then(|it| it.trim().parse::<f64>().ok());
        let value = value.filter(|it| it.is_finite());
        value.ok_or_else(|| self.value(31, "a float that is not a finite number"))
    }

    /// Sign and magnitude of a big integer whose tag was read.
    pub(super) fn big(&mut self, tag: u8) -> Result<(bool, &'a [u8]), DecodeError> {
        let len = match tag {
            tag::SMALL_BIG => usize::from(self.u8()?),
            _ => self.len32()?,
        };
        let sign = self.u8()?;
        if sign > 1 {
            return Err(self.value(1, "a sign that is neither 0 nor 1"));
        }
        Ok((sign == 1, self.take(len)?))
    }

    /// Bytes and bits in the last byte of a bit string whose tag was read.
    pub(super) fn bits(&mut self) -> Result<(&'a [u8], u8), DecodeError> {
        let len = usize::try_from(self.u32()?).unwrap_or(usize::MAX);
        let bits = self.u8()?;
        if bits > 8 || (bits == 0) != (len == 0) {
            return Err(self.value(1, "a bit string with an impossible last byte"));
        }
        Ok((self.take(len)?, bits))
    }

    /// The incarnation of a node: four bytes, or one in the older forms.
    #[inline]
    pub(super) fn creation(&mut self, wide: bool) -> Result<u32, DecodeError> {
        if wide { self.u32() } else { self.u8().map(u32::from) }
    }

    /// How many words a reference announces: one to five.
    pub(super) fn reference_len(&mut self) -> Result<usize, DecodeError> {
        let len = usize::from(self.u16()?);
        if (1..=Reference::WORDS_MAX).contains(&len) { Ok(len) } else { Err(self.word_count()) }
    }

    #[cold]
    pub(super) fn word_count(&self) -> DecodeError {
        self.value(2, "a reference that does not have one to five words")
    }

    /// The head of a native record whose tag was read.
    // Not in the documentation of OTP 29.0's format; read off `term_to_binary` there: field
    // count, whether it is exported, then module, name, names of fields, values.
    pub(super) fn record_head(&mut self) -> Result<RecordHead, DecodeError> {
        let count = self.len32()?;
        let exported = match self.u8()? {
            0 => false,
            1 => true,
            _ => return Err(self.value(1, "a native record that is neither exported nor not")),
        };
        self.covered(count.saturating_mul(3)).map(|_| RecordHead { count, exported })
    }

    /// The arity of an external fun, which is written as a small integer.
    pub(super) fn export_arity(&mut self) -> Result<u8, DecodeError> {
        match self.peek() {
            Some(tag::SMALL_INTEGER) => self.array::<2>().map(|[_, arity]| arity),
            found => Err(DecodeError::expected(self.position(), "the arity of a fun", found)),
        }
    }

    #[cold]
    pub(super) fn too_deep(&self) -> DecodeError {
        DecodeError::new(Limit, self.position(), "nested deeper than the limit allows")
    }

    /// Starts again where these bytes, which end where all bytes end, begin.
    pub(super) fn back_to(&mut self, rest: &'a [u8]) {
        self.rest = rest;
    }

    /// The text of an atom whose tag was read.
    #[inline]
    pub(super) fn atom(&mut self, tag: u8) -> Result<Cow<'a, str>, DecodeError> {
        if tag == tag::SMALL_ATOM_UTF8 {
            let len = usize::from(self.u8()?);
            let bytes = self.take(len)?;
            if let Ok(text) = std::str::from_utf8(bytes) {
                return Ok(Cow::Borrowed(text));
            }
            return Err(self.atom_value(len));
        }
        self.rare_atom(tag)
    }

    fn rare_atom(&mut self, tag: u8) -> Result<Cow<'a, str>, DecodeError> {
        let len = match tag {
            tag::SMALL_ATOM_LATIN1 => usize::from(self.u8()?),
            tag::ATOM_UTF8 | tag::ATOM_LATIN1 => usize::from(self.u16()?),
            _ => {
                return Err(DecodeError::expected(
                    self.position().saturating_sub(1),
                    "an atom",
                    Some(tag),
                ));
            }
        };
        let bytes = self.take(len)?;
        let text = match (tag, std::str::from_utf8(bytes)) {
            // Latin-1 that is ASCII is UTF-8 as it stands.
            (tag::ATOM_UTF8, Ok(text)) => Cow::Borrowed(text),
            (tag::ATOM_LATIN1 | tag::SMALL_ATOM_LATIN1, Ok(text)) if text.is_ascii() => {
                Cow::Borrowed(text)
            }
            (tag::ATOM_UTF8, Err(_)) => return Err(self.atom_value(len)),
            _ if len <= ATOM_CHARS_MAX => {
                Cow::Owned(bytes.iter().copied().map(char::from).collect())
            }
            _ => return Err(self.atom_long(len)),
        };
        if len > ATOM_CHARS_MAX && text.chars().count() > ATOM_CHARS_MAX {
            return Err(self.atom_long(len));
        }
        Ok(text)
    }

    #[cold]
    pub(super) fn truncated(&self, wanted: usize) -> DecodeError {
        let left = self.left();
        DecodeError::new(
            Truncated,
            self.position(),
            format!("{wanted} bytes or elements announced, {left} bytes left"),
        )
    }

    #[cold]
    pub(super) fn value(&self, back: usize, text: &'static str) -> DecodeError {
        DecodeError::new(Value, self.position().saturating_sub(back), text)
    }

    #[cold]
    fn atom_value(&self, back: usize) -> DecodeError {
        self.value(back, "an atom that is not UTF-8")
    }

    #[cold]
    fn atom_long(&self, back: usize) -> DecodeError {
        self.value(back, "an atom of more than 255 characters")
    }
}
