//! What a rule is: an id, a page, thresholds with their sources, one pure function.

use giulia_model::Finding;

use crate::{Missing, Picture};

/// One rule.
#[derive(Debug)]
pub struct Rule {
    /// Its id, which is the name of its file and of its page: `mailbox_growth`.
    pub id: &'static str,
    /// What it looks for, in one line without a full stop.
    pub title: &'static str,
    /// Its page in Markdown: `include_str!("../../../../docs/rules/….md")`.
    pub page: &'static str,
    /// The numbers that somebody chose.
    pub thresholds: &'static [&'static Threshold],
    /// Looks at the picture. One finding for each culprit; none at all means that it was looked at
    /// and there is nothing. A part that is missing goes up with `?` and becomes
    /// `not_enough_seen`.
    pub judge: fn(&Picture) -> Result<Vec<Finding>, Missing>,
}

/// A number that somebody chose, and why.
#[derive(Debug)]
pub struct Threshold {
    /// What it bounds.
    pub name: &'static str,
    /// From where on.
    pub value: f64,
    /// In what.
    pub unit: &'static str,
    /// A paper, a page of OTP with its version, or our own measurement.
    pub source: &'static str,
}

/// How a command names a process: by its registered name, else by its pid.
pub(crate) fn argument(name: &str, pid: &str) -> String {
    let is_plain = |it: char| it.is_alphanumeric() || matches!(it, '_' | '.');
    if !name.is_empty() && name.chars().all(is_plain) {
        name.to_owned()
    } else {
        format!("'{pid}'")
    }
}
