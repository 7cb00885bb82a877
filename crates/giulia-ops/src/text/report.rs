//! A report for people: what the node was, who worked, what grew, what happened, what it cost.

use giulia_model::{
    Change, Covered, Direction, Ended, LimitOver, MailboxOver, Mark, MarkKind, Ranking, Report,
    Restored, SchedulersOver, Session, Spread, TableOver, Trend, Work,
};

use crate::{
    Style,
    columns::{Align, Cell},
    text::page::Page,
    units,
};

/// A count this close to its limit is shown as a warning, as in a snapshot.
const LIMIT_SHARE_WARN: f64 = 0.8;
/// A mailbox this long is worth a look, as in a snapshot.
const MAILBOX_LEN_WARN: u64 = 200;
/// Of one core; above it looking is dearer than was promised.
const COST_SHARE_WARN: f64 = 0.01;
/// Of a session: in less, what rose may be a load that had just begun, so its growth is told as it was
/// and not stretched to a minute.
const PER_MINUTE_FROM_MS: u64 = 60_000;
/// Marks that are shown; the document has more.
const MARKS_SHOWN: usize = 20;
/// Gaps that are shown; the document has more.
const GAPS_SHOWN: usize = 5;

/// The whole report.
pub(crate) fn report(it: &Report) -> Page {
    let mut page = Page::default();
    header(it, &mut page);
    summary(it, &mut page);
    if let Some(work) = &it.work {
        self::work(work, &mut page);
    }
    if let Some(trace) = &it.trace {
        super::calls::calls(trace, &mut page);
    }
    if let Some(database) = &it.database {
        super::database::database(database, &mut page);
    }
    if let Some(vm) = &it.schedulers {
        schedulers(vm, it.work.as_ref(), &mut page);
    }
    memory(&it.memory, &it.window, &mut page);
    if it.window.ticks > 0 {
        mailboxes(&it.mailboxes, &mut page);
    }
    tables(&it.ets, &mut page);
    limits(&it.limits, &mut page);
    if let Some(all) = &it.findings {
        super::findings(all, &mut page);
    }
    marks(it, &mut page);
    not_seen(it, &mut page);
    cost(it, &mut page);
    page
}

fn header(it: &Report, page: &mut Page) {
    let session = &it.session;
    page.title(format!("{}: {}", session.name, session.node));
    if let Some(node) = &session.facts {
        let elixir = node.elixir_version.as_ref().map(|it| format!(", Elixir {it}"));
        let text = format!(
            "OTP {}, ERTS {} ({}){}, {} code, up {} at its start; {}",
            node.otp_release,
            node.erts_version,
            node.emulator,
            elixir.unwrap_or_default(),
            node.code_mode,
            units::span(node.uptime_ms),
            node.os,
        );
        page.text(Style::Plain, text);
    }
    let (text, style) = ended(session, it.running);
    let covered = match it.window.windows_ms {
        none if none <= 0.0 => String::new(),
        ms => format!("; windows cover {}", units::ms(ms)),
    };
    let times = format!(
        "From {}, {}, a tick every {}: {}{covered}. {text}",
        session.started_at,
        units::span(it.window.elapsed_ms),
        units::span(session.every_ms),
        ticks(&it.window),
    );
    page.text(style, times);
    if let Some(workload) = &session.workload {
        let how = match (workload.exit_status, workload.signal) {
            (Some(status), _) => format!("ended with exit status {status}"),
            (None, Some(signal)) => format!("was ended by signal {signal}"),
            (None, None) => "did not end while it was watched".to_owned(),
        };
        page.text(Style::Plain, format!("Workload: {} {how}.", workload.command.join(" ")));
    }
    let gaps = &it.window.gaps;
    for gap in gaps.iter().take(GAPS_SHOWN) {
        let why = if gap.why.is_empty() { "no mark says why" } else { &gap.why };
        let (from, to) = (seconds(gap.from_ms), seconds(gap.to_ms));
        page.item(Style::Warn, format!("No tick from {from} to {to}: {why}"));
    }
    if gaps.len() > GAPS_SHOWN {
        page.item(Style::Warn, format!("{} more gaps in --json", gaps.len() - GAPS_SHOWN));
    }
}

/// What one reads first; everything below is where it comes from.
fn summary(it: &Report, page: &mut Page) {
    page.heading("In short", "");
    match (&it.work, it.window.ticks) {
        (None, 0) => {
            page.item(Style::Warn, "no tick was recorded, so nothing can be said of the node");
        }
        (None, _) => {
            let text = "no two ticks in a row: there are levels here, and no rates or shares";
            page.item(Style::Warn, text);
        }
        (Some(work), _) => {
            for (what, ranking) in [("group", &work.by_initial_call), ("module", &work.by_module)] {
                if let Some(first) = ranking.rows.first() {
                    let share = units::percent(first.share);
                    let text = format!("busiest {what}: {} with {share} of the work", first.name);
                    page.item(Style::Plain, text);
                }
            }
            if let Some(busy) = it.schedulers.as_ref().and_then(|it| it.utilisation) {
                let [median, max] = [busy.median, busy.max].map(units::percent);
                page.item(Style::Plain, format!("schedulers: {median} busy, at most {max}"));
            }
        }
    }
    if let Some(first) = it.trace.as_ref().and_then(|it| it.functions.first()) {
        let (calls, share) = (first.calls.unwrap_or_default(), first.share.unwrap_or_default());
        let (calls, share) = (units::count(calls), units::percent(share));
        let text =
            format!("most called: {} with {calls} calls, {share} of those counted", first.mfa());
        page.item(Style::Plain, text);
    }
    for trend in it.memory.iter().filter(|it| it.direction == Direction::Rising) {
        let name = &trend.name;
        let text = if it.window.elapsed_ms < PER_MINUTE_FROM_MS {
            let (grown, within) = (difference_of(trend), units::span(it.window.elapsed_ms));
            format!(
                "memory of {name}: {grown} within {within}; a longer session tells a leak from a load that begins"
            )
        } else {
            let growth = trend.per_minute.map(signed_bytes).unwrap_or_default();
            format!("memory of {name} rises by {growth} a minute")
        };
        page.item(Style::Warn, text);
    }
    if let Some(longest) = it.mailboxes.first().filter(|it| it.max >= MAILBOX_LEN_WARN) {
        let (name, max) = (&longest.name, units::count(longest.max));
        page.item(Style::Warn, format!("mailbox of {name}: up to {max} messages"));
    }
    let alarms = it.marks.iter().filter(|it| it.kind == MarkKind::Alarm).count();
    if alarms > 0 {
        let many = if alarms == 1 { "alarm" } else { "alarms" };
        page.item(Style::Warn, format!("{alarms} {many}, see below"));
    }
    let share = units::percent(it.cost.core_share);
    page.item(Style::Plain, format!("giulia cost the node about {share} of a core"));
}

pub(super) fn ticks(window: &Covered) -> String {
    let many = if window.ticks == 1 { "tick" } else { "ticks" };
    let missed = match window.ticks_missed {
        0 => "none missed".to_owned(),
        missed => format!("{} missed", units::count(missed)),
    };
    format!("{} {many}, {missed}", units::count(window.ticks))
}

pub(super) fn ended(session: &Session, running: bool) -> (&'static str, Style) {
    match (running, session.ended) {
        (true, _) => ("It is still being recorded.", Style::Plain),
        (_, Some(Ended::TimeUp)) => ("It ended because its time was over.", Style::Plain),
        (_, Some(Ended::Stopped)) => ("It was stopped.", Style::Plain),
        (_, Some(Ended::WorkloadEnded)) => ("It ended with its command.", Style::Plain),
        (_, Some(Ended::Failed)) => ("It could not go on; its last mark says why.", Style::Warn),
        (_, Some(Ended::Killed)) => (
            "Its giulia was killed, or its disk took no more; what was recorded is here.",
            Style::Warn,
        ),
        (_, None) => ("Its end is not here: it was exported while it was recorded.", Style::Warn),
    }
}

fn work(it: &Work, page: &mut Page) {
    let of = format!(
        "shares of {} reductions{}",
        units::count(it.reductions),
        if it.sampled { ", estimated" } else { "" },
    );
    for (title, ranking, seen) in [
        ("Busiest applications", &it.by_application, "processes"),
        ("Busiest process groups", &it.by_initial_call, "processes"),
        ("Busiest modules", &it.by_module, "processes"),
    ] {
        groups(title, &of, ranking, seen, page);
    }
    processes(&of, &it.by_process, page);
    let logger = &it.logger;
    let text = if logger.reductions == 0 {
        "logger: its own processes did no work among those seen".to_owned()
    } else {
        format!(
            "logger: {} of the reductions, in {}; longest mailbox {}",
            units::percent(logger.share),
            logger.who.join(", "),
            units::count(logger.mailbox_len_max),
        )
    };
    page.text(Style::Plain, text);
}

fn groups(title: &str, of: &str, it: &Ranking, count: &'static str, page: &mut Page) {
    if it.rows.is_empty() {
        return;
    }
    page.heading(title, of);
    let heads = [
        ("", Align::Name),
        ("share", Align::Right),
        ("reductions", Align::Right),
        (count, Align::Right),
        ("mailboxes", Align::Right),
    ];
    let rows = it.rows.iter().map(|row| {
        vec![
            Cell::of(&row.name),
            Cell::of(units::percent(row.share)),
            Cell::of(units::count(row.reductions)),
            Cell::of(units::count(row.processes_max)),
            mailbox(row.mailbox_len_max),
        ]
    });
    page.table(&heads, rows.collect());
    rest(it, "", page);
}

fn processes(of: &str, it: &Ranking, page: &mut Page) {
    if it.rows.is_empty() {
        return;
    }
    page.heading("Busiest processes", of);
    let heads = [
        ("", Align::Name),
        ("pid", Align::Left),
        ("application", Align::Left),
        ("share", Align::Right),
        ("reductions", Align::Right),
        ("mailbox", Align::Right),
    ];
    let rows = it.rows.iter().map(|row| {
        vec![
            Cell::of(&row.name),
            Cell::of(row.pid.as_deref().unwrap_or_default()),
            Cell::of(row.application.as_deref().unwrap_or("-")),
            Cell::of(units::percent(row.share)),
            Cell::of(units::count(row.reductions)),
            mailbox(row.mailbox_len_max),
        ]
    });
    page.table(&heads, rows.collect());
    rest(it, " and those that were not among the busiest of a tick", page);
}

/// What the rows leave of the whole.
fn rest(it: &Ranking, more: &str, page: &mut Page) {
    if it.rest_reductions == 0 {
        return;
    }
    let share = units::percent(it.rest_share);
    let text = match it.others {
        0 => format!("{share} is left for what was not told apart{more}"),
        1 => format!("{share} is left for one other{more}"),
        others => format!("{share} is left for {} others{more}", units::count(others)),
    };
    page.text(Style::Dim, text);
}

pub(super) fn mailbox(len: u64) -> Cell {
    let style = if len >= MAILBOX_LEN_WARN { Style::Warn } else { Style::Plain };
    Cell::of(units::count(len)).styled(style)
}

fn schedulers(vm: &SchedulersOver, work: Option<&Work>, page: &mut Page) {
    let many = if vm.online == 1 { "scheduler" } else { "schedulers" };
    page.heading("Schedulers", format!("{} {many} online", vm.online));
    let heads = [
        ("", Align::Left),
        ("least", Align::Right),
        ("middle", Align::Right),
        ("most", Align::Right),
        ("", Align::Left),
    ];
    let row = |name: &str, it: Spread, shown: &dyn Fn(f64) -> String, note: &str| {
        let figures = [it.min, it.median, it.max].map(|it| Cell::of(shown(it)));
        [vec![Cell::of(name)], figures.to_vec(), vec![Cell::of(note)]].concat()
    };
    let mut rows = Vec::new();
    if let Some(it) = vm.utilisation {
        rows.push(row("utilisation", it, &units::percent, "of the schedulers' time, by tick"));
    }
    if let Some(it) = work.and_then(|it| it.cpu_cores) {
        rows.push(row("CPU", it, &|it| format!("{it:.2}"), "cores, by tick"));
    }
    let waiting = |it: f64| format!("{it:.0}");
    rows.push(row("run queues", vm.run_queue, &waiting, "waiting at the moment of a tick"));
    page.table(&heads, rows);
}

fn memory(kinds: &[Trend], window: &Covered, page: &mut Page) {
    if kinds.is_empty() {
        return;
    }
    let note = "erlang:memory() and the system's RSS; steady is a change within its noise";
    page.heading("Memory", note);
    let is_short = window.elapsed_ms < PER_MINUTE_FROM_MS;
    let heads = [
        ("", Align::Left),
        ("start", Align::Right),
        ("end", Align::Right),
        ("least", Align::Right),
        ("most", Align::Right),
        (if is_short { "change" } else { "a minute" }, Align::Right),
        ("trend", Align::Left),
    ];
    let rows = kinds.iter().map(|it| {
        let (trend, style) = match it.direction {
            Direction::Rising => ("rising", Style::Warn),
            Direction::Falling => ("falling", Style::Plain),
            Direction::Steady => ("steady", Style::Dim),
            Direction::Unknown => ("too short", Style::Dim),
        };
        let [first, last, min, max] =
            [it.first, it.last, it.min, it.max].map(|it| Cell::of(units::bytes(it)));
        let growth = match it.per_minute {
            _ if is_short => difference_of(it),
            Some(per_minute) => signed_bytes(per_minute),
            None => "-".to_owned(),
        };
        vec![
            Cell::of(&it.name),
            first,
            last,
            min,
            max,
            Cell::of(growth),
            Cell::of(trend).styled(style),
        ]
    });
    page.table(&heads, if window.ticks == 0 { Vec::new() } else { rows.collect() });
}

/// From the first tick to the last.
fn difference_of(it: &Trend) -> String {
    difference(it.first, it.last, units::bytes)
}

fn signed_bytes(it: f64) -> String {
    let sign = if it < 0.0 { "-" } else { "+" };
    format!("{sign}{}", units::bytes_f64(it.abs().round()))
}

fn mailboxes(rows: &[MailboxOver], page: &mut Page) {
    page.heading("Longest mailboxes", "at the ticks");
    if rows.is_empty() {
        page.text(Style::Plain, "no message waited at any tick");
        return;
    }
    let heads = [
        ("", Align::Name),
        ("pid", Align::Left),
        ("most", Align::Right),
        ("first", Align::Right),
        ("last", Align::Right),
        ("a minute", Align::Right),
    ];
    let rows = rows.iter().map(|it| {
        let growth = it.per_minute.map_or("-".to_owned(), |it| format!("{it:+.0}"));
        vec![
            Cell::of(&it.name),
            Cell::of(&it.pid),
            mailbox(it.max),
            Cell::of(units::count(it.first)),
            Cell::of(units::count(it.last)),
            Cell::of(growth),
        ]
    });
    page.table(&heads, rows.collect());
}

fn tables(rows: &[TableOver], page: &mut Page) {
    if rows.is_empty() {
        return;
    }
    page.heading("ETS tables", "those that changed most first, then the biggest");
    let heads = [
        ("table", Align::Name),
        ("owner", Align::Name),
        ("objects", Align::Right),
        ("change", Align::Right),
        ("memory", Align::Right),
        ("change", Align::Right),
    ];
    let rows = rows.iter().map(|it| {
        let objects = difference(it.size_first, it.size_last, units::count);
        let memory = difference(it.memory_first, it.memory_last, units::bytes);
        vec![
            Cell::of(it.name.strip_prefix("Elixir.").unwrap_or(&it.name)),
            Cell::of(&it.owner),
            Cell::of(units::count(it.size_last)),
            Cell::of(objects),
            Cell::of(units::bytes(it.memory_last)),
            Cell::of(memory),
        ]
    });
    page.table(&heads, rows.collect());
}

pub(super) fn difference(first: u64, last: u64, shown: fn(u64) -> String) -> String {
    match last.cmp(&first) {
        std::cmp::Ordering::Equal => "0".to_owned(),
        std::cmp::Ordering::Greater => format!("+{}", shown(last - first)),
        std::cmp::Ordering::Less => format!("-{}", shown(first - last)),
    }
}

fn limits(rows: &[LimitOver], page: &mut Page) {
    if rows.is_empty() {
        return;
    }
    page.heading("Limits", "");
    let heads = [
        ("", Align::Left),
        ("start", Align::Right),
        ("end", Align::Right),
        ("most", Align::Right),
        ("limit", Align::Right),
        ("most used", Align::Right),
    ];
    let rows = rows.iter().map(|it| {
        let near = it.max_share.is_some_and(|it| it > LIMIT_SHARE_WARN);
        let style = if near { Style::Bad } else { Style::Plain };
        vec![
            Cell::of(&it.name),
            Cell::of(units::count(it.first)),
            Cell::of(units::count(it.last)),
            Cell::of(units::count(it.max)),
            Cell::of(it.limit.map_or("none".to_owned(), units::count)),
            Cell::of(it.max_share.map(units::percent).unwrap_or_default()).styled(style),
        ]
    });
    page.table(&heads, rows.collect());
}

fn marks(it: &Report, page: &mut Page) {
    // The first and the last of a session that went well say nothing that is not above.
    let is_news = |it: &&Mark| !matches!(it.kind, MarkKind::Attached | MarkKind::Ended);
    let news: Vec<&Mark> = it.marks.iter().filter(is_news).collect();
    if news.is_empty() {
        return;
    }
    page.heading("What happened", "since the start");
    for mark in news.iter().take(MARKS_SHOWN) {
        let text = format!("{}  {}: {}", seconds(mark.at_ms), kind(mark.kind), mark.text);
        page.item(mark_style(mark.kind), text);
    }
    let more = u64::try_from(news.len().saturating_sub(MARKS_SHOWN)).unwrap_or(u64::MAX);
    if more + it.marks_left_out > 0 {
        let text = format!("{} more in the session", units::count(more + it.marks_left_out));
        page.item(Style::Dim, text);
    }
}

/// What is worth a look stands out.
pub(super) fn mark_style(it: MarkKind) -> Style {
    match it {
        MarkKind::Alarm
        | MarkKind::Frozen
        | MarkKind::Lost
        | MarkKind::Refused
        | MarkKind::Held
        | MarkKind::Restarted
        | MarkKind::LeaseLapsed
        | MarkKind::StoreFailed => Style::Warn,
        MarkKind::Attached
        | MarkKind::Missed
        | MarkKind::Thawed
        | MarkKind::Returned
        | MarkKind::Armed
        | MarkKind::Disarmed
        | MarkKind::StoreRecovered
        | MarkKind::Workload
        | MarkKind::Ended => Style::Plain,
    }
}

/// One word for what happened.
pub(crate) fn kind(it: MarkKind) -> &'static str {
    match it {
        MarkKind::Attached => "attached",
        MarkKind::Missed => "missed",
        MarkKind::Frozen => "frozen",
        MarkKind::Thawed => "thawed",
        MarkKind::Lost => "lost",
        MarkKind::Returned => "returned",
        MarkKind::Restarted => "restarted",
        MarkKind::Refused => "refused",
        MarkKind::Held => "held",
        MarkKind::LeaseLapsed => "lease lapsed",
        MarkKind::Armed => "armed",
        MarkKind::Disarmed => "disarmed",
        MarkKind::StoreFailed => "store failed",
        MarkKind::StoreRecovered => "store recovered",
        MarkKind::Workload => "workload",
        MarkKind::Alarm => "alarm",
        MarkKind::Ended => "ended",
    }
}

fn not_seen(it: &Report, page: &mut Page) {
    if it.not_seen.is_empty() {
        return;
    }
    page.heading("Not seen", "");
    for part in &it.not_seen {
        let ticks = match part.ticks {
            all if all >= it.window.ticks => String::new(),
            1 => " (in 1 tick)".to_owned(),
            some => format!(" (in {} ticks)", units::count(some)),
        };
        page.item(Style::Warn, format!("{}: {}{ticks}", part.it.what, part.it.why));
    }
}

fn cost(it: &Report, page: &mut Page) {
    let cost = &it.cost;
    page.heading("What giulia cost the node", "");
    let text = format!(
        "about {} of its time, {} of one core; the dearest tick {}; {} round trips, {} in and {} out",
        units::ms(cost.target_time_ms),
        units::percent(cost.core_share),
        units::ms(cost.tick_max_ms),
        units::count(cost.round_trips),
        units::bytes(cost.sent_bytes),
        units::bytes(cost.received_bytes),
    );
    let style = if cost.core_share > COST_SHARE_WARN { Style::Warn } else { Style::Plain };
    page.text(style, text);
    if it.session.manifest.is_empty() {
        page.text(Style::Plain, "changed there: nothing");
    }
    for change in &it.session.manifest {
        let (text, style) = restored(change);
        let made = seconds(change.made_at_ms);
        page.item(style, format!("switched on at {made}: {}; {text}", change.what));
    }
}

fn restored(change: &Change) -> (String, Style) {
    let at = change.restored_at_ms.map(|it| format!(" at {}", seconds(it))).unwrap_or_default();
    match change.restored {
        Restored::Yes => (format!("restored{at}"), Style::Good),
        Restored::ByTheNode => (
            format!("the node restores it by itself when it loses us{at}, nobody was there to see"),
            Style::Plain,
        ),
        Restored::NodeEnded => (format!("gone with the node{at}"), Style::Plain),
        Restored::NotYet => ("not yet restored".to_owned(), Style::Warn),
    }
}

#[expect(clippy::cast_precision_loss, reason = "shown to a tenth of a second")]
fn seconds(ms: u64) -> String {
    if ms < 60_000 { format!("{:.1} s", ms as f64 / 1000.0) } else { units::span(ms) }
}
