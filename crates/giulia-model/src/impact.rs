//! What looking cost the target.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What giulia cost the node so far.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Impact {
    /// Questions asked, and what each took.
    pub questions: Vec<Question>,
    /// Round trips.
    pub round_trips: u64,
    /// Bytes that we sent.
    pub sent_bytes: u64,
    /// Bytes that the target sent.
    pub received_bytes: u64,
    /// Time the target's processes worked for us, in milliseconds: an upper bound by our clock, but
    /// of a session's ticks an estimate, by what the same work took where it did not wait.
    pub target_time_ms: f64,
    /// Settings changed on the target that are still in force. Always empty for a snapshot.
    pub changed: Vec<String>,
    /// What of others a question touched and could not put back: no setting, and nothing that
    /// behaves differently, but a figure that somebody else would read differently.
    #[serde(default)]
    pub disturbed: Vec<String>,
}

/// One question and its price.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Question {
    /// The probe's name.
    pub probe: String,
    /// From request to reply by our clock, waiting for a window left out, in milliseconds; of a
    /// session's ticks the CPU time there, as far as a node under load lets it be told.
    pub elapsed_ms: f64,
    /// Bytes of the request.
    pub sent_bytes: u64,
    /// Bytes of the reply.
    pub received_bytes: u64,
}
