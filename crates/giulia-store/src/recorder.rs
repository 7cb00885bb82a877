//! Recording: whoever records hands over bytes and goes on; one thread writes them.
//!
//! What cannot be written is held in memory, up to a limit, and tried again each second; how it
//! stands is [`Recorder::health`].

use std::{
    collections::VecDeque,
    mem,
    path::{Path, PathBuf},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use giulia_model::Session;

use crate::{
    Error, ErrorKind, Kind, Store, export, live, record::Packer, rows::Raw, schema, writer,
};

/// Most bytes held, compressed, while the store cannot be written to; above it the newest
/// are refused. At 1.1 KB a tick (see `record.rs`) this is
/// 16 hours of one tick a second.
pub const HELD_BYTES_MAX: usize = 64 << 20;

/// How long the end of a session waits for a store that cannot be written to.
const FINISH: Duration = Duration::from_secs(3);

/// Records a session; dropping it without [`Recorder::finish`] leaves the session as one whose
/// giulia was killed, with everything that was appended.
#[derive(Debug)]
pub struct Recorder {
    store: Store,
    name: String,
    packer: Mutex<Packer>,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<Left>>,
    // Last, so that the session counts as recorded until its thread is done.
    _lock: live::Held,
}

/// How writing goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Health {
    /// What was appended is on disk, or will be in a moment.
    Ok,
    /// The store cannot be written to; it is tried again each second.
    Failing {
        /// Since when.
        since: Instant,
        /// Records that are in memory only.
        held_records: u64,
        /// Their bytes, compressed.
        held_bytes: u64,
        /// What the last try ran into.
        why: String,
    },
}

/// Between those who record and the thread that writes.
#[derive(Debug, Default)]
pub(crate) struct Shared {
    pub(crate) state: Mutex<State>,
    pub(crate) changed: Condvar,
}

#[derive(Debug, Default)]
pub(crate) struct State {
    pub(crate) queue: VecDeque<Raw>,
    /// The head to be written, as JSON.
    pub(crate) head: Option<String>,
    pub(crate) next_seq: u64,
    /// In memory only: in the queue and in the hands of the thread.
    pub(crate) held_records: u64,
    pub(crate) held_bytes: usize,
    /// Heads handed over and heads written.
    pub(crate) heads_given: u64,
    pub(crate) heads_written: u64,
    pub(crate) failing: Option<(Instant, String, ErrorKind)>,
    /// When the thread gives up; set once nothing more comes.
    pub(crate) until: Option<Instant>,
    /// The session ends well: its head is the last one.
    pub(crate) is_ending: bool,
}

/// What could not be written at the end, and why.
#[derive(Debug, Default)]
pub(crate) struct Left {
    pub(crate) records: Vec<Raw>,
    pub(crate) error: Option<Error>,
}

impl Recorder {
    pub(crate) fn begin(store: &Store, session: &Session) -> Result<Self, Error> {
        let path = &store.inner.path;
        let db = schema::open_again(path)?;
        let token = writer::token(&db, path)?;
        let lock = live::hold(path, &token)?;
        let id = writer::insert_session(&db, path, session, Some(&token))?;
        let shared = Arc::new(Shared::default());
        let writer = writer::Writer::new(db, path.clone(), id, Arc::clone(&shared));
        let thread = thread::Builder::new()
            .name("giulia-store".to_owned())
            .spawn(move || writer.run())
            .map_err(|it| Error::io("starting the thread that writes to", path, it))?;
        Ok(Self {
            store: store.clone(),
            name: session.name.clone(),
            packer: Mutex::new(Packer::new()?),
            shared,
            thread: Some(thread),
            _lock: lock,
        })
    }

    /// Hands over a record; it is on disk a moment later, or held while that is not possible.
    ///
    /// # Errors
    /// `TooLarge` for this record alone; the kind of what the store fails with when
    /// [`HELD_BYTES_MAX`] are held: this record is not kept, those before it are.
    #[expect(clippy::needless_pass_by_value, reason = "who records gives it away")]
    pub fn append(&self, kind: Kind, at_ms: u64, body: Vec<u8>) -> Result<(), Error> {
        // Held over the push, so that records are in the queue in the order of their `seq`.
        let mut packer = self.packer.lock().unwrap_or_else(PoisonError::into_inner);
        let seq = self.shared.lock().next_seq;
        let ready = packer.pack(kind.name(), seq, &body)?;
        let mut state = self.shared.lock();
        if state.held_bytes + ready.body.len() > HELD_BYTES_MAX {
            packer.forget();
            return Err(self.too_much(&state));
        }
        state.next_seq += 1;
        state.held_records += 1;
        state.held_bytes += ready.body.len();
        state.queue.push_back(Raw::new(seq, at_ms, kind.name().into(), ready));
        drop(state);
        self.shared.changed.notify_all();
        Ok(())
    }

    /// Replaces the head of the session; the latest wins.
    ///
    /// # Errors
    /// `Io` when the head cannot be encoded.
    pub fn update(&self, session: &Session) -> Result<(), Error> {
        let head = writer::encode(session)?;
        let mut state = self.shared.lock();
        state.head = Some(head);
        state.heads_given += 1;
        drop(state);
        self.shared.changed.notify_all();
        Ok(())
    }

    /// How writing goes.
    pub fn health(&self) -> Health {
        let state = self.shared.lock();
        match &state.failing {
            None => Health::Ok,
            Some((since, why, _)) => Health::Failing {
                since: *since,
                held_records: state.held_records,
                held_bytes: state.held_bytes as u64,
                why: why.clone(),
            },
        }
    }

    /// Waits until everything that was handed over so far is on disk.
    ///
    /// # Errors
    /// `Timeout`, or the kind of what the store fails with, after `timeout`.
    pub fn flush(&self, timeout: Duration) -> Result<(), Error> {
        let until = Instant::now() + timeout;
        let mut state = self.shared.lock();
        let (seq, head) = (state.next_seq, state.heads_given);
        loop {
            let is_written = state.next_seq - state.held_records >= seq;
            if is_written && state.heads_written >= head {
                return Ok(());
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(self.not_flushed(&state));
            }
            let waited = self.shared.changed.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Writes what is left and the last head, and lets go of the session. A store that still
    /// cannot be written to is waited for three seconds; then the whole session is exported
    /// to a file in the system's temporary folder.
    ///
    /// # Errors
    /// The kind of what the store failed with; the text says what was kept and where.
    pub fn finish(mut self, session: &Session) -> Result<(), Error> {
        self.shared.lock().is_ending = true;
        self.update(session)?;
        let left = self.stop(FINISH);
        let Some(error) = left.error else { return Ok(()) };
        Err(self.rescue(session, &left.records, &error))
    }

    /// Ends the thread, which may go on trying for `patience`.
    fn stop(&mut self, patience: Duration) -> Left {
        self.shared.lock().until = Some(Instant::now() + patience);
        self.shared.changed.notify_all();
        let Some(thread) = self.thread.take() else { return Left::default() };
        thread.join().unwrap_or_default()
    }

    /// The whole session, stored and held, as an export somewhere else.
    fn rescue(&self, session: &Session, held: &[Raw], error: &Error) -> Error {
        let n_held = held.len();
        let path = rescue_path(&self.name);
        let text = match export::rescue(&self.store, session, held, &path) {
            Ok(n_stored) => format!(
                "ending session {}: {error}; the whole session ({n_stored} records of the store, \
                 {n_held} that were held) is in {}: `giulia delete {}` and `giulia import` of \
                 that file bring it back",
                self.name,
                path.display(),
                self.name
            ),
            Err(it) => format!(
                "ending session {}: {error}; the last {n_held} records are lost, because \
                 {} could not be written either ({it}); what was stored before is there",
                self.name,
                path.display()
            ),
        };
        Error::new(error.kind(), text)
    }

    fn too_much(&self, state: &State) -> Error {
        let kind = state.failing.as_ref().map_or(ErrorKind::TooLarge, |it| it.2);
        let why = state.failing.as_ref().map_or("its disk does not keep up", |it| it.1.as_str());
        let text = format!(
            "recording session {}: {} records ({} bytes) are held already; {why}; this record \
             was not kept",
            self.name, state.held_records, state.held_bytes
        );
        Error::new(kind, text)
    }

    fn not_flushed(&self, state: &State) -> Error {
        let kind = state.failing.as_ref().map_or(ErrorKind::Timeout, |it| it.2);
        let why = state.failing.as_ref().map_or("its disk is slow", |it| it.1.as_str());
        let text = format!(
            "waiting for session {} to be on disk: {} records are still held; {why}",
            self.name, state.held_records
        );
        Error::new(kind, text)
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        drop(mem::take(&mut self.stop(Duration::ZERO).records));
    }
}

impl Shared {
    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Where a session goes that its own store cannot take.
fn rescue_path(name: &str) -> PathBuf {
    let safe: String = name
        .chars()
        .map(|it| if it.is_alphanumeric() || "-_.@".contains(it) { it } else { '_' })
        .collect();
    let name = format!("giulia-rescued-{safe}-{}.giulia", std::process::id());
    std::env::temp_dir().join(Path::new(&name))
}
