//! Code as documents: what a graph of it answers.

mod asked;
mod edge;
mod listed;

pub use asked::*;
pub use edge::*;
pub use listed::*;
