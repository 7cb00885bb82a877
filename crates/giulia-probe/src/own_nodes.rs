//! What is ours on the nodes that this giulia is connected to: processes and trace sessions of one
//! connection are nobody else's work, whichever connection looks.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, PoisonError, RwLock},
};

/// The names of all connections that share it, and their trace sessions; a clone is the same.
///
/// Processes of ours are told by their group leader, which is on our side of the connection. A name
/// stays when its connection ends, because reductions of its processes are still told then; it is
/// one short name for each time that a node was dialled.
#[derive(Debug, Clone, Default)]
pub struct OwnNodes(Arc<RwLock<Own>>);

#[derive(Debug, Default)]
struct Own {
    names: BTreeSet<String>,
    /// How many trace sessions, by the node that they are on.
    sessions: BTreeMap<String, usize>,
}

/// A trace session of ours, until it is dropped.
///
/// Sessions have one name for every giulia (a name is an atom that stays), so how many are ours is
/// all that tells them from another's. It is counted before it is made and until its keeper lets go,
/// so that for a moment another's may be taken for ours; ours is taken for another's only behind a
/// network that broke, where it outlives its keeper here until its lease ends.
#[derive(Debug)]
pub(crate) struct OwnSession {
    own: OwnNodes,
    node: String,
}

impl OwnNodes {
    /// One more connection, under this name.
    pub(crate) fn add(&self, name: &str) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).names.insert(name.to_owned());
    }

    /// Whether what has its group leader on this node is ours.
    pub(crate) fn is_own(&self, node: &str) -> bool {
        self.0.read().unwrap_or_else(PoisonError::into_inner).names.contains(node)
    }

    /// One more trace session on this node.
    pub(crate) fn session(&self, node: &str) -> OwnSession {
        let mut own = self.0.write().unwrap_or_else(PoisonError::into_inner);
        *own.sessions.entry(node.to_owned()).or_default() += 1;
        OwnSession { own: self.clone(), node: node.to_owned() }
    }

    /// How many trace sessions on this node are ours.
    pub(crate) fn sessions_on(&self, node: &str) -> usize {
        let own = self.0.read().unwrap_or_else(PoisonError::into_inner);
        own.sessions.get(node).copied().unwrap_or_default()
    }
}

impl Drop for OwnSession {
    fn drop(&mut self) {
        let mut own = self.own.0.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(held) = own.sessions.get_mut(&self.node) {
            *held = held.saturating_sub(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sessions_are_counted_by_node_until_they_are_let_go() {
        let own = OwnNodes::default();
        let (one, other) = (own.session("shop@db1"), own.clone().session("shop@db1"));
        assert_eq!((own.sessions_on("shop@db1"), own.sessions_on("shop@db2")), (2, 0));
        drop(one);
        assert_eq!(own.sessions_on("shop@db1"), 1);
        drop(other);
        assert_eq!(own.sessions_on("shop@db1"), 0);
    }
}
