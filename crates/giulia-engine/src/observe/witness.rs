//! The database behind the node, as a second witness: read when a session begins, every ten seconds,
//! around each closer look at calls, and when it ends, by a task of its own that the ticks do not wait
//! for.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use giulia_model::{DatabaseEvent, DatabaseRecord, Mark, MarkKind, NotSeen};
use giulia_postgres::{Account, DatabaseUrl, ErrorKind as Postgres};
use tokio::sync::{
    Notify,
    mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
};

use super::millis;
use crate::{Cancel, Error, ErrorKind, Stop};

/// What it is called.
const ACCOUNT: &str = "the database's own account";
/// The records' name and version.
const SCHEMA: &str = "giulia.database_record/1";
/// Between two readings: what is lost with a giulia that is killed, at a price of some milliseconds
/// of the server each (docs/evidence/04-nexus.md).
const EVERY: Duration = Duration::from_secs(10);
/// What the last reading may take: a statement has 5 s there.
const END_MAX: Duration = Duration::from_secs(8);

/// What was learned, and of which time.
#[derive(Debug)]
pub(super) struct Witnessed {
    from: Instant,
    to: Instant,
    event: DatabaseEvent,
}

/// A database that answered before anything is recorded.
#[derive(Debug)]
pub(super) enum Reached {
    /// Nobody asked for one.
    Nothing,
    Account(Box<Account>),
    /// It is there, and its statements cannot be seen.
    NotSeen(NotSeen),
}

/// Who reads it.
#[derive(Debug)]
pub(super) struct Witness {
    told: UnboundedReceiver<Witnessed>,
    end: Cancel,
    now: Arc<Notify>,
}

/// Looks for the database of a session.
///
/// # Errors
/// [`ErrorKind::Database`] where it cannot be reached or does not let us in.
pub(super) async fn reach(
    url: Option<&DatabaseUrl>,
    timeout: Duration,
    stop: &Stop,
) -> Result<Reached, Error> {
    let Some(url) = url else { return Ok(Reached::Nothing) };
    let stopped = || {
        let text = "interrupted while connecting to the database; nothing was recorded";
        Error::new(ErrorKind::Interrupted, text)
    };
    let reached = tokio::select! {
        biased;
        () = stop.asked() => return Err(stopped()),
        // It knows its own deadline, and says which server did not answer.
        reached = Account::reach(url, timeout) => reached,
    };
    match reached {
        Ok(account) => Ok(Reached::Account(Box::new(account))),
        Err(error) if error.kind() == Postgres::NotSeen => {
            Ok(Reached::NotSeen(not_seen(error.to_string())))
        }
        Err(error) => Err(Error::new(ErrorKind::Database(error.kind()), error.to_string())),
    }
}

fn not_seen(why: String) -> NotSeen {
    NotSeen { what: ACCOUNT.to_owned(), why }
}

/// Whether a mark tells of the database.
pub(crate) fn is_of_database(mark: &Mark) -> bool {
    mark.kind == MarkKind::Alarm && mark.text.starts_with(ACCOUNT)
}

impl Witness {
    /// Reads it for the first time and goes on by itself.
    pub(super) async fn begin(reached: Reached) -> Self {
        let (told_to, told) = unbounded_channel();
        let (end, now) = (Cancel::new(), Arc::new(Notify::new()));
        let tell = |event| {
            let now = Instant::now();
            // Both ends are ours.
            told_to.send(Witnessed { from: now, to: now, event }).ok();
        };
        match reached {
            Reached::Nothing => {}
            Reached::NotSeen(why) => tell(DatabaseEvent::NotSeen(why)),
            Reached::Account(mut account) => match account.begin().await {
                Ok(began) => {
                    tell(began);
                    tokio::spawn(watch(account, (end.stop(), Arc::clone(&now)), told_to));
                }
                Err(error) => tell(DatabaseEvent::NotSeen(not_seen(error.to_string()))),
            },
        }
        Self { told, end, now }
    }

    /// What it tells next; never where there is no more.
    pub(super) async fn told(&mut self) -> Witnessed {
        match self.told.recv().await {
            Some(told) => told,
            None => std::future::pending().await,
        }
    }

    /// It reads once now, and every ten seconds from here on.
    pub(super) fn read(&self) {
        self.now.notify_one();
    }

    /// It reads once more and is done.
    pub(super) fn end(&self) {
        self.end.cancel();
    }

    /// Everything that it still has to tell.
    pub(super) async fn rest(&mut self) -> Vec<Witnessed> {
        self.end();
        let mut rest = Vec::new();
        let all = async {
            while let Some(told) = self.told.recv().await {
                rest.push(told);
            }
        };
        tokio::time::timeout(END_MAX, all).await.ok();
        rest
    }
}

async fn watch(
    mut account: Box<Account>,
    (end, now): (Stop, Arc<Notify>),
    told_to: UnboundedSender<Witnessed>,
) {
    let mut from = account.read_at();
    loop {
        let is_last = tokio::select! {
            biased;
            () = end.asked() => true,
            () = now.notified() => false,
            () = tokio::time::sleep(EVERY) => false,
        };
        // One that is gone is not looked for any more at the end.
        if is_last && account.database().is_none() {
            return;
        }
        for event in account.read().await {
            if matches!(event, DatabaseEvent::Began(_)) {
                from = account.read_at();
            }
            let to = account.read_at().max(from);
            if told_to.send(Witnessed { from, to, event }).is_err() {
                return;
            }
        }
        if is_last {
            return account.close().await;
        }
    }
}

impl Witnessed {
    /// As a record of the session that started then.
    pub(super) fn record(self, started: Instant) -> DatabaseRecord {
        let at_ms = |it: Instant| millis(it.saturating_duration_since(started));
        let (from_ms, to_ms) = (at_ms(self.from), at_ms(self.to));
        DatabaseRecord { schema: SCHEMA.to_owned(), from_ms, to_ms, event: self.event }
    }

    /// What it is as something that happened in the session.
    pub(super) fn mark(&self) -> Option<(MarkKind, String)> {
        match &self.event {
            DatabaseEvent::Lost(it) => {
                let text = format!("{ACCOUNT} has a gap from here: {}", it.why);
                Some((MarkKind::Alarm, text))
            }
            DatabaseEvent::NotSeen(it) => {
                Some((MarkKind::Alarm, format!("{} is not seen: {}", it.what, it.why)))
            }
            DatabaseEvent::Began(_) | DatabaseEvent::Counted(_) => None,
        }
    }
}
