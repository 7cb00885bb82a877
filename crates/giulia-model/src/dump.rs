//! All processes, grouped by what stands on their stacks.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Coverage, Impact, Mfa, NameSource, NotSeen, Pid};

/// What every process was doing at one moment, equal stacks together.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Dump {
    /// `giulia.dump/1`.
    pub schema: String,
    /// When the answer came, RFC 3339 in UTC, by our clock.
    pub taken_at: String,
    /// The node.
    pub node: String,
    /// Who stands behind it; counts are of those asked, never scaled up.
    pub coverage: Option<Coverage>,
    /// How many different stacks those asked have; the least it can be where some were left out.
    pub stacks: u64,
    /// Most processes first.
    pub groups: Vec<StackGroup>,
    /// What could not be seen, and why.
    pub not_seen: Vec<NotSeen>,
    /// What looking cost the node.
    pub impact: Impact,
}

/// Processes with the same stack.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct StackGroup {
    /// How many.
    pub processes: u64,
    /// Of those, how many waited for a message; the others ran, or could.
    pub waiting: u64,
    /// Messages in their mailboxes.
    pub mailbox_len: u64,
    /// Messages in the longest of them.
    pub mailbox_len_max: u64,
    /// What they are, most processes first.
    pub names: Vec<NamedCount>,
    /// A few of them, longest mailbox first.
    pub examples: Vec<Pid>,
    /// What they run, innermost first; empty for one that hibernates, has not begun, or ends.
    pub stack: Vec<Frame>,
    /// Whether the VM cut the stack at its `backtrace_depth`, so that outer frames are missing.
    pub cut: bool,
}

/// A name, and how many processes have it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct NamedCount {
    /// A registered name, or what they were started with.
    pub name: String,
    /// How we know.
    pub name_source: NameSource,
    /// How many.
    pub processes: u64,
}

/// A line of a stack.
#[derive(
    Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
pub struct Frame {
    /// The function.
    pub function: Mfa,
    /// Its source, where the module was compiled with lines.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// The line in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
}
