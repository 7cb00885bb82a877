//! What the handles and the two tasks of a connection share: who waits for what.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use tokio::{
    sync::{Semaphore, mpsc, oneshot, watch},
    time::{Instant, timeout_at},
};

use super::{Peer, Stats, mailbox::Inbox};
use crate::{
    Config, Error, ErrorKind, Limits,
    control::{self, Process, WithReason},
    flags,
    frame::{self, Header},
    handshake::Established,
    term::{self, Node, Pid, Reference, Term},
};

/// What a node may be asked: larger requests hit a VM bug (OTP-18885) and are never needed.
pub(super) const REQUEST_BYTES_MAX: usize = 64 << 10;

/// A node that has not told the pid of a new process after this long will not do so.
const FORGOTTEN_AFTER: Duration = Duration::from_mins(1);

/// The state of one connection.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) peer: Peer,
    pub(super) local: Node,
    /// The one that was dialled; 0 where the system did not say.
    pub(super) port: u16,
    pub(super) flags: u64,
    pub(super) limits: Limits,
    /// The parent of all calls, and their group leader.
    pub(super) call_pid: Pid,
    creation: u32,
    state: Mutex<State>,
    outgoing: mpsc::UnboundedSender<Outgoing>,
    /// Room in the write queue, in bytes.
    room: Semaphore,
    /// Bytes queued without asking for room: acknowledgements and kills.
    forced_bytes: AtomicUsize,
    ended: watch::Sender<Option<Ended>>,
    counters: Counters,
    born: Instant,
}

/// A frame on its way out.
#[derive(Debug)]
pub(super) struct Outgoing {
    pub(super) frame: Vec<u8>,
    /// Whether it took no room.
    pub(super) is_forced: bool,
}

/// Who waits for what.
#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) requests: HashMap<Reference, Request>,
    /// The calls whose process is known.
    pub(super) callers: HashMap<Pid, Reference>,
    /// By the number of their pid.
    pub(super) mailboxes: HashMap<(u32, u32), Inbox>,
    next_reference: u64,
    next_pid: u64,
    next_unlink: u64,
}

/// A process that was asked for.
#[derive(Debug)]
pub(super) enum Request {
    /// For a call.
    Call { answer: oneshot::Sender<Outcome>, pid: Option<Pid> },
    /// For a call that was given up before its process was known, which is then to be killed.
    GivenUp { at: Instant },
    /// For a mailbox.
    Spawn { owner: Pid, answer: oneshot::Sender<Result<Pid, String>>, monitor: bool },
}

/// How a call ended.
#[derive(Debug)]
pub(super) enum Outcome {
    /// With this exit reason, without a version byte.
    Exit(Bytes),
    /// No process was started.
    NotStarted(String),
    /// Its answer was above a limit, and was dropped.
    Oversized(usize),
}

/// Why a connection ended.
#[derive(Debug, Clone)]
struct Ended {
    kind: ErrorKind,
    text: String,
}

#[derive(Debug, Default)]
struct Counters {
    bytes_sent: AtomicU64,
    bytes_received: AtomicU64,
    calls: AtomicU64,
    frames_received: AtomicU64,
    ignored: AtomicU64,
    /// Milliseconds since the connection was made.
    received_at: AtomicU64,
    sent_at: AtomicU64,
}

impl Request {
    /// OTP 23.2 loses the `SPAWN_REPLY` of a process that is born while much is on its way to
    /// us (measured on ERTS 11.1.8), so that a given-up call may never be heard of again.
    fn is_forgotten(&self) -> bool {
        matches!(self, Self::GivenUp { at } if at.elapsed() > FORGOTTEN_AFTER)
    }
}

impl Shared {
    pub(super) fn new(
        established: Established,
        port: u16,
        config: &Config,
        outgoing: mpsc::UnboundedSender<Outgoing>,
    ) -> Self {
        let Established { peer, flags, local_name, local_creation } = established;
        let local = Node::new(local_name);
        Self {
            peer: Peer { name: peer.name, flags: peer.flags, creation: peer.creation },
            call_pid: pid_of(&local, 1, local_creation),
            local,
            port,
            flags,
            limits: config.limits.clone(),
            creation: local_creation,
            state: Mutex::new(State { next_pid: 1, ..State::default() }),
            outgoing,
            room: Semaphore::new(config.limits.write_queue_bytes_max),
            forced_bytes: AtomicUsize::new(0),
            ended: watch::Sender::new(None),
            counters: Counters::default(),
            born: Instant::now(),
        }
    }

    /// The table. A panic elsewhere leaves it usable: every change to it is one step.
    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn new_reference(&self) -> Result<Reference, Error> {
        let mut state = self.state();
        state.next_reference += 1;
        // OTP 23 allows 18 bits in the first word.
        let low = u32::try_from(state.next_reference & 0x3_ffff).unwrap_or_default();
        let high = u32::try_from((state.next_reference >> 18) & 0xffff_ffff).unwrap_or_default();
        Reference::new(self.local.clone(), self.creation, &[low, high, 0]).ok_or_else(|| {
            Error::new(ErrorKind::Request, "a reference of three words was refused".to_owned())
        })
    }

    /// Enters a request, unless there are too many or the connection has ended.
    pub(super) fn register(&self, reference: &Reference, request: Request) -> Result<(), Error> {
        let mut state = self.state();
        // Under the lock, so that `end` either finds the request or is found here.
        if let Some(error) = self.end_error() {
            return Err(error);
        }
        if state.requests.len() >= self.limits.calls_max {
            state.requests.retain(|_, it| !it.is_forgotten());
        }
        if state.requests.len() >= self.limits.calls_max {
            return Err(Error::new(
                ErrorKind::Limit,
                format!(
                    "{} calls to {} are under way, which is the limit; wait for some of them",
                    self.limits.calls_max, self.peer.name
                ),
            ));
        }
        state.requests.insert(reference.clone(), request);
        Ok(())
    }

    pub(super) fn new_pid(&self) -> Pid {
        let mut state = self.state();
        state.next_pid += 1;
        pid_of(&self.local, state.next_pid, self.creation)
    }

    pub(super) fn new_unlink(&self) -> u64 {
        let mut state = self.state();
        state.next_unlink += 1;
        state.next_unlink
    }

    /// A frame that may be sent: terms encoded, checked and within the limit.
    pub(super) fn frame(
        &self,
        control: &Term<'_>,
        payload: Option<&Term<'_>>,
    ) -> Result<Vec<u8>, Error> {
        let refused = |why: String| {
            Error::new(ErrorKind::Request, format!("nothing was sent to {}: {why}", self.peer.name))
        };
        let encode = |term: &Term<'_>| {
            let mut bytes = Vec::new();
            term.encode(&mut bytes).map_err(|it| it.to_string())?;
            // Never trust one's own writer: a malformed frame ends the connection at the node.
            term::validate(&bytes, &term::Limits::DEFAULT).map_err(|it| it.to_string())?;
            Ok(bytes)
        };
        let control = encode(control).map_err(refused)?;
        let payload = payload.map(encode).transpose().map_err(refused)?;
        let header = if self.flags & flags::FRAGMENTS == 0 {
            Header::PassThrough
        } else {
            Header::Distribution
        };
        let frame = frame::encode(header, &control, payload.as_deref());
        if frame.len() > REQUEST_BYTES_MAX {
            return Err(refused(format!(
                "the request has {} bytes and giulia sends no more than {REQUEST_BYTES_MAX}; split it",
                frame.len()
            )));
        }
        Ok(frame)
    }

    /// Encodes and queues, waiting for room.
    pub(super) async fn send(
        &self,
        control: &Term<'_>,
        payload: Option<&Term<'_>>,
    ) -> Result<(), Error> {
        let frame = self.frame(control, payload)?;
        self.queue(frame, Instant::now() + self.limits.write_stall_max).await
    }

    /// Queues a frame once there is room.
    pub(super) async fn queue(&self, frame: Vec<u8>, deadline: Instant) -> Result<(), Error> {
        let n_bytes = u32::try_from(frame.len()).unwrap_or(u32::MAX);
        match timeout_at(deadline, self.room.acquire_many(n_bytes)).await {
            Ok(Ok(permit)) => permit.forget(),
            Ok(Err(_)) => return Err(self.gone()),
            Err(_) => {
                return Err(Error::new(
                    ErrorKind::Deadline,
                    format!(
                        "{} reads too slowly: a request still waited to be written when its time was over",
                        self.peer.name
                    ),
                ));
            }
        }
        self.outgoing.send(Outgoing { frame, is_forced: false }).map_err(|_| self.gone())
    }

    /// Queues a small signal at once; too many of them mean that the peer reads nothing.
    pub(super) fn force(&self, (control, payload): &WithReason) {
        match self.frame(control, payload.as_ref()) {
            Ok(frame) => self.force_frame(frame),
            Err(error) => tracing::error!(%error, "a signal of our own is malformed"),
        }
    }

    pub(super) fn force_frame(&self, frame: Vec<u8>) {
        let n_before = self.forced_bytes.fetch_add(frame.len(), Ordering::Relaxed);
        if n_before > self.limits.write_queue_bytes_max {
            self.end(
                ErrorKind::Limit,
                format!("{} makes us answer and does not read the answers", self.peer.name),
            );
            return;
        }
        // A failure means that the connection has ended, and with it every process's link.
        drop(self.outgoing.send(Outgoing { frame, is_forced: true }));
    }

    /// The writer has written it.
    pub(super) fn written(&self, outgoing: &Outgoing) {
        let n_bytes = outgoing.frame.len();
        if outgoing.is_forced {
            self.forced_bytes.fetch_sub(n_bytes, Ordering::Relaxed);
        } else {
            self.room.add_permits(n_bytes);
        }
        self.count_sent(n_bytes);
    }

    pub(super) fn count_sent(&self, n_bytes: usize) {
        self.counters.bytes_sent.fetch_add(n_bytes as u64, Ordering::Relaxed);
        self.counters.sent_at.store(self.now_ms(), Ordering::Relaxed);
    }

    pub(super) fn count_received(&self, n_bytes: usize) {
        self.counters.bytes_received.fetch_add(n_bytes as u64, Ordering::Relaxed);
        self.counters.received_at.store(self.now_ms(), Ordering::Relaxed);
    }

    pub(super) fn count_frame(&self) {
        self.counters.frames_received.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn count_call(&self) {
        self.counters.calls.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn count_ignored(&self) {
        self.counters.ignored.fetch_add(1, Ordering::Relaxed);
    }

    /// How long we have written nothing.
    pub(super) fn idle_for(&self) -> Duration {
        let ms = self.now_ms().saturating_sub(self.counters.sent_at.load(Ordering::Relaxed));
        Duration::from_millis(ms)
    }

    pub(super) fn silent_for(&self) -> Duration {
        let ms = self.now_ms().saturating_sub(self.counters.received_at.load(Ordering::Relaxed));
        Duration::from_millis(ms)
    }

    pub(super) fn stats(&self) -> Stats {
        let read = |it: &AtomicU64| it.load(Ordering::Relaxed);
        Stats {
            bytes_sent: read(&self.counters.bytes_sent),
            bytes_received: read(&self.counters.bytes_received),
            calls: read(&self.counters.calls),
            frames_received: read(&self.counters.frames_received),
            ignored: read(&self.counters.ignored),
        }
    }

    /// Kills a process on the target.
    pub(super) fn kill(&self, pid: &Pid) {
        self.force(&control::exit_process(self.flags, &self.call_pid, pid, Term::atom("kill")));
    }

    /// Makes a living node say something: `'DOWN'` for a name that nobody has.
    ///
    /// It costs no process, and the atom exists on every node. It tells a frozen node from
    /// one that ticks rarely, and from a function that takes long.
    pub(super) fn nudge(&self) {
        if let Ok(reference) = self.new_reference() {
            let nobody = Process::Name("noproc".to_owned());
            let control = control::monitor_process(&self.call_pid, &nobody, &reference);
            self.force(&(control, None));
        }
    }

    /// Ends the connection; the first reason stays.
    pub(super) fn end(&self, kind: ErrorKind, text: String) {
        let is_first = self.ended.send_if_modified(|it| {
            if it.is_some() {
                return false;
            }
            tracing::debug!(?kind, text, "connection ended");
            *it = Some(Ended { kind, text });
            true
        });
        if is_first {
            self.room.close();
            let mut state = self.state();
            // Their receivers see the end of their channels, and ask for the reason.
            let waiting = (
                std::mem::take(&mut state.requests),
                std::mem::take(&mut state.callers),
                std::mem::take(&mut state.mailboxes),
            );
            drop(state);
            drop(waiting);
        }
    }

    /// Why it ended, if it did.
    pub(super) fn end_error(&self) -> Option<Error> {
        self.ended.borrow().as_ref().map(|it| Error::new(it.kind, it.text.clone()))
    }

    /// The error of whoever finds the connection ended.
    pub(super) fn gone(&self) -> Error {
        self.end_error().unwrap_or_else(|| {
            Error::new(ErrorKind::Closed, format!("the connection to {} has ended", self.peer.name))
        })
    }

    pub(super) async fn ended(&self) -> Error {
        // The sender lives in `self`, so this waits for a value and nothing else.
        drop(self.ended.subscribe().wait_for(Option::is_some).await);
        self.gone()
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.born.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

/// Waits for the end of a connection without keeping it alive.
pub(super) async fn until_ended(shared: &Arc<Shared>) {
    let mut ended = shared.ended.subscribe();
    drop(ended.wait_for(Option::is_some).await);
}

/// OTP 23 allows 15 bits in a pid's number and 13 in its serial.
fn pid_of(node: &Node, number: u64, creation: u32) -> Pid {
    let id = u32::try_from(number & 0x7fff).unwrap_or_default();
    let serial = u32::try_from((number >> 15) & 0x1fff).unwrap_or_default();
    Pid::new(node.clone(), id, serial, creation)
}
