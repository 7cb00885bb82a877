//! Who refers to something, and to what it refers, place by place.

use giulia_model::{CodeCalls, CodeGraph, EdgeKind};

use super::super::{Edge, Graph, NodeId, Sym, part::kind_code};
use super::{Page, count};

/// Along edges or against them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Direction {
    /// To what it refers.
    Out,
    /// What refers to it.
    In,
}

/// Which kinds of edges count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EdgeFilter(u64);

impl EdgeFilter {
    /// All.
    pub const ALL: Self = Self(u64::MAX);

    /// These.
    pub fn of(kinds: impl IntoIterator<Item = EdgeKind>) -> Self {
        Self(kinds.into_iter().fold(0, |mask, it| mask | 1 << kind_code(it)))
    }

    /// Those by which what they lead to may run.
    pub fn control() -> Self {
        Self::of(EdgeKind::ALL.iter().copied().filter(|it| it.is_control()))
    }

    pub(super) fn has(self, edge: &Edge) -> bool {
        self.0 & (1 << edge.kind.min(63)) != 0
    }
}

impl Graph {
    /// The places at which functions are referred to ([`Direction::In`]) or refer to others.
    pub fn calls(
        &self,
        about: &[NodeId],
        direction: Direction,
        filter: EdgeFilter,
        page: Page,
    ) -> CodeCalls {
        let mut edges: Vec<Edge> = Vec::new();
        for node in about {
            match direction {
                Direction::Out => edges.extend(self.edges(*node).filter(|it| filter.has(it))),
                Direction::In => edges.extend(self.edges_to(*node).filter(|it| filter.has(it))),
            }
        }
        let total = edges.len();
        match direction {
            Direction::Out => {
                edges.sort_unstable_by_key(|it| (it.from, it.line, it.to, it.kind));
            }
            // By who calls; names and not numbers, so that pages stay in order.
            Direction::In => edges.sort_by_cached_key(|it| {
                let key = self.nodes.key(it.from);
                let (module, name) = key.map_or((Sym::NONE, Sym::NONE), |it| (it.module, it.name));
                (self.text(module), self.text(name), key.map_or(0, |it| it.arity), it.line)
            }),
        }
        let page_of = edges.iter().skip(page.from).take(page.limit);
        CodeCalls {
            of: CodeGraph::default(),
            about: about.iter().map(|it| self.node(*it)).collect(),
            total: count(total),
            calls: page_of.map(|it| self.edge(it)).collect(),
            next: page.next(total),
        }
    }

    /// The distinct nodes that refer to a node, itself left out.
    pub(super) fn fan_in(&self, node: NodeId) -> usize {
        let referring = self.backward.candidates(node).filter(|from| {
            *from != node
                && self
                    .home(*from)
                    .is_some_and(|(segment, row)| segment.edges_to(row, node).next().is_some())
        });
        referring.count()
    }

    /// The distinct functions that a node refers to, itself left out.
    pub(super) fn fan_out(&self, node: NodeId) -> usize {
        let Some((segment, row)) = self.home(node) else { return 0 };
        let mut last = None;
        let targets = segment.targets(row).iter().filter(|it| {
            let is_new = last.replace(**it) != Some(**it);
            is_new && **it != node
        });
        targets.count()
    }
}
