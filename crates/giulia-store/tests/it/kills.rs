//! Processes that die in the middle, and several that record into one file.

use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Stdio},
    time::Duration,
};

use giulia_model::Ended;
use giulia_store::{ErrorKind, Kind, Mode, Store};

use crate::support::{PATIENCE, body, child, must_succeed, new_store, numbers, role, session};

/// Between two ticks of a recorder that will be killed; in life they are a second apart.
const EVERY: Duration = Duration::from_millis(20);

/// How often a recorder is killed.
const N_KILLS: u32 = 100;

/// The role `record PATH NAME`: ticks until it is killed, each said once it was handed over.
fn record_until_killed(path: &str, name: &str) -> ! {
    let store = Store::open(Path::new(path), Mode::ReadWrite).unwrap();
    let recorder = store.begin(&session(name)).unwrap();
    for number in 0.. {
        recorder.append(Kind::Tick, number, body(number)).unwrap();
        println!("appended {number}");
        std::thread::sleep(EVERY);
        // In life a second has passed, on a disk that is not shared with a hundred builds.
        recorder.flush(PATIENCE).unwrap();
    }
    unreachable!()
}

/// Starts a recorder and waits for its first tick.
fn recorder(path: &Path, name: &str) -> (Child, BufReader<std::process::ChildStdout>) {
    let role = format!("record {} {name}", path.display());
    let mut child = child("kills::a_kill_loses_at_most_the_last_tick", &role)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut said = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    while !line.contains("appended") {
        line.clear();
        assert_ne!(said.read_line(&mut line).unwrap(), 0, "the recorder ended");
    }
    (child, said)
}

#[test]
fn a_kill_loses_at_most_the_last_tick() {
    if let Some(role) = role() {
        let parts: Vec<_> = role.split(' ').collect();
        record_until_killed(parts[1], parts[2]);
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sessions.db");
    let n_lost: u64 = (0..N_KILLS)
        .map(|it| {
            let (n_appended, kept) = kill_at(&path, it);
            assert!(kept + 1 >= n_appended, "kill {it}: {kept} of {n_appended}");
            n_appended.saturating_sub(kept)
        })
        .sum();
    println!("{n_lost} last ticks of {N_KILLS} lost");
    let store = Store::open(&path, Mode::ReadOnly).unwrap();
    assert_eq!(store.sessions().unwrap().len(), N_KILLS as usize);
}

/// Kills a recorder at moment `it` of [`N_KILLS`], which spread over two ticks and all that a
/// commit does, the same in each run. How many ticks it had handed over, and how many are there.
fn kill_at(path: &Path, it: u32) -> (u64, u64) {
    let name = format!("s{it}");
    let (mut child, said) = recorder(path, &name);
    std::thread::sleep(EVERY * 2 * it / N_KILLS);
    child.kill().unwrap();
    child.wait().unwrap();
    let said = said.lines().map_while(Result::ok);
    let appended = said.filter_map(|it| it.strip_prefix("appended ")?.parse::<u64>().ok());
    let n_appended = appended.last().unwrap_or(0) + 1;
    let store = Store::open(path, Mode::ReadWrite).unwrap();
    let kept = numbers(&store, &name).len() as u64;
    let seen = store.find(&name).unwrap();
    assert!(!seen.running);
    assert_eq!((seen.session.ended, seen.session.ticks), (Some(Ended::Killed), kept));
    (n_appended, kept)
}

#[test]
fn a_recorder_in_another_process_is_seen_and_its_session_is_not_deleted() {
    let (folder, store) = new_store();
    let (mut child, _said) = recorder(&folder.path().join("sessions.db"), "theirs");
    assert!(store.find("theirs").unwrap().running);
    assert_eq!(store.delete("theirs").unwrap_err().kind(), ErrorKind::Running);
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(!store.find("theirs").unwrap().running);
    store.delete("theirs").unwrap();
    let left: Vec<_> = std::fs::read_dir(folder.path().join("sessions.db-live")).unwrap().collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn several_processes_record_into_one_file() {
    const N_PROCESSES: u64 = 5;
    const N_TICKS: u64 = 200;
    if let Some(role) = role() {
        let parts: Vec<_> = role.split(' ').collect();
        let store = Store::open(Path::new(parts[0]), Mode::ReadWrite).unwrap();
        let mut head = session(parts[1]);
        let recorder = store.begin(&head).unwrap();
        for number in 0..N_TICKS {
            recorder.append(Kind::Tick, number, body(number)).unwrap();
            if number % 10 == 0 {
                recorder.flush(PATIENCE).unwrap();
            }
        }
        head.ended = Some(Ended::Stopped);
        recorder.finish(&head).unwrap();
        return;
    }
    // Not there before: they also make it at once.
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("new/sessions.db");
    let children: Vec<_> = (0..N_PROCESSES)
        .map(|it| {
            let role = format!("{} p{it}", path.display());
            std::thread::spawn(move || {
                must_succeed(child("kills::several_processes_record_into_one_file", &role));
            })
        })
        .collect();
    for it in children {
        it.join().unwrap();
    }
    let store = Store::open(&path, Mode::ReadOnly).unwrap();
    for it in 0..N_PROCESSES {
        let name = format!("p{it}");
        assert_eq!(numbers(&store, &name).len() as u64, N_TICKS);
        assert_eq!(store.find(&name).unwrap().session.ended, Some(Ended::Stopped));
    }
}
