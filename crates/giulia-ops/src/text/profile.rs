//! A session by windows for people: a line a window, what jumped, and what happened meanwhile.

use giulia_model::{
    Covered, Gap, Mark, MarkKind, Profile, ProfileBoundary, ProfileChange, ProfileWindow,
};

use crate::{
    Style,
    columns::{Align, Cell},
    text::{explain::named, findings::value, page::Page, report},
    units,
};

/// Marks and gaps that are shown; the document has more.
const LINES_SHOWN: usize = 20;
/// Closer looks that are shown, and what each rests on.
const BOUNDARIES_SHOWN: usize = 20;
const RESTS_ON_SHOWN: usize = 3;
/// Windows below which no jump is told.
const WINDOWS_MIN: usize = 4;

/// The whole profile.
pub(crate) fn profile(it: &Profile) -> Page {
    let mut page = Page::default();
    header(it, &mut page);
    if !it.windows.is_empty() {
        changes(it, &mut page);
        figures(it, &mut page);
        who(it, &mut page);
        boundaries(it, &mut page);
        happened(it, &mut page);
    }
    not_seen(it, &mut page);
    page
}

fn header(it: &Profile, page: &mut Page) {
    page.title(format!("{}: {}", it.session.name, it.session.node));
    let (ended, style) = report::ended(&it.session, it.running);
    let n_windows = it.windows.len();
    let text = if n_windows == 0 {
        format!("From {}: no window. {ended}", it.session.started_at)
    } else {
        let sum = |get: fn(&ProfileWindow) -> u64| it.windows.iter().map(get).sum::<u64>();
        let covered = Covered {
            ticks: sum(|it| it.ticks),
            ticks_missed: sum(|it| it.ticks_missed),
            ..Covered::default()
        };
        let plural = if n_windows == 1 { "" } else { "s" };
        format!(
            "From {}, {n_windows} window{plural} of {} from {} to {}: {}. {ended}",
            it.session.started_at,
            units::span(it.window_ms),
            clock(it, it.from_ms),
            clock(it, it.to_ms),
            report::ticks(&covered),
        )
    };
    page.text(style, text);
}

fn changes(it: &Profile, page: &mut Page) {
    page.heading("What changed most", "jumps from one window to the next, beyond the usual");
    if it.windows.len() < WINDOWS_MIN {
        let text = "too few windows to tell a jump from what changes anyway; a shorter --window \
                    makes more of them";
        page.text(Style::Dim, text);
    } else if it.changes.is_empty() {
        page.text(Style::Plain, "nothing changed beyond what it changes anyway");
    }
    for change in &it.changes {
        page.item(Style::Plain, changed(it, change));
    }
}

fn changed(it: &Profile, change: &ProfileChange) -> String {
    let [before, after] = [change.before, change.after].map(|it| value(it, &change.unit));
    let what = match &change.who {
        None => change.figure.clone(),
        Some(who) => match change.figure.as_str() {
            "reductions of a group" => format!("reductions of {who}"),
            "calls of a function" => format!("calls of {who}"),
            figure => format!("{figure}, at most that of {who}"),
        },
    };
    format!("from {} on  {what}, {before} before and {after} then", clock(it, change.at_ms))
}

fn figures(it: &Profile, page: &mut Page) {
    page.heading(
        "Figures",
        "from the start of the session; work in reductions; middle of the ticks",
    );
    let heads = [
        ("from", Align::Right),
        ("ticks", Align::Right),
        ("work", Align::Right),
        ("cores", Align::Right),
        ("busy", Align::Right),
        ("queue", Align::Right),
        ("memory", Align::Right),
        ("change", Align::Right),
        ("mailbox", Align::Right),
    ];
    let rows = it.windows.iter().map(|window| {
        let work = window.work.as_ref();
        let vm = window.schedulers.as_ref();
        let total = window.memory.iter().find(|it| it.name == "total");
        let change = total.map(|it| report::difference(it.first, it.last, units::bytes));
        let longest = window.mailboxes.as_ref().map(|it| it.first().map_or(0, |it| it.max));
        vec![
            Cell::of(clock(it, window.from_ms)),
            ticks(window),
            known(work.map(|it| units::rate(it.reductions_per_second))),
            known(work.and_then(|it| it.cpu_cores).map(|it| format!("{:.2}", it.median))),
            known(vm.and_then(|it| it.utilisation).map(|it| units::percent(it.median))),
            known(vm.map(|it| format!("{:.0}", it.run_queue.median))),
            known(total.map(|it| units::bytes(it.last))),
            known(change),
            longest.map_or(Cell::of("-"), report::mailbox),
        ]
    });
    page.table(&heads, rows.collect());
}

/// Those that were due stand beside those that are there, where some are missing.
fn ticks(it: &ProfileWindow) -> Cell {
    match it.ticks_missed {
        0 => Cell::of(units::count(it.ticks)),
        missed => Cell::of(format!("{} of {}", it.ticks, it.ticks.saturating_add(missed)))
            .styled(Style::Warn),
    }
}

fn who(it: &Profile, page: &mut Page) {
    let is_counted = it.windows.iter().any(|it| it.calls.is_some());
    let has_mail = it.windows.iter().any(|it| longest(it).is_some());
    let has_work = it.windows.iter().any(|it| it.work.is_some());
    if !is_counted && !has_mail && !has_work {
        return;
    }
    page.heading("Who", "the first of each window; --json has more");
    let mut heads =
        vec![("from", Align::Right), ("busiest group", Align::Name), ("share", Align::Right)];
    if is_counted {
        heads.extend([("most called", Align::Name), ("calls/s", Align::Right)]);
    }
    if has_mail {
        heads.push(("longest mailbox", Align::Name));
    }
    let rows = it.windows.iter().map(|window| {
        let group = window.work.as_ref().and_then(|it| it.by_initial_call.rows.first());
        let mut row = vec![
            Cell::of(clock(it, window.from_ms)),
            known(group.map(|it| it.name.clone())),
            known(group.map(|it| units::percent(it.share))),
        ];
        if is_counted {
            let hottest = window.calls.as_ref().and_then(|it| it.functions.first());
            // One whose own time was measured here is a row, also where no reading counted it.
            let hottest = hottest.filter(|it| it.calls != Some(0));
            let per_s = hottest.and_then(|it| it.calls_per_s).map(units::rate);
            row.extend([known(hottest.map(|it| it.mfa().to_string())), known(per_s)]);
        }
        if has_mail {
            row.push(known(longest(window).map(str::to_owned)));
        }
        row
    });
    page.table(&heads, rows.collect());
}

fn longest(it: &ProfileWindow) -> Option<&str> {
    it.mailboxes.as_ref()?.first().filter(|it| it.max > 0).map(|it| it.name.as_str())
}

/// What nobody saw is no zero.
fn known(it: Option<String>) -> Cell {
    Cell::of(it.unwrap_or_else(|| "-".to_owned()))
}

fn boundaries(it: &Profile, page: &mut Page) {
    let looks: Vec<&ProfileBoundary> = it.windows.iter().flat_map(|it| &it.boundaries).collect();
    if looks.is_empty() {
        return;
    }
    page.heading("What functions rest on", "by closer looks, when they ended");
    for look in looks.iter().take(BOUNDARIES_SHOWN) {
        let rests_on: Vec<String> = look
            .rests_on
            .iter()
            .take(RESTS_ON_SHOWN)
            .map(|it| format!("{} ({} of its time)", named(it), units::percent(it.share_of_time)))
            .collect();
        let told = match (&look.why, rests_on.is_empty()) {
            (_, false) => rests_on.join(", "),
            (Some(why), true) => why.clone(),
            (None, true) => "it was not called".to_owned(),
        };
        page.item(Style::Plain, format!("{}  {}: {told}", clock(it, look.at_ms), look.function));
    }
    more(looks.len(), BOUNDARIES_SHOWN, page);
}

fn happened(it: &Profile, page: &mut Page) {
    let gaps: Vec<&Gap> = it.windows.iter().flat_map(|it| &it.gaps).collect();
    let is_news = |it: &&Mark| !matches!(it.kind, MarkKind::Attached | MarkKind::Ended);
    let marks = it.windows.iter().flat_map(|it| &it.marks);
    let news: Vec<&Mark> = marks.filter(is_news).collect();
    if gaps.is_empty() && news.is_empty() {
        return;
    }
    page.heading("What happened", "since the start");
    for gap in gaps.iter().take(LINES_SHOWN) {
        let why = if gap.why.is_empty() { "no mark says why" } else { &gap.why };
        let [from, to] = [gap.from_ms, gap.to_ms].map(|at_ms| clock(it, at_ms));
        page.item(Style::Warn, format!("no tick from {from} to {to}: {why}"));
    }
    more(gaps.len(), LINES_SHOWN, page);
    for mark in news.iter().take(LINES_SHOWN) {
        let (at, kind) = (clock(it, mark.at_ms), report::kind(mark.kind));
        page.item(report::mark_style(mark.kind), format!("{at}  {kind}: {}", mark.text));
    }
    more(news.len(), LINES_SHOWN, page);
}

fn more(all: usize, shown: usize, page: &mut Page) {
    if all > shown {
        page.item(Style::Dim, format!("{} more in --json", all - shown));
    }
}

fn not_seen(it: &Profile, page: &mut Page) {
    if it.not_seen.is_empty() {
        return;
    }
    page.heading("Not seen", "");
    let all: u64 = it.windows.iter().map(|it| it.ticks).sum();
    for part in &it.not_seen {
        let ticks = match part.ticks {
            0 => String::new(),
            some if some >= all => String::new(),
            1 => " (in 1 tick)".to_owned(),
            some => format!(" (in {} ticks)", units::count(some)),
        };
        page.item(Style::Dim, format!("{}: {}{ticks}", part.it.what, part.it.why));
    }
}

/// `1:05`, `1:02:05` from the start of the session; with tenths where windows are shorter than a
/// second.
fn clock(it: &Profile, ms: u64) -> String {
    // A tick that was due at 10 s comes at 10.003 s, and one at 9.998 s is the same.
    let is_fine = it.window_ms < 1000;
    let ms = ms.saturating_add(if is_fine { 50 } else { 500 });
    let (hours, minutes, seconds) = (ms / 3_600_000, ms / 60_000 % 60, ms / 1000 % 60);
    let tenths = if is_fine { format!(".{}", ms / 100 % 10) } else { String::new() };
    match hours {
        0 => format!("{minutes}:{seconds:02}{tenths}"),
        hours => format!("{hours}:{minutes:02}:{seconds:02}{tenths}"),
    }
}
