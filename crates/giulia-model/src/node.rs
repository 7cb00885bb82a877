//! What a node is: release, flags, applications, and what its VM's bugs switch off.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a node says of itself.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct NodeFacts {
    /// Its name.
    pub name: String,
    /// `27`, from `erlang:system_info(otp_release)`.
    pub otp_release: String,
    /// `15.2.7`, the version that VM bugs are gated by.
    pub erts_version: String,
    /// `1.18.3` where Elixir is loaded.
    pub elixir_version: Option<String>,
    /// `jit` or `emu`.
    pub emulator: String,
    /// `interactive` or `embedded`.
    pub code_mode: String,
    /// Since the node started, in milliseconds.
    pub uptime_ms: u64,
    /// Word size of the VM, in bytes.
    pub word_bytes: u32,
    /// `x86_64-pc-linux-gnu`.
    pub architecture: String,
    /// `Linux 6.1.0`.
    pub os: String,
    /// `-name` or `-sname`: `long` or `short`.
    pub name_mode: String,
    /// Modules loaded now; absent with `--no-eval`, where only the whole list could be fetched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub modules_loaded: Option<u64>,
    /// Command-line flags of the VM that change how it behaves (cookies left out).
    pub flags: Vec<String>,
    /// Running applications with their versions.
    pub applications: Vec<Application>,
    /// Nodes that it is connected to, hidden ones included, ourselves left out.
    pub connected_nodes: Vec<String>,
    /// Features that bugs of this ERTS switch off or limit.
    pub gates: Vec<Gate>,
}

/// A running OTP application.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Application {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
}

/// One feature and what a VM bug does to it on this ERTS.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Gate {
    /// What giulia would do.
    pub feature: String,
    /// Whether it may here.
    pub state: GateState,
    /// The bug, with OTP's ticket or issue, and the ERTS that fixed it.
    pub reason: String,
}

/// Whether a feature is used on this ERTS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum GateState {
    /// Used.
    On,
    /// Used in part; the reason says how.
    Limited,
    /// Not used.
    Off,
}
