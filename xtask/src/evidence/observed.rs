//! Runs `giulia observe` against a node as a person would, and reads its report.

use std::{
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use anyhow::{Context, Result, bail};
use giulia_testkit::Node;
use serde_json::Value;

use super::Options;

/// A store that goes with us.
#[derive(Debug)]
pub(crate) struct Store {
    folder: tempfile::TempDir,
}

/// A session under way.
#[derive(Debug)]
pub(crate) struct Watching {
    child: Child,
    giulia: PathBuf,
    store: PathBuf,
    name: String,
}

impl Store {
    pub(crate) fn new() -> Result<Self> {
        Ok(Self { folder: tempfile::tempdir().context("making a folder for the store")? })
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().join("giulia.db")
    }
}

/// `giulia observe NODE --name NAME` with more arguments.
pub(crate) fn watch(
    options: &Options,
    node: &Node,
    store: &Store,
    name: &str,
    more: &[&str],
) -> Result<Watching> {
    let child = Command::new(&options.giulia)
        .args(["observe", node.name(), "--name", name, "--epmd-port"])
        .arg(node.epmd_port().to_string())
        .args(more)
        .env("GIULIA_COOKIE", node.cookie())
        .env("GIULIA_STORE", store.path())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .context("starting giulia")?;
    let (giulia, store) = (options.giulia.clone(), store.path());
    Ok(Watching { child, giulia, store, name: name.to_owned() })
}

impl Watching {
    /// Its process.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Ends it with `SIGKILL`.
    pub(crate) fn kill(&mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// Waits for its end, and reads the report.
    pub(crate) fn report(mut self) -> Result<Value> {
        let status = self.child.wait().context("waiting for giulia")?;
        if !status.success() {
            bail!("giulia observe ended with {status}");
        }
        report(&self.giulia, &self.store, &self.name)
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        // Only when a measurement failed midway.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// `giulia report NAME --json`.
pub(crate) fn report(giulia: &Path, store: &Path, name: &str) -> Result<Value> {
    let output = Command::new(giulia)
        .args(["report", name, "--json"])
        .env("GIULIA_STORE", store)
        .output()
        .context("starting giulia")?;
    if !output.status.success() {
        bail!("giulia report failed: {}", String::from_utf8_lossy(&output.stderr));
    }
    serde_json::from_slice(&output.stdout).context("reading the report")
}

/// Whether the store has any session.
pub(crate) fn sessions(giulia: &Path, store: &Path) -> Result<bool> {
    let output = Command::new(giulia)
        .args(["sessions", "--json"])
        .env("GIULIA_STORE", store)
        .output()
        .context("starting giulia")?;
    if !output.status.success() {
        bail!("giulia sessions failed: {}", String::from_utf8_lossy(&output.stderr));
    }
    let answer: Value = serde_json::from_slice(&output.stdout).context("reading the sessions")?;
    let sessions = answer.pointer("/sessions").and_then(Value::as_array);
    Ok(!sessions.context("no list of sessions")?.is_empty())
}
