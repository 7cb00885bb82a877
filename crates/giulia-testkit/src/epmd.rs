//! A port mapper daemon of our own, on a port of our own, that ends with its test.

use std::{
    fmt,
    io::{self, Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    process::{Child, Stdio},
    sync::Mutex,
    thread,
    time::{Duration, Instant},
};

use crate::{
    fail::{OrFail, fail},
    otp::Otp,
};

/// A running EPMD.
pub struct Epmd {
    port: u16,
    child: Mutex<Child>,
}

/// A loaded machine starts it in well under a second; ten is "it will not come".
const START_MAX: Duration = Duration::from_secs(10);

/// `ALIVE` and `PORT_PLEASE2_REQ` of the EPMD protocol.
/// <https://www.erlang.org/doc/apps/erts/erl_dist_protocol.html#protocol-between-the-node-and-epmd>
const PORT_PLEASE2_REQ: u8 = 122;

/// EPMD runs until our end of its stdin closes, which also happens when we are killed.
const UNTIL_STDIN_CLOSES: &str = r#"epmd "$@" & pid=$!; read -r _; kill -9 "$pid"; wait"#;

impl Epmd {
    /// Starts the EPMD of this OTP on a free port of the loopback addresses.
    pub fn start(otp: &Otp) -> Self {
        // Somebody may take the port between our choice and the start, hence the attempts.
        for _ in 0..5 {
            if let Some(epmd) = Self::try_start(otp, free_port()) {
                return epmd;
            }
        }
        fail("EPMD did not start on any of five free ports")
    }

    fn try_start(otp: &Otp, port: u16) -> Option<Self> {
        let mut command = otp.command(&[], "sh");
        command.args(["-c", UNTIL_STDIN_CLOSES, "sh", "-port", &port.to_string()]);
        // A node may have an IPv6 name; where there is no IPv6, EPMD passes over the address.
        command.args(["-address", "127.0.0.1,::1"]);
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let child = command.spawn().or_fail("starting EPMD");
        let epmd = Self { port, child: Mutex::new(child) };
        let started = Instant::now();
        while started.elapsed() < START_MAX {
            if TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok() {
                return Some(epmd);
            }
            thread::sleep(Duration::from_millis(10));
        }
        None
    }

    /// Where it listens.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Kills it; nodes keep running, and nobody can look their ports up.
    pub fn stop(&self) {
        let mut child = self.child.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        drop(child.stdin.take());
        drop(child.wait());
    }

    /// The distribution port of a node by the part of its name before the `@`.
    pub fn port_of(&self, alive: &str) -> Option<u16> {
        ask_port(self.port, alive).ok().flatten()
    }
}

impl Drop for Epmd {
    fn drop(&mut self) {
        self.stop();
    }
}

impl fmt::Debug for Epmd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Epmd").field("port", &self.port).finish_non_exhaustive()
    }
}

/// A port that nobody listens on at this moment.
pub(crate) fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).or_fail("looking for a free port");
    listener.local_addr().or_fail("reading the free port").port()
}

fn ask_port(epmd_port: u16, alive: &str) -> io::Result<Option<u16>> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, epmd_port));
    let mut stream = TcpStream::connect_timeout(&address, Duration::from_secs(5))?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    let length = u16::try_from(alive.len() + 1).unwrap_or(u16::MAX);
    let mut request = length.to_be_bytes().to_vec();
    request.push(PORT_PLEASE2_REQ);
    request.extend_from_slice(alive.as_bytes());
    stream.write_all(&request)?;
    let mut reply = Vec::new();
    stream.read_to_end(&mut reply)?;
    // PORT2_RESP, result 0, port; anything else is "unknown".
    Ok(match reply.as_slice() {
        [119, 0, high, low, ..] => Some(u16::from_be_bytes([*high, *low])),
        _ => None,
    })
}
