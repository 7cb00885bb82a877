//! What Linux says of a process: CPU time, memory now, memory at its highest.

use std::fs;

use anyhow::{Context, Result};

/// Linux counts CPU time in hundredths of a second towards user space (`USER_HZ`, proc(5)).
const TICK_MS: f64 = 10.0;

/// User and system time so far, in milliseconds.
pub(crate) fn cpu_ms(pid: u32) -> Result<f64> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let after = text.rsplit(") ").next().unwrap_or_default();
    let fields: Vec<&str> = after.split(' ').collect();
    let field = |idx: usize| -> Result<f64> {
        fields.get(idx).and_then(|it| it.parse().ok()).context("/proc/PID/stat is too short")
    };
    // Fields 14 and 15 of proc(5), counted from the state, which is field 3.
    Ok((field(11)? + field(12)?) * TICK_MS)
}

/// CPU time of a process so far, in milliseconds, as of this moment.
///
/// `schedstat` is a scheduler tick (up to 4 ms) behind for each thread that runs.
pub(crate) fn process_clock_ms(pid: u32) -> Result<f64> {
    let pid = nix::unistd::Pid::from_raw(i32::try_from(pid)?);
    let now = nix::time::ClockId::pid_cpu_clock_id(pid)?.now()?;
    Ok(std::time::Duration::from(now).as_secs_f64() * 1000.0)
}

/// A `Vm…` line of `/proc/PID/status`, in bytes.
pub(crate) fn memory_bytes(pid: u32, name: &str) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = text.lines().find(|it| it.split(':').next() == Some(name))?;
    let kib: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kib * 1024)
}

/// Makes the highest-memory mark start again from now.
pub(crate) fn reset_peak(pid: u32) -> Result<()> {
    // 5 resets VmHWM, proc(5).
    fs::write(format!("/proc/{pid}/clear_refs"), "5").context("resetting the VM's memory peak")
}

/// Puts a process before the machine's other work, where that is allowed; whether it was.
///
/// A node in a session of its own is in a scheduling group of its own, against which the niceness
/// of its threads says nothing, sched(7).
pub(crate) fn goes_first(pid: u32) -> bool {
    fs::write(format!("/proc/{pid}/autogroup"), "-15").is_ok()
}
