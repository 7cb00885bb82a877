//! The task behind a keeper: it renews the lease, hands answers out, and hears how it ends.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use giulia_dist::{
    Error, ErrorKind, Mailbox, Message, Payload,
    term::{DecodeError, Pid, Reader, Term},
};
use giulia_model::Restored;
use tokio::{
    sync::{mpsc, oneshot, watch},
    time::{MissedTickBehavior, interval, timeout},
};

use super::{KeeperEnd, KeptChange};

/// What the task is asked to do.
#[derive(Debug)]
pub(super) enum Command {
    /// Send this to the custodian and hand its answer out.
    Ask { id: u64, message: Term<'static>, answer: oneshot::Sender<Vec<u8>> },
    /// Undo everything.
    Stop,
}

/// A request that is repeated until it is answered: the custodian knows what it did already.
pub(super) struct Ask<'a> {
    pub(super) id: u64,
    pub(super) message: &'a Term<'static>,
    pub(super) commands: &'a mpsc::UnboundedSender<Command>,
    pub(super) shared: &'a Shared,
}

/// What the handle and the task know together.
#[derive(Debug)]
pub(super) struct Shared {
    records: Mutex<Vec<Record>>,
    end: watch::Sender<Option<KeeperEnd>>,
    pub(super) unsent_renewals: AtomicU64,
}

#[derive(Debug)]
struct Record {
    change: KeptChange,
    /// Under which the custodian holds its parts.
    parts: Vec<u64>,
    /// Whether all of them are made.
    is_whole: bool,
    /// Whether the node said that it could not be undone.
    is_stuck: bool,
}

#[derive(Debug)]
pub(super) struct Actor {
    mailbox: Mailbox,
    custodian: Pid,
    sentinel: Pid,
    shared: Arc<Shared>,
    waiting: HashMap<u64, oneshot::Sender<Vec<u8>>>,
    /// The sentinel's end, which may be heard of before the custodian's that caused it.
    sentinel_end: Option<Payload>,
}

/// What one of the two said with its last breath.
#[derive(Debug)]
struct LastWords {
    why: String,
    /// The parts that are undone.
    undone: Vec<u64>,
    /// Those that could not be.
    failed: Vec<u64>,
}

/// Renewals in one lease.
const RENEWALS: u32 = 5;

/// An answer that does not come is asked for again: the node does not suspend its custodian when
/// we read too slowly, it drops the answer.
const ASK_AGAIN_AFTER: Duration = Duration::from_secs(2);

/// How long the sentinel may take after a custodian that was killed; as long as a stop.
const SENTINEL_MAX: Duration = super::STOP_MAX;

impl Ask<'_> {
    pub(super) async fn answer(self, within: Duration) -> Result<Vec<u8>, Error> {
        let began = Instant::now();
        while began.elapsed() < within {
            let (answer, receiver) = oneshot::channel();
            let command = Command::Ask { id: self.id, message: self.message.clone(), answer };
            if self.commands.send(command).is_err() {
                return Err(self.shared.gone());
            }
            match timeout(ASK_AGAIN_AFTER, receiver).await {
                Ok(Ok(answer)) => return Ok(answer),
                Ok(Err(_)) => return Err(self.shared.gone()),
                Err(_) => {}
            }
        }
        Err(Error::new(
            ErrorKind::Deadline,
            format!(
                "the keeper did not answer within {within:?}; is the node frozen, or too busy?"
            ),
        ))
    }
}

impl Default for Shared {
    fn default() -> Self {
        Self {
            records: Mutex::default(),
            end: watch::Sender::new(None),
            unsent_renewals: AtomicU64::new(0),
        }
    }
}

impl Shared {
    /// It will be made; written down before anything is sent.
    pub(super) fn begin(&self, name: &str) {
        let change = KeptChange {
            name: name.to_owned(),
            made: Instant::now(),
            restored: Restored::NotYet,
            restored_at: None,
        };
        self.records().push(Record { change, parts: Vec::new(), is_whole: false, is_stuck: false });
    }

    /// A part of it will be made.
    pub(super) fn add_part(&self, name: &str, part: u64) {
        if let Some(record) = self.records().iter_mut().find(|it| it.is_now(name)) {
            record.parts.push(part);
        }
    }

    /// The node says that it is made.
    pub(super) fn made(&self, name: &str) {
        if let Some(record) = self.records().iter_mut().find(|it| it.is_now(name)) {
            record.is_whole = true;
            record.change.made = Instant::now();
        }
    }

    pub(super) fn is_whole(&self, name: &str) -> bool {
        self.records().iter().any(|it| it.is_now(name) && it.is_whole)
    }

    /// The parts of a setting that is made, or begun, the last one first.
    pub(super) fn parts_of(&self, name: &str) -> Vec<u64> {
        let records = self.records();
        let parts = records.iter().filter(|it| it.is_now(name)).flat_map(|it| &it.parts);
        parts.rev().copied().collect()
    }

    /// The node says that it is undone.
    pub(super) fn undone(&self, name: &str) {
        // What was never wholly made is nobody's change.
        self.records().retain(|it| it.is_whole || !it.is_now(name));
        self.restore(Restored::Yes, |it| it.change.name == name);
    }

    /// Nobody is there any more to see it.
    pub(super) fn undone_without_us(&self) {
        self.restore(Restored::ByTheNode, |it| !it.is_stuck);
    }

    pub(super) fn changes(&self) -> Vec<KeptChange> {
        self.records().iter().map(|it| it.change.clone()).collect()
    }

    pub(super) async fn ended(&self) -> KeeperEnd {
        let mut end = self.end.subscribe();
        let found = match end.wait_for(Option::is_some).await {
            Ok(found) => found.clone(),
            Err(_) => None,
        };
        found.unwrap_or(KeeperEnd::Connection)
    }

    pub(super) fn gone(&self) -> Error {
        let why = match self.end.borrow().clone() {
            Some(KeeperEnd::LeaseLapsed) => "the node did not hear from us in time".to_owned(),
            Some(KeeperEnd::Killed) => "somebody killed it".to_owned(),
            Some(KeeperEnd::Connection) | None => "the connection ended".to_owned(),
            Some(KeeperEnd::Stopped) => "it was stopped".to_owned(),
            Some(KeeperEnd::Other(why)) => why,
        };
        let text = format!("the keeper is gone, and with it what it held ({why}); start another");
        Error::new(ErrorKind::Closed, text)
    }

    fn restore(&self, how: Restored, which: impl Fn(&Record) -> bool) {
        let now = Instant::now();
        for record in self.records().iter_mut().filter(|it| it.is_made() && which(it)) {
            record.change.restored = how;
            record.change.restored_at = Some(now);
        }
    }

    fn records(&self) -> MutexGuard<'_, Vec<Record>> {
        self.records.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Record {
    fn is_made(&self) -> bool {
        self.change.restored == Restored::NotYet
    }

    fn is_now(&self, name: &str) -> bool {
        self.is_made() && self.change.name == name
    }
}

impl Actor {
    pub(super) fn new(
        mailbox: Mailbox,
        custodian: Pid,
        sentinel: Pid,
        shared: Arc<Shared>,
    ) -> Self {
        Self { mailbox, custodian, sentinel, shared, waiting: HashMap::new(), sentinel_end: None }
    }

    /// Until the keeper is gone, or its handle dropped: then the mailbox goes too, and with its
    /// link everything that was made.
    pub(super) async fn run(
        mut self,
        mut commands: mpsc::UnboundedReceiver<Command>,
        lease: Duration,
    ) {
        let mut renewals = interval((lease / RENEWALS).max(Duration::from_millis(1)));
        renewals.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let end = loop {
            tokio::select! {
                command = commands.recv() => match command {
                    Some(command) => self.obey(command).await,
                    None => return,
                },
                message = self.mailbox.recv() => match message {
                    Ok(Message::Term(payload)) => self.hand_out(&payload),
                    Ok(Message::Exit { from, reason }) => {
                        if let Some(end) = self.ended(&from, &reason).await {
                            break end;
                        }
                    }
                    Ok(_) => {}
                    Err(_) => break KeeperEnd::Connection,
                },
                _ = renewals.tick() => self.renew().await,
            }
        };
        self.shared.undone_without_us();
        self.shared.end.send_replace(Some(end));
    }

    async fn obey(&mut self, command: Command) {
        match command {
            Command::Ask { id, message, answer } => {
                self.waiting.retain(|_, it| !it.is_closed());
                self.waiting.insert(id, answer);
                self.send(&message).await;
            }
            Command::Stop => {
                self.send(&Term::atom("stop")).await;
            }
        }
    }

    async fn renew(&self) {
        if !self.send(&Term::atom("renew")).await {
            self.shared.unsent_renewals.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Sends to the custodian now or not at all: a full queue of a frozen connection must not keep
    /// this task from hearing how it ends.
    async fn send(&self, message: &Term<'_>) -> bool {
        let sent = timeout(Duration::ZERO, self.mailbox.send(&self.custodian, message)).await;
        matches!(sent, Ok(Ok(())))
    }

    /// `{done, Id, Answer}`; anything else is nothing that we know.
    fn hand_out(&mut self, payload: &Payload) {
        if let Ok((id, answer)) = done(payload.bytes())
            && let Some(waiting) = self.waiting.remove(&id)
        {
            // Without a receiver the question was given up.
            drop(waiting.send(answer));
        }
    }

    /// What the end of one of them means for all.
    async fn ended(&mut self, from: &Pid, reason: &Payload) -> Option<KeeperEnd> {
        if *from == self.sentinel {
            // The custodian tells of this too, after it has cleaned up.
            self.sentinel_end = Some(reason.clone());
        }
        if *from != self.custodian {
            return None;
        }
        let words = last_words(reason.bytes());
        if let Some(words) = &words {
            self.mark(words);
            if words.failed.is_empty() {
                return Some(end(&words.why));
            }
        }
        // It was killed, or failed in part: the sentinel does what it knows.
        let told = timeout(SENTINEL_MAX, self.sentinel_ended()).await;
        match told {
            Ok(Ok(Some(told))) => self.mark(&told),
            Ok(Ok(None)) | Err(_) => {}
            Ok(Err(_)) => return Some(KeeperEnd::Connection),
        }
        Some(match words {
            Some(words) => end(&words.why),
            None => killed(reason),
        })
    }

    async fn sentinel_ended(&mut self) -> Result<Option<LastWords>, Error> {
        loop {
            if let Some(reason) = self.sentinel_end.take() {
                return Ok(last_words(reason.bytes()));
            }
            if let Message::Exit { from, reason } = self.mailbox.recv().await?
                && from == self.sentinel
            {
                self.sentinel_end = Some(reason);
            }
        }
    }

    /// What the node said is undone, and what it said is not.
    fn mark(&self, words: &LastWords) {
        let (undone, failed) = (&words.undone, &words.failed);
        self.shared.restore(Restored::Yes, |it| it.parts.iter().all(|part| undone.contains(part)));
        for record in self.shared.records().iter_mut() {
            record.is_stuck = record.parts.iter().any(|part| failed.contains(part));
        }
    }
}

fn end(why: &str) -> KeeperEnd {
    match why {
        "stopped" => KeeperEnd::Stopped,
        "lapsed" => KeeperEnd::LeaseLapsed,
        "sentinel" => KeeperEnd::Killed,
        "client" => KeeperEnd::Connection,
        "asked" => KeeperEnd::Other("somebody at the node asked it to end".to_owned()),
        other => KeeperEnd::Other(other.to_owned()),
    }
}

fn killed(reason: &Payload) -> KeeperEnd {
    match reason.term() {
        Ok(term) if term.is_atom("killed") => KeeperEnd::Killed,
        Ok(term) if term.is_atom("noconnection") => KeeperEnd::Connection,
        Ok(term) => KeeperEnd::Other(term.to_string().chars().take(400).collect()),
        Err(error) => KeeperEnd::Other(format!("for a reason that cannot be read ({error})")),
    }
}

pub(crate) fn done(bytes: &[u8]) -> Result<(u64, Vec<u8>), DecodeError> {
    let mut reader = Reader::new(bytes);
    reader.tuple_of(3)?;
    reader.expect_atom("done")?;
    let id = reader.uint()?;
    Ok((id, reader.raw()?.to_vec()))
}

/// `{restored | partly, Why, [{Id, ok | {Class, Reason}}]}`, or nothing when it was killed.
fn last_words(bytes: &[u8]) -> Option<LastWords> {
    let term = Term::decode(bytes).ok()?;
    let [whole, why, parts] = term.as_tuple()? else { return None };
    if !whole.is_atom("restored") && !whole.is_atom("partly") {
        return None;
    }
    let (mut undone, mut failed) = (Vec::new(), Vec::new());
    for part in parts.as_list().unwrap_or_default() {
        let Some([id, result]) = part.as_tuple() else { continue };
        let Some(id) = id.as_int().and_then(|it| u64::try_from(it).ok()) else { continue };
        if result.is_atom("ok") { undone.push(id) } else { failed.push(id) }
    }
    Some(LastWords { why: why.as_atom()?.to_owned(), undone, failed })
}
