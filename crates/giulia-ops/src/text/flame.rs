//! A flame graph for people without a picture: functions and groups by their samples.

use giulia_model::{Flame, FlameOf};

use crate::{
    Out, Style,
    columns::{Align, Cell, Columns},
    flame::name,
    text::snapshot,
    units,
};

/// Functions shown; the rest is in the file and in the document.
const FUNCTIONS: usize = 20;
/// Groups of processes shown.
const GROUPS: usize = 8;

/// The whole answer.
pub(crate) fn flame(it: &Flame, out: &mut Out) {
    out.line(&[(Style::Title, &it.node)]);
    let of = match it.of {
        FlameOf::Running => "processes at work",
        FlameOf::Waiting => "waiting processes",
    };
    let text = format!(
        "Stacks of {of}, {} up to {}: {} samples in {} rounds ({:.0} a second), shares within {:.1} \
         points.",
        units::ms(it.window_ms),
        it.taken_at,
        units::count(it.samples),
        units::count(it.rounds),
        it.rate_hz,
        it.margin_points,
    );
    out.paragraph(0, Style::Dim, &text);
    if it.samples < it.samples_all {
        let text = format!(
            "Of {} samples, those that --pattern and --group name.",
            units::count(it.samples_all)
        );
        out.paragraph(0, Style::Dim, &text);
    }
    functions(it, out);
    groups(it, out);
    if !it.bias.is_empty() {
        out.heading("How to read it", "");
        for note in &it.bias {
            out.hanging("  ", 2, Style::Plain, note);
        }
    }
    snapshot::not_seen(&it.not_seen, out);
    snapshot::cost(&it.impact, out);
}

fn functions(it: &Flame, out: &mut Out) {
    out.heading("Functions", "samples of their own, and with all that they call");
    if it.functions.is_empty() {
        out.line(&[(Style::Dim, "  no samples: nobody was at work when it was looked")]);
    }
    let mut table = Columns::new(&[
        ("self", Align::Right),
        ("total", Align::Right),
        ("samples", Align::Right),
        ("function", Align::Name),
    ]);
    for row in it.functions.iter().take(FUNCTIONS) {
        table.row([
            Cell::of(units::percent(row.self_share)),
            Cell::of(units::percent(row.total_share)),
            Cell::of(units::count(row.self_samples)),
            Cell::of(name(&row.function)),
        ]);
    }
    out.columns(&table);
    more(it.functions.len(), FUNCTIONS, "functions", out);
}

fn groups(it: &Flame, out: &mut Out) {
    if it.groups.is_empty() {
        return;
    }
    out.heading("Processes", "by what they are");
    let mut table =
        Columns::new(&[("share", Align::Right), ("samples", Align::Right), ("group", Align::Name)]);
    for row in it.groups.iter().take(GROUPS) {
        table.row([
            Cell::of(units::percent(row.share)),
            Cell::of(units::count(row.samples)),
            Cell::of(row.name.clone()),
        ]);
    }
    out.columns(&table);
    more(it.groups.len(), GROUPS, "groups", out);
}

fn more(all: usize, shown: usize, what: &str, out: &mut Out) {
    if all > shown {
        let text = format!("  and {} more {what}; --json has all", all - shown);
        out.line(&[(Style::Dim, &text)]);
    }
}
