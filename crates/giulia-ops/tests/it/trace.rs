//! How a trace reads: recorded on OTP 27 with two modules of one shape; one counter lost.

use giulia_model::Trace;
use giulia_ops::{Out, operation};

const RECORDED: &str = include_str!("../../fixtures/trace.json");

fn text(it: &Trace, width: usize) -> String {
    let mut out = Out::plain(width);
    let answer = serde_json::to_value(it).unwrap();
    operation("trace").unwrap().text_of_json(answer, &mut out).unwrap();
    out.text().to_owned()
}

fn recorded() -> Trace {
    serde_json::from_str(RECORDED).unwrap()
}

#[test]
fn a_trace_reads_from_functions_to_what_was_left_out() {
    insta::assert_snapshot!(text(&recorded(), 100));
}

#[test]
fn what_was_not_measured_has_no_column_and_no_zero() {
    let mut it = recorded();
    it.nodes[0].measured = None;
    it.groups.clear();
    for row in &mut it.functions {
        row.own = None;
    }
    let text = text(&it, 100);
    assert!(!text.contains("own time") && !text.contains("words"), "{text}");
}

#[test]
fn several_nodes_have_a_column() {
    let mut it = recorded();
    it.nodes.push(it.nodes[0].clone());
    it.nodes[1].node = "shop@db2".to_owned();
    for (row, node) in it.functions.iter_mut().zip(["shop@db1", "shop@db2"].into_iter().cycle()) {
        row.node = Some(node.to_owned());
    }
    let text = text(&it, 120);
    let head = text.lines().find(|it| it.trim_start().starts_with("function")).unwrap();
    assert!(head.contains("node") && text.contains("shop@db2  "), "{text}");
}

#[test]
fn a_plan_says_that_nothing_was_called() {
    let mut it = recorded();
    it.planned_calls = vec!["trace:session_create(giulia, Tracer, [])".to_owned()];
    let text = text(&it, 100);
    assert!(text.contains("Nothing was called") && text.contains("session_create"), "{text}");
}
