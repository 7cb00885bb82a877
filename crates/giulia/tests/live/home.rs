//! What the tests of sessions share: a home for each, and how to run giulia from there.

use std::{
    path::Path,
    process::{Child, Command, Output, Stdio},
    thread,
    time::{Duration, Instant},
};

use giulia_testkit::{Node, Residue};
use serde_json::Value;
use tempfile::TempDir;

/// What a first visit makes a node remember; see `leaves_nothing.rs`.
const REMEMBERED: &[&str] = &["atoms", "modules", "nodes_known"];

/// A place of its own for what a person has at home: the store, and who runs.
pub(crate) struct Home(TempDir);

impl Home {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// Its folder.
    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn command(&self, program: &str, args: &[&str]) -> Command {
        let mut command = Command::new(program);
        command.args(args);
        self.at_home(command)
    }

    /// Nothing of this machine's surroundings.
    fn at_home(&self, mut command: Command) -> Command {
        command.env_clear().env("HOME", self.0.path()).env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
        command.env("XDG_RUNTIME_DIR", self.0.path()).env("TMPDIR", self.0.path());
        command
    }

    pub(crate) fn giulia(&self, args: &[&str]) -> Command {
        self.command(env!("CARGO_BIN_EXE_giulia"), args)
    }

    /// With what it takes to reach this node.
    pub(crate) fn to(&self, node: &Node, args: &[&str]) -> Command {
        with_access(self.giulia(args), node)
    }

    /// The same through a command that runs giulia somewhere else.
    pub(crate) fn to_by(&self, mut by: Command, node: &Node, args: &[&str]) -> Command {
        by.args(args);
        with_access(self.at_home(by), node)
    }

    pub(crate) fn out(&self, args: &[&str]) -> String {
        told(&self.giulia(args).output().unwrap(), 0).0
    }

    pub(crate) fn report(&self, session: &str) -> Value {
        serde_json::from_str(&self.out(&["report", session, "--json"])).unwrap()
    }

    /// Waits until the newest session has so many ticks.
    pub(crate) fn wait_for_ticks(&self, ticks: u64) {
        wait("ticks", || {
            let list: Value = serde_json::from_str(&self.out(&["sessions", "--json"])).unwrap();
            list["sessions"][0]["ticks"].as_u64().is_some_and(|it| it >= ticks)
        });
    }
}

pub(crate) fn with_access(mut command: Command, node: &Node) -> Command {
    command.env("GIULIA_COOKIE", node.cookie());
    command.env("ERL_EPMD_PORT", node.epmd_port().to_string());
    // The machine is shared with other tests: what is measured here is not speed.
    command.env("GIULIA_TIMEOUT", "30s");
    command
}

#[track_caller]
pub(crate) fn wait(what: &str, mut is_there: impl FnMut() -> bool) {
    let started = Instant::now();
    while !is_there() {
        assert!(started.elapsed() < Duration::from_secs(40), "waited too long for {what}");
        thread::sleep(Duration::from_millis(50));
    }
}

/// What it printed, when it ended with this code.
#[track_caller]
pub(crate) fn told(output: &Output, code: i32) -> (String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let (data, talk) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(code), "{data}\n{talk}");
    (data, talk)
}

pub(crate) fn spawned(mut command: Command) -> Child {
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

pub(crate) fn signal(child: &Child, name: &str) {
    let kill = Command::new("kill").args([name, &child.id().to_string()]).status();
    assert!(kill.unwrap().success());
}

pub(crate) fn marks(report: &Value) -> Vec<&str> {
    let marks = report["marks"].as_array().unwrap();
    let kinds = marks.iter().filter_map(|it| it["kind"].as_str());
    // Of two nodes on one machine, one at times keeps the other from running.
    kinds.filter(|it| !matches!(*it, "armed" | "alarm")).collect()
}

/// Whether the node is as it was before, once it had the time to see that we are gone.
#[track_caller]
pub(crate) fn is_clean_after(node: &Node, before: &Residue) {
    wait("a clean node", || before.diff(&node.residue()).without(REMEMBERED).is_empty());
}
