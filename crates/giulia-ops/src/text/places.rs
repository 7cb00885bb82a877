//! File and line beside functions, and whether that is what runs: one cell and a few sentences.

use std::collections::BTreeSet;

use giulia_model::{Place, TracedFunction};

use crate::{Style, columns::Cell};

/// The column's title.
pub(crate) const TITLE: &str = "written in";
/// Modules that a sentence names.
const NAMED_MAX: usize = 5;

/// Whether there is anything to show.
pub(crate) fn are_known(rows: &[TracedFunction]) -> bool {
    rows.iter().any(|it| it.place.is_some())
}

/// `lib/shop/cart.ex:12`, with a star where that is not what runs.
pub(crate) fn cell(row: &TracedFunction) -> Cell {
    let Some(place) = &row.place else { return Cell::of("") };
    let star = if place.is_what_runs == Some(false) { " *" } else { "" };
    let line = place.line.map(|it| format!(":{it}")).unwrap_or_default();
    let cell = Cell::of(format!("{}{line}{star}", short(&place.file)));
    if star.is_empty() { cell.styled(Style::Dim) } else { cell.styled(Style::Warn) }
}

/// What is to be said of them.
pub(crate) fn notes(rows: &[TracedFunction]) -> Vec<(Style, String)> {
    let places: Vec<(&TracedFunction, &Place)> =
        rows.iter().filter_map(|it| Some((it, it.place.as_ref()?))).collect();
    let mut notes = Vec::new();
    let stale: BTreeSet<&str> = places
        .iter()
        .filter(|(_, place)| place.is_what_runs == Some(false))
        .map(|(row, _)| row.module.strip_prefix("Elixir.").unwrap_or(&row.module))
        .collect();
    if !stale.is_empty() {
        let named: Vec<&str> = stale.iter().take(NAMED_MAX).copied().collect();
        let more = match stale.len().saturating_sub(named.len()) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        let text = format!(
            "* What was read of {}{more} is not what ran (MD5): lines may be others; index what is \
             deployed, with `giulia code index`.",
            named.join(", ")
        );
        notes.push((Style::Warn, text));
    }
    let graphs: BTreeSet<&str> =
        places.iter().filter_map(|(_, place)| place.graph.as_deref()).collect();
    let by = match graphs.into_iter().collect::<Vec<_>>().as_slice() {
        [] => "the bytecode on the node".to_owned(),
        all => format!("what is indexed of {}", all.join(", ")),
    };
    let known = places.iter().filter(|(_, place)| place.is_what_runs == Some(true)).count();
    let whether = if places.is_empty() {
        return notes;
    } else if known == places.len() {
        "; all of it is what ran (MD5)"
    } else if stale.is_empty() {
        "; whether that is what ran is not known of all"
    } else {
        ""
    };
    notes.push((Style::Dim, format!("Files and lines by {by}{whether}.")));
    notes
}

/// A project's own path, and of where somebody else built it the file alone; documents have all.
fn short(file: &str) -> &str {
    if !file.starts_with('/') {
        return file;
    }
    file.rsplit('/').next().unwrap_or(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(module: &str, place: Option<(&str, Option<bool>, Option<&str>)>) -> TracedFunction {
        let place = place.map(|(file, is_what_runs, graph)| Place {
            file: file.to_owned(),
            line: Some(12),
            is_what_runs,
            graph: graph.map(str::to_owned),
        });
        TracedFunction { module: module.to_owned(), place, ..TracedFunction::default() }
    }

    #[test]
    fn a_place_is_short_and_what_is_not_what_runs_is_marked() {
        let shown = |file: &str, runs| {
            let row = row("m", Some((file, runs, None)));
            cell(&row).text().to_owned()
        };
        assert_eq!(shown("/build/shop/lib/shop/cart.ex", Some(true)), "cart.ex:12");
        assert_eq!(shown("lib/shop/cart.ex", Some(true)), "lib/shop/cart.ex:12");
        assert_eq!(shown("cart.erl", None), "cart.erl:12");
        assert_eq!(shown("src/cart.erl", Some(false)), "src/cart.erl:12 *");
        assert_eq!(cell(&row("m", None)).text(), "");
    }

    #[test]
    fn the_sentences_say_who_says_so_and_whether_it_is_what_runs() {
        let told = |rows: &[TracedFunction]| -> Vec<String> {
            notes(rows).into_iter().map(|it| it.1).collect()
        };
        assert_eq!(told(&[row("m", None)]), [""; 0]);
        let node = row("m", Some(("a.erl", Some(true), None)));
        let text = "Files and lines by the bytecode on the node; all of it is what ran (MD5).";
        assert_eq!(told(std::slice::from_ref(&node)), [text]);
        let unknown = row("n", Some(("b.erl", None, Some("/src/shop"))));
        let text = "Files and lines by what is indexed of /src/shop; whether that is what ran is not \
                    known of all.";
        assert_eq!(told(&[node.clone(), unknown]), [text]);
        let stale = row("Elixir.Shop.Cart", Some(("c.ex", Some(false), Some("/src/shop"))));
        let told = told(&[node, stale]);
        assert!(told[0].starts_with("* What was read of Shop.Cart is not what ran"), "{told:?}");
        assert_eq!(told[1], "Files and lines by what is indexed of /src/shop.");
    }
}
