//! The records of a session, one after the other, as they were made.

use giulia_model::{Answer, DatabaseEvent, DatabaseRecord, Mark, Replay, ReplayRecord, Snapshot};
use giulia_store::{Kind, Record};
use serde::de::DeserializeOwned;

use crate::{Archive, Error};

/// A page of records after the one with this `seq`.
///
/// # Errors
/// When there is no such session, or the store cannot be read. A damaged record is one of them.
pub fn replay(
    archive: &Archive,
    name: &str,
    after: Option<u64>,
    limit: usize,
) -> Result<Replay, Error> {
    let store = archive.read()?;
    let session = store.find(name)?.session;
    let page = store.page(&session.name, Kind::ALL, after, limit)?;
    let mut records: Vec<ReplayRecord> = page.records.iter().map(told).collect();
    records.extend(page.problems.into_iter().map(|it| ReplayRecord {
        seq: it.seq,
        kind: "damaged".to_owned(),
        text: it.why,
        ..ReplayRecord::default()
    }));
    records.sort_by_key(|it| it.seq);
    Ok(Replay {
        schema: "giulia.replay/1".to_owned(),
        session: session.name,
        node: session.node,
        started_at: session.started_at,
        records,
        next_after: page.next_after,
    })
}

fn told(record: &Record) -> ReplayRecord {
    ReplayRecord {
        seq: record.seq,
        at_ms: record.at_ms,
        kind: record.kind.name().to_owned(),
        text: line(record),
        body: serde_json::from_slice(&record.body).unwrap_or_default(),
    }
}

fn line(record: &Record) -> String {
    match record.kind {
        Kind::Tick => read(record).map(|it: Snapshot| tick(&it)),
        Kind::Mark => read(record).map(|it: Mark| it.text),
        Kind::Answer => read(record).map(|it: Answer| answer(&it)),
        Kind::Database => read(record).map(|it: DatabaseRecord| database(&it.event)),
        Kind::Trace | _ => Some("call counters".to_owned()),
    }
    .unwrap_or_else(|| "it cannot be read".to_owned())
}

fn read<T: DeserializeOwned>(record: &Record) -> Option<T> {
    serde_json::from_slice(&record.body).ok()
}

fn tick(it: &Snapshot) -> String {
    let mut parts = Vec::new();
    if let Some(busy) = &it.utilisation {
        parts.push(format!("schedulers {:.0} %", busy.normal.total * 100.0));
    }
    if let Some(vm) = &it.schedulers {
        parts.push(format!("run queue {}", vm.run_queue_lens.iter().sum::<u64>()));
    }
    if let Some(memory) = &it.memory {
        parts.push(format!("memory {} MiB", memory.total_bytes >> 20));
    }
    if let Some(counts) = &it.counts {
        parts.push(format!("processes {}", counts.processes.count));
    }
    if let Some(all) = &it.processes {
        if let Some(busiest) = all.by_initial_call.first() {
            let share = busiest.reductions_share * 100.0;
            parts.push(format!("busiest {} {share:.0} %", busiest.name));
        }
        if let Some(longest) = all.top_by_mailbox.first() {
            let len = longest.mailbox_len.unwrap_or_default();
            parts.push(format!("mailbox of {} {len}", longest.name));
        }
    }
    if parts.is_empty() { "nothing was seen".to_owned() } else { parts.join(", ") }
}

fn answer(it: &Answer) -> String {
    match it {
        Answer::Flame(it) => format!("stacks of waiting processes: {} samples", it.samples),
        Answer::Trace(it) => {
            format!("calls of {}: {} functions called", it.patterns.join(" "), it.functions.len())
        }
        Answer::Explain(it) => {
            let on = it.rests_on.first().map(|it| format!("{:?} {}", it.kind, it.name));
            let on = on.or_else(|| it.why.clone()).unwrap_or_else(|| format!("{:?}", it.verdict));
            format!("what {} rests on: {on}", it.function)
        }
        Answer::Mailbox(it) => {
            let busy = it.busy.map_or(0.0, |it| it.share * 100.0);
            format!("messages of {}: {}, busy {busy:.0} %", it.name, it.messages)
        }
        Answer::Ets(it) => format!(
            "tables: {:.0} reads and {:.0} writes a second",
            it.reads_per_second, it.writes_per_second
        ),
        Answer::Process(it) => format!("the process {}", it.name),
        Answer::Processes(_) => "what all processes are".to_owned(),
        Answer::Findings(it) => format!("findings: {} of all rules", it.findings.len()),
        Answer::NotSeen(it) => format!("not seen: {}: {}", it.what, it.why),
    }
}

fn database(it: &DatabaseEvent) -> String {
    match it {
        DatabaseEvent::Began(it) => format!("the database at {} is counted from here", it.place()),
        DatabaseEvent::Counted(it) => {
            let calls: u64 =
                it.statements.iter().map(|it| it.calls).fold(it.others.calls, u64::saturating_add);
            format!("the database: {calls} calls of statements so far")
        }
        DatabaseEvent::Lost(it) => format!("the database's account has a gap: {}", it.why),
        DatabaseEvent::NotSeen(it) => format!("{} is not seen: {}", it.what, it.why),
    }
}
