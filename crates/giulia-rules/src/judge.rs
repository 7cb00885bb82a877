//! All rules over one picture: findings in order, what to do, what each way of looking revealed.

use giulia_model::{
    Action, Effort, Finding, FindingOutcome, Findings, Gain, Layer, Metric, NotSeen, Source,
};

use crate::{Picture, RULES, Rule};

/// The document's name and version.
const SCHEMA: &str = "giulia.findings/1";

/// Asks every rule.
pub fn judge(picture: &Picture) -> Findings {
    judge_with(RULES, picture)
}

/// Asks these rules.
pub fn judge_with(rules: &[&Rule], picture: &Picture) -> Findings {
    let mut findings: Vec<Finding> = rules.iter().flat_map(|rule| asked(rule, picture)).collect();
    findings.sort_by(|one, other| {
        one.outcome.cmp(&other.outcome).then(other.severity.cmp(&one.severity))
    });
    let session = &picture.report.session;
    Findings {
        schema: SCHEMA.to_owned(),
        node: picture.node.clone(),
        session: session.name.clone(),
        started_at: session.started_at.clone(),
        elapsed_ms: picture.report.window.elapsed_ms,
        actions: actions(&findings),
        layers: layers(&findings),
        not_seen: not_seen(picture),
        findings,
    }
}

/// What one rule says, under its name.
fn asked(rule: &Rule, picture: &Picture) -> Vec<Finding> {
    let mut said = match (rule.judge)(picture) {
        Ok(said) => said,
        Err(missing) => {
            let why = format!("{}: {}", missing.what, missing.why);
            vec![Finding::not_enough(rule.title, why, missing.ask)]
        }
    };
    if said.is_empty() {
        said.push(Finding::clear(rule.title, String::new()));
    }
    for it in &mut said {
        rule.id.clone_into(&mut it.rule);
    }
    said
}

/// Those found that say what to do; they are in their order already, and of equals the easier first.
fn actions(findings: &[Finding]) -> Vec<Action> {
    let mut found: Vec<&Finding> =
        findings.iter().filter(|it| it.outcome == FindingOutcome::Found).collect();
    found.sort_by_key(|it| (std::cmp::Reverse(it.severity), it.effort));
    let action = |it: &&Finding| {
        Some(Action {
            action: it.recommendation.clone()?,
            impact: impact(it),
            effort: it.effort.unwrap_or(Effort::Medium),
            rule: it.rule.clone(),
        })
    };
    found.iter().filter_map(action).collect()
}

fn impact(finding: &Finding) -> String {
    match finding.gain.as_slice() {
        [] => finding.title.clone(),
        gain => gain.iter().map(sentence).collect::<Vec<_>>().join("; "),
    }
}

/// A prediction in words: `calls/s of KV.lookup/2: 1200 → 48000 (40000 to 60000)`.
fn sentence(it: &Gain) -> String {
    if it.metric == Metric::QueriesPerSecond {
        let saved = |left: f64| plain((it.before - left).max(0.0));
        return format!(
            "saves {} of {} {} of {} ({} to {})",
            saved(it.likely),
            plain(it.before),
            it.unit,
            it.of,
            saved(it.high),
            saved(it.low)
        );
    }
    format!(
        "{} of {}: {} → {} ({} to {})",
        it.unit,
        it.of,
        plain(it.before),
        plain(it.likely),
        plain(it.low),
        plain(it.high)
    )
}

fn layers(findings: &[Finding]) -> Vec<Layer> {
    let sources = [
        Source::Ticks,
        Source::Snapshot,
        Source::SystemEvents,
        Source::Trace,
        Source::Explain,
        Source::Mailbox,
        Source::Ets,
        Source::Process,
        Source::Postgres,
    ];
    let found = || findings.iter().filter(|it| it.outcome == FindingOutcome::Found);
    let layer = |source: Source| {
        let has = |it: &&Finding| it.evidence.iter().any(|it| it.source == source);
        let mut revealed: Vec<String> = found().filter(has).map(|it| it.title.clone()).collect();
        revealed.dedup();
        (!revealed.is_empty()).then_some(Layer { source, revealed })
    };
    sources.into_iter().filter_map(layer).collect()
}

fn not_seen(picture: &Picture) -> Vec<NotSeen> {
    let parts = [
        picture.last.as_ref().err(),
        picture.traces.as_ref().err(),
        picture.explains.as_ref().err(),
        picture.mailboxes.as_ref().err(),
        picture.ets_rates.as_ref().err(),
        picture.processes.as_ref().err(),
    ];
    let missing = parts.into_iter().flatten().map(|it| {
        let ask = it.ask.as_ref().map(|ask| format!("; ask with `{ask}`")).unwrap_or_default();
        NotSeen { what: it.what.clone(), why: format!("{}{ask}", it.why) }
    });
    let database = picture.report.database.iter().flat_map(|it| it.not_seen.iter().cloned());
    let ticks = picture.report.not_seen.iter().map(|it| it.it.clone());
    missing.chain(database).chain(ticks).collect()
}

/// A figure as people write it: three digits that count, thousands kept whole.
pub(crate) fn plain(value: f64) -> String {
    let size = value.abs();
    if size >= 100.0 || value.fract() == 0.0 {
        let whole = format!("{value:.0}");
        let (sign, digits) = whole.strip_prefix('-').map_or(("", whole.as_str()), |it| ("-", it));
        let mut grouped = String::new();
        for (idx, it) in digits.chars().enumerate() {
            if idx > 0 && (digits.len() - idx) % 3 == 0 {
                grouped.push(',');
            }
            grouped.push(it);
        }
        format!("{sign}{grouped}")
    } else {
        let decimals = if size >= 10.0 { 1 } else { 2 };
        let text = format!("{value:.decimals$}");
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    }
}

#[cfg(test)]
mod tests {
    use giulia_model::Severity;

    use super::*;
    use crate::{Missing, example};

    fn missing(_: &Picture) -> Result<Vec<Finding>, Missing> {
        Err(Missing::new("ticks", "there are none", "giulia observe a@b"))
    }

    fn nothing(picture: &Picture) -> Result<Vec<Finding>, Missing> {
        picture.last.as_ref().map_err(Clone::clone)?;
        Ok(Vec::new())
    }

    fn two(picture: &Picture) -> Result<Vec<Finding>, Missing> {
        picture.last.as_ref().map_err(Clone::clone)?;
        let found = |severity, title: &str| Finding {
            recommendation: Some(format!("mend {title}")),
            ..Finding::found(severity, title, "")
        };
        Ok(vec![found(Severity::Note, "small"), found(Severity::Critical, "large")])
    }

    const fn rule(id: &'static str, judge: fn(&Picture) -> Result<Vec<Finding>, Missing>) -> Rule {
        Rule { id, title: "a rule", page: "", thresholds: &[], judge }
    }

    #[test]
    fn the_gravest_comes_first_and_what_is_missing_is_an_answer() {
        let rules = [&rule("nothing", nothing), &rule("missing", missing), &rule("two", two)];
        let all = judge_with(&rules, &example::healthy());
        let said: Vec<_> =
            all.findings.iter().map(|it| (it.rule.as_str(), it.outcome, it.severity)).collect();
        assert_eq!(
            said,
            [
                ("two", FindingOutcome::Found, Some(Severity::Critical)),
                ("two", FindingOutcome::Found, Some(Severity::Note)),
                ("missing", FindingOutcome::NotEnoughSeen, None),
                ("nothing", FindingOutcome::Clear, None),
            ]
        );
        let actions: Vec<_> = all.actions.iter().map(|it| it.action.as_str()).collect();
        assert_eq!(actions, ["mend large", "mend small"]);
    }

    #[test]
    fn figures_read_like_figures() {
        for (value, text) in
            [(0.05, "0.05"), (1.0, "1"), (0.7, "0.7"), (12.34, "12.3"), (1_234_567.8, "1,234,568")]
        {
            assert_eq!(plain(value), text);
        }
    }
}
