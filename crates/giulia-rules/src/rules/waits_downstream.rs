//! `waits_downstream`: the node has headroom, and what it waits for is another machine.

use giulia_model::{Culprit, Effort, Evidence, Explain, Finding, Severity, Source};

use crate::{
    Missing, Picture, Rule, Threshold,
    figures::{elapsed_ms, far, percent},
    judge::plain,
    predict::as_f64,
};

/// The rule.
pub(super) static RULE: Rule = Rule {
    id: "waits_downstream",
    title: "The node has headroom, and waits for another machine",
    page: include_str!("../../../../docs/rules/waits_downstream.md"),
    thresholds: &[&SHARE_MIN, &BUSY_MAX, &LATENCY_MIN, &WAITING_MIN],
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
    let mut said: Vec<Finding> =
        explains.iter().filter_map(|it| one(picture, it, busy.median)).collect();
    // Callers of a function wait for the same; the one with the largest wait stands for them.
    said.sort_by(|one, other| waiting(other).total_cmp(&waiting(one)));
    said.truncate(1);
    Ok(said)
}

fn waiting(finding: &Finding) -> f64 {
    finding.evidence.first().map_or(0.0, |it| it.value)
}

fn one(picture: &Picture, it: &Explain, busy: f64) -> Option<Finding> {
    let (peer, share) = far(it)?;
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
    Some(Finding {
        culprits: vec![Culprit::function(&it.function)],
        evidence: vec![
            Evidence::new(
                format!("processes that wait for {peer}"),
                waiting,
                "processes",
                Source::Explain,
            )
            .over(window_ms)
            .from(WAITING_MIN.value),
            Evidence::new(
                format!("half of the calls of {}", it.function),
                middle_ms,
                "ms",
                Source::Explain,
            )
            .from(LATENCY_MIN.value),
            Evidence::new("share of their time that schedulers work", busy, "share", Source::Ticks)
                .over(elapsed_ms(picture))
                .from(BUSY_MAX.value),
        ],
        recommendation: Some(format!(
            "look at {peer} itself: for PostgreSQL, `pg_stat_statements` tells which statements take \
             the time; changes of this node's code or size do not help before"
        )),
        effort: Some(Effort::Low),
        risks: vec![
            "the wire is part of the wait: a far machine is slow to ask, however fast it answers"
                .to_owned(),
        ],
        verify: Some(format!("giulia explain {} '{}'", picture.node, it.function)),
        ..Finding::found(
            Severity::Note,
            format!("The node has headroom; {} waits for {peer}", it.function),
            format!(
                "{} processes wait there at any moment, {} ms each, while the schedulers work for \
                 {} of their time: the constraint is on the other side",
                plain(waiting),
                plain(latency_ms),
                percent(busy)
            ),
        )
    })
}

#[cfg(test)]
mod tests {
    use giulia_model::{FindingOutcome, RestsOnKind, SchedulersOver, Spread};

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
