//! Nodes by number: what they are, column by column, and a table to find them again.

use std::hash::BuildHasher;

use giulia_model::NodeKind;
use hashbrown::DefaultHashBuilder;

use super::names::{Slots, Sym};

/// The number of a node; it stays the same as long as its graph lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NodeId(pub(crate) u32);

impl NodeId {
    pub(crate) fn index(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }
}

/// What tells a node from all others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    pub(crate) kind: NodeKind,
    /// The module that it belongs to, or that it is; of a process or a named table, none.
    pub(crate) module: Sym,
    /// Its name within that.
    pub(crate) name: Sym,
    pub(crate) arity: u32,
}

/// The kinds in the order of their codes, which stored graphs hold.
pub(crate) const KINDS: &[NodeKind] = &[
    NodeKind::Application,
    NodeKind::Module,
    NodeKind::Function,
    NodeKind::Type,
    NodeKind::Process,
    NodeKind::Table,
];

/// Where the rows of a node are: a segment and a row of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Home {
    pub(crate) segment: u32,
    pub(crate) row: u32,
}

impl Home {
    /// What nobody defines has none.
    pub(crate) const NONE: Self = Self { segment: u32::MAX, row: 0 };
}

/// All nodes.
#[derive(Debug, Clone, Default)]
pub(crate) struct Nodes {
    kinds: Vec<u8>,
    modules: Vec<Sym>,
    names: Vec<Sym>,
    arities: Vec<u32>,
    homes: Vec<Home>,
    slots: Slots,
    hasher: DefaultHashBuilder,
}

impl Nodes {
    /// The number of a node, a new one if it is new; none above four thousand million.
    pub(crate) fn number(&mut self, key: Key) -> Option<NodeId> {
        let hash = self.hasher.hash_one(key);
        if let Some(found) = self.find_hashed(hash, key) {
            return Some(found);
        }
        let number = u32::try_from(self.kinds.len()).ok().filter(|it| *it < u32::MAX)?;
        let code = KINDS.iter().position(|it| *it == key.kind)?;
        self.kinds.push(u8::try_from(code).ok()?);
        self.modules.push(key.module);
        self.names.push(key.name);
        self.arities.push(key.arity);
        self.homes.push(Home::NONE);
        let mut slots = std::mem::take(&mut self.slots);
        slots.insert(hash, number, |it| {
            self.key(NodeId(it)).map(|it| self.hasher.hash_one(it)).unwrap_or_default()
        });
        self.slots = slots;
        Some(NodeId(number))
    }

    pub(crate) fn find(&self, key: Key) -> Option<NodeId> {
        self.find_hashed(self.hasher.hash_one(key), key)
    }

    fn find_hashed(&self, hash: u64, key: Key) -> Option<NodeId> {
        self.slots.find(hash, |it| self.key(NodeId(it)) == Some(key)).map(NodeId)
    }

    pub(crate) fn key(&self, node: NodeId) -> Option<Key> {
        let idx = node.index();
        Some(Key {
            kind: *KINDS.get(usize::from(*self.kinds.get(idx)?))?,
            module: *self.modules.get(idx)?,
            name: *self.names.get(idx)?,
            arity: *self.arities.get(idx)?,
        })
    }

    /// Where its rows are, if anybody defines it.
    pub(crate) fn home(&self, node: NodeId) -> Option<Home> {
        self.homes.get(node.index()).copied().filter(|it| *it != Home::NONE)
    }

    pub(crate) fn set_home(&mut self, node: NodeId, home: Home) {
        if let Some(slot) = self.homes.get_mut(node.index()) {
            *slot = home;
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.kinds.len()
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = NodeId> + use<> {
        (0..u32::try_from(self.kinds.len()).unwrap_or(u32::MAX)).map(NodeId)
    }

    pub(crate) fn shrink(&mut self) {
        self.kinds.shrink_to_fit();
        self.modules.shrink_to_fit();
        self.names.shrink_to_fit();
        self.arities.shrink_to_fit();
        self.homes.shrink_to_fit();
    }
}
