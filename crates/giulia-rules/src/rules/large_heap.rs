//! `large_heap`: one process holds much of the memory on its heap, which each collection copies.

use giulia_model::{Culprit, Effort, Evidence, Finding, ProcessRow, Severity, Source};

use crate::{
    Missing, Picture, Rule, Threshold,
    figures::{bytes, percent},
    judge::plain,
    predict::as_f64,
};

/// The rule.
pub(super) static RULE: Rule = Rule {
    id: "large_heap",
    title: "One heap is large, and each collection copies it",
    page: include_str!("../../../../docs/rules/large_heap.md"),
    thresholds: &[&HEAP_MIN, &SHARE_MIN, &LONG_GC_MS],
    judge,
};

static HEAP_MIN: Threshold = Threshold {
    name: "memory of one process",
    value: 20_000_000.0,
    unit: "bytes",
    source: "a full collection of such a heap takes 4 to 7 ms (scripts/evidence/06-prices, OTP 23 to 29), in which \
             its process answers nobody",
};
static SHARE_MIN: Threshold = Threshold {
    name: "of the memory of the node",
    value: 0.25,
    unit: "share",
    source: "our choice: less than a quarter of the memory is not what fills it",
};
static LONG_GC_MS: Threshold = Threshold {
    name: "a collection that the VM reports",
    value: 100.0,
    unit: "ms",
    source: "from there on a session is told of it (giulia-probe, keeper/setting.rs); 100 ms is what \
             people notice (Miller, Response time in man-computer conversational transactions, 1968)",
};

fn judge(picture: &Picture) -> Result<Vec<Finding>, Missing> {
    let processes = picture.last_of("processes", |it| it.processes.as_ref())?;
    let total = as_f64(picture.last_of("memory", |it| it.memory.as_ref())?.total_bytes.max(1));
    let large = |it: &&ProcessRow| {
        let held = it.memory_bytes.map_or(0.0, as_f64);
        // A long mailbox is on the heap too, and another rule's.
        let mailbox = it.mailbox_len.unwrap_or_default() >= 1_000;
        held >= HEAP_MIN.value && held >= SHARE_MIN.value * total && !mailbox
    };
    Ok(processes.top_by_memory.iter().filter(large).map(|it| found(picture, it, total)).collect())
}

/// Collections of this process that took long, as the VM said.
fn long_ones(picture: &Picture, it: &ProcessRow) -> usize {
    let events = picture.over.as_ref().ok().and_then(|it| it.events.as_ref());
    let of = |event: &&giulia_model::SystemEvent| event.kind == "long_gc" && event.who == it.pid.0;
    events.map_or(0, |events| events.events.iter().filter(of).count())
}

fn found(picture: &Picture, it: &ProcessRow, total: f64) -> Finding {
    let held = it.memory_bytes.map_or(0.0, as_f64);
    let long = long_ones(picture, it);
    let severity = if long > 0 { Severity::Warning } else { Severity::Note };
    let seen = if long > 0 {
        format!("; {long} of its collections took longer than {} ms", plain(LONG_GC_MS.value))
    } else {
        String::new()
    };
    let mut evidence = vec![
        Evidence::new(format!("memory of {}", it.name), held, "bytes", Source::Snapshot)
            .from(HEAP_MIN.value),
        Evidence::new("of the memory of the node", held / total, "share", Source::Snapshot)
            .from(SHARE_MIN.value),
    ];
    if long > 0 {
        let long = as_f64(u64::try_from(long).unwrap_or(u64::MAX));
        evidence.push(Evidence::new("long collections", long, "count", Source::SystemEvents));
    }
    Finding {
        culprits: vec![Culprit::process(&it.name, &it.pid)],
        evidence,
        recommendation: Some(format!(
            "keep what {} holds in an ETS table (outside of all heaps), in `persistent_term` if it \
             hardly ever changes, or in several processes; where it is only large at times, \
             hibernate after",
            it.name
        )),
        effort: Some(Effort::Medium),
        risks: vec![
            "what is read from a table is copied: large objects cost at each read what they cost \
             at each collection now"
                .to_owned(),
        ],
        verify: Some(format!(
            "giulia process {} {}",
            picture.node,
            crate::rule::argument(&it.name, &it.pid.0)
        )),
        ..Finding::found(
            severity,
            format!("{} holds {}", it.name, bytes(held)),
            format!(
                "{} of the memory of the node is one heap; a full collection copies all of it that \
                 lives, and {} answers nobody meanwhile{seen}",
                percent(held / total),
                it.name
            ),
        )
    }
}

#[cfg(test)]
mod tests {
    use giulia_model::{FindingOutcome, Memory, Pid, Processes, SystemEvent};

    use super::*;
    use crate::{
        EventsOver, Over,
        example::{check, healthy, says},
    };

    fn with(held: u64, total: u64, mailbox: u64) -> Picture {
        let mut picture = healthy();
        let row = ProcessRow {
            pid: Pid("<0.300.0>".to_owned()),
            name: "shop_catalogue".to_owned(),
            memory_bytes: Some(held),
            mailbox_len: Some(mailbox),
            ..ProcessRow::default()
        };
        let last = picture.last.as_mut().unwrap();
        last.memory = Some(Memory { total_bytes: total, ..Memory::default() });
        last.processes = Some(Processes { top_by_memory: vec![row], ..Processes::default() });
        picture
    }

    #[test]
    fn fires_on_a_catalogue_in_the_state_of_a_server() {
        let mut picture = with(60_000_000, 90_000_000, 0);
        let said = check(&RULE, &picture, FindingOutcome::Found);
        assert_eq!(said.severity, Some(Severity::Note));
        let event = SystemEvent {
            kind: "long_gc".to_owned(),
            who: "<0.300.0>".to_owned(),
            ..SystemEvent::default()
        };
        let events = EventsOver { events: vec![event], ..EventsOver::default() };
        picture.over = Ok(Over { events: Some(events), ..Over::default() });
        let said = check(&RULE, &picture, FindingOutcome::Found);
        assert_eq!(said.severity, Some(Severity::Warning));
    }

    #[test]
    fn silent_on_a_small_one_and_on_a_long_mailbox() {
        check(&RULE, &with(3_000_000, 6_000_000, 0), FindingOutcome::Clear);
        check(&RULE, &with(60_000_000, 4_000_000_000, 0), FindingOutcome::Clear);
        check(&RULE, &with(60_000_000, 90_000_000, 50_000), FindingOutcome::Clear);
    }

    #[test]
    fn edge_at_twenty_megabytes_and_a_quarter() {
        check(&RULE, &with(20_000_000, 80_000_000, 0), FindingOutcome::Found);
        check(&RULE, &with(19_999_999, 40_000_000, 0), FindingOutcome::Clear);
        check(&RULE, &with(20_000_000, 80_000_004, 0), FindingOutcome::Clear);
        let mut unseen = with(20_000_000, 80_000_000, 0);
        unseen.last.as_mut().unwrap().processes = None;
        assert_eq!(says(&RULE, &unseen).outcome, FindingOutcome::NotEnoughSeen);
    }
}
