//! The graph of code: who refers to whom, from bytecode and from source, answered from memory.
//!
//! A *unit* is what is read at once, one file; it gives *parts*, one for each of its modules.
//! The parts of a module become one *segment*: its functions and, in compressed rows, all that
//! they refer to. A node that no segment defines is external. A changed file replaces its parts
//! and their segments and nothing else; [`Graph::generation`] tells that something changed.
//!
//! Names are interned, rows are columns, and nothing is copied to answer: an edge takes 20 bytes
//! in its part, as much in its row, and 4 in the index of who refers to a node.

mod backward;
mod beam;
mod blob;
mod change;
mod names;
mod node;
mod part;
mod query;
mod segment;
mod source;

use std::{
    collections::{BTreeMap, HashMap},
    sync::OnceLock,
};

use giulia_model::{Mfa, NodeKind};
use md5::Digest as _;

use self::{
    backward::Backward,
    names::{Names, Sym},
    node::{Key, Nodes},
    part::{Edge, Part, kind_of, origins_of},
    segment::Segment,
};
pub use self::{
    blob::{BLOB_VERSION, BlobProblem},
    change::{Change, Delta},
    node::NodeId,
    query::{Direction, EdgeFilter, Found, NotFound, Page, Reach, When},
};

/// Code as nodes and edges.
#[derive(Debug, Clone, Default)]
pub struct Graph {
    names: Names,
    nodes: Nodes,
    units: BTreeMap<Box<str>, Unit>,
    // By number; a number whose unit is gone is used again.
    parts: Vec<Option<Part>>,
    free_parts: Vec<u32>,
    // The segment of each module, and the parts that it is made of.
    modules: HashMap<Sym, Vec<u32>>,
    segments: Vec<Segment>,
    segment_of: HashMap<Sym, u32>,
    backward: Backward,
    // Made when it is asked for first after a change.
    projection: OnceLock<query::Projection>,
    generation: u64,
    n_edges: usize,
}

/// What was read at once.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Unit {
    stamp: Stamp,
    parts: Vec<u32>,
}

/// What tells whether a unit has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
pub struct Stamp {
    /// A sum over its bytes.
    pub hash: [u8; 16],
    /// When it was written, in nanoseconds since 1970; 0 where nobody knows.
    pub written_ns: u64,
    /// Its length in bytes.
    pub bytes: u64,
}

/// How large a graph is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Size {
    /// Files, or modules of a node.
    pub units: usize,
    /// Modules that are defined.
    pub modules: usize,
    /// Functions that are defined.
    pub functions: usize,
    /// Nodes that are referred to and defined nowhere here.
    pub external: usize,
    /// Edges; those of a kind, from one function to one target in one line, are one.
    pub edges: usize,
}

/// Where a function begins, as far as it is known.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct FunctionPlace {
    /// The file that it stands in.
    pub file: Option<String>,
    /// The line.
    pub line: Option<u32>,
    /// What `module_info(md5)` says where the bytecode is loaded that was read of its module.
    pub md5: Option<[u8; 16]>,
}

impl Stamp {
    /// Of bytes that were written then, in nanoseconds since 1970.
    pub fn of(bytes: &[u8], written_ns: u64) -> Self {
        let hash = md5::Md5::digest(bytes).into();
        Self { hash, written_ns, bytes: u64::try_from(bytes.len()).unwrap_or(u64::MAX) }
    }
}

impl Graph {
    /// One without anything.
    pub fn new() -> Self {
        Self::default()
    }

    /// How often it changed.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// How large it is.
    pub fn size(&self) -> Size {
        let defined = |it: &NodeId| self.nodes.home(*it).is_some();
        Size {
            units: self.units.len(),
            modules: self.segment_of.len(),
            functions: self.segments.iter().map(|it| it.functions.len()).sum(),
            external: self.nodes.all().filter(|it| !defined(it)).count(),
            edges: self.n_edges,
        }
    }

    /// The units with what tells whether they changed, in the order of their names.
    pub fn units(&self) -> impl Iterator<Item = (&str, Stamp)> {
        self.units.iter().map(|(name, it)| (&**name, it.stamp))
    }

    /// What tells whether a unit has changed, if it is known.
    pub fn stamp(&self, unit: &str) -> Option<Stamp> {
        self.units.get(unit).map(|it| it.stamp)
    }

    /// Begins to change it; nothing is to be asked before [`Change::finish`].
    pub fn change(&mut self) -> Change<'_> {
        Change::new(self)
    }

    /// What kind of thing a node is.
    pub fn kind(&self, node: NodeId) -> NodeKind {
        self.nodes.key(node).map_or(NodeKind::Function, |it| it.kind)
    }

    /// The function of a node; of a module, table or process its names with the arity 0.
    pub fn mfa(&self, node: NodeId) -> Mfa {
        let Some(key) = self.nodes.key(node) else { return Mfa::new("", "", 0) };
        Mfa::new(self.names.text(key.module), self.names.text(key.name), key.arity)
    }

    /// How a node is written: `Shop.Cart.get/1`, `Shop.Cart`, `table buckets`.
    pub fn written(&self, node: NodeId) -> String {
        self.node(node).to_string()
    }

    /// Whether something here defines it.
    pub fn is_defined(&self, node: NodeId) -> bool {
        self.nodes.home(node).is_some()
    }

    /// The node of a module, if it is defined or referred to.
    pub fn module(&self, name: &str) -> Option<NodeId> {
        let module = self.names.find(name)?;
        self.nodes.find(Key { kind: NodeKind::Module, module, name: Sym::NONE, arity: 0 })
    }

    /// What `module_info(md5)` says where the bytecode of a module is loaded that was read.
    pub fn module_md5(&self, module: &str) -> Option<[u8; 16]> {
        self.home(self.module(module)?).and_then(|(segment, _)| segment.module.md5)
    }

    /// Where a function that is defined begins.
    pub fn place_of(&self, mfa: &Mfa) -> Option<FunctionPlace> {
        let (segment, row) = self.home(self.function(mfa)?)?;
        let it = segment.function(row)?;
        let file = if it.file == Sym::NONE { segment.module.file } else { it.file };
        Some(FunctionPlace {
            file: self.some(file),
            line: (it.line > 0).then_some(it.line),
            md5: segment.module.md5,
        })
    }

    /// The node of a function, if it is defined or referred to.
    pub fn function(&self, mfa: &Mfa) -> Option<NodeId> {
        let (module, name) = (self.names.find(&mfa.module)?, self.names.find(&mfa.function)?);
        self.nodes.find(Key { kind: NodeKind::Function, module, name, arity: mfa.arity })
    }

    /// The module of a function; of a module itself.
    pub fn module_of(&self, node: NodeId) -> Option<NodeId> {
        let module = self.nodes.key(node).map(|it| it.module).filter(|it| *it != Sym::NONE)?;
        self.nodes.find(Key { kind: NodeKind::Module, module, name: Sym::NONE, arity: 0 })
    }

    /// A module that is defined, and its functions; of one that is not, those that are known.
    pub fn rows_of(&self, module: NodeId) -> Vec<NodeId> {
        if let Some((segment, _)) = self.home(module) {
            return segment.nodes.clone();
        }
        let name = self.nodes.key(module).map(|it| it.module);
        let of = |it: &NodeId| self.nodes.key(*it).map(|it| it.module) == name;
        self.nodes.all().filter(of).collect()
    }

    fn home(&self, node: NodeId) -> Option<(&Segment, u32)> {
        let home = self.nodes.home(node)?;
        Some((self.segments.get(usize::try_from(home.segment).ok()?)?, home.row))
    }

    /// The segments in use.
    fn segments(&self) -> impl Iterator<Item = &Segment> + Clone {
        self.segments.iter().filter(|it| !it.nodes.is_empty())
    }

    /// What a node refers to.
    fn edges(&self, node: NodeId) -> impl Iterator<Item = Edge> + '_ {
        self.home(node).into_iter().flat_map(|(segment, row)| segment.edges(row))
    }

    /// What refers to a node.
    fn edges_to(&self, node: NodeId) -> impl Iterator<Item = Edge> + '_ {
        self.backward
            .candidates(node)
            .filter_map(|from| self.home(from))
            .flat_map(move |(segment, row)| segment.edges_to(row, node))
    }

    fn text(&self, name: Sym) -> &str {
        self.names.text(name)
    }

    /// A text that is not there is none.
    fn some(&self, name: Sym) -> Option<String> {
        let text = self.names.text(name);
        (!text.is_empty()).then(|| text.to_owned())
    }
}
