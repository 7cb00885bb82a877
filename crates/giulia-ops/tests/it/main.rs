//! Answers as people read them.
#![cfg(test)]

mod doctor;
mod nodes;
mod snapshot;
