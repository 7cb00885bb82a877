//! Pulling values out of bytes, without a tree.

use std::borrow::Cow;

use super::{
    DecodeErrorKind::{Trailing, Truncated, Value},
    compressed,
    cursor::Cursor,
    error::DecodeError,
    ids::{Node, Pid, Port, Reference},
    limits::Limits,
    read_tree, tag,
    tree::Term,
    validate,
};

/// Pulls values out of the bytes of a term (or of several in a row).
///
/// A method that meets another type than it wants says so and leaves the reader where it
/// was. After any other error the position is undefined and harmless.
#[derive(Debug, Clone)]
pub struct Reader<'a> {
    pub(super) cursor: Cursor<'a>,
    pub(super) depth_max: usize,
    pub(super) tree_nodes_left: usize,
    // Pids of a reply nearly all name the same node: its bytes with their tag, and its name.
    node: Option<(&'a [u8], Node)>,
}

/// The type of the next term, as the guards of Erlang tell types apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Of any size.
    Integer,
    /// A float.
    Float,
    /// An atom.
    Atom,
    /// A list, the empty one and improper ones included.
    List,
    /// A tuple.
    Tuple,
    /// A map.
    Map,
    /// A binary.
    Binary,
    /// A bit string that is not a binary.
    Bits,
    /// A pid.
    Pid,
    /// A port.
    Port,
    /// A reference.
    Reference,
    /// A fun, external ones included.
    Fun,
    /// A native record of OTP 29.
    Record,
    /// A term that only its own node can read.
    Local,
}

/// How a list begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum List<'a> {
    /// The empty list; nothing follows.
    Empty,
    /// A list of small integers, whole; nothing follows.
    Bytes(&'a [u8]),
    /// So many elements follow, then [`Reader::end_list`].
    Elements(usize),
}

impl<'a> Reader<'a> {
    /// Reads bytes without a version byte.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self::with_limits(bytes, &Limits::DEFAULT)
    }

    /// The same within other limits.
    pub fn with_limits(bytes: &'a [u8], limits: &Limits) -> Self {
        Self {
            cursor: Cursor::new(bytes),
            depth_max: limits.depth_max.min(super::limits::DEPTH_CAP),
            tree_nodes_left: limits.tree_nodes_max,
            node: None,
        }
    }

    /// Reads bytes with a version byte; a compressed term is inflated into `inflated`.
    ///
    /// # Errors
    /// When the version byte is another one, or a compressed term is not what it declares.
    pub fn versioned(
        bytes: &'a [u8],
        limits: &Limits,
        inflated: &'a mut Vec<u8>,
    ) -> Result<Self, DecodeError> {
        let mut reader = Self::with_limits(bytes, limits);
        let found = reader.cursor.peek();
        if found != Some(tag::VERSION) {
            return Err(DecodeError::expected(0, "the version byte 131", found));
        }
        reader.cursor.u8()?;
        if reader.cursor.peek() == Some(tag::COMPRESSED) {
            reader.cursor.u8()?;
            compressed::inflate(&mut reader.cursor, limits, inflated)?;
            reader.cursor = Cursor::new(inflated);
        }
        Ok(reader)
    }

    /// The type of the next term.
    ///
    /// # Errors
    /// At the end, and when no term starts with the next byte.
    #[inline]
    pub fn kind(&self) -> Result<Kind, DecodeError> {
        Ok(match self.cursor.peek() {
            Some(tag::SMALL_INTEGER | tag::INTEGER | tag::SMALL_BIG | tag::LARGE_BIG) => {
                Kind::Integer
            }
            Some(tag::NEW_FLOAT | tag::FLOAT) => Kind::Float,
            Some(it) if tag::is_atom(it) => Kind::Atom,
            Some(tag::NIL | tag::STRING | tag::LIST) => Kind::List,
            Some(tag::SMALL_TUPLE | tag::LARGE_TUPLE) => Kind::Tuple,
            Some(tag::MAP) => Kind::Map,
            Some(tag::BINARY) => Kind::Binary,
            Some(tag::BIT_BINARY) => Kind::Bits,
            Some(tag::NEW_PID | tag::PID) => Kind::Pid,
            Some(tag::NEW_PORT | tag::V4_PORT | tag::PORT) => Kind::Port,
            Some(tag::NEWER_REFERENCE | tag::NEW_REFERENCE | tag::REFERENCE) => Kind::Reference,
            Some(tag::NEW_FUN | tag::EXPORT) => Kind::Fun,
            Some(tag::RECORD) => Kind::Record,
            Some(tag::LOCAL) => Kind::Local,
            Some(found) => return Err(DecodeError::tag(self.position(), found)),
            None => return Err(DecodeError::expected(self.position(), "a term", None)),
        })
    }

    /// An atom.
    ///
    /// # Errors
    /// When the next term is not an atom.
    #[inline]
    pub fn atom(&mut self) -> Result<Cow<'a, str>, DecodeError> {
        let start = self.cursor;
        match self.next_tag("an atom")? {
            it if tag::is_atom(it) => self.cursor.atom(it),
            _ => self.refuse(start, "an atom"),
        }
    }

    /// Whether the next term is this atom; consumes it if so.
    #[inline]
    pub fn atom_is(&mut self, name: &str) -> bool {
        let start = self.cursor;
        if self.cursor.peek().is_some_and(tag::is_atom)
            && self.atom().is_ok_and(|found| found == name)
        {
            return true;
        }
        self.cursor = start;
        false
    }

    /// Consumes this very atom.
    ///
    /// # Errors
    /// When the next term is something else; an atom is named.
    #[inline]
    pub fn expect_atom(&mut self, name: &str) -> Result<(), DecodeError> {
        if self.atom_is(name) { Ok(()) } else { Err(self.other_atom(name)) }
    }

    /// An integer of up to 64 bits.
    ///
    /// # Errors
    /// When the next term is not an integer, or a larger one.
    #[inline]
    pub fn int(&mut self) -> Result<i64, DecodeError> {
        let start = self.cursor;
        match self.next_tag("an integer")? {
            tag::SMALL_INTEGER => self.cursor.u8().map(i64::from),
            tag::INTEGER => self.cursor.array().map(|it| i64::from(i32::from_be_bytes(it))),
            it @ (tag::SMALL_BIG | tag::LARGE_BIG) => {
                let (negative, magnitude) = self.big(it)?;
                let found = magnitude_u64(magnitude).and_then(|it| signed(negative, it));
                found.ok_or_else(|| too_big(start, "an integer beyond 64 bits"))
            }
            _ => self.refuse(start, "an integer"),
        }
    }

    /// An integer from 0 of up to 64 bits.
    ///
    /// # Errors
    /// When the next term is not an integer, or a larger or negative one.
    #[inline]
    pub fn uint(&mut self) -> Result<u64, DecodeError> {
        let start = self.cursor;
        match self.next_tag("an integer")? {
            tag::SMALL_INTEGER => self.cursor.u8().map(u64::from),
            tag::INTEGER => {
                let found = i32::from_be_bytes(self.cursor.array()?);
                u64::try_from(found).map_err(|_| too_big(start, "a negative integer"))
            }
            it @ (tag::SMALL_BIG | tag::LARGE_BIG) => {
                let (negative, magnitude) = self.big(it)?;
                let found = magnitude_u64(magnitude).filter(|it| !negative || *it == 0);
                found.ok_or_else(|| too_big(start, "an integer outside of 0..2^64"))
            }
            _ => self.refuse(start, "an integer"),
        }
    }

    /// A float, or an integer of up to 64 bits as the nearest float.
    ///
    /// # Errors
    /// When the next term is not a number.
    #[inline]
    pub fn float(&mut self) -> Result<f64, DecodeError> {
        let start = self.cursor;
        match self.next_tag("a number")? {
            it @ (tag::NEW_FLOAT | tag::FLOAT) => self.cursor.float(it),
            tag::SMALL_INTEGER | tag::INTEGER | tag::SMALL_BIG | tag::LARGE_BIG => {
                self.cursor = start;
                #[expect(clippy::cast_precision_loss, reason = "a float was asked for")]
                self.int().map(|it| it as f64)
            }
            _ => self.refuse(start, "a number"),
        }
    }

    /// `true` or `false`.
    ///
    /// # Errors
    /// When the next term is neither.
    #[inline]
    pub fn boolean(&mut self) -> Result<bool, DecodeError> {
        if self.atom_is("true") {
            return Ok(true);
        }
        self.expect_atom("false").map(|()| false).map_err(|_| self.other_atom("true or false"))
    }

    /// The head of a tuple: its arity. The elements follow.
    ///
    /// # Errors
    /// When the next term is not a tuple.
    #[inline]
    pub fn tuple(&mut self) -> Result<usize, DecodeError> {
        let start = self.cursor;
        match self.next_tag("a tuple")? {
            tag::SMALL_TUPLE => {
                let arity = usize::from(self.cursor.u8()?);
                self.cursor.covered(arity)
            }
            tag::LARGE_TUPLE => self.cursor.len32(),
            _ => self.refuse(start, "a tuple"),
        }
    }

    /// The head of a tuple of this arity. The elements follow.
    ///
    /// # Errors
    /// When the next term is anything else.
    #[inline]
    pub fn tuple_of(&mut self, arity: usize) -> Result<(), DecodeError> {
        let start = self.cursor;
        let found = self.tuple()?;
        if found == arity { Ok(()) } else { Err(self.other_arity(start, arity, found)) }
    }

    /// The head of a list.
    ///
    /// # Errors
    /// When the next term is not a list.
    #[inline]
    pub fn list(&mut self) -> Result<List<'a>, DecodeError> {
        let start = self.cursor;
        match self.next_tag("a list")? {
            tag::NIL => Ok(List::Empty),
            tag::STRING => {
                let len = usize::from(self.cursor.u16()?);
                self.cursor.take(len).map(List::Bytes)
            }
            tag::LIST => self.cursor.len32().map(List::Elements),
            _ => self.refuse(start, "a list"),
        }
    }

    /// The end of a list whose elements were read.
    ///
    /// # Errors
    /// When the list has a tail.
    #[inline]
    pub fn end_list(&mut self) -> Result<(), DecodeError> {
        let start = self.cursor;
        match self.next_tag("the end of a list")? {
            tag::NIL => Ok(()),
            _ => self.refuse(start, "the end of a proper list"),
        }
    }

    /// Calls `read` once for each element of a proper list; it must consume the element.
    ///
    /// # Errors
    /// What `read` returns, and when the next term is not a proper list or a list of bytes
    /// (for those there are [`Reader::integers`], [`Reader::text`] and [`Reader::list`]).
    #[inline]
    pub fn each(
        &mut self,
        mut read: impl FnMut(&mut Self) -> Result<(), DecodeError>,
    ) -> Result<(), DecodeError> {
        let start = self.cursor;
        match self.list()? {
            List::Empty => Ok(()),
            List::Bytes(_) => self.refuse(start, "a list of other things than bytes"),
            List::Elements(count) => {
                for _ in 0..count {
                    read(self)?;
                }
                self.end_list()
            }
        }
    }

    /// A list of integers of up to 64 bits, in either form that a node sends.
    ///
    /// # Errors
    /// When the next term is anything else.
    pub fn integers(&mut self) -> Result<Vec<i64>, DecodeError> {
        match self.list()? {
            List::Empty => Ok(Vec::new()),
            List::Bytes(bytes) => Ok(bytes.iter().copied().map(i64::from).collect()),
            List::Elements(count) => {
                // The shortest integer takes two bytes.
                self.cursor.covered(count.saturating_mul(2))?;
                let mut found = Vec::with_capacity(count);
                for _ in 0..count {
                    found.push(self.int()?);
                }
                self.end_list()?;
                Ok(found)
            }
        }
    }

    /// A binary.
    ///
    /// # Errors
    /// When the next term is not a binary.
    #[inline]
    pub fn binary(&mut self) -> Result<&'a [u8], DecodeError> {
        let start = self.cursor;
        match self.next_tag("a binary")? {
            tag::BINARY => {
                let len = self.cursor.len32()?;
                self.cursor.take(len)
            }
            _ => self.refuse(start, "a binary"),
        }
    }

    /// Text: a binary in UTF-8, or a list of code points.
    ///
    /// # Errors
    /// When the next term is neither.
    pub fn text(&mut self) -> Result<Cow<'a, str>, DecodeError> {
        let start = self.cursor;
        if self.cursor.peek() == Some(tag::BINARY) {
            let found = std::str::from_utf8(self.binary()?).map(Cow::Borrowed);
            return found.map_err(|_| too_big(start, "a binary that is not UTF-8"));
        }
        match self.list() {
            Ok(List::Empty) => Ok(Cow::Borrowed("")),
            Ok(List::Bytes(bytes)) => Ok(match std::str::from_utf8(bytes) {
                Ok(text) if text.is_ascii() => Cow::Borrowed(text),
                _ => bytes.iter().copied().map(char::from).collect(),
            }),
            Ok(List::Elements(count)) => {
                let mut text = String::new();
                for _ in 0..count {
                    let at = self.cursor;
                    let point = u32::try_from(self.uint()?).ok().and_then(char::from_u32);
                    text.push(point.ok_or_else(|| too_big(at, "no code point"))?);
                }
                self.end_list()?;
                Ok(Cow::Owned(text))
            }
            Err(it) if it.kind() == Truncated => Err(it),
            Err(_) => self.refuse(start, "text (a binary or a string)"),
        }
    }

    /// The head of a map: how many pairs follow, each a key and a value.
    ///
    /// # Errors
    /// When the next term is not a map.
    #[inline]
    pub fn map(&mut self) -> Result<usize, DecodeError> {
        let start = self.cursor;
        match self.next_tag("a map")? {
            tag::MAP => {
                let pairs = self.cursor.len32()?;
                self.cursor.covered(pairs.saturating_mul(2)).map(|_| pairs)
            }
            _ => self.refuse(start, "a map"),
        }
    }

    /// Calls `read` once for each pair of a map; it must consume the key and the value.
    ///
    /// # Errors
    /// What `read` returns, and when the next term is not a map.
    #[inline]
    pub fn each_pair(
        &mut self,
        mut read: impl FnMut(&mut Self) -> Result<(), DecodeError>,
    ) -> Result<(), DecodeError> {
        for _ in 0..self.map()? {
            read(self)?;
        }
        Ok(())
    }

    /// A pid.
    ///
    /// # Errors
    /// When the next term is not a pid.
    #[inline]
    pub fn pid(&mut self) -> Result<Pid, DecodeError> {
        let start = self.cursor;
        match self.next_tag("a pid")? {
            it @ (tag::NEW_PID | tag::PID) => self.pid_body(it),
            _ => self.refuse(start, "a pid"),
        }
    }

    /// A port.
    ///
    /// # Errors
    /// When the next term is not a port.
    pub fn port(&mut self) -> Result<Port, DecodeError> {
        let start = self.cursor;
        match self.next_tag("a port")? {
            it @ (tag::NEW_PORT | tag::V4_PORT | tag::PORT) => self.port_body(it),
            _ => self.refuse(start, "a port"),
        }
    }

    /// A reference.
    ///
    /// # Errors
    /// When the next term is not a reference.
    pub fn reference(&mut self) -> Result<Reference, DecodeError> {
        let start = self.cursor;
        match self.next_tag("a reference")? {
            it @ (tag::NEWER_REFERENCE | tag::NEW_REFERENCE | tag::REFERENCE) => {
                self.reference_body(it)
            }
            _ => self.refuse(start, "a reference"),
        }
    }

    /// One term as a tree.
    ///
    /// # Errors
    /// When the bytes are not a term within the limits.
    pub fn term(&mut self) -> Result<Term<'a>, DecodeError> {
        read_tree::read(self)
    }

    /// Leaves one term out, after checking it.
    ///
    /// # Errors
    /// When the bytes are not a term within the limits.
    #[inline]
    pub fn skip(&mut self) -> Result<(), DecodeError> {
        validate::skip(&mut self.cursor, self.depth_max)
    }

    /// The bytes of one term, checked.
    ///
    /// # Errors
    /// When the bytes are not a term within the limits.
    pub fn raw(&mut self) -> Result<&'a [u8], DecodeError> {
        let start = self.cursor.rest();
        self.skip()?;
        let len = start.len() - self.cursor.left();
        Ok(start.get(..len).unwrap_or_default())
    }

    /// How many bytes were read.
    pub fn position(&self) -> usize {
        self.cursor.position()
    }

    /// Whether all bytes were read.
    pub fn is_empty(&self) -> bool {
        self.cursor.left() == 0
    }

    /// Checks that all bytes were read.
    ///
    /// # Errors
    /// When some are left.
    pub fn finish(&self) -> Result<(), DecodeError> {
        if self.is_empty() {
            return Ok(());
        }
        let left = self.cursor.left();
        Err(DecodeError::new(Trailing, self.position(), format!("{left} bytes after the term")))
    }

    #[inline]
    fn next_tag(&mut self, wanted: &str) -> Result<u8, DecodeError> {
        match self.cursor.u8() {
            Ok(it) => Ok(it),
            Err(_) => Err(DecodeError::expected(self.position(), wanted, None)),
        }
    }

    #[cold]
    fn refuse<T>(&mut self, start: Cursor<'a>, wanted: &str) -> Result<T, DecodeError> {
        self.cursor = start;
        Err(DecodeError::expected(start.position(), wanted, start.peek()))
    }

    #[cold]
    fn other_atom(&self, wanted: &str) -> DecodeError {
        match self.clone().atom() {
            Ok(found) => {
                let text = format!("expected the atom {wanted}, found the atom {found}");
                DecodeError::new(Value, self.position(), text)
            }
            Err(it) => it,
        }
    }

    #[cold]
    fn other_arity(&mut self, start: Cursor<'a>, wanted: usize, found: usize) -> DecodeError {
        self.cursor = start;
        let text = format!("expected a tuple of {wanted}, found a tuple of {found}");
        DecodeError::new(Value, start.position(), text)
    }

    /// Sign and magnitude of a big integer whose tag was read; no zeros at the top.
    pub(super) fn big(&mut self, tag: u8) -> Result<(bool, &'a [u8]), DecodeError> {
        let (negative, mut magnitude) = self.cursor.big(tag)?;
        while let Some((0, lower)) = magnitude.split_last() {
            magnitude = lower;
        }
        Ok((negative, magnitude))
    }

    pub(super) fn pid_body(&mut self, tag: u8) -> Result<Pid, DecodeError> {
        let node = self.node()?;
        let (id, serial) = (self.cursor.u32()?, self.cursor.u32()?);
        let creation = self.cursor.creation(tag == tag::NEW_PID)?;
        Ok(Pid { node, id, serial, creation })
    }

    pub(super) fn port_body(&mut self, tag: u8) -> Result<Port, DecodeError> {
        let node = self.node()?;
        let id = match tag {
            tag::V4_PORT => self.cursor.u64()?,
            _ => u64::from(self.cursor.u32()?),
        };
        let creation = self.cursor.creation(tag != tag::PORT)?;
        Ok(Port { node, id, creation })
    }

    pub(super) fn reference_body(&mut self, tag: u8) -> Result<Reference, DecodeError> {
        if tag == tag::REFERENCE {
            let node = self.node()?;
            let id = self.cursor.u32()?;
            let creation = self.cursor.creation(false)?;
            return Reference::new(node, creation, &[id]).ok_or_else(|| self.cursor.word_count());
        }
        let len = self.cursor.reference_len()?;
        let node = self.node()?;
        let creation = self.cursor.creation(tag == tag::NEWER_REFERENCE)?;
        let mut ids = [0; Reference::WORDS_MAX];
        let ids = ids.get_mut(..len).unwrap_or_default();
        for id in &mut *ids {
            *id = self.cursor.u32()?;
        }
        Reference::new(node, creation, ids).ok_or_else(|| self.cursor.word_count())
    }

    #[inline]
    fn node(&mut self) -> Result<Node, DecodeError> {
        if let Some((bytes, node)) = &self.node
            && self.cursor.skip_prefix(bytes)
        {
            return Ok(node.clone());
        }
        let start = self.cursor.rest();
        let node = Node::new(self.atom()?);
        let len = start.len() - self.cursor.left();
        self.node = Some((start.get(..len).unwrap_or_default(), node.clone()));
        Ok(node)
    }
}

/// The magnitude as a number, when it has up to 64 bits.
pub(super) fn magnitude_u64(magnitude: &[u8]) -> Option<u64> {
    let mut bytes = [0; 8];
    bytes.get_mut(..magnitude.len())?.copy_from_slice(magnitude);
    Some(u64::from_le_bytes(bytes))
}

/// The number with its sign, when it has up to 64 bits.
pub(super) fn signed(negative: bool, magnitude: u64) -> Option<i64> {
    if negative { 0_i64.checked_sub_unsigned(magnitude) } else { i64::try_from(magnitude).ok() }
}

#[cold]
fn too_big(start: Cursor<'_>, text: &'static str) -> DecodeError {
    DecodeError::new(Value, start.position(), text)
}
