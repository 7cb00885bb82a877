//! Everything about one thing.

use giulia_model::{CodeModuleDetails, CodeShow};

use super::{calls::edges, listed::functions, many, origins, place, source};
use crate::{Out, Style, units};

/// `code-show`.
pub(crate) fn code_show(answer: &CodeShow, out: &mut Out) {
    let bare = |it: &str| it.strip_prefix("Elixir.").unwrap_or(it).to_owned();
    let module = &answer.module;
    let title = match answer.functions.as_slice() {
        [one] => one.function.to_string(),
        _ => bare(&module.module),
    };
    out.paragraph(0, Style::Title, &title);
    source(&answer.of, out);
    if let [one] = answer.functions.as_slice() {
        let place = place(one.file.as_deref(), one.line);
        let visible = if one.is_exported { "exported" } else { "private" };
        out.paragraph(0, Style::Plain, &format!("{visible}, {place}"));
        if let Some(doc) = &one.doc {
            out.paragraph(0, Style::Plain, doc);
        }
        if one.unresolved > 0 {
            let text = format!(
                "{} of funs or of functions whose name is a value: to whom, nobody knows",
                many(one.unresolved.into(), "call")
            );
            out.paragraph(0, Style::Warn, &text);
        }
    } else {
        let application = module.application.as_deref().unwrap_or("no application");
        let place = place(module.file.as_deref(), module.line);
        let text = format!(
            "of {application}, {place}; seen in {}; {} refer to it and it to {}; rank {:.2} %",
            origins(&module.seen_in),
            many(module.fan_in, "module"),
            units::count(module.fan_out),
            module.rank * 100.0,
        );
        out.paragraph(0, Style::Plain, &text);
        details(&answer.details, out);
    }
    if answer.functions.len() > 1 {
        out.heading("Functions", "in: who refers to it; out: to what it refers");
        functions(&answer.functions, out);
    }
    for (title, list, left_out, is_from_first) in [
        ("Referred to by", &answer.referred_to_by, answer.referred_to_by_left_out, true),
        ("Refers to", &answer.refers_to, answer.refers_to_left_out, false),
    ] {
        if list.is_empty() {
            continue;
        }
        let note = if left_out > 0 {
            format!("{left_out} more: giulia code callers, giulia code callees")
        } else {
            String::new()
        };
        out.heading(title, &note);
        edges(list, is_from_first, out);
    }
}

fn details(it: &CodeModuleDetails, out: &mut Out) {
    let bare = |it: &String| it.strip_prefix("Elixir.").unwrap_or(it).to_owned();
    let list = |names: &[String]| names.iter().map(bare).collect::<Vec<_>>().join(", ");
    if let Some(doc) = &it.doc {
        out.paragraph(0, Style::Plain, doc);
    }
    if let (Some(protocol), Some(target)) = (&it.implements, &it.implements_for) {
        let text = format!("Implements {} for {}", bare(protocol), bare(target));
        out.paragraph(0, Style::Plain, &text);
    }
    if !it.behaviours.is_empty() {
        out.paragraph(0, Style::Plain, &format!("Behaviours: {}", list(&it.behaviours)));
    }
    if !it.callbacks.is_empty() {
        let callback = |it: &giulia_model::CodeCallback| {
            let optional = if it.is_optional { " (optional)" } else { "" };
            format!("{}/{}{optional}", it.name, it.arity)
        };
        let callbacks: Vec<String> = it.callbacks.iter().map(callback).collect();
        let what = if it.is_protocol { "A protocol of" } else { "Callbacks:" };
        out.paragraph(0, Style::Plain, &format!("{what} {}", callbacks.join(", ")));
    }
    if let Some(fields) = &it.structure {
        out.paragraph(0, Style::Plain, &format!("Struct: {}", fields.join(", ")));
    }
    if let Some(md5) = &it.md5 {
        out.paragraph(0, Style::Dim, &format!("md5 {md5}"));
    }
}
