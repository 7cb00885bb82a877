//! A cgroup with limits, versions 1 and 2, and a node in it: what a container does to a VM.

use std::{
    fs, io,
    path::PathBuf,
    sync::atomic::{AtomicU32, Ordering},
    thread,
    time::Duration,
};

use crate::{fail::OrFail, node::Node};

const ROOT: &str = "/sys/fs/cgroup";

/// What the kernel's own default is, and what container runtimes use.
const PERIOD_US: u32 = 100_000;

/// A killed node leaves its group a moment after it is gone: two seconds at most.
const LEAVING_STEPS: u32 = 100;
const LEAVING_STEP: Duration = Duration::from_millis(20);

/// What a group allows; without a limit of a kind the machine is the limit.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Limits {
    /// Memory in bytes; what a node had before it entered does not count.
    pub memory_bytes: Option<u64>,
    /// CPU time in cores.
    pub cpu_cores: Option<f64>,
}

/// A group with limits and an unlimited one in it, where nodes go; removed on drop.
#[derive(Debug)]
pub struct Group {
    /// One a controller in version 1, one in all in version 2.
    outer: Vec<PathBuf>,
}

impl Group {
    /// Makes one.
    ///
    /// # Errors
    ///
    /// Why this machine lets nobody make one: no root, no cgroups, or controllers that are not
    /// handed on.
    pub fn make(limits: Limits) -> io::Result<Self> {
        static MADE: AtomicU32 = AtomicU32::new(0);
        let nth = MADE.fetch_add(1, Ordering::Relaxed);
        let name = format!("giulia-kit-{}-{nth}", std::process::id());
        if fs::exists(format!("{ROOT}/cgroup.controllers"))? {
            Self::second(&name, limits)
        } else {
            Self::first(&name, limits)
        }
    }

    fn first(name: &str, limits: Limits) -> io::Result<Self> {
        let [memory, cpu] =
            ["memory", "cpu"].map(|it| PathBuf::from(format!("{ROOT}/{it}/{name}")));
        let group = Self { outer: vec![memory.clone(), cpu.clone()] };
        for outer in &group.outer {
            fs::create_dir(outer)?;
        }
        if let Some(bytes) = limits.memory_bytes {
            fs::write(memory.join("memory.limit_in_bytes"), bytes.to_string())?;
        }
        if let Some(cores) = limits.cpu_cores {
            fs::write(cpu.join("cpu.cfs_period_us"), PERIOD_US.to_string())?;
            fs::write(cpu.join("cpu.cfs_quota_us"), quota_us(cores))?;
        }
        group.with_inner()
    }

    fn second(name: &str, limits: Limits) -> io::Result<Self> {
        let outer = PathBuf::from(format!("{ROOT}/{name}"));
        let group = Self { outer: vec![outer.clone()] };
        fs::create_dir(&outer)?;
        fs::write(format!("{ROOT}/cgroup.subtree_control"), "+memory +cpu")?;
        if let Some(bytes) = limits.memory_bytes {
            fs::write(outer.join("memory.max"), bytes.to_string())?;
        }
        if let Some(cores) = limits.cpu_cores {
            fs::write(outer.join("cpu.max"), format!("{} {PERIOD_US}", quota_us(cores)))?;
        }
        fs::write(outer.join("cgroup.subtree_control"), "+memory +cpu")?;
        group.with_inner()
    }

    fn with_inner(self) -> io::Result<Self> {
        for outer in &self.outer {
            fs::create_dir(outer.join("inner"))?;
        }
        Ok(self)
    }

    /// Puts a running node into it.
    #[track_caller]
    pub fn enter(&self, node: &Node) {
        for outer in &self.outer {
            let members = outer.join("inner/cgroup.procs");
            fs::write(members, node.os_pid().to_string()).or_fail("putting a node into a cgroup");
        }
    }
}

fn quota_us(cores: f64) -> String {
    format!("{:.0}", cores * f64::from(PERIOD_US))
}

impl Drop for Group {
    fn drop(&mut self) {
        for outer in &self.outer {
            let is_gone = |it: &PathBuf| fs::remove_dir(it).is_ok() || !it.exists();
            for _ in 0..LEAVING_STEPS {
                if is_gone(&outer.join("inner")) && is_gone(outer) {
                    break;
                }
                thread::sleep(LEAVING_STEP);
            }
        }
    }
}
