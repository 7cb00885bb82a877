//! `serialising_process`: one process that everybody waits for.

use std::collections::BTreeSet;

use giulia_model::{
    Culprit, Effort, Evidence, Explain, Finding, Gain, Mailbox, Metric, RestsOn, RestsOnKind,
    Severity, Source,
};

use crate::{
    Missing, Picture, Rule, Threshold,
    predict::{as_f64, range},
    table,
};

/// The rule.
pub(super) static RULE: Rule = Rule {
    id: "serialising_process",
    title: "One process serialises what others wait for",
    page: include_str!("../../../../docs/rules/serialising_process.md"),
    thresholds: &[&BUSY_MIN, &BUSY_CRITICAL, &WAITING_MIN, &REPEATED_MIN, &CHANGED_MAX],
    judge,
};

static BUSY_MIN: Threshold = Threshold {
    name: "share of its time that it is busy",
    value: 0.7,
    unit: "share",
    source: "one that arrives at random waits for 2.3 service times there and twice as long at 0.83 \
             (M/M/1, Lazowska et al. 1984, chapter 6)",
};
static BUSY_CRITICAL: Threshold = Threshold {
    name: "share of its time that it is busy, without room for more",
    value: 0.95,
    unit: "share",
    source: "19 service times of waiting (M/M/1, the same place); one percent more load is a fifth \
             more waiting",
};
static WAITING_MIN: Threshold = Threshold {
    name: "waiting, in service times",
    value: 1.0,
    unit: "times",
    source: "below it a caller loses less to the queue than to the work itself",
};
static REPEATED_MIN: Threshold = Threshold {
    name: "calls of the sample whose arguments were seen before",
    value: 10.0,
    unit: "calls",
    source: "with none changed among 10, fewer than three in ten change, 95 times of 100 (rule of \
             three); how many keys there are does not matter, because a table in place of the process \
             holds what the process holds",
};
static CHANGED_MAX: Threshold = Threshold {
    name: "share of the repeated calls whose result had changed",
    value: 0.1,
    unit: "share",
    source: "ets with read_concurrency pays each change between reads with a lock of all readers \
             (ets:new/2, stdlib 6.0); from nine reads a write on it gains",
};

fn judge(picture: &Picture) -> Result<Vec<Finding>, Missing> {
    let mailboxes = picture.mailboxes.as_ref().map_err(Clone::clone)?;
    let mut said: Vec<Finding> = mailboxes.iter().map(|it| one(picture, it)).collect();
    said.extend(unmeasured(picture));
    Ok(said)
}

/// Functions that rest on a process of which nobody measured how busy it is.
fn unmeasured(picture: &Picture) -> Vec<Finding> {
    let explains = picture.explains.as_deref().unwrap_or_default();
    let (mut said, mut once) = (Vec::new(), BTreeSet::new());
    for explain in explains {
        let Some(on) = explain.rests_on.first() else { continue };
        let is_unmeasured =
            on.kind == RestsOnKind::Process && picture.mailbox_of(&on.name).is_none();
        if is_unmeasured && once.insert(&on.name) {
            said.push(Finding {
                culprits: vec![Culprit::function(&explain.function)],
                ..Finding::not_enough(
                    format!("{} rests on the process {}", explain.function, on.name),
                    "how busy that process is and how long its messages wait was not measured",
                    process(picture, on).map(|it| format!("giulia mailbox {} {it}", picture.node)),
                )
            });
        }
    }
    said
}

/// How a command names a process, or one of those that are called alike, where the last look saw
/// any.
fn process(picture: &Picture, on: &RestsOn) -> Option<String> {
    let last = picture.last.as_ref().ok().and_then(|it| it.processes.as_ref());
    let mut rows =
        last.into_iter().flat_map(|it| it.top_by_reductions.iter().chain(&it.top_by_mailbox));
    match rows.find(|it| it.name == on.name) {
        Some(row) => Some(crate::rule::argument(&row.name, &row.pid.0)),
        None => on.is_named().then(|| on.name.clone()),
    }
}

fn one(picture: &Picture, it: &Mailbox) -> Finding {
    let (Some(busy), Some(waiting)) = (it.busy, it.waiting) else {
        let why = it.not_seen.first().map_or("too few messages were seen", |it| it.why.as_str());
        let ask = format!("giulia mailbox {} {} --for 10s", picture.node, name(it));
        return Finding::not_enough(format!("How busy {} is", it.name), why, Some(ask));
    };
    let service_ms = it.service.map_or(0.0, |it| it.mean_us / 1000.0);
    let evidence = vec![
        figure(it, "utilisation", busy.share, "share").from(BUSY_MIN.value),
        figure(it, "waiting of a message for", waiting.mean_ms, "ms")
            .from(WAITING_MIN.value * service_ms),
        figure(it, "service time of", service_ms, "ms"),
        figure(it, "messages to", waiting.arrivals_per_second, "per_second"),
    ];
    let waits = !waiting.is_bound && waiting.mean_ms >= WAITING_MIN.value * service_ms;
    if busy.share < BUSY_MIN.value || !waits {
        let why = format!(
            "{} is busy for {:.0} % of its time and a message waits {:.3} ms: no bottleneck, so \
             nothing to change for it",
            it.name,
            busy.share * 100.0,
            waiting.mean_ms
        );
        let culprits = vec![Culprit::process(&it.name, &it.pid)];
        let title = format!("{} is no bottleneck", it.name);
        // What the change would bring all the same says why it is not advised.
        let readers = readers(picture, it);
        let gain = readers.iter().find(|it| reads_the_same(it));
        let gain = gain.map(|reader| gain_of(picture, it, reader)).unwrap_or_default();
        return Finding { culprits, evidence, gain, ..Finding::clear(title, why) };
    }
    found(picture, it, evidence)
}

fn found(picture: &Picture, it: &Mailbox, evidence: Vec<Evidence>) -> Finding {
    let share = it.busy.map_or(0.0, |it| it.share);
    let waits = it.busy.and_then(|it| it.waiting_share).is_some_and(|it| it > share / 2.0);
    let severity =
        if share >= BUSY_CRITICAL.value { Severity::Critical } else { Severity::Warning };
    let readers = readers(picture, it);
    let best = readers.iter().find(|it| reads_the_same(it));
    let (recommendation, risks) = match best {
        _ if waits => (waits_itself(it), Vec::new()),
        Some(reader) => (table_instead(it, reader), table_risks()),
        None => (spread(it), spread_risks()),
    };
    let mut culprits = vec![Culprit::process(&it.name, &it.pid)];
    culprits.extend(readers.iter().map(|it| Culprit::function(&it.function)));
    let why = format!(
        "{} is busy for {:.0} % of its time, and a message waits {:.2} ms before it is taken; more \
         schedulers do not help",
        it.name,
        share * 100.0,
        it.waiting.map_or(0.0, |it| it.mean_ms)
    );
    Finding {
        culprits,
        evidence,
        recommendation: Some(recommendation),
        gain: best
            .filter(|_| !waits)
            .map(|reader| gain_of(picture, it, reader))
            .unwrap_or_default(),
        effort: Some(Effort::Medium),
        risks,
        verify: Some(format!("giulia mailbox {} {}", picture.node, name(it))),
        ..Finding::found(severity, format!("{} serialises what others wait for", it.name), why)
    }
}

/// Functions that were seen to rest on it.
fn readers<'a>(picture: &'a Picture, it: &Mailbox) -> Vec<&'a Explain> {
    let explains = picture.explains.as_deref().unwrap_or_default();
    let rests = |explain: &&Explain| {
        explain.rests_on.first().is_some_and(|on| {
            on.kind == RestsOnKind::Process && (on.name == it.name || on.name == it.pid.0)
        })
    };
    explains.iter().filter(rests).collect()
}

fn reads_the_same(it: &Explain) -> bool {
    it.stability.as_ref().is_some_and(|it| {
        as_f64(it.repeated) >= REPEATED_MIN.value
            && as_f64(it.changed) <= CHANGED_MAX.value * as_f64(it.repeated)
    })
}

fn table_instead(it: &Mailbox, reader: &Explain) -> String {
    format!(
        "let {} own an ETS table (`set`, `protected`, `read_concurrency: true`) that {} reads in \
         its caller; writes stay with {} and are answered after the insert (`call`, not `cast`). \
         Where it maps names to processes, Elixir's `Registry` does all of it",
        it.name, reader.function, it.name
    )
}

fn table_risks() -> Vec<String> {
    [
        "a read right after a `cast` may not see its write yet: make the write a `call`",
        "an entry of a process that died is there until its `:DOWN` is handled; while the mailbox \
         of the owner is long, that is long",
        "each lookup copies the whole object to the caller: large values belong elsewhere \
         (`persistent_term` where they hardly ever change, as each change scans all processes)",
        "the table ends with its owner: a restart begins with an empty one",
    ]
    .map(str::to_owned)
    .to_vec()
}

fn spread(it: &Mailbox) -> String {
    format!(
        "handle the messages of {} in several processes (by key, with `PartitionSupervisor` or a \
         pool), or move what does not need its state into the callers",
        it.name
    )
}

fn spread_risks() -> Vec<String> {
    vec!["messages of different processes have no order among them".to_owned()]
}

fn waits_itself(it: &Mailbox) -> String {
    format!(
        "{} waits for somebody else inside its callbacks: answer later (`{{:noreply, …}}` and \
         `GenServer.reply/2`) or let a task of its own wait, and look at what it waits for",
        it.name
    )
}

/// Without the reads the server has its writes left; a read costs a lookup in place of waiting.
fn gain_of(picture: &Picture, it: &Mailbox, reader: &Explain) -> Vec<Gain> {
    let change = table::Change { hits: 1.0, server_us: table::server_us(it) };
    let mut gain = table::gains(picture, reader, change);
    let arrivals = it.waiting.map_or(0.0, |it| it.arrivals_per_second);
    if let Some((calls_per_s, _)) = picture.calls_per_s(&reader.function)
        && calls_per_s < arrivals * 1.1
    {
        let share = it.busy.map_or(0.0, |it| it.share);
        let left = (1.0 - calls_per_s / arrivals).clamp(0.0, 1.0);
        let utilisation = Gain {
            metric: Metric::Utilisation,
            of: it.name.clone(),
            before: share,
            unit: "share".to_owned(),
            assuming: "as many writes a second as now, each as dear as a read".to_owned(),
            ..Gain::default()
        };
        gain.push(table::within(utilisation, range(share * left, 2.0)));
    }
    gain
}

fn figure(it: &Mailbox, what: &str, value: f64, unit: &str) -> Evidence {
    let of = if what.ends_with("for") || what.ends_with("of") || what.ends_with("to") {
        format!("{what} {}", it.name)
    } else {
        format!("{what} of {}", it.name)
    };
    Evidence::new(of, value, unit, Source::Mailbox).over(it.seen_ms)
}

fn name(it: &Mailbox) -> String {
    crate::rule::argument(&it.name, &it.pid.0)
}

#[cfg(test)]
mod tests {
    use giulia_model::{FindingOutcome, Pid, ProcessRow, Processes};

    use super::*;
    use crate::example::{check, explained, healthy, lookup, mailbox};

    fn with(busy: f64, waiting_ms: f64) -> Picture {
        let mut picture = healthy();
        picture.mailboxes = Ok(vec![mailbox("shop_registry", busy, waiting_ms)]);
        picture.explains =
            Ok(vec![explained(&lookup(), RestsOnKind::Process, "shop_registry", 3_000.0)]);
        picture
    }

    #[test]
    fn fires_on_a_server_without_room_and_names_the_table() {
        let said = check(&RULE, &with(0.97, 5.0), FindingOutcome::Found);
        assert_eq!(said.severity, Some(Severity::Critical));
        assert!(said.culprits.iter().any(|it| it.mfa == Some(lookup())));
        let advice = said.recommendation.unwrap();
        for word in ["protected", "read_concurrency", "call", "Registry"] {
            assert!(advice.contains(word), "{advice}");
        }
        let metrics: Vec<Metric> = said.gain.iter().map(|it| it.metric).collect();
        assert_eq!(metrics[..2], [Metric::CallsPerSecond, Metric::LatencyUs]);
        assert!(said.risks.iter().any(|it| it.contains(":DOWN")));
    }

    #[test]
    fn silent_on_one_that_everybody_asks_and_nobody_waits_for() {
        let said = check(&RULE, &with(0.05, 0.004), FindingOutcome::Clear);
        assert!(said.why.contains("no bottleneck"), "{}", said.why);
        // Busy with work of its own: nothing waits.
        check(&RULE, &with(0.9, 0.0), FindingOutcome::Clear);
    }

    #[test]
    fn edge_where_waiting_begins_to_matter() {
        check(&RULE, &with(0.69, 5.0), FindingOutcome::Clear);
        check(&RULE, &with(0.7, 5.0), FindingOutcome::Found);
        let mut picture = with(0.97, 5.0);
        picture.mailboxes = Ok(vec![mailbox("another", 0.0, 0.0)]);
        let all = crate::judge_with(&[&RULE], &picture).findings;
        assert_eq!(all[0].outcome, FindingOutcome::NotEnoughSeen);
        assert_eq!(all[0].verify.as_deref(), Some("giulia mailbox shop@db1 shop_registry"));
        // No command takes the kind of a process for one of them.
        picture.explains.as_mut().unwrap()[0].rests_on[0].name = "shop_bucket:init/1".to_owned();
        let all = crate::judge_with(&[&RULE], &picture).findings;
        assert_eq!((all[0].outcome, &all[0].verify), (FindingOutcome::NotEnoughSeen, &None));
        let row = ProcessRow {
            pid: Pid("<0.9.0>".to_owned()),
            name: "shop_bucket:init/1".to_owned(),
            ..ProcessRow::default()
        };
        let last = Processes { top_by_reductions: vec![row], ..Processes::default() };
        picture.last.as_mut().unwrap().processes = Some(last);
        let all = crate::judge_with(&[&RULE], &picture).findings;
        assert_eq!(all[0].verify.as_deref(), Some("giulia mailbox shop@db1 '<0.9.0>'"));
    }
}
