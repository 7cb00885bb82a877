//! Questions to a live node: one file each, every one with its cost and its limits.
pub use giulia_dist as dist;
