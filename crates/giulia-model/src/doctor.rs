//! The walk through everything that attaching needs.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Gate;

/// What `giulia doctor` found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Doctor {
    /// `giulia.doctor/1`.
    pub schema: String,
    /// The node that was asked for.
    pub node: String,
    /// In the order in which attaching needs them; the walk stops at the first that fails.
    pub checks: Vec<Check>,
    /// What this ERTS switches off, when we got that far.
    pub gates: Vec<Gate>,
    /// Whether every check passed.
    pub healthy: bool,
}

/// One step of the walk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Check {
    /// `name`, `host`, `epmd`, `port`, `tls`, `handshake`, `flags`, `cookie`, `version`, `tracers`,
    /// `vm_bugs`, `leftovers`.
    pub name: String,
    /// How it went.
    pub status: CheckStatus,
    /// What was found.
    pub finding: String,
    /// The command or the change that fixes it, when something is wrong.
    pub fix: Option<String>,
}

/// How a check went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CheckStatus {
    /// In order.
    Pass,
    /// Works, with something to know.
    Warn,
    /// Attaching stops here.
    Fail,
    /// Not reached, or not asked for.
    Skipped,
}
