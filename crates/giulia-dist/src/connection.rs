//! A live connection: calls, mailboxes, links and monitors over one socket.
//!
//! Contract (filled in by this module):
//!
//! ```text
//! #[derive(Clone, Debug)] struct Connection
//! Connection::connect(&Target, &Config) -> Result<Connection, Error>
//! connection.call(&Call) -> Result<Reply, Error>     many in flight; dropping the future kills the process on the target
//! connection.peer() -> &Peer { name: NodeName, flags: u64, creation: u32 }
//! connection.local_name() -> &str
//! connection.stats() -> Stats { bytes_sent, bytes_received, calls, frames_received }
//! connection.closed().await -> Error                 why it ended
//! connection.is_closed() -> bool
//! connection.close()                                 also on the drop of the last clone
//! connection.mailbox() -> Mailbox { pid(), async recv() -> Message, dropped() -> u64 }
//!   Message::{Term(Bytes..), Exit { from, reason }, Down { reference, from, reason }}
//! connection.send(&Pid, &Term), send_name("name", &Term)
//! mailbox.link(&Pid), unlink(&Pid), monitor(&Pid) -> Reference, demonitor(&Reference), exit(&Pid, &Term)
//! mailbox.spawn(&Call, SpawnOptions { link, monitor }) -> Pid        for long-lived processes (the keeper)
//! ```

use std::time::Duration;

use crate::term::Term;

/// A handle to a live connection; cheap to clone.
#[derive(Debug, Clone)]
pub struct Connection {}

/// A question: which function with which arguments, and what it may cost.
#[derive(Debug, Clone)]
pub struct Call {
    /// The module.
    pub module: String,
    /// The function.
    pub function: String,
    /// Its arguments.
    pub args: Vec<Term<'static>>,
    /// When to give up and kill the process on the target.
    pub timeout: Duration,
    /// Words of heap after which the VM kills the process; none by default.
    pub max_heap_words: Option<u64>,
    /// Scheduled after normal processes.
    pub low_priority: bool,
}

/// What a call returned.
#[derive(Debug)]
pub struct Reply {}

/// What the peer said of itself in the handshake.
#[derive(Debug, Clone)]
pub struct Peer {}

/// An address on our side that remote processes can send to.
#[derive(Debug)]
pub struct Mailbox {}

/// What arrives in a mailbox.
#[derive(Debug)]
pub struct Message {}

/// What went over the wire so far.
#[derive(Debug, Clone, Copy, Default)]
pub struct Stats {}
