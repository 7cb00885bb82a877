//! ETS tables with what decides how they behave.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Pid;

/// One table, now.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct EtsTable {
    /// Its name (many unnamed tables share one).
    pub name: String,
    /// Whether it can be reached by name.
    pub named: bool,
    /// `set`, `ordered_set`, `bag`, `duplicate_bag`.
    pub kind: String,
    /// `public`, `protected`, `private`.
    pub protection: String,
    /// Objects.
    pub size: u64,
    /// Memory, binaries outside it left out, in bytes.
    pub memory_bytes: u64,
    /// The owner.
    pub owner: Pid,
    /// The owner's name, where it has one.
    pub owner_name: Option<String>,
    /// `read_concurrency`, where the OTP tells.
    pub read_concurrency: Option<bool>,
    /// `write_concurrency`: `true`, `false` or `auto`, where the OTP tells.
    pub write_concurrency: Option<String>,
    /// `decentralized_counters`, where the OTP tells.
    pub decentralized_counters: Option<bool>,
    /// `compressed`.
    pub compressed: bool,
}

/// The biggest tables.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct EtsTables {
    /// How many exist.
    pub total: u64,
    /// Their memory together, in bytes.
    pub memory_bytes: u64,
    /// Most memory first.
    pub top_by_memory: Vec<EtsTable>,
}
