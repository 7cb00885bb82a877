//! Damaged files: nothing is destroyed, nothing panics, what can be read is read.

use std::{fs, path::Path};

use giulia_store::{ErrorKind, Kind, Mode, Store};
use rusqlite::Connection;

use crate::support::{body, new_store, recorded};

/// A closed store of one file with two sessions of so many ticks.
fn closed(folder: &Path, n_ticks: u64) -> std::path::PathBuf {
    let path = folder.join("sessions.db");
    let store = Store::open(&path, Mode::ReadWrite).unwrap();
    recorded(&store, "a", n_ticks);
    recorded(&store, "b", n_ticks);
    drop(store);
    assert!(!folder.join("sessions.db-wal").exists());
    path
}

#[test]
fn a_damaged_record_is_named_and_the_others_are_read() {
    let (folder, store) = new_store();
    recorded(&store, "a", 200);
    let db = Connection::open(folder.path().join("sessions.db")).unwrap();
    let flip = "UPDATE record SET body = CAST(substr(body, 1, 12) || x'00ff00' || substr(body, 16) AS BLOB)";
    db.execute(&format!("{flip} WHERE seq = 70"), []).unwrap();
    let error = store.records("a", &[Kind::Tick], None, 1_000).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    assert!(error.to_string().contains("record 70 of session a"), "{error}");
    let page = store.page("a", &[Kind::Tick], None, 1_000).unwrap();
    assert_eq!(page.problems.iter().map(|it| it.seq).collect::<Vec<_>>(), [70]);
    assert_eq!(page.records.len(), 199);
    assert!(page.records.iter().all(|it| it.body == body(it.seq)));
    // A base takes those along that lean on it, and no others.
    db.execute(&format!("{flip} WHERE seq = 120"), []).unwrap();
    let page = store.page("a", &[Kind::Tick], None, 1_000).unwrap();
    let damaged: Vec<_> = page.problems.iter().map(|it| it.seq).collect();
    assert_eq!(damaged, std::iter::once(70).chain(120..180).collect::<Vec<_>>());
    assert_eq!(store.export("a", std::io::sink()).unwrap_err().kind(), ErrorKind::Corrupt);
}

#[test]
fn a_record_of_another_place_or_time_is_noticed() {
    let (folder, store) = new_store();
    recorded(&store, "a", 9);
    let db = Connection::open(folder.path().join("sessions.db")).unwrap();
    for change in ["at_ms = 1", "seq = 100", "kind = 'mark'", "base = 1"] {
        db.execute(&format!("UPDATE record SET {change} WHERE seq = 4"), []).unwrap();
        let page = store.page("a", &[], None, 100).unwrap();
        assert_eq!((page.records.len(), page.problems.len()), (8, 1), "{change}");
        let back = "seq = 4, at_ms = 4000, kind = 'tick', base = 0";
        db.execute(&format!("UPDATE record SET {back} WHERE seq IN (4, 100)"), []).unwrap();
        assert_eq!(store.records("a", &[], None, 100).unwrap().len(), 9);
    }
}

#[test]
fn the_last_time_is_that_of_a_sound_record() {
    let (folder, store) = new_store();
    recorded(&store, "a", 9);
    assert_eq!(store.last_at_ms("a", Kind::Tick).unwrap(), Some(8000));
    assert_eq!(store.last_at_ms("a", Kind::Answer).unwrap(), None);
    let db = Connection::open(folder.path().join("sessions.db")).unwrap();
    db.execute("UPDATE record SET at_ms = 1 << 40 WHERE seq = 8", []).unwrap();
    assert_eq!(store.last_at_ms("a", Kind::Tick).unwrap(), Some(7000));
}

#[test]
fn pages_of_noise_cost_their_records_only() {
    let folder = tempfile::tempdir().unwrap();
    let path = closed(folder.path(), 2_000);
    let whole = fs::read(&path).unwrap();
    let n_pages = whole.len() / 4_096;
    let mut n_partly = 0;
    for place in 0..n_pages {
        let mut bytes = whole.clone();
        bytes[place * 4_096 + 8..(place + 1) * 4_096].fill(0xa5);
        fs::write(&path, &bytes).unwrap();
        drop(fs::remove_file(folder.path().join("sessions.db-shm")));
        let read = Store::open(&path, Mode::ReadOnly).and_then(|it| {
            let page = it.page("a", &[], None, usize::MAX)?;
            assert!(page.records.iter().all(|it| it.body == body(it.seq)), "page {place}");
            n_partly += usize::from(!page.problems.is_empty() && page.records.len() > 1_000);
            Ok(())
        });
        if let Err(it) = read {
            let may = matches!(it.kind(), ErrorKind::Corrupt | ErrorKind::NoSession);
            assert!(may, "page {place}: {it}");
        }
        assert!(bytes == fs::read(&path).unwrap(), "page {place}: the file was changed");
    }
    assert!(n_partly > 5, "{n_partly} times of {n_pages} a part was read");
}

#[test]
fn a_cut_file_is_an_error_that_says_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let path = closed(folder.path(), 500);
    let whole = fs::read(&path).unwrap();
    for len in [1, 99, 100, 512, 4_095, 4_096, 5_000, whole.len() / 2, whole.len() - 1] {
        fs::write(&path, &whole[..len]).unwrap();
        let opened = Store::open(&path, Mode::ReadWrite);
        let read = opened.and_then(|it| it.records("b", &[], None, usize::MAX));
        let error = match read {
            // What was cut off was not of this session.
            Ok(it) => {
                assert!(len > 5_000 && it.len() == 500, "{len} bytes: {} records", it.len());
                assert!(it.iter().all(|it| it.body == body(it.seq)), "{len} bytes");
                continue;
            }
            Err(it) => it,
        };
        let may = matches!(error.kind(), ErrorKind::Corrupt | ErrorKind::NoSession);
        assert!(may, "{len} bytes: {error}");
        assert!(error.to_string().contains(&path.display().to_string()), "{error}");
        assert!(fs::metadata(&path).unwrap().len() >= len as u64, "{len} bytes: it was cut");
    }
}

#[test]
fn a_file_of_something_else_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sessions.db");
    let text = "dear diary\n".repeat(1_000);
    fs::write(&path, &text).unwrap();
    for mode in [Mode::ReadWrite, Mode::ReadOnly] {
        let error = Store::open(&path, mode).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
        assert!(error.to_string().contains("begins a new store"), "{error}");
    }
    assert_eq!(fs::read_to_string(&path).unwrap(), text);
}

#[test]
fn a_damaged_head_is_still_listed_and_its_records_are_read() {
    let (folder, store) = new_store();
    recorded(&store, "a", 3);
    let db = Connection::open(folder.path().join("sessions.db")).unwrap();
    db.execute("UPDATE session SET head = '{' ", []).unwrap();
    assert_eq!(store.find("a").unwrap().session.started_at, "2026-11-22T17:00:00Z");
    assert_eq!(store.records("a", &[], None, 10).unwrap().len(), 3);
}
