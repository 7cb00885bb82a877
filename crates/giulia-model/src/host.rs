//! The operating system and the container around the node, read through the node's own files.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What the operating system says of the VM's process.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
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

/// What the cgroup (version 1 or 2) around a VM and its parents allow: the least of them counts.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Cgroup {
    /// 1 or 2.
    pub version: u32,
    /// Memory limit, in bytes; absent when unlimited, or not readable.
    pub memory_limit_bytes: Option<u64>,
    /// Memory in use in the group that has this limit, page cache included, in bytes.
    pub memory_used_bytes: Option<u64>,
    /// What is left below the limits, page cache that is given back not counted as used, in bytes;
    /// absent when unlimited, or not readable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_available_bytes: Option<u64>,
    /// Why a memory limit that may be there could not be read; the least of the others is told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_limit_unreadable: Option<String>,
    /// CPU quota in cores; absent when unlimited, or not readable.
    pub cpu_quota_cores: Option<f64>,
    /// Why a quota that may be there could not be read; the least of the others is told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu_quota_unreadable: Option<String>,
    /// Periods in which the group that has this quota was throttled, since it began.
    pub throttled_periods: Option<u64>,
    /// Time that it lost to throttling since it began, in milliseconds.
    pub throttled_ms: Option<f64>,
    /// More schedulers online than the quota has cores: the VM will be throttled under load.
    pub schedulers_exceed_quota: bool,
}
