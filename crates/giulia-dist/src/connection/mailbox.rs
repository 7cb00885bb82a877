//! Mailboxes: addresses on our side that live processes on the target can send to.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
};

use bytes::Bytes;
use tokio::{
    sync::{mpsc, oneshot},
    time::Instant,
};

use super::{
    Call, Connection, by_pid,
    call::wait,
    shared::{Request, Shared},
};
use crate::{
    Error, ErrorKind, Limits,
    control::{self, Process},
    term::{DecodeError, Pid, Reader, Reference, Term},
};

/// An address on our side that remote processes can send to.
///
/// To the target it is a process: it can be linked and monitored, and its drop is its end.
/// Processes linked to it then get the exit signal `shutdown`, monitors a `'DOWN'`.
#[derive(Debug)]
pub struct Mailbox {
    connection: Connection,
    pid: Pid,
    waiting: Arc<Waiting>,
    receiver: mpsc::UnboundedReceiver<Message>,
}

/// What arrives in a mailbox.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Message {
    /// A message.
    Term(Payload),
    /// A linked process ended, or somebody called `exit/2`.
    Exit {
        /// Who.
        from: Pid,
        /// Why.
        reason: Payload,
    },
    /// A monitored process ended.
    Down {
        /// The monitor.
        reference: Reference,
        /// Who.
        from: Process,
        /// Why.
        reason: Payload,
    },
}

/// One term, not read yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Payload(Bytes);

/// How a process of one's own is tied to its mailbox.
#[derive(Debug, Clone, Copy, Default)]
pub struct SpawnOptions {
    /// Ends with the mailbox and with the connection.
    pub link: bool,
    /// A [`Message::Down`] comes when it ends.
    pub monitor: bool,
}

/// A process on the target that was started for a mailbox.
#[derive(Debug, Clone)]
pub struct Spawned {
    /// Its pid.
    pub pid: Pid,
    /// Its monitor, when one was asked for.
    pub monitor: Option<Reference>,
}

/// What the connection knows of a mailbox.
#[derive(Debug)]
pub(super) struct Inbox {
    sender: mpsc::UnboundedSender<Message>,
    waiting: Arc<Waiting>,
    links: HashMap<Pid, Link>,
    /// Monitors of ours on processes there.
    monitors: HashMap<Reference, Process>,
    /// Monitors of processes there on us.
    monitored_by: HashMap<Reference, Pid>,
}

/// A link, as the link protocol wants it remembered.
#[derive(Debug, Default)]
struct Link {
    /// Not active while our unlink waits for its acknowledgement.
    unlinked: Option<u64>,
}

/// How much waits in a mailbox.
#[derive(Debug, Default)]
struct Waiting {
    n_messages: AtomicUsize,
    n_bytes: AtomicUsize,
    dropped: AtomicU64,
}

/// Links and monitors that a peer may hold on one mailbox; it is refused more.
const TIES_MAX: usize = 10_000;
/// A message below this is copied, so that it does not keep a whole read buffer alive.
const COPIED_BYTES_MAX: usize = 16 << 10;
/// What a waiting message costs beside its bytes, roughly.
const MESSAGE_OVERHEAD_BYTES: usize = 256;

impl Payload {
    /// At the term.
    pub fn reader(&self) -> Reader<'_> {
        Reader::new(&self.0)
    }

    /// As a tree.
    ///
    /// # Errors
    ///
    /// When it is not a term, or too large for a tree.
    pub fn term(&self) -> Result<Term<'_>, DecodeError> {
        Term::decode(&self.0)
    }

    /// Its bytes, without a version byte.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    pub(super) fn new(bytes: Bytes) -> Self {
        if bytes.len() < COPIED_BYTES_MAX {
            Self(Bytes::copy_from_slice(&bytes))
        } else {
            Self(bytes)
        }
    }
}

impl Message {
    fn n_bytes(&self) -> usize {
        let (Self::Term(it) | Self::Exit { reason: it, .. } | Self::Down { reason: it, .. }) = self;
        it.0.len() + MESSAGE_OVERHEAD_BYTES
    }
}

impl Mailbox {
    pub(super) fn new(connection: Connection) -> Self {
        let (sender, receiver) = mpsc::unbounded_channel();
        let waiting = Arc::new(Waiting::default());
        let pid = connection.shared().new_pid();
        let inbox = Inbox {
            sender,
            waiting: Arc::clone(&waiting),
            links: HashMap::new(),
            monitors: HashMap::new(),
            monitored_by: HashMap::new(),
        };
        // On an ended connection nobody will send; the channel then ends at once.
        if !connection.is_closed() {
            connection.shared().state().mailboxes.insert((pid.id, pid.serial), inbox);
        }
        Self { connection, pid, waiting, receiver }
    }

    /// The address.
    pub fn pid(&self) -> &Pid {
        &self.pid
    }

    /// The next message.
    ///
    /// # Errors
    ///
    /// When the connection has ended and the mailbox is empty.
    pub async fn recv(&mut self) -> Result<Message, Error> {
        match self.receiver.recv().await {
            Some(message) => {
                self.waiting.n_messages.fetch_sub(1, Ordering::Relaxed);
                self.waiting.n_bytes.fetch_sub(message.n_bytes(), Ordering::Relaxed);
                Ok(message)
            }
            None => Err(self.shared().gone()),
        }
    }

    /// Messages that were dropped because the mailbox was full.
    pub fn dropped(&self) -> u64 {
        self.waiting.dropped.load(Ordering::Relaxed)
    }

    /// The connection underneath.
    pub fn connection(&self) -> &Connection {
        &self.connection
    }

    /// Sends a message to a process, from this address.
    ///
    /// # Errors
    ///
    /// As [`Connection::send`].
    pub async fn send(&self, to: &Pid, message: &Term<'_>) -> Result<(), Error> {
        let control = control::send(self.shared().flags, &self.pid, to);
        self.shared().send(&control, Some(message)).await
    }

    /// Links a process on the target to this mailbox.
    ///
    /// # Errors
    ///
    /// Those of an ended connection.
    pub async fn link(&self, to: &Pid) -> Result<(), Error> {
        self.with_inbox(|it| it.links.insert(to.clone(), Link::default()))?;
        self.shared().send(&control::link_to(&self.pid, to), None).await
    }

    /// Takes the link away.
    ///
    /// # Errors
    ///
    /// Those of an ended connection.
    pub async fn unlink(&self, from: &Pid) -> Result<(), Error> {
        let id = self.shared().new_unlink();
        let flags = self.shared().flags;
        let was_linked = self.with_inbox(|it| it.unlink(from, id, flags))?;
        if was_linked {
            let control = control::unlink(self.shared().flags, id, &self.pid, from);
            self.shared().send(&control, None).await?;
        }
        Ok(())
    }

    /// Monitors a process on the target.
    ///
    /// # Errors
    ///
    /// Those of an ended connection.
    pub async fn monitor(&self, pid: &Pid) -> Result<Reference, Error> {
        let reference = self.shared().new_reference()?;
        let process = by_pid(pid);
        self.with_inbox(|it| it.monitors.insert(reference.clone(), process.clone()))?;
        let control = control::monitor_process(&self.pid, &process, &reference);
        self.shared().send(&control, None).await?;
        Ok(reference)
    }

    /// Takes the monitor away; a [`Message::Down`] may wait already.
    ///
    /// # Errors
    ///
    /// Those of an ended connection.
    pub async fn demonitor(&self, reference: &Reference) -> Result<(), Error> {
        match self.with_inbox(|it| it.monitors.remove(reference))? {
            Some(process) => {
                let control = control::demonitor(&self.pid, &process, reference);
                self.shared().send(&control, None).await
            }
            None => Ok(()),
        }
    }

    /// Sends an exit signal; the reason `kill` cannot be refused.
    ///
    /// # Errors
    ///
    /// Those of an ended connection.
    pub async fn exit(&self, pid: &Pid, reason: &Term<'_>) -> Result<(), Error> {
        let reason = reason.clone().into_owned();
        let (control, payload) = control::exit_process(self.shared().flags, &self.pid, pid, reason);
        self.shared().send(&control, payload.as_ref()).await
    }

    /// Starts a process on the target that may live long.
    ///
    /// The call's function is run as it is; what it returns is not looked at. Dropping the
    /// future kills the process once the node tells its pid.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Raised`] when the node starts none, [`ErrorKind::Deadline`] after the
    /// call's timeout, those of an ended connection.
    pub async fn spawn(&self, call: &Call, options: SpawnOptions) -> Result<Spawned, Error> {
        let shared = self.shared();
        let deadline = Instant::now() + call.timeout;
        let reference = shared.new_reference()?;
        let frame = self.spawn_frame(call, options, &reference)?;
        let (answer, receiver) = oneshot::channel();
        let owner = self.pid.clone();
        let request = Request::Spawn { owner, answer, monitor: options.monitor };
        shared.register(&reference, request)?;
        if let Err(error) = shared.queue(frame, deadline).await {
            shared.state().requests.remove(&reference);
            return Err(error);
        }
        match wait(shared, receiver, deadline).await {
            Some(Ok(Ok(pid))) => Ok(Spawned { pid, monitor: options.monitor.then_some(reference) }),
            Some(Ok(Err(why))) => Err(Error::new(
                ErrorKind::Raised,
                format!("{} started no process: {why}", shared.peer.name),
            )),
            Some(Err(_)) => Err(shared.gone()),
            None => Err(Error::new(
                ErrorKind::Deadline,
                format!(
                    "{} did not start a process within {:?}; it will be killed if it still comes",
                    shared.peer.name, call.timeout
                ),
            )),
        }
    }

    fn spawn_frame(
        &self,
        call: &Call,
        options: SpawnOptions,
        reference: &Reference,
    ) -> Result<Vec<u8>, Error> {
        let mut terms = call.options();
        if options.link {
            terms.push(Term::atom("link"));
        }
        if options.monitor {
            terms.push(Term::atom("monitor"));
        }
        let arity = u8::try_from(call.args.len()).map_err(|_| {
            Error::new(ErrorKind::Request, "a function has at most 255 arguments".to_owned())
        })?;
        let entry = (call.module.as_str(), call.function.as_str(), arity);
        let shared = self.shared();
        let control = control::spawn_request(reference, &self.pid, &shared.call_pid, entry, terms);
        shared.frame(&control, Some(&Term::list(call.args.iter().cloned())))
    }

    fn shared(&self) -> &Shared {
        self.connection.shared()
    }

    fn with_inbox<T>(&self, change: impl FnOnce(&mut Inbox) -> T) -> Result<T, Error> {
        match self.shared().state().mailboxes.get_mut(&(self.pid.id, self.pid.serial)) {
            Some(inbox) => Ok(change(inbox)),
            None => Err(self.shared().gone()),
        }
    }
}

impl Drop for Mailbox {
    fn drop(&mut self) {
        let shared = self.connection.shared();
        let removed = shared.state().mailboxes.remove(&(self.pid.id, self.pid.serial));
        let Some(inbox) = removed else { return };
        #[expect(clippy::iter_over_hash_type, reason = "the order means nothing")]
        for (pid, link) in &inbox.links {
            if link.unlinked.is_none() {
                let reason = Term::atom("shutdown");
                shared.force(&control::exit_link(shared.flags, &self.pid, pid, reason));
            }
        }
        let us = by_pid(&self.pid);
        #[expect(clippy::iter_over_hash_type, reason = "the order means nothing")]
        for (reference, pid) in &inbox.monitored_by {
            let reason = Term::atom("shutdown");
            shared.force(&control::monitor_exit(shared.flags, &us, pid, reference, reason));
        }
        #[expect(clippy::iter_over_hash_type, reason = "the order means nothing")]
        for (reference, process) in &inbox.monitors {
            shared.force(&(control::demonitor(&self.pid, process, reference), None));
        }
    }
}

impl Inbox {
    /// Puts a message in, or counts it as dropped.
    pub(super) fn deliver(&self, message: Message, limits: &Limits) {
        let n_bytes = message.n_bytes();
        let is_full = self.waiting.n_messages.load(Ordering::Relaxed) >= limits.mailbox_len_max
            || self.waiting.n_bytes.load(Ordering::Relaxed) + n_bytes > limits.mailbox_bytes_max;
        if is_full {
            self.waiting.dropped.fetch_add(1, Ordering::Relaxed);
            return;
        }
        self.waiting.n_messages.fetch_add(1, Ordering::Relaxed);
        self.waiting.n_bytes.fetch_add(n_bytes, Ordering::Relaxed);
        // Without a receiver the mailbox is just being dropped.
        drop(self.sender.send(message));
    }

    /// A message for it was dropped before it was whole.
    pub(super) fn count_dropped(&self) {
        self.waiting.dropped.fetch_add(1, Ordering::Relaxed);
    }

    /// A process there links to us; whether it may.
    pub(super) fn linked_by(&mut self, from: Pid) -> bool {
        let has_room = self.links.len() < TIES_MAX;
        if has_room {
            self.links.entry(from).or_default();
        }
        has_room
    }

    /// A process there unlinks.
    pub(super) fn unlinked_by(&mut self, from: &Pid) {
        if self.links.get(from).is_some_and(|it| it.unlinked.is_none()) {
            self.links.remove(from);
        }
    }

    /// Our unlink was acknowledged.
    pub(super) fn acknowledged(&mut self, id: u64, from: &Pid) {
        if self.links.get(from).is_some_and(|it| it.unlinked == Some(id)) {
            self.links.remove(from);
        }
    }

    /// A linked process ended; whether that is ours to hear.
    pub(super) fn link_broke(&mut self, from: &Pid) -> bool {
        self.links.remove(from).is_some_and(|it| it.unlinked.is_none())
    }

    /// A process there monitors us; whether it may.
    pub(super) fn monitored(&mut self, reference: Reference, by: Pid) -> bool {
        let has_room = self.monitored_by.len() < TIES_MAX;
        if has_room {
            self.monitored_by.insert(reference, by);
        }
        has_room
    }

    /// And no longer does.
    pub(super) fn demonitored(&mut self, reference: &Reference) {
        self.monitored_by.remove(reference);
    }

    /// A process that we asked for was born with a monitor.
    pub(super) fn monitors(&mut self, reference: Reference, pid: &Pid) {
        self.monitors.insert(reference, by_pid(pid));
    }

    /// A monitored process ended; whether that is ours to hear.
    pub(super) fn went_down(&mut self, reference: &Reference) -> bool {
        self.monitors.remove(reference).is_some()
    }

    /// Whether there was a link to take away.
    fn unlink(&mut self, from: &Pid, id: u64, flags: u64) -> bool {
        if flags & crate::flags::UNLINK_ID == 0 {
            return self.links.remove(from).is_some();
        }
        match self.links.get_mut(from) {
            Some(link) if link.unlinked.is_none() => {
                link.unlinked = Some(id);
                true
            }
            _ => false,
        }
    }
}
