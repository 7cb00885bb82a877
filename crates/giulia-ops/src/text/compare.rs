//! Sessions side by side for people.

use giulia_model::{Compare, ComparedOutcome, FindingOutcome, Scored, Severity};

use crate::{
    Style,
    columns::{Align, Cell},
    text::{
        findings::{metric, value},
        page::Page,
    },
    units,
};

/// Columns of a terminal for sessions; the document has all of them.
static LETTERS: [&str; 8] = ["A", "B", "C", "D", "E", "F", "G", "H"];

/// The whole comparison.
pub(crate) fn compare(it: &Compare) -> Page {
    let mut page = Page::default();
    page.title("Sessions compared");
    for (letter, session) in LETTERS.iter().zip(&it.sessions) {
        let text = format!(
            "{letter}: {} of {}, from {}, {}",
            session.name,
            session.node,
            session.started_at,
            units::span(session.elapsed_ms)
        );
        page.item(Style::Plain, text);
    }
    for caution in &it.cautions {
        page.item(Style::Warn, caution.clone());
    }
    let sessions = || LETTERS.iter().take(it.sessions.len()).map(|it| (*it, Align::Right));
    page.heading("Figures", "");
    let mut heads = vec![("figure", Align::Name)];
    heads.extend(sessions());
    heads.push(("last of first", Align::Right));
    let rows = it.figures.iter().map(|figure| {
        let mut row = vec![Cell::of(figure.figure.clone())];
        let shown = |it: &Option<f64>| it.map(|it| value(it, &figure.unit)).unwrap_or_default();
        row.extend(figure.values.iter().map(|it| Cell::of(shown(it))));
        row.push(Cell::of(figure.factor.map(|it| format!("x {it:.2}")).unwrap_or_default()));
        row
    });
    page.table(&heads, rows.collect());
    if !it.findings.is_empty() {
        page.heading("Findings", "");
        let mut heads = vec![("rule", Align::Left), ("of", Align::Name)];
        heads.extend(sessions());
        let rows = it.findings.iter().map(|finding| {
            let mut row = vec![Cell::of(finding.rule.clone()), Cell::of(finding.culprit.clone())];
            row.extend(finding.outcomes.iter().map(|it| Cell::of(outcome(it.as_ref()))));
            row
        });
        page.table(&heads, rows.collect());
    }
    predictions(it, &mut page);
    page
}

fn outcome(it: Option<&ComparedOutcome>) -> &'static str {
    match it {
        None => "-",
        Some(it) => match it.outcome {
            FindingOutcome::Found => it.severity.map_or("found", Severity::name),
            FindingOutcome::Clear => "clear",
            FindingOutcome::NotEnoughSeen => "?",
        },
    }
}

fn predictions(it: &Compare, page: &mut Page) {
    if it.predictions.is_empty() {
        return;
    }
    page.heading("Predictions", "of the first session, held against the others");
    let heads = [
        ("predicted", Align::Name),
        ("before", Align::Right),
        ("then", Align::Right),
        ("from", Align::Right),
        ("to", Align::Right),
        ("measured", Align::Right),
        ("off by", Align::Right),
        ("", Align::Left),
    ];
    page.table(&heads, it.predictions.iter().map(scored).collect());
    for it in it.predictions.iter().filter_map(|it| it.why.as_ref()) {
        page.item(Style::Dim, it.clone());
    }
    if let Some(score) = &it.score {
        let median = score.error_share_median.map(units::percent);
        let median = median.map(|it| format!("; the likeliest figure is off by {it} (median)"));
        let text = format!(
            "{} of {} within their range{}",
            score.within,
            score.measured,
            median.unwrap_or_default()
        );
        page.text(Style::Title, text);
    }
}

fn scored(it: &Scored) -> Vec<Cell> {
    let of = |figure: f64| Cell::of(value(figure, &it.gain.unit));
    let word = match it.within {
        Some(true) => "within",
        Some(false) => "outside",
        None => "not measured",
    };
    vec![
        Cell::of(format!("{} of {}", metric(&it.gain), it.gain.of)),
        of(it.gain.before),
        of(it.gain.likely),
        of(it.gain.low),
        of(it.gain.high),
        Cell::of(it.measured.map(|at| value(at, &it.gain.unit)).unwrap_or_default()),
        Cell::of(it.error_share.map(units::percent).unwrap_or_default()),
        Cell::of(word),
    ]
}
