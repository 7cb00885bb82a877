//! `memory_growth`: the node's memory grows and does not come back.

use giulia_model::{
    Culprit, CulpritKind, Direction, Effort, Evidence, Finding, Severity, Source, Trend,
};

use crate::{
    Missing, Picture, Rule, Threshold,
    figures::{bytes, duration, elapsed_ms, needs_ticks},
    predict::as_f64,
};

/// The rule.
pub(super) static RULE: Rule = Rule {
    id: "memory_growth",
    title: "Memory grows and does not come back",
    page: include_str!("../../../../docs/rules/memory_growth.md"),
    thresholds: &[&TICKS_MIN, &GROWTH_MIN, &SHARE_MIN, &MINUTES_WARNING],
    judge,
};

static TICKS_MIN: Threshold = Threshold {
    name: "ticks",
    value: 9.0,
    unit: "ticks",
    source: "three in each third of the session, whose middles are compared (report/series.rs)",
};
static GROWTH_MIN: Threshold = Threshold {
    name: "memory more than at first",
    value: 8_000_000.0,
    unit: "bytes",
    source: "below it one heap that takes its next size is enough: sizes beyond a million words \
             grow by a fifth (garbage collection, erts 15.2), 1.6 MB and more each",
};
static SHARE_MIN: Threshold = Threshold {
    name: "memory more than at first, of that at first",
    value: 0.1,
    unit: "share",
    source: "our choice: the memory of a node at a steady load swings by some percent with the \
             collections of its large processes",
};
static MINUTES_WARNING: Threshold = Threshold {
    name: "minutes until the memory is full at this pace",
    value: 1_440.0,
    unit: "minutes",
    source: "a day: before that somebody must look (our choice)",
};

fn judge(picture: &Picture) -> Result<Vec<Finding>, Missing> {
    needs_ticks(picture, TICKS_MIN.value, "memory over time")?;
    let total = trend(picture, "total").ok_or_else(|| {
        let ask = format!("giulia observe {} --for 30s", picture.node);
        Missing::new("memory over time", "no tick of the session held it", ask)
    })?;
    let (Some(pace), Direction::Rising) = (total.per_minute, total.direction) else {
        return Ok(Vec::new());
    };
    // What came at once with a load that began is no growth.
    let steadily = pace * elapsed_ms(picture) / 60_000.0;
    let added = (as_f64(total.last) - as_f64(total.first)).min(steadily);
    if added < GROWTH_MIN.value || added < SHARE_MIN.value * as_f64(total.first) {
        return Ok(Vec::new());
    }
    Ok(vec![found(picture, total, added, pace)])
}

fn found(picture: &Picture, total: &Trend, added: f64, pace: f64) -> Finding {
    let left = available(picture).map(|it| it / pace);
    let soon = left.is_some_and(|it| it <= MINUTES_WARNING.value);
    let severity = if soon { Severity::Warning } else { Severity::Note };
    let kind = kind(picture);
    let more = as_f64(total.last) - as_f64(total.first);
    let culprits = culprits(picture, kind.map(|it| it.name.as_str()), more);
    let what = kind.map_or("no kind of memory stands out", |it| it.name.as_str());
    let whose = culprits.first().map_or(String::new(), |it| format!(", most of it in {}", it.name));
    let until =
        left.map_or(String::new(), |it| format!("; at this pace it is full in {}", duration(it)));
    let window_ms = elapsed_ms(picture);
    let mut evidence = vec![
        Evidence::new("memory more than at first, at its pace", added, "bytes", Source::Ticks)
            .over(window_ms)
            .from(GROWTH_MIN.value),
        Evidence::new("memory a minute", pace, "bytes_per_minute", Source::Ticks).over(window_ms),
    ];
    evidence.extend(left.map(|it| {
        Evidence::new("time until the memory is full", it, "minutes", Source::Ticks)
            .from(MINUTES_WARNING.value)
    }));
    Finding {
        culprits,
        evidence,
        recommendation: Some(
            "find out who puts in and who takes out: a table or a state without an end needs a \
             size or an age at which entries go"
                .to_owned(),
        ),
        effort: Some(Effort::Medium),
        risks: vec!["what is taken out is read again: from where, and at what price?".to_owned()],
        verify: Some(format!("giulia observe {} --for 10m", picture.node)),
        ..Finding::found(
            severity,
            format!("Memory grows by {} a minute", bytes(pace)),
            format!(
                "{} at first, {} at the end: {what}{whose}{until}",
                bytes(as_f64(total.first)),
                bytes(as_f64(total.last))
            ),
        )
    }
}

fn trend<'a>(picture: &'a Picture, name: &str) -> Option<&'a Trend> {
    picture.report.memory.iter().find(|it| it.name == name)
}

/// The kind of memory that grew most; the total and what the system sees are sums of others.
fn kind(picture: &Picture) -> Option<&Trend> {
    let kinds = picture.report.memory.iter().filter(|it| it.name != "total" && it.name != "RSS");
    kinds.max_by_key(|it| it.last.saturating_sub(it.first))
}

/// The tables, or the processes, that hold at least half of what was added.
fn culprits(picture: &Picture, kind: Option<&str>, added: f64) -> Vec<Culprit> {
    if kind == Some("ETS") {
        let by = |last: u64, first: u64| as_f64(last.saturating_sub(first));
        let grown = picture
            .report
            .ets
            .iter()
            .filter(|it| by(it.memory_last, it.memory_first) >= added / 2.0);
        return grown.map(|it| Culprit::named(CulpritKind::Table, &it.name)).collect();
    }
    if kind == Some("processes") {
        let last = picture.last.as_ref().ok().and_then(|it| it.processes.as_ref());
        let rows = last.map(|it| it.top_by_memory.as_slice()).unwrap_or_default();
        let large =
            rows.iter().filter(|it| it.memory_bytes.is_some_and(|it| as_f64(it) >= added / 2.0));
        return large.map(|it| Culprit::process(&it.name, &it.pid)).collect();
    }
    Vec::new()
}

/// What the container, else the machine, has left, in bytes.
fn available(picture: &Picture) -> Option<f64> {
    let host = picture.last.as_ref().ok()?.host.as_ref()?;
    let container = host.cgroup.as_ref().and_then(|it| it.memory_available_bytes);
    container.or(host.machine_available_bytes).map(as_f64)
}

#[cfg(test)]
mod tests {
    use giulia_model::{FindingOutcome, HostFacts, TableOver};

    use super::*;
    use crate::example::{check, healthy, says};

    fn rising(name: &str, first: u64, last: u64) -> Trend {
        Trend {
            name: name.to_owned(),
            first,
            last,
            min: first,
            max: last,
            per_minute: Some(as_f64(last - first) * 2.0),
            direction: Direction::Rising,
        }
    }

    fn with(added: u64) -> Picture {
        let mut picture = healthy();
        picture.report.memory = vec![
            rising("total", 60_000_000, 60_000_000 + added),
            rising("ETS", 5_000_000, 5_000_000 + added),
        ];
        picture.report.ets = vec![TableOver {
            name: "shop_responses".to_owned(),
            memory_first: 1_000_000,
            memory_last: 1_000_000 + added,
            ..TableOver::default()
        }];
        picture.last.as_mut().unwrap().host = Some(HostFacts {
            machine_available_bytes: Some(8_000_000_000),
            ..HostFacts::default()
        });
        picture
    }

    #[test]
    fn fires_on_a_cache_that_forgets_nothing() {
        let said = check(&RULE, &with(20_000_000), FindingOutcome::Found);
        assert_eq!(said.severity, Some(Severity::Warning));
        assert_eq!(said.culprits[0].name, "shop_responses");
        assert!(said.why.contains("full in"), "{}", said.why);
    }

    /// 24 MB when its load begins, and then 4 in the half minute.
    #[test]
    fn silent_on_a_load_that_begins() {
        let mut picture = with(24_000_000);
        picture.report.memory[0].per_minute = Some(8_000_000.0);
        check(&RULE, &picture, FindingOutcome::Clear);
    }

    #[test]
    fn silent_on_a_sawtooth() {
        let mut picture = with(20_000_000);
        picture.report.memory[0].direction = Direction::Steady;
        check(&RULE, &picture, FindingOutcome::Clear);
    }

    #[test]
    fn edge_at_what_one_heap_can_be_and_with_few_ticks() {
        check(&RULE, &with(7_999_999), FindingOutcome::Clear);
        let mut at = with(8_000_000);
        check(&RULE, &at, FindingOutcome::Found);
        at.report.window.ticks = 8;
        assert_eq!(says(&RULE, &at).outcome, FindingOutcome::NotEnoughSeen);
    }
}
