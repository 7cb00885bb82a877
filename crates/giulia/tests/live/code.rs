//! The code that a node runs, read from there without a trace, and asked on the command line.

use giulia_testkit::{Node, for_each_otp};
use serde_json::Value;

use crate::home::Home;

fn document(home: &Home, node: &Node, args: &[&str]) -> Value {
    let output = home.to(node, args).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{args:?}: {said}");
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn the_code_of_a_node_is_asked_without_its_source() {
    for_each_otp("giulia::the_code_of_a_node_is_asked_without_its_source", |otp| {
        let node = Node::builder(otp).start();
        let home = Home::new();
        let name = node.name();
        let index = ["code", "index", "--node", name, "--modules", "lists", "--modules", "gen*"];
        let args = [&index[..], &["--json", "--timeout", "30s"]].concat();
        let modules = |it: &Value| it["size"]["modules"].as_u64().unwrap();
        let first = document(&home, &node, &args);
        assert!(modules(&first) >= 3 && first["read"].as_u64() >= Some(3), "{first:#}");
        assert_eq!(first["impact"]["changed"], serde_json::json!([]), "{first:#}");
        // The second time nothing is read again.
        let second = document(&home, &node, &args);
        let read = (second["read"].as_u64(), second["unchanged"].as_u64());
        assert_eq!(read, (Some(0), Some(modules(&first))), "{second:#}");
        let asked = ["code", "callers", "lists:reverse/1", "--node", name, "--json"];
        let callers = home.out(&asked);
        let callers: Value = serde_json::from_str(&callers).unwrap();
        let who = |it: &Value| it["from"]["module"] == "lists" || it["from"]["module"] == "gen";
        let calls = callers["calls"].as_array().unwrap();
        assert!(calls.iter().any(who), "{callers:#}");
        // What is not indexed is no empty answer.
        let missing = ["code", "callees", "ets:insert/2", "--node", name];
        let output = home.to(&node, &missing).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && said.contains("giulia code index"), "{said}");
        let missing = ["code", "show", "lsits", "--node", name];
        let output = home.to(&node, &missing).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && said.contains("did you mean lists?"), "{said}");
    });
}
