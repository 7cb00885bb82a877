//! Sessions side by side, and predictions held against what was measured afterwards.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{FindingOutcome, Gain, Severity};

/// Sessions side by side, the first one first.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Compare {
    /// `giulia.compare/1`.
    pub schema: String,
    /// The sessions.
    pub sessions: Vec<ComparedSession>,
    /// Figures that at least two of them have.
    pub figures: Vec<ComparedFigure>,
    /// What rules found in any of them.
    pub findings: Vec<ComparedFinding>,
    /// Predictions of the first one, held against each of the others.
    pub predictions: Vec<Scored>,
    /// What the predictions were worth; absent where none could be measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub score: Option<Score>,
    /// What makes them hard to compare.
    pub cautions: Vec<String>,
}

/// One of the sessions.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ComparedSession {
    /// Its name.
    pub name: String,
    /// The node.
    pub node: String,
    /// When it began, RFC 3339 in UTC.
    pub started_at: String,
    /// The time that it covers, in milliseconds.
    pub elapsed_ms: u64,
    /// The node's OTP release, where it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub otp_release: Option<String>,
}

/// One figure in each session.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ComparedFigure {
    /// Of what.
    pub figure: String,
    /// In what.
    pub unit: String,
    /// In each session, in their order; absent where a session does not have it.
    pub values: Vec<Option<f64>>,
    /// The last of the first, as a factor; absent without both.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub factor: Option<f64>,
}

/// What a rule says of one culprit in each session.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ComparedFinding {
    /// The rule.
    pub rule: String,
    /// The culprit; empty where it is the node.
    pub culprit: String,
    /// In each session, in their order; absent where it does not speak of this culprit.
    pub outcomes: Vec<Option<ComparedOutcome>>,
}

/// What a rule says.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ComparedOutcome {
    /// Whether there is something.
    pub outcome: FindingOutcome,
    /// How grave.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub severity: Option<Severity>,
}

/// A prediction held against a later session.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Scored {
    /// The session that it was made from.
    pub from: String,
    /// Whether that session stated it itself, before the change.
    pub stated_before: bool,
    /// The session that it is held against.
    pub against: String,
    /// The rule that made it.
    pub rule: String,
    /// The prediction, for the load that was measured (see `scaled_by`).
    pub gain: Gain,
    /// By how much a figure that follows the load was scaled: calls then of calls before.
    pub scaled_by: f64,
    /// What was measured; absent where it was not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub measured: Option<f64>,
    /// Whether that lies within the range.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub within: Option<bool>,
    /// How far the likeliest figure is off, of the measured one, 0 to 1 and beyond.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_share: Option<f64>,
    /// Why it was not measured, or what limits the measure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// What predictions were worth.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Score {
    /// Predictions that could be measured.
    pub measured: u64,
    /// Of those, within their range.
    pub within: u64,
    /// Half of the likeliest figures are off by at most so much, 0 to 1 and beyond.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_share_median: Option<f64>,
}
