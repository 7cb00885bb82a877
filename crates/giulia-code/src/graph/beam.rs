//! From the facts of a `.beam` file to a part of the graph.

use giulia_model::{EdgeKind, EdgeOrigin, NodeKind};

use super::{
    Change, NodeId, Stamp,
    names::Sym,
    part::{Callback, Edge, FunctionInfo, ModuleInfo, Part, Side, kind_code, origin_bit},
};
use crate::{
    ets_use,
    facts::{CallFacts, Facts, FunctionFacts, How, Origin},
};

/// Bytes of a documentation that a graph keeps: what a list or a search shows of it.
const DOC_BYTES_MAX: usize = 400;

impl Change<'_> {
    /// Puts the facts of a `.beam` file in, in place of what the unit was before.
    pub fn beam(&mut self, unit: &str, stamp: Stamp, application: Option<&str>, facts: &Facts) {
        let parts = Vec::from_iter(self.of_beam(application, facts));
        self.put(unit, stamp, parts);
    }

    fn of_beam(&mut self, application: Option<&str>, facts: &Facts) -> Option<Part> {
        let node = self.node(NodeKind::Module, (&facts.module, ""), 0)?;
        let targets: Vec<Option<NodeId>> = facts
            .targets
            .iter()
            .map(|it| self.node(NodeKind::Function, (&it.module, &it.function), it.arity))
            .collect();
        let origins = if facts.has_debug_info {
            origin_bit(EdgeOrigin::DebugInfo)
        } else {
            origin_bit(EdgeOrigin::Bytecode)
        };
        let mut edges = Vec::new();
        let mut functions = Vec::with_capacity(facts.functions.len());
        for function in &facts.functions {
            let (name, arity) = (function.name.as_str(), function.arity);
            let Some(from) = self.node(NodeKind::Function, (&facts.module, name), arity) else {
                continue;
            };
            functions.push((from, self.function_info(facts, function)));
            for call in &function.calls {
                let Some(to) = at(&targets, call.to).flatten() else { continue };
                edges.push(edge(from, to, call));
                edges.extend(self.table_edge(facts, from, call));
            }
        }
        for behaviour in &facts.behaviours {
            let to = self.node(NodeKind::Module, (behaviour, ""), 0);
            edges.extend(to.map(|to| own_edge(node, to, EdgeKind::Behaviour, origins)));
        }
        if let Some((protocol, _)) = &facts.implements {
            let to = self.node(NodeKind::Module, (protocol, ""), 0);
            edges.extend(to.map(|to| own_edge(node, to, EdgeKind::Implements, origins)));
        }
        edges.shrink_to_fit();
        let module = self.module_info(application, facts);
        Some(Part { node, side: Side::Bytecode, module, functions, edges })
    }

    fn module_info(&mut self, application: Option<&str>, facts: &Facts) -> ModuleInfo {
        ModuleInfo {
            application: self.sym(application.unwrap_or_default()),
            file: self.sym(facts.source.as_deref().unwrap_or_default()),
            language: self.sym(facts.language.as_deref().unwrap_or_default()),
            line: 0,
            end_line: 0,
            doc: self.doc(facts.doc.as_deref()),
            md5: Some(facts.md5),
            has_debug_info: facts.has_debug_info,
            is_protocol: facts.is_protocol,
            implements: facts
                .implements
                .as_ref()
                .map(|(protocol, target)| (self.sym(protocol), self.sym(target))),
            behaviours: facts.behaviours.iter().map(|it| self.sym(it)).collect(),
            callbacks: facts
                .callbacks
                .iter()
                .map(|it| Callback {
                    name: self.sym(&it.name),
                    arity: it.arity,
                    is_optional: it.is_optional,
                })
                .collect(),
            structure: facts
                .structure
                .as_ref()
                .map(|fields| fields.iter().map(|it| self.sym(it)).collect()),
        }
    }

    fn function_info(&mut self, facts: &Facts, function: &FunctionFacts) -> FunctionInfo {
        let file = function.file.as_deref().or(facts.source.as_deref());
        FunctionInfo {
            line: function.line.unwrap_or_default(),
            file: self.sym(file.unwrap_or_default()),
            doc: self.doc(function.doc.as_deref()),
            is_exported: function.is_exported,
            unresolved: function.n_unresolved,
            ..FunctionInfo::default()
        }
    }

    /// What a call does to a table, as an edge to the table.
    fn table_edge(&mut self, facts: &Facts, from: NodeId, call: &CallFacts) -> Option<Edge> {
        let target = facts.targets.get(usize::try_from(call.to).ok()?)?;
        if target.module != "ets" || call.how == How::Bif {
            return None;
        }
        let kind = ets_use(&target.function, target.arity)?;
        let subject = call.subject.and_then(|it| facts.subjects.get(usize::try_from(it).ok()?));
        let names = subject.map_or((facts.module.as_str(), ""), |it| ("", it.as_str()));
        let to = self.node(NodeKind::Table, names, 0)?;
        Some(Edge { to, kind: kind_code(kind), ..edge(from, to, call) })
    }

    /// The first paragraph, and of a long one the beginning.
    pub(super) fn doc(&mut self, doc: Option<&str>) -> Sym {
        let paragraph = doc.unwrap_or_default().trim_start();
        let paragraph = paragraph.split_once("\n\n").map_or(paragraph, |(first, _)| first);
        let end = paragraph.floor_char_boundary(DOC_BYTES_MAX);
        let text = paragraph.get(..end).unwrap_or_default().trim_end();
        self.sym(text)
    }
}

fn at<T: Copy>(list: &[T], place: u32) -> Option<T> {
    usize::try_from(place).ok().and_then(|it| list.get(it)).copied()
}

fn edge(from: NodeId, to: NodeId, call: &CallFacts) -> Edge {
    let kind = match call.how {
        How::Call => EdgeKind::Call,
        How::Reference => EdgeKind::Reference,
        How::Bif => EdgeKind::Bif,
    };
    let (written, compiled) = (origin_bit(EdgeOrigin::DebugInfo), origin_bit(EdgeOrigin::Bytecode));
    let origins = match call.origin {
        Origin::DebugInfo => written,
        Origin::Bytecode => compiled,
        Origin::Both => written | compiled,
    };
    let line = call.line.unwrap_or_default();
    Edge { from, to, line, kind: kind_code(kind), origins, count: 1, file: Sym::NONE }
}

/// Of a module's own body.
fn own_edge(from: NodeId, to: NodeId, kind: EdgeKind, origins: u8) -> Edge {
    Edge { from, to, line: 0, kind: kind_code(kind), origins, count: 1, file: Sym::NONE }
}
