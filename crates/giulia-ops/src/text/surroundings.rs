//! What stands around the processes, for people: allocators, binaries held, ports, other nodes, log
//! handlers, supervision trees, schedulers over time, events of the VM.

use giulia_model::{
    Allocator, ApplicationTree, BinaryHolders, LogHandler, LoggerFacts, NodeLinks, PortRow, Ports,
    Snapshot, Supervision, SystemEvents, SystemLimits, Utilisation,
};

use crate::{
    Out, Style,
    columns::{Align, Cell, Columns},
    units,
};

/// Rows of a table here; the document has up to twenty.
const ROWS_MAX: usize = 5;
/// An allocator is listed from so many bytes of carriers on: below, half empty is nothing.
const CARRIERS_MIN: u64 = 1 << 20;
/// A multi-block carrier that is less used than this holds memory that nobody can have; the VM
/// itself gives up carriers for others below (`+M<S>acul`, 45 to 85 % by default).
const USED_SHARE_WARN: f64 = 0.5;
/// Of so many bytes at least: a young node is mostly empty.
const UNUSED_WARN: u64 = 100 << 20;

/// Everything that is there, each part under its heading.
pub(super) fn surroundings(it: &Snapshot, out: &mut Out) {
    if let Some(them) = &it.allocators {
        allocators(them, out);
    }
    if let Some(held) = it.binaries.as_ref().filter(|it| !it.top.is_empty()) {
        binaries(held, out);
    }
    if let Some(ports) = &it.ports {
        self::ports(ports, out);
    }
    if let Some(links) = it.links.as_ref().filter(|it| it.total > 0) {
        self::links(links, out);
    }
    if let Some(logger) = &it.logger {
        self::logger(logger, out);
    }
    if let Some(tree) = &it.supervision {
        supervision(tree, out);
    }
    if let Some(events) = &it.system_events {
        self::events(events, out);
    }
}

/// A line below the counts: what else ends processes.
pub(super) fn limits(it: &SystemLimits, out: &mut Out) {
    let Some(bytes) = it.max_heap_bytes else { return };
    let what = if it.max_heap_kills { "is ended" } else { "is reported" };
    let text = format!(
        "a process whose heap reaches {} {what}, unless it has a limit of its own",
        units::bytes(bytes)
    );
    out.paragraph(2, Style::Plain, &text);
}

/// A line below the schedulers: how busy they were.
pub(super) fn utilisation(it: &Utilisation, out: &mut Out) {
    let each: Vec<String> = it.normal.each.iter().map(|it| format!("{:.0}", it * 100.0)).collect();
    let text = format!(
        "busy: {} (each {}); dirty: {} CPU, {} IO",
        units::percent(it.normal.total),
        each.join(" "),
        units::percent(it.dirty_cpu.total),
        units::percent(it.dirty_io.total),
    );
    out.paragraph(2, Style::Plain, &text);
}

fn allocators(them: &[Allocator], out: &mut Out) {
    let all: u64 = them.iter().map(|it| it.carriers_bytes).sum();
    let used: u64 = them.iter().map(|it| it.blocks_bytes).sum();
    let note = format!(
        "{} taken from the operating system, {} of it in use, now",
        units::bytes(all),
        units::percent(units::share(used, all))
    );
    out.heading("Allocators", &note);
    let mut columns = Columns::new(&[
        ("allocator", Align::Name),
        ("taken", Align::Right),
        ("in use", Align::Right),
        ("used", Align::Right),
    ]);
    for it in them.iter().filter(|it| it.carriers_bytes >= CARRIERS_MIN).take(ROWS_MAX) {
        let share = units::share(it.blocks_bytes, it.carriers_bytes);
        let unused = it.carriers_bytes.saturating_sub(it.blocks_bytes);
        let is_wasted = share < USED_SHARE_WARN && unused >= UNUSED_WARN;
        let style = if is_wasted { Style::Warn } else { Style::Plain };
        columns.row([
            Cell::of(&it.name),
            Cell::of(units::bytes(it.carriers_bytes)),
            Cell::of(units::bytes(it.blocks_bytes)),
            Cell::of(units::percent(share)).styled(style),
        ]);
    }
    out.columns(&columns);
}

fn binaries(held: &BinaryHolders, out: &mut Out) {
    let note = if held.ranked < held.total {
        format!("now, of {} of {} processes", units::count(held.ranked), units::count(held.total))
    } else {
        "now".to_owned()
    };
    out.heading("Binaries held", &note);
    let mut columns = Columns::new(&[
        ("process", Align::Name),
        ("pid", Align::Left),
        ("binaries", Align::Right),
        ("bytes", Align::Right),
    ]);
    for it in held.top.iter().take(ROWS_MAX) {
        columns.row([
            Cell::of(&it.name),
            Cell::of(&it.pid.0),
            Cell::of(units::count(it.count)),
            Cell::of(units::bytes(it.bytes)),
        ]);
    }
    out.columns(&columns);
}

fn ports(it: &Ports, out: &mut Out) {
    let kinds: Vec<String> = it
        .by_kind
        .iter()
        .take(ROWS_MAX)
        .map(|kind| format!("{} {}", units::count(kind.count), kind.name))
        .collect();
    let sockets = if it.sockets > 0 {
        format!(" and {} of the module socket", units::count(it.sockets))
    } else {
        String::new()
    };
    let part = if it.asked < it.total + it.sockets {
        format!(", {} asked", units::count(it.asked))
    } else {
        String::new()
    };
    let note = format!("{} ports{sockets}{part}, now", units::count(it.total));
    out.heading("Ports and sockets", &note);
    out.paragraph(2, Style::Plain, &kinds.join(", "));
    let moved: Vec<&PortRow> = it.top_by_queue.iter().chain(&it.top_by_bytes).collect();
    let mut columns = Columns::new(&[
        ("port", Align::Left),
        ("kind", Align::Extra),
        ("owner", Align::Name),
        ("peer", Align::Name),
        ("in", Align::Right),
        ("out", Align::Right),
        ("waiting", Align::Right),
    ]);
    let mut seen = Vec::new();
    for row in moved {
        // One that is stuck and busy stands in both lists.
        if seen.contains(&row) || seen.len() == ROWS_MAX {
            continue;
        }
        seen.push(row);
        let owner = row.owner_name.clone().or_else(|| row.owner.as_ref().map(|it| it.0.clone()));
        let waits = row.queue_bytes.unwrap_or(0);
        let style = if waits > 0 { Style::Warn } else { Style::Plain };
        columns.row([
            Cell::of(row.id.as_deref().unwrap_or("-")),
            Cell::of(&row.kind),
            Cell::of(owner.as_deref().unwrap_or("-")),
            Cell::of(row.peer.as_deref().unwrap_or("-")),
            Cell::of(units::bytes(row.input_bytes)),
            Cell::of(units::bytes(row.output_bytes)),
            Cell::of(row.queue_bytes.map_or("?".to_owned(), units::bytes)).styled(style),
        ]);
    }
    out.columns(&columns);
}

fn links(it: &NodeLinks, out: &mut Out) {
    let note = format!(
        "{}; senders wait above {}",
        units::count(it.total),
        units::bytes(it.busy_limit_bytes)
    );
    out.heading("Connections to other nodes", &note);
    let mut columns = Columns::new(&[
        ("node", Align::Name),
        ("", Align::Left),
        ("in", Align::Right),
        ("out", Align::Right),
        ("waiting", Align::Right),
    ]);
    let bytes = |it: Option<u64>| Cell::of(it.map_or("?".to_owned(), units::bytes));
    for link in it.links.iter().take(ROWS_MAX) {
        columns.row([
            Cell::of(&link.node),
            Cell::of(if link.hidden { "hidden" } else { "" }),
            bytes(link.input_bytes),
            bytes(link.output_bytes),
            bytes(link.queue_bytes),
        ]);
    }
    out.columns(&columns);
}

fn logger(it: &LoggerFacts, out: &mut Out) {
    out.heading("Log handlers", &format!("level {}", it.level));
    for handler in &it.handlers {
        let (text, style) = self::handler(handler);
        out.hanging("  ", 4, style, &text);
    }
}

fn handler(it: &LogHandler) -> (String, Style) {
    let mut facts = vec![format!("{} ({}, {})", it.id, it.module, it.level)];
    facts.extend(it.destination.clone());
    let mut style = Style::Plain;
    if let Some(waiting) = it.mailbox_len {
        let drops = it.drop_mode_qlen.is_some_and(|limit| waiting >= limit);
        if drops {
            style = Style::Warn;
        }
        let text = if drops { "events wait, it drops new ones" } else { "events wait" };
        facts.push(format!("{} {text}", units::count(waiting)));
    }
    facts.extend(it.sync_mode_qlen.map(|it| format!("callers wait from {}", units::count(it))));
    facts.extend(it.drop_mode_qlen.map(|it| format!("drops from {}", units::count(it))));
    facts.extend(it.flush_qlen.map(|it| format!("flushes from {}", units::count(it))));
    if let (Some(count), Some(window)) = (it.burst_limit_max_count, it.burst_limit_window_ms) {
        facts.push(format!("at most {} in {}", units::count(count), units::span(window)));
    }
    facts.extend(it.overload_kill_qlen.map(|it| format!("ended from {}", units::count(it))));
    (facts.join(", "), style)
}

fn supervision(it: &Supervision, out: &mut Out) {
    let note = format!("{} processes looked at, now", units::count(it.asked));
    out.heading("Supervision", &note);
    for tree in &it.applications {
        out.hanging("  ", 4, Style::Plain, &application(tree));
    }
    if it.cut {
        out.line(&[(Style::Dim, "  more than was looked at")]);
    }
}

/// One line: how much there is, and where most of it is.
fn application(it: &ApplicationTree) -> String {
    let supervisors = it.members.iter().filter(|it| it.supervisor);
    let n_supervisors = supervisors.clone().count();
    let workers = it.members.len() - n_supervisors;
    let counted: u64 = supervisors.clone().filter(|it| !it.followed).map(|it| it.children).sum();
    let workers = units::count(u64::try_from(workers).unwrap_or(u64::MAX).saturating_add(counted));
    let top = it.members.first().map(|it| format!(", below {}", it.name)).unwrap_or_default();
    let largest = supervisors.max_by_key(|it| it.children);
    let largest = largest.filter(|it| it.depth > 0 && it.children > 0);
    let largest =
        largest.map(|it| format!("; most below {}: {}", it.name, units::count(it.children)));
    format!(
        "{}: {n_supervisors} supervisors, {workers} others{top}{}",
        it.application,
        largest.unwrap_or_default()
    )
}

fn events(it: &SystemEvents, out: &mut Out) {
    let mut counts = it.counts.clone();
    for (kind, count) in &it.counts_beyond {
        *counts.entry(kind.clone()).or_default() += count;
    }
    if counts.is_empty() {
        return;
    }
    out.heading("Events of the VM", "since the look before");
    let counts: Vec<String> =
        counts.iter().map(|(kind, count)| format!("{} {kind}", units::count(*count))).collect();
    out.paragraph(2, Style::Warn, &counts.join(", "));
    for event in it.events.iter().take(ROWS_MAX) {
        let name = event.name.as_ref().map(|it| format!("{it} ")).unwrap_or_default();
        let text = format!("{} {name}{}: {}", event.kind, event.who, event.info);
        out.hanging("  ", 4, Style::Plain, &text);
    }
}
