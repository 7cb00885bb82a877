//! The kit against real nodes: what the other crates' live tests stand on.
#![cfg(test)]

mod hostile;
mod nodes;
mod samples;
