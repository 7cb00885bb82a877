//! `process_leak`: processes become more and more.

use giulia_model::{Culprit, CulpritKind, Direction, Effort, Evidence, Finding, Severity, Source};

use crate::{
    Missing, Picture, Rule, Threshold,
    figures::{count_of, duration, elapsed_ms, grown, minutes_to_limit, needs_ticks},
    judge::plain,
    predict::as_f64,
};

/// The rule.
pub(super) static RULE: Rule = Rule {
    id: "process_leak",
    title: "Processes become more and more",
    page: include_str!("../../../../docs/rules/process_leak.md"),
    thresholds: &[&TICKS_MIN, &GROWTH_MIN, &MINUTES_WARNING],
    judge,
};

static TICKS_MIN: Threshold = Threshold {
    name: "ticks",
    value: 9.0,
    unit: "ticks",
    source: "three in each third of the session, whose middles are compared (report/series.rs)",
};
static GROWTH_MIN: Threshold = Threshold {
    name: "processes more than at first",
    value: 100.0,
    unit: "processes",
    source: "our choice: a pool or an acceptor that starts brings some tens (ranch 2.1 and Cowboy \
             2.12: 100 acceptors at most by default), which is no leak",
};
static MINUTES_WARNING: Threshold = Threshold {
    name: "minutes until the limit at this pace",
    value: 1_440.0,
    unit: "minutes",
    source: "a day: before that somebody must look (our choice)",
};

fn judge(picture: &Picture) -> Result<Vec<Finding>, Missing> {
    needs_ticks(picture, TICKS_MIN.value, "processes over time")?;
    let it = count_of(picture, "processes")?;
    let added = as_f64(it.last) - as_f64(it.first);
    let (Some(pace), Direction::Rising) = (it.per_minute, it.direction) else {
        return Ok(Vec::new());
    };
    if added < GROWTH_MIN.value || pace <= 0.0 {
        return Ok(Vec::new());
    }
    let left = minutes_to_limit(it);
    let soon = left.is_some_and(|it| it <= MINUTES_WARNING.value);
    let severity = if soon { Severity::Warning } else { Severity::Note };
    let ends = picture.first.as_ref().ok().zip(picture.last.as_ref().ok());
    let group = ends.and_then(|(first, last)| grown(first, last));
    let group = group.filter(|it| as_f64(it.1) >= added / 2.0);
    let who = group.as_ref().map_or_else(
        || "no group of them stands out".to_owned(),
        |(group, by)| format!("{by} of them are {}", group.name),
    );
    let until = left
        .map_or(String::new(), |it| format!("; at this pace the limit is {} away", duration(it)));
    let culprit = |(group, _): &(giulia_model::ProcessGroup, u64)| {
        Culprit::named(CulpritKind::ProcessGroup, &group.name)
    };
    let mut evidence = vec![
        Evidence::new("processes more than at first", added, "processes", Source::Ticks)
            .over(elapsed_ms(picture))
            .from(GROWTH_MIN.value),
        Evidence::new("processes a minute", pace, "per_minute", Source::Ticks),
    ];
    evidence.extend(left.map(|it| {
        Evidence::new("time until the limit", it, "minutes", Source::Ticks)
            .from(MINUTES_WARNING.value)
    }));
    Ok(vec![Finding {
        culprits: group.iter().map(culprit).collect(),
        evidence,
        recommendation: Some(
            "look at what these processes wait for, and give that wait an end: a timeout, a \
             monitor or a link to whoever they work for"
                .to_owned(),
        ),
        effort: Some(Effort::Medium),
        risks: vec!["a link ends both: use a monitor where one must outlive the other".to_owned()],
        verify: Some(format!("giulia dump {}", picture.node)),
        ..Finding::found(
            severity,
            format!("{} processes more a minute", plain(pace)),
            format!("{} at first, {} at the end; {who}{until}", it.first, it.last),
        )
    }])
}

#[cfg(test)]
mod tests {
    use giulia_model::{Coverage, FindingOutcome, ProcessGroup, Processes};

    use super::*;
    use crate::example::{check, healthy, limit, says};

    fn processes(requests: u64) -> Processes {
        let by_initial_call = vec![ProcessGroup {
            name: "shop_request:init/1".to_owned(),
            processes: requests,
            ..ProcessGroup::default()
        }];
        Processes { by_initial_call, ..Processes::default() }
    }

    fn with(last: u64, per_minute: f64, direction: Direction) -> Picture {
        let mut picture = healthy();
        let mut it = limit("processes", 200, last, 262_144);
        (it.per_minute, it.direction) = (Some(per_minute), direction);
        picture.report.limits = vec![it];
        picture.first.as_mut().unwrap().processes = Some(processes(10));
        picture.last.as_mut().unwrap().processes = Some(processes(last - 190));
        picture
    }

    #[test]
    fn fires_on_requests_that_never_end() {
        let said = check(&RULE, &with(3_200, 6_000.0, Direction::Rising), FindingOutcome::Found);
        assert_eq!(said.severity, Some(Severity::Warning));
        assert_eq!(said.culprits[0].name, "shop_request:init/1");
        let slow = check(&RULE, &with(310, 100.0, Direction::Rising), FindingOutcome::Found);
        assert_eq!(slow.severity, Some(Severity::Note));
    }

    #[test]
    fn names_nobody_for_those_that_nobody_looked_at() {
        let mut picture = with(30_000, 60_000.0, Direction::Rising);
        let last = picture.last.as_mut().unwrap().processes.as_mut().unwrap();
        last.by_initial_call[0].name = ProcessGroup::NOT_LOOKED_AT.to_owned();
        let said = check(&RULE, &picture, FindingOutcome::Found);
        assert!(said.culprits.is_empty(), "{said:?}");
        // Many that were there at first, when only the busy ones were known.
        let mut sampled = with(60_500, 500.0, Direction::Rising);
        let first = sampled.first.as_mut().unwrap().processes.as_mut().unwrap();
        first.group_coverage = Coverage { total: 60_000, asked: 1_000, sampled: false };
        let said = check(&RULE, &sampled, FindingOutcome::Found);
        assert!(said.culprits.is_empty(), "{said:?}");
    }

    #[test]
    fn silent_on_as_many_as_before() {
        check(&RULE, &with(320, 0.0, Direction::Steady), FindingOutcome::Clear);
    }

    #[test]
    fn edge_at_a_hundred_and_with_few_ticks() {
        check(&RULE, &with(299, 600.0, Direction::Rising), FindingOutcome::Clear);
        let mut at = with(300, 600.0, Direction::Rising);
        check(&RULE, &at, FindingOutcome::Found);
        at.report.window.ticks = 8;
        assert_eq!(says(&RULE, &at).outcome, FindingOutcome::NotEnoughSeen);
    }
}
