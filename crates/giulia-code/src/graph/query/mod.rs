//! What a graph is asked: each question one file, answered from memory and in pages.

mod asked;
mod calls;
mod cycles;
mod export;
mod find;
mod listing;
mod projection;
mod reach;
mod show;
mod tables;

use giulia_model::{CodeEdge, CodeNode, NodeKind};

pub(super) use self::projection::Projection;
pub use self::{
    calls::{Direction, EdgeFilter},
    cycles::When,
    find::{Found, NotFound},
    reach::Reach,
};
use super::{Edge, Graph, NodeId, Sym, kind_of, origins_of};

/// A part of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Page {
    /// How many come before it.
    pub from: usize,
    /// How many it has at most.
    pub limit: usize,
}

impl Page {
    /// Where the next one begins, of so many.
    fn next(self, total: usize) -> Option<u64> {
        let next = self.from.saturating_add(self.limit);
        (next < total).then(|| u64::try_from(next).unwrap_or(u64::MAX))
    }
}

/// A number for a document.
fn count(it: usize) -> u64 {
    u64::try_from(it).unwrap_or(u64::MAX)
}

impl Graph {
    /// A node as documents have it.
    pub fn node(&self, node: NodeId) -> CodeNode {
        let Some(key) = self.nodes.key(node) else {
            let (module, name) = (String::new(), String::new());
            return CodeNode { kind: NodeKind::Module, module, name, arity: None };
        };
        let has_arity = matches!(key.kind, NodeKind::Function | NodeKind::Type);
        CodeNode {
            kind: key.kind,
            module: self.text(key.module).to_owned(),
            name: self.text(key.name).to_owned(),
            arity: has_arity.then_some(key.arity),
        }
    }

    /// An edge as documents have it.
    fn edge(&self, edge: &Edge) -> CodeEdge {
        CodeEdge {
            from: self.node(edge.from),
            to: self.node(edge.to),
            kind: kind_of(edge.kind),
            origins: origins_of(edge.origins),
            file: self.some(self.file_of(edge)),
            line: (edge.line > 0).then_some(edge.line),
            count: u32::from(edge.count),
        }
    }

    /// The file that an edge stands in.
    fn file_of(&self, edge: &Edge) -> Sym {
        if edge.file != Sym::NONE {
            return edge.file;
        }
        let Some((segment, row)) = self.home(edge.from) else { return Sym::NONE };
        let own = segment.function(row).map(|it| it.file).filter(|it| *it != Sym::NONE);
        own.unwrap_or(segment.module.file)
    }
}
