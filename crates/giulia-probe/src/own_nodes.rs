//! Under which names this giulia is connected: one connection's processes on a node are nobody
//! else's work, whichever connection looks.

use std::{
    collections::BTreeSet,
    sync::{Arc, PoisonError, RwLock},
};

/// The names of all connections that share it; a clone is the same set.
///
/// Processes of ours are told by their group leader, which is on our side of the connection. A name
/// stays when its connection ends, because reductions of its processes are still told then; it is
/// one short name for each time that a node was dialled.
#[derive(Debug, Clone, Default)]
pub struct OwnNodes(Arc<RwLock<BTreeSet<String>>>);

impl OwnNodes {
    /// One more connection, under this name.
    pub(crate) fn add(&self, name: &str) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned());
    }

    /// Whether what has its group leader on this node is ours.
    pub(crate) fn is_own(&self, node: &str) -> bool {
        self.0.read().unwrap_or_else(PoisonError::into_inner).contains(node)
    }
}
