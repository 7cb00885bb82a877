//! Findings for people: what was found with its evidence and advice, what was not seen enough, what
//! is clear, what to do first, and what each way of looking revealed.

use giulia_model::{
    Checked, Effort, Evidence, Finding, FindingOutcome, Findings, Gain, Severity, Source,
};

use crate::{
    Style,
    columns::{Align, Cell},
    text::page::Page,
    units,
};

/// A check.
pub(crate) fn checked(it: &Checked) -> Page {
    let mut page = Page::default();
    let all = &it.findings;
    page.title(format!("{}: {}", all.session, all.node));
    page.text(Style::Plain, summary(all));
    findings(all, &mut page);
    if let Some(fail_on) = it.fail_on {
        page.heading("Check", format!("fails on {}", fail_on.name()));
        let known = it.baseline.as_ref().map(|it| format!(" that {it} did not have"));
        let known = known.unwrap_or_default();
        match it.failing.len() {
            0 => page.text(Style::Good, format!("passed: nothing so grave{known}")),
            n => page.text(Style::Bad, format!("failed: {n} at least so grave{known}")),
        }
    }
    page
}

/// Findings, without the title of a page.
pub(crate) fn findings(it: &Findings, page: &mut Page) {
    let of = |outcome| it.findings.iter().filter(move |it| it.outcome == outcome);
    for finding in of(FindingOutcome::Found) {
        found(finding, page);
    }
    actions(it, page);
    layers(it, page);
    let unseen: Vec<&Finding> = of(FindingOutcome::NotEnoughSeen).collect();
    if !unseen.is_empty() {
        page.heading("Not enough seen", "the command shows it");
        for it in unseen {
            let ask = it.verify.as_ref().map(|it| format!(": {it}")).unwrap_or_default();
            page.item(Style::Dim, format!("[{}] {}: {}{ask}", it.rule, it.title, it.why));
        }
    }
    let clear: Vec<&Finding> = of(FindingOutcome::Clear).collect();
    if !clear.is_empty() {
        page.heading("Clear", "looked at, and nothing there");
        for it in clear {
            let why = if it.why.is_empty() { String::new() } else { format!(": {}", it.why) };
            page.item(Style::Good, format!("[{}] {}{why}{}", it.rule, it.title, all_the_same(it)));
        }
    }
}

fn summary(it: &Findings) -> String {
    let count = |severity: Severity| {
        let has =
            |it: &&Finding| it.outcome == FindingOutcome::Found && it.severity == Some(severity);
        it.findings.iter().filter(has).count()
    };
    let of = |outcome| it.findings.iter().filter(|it| it.outcome == outcome).count();
    format!(
        "From {}, {}: {} critical, {} warnings, {} notes; {} clear, {} not seen enough of.",
        it.started_at,
        units::span(it.elapsed_ms),
        count(Severity::Critical),
        count(Severity::Warning),
        count(Severity::Note),
        of(FindingOutcome::Clear),
        of(FindingOutcome::NotEnoughSeen),
    )
}

fn found(it: &Finding, page: &mut Page) {
    let severity = it.severity.map_or("found", Severity::name);
    page.heading(&format!("{severity}: [{}] {}", it.rule, it.title), "");
    page.text(style(it.severity), it.why.clone());
    let heads = [
        ("evidence", Align::Name),
        ("", Align::Right),
        ("matters from", Align::Right),
        ("over", Align::Right),
        ("seen by", Align::Left),
    ];
    page.table(&heads, it.evidence.iter().map(evidence).collect());
    if let Some(advice) = &it.recommendation {
        let effort = it.effort.map(|it| format!(" (effort: {})", effort_name(it)));
        page.text(Style::Plain, format!("Do: {advice}{}.", effort.unwrap_or_default()));
    }
    let heads = [
        ("predicted", Align::Name),
        ("now", Align::Right),
        ("then", Align::Right),
        ("from", Align::Right),
        ("to", Align::Right),
        ("assuming", Align::Extra),
    ];
    page.table(&heads, it.gain.iter().map(gain).collect());
    for risk in &it.risks {
        page.item(Style::Plain, format!("risk: {risk}"));
    }
    if let Some(verify) = &it.verify {
        page.text(Style::Plain, format!("Verify: {verify}"));
    }
}

fn evidence(it: &Evidence) -> Vec<Cell> {
    vec![
        Cell::of(it.figure.clone()),
        Cell::of(value(it.value, &it.unit)),
        Cell::of(it.threshold.map(|from| value(from, &it.unit)).unwrap_or_default()),
        Cell::of(it.window_ms.map(units::ms).unwrap_or_default()),
        Cell::of(source(it.source)),
    ]
}

fn gain(it: &Gain) -> Vec<Cell> {
    let of = |figure: f64| Cell::of(value(figure, &it.unit));
    let what = format!("{} of {}", metric(it), it.of);
    vec![
        Cell::of(what),
        of(it.before),
        of(it.likely),
        of(it.low),
        of(it.high),
        Cell::of(it.assuming.clone()),
    ]
}

/// What a change would bring that is not advised.
fn all_the_same(it: &Finding) -> String {
    if it.gain.is_empty() {
        return String::new();
    }
    let gains = it.gain.iter().map(|it| {
        format!(
            "{} of {} from {} to {} ({} to {})",
            metric(it),
            it.of,
            value(it.before, &it.unit),
            value(it.likely, &it.unit),
            value(it.low, &it.unit),
            value(it.high, &it.unit)
        )
    });
    format!(". A table would bring: {}", gains.collect::<Vec<_>>().join("; "))
}

/// What is predicted, in words.
pub(crate) fn metric(it: &Gain) -> &'static str {
    use giulia_model::Metric;
    match it.metric {
        Metric::CallsPerSecond => "calls",
        Metric::QueriesPerSecond => "queries",
        Metric::MessagesPerSecond => "messages",
        Metric::Utilisation => "utilisation",
        Metric::WaitingMs => "waiting",
        Metric::LatencyUs => "latency",
        Metric::TableBytes => "memory",
    }
}

fn actions(it: &Findings, page: &mut Page) {
    if it.actions.is_empty() {
        return;
    }
    page.heading("What to do first", "");
    let heads = [
        ("#", Align::Right),
        ("rule", Align::Left),
        ("effort", Align::Left),
        ("impact", Align::Name),
        ("action", Align::Name),
    ];
    let row = |(idx, it): (usize, &giulia_model::Action)| {
        vec![
            Cell::of((idx + 1).to_string()),
            Cell::of(it.rule.clone()),
            Cell::of(effort_name(it.effort)),
            Cell::of(it.impact.clone()),
            Cell::of(it.action.clone()),
        ]
    };
    page.table(&heads, it.actions.iter().enumerate().map(row).collect());
}

fn layers(it: &Findings, page: &mut Page) {
    if it.layers.is_empty() {
        return;
    }
    page.heading("What each way of looking revealed", "");
    for layer in &it.layers {
        page.item(Style::Plain, format!("{}: {}", source(layer.source), layer.revealed.join("; ")));
    }
}

fn style(severity: Option<Severity>) -> Style {
    match severity {
        Some(Severity::Critical) => Style::Bad,
        Some(Severity::Warning) => Style::Warn,
        Some(Severity::Note) | None => Style::Plain,
    }
}

/// Low, medium or high.
pub(crate) fn effort_name(it: Effort) -> &'static str {
    match it {
        Effort::Low => "low",
        Effort::Medium => "medium",
        Effort::High => "high",
    }
}

/// The way of looking, as its command is called.
pub(crate) fn source(it: Source) -> &'static str {
    match it {
        Source::Ticks => "ticks",
        Source::Snapshot => "snapshot",
        Source::SystemEvents => "system events",
        Source::Trace => "call counters",
        Source::Explain => "explain",
        Source::Stacks => "stacks",
        Source::Mailbox => "mailbox",
        Source::Ets => "ets",
        Source::Process => "process",
        Source::Postgres => "postgres",
    }
}

/// A figure with its unit.
pub(crate) fn value(value: f64, unit: &str) -> String {
    match unit {
        "share" => units::percent(value),
        "bytes" => units::bytes_f64(value),
        "ms" => units::ms(value),
        "us" => units::ms(value / 1000.0),
        "per_second" => units::rate(value),
        "per_minute" => units::per_minute(value),
        "bytes_per_second" => format!("{}/s", units::bytes_f64(value)),
        "bytes_per_minute" => format!("{}/min", units::bytes_f64(value)),
        "minutes" => units::minutes(value),
        "count" => figure(value),
        other => format!("{} {other}", figure(value)),
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "whole and positive")]
fn figure(value: f64) -> String {
    if value >= 1.0 && value.fract() == 0.0 {
        units::count(value as u64)
    } else {
        let text = format!("{value:.3}");
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    }
}
