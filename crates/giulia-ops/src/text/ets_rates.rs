//! How often tables are read and written, for people.

use giulia_model::{Estimate, EtsAccess, EtsFunction, EtsRates, EtsTableRate};

use super::{mailbox, snapshot, tables};
use crate::{
    Out, Style,
    columns::{Align, Cell, Columns},
    units,
};

/// Functions and tables in the text; the document has all functions and fifty tables.
const FUNCTIONS_SHOWN_MAX: usize = 12;
const TABLES_SHOWN_MAX: usize = 12;

/// Callers of a table in the text; the document has ten.
const CALLERS_SHOWN_MAX: usize = 3;

/// The whole answer.
pub(crate) fn ets_rates(it: &EtsRates, out: &mut Out) {
    let title = it.table.as_ref().map_or("ETS tables".to_owned(), |it| format!("ETS table {it}"));
    out.line(&[(Style::Title, &title), (Style::Plain, &format!(" on {}", it.node))]);
    let text = format!(
        "Taken {}. Calls counted exactly for {}; tables and callers from a sample of {} calls in {} looks.",
        it.taken_at,
        units::ms(it.counted_ms),
        units::count(it.sample.calls),
        units::count(it.sample.looks)
    );
    out.paragraph(0, Style::Dim, &text);
    functions(it, out);
    tables(it, out);
    snapshot::not_seen(&it.not_seen, out);
    out.blank();
    let text = format!("Counting cost at most {} of a core.", units::percent(it.counting_share));
    out.paragraph(0, Style::Dim, &text);
    mailbox::switched(&it.changes, out);
    snapshot::cost(&it.impact, out);
}

fn functions(it: &EtsRates, out: &mut Out) {
    let note = format!(
        "{} reads, {} writes, all tables",
        units::rate(it.reads_per_second),
        units::rate(it.writes_per_second)
    );
    out.heading("Calls of ets", &note);
    if it.functions.is_empty() {
        out.line(&[(Style::Plain, "  nobody called it in this time")]);
        return;
    }
    let heads = [
        ("function", Align::Name),
        ("does", Align::Left),
        ("calls", Align::Right),
        ("rate", Align::Right),
        ("counted", Align::Right),
    ];
    let mut columns = Columns::new(&heads);
    for function in it.functions.iter().take(FUNCTIONS_SHOWN_MAX) {
        let style = if function.left_out.is_some() { Style::Warn } else { Style::Plain };
        columns.row([
            Cell::of(&function.function),
            Cell::of(does(function.does)),
            Cell::of(units::count(function.calls)),
            Cell::of(units::rate(function.per_second)),
            Cell::of(units::ms(function.counted_ms)).styled(style),
        ]);
    }
    out.columns(&columns);
    let more = it.functions.len().saturating_sub(FUNCTIONS_SHOWN_MAX);
    if more > 0 {
        out.line(&[(Style::Dim, &format!("  {more} more in --json"))]);
    }
    for EtsFunction { function, left_out, .. } in &it.functions {
        if let Some(why) = left_out {
            out.hanging("  ", 4, Style::Warn, &format!("{function}: {why}"));
        }
    }
}

fn does(it: EtsAccess) -> &'static str {
    match it {
        EtsAccess::Read => "reads",
        EtsAccess::Write => "writes",
        EtsAccess::Other => "-",
    }
}

fn tables(it: &EtsRates, out: &mut Out) {
    if it.tables.is_empty() {
        return;
    }
    out.heading("Tables", "sampled; in brackets what holds 95 times of 100");
    let heads = [
        ("table", Align::Name),
        ("reads", Align::Right),
        ("writes", Align::Right),
        ("reads of both", Align::Left),
        ("options", Align::Left),
    ];
    let mut columns = Columns::new(&heads);
    for table in it.tables.iter().take(TABLES_SHOWN_MAX) {
        let options = table.table.as_ref().map_or("gone".to_owned(), |it| {
            let options = tables::options(it);
            if options.is_empty() { it.kind.clone() } else { format!("{}, {options}", it.kind) }
        });
        columns.row([
            Cell::of(name(table)),
            Cell::of(table.reads.map_or("?".to_owned(), |it| units::rate(it.value))),
            Cell::of(table.writes.map_or("?".to_owned(), |it| units::rate(it.value))),
            Cell::of(table.read_share.map_or("?".to_owned(), |it| share(&it))),
            Cell::of(options),
        ]);
    }
    out.columns(&columns);
    let more = it.tables.len().saturating_sub(TABLES_SHOWN_MAX);
    if more > 0 {
        out.line(&[(Style::Dim, &format!("  {more} more in --json"))]);
    }
    callers(&it.tables, out);
}

fn callers(tables: &[EtsTableRate], out: &mut Out) {
    out.heading("Callers", "the function that made the call, sampled");
    let heads = [("table", Align::Name), ("caller", Align::Name), ("rate", Align::Left)];
    let mut columns = Columns::new(&heads);
    for table in tables.iter().take(TABLES_SHOWN_MAX) {
        for (idx, caller) in table.callers.iter().take(CALLERS_SHOWN_MAX).enumerate() {
            let function = caller.function.as_ref().map(ToString::to_string);
            let it = &caller.per_second;
            let rate = format!(
                "{} [{} to {}]",
                units::rate(it.value),
                units::rate(it.low),
                units::rate(it.high)
            );
            columns.row([
                Cell::of(if idx == 0 { name(table) } else { "" }),
                Cell::of(function.unwrap_or_else(|| "(unknown)".to_owned())),
                Cell::of(rate),
            ]);
        }
    }
    out.columns(&columns);
}

fn name(table: &EtsTableRate) -> &str {
    table.name.strip_prefix("Elixir.").unwrap_or(&table.name)
}

fn share(it: &Estimate) -> String {
    format!(
        "{} [{} to {}]",
        units::percent(it.value),
        units::percent(it.low),
        units::percent(it.high)
    )
}
