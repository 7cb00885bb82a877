//! Disks that are full and folders that may not be written to.

use std::{
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use giulia_model::Ended;
use giulia_store::{ErrorKind, Health, Kind, Mode, Recorder, Store};

use crate::support::{
    PATIENCE, body, mounting_child, must_succeed, new_store, numbers, recorded, role, session,
};

/// Appends until the store cannot be written to; the number of the next tick.
fn fill(recorder: &Recorder) -> u64 {
    let began = Instant::now();
    for number in 0.. {
        // Nothing like its neighbours, so that each takes room.
        recorder.append(Kind::Trace, number, noise(number)).unwrap();
        drop(recorder.flush(Duration::from_millis(200)));
        if recorder.health() != Health::Ok {
            return number + 1;
        }
        assert!(began.elapsed() < PATIENCE, "the disk did not fill up");
    }
    unreachable!()
}

/// 20 KB that do not compress.
fn noise(seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[0]
    };
    std::iter::repeat_with(next).take(20_000).collect()
}

/// Where a session of this name went, by the text that says so.
fn rescued(said: &str, name: &str) -> PathBuf {
    let at = said.find(&format!("giulia-rescued-{name}-")).unwrap_or_else(|| panic!("{said}"));
    std::env::temp_dir().join(said[at..].split(':').next().unwrap())
}

#[test]
fn a_full_disk_is_held_out_and_recovered_from() {
    let test = "disk::a_full_disk_is_held_out_and_recovered_from";
    let folder = tempfile::tempdir().unwrap();
    let Some(role) = role() else {
        let at = folder.path().display().to_string();
        let before = format!("mount -t tmpfs -o size=2m tmpfs {at}");
        mounting_child(test, &at, &before).into_iter().for_each(must_succeed);
        return;
    };
    let folder = Path::new(&role);
    let ballast = folder.join("ballast");
    fs::write(&ballast, noise(0).repeat(30)).unwrap();
    let store = Store::open(&folder.join("sessions.db"), Mode::ReadWrite).unwrap();
    let recorder = store.begin(&session("a")).unwrap();
    let n_appended = fill(&recorder);
    let Health::Failing { held_records, held_bytes, why, .. } = recorder.health() else {
        panic!("it does not say that it fails")
    };
    assert!(held_records >= 1 && held_bytes >= 20_000, "{held_records} {held_bytes}");
    assert!(why.contains("full"), "{why}");
    assert_eq!(recorder.flush(Duration::from_millis(50)).unwrap_err().kind(), ErrorKind::Full);
    // What was written before can be read meanwhile.
    let n_written = store.records("a", &[Kind::Trace], None, usize::MAX).unwrap().len() as u64;
    assert_eq!(n_written + held_records, n_appended);

    fs::remove_file(&ballast).unwrap();
    recorder.flush(PATIENCE).unwrap();
    assert_eq!(recorder.health(), Health::Ok);
    let mut head = session("a");
    head.ended = Some(Ended::TimeUp);
    recorder.finish(&head).unwrap();
    let read = store.records("a", &[Kind::Trace], None, usize::MAX).unwrap();
    assert_eq!(read.len() as u64, n_appended);
    assert!(read.iter().all(|it| it.body == noise(it.at_ms)));
}

#[test]
fn a_disk_that_stays_full_sends_the_session_elsewhere() {
    let test = "disk::a_disk_that_stays_full_sends_the_session_elsewhere";
    let folder = tempfile::tempdir().unwrap();
    let Some(role) = role() else {
        let at = folder.path().display().to_string();
        let before = format!("mount -t tmpfs -o size=2m tmpfs {at}");
        mounting_child(test, &at, &before).into_iter().for_each(must_succeed);
        return;
    };
    let store = Store::open(&Path::new(&role).join("sessions.db"), Mode::ReadWrite).unwrap();
    let recorder = store.begin(&session("a")).unwrap();
    for number in 0..10 {
        recorder.append(Kind::Tick, number, body(number)).unwrap();
    }
    let n_noise = fill(&recorder);
    recorder.append(Kind::Tick, 1, body(11)).unwrap();
    let mut head = session("a");
    head.ended = Some(Ended::TimeUp);
    let error = recorder.finish(&head).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Full);
    let path = rescued(&error.to_string(), "a");
    let (_other, elsewhere) = new_store();
    let back = elsewhere.import(fs::File::open(&path).unwrap(), None).unwrap();
    fs::remove_file(&path).unwrap();
    assert_eq!(back.ended, Some(Ended::TimeUp));
    assert_eq!(back.ticks, 11);
    let noises = elsewhere.records("a", &[Kind::Trace], None, usize::MAX).unwrap();
    assert_eq!(noises.len() as u64, n_noise);
    let last = elsewhere.records("a", &[Kind::Tick], None, usize::MAX).unwrap().pop().unwrap();
    assert_eq!(last.body, body(11));
}

#[test]
fn deleting_a_session_makes_room_on_a_full_disk() {
    let test = "disk::deleting_a_session_makes_room_on_a_full_disk";
    let folder = tempfile::tempdir().unwrap();
    let Some(role) = role() else {
        let at = folder.path().display().to_string();
        let before = format!("mount -t tmpfs -o size=4m tmpfs {at}");
        mounting_child(test, &at, &before).into_iter().for_each(must_succeed);
        return;
    };
    let path = Path::new(&role).join("sessions.db");
    let ballast = Path::new(&role).join("ballast");
    fs::write(&ballast, noise(0).repeat(10)).unwrap();
    let store = Store::open(&path, Mode::ReadWrite).unwrap();
    let recorder = store.begin(&session("a")).unwrap();
    fill(&recorder);
    drop(recorder);
    assert_eq!(store.delete("a").unwrap_err().kind(), ErrorKind::Full);
    // A deletion is written down before it is made, which takes a little.
    fs::remove_file(&ballast).unwrap();
    store.delete("a").unwrap();
    assert!(fs::metadata(&path).unwrap().len() < 200_000);
    recorded(&store, "b", 100);
    assert_eq!(numbers(&store, "b").len(), 100);
}

#[test]
fn a_store_that_is_held_by_another_program_is_waited_for() {
    let (folder, store) = new_store();
    let recorder = store.begin(&session("a")).unwrap();
    let other = rusqlite::Connection::open(folder.path().join("sessions.db")).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let n_kept = (0..4_000)
        .find(|it| recorder.append(Kind::Trace, *it, noise(*it)).is_err())
        .expect("there is no limit");
    let began = Instant::now();
    while recorder.health() == Health::Ok {
        assert!(began.elapsed() < PATIENCE, "it never says that it fails");
        std::thread::sleep(Duration::from_millis(100));
    }
    let Health::Failing { held_records, held_bytes, .. } = recorder.health() else { panic!() };
    assert_eq!(held_records, n_kept);
    assert!(held_bytes <= giulia_store::HELD_BYTES_MAX as u64);
    // The first tick would be one that others lean on; refused, none may.
    let error = recorder.append(Kind::Tick, 0, noise(0)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Locked, "{error}");
    other.execute_batch("ROLLBACK").unwrap();
    recorder.flush(PATIENCE).unwrap();
    recorder.append(Kind::Tick, n_kept, noise(n_kept)).unwrap();
    recorder.finish(&session("a")).unwrap();
    let (mut after, mut n_read) = (None, 0);
    loop {
        let page = store.records("a", &[], after, 500).unwrap();
        let Some(last) = page.last() else { break };
        after = Some(last.seq);
        assert!(page.iter().all(|it| it.body == noise(it.at_ms)));
        n_read += page.len() as u64;
    }
    assert_eq!(n_read, n_kept + 1);
}

#[test]
fn a_store_that_is_removed_under_a_session_does_not_take_it_along() {
    let (folder, store) = new_store();
    let recorder = store.begin(&session("gone")).unwrap();
    recorder.append(Kind::Tick, 0, body(0)).unwrap();
    recorder.flush(PATIENCE).unwrap();
    fs::remove_file(folder.path().join("sessions.db")).unwrap();
    recorder.append(Kind::Tick, 1, body(1)).unwrap();
    let error = recorder.flush(Duration::from_millis(300)).unwrap_err().to_string();
    assert!(error.contains("moved or removed"), "{error}");
    let said = recorder.finish(&session("gone")).unwrap_err().to_string();
    let (_other, elsewhere) = new_store();
    let path = rescued(&said, "gone");
    elsewhere.import(fs::File::open(&path).unwrap(), None).unwrap();
    fs::remove_file(path).unwrap();
    assert_eq!(numbers(&elsewhere, "gone").len(), 2);
}

#[test]
fn a_full_disk_says_so_when_a_session_begins() {
    let test = "disk::a_full_disk_says_so_when_a_session_begins";
    let folder = tempfile::tempdir().unwrap();
    let Some(role) = role() else {
        let at = folder.path().display().to_string();
        let before = format!(
            "mount -t tmpfs -o size=1m tmpfs {at} && head -c 2000000 /dev/zero >{at}/b; true"
        );
        mounting_child(test, &at, &before).into_iter().for_each(must_succeed);
        return;
    };
    let error = Store::open(&Path::new(&role).join("sessions.db"), Mode::ReadWrite).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Full, "{error}");
    assert!(error.to_string().contains(&role), "{error}");
}

#[test]
fn a_read_only_folder_is_read_and_says_why_it_is_not_written() {
    let test = "disk::a_read_only_folder_is_read_and_says_why_it_is_not_written";
    let Some(role) = role() else {
        let (folder, store) = new_store();
        recorded(&store, "a", 7);
        drop(store);
        let at = folder.path().display().to_string();
        let before = format!("mount --bind {at} {at} && mount -o remount,bind,ro {at}");
        mounting_child(test, &at, &before).into_iter().for_each(must_succeed);
        return;
    };
    let path = Path::new(&role).join("sessions.db");
    let error = Store::open(&path, Mode::ReadWrite).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ReadOnly, "{error}");
    let deeper = Store::open(&Path::new(&role).join("new/sessions.db"), Mode::ReadWrite);
    assert_eq!(deeper.unwrap_err().kind(), ErrorKind::ReadOnly);
    let store = Store::open(&path, Mode::ReadOnly).unwrap();
    assert_eq!(numbers(&store, "a").len(), 7);
    assert_eq!(store.delete("a").unwrap_err().kind(), ErrorKind::ReadOnly);
}

#[test]
fn a_read_only_folder_with_a_log_that_was_left_is_read_whole() {
    let test = "disk::a_read_only_folder_with_a_log_that_was_left_is_read_whole";
    let Some(role) = role() else {
        let (folder, store) = new_store();
        let recorder = store.begin(&session("a")).unwrap();
        for number in 0..7 {
            recorder.append(Kind::Tick, number, body(number)).unwrap();
        }
        recorder.flush(PATIENCE).unwrap();
        // As after a kill: the file and its log, and nobody who holds them.
        let left = tempfile::tempdir().unwrap();
        for name in ["sessions.db", "sessions.db-wal"] {
            fs::copy(folder.path().join(name), left.path().join(name)).unwrap();
        }
        assert!(fs::metadata(left.path().join("sessions.db-wal")).unwrap().len() > 0);
        let at = left.path().display().to_string();
        let before = format!("mount --bind {at} {at} && mount -o remount,bind,ro {at}");
        mounting_child(test, &at, &before).into_iter().for_each(must_succeed);
        return;
    };
    let store = Store::open(&Path::new(&role).join("sessions.db"), Mode::ReadOnly).unwrap();
    assert_eq!(numbers(&store, "a").len(), 7);
    assert_eq!(store.find("a").unwrap().session.ended, Some(Ended::Killed));
}
