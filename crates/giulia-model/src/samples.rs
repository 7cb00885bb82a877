//! Sampled calls: a few of them, closely, never all.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Mfa, NotSeen, Pid};

/// A bounded sample of calls.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Samples {
    /// The node.
    pub node: String,
    /// What was asked of each call.
    pub kind: SampleKind,
    /// How many calls were wanted.
    pub wanted: u64,
    /// From when messages were taken until the sample was whole or the time was up.
    pub window_ms: f64,
    /// Whether values are shown, or shapes and sizes only.
    pub values: bool,
    /// Functions whose calls were looked at.
    pub functions: Vec<Mfa>,
    /// Who was asked.
    pub processes: SampledProcesses,
    /// Calls, the first first; with `slow` only those that were, the slowest first.
    pub calls: Vec<CallSample>,
    /// Where calls return to, most frequent first; only when asked for callers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub callers: Vec<CallerShare>,
    /// How long the calls took that began and ended in the window.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub durations: Option<Durations>,
    /// Why it ended.
    pub ended: SampleEnd,
    /// Calls or functions that could not be seen, and why.
    pub not_seen: Vec<NotSeen>,
}

/// What is asked of each call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[expect(clippy::exhaustive_enums, reason = "whoever samples must know all")]
pub enum SampleKind {
    /// With what.
    Arguments,
    /// What came of it.
    Returns,
    /// Where it returns to.
    Callers,
    /// Whether it took long.
    Slow {
        /// From how long on.
        from_us: u64,
    },
}

/// Why a sample ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum SampleEnd {
    /// As many calls as wanted were seen.
    Whole,
    /// As much came as the node is asked to hold; there were more calls.
    Full,
    /// The time was up.
    Time,
    /// Somebody asked to stop before.
    Stopped,
    /// The tracer was killed, by its heap limit or by somebody.
    Killed,
    /// Anything else.
    Other(String),
}

/// Whose calls were looked at.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SampledProcesses {
    /// How many there were to choose from.
    pub total: u64,
    /// How many were asked.
    pub asked: u64,
    /// Whether those that began in the window were asked too.
    pub new_too: bool,
    /// Those that were left alone, at most fifty, and why.
    pub left_alone: Vec<LeftAlone>,
    /// Further ones that were left alone.
    pub left_alone_more: u64,
}

/// A process whose calls were not looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LeftAlone {
    /// Which.
    pub pid: Pid,
    /// Why.
    pub why: String,
}

/// One call.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CallSample {
    /// Of what.
    pub function: Mfa,
    /// By whom.
    pub pid: Pid,
    /// What that process is, where it could still be asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub process: Option<String>,
    /// When it began, counted from the first message.
    pub at_us: u64,
    /// With what, where that was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arguments: Option<Vec<Seen>>,
    /// Where it returns to; after a tail call that is the caller's caller.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub returns_to: Option<Mfa>,
    /// What came of it, where that was asked and seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Outcome>,
    /// How long it took, waiting included; for a call that has not ended, how long so far.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration_us: Option<u64>,
}

/// How a call ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Outcome {
    /// It returned this.
    Returned(Seen),
    /// It raised.
    Raised {
        /// `error`, `exit` or `throw`.
        class: String,
        /// What.
        reason: Seen,
    },
    /// It has not ended yet.
    StillRunning,
}

/// What is shown of a term: its shape, or its value where that was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Seen {
    /// For people, in the writing of the function's language; never longer than 400 characters.
    pub text: String,
    /// Of which type, as Erlang calls it: `atom`, `binary`, `tuple`, `list`, `map` and so on.
    pub kind: String,
    /// Bytes of a binary, elements of a tuple or list, keys of a map.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
}

/// A place to which sampled calls return.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CallerShare {
    /// The function that was called.
    pub function: Mfa,
    /// Where it returns to; absent where the process was started with it.
    pub returns_to: Option<Mfa>,
    /// Calls in the sample.
    pub calls: u64,
    /// Share of the sampled calls of this function, 0 to 1.
    pub share: f64,
}

/// How long calls took, in microseconds, waiting included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Durations {
    /// How many calls stand behind it.
    pub calls: u64,
    /// The shortest.
    pub min_us: u64,
    /// Half of the calls took no longer; with at least 20 calls.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p50_us: Option<u64>,
    /// 90 of 100 took no longer; with at least 50 calls.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p90_us: Option<u64>,
    /// 99 of 100 took no longer; with at least 500 calls.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p99_us: Option<u64>,
    /// The longest.
    pub max_us: u64,
}

impl SampleKind {
    /// Whether the ends of calls are needed for it, not only their beginnings.
    pub fn has_ends(self) -> bool {
        matches!(self, Self::Returns | Self::Slow { .. })
    }
}

impl Durations {
    /// Those of some calls; absent for none.
    ///
    /// A percentile is told where at least five calls lie beyond it (ten for the median).
    pub fn of(mut durations_us: Vec<u64>) -> Option<Self> {
        durations_us.sort_unstable();
        let calls = durations_us.len();
        let rank = |percent: usize, least: usize| {
            let place = (calls * percent).div_ceil(100).saturating_sub(1);
            durations_us.get(place).copied().filter(|_| calls >= least)
        };
        Some(Self {
            calls: u64::try_from(calls).unwrap_or(u64::MAX),
            min_us: *durations_us.first()?,
            p50_us: rank(50, 20),
            p90_us: rank(90, 50),
            p99_us: rank(99, 500),
            max_us: *durations_us.last()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_told_where_enough_calls_stand_behind_them() {
        assert_eq!(Durations::of(vec![]), None);
        let few = Durations::of((1..=19).collect()).unwrap();
        assert_eq!((few.min_us, few.p50_us, few.max_us), (1, None, 19));
        let some = Durations::of((1..=100).rev().collect()).unwrap();
        assert_eq!((some.p50_us, some.p90_us, some.p99_us), (Some(50), Some(90), None));
        assert_eq!(Durations::of((1..=1000).collect()).unwrap().p99_us, Some(990));
    }
}
