//! The kv target of `targets/kv`, started, loaded and stopped by its own script.

use std::{
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use anyhow::{Context, Result, bail, ensure};

/// A node of its own, with an EPMD of its own.
pub(super) struct Kv {
    runtime: tempfile::TempDir,
    epmd_port: u16,
    otp: String,
}

/// What the load is told: operations a second.
pub(super) const RATE: u32 = 20_000;

impl Kv {
    pub(super) fn start(release: u32) -> Result<Self> {
        let epmd_port = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let runtime = tempfile::tempdir()?;
        let kv = Self { runtime, epmd_port, otp: release.to_string() };
        let output = kv.script(&["start", "--otp", &kv.otp]).output()?;
        if !output.status.success() {
            bail!("scripts/kv start failed: {}", String::from_utf8_lossy(&output.stderr));
        }
        Ok(kv)
    }

    fn script(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("scripts/kv");
        command
            .args(arguments)
            .env("XDG_RUNTIME_DIR", self.runtime.path())
            .env("ERL_EPMD_PORT", self.epmd_port.to_string())
            .stdin(Stdio::null());
        command
    }

    /// A line of `scripts/kv status`.
    fn status(&self, name: &str) -> Result<String> {
        let output = self.script(&["status"]).output()?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let line = text.lines().find_map(|it| it.strip_prefix(name)?.strip_prefix(' '));
        line.map(str::to_owned).with_context(|| format!("scripts/kv status has no {name}: {text}"))
    }

    /// Its process.
    pub(super) fn pid(&self) -> Result<u32> {
        Ok(self.status("process")?.parse()?)
    }

    /// Where its EPMD listens.
    pub(super) fn epmd_port(&self) -> u16 {
        self.epmd_port
    }

    /// Its cookie.
    pub(super) fn cookie(&self) -> Result<String> {
        let path = self.status("cookie-file")?;
        let text = std::fs::read_to_string(&path).with_context(|| format!("reading {path}"))?;
        Ok(text.trim().to_owned())
    }

    /// Starts the load for so long.
    pub(super) fn load(&self, seconds: u64) -> Result<Load> {
        let words = [format!("seconds={seconds}"), format!("rate={RATE}")];
        let mut command = self.script(&["load", "concurrency=50", &words[0], &words[1]]);
        command.stdout(Stdio::piped()).stderr(Stdio::null());
        Ok(Load(command.spawn().context("starting the load")?))
    }

    /// A session of one tick a second.
    pub(super) fn observe(&self, giulia: &Path, store: &Path, name: &str) -> Result<Session> {
        let cookie = PathBuf::from(self.status("cookie-file")?);
        let child = Command::new(giulia)
            .args(["observe", "kv@127.0.0.1", "--every", "1s", "--name", name, "--cookie-file"])
            .arg(cookie)
            .env("ERL_EPMD_PORT", self.epmd_port.to_string())
            .env("GIULIA_STORE", store)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        Ok(Session(child.context("starting giulia")?))
    }
}

impl Drop for Kv {
    fn drop(&mut self) {
        // Whatever it says, there is nobody left to hear it.
        self.script(&["stop"]).output().ok();
    }
}

/// A load under way.
pub(super) struct Load(Child);

impl Load {
    /// Waits for its end; its last line, which says whether the node kept up.
    pub(super) fn result(self) -> Result<String> {
        let said = self.0.wait_with_output()?;
        let said = String::from_utf8_lossy(&said.stdout).into_owned();
        let last = said.lines().last().unwrap_or_default().to_owned();
        ensure!(last.contains("not_begun="), "the load failed: {said}");
        Ok(last)
    }
}

/// A session under way.
pub(super) struct Session(Child);

impl Session {
    /// Its process.
    pub(super) fn pid(&self) -> u32 {
        self.0.id()
    }

    /// As Ctrl-C does: it ends in order.
    pub(super) fn interrupt(&mut self) -> Result<()> {
        ensure!(self.0.try_wait()?.is_none(), "giulia observe ended early");
        Command::new("kill").args(["-INT", &self.pid().to_string()]).status()?;
        Ok(())
    }

    /// Waits for its end.
    pub(super) fn wait(mut self) -> Result<()> {
        self.0.wait()?;
        Ok(())
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // Only when a measurement failed midway.
        self.0.kill().ok();
        self.0.wait().ok();
    }
}
