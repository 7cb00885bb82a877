//! A wire between a node and whoever talks to it, that a test can cut without either side noticing.
//!
//! A pair of virtual interfaces: one end here, where the node is, the other in a network namespace
//! of its own, where the test starts its program. Cutting takes the far end down: packets vanish,
//! no connection is closed, and nobody is told. It needs the right to administer the network
//! (root, or a container that has it).

use std::{
    net::Ipv4Addr,
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    thread,
    time::{Duration, Instant},
};

/// Two addresses that reach each other until the wire is cut; dropping it removes both.
#[derive(Debug)]
pub struct Wire {
    holder: Child,
    near: String,
    far: String,
    subnet: u32,
}

/// Wires of this process so far.
static WIRES: AtomicU32 = AtomicU32::new(0);

/// How long a namespace may take to appear.
const START_MAX: Duration = Duration::from_secs(5);

impl Wire {
    /// Makes one.
    ///
    /// # Errors
    ///
    /// Why this machine does not let us: the reason to skip the test with.
    pub fn make() -> Result<Self, String> {
        let count = WIRES.fetch_add(1, Ordering::Relaxed);
        let unique = format!("{:x}w{count}", std::process::id());
        // Interfaces are named with at most 15 characters.
        let (near, far) = (format!("gn{unique}"), format!("gf{unique}"));
        // 64 wires of each of 256 processes are told apart, in a range kept for tests of networks
        // (RFC 2544, 198.18.0.0/15).
        let subnet = (std::process::id() % 256) * 64 + count % 64;
        let mut holder = Command::new("unshare");
        // It ends with our end of the pipe, also when we are killed.
        holder.args(["--net", "cat"]).stdin(Stdio::piped()).stdout(Stdio::null());
        let holder = holder.stderr(Stdio::null()).spawn().map_err(|it| format!("unshare: {it}"))?;
        let wire = Self { holder, near, far, subnet };
        wire.wait_for_namespace()?;
        wire.connect()?;
        Ok(wire)
    }

    /// The address at this end, where the node listens.
    pub fn near_address(&self) -> Ipv4Addr {
        self.address(1)
    }

    /// A command that runs at the other end, where there is no other network.
    pub fn far_command(&self, program: &str) -> Command {
        let mut command = Command::new("nsenter");
        command.arg(format!("--net=/proc/{}/ns/net", self.holder.id())).arg("--").arg(program);
        command
    }

    /// From now on packets vanish.
    ///
    /// # Errors
    ///
    /// What `ip` said.
    pub fn cut(&self) -> Result<(), String> {
        self.ip_far(&["link", "set", &self.far, "down"])
    }

    /// From now on they arrive again.
    ///
    /// # Errors
    ///
    /// What `ip` said.
    pub fn mend(&self) -> Result<(), String> {
        self.ip_far(&["link", "set", &self.far, "up"])
    }

    fn wait_for_namespace(&self) -> Result<(), String> {
        let namespace = |pid: &str| std::fs::read_link(format!("/proc/{pid}/ns/net")).ok();
        let ours = namespace("self");
        let began = Instant::now();
        while began.elapsed() < START_MAX {
            let its = namespace(&self.holder.id().to_string());
            if its.is_some() && its != ours {
                return Ok(());
            }
            thread::sleep(Duration::from_millis(5));
        }
        Err("this machine makes no network namespaces for us".to_owned())
    }

    fn connect(&self) -> Result<(), String> {
        let holder = self.holder.id().to_string();
        let (near, far) = (self.near.as_str(), self.far.as_str());
        let address = |host| format!("{}/30", self.address(host));
        ip(&["link", "add", near, "type", "veth", "peer", "name", far, "netns", &holder])?;
        ip(&["address", "add", &address(1), "dev", near])?;
        ip(&["link", "set", near, "up"])?;
        self.ip_far(&["address", "add", &address(2), "dev", far])?;
        self.ip_far(&["link", "set", far, "up"])
    }

    fn address(&self, host: u32) -> Ipv4Addr {
        Ipv4Addr::from(u32::from(Ipv4Addr::new(198, 18, 0, 0)) + self.subnet * 4 + host)
    }

    fn ip_far(&self, args: &[&str]) -> Result<(), String> {
        finish(self.far_command("ip").args(args))
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        // The interfaces go with the namespace of one of them.
        drop(self.holder.kill());
        drop(self.holder.wait());
        drop(ip(&["link", "delete", &self.near]));
    }
}

fn ip(args: &[&str]) -> Result<(), String> {
    finish(Command::new("ip").args(args))
}

fn finish(command: &mut Command) -> Result<(), String> {
    let output = command.output().map_err(|it| format!("ip: {it}"))?;
    if output.status.success() {
        Ok(())
    } else {
        let said = String::from_utf8_lossy(&output.stderr);
        Err(format!("{command:?}: {}", said.trim()))
    }
}
