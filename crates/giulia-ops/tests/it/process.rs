//! How one process reads: recorded on OTP 27, with the state of another one.

use giulia_model::ProcessDetail;
use giulia_ops::{Out, operation};

const RECORDED: &str = include_str!("../../fixtures/process.json");

fn text(it: &ProcessDetail, width: usize) -> String {
    let mut out = Out::plain(width);
    let answer = serde_json::to_value(it).unwrap();
    operation("process").unwrap().text_of_json(answer, &mut out).unwrap();
    out.text().to_owned()
}

fn recorded() -> ProcessDetail {
    serde_json::from_str(RECORDED).unwrap()
}

#[test]
fn a_process_reads_from_what_it_is_to_what_it_holds() {
    insta::assert_snapshot!(text(&recorded(), 80));
}

#[test]
fn what_could_not_be_asked_is_not_shown_as_none() {
    let mut it = recorded();
    (it.mailbox_len, it.links, it.binaries, it.heap) = (None, None, None, None);
    (it.monitors, it.monitored_by, it.dictionary_keys) = (None, None, None);
    let text = text(&it, 80);
    assert!(text.contains("not asked"), "{text}");
    for absent in ["links", "binaries", "monitors", "dictionary", "none outside"] {
        assert!(!text.contains(&format!("  {absent}")), "{absent}: {text}");
    }
}

#[test]
fn a_large_state_is_cut_and_says_where_the_rest_is() {
    let mut it = recorded();
    let state = it.state.as_mut().unwrap();
    let part = state.parts[1].clone();
    state.parts.resize(200, part);
    let text = text(&it, 80);
    assert!(text.contains("... 120 more parts in --json"), "{text}");
}
