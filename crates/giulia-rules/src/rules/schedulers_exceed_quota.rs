//! `schedulers_exceed_quota`: more schedulers than the container may use cores.

use giulia_model::{Cgroup, Culprit, CulpritKind, Effort, Evidence, Finding, Severity, Source};

use crate::{
    Missing, Picture, Rule, Threshold,
    figures::{elapsed_ms, percent},
    judge::plain,
    predict::as_f64,
};

/// The rule.
pub(super) static RULE: Rule = Rule {
    id: "schedulers_exceed_quota",
    title: "More schedulers than the CPU quota has cores",
    page: include_str!("../../../../docs/rules/schedulers_exceed_quota.md"),
    thresholds: &[&THROTTLED_MIN],
    judge,
};

static THROTTLED_MIN: Threshold = Threshold {
    name: "of the session, the time that the quota took away",
    value: 0.01,
    unit: "share",
    source: "our choice: with a period of 100 ms (`cpu.max`, Linux 6.1) that is one period in a hundred \
             in which nobody on the node is answered",
};

fn judge(picture: &Picture) -> Result<Vec<Finding>, Missing> {
    let host = picture.last_of("operating system", |it| it.host.as_ref())?;
    let Some(cgroup) = host.cgroup.as_ref() else { return Ok(Vec::new()) };
    if let Some(why) = &cgroup.cpu_quota_unreadable {
        let ask = format!("giulia snapshot {}", picture.node);
        return Err(Missing::new("the CPU quota", why.as_str(), ask));
    }
    let schedulers = picture.last_of("schedulers", |it| it.schedulers.as_ref())?;
    let online = as_f64(schedulers.online);
    let Some(quota) = cgroup.cpu_quota_cores.filter(|it| online > it.ceil()) else {
        return Ok(Vec::new());
    };
    Ok(vec![found(picture, cgroup, online, quota)])
}

fn found(picture: &Picture, cgroup: &Cgroup, online: f64, quota: f64) -> Finding {
    let over = picture.over.as_ref().ok();
    let lost = over.and_then(|it| it.throttled_ms).map(|it| it / elapsed_ms(picture).max(1.0));
    let is_throttled = lost.is_some_and(|it| it >= THROTTLED_MIN.value);
    let severity = if is_throttled { Severity::Warning } else { Severity::Note };
    let wanted = quota.ceil().max(1.0);
    let mut evidence = vec![
        Evidence::new("schedulers online", online, "count", Source::Snapshot).from(wanted + 1.0),
        Evidence::new("CPU quota", quota, "cores", Source::Snapshot),
    ];
    evidence.extend(lost.map(|it| {
        Evidence::new("time that the quota took away", it, "share", Source::Ticks)
            .over(elapsed_ms(picture))
            .from(THROTTLED_MIN.value)
    }));
    let told = lost.map_or_else(
        || {
            format!(
                "throttled {} times since the container began",
                cgroup.throttled_periods.unwrap_or_default()
            )
        },
        |it| format!("throttled for {} of the session", percent(it)),
    );
    Finding {
        culprits: vec![Culprit::named(CulpritKind::Node, "schedulers")],
        evidence,
        recommendation: Some(format!(
            "start the node with `+S {0}:{0}` and `+SDcpu {0}:{0}`, or raise the quota",
            plain(wanted)
        )),
        effort: Some(Effort::Low),
        risks: vec![
            "with fewer schedulers a native function that does not yield stops more of the node"
                .to_owned(),
        ],
        verify: Some(format!("giulia snapshot {}", picture.node)),
        ..Finding::found(
            severity,
            format!("{} schedulers share a quota of {} cores", plain(online), plain(quota)),
            format!(
                "they use up the quota of a period together before it ends, and then all of them \
                 stand still, in the middle of whatever they do; {told}"
            ),
        )
    }
}

#[cfg(test)]
mod tests {
    use giulia_model::{FindingOutcome, HostFacts, Schedulers};

    use super::*;
    use crate::{
        Over,
        example::{check, healthy, says},
    };

    fn with(online: u64, quota: Option<f64>, throttled_ms: f64) -> Picture {
        let mut picture = healthy();
        let last = picture.last.as_mut().unwrap();
        last.schedulers = Some(Schedulers { online, ..Schedulers::default() });
        let cgroup = Cgroup { cpu_quota_cores: quota, ..Cgroup::default() };
        last.host = Some(HostFacts { cgroup: Some(cgroup), ..HostFacts::default() });
        picture.over = Ok(Over { throttled_ms: Some(throttled_ms), ..Over::default() });
        picture
    }

    #[test]
    fn fires_on_the_cores_of_the_machine_in_a_small_container() {
        let said = check(&RULE, &with(16, Some(2.0), 3_000.0), FindingOutcome::Found);
        assert_eq!(said.severity, Some(Severity::Warning));
        assert!(said.recommendation.unwrap().contains("+S 2:2"));
    }

    #[test]
    fn silent_without_a_quota_and_within_it() {
        check(&RULE, &with(16, None, 0.0), FindingOutcome::Clear);
        check(&RULE, &with(2, Some(1.5), 0.0), FindingOutcome::Clear);
    }

    #[test]
    fn edge_at_one_more_and_at_a_hundredth_of_the_session() {
        let said = check(&RULE, &with(3, Some(2.0), 299.0), FindingOutcome::Found);
        assert_eq!(said.severity, Some(Severity::Note));
        let said = check(&RULE, &with(3, Some(2.0), 300.0), FindingOutcome::Found);
        assert_eq!(said.severity, Some(Severity::Warning));
        let mut unread = with(3, None, 0.0);
        let host = unread.last.as_mut().unwrap().host.as_mut().unwrap();
        host.cgroup.as_mut().unwrap().cpu_quota_unreadable = Some("no /sys".to_owned());
        assert_eq!(says(&RULE, &unread).outcome, FindingOutcome::NotEnoughSeen);
    }
}
