//! A module with all that refers out of it: its parts as one, in compressed rows.

use giulia_model::EdgeKind;
use hashbrown::{HashMap, HashSet};

use super::{
    names::Sym,
    node::NodeId,
    part::{Edge, FunctionInfo, ModuleInfo, Part, Side, kind_code},
};

/// One module: row 0 is its own body, the others are its functions.
#[derive(Debug, Clone, Default)]
pub(crate) struct Segment {
    pub(crate) module: ModuleInfo,
    /// The nodes of the rows.
    pub(crate) nodes: Vec<NodeId>,
    /// What is known of the functions, from row 1 on.
    pub(crate) functions: Vec<FunctionInfo>,
    /// Whether it was seen as source, and as bytecode.
    pub(crate) has_source: bool,
    pub(crate) has_bytecode: bool,
    // Where each row begins, and the end.
    starts: Vec<u32>,
    // Within a row by target, kind, line.
    to: Vec<NodeId>,
    lines: Vec<u32>,
    files: Vec<Sym>,
    kinds: Vec<u8>,
    origins: Vec<u8>,
    counts: Vec<u16>,
}

impl Segment {
    /// The parts as one: of each side the first alone counts.
    pub(crate) fn merge<'p>(parts: impl Iterator<Item = &'p Part>) -> Self {
        let (mut bytecode, mut source): (Option<&Part>, Option<&Part>) = (None, None);
        for part in parts {
            let slot = if part.side == Side::Bytecode { &mut bytecode } else { &mut source };
            slot.get_or_insert(part);
        }
        let mut segment = Self {
            has_bytecode: bytecode.is_some(),
            has_source: source.is_some(),
            ..Self::default()
        };
        let Some(first) = bytecode.or(source) else { return segment };
        segment.module = match (bytecode, source) {
            (Some(bytecode), Some(source)) => merged_module(&bytecode.module, &source.module),
            _ => first.module.clone(),
        };
        segment.nodes.push(first.node);
        let mut rows: HashMap<NodeId, u32> = [(first.node, 0)].into_iter().collect();
        for (node, info) in [bytecode, source].into_iter().flatten().flat_map(|it| &it.functions) {
            let next = u32::try_from(segment.nodes.len()).unwrap_or(u32::MAX);
            let row = *rows.entry(*node).or_insert(next);
            if row == next {
                segment.nodes.push(*node);
                segment.functions.push(*info);
            } else if let Some(known) = segment.function_mut(row) {
                *known = merged_function(known, info);
            }
        }
        let mut edges: Vec<(u32, Edge)> = Vec::new();
        for it in [bytecode, source].into_iter().flatten().flat_map(|it| &it.edges) {
            edges.push((rows.get(&it.from).copied().unwrap_or_default(), *it));
        }
        if bytecode.is_some() && source.is_some() {
            edges = one_of_both(edges);
        }
        segment.fill(edges);
        segment
    }

    fn function_mut(&mut self, row: u32) -> Option<&mut FunctionInfo> {
        self.functions.get_mut(usize::try_from(row).ok()?.checked_sub(1)?)
    }

    /// What is known of the function in a row.
    pub(crate) fn function(&self, row: u32) -> Option<&FunctionInfo> {
        self.functions.get(usize::try_from(row).ok()?.checked_sub(1)?)
    }

    fn fill(&mut self, mut edges: Vec<(u32, Edge)>) {
        edges.sort_unstable_by_key(|(row, it)| (*row, it.to, it.kind, it.line, it.file));
        edges.dedup_by(|(next_row, next), (row, it)| {
            let is_same = (*next_row, next.to, next.kind, next.line, next.file)
                == (*row, it.to, it.kind, it.line, it.file);
            if is_same {
                // The same place seen from two sides is one; seen twice from one, it is two.
                let is_of_both = it.origins & next.origins == 0;
                let both = it.count.saturating_add(next.count);
                it.count = if is_of_both { it.count.max(next.count) } else { both };
                it.origins |= next.origins;
            }
            is_same
        });
        self.starts.reserve_exact(self.nodes.len() + 1);
        let n_edges = edges.len();
        self.lines.reserve_exact(n_edges);
        self.to.reserve_exact(n_edges);
        self.files.reserve_exact(n_edges);
        self.kinds.reserve_exact(n_edges);
        self.origins.reserve_exact(n_edges);
        self.counts.reserve_exact(n_edges);
        for (row, it) in edges {
            self.begin_rows(row);
            self.to.push(it.to);
            self.lines.push(it.line);
            self.files.push(it.file);
            self.kinds.push(it.kind);
            self.origins.push(it.origins);
            self.counts.push(it.count);
        }
        self.begin_rows(u32::try_from(self.nodes.len()).unwrap_or(u32::MAX));
        self.nodes.shrink_to_fit();
        self.functions.shrink_to_fit();
    }

    /// Notes that all rows up to this one begin here or before.
    fn begin_rows(&mut self, row: u32) {
        let here = u32::try_from(self.to.len()).unwrap_or(u32::MAX);
        while u32::try_from(self.starts.len()).is_ok_and(|it| it <= row) {
            self.starts.push(here);
        }
    }

    fn range(&self, row: u32) -> std::ops::Range<usize> {
        let at = |row: Option<u32>| {
            let start = row.and_then(|it| self.starts.get(usize::try_from(it).ok()?));
            start.and_then(|it| usize::try_from(*it).ok()).unwrap_or_default()
        };
        at(Some(row))..at(row.checked_add(1))
    }

    /// The targets of a row, in order; one with several kinds or lines several times.
    pub(crate) fn targets(&self, row: u32) -> &[NodeId] {
        self.to.get(self.range(row)).unwrap_or_default()
    }

    /// The edges of a row.
    pub(crate) fn edges(&self, row: u32) -> impl Iterator<Item = Edge> + '_ {
        self.range(row).filter_map(move |it| self.edge(row, it))
    }

    /// The edges of a row to one target.
    pub(crate) fn edges_to(&self, row: u32, to: NodeId) -> impl Iterator<Item = Edge> + '_ {
        let range = self.range(row);
        let targets = self.to.get(range.clone()).unwrap_or_default();
        let first = range.start + targets.partition_point(|it| *it < to);
        let last = range.start + targets.partition_point(|it| *it <= to);
        (first..last).filter_map(move |it| self.edge(row, it))
    }

    fn edge(&self, row: u32, idx: usize) -> Option<Edge> {
        Some(Edge {
            from: *self.nodes.get(usize::try_from(row).ok()?)?,
            to: *self.to.get(idx)?,
            line: *self.lines.get(idx)?,
            kind: *self.kinds.get(idx)?,
            origins: *self.origins.get(idx)?,
            count: *self.counts.get(idx)?,
            file: *self.files.get(idx)?,
        })
    }

    /// All rows with their nodes.
    pub(crate) fn rows(&self) -> impl Iterator<Item = (u32, NodeId)> + '_ {
        (0..).zip(self.nodes.iter().copied())
    }

    pub(crate) fn n_edges(&self) -> usize {
        self.to.len()
    }
}

/// Source knows where things stand and how they read, bytecode what is compiled.
fn merged_module(bytecode: &ModuleInfo, source: &ModuleInfo) -> ModuleInfo {
    let mut merged = source.clone();
    let or = |first: Sym, second: Sym| if first == Sym::NONE { second } else { first };
    merged.application = or(bytecode.application, source.application);
    merged.language = or(source.language, bytecode.language);
    merged.doc = or(source.doc, bytecode.doc);
    merged.md5 = bytecode.md5;
    merged.has_debug_info = bytecode.has_debug_info;
    merged.is_protocol |= bytecode.is_protocol;
    merged.implements = bytecode.implements.or(source.implements);
    merged.structure = bytecode.structure.clone().or(merged.structure);
    merged.behaviours.extend(&bytecode.behaviours);
    merged.behaviours.sort_unstable();
    merged.behaviours.dedup();
    if !bytecode.callbacks.is_empty() {
        merged.callbacks.clone_from(&bytecode.callbacks);
    }
    merged
}

fn merged_function(bytecode: &FunctionInfo, source: &FunctionInfo) -> FunctionInfo {
    let mut merged = *source;
    merged.is_exported = bytecode.is_exported;
    merged.unresolved = bytecode.unresolved;
    if merged.line == 0 {
        (merged.line, merged.end_line) = (bytecode.line, bytecode.end_line);
    }
    if merged.file == Sym::NONE {
        merged.file = bytecode.file;
    }
    if merged.doc == Sym::NONE {
        merged.doc = bytecode.doc;
    }
    merged
}

/// Edges that both sides saw, each once: what one of them knows no line of is one of those that
/// the other knows. Ways of calling that one side alone tells apart are the same place to the
/// other: an instruction of its own is a call to whoever reads the source, a delegate, an `apply`
/// or a process that begins is one to the bytecode.
fn one_of_both(mut edges: Vec<(u32, Edge)>) -> Vec<(u32, Edge)> {
    let call = kind_code(EdgeKind::Call);
    let bif = kind_code(EdgeKind::Bif);
    let ways = [EdgeKind::Apply, EdgeKind::Spawn, EdgeKind::Delegate].map(kind_code);
    let class = |kind: u8| if kind == bif || ways.contains(&kind) { call } else { kind };
    let bifs: HashSet<(u32, NodeId)> =
        edges.iter().filter(|(_, it)| it.kind == bif).map(|(row, it)| (*row, it.to)).collect();
    let mut told: HashMap<(u32, NodeId, u32), u8> = HashMap::new();
    let mut placed: HashSet<(u32, NodeId, u8)> = HashSet::new();
    for (row, it) in edges.iter().filter(|(_, it)| it.line != 0) {
        placed.insert((*row, it.to, class(it.kind)));
        if ways.contains(&it.kind) {
            told.insert((*row, it.to, it.line), it.kind);
        }
    }
    let mut unplaced: HashMap<(u32, NodeId, u8), u8> = HashMap::new();
    edges.retain_mut(|(row, it)| {
        if it.kind == call {
            let way = told.get(&(*row, it.to, it.line)).copied();
            let is_bif = bifs.contains(&(*row, it.to));
            it.kind = way.unwrap_or(if is_bif { bif } else { call });
        }
        let key = (*row, it.to, class(it.kind));
        let is_kept = it.line != 0 || !placed.contains(&key);
        if !is_kept {
            *unplaced.entry(key).or_default() |= it.origins;
        }
        is_kept
    });
    for (row, it) in edges.iter_mut().filter(|(_, it)| it.line != 0) {
        let more = unplaced.get(&(*row, it.to, class(it.kind)));
        it.origins |= more.copied().unwrap_or_default();
    }
    // Of one side after the other; a count of one place is not the sum of both.
    edges
}
