//! The tracer of one tracing: it keeps messages on the target until we fetch them.

use std::time::Duration;

use giulia_dist::{
    Call, Connection, Error, ErrorKind, Mailbox, Message, Payload, SpawnOptions,
    term::{DecodeError, Pid, Reader, Term},
};
use tokio::time::{Instant, timeout};

use crate::{eval, keeper::actor::done};

/// How much a sink holds at one time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "whoever traces chooses all of them")]
pub struct SinkLimits {
    /// So many messages are a whole sample: with them it ends, and flags with it.
    pub messages_max: usize,
    /// So many bytes of them too, as they travel. At most 4 MB.
    pub bytes_max: usize,
    /// Of a message above this only size, process and kind are kept.
    pub message_bytes_max: usize,
}

/// Messages that came since the last look.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Batch {
    /// Each a term as the VM sent it, without a version byte; too large ones are
    /// `{large, Bytes, Who, Kind}`.
    pub messages: Vec<Vec<u8>>,
    /// How many of them were too large, and how many were lost on the way.
    pub dropped: u64,
    /// Whether the sink has ended, and with it flags on processes.
    pub ended: Option<SinkEnd>,
}

/// Why a sink ended.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum SinkEnd {
    /// It held as much as it may: the sample is whole.
    Full,
    /// Messages took more memory than it may have, or somebody killed it: what it held is lost.
    Killed,
    /// The connection ended, or anything else, as the node told it.
    Other(String),
}

#[derive(Debug)]
pub(super) struct Sink {
    mailbox: Mailbox,
    pid: Pid,
    next: u64,
    /// What came for a fetch that was given up, or before one.
    pending: Batch,
    ended: Option<SinkEnd>,
}

/// 24 MB in words of 8 bytes. A flood of small messages from 1,000 processes is ended by their
/// number long before; target: less than 50 MB more on the node, with its copy while collecting.
const HEAP_WORDS: u64 = 3_000_000;

/// What a sink may be told to hold, so that its heap limit is several times of it.
const BYTES_MAX: usize = 4 << 20;

/// As long as any other question.
const TAKE_MAX: Duration = Duration::from_secs(5);

impl SinkLimits {
    /// For a tracing from which no messages are wanted, only counters.
    pub(super) const FEW: Self =
        Self { messages_max: 100, bytes_max: 100_000, message_bytes_max: 1_000 };
}

impl Sink {
    pub(super) async fn start(connection: &Connection, limits: SinkLimits) -> Result<Self, Error> {
        let mailbox = connection.mailbox();
        let us = Term::Pid(mailbox.pid().clone());
        let bytes_max = limits.bytes_max.min(BYTES_MAX);
        let told = [limits.messages_max.max(1), bytes_max, limits.message_bytes_max]
            .map(|it| Term::uint(u64::try_from(it).unwrap_or(u64::MAX)));
        let bif = eval::KEEP.forever([us].into_iter().chain(told));
        let call = Call::new(bif.module, bif.function, bif.args).max_heap_words(HEAP_WORDS);
        let linked = SpawnOptions { link: true, monitor: false };
        let pid = mailbox.spawn(&call, linked).await?.pid;
        Ok(Self { mailbox, pid, next: 0, pending: Batch::default(), ended: None })
    }

    pub(super) fn pid(&self) -> &Pid {
        &self.pid
    }

    pub(super) async fn take(&mut self) -> Result<Batch, Error> {
        if self.ended.is_none() {
            self.next += 1;
            let message = Term::tuple([Term::atom("take"), Term::uint(self.next)]);
            self.mailbox.send(&self.pid, &message).await?;
            let deadline = Instant::now() + TAKE_MAX;
            while self.hear(deadline).await? != Some(self.next) && self.ended.is_none() {}
        }
        let mut batch = std::mem::take(&mut self.pending);
        batch.ended.clone_from(&self.ended);
        Ok(batch)
    }

    /// Waits for the end of the sink.
    pub(super) async fn ended(&mut self, within: Duration) -> Option<SinkEnd> {
        let deadline = Instant::now() + within;
        while self.ended.is_none() {
            if self.hear(deadline).await.is_err() {
                break;
            }
        }
        self.ended.clone()
    }

    /// The next thing that the sink says: the number of an answer.
    async fn hear(&mut self, deadline: Instant) -> Result<Option<u64>, Error> {
        let within = deadline.saturating_duration_since(Instant::now());
        let message = match timeout(within, self.mailbox.recv()).await {
            Ok(Ok(message)) => message,
            Ok(Err(error)) => {
                self.ended = Some(SinkEnd::Other(error.to_string()));
                return Err(error);
            }
            Err(_) => {
                return Err(Error::new(
                    ErrorKind::Deadline,
                    format!("the sink did not answer within {TAKE_MAX:?}; is the node frozen?"),
                ));
            }
        };
        match message {
            Message::Term(payload) => {
                let Ok((id, told)) = done(payload.bytes()) else { return Ok(None) };
                self.keep(&told, "ok")?;
                Ok(Some(id))
            }
            Message::Exit { from, reason } if from == self.pid => {
                self.end(&reason)?;
                Ok(None)
            }
            Message::Exit { .. } | Message::Down { .. } | _ => Ok(None),
        }
    }

    fn end(&mut self, reason: &Payload) -> Result<(), Error> {
        self.ended = Some(SinkEnd::Full);
        if reason.reader().tuple_of(3).is_ok() {
            return self.keep(reason.bytes(), "full");
        }
        self.ended = Some(match reason.term() {
            Ok(it) if it.is_atom("killed") => SinkEnd::Killed,
            Ok(it) => SinkEnd::Other(it.to_string().chars().take(400).collect()),
            Err(error) => SinkEnd::Other(format!("for a reason that cannot be read ({error})")),
        });
        Ok(())
    }

    fn keep(&mut self, told: &[u8], tag: &str) -> Result<(), Error> {
        let (messages, large) = kept(told, tag).map_err(crate::answer::Problem::from)?;
        self.pending.messages.extend(messages);
        self.pending.dropped = self.pending.dropped.saturating_add(large);
        Ok(())
    }
}

/// `{ok, {Messages, Large}}` or `{full, Messages, Large}`.
fn kept(bytes: &[u8], tag: &str) -> Result<(Vec<Vec<u8>>, u64), DecodeError> {
    let mut reader = Reader::new(bytes);
    if tag == "ok" {
        reader.tuple_of(2)?;
        reader.expect_atom(tag)?;
        reader.tuple_of(2)?;
    } else {
        reader.tuple_of(3)?;
        reader.expect_atom(tag)?;
    }
    let mut messages = Vec::new();
    reader.each(|it| {
        messages.push(it.raw()?.to_vec());
        Ok(())
    })?;
    Ok((messages, reader.uint()?))
}
