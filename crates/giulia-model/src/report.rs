//! A session folded into figures: who worked, what grew, what stood in the way, what looking cost.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Findings, Mark, NotSeen, Session, SessionDatabase, SessionTrace};

/// A session in figures. A part that no tick could see is absent, and [`Report::not_seen`] says why.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Report {
    /// `giulia.report/1`.
    pub schema: String,
    /// The session.
    pub session: Session,
    /// Whether it still goes on: the figures are those up to now.
    pub running: bool,
    /// The time that it covers, and what is missing in it.
    pub window: Covered,
    /// Who used the reductions in the windows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub work: Option<Work>,
    /// Calls of functions, where they were counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace: Option<SessionTrace>,
    /// What the database behind the node says, where it was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub database: Option<SessionDatabase>,
    /// Schedulers over the session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schedulers: Option<SchedulersOver>,
    /// Memory by kind, the total first.
    pub memory: Vec<Trend>,
    /// Counts against limits.
    pub limits: Vec<LimitOver>,
    /// The longest mailboxes, longest first; those that never held a message left out.
    pub mailboxes: Vec<MailboxOver>,
    /// ETS tables: those that changed most, then the biggest.
    pub ets: Vec<TableOver>,
    /// What happened beside the ticks, in order; the middle is left out of very many.
    pub marks: Vec<Mark>,
    /// Marks left out.
    pub marks_left_out: u64,
    /// What could not be seen, each reason once.
    pub not_seen: Vec<NotSeenOver>,
    /// Figures over time, for charts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub series: Vec<SeriesOver>,
    /// What giulia cost the node.
    pub cost: Cost,
    /// What all rules conclude from it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub findings: Option<Findings>,
}

/// The time that a report covers.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Covered {
    /// From the start to the last record, in milliseconds.
    pub elapsed_ms: u64,
    /// Time that windows of ticks cover; the base of every rate and share, in milliseconds.
    pub windows_ms: f64,
    /// Ticks read.
    pub ticks: u64,
    /// Ticks that were due and are not there.
    pub ticks_missed: u64,
    /// Spans without ticks, in order; of very many, the first.
    pub gaps: Vec<Gap>,
    /// All of them together, in milliseconds.
    pub gaps_ms: u64,
}

/// A span without ticks.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Gap {
    /// Milliseconds from the start of the session.
    pub from_ms: u64,
    /// Milliseconds from the start of the session.
    pub to_ms: u64,
    /// What the marks in it say.
    pub why: String,
}

/// Who used the reductions.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Work {
    /// Reductions of all processes in all windows: what every share below is a share of.
    pub reductions: u64,
    /// By the second of window.
    pub reductions_per_second: f64,
    /// CPU time of the VM in cores; least, middle, most of the ticks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu_cores: Option<Spread>,
    /// Whether some ticks asked a sample of the processes, so that figures are estimates.
    pub sampled: bool,
    /// By application.
    pub by_application: Ranking,
    /// By label where processes carry one, else by initial call.
    pub by_initial_call: Ranking,
    /// By module of the initial call: where the loop of the process was written, not what it called.
    pub by_module: Ranking,
    /// By process; a process counts in those ticks in which it was among the busiest.
    pub by_process: Ranking,
    /// Those that serve the logger.
    pub logger: LoggerShare,
}

/// Shares of one whole, and what is left of it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Ranking {
    /// Most reductions first.
    pub rows: Vec<Share>,
    /// Those that are not in the rows: how many were told apart.
    pub others: u64,
    /// Reductions that no row holds.
    pub rest_reductions: u64,
    /// Their share, 0 to 1.
    pub rest_share: f64,
}

/// One row of a ranking.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Share {
    /// Who.
    pub name: String,
    /// Its identity where it is one process.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pid: Option<String>,
    /// The application where it is one process.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub application: Option<String>,
    /// Processes at once, the most; an estimate where sampled.
    pub processes_max: u64,
    /// Reductions in the windows.
    pub reductions: u64,
    /// Of all reductions in the windows, 0 to 1.
    pub share: f64,
    /// Messages that waited, the most at once.
    pub mailbox_len_max: u64,
    /// Ticks in which it was seen.
    pub ticks: u64,
}

/// What the logger's own processes used.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LoggerShare {
    /// Reductions in the windows.
    pub reductions: u64,
    /// Of all reductions in the windows, 0 to 1.
    pub share: f64,
    /// Which processes or groups.
    pub who: Vec<String>,
    /// Messages that waited for one of them, the most at once.
    pub mailbox_len_max: u64,
}

/// Least, middle and most of a figure over the ticks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Spread {
    /// The least.
    pub min: f64,
    /// Half of the ticks showed less.
    pub median: f64,
    /// The most.
    pub max: f64,
}

/// Schedulers over a session.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SchedulersOver {
    /// Normal schedulers online at the last tick.
    pub online: u64,
    /// Share of their time that normal schedulers worked, 0 to 1; absent while it could not be measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub utilisation: Option<Spread>,
    /// Processes and ports waiting in all run queues, at the moment of a tick.
    pub run_queue: Spread,
}

/// A figure over time, thinned to at most 240 points.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SeriesOver {
    /// Which.
    pub name: String,
    /// In what: `share`, `bytes`, `count`, `cores`, `waiting`.
    pub unit: String,
    /// In order.
    pub points: Vec<SeriesPoint>,
}

/// One point.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SeriesPoint {
    /// Milliseconds from the start of the session.
    pub at_ms: u64,
    /// How much.
    pub value: f64,
}

/// How a figure went over the session.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Trend {
    /// Which: `total`, `processes`, `binaries`, `ETS`, `code`, `atoms`, `other system`, `RSS`.
    pub name: String,
    /// At the first tick, in bytes.
    pub first: u64,
    /// At the last, in bytes.
    pub last: u64,
    /// The least, in bytes.
    pub min: u64,
    /// The most, in bytes.
    pub max: u64,
    /// Bytes a minute, by the middle of the first third against that of the last; absent
    /// where there are too few ticks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub per_minute: Option<f64>,
    /// Whether that is more than it swings anyway.
    pub direction: Direction,
}

/// Where a figure goes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// It grows beyond its noise.
    Rising,
    /// It shrinks beyond its noise.
    Falling,
    /// It does neither.
    Steady,
    /// Too few ticks to tell.
    #[default]
    Unknown,
}

/// A count against its limit over the session.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LimitOver {
    /// `processes`, `ports`, `atoms`, `ETS tables`.
    pub name: String,
    /// At the first tick.
    pub first: u64,
    /// At the last.
    pub last: u64,
    /// The most.
    pub max: u64,
    /// The limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u64>,
    /// The most, of the limit, 0 to 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_share: Option<f64>,
    /// How many more a minute, by the middle of the first third against that of the last; absent
    /// where there are too few ticks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub per_minute: Option<f64>,
    /// Whether that is more than it swings anyway.
    #[serde(default)]
    pub direction: Direction,
}

/// A mailbox over the session.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct MailboxOver {
    /// Whose.
    pub name: String,
    /// The process.
    pub pid: String,
    /// Messages at the first tick that showed it.
    pub first: u64,
    /// Messages at the last tick that showed it.
    pub last: u64,
    /// The most.
    pub max: u64,
    /// Ticks that showed it.
    pub ticks: u64,
    /// Messages a minute between these two ticks; absent where they are less than a minute apart.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub per_minute: Option<f64>,
}

/// An ETS table over the session.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TableOver {
    /// Its name.
    pub name: String,
    /// Its owner's name, or the owner.
    pub owner: String,
    /// Objects at the first tick that showed it.
    pub size_first: u64,
    /// Objects at the last.
    pub size_last: u64,
    /// Memory at the first tick that showed it, in bytes.
    pub memory_first: u64,
    /// Memory at the last, in bytes.
    pub memory_last: u64,
    /// The most, in bytes.
    pub memory_max: u64,
}

/// Something that ticks did not hold.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct NotSeenOver {
    /// What and why, as the first of these ticks said.
    #[serde(flatten)]
    pub it: NotSeen,
    /// In how many ticks.
    pub ticks: u64,
}

/// What giulia cost the node.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Cost {
    /// Time the node's processes worked for us, in milliseconds: of ticks an estimate, by what the
    /// same work took where it did not wait for its turn; of all else an upper bound by our clock.
    pub target_time_ms: f64,
    /// Of one core over the session, 0 to 1.
    pub core_share: f64,
    /// The dearest tick, in milliseconds.
    pub tick_max_ms: f64,
    /// Round trips.
    pub round_trips: u64,
    /// Bytes that we sent.
    pub sent_bytes: u64,
    /// Bytes that the node sent.
    pub received_bytes: u64,
}

/// The sessions of a store.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Sessions {
    /// `giulia.sessions/1`.
    pub schema: String,
    /// The store's file.
    pub store: String,
    /// Newest first.
    pub sessions: Vec<SessionEntry>,
}

/// One session of a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SessionEntry {
    /// Its name.
    pub name: String,
    /// The node.
    pub node: String,
    /// When it began, RFC 3339 in UTC.
    pub started_at: String,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<String>,
    /// Why it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<crate::Ended>,
    /// Whether it goes on now.
    pub running: bool,
    /// The interval that was asked for, in milliseconds.
    pub every_ms: u64,
    /// Ticks recorded.
    pub ticks: u64,
    /// Ticks that were due and are not there.
    pub ticks_missed: u64,
    /// Size of its records in the store, in bytes.
    pub bytes: u64,
}

/// What was deleted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Deleted {
    /// `giulia.delete/1`.
    pub schema: String,
    /// The session that is gone.
    pub name: String,
    /// Its node.
    pub node: String,
    /// Ticks that went with it.
    pub ticks: u64,
}

/// A session under way, as the giulia that records it tells.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Live {
    /// The session.
    pub session: String,
    /// The node.
    pub node: String,
    /// The giulia that records it, by its process id on this machine.
    pub os_pid: u32,
    /// The store's file.
    pub store: String,
    /// The interval, in milliseconds.
    pub every_ms: u64,
    /// Since its start, in milliseconds.
    pub elapsed_ms: u64,
    /// Until it ends by itself, in milliseconds; absent where somebody must stop it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remaining_ms: Option<u64>,
    /// How the node is, in one word: `attached`, `frozen`, `lost`, `refused`, `ending`.
    pub state: String,
    /// Ticks recorded.
    pub ticks: u64,
    /// Ticks that were due and are not there.
    pub ticks_missed: u64,
    /// What looking cost the node so far, of one core, 0 to 1.
    pub core_share: f64,
    /// What happened last beside the ticks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_mark: Option<Mark>,
}

/// All sessions under way on this machine, of this user.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Status {
    /// `giulia.status/1`.
    pub schema: String,
    /// Longest running first.
    pub running: Vec<Live>,
}

/// What retention deleted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Pruned {
    /// `giulia.prune/1`.
    pub schema: String,
    /// Whether it was only said.
    pub is_dry_run: bool,
    /// The sessions that are gone, the oldest first.
    pub deleted: Vec<Deleted>,
    /// Size of their records, in bytes.
    pub freed_bytes: u64,
    /// Sessions that are kept.
    pub kept: u64,
}
