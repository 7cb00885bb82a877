//! A real node of one OTP, for as long as its test runs.

use std::{
    fmt::Debug,
    fs,
    net::Ipv4Addr,
    path::Path,
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::{Duration, Instant},
};

use tempfile::TempDir;

use crate::{
    certs::{self, TlsFiles, TlsSetup},
    channel::{Channel, Waiting},
    epmd::Epmd,
    fail::{OrFail, fail},
    otp::{Bind, Otp},
    prepare,
    residue::Residue,
};

/// Which kind of node name, and with it which host part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Names {
    /// `-name x@127.0.0.1`.
    Long,
    /// `-sname x@localhost`.
    Short,
    /// `-name x@::1` over `inet6_tcp`.
    LongIpv6,
}

/// What the node shall be; [`Builder::start`] makes it so.
#[derive(Debug, Clone)]
pub struct Builder {
    otp: Otp,
    names: Names,
    alive: String,
    cookie: String,
    is_embedded: bool,
    has_elixir: bool,
    tls: Option<TlsSetup>,
    args: Vec<String>,
    env: Vec<(String, String)>,
    eval: Vec<String>,
    epmd: Option<Arc<Epmd>>,
    listen_on: Option<Ipv4Addr>,
}

/// A running node; dropping it kills it.
#[derive(Debug)]
pub struct Node {
    otp: Otp,
    name: String,
    cookie: String,
    dist_port: u16,
    epmd: Arc<Epmd>,
    tls: Option<TlsFiles>,
    child: Mutex<Child>,
    channel: Mutex<Channel>,
    folder: TempDir,
}

/// A loaded machine with a cold cache takes ten seconds to start Elixir in embedded mode.
const START_MAX: Duration = Duration::from_mins(1);

/// A stop takes milliseconds, also on a machine under load.
const FREEZE_MAX: Duration = Duration::from_secs(10);

/// The residue of 200,000 processes takes seconds; an expression that takes longer hangs.
const ANSWER_MAX: Duration = Duration::from_mins(1);

impl Node {
    /// A node of this OTP: long name `kit@127.0.0.1`, interactive, without Elixir, plain TCP.
    pub fn builder(otp: &Otp) -> Builder {
        Builder {
            otp: otp.clone(),
            names: Names::Long,
            alive: "kit".to_owned(),
            cookie: "kit-cookie".to_owned(),
            is_embedded: false,
            has_elixir: false,
            tls: None,
            args: Vec::new(),
            env: Vec::new(),
            eval: Vec::new(),
            epmd: None,
            listen_on: None,
        }
    }

    /// What `node()` says there.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its cookie.
    pub fn cookie(&self) -> &str {
        &self.cookie
    }

    /// Its OTP.
    pub fn otp(&self) -> &Otp {
        &self.otp
    }

    /// The port of the EPMD that knows it.
    pub fn epmd_port(&self) -> u16 {
        self.epmd.port()
    }

    /// That EPMD, to stop it or to start another node beside this one.
    pub fn epmd(&self) -> &Arc<Epmd> {
        &self.epmd
    }

    /// The port on which it takes distribution connections.
    pub fn dist_port(&self) -> u16 {
        self.dist_port
    }

    /// The process id of the VM itself.
    pub fn os_pid(&self) -> u32 {
        self.child().id()
    }

    /// The certificates of a node with TLS.
    pub fn tls(&self) -> &TlsFiles {
        self.tls.as_ref().or_fail("this node was started without TLS")
    }

    /// Everything that it wrote to stdout and stderr so far.
    pub fn log(&self) -> String {
        let log = fs::read(self.folder.path().join("log")).unwrap_or_default();
        String::from_utf8_lossy(&log).into_owned()
    }

    /// The value of Erlang expressions, printed with `~0tp`; fails the test if they raise.
    ///
    /// They run inside the node, not over distribution. The first use loads the evaluator.
    #[track_caller]
    pub fn eval(&self, expressions: &str) -> String {
        match self.try_eval(expressions) {
            Ok(value) => value,
            Err(why) => fail(format_args!("{expressions} on {}: {why}", self.name)),
        }
    }

    /// The same, with what was raised as an error.
    ///
    /// # Errors
    ///
    /// What the expressions raised, or that the node does not answer.
    pub fn try_eval(&self, expressions: &str) -> Result<String, String> {
        self.ask(&format!("e{expressions}"))
    }

    /// What is in the node now; see [`Residue`].
    #[track_caller]
    pub fn residue(&self) -> Residue {
        Residue::parse(&self.ask("r").or_fail("reading the residue"))
    }

    /// Stops the VM as a debugger would (`SIGSTOP`); returns when it has stopped.
    pub fn freeze(&self) {
        self.signal("STOP");
        // Its threads stop one by one, each when it is next scheduled.
        let stat = format!("/proc/{}/stat", self.os_pid());
        let started = Instant::now();
        while started.elapsed() < FREEZE_MAX {
            let stat = fs::read_to_string(&stat).unwrap_or_default();
            if stat.rsplit(')').next().is_some_and(|it| it.trim_start().starts_with('T')) {
                return;
            }
            thread::sleep(Duration::from_millis(1));
        }
        fail(format_args!("{} did not freeze", self.name));
    }

    /// Lets it run again.
    pub fn thaw(&self) {
        self.signal("CONT");
    }

    /// Ends it with `SIGKILL` and waits until it is gone; harmless on a node that ended.
    pub fn kill(&self) {
        let mut child = self.child();
        drop(child.kill());
        drop(child.wait());
    }

    /// Whether the VM still runs.
    pub fn is_running(&self) -> bool {
        self.child().try_wait().is_ok_and(|it| it.is_none())
    }

    fn signal(&self, name: &str) {
        let mut kill = Command::new("kill");
        kill.arg(format!("-{name}")).arg(self.os_pid().to_string());
        let status = kill.status().or_fail("running kill");
        if !status.success() {
            fail(format_args!("kill -{name} of {}: {status}", self.name));
        }
    }

    fn ask(&self, request: &str) -> Result<String, String> {
        let mut channel = self.channel.lock().unwrap_or_else(PoisonError::into_inner);
        let answer = channel.ask(request, ANSWER_MAX).map_err(|it| format!("no answer: {it}"))?;
        match answer.split_at_checked(1) {
            Some(("+", value)) => Ok(value.to_owned()),
            Some(("-", raised)) => Err(raised.to_owned()),
            _ => Err(format!("an answer that is none: {answer}")),
        }
    }

    fn child(&self) -> std::sync::MutexGuard<'_, Child> {
        self.child.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.kill();
    }
}

impl Builder {
    /// The name before the `@`.
    #[must_use]
    pub fn name(mut self, alive: &str) -> Self {
        alive.clone_into(&mut self.alive);
        self
    }

    /// Long or short names.
    #[must_use]
    pub fn names(mut self, names: Names) -> Self {
        self.names = names;
        self
    }

    /// The cookie.
    #[must_use]
    pub fn cookie(mut self, cookie: &str) -> Self {
        cookie.clone_into(&mut self.cookie);
        self
    }

    /// Embedded mode from a boot file as a release has it: no developer's tools.
    #[must_use]
    pub fn embedded(mut self) -> Self {
        self.is_embedded = true;
        self
    }

    /// With Elixir, its Logger and `IEx` started.
    #[must_use]
    pub fn elixir(mut self) -> Self {
        self.has_elixir = true;
        self
    }

    /// Distribution over TLS.
    #[must_use]
    pub fn tls(mut self, setup: TlsSetup) -> Self {
        self.tls = Some(setup);
        self
    }

    /// More arguments of `erl`.
    #[must_use]
    pub fn args<'a>(mut self, args: impl IntoIterator<Item = &'a str>) -> Self {
        self.args.extend(args.into_iter().map(str::to_owned));
        self
    }

    /// A variable of the node's environment, which is otherwise almost empty.
    #[must_use]
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.env.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Erlang expressions that run before [`Builder::start`] returns; see [`Node::eval`].
    #[must_use]
    pub fn eval(mut self, expressions: &str) -> Self {
        self.eval.push(expressions.to_owned());
        self
    }

    /// Registers with the EPMD of another node in place of one of its own.
    #[must_use]
    pub fn epmd(mut self, epmd: &Arc<Epmd>) -> Self {
        self.epmd = Some(Arc::clone(epmd));
        self
    }

    /// Takes distribution connections at this address in place of the loopback one.
    #[must_use]
    pub fn listen_on(mut self, address: Ipv4Addr) -> Self {
        self.listen_on = Some(address);
        self
    }

    /// Starts the node and waits until it runs; fails the test with its log otherwise.
    #[track_caller]
    pub fn start(self) -> Node {
        match self.try_start() {
            Ok(node) => node,
            Err(why) => fail(why),
        }
    }

    /// The same, with the failure as a value, for what a machine may lack (IPv6).
    ///
    /// # Errors
    ///
    /// Why the node did not start, with its log.
    pub fn try_start(self) -> Result<Node, String> {
        let folder = tempfile::tempdir().or_fail("making the node's folder");
        let epmd = self.epmd.clone().unwrap_or_else(|| Arc::new(Epmd::start(&self.otp)));
        let tls_folder = folder.path().join("tls");
        let tls = self.tls.map(|it| TlsFiles::make(&tls_folder, self.host(), it));
        let waiting = Waiting::new().or_fail("listening for the node");
        let log = fs::File::create(folder.path().join("log")).or_fail("making the node's log");
        let mut command = self.command(folder.path(), &epmd, &waiting);
        command.stdin(Stdio::null());
        command.stderr(log.try_clone().or_fail("sharing the node's log")).stdout(log);
        let mut child = command.spawn().or_fail("starting a node");
        let called = waiting.accept(&mut child, START_MAX);
        let (channel, first) = match called {
            Ok(called) => called,
            Err(why) => {
                drop(child.kill());
                drop(child.wait());
                let log = fs::read_to_string(folder.path().join("log")).unwrap_or_default();
                return Err(format!(
                    "{} on OTP {}: {why}\n{log}",
                    self.full_name(),
                    self.otp.release
                ));
            }
        };
        let node = Node {
            name: self.full_name(),
            dist_port: epmd.port_of(&self.alive).unwrap_or(0),
            channel: Mutex::new(channel),
            child: Mutex::new(child),
            otp: self.otp,
            cookie: self.cookie,
            epmd,
            tls,
            folder,
        };
        if first != format!("{} []", node.name) {
            return Err(format!(
                "the node started as {first}, not as {}\n{}",
                node.name,
                node.log()
            ));
        }
        for expressions in &self.eval {
            node.try_eval(expressions)?;
        }
        Ok(node)
    }

    fn full_name(&self) -> String {
        format!("{}@{}", self.alive, self.host())
    }

    fn host(&self) -> &'static str {
        match self.names {
            Names::Long => "127.0.0.1",
            Names::Short => "localhost",
            Names::LongIpv6 => "::1",
        }
    }

    fn command(&self, folder: &Path, epmd: &Epmd, waiting: &Waiting) -> Command {
        let prepared = prepare::prepared(&self.otp);
        let binds = [
            Bind { outside: &prepared, inside: prepare::INSIDE },
            Bind { outside: folder, inside: "/srv" },
        ];
        let mut command = self.otp.command(&binds, "erl");
        command.env("HOME", "/srv").env("ERL_EPMD_PORT", epmd.port().to_string());
        command.envs(self.env.iter().map(|(name, value)| (name, value)));
        self.code(&mut command);
        self.distribution(&mut command);
        command.args(&self.args);
        let port = waiting.port().or_fail("reading our port").to_string();
        command.args(["-s", "kit_channel", "start", "-kit_port", &port]);
        command
    }

    /// Where its code comes from, and what of it starts.
    fn code(&self, command: &mut Command) {
        command.arg("-noinput");
        if self.is_embedded {
            let boot = if self.has_elixir { "elixir" } else { "erlang" };
            command.args(["-mode", "embedded"]);
            command.args(["-boot", &format!("{}/{boot}", prepare::INSIDE)]);
            return;
        }
        let libraries = format!("{}/lib", prepare::INSIDE);
        if self.has_elixir {
            command.env("ERL_LIBS", format!("{libraries}:/usr/lib/elixir/lib"));
            command.args(["-kit_start", "elixir", "logger", "iex"]);
        } else {
            command.env("ERL_LIBS", libraries);
        }
    }

    fn distribution(&self, command: &mut Command) {
        let name = self.full_name();
        let (flag, interface, plain, tls) = match self.names {
            Names::Long => ("-name", "{127,0,0,1}", "inet_tcp", "inet_tls"),
            Names::Short => ("-sname", "{127,0,0,1}", "inet_tcp", "inet_tls"),
            Names::LongIpv6 => ("-name", "{0,0,0,0,0,0,0,1}", "inet6_tcp", "inet6_tls"),
        };
        command.args([flag, &name, "-setcookie", &self.cookie, "-start_epmd", "false"]);
        // A test node is nobody else's business.
        let interface = self.listen_on.map_or(interface.to_owned(), |it| {
            let [a, b, c, d] = it.octets();
            format!("{{{a},{b},{c},{d}}}")
        });
        command.args(["-kernel", "inet_dist_use_interface", &interface]);
        if self.tls.is_some() {
            command.args(["-proto_dist", tls, "-ssl_dist_optfile"]);
            command.arg(format!("{}/dist.conf", certs::INSIDE));
        } else {
            command.args(["-proto_dist", plain]);
        }
    }
}

const _: fn() = || {
    fn shared_between_threads<T: Send + Sync + Debug>() {}
    shared_between_threads::<Node>();
};
