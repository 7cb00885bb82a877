//! The rankings of a snapshot: processes, their groups, ETS tables.

use giulia_model::{
    Counter, Coverage, EtsTable, EtsTables, ProcessGroup, ProcessRow, Processes, Window,
};

use crate::{
    Out, Style,
    columns::{Align, Cell, Columns},
    units,
};

/// From this width on there is room for what a process runs now.
const WIDTH_WITH_CURRENT: usize = 100;
/// Groups that are shown however few processes were asked for.
const GROUPS_MIN: usize = 10;
/// A mailbox this long is worth a look: a healthy server's is near empty, and OTP's own logger
/// begins to drop load at 200 (`drop_mode_qlen`).
const MAILBOX_LEN_WARN: u64 = 200;

/// The process rankings and groups.
pub(super) fn processes(it: &Processes, out: &mut Out) {
    // Their own: the two looks at everybody lie a little further apart than the VM's counters.
    let window = it.window;
    let covered = coverage(it.ranking_coverage);
    let figures = match window {
        Some(window) => format!("reductions over {}", units::ms(window.elapsed_ms)),
        None => "reductions since start".to_owned(),
    };
    out.heading("Busiest processes", &format!("{figures}; {covered}"));
    let worked: Vec<ProcessRow> =
        it.top_by_reductions.iter().filter(|it| !is_idle(it.reductions)).cloned().collect();
    rows(&worked, window, out);
    if worked.len() < it.top_by_reductions.len() {
        out.line(&[(Style::Dim, "  no other process asked did any work in this window")]);
    }
    if it.top_by_mailbox.is_empty() {
        out.heading("Longest mailboxes", &format!("now; {covered}"));
        out.line(&[(Style::Plain, "  no message waits")]);
    } else {
        out.heading("Longest mailboxes", &format!("now; {figures}; {covered}"));
        rows(&it.top_by_mailbox, window, out);
    }
    if !it.top_by_memory.is_empty() {
        let note = format!("now, among those above and a sample; {figures}");
        out.heading("Biggest processes", &note);
        rows(&it.top_by_memory, window, out);
    }
    let covered = coverage(it.group_coverage);
    for (title, groups, left_out) in [
        ("By application", &it.by_application, it.by_application_left_out),
        ("By label or initial call", &it.by_initial_call, it.by_initial_call_left_out),
    ] {
        if !groups.is_empty() {
            out.heading(title, &format!("{figures}; {covered}"));
            let most = it.top_by_reductions.len().max(GROUPS_MIN);
            self::groups(groups, most, window, out);
            if left_out > 0 {
                let text = format!("  {} smaller groups are not listed", units::count(left_out));
                out.line(&[(Style::Dim, &text)]);
            }
        }
    }
}

/// The biggest ETS tables; with some left out, the figures are of the others.
pub(super) fn ets(it: &EtsTables, is_partial: bool, out: &mut Out) {
    let covers = if is_partial { "in those asked" } else { "in all" };
    let (total, bytes) = (units::count(it.total), units::bytes(it.memory_bytes));
    let note = format!("{total} tables, {bytes} {covers}, now");
    out.heading("Biggest ETS tables", &note);
    if it.top_by_memory.is_empty() {
        return;
    }
    let mut columns = Columns::new(&[
        ("table", Align::Name),
        ("owner", Align::Name),
        ("objects", Align::Right),
        ("memory", Align::Right),
        ("type", Align::Left),
        ("access", Align::Left),
        ("options", Align::Name),
    ]);
    for table in &it.top_by_memory {
        columns.row([
            // Elixir's own writing of its modules.
            Cell::of(table.name.strip_prefix("Elixir.").unwrap_or(&table.name)),
            Cell::of(table.owner_name.as_deref().unwrap_or(&table.owner.0)),
            Cell::of(units::count(table.size)),
            Cell::of(units::bytes(table.memory_bytes)),
            Cell::of(&table.kind),
            Cell::of(&table.protection),
            Cell::of(options(table)),
        ]);
    }
    out.columns(&columns);
}

fn rows(rows: &[ProcessRow], window: Option<Window>, out: &mut Out) {
    let with_current = out.width() >= WIDTH_WITH_CURRENT;
    let mut heads = vec![
        ("process", Align::Name),
        ("pid", Align::Left),
        ("application", Align::Left),
        (if window.is_some() { "reds/s" } else { "reds" }, Align::Right),
        ("share", Align::Right),
        ("mailbox", Align::Right),
        ("memory", Align::Right),
    ];
    if with_current {
        heads.push(("now in", Align::Extra));
    }
    let mut columns = Columns::new(&heads);
    for row in rows {
        let long = row.mailbox_len.is_some_and(|it| it >= MAILBOX_LEN_WARN);
        let mailbox = Cell::of(row.mailbox_len.map_or("?".to_owned(), units::count));
        let mut cells = vec![
            Cell::of(&row.name),
            Cell::of(&row.pid.0),
            Cell::of(row.application.as_deref().unwrap_or("-")),
            Cell::of(work(row.reductions, window)),
            Cell::of(units::percent(row.reductions_share)),
            mailbox.styled(if long { Style::Warn } else { Style::Plain }),
            Cell::of(row.memory_bytes.map_or("?".to_owned(), units::bytes)),
        ];
        if with_current {
            let current = row.current_function.as_ref().map(ToString::to_string);
            cells.push(Cell::of(current.unwrap_or_else(|| row.status.clone())).styled(Style::Dim));
        }
        columns.row(cells);
    }
    out.columns(&columns);
}

fn groups(groups: &[ProcessGroup], most: usize, window: Option<Window>, out: &mut Out) {
    let mut columns = Columns::new(&[
        ("group", Align::Name),
        ("processes", Align::Right),
        (if window.is_some() { "reds/s" } else { "reds" }, Align::Right),
        ("share", Align::Right),
        ("mailboxes", Align::Right),
    ]);
    let worked = groups.iter().filter(|it| !is_idle(it.reductions));
    for group in worked.clone().take(most) {
        columns.row([
            Cell::of(&group.name),
            Cell::of(units::count(group.processes)),
            Cell::of(work(group.reductions, window)),
            Cell::of(units::percent(group.reductions_share)),
            Cell::of(units::count(group.mailbox_len)),
        ]);
    }
    out.columns(&columns);
    let (worked, all) = (worked.count(), groups.len());
    let more = worked.saturating_sub(most);
    let text = match (more, all - worked) {
        (0, 0) => return,
        (0, idle) => format!("  {idle} more did no work in this window"),
        (more, 0) => format!("  {more} more in --json"),
        (more, idle) => format!("  {more} more in --json, and {idle} that did no work"),
    };
    out.line(&[(Style::Dim, &text)]);
}

/// Looked at twice, and did nothing in between.
fn is_idle(reductions: Counter) -> bool {
    reductions.in_window == Some(0)
}

fn work(reductions: Counter, window: Option<Window>) -> String {
    match window {
        // One that began or ended in the window has no difference to show.
        Some(_) => reductions.per_second(window).map_or("?".to_owned(), units::rate),
        None => units::count(reductions.since_start),
    }
}

fn coverage(it: Coverage) -> String {
    let total = units::count(it.total);
    if it.sampled {
        format!("estimated from {} of {total} processes", units::count(it.asked))
    } else if it.asked < it.total {
        format!("{} of {total} processes", units::count(it.asked))
    } else {
        format!("all {total} processes")
    }
}

/// What decides how a table behaves under load.
pub(super) fn options(table: &EtsTable) -> String {
    let mut options = Vec::new();
    if table.read_concurrency == Some(true) {
        options.push("read".to_owned());
    }
    match table.write_concurrency.as_deref() {
        Some("true") => options.push("write".to_owned()),
        Some("auto") => options.push("write auto".to_owned()),
        Some(_) | None => {}
    }
    if table.decentralized_counters == Some(true) {
        options.push("decentral".to_owned());
    }
    if table.compressed {
        options.push("compressed".to_owned());
    }
    options.join(", ")
}
