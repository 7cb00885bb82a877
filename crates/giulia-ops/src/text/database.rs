//! A database's own account for people: its statements by time, and which function of the node is
//! called as often as which of them.

use giulia_model::{
    DatabaseFunction, SessionDatabase, StatementMatch, StatementOver, StatementSums,
};

use crate::{
    Style,
    columns::{Align, Cell},
    text::page::Page,
    units,
};

/// Statements that are shown; the document has more.
const STATEMENTS_SHOWN: usize = 10;
/// Gaps and lost statements that are shown; the document has more.
const SHOWN: usize = 5;

/// Its part of a report.
pub(crate) fn database(it: &SessionDatabase, page: &mut Page) {
    let of = it.database.as_ref().map(|it| {
        format!(
            "PostgreSQL {} at {}, database {}, by its pg_stat_statements {}",
            it.server_version,
            it.place(),
            it.name,
            it.extension_version
        )
    });
    page.heading("The database's own account", of.unwrap_or_default());
    if it.counted_ms > 0 {
        sums(it, page);
        statements(it, page);
        rest(it, page);
        functions(&it.functions, page);
        let text = format!(
            "It was read {} times, at most {} each, by one connection that may only read; what is ours \
             is left out. Time at the server is time of executing; planning is not in it.",
            units::count(it.readings),
            units::ms(it.reading_max_ms)
        );
        page.text(Style::Dim, text);
    } else if it.database.is_some() {
        page.text(Style::Warn, "It was read once, and nothing can be said of one reading.");
    }
    for gap in it.gaps.iter().take(SHOWN) {
        let [from, to] = [gap.from_ms, gap.to_ms].map(units::span);
        page.item(Style::Warn, format!("In no figure from {from} to {to}: {}", gap.why));
    }
    if it.gaps.len() > SHOWN {
        page.item(Style::Warn, format!("{} more gaps in --json", it.gaps.len() - SHOWN));
    }
    for it in &it.not_seen {
        page.item(Style::Warn, format!("Not seen: {}: {}", it.what, it.why));
    }
}

fn sums(it: &SessionDatabase, page: &mut Page) {
    let text = format!(
        "{} calls of {} statements in {}, {}; it executed {:.2} at any moment, on average.",
        units::count(it.all.calls),
        units::count(it.all.statements),
        units::span(it.counted_ms),
        units::rate(it.calls_per_s),
        it.executing,
    );
    let (style, whole) = if it.complete {
        (Style::Plain, "No call between first and last reading is missing.")
    } else {
        (Style::Warn, "Calls may be missing, for the reasons below.")
    };
    page.text(style, format!("{text} {whole}"));
}

fn statements(it: &SessionDatabase, page: &mut Page) {
    let heads = [
        ("statement", Align::Name),
        ("calls", Align::Right),
        ("calls/s", Align::Right),
        ("a call", Align::Right),
        ("rows a call", Align::Right),
        ("share", Align::Right),
        ("blocks read", Align::Right),
    ];
    page.table(&heads, it.statements.iter().take(STATEMENTS_SHOWN).map(statement).collect());
    let lost = it.statements.iter().filter_map(|it| Some((it, it.counted.lost.as_ref()?)));
    for (it, why) in lost.take(SHOWN) {
        let text =
            format!("{}: its figures end early: {why}", named(&it.counted.query, &it.counted.id));
        page.item(Style::Warn, text);
    }
}

fn statement(it: &StatementOver) -> Vec<Cell> {
    let counted = &it.counted;
    let calls = match counted.lost {
        Some(_) => {
            Cell::of(format!("{} and more", units::count(counted.calls))).styled(Style::Warn)
        }
        None => Cell::of(units::count(counted.calls)),
    };
    vec![
        Cell::of(named(&counted.query, &counted.id)),
        calls,
        Cell::of(units::rate(it.calls_per_s)),
        Cell::of(it.mean_ms.map(units::ms).unwrap_or_default()),
        Cell::of(it.rows_per_call.map(|it| format!("{it:.1}")).unwrap_or_default()),
        Cell::of(units::percent(it.share)),
        Cell::of(counted.blocks_read.map(units::count).unwrap_or_default()),
    ]
}

/// A statement whose text is gone has its number.
fn named(query: &str, id: &str) -> String {
    if query.is_empty() { format!("(text unknown, queryid {id})") } else { query.to_owned() }
}

fn rest(it: &SessionDatabase, page: &mut Page) {
    let mut below = it.others;
    it.statements.iter().skip(STATEMENTS_SHOWN).for_each(|it| below.add(&it.counted));
    let line = |sums: StatementSums, of: &str, style: Style, page: &mut Page| {
        if sums.calls > 0 {
            let (calls, time) = (units::count(sums.calls), units::ms(sums.exec_ms));
            page.item(style, format!("{calls} calls, {time}, of {of}"));
        }
    };
    let others = if below.statements == 1 {
        "1 other statement".to_owned()
    } else {
        format!("{} other statements", units::count(below.statements))
    };
    line(below, &others, Style::Plain, page);
    line(it.hidden, "statements of other users, which the role may not see", Style::Warn, page);
    line(it.elsewhere, "the server's other databases", Style::Plain, page);
    if let Some(evictions) = it.evictions.filter(|it| *it > 0) {
        let text = format!(
            "the server threw entries out {} times to make room: what is rare may be missing \
             (pg_stat_statements.max)",
            units::count(evictions)
        );
        page.item(Style::Warn, text);
    }
}

fn functions(all: &[DatabaseFunction], page: &mut Page) {
    if all.is_empty() {
        return;
    }
    let note =
        "a match in rate is two figures that agree; nobody followed a call from here to there";
    page.heading("Functions that wait for it", note);
    let heads = [
        ("function", Align::Name),
        ("calls/s", Align::Right),
        ("statement", Align::Extra),
        ("calls/s", Align::Right),
        ("waited", Align::Right),
        ("executed", Align::Right),
        ("remains", Align::Right),
    ];
    let rows = all.iter().flat_map(|function| {
        let shown: Vec<Option<&StatementMatch>> = match function.matches.as_slice() {
            [] => vec![None],
            matches => matches.iter().map(Some).collect(),
        };
        shown.into_iter().map(|it| row(function, it))
    });
    page.table(&heads, rows.collect());
    for it in all {
        page.item(Style::Plain, format!("{}: {}", it.function, it.why));
    }
    let text = "Waited is what a call waited for the socket, by a sample under trace; what remains of it \
                beside executing is network, driver, pool and planning.";
    page.text(Style::Dim, text);
}

fn row(function: &DatabaseFunction, matched: Option<&StatementMatch>) -> Vec<Cell> {
    let us = |it: Option<f64>| Cell::of(it.map(units::each_us).unwrap_or_default());
    let statement = matched.map_or_else(|| "no match".to_owned(), |it| named(&it.query, &it.id));
    vec![
        Cell::of(function.function.to_string()),
        Cell::of(function.calls_per_s.map(units::rate).unwrap_or_default()),
        Cell::of(statement),
        Cell::of(matched.map(|it| units::rate(it.calls_per_s)).unwrap_or_default()),
        us(function.waited_us),
        us(matched.map(|it| it.mean_us)),
        us(matched.and_then(|it| it.remainder_us)),
    ]
}

#[cfg(test)]
mod tests {
    use giulia_model::{Database, Gap, Mfa, NotSeen, StatementCounted};

    use super::*;

    fn shown(it: &SessionDatabase) -> String {
        let mut page = Page::default();
        database(it, &mut page);
        page.markdown()
    }

    fn account() -> SessionDatabase {
        let counted = StatementCounted {
            id: "7".to_owned(),
            query: "SELECT name FROM tables".to_owned(),
            calls: 300,
            rows: 300,
            exec_ms: 60.0,
            blocks_read: Some(0),
            ..StatementCounted::default()
        };
        let row = StatementOver {
            counted,
            calls_per_s: 10.0,
            mean_ms: Some(0.2),
            rows_per_call: Some(1.0),
            share: 1.0,
        };
        let database = Database {
            host: "db1".to_owned(),
            port: 5432,
            name: "shop".to_owned(),
            server_version: "15.4".to_owned(),
            extension_version: "1.10".to_owned(),
            ..Database::default()
        };
        SessionDatabase {
            database: Some(database),
            counted_ms: 30_000,
            complete: true,
            all: StatementSums { statements: 1, calls: 300, rows: 300, exec_ms: 60.0 },
            calls_per_s: 10.0,
            statements: vec![row],
            readings: 4,
            reading_max_ms: 3.0,
            ..SessionDatabase::default()
        }
    }

    #[test]
    fn statements_stand_with_their_figures_and_the_functions_with_what_matches() {
        let matched = StatementMatch {
            id: "7".to_owned(),
            query: "SELECT name FROM tables".to_owned(),
            calls_per_s: 10.0,
            deviation: 0.01,
            mean_us: 200.0,
            remainder_us: Some(700.0),
        };
        let function = DatabaseFunction {
            function: Mfa::new("Elixir.Shop", "get", 1),
            peer: "10.0.0.7:5432".to_owned(),
            calls_per_s: Some(10.1),
            call_us: Some(1000.0),
            waited_us: Some(900.0),
            matches: vec![matched],
            why: "one statement matches in rate".to_owned(),
        };
        let alone = DatabaseFunction {
            function: Mfa::new("shop", "put", 1),
            matches: Vec::new(),
            why: "no statement was called as often".to_owned(),
            ..function.clone()
        };
        let text = shown(&SessionDatabase { functions: vec![function, alone], ..account() });
        for part in [
            "PostgreSQL 15.4 at db1:5432, database shop, by its pg\\_stat\\_statements 1.10",
            "300 calls of 1 statements in 30.0 s, 10/s",
            "No call between first and last reading is missing.",
            "| SELECT name FROM tables | 300 | 10/s | 0.20 ms",
            "| Shop.get/1 | 10.1/s | SELECT name FROM tables | 10/s | 0.90 ms | 0.20 ms | 0.70 ms |",
            "| shop:put/1 | 10.1/s | no match |",
            "- shop:put/1: no statement was called as often",
            "It was read 4 times",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
    }

    #[test]
    fn what_is_missing_is_told_with_its_reason() {
        let mut it = SessionDatabase { complete: false, evictions: Some(3), ..account() };
        it.gaps =
            vec![Gap { from_ms: 1000, to_ms: 2000, why: "the server was restarted".to_owned() }];
        it.hidden = StatementSums { statements: 1, calls: 5, rows: 0, exec_ms: 1.0 };
        it.statements[0].counted.lost = Some("its counters fell".to_owned());
        let text = shown(&it);
        for part in [
            "Calls may be missing",
            "300 and more",
            "its figures end early: its counters fell",
            "5 calls, 1.00 ms, of statements of other users",
            "threw entries out 3 times",
            "In no figure from 1.00 s to 2.00 s: the server was restarted",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
        let why = "the extension is not in this database".to_owned();
        let not_seen = vec![NotSeen { what: "the database's own account".to_owned(), why }];
        let text = shown(&SessionDatabase { not_seen, ..SessionDatabase::default() });
        assert!(text.contains("Not seen: the database's own account: the extension"), "{text}");
    }
}
