//! What a change reaches, and the shortest way from one thing to another.

use std::collections::{HashMap, HashSet, VecDeque};

use giulia_model::{CodeGraph, CodeImpact, CodePath, CodeReached};

use super::super::{Edge, Graph, NodeId};
use super::{Direction, EdgeFilter, Page, count};

/// How far, and along which edges.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reach {
    /// Along them or against them.
    pub direction: Direction,
    /// Those that count.
    pub filter: EdgeFilter,
    /// At most so many.
    pub depth: u32,
}

impl Graph {
    /// Everything within so many references of these nodes, the nearest first.
    pub fn impact(
        &self,
        about: &[NodeId],
        Reach { direction, filter, depth }: Reach,
        page: Page,
    ) -> CodeImpact {
        let mut seen: HashSet<NodeId> = about.iter().copied().collect();
        let mut reached: Vec<(u32, Edge)> = Vec::new();
        let mut by_distance = Vec::new();
        let mut level: Vec<NodeId> = about.to_vec();
        for distance in 1..=depth {
            let mut next = Vec::new();
            for node in level {
                let mut meet = |edge: Edge| {
                    let other = if direction == Direction::Out { edge.to } else { edge.from };
                    if filter.has(&edge) && seen.insert(other) {
                        reached.push((distance, edge));
                        next.push(other);
                    }
                };
                match direction {
                    Direction::Out => self.edges(node).for_each(&mut meet),
                    Direction::In => self.edges_to(node).for_each(&mut meet),
                }
            }
            if next.is_empty() {
                break;
            }
            by_distance.push(count(next.len()));
            level = next;
        }
        let end = |edge: &Edge| if direction == Direction::Out { edge.to } else { edge.from };
        let modules: HashSet<_> = reached
            .iter()
            .filter_map(|(_, it)| self.nodes.key(end(it)))
            .map(|it| it.module)
            .collect();
        let listed = reached.iter().skip(page.from).take(page.limit);
        CodeImpact {
            schema: "giulia.code-impact/1".to_owned(),
            of: CodeGraph::default(),
            about: about.iter().map(|it| self.node(*it)).collect(),
            is_out: direction == Direction::Out,
            depth,
            total: count(reached.len()),
            modules: count(modules.len()),
            by_distance,
            reached: listed
                .map(|(distance, edge)| CodeReached {
                    node: self.node(end(edge)),
                    distance: *distance,
                    by: self.edge(edge),
                })
                .collect(),
            next: page.next(reached.len()),
        }
    }

    /// The shortest way from any of these to any of those.
    pub fn path(&self, from: &[NodeId], to: &[NodeId], filter: EdgeFilter) -> CodePath {
        let goals: HashSet<NodeId> = to.iter().copied().collect();
        let mut came_by: HashMap<NodeId, Option<Edge>> =
            from.iter().map(|it| (*it, None)).collect();
        let mut waiting: VecDeque<NodeId> = from.iter().copied().collect();
        let mut found = from.iter().copied().find(|it| goals.contains(it));
        while let Some(node) = waiting.pop_front().filter(|_| found.is_none()) {
            for edge in self.edges(node).filter(|it| filter.has(it)) {
                if came_by.contains_key(&edge.to) {
                    continue;
                }
                came_by.insert(edge.to, Some(edge));
                if goals.contains(&edge.to) {
                    found = Some(edge.to);
                    break;
                }
                waiting.push_back(edge.to);
            }
        }
        let mut steps = Vec::new();
        let mut at = found;
        while let Some(edge) = at.and_then(|it| came_by.get(&it).copied().flatten()) {
            steps.push(self.edge(&edge));
            at = Some(edge.from);
        }
        steps.reverse();
        CodePath {
            schema: "giulia.code-path/1".to_owned(),
            of: CodeGraph::default(),
            from: from.iter().map(|it| self.node(*it)).collect(),
            to: to.iter().map(|it| self.node(*it)).collect(),
            is_there: found.is_some(),
            steps,
            looked_at: count(came_by.len()),
        }
    }
}
