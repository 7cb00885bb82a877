//! `foreign_tracing`: somebody else's trace settings are on.

use giulia_model::{Culprit, CulpritKind, Effort, Evidence, Finding, Severity, Source};

use crate::{Missing, Picture, Rule, predict::as_f64};

/// The rule.
pub(super) static RULE: Rule = Rule {
    id: "foreign_tracing",
    title: "Somebody else's tracing is on",
    page: include_str!("../../../../docs/rules/foreign_tracing.md"),
    thresholds: &[],
    judge,
};

fn judge(picture: &Picture) -> Result<Vec<Finding>, Missing> {
    let traces = picture.traces.as_deref().unwrap_or_default();
    let explains = picture.explains.as_deref().unwrap_or_default();
    if traces.is_empty() && explains.is_empty() {
        let ask = format!("giulia doctor {}", picture.node);
        let why = "the session traced nothing itself, so it did not look who else does";
        return Err(Missing::new("tracing of others", why, ask));
    }
    let by_counters = traces.iter().flat_map(|it| &it.nodes).flat_map(|it| &it.other_tracers);
    let by_samples = explains.iter().flat_map(|it| &it.sample.other_tracers);
    // Who owns the system monitor hears of unusual events and traces nobody: RabbitMQ does.
    let is_tracing = |it: &&String| !it.contains("system_monitor");
    let mut settings: Vec<&String> = by_counters.chain(by_samples).filter(is_tracing).collect();
    settings.sort();
    settings.dedup();
    if settings.is_empty() {
        return Ok(Vec::new());
    }
    let count = as_f64(u64::try_from(settings.len()).unwrap_or(u64::MAX));
    let told: Vec<&str> = settings.iter().map(|it| it.as_str()).collect();
    Ok(vec![Finding {
        culprits: settings
            .iter()
            .map(|it| Culprit::named(CulpritKind::Node, it.as_str()))
            .collect(),
        evidence: vec![Evidence::new("settings of others", count, "count", Source::Trace)],
        recommendation: Some(
            "ask who traces; what nobody owns any more is switched off on the node itself \
             (`recon_trace:clear()`, `dbg:stop()`, or `erlang:trace(all, false, [all])` where \
             nobody else traces)"
                .to_owned(),
        ),
        effort: Some(Effort::Low),
        risks: vec![
            "clearing ends everybody's tracing on a node before OTP 27, also that of somebody who \
             looks right now"
                .to_owned(),
        ],
        verify: Some(format!("giulia doctor {}", picture.node)),
        ..Finding::found(
            Severity::Note,
            "Somebody else traces this node",
            format!(
                "{}; a traced call costs its process some hundred nanoseconds and up, whether or \
                 not anybody reads the messages",
                told.join("; ")
            ),
        )
    }])
}

#[cfg(test)]
mod tests {
    use giulia_model::{FindingOutcome, TracedNode};

    use super::*;
    use crate::example::{check, healthy, says};

    fn with(settings: &[&str]) -> Picture {
        let mut picture = healthy();
        let other_tracers = settings.iter().map(|it| (*it).to_owned()).collect();
        picture.traces.as_mut().unwrap()[0].nodes =
            vec![TracedNode { other_tracers, ..TracedNode::default() }];
        picture
    }

    #[test]
    fn fires_on_flags_that_somebody_left() {
        let said = check(&RULE, &with(&["flags on new processes: [call]"]), FindingOutcome::Found);
        assert!(said.why.contains("new processes"), "{}", said.why);
    }

    #[test]
    fn silent_where_nobody_traces() {
        check(&RULE, &with(&[]), FindingOutcome::Clear);
        let monitor = "somebody owns erlang:system_monitor: {<0.7.0>,[busy_port]}";
        check(&RULE, &with(&[monitor]), FindingOutcome::Clear);
    }

    #[test]
    fn edge_told_twice_is_one_and_not_looked_is_not_clear() {
        let said = check(&RULE, &with(&["dbg", "dbg"]), FindingOutcome::Found);
        assert_eq!(said.culprits.len(), 1);
        let mut unseen = with(&[]);
        unseen.traces = Err(Missing::new("call counters", "not asked", "giulia check"));
        unseen.explains = Err(Missing::new("explain", "not asked", "giulia check"));
        assert_eq!(says(&RULE, &unseen).outcome, FindingOutcome::NotEnoughSeen);
    }
}
