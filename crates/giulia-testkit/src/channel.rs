//! The socket on which a node calls home, and what can be asked over it.

use std::{
    io::{self, Read, Write},
    net::{Ipv4Addr, TcpListener, TcpStream},
    process::Child,
    thread,
    time::{Duration, Instant},
};

/// The kit's end of `erl/kit_channel.erl`.
#[derive(Debug)]
pub(crate) struct Channel {
    stream: TcpStream,
}

/// Where a node that is being started will call.
#[derive(Debug)]
pub(crate) struct Waiting {
    listener: TcpListener,
}

/// A residue of 200,000 processes is some 20 MB; above 256 MB something is wrong with us.
const ANSWER_BYTES_MAX: usize = 256 * 1024 * 1024;

impl Waiting {
    /// Listens on a free port of the loopback address.
    pub(crate) fn new() -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        listener.set_nonblocking(true)?;
        Ok(Self { listener })
    }

    /// The port that the node is told.
    pub(crate) fn port(&self) -> io::Result<u16> {
        Ok(self.listener.local_addr()?.port())
    }

    /// The channel and the node's first words, or why the node did not call.
    pub(crate) fn accept(
        &self,
        child: &mut Child,
        within: Duration,
    ) -> Result<(Channel, String), String> {
        let started = Instant::now();
        loop {
            if let Ok((stream, _)) = self.listener.accept() {
                return Channel::open(stream, within).map_err(|it| it.to_string());
            }
            if let Ok(Some(status)) = child.try_wait() {
                return Err(format!("the node ended while it started: {status}"));
            }
            if started.elapsed() > within {
                return Err(format!("the node did not call within {within:?}"));
            }
            thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Channel {
    fn open(stream: TcpStream, within: Duration) -> io::Result<(Self, String)> {
        stream.set_nonblocking(false)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(within))?;
        let mut channel = Self { stream };
        let first = channel.read()?;
        Ok((channel, first))
    }

    /// Sends a request and waits for its answer.
    pub(crate) fn ask(&mut self, request: &str, within: Duration) -> io::Result<String> {
        self.stream.set_read_timeout(Some(within))?;
        let length = u32::try_from(request.len()).map_err(io::Error::other)?;
        let mut packet = length.to_be_bytes().to_vec();
        packet.extend_from_slice(request.as_bytes());
        self.stream.write_all(&packet)?;
        self.read()
    }

    fn read(&mut self) -> io::Result<String> {
        let mut header = [0; 4];
        self.stream.read_exact(&mut header)?;
        let length = usize::try_from(u32::from_be_bytes(header)).map_err(io::Error::other)?;
        if length > ANSWER_BYTES_MAX {
            return Err(io::Error::other(format!("an answer of {length} bytes")));
        }
        let mut answer = vec![0; length];
        self.stream.read_exact(&mut answer)?;
        String::from_utf8(answer).map_err(io::Error::other)
    }
}
