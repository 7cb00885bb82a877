//! `limit_near`: processes, ports, atoms or descriptors are near the most that there may be.

use giulia_model::{
    Culprit, CulpritKind, Effort, Evidence, Finding, ProcessGroup, Severity, Source,
};

use crate::{
    Missing, Picture, Rule, Threshold,
    figures::{count_of, needs_ticks, percent},
    predict::as_f64,
};

/// The rule.
pub(super) static RULE: Rule = Rule {
    id: "limit_near",
    title: "A count is near its limit",
    page: include_str!("../../../../docs/rules/limit_near.md"),
    thresholds: &[&NEAR, &FULL],
    judge,
};

static NEAR: Threshold = Threshold {
    name: "count of its limit",
    value: 0.8,
    unit: "share",
    source: "where the field's tools begin to warn: erl_dist_mcp at 0.8, observer_cli 1.8 at 0.85",
};
static FULL: Threshold = Threshold {
    name: "count of its limit, when what comes next fails",
    value: 0.95,
    unit: "share",
    source: "our choice: at one twentieth left a burst of that size is a failure, and bursts are \
             what limits are for",
};

/// What is counted, what it is called, the flag that raises the limit. Tables are not among
/// them: their number has no limit but memory since OTP 21 (`erl`, flag `+e`, erts 15.2).
const COUNTED: [(&str, &str); 3] = [("processes", "+P"), ("ports", "+Q"), ("atoms", "+t")];

/// A count, its most, its limit.
struct Count<'a> {
    name: &'a str,
    most: u64,
    limit: u64,
    raise: String,
    source: Source,
}

fn judge(picture: &Picture) -> Result<Vec<Finding>, Missing> {
    needs_ticks(picture, 1.0, "counts against limits")?;
    let mut said = Vec::new();
    for (name, flag) in COUNTED {
        let it = count_of(picture, name)?;
        let Some(limit) = it.limit else { continue };
        let raise = format!("start the node with a larger `{flag}`");
        said.extend(one(
            picture,
            &Count { name, most: it.max, limit, raise, source: Source::Ticks },
        ));
    }
    let host = picture.last.as_ref().ok().and_then(|it| it.host.as_ref());
    if let Some((most, limit)) = host.and_then(|it| it.descriptors.zip(it.descriptors_limit)) {
        let raise = "raise the limit of open files (`ulimit -n`, `LimitNOFILE`)".to_owned();
        let it = Count { name: "descriptors", most, limit, raise, source: Source::Snapshot };
        said.extend(one(picture, &it));
    }
    Ok(said)
}

fn one(picture: &Picture, it: &Count<'_>) -> Option<Finding> {
    let share = as_f64(it.most) / as_f64(it.limit.max(1));
    if share < NEAR.value {
        return None;
    }
    let severity = if share >= FULL.value { Severity::Critical } else { Severity::Warning };
    let culprit = holder(picture, it.name);
    let who = culprit.as_ref().map_or(String::new(), |it| format!("; most are {}", it.name));
    let fails = match it.name {
        "atoms" => "the next atom after the last ends the VM, because atoms are never freed",
        "processes" => "a spawn beyond it fails with `system_limit`",
        _ => "opening one more beyond it fails",
    };
    let figure = format!("{} of their limit", it.name);
    Some(Finding {
        culprits: culprit.into_iter().chain([Culprit::named(CulpritKind::Node, it.name)]).collect(),
        evidence: vec![
            Evidence::new(figure, share, "share", it.source).from(NEAR.value),
            Evidence::new(format!("{}, the most", it.name), as_f64(it.most), "count", it.source),
            Evidence::new(format!("limit of {}", it.name), as_f64(it.limit), "count", it.source),
        ],
        recommendation: Some(format!(
            "find out whether so many {} are meant to be there; if they are, {}, else end those \
             that nobody needs",
            it.name, it.raise
        )),
        effort: Some(Effort::Low),
        risks: vec!["a larger limit hides a leak until the memory is full".to_owned()],
        verify: Some(format!("giulia snapshot {}", picture.node)),
        ..Finding::found(
            severity,
            format!("{} are at {} of their limit", it.name, percent(share)),
            format!("{} of {} {}{who}; {fails}", it.most, it.limit, it.name),
        )
    })
}

/// Who most of them are.
fn holder(picture: &Picture, name: &str) -> Option<Culprit> {
    let last = picture.last.as_ref().ok()?;
    match name {
        "processes" => {
            let groups = &last.processes.as_ref()?.by_initial_call;
            let named = groups.iter().filter(|it| ProcessGroup::is_name(&it.name));
            let most = named.max_by_key(|it| it.processes)?;
            Some(Culprit::named(CulpritKind::ProcessGroup, &most.name))
        }
        "ports" => {
            let most = last.ports.as_ref()?.by_kind.iter().max_by_key(|it| it.count)?;
            Some(Culprit::named(CulpritKind::Port, &most.name))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use giulia_model::{FindingOutcome, HostFacts};

    use super::*;
    use crate::example::{check, healthy, limit, says};

    fn with(processes: u64, atoms: u64) -> Picture {
        let mut picture = healthy();
        picture.report.limits = vec![
            limit("processes", 200, processes, 1_000),
            limit("ports", 10, 10, 1_000),
            limit("atoms", 10, atoms, 1_000),
        ];
        picture
    }

    #[test]
    fn fires_on_what_is_nearly_used_up() {
        let said = check(&RULE, &with(850, 10), FindingOutcome::Found);
        assert_eq!(said.severity, Some(Severity::Warning));
        let said = check(&RULE, &with(10, 990), FindingOutcome::Found);
        assert_eq!(said.severity, Some(Severity::Critical));
        assert!(said.why.contains("ends the VM"), "{}", said.why);
        let mut files = with(10, 10);
        files.last.as_mut().unwrap().host = Some(HostFacts {
            descriptors: Some(1_000),
            descriptors_limit: Some(1_024),
            ..HostFacts::default()
        });
        let said = check(&RULE, &files, FindingOutcome::Found);
        assert!(said.recommendation.unwrap().contains("ulimit"));
    }

    #[test]
    fn silent_on_a_node_with_room() {
        check(&RULE, &with(400, 400), FindingOutcome::Clear);
    }

    #[test]
    fn edge_at_four_fifths() {
        check(&RULE, &with(799, 10), FindingOutcome::Clear);
        check(&RULE, &with(800, 10), FindingOutcome::Found);
        let mut unseen = with(10, 10);
        unseen.report.limits.truncate(1);
        assert_eq!(says(&RULE, &unseen).outcome, FindingOutcome::NotEnoughSeen);
    }
}
