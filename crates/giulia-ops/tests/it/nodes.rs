//! How the nodes of a host read.

use serde_json::json;

use giulia_ops::{Out, operation};

#[test]
fn a_node_that_does_not_answer_says_why() {
    let answer = json!({
        "schema": "giulia.nodes/1",
        "host": "db1",
        "epmd_port": 4369,
        "nodes": [
            {"alive": "shop", "port": 40001, "name": "shop@db1", "status": "answers",
             "answers": true, "elapsed_ms": 1.25},
            {"alive": "stuck", "port": 40002, "name": null, "answers": false,
             "status": "no answer within 10 s; is the node frozen?", "elapsed_ms": 10000.0},
        ],
    });
    let mut out = Out::plain(80);
    operation("nodes").unwrap().text_of_json(answer, &mut out).unwrap();
    insta::assert_snapshot!(out.text());
}
