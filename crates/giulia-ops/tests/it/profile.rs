//! How a profile reads: of a session with a load in its middle, and of one without a tick.

use giulia_ops::{Out, operation};
use serde_json::{Value, json};

const PROFILE: &str = include_str!("../../fixtures/profile.json");

fn text(answer: Value, width: usize) -> String {
    let mut out = Out::plain(width);
    operation("profile").unwrap().text_of_json(answer, &mut out).unwrap();
    out.text().to_owned()
}

fn profile() -> Value {
    serde_json::from_str(PROFILE).unwrap()
}

#[test]
fn a_session_reads_window_by_window() {
    insta::assert_snapshot!(text(profile(), 80));
}

#[test]
fn a_session_without_a_tick_says_so() {
    let mut it = profile();
    for key in ["windows", "changes"] {
        it[key] = json!([]);
    }
    let why = "no tick was recorded, and windows begin and end with ticks";
    it["not_seen"] = json!([{ "what": "windows", "why": why, "ticks": 0 }]);
    it["session"]["ended"] = "killed".into();
    insta::assert_snapshot!(text(it, 80));
}

#[test]
fn what_nobody_saw_is_no_zero() {
    let mut it = profile();
    let window = it["windows"][1].as_object_mut().unwrap();
    for part in ["work", "calls", "schedulers", "memory", "mailboxes", "ets"] {
        window.remove(part);
    }
    let text = text(it, 100);
    let lines: Vec<&str> = text.lines().collect();
    let heading = lines.iter().position(|it| it.starts_with("Figures")).unwrap();
    let figures: Vec<&str> = lines[heading + 3].split_whitespace().skip(2).collect();
    assert_eq!(figures, ["-"; 7], "{text}");
}

#[test]
fn every_line_fits_the_terminal() {
    for width in [80, 100, 120] {
        for line in text(profile(), width).lines() {
            assert!(line.chars().count() <= width, "{width}: {line}");
        }
    }
}

#[test]
fn a_file_has_charts_and_every_figure() {
    let page = operation("profile").unwrap().file_of_json(profile(), "html").unwrap().unwrap();
    let page = String::from_utf8(page).unwrap();
    assert!(page.contains("<polyline") && page.contains("calls_per_s"), "{page}");
}
