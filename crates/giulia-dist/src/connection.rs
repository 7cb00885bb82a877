//! A live connection: calls, mailboxes, links and monitors over one socket.
//!
//! [`Connection`] is a cheap handle. Two tasks behind it move the bytes: one reads frames and
//! hands their messages to whoever waits for them, one writes whole frames and ticks. They
//! share a table of calls and mailboxes, and end together; the first reason for an end is the
//! one that everybody gets to see.
//!
//! A call is a `SPAWN_REQUEST` of `erpc:execute_call/4`, which every node since OTP 23 has,
//! linked to us: its exit reason is the answer, and when we vanish it dies. Dropping the
//! future of a call kills its process on the target.

mod call;
mod dial;
mod driver;
mod mailbox;
mod shared;

use std::{sync::Arc, time::Duration};

use tokio::time::Instant;

pub use call::{Call, Reply};
pub use mailbox::{Mailbox, Message, Payload, SpawnOptions, Spawned};

use crate::{
    Backoff, Config, Error, ErrorKind, LocalName, NodeName, Target,
    control::{self, Process},
    handshake::Knock,
    term::{Pid, Term},
    tls::TlsOptions,
};
use shared::Shared;

/// A handle to a live connection; cheap to clone. The drop of the last clone closes it.
#[derive(Debug, Clone)]
pub struct Connection {
    handle: Arc<Handle>,
}

/// What the peer said of itself in the handshake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peer {
    /// Its name.
    pub name: NodeName,
    /// Its capability flags.
    pub flags: u64,
    /// Which incarnation of it.
    pub creation: u32,
}

/// What went over the wire so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stats {
    /// Bytes written, ticks included.
    pub bytes_sent: u64,
    /// Bytes read, ticks included.
    pub bytes_received: u64,
    /// Calls started.
    pub calls: u64,
    /// Messages and ticks read; a fragmented message counts once.
    pub frames_received: u64,
    /// Messages for nobody here, and operations that we do not know.
    pub ignored: u64,
}

/// Ends the connection with the last handle.
#[derive(Debug)]
struct Handle {
    shared: Arc<Shared>,
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.shared.end(ErrorKind::Closed, "we closed the connection".to_owned());
    }
}

impl Connection {
    /// Attaches to a node: name lookup, EPMD, TCP, TLS and handshake within one deadline.
    ///
    /// Must run inside a tokio runtime with time and IO, which then also runs the connection.
    ///
    /// # Errors
    ///
    /// One kind for each way in which attaching can fail, each with the next step in its text.
    pub async fn connect(target: &Target, config: &Config) -> Result<Self, Error> {
        dial::connect(target, config)
            .await
            .map(|shared| Self { handle: Arc::new(Handle { shared }) })
    }

    /// [`connect`](Self::connect) until it works, the time is over, or trying is useless.
    ///
    /// A wrong cookie, a refusal, an untrusted certificate or an option that cannot be right
    /// end it at once: each attempt would be written into the target's log.
    ///
    /// # Errors
    ///
    /// The last error.
    pub async fn connect_retrying(
        target: &Target,
        config: &Config,
        backoff: &mut Backoff,
        until: Instant,
    ) -> Result<Self, Error> {
        loop {
            let error = match Self::connect(target, config).await {
                Ok(connection) => {
                    backoff.reset();
                    return Ok(connection);
                }
                Err(error) => error,
            };
            let wait = backoff.next();
            if !is_worth_retrying(error.kind()) || Instant::now() + wait >= until {
                return Err(error);
            }
            tracing::debug!(%error, ?wait, "trying again");
            tokio::time::sleep(wait).await;
        }
    }

    /// Asks a node who it is, and stops before authenticating.
    ///
    /// Needs no cookie. Writes nothing into the target's log, unless the target allows only
    /// some names (`net_kernel:allow/1`) and `local` is none of them: that is one error there,
    /// and is not tried again. The answer's name may differ from the one asked for. A node
    /// that closes the handshake, as it does with names of the other kind (short or long), is
    /// asked once more, under a name that it gives.
    ///
    /// # Errors
    ///
    /// As [`connect`](Self::connect), without those that come after the challenge.
    pub async fn knock(
        target: &Target,
        local: &LocalName,
        timeout: Duration,
        tls: Option<&TlsOptions>,
    ) -> Result<Knock, Error> {
        dial::knock(target, local, timeout, tls).await
    }

    /// Calls a function on the target and waits for what it returns.
    ///
    /// Many calls may be under way. Dropping the future kills the process on the target.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Request`] before anything is sent; [`ErrorKind::Raised`],
    /// [`ErrorKind::Killed`], [`ErrorKind::Deadline`] and [`ErrorKind::Limit`] concern this
    /// call alone; [`ErrorKind::Closed`], [`ErrorKind::Silent`] and others the connection.
    pub async fn call(&self, call: &Call) -> Result<Reply, Error> {
        call::run(&self.handle.shared, call).await
    }

    /// Who is at the other end.
    pub fn peer(&self) -> &Peer {
        &self.handle.shared.peer
    }

    /// Our own name, as the target's `nodes(hidden)` shows it.
    pub fn local_name(&self) -> &str {
        self.handle.shared.local.as_str()
    }

    /// The port that was dialled: the node's own, or with `--at` the one that leads there. 0 where
    /// the system did not say.
    pub fn port(&self) -> u16 {
        self.handle.shared.port
    }

    /// What both sides can do; see [`flags`](crate::flags).
    pub fn flags(&self) -> u64 {
        self.handle.shared.flags
    }

    /// What went over the wire so far.
    pub fn stats(&self) -> Stats {
        self.handle.shared.stats()
    }

    /// How long ago the peer sent anything, ticks included.
    pub fn silent_for(&self) -> Duration {
        self.handle.shared.silent_for()
    }

    /// Waits for the end, and says why.
    pub async fn closed(&self) -> Error {
        self.handle.shared.ended().await
    }

    /// Whether it has ended.
    pub fn is_closed(&self) -> bool {
        self.handle.shared.end_error().is_some()
    }

    /// Ends it; calls under way fail with [`ErrorKind::Closed`].
    pub fn close(&self) {
        self.handle.shared.end(ErrorKind::Closed, "we closed the connection".to_owned());
    }

    /// An address on our side that remote processes can send to.
    pub fn mailbox(&self) -> Mailbox {
        Mailbox::new(self.clone())
    }

    /// Sends a message to a process.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Request`] for a message above 64 KiB; those of an ended connection.
    pub async fn send(&self, to: &Pid, message: &Term<'_>) -> Result<(), Error> {
        let shared = &self.handle.shared;
        let control = control::send(shared.flags, &shared.call_pid, to);
        shared.send(&control, Some(message)).await
    }

    /// Sends a message to a registered name; the name becomes an atom on the target.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send).
    pub async fn send_name(&self, name: &str, message: &Term<'_>) -> Result<(), Error> {
        let shared = &self.handle.shared;
        let control = control::reg_send(&shared.call_pid, name);
        shared.send(&control, Some(message)).await
    }

    fn shared(&self) -> &Arc<Shared> {
        &self.handle.shared
    }
}

/// Whether time alone may repair it.
fn is_worth_retrying(kind: ErrorKind) -> bool {
    !matches!(
        kind,
        ErrorKind::CookieMismatch
            | ErrorKind::NotAllowed
            | ErrorKind::InvalidName
            | ErrorKind::InvalidConfig
            | ErrorKind::NameMismatch
            | ErrorKind::VersionUnsupported
            | ErrorKind::NotErlang
            | ErrorKind::TlsUntrusted
            | ErrorKind::TlsClientCertificate
    )
}

/// A process on the target, for monitors by pid.
fn by_pid(pid: &Pid) -> Process {
    Process::Pid(pid.clone())
}
