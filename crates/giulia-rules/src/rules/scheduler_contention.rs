//! `scheduler_contention`: more wants to run than there are schedulers.

use giulia_model::{Culprit, CulpritKind, Effort, Evidence, Finding, Severity, Source, Spread};

use crate::{
    Missing, Picture, Rule, Threshold,
    figures::{busiest, elapsed_ms, needs_ticks, percent},
    judge::plain,
    predict::as_f64,
};

/// The rule.
pub(super) static RULE: Rule = Rule {
    id: "scheduler_contention",
    title: "More wants to run than there are schedulers",
    page: include_str!("../../../../docs/rules/scheduler_contention.md"),
    thresholds: &[&TICKS_MIN, &BUSY_MIN, &WAITING_MIN, &WAITING_CRITICAL],
    judge,
};

static TICKS_MIN: Threshold = Threshold {
    name: "ticks",
    value: 5.0,
    unit: "ticks",
    source: "of five the middle one is not moved by two that met a burst",
};
static BUSY_MIN: Threshold = Threshold {
    name: "share of their time that schedulers work",
    value: 0.8,
    unit: "share",
    source: "of a node whose schedulers have time left, a queue is a burst or one of them alone \
             (unbalanced_schedulers); M/M/c with two servers waits for as long as it is served \
             from 0.7 on, with eight from 0.9 on (Lazowska et al. 1984, chapter 6)",
};
static WAITING_MIN: Threshold = Threshold {
    name: "processes that wait, for each scheduler",
    value: 2.0,
    unit: "processes",
    source: "each then waits for two time slices of 4,000 reductions, about 1 ms each where nobody \
             yields earlier (`CONTEXT_REDS`, erts 15.2), before its own",
};
static WAITING_CRITICAL: Threshold = Threshold {
    name: "processes that wait, for each scheduler, when all latencies suffer",
    value: 20.0,
    unit: "processes",
    source: "20 time slices, so up to 20 ms at each turn, and a request takes several",
};

fn judge(picture: &Picture) -> Result<Vec<Finding>, Missing> {
    needs_ticks(picture, TICKS_MIN.value, "run queues over time")?;
    let ask = || format!("giulia observe {} --for 30s", picture.node);
    let missing = |why: &str| Missing::new("how busy the schedulers are", why, ask());
    let over = picture.report.schedulers.as_ref();
    let over = over.ok_or_else(|| missing("no tick of the session held it"))?;
    let busy = over.utilisation.ok_or_else(|| missing("the VM did not measure it"))?;
    let waiting = over.run_queue.median / as_f64(over.online.max(1));
    if busy.median < BUSY_MIN.value || waiting < WAITING_MIN.value {
        return Ok(Vec::new());
    }
    Ok(vec![found(picture, busy, waiting, over.run_queue)])
}

fn found(picture: &Picture, busy: Spread, waiting: f64, queue: Spread) -> Finding {
    let severity =
        if waiting >= WAITING_CRITICAL.value { Severity::Critical } else { Severity::Warning };
    let busiest = busiest(picture);
    let who = busiest.iter().map(|(it, share)| format!("{} ({})", it.name, percent(*share)));
    let who = who.collect::<Vec<_>>().join(", ");
    let window_ms = elapsed_ms(picture);
    Finding {
        culprits: busiest
            .iter()
            .map(|(it, _)| Culprit::named(CulpritKind::ProcessGroup, &it.name))
            .collect(),
        evidence: vec![
            Evidence::new(
                "processes that wait, for each scheduler",
                waiting,
                "count",
                Source::Ticks,
            )
            .over(window_ms)
            .from(WAITING_MIN.value),
            Evidence::new(
                "share of their time that schedulers work",
                busy.median,
                "share",
                Source::Ticks,
            )
            .over(window_ms)
            .from(BUSY_MIN.value),
            Evidence::new("run queue, the most", queue.max, "count", Source::Ticks),
        ],
        recommendation: Some(
            "make the busiest functions cheaper or fewer (`giulia flame` and `giulia trace` say \
             which), let fewer work at once, or give the node more cores"
                .to_owned(),
        ),
        effort: Some(Effort::Medium),
        risks: vec![
            "more schedulers than the machine or the container has cores make it worse".to_owned(),
        ],
        verify: Some(format!("giulia flame {}", picture.node)),
        ..Finding::found(
            severity,
            format!("{} processes wait for a scheduler", plain(queue.median)),
            format!(
                "schedulers work for {} of their time, and behind each of them {} processes \
                 wait; most of the work: {who}",
                percent(busy.median),
                plain(waiting)
            ),
        )
    }
}

#[cfg(test)]
mod tests {
    use giulia_model::{FindingOutcome, Ranking, SchedulersOver, Share, Work};

    use super::*;
    use crate::example::{check, healthy, says};

    fn with(queue: f64, busy: f64) -> Picture {
        let of = |it: f64| Spread { min: it, median: it, max: it };
        let mut picture = healthy();
        picture.report.schedulers =
            Some(SchedulersOver { online: 4, utilisation: Some(of(busy)), run_queue: of(queue) });
        let row = Share { name: "shop_export:init/1".to_owned(), share: 0.9, ..Share::default() };
        picture.report.work = Some(Work {
            by_initial_call: Ranking { rows: vec![row], ..Ranking::default() },
            ..Work::default()
        });
        picture
    }

    #[test]
    fn fires_on_a_queue_behind_busy_schedulers() {
        let said = check(&RULE, &with(17.0, 0.99), FindingOutcome::Found);
        assert_eq!(said.severity, Some(Severity::Warning));
        assert_eq!(said.culprits[0].name, "shop_export:init/1");
        let said = check(&RULE, &with(400.0, 1.0), FindingOutcome::Found);
        assert_eq!(said.severity, Some(Severity::Critical));
    }

    #[test]
    fn silent_on_a_burst_and_on_a_busy_node_without_a_queue() {
        check(&RULE, &with(17.0, 0.3), FindingOutcome::Clear);
        check(&RULE, &with(1.0, 0.99), FindingOutcome::Clear);
    }

    #[test]
    fn edge_at_two_for_each_scheduler() {
        check(&RULE, &with(8.0, 0.8), FindingOutcome::Found);
        check(&RULE, &with(7.0, 0.8), FindingOutcome::Clear);
        check(&RULE, &with(8.0, 0.79), FindingOutcome::Clear);
        let mut unmeasured = with(8.0, 0.8);
        unmeasured.report.schedulers.as_mut().unwrap().utilisation = None;
        assert_eq!(says(&RULE, &unmeasured).outcome, FindingOutcome::NotEnoughSeen);
    }
}
