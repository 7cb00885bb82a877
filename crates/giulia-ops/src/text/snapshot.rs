//! A snapshot for people: the node, its limits, its work, what was not seen, what it cost.

use giulia_model::{
    Activity, Cgroup, CountAgainstLimit, Counter, Counts, Gate, GateState, HostFacts, Impact,
    Memory, NodeFacts, NotSeen, Schedulers, Snapshot, Window,
};

use crate::{
    Out, Style,
    columns::{Align, Cell, Columns},
    text::{surroundings, tables},
    units,
};

/// A count this close to its limit is shown as a warning: the node dies when it gets there, and
/// the last fifth goes fast when something leaks.
const LIMIT_SHARE_WARN: f64 = 0.8;
/// Names in a list of names before the rest is counted.
const NAMES_MAX: usize = 24;
/// Characters of a bar.
const BAR: usize = 20;

/// The whole snapshot.
pub(crate) fn snapshot(it: &Snapshot, out: &mut Out) {
    header(it, out);
    if let Some(counts) = &it.counts {
        limits(counts, out);
    }
    if let Some(limits) = &it.limits {
        surroundings::limits(limits, out);
    }
    if let Some(memory) = &it.memory {
        self::memory(memory, it.host.as_ref(), out);
    }
    if let Some(vm) = &it.schedulers {
        schedulers(vm, out);
    }
    if let Some(busy) = &it.utilisation {
        surroundings::utilisation(busy, out);
    }
    if let Some(work) = &it.activity {
        activity(work, it.window, it.node.as_ref(), out);
    }
    if let Some(host) = &it.host {
        self::host(host, it.schedulers.as_ref(), out);
    }
    if let Some(processes) = &it.processes {
        tables::processes(processes, out);
    }
    if let Some(ets) = &it.ets {
        // The probe says there what it did not ask: "40 of 88 ETS tables".
        let is_partial = it.not_seen.iter().any(|it| it.what.ends_with("ETS tables"));
        tables::ets(ets, is_partial, out);
    }
    surroundings::surroundings(it, out);
    if let Some(node) = &it.node {
        gates_in_short(node, out);
    }
    not_seen(&it.not_seen, out);
    cost(&it.impact, out);
}

/// What this ERTS switches off or limits, each with its reason.
pub(crate) fn gates(gates: &[Gate], out: &mut Out) {
    if closed(gates).next().is_none() {
        return;
    }
    out.heading("Not used here", "bugs of this ERTS");
    for gate in closed(gates) {
        let first = format!("  {:<7}  ", state(gate));
        out.hanging(&first, 11, Style::Plain, &format!("{}: {}", gate.feature, gate.reason));
    }
}

/// The same without the reasons.
fn gates_in_short(node: &NodeFacts, out: &mut Out) {
    if closed(&node.gates).next().is_none() {
        return;
    }
    out.heading(
        "Not used here",
        &format!("bugs of this ERTS; giulia doctor {} has reasons", node.name),
    );
    let names: Vec<String> =
        closed(&node.gates).map(|gate| format!("{} ({})", gate.feature, state(gate))).collect();
    out.paragraph(2, Style::Dim, &names.join("; "));
}

fn closed(gates: &[Gate]) -> impl Iterator<Item = &Gate> {
    gates.iter().filter(|it| it.state != GateState::On)
}

fn state(gate: &Gate) -> &'static str {
    match gate.state {
        GateState::On => "on",
        GateState::Limited => "limited",
        GateState::Off => "off",
    }
}

fn header(it: &Snapshot, out: &mut Out) {
    if let Some(node) = &it.node {
        out.line(&[(Style::Title, &node.name)]);
        let elixir = node.elixir_version.as_ref().map(|it| format!(", Elixir {it}"));
        let about = format!(
            "OTP {}, ERTS {} ({}){}, {} code, {} names, up {}",
            node.otp_release,
            node.erts_version,
            node.emulator,
            elixir.unwrap_or_default(),
            node.code_mode,
            node.name_mode,
            units::span(node.uptime_ms),
        );
        out.paragraph(0, Style::Plain, &about);
        node_facts(node, it.host.as_ref(), out);
    }
    let taken = match it.window {
        Some(window) => {
            format!("Taken {}; rates measured over {}.", it.taken_at, units::ms(window.elapsed_ms))
        }
        None => format!(
            "Taken {}, one sample: \"since start\" is a total, not a rate; --window 1s measures rates.",
            it.taken_at
        ),
    };
    out.paragraph(0, Style::Dim, &taken);
}

fn node_facts(node: &NodeFacts, host: Option<&HostFacts>, out: &mut Out) {
    let os_pid = host.map(|it| format!(", OS process {}", it.os_pid)).unwrap_or_default();
    let modules = node.modules_loaded.map(|it| format!(", {} modules", units::count(it)));
    let modules = modules.unwrap_or_default();
    let system = format!("{}, {}{os_pid}{modules}", node.os, node.architecture);
    out.paragraph(0, Style::Plain, &system);
    let applications = node.applications.iter().map(|it| it.name.as_str());
    for (what, names) in [
        ("applications", applications.collect::<Vec<_>>()),
        ("connected to", node.connected_nodes.iter().map(String::as_str).collect()),
        ("VM flags", node.flags.iter().map(String::as_str).collect()),
    ] {
        if !names.is_empty() {
            out.hanging(&format!("{what}: "), 4, Style::Plain, &listed(&names));
        }
    }
}

fn listed(names: &[&str]) -> String {
    let shown = names.get(..NAMES_MAX).unwrap_or(names).join(", ");
    match names.len().saturating_sub(NAMES_MAX) {
        0 => shown,
        more => format!("{shown}, and {more} more"),
    }
}

fn limits(counts: &Counts, out: &mut Out) {
    out.heading("Limits", "");
    let mut columns = Columns::new(&[
        ("", Align::Left),
        ("now", Align::Right),
        ("limit", Align::Right),
        ("used", Align::Right),
        ("", Align::Left),
        ("", Align::Left),
    ]);
    for (name, CountAgainstLimit { count, limit }) in [
        ("processes", counts.processes),
        ("ports", counts.ports),
        ("atoms", counts.atoms),
        ("ETS tables", counts.ets_tables),
    ] {
        let used = limit.map(|limit| units::share(count, limit));
        let near = used.is_some_and(|it| it > LIMIT_SHARE_WARN);
        let style = if near { Style::Bad } else { Style::Plain };
        columns.row([
            Cell::of(name),
            Cell::of(units::count(count)),
            Cell::of(limit.map_or("none".to_owned(), units::count)),
            Cell::of(used.map(units::percent).unwrap_or_default()).styled(style),
            Cell::of(used.map(|it| units::bar(it, BAR)).unwrap_or_default()).styled(style),
            Cell::of(if near { "! near its limit" } else { "" }).styled(style),
        ]);
    }
    out.columns(&columns);
}

fn memory(memory: &Memory, host: Option<&HostFacts>, out: &mut Out) {
    out.heading(
        "Memory",
        &format!("erlang:memory() accounts for {}", units::bytes(memory.total_bytes)),
    );
    let mut columns = Columns::new(&[
        ("", Align::Left),
        ("", Align::Right),
        ("", Align::Right),
        ("", Align::Left),
    ]);
    let named = memory.atom_bytes + memory.binary_bytes + memory.code_bytes + memory.ets_bytes;
    for (name, part) in [
        ("processes", memory.processes_bytes),
        ("binaries", memory.binary_bytes),
        ("ETS", memory.ets_bytes),
        ("code", memory.code_bytes),
        ("atoms", memory.atom_bytes),
        ("other system", memory.system_bytes.saturating_sub(named)),
    ] {
        let share = units::share(part, memory.total_bytes);
        columns.row([
            Cell::of(name),
            Cell::of(units::bytes(part)),
            Cell::of(units::percent(share)),
            Cell::of(units::bar(share, BAR)),
        ]);
    }
    out.columns(&columns);
    if let Some(rss) = host.and_then(|it| it.rss_bytes) {
        let ratio = units::share(rss, memory.total_bytes);
        let peak = host.and_then(|it| it.rss_peak_bytes);
        let peak = peak.map(|it| format!(" (peak {})", units::bytes(it)));
        let text = format!(
            "RSS {}{}, {ratio:.2} times what erlang:memory() accounts for",
            units::bytes(rss),
            peak.unwrap_or_default()
        );
        out.paragraph(2, Style::Plain, &text);
    }
}

fn schedulers(vm: &Schedulers, out: &mut Out) {
    out.heading("Schedulers", "");
    let sees = vm.logical_processors.map(|it| format!(", {it} logical processors seen"));
    let threads = format!(
        "{} of {} online{}; dirty: {} CPU, {} IO",
        vm.online,
        vm.total,
        sees.unwrap_or_default(),
        vm.dirty_cpu_online,
        vm.dirty_io,
    );
    out.paragraph(2, Style::Plain, &threads);
    let waiting: u64 = vm.run_queue_lens.iter().sum();
    let longest = vm.run_queue_lens.iter().max().copied().unwrap_or(0);
    // A queue that holds more than ten waits about ten time slices of a millisecond: felt.
    let style = if waiting > 10 * vm.online { Style::Warn } else { Style::Plain };
    let queues = format!(
        "run queues now: {waiting} waiting in all, {longest} in the longest; {} running or waiting",
        vm.active_tasks
    );
    out.paragraph(2, style, &queues);
}

fn activity(work: &Activity, window: Option<Window>, node: Option<&NodeFacts>, out: &mut Out) {
    let covers = match window {
        Some(window) => format!("by the second, over {}", units::ms(window.elapsed_ms)),
        None => "totals since start, not rates".to_owned(),
    };
    out.heading("Activity", &covers);
    let mut columns = Columns::new(&[
        ("", Align::Left),
        (if window.is_some() { "rate" } else { "" }, Align::Right),
        ("since start", Align::Right),
    ]);
    let word_bytes = f64::from(node.map_or(8, |it| it.word_bytes));
    let bytes_rate = |it: f64| format!("{}/s", units::bytes_f64(it));
    let row = |name: &str, counter: Counter, rate: &dyn Fn(f64) -> String, total: String| {
        let rate = counter.per_second(window).map(rate).unwrap_or_default();
        [Cell::of(name), Cell::of(rate), Cell::of(total)]
    };
    for (name, counter) in [
        ("reductions", work.reductions),
        ("context switches", work.context_switches),
        ("garbage collections", work.garbage_collections),
    ] {
        columns.row(row(name, counter, &units::rate, units::count(counter.since_start)));
    }
    let words = work.gc_words_reclaimed;
    #[expect(clippy::cast_precision_loss, reason = "shown to three digits")]
    let reclaimed = units::bytes_f64(words.since_start as f64 * word_bytes);
    columns.row(row("GC reclaimed", words, &|it| bytes_rate(it * word_bytes), reclaimed));
    for (name, counter) in [("IO in", work.io_in_bytes), ("IO out", work.io_out_bytes)] {
        columns.row(row(name, counter, &bytes_rate, units::bytes(counter.since_start)));
    }
    let cores = |it: f64| format!("{:.2} cores", it / 1000.0);
    let cpu = work.runtime_ms;
    let total = units::span(cpu.since_start);
    columns.row(row("CPU time", cpu, &cores, total));
    out.columns(&columns);
}

fn host(host: &HostFacts, vm: Option<&Schedulers>, out: &mut Out) {
    out.heading("Operating system", "");
    let mut facts = Vec::new();
    if let Some(open) = host.descriptors {
        let limit = host.descriptors_limit.map(|it| format!(" of {}", units::count(it)));
        facts.push(format!("{} descriptors open{}", units::count(open), limit.unwrap_or_default()));
    }
    if let Some(threads) = host.threads {
        facts.push(format!("{threads} threads"));
    }
    if let Some([one, five, fifteen]) = host.load_average {
        facts.push(format!("load {one:.2} {five:.2} {fifteen:.2}"));
    }
    if let (Some(all), Some(free)) = (host.machine_memory_bytes, host.machine_available_bytes) {
        facts.push(format!("{} of {} memory available", units::bytes(free), units::bytes(all)));
    }
    if !facts.is_empty() {
        out.paragraph(2, Style::Plain, &facts.join(", "));
    }
    if let Some(cgroup) = &host.cgroup {
        self::cgroup(cgroup, vm, out);
    }
}

fn cgroup(cgroup: &Cgroup, vm: Option<&Schedulers>, out: &mut Out) {
    let used = cgroup.memory_used_bytes.map_or("?".to_owned(), units::bytes);
    let limit = cgroup.memory_limit_bytes.map(units::bytes);
    let memory = match (limit, cgroup.memory_limit_unreadable.is_some()) {
        (Some(limit), false) => format!("memory {used} of {limit}"),
        (Some(limit), true) => format!("memory {used} of {limit} or less"),
        (None, false) => format!("memory {used}, no limit"),
        (None, true) => format!("memory {used}, limit not readable"),
    };
    let quota = cgroup.cpu_quota_cores.map(|it| format!("CPU quota {it:.2} cores"));
    let cores = match (quota, cgroup.cpu_quota_unreadable.is_some()) {
        (Some(quota), false) => quota,
        (Some(quota), true) => format!("{quota} or less"),
        (None, false) => "no CPU quota".to_owned(),
        (None, true) => "CPU quota not readable".to_owned(),
    };
    let throttled = match (cgroup.throttled_periods, cgroup.throttled_ms) {
        (Some(periods @ 1..), Some(ms)) => {
            format!(
                ", throttled {} times for {} since the group began",
                units::count(periods),
                units::ms(ms)
            )
        }
        _ => String::new(),
    };
    let text = format!("cgroup v{}: {memory}; {cores}{throttled}", cgroup.version);
    out.paragraph(2, Style::Plain, &text);
    if cgroup.schedulers_exceed_quota {
        let online = vm.map(|it| format!("{} schedulers are online", it.online));
        let text = format!(
            "! {}, more than the quota has cores: under load the VM is throttled; start it with +S",
            online.unwrap_or_else(|| "more schedulers are online".to_owned())
        );
        out.paragraph(2, Style::Warn, &text);
    }
}

/// What could not be seen, and why.
pub(super) fn not_seen(parts: &[NotSeen], out: &mut Out) {
    if parts.is_empty() {
        return;
    }
    out.heading("Not seen", "");
    for part in parts {
        out.hanging("  ", 4, Style::Warn, &format!("{}: {}", part.what, part.why));
    }
}

/// What looking cost the node.
pub(super) fn cost(impact: &Impact, out: &mut Out) {
    out.blank();
    let trips = if impact.round_trips == 1 { "round trip" } else { "round trips" };
    let mut changed = if impact.changed.is_empty() {
        "no setting stays changed".to_owned()
    } else {
        format!("changed: {}", impact.changed.join(", "))
    };
    if !impact.disturbed.is_empty() {
        changed = format!("{changed}; restarted for others: {}", impact.disturbed.join(", "));
    }
    let text = format!(
        "This look cost the node {} {trips}, at most {} of its time, {} in and {} out; {changed}.",
        impact.round_trips,
        units::ms(impact.target_time_ms),
        units::bytes(impact.sent_bytes),
        units::bytes(impact.received_bytes),
    );
    let style = if impact.changed.is_empty() { Style::Dim } else { Style::Bad };
    out.paragraph(0, style, &text);
}
