//! `unbalanced_schedulers`: work waits at one scheduler while another has nothing to do.

use giulia_model::{Culprit, CulpritKind, Effort, Evidence, Finding, Severity, Source};

use crate::{
    Missing, Over, Picture, Rule, Threshold,
    figures::{busiest, elapsed_ms, needs_ticks, percent},
    judge::plain,
};

/// The rule.
pub(super) static RULE: Rule = Rule {
    id: "unbalanced_schedulers",
    title: "Work waits at one scheduler while another is idle",
    page: include_str!("../../../../docs/rules/unbalanced_schedulers.md"),
    thresholds: &[&TICKS_MIN, &APART_MIN, &WAITING_MIN],
    judge,
};

static TICKS_MIN: Threshold = Threshold {
    name: "ticks",
    value: 5.0,
    unit: "ticks",
    source: "the VM moves processes between run queues whenever a scheduler runs out of work \
             (work stealing, erl_process.c, erts 15.2): what lasts for five ticks is not what it is \
             about to mend",
};
static APART_MIN: Threshold = Threshold {
    name: "busy, the busiest scheduler above the idlest",
    value: 0.5,
    unit: "share",
    source: "half a scheduler that nobody uses while others wait (our choice)",
};
static WAITING_MIN: Threshold = Threshold {
    name: "processes that wait at the busiest scheduler, on average",
    value: 1.0,
    unit: "processes",
    source: "below it nobody waits there most of the time: a node with one busy process has one busy \
             scheduler, and that is right",
};

fn judge(picture: &Picture) -> Result<Vec<Finding>, Missing> {
    needs_ticks(picture, TICKS_MIN.value, "schedulers over time")?;
    let over = picture.over.as_ref().map_err(Clone::clone)?;
    let threads = over.threads.iter().find(|it| it.name == "normal").ok_or_else(|| {
        let ask = format!("giulia observe {} --for 30s", picture.node);
        Missing::new("how busy each scheduler is", "the VM did not measure it", ask)
    })?;
    let busiest = threads.each_mean.iter().copied().enumerate().max_by(|a, b| a.1.total_cmp(&b.1));
    let idlest = threads.each_mean.iter().copied().min_by(f64::total_cmp);
    let (Some((idx, most)), Some(least)) = (busiest, idlest) else { return Ok(Vec::new()) };
    let waiting = over.run_queue_lens_mean.get(idx).copied().unwrap_or_default();
    if most - least < APART_MIN.value || waiting < WAITING_MIN.value {
        return Ok(Vec::new());
    }
    Ok(vec![found(picture, over, (idx + 1, most, least, waiting))])
}

fn found(
    picture: &Picture,
    over: &Over,
    (scheduler, most, least, waiting): (usize, f64, f64, f64),
) -> Finding {
    let window_ms = elapsed_ms(picture);
    let groups = busiest(picture)
        .into_iter()
        .map(|(it, _)| Culprit::named(CulpritKind::ProcessGroup, &it.name));
    let share = |what: String, value: f64| {
        Evidence::new(what, value, "share", Source::Ticks).over(window_ms)
    };
    let queues = over.run_queue_lens_mean.iter().map(|it| plain(*it)).collect::<Vec<_>>();
    Finding {
        culprits: groups.collect(),
        evidence: vec![
            share(format!("scheduler {scheduler} works"), most),
            share("the idlest scheduler works".to_owned(), least),
            share("the busiest above the idlest".to_owned(), most - least).from(APART_MIN.value),
            Evidence::new(
                format!("processes that wait at scheduler {scheduler}"),
                waiting,
                "count",
                Source::Ticks,
            )
            .over(window_ms)
            .from(WAITING_MIN.value),
        ],
        recommendation: Some(
            "look for what binds processes to a scheduler: `{scheduler, N}` among spawn options, \
             flags `+sbt`, `+sub` and `+scl false`, or a native function that does not yield"
                .to_owned(),
        ),
        effort: Some(Effort::Low),
        risks: vec![
            "bound schedulers are there for a reason on some machines: measure before and after"
                .to_owned(),
        ],
        verify: Some(format!("giulia observe {} --for 30s", picture.node)),
        ..Finding::found(
            Severity::Warning,
            format!("Work waits at scheduler {scheduler} while another is idle"),
            format!(
                "it works for {} of its time and the idlest for {}; run queues: {}",
                percent(most),
                percent(least),
                queues.join(", ")
            ),
        )
    }
}

#[cfg(test)]
mod tests {
    use giulia_model::FindingOutcome;

    use super::*;
    use crate::{
        ThreadsOver,
        example::{check, healthy, says},
    };

    fn with(each: [f64; 2], queues: [f64; 2]) -> Picture {
        let mut picture = healthy();
        let threads = ThreadsOver {
            name: "normal".to_owned(),
            each_mean: each.to_vec(),
            ..ThreadsOver::default()
        };
        picture.over = Ok(Over {
            threads: vec![threads],
            run_queue_lens_mean: queues.to_vec(),
            ..Over::default()
        });
        picture
    }

    #[test]
    fn fires_on_work_that_is_bound_to_one() {
        let said = check(&RULE, &with([0.1, 0.99], [0.0, 3.0]), FindingOutcome::Found);
        assert!(said.title.contains("scheduler 2"), "{}", said.title);
    }

    #[test]
    fn silent_on_one_busy_process_and_on_a_busy_node() {
        check(&RULE, &with([0.99, 0.05], [0.1, 0.0]), FindingOutcome::Clear);
        check(&RULE, &with([0.99, 0.98], [9.0, 8.0]), FindingOutcome::Clear);
    }

    #[test]
    fn edge_at_half_a_scheduler_and_one_that_waits() {
        check(&RULE, &with([0.75, 0.25], [1.0, 0.0]), FindingOutcome::Found);
        check(&RULE, &with([0.75, 0.26], [1.0, 0.0]), FindingOutcome::Clear);
        check(&RULE, &with([0.75, 0.25], [0.9, 0.0]), FindingOutcome::Clear);
        assert_eq!(says(&RULE, &Picture::default()).outcome, FindingOutcome::NotEnoughSeen);
    }
}
