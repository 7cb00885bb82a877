//! Everything about one module, or about functions of one.

use std::collections::BTreeMap;

use giulia_model::{CodeCallback, CodeEdge, CodeGraph, CodeModuleDetails, CodeShow};

use super::super::{Edge, Graph, NodeId};
use super::{Direction, EdgeFilter, Page, count};

impl Graph {
    /// One module that is defined, with at most so many references in each direction.
    pub fn show_module(&self, module: NodeId, most: usize) -> CodeShow {
        let all = Page { from: 0, limit: usize::MAX };
        let mut shown = self.shown(module);
        shown.functions = self.functions(&[module], all).functions;
        let mut out: BTreeMap<NodeId, Edge> = BTreeMap::new();
        let mut referring: BTreeMap<NodeId, Edge> = BTreeMap::new();
        let nodes = self.home(module).map(|(segment, _)| segment.nodes.as_slice());
        for node in nodes.unwrap_or_default() {
            for edge in self.edges(*node) {
                add(&mut out, self.module_of(edge.to).unwrap_or(edge.to), module, edge);
            }
            for edge in self.edges_to(*node) {
                add(&mut referring, self.module_of(edge.from).unwrap_or(edge.from), module, edge);
            }
        }
        let shorten = |edges: BTreeMap<NodeId, Edge>| -> (Vec<CodeEdge>, u64) {
            let left_out = count(edges.len().saturating_sub(most));
            let mut edges: Vec<Edge> = edges.into_values().collect();
            edges.sort_by_key(|it| std::cmp::Reverse(it.count));
            (edges.iter().take(most).map(|it| self.edge(it)).collect(), left_out)
        };
        (shown.refers_to, shown.refers_to_left_out) = shorten(out);
        (shown.referred_to_by, shown.referred_to_by_left_out) = shorten(referring);
        shown
    }

    /// Functions of one module, with at most so many references in each direction.
    pub fn show_functions(&self, functions: &[NodeId], most: usize) -> CodeShow {
        let module = functions.first().and_then(|it| self.module_of(*it).or(Some(*it)));
        let mut shown = self.shown(module.unwrap_or(NodeId(u32::MAX)));
        shown.functions = functions.iter().map(|it| self.listed_function(*it)).collect();
        let page = Page { from: 0, limit: most };
        let left_out = |total: u64, listed: usize| total.saturating_sub(count(listed));
        let referring = self.calls(functions, Direction::In, EdgeFilter::ALL, page);
        shown.referred_to_by_left_out = left_out(referring.total, referring.calls.len());
        shown.referred_to_by = referring.calls;
        let out = self.calls(functions, Direction::Out, EdgeFilter::ALL, page);
        shown.refers_to_left_out = left_out(out.total, out.calls.len());
        shown.refers_to = out.calls;
        shown
    }

    fn shown(&self, module: NodeId) -> CodeShow {
        CodeShow {
            schema: "giulia.code-show/1".to_owned(),
            of: CodeGraph::default(),
            module: self.listed_module(module),
            details: self.details(module),
            functions: Vec::new(),
            referred_to_by: Vec::new(),
            referred_to_by_left_out: 0,
            refers_to: Vec::new(),
            refers_to_left_out: 0,
        }
    }

    fn details(&self, module: NodeId) -> CodeModuleDetails {
        let Some((segment, _)) = self.home(module) else { return CodeModuleDetails::default() };
        let it = &segment.module;
        let text = |it: &_| self.text(*it).to_owned();
        let mut callbacks: Vec<CodeCallback> = it
            .callbacks
            .iter()
            .map(|it| CodeCallback {
                name: self.text(it.name).to_owned(),
                arity: it.arity,
                is_optional: it.is_optional,
            })
            .collect();
        callbacks.sort();
        CodeModuleDetails {
            doc: self.some(it.doc),
            md5: it.md5.map(|it| format!("{:032x}", u128::from_be_bytes(it))),
            behaviours: it.behaviours.iter().map(text).collect(),
            callbacks,
            is_protocol: it.is_protocol,
            implements: it.implements.map(|(protocol, _)| text(&protocol)),
            implements_for: it.implements.map(|(_, target)| text(&target)),
            structure: it.structure.as_ref().map(|it| it.iter().map(text).collect()),
        }
    }
}

/// Adds an edge to those of another module, of which the first stands for all.
fn add(edges: &mut BTreeMap<NodeId, Edge>, other: NodeId, module: NodeId, edge: Edge) {
    if other == module {
        return;
    }
    edges
        .entry(other)
        .and_modify(|it| {
            it.count = it.count.saturating_add(edge.count);
            it.origins |= edge.origins;
        })
        .or_insert(edge);
}
