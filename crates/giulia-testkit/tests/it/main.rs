//! The kit against real nodes: what the other crates' live tests stand on.

mod nodes;
mod samples;
