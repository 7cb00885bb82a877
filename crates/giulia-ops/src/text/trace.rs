//! A trace for people: what was counted, by function, by module, by kind of process, and what was
//! not.

use giulia_model::{
    LeftOut, Restored, Trace, TracedFunction, TracedGroup, TracedModule, TracedNode,
};

use crate::{
    Out, Style,
    columns::{Align, Cell, Columns},
    text::{places, snapshot},
    units,
};

/// Names of what was left out before the rest is counted.
const LEFT_OUT_MAX: usize = 10;
/// Calls of a plan before the rest is counted.
const PLANNED_MAX: usize = 200;

/// Which columns there are.
#[derive(Debug, Clone, Copy)]
struct Shown {
    nodes: bool,
    times: bool,
    words: bool,
}

impl Shown {
    fn of(it: &Trace) -> Self {
        let mut measured = it.nodes.iter().filter_map(|it| it.measured.as_ref());
        let words = measured.clone().any(|it| it.memory);
        Self { nodes: it.nodes.len() > 1, times: measured.next().is_some(), words }
    }
}

/// The whole trace.
pub(crate) fn trace(it: &Trace, out: &mut Out) {
    let names: Vec<&str> = it.nodes.iter().map(|it| it.node.as_str()).collect();
    out.line(&[(Style::Title, &names.join(", "))]);
    if !it.planned_calls.is_empty() {
        planned(it, out);
        return;
    }
    if !it.samples.is_empty() {
        for samples in &it.samples {
            if it.nodes.len() > 1 {
                out.heading(&samples.node, "");
            }
            super::samples(samples, out);
        }
        snapshot::not_seen(&it.not_seen, out);
        for node in &it.nodes {
            end(node, it.nodes.len() > 1, out);
        }
        return;
    }
    for node in &it.nodes {
        head(node, it.nodes.len() > 1, out);
    }
    functions(it, out);
    modules(it, out);
    groups(it, out);
    left_out(&it.left_out, out);
    snapshot::not_seen(&it.not_seen, out);
    for node in &it.nodes {
        end(node, it.nodes.len() > 1, out);
    }
}

fn planned(it: &Trace, out: &mut Out) {
    for node in &it.nodes {
        let text = format!(
            "{}: the patterns mean {} in {}. Nothing was called; this would be:",
            node.node,
            counted(node.functions_counted, "function"),
            counted(node.modules_counted, "module")
        );
        out.paragraph(0, Style::Plain, &text);
    }
    out.blank();
    for call in it.planned_calls.iter().take(PLANNED_MAX) {
        out.hanging("  ", 6, Style::Plain, call);
    }
    let more = it.planned_calls.len().saturating_sub(PLANNED_MAX);
    if more > 0 {
        out.line(&[(Style::Dim, &format!("  ... and {more} more; --json has all of them"))]);
    }
    snapshot::not_seen(&it.not_seen, out);
}

fn head(it: &TracedNode, is_named: bool, out: &mut Out) {
    let name = if is_named { format!("{}: ", it.node) } else { String::new() };
    let stopped = if it.interrupted { ", until it was stopped" } else { "" };
    let text = format!(
        "{name}{} of {} in {}, counted for {}{stopped}.",
        counted(it.calls, "call"),
        counted(it.functions_counted, "function"),
        counted(it.modules_counted, "module"),
        units::ms(it.window_ms),
    );
    out.paragraph(0, Style::Plain, &text);
    for other in &it.other_tracers {
        let text = format!("! {other}: what it traces is slower for that");
        out.hanging("  ", 4, Style::Warn, &text);
    }
    if let Some(measured) = &it.measured {
        let text = format!(
            "Own time is CPU time in the function itself, waiting and what it calls left out: of {} \
             in {} of {} processes, for {}; they made {} of these functions' calls.",
            counted(measured.functions, "function"),
            units::count(measured.processes),
            units::count(measured.processes_total),
            units::ms(measured.window_ms),
            // Calls between two readings against calls that were measured: never above all of them.
            units::percent(units::share(measured.calls, measured.calls_of_everybody).min(1.0)),
        );
        out.paragraph(0, Style::Dim, &text);
    }
}

fn functions(it: &Trace, out: &mut Out) {
    out.heading("Functions", &format!("most {} first", it.sort));
    if it.functions.is_empty() {
        out.line(&[(Style::Plain, "  none of them was called")]);
        return;
    }
    let shown = Shown::of(it);
    let mut heads = vec![("function", Align::Name)];
    if shown.nodes {
        heads.push(("node", Align::Extra));
    }
    let figures = [("calls", Align::Right), ("calls/s", Align::Right), ("share", Align::Right)];
    heads.extend(figures);
    if shown.times {
        heads.extend([
            ("own time", Align::Right),
            ("a call", Align::Right),
            ("of it", Align::Right),
        ]);
    }
    if shown.words {
        heads.push(("words", Align::Right));
    }
    let are_placed = places::are_known(&it.functions);
    if are_placed {
        heads.push((places::TITLE, Align::Extra));
    }
    let mut columns = Columns::new(&heads);
    for row in &it.functions {
        let mut cells = function(row, shown);
        cells.extend(are_placed.then(|| places::cell(row)));
        columns.row(cells);
    }
    out.columns(&columns);
    for (style, note) in places::notes(&it.functions) {
        out.paragraph(2, style, &note);
    }
}

fn function(it: &TracedFunction, shown: Shown) -> Vec<Cell> {
    let mut cells = vec![Cell::of(it.mfa().to_string())];
    if shown.nodes {
        cells.push(Cell::of(it.node.as_deref().unwrap_or_default()));
    }
    if it.lost.is_some() {
        cells.push(Cell::of("lost").styled(Style::Bad));
    } else {
        cells.push(Cell::of(it.calls.map(units::count).unwrap_or_default()));
    }
    cells.push(Cell::of(it.calls_per_s.map(units::rate).unwrap_or_default()));
    cells.push(Cell::of(it.share.map(units::percent).unwrap_or_default()));
    let own = it.own.as_ref();
    if shown.times {
        cells.push(Cell::of(own.map(|it| units::micros(it.own_time_us)).unwrap_or_default()));
        let each = own.map(|it| units::share(it.own_time_us, it.own_time_calls));
        cells.push(Cell::of(each.map(units::each_us).unwrap_or_default()));
        cells.push(Cell::of(own.map(|it| units::percent(it.own_time_share)).unwrap_or_default()));
    }
    if shown.words {
        cells.push(Cell::of(own.and_then(|it| it.words).map(units::count).unwrap_or_default()));
    }
    cells
}

fn modules(it: &Trace, out: &mut Out) {
    if it.modules.len() < 2 {
        return;
    }
    out.heading("By module", "");
    let shown = Shown::of(it);
    let mut heads = vec![("module", Align::Name)];
    if shown.nodes {
        heads.push(("node", Align::Extra));
    }
    heads.extend([
        ("functions", Align::Right),
        ("calls", Align::Right),
        ("calls/s", Align::Right),
        ("share", Align::Right),
    ]);
    if shown.times {
        heads.push(("own time", Align::Right));
    }
    if shown.words {
        heads.push(("words", Align::Right));
    }
    let mut columns = Columns::new(&heads);
    for row in &it.modules {
        columns.row(module(row, shown));
    }
    out.columns(&columns);
}

fn module(it: &TracedModule, shown: Shown) -> Vec<Cell> {
    let name = it.module.strip_prefix("Elixir.").unwrap_or(&it.module);
    let mut cells = vec![Cell::of(name)];
    if shown.nodes {
        cells.push(Cell::of(it.node.as_deref().unwrap_or_default()));
    }
    let lost = match it.functions_lost {
        0 => String::new(),
        lost => format!(" + {lost} lost"),
    };
    cells.push(Cell::of(format!("{}{lost}", units::count(it.functions_called))));
    cells.push(Cell::of(units::count(it.calls)));
    cells.push(Cell::of(units::rate(it.calls_per_s)));
    cells.push(Cell::of(units::percent(it.share)));
    if shown.times {
        cells.push(Cell::of(it.own_time_us.map(units::micros).unwrap_or_default()));
    }
    if shown.words {
        cells.push(Cell::of(it.words.map(units::count).unwrap_or_default()));
    }
    cells
}

fn groups(it: &Trace, out: &mut Out) {
    if it.groups.is_empty() {
        return;
    }
    out.heading("By label or initial call", "own time of the measured processes");
    let shown = Shown::of(it);
    let mut heads = vec![("processes like", Align::Name)];
    if shown.nodes {
        heads.push(("node", Align::Extra));
    }
    heads.extend([
        ("processes", Align::Right),
        ("calls", Align::Right),
        ("own time", Align::Right),
        ("of it", Align::Right),
    ]);
    if shown.words {
        heads.push(("words", Align::Right));
    }
    let mut columns = Columns::new(&heads);
    for row in &it.groups {
        columns.row(group(row, shown));
    }
    out.columns(&columns);
}

fn group(it: &TracedGroup, shown: Shown) -> Vec<Cell> {
    let mut cells = vec![Cell::of(&it.group)];
    if shown.nodes {
        cells.push(Cell::of(it.node.as_deref().unwrap_or_default()));
    }
    cells.push(Cell::of(units::count(it.processes)));
    cells.push(Cell::of(units::count(it.calls)));
    cells.push(Cell::of(units::micros(it.own_time_us)));
    cells.push(Cell::of(units::percent(it.own_time_share)));
    if shown.words {
        cells.push(Cell::of(it.words.map(units::count).unwrap_or_default()));
    }
    cells
}

fn left_out(all: &[LeftOut], out: &mut Out) {
    if all.is_empty() {
        return;
    }
    out.heading("Left out", &format!("{} in all", units::count(number(all.len()))));
    for it in all.iter().take(LEFT_OUT_MAX) {
        let node = it.node.as_ref().map(|it| format!(" on {it}")).unwrap_or_default();
        let rate = it.calls_per_s.map(|it| format!(", {} when it was priced", units::rate(it)));
        let price = it.price_share.map(|it| format!(", {} of the schedulers", units::percent(it)));
        let text = format!(
            "{}{node}: {}{}{}",
            it.what,
            it.why,
            rate.unwrap_or_default(),
            price.unwrap_or_default()
        );
        out.hanging("  ", 4, Style::Warn, &text);
    }
    let more = all.len().saturating_sub(LEFT_OUT_MAX);
    if more > 0 {
        out.line(&[(Style::Dim, &format!("  ... and {more} more; --json names them"))]);
    }
}

fn end(it: &TracedNode, is_named: bool, out: &mut Out) {
    out.blank();
    if is_named {
        out.line(&[(Style::Title, &it.node)]);
    }
    if !it.loaded_meanwhile.is_empty() {
        let names: Vec<&str> =
            it.loaded_meanwhile.iter().map(|it| it.strip_prefix("Elixir.").unwrap_or(it)).collect();
        let text = format!("Loaded meanwhile, and not counted: {}.", names.join(", "));
        out.paragraph(0, Style::Warn, &text);
    }
    // Samples have no counters, and no budget.
    if it.budget_share > 0.0 {
        let text = format!(
            "The counters cost an estimated {} of the schedulers' time; the budget is {}.",
            units::percent(it.counters_share),
            units::percent(it.budget_share)
        );
        out.paragraph(0, Style::Dim, &text);
    }
    for change in &it.manifest {
        let (style, became) = match change.restored {
            Restored::Yes => (Style::Dim, "restored"),
            Restored::ByTheNode => (Style::Dim, "undone by the node itself"),
            Restored::NodeEnded => (Style::Dim, "gone with the node"),
            Restored::NotYet => (Style::Bad, "not undone; see `giulia doctor`"),
        };
        out.paragraph(0, style, &format!("Changed on the node: {}: {became}.", change.what));
    }
    snapshot::cost(&it.impact, out);
}

/// `1 module`, `2 modules`.
fn counted(count: u64, what: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{} {what}{plural}", units::count(count))
}

fn number(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}
