//! The store as its users see it: list, find, begin, read, delete.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use giulia_model::{Ended, Session};
use rusqlite::{Connection, OptionalExtension, Row};

use crate::{
    Error, ErrorKind, Kind, Record, Recorder, live,
    record::Unpacker,
    rows::{self, Raw},
    schema::{self, Reading},
};

/// Longest name of a session, in bytes: it becomes part of file names, which end at 255.
const NAME_BYTES_MAX: usize = 128;

/// Records that are tried for the last sound one; a page of the file has fewer of them.
const LAST_TRIED: usize = 16;

/// Pages of the file that one call gives back to the disk, so that nobody waits long: 64 MB.
const PAGES_FREED: u32 = 16_384;

const SESSION_COLUMNS: &str = "id, name, started_at, head, token, ticks, bytes";

/// Sessions in one file; cloning is cheap, all clones share one connection.
#[derive(Debug, Clone)]
pub struct Store {
    pub(crate) inner: Arc<Inner>,
}

/// What an opened store may be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Mode {
    /// Everything; the folder and the file are made where they are missing.
    ReadWrite,
    /// Reading; a file that is not there reads as an empty store.
    ReadOnly,
}

/// Means the newest session, so none is called so.
const LAST: &str = "last";

/// A session that the store has.
#[derive(Debug, Clone, PartialEq)]
pub struct Stored {
    /// Its head. `ticks` is what the store holds, `ended` says [`Ended::Killed`] where its giulia
    /// is gone without a word.
    pub session: Session,
    /// It is being recorded now.
    pub running: bool,
    /// Bytes of its records on disk, compressed.
    pub bytes: u64,
}

/// Records in order, and what of them could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// What could be read.
    pub records: Vec<Record>,
    /// What could not.
    pub problems: Vec<Problem>,
    /// The last `seq` that was looked at, for the next page; absent at the end.
    pub next_after: Option<u64>,
}

/// A record that is damaged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Its place in the session.
    pub seq: u64,
    /// What is wrong with it.
    pub why: String,
}

#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) path: PathBuf,
    mode: Mode,
    db: Mutex<Connection>,
    // After the connection, so that it is closed first.
    _copy: Option<schema::Copy>,
}

/// A row of `session`, which does not leave the crate.
pub(crate) struct Head {
    pub(crate) id: i64,
    name: String,
    started_at: String,
    json: String,
    token: Option<String>,
    ticks: u64,
    bytes: u64,
}

impl Store {
    /// Opens the file at `path`; with [`Mode::ReadWrite`] it makes the folder (for this user
    /// only) and the file, and converts what an older giulia wrote, after a copy beside it.
    ///
    /// # Errors
    /// `Newer`, `Corrupt`, `ReadOnly`, `Full`, `Locked`, `Io`.
    pub fn open(path: &Path, mode: Mode) -> Result<Self, Error> {
        let Reading { db, copy } = match mode {
            Mode::ReadWrite => Reading { db: schema::open_for_writing(path)?, copy: None },
            Mode::ReadOnly => schema::open_for_reading(path)?,
        };
        let inner = Inner { path: path.to_owned(), mode, db: Mutex::new(db), _copy: copy };
        let store = Self { inner: Arc::new(inner) };
        if mode == Mode::ReadWrite {
            store.forget_the_dead()?;
        }
        Ok(store)
    }

    /// All sessions, the newest first.
    ///
    /// # Errors
    /// `Corrupt`, `Locked`, `Io`.
    pub fn sessions(&self) -> Result<Vec<Stored>, Error> {
        let sql = format!(
            "SELECT {SESSION_COLUMNS} FROM session
             ORDER BY substr(started_at, 1, 19) DESC, id DESC"
        );
        let heads = self.read("listing the sessions of", |db| {
            db.prepare_cached(&sql)?.query_map([], Head::of)?.collect::<Result<Vec<_>, _>>()
        })?;
        heads.into_iter().map(|it| self.stored(it)).collect()
    }

    /// The session of this name; or the only one whose name begins so; or, for `last`, the
    /// newest.
    ///
    /// # Errors
    /// `NoSession` when there is none or more than one; else as [`Store::sessions`].
    pub fn find(&self, name: &str) -> Result<Stored, Error> {
        self.stored(self.head(name)?)
    }

    /// Begins a session and records it from then on.
    ///
    /// # Errors
    /// `NameTaken`, `BadName`, `ReadOnly`, `Full`, `Locked`, `Io`.
    pub fn begin(&self, session: &Session) -> Result<Recorder, Error> {
        self.must_write("recording into")?;
        check_name(&session.name)?;
        Recorder::begin(self, session)
    }

    /// Up to `limit` records of these kinds, in order, after the one with `seq` `after`.
    ///
    /// # Errors
    /// `Corrupt` with the first damaged record; [`Store::page`] reads past it. `NoSession`,
    /// `Locked`, `Io`.
    pub fn records(
        &self,
        name: &str,
        kinds: &[Kind],
        after: Option<u64>,
        limit: usize,
    ) -> Result<Vec<Record>, Error> {
        let page = self.page(name, kinds, after, limit)?;
        let Some(problem) = page.problems.first() else { return Ok(page.records) };
        let text = format!(
            "reading record {} of session {name} in {}: {}; the rest of the session can be read",
            problem.seq,
            self.inner.path.display(),
            problem.why
        );
        Err(Error::new(ErrorKind::Corrupt, text))
    }

    /// The same, with damaged records as problems; up to `limit` of both.
    ///
    /// # Errors
    /// `NoSession`, `Locked`, `Io`.
    pub fn page(
        &self,
        name: &str,
        kinds: &[Kind],
        after: Option<u64>,
        limit: usize,
    ) -> Result<Page, Error> {
        let id = self.head(name)?.id;
        let mut page = Page { records: Vec::new(), problems: Vec::new(), next_after: None };
        let rows = match self.read("reading", |db| rows::select(db, id, kinds, after, limit)) {
            Err(it) if it.kind() == ErrorKind::Corrupt => {
                self.around_damage(id, (kinds, after, limit), &mut page.problems)?
            }
            it => it?,
        };
        if rows.len() + page.problems.len() >= limit {
            let last = rows.last().map(|it| it.seq);
            page.next_after = last.max(page.problems.last().map(|it| it.seq));
        }
        let mut unpacker = Unpacker::new()?;
        for row in rows {
            // A kind that a later giulia invented is not ours to show.
            let Some(kind) = Kind::from_name(&row.kind) else { continue };
            match unpacker.unpack(&row, |base| self.row(id, base)) {
                Ok(body) => {
                    page.records.push(Record { seq: row.seq, at_ms: row.at_ms, kind, body });
                }
                Err(why) => page.problems.push(Problem { seq: row.seq, why }),
            }
        }
        page.problems.sort_by_key(|it| it.seq);
        Ok(page)
    }

    /// When its last record of this kind was made, in milliseconds from the start of the session,
    /// without reading the others; none where there is none, or where damage is in the way.
    ///
    /// # Errors
    /// `NoSession`, `Locked`, `Io`.
    pub fn last_at_ms(&self, name: &str, kind: Kind) -> Result<Option<u64>, Error> {
        let id = self.head(name)?.id;
        match self.read("reading", |db| rows::select_last(db, id, &[kind], LAST_TRIED)) {
            Ok(rows) => Ok(rows.iter().find(|it| it.checked().is_ok()).map(|it| it.at_ms)),
            Err(it) if it.kind() == ErrorKind::Corrupt => Ok(None),
            Err(it) => Err(it),
        }
    }

    /// Deletes a session and gives its space back to the disk.
    ///
    /// # Errors
    /// `Running` while it is recorded, `NoSession`, `ReadOnly`, `Full`, `Locked`, `Io`.
    pub fn delete(&self, name: &str) -> Result<(), Error> {
        self.must_write("deleting from")?;
        let head = self.head(name)?;
        if head.token.as_ref().is_some_and(|it| live::is_held(&self.inner.path, it)) {
            let text =
                format!("deleting session {}: it is being recorded; stop it first", head.name);
            return Err(Error::new(ErrorKind::Running, text));
        }
        self.read("deleting from", |db| delete(db, head.id))?;
        if let Some(token) = head.token {
            live::forget(&self.inner.path, &token);
        }
        Ok(())
    }

    /// The row of a session by name, prefix or `last`.
    pub(crate) fn head(&self, name: &str) -> Result<Head, Error> {
        let exact = format!("SELECT {SESSION_COLUMNS} FROM session WHERE name = ?1");
        let last = format!(
            "SELECT {SESSION_COLUMNS} FROM session
             ORDER BY substr(started_at, 1, 19) DESC, id DESC LIMIT 1"
        );
        let prefix = format!(
            "SELECT {SESSION_COLUMNS} FROM session
             WHERE substr(name, 1, length(?1)) = ?1 ORDER BY name LIMIT 5"
        );
        let mut found = self.read("looking for a session in", |db| {
            let found = db.query_row(&exact, [name], Head::of).optional()?;
            if let Some(it) = found {
                return Ok(vec![it]);
            }
            if name == LAST {
                return Ok(db.query_row(&last, [], Head::of).optional()?.into_iter().collect());
            }
            db.prepare_cached(&prefix)?.query_map([name], Head::of)?.collect()
        })?;
        let others: Vec<_> = found.iter().map(|it| it.name.clone()).collect();
        match (found.pop(), others.len()) {
            (Some(it), 1) => Ok(it),
            (found, _) => Err(self.no_session(name, found.is_some().then_some(&others))),
        }
    }

    fn no_session(&self, name: &str, several: Option<&Vec<String>>) -> Error {
        if several.is_none() && name == LAST {
            let path = self.inner.path.display();
            let text = format!("no session in {path} yet; record one: giulia observe NODE");
            return Error::new(ErrorKind::NoSession, text);
        }
        let why = match several {
            Some(names) => format!("several begin so: {}", names.join(", ")),
            None => "there is none".to_owned(),
        };
        let text = format!(
            "looking for session {name:?} in {}: {why}; see `giulia sessions`",
            self.inner.path.display()
        );
        Error::new(ErrorKind::NoSession, text)
    }

    /// The records of a page one by one, because not all of them can be reached.
    fn around_damage(
        &self,
        session: i64,
        (kinds, after, limit): (&[Kind], Option<u64>, usize),
        problems: &mut Vec<Problem>,
    ) -> Result<Vec<Raw>, Error> {
        let known =
            self.read("reading", |db| rows::select_seqs(db, session, kinds, after, limit))?;
        let mut rows = Vec::new();
        for seq in known {
            match self.row(session, seq) {
                Ok(it) => rows.push(it),
                Err(why) => problems.push(Problem { seq, why }),
            }
        }
        Ok(rows)
    }

    /// One record of a session, or why it cannot be had.
    pub(crate) fn row(&self, session: i64, seq: u64) -> Result<Raw, String> {
        let found = self.read("reading", |db| rows::select_one(db, session, seq));
        found.map_err(|it| it.to_string())?.ok_or_else(|| "it is missing".to_owned())
    }

    /// A row as its users see it, with who records it now.
    fn stored(&self, mut head: Head) -> Result<Stored, Error> {
        let mut running = false;
        let mut killed = false;
        if let Some(token) = &head.token {
            running = live::is_held(&self.inner.path, token);
            if !running {
                // It may have ended between our reading its row and asking for its lock.
                let sql = format!("SELECT {SESSION_COLUMNS} FROM session WHERE id = ?1");
                let again =
                    self.read("reading", |db| db.query_row(&sql, [head.id], Head::of).optional())?;
                head = again.unwrap_or(head);
                killed = head.token.is_some();
            }
        }
        let mut session = head.session();
        session.ticks = head.ticks;
        if killed && session.ended.is_none() {
            session.ended = Some(Ended::Killed);
        }
        Ok(Stored { session, running, bytes: head.bytes })
    }

    /// Lock files of giulias that were killed.
    fn forget_the_dead(&self) -> Result<(), Error> {
        let tokens: BTreeSet<String> = self.read("opening", |db| {
            db.prepare("SELECT token FROM session WHERE token IS NOT NULL")?
                .query_map([], |row| row.get(0))?
                .collect()
        })?;
        for token in tokens.iter().filter(|it| !live::is_held(&self.inner.path, it)) {
            live::forget(&self.inner.path, token);
        }
        Ok(())
    }

    pub(crate) fn must_write(&self, doing: &str) -> Result<(), Error> {
        if self.inner.mode == Mode::ReadWrite {
            return Ok(());
        }
        let text = format!("{doing} {}: it was opened for reading", self.inner.path.display());
        Err(Error::new(ErrorKind::ReadOnly, text))
    }

    pub(crate) fn read<T>(
        &self,
        doing: &str,
        act: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, Error> {
        act(&self.lock()).map_err(|it| Error::sqlite(doing, &self.inner.path, it))
    }

    fn lock(&self) -> MutexGuard<'_, Connection> {
        self.inner.db.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Head {
    fn of(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            id: row.get(0)?,
            name: row.get(1)?,
            started_at: row.get(2)?,
            json: row.get(3)?,
            token: row.get(4)?,
            ticks: row.get(5)?,
            bytes: row.get(6)?,
        })
    }

    /// What the head says; of a damaged one, what the row itself knows, so that the session
    /// is still listed and read.
    fn session(&self) -> Session {
        serde_json::from_str(&self.json).unwrap_or_else(|_| Session {
            name: self.name.clone(),
            node: "?".to_owned(),
            started_at: self.started_at.clone(),
            ended_at: None,
            ended: None,
            every_ms: 0,
            ticks: self.ticks,
            ticks_missed: 0,
            facts: None,
            workload: None,
            manifest: Vec::new(),
            giulia_version: "?".to_owned(),
        })
    }
}

fn delete(db: &Connection, session: i64) -> rusqlite::Result<()> {
    db.execute("DELETE FROM session WHERE id = ?1", [session])?;
    // Frees one page a step.
    let mut free = db.prepare(&format!("PRAGMA incremental_vacuum({PAGES_FREED})"))?;
    let mut steps = free.query([])?;
    while steps.next()?.is_some() {}
    // Moves the log into the file. A reader may be in its way; then a later one does it.
    db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
}

/// Is this a name that a session may have?
pub(crate) fn check_name(name: &str) -> Result<(), Error> {
    let why = if name.is_empty() {
        "it is empty"
    } else if name.len() > NAME_BYTES_MAX {
        "it has more than 128 bytes"
    } else if name == LAST {
        "it means the newest session"
    } else if name.chars().any(char::is_control) {
        "it has control characters"
    } else {
        return Ok(());
    };
    let text = format!("naming a session {name:?}: {why}; take another name");
    Err(Error::new(ErrorKind::BadName, text))
}
