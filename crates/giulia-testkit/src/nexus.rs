//! The gateway of `targets/nexus` with its `PostgreSQL`, started and stopped by its own script.

use std::{
    collections::BTreeMap,
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use tempfile::TempDir;

use crate::{
    fail::{OrFail, fail},
    otp::Otp,
};

/// The node, its `PostgreSQL` and its EPMD on ports of their own; dropping it stops all three.
#[derive(Debug)]
pub struct Nexus {
    runtime: TempDir,
    /// Of EPMD, the REST interface and `PostgreSQL`.
    ports: [u16; 3],
}

/// What a command of the script said.
#[derive(Debug)]
pub struct Said {
    /// Its exit code.
    pub code: Option<i32>,
    /// Its data.
    pub data: String,
    /// Its talk.
    pub talk: String,
}

impl Nexus {
    /// The variants of its registry.
    pub const REGISTRIES: [&'static str; 4] = ["db", "genserver", "ets", "persistent_term"];

    /// The name of the node.
    pub const NODE: &'static str = "nexus@127.0.0.1";

    /// Starts it with more arguments of `scripts/nexus start`; fails the test with what was said.
    #[track_caller]
    pub fn start(otp: &Otp, registry: &str, more: &[&str]) -> Self {
        let nexus = Self::beside(Self::free_ports());
        let release = otp.release.to_string();
        let args = [&["start", "--otp", &release, "--registry", registry], more].concat();
        let said = nexus.script(&args);
        if said.code != Some(0) {
            fail(format_args!("scripts/nexus start failed: {}", said.talk));
        }
        nexus
    }

    /// One that is not started, on these ports.
    pub fn beside(ports: [u16; 3]) -> Self {
        Self { runtime: tempfile::tempdir().or_fail("a folder for nexus"), ports }
    }

    /// Those of EPMD, the REST interface and `PostgreSQL`.
    pub fn ports(&self) -> [u16; 3] {
        self.ports
    }

    /// Where its state is while it runs.
    pub fn state(&self) -> PathBuf {
        self.runtime.path().join("giulia-nexus").join(Self::NODE)
    }

    /// The file with its cookie.
    pub fn cookie_file(&self) -> PathBuf {
        self.state().join("home/.erlang.cookie")
    }

    /// The address of its `PostgreSQL`, with the password.
    #[track_caller]
    pub fn postgres_url(&self) -> String {
        let path = self.state().join("postgres-url");
        std::fs::read_to_string(path).or_fail("the address of its PostgreSQL").trim().to_owned()
    }

    /// A command of `scripts/nexus` for this one.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(Self::script_path());
        let [epmd, http, postgres] = self.ports.map(|it| it.to_string());
        command.args(args).stdin(Stdio::null()).env("XDG_RUNTIME_DIR", self.runtime.path());
        command.env("ERL_EPMD_PORT", epmd).env("NEXUS_PORT", http).env("NEXUS_PG_PORT", postgres);
        command
    }

    /// The same as words of a command line, for whoever runs it with another environment.
    pub fn words(&self, args: &[&str]) -> Vec<String> {
        let script = Self::script_path().display().to_string();
        let runtime = format!("XDG_RUNTIME_DIR={}", self.runtime.path().display());
        let words = ["env".to_owned(), runtime, script].into_iter();
        words.chain(args.iter().map(|it| (*it).to_owned())).collect()
    }

    /// Runs it to its end.
    pub fn script(&self, args: &[&str]) -> Said {
        let output = self.command(args).output().or_fail("running scripts/nexus");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Said { code: output.status.code(), data: text(&output.stdout), talk: text(&output.stderr) }
    }

    /// A load that goes on until [`Nexus::end`], with so many workers.
    pub fn load(&self, workers: u32) -> Child {
        let workers = workers.to_string();
        let mut command = self.command(&["load", "--for", "600", "--workers", &workers]);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        command.spawn().or_fail("starting the load")
    }

    /// Ends it.
    pub fn end(mut load: Child) {
        let pid = load.id().to_string();
        Command::new("kill").args(["-TERM", &pid]).status().or_fail("running kill");
        load.wait().or_fail("waiting for the load");
    }

    /// What a load of so many requests calls, by function, from the truth file.
    #[track_caller]
    pub fn truth(&self, requests: u32) -> BTreeMap<String, u64> {
        calls(&self.script(&["truth", "--requests", &requests.to_string()]))
    }

    /// What was called since the load began, in a build that counts; never-called ones left out.
    #[track_caller]
    pub fn counters(&self) -> BTreeMap<String, u64> {
        let mut counted = calls(&self.script(&["counters"]));
        counted.retain(|_, calls| *calls > 0);
        counted
    }
}

impl Drop for Nexus {
    fn drop(&mut self) {
        // Whatever it says, there is nobody left to hear it.
        drop(self.script(&["stop"]));
    }
}

impl Nexus {
    fn script_path() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scripts/nexus")
    }

    fn free_ports() -> [u16; 3] {
        // All three are taken before the first is given back, so that they differ.
        let taken = [(); 3].map(|()| TcpListener::bind("127.0.0.1:0").or_fail("a free port"));
        taken.map(|it| it.local_addr().or_fail("its number").port())
    }
}

/// Lines of `Module.function/arity calls`.
#[track_caller]
fn calls(said: &Said) -> BTreeMap<String, u64> {
    let lines = said.data.lines().map(|line| {
        let (function, calls) = line.rsplit_once(' ').or_fail("a line of calls");
        (function.to_owned(), calls.parse().or_fail("a number of calls"))
    });
    let calls: BTreeMap<String, u64> = lines.collect();
    if calls.is_empty() {
        fail(format_args!("no calls: {}", said.talk));
    }
    calls
}
