//! A session by windows of time: the figures of a report for each of them, and what changed from one
//! to the next.
//!
//! A window ends with a tick and begins with the last tick of the window before, so that the time
//! between two ticks is never split. Every sum of a report (reductions, calls, ticks, gaps) is the
//! sum of the same figure over the windows, but for functions whose counter was lost, which a report
//! leaves out and windows have until then.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    CallsSeen, ExplainVerdict, Gap, LimitOver, MailboxOver, Mark, Measured, Mfa, NotSeenOver,
    RestsOn, SchedulersOver, Session, TableOver, TracedFunction, TracedModule, Trend, Work,
};

/// A session by windows of time. What nobody saw in a window is absent there, and
/// [`Profile::not_seen`] says why, once.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Profile {
    /// `giulia.profile/1`.
    pub schema: String,
    /// The session.
    pub session: Session,
    /// Whether it still goes on: the windows are those up to now.
    pub running: bool,
    /// How long a window is meant to be, in milliseconds: as it was asked for, or the shortest of
    /// those that make at most 60. A window is as long as its ticks make it.
    pub window_ms: u64,
    /// Where the first window begins, in milliseconds from the start of the session.
    pub from_ms: u64,
    /// Where the last one ends, in milliseconds from the start of the session.
    pub to_ms: u64,
    /// In order, each beginning where the one before ends. Time without ticks is in the window of
    /// the tick that ended it.
    pub windows: Vec<ProfileWindow>,
    /// What jumped most from one window to the next, the largest first.
    pub changes: Vec<ProfileChange>,
    /// What could not be seen, each reason once, with the ticks of the windows that lack it.
    pub not_seen: Vec<NotSeenOver>,
}

/// One window.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ProfileWindow {
    /// The tick that it begins with and that is not in it, in milliseconds from the start of the
    /// session; of the first window the start of the session.
    pub from_ms: u64,
    /// Its last tick, in milliseconds from the start of the session; of the last window the end of
    /// the session.
    pub to_ms: u64,
    /// Ticks in it.
    pub ticks: u64,
    /// Ticks that were due in it by the interval of the session, and are not there.
    pub ticks_missed: u64,
    /// Time that the looks at all processes which ended in it cover, in milliseconds: the base of
    /// rates and shares in `work`. More than the window where the look before came long before it.
    pub covered_ms: f64,
    /// Those looks; absent where none ended in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub looks: Option<ProfileLooks>,
    /// Time without ticks that ended in it, in milliseconds.
    pub gaps_ms: u64,
    /// The same span by span; of very many, the first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gaps: Vec<Gap>,
    /// Who used the reductions, by the looks in it: by application, by initial call, by the module where the loop
    /// of a process was written, by process.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub work: Option<Work>,
    /// Calls of functions and modules, where counters were read in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calls: Option<ProfileCalls>,
    /// Schedulers, by its ticks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schedulers: Option<SchedulersOver>,
    /// Memory by kind, the total first. `first` is at the tick that the window begins with, so
    /// `last` less `first` is the change in it; of the first window it is the first tick.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub memory: Vec<Trend>,
    /// Counts against limits; `first` as in `memory`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub limits: Vec<LimitOver>,
    /// The longest mailboxes at its ticks, longest first; none where no message waited. `first` as
    /// in `memory`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mailboxes: Option<Vec<MailboxOver>>,
    /// ETS tables that its ticks show: those that changed most, then the biggest. `size_first` and
    /// `memory_first` are of the last tick before that showed the table, else of the first in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ets: Option<Vec<TableOver>>,
    /// What functions rest on, by the closer looks that were taken in it; of very many, the first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub boundaries: Vec<ProfileBoundary>,
    /// What happened in it beside the ticks, in order; the middle is left out of many.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub marks: Vec<Mark>,
    /// Marks left out.
    #[serde(default)]
    pub marks_left_out: u64,
}

/// Looks at all processes that ended in a window.
///
/// Where the node is large or busy, only every few ticks look at all processes and tables. A look
/// is not split: it counts in the window in which it ends, whole.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ProfileLooks {
    /// Since when, in milliseconds from the start of the session.
    pub from_ms: u64,
    /// Until when, in milliseconds from the start of the session.
    pub to_ms: u64,
    /// How many.
    pub looks: u64,
}

/// Calls by the readings of counters that ended in a window.
///
/// A reading is not split either: it counts in the window in which it ends, and `from_ms` and
/// `to_ms` say what time it is of.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ProfileCalls {
    /// Since when, in milliseconds from the start of the session.
    pub from_ms: u64,
    /// Until when, in milliseconds from the start of the session.
    pub to_ms: u64,
    /// Time between the two in which counters ran, in milliseconds; the base of every rate.
    pub counted_ms: u64,
    /// Calls of all functions whose counter was not lost meanwhile.
    pub calls: u64,
    /// The same by the second.
    pub calls_per_s: f64,
    /// Spans in which nothing was counted, that ended here.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gaps: Vec<Gap>,
    /// Functions that were called and those whose counter was lost here, most called first.
    pub functions: Vec<TracedFunction>,
    /// The same by module.
    pub modules: Vec<TracedModule>,
    /// For whom own time and words in `functions` were measured, where that happened here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub measured: Option<Measured>,
}

/// What a function rests on, as a closer look in this window saw it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ProfileBoundary {
    /// When the look ended, in milliseconds from the start of the session.
    pub at_ms: u64,
    /// The function.
    pub function: Mfa,
    /// What the look says.
    pub verdict: ExplainVerdict,
    /// Why it says no more, where it does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// Where the time went, most of it first.
    pub rests_on: Vec<RestsOn>,
    /// Share of the time that is explained, 0 to 1.
    pub explained: f64,
    /// The calls that were seen.
    pub calls: CallsSeen,
}

/// A figure that jumped from one window to the next, beyond what it changes usually.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ProfileChange {
    /// Which: `schedulers busy`, `CPU of the VM`, `run queue`, `memory: total` and so on, `longest
    /// mailbox`, the name of a limit, `reductions`, `calls`, `reductions of a group`, `calls of a
    /// function`.
    pub figure: String,
    /// Of whom, where it is of one group, mailbox or function.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub who: Option<String>,
    /// In what: `share`, `cores`, `waiting`, `bytes`, `count`, `per_second`.
    pub unit: String,
    /// The edge behind the window before, in milliseconds from the start of the session.
    pub at_ms: u64,
    /// The window in which it begins, from 0: the next one that has the figure.
    pub window: u64,
    /// In the window before.
    pub before: f64,
    /// In the window in which it was all there: the one in which it begins, or, where it begins in
    /// the middle of that, one of the next.
    pub after: f64,
    /// What it changes usually from one window to the next: the middle of all its other changes.
    pub usual: f64,
}
