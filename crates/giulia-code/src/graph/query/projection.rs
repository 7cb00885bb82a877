//! The graph of modules: what their functions refer to, added up, in compressed rows.

use std::collections::HashMap;

use super::super::{Graph, NodeId, kind_of};

/// Rounds of `PageRank`; 50 change no rank by a millionth at a damping of 0.85.
const ROUNDS: usize = 50;

/// The chance that a reader follows a reference and does not begin anew (Page and Brin, 1998).
const DAMPING: f64 = 0.85;

/// Modules that are defined, by number, with what refers to what.
#[derive(Debug, Clone, Default)]
pub(in super::super) struct Projection {
    /// The node of each module, by name.
    pub(super) modules: Vec<NodeId>,
    /// The number of each module's node.
    numbers: HashMap<NodeId, usize>,
    /// What each refers to, without itself, in order.
    pub(super) out: Vec<Vec<Link>>,
    /// How many modules refer to each.
    pub(super) fan_in: Vec<usize>,
    /// `PageRank` over references that are not only compile-time.
    pub(super) rank: Vec<f64>,
}

/// From one module to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Link {
    pub(super) to: usize,
    /// Whether some edge is needed to compile, and whether some is there at run time.
    pub(super) is_compile_time: bool,
    pub(super) is_run_time: bool,
    pub(super) edges: u32,
}

impl Graph {
    /// The graph of modules, made when it is asked for first.
    pub(super) fn projection(&self) -> &Projection {
        self.projection.get_or_init(|| Projection::of(self))
    }
}

impl Projection {
    fn of(graph: &Graph) -> Self {
        let mut modules: Vec<NodeId> = graph.defined_modules().collect();
        modules.sort_by_key(|it| graph.module_text(*it));
        let numbers: HashMap<NodeId, usize> =
            modules.iter().enumerate().map(|(number, node)| (*node, number)).collect();
        // The module of each node, asked once and not for each edge.
        let by_name: HashMap<_, usize> = modules
            .iter()
            .enumerate()
            .filter_map(|(number, node)| Some((graph.nodes.key(*node)?.module, number)))
            .collect();
        let of_node: Vec<Option<usize>> = graph
            .nodes
            .all()
            .map(|it| by_name.get(&graph.nodes.key(it)?.module).copied())
            .collect();
        let mut out = Vec::with_capacity(modules.len());
        let mut fan_in = vec![0; modules.len()];
        let mut links: HashMap<usize, Link> = HashMap::new();
        for (number, node) in modules.iter().enumerate() {
            links.clear();
            let rows = graph.home(*node).into_iter().flat_map(|(segment, _)| {
                segment.rows().flat_map(move |(row, _)| segment.edges(row))
            });
            for edge in rows {
                let Some(to) = of_node.get(edge.to.index()).copied().flatten() else { continue };
                if to == number {
                    continue;
                }
                let new = Link { to, is_compile_time: false, is_run_time: false, edges: 0 };
                let link = links.entry(to).or_insert(new);
                let is_compile_time = kind_of(edge.kind).is_compile_time();
                link.is_compile_time |= is_compile_time;
                link.is_run_time |= !is_compile_time;
                link.edges += 1;
            }
            let mut row: Vec<Link> = links.values().copied().collect();
            row.sort_unstable_by_key(|it| it.to);
            for link in &row {
                if let Some(count) = fan_in.get_mut(link.to) {
                    *count += 1;
                }
            }
            out.push(row);
        }
        let rank = ranks(&out);
        Self { modules, numbers, out, fan_in, rank }
    }

    pub(super) fn number(&self, module: NodeId) -> Option<usize> {
        self.numbers.get(&module).copied()
    }
}

/// `PageRank`: where a reader ends up who follows references and now and then begins anew.
#[expect(clippy::cast_precision_loss, reason = "modules are far fewer than 2^52")]
fn ranks(out: &[Vec<Link>]) -> Vec<f64> {
    let n = out.len() as f64;
    let mut rank = vec![1.0 / n; out.len()];
    for _ in 0..ROUNDS {
        let lost: f64 =
            out.iter().zip(&rank).filter(|(row, _)| row.is_empty()).map(|(_, it)| it).sum();
        let mut next = vec![(1.0 - DAMPING + DAMPING * lost) / n; out.len()];
        for (row, rank) in out.iter().zip(&rank) {
            let share = DAMPING * rank / row.len() as f64;
            for link in row {
                if let Some(it) = next.get_mut(link.to) {
                    *it += share;
                }
            }
        }
        rank = next;
    }
    rank
}
