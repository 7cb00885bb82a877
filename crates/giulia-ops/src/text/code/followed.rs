//! What follows from a graph, for people.

use giulia_model::{
    CodeBehaviour, CodeBehaviours, CodeCallback, CodeCycles, CodeHardest, CodeImpact, CodeNode,
    CodePath, CodeRace, CodeSupervision, CodeTables,
};

use super::{calls::edges, listed::functions, many, more, place, source};
use crate::{
    Out, Style,
    columns::{Align, Cell, Columns},
    units,
};

/// Names that a line lists.
const NAMES_MAX: usize = 8;

/// `code-impact`.
pub(crate) fn code_impact(answer: &CodeImpact, out: &mut Out) {
    let what = if answer.is_out { "rests on" } else { "is what rests on" };
    let about = names(&answer.about);
    let reached = format!("{} in {}", many(answer.total, "thing"), many(answer.modules, "module"));
    let title = if answer.is_out {
        format!("{about} {what} {reached}")
    } else {
        format!("{reached}: that {what} {about}")
    };
    out.paragraph(0, Style::Title, &title);
    source(&answer.of, out);
    if answer.total == 0 {
        out.paragraph(0, Style::Plain, "Nothing that is indexed.");
        return;
    }
    let levels: Vec<String> = answer.by_distance.iter().map(|it| units::count(*it)).collect();
    let text = format!("by distance: {}", levels.join(", "));
    out.paragraph(0, Style::Plain, &text);
    let mut columns = Columns::new(&[
        ("", Align::Right),
        ("what", Align::Name),
        ("kind", Align::Left),
        ("by", Align::Extra),
        ("where", Align::Extra),
    ]);
    for it in &answer.reached {
        let by = if answer.is_out { &it.by.from } else { &it.by.to };
        columns.row([
            Cell::of(it.distance.to_string()),
            Cell::of(it.node.to_string()),
            Cell::of(it.by.kind.name()),
            Cell::of(by.to_string()),
            Cell::of(place(it.by.file.as_deref(), it.by.line)),
        ]);
    }
    out.columns(&columns);
    more(answer.next, answer.reached.len(), answer.total, out);
}

/// `code-path`.
pub(crate) fn code_path(answer: &CodePath, out: &mut Out) {
    let (from, to) = (names(&answer.from), names(&answer.to));
    if !answer.is_there {
        let text = format!(
            "{from} does not lead to {to} by these kinds of references; {} looked at",
            many(answer.looked_at, "thing")
        );
        out.paragraph(0, Style::Title, &text);
        source(&answer.of, out);
        return;
    }
    let steps = many(answer.steps.len() as u64, "step");
    out.paragraph(0, Style::Title, &format!("{from} leads to {to} in {steps}"));
    source(&answer.of, out);
    edges(&answer.steps, true, out);
}

/// `code-cycles`.
pub(crate) fn code_cycles(answer: &CodeCycles, out: &mut Out) {
    let of = if answer.is_of_functions { "functions" } else { "modules" };
    let when = match answer.when.as_str() {
        "compile" => " while compiling",
        "run" => " at run time",
        _ => "",
    };
    let groups = many(answer.total, "group");
    let text = format!("{groups} of {of} whose members all lead to each other{when}");
    out.paragraph(0, Style::Title, &text);
    source(&answer.of, out);
    for it in &answer.cycles {
        let shortest = if it.is_shortest { "a shortest cycle" } else { "a short cycle" };
        out.heading(&format!("{} {of}", it.size), shortest);
        let left_out = match it.members_left_out {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        let text = format!("{}{left_out}", names(&it.members));
        out.paragraph(2, Style::Dim, &text);
        edges(&it.cycle, true, out);
    }
    more(answer.next, answer.cycles.len(), answer.total, out);
}

/// `code-complexity`.
pub(crate) fn code_complexity(answer: &CodeHardest, out: &mut Out) {
    let text = format!(
        "{} with figures, the hardest first; {} without: their source was not read",
        many(answer.total, "function"),
        units::count(answer.without)
    );
    out.paragraph(0, Style::Title, &text);
    source(&answer.of, out);
    functions(&answer.functions, out);
    more(answer.next, answer.functions.len(), answer.total, out);
}

/// `code-behaviours`.
pub(crate) fn code_behaviours(answer: &CodeBehaviours, out: &mut Out) {
    let text = format!(
        "{} and protocols; {} something",
        many(answer.total, "behaviour"),
        match answer.incomplete {
            1 => "1 module lacks".to_owned(),
            many => format!("{} modules lack", units::count(many)),
        }
    );
    out.paragraph(0, Style::Title, &text);
    source(&answer.of, out);
    for it in &answer.behaviours {
        behaviour(it, out);
    }
    more(answer.next, answer.behaviours.len(), answer.total, out);
}

fn behaviour(it: &CodeBehaviour, out: &mut Out) {
    let what = if it.is_protocol { "protocol" } else { "behaviour" };
    let who = many(it.implementers.len() as u64, "module");
    out.heading(bare(&it.module), &format!("{what}, {who}"));
    match it.known_from.as_str() {
        "nowhere" => out.paragraph(
            2,
            Style::Dim,
            "What it asks for is not known: it is not indexed, so nothing is said to be missing",
        ),
        _ => out.paragraph(2, Style::Dim, &format!("asks for {}", callbacks(&it.callbacks))),
    }
    let complete: Vec<&str> = it
        .implementers
        .iter()
        .filter(|it| it.missing.is_empty())
        .map(|it| bare(&it.module))
        .collect();
    if !complete.is_empty() {
        out.paragraph(2, Style::Plain, &complete.join(", "));
    }
    for it in it.implementers.iter().filter(|it| !it.missing.is_empty()) {
        let text = format!("{} lacks {}", bare(&it.module), callbacks(&it.missing));
        out.hanging("  ", 4, Style::Bad, &text);
    }
}

/// `code-supervision`.
pub(crate) fn code_supervision(answer: &CodeSupervision, out: &mut Out) {
    if answer.tree.is_empty() {
        out.paragraph(0, Style::Title, "Nothing here starts children that are named in it");
        source(&answer.of, out);
        return;
    }
    let text = many(answer.supervisors, "supervisor");
    out.paragraph(0, Style::Title, &format!("{text} as written"));
    source(&answer.of, out);
    for it in &answer.tree {
        let indent = "  ".repeat(1 + usize::try_from(it.depth).unwrap_or_default());
        let place = it.started.as_ref().map(|it| place(it.file.as_deref(), it.line));
        let place = place.filter(|it| !it.is_empty()).map(|it| format!("  {it}"));
        let note = if it.is_repeated { "  (see above)" } else { "" };
        let style = if it.is_supervisor { Style::Title } else { Style::Plain };
        out.line(&[
            (Style::Plain, &indent),
            (style, &it.node.to_string()),
            (Style::Dim, &place.unwrap_or_default()),
            (Style::Dim, note),
        ]);
    }
}

/// `code-tables`.
pub(crate) fn code_tables(answer: &CodeTables, out: &mut Out) {
    let text = format!(
        "{}; {}",
        many(answer.total, "table and process")
            .replace("table and processs", "tables and processes"),
        many(answer.races.len() as u64, "race")
    );
    out.paragraph(0, Style::Title, &text);
    source(&answer.of, out);
    for it in &answer.races {
        race(it, out);
    }
    for it in &answer.things {
        out.heading(&it.node.to_string(), "");
        let is_table = it.node.kind == giulia_model::NodeKind::Table;
        let words = if is_table {
            ["made by", "read by", "written by", "deleted by"]
        } else {
            ["registered by", "asked by", "sent to by", "ended by"]
        };
        let lists = [&it.made_by, &it.read_by, &it.written_by, &it.deleted_by];
        for (word, list) in words.into_iter().zip(lists) {
            if !list.is_empty() {
                out.hanging("  ", 4, Style::Plain, &format!("{word} {}", names(list)));
            }
        }
    }
    more(answer.next, answer.things.len(), answer.total, out);
}

fn race(it: &CodeRace, out: &mut Out) {
    out.heading(&format!("Race in {}", bare(&it.module)), "reads may miss what was just asked for");
    let list = |edges: &[giulia_model::CodeEdge]| {
        let each = |it: &giulia_model::CodeEdge| {
            let place = place(it.file.as_deref(), it.line);
            format!("{} ({place})", it.from)
        };
        let all: Vec<String> = edges.iter().take(NAMES_MAX).map(each).collect();
        all.join(", ")
    };
    let lines = [
        format!("asked without waiting: {}", list(&it.cast)),
        format!("written in the process: {} by {}", it.table, list(&it.written)),
        format!("read by callers themselves: {}", list(&it.read)),
        if it.shows_in.is_empty() {
            "nothing that is indexed does the one and then the other".to_owned()
        } else {
            format!("shows in {}", names(&it.shows_in))
        },
    ];
    for line in lines {
        out.hanging("  ", 4, Style::Warn, &line);
    }
}

fn callbacks(list: &[CodeCallback]) -> String {
    let callback = |it: &CodeCallback| {
        let optional = if it.is_optional { "?" } else { "" };
        format!("{}/{}{optional}", it.name, it.arity)
    };
    list.iter().map(callback).collect::<Vec<_>>().join(", ")
}

fn bare(module: &str) -> &str {
    module.strip_prefix("Elixir.").unwrap_or(module)
}

/// The first few of some names.
fn names(list: &[CodeNode]) -> String {
    let mut text: Vec<String> = list.iter().take(NAMES_MAX).map(ToString::to_string).collect();
    if list.len() > NAMES_MAX {
        text.push(format!("{} more", list.len() - NAMES_MAX));
    }
    text.join(", ")
}
