//! Graphs, modules and functions in lists.

use giulia_model::{
    CodeExport, CodeFunction, CodeFunctions, CodeIndex, CodeModules, CodeSize, CodeStatus,
};

use super::{many, more, origins, place, problems, source};
use crate::{
    Out, Style,
    columns::{Align, Cell, Columns},
    text::snapshot::{cost, not_seen},
    units,
};

/// `code-index`.
pub(crate) fn code_index(answer: &CodeIndex, out: &mut Out) {
    let title = format!("Indexed {} in {}", answer.of.graph, units::ms(answer.elapsed_ms));
    out.paragraph(0, Style::Title, &title);
    out.paragraph(0, Style::Plain, &sized(&answer.size));
    let files = format!(
        "{} read, {} unchanged, {} gone; {} added, {} removed; generation {}",
        many(answer.read, "file"),
        units::count(answer.unchanged),
        units::count(answer.gone),
        many(answer.edges_added, "edge"),
        units::count(answer.edges_removed),
        answer.of.generation,
    );
    out.paragraph(0, Style::Plain, &files);
    problems(&answer.problems, answer.problems_left_out, out);
    not_seen(&answer.not_seen, out);
    if let Some(impact) = &answer.impact {
        cost(impact, out);
    }
}

fn sized(size: &CodeSize) -> String {
    format!(
        "{}, {}, {}; {} referred to and not in it",
        many(size.modules, "module"),
        many(size.functions, "function"),
        many(size.edges, "edge"),
        units::count(size.external),
    )
}

/// `code-status`.
pub(crate) fn code_status(answer: &CodeStatus, out: &mut Out) {
    if answer.graphs.is_empty() {
        let text = format!("No code is indexed in {}; index it: giulia code index", answer.store);
        out.paragraph(0, Style::Plain, &text);
        return;
    }
    let text = format!("{} in {}", many(answer.graphs.len() as u64, "graph"), answer.store);
    out.paragraph(0, Style::Title, &text);
    let mut columns = Columns::new(&[
        ("code of", Align::Name),
        ("indexed", Align::Left),
        ("generation", Align::Right),
        ("files", Align::Right),
        ("modules", Align::Right),
        ("functions", Align::Right),
        ("edges", Align::Right),
        ("size", Align::Right),
    ]);
    for it in &answer.graphs {
        columns.row([
            Cell::of(&it.of.graph),
            Cell::of(it.of.indexed_at.get(..19).unwrap_or(&it.of.indexed_at)),
            Cell::of(units::count(it.of.generation)),
            Cell::of(units::count(it.size.files)),
            Cell::of(units::count(it.size.modules)),
            Cell::of(units::count(it.size.functions)),
            Cell::of(units::count(it.size.edges)),
            Cell::of(units::bytes(it.bytes)),
        ]);
    }
    out.columns(&columns);
}

/// `code-modules`.
pub(crate) fn code_modules(answer: &CodeModules, out: &mut Out) {
    out.paragraph(0, Style::Title, &many(answer.total, "module"));
    source(&answer.of, out);
    let mut columns = Columns::new(&[
        ("module", Align::Name),
        ("application", Align::Extra),
        ("functions", Align::Right),
        ("exported", Align::Right),
        ("in", Align::Right),
        ("out", Align::Right),
        ("rank", Align::Right),
        ("seen in", Align::Left),
        ("file", Align::Extra),
    ]);
    for it in &answer.modules {
        columns.row([
            Cell::of(it.module.strip_prefix("Elixir.").unwrap_or(&it.module)),
            Cell::of(it.application.as_deref().unwrap_or_default()),
            Cell::of(units::count(it.functions)),
            Cell::of(units::count(it.exported)),
            Cell::of(units::count(it.fan_in)),
            Cell::of(units::count(it.fan_out)),
            Cell::of(format!("{:.2} %", it.rank * 100.0)),
            Cell::of(origins(&it.seen_in)).styled(Style::Dim),
            Cell::of(place(it.file.as_deref(), it.line)),
        ]);
    }
    out.columns(&columns);
    more(answer.next, answer.modules.len(), answer.total, out);
}

/// `code-functions`.
pub(crate) fn code_functions(answer: &CodeFunctions, out: &mut Out) {
    out.paragraph(0, Style::Title, &many(answer.total, "function"));
    source(&answer.of, out);
    functions(&answer.functions, out);
    more(answer.next, answer.functions.len(), answer.total, out);
}

/// A table of functions.
pub(super) fn functions(functions: &[CodeFunction], out: &mut Out) {
    let has_complexity = functions.iter().any(|it| it.complexity.is_some());
    let mut heads = vec![
        ("function", Align::Name),
        ("", Align::Left),
        ("in", Align::Right),
        ("out", Align::Right),
    ];
    if has_complexity {
        heads.extend([("cyclomatic", Align::Right), ("cognitive", Align::Right)]);
    }
    heads.push(("where", Align::Extra));
    let mut columns = Columns::new(&heads);
    for it in functions {
        let visible = if it.is_exported { "exported" } else { "private" };
        let mut row = vec![
            Cell::of(it.function.to_string()),
            Cell::of(visible).styled(Style::Dim),
            Cell::of(units::count(it.fan_in)),
            Cell::of(units::count(it.fan_out)),
        ];
        if has_complexity {
            let figure = |figure: Option<u32>| {
                Cell::of(figure.map(|it| units::count(it.into())).unwrap_or_default())
            };
            row.push(figure(it.complexity.map(|it| it.cyclomatic)));
            row.push(figure(it.complexity.map(|it| it.cognitive)));
        }
        row.push(Cell::of(place(it.file.as_deref(), it.line)));
        columns.row(row);
    }
    out.columns(&columns);
}

/// `code-export`, without a format.
pub(crate) fn code_export(answer: &CodeExport, out: &mut Out) {
    let text = format!(
        "{} between {}; pass --format tsv, dot, graphml, mermaid or json, or -o FILE",
        many(answer.edges.len() as u64, "edge"),
        many(answer.nodes.len() as u64, "node"),
    );
    out.paragraph(0, Style::Plain, &text);
    source(&answer.of, out);
}
