//! Flame graphs from the command line: files by their endings, Ctrl-C, and what is wrong before a
//! node is asked.

use std::{
    fs,
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use giulia_testkit::{Node, for_each_otp};

use crate::{giulia, ran};

/// Always at work, in a function with a name.
const BUSY: &str =
    "spawn(fun() -> (fun Loop() -> lists:sort(lists:seq(1, 2000)), Loop() end)() end)";

fn flame(node: &Node, args: &[&str]) -> Command {
    let mut giulia = giulia(&[&["flame", node.name(), "--accept-vm-bug"], args].concat());
    giulia.env("GIULIA_COOKIE", node.cookie()).env("ERL_EPMD_PORT", node.epmd_port().to_string());
    giulia
}

#[test]
fn each_kind_of_file_is_written_and_says_what_it_is() {
    for_each_otp("giulia::each_kind_of_file_is_written_and_says_what_it_is", |otp| {
        let node = Node::builder(otp).eval(BUSY).start();
        let folder = tempfile::tempdir().unwrap();
        for (name, begins) in [
            ("a.svg", &b"<svg "[..]),
            ("a.html", b"<!doctype html>"),
            ("a.folded", b"# "),
            ("a.speedscope.json", b"{\"$schema\":"),
            ("a.pb.gz", b"\x1f\x8b"),
        ] {
            let path = folder.path().join(name);
            let path = path.to_str().unwrap();
            let (data, talk, code) =
                ran(&flame(&node, &["--for", "500ms", "-o", path]).output().unwrap());
            assert_eq!((code, data.as_str()), (0, ""), "{talk}");
            assert!(talk.contains(path), "{talk}");
            let written = fs::read(path).unwrap();
            assert!(written.starts_with(begins), "{name}: {}", String::from_utf8_lossy(&written));
        }
        assert_eq!(
            fs::read_dir(folder.path()).unwrap().count(),
            5,
            "something is left beside them"
        );
        let mut asked = flame(&node, &["--for", "1s", "--format", "folded", "--pattern", "lists"]);
        let (text, talk, code) = ran(&asked.output().unwrap());
        assert_eq!((code, talk.as_str()), (0, ""), "{text}");
        assert!(text.lines().any(|it| it.contains(";lists:")), "{text}");
        assert!(text.lines().all(|it| it.starts_with('#') || it.contains("lists:")), "{text}");
    });
}

#[test]
fn ctrl_c_ends_it_with_what_there_is() {
    for_each_otp("giulia::ctrl_c_ends_it_with_what_there_is", |otp| {
        let node = Node::builder(otp).eval(BUSY).start();
        let child = flame(&node, &["--for", "5m", "--json"])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // Held by the process that samples, so it says that one is at work.
        let sampling = || node.eval("erlang:statistics(scheduler_wall_time) =/= undefined");
        let until = Instant::now() + Duration::from_mins(1);
        while sampling() != "true" {
            assert!(Instant::now() < until, "it does not sample");
            thread::sleep(Duration::from_millis(50));
        }
        let pid = child.id().to_string();
        assert!(Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
        let (data, talk, code) = ran(&child.wait_with_output().unwrap());
        assert_eq!(code, 0, "{talk}\n{data}");
        assert!(data.contains("the rest of the window"), "{data}");
        assert!(data.contains("\"self_samples\""), "{data}");
    });
}

#[test]
fn what_is_wrong_with_a_file_is_told_before_a_node_is_asked() {
    let folder = tempfile::tempdir().unwrap();
    let nowhere = folder.path().join("no").join("a.svg");
    for (args, says) in [
        (&["-o", "graph.png"][..], ".svg"),
        (&["-o", nowhere.to_str().unwrap()], "no folder"),
        (&["--format", "gif"], "folded"),
        (&["--pattern", "app:shop"], "Shop.*"),
        (&["--hz", "501"], "500"),
    ] {
        // Nobody listens there: an answer of EPMD would be another text.
        let args = [&["flame", "shop@127.0.0.1", "--epmd-port", "1"], args].concat();
        let (data, talk, code) = ran(&giulia(&args).output().unwrap());
        assert_eq!((code, data.as_str()), (2, ""), "{talk}");
        assert!(talk.contains(says) && !talk.contains("EPMD"), "{args:?}: {talk}");
    }
}
