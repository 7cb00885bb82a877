//! Sessions on real nodes: how they end, what they survive, and what they leave there.

use std::{
    fs, os::unix::fs::PermissionsExt as _, path::Path, process::Command, thread, time::Duration,
};

use giulia_testkit::{Node, for_each_otp};
use serde_json::Value;

use crate::home::{Home, is_clean_after, marks, signal, spawned, told, wait, with_access};

#[test]
fn a_session_ends_with_its_time_and_reports() {
    for_each_otp("giulia::a_session_ends_with_its_time_and_reports", |otp| {
        let (node, home) = (Node::builder(otp).name("shop").start(), Home::new());
        let args = ["observe", node.name(), "--for", "3s", "--name", "first"];
        let before = node.residue();
        let (data, talk) = told(&home.to(&node, &args).output().unwrap(), 0);
        assert!(data.starts_with("first: shop@127.0.0.1\n"), "{data}");
        assert!(talk.contains("giulia: observing shop@127.0.0.1 as first\n"), "{talk}");
        is_clean_after(&node, &before);
        let report = home.report("last");
        let window = &report["window"];
        let ticks = window["ticks"].as_u64().unwrap() + window["ticks_missed"].as_u64().unwrap();
        assert_eq!(ticks, 4, "{window}");
        let covered = window["windows_ms"].as_f64().unwrap();
        assert!((2500.0..3500.0).contains(&covered), "{window}");
        assert_eq!(report["session"]["ended"], "time_up");
        let manifest = &report["session"]["manifest"];
        assert_eq!(manifest[0]["restored"], "yes", "{manifest}");
        assert!(report["schedulers"]["utilisation"].is_object(), "{}", report["schedulers"]);
        let markdown = home.out(&["report", "first", "--md"]);
        assert!(markdown.starts_with("# first: shop@127.0.0.1\n\n"), "{markdown}");
        assert!(!markdown.contains("\n| <0."), "a pid would be a tag: {markdown}");
        // The name is taken now, which is said before the node is asked.
        let (_, talk) = told(&home.to(&node, &args).output().unwrap(), 2);
        assert!(talk.contains("choose another --name"), "{talk}");
        let moved = home.path().join("first.giulia");
        let moved = moved.to_str().unwrap();
        home.out(&["export", "first", "-q", "-o", moved]);
        assert_eq!(fs::metadata(moved).unwrap().permissions().mode() & 0o777, 0o600);
        let other = home.path().join("other.db");
        let other = ["--store", other.to_str().unwrap()];
        home.out(&[&["import", moved, "--name", "second"], &other[..]].concat());
        let read = |name: &str, at: &[&str]| {
            let text = home.out(&[&["report", name, "--json"], at].concat());
            let mut report: Value = serde_json::from_str(&text).unwrap();
            report["session"]["name"] = Value::Null;
            report["findings"]["session"] = Value::Null;
            report
        };
        assert_eq!(read("first", &[]), read("second", &other));
        home.out(&["delete", "first"]);
        assert!(home.out(&["sessions"]).starts_with("No session in "));
    });
}

#[test]
fn a_command_is_watched_and_its_exit_status_passed_on() {
    for_each_otp("giulia::a_command_is_watched_and_its_exit_status_passed_on", |otp| {
        let (node, home) = (Node::builder(otp).name("shop").start(), Home::new());
        let run = |script: &[&str], code: i32| {
            let args = [&["observe", node.name(), "--json", "--"], script].concat();
            told(&home.to(&node, &args).output().unwrap(), code)
        };
        let (data, talk) = run(&["sh", "-c", "echo out; echo err >&2; sleep 1; exit 7"], 7);
        let document = data.strip_prefix("out\n").expect(&data);
        assert!(talk.contains("err\n"), "{talk}");
        let report: Value = serde_json::from_str(document).unwrap();
        assert_eq!(report["session"]["workload"]["exit_status"], 7);
        assert_eq!(report["session"]["ended"], "workload_ended");
        assert!(report["work"].is_object(), "one window at least: {report}");
        let (data, _) = run(&["sh", "-c", "kill -9 $$"], 128 + 9);
        let report: Value = serde_json::from_str(&data).unwrap();
        assert_eq!(report["session"]["workload"]["signal"], 9);
        let (data, talk) = run(&["no-such-program"], 127);
        assert_eq!(data, "");
        assert!(talk.contains("no-such-program"), "{talk}");
        let list: Value = serde_json::from_str(&home.out(&["sessions", "--json"])).unwrap();
        assert_eq!(list["sessions"].as_array().unwrap().len(), 2, "{list}");
        // What Ctrl-C does to the command is the command's business, and its status is passed on.
        let script = "trap 'sleep 0.5; exit 5' INT; while :; do sleep 0.1; done";
        let watched = ["observe", node.name(), "--name", "watched", "--json"];
        let args = [&watched[..], &["--", "sh", "-c", script]].concat();
        let child = spawned(home.to(&node, &args));
        // Not by the last mark of `status`: on a busy machine an alarm comes behind it.
        wait("the command", || {
            let report = home.giulia(&["report", "watched", "--json"]).output().unwrap();
            let report: Value = serde_json::from_slice(&report.stdout).unwrap_or_default();
            report["marks"].is_array() && marks(&report).contains(&"workload")
        });
        signal(&child, "-INT");
        let (data, _) = told(&child.wait_with_output().unwrap(), 5);
        let report: Value = serde_json::from_str(&data).unwrap();
        assert_eq!(report["session"]["ended"], "stopped");
        // Stopped before it began: the command is never run, and nobody waits for it.
        let args = ["observe", node.name(), "--", "sh", "-c", "echo ran; sleep 60"];
        node.freeze();
        let child = spawned(home.to(&node, &args));
        thread::sleep(Duration::from_millis(700));
        signal(&child, "-INT");
        node.thaw();
        let output = child.wait_with_output().unwrap();
        assert!(!String::from_utf8_lossy(&output.stdout).starts_with("ran"), "{output:?}");
    });
}

#[test]
fn ctrl_c_ends_a_session_well_and_kill_loses_nothing_recorded() {
    for_each_otp("giulia::ctrl_c_ends_a_session_well_and_kill_loses_nothing", |otp| {
        let (node, home) = (Node::builder(otp).name("shop").start(), Home::new());
        // The first visit makes the node remember things; what comes is compared with after it.
        told(&home.to(&node, &["observe", node.name(), "--for", "200ms"]).output().unwrap(), 0);
        let before = node.residue();
        let child = spawned(home.to(&node, &["observe", node.name(), "--every", "200ms"]));
        thread::sleep(Duration::from_secs(2));
        signal(&child, "-INT");
        let (data, _) = told(&child.wait_with_output().unwrap(), 0);
        assert!(data.contains("It was stopped."), "{data}");
        is_clean_after(&node, &before);
        let args = ["observe", node.name(), "--every", "200ms", "--name", "killed"];
        let mut child = spawned(home.to(&node, &args));
        wait("the session", || {
            let list: Value = serde_json::from_str(&home.out(&["sessions", "--json"])).unwrap();
            let newest = &list["sessions"][0];
            newest["name"] == "killed" && newest["ticks"].as_u64() >= Some(5)
        });
        assert_eq!(home.report("killed")["running"], true);
        child.kill().unwrap();
        child.wait().unwrap();
        let report = home.report("killed");
        assert_eq!(report["session"]["ended"], "killed");
        assert_eq!(report["running"], false);
        assert!(report["window"]["ticks"].as_u64() >= Some(5));
        let text = home.out(&["report", "killed"]);
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(text.contains("Its giulia was killed"), "{text}");
        is_clean_after(&node, &before);
    });
}

#[test]
fn a_frozen_and_a_restarted_node_are_marks_and_not_the_end() {
    for_each_otp("giulia::a_frozen_and_a_restarted_node_are_marks", |otp| {
        let (beside, home) = (Node::builder(otp).name("beside").start(), Home::new());
        let start = || Node::builder(otp).name("shop").epmd(beside.epmd()).start();
        let node = start();
        let args = ["observe", node.name(), "--every", "200ms", "--name", "rough"];
        let child = spawned(home.to(&node, &args));
        home.wait_for_ticks(3);
        node.freeze();
        thread::sleep(Duration::from_secs(6));
        node.thaw();
        let seen = |kind: &str| marks(&home.report("rough")).contains(&kind);
        wait("the thaw", || seen("thawed"));
        node.kill();
        wait("the loss", || seen("lost"));
        let again = start();
        wait("the return", || seen("restarted"));
        let ticks = home.report("rough")["window"]["ticks"].as_u64().unwrap();
        home.wait_for_ticks(ticks + 2);
        // Another cookie writes an error into its log, so it is tried once and no more.
        again.kill();
        let other = Node::builder(otp).name("shop").cookie("other").epmd(beside.epmd()).start();
        wait("the refusal", || seen("refused"));
        thread::sleep(Duration::from_secs(2));
        let refusals = other.log().matches("Invalid challenge reply").count();
        assert!(refusals <= 1, "{}", other.log());
        signal(&child, "-INT");
        told(&child.wait_with_output().unwrap(), 0);
        let report = home.report("rough");
        let told = marks(&report);
        let order: Vec<_> = told.iter().filter(|it| **it != "missed").copied().collect();
        let lapses = order.iter().filter(|it| **it == "lease_lapsed").count();
        assert!(lapses <= 1, "{order:?}");
        let order: Vec<_> = order.into_iter().filter(|it| *it != "lease_lapsed").collect();
        let begin = ["attached", "frozen", "thawed", "lost", "restarted", "lost", "refused"];
        assert_eq!(order, [&begin[..], &["ended"]].concat(), "{}", report["marks"]);
        let manifest = report["session"]["manifest"].as_array().unwrap();
        assert!(manifest.iter().any(|it| it["restored"] == "node_ended"), "{manifest:?}");
        assert!(told.contains(&"missed") && report["window"]["ticks_missed"].as_u64() >= Some(20));
        assert!(!report["window"]["gaps"].as_array().unwrap().is_empty());
    });
}

#[test]
fn sessions_in_the_background_are_found_and_stopped() {
    for_each_otp("giulia::sessions_in_the_background_are_found_and_stopped", |otp| {
        let (node, home) = (Node::builder(otp).name("shop").start(), Home::new());
        let status = || -> Value {
            serde_json::from_str(&home.out(&["observe", "status", "--json"])).unwrap()
        };
        assert_eq!(status()["running"], serde_json::json!([]));
        let mut start = home.to(&node, &["observe", "start", node.name(), "--name", "one"]);
        start.args(["--every", "200ms"]);
        let (data, _) = told(&start.output().unwrap(), 0);
        assert!(data.contains("giulia observe stop one"), "{data}");
        let observe = env!("CARGO_BIN_EXE_giulia-observe");
        let start = ["start", node.name(), node.cookie(), "300", "lists"];
        let start =
            with_access(home.command(observe, &start), &node).env_remove("GIULIA_COOKIE").output();
        let (_, talk) = told(&start.unwrap(), 0);
        assert!(talk.contains("`ps`"), "{talk}");
        let running = status()["running"].as_array().unwrap().clone();
        assert_eq!(running.len(), 2, "{running:?}");
        for live in &running {
            let pid = live["os_pid"].as_u64().unwrap();
            for file in ["cmdline", "environ"] {
                let text = fs::read(format!("/proc/{pid}/{file}")).unwrap();
                let text = String::from_utf8_lossy(&text).into_owned();
                assert!(!text.contains(node.cookie()), "{file} shows the cookie: {text}");
            }
        }
        let (_, talk) = told(&home.giulia(&["observe", "stop", node.name()]).output().unwrap(), 2);
        assert!(talk.contains("stop SESSION") && talk.contains("one, "), "{talk}");
        home.wait_for_ticks(2);
        let stopped = home.out(&["observe", "stop", "one"]);
        assert!(stopped.starts_with("one: shop@127.0.0.1\n"), "{stopped}");
        let stop = home.command(observe, &["stop", node.name()]).output().unwrap();
        let (data, _) = told(&stop, 0);
        assert!(data.contains("a tick every 300 ms"), "{data}");
        let (data, _) = told(&home.command(observe, &["status"]).output().unwrap(), 0);
        assert!(data.starts_with("No session is being recorded"), "{data}");
        assert_eq!(sockets(home.path()), 0);
    });
}

#[test]
fn a_killed_one_in_the_background_is_no_more_and_a_failed_start_says_why() {
    for_each_otp("giulia::a_killed_one_in_the_background_is_no_more", |otp| {
        let (node, home) = (Node::builder(otp).name("shop").start(), Home::new());
        let start = |cookie: &str| {
            let mut start = home.to(&node, &["observe", "start", node.name()]);
            start.env("GIULIA_COOKIE", cookie).output().unwrap()
        };
        let (data, talk) = told(&start("wrong"), 2);
        assert_eq!(data, "");
        assert!(talk.contains("cookie") && !talk.contains("wrong"), "{talk}");
        told(&start(node.cookie()), 0);
        let status: Value =
            serde_json::from_str(&home.out(&["observe", "status", "--json"])).unwrap();
        let pid = status["running"][0]["os_pid"].to_string();
        assert!(Command::new("kill").args(["-9", &pid]).status().unwrap().success());
        wait("its end", || {
            let is_none = home.out(&["observe", "status"]).starts_with("No session");
            is_none && sockets(home.path()) == 0
        });
        assert_eq!(home.report("last")["session"]["ended"], "killed");
        // Somebody who does not wait for `start` is not left with a session unknown to them.
        node.freeze();
        let mut impatient = spawned(home.to(&node, &["observe", "start", node.name()]));
        thread::sleep(Duration::from_millis(500));
        impatient.kill().unwrap();
        impatient.wait().unwrap();
        node.thaw();
        thread::sleep(Duration::from_secs(1));
        wait("its end", || home.out(&["observe", "status"]).starts_with("No session"));
    });
}

fn sockets(home: &Path) -> usize {
    fs::read_dir(home.join("giulia")).unwrap().count()
}
