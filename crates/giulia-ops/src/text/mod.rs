//! The longer answers for people; the short ones stand in their operation's file.

mod snapshot;
mod tables;

pub(crate) use snapshot::{gates, snapshot};
