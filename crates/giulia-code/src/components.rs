//! Strongly connected components: what reaches each other.

/// The components of a graph, each sorted, each after those that it leads to.
///
/// Tarjan's algorithm with a stack of its own, so that a long chain of calls in a hostile file
/// is no deep recursion of ours. An edge to a node that is not there is left out.
pub(crate) fn components(edges: &[Vec<usize>]) -> Vec<Vec<usize>> {
    let mut walk = Walk {
        edges,
        order: vec![0; edges.len()],
        low: vec![0; edges.len()],
        is_open: vec![false; edges.len()],
        next: 1,
        open: Vec::new(),
        found: Vec::new(),
    };
    for root in 0..edges.len() {
        if walk.order.get(root) == Some(&0) {
            walk.from(root);
        }
    }
    walk.found
}

struct Walk<'a> {
    edges: &'a [Vec<usize>],
    // When a node was met first, from 1 on; 0 is not yet.
    order: Vec<usize>,
    // The earliest node that it reaches within its component.
    low: Vec<usize>,
    // Whether its component is not complete yet.
    is_open: Vec<bool>,
    next: usize,
    open: Vec<usize>,
    found: Vec<Vec<usize>>,
}

impl Walk<'_> {
    fn from(&mut self, root: usize) {
        self.meet(root);
        // Each node on the way with the number of its edges that were followed.
        let mut way = vec![(root, 0)];
        while let Some((node, followed)) = way.last_mut() {
            let node = *node;
            let target = self.edges.get(node).and_then(|it| it.get(*followed)).copied();
            *followed += 1;
            let Some(target) = target else {
                way.pop();
                if let Some((parent, _)) = way.last() {
                    self.lower(*parent, self.low_of(node));
                }
                self.complete(node);
                continue;
            };
            match self.order.get(target) {
                Some(0) => {
                    self.meet(target);
                    way.push((target, 0));
                }
                Some(order) if self.is_open.get(target) == Some(&true) => {
                    self.lower(node, *order);
                }
                _ => {}
            }
        }
    }

    fn meet(&mut self, node: usize) {
        let number = self.next;
        self.next += 1;
        if let (Some(order), Some(low), Some(is_open)) =
            (self.order.get_mut(node), self.low.get_mut(node), self.is_open.get_mut(node))
        {
            (*order, *low, *is_open) = (number, number, true);
            self.open.push(node);
        }
    }

    fn low_of(&self, node: usize) -> usize {
        self.low.get(node).copied().unwrap_or(usize::MAX)
    }

    fn lower(&mut self, node: usize, to: usize) {
        if let Some(low) = self.low.get_mut(node) {
            *low = (*low).min(to);
        }
    }

    /// Closes the component whose first node this is.
    fn complete(&mut self, node: usize) {
        if self.order.get(node).copied() != Some(self.low_of(node)) {
            return;
        }
        let mut members = Vec::new();
        while let Some(member) = self.open.pop() {
            if let Some(is_open) = self.is_open.get_mut(member) {
                *is_open = false;
            }
            members.push(member);
            if member == node {
                break;
            }
        }
        members.sort_unstable();
        self.found.push(members);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_reaches_each_other_is_one() {
        let edges = [vec![1], vec![2, 0], vec![3], vec![3, 9], vec![0]];
        assert_eq!(components(&edges), [vec![3], vec![2], vec![0, 1], vec![4]]);
    }

    #[test]
    fn a_long_chain_is_no_deep_recursion() {
        let n = 1_000_000;
        let edges: Vec<Vec<usize>> = (0..n).map(|it| vec![(it + 1) % n]).collect();
        assert_eq!(components(&edges).len(), 1);
    }
}
