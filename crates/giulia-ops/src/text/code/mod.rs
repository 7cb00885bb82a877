//! Answers about code, for people.

mod calls;
mod followed;
mod listed;
mod shown;

use giulia_model::{CodeGraph, CodeProblem, EdgeOrigin};

pub(crate) use self::{
    calls::{code_callees, code_callers},
    followed::{
        code_behaviours, code_complexity, code_cycles, code_impact, code_path, code_supervision,
        code_tables,
    },
    listed::{code_export, code_functions, code_index, code_modules, code_status},
    shown::code_show,
};
use crate::{Out, Style};

/// Which graph an answer is from.
fn source(of: &CodeGraph, out: &mut Out) {
    let when = of.indexed_at.get(..19).unwrap_or(&of.indexed_at);
    let text = format!("{}, indexed {when}, generation {}", of.graph, of.generation);
    out.paragraph(0, Style::Dim, &text);
}

/// Where the rest of a list is.
fn more(next: Option<u64>, listed: usize, total: u64, out: &mut Out) {
    if let Some(next) = next {
        let text = format!("{listed} of {total}; the next: --from {next}");
        out.paragraph(0, Style::Dim, &text);
    }
}

fn problems(problems: &[CodeProblem], left_out: u64, out: &mut Out) {
    if problems.is_empty() {
        return;
    }
    out.heading("Problems", "the rest is indexed");
    for it in problems {
        let line = it.line.map(|it| format!(":{it}")).unwrap_or_default();
        out.hanging("  ", 4, Style::Warn, &format!("{}{line}: {}", it.file, it.text));
    }
    if left_out > 0 {
        out.paragraph(2, Style::Dim, &format!("and {left_out} more"));
    }
}

/// The end of a path, which tells more than its beginning: `lib/shop/cart.ex:12`.
fn place(file: Option<&str>, line: Option<u32>) -> String {
    let file = file.unwrap_or_default();
    match line {
        Some(line) if file.is_empty() => format!("line {line}"),
        Some(line) => format!("{file}:{line}"),
        None => file.to_owned(),
    }
}

fn origins(list: &[EdgeOrigin]) -> String {
    let names: Vec<&str> = list.iter().map(|it| it.name()).collect();
    names.join(" ")
}

/// `1 module`, `2 modules`.
fn many(count: u64, what: &str) -> String {
    let number = crate::units::count(count);
    if count == 1 { format!("{number} {what}") } else { format!("{number} {what}s") }
}
