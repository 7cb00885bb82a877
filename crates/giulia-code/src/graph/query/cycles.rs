//! What refers to itself by way of others, with one concrete cycle each.

use std::collections::{HashMap, VecDeque};

use giulia_model::{CodeCycle, CodeCycles, CodeEdge, CodeGraph};

use super::super::{Graph, NodeId, kind_of};
use super::{EdgeFilter, Page, count};
use crate::components::components;

/// Members that an answer lists of one component.
const MEMBERS_MAX: usize = 100;

/// Steps that looking for the shortest cycle of one component may take: with 10 ns each, 0.2 s.
/// Above, not every member is tried as its beginning.
const STEPS_MAX: usize = 20_000_000;

/// Which references make a cycle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum When {
    /// Those that make a module compile again.
    Compile,
    /// Those that are there while it runs.
    Run,
    /// All.
    Any,
}

/// What components were looked for in.
struct LookedAt {
    nodes: Vec<NodeId>,
    rows: Vec<Vec<usize>>,
    of_functions: Option<EdgeFilter>,
    when: When,
}

impl When {
    /// What documents call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Compile => "compile",
            Self::Run => "run",
            Self::Any => "any",
        }
    }

    fn has(self, is_compile_time: bool) -> bool {
        match self {
            Self::Compile => is_compile_time,
            Self::Run => !is_compile_time,
            Self::Any => true,
        }
    }
}

impl Graph {
    /// Components of modules, or of functions with kinds of references that count.
    pub fn cycles(&self, of_functions: Option<EdgeFilter>, when: When, page: Page) -> CodeCycles {
        let (nodes, rows) = match of_functions {
            Some(filter) => self.function_rows(filter, when),
            None => self.module_rows(when),
        };
        let mut found = components(&rows);
        found.retain(|it| it.len() > 1);
        let name = |it: &usize| nodes.get(*it).map(|it| self.written(*it)).unwrap_or_default();
        found.sort_by_cached_key(|it| (std::cmp::Reverse(it.len()), it.iter().map(name).min()));
        let listed = found.iter().skip(page.from).take(page.limit);
        let looked_at = LookedAt { nodes, rows, of_functions, when };
        CodeCycles {
            schema: "giulia.code-cycles/1".to_owned(),
            of: CodeGraph::default(),
            is_of_functions: of_functions.is_some(),
            when: when.name().to_owned(),
            total: count(found.len()),
            cycles: listed.map(|it| self.cycle(&looked_at, it)).collect(),
            next: page.next(found.len()),
        }
    }

    /// The components as sets of names, also those of one member.
    pub fn component_names(&self, filter: EdgeFilter) -> Vec<Vec<String>> {
        let (nodes, rows) = self.function_rows(filter, When::Any);
        let name = |it: &usize| nodes.get(*it).map(|it| self.written(*it)).unwrap_or_default();
        components(&rows).iter().map(|it| it.iter().map(name).collect()).collect()
    }

    fn module_rows(&self, when: When) -> (Vec<NodeId>, Vec<Vec<usize>>) {
        let projection = self.projection();
        let counts = |it: &&super::projection::Link| match when {
            When::Compile => it.is_compile_time,
            When::Run => it.is_run_time,
            When::Any => true,
        };
        let rows = projection.out.iter();
        let rows = rows.map(|row| row.iter().filter(counts).map(|it| it.to).collect());
        (projection.modules.clone(), rows.collect())
    }

    fn function_rows(&self, filter: EdgeFilter, when: When) -> (Vec<NodeId>, Vec<Vec<usize>>) {
        let nodes: Vec<NodeId> =
            self.segments().flat_map(|segment| segment.nodes.iter().skip(1).copied()).collect();
        let numbers: HashMap<NodeId, usize> =
            nodes.iter().enumerate().map(|(number, node)| (*node, number)).collect();
        let row = |node: &NodeId| {
            let edges = self
                .edges(*node)
                .filter(|it| filter.has(it) && when.has(kind_of(it.kind).is_compile_time()));
            let mut row: Vec<usize> = edges.filter_map(|it| numbers.get(&it.to).copied()).collect();
            row.dedup();
            row
        };
        let rows = nodes.iter().map(row).collect();
        (nodes, rows)
    }

    fn cycle(&self, at: &LookedAt, members: &[usize]) -> CodeCycle {
        let (around, is_shortest) = shortest(&at.rows, members);
        let node = |it: &usize| at.nodes.get(*it).copied();
        let mut named: Vec<NodeId> = members.iter().filter_map(node).collect();
        named.sort_by_cached_key(|it| self.written(*it));
        let next = around.iter().skip(1).chain(around.first());
        let edges = around.iter().zip(next).filter_map(|(from, to)| {
            self.edge_between(node(from)?, node(to)?, at.of_functions, at.when)
        });
        CodeCycle {
            size: count(members.len()),
            members: named.iter().take(MEMBERS_MAX).map(|it| self.node(*it)).collect(),
            members_left_out: count(members.len().saturating_sub(MEMBERS_MAX)),
            cycle: edges.collect(),
            is_shortest,
        }
    }

    /// One edge that stands for a link between two modules or functions.
    fn edge_between(
        &self,
        from: NodeId,
        to: NodeId,
        of_functions: Option<EdgeFilter>,
        when: When,
    ) -> Option<CodeEdge> {
        let (segment, row) = self.home(from)?;
        let counts = |kind: u8| when.has(kind_of(kind).is_compile_time());
        if let Some(filter) = of_functions {
            let mut edges = segment.edges_to(row, to);
            return edges.find(|it| filter.has(it) && counts(it.kind)).map(|it| self.edge(&it));
        }
        let module = self.nodes.key(to)?.module;
        let mut edges = segment.rows().flat_map(|(row, _)| segment.edges(row));
        let found = edges.find(|it| {
            counts(it.kind) && self.nodes.key(it.to).is_some_and(|it| it.module == module)
        });
        found.map(|it| self.edge(&it))
    }
}

/// A shortest cycle within a component, and whether all beginnings were tried.
fn shortest(rows: &[Vec<usize>], members: &[usize]) -> (Vec<usize>, bool) {
    let inside: HashMap<usize, usize> =
        members.iter().enumerate().map(|(number, member)| (*member, number)).collect();
    let row = |member: usize| {
        let row = rows.get(member).map(Vec::as_slice).unwrap_or_default();
        row.iter().filter_map(|it| inside.get(it).copied())
    };
    let mut best: Vec<usize> = Vec::new();
    let mut steps = 0;
    let mut came_from: Vec<Option<usize>> = Vec::new();
    for (start, member) in members.iter().enumerate() {
        if best.len() == 2 || (!best.is_empty() && steps > STEPS_MAX) {
            break;
        }
        came_from.clear();
        came_from.resize(members.len(), None);
        let mut waiting = VecDeque::from([(start, *member, 1_usize)]);
        'search: while let Some((number, member, length)) = waiting.pop_front() {
            if !best.is_empty() && length >= best.len() {
                break;
            }
            for next in row(member) {
                steps += 1;
                if next == start && number != start {
                    best = way(&came_from, start, number, members);
                    break 'search;
                }
                let Some(slot) = came_from.get_mut(next) else { continue };
                if next != start && slot.is_none() {
                    *slot = Some(number);
                    let Some(member) = members.get(next) else { continue };
                    waiting.push_back((next, *member, length + 1));
                }
            }
        }
    }
    let is_shortest = best.len() == 2 || steps <= STEPS_MAX;
    (best, is_shortest)
}

/// The members from the beginning of a cycle to its end.
fn way(came_from: &[Option<usize>], start: usize, end: usize, members: &[usize]) -> Vec<usize> {
    let mut way = Vec::new();
    let mut at = Some(end);
    while let Some(number) = at {
        way.extend(members.get(number));
        at = if number == start { None } else { came_from.get(number).copied().flatten() };
    }
    way.reverse();
    way
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shortest_cycle_of_a_component_is_found() {
        // A ring of five with a chord that makes one of three.
        let rows = [vec![1], vec![2], vec![3], vec![4, 1], vec![0]];
        let members = [0, 1, 2, 3, 4];
        let (cycle, is_shortest) = shortest(&rows, &members);
        assert_eq!((cycle, is_shortest), (vec![1, 2, 3], true));
        // A loop on itself is no cycle of a component.
        let rows = [vec![0, 1], vec![0]];
        assert_eq!(shortest(&rows, &[0, 1]).0, [0, 1]);
    }
}
