//! What one file says of one module, with numbers in place of names: what a graph is made of.

use giulia_model::{EdgeKind, EdgeOrigin};

use super::{names::Sym, node::NodeId};

/// From which side a part comes; two of a side do not add up, they are the same code twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Side {
    Bytecode,
    Source,
}

/// A module as one file has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Part {
    /// The node of the module.
    pub(crate) node: NodeId,
    pub(crate) side: Side,
    pub(crate) module: ModuleInfo,
    pub(crate) functions: Vec<(NodeId, FunctionInfo)>,
    pub(crate) edges: Vec<Edge>,
}

/// What is known of a module.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct ModuleInfo {
    pub(crate) application: Sym,
    /// The file that it is written in.
    pub(crate) file: Sym,
    pub(crate) language: Sym,
    pub(crate) line: u32,
    pub(crate) end_line: u32,
    pub(crate) doc: Sym,
    /// What `module_info(md5)` says where this bytecode is loaded.
    pub(crate) md5: Option<[u8; 16]>,
    pub(crate) has_debug_info: bool,
    pub(crate) is_protocol: bool,
    /// The protocol that it implements, and for what.
    pub(crate) implements: Option<(Sym, Sym)>,
    pub(crate) behaviours: Vec<Sym>,
    pub(crate) callbacks: Vec<Callback>,
    /// The fields of its struct.
    pub(crate) structure: Option<Vec<Sym>>,
}

/// What a behaviour asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Callback {
    pub(crate) name: Sym,
    pub(crate) arity: u32,
    pub(crate) is_optional: bool,
}

/// What is known of a function.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct FunctionInfo {
    pub(crate) line: u32,
    pub(crate) end_line: u32,
    /// The file that it stands in.
    pub(crate) file: Sym,
    pub(crate) doc: Sym,
    /// The macro that writes it, where it is not written out.
    pub(crate) defined_by: Sym,
    pub(crate) is_exported: bool,
    pub(crate) has_complexity: bool,
    pub(crate) clauses: u16,
    pub(crate) cyclomatic: u16,
    pub(crate) cognitive: u16,
    pub(crate) nesting: u16,
    /// Calls of funs and of functions whose name is a value.
    pub(crate) unresolved: u32,
}

/// One edge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Edge {
    pub(crate) from: NodeId,
    pub(crate) to: NodeId,
    /// 0 is unknown.
    pub(crate) line: u32,
    pub(crate) kind: u8,
    /// The bits of who says so.
    pub(crate) origins: u8,
    /// How many there are at this place.
    pub(crate) count: u16,
    /// Where, when it is another file than its function's.
    pub(crate) file: Sym,
}

/// The code of a kind.
pub(crate) fn kind_code(kind: EdgeKind) -> u8 {
    let place = EdgeKind::ALL.iter().position(|it| *it == kind);
    place.and_then(|it| u8::try_from(it).ok()).unwrap_or_default()
}

/// The kind of a code; codes are checked where they are read.
pub(crate) fn kind_of(code: u8) -> EdgeKind {
    EdgeKind::ALL.get(usize::from(code)).copied().unwrap_or(EdgeKind::Call)
}

/// The bit of an origin.
pub(crate) fn origin_bit(origin: EdgeOrigin) -> u8 {
    let place = EdgeOrigin::ALL.iter().position(|it| *it == origin);
    place.map_or(0, |it| 1 << it)
}

/// The origins of bits.
pub(crate) fn origins_of(bits: u8) -> Vec<EdgeOrigin> {
    let has = |it: &EdgeOrigin| bits & origin_bit(*it) != 0;
    EdgeOrigin::ALL.iter().copied().filter(has).collect()
}
