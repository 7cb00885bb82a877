//! Stores that cannot be written to, through the program: full, read-only, newer, damaged.

use std::{
    fs,
    io::{BufRead as _, BufReader, Write as _},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

use giulia_testkit::{Node, for_each_otp};
use serde_json::Value;

use crate::home::{Home, is_clean_after, marks, signal, told, wait};

/// A folder of its own file system, which only those see who enter the holder's namespace.
struct Disk {
    holder: Child,
    folder: PathBuf,
}

impl Disk {
    /// Where this shell command, given the folder as `$0`, made it; none where that is not
    /// permitted.
    fn make(folder: &Path, mount: &str) -> Option<Self> {
        fs::create_dir_all(folder).unwrap();
        let mut holder = Command::new("unshare");
        // It ends with our end of the pipe, also when we are killed.
        holder.args(["--mount", "sh", "-c", &format!("{mount} && echo made && exec cat")]);
        holder.arg(folder).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::inherit());
        let mut holder = holder.spawn().ok()?;
        let mut line = String::new();
        BufReader::new(holder.stdout.take()?).read_line(&mut line).ok()?;
        if line != "made\n" {
            holder.wait().ok();
            eprintln!("live: skipped: no mounts in a namespace for this user");
            return None;
        }
        Some(Self { holder, folder: folder.to_owned() })
    }

    /// giulia where the disk is.
    fn giulia(&self, home: &Home, node: &Node, args: &[&str]) -> Command {
        let mut by = Command::new("nsenter");
        by.arg(format!("--mount=/proc/{}/ns/mnt", self.holder.id())).arg("--");
        by.arg(env!("CARGO_BIN_EXE_giulia"));
        let mut command = home.to_by(by, node, args);
        command.arg("--store").arg(self.store());
        command
    }

    fn store(&self) -> PathBuf {
        self.folder.join("sessions.db")
    }

    /// The same file as seen from here.
    fn seen(&self, name: &str) -> PathBuf {
        let inside = self.folder.strip_prefix("/").unwrap();
        Path::new(&format!("/proc/{}/root", self.holder.id())).join(inside).join(name)
    }

    /// Takes every byte that is left.
    fn fill(&self) {
        let mut ballast = fs::File::create(self.seen("ballast")).unwrap();
        for piece in [64 * 1024, 4096, 1] {
            while ballast.write_all(&vec![7; piece]).is_ok() {}
        }
    }

    fn free(&self) {
        fs::remove_file(self.seen("ballast")).unwrap();
    }

    fn report(&self, home: &Home, node: &Node, session: &str) -> Value {
        let output = self.giulia(home, node, &["report", session, "--json"]).output().unwrap();
        serde_json::from_str(&told(&output, 0).0).unwrap()
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        drop(self.holder.kill());
        drop(self.holder.wait());
    }
}

/// A session under way whose talk is heard while it runs.
struct Recorded {
    child: Child,
    talk: Arc<Mutex<String>>,
    hearing: thread::JoinHandle<()>,
}

impl Recorded {
    fn start(mut command: Command) -> Self {
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let talk = Arc::new(Mutex::new(String::new()));
        let heard = Arc::clone(&talk);
        let hearing = thread::spawn(move || {
            for line in stderr.lines().map_while(Result::ok) {
                *heard.lock().unwrap() += &(line + "\n");
            }
        });
        Self { child, talk, hearing }
    }

    #[track_caller]
    fn wait_for(&self, words: &str) {
        wait(words, || self.talk.lock().unwrap().contains(words));
    }

    /// After Ctrl-C: what it printed, and all of its talk.
    #[track_caller]
    fn end(self, code: i32) -> (String, String) {
        signal(&self.child, "-INT");
        let output = self.child.wait_with_output().unwrap();
        self.hearing.join().unwrap();
        let talk = self.talk.lock().unwrap().clone();
        assert_eq!(output.status.code(), Some(code), "{talk}");
        (String::from_utf8(output.stdout).unwrap(), talk)
    }
}

/// Starts a session on this disk and fills the disk up.
fn on_a_full_disk(disk: &Disk, home: &Home, node: &Node) -> Recorded {
    let args = ["observe", node.name(), "--every", "100ms", "--name", "full"];
    let session = Recorded::start(disk.giulia(home, node, &args));
    session.wait_for("observing");
    thread::sleep(Duration::from_secs(1));
    disk.fill();
    session.wait_for(" held in memory");
    thread::sleep(Duration::from_secs(2));
    session
}

#[test]
fn a_disk_that_was_full_for_a_while_costs_nothing() {
    for_each_otp("giulia::a_disk_that_was_full_for_a_while_costs_nothing", |otp| {
        let (node, home) = (Node::builder(otp).name("shop").start(), Home::new());
        let mount = "mount -t tmpfs -o size=2m tmpfs \"$0\"";
        let Some(disk) = Disk::make(&home.path().join("disk"), mount) else { return };
        let before = node.residue();
        let session = on_a_full_disk(&disk, &home, &node);
        // What was recorded before can be read meanwhile.
        let stored = disk.report(&home, &node, "full")["window"]["ticks"].as_u64().unwrap();
        disk.free();
        session.wait_for("the store takes records again");
        thread::sleep(Duration::from_secs(1));
        let (data, talk) = session.end(0);
        assert!(talk.contains("full") && talk.contains("free some space"), "{talk}");
        assert!(data.contains("It was stopped."), "{data}");
        let report = disk.report(&home, &node, "full");
        let order = marks(&report);
        let place = |kind: &str| order.iter().position(|it| *it == kind).expect(kind);
        assert!(place("store_failed") < place("store_recovered"), "{order:?}");
        let window = &report["window"];
        assert!(window["ticks"].as_u64() >= Some(stored + 20), "{stored}: {window}");
        let sessions = disk.giulia(&home, &node, &["sessions", "--json"]).output().unwrap();
        whole(&told(&sessions, 0).0, &report);
        is_clean_after(&node, &before);
    });
}

/// The head counts the ticks as they were made, the report those that it read.
#[track_caller]
fn whole(sessions: &str, report: &Value) {
    let known: Value = serde_json::from_str(sessions).unwrap();
    assert_eq!(known["sessions"][0]["ticks"], report["window"]["ticks"]);
}

#[test]
fn a_session_whose_disk_stays_full_is_rescued() {
    for_each_otp("giulia::a_session_whose_disk_stays_full_is_rescued", |otp| {
        let (node, home) = (Node::builder(otp).name("shop").start(), Home::new());
        let mount = "mount -t tmpfs -o size=2m tmpfs \"$0\"";
        let Some(disk) = Disk::make(&home.path().join("disk"), mount) else { return };
        let before = node.residue();
        let session = on_a_full_disk(&disk, &home, &node);
        let (data, talk) = session.end(2);
        assert_eq!(data, "");
        is_clean_after(&node, &before);
        let last = talk.lines().last().unwrap();
        assert!(last.contains("`giulia import`"), "{last}");
        let folder = home.path().to_str().unwrap();
        let begins = last.match_indices(folder).map(|it| &last[it.0..]);
        let mut paths = begins.filter_map(|it| it.split(": ").next());
        let rescued = paths.find(|it| it.ends_with(".giulia")).unwrap_or_else(|| panic!("{last}"));
        // The store has what it took, and whoever finds it is not told more than it knows.
        let text = told(&disk.giulia(&home, &node, &["report", "full"]).output().unwrap(), 0).0;
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(text.contains("was killed, or its disk took no more"), "{text}");
        home.out(&["import", rescued]);
        let report = home.report("full");
        assert_eq!(report["session"]["ended"], "stopped");
        assert!(marks(&report).contains(&"store_failed"), "{}", report["marks"]);
        assert_eq!(marks(&report).last(), Some(&"ended"), "{}", report["marks"]);
        whole(&home.out(&["sessions", "--json"]), &report);
        assert!(report["window"]["ticks"].as_u64() >= Some(20), "{}", report["window"]);
    });
}

/// One line on stderr with these words, exit code 2, and the node never heard of us.
#[track_caller]
fn refused(node: &Node, mut command: Command, words: &[&str]) {
    let before = node.residue();
    let (data, talk) = told(&command.output().unwrap(), 2);
    assert_eq!(data, "");
    assert_eq!(talk.lines().count(), 1, "{talk}");
    for word in words {
        assert!(talk.contains(word), "no `{word}` in: {talk}");
    }
    let difference = before.diff(&node.residue());
    assert!(difference.is_empty(), "{difference}");
}

#[test]
fn a_store_that_cannot_be_written_to_is_said_before_the_node_is_asked() {
    for_each_otp("giulia::a_store_that_cannot_be_written_to_is_said_first", |otp| {
        let (node, home) = (Node::builder(otp).name("shop").start(), Home::new());
        // The first look at the residue loads what it needs there.
        node.residue();
        let store = home.path().join("disk/sessions.db");
        let file = store.to_str().unwrap();
        let folder = store.parent().unwrap();
        let observe = ["observe", node.name(), "--for", "300ms", "--store", file];
        let here = |home: &Home| home.to(&node, &observe);
        // A folder that is read-only, first empty, then with a store in it.
        let mount = "mount --bind \"$0\" \"$0\" && mount -o remount,bind,ro \"$0\"";
        let read_only = ["may this user write", "--store", folder.to_str().unwrap()];
        if let Some(disk) = Disk::make(folder, mount) {
            refused(&node, disk.giulia(&home, &node, &observe[..4]), &read_only);
        }
        told(&home.to(&node, &observe).args(["--name", "kept"]).output().unwrap(), 0);
        if let Some(disk) = Disk::make(folder, mount) {
            refused(&node, disk.giulia(&home, &node, &observe[..4]), &read_only);
            assert_eq!(disk.report(&home, &node, "kept")["session"]["name"], "kept");
        }
        let elsewhere = home.path().join("small");
        if let Some(disk) = Disk::make(&elsewhere, "mount -t tmpfs -o size=1m tmpfs \"$0\"") {
            disk.fill();
            let full = ["free some space", elsewhere.to_str().unwrap()];
            refused(&node, disk.giulia(&home, &node, &observe[..4]), &full);
        }
        let into_folder = [&observe[..5], &[folder.to_str().unwrap()]].concat();
        refused(&node, home.to(&node, &into_folder), &["it is a folder", file]);
        let whole = fs::read(&store).unwrap();
        let stays = |bytes: &[u8], words: &[&str]| {
            fs::write(&store, bytes).unwrap();
            // The log of a store that nobody writes to is empty, and SQLite removes it at will.
            assert!(fs::metadata(format!("{file}-wal")).map_or(0, |it| it.len()) == 0);
            let names = || -> Vec<String> {
                let entries = fs::read_dir(folder).unwrap().map(Result::unwrap);
                let names = entries.map(|it| it.file_name().into_string().unwrap());
                let is_log = |it: &String| it.ends_with("-wal") || it.ends_with("-shm");
                let mut names: Vec<_> = names.filter(|it| !is_log(it)).collect();
                names.sort();
                names
            };
            let before = names();
            refused(&node, here(&home), &[words, &[file]].concat());
            assert!(fs::read(&store).unwrap() == bytes, "the file was changed");
            assert_eq!(names(), before);
        };
        // The version of a SQLite file, big-endian (its format, 1.3).
        let mut newer = whole.clone();
        newer[60..64].copy_from_slice(&99_u32.to_be_bytes());
        stays(&newer, &["wrote it", "--store"]);
        stays(&b"dear diary\n".repeat(1_000), &["leaves the file as it is", "mv ", "--store"]);
        stays(&whole[..whole.len() / 2], &["leaves the file as it is", "mv "]);
        // Nothing was lost by any of that.
        fs::write(&store, &whole).unwrap();
        let text = home.out(&["report", "kept", "--json", "--store", file]);
        let report: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(report["session"]["ended"], "time_up");
    });
}
