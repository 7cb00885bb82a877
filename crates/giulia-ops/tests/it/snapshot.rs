//! How a snapshot reads, in every width and with parts missing.

use giulia_model::Snapshot;

use giulia_ops::{Out, operation};

const ONE_SAMPLE: &str = include_str!("../../fixtures/snapshot.json");
/// The slow parts, recorded on OTP 27, the tree cut.
const SURROUNDINGS: &str = include_str!("../../fixtures/surroundings.json");
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

/// One sample with the slow parts.
fn with_surroundings() -> Snapshot {
    let mut it: serde_json::Value = serde_json::from_str(ONE_SAMPLE).unwrap();
    let parts: serde_json::Value = serde_json::from_str(SURROUNDINGS).unwrap();
    it.as_object_mut().unwrap().extend(parts.as_object().unwrap().clone());
    serde_json::from_value(it).unwrap()
}

#[test]
fn what_stands_around_the_processes_follows_them() {
    let text = text(&serde_json::to_string(&with_surroundings()).unwrap(), 100);
    let from = text.find("\nAllocators").unwrap();
    insta::assert_snapshot!(&text[from..]);
    assert!(text.lines().all(|it| it.chars().count() <= 100), "{text}");
}

#[test]
fn a_log_handler_that_drops_events_says_so() {
    let mut it = with_surroundings();
    let handler = &mut it.logger.as_mut().unwrap().handlers[0];
    handler.mailbox_len = handler.drop_mode_qlen;
    let text = text(&serde_json::to_string(&it).unwrap(), 100);
    assert!(text.contains("200 events wait, it drops new ones"), "{text}");
}

#[test]
fn what_a_session_adds_reads_beside_what_it_belongs_to() {
    let mut it = with_surroundings();
    let busy = |total, each: &[f64]| giulia_model::ThreadsBusy { total, each: each.to_vec() };
    it.utilisation = Some(giulia_model::Utilisation {
        normal: busy(0.55, &[0.9, 0.2]),
        dirty_cpu: busy(0.0, &[0.0]),
        dirty_io: busy(0.01, &[0.01]),
    });
    let event = giulia_model::SystemEvent {
        at_ms: 0,
        kind: "long_gc".to_owned(),
        who: "<0.9.0>".to_owned(),
        name: Some("cart".to_owned()),
        info: "[{timeout,300}]".to_owned(),
    };
    it.system_events = Some(giulia_model::SystemEvents {
        counts: [("long_gc".to_owned(), 3)].into(),
        counts_beyond: [("long_gc".to_owned(), 200)].into(),
        of_giulia: 1,
        events: vec![event],
    });
    let text = text(&serde_json::to_string(&it).unwrap(), 100);
    assert!(text.contains("busy: 55.0 % (each 90 20); dirty: 0.0 % CPU, 1.0 % IO"), "{text}");
    assert!(
        text.contains("203 long_gc") && text.contains("long_gc cart <0.9.0>: [{timeout"),
        "{text}"
    );
}
