//! How a report reads: of a session that went well, of one that did not, and as Markdown.

use giulia_ops::{Ctx, Out, operation};

const REPORT: &str = include_str!("../../fixtures/report.json");

fn text(document: &str, width: usize) -> String {
    let mut out = Out::plain(width);
    let answer = serde_json::from_str(document).unwrap();
    operation("report").unwrap().text_of_json(answer, &mut out).unwrap();
    out.text().to_owned()
}

/// The same session as it reads when nothing of it could be seen.
fn empty() -> String {
    let mut it: serde_json::Value = serde_json::from_str(REPORT).unwrap();
    for key in ["work", "schedulers"] {
        it.as_object_mut().unwrap().remove(key);
    }
    for key in ["memory", "limits", "mailboxes", "ets", "marks"] {
        it[key] = serde_json::json!([]);
    }
    it["session"]["ended"] = "killed".into();
    it["window"]["ticks"] = 0.into();
    it["window"]["windows_ms"] = 0.0.into();
    it["window"]["gaps"] = serde_json::json!([]);
    it.to_string()
}

#[test]
fn a_session_reads_as_recorded() {
    insta::assert_snapshot!(text(REPORT, 100));
}

#[test]
fn a_killed_session_without_a_tick_says_so() {
    insta::assert_snapshot!(text(&empty(), 80));
}

#[test]
fn every_line_fits_the_terminal() {
    for width in [80, 100, 120] {
        for line in text(REPORT, width).lines() {
            assert!(line.chars().count() <= width, "{width}: {line}");
        }
    }
}

#[tokio::test]
async fn a_store_that_is_not_there_is_empty_and_is_not_made() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("deep/sessions.db");
    let ctx = Ctx::of_archive(giulia_engine::Archive::new(&path));
    let operation = |name| operation(name).unwrap();
    let listed = operation("sessions").run_json(&ctx, serde_json::json!({})).await.unwrap();
    assert_eq!(listed.to_json().unwrap()["sessions"], serde_json::json!([]));
    let Err(error) = operation("report").run_json(&ctx, serde_json::json!({})).await else {
        panic!("a report of nothing");
    };
    assert!(error.to_string().contains("giulia observe NODE"), "{error}");
    assert!(!path.exists());
}
