//! One process for people: what it is, what it does, what it is tied to, what it holds.

use giulia_model::{Heap, NameSource, Neighbour, Neighbours, ProcessDetail, Shape, ShapePart};

use crate::{
    Out, Style,
    text::{dump, snapshot},
    units,
};

/// Neighbours of a kind and keys in the text; the document has up to fifty.
const SHOWN_MAX: usize = 12;

/// Parts of a state in the text: two screens; the document has up to two hundred.
const PARTS_SHOWN_MAX: usize = 80;

/// The whole answer.
pub(crate) fn process(it: &ProcessDetail, out: &mut Out) {
    out.line(&[(Style::Title, &it.name), (Style::Plain, &format!("  {} on {}", it.pid, it.node))]);
    out.paragraph(0, Style::Dim, &format!("Taken {}.", it.taken_at));
    out.blank();
    identity(it, out);
    work(it, out);
    memory(it, out);
    ties(it, out);
    stack(it, out);
    if let Some(state) = &it.state {
        self::state(state, out);
    }
    snapshot::not_seen(&it.not_seen, out);
    snapshot::cost(&it.impact, out);
}

fn identity(it: &ProcessDetail, out: &mut Out) {
    let source = match it.name_source {
        NameSource::Registered => "registered",
        NameSource::Label => "its label",
        NameSource::InitialCall => "started with it",
        NameSource::SpawnedWith => "spawned with it",
        NameSource::OutermostFunction => "the outermost function on its stack",
        NameSource::Unknown => "could not be asked",
    };
    fact("named by", source, out);
    if let Some(call) = &it.initial_call {
        fact("started with", &call.to_string(), out);
    }
    let leader = it.group_leader.as_ref().map(|it| format!("group leader {}", one(it)));
    let application = it.application.clone().unwrap_or_else(|| "none".to_owned());
    let leader = leader.map(|it| format!(" ({it})")).unwrap_or_default();
    fact("application", &format!("{application}{leader}"), out);
    if !it.ancestors.is_empty() {
        let names: Vec<String> = it.ancestors.iter().map(one).collect();
        fact("started by", &names.join(" < "), out);
    } else if let Some(parent) = &it.parent {
        fact("spawned by", &one(parent), out);
    }
}

fn work(it: &ProcessDetail, out: &mut Out) {
    let mut facts = vec![it.status.clone()];
    facts.extend(it.priority.as_ref().map(|it| format!("{it} priority")));
    facts.extend(it.trap_exit.filter(|it| *it).map(|_| "traps exits".to_owned()));
    facts.extend(it.suspending.filter(|it| *it > 0).map(|it| format!("suspends {it} others")));
    facts.push(format!("{} reductions since it started", units::count(it.reductions)));
    fact("status", &facts.join(", "), out);
    let kept = it.message_queue_data.as_ref().map(|it| format!(" ({it})")).unwrap_or_default();
    let mailbox = match it.mailbox_len {
        None => "not asked".to_owned(),
        Some(0) => format!("empty{kept}"),
        Some(1) => format!("1 message{kept}"),
        Some(letters) => format!("{} messages{kept}", units::count(letters)),
    };
    fact("mailbox", &mailbox, out);
}

fn memory(it: &ProcessDetail, out: &mut Out) {
    if let Some(bytes) = it.memory_bytes {
        let heap = it.heap.as_ref().map(heap).unwrap_or_default();
        fact("memory", &format!("{}{heap}", units::bytes(bytes)), out);
    }
    if let Some(held) = it.binaries {
        let text = match held.count {
            0 => "none outside its heap".to_owned(),
            many => {
                format!("{} outside its heap, {}", units::count(many), units::bytes(held.bytes))
            }
        };
        fact("binaries", &text, out);
    }
    if let Some(keys) = &it.dictionary_keys {
        let text = some(keys.total, keys.first.iter().cloned());
        fact("dictionary", &text, out);
    }
}

fn heap(it: &Heap) -> String {
    let mut facts = vec![
        format!("heap {}", units::bytes(it.total_bytes)),
        format!("young {}", units::bytes(it.young_bytes)),
        format!("stack {}", units::bytes(it.stack_bytes)),
    ];
    if let (Some(minor), Some(full)) = (it.minor_collections, it.fullsweep_after) {
        facts.push(format!("{minor} of {full} collections before a full one"));
    }
    facts.extend(it.max_bytes.map(|it| format!("ended above {}", units::bytes(it))));
    format!(": {}", facts.join(", "))
}

fn ties(it: &ProcessDetail, out: &mut Out) {
    let kinds =
        [("links", &it.links), ("monitors", &it.monitors), ("monitored by", &it.monitored_by)];
    for (title, them) in kinds {
        if let Some(Neighbours { total, first }) = them {
            fact(title, &some(*total, first.iter().map(one)), out);
        }
    }
}

fn stack(it: &ProcessDetail, out: &mut Out) {
    if it.stack.is_empty() {
        return;
    }
    out.heading("Stack", "now, innermost first");
    for frame in &it.stack {
        dump::frame(frame, out);
    }
    if it.stack_cut {
        out.line(&[(Style::Dim, "    ... the VM tells no more frames")]);
    }
}

fn state(it: &Shape, out: &mut Out) {
    out.heading("State", "its shape, no contents");
    for part in it.parts.iter().take(PARTS_SHOWN_MAX) {
        let indent = usize::try_from(part.depth).unwrap_or_default() * 2 + 2;
        out.hanging(&" ".repeat(indent), indent + 2, Style::Plain, &self::part(part));
    }
    let more = it.parts.len().saturating_sub(PARTS_SHOWN_MAX);
    if more > 0 {
        out.line(&[(Style::Dim, &format!("  ... {more} more parts in --json"))]);
    } else if it.cut {
        out.line(&[(Style::Dim, "  ... and more inside")]);
    }
}

fn part(it: &ShapePart) -> String {
    let kind = match (&it.atom, it.size, it.kind.as_str()) {
        (Some(atom), ..) => atom.strip_prefix("Elixir.").unwrap_or(atom).to_owned(),
        (None, Some(1), "binary") => "binary, 1 byte".to_owned(),
        (None, Some(size), "binary") => format!("binary, {}", units::bytes(size)),
        (None, Some(size), "bitstring") => format!("bitstring of {} bits", units::count(size)),
        (None, Some(size), kind) => format!("{kind} of {}", units::count(size)),
        (None, None, kind) => kind.to_owned(),
    };
    it.at.as_ref().map_or_else(|| kind.clone(), |at| format!("{at}: {kind}"))
}

/// A fact behind its name, in columns.
fn fact(name: &str, text: &str, out: &mut Out) {
    out.hanging(&format!("  {name:<14}"), 16, Style::Plain, text);
}

fn one(it: &Neighbour) -> String {
    let node = it.node.as_ref().map(|it| format!(" on {it}")).unwrap_or_default();
    match &it.name {
        Some(name) => format!("{name} {}{node}", it.id),
        None => format!("{}{node}", it.id),
    }
}

fn some(total: u64, each: impl Iterator<Item = String>) -> String {
    let shown: Vec<String> = each.take(SHOWN_MAX).collect();
    let rest = total.saturating_sub(u64::try_from(shown.len()).unwrap_or(u64::MAX));
    match (total, rest) {
        (0, _) => "none".to_owned(),
        (_, 0) => shown.join(", "),
        (_, rest) => format!("{}, {} more", shown.join(", "), units::count(rest)),
    }
}
