//! Runs the program against a node as a person would: name and cookie, nothing else.

use std::{
    path::Path,
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use giulia_testkit::Node;
use serde_json::Value;

use super::os;

/// What one run of the program took.
#[derive(Debug)]
pub(crate) struct Run {
    /// From the start of the process to its end, in milliseconds.
    pub(crate) elapsed_ms: f64,
    /// Its highest memory, in bytes.
    pub(crate) peak_bytes: u64,
    /// What it printed.
    pub(crate) answer: Value,
}

/// `giulia snapshot NODE --json` with more arguments.
pub(crate) fn snapshot(giulia: &Path, node: &Node, more: &[&str]) -> Result<Run> {
    let started = Instant::now();
    let child = Command::new(giulia)
        .args(["snapshot", node.name(), "--json", "--epmd-port"])
        .arg(node.epmd_port().to_string())
        .args(more)
        .env("GIULIA_COOKIE", node.cookie())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .context("starting giulia")?;
    let pid = child.id();
    let watcher = thread::spawn(move || {
        let mut peak = 0;
        // The mark only rises, so the last reading before the end is the highest but for 1 ms.
        while let Some(bytes) = os::memory_bytes(pid, "VmHWM") {
            peak = bytes.max(peak);
            thread::sleep(Duration::from_millis(1));
        }
        peak
    });
    let output = child.wait_with_output().context("waiting for giulia")?;
    let elapsed_ms = started.elapsed().as_secs_f64() * 1000.0;
    let peak_bytes = watcher.join().unwrap_or(0);
    if !output.status.success() {
        bail!("giulia failed: {}", String::from_utf8_lossy(&output.stderr));
    }
    let answer = serde_json::from_slice(&output.stdout).context("reading giulia's answer")?;
    Ok(Run { elapsed_ms, peak_bytes, answer })
}

/// A figure of the impact part of a snapshot.
pub(crate) fn impact(answer: &Value, name: &str) -> f64 {
    answer.pointer(&format!("/impact/{name}")).and_then(Value::as_f64).unwrap_or(f64::NAN)
}
