//! Places of calls.

use giulia_model::{CodeCallees, CodeCallers, CodeCalls, CodeEdge};

use super::{many, more, origins, place, source};
use crate::{
    Out, Style,
    columns::{Align, Cell, Columns},
};

/// `code-callers`.
pub(crate) fn code_callers(answer: &CodeCallers, out: &mut Out) {
    let calls = &answer.calls;
    let text = format!("{} that refer to {}", many(calls.total, "place"), about(calls));
    out.paragraph(0, Style::Title, &text);
    source(&calls.of, out);
    if calls.total == 0 {
        out.paragraph(0, Style::Plain, "Nothing that is indexed refers to it.");
    }
    edges(&calls.calls, true, out);
    more(calls.next, calls.calls.len(), calls.total, out);
}

/// `code-callees`.
pub(crate) fn code_callees(answer: &CodeCallees, out: &mut Out) {
    let calls = &answer.calls;
    let text = format!("{} to which {} refers", many(calls.total, "place"), about(calls));
    out.paragraph(0, Style::Title, &text);
    source(&calls.of, out);
    if calls.total == 0 {
        out.paragraph(0, Style::Plain, "It refers to nothing by name.");
    }
    edges(&calls.calls, false, out);
    more(calls.next, calls.calls.len(), calls.total, out);
}

/// What was asked about, in a few words.
fn about(calls: &CodeCalls) -> String {
    match calls.about.as_slice() {
        [] => "nothing".to_owned(),
        [one] => one.to_string(),
        [first, ..] => format!("{first} and {} more", calls.about.len() - 1),
    }
}

/// A table of edges, with the end that is asked for first.
pub(super) fn edges(edges: &[CodeEdge], is_from_first: bool, out: &mut Out) {
    let (first, second) = if is_from_first { ("who", "whom") } else { ("whom", "who") };
    let mut columns = Columns::new(&[
        (first, Align::Name),
        ("kind", Align::Left),
        ("where", Align::Extra),
        (second, Align::Extra),
        ("seen in", Align::Left),
    ]);
    for it in edges {
        let (from, to) = (it.from.to_string(), it.to.to_string());
        let (first, second) = if is_from_first { (from, to) } else { (to, from) };
        columns.row([
            Cell::of(first),
            Cell::of(it.kind.name()),
            Cell::of(place(it.file.as_deref(), it.line)),
            Cell::of(second),
            Cell::of(origins(&it.origins)).styled(Style::Dim),
        ]);
    }
    out.columns(&columns);
}
