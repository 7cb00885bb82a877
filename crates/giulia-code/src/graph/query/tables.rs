//! Who creates, reads and writes which table, who asks which process, and where a read may miss
//! what was just written.

use std::collections::{BTreeMap, BTreeSet};

use giulia_model::{CodeGraph, CodeNode, CodeRace, CodeShared, CodeTables, EdgeKind, NodeKind};

use super::super::{Edge, Graph, Key, NodeId, Sym, kind_of};
use super::{EdgeFilter, Page, count};

/// Functions that send a request that nobody waits for.
const CASTS: &[(&str, &str, u32)] = &[
    ("gen_server", "cast", 2),
    ("gen_server", "abcast", 2),
    ("gen_server", "abcast", 3),
    ("gen_statem", "cast", 2),
    ("Elixir.GenServer", "cast", 2),
    ("Elixir.GenServer", "abcast", 2),
    ("Elixir.GenServer", "abcast", 3),
];

/// Functions that run within the process of a server, and not within its callers'.
const SERVED: &[(&str, u32)] = &[
    ("init", 1),
    ("handle_call", 3),
    ("handle_cast", 2),
    ("handle_info", 2),
    ("handle_continue", 2),
    ("handle_event", 4),
    ("terminate", 2),
    ("code_change", 3),
];

impl Graph {
    /// Tables and processes with who touches them, and the races that follow; of these modules or
    /// of all.
    pub fn tables(&self, only: Option<&[NodeId]>, page: Page) -> CodeTables {
        let is_shared = |it: &NodeId| matches!(self.kind(*it), NodeKind::Table | NodeKind::Process);
        let mut shared: Vec<NodeId> = self.nodes.all().filter(is_shared).collect();
        shared.retain(|it| {
            let mut edges = self.edges_to(*it).peekable();
            edges.peek().is_some()
                && only.is_none_or(|only| {
                    edges.any(|it| self.module_of(it.from).is_some_and(|it| only.contains(&it)))
                })
        });
        shared.sort_by_cached_key(|it| {
            let node = self.node(*it);
            (node.kind == NodeKind::Process, node.name.is_empty(), node.name, node.module)
        });
        let modules: Vec<NodeId> =
            only.map_or_else(|| self.defined_modules().collect(), <[NodeId]>::to_vec);
        let mut races: Vec<CodeRace> = modules.iter().flat_map(|it| self.races(*it)).collect();
        races.sort_by(|left, right| left.module.cmp(&right.module));
        CodeTables {
            schema: "giulia.code-tables/1".to_owned(),
            of: CodeGraph::default(),
            total: count(shared.len()),
            things: shared
                .iter()
                .skip(page.from)
                .take(page.limit)
                .map(|it| self.shared(*it))
                .collect(),
            next: page.next(shared.len()),
            races,
        }
    }

    fn shared(&self, node: NodeId) -> CodeShared {
        let mut by: BTreeMap<usize, BTreeSet<CodeNode>> = BTreeMap::new();
        for edge in self.edges_to(node) {
            let kind = kind_of(edge.kind);
            let place = if matches!(kind, EdgeKind::EtsNew | EdgeKind::Registers) {
                0
            } else if matches!(kind, EdgeKind::EtsRead | EdgeKind::ServerCall) {
                1
            } else if kind == EdgeKind::EtsDelete {
                3
            } else {
                2
            };
            by.entry(place).or_default().insert(self.node(edge.from));
        }
        let mut take = |place| by.remove(&place).into_iter().flatten().collect();
        CodeShared {
            node: self.node(node),
            made_by: take(0),
            read_by: take(1),
            written_by: take(2),
            deleted_by: take(3),
        }
    }

    /// The races of a module whose process writes a table because of requests that nobody waits
    /// for, while its callers read the table themselves: what a caller has just asked for may not
    /// be there yet.
    fn races(&self, module: NodeId) -> Vec<CodeRace> {
        let writing = self.reachable_within(module, "handle_cast", 2);
        let written = self.touching(&writing, EdgeKind::EtsWrite);
        let casts = self.casts(module);
        if written.is_empty() || casts.is_empty() {
            return Vec::new();
        }
        let served: BTreeSet<NodeId> = SERVED
            .iter()
            .filter_map(|(name, arity)| {
                self.function(&giulia_model::Mfa::new(self.module_text(module), *name, *arity))
            })
            .collect();
        let mut races = Vec::new();
        for tables in self.table_groups(module, &written) {
            let of_group = |it: &&Edge| tables.contains(&it.to);
            let written: Vec<Edge> = written.iter().filter(of_group).copied().collect();
            let reads = tables.iter().flat_map(|it| self.edges_to(*it));
            let is_read = |it: &Edge| kind_of(it.kind) == EdgeKind::EtsRead;
            let reads: Vec<Edge> = reads
                .filter(|it| is_read(it) && !served.contains(&it.from))
                .filter(|it| self.is_called_outside(it.from, module, &served))
                .collect();
            let Some(table) = tables.iter().next().filter(|_| !reads.is_empty()) else { continue };
            races.push(CodeRace {
                module: self.module_text(module).to_owned(),
                table: self.node(*table),
                shows_in: self.doing_both(&casts, &reads),
                cast: casts.iter().map(|it| self.edge(it)).collect(),
                written: written.iter().map(|it| self.edge(it)).collect(),
                read: reads.iter().map(|it| self.edge(it)).collect(),
            });
        }
        races
    }

    fn touching(&self, functions: &[NodeId], kind: EdgeKind) -> Vec<Edge> {
        let edges = functions.iter().flat_map(|it| self.edges(*it));
        edges.filter(|it| kind_of(it.kind) == kind).collect()
    }

    /// Where a module sends requests that nobody waits for.
    fn casts(&self, module: NodeId) -> Vec<Edge> {
        let Some((segment, _)) = self.home(module) else { return Vec::new() };
        let targets: Vec<NodeId> = CASTS
            .iter()
            .filter_map(|(module, name, arity)| {
                self.function(&giulia_model::Mfa::new(*module, *name, *arity))
            })
            .collect();
        let edges = segment.rows().flat_map(|(row, _)| segment.edges(row));
        edges.filter(|it| targets.contains(&it.to)).collect()
    }

    /// The tables that are written, those that may be the same together: one that the module
    /// makes under a name may be written through a variable.
    fn table_groups(&self, module: NodeId, written: &[Edge]) -> Vec<BTreeSet<NodeId>> {
        let sym = self.nodes.key(module).map_or(Sym::NONE, |it| it.module);
        let (kind, name) = (NodeKind::Table, Sym::NONE);
        let unnamed = self.nodes.find(Key { kind, module: sym, name, arity: 0 });
        let own = self.home(module).map(|(segment, _)| segment.nodes.as_slice());
        let made = self.touching(own.unwrap_or_default(), EdgeKind::EtsNew);
        let mut own: BTreeSet<NodeId> = made.iter().map(|it| it.to).chain(unnamed).collect();
        let others: BTreeSet<NodeId> =
            written.iter().map(|it| it.to).filter(|it| !own.contains(it)).collect();
        if !written.iter().any(|it| own.contains(&it.to)) {
            own.clear();
        }
        let mut groups: Vec<BTreeSet<NodeId>> =
            others.into_iter().map(|it| BTreeSet::from([it])).collect();
        if !own.is_empty() {
            groups.insert(0, own);
        }
        groups
    }

    /// Whether a function may run in another process than the module's: others may call it.
    fn is_called_outside(&self, node: NodeId, module: NodeId, served: &BTreeSet<NodeId>) -> bool {
        let Some((segment, row)) = self.home(node) else { return false };
        if self.module_of(node) != Some(module) {
            return true;
        }
        if segment.function(row).is_some_and(|it| it.is_exported) {
            return true;
        }
        // A private one is, if a function of the module that others may call calls it.
        let exported = |from: NodeId| {
            !served.contains(&from)
                && self.home(from).is_some_and(|(segment, row)| {
                    segment.function(row).is_some_and(|it| it.is_exported)
                })
        };
        self.edges_to(node).any(|it| it.from != node && exported(it.from))
    }

    /// Functions that do what casts and then what reads, each themselves or by calling it.
    fn doing_both(&self, casts: &[Edge], reads: &[Edge]) -> Vec<CodeNode> {
        let control = EdgeFilter::control();
        let callers = |edges: &[Edge], is_first: bool| {
            let mut lines: BTreeMap<NodeId, u32> = BTreeMap::new();
            for edge in edges {
                let into = self.edges_to(edge.from).filter(|it| control.has(it));
                for it in into.chain([*edge]) {
                    let line = lines.entry(it.from).or_insert(it.line);
                    *line = if is_first { it.line.min(*line) } else { it.line.max(*line) };
                }
            }
            lines
        };
        // The first cast, and the last read: in between there may be one before.
        let (casting, reading) = (callers(casts, true), callers(reads, false));
        let both = casting.iter().filter(|(node, line)| {
            let read = reading.get(node);
            read.is_some_and(|read| *read == 0 || **line == 0 || read >= line)
        });
        let mut both: Vec<CodeNode> = both.map(|(node, _)| self.node(*node)).collect();
        both.sort();
        both
    }
}
