//! An examination of a node that is ill, and of the session that it leaves.

use std::process::{Command, Stdio};

use giulia_testkit::{Node, for_each_otp};
use serde_json::Value;

/// A process that nobody drains, and one that fills it.
const ILL: &str = "Ill = spawn(fun() -> receive never -> ok end end), register(kit_ill, Ill), \
    spawn(fun() -> Fill = fun(Again) -> [Ill ! N || N <- lists:seq(1, 200)], \
    receive after 20 -> Again(Again) end end, Fill(Fill) end)";

fn run(node: &Node, store: &std::path::Path, args: &[&str]) -> (i32, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_giulia"));
    command.args(args).arg("--store").arg(store);
    command.env_clear().env("HOME", "/nowhere").env("PATH", "/usr/bin:/bin");
    command.env("GIULIA_COOKIE", node.cookie());
    command.env("ERL_EPMD_PORT", node.epmd_port().to_string());
    let output = command.output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code().unwrap(), text(&output.stdout), text(&output.stderr))
}

fn document(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|it| panic!("{it}: {text}"))
}

/// Processes up to a number, which stay.
const FILL: &str = "Fill = fun(Again) -> case erlang:system_info(process_count) < 900 of \
    true -> spawn(fun() -> receive never -> ok end end), Again(Again); false -> ok end end, Fill(Fill)";

/// Each closer look dials the node, which would end one without a process to spare.
#[test]
fn a_node_near_its_limit_of_processes_is_not_dialled_for_closer_looks() {
    for_each_otp("giulia::a_node_near_its_limit_is_not_dialled_for_closer_looks", |otp| {
        let node = Node::builder(otp).args(["+P", "1024"]).eval(FILL).start();
        let dir = tempfile::tempdir().unwrap();
        let check = ["check", node.name(), "--for", "3s", "--json", "--timeout", "30s"];
        let (code, said, talk) = run(&node, &dir.path().join("sessions.db"), &check);
        assert_eq!(code, 0, "{talk}");
        let said = document(&said);
        let findings = said["findings"]["findings"].as_array().unwrap();
        let of_rule = |rule: &str| findings.iter().find(|it| it["rule"] == rule).unwrap();
        assert_eq!(of_rule("limit_near")["outcome"], "found", "{said:#}");
        let closely =
            ["ets_read_concurrency", "rests_on_database", "n_plus_one", "serialising_process"];
        for unseen in closely.map(of_rule) {
            assert_eq!(unseen["outcome"], "not_enough_seen", "{unseen:#}");
            let why = unseen["why"].as_str().unwrap();
            assert!(why.contains("of at most 1024 processes at the last tick"), "{why}");
        }
    });
}

/// From OTP 28 on a session holds a trace session for what the VM tells of itself, and each closer
/// look comes over a connection of its own.
#[test]
fn a_check_does_not_take_itself_for_somebody_else_who_traces() {
    for_each_otp("giulia::a_check_does_not_take_itself_for_somebody_else", |otp| {
        let node = Node::builder(otp).eval(ILL).start();
        let dir = tempfile::tempdir().unwrap();
        let tracing = |name: &str| {
            let store = dir.path().join(name);
            let check = ["check", node.name(), "--for", "1s", "--trace", "lists", "--json"];
            let (code, said, talk) =
                run(&node, &store, &[&check[..], &["--timeout", "30s"]].concat());
            assert_eq!(code, 0, "{talk}");
            let said = document(&said);
            let findings = said["findings"]["findings"].as_array().unwrap().clone();
            findings.into_iter().find(|it| it["rule"] == "foreign_tracing").unwrap()
        };
        let alone = tracing("alone.db");
        assert_eq!(alone["outcome"], "clear", "{alone:#}");
        if otp.release < 28 {
            return;
        }
        let mut other = Command::new(env!("CARGO_BIN_EXE_giulia"));
        other.args(["observe", node.name(), "--for", "60s", "-q", "--store"]);
        other.arg(dir.path().join("other.db")).env_clear().env("HOME", "/nowhere");
        other.env("GIULIA_COOKIE", node.cookie());
        other.env("ERL_EPMD_PORT", node.epmd_port().to_string());
        let mut other = other.stdout(Stdio::null()).spawn().unwrap();
        let armed = "(fun Wait() -> case [1 || {giulia, _} <- trace:session_info(all)] of
             [] -> timer:sleep(20), Wait(); _ -> ok end end)()";
        node.eval(armed);
        let beside = tracing("beside.db");
        drop(other.kill());
        drop(other.wait());
        assert_eq!(beside["outcome"], "found", "{beside:#}");
    });
}

#[test]
fn a_check_finds_the_culprit_and_its_session_says_the_same() {
    for_each_otp("giulia::a_check_finds_the_culprit_and_its_session_says_the_same", |otp| {
        let node = Node::builder(otp).eval(ILL).start();
        let dir = tempfile::tempdir().unwrap();
        let store = dir.path().join("sessions.db");
        let check = ["check", node.name(), "--for", "4s", "--fail-on", "warning", "--json"];
        // A bug of OTP 25's VM makes asking for mailboxes dangerous; this node may be lost.
        let bounds = ["--timeout", "30s", "--accept-vm-bug"];
        let (code, said, talk) = run(&node, &store, &[&check[..], &bounds[..]].concat());
        assert_eq!(code, 1, "{talk}{said}");
        let live = document(&said);
        let findings = live["findings"]["findings"].as_array().unwrap();
        let of_rule = |it: &&Value| it["rule"] == "mailbox_growth" && it["outcome"] == "found";
        let found = findings.iter().find(of_rule).unwrap_or_else(|| panic!("{live:#}"));
        assert_eq!(found["culprits"][0]["name"], "kit_ill", "{found:#}");
        assert!(found["evidence"][0]["value"].as_f64().unwrap() >= 1000.0, "{found:#}");

        let (code, said, talk) = run(&node, &store, &["check", "last", "--json"]);
        assert_eq!(code, 0, "without --fail-on nothing fails: {talk}");
        assert_eq!(document(&said)["findings"], live["findings"]);
        let known = ["check", "last", "--fail-on", "note", "--baseline", "last"];
        assert_eq!(run(&node, &store, &known).0, 0, "what is known fails nothing");

        let page = dir.path().join("report.html");
        let (code, _, talk) = run(&node, &store, &["report", "last", "-o", page.to_str().unwrap()]);
        assert_eq!(code, 0, "{talk}");
        let page = std::fs::read_to_string(page).unwrap();
        assert!(page.contains("The mailbox of kit_ill grows") && page.contains("<polyline"));

        let (code, said, _) = run(&node, &store, &["replay", "last", "--limit", "1000"]);
        assert!(code == 0 && said.contains("answer"), "{said}");
        let (code, said, _) = run(&node, &store, &["compare", "last", "last", "--json"]);
        assert_eq!(code, 0);
        let compared = document(&said);
        assert_eq!(compared["sessions"].as_array().unwrap().len(), 2);
        assert!(compared["figures"].as_array().unwrap().len() > 5, "{compared:#}");
        // Everything that was switched on is off again.
        let report = document(&run(&node, &store, &["report", "last", "--json"]).1);
        let session = &report["session"];
        let manifest = session["manifest"].as_array().unwrap();
        assert!(manifest.iter().all(|it| it["restored"] == "yes"), "{manifest:#?}");
        // Looking closely evaluates a lot, over other connections than the ticks: none of it is
        // the node's work.
        let rows = report["work"]["by_initial_call"]["rows"].as_array().unwrap();
        let ours = ["erl_eval:expr/5", "erpc:execute_call/4"];
        let found = rows.iter().find(|it| ours.iter().any(|ours| it["name"] == *ours));
        assert!(!rows.is_empty() && found.is_none(), "{rows:#?}");
        assert_eq!(node.eval("erlang:trace_info({gen,call,4},all)"), "{all,false}");
    });
}
