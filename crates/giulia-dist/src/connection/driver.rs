//! The two tasks of a connection: one reads, one writes.

use std::{sync::Arc, time::Duration};

use bytes::{Bytes, BytesMut};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadHalf, WriteHalf},
    sync::mpsc,
    time::{Instant, timeout},
};

use super::{
    Message, Payload,
    shared::{Outcome, Outgoing, Request, Shared, until_ended},
};
use crate::{
    ErrorKind,
    control::{self, Control, Process},
    frame::{FrameReader, Incoming, TICK},
    term::{DecodeError, Pid, Reader as TermReader, Reference, Term},
};

/// A node with the default `net_ticktime` calls us dead after 60 s; it ticks four times as often.
const TICK_EVERY: Duration = Duration::from_secs(15);
/// A tick is answered with one of ours when we have been quiet for this long, which keeps us
/// alive for nodes with a short `net_ticktime`.
const TICK_BACK_AFTER: Duration = Duration::from_secs(1);
/// What is read at once, and how a buffer grows: by what has arrived, never by what is announced.
const READ_BYTES: usize = 64 << 10;
/// How long goodbyes (kills, broken links) may take when we close.
const LAST_WRITES_MAX: Duration = Duration::from_secs(1);

/// Starts both tasks.
pub(super) fn start<S>(
    shared: &Arc<Shared>,
    stream: S,
    rest: BytesMut,
    outgoing: mpsc::UnboundedReceiver<Outgoing>,
    silence_max: Duration,
) where
    S: AsyncRead + AsyncWrite + Send + 'static,
{
    let (read_half, write_half) = tokio::io::split(stream);
    let frames = FrameReader::new(&shared.limits, rest);
    let reader = Reader { shared: Arc::clone(shared), frames, silence_max };
    tokio::spawn(async move { reader.run(read_half).await });
    let writer = Writer { shared: Arc::clone(shared), outgoing };
    tokio::spawn(async move { writer.run(write_half).await });
}

struct Writer {
    shared: Arc<Shared>,
    outgoing: mpsc::UnboundedReceiver<Outgoing>,
}

impl Writer {
    async fn run<S: AsyncWrite>(mut self, mut stream: WriteHalf<S>) {
        let shared = Arc::clone(&self.shared);
        let result = tokio::select! {
            result = self.write(&mut stream) => result,
            () = until_ended(&shared) => Ok(()),
        };
        match result {
            // Ended elsewhere: say what is still to be said, then goodbye.
            Ok(()) => {
                let last = async {
                    while let Ok(outgoing) = self.outgoing.try_recv() {
                        stream.write_all(&outgoing.frame).await?;
                    }
                    stream.shutdown().await
                };
                drop(timeout(LAST_WRITES_MAX, last).await);
            }
            Err((kind, text)) => shared.end(kind, text),
        }
    }

    async fn write<S: AsyncWrite>(
        &mut self,
        stream: &mut WriteHalf<S>,
    ) -> Result<(), (ErrorKind, String)> {
        let peer = self.shared.peer.name.clone();
        let stall_max = self.shared.limits.write_stall_max;
        loop {
            let outgoing = match timeout(TICK_EVERY, self.outgoing.recv()).await {
                Ok(Some(outgoing)) => Some(outgoing),
                Ok(None) => return Ok(()),
                Err(_) => None,
            };
            let write = async {
                stream.write_all(outgoing.as_ref().map_or(&TICK, |it| &it.frame)).await?;
                stream.flush().await
            };
            match timeout(stall_max, write).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => {
                    return Err((
                        ErrorKind::Closed,
                        format!("the connection to {peer} broke while we wrote: {error}"),
                    ));
                }
                Err(_) => {
                    return Err((
                        ErrorKind::Silent,
                        format!(
                            "{peer} has read nothing for {stall_max:?}: it is frozen or the network is gone"
                        ),
                    ));
                }
            }
            match outgoing {
                Some(outgoing) => self.shared.written(&outgoing),
                None => self.shared.count_sent(TICK.len()),
            }
        }
    }
}

struct Reader {
    shared: Arc<Shared>,
    frames: FrameReader,
    silence_max: Duration,
}

impl Reader {
    async fn run<S: AsyncRead>(mut self, mut stream: ReadHalf<S>) {
        let shared = Arc::clone(&self.shared);
        let result = tokio::select! {
            result = self.read(&mut stream) => result,
            () = until_ended(&shared) => return,
        };
        if let Err((kind, text)) = result {
            shared.end(kind, text);
        }
    }

    async fn read<S: AsyncRead>(
        &mut self,
        stream: &mut ReadHalf<S>,
    ) -> Result<(), (ErrorKind, String)> {
        let peer = self.shared.peer.name.clone();
        loop {
            loop {
                let taken = self.frames.take().map_err(|it| {
                    (it.kind, format!("the connection to {peer} was given up: {it}"))
                })?;
                let Some(incoming) = taken else { break };
                self.shared.count_frame();
                handle(&self.shared, incoming)
                    .map_err(|it| (ErrorKind::Protocol, format!("{peer}: {it}")))?;
            }
            let n_read = self.read_some(stream, &peer.to_string()).await?;
            self.shared.count_received(n_read);
        }
    }

    /// Waits for bytes; asks for a sign of life at half-time.
    async fn read_some<S: AsyncRead>(
        &mut self,
        stream: &mut ReadHalf<S>,
        peer: &str,
    ) -> Result<usize, (ErrorKind, String)> {
        let silent_at = Instant::now() + self.silence_max;
        let mut has_asked = false;
        loop {
            let buffer = self.frames.buffer();
            buffer.reserve(READ_BYTES);
            match timeout(self.silence_max / 2, stream.read_buf(buffer)).await {
                Ok(Ok(0)) => {
                    return Err((ErrorKind::Closed, format!("{peer} closed the connection")));
                }
                Ok(Ok(n_read)) => return Ok(n_read),
                // Nodes end TLS without a close_notify.
                Ok(Err(error)) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
                    return Err((ErrorKind::Closed, format!("{peer} closed the connection")));
                }
                Ok(Err(error)) => {
                    return Err((
                        ErrorKind::Closed,
                        format!("the connection to {peer} broke: {error}"),
                    ));
                }
                Err(_) if Instant::now() >= silent_at => {
                    return Err((
                        ErrorKind::Silent,
                        format!(
                            "{peer} has sent nothing for {:?}, not even a tick: it is frozen or the network is gone",
                            self.silence_max
                        ),
                    ));
                }
                Err(_) if !has_asked => {
                    has_asked = true;
                    self.shared.nudge();
                }
                Err(_) => {}
            }
        }
    }
}

fn handle(shared: &Shared, incoming: Incoming) -> Result<(), String> {
    let malformed = |it| format!("it sent a control message that we cannot read: {it}");
    match incoming {
        Incoming::Tick => {
            if shared.idle_for() >= TICK_BACK_AFTER {
                shared.force_frame(TICK.to_vec());
            }
        }
        Incoming::Message { control, payload } => {
            signal(shared, Control::decode(&control).map_err(malformed)?, payload);
        }
        Incoming::Oversized { control, head, n_bytes } => {
            let control = Control::decode(&control).map_err(malformed)?;
            oversized(shared, control, &head, n_bytes);
        }
    }
    Ok(())
}

fn signal(shared: &Shared, control: Control, payload: Bytes) {
    match control {
        Control::Send { to } if to == shared.call_pid => group_leader(shared, &payload),
        Control::Send { to } => deliver(shared, &to, Message::Term(Payload::new(payload))),
        Control::SpawnReply { reference, is_linked, result, .. } => {
            spawned(shared, &reference, is_linked, result);
        }
        Control::Exit { from, to, reason } => {
            link_broke(shared, from, &to, reason.map_or(payload, Bytes::from));
        }
        Control::Exit2 { from, to, reason } => {
            let reason = Payload::new(reason.map_or(payload, Bytes::from));
            deliver(shared, &to, Message::Exit { from, reason });
        }
        Control::MonitorExit { from, to, reference, reason } => {
            let reason = Payload::new(reason.map_or(payload, Bytes::from));
            went_down(shared, from, &to, reference, reason);
        }
        Control::Link { from, to } => linked(shared, &from, &to),
        Control::Unlink { from, to } => {
            with_inbox(shared, &to, |it| it.unlinked_by(&from));
        }
        Control::UnlinkId { id, from, to } => {
            // Before anything else goes to `from`, says the link protocol.
            shared.force(&(control::unlink_ack(id, &to, &from), None));
            with_inbox(shared, &to, |it| it.unlinked_by(&from));
        }
        Control::UnlinkIdAck { id, from, to } => {
            with_inbox(shared, &to, |it| it.acknowledged(id, &from));
        }
        Control::Monitor { from, to, reference } => monitored(shared, &from, &to, &reference),
        Control::Demonitor { to: Process::Pid(to), reference, .. } => {
            with_inbox(shared, &to, |it| it.demonitored(&reference));
        }
        Control::SpawnRequest { reference, from } => {
            shared.force(&(control::spawn_refusal(&reference, &from), None));
        }
        Control::Demonitor { .. }
        | Control::RegSend { .. }
        | Control::AliasSend
        | Control::GroupLeader
        | Control::NodeLink
        | Control::Unknown { .. } => shared.count_ignored(),
    }
}

/// The rest of the message is dropped as it comes; whoever waits for it hears of it now.
fn oversized(shared: &Shared, control: Control, head: &[u8], n_bytes: usize) {
    let reason = || atom("message_too_large");
    if let Control::Exit { from, to, .. } = control {
        if to == shared.call_pid {
            answer(shared, &from, head, Outcome::Oversized(n_bytes));
        } else {
            link_broke(shared, from, &to, reason());
        }
    } else if let Control::MonitorExit { from, to, reference, .. } = control {
        went_down(shared, from, &to, reference, Payload::new(reason()));
    } else if let Control::Send { to } = control {
        with_inbox(shared, &to, |it| it.count_dropped());
    } else {
        shared.count_ignored();
    }
}

/// A called function prints: it gets an `ok` at once, and nothing is printed anywhere.
///
/// <https://www.erlang.org/doc/apps/stdlib/io_protocol.html>
fn group_leader(shared: &Shared, payload: &[u8]) {
    match io_request(payload) {
        Ok((from, reply_as, is_output)) => {
            let answer = if is_output {
                Term::atom("ok")
            } else {
                Term::tuple([Term::atom("error"), Term::atom("enotsup")])
            };
            let message = Term::tuple([Term::atom("io_reply"), Term::encoded(reply_as), answer]);
            let control = control::send(shared.flags, &shared.call_pid, &from);
            shared.force(&(control, Some(message)));
        }
        Err(_) => shared.count_ignored(),
    }
}

/// `{io_request, From, ReplyAs, Request}`: who, how to answer, and whether it is output.
fn io_request(payload: &[u8]) -> Result<(Pid, Vec<u8>, bool), DecodeError> {
    let mut reader = TermReader::new(payload);
    reader.tuple_of(4)?;
    reader.expect_atom("io_request")?;
    let from = reader.pid()?;
    let reply_as = reader.raw()?.to_vec();
    let is_output = reader.tuple().is_ok() && reader.atom_is("put_chars");
    Ok((from, reply_as, is_output))
}

fn deliver(shared: &Shared, to: &Pid, message: Message) {
    let was_delivered = with_inbox(shared, to, |it| it.deliver(message, &shared.limits));
    if was_delivered.is_none() {
        shared.count_ignored();
    }
}

fn link_broke(shared: &Shared, from: Pid, to: &Pid, reason: Bytes) {
    if *to == shared.call_pid {
        answer(shared, &from, &reason, Outcome::Exit(reason.clone()));
        return;
    }
    with_inbox(shared, to, |it| {
        if it.link_broke(&from) {
            let reason = Payload::new(reason);
            it.deliver(Message::Exit { from, reason }, &shared.limits);
        }
    });
}

/// The process of a call has ended. Usually its pid is known; if the node has lost the
/// message that tells it (OTP 23.2 does), the answer itself says which call it is for.
fn answer(shared: &Shared, from: &Pid, reason: &[u8], outcome: Outcome) {
    let mut state = shared.state();
    let Some(reference) = state.callers.remove(from).or_else(|| reference_in(reason)) else {
        return; // given up before
    };
    if let Some(Request::Call { answer, .. }) = state.requests.remove(&reference) {
        // Without a receiver the future is just being dropped.
        drop(answer.send(outcome));
    }
}

/// `Ref` in `{Ref, return, Value}`, which may be cut off behind it.
fn reference_in(reason: &[u8]) -> Option<Reference> {
    let mut reader = TermReader::new(reason);
    reader.tuple().ok()?;
    reader.reference().ok()
}

fn went_down(shared: &Shared, from: Process, to: &Pid, reference: Reference, reason: Payload) {
    with_inbox(shared, to, |it| {
        if it.went_down(&reference) {
            it.deliver(Message::Down { reference, from, reason }, &shared.limits);
        }
    });
}

fn spawned(shared: &Shared, reference: &Reference, is_linked: bool, result: Result<Pid, String>) {
    let mut guard = shared.state();
    let state = &mut *guard;
    match (state.requests.remove(reference), result) {
        (Some(Request::Call { answer, .. }), Ok(pid)) => {
            state.callers.insert(pid.clone(), reference.clone());
            state.requests.insert(reference.clone(), Request::Call { answer, pid: Some(pid) });
        }
        (Some(Request::GivenUp { .. }), Ok(pid)) => {
            drop(guard);
            shared.kill(&pid);
        }
        (Some(Request::Call { answer, .. }), Err(why)) => {
            drop(answer.send(Outcome::NotStarted(why)));
        }
        (Some(Request::Spawn { owner, answer, monitor }), Ok(pid)) => {
            if let Some(inbox) = state.mailboxes.get_mut(&(owner.id, owner.serial)) {
                if is_linked {
                    inbox.linked_by(pid.clone());
                }
                if monitor {
                    inbox.monitors(reference.clone(), &pid);
                }
            }
            // Whoever asked has gone: nobody would ever end it.
            if let Err(Ok(pid)) = answer.send(Ok(pid)) {
                drop(guard);
                shared.kill(&pid);
            }
        }
        (Some(Request::Spawn { answer, .. }), Err(why)) => {
            drop(answer.send(Err(why)));
        }
        (Some(Request::GivenUp { .. }) | None, Err(_)) => {}
        (None, Ok(_)) => shared.count_ignored(),
    }
}

fn linked(shared: &Shared, from: &Pid, to: &Pid) {
    // The parent of calls lives as long as the connection, whose end the node notices itself.
    if *to == shared.call_pid {
        return;
    }
    let may = with_inbox(shared, to, |it| it.linked_by(from.clone()));
    if may != Some(true) {
        shared.force(&control::exit_link(shared.flags, to, from, Term::atom("noproc")));
    }
}

fn monitored(shared: &Shared, from: &Pid, to: &Process, reference: &Reference) {
    let may = match to {
        Process::Pid(pid) if *pid == shared.call_pid => return,
        Process::Pid(pid) => {
            with_inbox(shared, pid, |it| it.monitored(reference.clone(), from.clone()))
        }
        Process::Name(_) => None,
    };
    if may != Some(true) {
        let reason = Term::atom("noproc");
        shared.force(&control::monitor_exit(shared.flags, to, from, reference, reason));
    }
}

fn with_inbox<T>(
    shared: &Shared,
    pid: &Pid,
    change: impl FnOnce(&mut super::mailbox::Inbox) -> T,
) -> Option<T> {
    if pid.node != shared.local {
        return None;
    }
    shared.state().mailboxes.get_mut(&(pid.id, pid.serial)).map(change)
}

/// An atom as a payload.
fn atom(name: &'static str) -> Bytes {
    let mut bytes = Vec::new();
    // Atoms of ours are short.
    drop(Term::atom(name).encode(&mut bytes));
    Bytes::from(bytes)
}
