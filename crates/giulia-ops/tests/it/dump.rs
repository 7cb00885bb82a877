//! How a dump reads: recorded on OTP 27, with three hundred sleepers and forty full mailboxes.

use giulia_model::Dump;
use giulia_ops::{Out, operation};

const RECORDED: &str = include_str!("../../fixtures/dump.json");

fn text(it: &Dump, width: usize) -> String {
    let mut out = Out::plain(width);
    let answer = serde_json::to_value(it).unwrap();
    operation("dump").unwrap().text_of_json(answer, &mut out).unwrap();
    out.text().to_owned()
}

fn recorded() -> Dump {
    serde_json::from_str(RECORDED).unwrap()
}

#[test]
fn a_dump_reads_like_a_thread_dump() {
    insta::assert_snapshot!(text(&recorded(), 100));
}

#[test]
fn long_places_move_to_a_line_of_their_own() {
    let mut it = recorded();
    it.groups[0].stack[0].file = Some(format!("lib/{}.ex", "deep/".repeat(8)));
    for line in text(&it, 80).lines() {
        assert!(line.chars().count() <= 80, "{line}");
    }
}

#[test]
fn a_sample_a_cut_stack_and_none_say_so() {
    let mut it = recorded();
    let coverage = it.coverage.as_mut().unwrap();
    (coverage.total, coverage.sampled) = (9000, true);
    it.groups[0].cut = true;
    it.groups[1].stack.clear();
    let text = text(&it, 100);
    assert!(text.contains("of 9,000 processes"), "{text}");
    assert!(text.contains("... the VM tells no more frames"), "{text}");
    assert!(text.contains("no stack: hibernates"), "{text}");
}
