//! The file: how it is opened, what is in it, how an older one becomes a current one.

use std::{
    collections::hash_map::RandomState,
    fs,
    hash::{BuildHasher, Hasher},
    io,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use rusqlite::{Connection, OpenFlags, TransactionBehavior};

use crate::{Error, ErrorKind};

/// `giul` in ASCII: tells our files from those of other programs (`PRAGMA application_id`).
const APPLICATION_ID: i64 = 0x6769_756c;

/// How long we wait for another giulia that writes; its transactions take milliseconds, a
/// conversion of a large store seconds.
const BUSY: Duration = Duration::from_secs(5);

/// Bytes of the write-ahead log that stay on disk after a checkpoint; SQLite checkpoints each
/// 1,000 pages (4 MB), and a backlog after a full disk may have grown it further.
const WAL_BYTES_KEPT: u64 = 8 << 20;

/// Each step makes a file of the version of its place into one of the next.
const STEPS: &[&str] = &[
    // 1: sessions and records. `meta` stays as it is in all versions, so that an older giulia
    // can say which newer one wrote a file.
    "CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
     CREATE TABLE session (
         id INTEGER PRIMARY KEY AUTOINCREMENT,
         name TEXT NOT NULL UNIQUE,
         started_at TEXT NOT NULL,
         head TEXT NOT NULL,
         token TEXT,
         ticks INTEGER NOT NULL DEFAULT 0,
         bytes INTEGER NOT NULL DEFAULT 0
     ) STRICT;
     CREATE TABLE record (
         id INTEGER PRIMARY KEY,
         session INTEGER NOT NULL REFERENCES session (id) ON DELETE CASCADE,
         seq INTEGER NOT NULL,
         at_ms INTEGER NOT NULL,
         kind TEXT NOT NULL,
         body BLOB NOT NULL
     ) STRICT;
     -- The kind is in it, so that marks are found without reading ticks.
     CREATE UNIQUE INDEX record_by_seq ON record (session, seq, kind);",
    // 2: a tick may lean on an earlier one, a third of the size; a sum over all of a record.
    "ALTER TABLE record ADD COLUMN base INTEGER;
     ALTER TABLE record ADD COLUMN sum INTEGER;",
    // 3: graphs of code. `size` is that of the body before it was packed.
    "CREATE TABLE graph (
         name TEXT PRIMARY KEY,
         head TEXT NOT NULL,
         size INTEGER NOT NULL,
         body BLOB NOT NULL
     ) STRICT;",
];

/// A connection that may write; makes the folder and the file, converts an older one.
pub(crate) fn open_for_writing(path: &Path) -> Result<Connection, Error> {
    make_private(path)?;
    let mut db = open_again(path)?;
    let failed = |it| Error::sqlite("opening", path, it);
    // The answer of a read-only file comes with the first write, so ask for one now.
    if db.is_readonly(rusqlite::MAIN_DB).map_err(failed)? {
        let text = format!(
            "opening {}: it may not be written to; --store takes another place",
            path.display()
        );
        return Err(Error::new(ErrorKind::ReadOnly, text));
    }
    if checked_version(&db, path)? < current() {
        convert(&mut db, path)?;
    }
    Ok(db)
}

/// A connection that only reads, and what must stay while it is used.
pub(crate) struct Reading {
    pub(crate) db: Connection,
    pub(crate) copy: Option<Copy>,
}

/// A private copy of a store, gone with its last reader.
#[derive(Debug)]
pub(crate) struct Copy(PathBuf);

/// Opens for reading, whatever may not be written there: where there is no file yet, an empty
/// store; where SQLite would have to write before it can read, the file as it stands or a copy.
pub(crate) fn open_for_reading(path: &Path) -> Result<Reading, Error> {
    let nothing = || match empty() {
        Ok(db) => Ok(Reading { db, copy: None }),
        Err(it) => Err(Error::sqlite("opening", path, it)),
    };
    if !path.try_exists().map_err(|it| Error::io("opening", path, it))? {
        return nothing();
    }
    let mut error = None;
    // A log that nobody replayed holds records; without one the file alone says everything.
    let has_log = fs::metadata(beside(path, "-wal")).is_ok_and(|it| it.len() > 0);
    let plain = connect(path, OpenFlags::SQLITE_OPEN_READ_ONLY);
    let still = || connect(&unchanging(path), IMMUTABLE);
    for attempt in [Some(plain), (!has_log).then(still)].into_iter().flatten() {
        match attempt.and_then(|db| checked_version(&db, path).map(|it| (db, it))) {
            Ok((db, version)) if version == current() => return Ok(Reading { db, copy: None }),
            // Another giulia is just making it.
            Ok((_, 0)) => return nothing(),
            // It cannot be converted where it is.
            Ok(_) => break,
            Err(it) if it.kind() == ErrorKind::ReadOnly => error = Some(it),
            Err(it) => return Err(it),
        }
    }
    copied(path).map_err(|it| error.unwrap_or(it))
}

const IMMUTABLE: OpenFlags = OpenFlags::SQLITE_OPEN_READ_ONLY.union(OpenFlags::SQLITE_OPEN_URI);

/// The name under which SQLite reads a file without asking for locks or a log.
fn unchanging(path: &Path) -> PathBuf {
    let escaped: String = path
        .as_os_str()
        .as_encoded_bytes()
        .iter()
        .map(|it| match it {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'.' | b'-' | b'_' => {
                char::from(*it).to_string()
            }
            it => format!("%{it:02x}"),
        })
        .collect();
    PathBuf::from(format!("file:{escaped}?immutable=1"))
}

/// A copy of the file and its log where we may write, converted there.
fn copied(path: &Path) -> Result<Reading, Error> {
    // Seeded by the system, so that no other process or thread has the same.
    let random = RandomState::new().build_hasher().finish();
    let folder = std::env::temp_dir().join(format!("giulia-store-{random:016x}"));
    let failed = |it| Error::io("copying, to read it,", path, it);
    fs::DirBuilder::new().mode(0o700).create(&folder).map_err(failed)?;
    let copy = Copy(folder);
    let target = copy.0.join("sessions.db");
    let log = beside(path, "-wal");
    copy_file(path, &target).map_err(failed)?;
    if log.exists() {
        copy_file(&log, &beside(&target, "-wal")).map_err(failed)?;
    }
    let db = open_for_writing(&target)?;
    Ok(Reading { db, copy: Some(copy) })
}

/// The bytes of a file in a new one of ours, whatever its permissions are.
fn copy_file(from: &Path, to: &Path) -> io::Result<()> {
    let mut options = fs::OpenOptions::new();
    let mut to = options.write(true).create_new(true).mode(0o600).open(to)?;
    io::copy(&mut fs::File::open(from)?, &mut to).map(drop)
}

impl Drop for Copy {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.0));
    }
}

fn empty() -> rusqlite::Result<Connection> {
    let db = Connection::open_in_memory()?;
    STEPS.iter().try_for_each(|it| db.execute_batch(it))?;
    Ok(db)
}

/// A connection that may write, to a file that a [`Store`](crate::Store) has opened before.
pub(crate) fn open_again(path: &Path) -> Result<Connection, Error> {
    let db = connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    checked_version(&db, path)?;
    let until = Instant::now() + BUSY;
    loop {
        match settle(&db) {
            Ok(()) => return Ok(db),
            // Of two that make one file the second to ask for the log is told so at once, and
            // not after `BUSY`: both hold what the other would wait for.
            Err(it) if is_busy(&it) && Instant::now() < until => thread::sleep(BUSY / 500),
            Err(it) => return Err(Error::sqlite("opening", path, it)),
        }
    }
}

fn is_busy(error: &rusqlite::Error) -> bool {
    error.sqlite_error_code() == Some(rusqlite::ErrorCode::DatabaseBusy)
}

fn connect(path: &Path, flags: OpenFlags) -> Result<Connection, Error> {
    let failed = |it| Error::sqlite("opening", path, it);
    let flags = flags | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let db = Connection::open_with_flags(path, flags).map_err(failed)?;
    db.busy_timeout(BUSY).map_err(failed)?;
    Ok(db)
}

/// How a connection writes; only for a file that was found to be ours, as it changes the file.
fn settle(db: &Connection) -> rusqlite::Result<()> {
    // Says something to an empty file only, before anything else: what a deleted session took
    // can be given back to the disk.
    db.pragma_update(None, "auto_vacuum", "incremental")?;
    db.pragma_update(None, "journal_mode", "wal")?;
    // Each transaction reaches the disk before the next: a kill loses nothing that was
    // committed, a power loss at most what was not. It costs 1 to 4 ms a tick (measured on an
    // SSD), in a thread of its own. `normal` would let a power loss take
    // everything since the last checkpoint, which is a quarter of an hour of ticks.
    db.pragma_update(None, "synchronous", "full")?;
    db.pragma_update(None, "foreign_keys", true)?;
    db.pragma_update(None, "journal_size_limit", WAL_BYTES_KEPT)
}

fn make_private(path: &Path) -> Result<(), Error> {
    if path.is_dir() {
        let path = path.display();
        let text = format!("opening {path}: it is a folder; --store {path}/sessions.db is a file");
        return Err(Error::new(ErrorKind::Io, text));
    }
    let doing = if path.exists() { "opening" } else { "making" };
    let failed = |it| Error::io(doing, path, it);
    if let Some(folder) = path.parent().filter(|it| !it.as_os_str().is_empty()) {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(failed)?;
    }
    // SQLite takes an empty file for a new one. One that is there is left alone: to open and close
    // it would give up the locks of this process on it.
    match fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Err(it) if it.kind() != io::ErrorKind::AlreadyExists => Err(failed(it)),
        _ => Ok(()),
    }
}

fn current() -> u64 {
    STEPS.len() as u64
}

/// What tells whose file it is. One statement reads one state of it: asked one after another, the
/// answers of a file that another giulia is just making contradict each other.
const HEAD: &str = "SELECT user_version, application_id, EXISTS (SELECT 1 FROM sqlite_schema)
                    FROM pragma_user_version, pragma_application_id";

/// The version of a file that is ours and not newer than we are.
fn checked_version(db: &Connection, path: &Path) -> Result<u64, Error> {
    let failed = |it| Error::sqlite("reading", path, it);
    let (version, owner, has_tables): (i64, i64, bool) =
        db.query_row(HEAD, [], |row| row.try_into()).map_err(failed)?;
    let is_new = version == 0 && owner == 0 && !has_tables;
    if !is_new && owner != APPLICATION_ID {
        let text = format!(
            "opening {}: it is a database of another program; --store takes another place",
            path.display()
        );
        return Err(Error::new(ErrorKind::Corrupt, text));
    }
    let version = u64::try_from(version).unwrap_or_default();
    if version <= current() {
        return Ok(version);
    }
    let writer = db
        .query_row("SELECT value FROM meta WHERE key = 'giulia_version'", [], |row| {
            row.get::<_, String>(0)
        })
        .unwrap_or_else(|_| "a newer version".to_owned());
    let text = format!(
        "opening {}: giulia {writer} wrote it (format {version}) and this is giulia {} (format \
         {}); use that giulia, or --store with another place",
        path.display(),
        env!("CARGO_PKG_VERSION"),
        current()
    );
    Err(Error::new(ErrorKind::Newer, text))
}

/// All steps that are missing, in one transaction, after a copy of what was there.
fn convert(db: &mut Connection, path: &Path) -> Result<(), Error> {
    let failed = |it| Error::sqlite("converting", path, it);
    if checked_version(db, path)? > 0 {
        back_up(db, path)?;
    }
    let change = db.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failed)?;
    // Another giulia may have been here meanwhile.
    let version = checked_version(&change, path)?;
    let missing = STEPS.iter().skip(usize::try_from(version).unwrap_or(usize::MAX));
    for step in missing {
        change.execute_batch(step).map_err(failed)?;
    }
    change.pragma_update(None, "application_id", APPLICATION_ID).map_err(failed)?;
    change.pragma_update(None, "user_version", current()).map_err(failed)?;
    change
        .execute(
            "INSERT INTO meta VALUES ('giulia_version', ?1)
             ON CONFLICT DO UPDATE SET value = excluded.value",
            [env!("CARGO_PKG_VERSION")],
        )
        .map_err(failed)?;
    change.commit().map_err(failed)
}

/// A copy of the store beside it, under the name of its version.
fn back_up(db: &Connection, path: &Path) -> Result<(), Error> {
    let version = checked_version(db, path)?;
    let making = beside(path, &format!(".v{version}.{}", std::process::id()));
    let failed = |it| Error::io("copying before a conversion, to", &making, it);
    drop(fs::remove_file(&making));
    // SQLite takes an empty file, and would make one that everybody may read.
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true).mode(0o600).open(&making).map_err(failed)?;
    let target = making.to_string_lossy().into_owned();
    let copied = db
        .execute("VACUUM INTO ?1", [target])
        .map_err(|it| Error::sqlite("copying before a conversion, to", &making, it));
    // Another giulia may have converted it while we copied; then it has made the copy.
    let is_older = checked_version(db, path)? == version;
    if copied.is_err() || !is_older {
        drop(fs::remove_file(&making));
        return copied.map(drop);
    }
    // An earlier copy stays.
    let free = (1..100)
        .map(|it| if it == 1 { format!(".v{version}") } else { format!(".v{version}-{it}") })
        .map(|it| beside(path, &it))
        .find(|it| !it.exists())
        .unwrap_or_else(|| making.clone());
    fs::rename(&making, free).map_err(failed)
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}
