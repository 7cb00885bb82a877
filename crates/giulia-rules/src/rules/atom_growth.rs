//! `atom_growth`: atoms are made and never freed.

use giulia_model::{Culprit, CulpritKind, Direction, Effort, Evidence, Finding, Severity, Source};

use crate::{
    Missing, Picture, Rule, Threshold,
    figures::{count_of, duration, elapsed_ms, minutes_to_limit, needs_ticks},
    judge::plain,
    predict::as_f64,
};

/// The rule.
pub(super) static RULE: Rule = Rule {
    id: "atom_growth",
    title: "Atoms are made from what comes in",
    page: include_str!("../../../../docs/rules/atom_growth.md"),
    thresholds: &[&TICKS_MIN, &GROWTH_MIN, &MINUTES_NOTE, &MINUTES_WARNING],
    judge,
};

static TICKS_MIN: Threshold = Threshold {
    name: "ticks",
    value: 9.0,
    unit: "ticks",
    source: "three in each third of the session, whose middles are compared (report/series.rs)",
};
static GROWTH_MIN: Threshold = Threshold {
    name: "atoms more than at first",
    value: 1_000.0,
    unit: "atoms",
    source: "modules that are loaded bring atoms too: some hundred for a first visit of giulia \
             (docs/evidence/01-attach.md), fewer than a thousand for `ssl` with all it needs",
};
static MINUTES_NOTE: Threshold = Threshold {
    name: "minutes until the limit at this pace, to be worth knowing",
    value: 43_200.0,
    unit: "minutes",
    source: "30 days: nodes that run longer without a release are rare (our choice)",
};
static MINUTES_WARNING: Threshold = Threshold {
    name: "minutes until the limit at this pace",
    value: 1_440.0,
    unit: "minutes",
    source: "a day: before that somebody must look (our choice)",
};

fn judge(picture: &Picture) -> Result<Vec<Finding>, Missing> {
    needs_ticks(picture, TICKS_MIN.value, "atoms over time")?;
    let it = count_of(picture, "atoms")?;
    let added = as_f64(it.last) - as_f64(it.first);
    let left = minutes_to_limit(it).filter(|it| *it <= MINUTES_NOTE.value);
    let (Some(left), Direction::Rising) = (left, it.direction) else { return Ok(Vec::new()) };
    if added < GROWTH_MIN.value {
        return Ok(Vec::new());
    }
    let severity = if left <= MINUTES_WARNING.value { Severity::Warning } else { Severity::Note };
    let pace = it.per_minute.unwrap_or_default();
    Ok(vec![Finding {
        culprits: vec![Culprit::named(CulpritKind::Node, "atoms")],
        evidence: vec![
            Evidence::new("atoms more than at first", added, "atoms", Source::Ticks)
                .over(elapsed_ms(picture))
                .from(GROWTH_MIN.value),
            Evidence::new("atoms a minute", pace, "per_minute", Source::Ticks),
            Evidence::new("time until the limit", left, "minutes", Source::Ticks)
                .from(MINUTES_WARNING.value),
        ],
        recommendation: Some(
            "turn what comes in into atoms with `binary_to_existing_atom` or not at all; the \
             places to look at are `binary_to_atom`, `list_to_atom`, `String.to_atom` and decoders \
             with atoms as keys"
                .to_owned(),
        ),
        effort: Some(Effort::Low),
        risks: vec![
            "a name that no loaded module holds is refused then: handle the `badarg`".to_owned(),
        ],
        verify: Some(format!(
            "giulia trace {} 'erlang:binary_to_atom' 'erlang:list_to_atom' --for 10s",
            picture.node
        )),
        ..Finding::found(
            severity,
            format!("{} atoms more a minute", plain(pace)),
            format!(
                "{} at first, {} at the end; they are never freed, and at the limit, {} away at \
                 this pace, the VM ends",
                it.first,
                it.last,
                duration(left)
            ),
        )
    }])
}

#[cfg(test)]
mod tests {
    use giulia_model::FindingOutcome;

    use super::*;
    use crate::example::{check, healthy, limit};

    fn with(last: u64, per_minute: f64, direction: Direction) -> Picture {
        let mut picture = healthy();
        let mut it = limit("atoms", 20_000, last, 1_048_576);
        (it.per_minute, it.direction) = (Some(per_minute), direction);
        picture.report.limits = vec![it];
        picture
    }

    #[test]
    fn fires_on_an_atom_for_each_name_that_comes_in() {
        let said = check(&RULE, &with(35_000, 30_000.0, Direction::Rising), FindingOutcome::Found);
        assert_eq!(said.severity, Some(Severity::Warning));
        assert!(said.why.contains("the VM ends"), "{}", said.why);
    }

    #[test]
    fn silent_on_code_that_is_loaded_once() {
        check(&RULE, &with(20_900, 1_800.0, Direction::Rising), FindingOutcome::Clear);
        check(&RULE, &with(22_000, 0.0, Direction::Steady), FindingOutcome::Clear);
    }

    #[test]
    fn edge_at_a_thousand_and_at_thirty_days() {
        let said = check(&RULE, &with(21_000, 30.0, Direction::Rising), FindingOutcome::Found);
        assert_eq!(said.severity, Some(Severity::Note));
        check(&RULE, &with(20_999, 30.0, Direction::Rising), FindingOutcome::Clear);
        check(&RULE, &with(21_000, 20.0, Direction::Rising), FindingOutcome::Clear);
    }
}
