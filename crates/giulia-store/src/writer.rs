//! The thread that writes: what waits goes into one transaction, or is tried again.

use std::{
    fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::{Arc, PoisonError},
    time::{Duration, Instant},
};

use giulia_model::Session;
use rusqlite::{Connection, Transaction, TransactionBehavior, params};

use crate::{
    Error, ErrorKind, Kind,
    recorder::{Left, Shared},
    rows::{self, Raw},
};

/// How long after a failure it tries again.
const RETRY: Duration = Duration::from_secs(1);

/// Most bytes of one transaction, so that others who record into the same file get their turn.
const BATCH_BYTES: usize = 4 << 20;

/// The writing side of a recorder.
pub(crate) struct Writer {
    db: Connection,
    path: PathBuf,
    /// The device and the number of the file that we write to.
    file: Option<(u64, u64)>,
    session: i64,
    shared: Arc<Shared>,
}

/// What goes into one transaction.
#[derive(Default)]
struct Batch {
    records: Vec<Raw>,
    head: Option<String>,
    heads_given: u64,
    is_last: bool,
}

impl Writer {
    pub(crate) fn new(db: Connection, path: PathBuf, session: i64, shared: Arc<Shared>) -> Self {
        let file = identity(&path);
        Self { db, path, file, session, shared }
    }

    /// Until it is told that nothing more comes; what is left then, with the reason.
    pub(crate) fn run(mut self) -> Left {
        let mut batch = Batch::default();
        loop {
            if !self.wait(&mut batch) {
                return Left::default();
            }
            let Err(error) = self.write(&batch) else {
                self.written(&mut batch);
                continue;
            };
            let has_time = self.failed(&error);
            if !has_time {
                let mut records = batch.records;
                records.extend(self.shared.lock().queue.drain(..));
                return Left { records, error: Some(error) };
            }
        }
    }

    /// Waits for work and adds it to the batch; false when there is none and none will come.
    fn wait(&self, batch: &mut Batch) -> bool {
        let mut state = self.shared.lock();
        loop {
            let mut bytes: usize = batch.records.iter().map(|it| it.packed.body.len()).sum();
            while bytes < BATCH_BYTES {
                let Some(next) = state.queue.pop_front() else { break };
                bytes += next.packed.body.len();
                batch.records.push(next);
            }
            if let Some(head) = state.head.take() {
                batch.head = Some(head);
            }
            batch.heads_given = state.heads_given;
            batch.is_last = state.is_ending && state.queue.is_empty();
            if !batch.records.is_empty() || batch.head.is_some() {
                return true;
            }
            if state.until.is_some() {
                return false;
            }
            state = self.shared.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn write(&mut self, batch: &Batch) -> Result<(), Error> {
        // A file that was removed still takes what is written, and nobody will find it.
        if identity(&self.path) != self.file {
            let text = format!(
                "recording into {}: the file was moved or removed while a session is recorded \
                 into it; moving it back lets the session go on",
                self.path.display()
            );
            return Err(Error::new(ErrorKind::Io, text));
        }
        let session = self.session;
        write(&mut self.db, session, batch)
            .map_err(|it| Error::sqlite("recording into", &self.path, it))
    }

    fn written(&self, batch: &mut Batch) {
        let mut state = self.shared.lock();
        state.held_records = state.held_records.saturating_sub(batch.records.len() as u64);
        let bytes = batch.records.iter().map(|it| it.packed.body.len()).sum();
        state.held_bytes = state.held_bytes.saturating_sub(bytes);
        if batch.head.is_some() {
            state.heads_written = batch.heads_given;
        }
        state.failing = None;
        *batch = Batch::default();
        drop(state);
        self.shared.changed.notify_all();
    }

    /// Notes the failure and waits for the next try; false when there is no time for one.
    fn failed(&self, error: &Error) -> bool {
        let mut state = self.shared.lock();
        let since = state.failing.as_ref().map_or_else(Instant::now, |it| it.0);
        state.failing = Some((since, error.to_string(), error.kind()));
        self.shared.changed.notify_all();
        let retry_at = Instant::now() + RETRY;
        loop {
            // Somebody who stops recording does not wait for the second to pass.
            if state.until.is_some_and(|it| it <= Instant::now()) {
                return false;
            }
            let left = retry_at.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return true;
            }
            let waited = self.shared.changed.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

fn identity(path: &Path) -> Option<(u64, u64)> {
    fs::metadata(path).ok().map(|it| (it.dev(), it.ino()))
}

/// The session as it is stored.
pub(crate) fn encode(session: &Session) -> Result<String, Error> {
    serde_json::to_string(session).map_err(|it| {
        let text = format!("encoding the head of session {}: {it}", session.name);
        Error::new(ErrorKind::Io, text)
    })
}

/// A name for the lock of a session that no other one has.
pub(crate) fn token(db: &Connection, path: &Path) -> Result<String, Error> {
    db.query_row("SELECT lower(hex(randomblob(16)))", [], |row| row.get(0))
        .map_err(|it| Error::sqlite("beginning a session in", path, it))
}

/// Adds a session; its name must be free.
pub(crate) fn insert_session(
    db: &Connection,
    path: &Path,
    session: &Session,
    token: Option<&str>,
) -> Result<i64, Error> {
    let head = encode(session)?;
    let inserted = db.execute(
        "INSERT INTO session (name, started_at, head, token) VALUES (?1, ?2, ?3, ?4)",
        params![session.name, session.started_at, head, token],
    );
    match inserted {
        Ok(_) => Ok(db.last_insert_rowid()),
        Err(it) if it.sqlite_error_code() == Some(rusqlite::ErrorCode::ConstraintViolation) => {
            let text = format!(
                "beginning session {} in {}: there is one of that name; take another --name, or \
                 `giulia delete {}` first",
                session.name,
                path.display(),
                session.name
            );
            Err(Error::new(ErrorKind::NameTaken, text))
        }
        Err(it) => Err(Error::sqlite("beginning a session in", path, it)),
    }
}

fn write(db: &mut Connection, session: i64, batch: &Batch) -> rusqlite::Result<()> {
    let change = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
    add(&change, session, &batch.records)?;
    if let Some(head) = &batch.head {
        // Without a token nobody asks who records it.
        let sql = if batch.is_last {
            "UPDATE session SET head = ?2, token = NULL WHERE id = ?1"
        } else {
            "UPDATE session SET head = ?2 WHERE id = ?1"
        };
        change.prepare_cached(sql)?.execute(params![session, head])?;
    }
    change.commit()
}

fn add(change: &Transaction<'_>, session: i64, records: &[Raw]) -> rusqlite::Result<()> {
    records.iter().try_for_each(|it| rows::insert(change, session, it))?;
    let n_ticks = records.iter().filter(|it| it.kind == Kind::Tick.name()).count() as u64;
    let n_bytes: usize = records.iter().map(|it| it.packed.body.len()).sum();
    change
        .prepare_cached("UPDATE session SET ticks = ticks + ?2, bytes = bytes + ?3 WHERE id = ?1")?
        .execute(params![session, n_ticks, n_bytes as u64])
        .map(drop)
}
