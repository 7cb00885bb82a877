//! A graph as bytes, for a second start that reads no file again: versioned, and believed in
//! nothing when it is read.
//!
//! Numbers are LEB128; names and nodes come first, then the parts of each unit; segments and the
//! index of who refers to whom follow from those and are made again.

mod decode;

use giulia_model::EdgeKind;

use super::{
    Graph,
    names::Sym,
    node::KINDS,
    part::{Edge, FunctionInfo, ModuleInfo, Part, Side},
};

/// The version of the format; another one is read anew from the code.
pub const BLOB_VERSION: u8 = 1;

const MAGIC: &[u8] = b"giulia-code";

/// Why bytes are not a graph.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BlobProblem(String);

impl Graph {
    /// The graph as bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Writer { bytes: MAGIC.to_vec() };
        out.bytes.push(BLOB_VERSION);
        out.number(self.generation);
        out.len(self.names.len());
        let syms = || (0..u32::try_from(self.names.len()).unwrap_or(u32::MAX)).map(Sym);
        for it in syms() {
            out.len(self.text(it).len());
        }
        for it in syms() {
            out.bytes.extend(self.text(it).as_bytes());
        }
        out.len(self.nodes.len());
        for key in self.nodes.all().filter_map(|it| self.nodes.key(it)) {
            let code = KINDS.iter().position(|it| *it == key.kind).unwrap_or_default();
            out.len(code);
            out.sym(key.module);
            out.sym(key.name);
            out.number(u64::from(key.arity));
        }
        out.len(self.units.len());
        for (name, unit) in &self.units {
            out.text(name);
            out.bytes.extend(unit.stamp.hash);
            out.number(unit.stamp.written_ns);
            out.number(unit.stamp.bytes);
            let parts = unit.parts.iter().filter_map(|it| {
                self.parts.get(usize::try_from(*it).ok()?).and_then(Option::as_ref)
            });
            let parts: Vec<&Part> = parts.collect();
            out.len(parts.len());
            for it in parts {
                out.part(it);
            }
        }
        out.bytes
    }

    /// Bytes as a graph.
    ///
    /// # Errors
    /// When they are none, of another version, or contradict themselves.
    pub fn decode(bytes: &[u8]) -> Result<Self, BlobProblem> {
        decode::graph(bytes)
    }
}

struct Writer {
    bytes: Vec<u8>,
}

impl Writer {
    fn number(&mut self, mut it: u64) {
        while it >= 0x80 {
            self.bytes.push(u8::try_from(it & 0x7f).unwrap_or_default() | 0x80);
            it >>= 7;
        }
        self.bytes.push(u8::try_from(it).unwrap_or_default());
    }

    fn len(&mut self, it: usize) {
        self.number(u64::try_from(it).unwrap_or(u64::MAX));
    }

    fn sym(&mut self, it: Sym) {
        self.number(u64::from(it.0));
    }

    fn text(&mut self, it: &str) {
        self.len(it.len());
        self.bytes.extend(it.as_bytes());
    }

    fn part(&mut self, part: &Part) {
        self.number(u64::from(part.node.0));
        self.number(u64::from(part.side == Side::Source));
        self.module(&part.module);
        self.len(part.functions.len());
        for (node, info) in &part.functions {
            self.number(u64::from(node.0));
            self.function(info);
        }
        self.len(part.edges.len());
        for it in &part.edges {
            self.edge(it);
        }
    }

    fn module(&mut self, it: &ModuleInfo) {
        for name in [it.application, it.file, it.language, it.doc] {
            self.sym(name);
        }
        self.number(u64::from(it.line));
        self.number(u64::from(it.end_line));
        self.number(u64::from(it.md5.is_some()));
        self.bytes.extend(it.md5.iter().flatten());
        self.number(u64::from(it.has_debug_info));
        self.number(u64::from(it.is_protocol));
        self.number(u64::from(it.implements.is_some()));
        if let Some((protocol, target)) = it.implements {
            self.sym(protocol);
            self.sym(target);
        }
        self.syms(&it.behaviours);
        self.len(it.callbacks.len());
        for callback in &it.callbacks {
            self.sym(callback.name);
            self.number(u64::from(callback.arity));
            self.number(u64::from(callback.is_optional));
        }
        self.number(u64::from(it.structure.is_some()));
        self.syms(it.structure.as_deref().unwrap_or_default());
    }

    fn syms(&mut self, list: &[Sym]) {
        self.len(list.len());
        for it in list {
            self.sym(*it);
        }
    }

    fn function(&mut self, it: &FunctionInfo) {
        self.number(u64::from(it.line));
        self.number(u64::from(it.end_line));
        for name in [it.file, it.doc, it.defined_by] {
            self.sym(name);
        }
        self.number(u64::from(it.is_exported) | u64::from(it.has_complexity) << 1);
        if it.has_complexity {
            for number in [it.clauses, it.cyclomatic, it.cognitive, it.nesting] {
                self.number(u64::from(number));
            }
        }
        self.number(u64::from(it.unresolved));
    }

    fn edge(&mut self, it: &Edge) {
        debug_assert!(usize::from(it.kind) < EdgeKind::ALL.len());
        self.number(u64::from(it.from.0));
        self.number(u64::from(it.to.0));
        self.number(u64::from(it.line));
        self.bytes.push(it.kind);
        self.bytes.push(it.origins);
        self.number(u64::from(it.count));
        self.sym(it.file);
    }
}
