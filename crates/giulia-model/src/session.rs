//! A session: a watched window of a node, from start to stop, with everything that happened to it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::NodeFacts;

/// What a session is, without what it recorded.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Session {
    /// Its name, unique in its store: chosen, or made of the node and the time.
    pub name: String,
    /// The node.
    pub node: String,
    /// When it began, RFC 3339 in UTC, by our clock.
    pub started_at: String,
    /// When it ended; absent while it runs, and after a giulia that was killed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<String>,
    /// Why it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<Ended>,
    /// The interval that was asked for, in milliseconds.
    pub every_ms: u64,
    /// Ticks recorded.
    pub ticks: u64,
    /// Ticks that were due and are not there; each gap has its [`Mark`].
    pub ticks_missed: u64,
    /// What the node was at the first tick.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub facts: Option<NodeFacts>,
    /// The command whose run was watched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workload: Option<Workload>,
    /// Everything that giulia changed on the node.
    pub manifest: Vec<Change>,
    /// The giulia that recorded it.
    pub giulia_version: String,
}

/// Why a session ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Ended {
    /// Its time was over.
    TimeUp,
    /// Somebody stopped it.
    Stopped,
    /// The command that it watched ended.
    WorkloadEnded,
    /// It could not go on; its last mark says why.
    Failed,
    /// Its giulia was killed, or its disk took no more; what was recorded is here.
    Killed,
}

/// A command that was run beside the observation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Workload {
    /// The program and its arguments.
    pub command: Vec<String>,
    /// Its exit status, once it ended by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_status: Option<i32>,
    /// The signal that ended it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signal: Option<i32>,
}

/// Something that giulia switched on at the node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Change {
    /// What: `scheduler wall time`, `system events`.
    pub what: String,
    /// Milliseconds from the start of the session.
    pub made_at_ms: u64,
    /// What became of it.
    pub restored: Restored,
    /// Milliseconds from the start of the session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restored_at_ms: Option<u64>,
}

/// What became of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Restored {
    /// It is still made.
    NotYet,
    /// It was undone, and the node said so.
    Yes,
    /// The node undoes it by itself when it loses us; nobody was there to see it.
    ByTheNode,
    /// The node ended.
    NodeEnded,
}

/// Something that happened in a session, beside its ticks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Mark {
    /// When, RFC 3339 in UTC, by our clock.
    pub at: String,
    /// Milliseconds from the start of the session, by a clock that does not jump.
    pub at_ms: u64,
    /// What.
    pub kind: MarkKind,
    /// In a sentence, with the reason where there is one.
    pub text: String,
}

/// What can happen in a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum MarkKind {
    /// It began, or went on after a gap, with a node that it had not seen before.
    Attached,
    /// Ticks that were due are not there.
    Missed,
    /// The node does not answer but its connection stands.
    Frozen,
    /// It answers again.
    Thawed,
    /// The connection ended.
    Lost,
    /// The same node is back.
    Returned,
    /// A node of the same name is back, and it is another one: counters start anew.
    Restarted,
    /// A node of the same name is there and does not let us in; it is not asked again.
    Refused,
    /// The node had hardly a process to spare, and dialling one without any ends it: it is not
    /// dialled before EPMD says that it was started anew.
    Held,
    /// The node let go of what we had switched on, because it did not hear from us in time.
    LeaseLapsed,
    /// Something was switched on.
    Armed,
    /// Something was switched off before the end, because it cost too much.
    Disarmed,
    /// The store could not be written to; what was seen meanwhile is held in memory.
    StoreFailed,
    /// The store can be written to again.
    StoreRecovered,
    /// The workload began or ended.
    Workload,
    /// Worth a look now: a limit near, a mailbox that grows, an event of the VM.
    Alarm,
    /// It ended.
    Ended,
}
