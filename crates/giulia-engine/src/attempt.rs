//! Everything that one question brings along.

use crate::{Access, Bounds, Clock, Progress};

/// One question on its way: how to reach the node, how long it may take, whom to tell.
#[derive(Debug, Clone, Copy)]
pub struct Attempt<'a> {
    /// How to reach the node.
    pub access: &'a Access,
    /// How long it may take, and how it is stopped.
    pub bounds: &'a Bounds,
    /// Whom to tell meanwhile.
    pub progress: &'a dyn Progress,
    /// What time it is.
    pub clock: &'a Clock,
}
