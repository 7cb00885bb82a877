//! Sessions and stores for tests.

use std::{process::Command, time::Duration};

use giulia_model::Session;
use giulia_store::{Kind, Mode, Store};
use tempfile::TempDir;

/// Longer than any disk of a test takes.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) fn session(name: &str) -> Session {
    Session {
        name: name.to_owned(),
        node: "shop@db1".to_owned(),
        started_at: "2026-11-22T17:00:00Z".to_owned(),
        ended_at: None,
        ended: None,
        every_ms: 1_000,
        ticks: 0,
        ticks_missed: 0,
        facts: None,
        workload: None,
        manifest: Vec::new(),
        giulia_version: "0.1.0".to_owned(),
    }
}

/// A new store in a folder of its own.
pub(crate) fn new_store() -> (TempDir, Store) {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&folder.path().join("sessions.db"), Mode::ReadWrite).unwrap();
    (folder, store)
}

/// What a record of this number says; a KB, most of it like its neighbours.
pub(crate) fn body(number: u64) -> Vec<u8> {
    format!("{{\"number\":{number},\"pad\":\"{}\"}}", "0123456789".repeat(100)).into_bytes()
}

/// A finished session of so many ticks.
pub(crate) fn recorded(store: &Store, name: &str, n_ticks: u64) -> Session {
    let mut session = session(name);
    let recorder = store.begin(&session).unwrap();
    for number in 0..n_ticks {
        recorder.append(Kind::Tick, number * 1_000, body(number)).unwrap();
    }
    session.ticks = n_ticks;
    session.ended = Some(giulia_model::Ended::TimeUp);
    session.ended_at = Some("2026-11-22T17:10:00Z".to_owned());
    recorder.finish(&session).unwrap();
    session
}

/// The variable that makes this binary play a part instead of testing.
const ROLE: &str = "GIULIA_STORE_TEST_ROLE";

/// This binary again, as a process of its own that runs the test of this path in `role`.
pub(crate) fn child(test: &str, role: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", test, "--nocapture", "--test-threads=1"]).env(ROLE, role);
    command
}

/// The same where it may mount what nobody else sees, after this shell command; none where
/// that is not permitted.
pub(crate) fn mounting_child(test: &str, role: &str, before: &str) -> Option<Command> {
    let may = Command::new("unshare").args(["--mount", "true"]).output();
    if !may.is_ok_and(|it| it.status.success()) {
        eprintln!("skipped: no mount namespaces for this user");
        return None;
    }
    let mut command = Command::new("unshare");
    command.args(["--mount", "sh", "-c", &format!("{before} && exec \"$0\" \"$@\"")]);
    command.arg(std::env::current_exe().unwrap());
    command.args(["--exact", test, "--nocapture", "--test-threads=1"]).env(ROLE, role);
    Some(command)
}

/// The part that this process plays, if any.
pub(crate) fn role() -> Option<String> {
    std::env::var(ROLE).ok()
}

/// Runs a child to its end; its own assertions are its answer.
pub(crate) fn must_succeed(mut command: Command) {
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let is_there = said.contains("1 passed");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && is_there, "{said}{errors}");
}

/// Every body of a session, in order; numbers that are not those of [`body`] fail.
pub(crate) fn numbers(store: &Store, name: &str) -> Vec<u64> {
    let records = store.records(name, &[Kind::Tick], None, usize::MAX).unwrap();
    for (number, it) in records.iter().enumerate() {
        assert_eq!(it.seq, number as u64, "a gap in {name}");
        assert_eq!(it.body, body(it.seq));
    }
    records.into_iter().map(|it| it.seq).collect()
}
