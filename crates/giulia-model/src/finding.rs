//! What a rule concluded: whether there is something, whose it is, what shows it, what to do about
//! it, what that would bring, and which command tells afterwards whether it did.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Mfa, NotSeen, Pid};

/// What all rules concluded from one session.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Findings {
    /// `giulia.findings/1`.
    pub schema: String,
    /// The node.
    pub node: String,
    /// The session that they can be drawn from again.
    pub session: String,
    /// When that session began, RFC 3339 in UTC.
    pub started_at: String,
    /// The time that it covers, in milliseconds.
    pub elapsed_ms: u64,
    /// Those found, the gravest first; then those not enough was seen for; then those clear.
    pub findings: Vec<Finding>,
    /// What to do, the most useful first.
    pub actions: Vec<Action>,
    /// What each way of looking revealed.
    pub layers: Vec<Layer>,
    /// What could not be looked at, and why.
    pub not_seen: Vec<NotSeen>,
}

/// What a check came to: findings, and those of them that fail it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Checked {
    /// `giulia.check/1`.
    pub schema: String,
    /// From which severity on a finding fails it; absent where nothing does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fail_on: Option<Severity>,
    /// The session whose findings are known and do not fail it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub baseline: Option<String>,
    /// Titles of those that fail it.
    pub failing: Vec<String>,
    /// What all rules concluded.
    pub findings: Findings,
}

/// What one rule says of one matter.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Finding {
    /// The rule: `mailbox_growth`.
    pub rule: String,
    /// In one line, with the culprit's name.
    pub title: String,
    /// Whether there is something.
    pub outcome: FindingOutcome,
    /// How grave it is; of what was found only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub severity: Option<Severity>,
    /// Whose it is, the worst first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub culprits: Vec<Culprit>,
    /// The figures that it rests on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub evidence: Vec<Evidence>,
    /// Why so, in a sentence or two; of what was not seen enough, what is missing.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub why: String,
    /// What to change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recommendation: Option<String>,
    /// What that is predicted to bring.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gain: Vec<Gain>,
    /// What it takes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub effort: Option<Effort>,
    /// What may go wrong when it is followed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub risks: Vec<String>,
    /// The command that tells afterwards whether it worked; of what was not seen enough, the one
    /// that would show more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verify: Option<String>,
}

/// Whether there is something.
#[derive(
    Debug,
    Clone,
    Copy,
    Default,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum FindingOutcome {
    /// There is.
    Found,
    /// What it needs was not seen, or too little of it.
    #[default]
    NotEnoughSeen,
    /// It was looked at, and there is not.
    Clear,
}

/// How grave a finding is.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Worth knowing; nothing suffers from it now.
    Note,
    /// Somebody waits for it, or will soon.
    Warning,
    /// The node, or a part of it, fails by it or is about to.
    Critical,
}

/// Whose a finding is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct Culprit {
    /// What it is.
    pub kind: CulpritKind,
    /// What it is called: a function as its language writes it, a process, a table.
    pub name: String,
    /// The function, where it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mfa: Option<Mfa>,
    /// The process, where it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pid: Option<Pid>,
}

/// What a culprit is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CulpritKind {
    /// The node as a whole.
    #[default]
    Node,
    /// A function.
    Function,
    /// A module.
    Module,
    /// A process.
    Process,
    /// Processes that are alike.
    ProcessGroup,
    /// An ETS table.
    Table,
    /// A log handler.
    LogHandler,
    /// A port or socket, or a kind of them.
    Port,
    /// A supervisor.
    Supervisor,
    /// An application.
    Application,
}

/// A figure that a finding rests on.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Evidence {
    /// What it is a figure of: `utilisation of kv_registry`.
    pub figure: String,
    /// How much.
    pub value: f64,
    /// In what: `share` (0 to 1), `ms`, `us`, `bytes`, `per_second`, `count` and so on.
    pub unit: String,
    /// The time that it covers, in milliseconds; absent for a moment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window_ms: Option<f64>,
    /// How it was seen.
    pub source: Source,
    /// From where on it matters, in the same unit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threshold: Option<f64>,
}

/// How a figure was seen.
#[derive(
    Debug,
    Clone,
    Copy,
    Default,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// The ticks of the session.
    #[default]
    Ticks,
    /// What changes slowly, at the first and the last look.
    Snapshot,
    /// What the VM reported as unusual.
    SystemEvents,
    /// Call counters.
    Trace,
    /// A sample of the calls of a function.
    Explain,
    /// Stacks of processes that waited.
    Stacks,
    /// A sample of the messages of a process.
    Mailbox,
    /// Calls of `ets`.
    Ets,
    /// One process in depth.
    Process,
    /// The database's own account of its statements.
    Postgres,
}

/// What a change is predicted to bring.
///
/// The ends of a range differ at most by a factor of two, save where both lie below what can be
/// measured.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Gain {
    /// What will be measured.
    pub metric: Metric,
    /// Of what: the function, the process or the table, as its culprit is called.
    pub of: String,
    /// How much it is now.
    pub before: f64,
    /// How much it is likely to be.
    pub likely: f64,
    /// At least so much.
    pub low: f64,
    /// At most so much.
    pub high: f64,
    /// In what.
    pub unit: String,
    /// What has to hold for it.
    pub assuming: String,
}

/// What a prediction speaks of, and what `giulia compare` measures it by.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Metric {
    /// Calls a second of a function, by call counters.
    #[default]
    CallsPerSecond,
    /// Calls a second of a function that go to a database or another machine.
    QueriesPerSecond,
    /// Messages a second to a process.
    MessagesPerSecond,
    /// Share of its time that a process is busy.
    Utilisation,
    /// How long a message waits for a process, on average.
    WaitingMs,
    /// How long a call of a function takes, on average.
    LatencyUs,
    /// Memory of a table.
    TableBytes,
}

/// What a change takes.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Effort {
    /// A setting, or a few lines in one place.
    Low,
    /// A module with its tests.
    Medium,
    /// A change of how parts work together.
    High,
}

/// A line of the priority table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Action {
    /// What to do.
    pub action: String,
    /// What it brings, in figures where there are any.
    pub impact: String,
    /// What it takes.
    pub effort: Effort,
    /// The rule that says so.
    pub rule: String,
}

/// What one way of looking revealed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Layer {
    /// The way of looking.
    pub source: Source,
    /// Titles of the findings that it took part in.
    pub revealed: Vec<String>,
}

impl Culprit {
    /// A function.
    pub fn function(mfa: &Mfa) -> Self {
        let kind = CulpritKind::Function;
        Self { kind, name: mfa.to_string(), mfa: Some(mfa.clone()), pid: None }
    }

    /// A process.
    pub fn process(name: impl Into<String>, pid: &Pid) -> Self {
        Self { kind: CulpritKind::Process, name: name.into(), mfa: None, pid: Some(pid.clone()) }
    }

    /// Anything that has a name only.
    pub fn named(kind: CulpritKind, name: impl Into<String>) -> Self {
        Self { kind, name: name.into(), mfa: None, pid: None }
    }
}

impl Evidence {
    /// A figure with its unit and where it is from.
    pub fn new(
        figure: impl Into<String>,
        value: f64,
        unit: impl Into<String>,
        source: Source,
    ) -> Self {
        Self {
            figure: figure.into(),
            value,
            unit: unit.into(),
            window_ms: None,
            source,
            threshold: None,
        }
    }

    /// The time that it covers, in milliseconds.
    #[must_use]
    pub fn over(mut self, window_ms: f64) -> Self {
        self.window_ms = Some(window_ms);
        self
    }

    /// From where on it matters.
    #[must_use]
    pub fn from(mut self, threshold: f64) -> Self {
        self.threshold = Some(threshold);
        self
    }
}

impl Finding {
    /// There is something: how grave, what, and why that is known.
    pub fn found(severity: Severity, title: impl Into<String>, why: impl Into<String>) -> Self {
        Self {
            title: title.into(),
            outcome: FindingOutcome::Found,
            severity: Some(severity),
            why: why.into(),
            ..Self::default()
        }
    }

    /// It was looked at, and there is nothing.
    pub fn clear(title: impl Into<String>, why: impl Into<String>) -> Self {
        Self {
            title: title.into(),
            outcome: FindingOutcome::Clear,
            why: why.into(),
            ..Self::default()
        }
    }

    /// Not enough was seen: what is missing, and the command that would show it.
    pub fn not_enough(
        title: impl Into<String>,
        why: impl Into<String>,
        ask: Option<String>,
    ) -> Self {
        Self {
            title: title.into(),
            outcome: FindingOutcome::NotEnoughSeen,
            why: why.into(),
            verify: ask,
            ..Self::default()
        }
    }

    /// Whether another one is of the same rule and the same culprit, and at least as grave.
    pub fn is_known_by(&self, other: &Self) -> bool {
        let culprit = |it: &Self| it.culprits.first().map(|it| (it.kind, it.name.clone()));
        other.outcome == FindingOutcome::Found
            && self.rule == other.rule
            && culprit(self) == culprit(other)
            && self.severity <= other.severity
    }

    /// Whether something was found that is at least so grave.
    pub fn is_at_least(&self, severity: Severity) -> bool {
        self.outcome == FindingOutcome::Found && self.severity.is_some_and(|it| it >= severity)
    }
}

/// As a command line and a page write it.
impl Severity {
    /// All of them, the least first.
    pub const ALL: &[Self] = &[Self::Note, Self::Warning, Self::Critical];

    /// In one word.
    pub fn name(self) -> &'static str {
        match self {
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Critical => "critical",
        }
    }
}
