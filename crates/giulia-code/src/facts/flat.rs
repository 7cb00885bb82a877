//! A term as a row of nodes in the order of the bytes: a tree that nests as deep as it likes.
//!
//! Debug information nests deeper than any message between nodes: a list of a thousand elements
//! is a thousand pairs inside of each other in abstract code. So nothing here recurses, neither
//! the reading nor the walking.

use std::borrow::Cow;

use giulia_term::{DecodeError, Export, Kind, List, Reader, Term};

use crate::problem::{Problem, ProblemKind};

/// A term, or nothing yet.
#[derive(Debug, Default)]
pub(super) struct Flat<'a> {
    slots: Slots<'a>,
}

/// Slots in blocks. One row of a million would be copied each time it grows, and what the system's
/// allocator once gave back as one piece of 33 MB it holds twice of from then on.
#[derive(Debug, Default)]
struct Slots<'a> {
    blocks: Vec<Vec<Slot<'a>>>,
    len: usize,
}

/// In a block: 32 KB of slots.
const BLOCK: usize = 1024;

/// Blocks that are kept for the next term.
const BLOCKS_KEPT: usize = 64;

impl<'a> Slots<'a> {
    fn len(&self) -> usize {
        self.len
    }

    fn clear(&mut self) {
        self.blocks.truncate(BLOCKS_KEPT);
        self.blocks.iter_mut().for_each(Vec::clear);
        self.len = 0;
    }

    #[inline]
    fn push(&mut self, slot: Slot<'a>) {
        let block = self.len / BLOCK;
        if block == self.blocks.len() {
            self.blocks.push(Vec::with_capacity(BLOCK));
        }
        if let Some(it) = self.blocks.get_mut(block) {
            it.push(slot);
            self.len += 1;
        }
    }

    #[inline]
    fn get(&self, index: usize) -> Option<&Slot<'a>> {
        self.blocks.get(index / BLOCK)?.get(index % BLOCK)
    }

    #[inline]
    fn get_mut(&mut self, index: usize) -> Option<&mut Slot<'a>> {
        self.blocks.get_mut(index / BLOCK)?.get_mut(index % BLOCK)
    }
}

/// A place in a term.
#[derive(Debug, Clone, Copy)]
pub(super) struct At<'t, 'a> {
    tree: &'t Flat<'a>,
    index: usize,
}

/// Nodes of one term, 32 bytes each. The largest function of OTP 29 and Elixir 1.20 has 0.7
/// million.
const NODES_MAX: usize = 4_000_000;

#[derive(Debug)]
struct Slot<'a> {
    node: Node<'a>,
    // Where the nodes inside of it end.
    end: usize,
}

#[derive(Debug)]
enum Node<'a> {
    Atom(Cow<'a, str>),
    Int(i64),
    Binary(&'a [u8]),
    /// A list of small integers.
    Bytes(&'a [u8]),
    List,
    Improper,
    Tuple,
    Map,
    Export(Box<Export<'a>>),
    Other,
}

/// What is being read: the place of its head, and how many terms inside of it are to come.
struct Open {
    index: usize,
    left: usize,
    is_list: bool,
}

impl<'a> Flat<'a> {
    /// Reads the next term.
    pub(super) fn read(reader: &mut Reader<'a>) -> Result<Self, Problem> {
        let mut tree = Self::default();
        tree.read_in_place(reader)?;
        Ok(tree)
    }

    /// Reads the next term where another one was.
    pub(super) fn read_in_place(&mut self, reader: &mut Reader<'a>) -> Result<(), Problem> {
        self.slots.clear();
        let mut open: Vec<Open> = Vec::new();
        loop {
            let (inside, is_list) = self.next(reader).map_err(problem)?;
            if inside > 0 {
                open.push(Open { index: self.slots.len() - 1, left: inside, is_list });
            } else if self.close(reader, &mut open) {
                return Ok(());
            }
            if self.slots.len() > NODES_MAX {
                let text = format!("debug information with a term of more than {NODES_MAX} nodes");
                return Err(Problem::new(ProblemKind::Limit, text));
            }
        }
    }

    /// The whole term.
    pub(super) fn root(&self) -> At<'_, 'a> {
        At { tree: self, index: 0 }
    }

    /// Reads one head or leaf: how many terms are inside of it.
    fn next(&mut self, reader: &mut Reader<'a>) -> Result<(usize, bool), DecodeError> {
        let (node, inside, is_list) = match reader.kind()? {
            Kind::Atom => (Node::Atom(reader.atom()?), 0, false),
            Kind::Integer => {
                // A wide integer would leave the reader in the middle of it.
                let mut ahead = reader.clone();
                if let Ok(it) = ahead.int() {
                    *reader = ahead;
                    (Node::Int(it), 0, false)
                } else {
                    reader.skip().map(|()| (Node::Other, 0, false))?
                }
            }
            Kind::Binary => (Node::Binary(reader.binary()?), 0, false),
            Kind::Tuple => (Node::Tuple, reader.tuple()?, false),
            Kind::Map => (Node::Map, reader.map()?.saturating_mul(2), false),
            Kind::List => match reader.list()? {
                List::Empty => (Node::List, 0, false),
                List::Bytes(it) => (Node::Bytes(it), 0, false),
                // Nobody writes a list of none in this form.
                List::Elements(0) => reader.skip().map(|()| (Node::Other, 0, false))?,
                List::Elements(count) => (Node::List, count, true),
            },
            Kind::Fun => {
                let term = reader.term()?;
                let node = if let Term::Export(it) = term { Node::Export(it) } else { Node::Other };
                (node, 0, false)
            }
            Kind::Float
            | Kind::Bits
            | Kind::Pid
            | Kind::Port
            | Kind::Reference
            | Kind::Record
            | Kind::Local => reader.skip().map(|()| (Node::Other, 0, false))?,
        };
        let end = self.slots.len() + 1;
        self.slots.push(Slot { node, end });
        Ok((inside, is_list))
    }

    /// Ends what the last leaf was the last of; true when nothing is open any more.
    fn close(&mut self, reader: &mut Reader<'a>, open: &mut Vec<Open>) -> bool {
        let end = self.slots.len();
        while let Some(last) = open.last_mut() {
            last.left = last.left.saturating_sub(1);
            if last.left > 0 {
                return false;
            }
            let Some(slot) = self.slots.get_mut(last.index) else { return true };
            if last.is_list && reader.end_list().is_err() {
                // What is there instead of the end is the tail.
                slot.node = Node::Improper;
                (last.left, last.is_list) = (1, false);
                return false;
            }
            slot.end = end;
            open.pop();
        }
        true
    }
}

impl<'t, 'a> At<'t, 'a> {
    pub(super) fn atom(self) -> Option<&'t str> {
        if let Node::Atom(it) = self.node()? { Some(it) } else { None }
    }

    pub(super) fn is(self, atom: &str) -> bool {
        self.atom() == Some(atom)
    }

    pub(super) fn int(self) -> Option<i64> {
        if let Node::Int(it) = self.node()? { Some(*it) } else { None }
    }

    pub(super) fn u32(self) -> Option<u32> {
        self.int().and_then(|it| u32::try_from(it).ok())
    }

    pub(super) fn binary(self) -> Option<&'a [u8]> {
        if let Node::Binary(it) = self.node()? { Some(it) } else { None }
    }

    /// A binary or a list of characters as text.
    pub(super) fn text(self) -> Option<String> {
        if let Node::Binary(it) | Node::Bytes(it) = self.node()? {
            return Some(String::from_utf8_lossy(it).into_owned());
        }
        let mut characters = self.is_list().then(|| self.inside())?;
        characters.try_fold(String::new(), |mut text, it| {
            text.push(it.u32().and_then(char::from_u32)?);
            Some(text)
        })
    }

    /// Where it begins and where it ends, in nodes.
    pub(super) fn range(self) -> std::ops::Range<usize> {
        self.index..self.tree.slots.get(self.index).map_or(0, |it| it.end)
    }

    pub(super) fn is_tuple(self) -> bool {
        matches!(self.node(), Some(Node::Tuple))
    }

    pub(super) fn is_list(self) -> bool {
        matches!(self.node(), Some(Node::List | Node::Bytes(_)))
    }

    pub(super) fn export(self) -> Option<&'t Export<'a>> {
        if let Node::Export(it) = self.node()? { Some(it) } else { None }
    }

    /// The elements of a tuple of this arity.
    pub(super) fn tuple<const N: usize>(self) -> Option<[Self; N]> {
        if !self.is_tuple() {
            return None;
        }
        let mut elements = [self; N];
        let mut inside = self.inside();
        for slot in &mut elements {
            *slot = inside.next()?;
        }
        inside.next().is_none().then_some(elements)
    }

    /// The elements of a tuple of this arity that begins with this atom, the atom included.
    pub(super) fn tagged<const N: usize>(self, tag: &str) -> Option<[Self; N]> {
        if !self.is_tuple() || !self.inside().next()?.is(tag) {
            return None;
        }
        self.tuple()
    }

    /// The elements of a proper list; none of anything else, nor of a list of bytes.
    pub(super) fn list(self) -> impl Iterator<Item = Self> {
        let is_list = matches!(self.node(), Some(Node::List));
        self.inside().take(if is_list { usize::MAX } else { 0 })
    }

    /// How many elements a proper list has.
    pub(super) fn list_len(self) -> Option<usize> {
        if let Node::Bytes(it) = self.node()? {
            return Some(it.len());
        }
        self.is_list().then(|| self.inside().count())
    }

    /// The value of an atom's key in a map, or in a list of pairs.
    pub(super) fn get(self, key: &str) -> Option<Self> {
        if self.is_map() {
            let mut inside = self.inside();
            while let (Some(found), Some(value)) = (inside.next(), inside.next()) {
                if found.is(key) {
                    return Some(value);
                }
            }
            return None;
        }
        self.list().filter_map(Self::tuple::<2>).find(|[it, _]| it.is(key)).map(|[_, it]| it)
    }

    /// The value of a binary's key in a map.
    pub(super) fn map_value(self, key: &[u8]) -> Option<Self> {
        let mut inside = self.inside().take(if self.is_map() { usize::MAX } else { 0 });
        while let (Some(found), Some(value)) = (inside.next(), inside.next()) {
            if found.binary() == Some(key) {
                return Some(value);
            }
        }
        None
    }

    fn is_map(self) -> bool {
        matches!(self.node(), Some(Node::Map))
    }

    /// The terms directly inside of this one.
    pub(super) fn inside(self) -> impl Iterator<Item = Self> {
        let tree = self.tree;
        let end = tree.slots.get(self.index).map_or(0, |it| it.end);
        let mut next = self.index + 1;
        std::iter::from_fn(move || {
            if next >= end {
                return None;
            }
            let index = next;
            next = tree.slots.get(index).map_or(end, |it| it.end);
            Some(Self { tree, index })
        })
    }

    /// This term and all that is inside of it, in the order of the bytes.
    pub(super) fn all(self) -> impl Iterator<Item = Self> {
        let tree = self.tree;
        let end = tree.slots.get(self.index).map_or(0, |it| it.end);
        (self.index..end).map(move |index| Self { tree, index })
    }

    fn node(self) -> Option<&'t Node<'a>> {
        self.tree.slots.get(self.index).map(|it| &it.node)
    }
}

#[cold]
#[expect(clippy::needless_pass_by_value, reason = "for `map_err`")]
pub(super) fn problem(error: DecodeError) -> Problem {
    Problem::new(ProblemKind::Value, format!("a term of the module: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(len: i64) -> Vec<u8> {
        let mut bytes = Vec::new();
        Term::list((1..=len).map(|it| Term::int(it * 1000))).encode(&mut bytes).unwrap();
        bytes
    }

    /// Within a block, at its edge, and beyond what is kept of them.
    #[test]
    fn a_term_is_read_where_another_one_was() {
        assert_eq!(size_of::<Slot<'_>>(), 32);
        let block = i64::try_from(BLOCK).unwrap();
        let kept = block * i64::try_from(BLOCKS_KEPT).unwrap();
        let terms: Vec<(i64, Vec<u8>)> =
            [3, kept + 5, 1, block - 1, block, 0, kept * 2].map(|it| (it, list(it))).into();
        let mut tree = Flat::default();
        for (len, bytes) in &terms {
            tree.read_in_place(&mut Reader::new(bytes)).unwrap();
            let read: Vec<Option<i64>> = tree.root().list().map(At::int).collect();
            let written: Vec<Option<i64>> = (1..=*len).map(|it| Some(it * 1000)).collect();
            assert_eq!(read, written, "{len}");
        }
    }
}
