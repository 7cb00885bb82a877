//! Bugs of the VM that asking could trigger, and what each switches off on which ERTS.
//!
//! One table, from the notes of OTP 23 to 29. A range is `from` included to `until` excluded;
//! several branches of a bug are several ranges.

use giulia_model::{Gate, GateState};

use crate::ErtsVersion;

/// What the process probe may ask on an ERTS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Caution {
    /// Everything.
    None,
    /// Reductions of everyone; the rest only of few, that wait and keep their mail on the heap.
    Signals,
    /// Nothing: asking can hang for ever.
    Processes,
}

struct Row {
    feature: &'static str,
    state: GateState,
    ranges: &'static [(&'static [u32], &'static [u32])],
    reason: &'static str,
}

/// Where a signal or a mailbox length can wedge or crash (the first two rows below).
const SIGNALS: &[(&[u32], &[u32])] = &[(&[13], &[13, 2, 2, 7]), (&[14], &[14, 2, 3])];

/// Where a signal to a running process can crash: OTP-19043 was fixed one patch after the others.
const RUNNING: &[(&[u32], &[u32])] = &[(&[13], &[13, 2, 2, 8]), (&[14], &[14, 2, 4])];

/// Where `process_info` of some process never returns.
const HANGS: &[(&[u32], &[u32])] = &[(&[12], &[12, 0, 4])];

/// Stack sampling, and spans.
pub(crate) const FLAMES: &str = "flame graphs and spans";

/// What the keeper's sink receives.
pub(crate) const SYSTEM_EVENTS: &str = "system events";

/// Flags that make the VM tell of single processes.
pub(crate) const TRACE_FLAGS: &str = "trace flags on processes";

pub(crate) const CALL_TIME: &str = "call_time";
pub(crate) const CALL_MEMORY: &str = "call_memory";
pub(crate) const UNPAUSED: &str = "reading call_time without pausing it";
pub(crate) const RUNNING_FLAG: &str = "running flag in spans";
pub(crate) const ALL_PROCESSES: &str = "tracing all processes at once";
pub(crate) const SESSIONS: &str = "isolated trace sessions";
pub(crate) const SESSION_BIFS: &str = "isolated trace sessions on built-in functions";
pub(crate) const SESSION_SPECS: &str = "match specifications and return_to in trace sessions";

const ROWS: &[Row] = &[
    Row {
        feature: "mailbox lengths of all processes",
        state: GateState::Limited,
        ranges: SIGNALS,
        reason: "only of listed and sampled processes that wait and keep their mail on the heap: \
                 asking an off_heap process can wedge it (GH-7801, OTP-18838, OTP-19008; \
                 fixed in ERTS 13.2.2.7 and 14.2.3)",
    },
    Row {
        feature: "memory, names and stacks of processes",
        state: GateState::Limited,
        ranges: SIGNALS,
        reason: "only of those of the listed that wait: a signal to a process just selected for a dirty \
                 scheduler can hang it or crash the VM (OTP-18839, OTP-18957; fixed in ERTS \
                 13.2.2.6 and 14.2.2)",
    },
    Row {
        feature: FLAMES,
        state: GateState::Off,
        ranges: RUNNING,
        reason: "both signal running processes (OTP-18839, OTP-18957, OTP-19043; fixed in ERTS \
                 13.2.2.8 and 14.2.4)",
    },
    Row {
        feature: TRACE_FLAGS,
        state: GateState::Off,
        ranges: RUNNING,
        reason: "no call_time, messages or receivers of single processes: a traced process that gets an exit signal on \
                 a dirty scheduler crashes the VM (OTP-19043; fixed in ERTS 13.2.2.8 and 14.2.4)",
    },
    Row {
        feature: "processes",
        state: GateState::Off,
        ranges: HANGS,
        reason: "process_info can hang for ever (fixed in ERTS 12.0.4)",
    },
    Row {
        feature: "status of processes",
        state: GateState::Limited,
        ranges: &[(&[0], &[11, 2, 2, 18]), (&[12], &[12, 3, 2, 9]), (&[13], &[13, 1, 5])],
        reason: "may be told wrongly (fixed in ERTS 11.2.2.18, 12.3.2.9 and 13.1.5)",
    },
    Row {
        feature: "heap limit of our own questions",
        state: GateState::Limited,
        ranges: &[(&[0], &[11, 2, 2, 18])],
        reason: "a process killed by max_heap_size can stay as a zombie (OTP-18463; fixed in ERTS \
                 11.2.2.18): the limit stands, far above what a question needs",
    },
    Row {
        feature: RUNNING_FLAG,
        state: GateState::Off,
        ranges: &[(&[0], &[11, 2, 2, 11]), (&[12], &[12, 3])],
        reason: "together with process_info it leaks memory (PR-5673; fixed in ERTS 11.2.2.11 and 12.3)",
    },
    Row {
        feature: ALL_PROCESSES,
        state: GateState::Off,
        ranges: &[(&[0], &[12, 3, 2, 17]), (&[13], &[13, 2, 2, 8]), (&[14], &[14, 2, 4])],
        reason: "crashes the VM when a dirty scheduler traces at that moment (PR-8286; fixed in \
                 ERTS 12.3.2.17, 13.2.2.8 and 14.2.4)",
    },
    Row {
        feature: "restarting call counters",
        state: GateState::Off,
        ranges: &[(&[0], &[13, 2, 2, 11]), (&[14], &[14, 2, 5, 4]), (&[15], &[15, 1, 2])],
        reason: "crashes the VM while the function is called (fixed in ERTS 13.2.2.11, 14.2.5.4 \
                 and 15.1.2)",
    },
    Row {
        feature: CALL_TIME,
        state: GateState::Off,
        ranges: &[(&[0], &[11, 1, 3])],
        reason: "crashes the VM on an exception (PR-4660; fixed in ERTS 11.1.3)",
    },
    Row {
        feature: UNPAUSED,
        state: GateState::Off,
        ranges: &[(&[0], &[17])],
        reason: "each read blocks all schedulers (PR-10207; fixed in ERTS 17.0)",
    },
    Row {
        feature: CALL_MEMORY,
        state: GateState::Off,
        ranges: &[(&[0], &[15]), (&[15, 1], &[15, 2, 6])],
        reason: "absent before OTP 26; in OTP 26, without sessions, it crashes the VM when somebody \
                 else measures times; wildly wrong in ERTS 15.1 to 15.2.5 (fixed in 15.2.6)",
    },
    Row {
        feature: SESSIONS,
        state: GateState::Off,
        ranges: &[(&[0], &[15])],
        reason: "absent before OTP 27: settings are global and removed one by one",
    },
    Row {
        feature: SYSTEM_EVENTS,
        state: GateState::Off,
        ranges: &[(&[0], &[16])],
        reason: "absent before OTP 28: there is one system monitor for the whole node, which is not ours to take",
    },
    Row {
        feature: SESSION_BIFS,
        state: GateState::Limited,
        ranges: &[(&[15], &[16, 2])],
        reason: "two sessions on one built-in function: disabling one disables both (fixed in ERTS 16.2)",
    },
    Row {
        feature: SESSION_SPECS,
        state: GateState::Off,
        ranges: &[(&[15], &[15, 1])],
        reason: "the wrong tracer or session is used (fixed in ERTS 15.0.1 and 15.1)",
    },
];

/// What bugs switch off or limit on an ERTS; empty where nothing does.
pub fn gates(erts: &ErtsVersion) -> Vec<Gate> {
    ROWS.iter()
        .filter(|row| within(erts, row.ranges))
        .map(|row| Gate {
            feature: row.feature.to_owned(),
            state: row.state,
            reason: row.reason.to_owned(),
        })
        .collect()
}

/// Why a feature is off, where it is.
pub(crate) fn off(erts: &ErtsVersion, feature: &str) -> Option<&'static str> {
    let rows = ROWS.iter().filter(|row| row.feature == feature && row.state == GateState::Off);
    rows.filter(|row| within(erts, row.ranges)).map(|row| row.reason).next()
}

/// Whether a feature is off or limited.
pub(crate) fn limited(erts: &ErtsVersion, feature: &str) -> bool {
    ROWS.iter().any(|row| row.feature == feature && within(erts, row.ranges))
}

/// What the process probe may ask.
pub(crate) fn caution(erts: &ErtsVersion) -> Caution {
    if within(erts, HANGS) {
        Caution::Processes
    } else if within(erts, SIGNALS) {
        Caution::Signals
    } else {
        Caution::None
    }
}

fn within(erts: &ErtsVersion, ranges: &[(&[u32], &[u32])]) -> bool {
    ranges.iter().any(|(from, until)| erts.within(from, until))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn features(erts: &str) -> Vec<String> {
        gates(&erts.parse().unwrap()).into_iter().map(|it| it.feature).collect()
    }

    #[test]
    fn the_matrix_is_told_apart() {
        let caution = |text: &str| caution(&text.parse().unwrap());
        for (erts, expected) in [
            ("11.1.8", Caution::None),
            ("12.0.3", Caution::Processes),
            ("12.0.4", Caution::None),
            ("13.1.5", Caution::Signals),
            ("13.2.2.6", Caution::Signals),
            ("13.2.2.7", Caution::None),
            ("14.2.2", Caution::Signals),
            ("14.2.3", Caution::None),
            ("15.2.7", Caution::None),
            ("17.1", Caution::None),
        ] {
            assert_eq!(caution(erts), expected, "{erts}");
        }
    }

    #[test]
    fn spans_wait_one_patch_longer_than_mailboxes() {
        let (spans, mail) = ("flame graphs and spans", "mailbox lengths of all processes");
        for (erts, off, limited) in [
            ("13.2.2.6", true, true),
            ("13.2.2.7", true, false),
            ("13.2.2.8", false, false),
            ("14.2.3", true, false),
            ("14.2.4", false, false),
        ] {
            let features = features(erts);
            assert_eq!(features.iter().any(|it| it == spans), off, "{erts}");
            assert_eq!(features.iter().any(|it| it == mail), limited, "{erts}");
        }
    }

    #[test]
    fn a_fixed_branch_is_free_of_the_bug_and_a_later_broken_one_is_not() {
        let restart = "restarting call counters".to_owned();
        assert!(features("13.2.2.10").contains(&restart));
        assert!(!features("13.2.2.11").contains(&restart));
        assert!(features("14.0").contains(&restart));
        assert!(features("15.1.1").contains(&restart));
        assert!(!features("15.1.2").contains(&restart));
        assert_eq!(features("17.1"), Vec::<String>::new());
    }
}
