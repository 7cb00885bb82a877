//! Peers that no real node would be, behind an EPMD that points at them.
//!
//! They stand in for hostility only: whether giulia talks to a node correctly is tested on
//! real ones.

mod epmd;
mod node;
mod stream;

use std::{
    fmt,
    io::{self, Read, Write},
    net::{Ipv4Addr, TcpListener, TcpStream},
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use tempfile::TempDir;

use crate::{
    certs::{ServerCertificate, TlsFiles, TlsSetup},
    fail::OrFail,
};
use stream::{Dress, Stream};

pub use epmd::EpmdPeer;
pub use node::{After, Peer, Shake};

/// The cookie of the peers that know one.
pub const COOKIE: &str = "kit-cookie";

/// A hostile node and its EPMD, until dropped.
pub struct Hostile {
    epmd_port: u16,
    dist_port: u16,
    connections: Arc<AtomicUsize>,
    is_over: Arc<AtomicBool>,
    tls: Option<(TempDir, TlsFiles)>,
}

impl Hostile {
    /// A node that behaves like this, and an EPMD that finds it under every name.
    pub fn node(peer: Peer) -> Self {
        Self::start(EpmdPeer::Finds, peer, false)
    }

    /// The same behind TLS: it shows a good certificate, agrees, and only then is hostile.
    pub fn tls_node(peer: Peer) -> Self {
        Self::start(EpmdPeer::Finds, peer, true)
    }

    /// An EPMD that behaves like this; should it be believed, a silent node is behind it.
    pub fn epmd(peer: EpmdPeer) -> Self {
        Self::start(peer, Peer::Silent, false)
    }

    fn start(epmd: EpmdPeer, peer: Peer, is_tls: bool) -> Self {
        let tls = is_tls.then(|| {
            let folder = tempfile::tempdir().or_fail("making the peer's folder");
            let setup = TlsSetup::ServerOnly(ServerCertificate::Good);
            let files = TlsFiles::make(folder.path(), "127.0.0.1", setup);
            (folder, files)
        });
        let dress = tls.as_ref().map_or(Dress::Plain, |(_, files)| Dress::tls(files));
        let is_over = Arc::new(AtomicBool::new(false));
        let connections = Arc::new(AtomicUsize::new(0));
        let seen = Arc::clone(&connections);
        let dist_port = listen(&is_over, dress, move |client| {
            seen.fetch_add(1, Ordering::SeqCst);
            node::talk(peer, client)
        });
        let epmd_port =
            listen(&is_over, Dress::Plain, move |client| epmd::talk(epmd, client, dist_port));
        Self { epmd_port, dist_port, connections, is_over, tls }
    }

    /// The port of its EPMD.
    pub fn epmd_port(&self) -> u16 {
        self.epmd_port
    }

    /// The port of the node itself.
    pub fn dist_port(&self) -> u16 {
        self.dist_port
    }

    /// The authority that signed its certificate, in a PEM file; of a peer with TLS.
    pub fn ca(&self) -> PathBuf {
        let (_, files) = self.tls.as_ref().or_fail("this peer was started without TLS");
        files.ca()
    }

    /// How often somebody connected to the node.
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

impl Drop for Hostile {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::SeqCst);
    }
}

impl fmt::Debug for Hostile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hostile").field("dist_port", &self.dist_port).finish_non_exhaustive()
    }
}

/// A connection to us, and whether the test is over.
struct Client {
    stream: Stream,
    is_over: Arc<AtomicBool>,
}

/// Threads look this often whether the test is over.
const LOOK_MS: u64 = 20;

/// Serves each connection on a thread of its own until the test is over; returns the port.
fn listen(
    is_over: &Arc<AtomicBool>,
    dress: Dress,
    serve: impl Fn(&mut Client) -> io::Result<()> + Send + Sync + 'static,
) -> u16 {
    let listener =
        TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).or_fail("listening as a hostile peer");
    listener.set_nonblocking(true).or_fail("listening without blocking");
    let port = listener.local_addr().or_fail("reading our port").port();
    let is_over = Arc::clone(is_over);
    let serve = Arc::new(serve);
    thread::spawn(move || {
        while !is_over.load(Ordering::SeqCst) {
            let Ok((stream, _)) = listener.accept() else {
                thread::sleep(Duration::from_millis(LOOK_MS));
                continue;
            };
            let (is_over, dress) = (Arc::clone(&is_over), dress.clone());
            let serve = Arc::clone(&serve);
            // A client that leaves early is the point of the test.
            thread::spawn(move || {
                let stream = prepare(stream).and_then(|stream| dress.put_on(stream))?;
                serve(&mut Client { stream, is_over })
            });
        }
    });
    port
}

fn prepare(stream: TcpStream) -> io::Result<TcpStream> {
    stream.set_nonblocking(false)?;
    stream.set_nodelay(true)?;
    let look = Some(Duration::from_millis(LOOK_MS));
    stream.set_read_timeout(look)?;
    stream.set_write_timeout(look)?;
    Ok(stream)
}

impl Client {
    /// TLS distribution announces its handshake messages with four bytes, TCP with two.
    fn is_tls(&self) -> bool {
        matches!(self.stream, Stream::Tls(_))
    }

    /// Writes all of it; a client that does not read blocks us until the test is over.
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut rest = bytes;
        while !rest.is_empty() {
            match self.stream.write(rest) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => rest = rest.get(written..).unwrap_or_default(),
                Err(error) if is_timeout(&error) => self.look()?,
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn read_exact(&mut self, buffer: &mut [u8]) -> io::Result<()> {
        let mut filled = 0;
        while filled < buffer.len() {
            match self.stream.read(buffer.get_mut(filled..).unwrap_or_default()) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(read) => filled += read,
                Err(error) if is_timeout(&error) => self.look()?,
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Reads whatever comes and does nothing with it, until the client leaves.
    fn swallow(&mut self) -> io::Result<()> {
        loop {
            self.read_exact(&mut [0])?;
        }
    }

    /// Waits; ends early when the test is over.
    fn pause(&self, time: Duration) -> io::Result<()> {
        let mut left = time;
        while !left.is_zero() {
            self.look()?;
            let step = left.min(Duration::from_millis(LOOK_MS));
            thread::sleep(step);
            left -= step;
        }
        Ok(())
    }

    /// One byte a second.
    fn drip(&mut self, bytes: &[u8]) -> io::Result<()> {
        for byte in bytes {
            self.write(&[*byte])?;
            self.pause(Duration::from_secs(1))?;
        }
        Ok(())
    }

    fn look(&self) -> io::Result<()> {
        if self.is_over.load(Ordering::SeqCst) {
            return Err(io::ErrorKind::Interrupted.into());
        }
        Ok(())
    }
}

fn is_timeout(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut)
}
