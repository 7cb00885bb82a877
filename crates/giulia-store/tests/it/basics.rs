//! Recording, listing, finding, reading in pages, deleting.

use std::thread;

use giulia_model::Ended;
use giulia_store::{ErrorKind, Health, Kind, Mode, Store};

use crate::support::{PATIENCE, body, new_store, recorded, session};

#[test]
fn what_was_recorded_is_read_in_order_and_in_pages() {
    let (_folder, store) = new_store();
    let recorder = store.begin(&session("a")).unwrap();
    for number in 0..10 {
        let kind = if number % 3 == 2 { Kind::Mark } else { Kind::Tick };
        recorder.append(kind, number * 10, body(number)).unwrap();
    }
    recorder.flush(PATIENCE).unwrap();
    assert_eq!(recorder.health(), Health::Ok);
    let marks = store.records("a", &[Kind::Mark], None, 100).unwrap();
    assert_eq!(marks.iter().map(|it| it.seq).collect::<Vec<_>>(), [2, 5, 8]);
    assert_eq!(marks[1].body, body(5));
    assert_eq!((marks[1].at_ms, marks[1].kind), (50, Kind::Mark));
    let first = store.records("a", &[Kind::Tick, Kind::Mark], None, 4).unwrap();
    let rest = store.records("a", &[], Some(first[3].seq), 100).unwrap();
    assert_eq!(
        first.iter().chain(&rest).map(|it| it.seq).collect::<Vec<_>>(),
        (0..10).collect::<Vec<_>>()
    );
    assert!(store.records("a", &[], Some(9), 100).unwrap().is_empty());
}

#[test]
fn a_session_runs_until_it_is_finished_or_dropped() {
    let (_folder, store) = new_store();
    let mut head = session("a");
    let recorder = store.begin(&head).unwrap();
    recorder.append(Kind::Tick, 0, body(0)).unwrap();
    recorder.flush(PATIENCE).unwrap();
    let seen = store.find("a").unwrap();
    assert!(seen.running && seen.session.ended.is_none());
    assert_eq!(seen.session.ticks, 1);
    assert_eq!(store.delete("a").unwrap_err().kind(), ErrorKind::Running);
    head.ended = Some(Ended::Stopped);
    recorder.finish(&head).unwrap();
    let seen = store.find("a").unwrap();
    assert!(!seen.running);
    assert_eq!(seen.session.ended, Some(Ended::Stopped));

    let recorder = store.begin(&session("b")).unwrap();
    recorder.append(Kind::Tick, 0, body(0)).unwrap();
    drop(recorder);
    let seen = store.find("b").unwrap();
    assert!(!seen.running);
    assert_eq!((seen.session.ended, seen.session.ticks), (Some(Ended::Killed), 1));
}

#[test]
fn sessions_are_found_by_name_prefix_and_last() {
    let (_folder, store) = new_store();
    for (name, started_at) in [
        ("shop-1", "2026-11-22T10:00:00Z"),
        ("shop-12", "2026-11-22T12:00:00.5Z"),
        ("old", "2025-01-01T00:00:00Z"),
    ] {
        let mut head = session(name);
        started_at.clone_into(&mut head.started_at);
        store.begin(&head).unwrap().finish(&head).unwrap();
    }
    let names: Vec<_> = store.sessions().unwrap().into_iter().map(|it| it.session.name).collect();
    assert_eq!(names, ["shop-12", "shop-1", "old"]);
    let name = |asked: &str| store.find(asked).map(|it| it.session.name);
    assert_eq!(name("shop-1").unwrap(), "shop-1");
    assert_eq!(name("o").unwrap(), "old");
    assert_eq!(name("last").unwrap(), "shop-12");
    let several = name("shop").unwrap_err();
    assert_eq!(several.kind(), ErrorKind::NoSession);
    assert!(several.to_string().contains("shop-1, shop-12"), "{several}");
    assert_eq!(name("%").unwrap_err().kind(), ErrorKind::NoSession);
    assert_eq!(name("").unwrap_err().kind(), ErrorKind::NoSession);
}

#[test]
fn names_are_unique_and_printable() {
    let (_folder, store) = new_store();
    recorded(&store, "a", 1);
    assert_eq!(store.begin(&session("a")).unwrap_err().kind(), ErrorKind::NameTaken);
    for bad in ["", "last", "a\u{1b}[2J", &"x".repeat(129)] {
        assert_eq!(store.begin(&session(bad)).unwrap_err().kind(), ErrorKind::BadName, "{bad:?}");
    }
}

#[test]
fn a_deleted_session_gives_back_its_space() {
    let (folder, store) = new_store();
    recorded(&store, "keep", 10);
    let size = || std::fs::metadata(folder.path().join("sessions.db")).unwrap().len();
    recorded(&store, "go", 5_000);
    store.delete("go").unwrap();
    assert!(size() < 200_000, "{} bytes", size());
    assert_eq!(store.find("go").unwrap_err().kind(), ErrorKind::NoSession);
    assert_eq!(store.records("keep", &[Kind::Tick], None, 100).unwrap().len(), 10);
    assert_eq!(store.delete("go").unwrap_err().kind(), ErrorKind::NoSession);
}

#[test]
fn a_store_that_is_not_there_reads_as_empty_and_is_not_made() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("deep/sessions.db");
    let store = Store::open(&path, Mode::ReadOnly).unwrap();
    assert!(store.sessions().unwrap().is_empty());
    assert_eq!(store.begin(&session("a")).unwrap_err().kind(), ErrorKind::ReadOnly);
    assert!(!folder.path().join("deep").exists());
}

#[test]
fn a_store_that_is_just_being_made_is_nobody_elses() {
    for _ in 0..100 {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sessions.db");
        thread::scope(|scope| {
            for mode in [Mode::ReadOnly, Mode::ReadWrite, Mode::ReadWrite] {
                let path = &path;
                scope.spawn(move || {
                    for _ in 0..10 {
                        drop(Store::open(path, mode).unwrap().sessions().unwrap());
                    }
                });
            }
        });
    }
}

#[test]
fn the_folder_and_the_file_are_for_this_user_only() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("giulia/sessions.db");
    let store = Store::open(&path, Mode::ReadWrite).unwrap();
    let recorder = store.begin(&session("a")).unwrap();
    let mode = |it: &std::path::Path| std::fs::metadata(it).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(path.parent().unwrap()), 0o700);
    for entry in std::fs::read_dir(path.parent().unwrap()).unwrap() {
        let entry = entry.unwrap().path();
        let expected = if entry.is_dir() { 0o700 } else { 0o600 };
        assert_eq!(mode(&entry), expected, "{}", entry.display());
    }
    drop(recorder);
}
