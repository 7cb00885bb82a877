//! `waits_downstream`: the node has headroom, and what it waits for is another machine.

use std::iter;

use giulia_model::{Culprit, Effort, Evidence, Explain, Finding, Latency, Severity, Source};

use crate::{
    Missing, Picture, Rule, Threshold,
    figures::{elapsed_ms, of_samples, percent},
    judge::plain,
    predict::as_f64,
};

/// The rule.
pub(super) static RULE: Rule = Rule {
    id: "waits_downstream",
    title: "The node has headroom, and waits for another machine",
    page: include_str!("../../../../docs/rules/waits_downstream.md"),
    thresholds: &[&SHARE_MIN, &BUSY_MAX, &LATENCY_MIN, &WAITING_MIN, &CALLER_MIN],
    judge,
};

static SHARE_MIN: Threshold = Threshold {
    name: "of the time of a call at the other machine",
    value: 0.8,
    unit: "share",
    source: "what `giulia explain` takes as explained (DESIGN, section 6)",
};
static BUSY_MAX: Threshold = Threshold {
    name: "share of their time that schedulers work",
    value: 0.5,
    unit: "share",
    source: "twice the load would fit, by the queues of the books (M/M/c with two servers waits for a \
             third of a service time there; Lazowska et al. 1984, chapter 6)",
};
static LATENCY_MIN: Threshold = Threshold {
    name: "a call, half of them at least",
    value: 25.0,
    unit: "ms",
    source: "four of them one after the other are the 100 ms that people notice (Miller, Response time in \
             man-computer conversational transactions, 1968)",
};
static WAITING_MIN: Threshold = Threshold {
    name: "processes that wait there at any moment",
    value: 2.0,
    unit: "processes",
    source: "calls a second times their time (Little 1961); with one at a time nothing queues there",
};
static CALLER_MIN: Threshold = Threshold {
    name: "of the calls of a function, those by a caller that stands for it",
    value: 0.8,
    unit: "share",
    source: "our choice: with more callers none of them waits for most of it",
};

fn judge(picture: &Picture) -> Result<Vec<Finding>, Missing> {
    let explains = picture.explains.as_ref().map_err(Clone::clone)?;
    let ask = || format!("giulia observe {} --for 30s", picture.node);
    let over = picture.report.schedulers.as_ref();
    let busy = over.and_then(|it| it.utilisation).ok_or_else(|| {
        Missing::new("how busy the schedulers are", "no tick of the session told it", ask())
    })?;
    let queue = over.map_or(0.0, |it| it.run_queue.median / as_f64(it.online.max(1)));
    if busy.median >= BUSY_MAX.value || queue >= 1.0 {
        return Ok(Vec::new());
    }
    let mut waits: Vec<Waits<'_>> = explains.iter().filter_map(|it| waits(picture, it)).collect();
    waits.sort_by(|one, other| other.waiting.total_cmp(&one.waiting));
    // Callers of a function wait for the same, so that one finding says it of all of them.
    let peer = waits.first().map(|it| it.peer);
    waits.retain(|it| Some(it.peer) == peer);
    of_samples(picture, found(picture, &waits, busy.median).into_iter().collect())
}

/// A function whose callers wait for another machine.
#[derive(Debug, Clone, Copy)]
struct Waits<'a> {
    explain: &'a Explain,
    peer: &'a str,
    latency: &'a Latency,
    /// How many wait at any moment.
    waiting: f64,
    window_ms: f64,
}

fn waits<'a>(picture: &Picture, it: &'a Explain) -> Option<Waits<'a>> {
    let (peer, share) = it.other_machine()?;
    if share < SHARE_MIN.value {
        return None;
    }
    let latency = it.latency.as_ref()?;
    // Little's law takes the mean; the middle says that it is so for most, and not that a busy
    // machine made a few calls long.
    let (latency_ms, middle_ms) = (latency.mean_us / 1000.0, latency.p50_us / 1000.0);
    let (rate, window_ms) = picture.calls_per_s(&it.function)?;
    let waiting = rate * latency_ms / 1000.0;
    if middle_ms < LATENCY_MIN.value || waiting < WAITING_MIN.value {
        return None;
    }
    Some(Waits { explain: it, peer, latency, waiting, window_ms })
}

/// The one that most of the calls of the others come from stands for all.
fn outermost<'a>(all: &[Waits<'a>]) -> Option<Waits<'a>> {
    let mut at = *all.first()?;
    // As often as there are functions: those that call each other have no outermost.
    for _ in all {
        let caller = at.explain.only_caller(CALLER_MIN.value).map(|it| it.0);
        match all.iter().find(|it| Some(&it.explain.function) == caller.as_ref()) {
            Some(caller) => at = *caller,
            None => break,
        }
    }
    Some(at)
}

/// What is said of functions that wait for the same machine.
fn found(picture: &Picture, all: &[Waits<'_>], busy: f64) -> Option<Finding> {
    let Waits { explain, peer, latency, waiting, window_ms } = outermost(all)?;
    let function = &explain.function;
    let others = all.iter().map(|it| &it.explain.function).filter(|it| *it != function);
    let evidence = vec![
        Evidence::new(
            format!("processes that wait for {peer}"),
            waiting,
            "processes",
            Source::Explain,
        )
        .over(window_ms)
        .from(WAITING_MIN.value),
        Evidence::new(
            format!("half of the calls of {function}"),
            latency.p50_us / 1000.0,
            "ms",
            Source::Explain,
        )
        .from(LATENCY_MIN.value),
        Evidence::new("share of their time that schedulers work", busy, "share", Source::Ticks)
            .over(elapsed_ms(picture))
            .from(BUSY_MAX.value),
    ];
    Some(Finding {
        culprits: iter::once(function).chain(others).map(Culprit::function).collect(),
        evidence,
        recommendation: Some(format!(
            "look at {peer} itself: for PostgreSQL, `pg_stat_statements` tells which statements take \
             the time (`giulia check {node} --postgres URL` shows them beside this); changes of this \
             node's code or size do not help before",
            node = picture.node
        )),
        effort: Some(Effort::Low),
        risks: vec![
            "the wire is part of the wait: a far machine is slow to ask, however fast it answers"
                .to_owned(),
        ],
        verify: Some(format!("giulia explain {} '{function}'", picture.node)),
        ..Finding::found(
            Severity::Note,
            format!("The node has headroom; {function} waits for {peer}"),
            format!(
                "{} processes wait there at any moment, {} ms each, while the schedulers work for \
                 {} of their time: the constraint is on the other side",
                plain(waiting),
                plain(latency.mean_us / 1000.0),
                percent(busy)
            ),
        )
    })
}

#[cfg(test)]
mod tests {
    use giulia_model::{Caller, FindingOutcome, Mfa, RestsOnKind, SchedulersOver, Spread};

    use super::*;
    use crate::example::{check, explained, healthy, lookup, says, traced};

    fn with(latency_ms: f64, rate: f64, busy: f64) -> Picture {
        let of = |it: f64| Spread { min: it, median: it, max: it };
        let mut picture = healthy();
        let peer = "tcp 127.0.0.1:5432";
        picture.explains =
            Ok(vec![explained(&lookup(), RestsOnKind::Socket, peer, latency_ms * 1000.0)]);
        picture.traces.as_mut().unwrap()[0].functions = vec![traced(&lookup(), rate)];
        picture.report.schedulers =
            Some(SchedulersOver { online: 4, utilisation: Some(of(busy)), run_queue: of(0.0) });
        picture
    }

    #[test]
    fn fires_on_an_idle_node_with_a_slow_database() {
        let said = check(&RULE, &with(40.0, 400.0, 0.1), FindingOutcome::Found);
        assert_eq!(said.severity, Some(Severity::Note));
        assert!(said.recommendation.unwrap().contains("pg_stat_statements"));
    }

    /// Both wait as long; which one a sample finds longer is chance.
    #[test]
    fn names_who_calls_before_who_is_called() {
        let mut picture = with(40.0, 400.0, 0.1);
        let report = Mfa::new("shop", "report", 1);
        picture.traces.as_mut().unwrap()[0].functions.push(traced(&report, 400.0));
        let explains = picture.explains.as_mut().unwrap();
        explains[0].callers = vec![Caller { function: Some(report.clone()), calls: 200 }];
        let peer = "tcp 127.0.0.1:5432";
        explains.push(explained(&report, RestsOnKind::Socket, peer, 39_000.0));
        let said = check(&RULE, &picture, FindingOutcome::Found);
        let names: Vec<&str> = said.culprits.iter().map(|it| it.name.as_str()).collect();
        assert_eq!(names, ["shop:report/1", "Shop.Registry.lookup/2"]);
        picture.explains.as_mut().unwrap()[0].callers[0].function = None;
        let said = check(&RULE, &picture, FindingOutcome::Found);
        assert_eq!(said.culprits[0].name, "Shop.Registry.lookup/2");
    }

    #[test]
    fn silent_on_a_quick_one_and_on_a_busy_node() {
        check(&RULE, &with(0.5, 4_000.0, 0.1), FindingOutcome::Clear);
        check(&RULE, &with(40.0, 400.0, 0.9), FindingOutcome::Clear);
    }

    #[test]
    fn edge_at_a_quarter_of_what_people_notice() {
        check(&RULE, &with(25.0, 80.0, 0.49), FindingOutcome::Found);
        check(&RULE, &with(25.0, 79.0, 0.49), FindingOutcome::Clear);
        check(&RULE, &with(24.9, 400.0, 0.49), FindingOutcome::Clear);
        check(&RULE, &with(25.0, 80.0, 0.5), FindingOutcome::Clear);
        let mut unseen = with(25.0, 80.0, 0.1);
        unseen.report.schedulers = None;
        assert_eq!(says(&RULE, &unseen).outcome, FindingOutcome::NotEnoughSeen);
    }
}
