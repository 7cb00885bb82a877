//! Calls that a session counted, for people: by function, by module, and what was not counted.

use giulia_model::{LeftOut, SessionTrace, TracedFunction};

use crate::{
    Style,
    columns::{Align, Cell},
    text::{page::Page, places},
    units,
};

/// Names of what was left out before the rest is counted.
const LEFT_OUT_SHOWN: usize = 10;
/// Spans without counters that are shown; the document has more.
const GAPS_SHOWN: usize = 5;

/// Its part of a report.
pub(crate) fn calls(it: &SessionTrace, page: &mut Page) {
    page.heading("Calls", it.patterns.join(", "));
    let of = format!(
        "{} of {} in {}, counted for {}.",
        counted(it.calls, "call"),
        counted(it.functions_counted, "function"),
        counted(it.modules_counted, "module"),
        units::span(it.counted_ms),
    );
    let (style, whole) = if it.complete {
        (
            Style::Plain,
            "No call is missing: counters were there before the first and were stopped before the last reading.",
        )
    } else if it.gaps.is_empty() && it.stretches.last().is_some_and(|it| it.paused) {
        (Style::Plain, "Calls of what was loaded later are missing until it was counted too.")
    } else {
        (Style::Warn, "Calls outside of that time are missing.")
    };
    page.text(style, format!("{of} {whole}"));
    for gap in it.gaps.iter().take(GAPS_SHOWN) {
        let why = if gap.why.is_empty() { "nothing says why" } else { &gap.why };
        let [from, to] = [gap.from_ms, gap.to_ms].map(units::span);
        page.item(Style::Warn, format!("Nothing was counted from {from} to {to}: {why}"));
    }
    if it.gaps.len() > GAPS_SHOWN {
        page.item(Style::Warn, format!("{} more gaps in --json", it.gaps.len() - GAPS_SHOWN));
    }
    let last = it.stretches.last().filter(|it| !it.paused);
    if let Some(why) = last.and_then(|it| it.why.as_ref()) {
        let to = units::span(last.map_or(0, |it| it.to_ms));
        page.item(Style::Warn, format!("Nothing was counted after {to}: {why}"));
    }
    for other in &it.other_tracers {
        page.item(Style::Warn, format!("{other}: what it traces is slower for that"));
    }
    functions(it, page);
    modules(it, page);
    groups(it, page);
    left_out(&it.left_out, page);
    taken_over(it, page);
    if !it.loaded_meanwhile.is_empty() {
        let names = it.loaded_meanwhile.iter().map(|it| it.strip_prefix("Elixir.").unwrap_or(it));
        let names = names.collect::<Vec<_>>().join(", ");
        page.item(Style::Warn, format!("Loaded after counting began, and not counted: {names}"));
    }
    for it in &it.not_seen {
        page.item(Style::Dim, format!("{}: {}", it.what, it.why));
    }
    let [most, budget] = [it.counters_share_max, it.budget_share].map(units::percent);
    let text = format!(
        "Counters cost at most an estimated {most} of the schedulers' time; the budget is {budget}."
    );
    page.text(Style::Dim, text);
}

/// What was loaded after counting began, and since when it is counted.
fn taken_over(it: &SessionTrace, page: &mut Page) {
    for taken in it.taken_over.iter().take(LEFT_OUT_SHOWN) {
        let name = taken.module.strip_prefix("Elixir.").unwrap_or(&taken.module);
        let [absent, from] = [taken.absent_at_ms, taken.from_ms].map(units::span);
        let text = format!("{name} was loaded after {absent} and is counted from {from} on");
        page.item(Style::Plain, text);
    }
    let more = it.taken_over.len().saturating_sub(LEFT_OUT_SHOWN);
    if more > 0 {
        let text = format!("{more} more were loaded later and counted from then on; see --json");
        page.item(Style::Plain, text);
    }
}

/// `1 module`, `2 modules`.
fn counted(count: u64, what: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{} {what}{plural}", units::count(count))
}

fn functions(it: &SessionTrace, page: &mut Page) {
    if it.functions.is_empty() {
        page.text(Style::Plain, "None of them was called.");
        return;
    }
    let words = it.measured.as_ref().map(|it| it.memory);
    let mut heads = vec![
        ("function", Align::Name),
        ("calls", Align::Right),
        ("calls/s", Align::Right),
        ("share", Align::Right),
    ];
    if words.is_some() {
        heads.extend([("own time", Align::Right), ("a call", Align::Right)]);
    }
    if words == Some(true) {
        heads.push(("words", Align::Right));
    }
    let are_placed = places::are_known(&it.functions);
    if are_placed {
        heads.push((places::TITLE, Align::Extra));
    }
    let rows = it.functions.iter().map(|row| {
        let mut cells = function(row, words);
        cells.extend(are_placed.then(|| places::cell(row)));
        cells
    });
    page.table(&heads, rows.collect());
    for (style, note) in places::notes(&it.functions) {
        page.text(style, note);
    }
    let lost = it.functions.iter().filter_map(|it| Some((it, it.lost.as_ref()?)));
    for (function, why) in lost {
        page.item(Style::Warn, format!("{}: {why}", function.mfa()));
    }
    if let Some(measured) = &it.measured {
        let text = format!(
            "Own time is CPU time in the function itself, waiting and what it calls left out: measured \
             for {} in {} of {} processes.",
            units::ms(measured.window_ms),
            units::count(measured.processes),
            units::count(measured.processes_total),
        );
        page.text(Style::Dim, text);
    }
}

fn function(it: &TracedFunction, words: Option<bool>) -> Vec<Cell> {
    let mut cells = vec![Cell::of(it.mfa().to_string())];
    if it.lost.is_some() {
        cells.push(Cell::of("lost").styled(Style::Bad));
    } else {
        cells.push(Cell::of(it.calls.map(units::count).unwrap_or_default()));
    }
    cells.push(Cell::of(it.calls_per_s.map(units::rate).unwrap_or_default()));
    cells.push(Cell::of(it.share.map(units::percent).unwrap_or_default()));
    let own = it.own.as_ref();
    if words.is_some() {
        cells.push(Cell::of(own.map(|it| units::micros(it.own_time_us)).unwrap_or_default()));
        let each = own.map(|it| units::share(it.own_time_us, it.own_time_calls));
        cells.push(Cell::of(each.map(units::each_us).unwrap_or_default()));
    }
    if words == Some(true) {
        cells.push(Cell::of(own.and_then(|it| it.words).map(units::count).unwrap_or_default()));
    }
    cells
}

fn modules(it: &SessionTrace, page: &mut Page) {
    if it.modules.len() < 2 {
        return;
    }
    let heads = [
        ("module", Align::Name),
        ("functions", Align::Right),
        ("calls", Align::Right),
        ("calls/s", Align::Right),
        ("share", Align::Right),
    ];
    let rows = it.modules.iter().map(|it| {
        let lost = match it.functions_lost {
            0 => String::new(),
            lost => format!(" + {lost} lost"),
        };
        vec![
            Cell::of(it.module.strip_prefix("Elixir.").unwrap_or(&it.module)),
            Cell::of(format!("{}{lost}", units::count(it.functions_called))),
            Cell::of(units::count(it.calls)),
            Cell::of(units::rate(it.calls_per_s)),
            Cell::of(units::percent(it.share)),
        ]
    });
    page.table(&heads, rows.collect());
}

fn groups(it: &SessionTrace, page: &mut Page) {
    let heads = [
        ("processes like", Align::Name),
        ("processes", Align::Right),
        ("calls", Align::Right),
        ("own time", Align::Right),
    ];
    let rows = it.groups.iter().map(|it| {
        vec![
            Cell::of(&it.group),
            Cell::of(units::count(it.processes)),
            Cell::of(units::count(it.calls)),
            Cell::of(units::micros(it.own_time_us)),
        ]
    });
    page.table(&heads, rows.collect());
}

fn left_out(all: &[LeftOut], page: &mut Page) {
    for it in all.iter().take(LEFT_OUT_SHOWN) {
        let rate = it.calls_per_s.map(|it| format!(", {}", units::rate(it))).unwrap_or_default();
        page.item(Style::Warn, format!("Left out: {}: {}{rate}", it.what, it.why));
    }
    let more = all.len().saturating_sub(LEFT_OUT_SHOWN);
    if more > 0 {
        page.item(Style::Warn, format!("{more} more were left out; --json names them"));
    }
}

#[cfg(test)]
mod tests {
    use giulia_model::{Gap, TraceStretch};

    use super::*;

    fn function(name: &str, calls: Option<u32>) -> TracedFunction {
        TracedFunction {
            module: "Elixir.Shop.Cart".to_owned(),
            name: name.to_owned(),
            arity: 1,
            calls: calls.map(u64::from),
            calls_per_s: calls.map(|it| f64::from(it) / 10.0),
            share: calls.map(|it| f64::from(it) / 40.0),
            lost: calls.is_none().then(|| "the module was loaded anew".to_owned()),
            ..TracedFunction::default()
        }
    }

    fn shown(it: &SessionTrace) -> String {
        let mut page = Page::default();
        calls(it, &mut page);
        page.markdown()
    }

    fn trace() -> SessionTrace {
        SessionTrace {
            patterns: vec!["Shop.*".to_owned()],
            counted_ms: 10_000,
            calls: 40,
            modules_counted: 1,
            functions_counted: 3,
            functions: vec![function("add", Some(40)), function("del", None)],
            ..SessionTrace::default()
        }
    }

    #[test]
    fn a_whole_count_says_so_and_a_lost_function_has_no_figure() {
        let text = shown(&SessionTrace { complete: true, ..trace() });
        assert!(text.contains("40 calls of 3 functions in 1 module,"), "{text}");
        assert!(text.contains("No call is missing"), "{text}");
        assert!(text.contains("| Shop.Cart.add/1 | 40 | 4/s | 100.0 % |"), "{text}");
        assert!(text.contains("| Shop.Cart.del/1 | lost |  |  |"), "{text}");
        assert!(text.contains("- Shop.Cart.del/1: the module was loaded anew"), "{text}");
    }

    #[test]
    fn what_was_not_counted_stands_with_its_times_and_its_reason() {
        let gap = |from_ms, why: &str| Gap { from_ms, to_ms: from_ms + 2000, why: why.to_owned() };
        let cut = TraceStretch {
            from_ms: 0,
            to_ms: 90_000,
            paused: false,
            why: Some("the connection ended".to_owned()),
        };
        let it = SessionTrace {
            gaps: vec![gap(3000, "the node was restarted"), gap(60_000, "")],
            stretches: vec![cut],
            ..trace()
        };
        let text = shown(&it);
        assert!(text.contains("Calls outside of that time are missing."), "{text}");
        assert!(text.contains("from 3.00 s to 5.00 s: the node was restarted"), "{text}");
        assert!(text.contains("nothing says why"), "{text}");
        assert!(
            text.contains("Nothing was counted after 1 min 30 s: the connection ended"),
            "{text}"
        );
    }
}
