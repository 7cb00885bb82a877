//! The nodes of the story, their loads, and giulia beside them; all of it ends with this.

use std::{
    collections::BTreeMap,
    fs,
    io::Write,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;
use tempfile::TempDir;

use super::{Options, Told};
use crate::evidence::named;

pub(super) const NEXUS: &str = "nexus@127.0.0.1";
pub(super) const KV: &str = "kv@127.0.0.1";

/// What a load said of itself in its last line, `name=value` each.
pub(super) type Figures = BTreeMap<String, f64>;

/// How long a load runs before it is looked at, and after.
const AROUND: Duration = Duration::from_secs(3);
/// What `giulia check` may take beside its window.
const SUSPECTS_MAX_S: u32 = 90;

pub(super) struct Lab<'a> {
    options: &'a Options,
    /// Cookie, store and what the scripts keep of their nodes.
    folder: TempDir,
    epmd_port: u16,
}

/// A load in the background, ended with its owner.
struct Load {
    child: Child,
    output: PathBuf,
}

#[expect(clippy::print_stderr, reason = "progress is talk")]
pub(super) fn say(text: &str) {
    eprintln!("story: {text}");
}

impl<'a> Lab<'a> {
    pub(super) fn new(options: &'a Options) -> Result<Self> {
        let folder = tempfile::tempdir().context("making a folder")?;
        let mut options_of = fs::OpenOptions::new();
        options_of.write(true).create_new(true).mode(0o600);
        let mut cookie = options_of.open(folder.path().join("cookie"))?;
        let bytes = fs::read("/proc/sys/kernel/random/uuid").context("making a cookie")?;
        let text = String::from_utf8_lossy(&bytes).trim().replace('-', "");
        cookie.write_all(text.as_bytes())?;
        // One that refuses a connection at this moment; the nodes have an EPMD of their own.
        let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
        let epmd_port = listener.local_addr()?.port();
        Ok(Self { options, folder, epmd_port })
    }

    pub(super) fn start_nexus(&self, registry: &str, logger: &str, level: &str) -> Result<()> {
        self.stop("scripts/nexus")?;
        say(&format!("nexus with registry {registry}, {logger} logger at {level}"));
        let flags = ["--registry", registry, "--logger", logger, "--log-level", level];
        self.start("scripts/nexus", &flags)
    }

    pub(super) fn start_kv(&self, registry: &str) -> Result<()> {
        self.stop("scripts/kv")?;
        say(&format!("kv with registry {registry}"));
        self.start("scripts/kv", &["--registry", registry])
    }

    fn start(&self, script: &str, flags: &[&str]) -> Result<()> {
        let otp = self.options.otp.to_string();
        let cookie = self.folder.path().join("cookie");
        let mut command = self.command(script);
        command.arg("start").args(flags).args(["--otp", &otp, "--cookie-file"]).arg(cookie);
        succeed(&mut command)
    }

    pub(super) fn stop(&self, script: &str) -> Result<()> {
        // Nothing runs the first time, which is not a failure.
        self.command(script).arg("stop").stderr(Stdio::null()).status()?;
        Ok(())
    }

    /// A session as long as this part of nexus's script runs; without one, idle.
    pub(super) fn observe(&self, name: &str, trace: &[&str], part: Option<&str>) -> Result<Told> {
        say(&format!("session {name}"));
        let output = self.folder.path().join(name);
        let mut command = self.giulia();
        command.args(["observe", NEXUS, "--name", name]);
        for it in trace {
            command.args(["--trace", it]);
        }
        match part {
            None => command.args(["--for", "21s"]),
            Some(part) => {
                let seconds = self.options.seconds;
                let flags =
                    if part == "load" { format!(" --for {seconds}") } else { String::new() };
                let shell = format!("scripts/nexus {part}{flags} >{}", output.display());
                command.args(["--", "sh", "-c", &shell])
            }
        };
        succeed(command.stdout(Stdio::null()))?;
        let mut report = self.giulia();
        let report = json(report.args(["report", name, "--top", "50", "--json"]))?;
        let mut check = self.giulia();
        let checked = json(check.args(["check", name, "--json"]))?;
        let load = if part == Some("load") { figures(&output)? } else { Figures::new() };
        Ok(Told { report, checked, load })
    }

    /// `giulia check` beside a load.
    pub(super) fn check(&self, node: &str, name: &str, trace: &[&str]) -> Result<(Value, Figures)> {
        say(&format!("check {name}"));
        let load = self.load(node, name)?;
        std::thread::sleep(AROUND);
        let window = format!("{}s", self.options.seconds);
        let mut command = self.giulia();
        command.args(["check", node, "--json", "--for", &window]);
        for it in trace {
            command.args(["--trace", it]);
        }
        let checked = json(&mut command);
        let figures = load.end()?;
        Ok((checked?, figures))
    }

    fn load(&self, node: &str, name: &str) -> Result<Load> {
        let output = self.folder.path().join(format!("{name}.load"));
        let seconds = self.options.seconds + SUSPECTS_MAX_S;
        let mut command = if node == NEXUS {
            let mut command = self.command("scripts/nexus");
            command.args(["load", "--for", &seconds.to_string()]);
            command
        } else {
            let mut command = self.command("scripts/kv");
            command.args(["load", &format!("seconds={seconds}")]);
            command
        };
        let file = fs::File::create(&output)?;
        Ok(Load { child: command.stdout(file).spawn().context("starting a load")?, output })
    }

    /// Both sessions side by side.
    pub(super) fn compare(&self, before: &Value, after: &Value) -> Result<Value> {
        let session = |it: &Value| {
            let name = it.pointer("/findings/session").and_then(Value::as_str);
            name.map(str::to_owned).context("a check names no session")
        };
        let mut command = self.giulia();
        json(command.args(["compare", &session(before)?, &session(after)?, "--json"]))
    }

    /// The sessions, beside the page that speaks of them.
    pub(super) fn keep_store(&self, out: &Path) -> Result<()> {
        let from = self.folder.path().join("giulia.db");
        fs::copy(&from, out.join("giulia.db")).context("keeping the sessions")?;
        Ok(())
    }

    fn giulia(&self) -> Command {
        let mut command = self.command(&self.options.giulia.display().to_string());
        command.env("GIULIA_STORE", self.folder.path().join("giulia.db"));
        command.env("GIULIA_COOKIE_FILE", self.folder.path().join("cookie"));
        command
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.env("XDG_RUNTIME_DIR", self.folder.path());
        command.env("ERL_EPMD_PORT", self.epmd_port.to_string());
        command
    }
}

impl Drop for Lab<'_> {
    fn drop(&mut self) {
        for script in ["scripts/nexus", "scripts/kv"] {
            if let Err(error) = self.stop(script) {
                say(&format!("stopping {script}: {error}"));
            }
        }
    }
}

impl Load {
    fn end(mut self) -> Result<Figures> {
        if !self.child.wait()?.success() {
            bail!("a load failed; see {}", self.output.display());
        }
        figures(&self.output)
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        // It has ended, or something before it failed.
        if matches!(self.child.try_wait(), Ok(None)) {
            self.child.kill().ok();
            self.child.wait().ok();
        }
    }
}

fn figures(path: &PathBuf) -> Result<Figures> {
    let text = fs::read_to_string(path)?;
    let figures = named(&text);
    ensure!(!figures.is_empty(), "a load said nothing: {text}");
    Ok(figures)
}

fn succeed(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("running {command:?}"))?;
    if !status.success() {
        bail!("{command:?} ended with {status}");
    }
    Ok(())
}

/// What a command prints; one that found something ends with 1, which is no failure.
fn json(command: &mut Command) -> Result<Value> {
    let output = command.stderr(Stdio::inherit()).output()?;
    if output.stdout.is_empty() {
        bail!("{command:?} ended with {} and printed nothing", output.status);
    }
    serde_json::from_slice(&output.stdout).with_context(|| format!("reading what {command:?} said"))
}
