//! Rules: from a picture of a node to findings, each with its evidence.
//!
//! A [`Picture`] is everything that one session holds, as plain data; a [`Rule`] is one pure
//! function over it with a page that says what it sees, why that matters, what to do, where its
//! thresholds are from and when it is wrong. [`judge()`] asks all of [`RULES`]. The same picture
//! gives the same findings, on any machine and at any time.
//!
//! What it refuses to do: ask a node, read a clock or a file, or conclude from a name. A part of
//! the picture that is missing is an answer: not enough was seen, and the command that shows it.
//!
//! ```
//! let findings = giulia_rules::judge(&giulia_rules::Picture::default());
//! assert!(findings.findings.iter().all(|it| it.severity.is_none()));
//! assert!(giulia_rules::rule("mailbox_growth").is_some());
//! ```

mod compare;
mod figures;
mod judge;
mod over;
mod picture;
mod predict;
mod repo;
mod rule;
mod rules;
mod table;
mod witness;

#[cfg(test)]
mod example;

pub use compare::{Compared, compare};
pub use judge::{judge, judge_with};
pub use over::{EventsOver, Over, RateOver, ThreadsOver};
pub use picture::{Missing, Part, Picture};
pub use predict::{
    CacheGain, Callers, Demand, Processors, Range, cache, closed_loop, open_queue, range, read_s,
    table_bytes, throughput,
};
pub use rule::{Rule, Threshold};
pub use rules::{
    RULES,
    n_plus_one::{asks_elsewhere, calls_nearly_all, is_behaviour, shows_behind},
    rule,
};
pub use witness::database_functions;
