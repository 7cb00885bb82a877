//! What functions rest on, by design of the kit, against what `explain` says of them.

use std::process::Command;

use giulia_testkit::{Node, for_each_otp};
use serde_json::Value;

/// Function, kind of what it rests on most, a part of its name, the processes between.
const TRUTH: [(&str, &str, &str, u64); 11] = [
    ("ets_t", "ets_table", "kit_rests_table", 0),
    ("server", "process", "kit_rests_server", 0),
    ("active_t", "socket", "127.0.0.1:", 0),
    ("driver", "socket", "127.0.0.1:", 1),
    ("task", "child_process", "", 0),
    ("nothing_t", "own_code", "", 0),
    ("raw", "file", "", 0),
    ("plain_t", "file", "", 0),
    ("tls", "tls_socket", "127.0.0.1:", 0),
    ("pool_t", "process", "kit_rests_pool", 0),
    ("remote", "remote_node", "kit_rests_server on far@", 0),
];

/// The node that is asked, and one that it asks.
fn started(otp: &giulia_testkit::Otp) -> (Node, Node) {
    let names: Vec<&str> = TRUTH.iter().map(|(name, ..)| *name).collect();
    let far = Node::builder(otp).name("far").eval("kit_rests:start([])").start();
    let node = Node::builder(otp).epmd(far.epmd()).start();
    node.eval(&format!(
        "pong = net_adm:ping('{far}'), kit_rests:start([mixed,loop,{}], '{far}')",
        names.join(","),
        far = far.name()
    ));
    (node, far)
}

fn explain(node: &Node, function: &str, more: &[&str]) -> (bool, Value, String) {
    let pattern = format!("kit_rests:{function}/1");
    let mut command = Command::new(env!("CARGO_BIN_EXE_giulia"));
    command.args(["explain", node.name(), &pattern, "--json", "--timeout", "30s"]);
    command.args(["--for", "10s"]);
    command.args(if more.is_empty() { &["--accept-vm-bug", "--calls", "20"] } else { more });
    command.env_clear().env("HOME", "/nowhere").env("PATH", "/usr/bin:/bin");
    command.env("GIULIA_COOKIE", node.cookie());
    command.env("ERL_EPMD_PORT", node.epmd_port().to_string());
    let output = command.output().unwrap();
    let document = serde_json::from_slice(&output.stdout).unwrap_or(Value::Null);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    (output.status.success(), document, said)
}

#[test]
fn functions_rest_on_what_they_were_written_to_rest_on() {
    for_each_otp("giulia::functions_rest_on_what_they_were_written_to_rest_on", |otp| {
        if otp.release == 23 {
            return;
        }
        let (node, _far) = started(otp);
        for (function, kind, name, hops) in TRUTH {
            let (_, seen, said) = explain(&node, function, &[]);
            let first = &seen["rests_on"][0];
            let about = format!("{function}: {said}{seen:#}");
            assert_eq!(first["kind"], kind, "{about}");
            assert!(first["name"].as_str().unwrap().contains(name), "{about}");
            assert_eq!(first["hops"], hops, "{about}");
            assert!(first["share_of_time"].as_f64().unwrap() > 0.8, "{about}");
            let restored = seen["manifest"].as_array().unwrap();
            assert!(!restored.is_empty(), "{about}");
            assert!(restored.iter().all(|it| it["restored"] == "yes"), "{about}");
        }
        assert_eq!(node.eval("erlang:trace_info({gen,call,4},all)"), "{all,false}");
    });
}

#[test]
fn a_mix_is_told_in_calls_and_a_loop_is_refused() {
    for_each_otp("giulia::a_mix_is_told_in_calls_and_a_loop_is_refused", |otp| {
        if otp.release == 23 {
            return;
        }
        let (node, _far) = started(otp);
        let (_, seen, said) = explain(&node, "mixed", &["--accept-vm-bug", "--calls", "60"]);
        let rows = seen["rests_on"].as_array().unwrap_or_else(|| panic!("{said}"));
        let calls = |kind: &str| {
            let its = rows.iter().filter(|it| it["kind"] == kind);
            its.map(|it| it["share_of_calls"].as_f64().unwrap()).sum::<f64>()
        };
        assert!((calls("process") - 0.25).abs() < 0.1, "{seen:#}");
        assert!((calls("ets_table") - 0.75).abs() < 0.1, "{seen:#}");
        let (_, seen, said) = explain(&node, "loop", &[]);
        assert_eq!(seen["verdict"], "refused", "{said}{seen:#}");
        assert!(seen["why"].as_str().unwrap().contains("loop"), "{seen:#}");
    });
}

#[test]
fn what_cannot_be_explained_says_why() {
    for_each_otp("giulia::what_cannot_be_explained_says_why", |otp| {
        let (node, _far) = started(otp);
        if otp.release == 23 {
            let (done, seen, said) = explain(&node, "ets_t", &["--calls", "20"]);
            assert!(!done && said.contains("running"), "{said}{seen:#}");
            return;
        }
        let (done, _, said) = explain(&node, "etz", &[]);
        assert!(!done && said.contains("did you mean"), "{said}");
    });
}
