//! What reading a term may cost.

/// Nesting that no caller can raise: the stack of the validator is this long, and a tree
/// of this depth is built and dropped by recursion on any thread. The deepest terms that
/// we know, abstract forms of evaluated code, stay under 100.
pub(super) const DEPTH_CAP: usize = 256;

/// What reading a term may cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Nesting of terms; more than 256 counts as 256.
    pub depth_max: usize,
    /// Nodes of all trees that one reader builds, at 32 bytes each.
    pub tree_nodes_max: usize,
    /// What a compressed term may inflate to, in bytes.
    pub inflated_bytes_max: usize,
}

impl Limits {
    /// The defaults: 256 levels, a million nodes (32 MB), 32 MiB inflated.
    ///
    /// A reply with more than a million nodes wants a [`Reader`](super::Reader), and giulia
    /// as a whole is to stay under 64 MB whatever it is sent.
    pub const DEFAULT: Self =
        Self { depth_max: DEPTH_CAP, tree_nodes_max: 1_000_000, inflated_bytes_max: 32 << 20 };
}

impl Default for Limits {
    fn default() -> Self {
        Self::DEFAULT
    }
}
