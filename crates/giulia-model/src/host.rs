//! The operating system and the container around the node, read through the node's own files.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What the operating system says of the VM's process.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct HostFacts {
    /// Its process id.
    pub os_pid: u64,
    /// Memory that it really occupies, in bytes.
    pub rss_bytes: Option<u64>,
    /// The most that it ever occupied, in bytes.
    pub rss_peak_bytes: Option<u64>,
    /// Threads.
    pub threads: Option<u64>,
    /// Open descriptors.
    pub descriptors: Option<u64>,
    /// The soft limit on descriptors.
    pub descriptors_limit: Option<u64>,
    /// Memory of the machine, in bytes.
    pub machine_memory_bytes: Option<u64>,
    /// Memory of the machine that is available, in bytes.
    pub machine_available_bytes: Option<u64>,
    /// Load over one, five and fifteen minutes.
    pub load_average: Option<[f64; 3]>,
    /// The container's limits, where there is one.
    pub cgroup: Option<Cgroup>,
}

/// What a cgroup (version 1 or 2) allows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Cgroup {
    /// 1 or 2.
    pub version: u32,
    /// Memory limit, in bytes; absent when unlimited.
    pub memory_limit_bytes: Option<u64>,
    /// Memory in use, page cache included, in bytes.
    pub memory_used_bytes: Option<u64>,
    /// CPU quota in cores; absent when unlimited.
    pub cpu_quota_cores: Option<f64>,
    /// Periods in which it was throttled, since the group began.
    pub throttled_periods: Option<u64>,
    /// Time lost to throttling since the group began, in milliseconds.
    pub throttled_ms: Option<f64>,
    /// More schedulers online than the quota has cores: the VM will be throttled under load.
    pub schedulers_exceed_quota: bool,
}
