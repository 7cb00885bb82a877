//! A dump for people: a paragraph a group, its stack below.

use giulia_model::{Coverage, Dump, Frame, NamedCount, StackGroup};

use crate::{Out, Style, text::snapshot, units};

/// Names of a group before the rest is counted.
const NAMES_MAX: usize = 6;
/// A line of source stands behind its function from this column on, where it fits.
const PLACE_COLUMN: usize = 44;

/// The whole dump.
pub(crate) fn dump(it: &Dump, out: &mut Out) {
    out.line(&[(Style::Title, &it.node)]);
    let stacks = match it.stacks {
        1 => "1 stack".to_owned(),
        many => format!("{} different stacks", units::count(many)),
    };
    let asked = it.coverage.map_or_else(|| "processes".to_owned(), coverage);
    let text = format!("Taken {}: {asked}, {stacks}.", it.taken_at);
    out.paragraph(0, Style::Dim, &text);
    for group in &it.groups {
        self::group(group, out);
    }
    let told: u64 = it.groups.iter().map(|it| it.processes).sum();
    let asked = it.coverage.map_or(told, |it| it.asked);
    let more = it.stacks.saturating_sub(u64::try_from(it.groups.len()).unwrap_or(u64::MAX));
    if more > 0 {
        out.blank();
        let text = format!(
            "{} more processes stand in {} other places; --top shows more.",
            units::count(asked.saturating_sub(told)),
            units::count(more),
        );
        out.paragraph(0, Style::Dim, &text);
    }
    snapshot::not_seen(&it.not_seen, out);
    snapshot::cost(&it.impact, out);
}

fn group(it: &StackGroup, out: &mut Out) {
    out.blank();
    let mut facts = Vec::new();
    match it.processes.saturating_sub(it.waiting) {
        0 => {}
        1 if it.processes == 1 => facts.push("not waiting".to_owned()),
        working => facts.push(format!("{} not waiting", units::count(working))),
    }
    match (it.mailbox_len, it.processes) {
        (0, _) => {}
        (letters, 1) => facts.push(format!("{} messages in its mailbox", units::count(letters))),
        (letters, _) => facts.push(format!(
            "{} messages in their mailboxes, at most {} in one",
            units::count(letters),
            units::count(it.mailbox_len_max)
        )),
    }
    let facts = facts.join(", ");
    let facts = if facts.is_empty() { facts } else { format!(", {facts}") };
    let style = if it.mailbox_len > 0 { Style::Warn } else { Style::Plain };
    out.line(&[(Style::Title, &processes(it.processes)), (style, &facts)]);
    out.hanging("  ", 4, Style::Plain, &names(it));
    for frame in &it.stack {
        self::frame(frame, out);
    }
    if it.stack.is_empty() {
        out.line(&[(Style::Dim, "    no stack: hibernates, has not begun, or is about to end")]);
    } else if it.cut {
        out.line(&[(Style::Dim, "    ... the VM tells no more frames")]);
    }
}

/// What they are, and by whom to look further: the one with the longest mailbox.
fn names(it: &StackGroup) -> String {
    let shown = it.names.iter().take(NAMES_MAX);
    let mut names: Vec<String> = shown.map(|name| one_name(name, it.processes)).collect();
    let rest: u64 = it.names.iter().skip(NAMES_MAX).map(|it| it.processes).sum();
    if rest > 0 {
        names.push(format!("{} others", units::count(rest)));
    }
    let example = it.examples.first().map(|it| format!(" ({it})")).unwrap_or_default();
    format!("{}{example}", names.join(", "))
}

fn one_name(name: &NamedCount, of: u64) -> String {
    if name.processes == of || name.processes == 1 {
        name.name.clone()
    } else {
        format!("{} {}", units::count(name.processes), name.name)
    }
}

/// One line of a stack, four spaces in.
pub(super) fn frame(it: &Frame, out: &mut Out) {
    let function = it.function.to_string();
    let place = match (&it.file, it.line) {
        (Some(file), Some(line)) => format!("{file}:{line}"),
        _ => String::new(),
    };
    let gap = PLACE_COLUMN.saturating_sub(function.chars().count()).max(2);
    let wide = 4 + function.chars().count() + gap + place.chars().count() > out.width();
    if wide && !place.is_empty() {
        out.line(&[(Style::Plain, "    "), (Style::Plain, &function)]);
        out.line(&[(Style::Plain, "      "), (Style::Dim, &place)]);
        return;
    }
    let gap = " ".repeat(gap);
    out.line(&[
        (Style::Plain, "    "),
        (Style::Plain, &function),
        (Style::Dim, &gap),
        (Style::Dim, &place),
    ]);
}

fn processes(number: u64) -> String {
    if number == 1 { "1 process".to_owned() } else { format!("{} processes", units::count(number)) }
}

fn coverage(it: Coverage) -> String {
    let total = units::count(it.total);
    if it.sampled {
        format!("{} of {total} processes", units::count(it.asked))
    } else {
        processes(it.asked)
    }
}
