//! How a snapshot reads, in every width and with parts missing.

use giulia_model::Snapshot;

use giulia_ops::{Out, operation};

const ONE_SAMPLE: &str = include_str!("../../fixtures/snapshot.json");
const WINDOW: &str = include_str!("../../fixtures/snapshot_window.json");

fn text(document: &str, width: usize) -> String {
    let mut out = Out::plain(width);
    let answer = serde_json::from_str(document).unwrap();
    operation("snapshot").unwrap().text_of_json(answer, &mut out).unwrap();
    out.text().to_owned()
}

#[test]
fn one_sample_reads_as_totals() {
    insta::assert_snapshot!(text(ONE_SAMPLE, 100));
}

#[test]
fn a_window_reads_as_rates() {
    insta::assert_snapshot!(text(WINDOW, 80));
}

#[test]
fn every_line_fits_the_terminal() {
    for width in [80, 100, 120] {
        for line in [ONE_SAMPLE, WINDOW]
            .iter()
            .flat_map(|it| text(it, width).lines().map(str::to_owned).collect::<Vec<_>>())
        {
            assert!(line.chars().count() <= width, "{width}: {line}");
        }
    }
}

#[test]
fn without_a_window_nothing_reads_as_a_rate() {
    let text = text(ONE_SAMPLE, 100);
    assert!(!text.contains("/s"), "{text}");
    for heading in ["Busiest processes", "By application", "By label"] {
        let line = text.lines().find(|it| it.starts_with(heading)).unwrap();
        assert!(line.contains("since start"), "{line}");
    }
}

#[test]
fn what_was_not_seen_leaves_no_gap_and_no_zero() {
    let mut it: Snapshot = serde_json::from_str(ONE_SAMPLE).unwrap();
    it.node = None;
    it.memory = None;
    it.schedulers = None;
    it.activity = None;
    it.processes = None;
    it.ets = None;
    it.host = None;
    insta::assert_snapshot!(text(&serde_json::to_string(&it).unwrap(), 80));
}

#[test]
fn a_node_cannot_write_to_the_terminal() {
    let text = text(ONE_SAMPLE, 100);
    assert!(text.contains("evil?[2J?name"), "{text}");
    assert!(text.chars().all(|it| it == '\n' || !it.is_control()));
}

#[test]
fn ets_totals_say_when_not_every_table_was_asked() {
    let mut it: Snapshot = serde_json::from_str(ONE_SAMPLE).unwrap();
    assert!(text(ONE_SAMPLE, 100).contains("88 tables, 8.58 MiB in all, now"));
    let (what, why) = ("40 of 88 ETS tables".to_owned(), "too many".to_owned());
    it.not_seen.push(giulia_model::NotSeen { what, why });
    let text = text(&serde_json::to_string(&it).unwrap(), 100);
    assert!(text.contains("88 tables, 8.58 MiB in those asked, now"), "{text}");
}

#[test]
fn a_count_without_a_limit_has_no_bar_and_no_share() {
    let mut it: serde_json::Value = serde_json::from_str(ONE_SAMPLE).unwrap();
    it["counts"]["ets_tables"].as_object_mut().unwrap().remove("limit");
    let text = text(&it.to_string(), 100);
    let line = text.lines().find(|it| it.starts_with("  ETS tables ")).unwrap();
    assert_eq!(line.split_whitespace().collect::<Vec<_>>(), ["ETS", "tables", "88", "none"]);
}

#[test]
fn groups_that_are_left_out_are_promised_only_where_they_are() {
    let mut it: Snapshot = serde_json::from_str(ONE_SAMPLE).unwrap();
    let processes = it.processes.as_mut().unwrap();
    let one = processes.by_application[0].clone();
    processes.by_application = vec![one; 100];
    let text = text(&serde_json::to_string(&it).unwrap(), 100);
    assert!(text.contains("90 more in --json") && !text.contains("them all"), "{text}");
}
