//! `dirty_schedulers`: native work waits because all dirty schedulers are taken.

use giulia_model::{Culprit, CulpritKind, Effort, Evidence, Finding, Severity, Source};

use crate::{
    Missing, Over, Picture, Rule, ThreadsOver, Threshold,
    figures::{elapsed_ms, needs_ticks, percent},
    judge::plain,
};

/// The rule.
pub(super) static RULE: Rule = Rule {
    id: "dirty_schedulers",
    title: "All dirty schedulers are taken and work waits for them",
    page: include_str!("../../../../docs/rules/dirty_schedulers.md"),
    thresholds: &[&TICKS_MIN, &BUSY_MIN, &WAITING_MIN],
    judge,
};

static TICKS_MIN: Threshold = Threshold {
    name: "ticks",
    value: 5.0,
    unit: "ticks",
    source: "of five the middle one is not moved by two that met a burst",
};
static BUSY_MIN: Threshold = Threshold {
    name: "share of their time that dirty schedulers of a kind are taken",
    value: 0.9,
    unit: "share",
    source: "M/M/c: with ten servers one that arrives waits for two thirds of a service time there, \
             with two for 4.3 (Lazowska et al. 1984, chapter 6)",
};
static WAITING_MIN: Threshold = Threshold {
    name: "processes that wait for one, on average",
    value: 1.0,
    unit: "processes",
    source: "below it nobody waits most of the time, and busy is what they are for",
};

/// The kinds, and which run queue from the end is theirs.
const KINDS: [(&str, usize, &str); 2] = [("dirty CPU", 2, "+SDcpu"), ("dirty IO", 1, "+SDio")];

fn judge(picture: &Picture) -> Result<Vec<Finding>, Missing> {
    needs_ticks(picture, TICKS_MIN.value, "dirty schedulers over time")?;
    let over = picture.over.as_ref().map_err(Clone::clone)?;
    if over.threads.is_empty() {
        let ask = format!("giulia observe {} --for 30s", picture.node);
        return Err(Missing::new(
            "how busy dirty schedulers are",
            "the VM did not measure it",
            ask,
        ));
    }
    Ok(KINDS.iter().filter_map(|it| one(picture, over, *it)).collect())
}

fn one(
    picture: &Picture,
    over: &Over,
    (kind, from_end, flag): (&str, usize, &str),
) -> Option<Finding> {
    let threads: &ThreadsOver = over.threads.iter().find(|it| it.name == kind)?;
    let queues = &over.run_queue_lens_mean;
    let waiting = *queues.get(queues.len().checked_sub(from_end)?)?;
    let busy = threads.total.median;
    if busy < BUSY_MIN.value || waiting < WAITING_MIN.value {
        return None;
    }
    let window_ms = elapsed_ms(picture);
    let what = if kind == "dirty IO" {
        "files on slow disks or network mounts, pipes that nobody reads, NIFs of drivers"
    } else {
        "hashing, compression, cryptography, regular expressions of NIFs, collections of large heaps"
    };
    Some(Finding {
        culprits: vec![Culprit::named(CulpritKind::Node, format!("{kind} schedulers"))],
        evidence: vec![
            Evidence::new(format!("{kind} schedulers are taken"), busy, "share", Source::Ticks)
                .over(window_ms)
                .from(BUSY_MIN.value),
            Evidence::new("processes that wait for one", waiting, "count", Source::Ticks)
                .over(window_ms)
                .from(WAITING_MIN.value),
        ],
        recommendation: Some(format!(
            "find out what holds them ({what}); `giulia dump` shows the functions, let fewer call \
             them at once, or start the node with more (`{flag}`)"
        )),
        effort: Some(Effort::Medium),
        risks: vec![
            "more dirty CPU schedulers than cores only move the waiting into the operating system"
                .to_owned(),
        ],
        verify: Some(format!("giulia dump {}", picture.node)),
        ..Finding::found(
            Severity::Warning,
            format!(
                "All {kind} schedulers are taken, and {} processes wait for one",
                plain(waiting)
            ),
            format!(
                "{} of them are taken for {} of the time; whoever needs one waits, and so does \
                 whoever waits for that process",
                threads.each_mean.len(),
                percent(busy)
            ),
        )
    })
}

#[cfg(test)]
mod tests {
    use giulia_model::{FindingOutcome, Spread};

    use super::*;
    use crate::example::{check, healthy, says};

    fn with(kind: &str, busy: f64, queues: [f64; 4]) -> Picture {
        let mut picture = healthy();
        let threads = ThreadsOver {
            name: kind.to_owned(),
            total: Spread { min: busy, median: busy, max: busy },
            each_mean: vec![busy; 2],
        };
        picture.over = Ok(Over {
            threads: vec![threads],
            run_queue_lens_mean: queues.to_vec(),
            ..Over::default()
        });
        picture
    }

    #[test]
    fn fires_on_native_work_that_waits() {
        let said =
            check(&RULE, &with("dirty CPU", 1.0, [0.0, 0.0, 4.0, 0.0]), FindingOutcome::Found);
        assert_eq!(said.culprits[0].name, "dirty CPU schedulers");
        let said =
            check(&RULE, &with("dirty IO", 1.0, [0.0, 0.0, 0.0, 4.0]), FindingOutcome::Found);
        assert!(said.recommendation.unwrap().contains("+SDio"));
    }

    #[test]
    fn silent_on_those_that_are_busy_and_keep_up() {
        check(&RULE, &with("dirty CPU", 1.0, [0.0, 0.0, 0.2, 4.0]), FindingOutcome::Clear);
        check(&RULE, &with("dirty IO", 0.2, [0.0, 0.0, 0.0, 4.0]), FindingOutcome::Clear);
    }

    #[test]
    fn edge_at_nine_tenths_and_one_that_waits() {
        check(&RULE, &with("dirty CPU", 0.9, [0.0, 0.0, 1.0, 0.0]), FindingOutcome::Found);
        check(&RULE, &with("dirty CPU", 0.89, [0.0, 0.0, 1.0, 0.0]), FindingOutcome::Clear);
        assert_eq!(says(&RULE, &healthy()).outcome, FindingOutcome::NotEnoughSeen);
    }
}
