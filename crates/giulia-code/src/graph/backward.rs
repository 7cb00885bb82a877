//! Who refers to a node: an index of candidates beside the rows, which have the last word.
//!
//! It is compressed rows over all nodes, made in one go, and a few additions since: whoever
//! stopped referring to a node is still a candidate until the next making, and whoever reads
//! looks into the candidate's own row. So a changed file costs what it changes.

use std::collections::HashMap;

use super::{node::NodeId, segment::Segment};

/// Additions, as one of so many edges, that are worth a new making.
const ADDED_ONE_OF: usize = 8;

/// Candidates by target.
#[derive(Debug, Clone, Default)]
pub(crate) struct Backward {
    starts: Vec<u32>,
    from: Vec<NodeId>,
    added: HashMap<NodeId, Vec<NodeId>>,
    n_added: usize,
}

impl Backward {
    /// Of all segments, from the beginning.
    pub(crate) fn of<'s>(
        segments: impl Iterator<Item = &'s Segment> + Clone,
        n_nodes: usize,
    ) -> Self {
        let mut starts = vec![0_u32; n_nodes.saturating_add(1)];
        for (to, _) in pairs(segments.clone()) {
            if let Some(count) = starts.get_mut(to.index().saturating_add(1)) {
                *count += 1;
            }
        }
        let mut sum = 0;
        for start in &mut starts {
            sum += *start;
            *start = sum;
        }
        let mut next = starts.clone();
        let mut from = vec![NodeId(u32::MAX); usize::try_from(sum).unwrap_or_default()];
        for (to, source) in pairs(segments) {
            let Some(place) = next.get_mut(to.index()) else { continue };
            if let Some(slot) = usize::try_from(*place).ok().and_then(|it| from.get_mut(it)) {
                *slot = source;
            }
            *place += 1;
        }
        Self { starts, from, added: HashMap::new(), n_added: 0 }
    }

    /// Adds what a segment refers to.
    pub(crate) fn add(&mut self, segment: &Segment) {
        for (to, from) in pairs(std::iter::once(segment)) {
            let is_there = self.made(to).contains(&from);
            let added = self.added.get(&to).is_some_and(|it| it.contains(&from));
            if !is_there && !added {
                self.added.entry(to).or_default().push(from);
                self.n_added += 1;
            }
        }
    }

    /// Whether it was made once; before, additions would be a second copy of all.
    pub(crate) fn is_made(&self) -> bool {
        !self.starts.is_empty()
    }

    /// Whether it is better made again.
    pub(crate) fn is_stale(&self) -> bool {
        !self.is_made() || self.n_added > self.from.len() / ADDED_ONE_OF
    }

    fn made(&self, to: NodeId) -> &[NodeId] {
        let at = |it: Option<&u32>| it.and_then(|it| usize::try_from(*it).ok());
        let start = at(self.starts.get(to.index()));
        let end = at(self.starts.get(to.index().saturating_add(1)));
        let range = start.zip(end).map(|(start, end)| start..end);
        range.and_then(|it| self.from.get(it)).unwrap_or_default()
    }

    /// Who may refer to a node, each once.
    pub(crate) fn candidates(&self, to: NodeId) -> impl Iterator<Item = NodeId> + '_ {
        let added = self.added.get(&to).map(Vec::as_slice).unwrap_or_default();
        self.made(to).iter().chain(added).copied()
    }
}

/// Every target with every node that refers to it, each pair once.
fn pairs<'s>(
    segments: impl Iterator<Item = &'s Segment>,
) -> impl Iterator<Item = (NodeId, NodeId)> {
    segments.flat_map(|segment| {
        segment.rows().flat_map(move |(row, from)| {
            let mut last = None;
            // Targets are in order, so the same ones are neighbours.
            let once = move |to: &&NodeId| last.replace(**to) != Some(**to);
            segment.targets(row).iter().filter(once).map(move |to| (*to, from))
        })
    })
}
