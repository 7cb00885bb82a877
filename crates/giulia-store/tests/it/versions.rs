//! Files of other versions of giulia, and of other programs.

use std::{fs, path::Path};

use giulia_model::Ended;
use giulia_store::{ErrorKind, Kind, Mode, Store};
use rusqlite::Connection;

use crate::support::{body, numbers, recorded, session};

/// The first version of the file, as it was written then.
const VERSION_1: &str = "
    PRAGMA journal_mode = wal;
    CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
    CREATE TABLE session (
        id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE,
        started_at TEXT NOT NULL, head TEXT NOT NULL, token TEXT,
        ticks INTEGER NOT NULL DEFAULT 0, bytes INTEGER NOT NULL DEFAULT 0) STRICT;
    CREATE TABLE record (
        id INTEGER PRIMARY KEY,
        session INTEGER NOT NULL REFERENCES session (id) ON DELETE CASCADE,
        seq INTEGER NOT NULL, at_ms INTEGER NOT NULL, kind TEXT NOT NULL, body BLOB NOT NULL)
        STRICT;
    CREATE UNIQUE INDEX record_by_seq ON record (session, seq, kind);
    PRAGMA application_id = 1734964588;
    PRAGMA user_version = 1;
    INSERT INTO meta VALUES ('giulia_version', '0.0.9');";

/// A store of the first version with a session of three ticks.
fn version_1(path: &Path) {
    let db = Connection::open(path).unwrap();
    db.execute_batch(VERSION_1).unwrap();
    let mut head = session("old");
    head.ended = Some(Ended::TimeUp);
    let head = serde_json::to_string(&head).unwrap();
    db.execute(
        "INSERT INTO session VALUES (1, 'old', '2026-11-22T17:00:00Z', ?1, NULL, 3, 9)",
        [head],
    )
    .unwrap();
    for seq in 0..3_u32 {
        let body = zstd::bulk::compress(&body(u64::from(seq)), 3).unwrap();
        db.execute("INSERT INTO record VALUES (NULL, 1, ?1, 0, 'tick', ?2)", (seq, body)).unwrap();
    }
}

fn version(path: &Path) -> u32 {
    let db = Connection::open(path).unwrap();
    db.pragma_query_value(None, "user_version", |row| row.get(0)).unwrap()
}

#[test]
fn an_older_store_is_converted_after_a_copy() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sessions.db");
    version_1(&path);
    let store = Store::open(&path, Mode::ReadWrite).unwrap();
    assert_eq!(numbers(&store, "old").len(), 3);
    recorded(&store, "new", 5);
    drop(store);
    let now = version(&path);
    assert!(now > 1);
    let copy = folder.path().join("sessions.db.v1");
    assert_eq!(version(&copy), 1);
    let kept: u32 = Connection::open(&copy)
        .unwrap()
        .query_row("SELECT count(*) FROM record", [], |row| row.get(0))
        .unwrap();
    assert_eq!(kept, 3);
    let again = Store::open(&path, Mode::ReadWrite).unwrap();
    assert_eq!((numbers(&again, "old").len(), numbers(&again, "new").len()), (3, 5));
}

#[test]
fn an_older_store_is_read_without_being_changed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sessions.db");
    version_1(&path);
    let store = Store::open(&path, Mode::ReadOnly).unwrap();
    assert_eq!(numbers(&store, "old").len(), 3);
    drop(store);
    assert_eq!(version(&path), 1);
}

#[test]
fn a_newer_store_says_who_wrote_it_and_stays_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sessions.db");
    version_1(&path);
    let db = Connection::open(&path).unwrap();
    db.execute_batch("UPDATE meta SET value = '7.1.0'; PRAGMA user_version = 99;").unwrap();
    db.query_row("PRAGMA journal_mode = delete", [], |_| Ok(())).unwrap();
    drop(db);
    let before = fs::read(&path).unwrap();
    for mode in [Mode::ReadWrite, Mode::ReadOnly] {
        let error = Store::open(&path, mode).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Newer);
        assert!(error.to_string().contains("giulia 7.1.0 wrote it"), "{error}");
    }
    assert!(before == fs::read(&path).unwrap(), "the file was changed");
}

#[test]
fn a_database_of_another_program_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sessions.db");
    let db = Connection::open(&path).unwrap();
    db.execute_batch("CREATE TABLE theirs (it TEXT); INSERT INTO theirs VALUES ('dear');").unwrap();
    drop(db);
    let before = fs::read(&path).unwrap();
    for mode in [Mode::ReadWrite, Mode::ReadOnly] {
        let error = Store::open(&path, mode).unwrap_err();
        assert!(error.to_string().contains("another program"), "{error}");
    }
    assert!(before == fs::read(&path).unwrap(), "the file was changed");
}

#[test]
fn records_of_a_later_kind_are_passed_over() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sessions.db");
    let store = Store::open(&path, Mode::ReadWrite).unwrap();
    recorded(&store, "a", 3);
    let db = Connection::open(&path).unwrap();
    db.execute("UPDATE record SET kind = 'dream', sum = NULL WHERE seq = 1", []).unwrap();
    let seqs = |kinds: &[Kind]| -> Vec<u64> {
        store.records("a", kinds, None, 10).unwrap().iter().map(|it| it.seq).collect()
    };
    assert_eq!(seqs(&[]), [0, 2]);
    assert_eq!(seqs(&[Kind::Tick]), [0, 2]);
}
