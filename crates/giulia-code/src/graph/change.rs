//! How a graph changes: units come and go, and only the modules that they touch are made again.

use std::{
    cell::OnceCell,
    collections::{BTreeSet, HashMap},
};

use giulia_model::NodeKind;

use super::{
    Graph, Stamp, Unit,
    backward::Backward,
    names::Sym,
    node::{Home, Key, NodeId},
    part::{Edge, Part},
    segment::Segment,
};

/// A change under way.
#[derive(Debug)]
pub struct Change<'g> {
    pub(super) graph: &'g mut Graph,
    // Modules whose parts are other ones now.
    dirty: BTreeSet<Sym>,
    units: usize,
}

/// What a change did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Delta {
    /// Units that came, went or were replaced.
    pub units: usize,
    /// Modules that were made again.
    pub modules: usize,
    /// Edges that were not there before.
    pub edges_added: usize,
    /// Edges that are not there any more.
    pub edges_removed: usize,
}

impl<'g> Change<'g> {
    pub(super) fn new(graph: &'g mut Graph) -> Self {
        Self { graph, dirty: BTreeSet::new(), units: 0 }
    }

    /// Takes a unit out; nothing happens when there is none of this name.
    pub fn remove(&mut self, unit: &str) {
        let Some(old) = self.graph.units.remove(unit) else { return };
        self.units += 1;
        for number in old.parts {
            let slot = usize::try_from(number).ok().and_then(|it| self.graph.parts.get_mut(it));
            let Some(part) = slot.and_then(Option::take) else { continue };
            self.graph.free_parts.push(number);
            let Some(module) = self.graph.nodes.key(part.node).map(|it| it.module) else {
                continue;
            };
            if let Some(parts) = self.graph.modules.get_mut(&module) {
                parts.retain(|it| *it != number);
            }
            self.dirty.insert(module);
        }
    }

    /// Puts a unit in the place of what it was before.
    pub(super) fn put(&mut self, unit: &str, stamp: Stamp, parts: Vec<Part>) {
        let n_before = self.units;
        self.remove(unit);
        self.units = n_before + 1;
        let mut numbers = Vec::with_capacity(parts.len());
        for part in parts {
            let Some(module) = self.graph.nodes.key(part.node).map(|it| it.module) else {
                continue;
            };
            let number = if let Some(free) = self.graph.free_parts.pop() {
                free
            } else {
                self.graph.parts.push(None);
                u32::try_from(self.graph.parts.len() - 1).unwrap_or(u32::MAX)
            };
            let place = usize::try_from(number).ok();
            if let Some(slot) = place.and_then(|it| self.graph.parts.get_mut(it)) {
                *slot = Some(part);
            }
            self.graph.modules.entry(module).or_default().push(number);
            self.dirty.insert(module);
            numbers.push(number);
        }
        self.graph.units.insert(unit.into(), Unit { stamp, parts: numbers });
    }

    /// Notes a unit that says nothing by itself, so that its changes are seen: a header.
    pub fn note(&mut self, unit: &str, stamp: Stamp) {
        self.put(unit, stamp, Vec::new());
    }

    /// Notes that a unit was looked at and is the same, though its time may be another.
    pub fn touch(&mut self, unit: &str, stamp: Stamp) {
        if let Some(it) = self.graph.units.get_mut(unit) {
            it.stamp = stamp;
        }
    }

    /// Makes what changed, and says what did.
    pub fn finish(self) -> Delta {
        let Self { graph, dirty, units } = self;
        let mut delta = Delta { units, modules: dirty.len(), ..Delta::default() };
        let places = OnceCell::new();
        for module in &dirty {
            remake(graph, *module, &places, &mut delta);
        }
        if graph.backward.is_stale() {
            graph.backward = Backward::of(graph.segments(), graph.nodes.len());
            graph.names.shrink();
            graph.nodes.shrink();
        }
        graph.n_edges = graph.n_edges + delta.edges_added - delta.edges_removed.min(graph.n_edges);
        if units > 0 {
            graph.projection.take();
            graph.generation += 1;
        }
        delta
    }

    pub(super) fn sym(&mut self, name: &str) -> Sym {
        self.graph.names.number(name)
    }

    /// The node of this kind; above four thousand million there is none.
    pub(super) fn node(
        &mut self,
        kind: NodeKind,
        names: (&str, &str),
        arity: u32,
    ) -> Option<NodeId> {
        let (module, name) = (self.sym(names.0), self.sym(names.1));
        let n_before = self.graph.nodes.len();
        let node = self.graph.nodes.number(Key { kind, module, name, arity });
        // What is new may be the first that is heard of its module.
        if self.graph.nodes.len() > n_before && module != Sym::NONE {
            let kind = NodeKind::Module;
            self.graph.nodes.number(Key { kind, module, name: Sym::NONE, arity: 0 });
        }
        node
    }
}

/// Where the units have each part, in the order of their names.
type Places = HashMap<u32, usize>;

fn places(graph: &Graph) -> Places {
    graph.units.values().flat_map(|it| &it.parts).copied().zip(0..).collect()
}

fn remake(graph: &mut Graph, module: Sym, known: &OnceCell<Places>, delta: &mut Delta) {
    let numbers = graph.modules.get(&module).map(Vec::as_slice).unwrap_or_default();
    let part = |it: u32| graph.parts.get(usize::try_from(it).ok()?)?.as_ref();
    // In an order that does not depend on which file was read first.
    let mut parts: Vec<(u32, &Part)> =
        numbers.iter().filter_map(|it| Some((*it, part(*it)?))).collect();
    parts.sort_by(|(left_number, left), (right_number, right)| {
        let key = |it: &Part| (it.module.md5, it.module.file);
        let place = |it| known.get_or_init(|| places(graph)).get(it).copied();
        let same = || place(left_number).cmp(&place(right_number));
        key(left).cmp(&key(right)).then_with(same)
    });
    let segment = Segment::merge(parts.into_iter().map(|(_, it)| it));
    let is_gone = segment.nodes.is_empty();
    let number = graph.segment_of.get(&module).copied();
    let old = number.and_then(|it| graph.segments.get_mut(usize::try_from(it).ok()?));
    let old = old.map(std::mem::take).unwrap_or_default();
    let (added, removed) = difference(&old, &segment);
    delta.edges_added += added;
    delta.edges_removed += removed;
    for node in &old.nodes {
        graph.nodes.set_home(*node, Home::NONE);
    }
    if is_gone {
        graph.modules.remove(&module);
        graph.segment_of.remove(&module);
        return;
    }
    let number = number.unwrap_or_else(|| {
        graph.segments.push(Segment::default());
        u32::try_from(graph.segments.len() - 1).unwrap_or(u32::MAX)
    });
    for (row, node) in segment.rows() {
        graph.nodes.set_home(node, Home { segment: number, row });
    }
    if graph.backward.is_made() {
        graph.backward.add(&segment);
    }
    if let Some(slot) = usize::try_from(number).ok().and_then(|it| graph.segments.get_mut(it)) {
        *slot = segment;
    }
    graph.segment_of.insert(module, number);
}

/// How many edges the second has that the first lacks, and the other way round.
fn difference(old: &Segment, new: &Segment) -> (usize, usize) {
    if old.n_edges() == 0 {
        return (new.n_edges(), 0);
    }
    let sorted = |segment: &Segment| {
        let rows = segment.rows().flat_map(|(row, _)| segment.edges(row));
        let mut edges: Vec<Edge> = rows.collect();
        edges.sort_unstable();
        edges
    };
    let (old, new) = (sorted(old), sorted(new));
    let common = old.iter().filter(|it| new.binary_search(it).is_ok()).count();
    (new.len() - common.min(new.len()), old.len() - common)
}
