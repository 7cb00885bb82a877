//! Answers as people read them.
#![cfg(test)]

mod doctor;
mod dump;
mod flame;
mod nodes;
mod process;
mod profile;
mod report;
mod snapshot;
mod trace;
