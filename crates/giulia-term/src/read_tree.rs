//! Building the tree of a term.
//!
//! `owed` is how many bytes the containers around still need at least, one for each element
//! that they announced and did not read yet. A container is admitted only when its elements
//! and what is owed fit into the bytes that are left, so the slots of a whole tree never
//! outnumber the bytes of its input, whatever the nesting.

use std::borrow::Cow;

use super::{
    DecodeErrorKind::Limit,
    error::DecodeError,
    reader::{Reader, magnitude_u64, signed},
    tag,
    tree::{BigInt, BitString, Export, Improper, Record, Term},
    validate,
};

/// How deep we are and what the containers around still need.
#[derive(Clone, Copy)]
struct Around {
    depth: usize,
    owed: usize,
}

pub(super) fn read<'a>(reader: &mut Reader<'a>) -> Result<Term<'a>, DecodeError> {
    reader.admit_nodes(1)?;
    reader.tree(Around { depth: 0, owed: 0 })
}

impl Around {
    /// Inside of a container here that still wants `more` elements after this one.
    fn inside(self, more: usize) -> Self {
        Self { depth: self.depth + 1, owed: self.owed + more }
    }
}

impl<'a> Reader<'a> {
    fn tree(&mut self, around: Around) -> Result<Term<'a>, DecodeError> {
        let start = self.cursor;
        let Ok(tag) = self.cursor.u8() else {
            return Err(DecodeError::expected(start.position(), "a term", None));
        };
        match tag {
            tag::SMALL_ATOM_UTF8 | tag::ATOM_UTF8 | tag::ATOM_LATIN1 | tag::SMALL_ATOM_LATIN1 => {
                self.cursor.atom(tag).map(Term::Atom)
            }
            tag::SMALL_INTEGER => self.cursor.u8().map(|it| Term::Int(i64::from(it))),
            tag::INTEGER => {
                self.cursor.array().map(|it| Term::Int(i64::from(i32::from_be_bytes(it))))
            }
            tag::SMALL_TUPLE => {
                let arity = usize::from(self.cursor.u8()?);
                self.elements(arity, around).map(Term::Tuple)
            }
            tag::LARGE_TUPLE => {
                let arity = self.cursor.len32()?;
                self.elements(arity, around).map(Term::Tuple)
            }
            tag::NIL => Ok(Term::Nil),
            tag::LIST => self.list_tree(around),
            tag::STRING => self.string_tree(),
            tag::BINARY => {
                let len = self.cursor.len32()?;
                self.cursor.take(len).map(|it| Term::Binary(Cow::Borrowed(it)))
            }
            tag::NEW_PID | tag::PID => self.pid_body(tag).map(Term::Pid),
            tag::MAP => self.map_tree(around),
            _ => {
                self.cursor = start;
                self.rare_tree(around)
            }
        }
    }

    /// The same for what is rare, out of the way of what is not.
    fn rare_tree(&mut self, around: Around) -> Result<Term<'a>, DecodeError> {
        let position = self.position();
        let before = self.cursor.rest();
        let tag = self.cursor.u8()?;
        match tag {
            tag::NEW_FLOAT | tag::FLOAT => self.cursor.float(tag).map(Term::Float),
            tag::SMALL_BIG | tag::LARGE_BIG => self.big_tree(tag),
            tag::NEW_PORT | tag::V4_PORT | tag::PORT => self.port_body(tag).map(Term::Port),
            tag::NEWER_REFERENCE | tag::NEW_REFERENCE | tag::REFERENCE => {
                self.reference_body(tag).map(Term::from)
            }
            tag::BIT_BINARY => self.bits_tree(),
            tag::EXPORT => self.export_tree(),
            tag::RECORD => self.record_tree(around),
            tag::NEW_FUN | tag::LOCAL => {
                // The validator reads the tag again.
                self.cursor.back_to(before);
                let depth_left = self.depth_max.saturating_sub(around.depth);
                validate::skip(&mut self.cursor, depth_left)?;
                let len = before.len() - self.cursor.left();
                let bytes = Cow::Borrowed(before.get(..len).unwrap_or_default());
                Ok(if tag == tag::LOCAL { Term::Local(bytes) } else { Term::Fun(bytes) })
            }
            _ => Err(DecodeError::tag(position, tag)),
        }
    }

    fn elements(&mut self, count: usize, around: Around) -> Result<Vec<Term<'a>>, DecodeError> {
        if count == 0 {
            return Ok(Vec::new());
        }
        self.admit(count, around)?;
        let mut elements = Vec::with_capacity(count);
        for more in (0..count).rev() {
            elements.push(self.tree(around.inside(more))?);
        }
        Ok(elements)
    }

    /// A list; one whose tail is written as a list of its own is read as one list.
    fn list_tree(&mut self, around: Around) -> Result<Term<'a>, DecodeError> {
        self.admit_depth(around)?;
        let mut elements = Vec::new();
        loop {
            let count = self.cursor.len32()?;
            // The tail takes a byte too.
            self.admit(count, Around { owed: around.owed + 1, ..around })?;
            if elements.is_empty() {
                elements.reserve_exact(count);
            } else {
                elements.reserve(count);
            }
            for more in (0..count).rev() {
                elements.push(self.tree(around.inside(more + 1))?);
            }
            match self.cursor.peek() {
                Some(tag::LIST) => self.cursor.u8()?,
                _ => break,
            };
        }
        let tail = self.tree(around.inside(0))?;
        if elements.is_empty() {
            return Ok(tail);
        }
        if let Term::List(more) = tail {
            elements.extend(more);
            return Ok(Term::List(elements));
        }
        if matches!(tail, Term::Nil) {
            return Ok(Term::List(elements));
        }
        Ok(Term::Improper(Box::new(Improper { elements, tail })))
    }

    fn string_tree(&mut self) -> Result<Term<'a>, DecodeError> {
        let len = usize::from(self.cursor.u16()?);
        let bytes = self.cursor.take(len)?;
        self.admit_nodes(len)?;
        Ok(Term::list(bytes.iter().map(|it| Term::Int(i64::from(*it)))))
    }

    fn map_tree(&mut self, around: Around) -> Result<Term<'a>, DecodeError> {
        let count = self.cursor.len32()?;
        if count == 0 {
            return Ok(Term::Map(Vec::new()));
        }
        self.admit(count.saturating_mul(2), around)?;
        let mut pairs = Vec::with_capacity(count);
        for more in (0..count).rev() {
            let key = self.tree(around.inside(more * 2 + 1))?;
            pairs.push((key, self.tree(around.inside(more * 2))?));
        }
        Ok(Term::Map(pairs))
    }

    fn record_tree(&mut self, around: Around) -> Result<Term<'a>, DecodeError> {
        let head = self.cursor.record_head()?;
        // An atom takes two bytes, a value one.
        self.admit(head.count.saturating_mul(3), around)?;
        let (module, name) = (self.atom()?, self.atom()?);
        let mut fields = Vec::with_capacity(head.count);
        for _ in 0..head.count {
            fields.push((self.atom()?, Term::Nil));
        }
        let mut more = head.count;
        for (_, value) in &mut fields {
            more -= 1;
            *value = self.tree(around.inside(more))?;
        }
        Ok(Term::Record(Box::new(Record { module, name, exported: head.exported, fields })))
    }

    fn big_tree(&mut self, tag: u8) -> Result<Term<'a>, DecodeError> {
        let (negative, magnitude) = self.big(tag)?;
        let small = magnitude_u64(magnitude).and_then(|it| signed(negative, it));
        Ok(small.map_or_else(
            || Term::Big(Box::new(BigInt { negative, magnitude: Cow::Borrowed(magnitude) })),
            Term::Int,
        ))
    }

    fn bits_tree(&mut self) -> Result<Term<'a>, DecodeError> {
        let (bytes, last_bits) = self.cursor.bits()?;
        if last_bits == 0 || last_bits == 8 {
            return Ok(Term::Binary(Cow::Borrowed(bytes)));
        }
        let mut bytes = Cow::Borrowed(bytes);
        let unused = 0xff_u8 >> last_bits;
        // What does not count is zero, so that equal bit strings are equal here.
        if bytes.last().is_some_and(|it| it & unused != 0)
            && let Some(last) = bytes.to_mut().last_mut()
        {
            *last &= !unused;
        }
        Ok(Term::Bits(Box::new(BitString { bytes, last_bits })))
    }

    fn export_tree(&mut self) -> Result<Term<'a>, DecodeError> {
        let (module, function) = (self.atom()?, self.atom()?);
        let arity = self.cursor.export_arity()?;
        Ok(Term::Export(Box::new(Export { module, function, arity })))
    }

    #[inline]
    fn admit(&mut self, count: usize, around: Around) -> Result<(), DecodeError> {
        self.admit_depth(around)?;
        self.cursor.covered(count.saturating_add(around.owed))?;
        self.admit_nodes(count)
    }

    #[inline]
    fn admit_depth(&self, around: Around) -> Result<(), DecodeError> {
        if around.depth < self.depth_max { Ok(()) } else { Err(self.cursor.too_deep()) }
    }

    #[inline]
    fn admit_nodes(&mut self, count: usize) -> Result<(), DecodeError> {
        match self.tree_nodes_left.checked_sub(count) {
            Some(left) => self.tree_nodes_left = left,
            None => return Err(self.too_many()),
        }
        Ok(())
    }

    #[cold]
    fn too_many(&self) -> DecodeError {
        let text = "the tree has more nodes than its limit allows";
        DecodeError::new(Limit, self.position(), text)
    }
}
