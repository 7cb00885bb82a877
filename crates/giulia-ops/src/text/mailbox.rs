//! One process's messages for people: kinds, service, how busy, how long they wait.

use giulia_model::{
    Busy, BusySource, Mailbox, MeasuredSize, MessageKind, MessageSize, MessageSource, Restored,
    ServerKind, ServiceTime, Switched, Waiting,
};

use super::snapshot;
use crate::{
    Out, Style,
    columns::{Align, Cell, Columns},
    units,
};

/// Kinds in the text; the document has up to fifty.
const KINDS_SHOWN_MAX: usize = 20;

/// Above this share of its time a single process is a bottleneck in the making: at 70 % a message
/// waits more than twice as long as it takes (M/M/1; Kleinrock, Queueing Systems, vol. 1).
const BUSY_WARN: f64 = 0.7;

/// The whole answer.
pub(crate) fn mailbox(it: &Mailbox, out: &mut Out) {
    out.line(&[(Style::Title, &it.name), (Style::Plain, &format!("  {} on {}", it.pid, it.node))]);
    out.paragraph(0, Style::Dim, &format!("Taken {}. {}", it.taken_at, how(it)));
    out.blank();
    let runs = server(it.server);
    let callback = it.callback.as_ref().map(|it| format!(", callbacks of {it}"));
    fact("runs in", &format!("{runs}{}", callback.unwrap_or_default()), Style::Plain, out);
    if let Some(len) = &it.mailbox {
        let grown = if len.first == len.now {
            String::new()
        } else {
            format!(", {} at first", units::count(len.first))
        };
        let text = format!(
            "{} wait now{grown}; at most {} in {} looks",
            units::count(len.now),
            units::count(len.max),
            units::count(len.looks)
        );
        fact("mailbox", &text, Style::Plain, out);
    }
    if it.source != MessageSource::Nothing {
        figures(it, out);
        kinds(it, out);
    }
    snapshot::not_seen(&it.not_seen, out);
    switched(&it.changes, out);
    snapshot::cost(&it.impact, out);
}

/// What was switched on for a question and is off again, or not.
pub(super) fn switched(changes: &[Switched], out: &mut Out) {
    if changes.is_empty() {
        return;
    }
    let left: Vec<&str> = changes
        .iter()
        .filter(|it| it.restored == Restored::NotYet)
        .map(|it| it.what.as_str())
        .collect();
    out.blank();
    if left.is_empty() {
        out.paragraph(
            0,
            Style::Dim,
            "Everything that was switched on for this is switched off again.",
        );
    } else {
        let text = format!(
            "The node did not say that it switched off {}; it does so when it loses us.",
            left.join(", ")
        );
        out.paragraph(0, Style::Bad, &text);
    }
}

fn how(it: &Mailbox) -> String {
    let seen = units::ms(it.seen_ms);
    let whole = if it.complete {
        format!("All messages of {seen}")
    } else {
        format!(
            "A sample: the messages of {seen} in {}, in {} parts",
            units::ms(it.window_ms),
            it.samples
        )
    };
    let whole = if it.interrupted { format!("{whole}, until it was stopped") } else { whole };
    match it.source {
        MessageSource::Callbacks => {
            format!("{whole}, by calls of its callbacks; contents were not looked at.")
        }
        MessageSource::Receive => {
            format!("{whole}, by a receive trace, of which kinds and sizes are kept.")
        }
        MessageSource::Nothing => "Its messages were not looked at.".to_owned(),
    }
}

fn server(it: ServerKind) -> &'static str {
    match it {
        ServerKind::GenServer => "gen_server",
        ServerKind::GenStatem => "gen_statem",
        ServerKind::GenEvent => "gen_event",
        ServerKind::Plain => "a receive loop of its own",
    }
}

fn figures(it: &Mailbox, out: &mut Out) {
    let rate = it.per_second.map(|it| format!(", {}", units::rate(it))).unwrap_or_default();
    fact("messages", &format!("{}{rate}", units::count(it.messages)), Style::Plain, out);
    if let Some(service) = &it.service {
        fact("takes", &format!("{} for one", times(service)), Style::Plain, out);
    }
    if let Some(busy) = &it.busy {
        let style = if busy.share >= BUSY_WARN { Style::Warn } else { Style::Plain };
        fact("busy", &self::busy(busy), style, out);
    }
    if let Some(waiting) = &it.waiting {
        fact("waits", &self::waiting(waiting), Style::Plain, out);
    }
}

fn busy(it: &Busy) -> String {
    let share = units::percent(it.share);
    match (it.source, it.waiting_share) {
        (BusySource::RunningOrInCallback, Some(waits)) => format!(
            "{share} of the time, {} of it waiting for others in the middle of a message",
            units::percent(if it.share > 0.0 { waits / it.share } else { 0.0 })
        ),
        (BusySource::RunningOrInCallback | BusySource::InCallback, _) => {
            format!("{share} of the time inside a callback; the loop around it is not counted")
        }
        (BusySource::Running, _) => {
            format!("{share} of the time on a scheduler; waiting for others is not counted")
        }
    }
}

fn waiting(it: &Waiting) -> String {
    let most = if it.is_bound { "at most " } else { "" };
    format!(
        "{most}{} in the mailbox, by Little's law: {:.2} messages on the average of {} looks, {} came",
        units::ms(it.mean_ms),
        it.mailbox_len_mean,
        units::count(it.looks),
        units::rate(it.arrivals_per_second)
    )
}

fn times(it: &ServiceTime) -> String {
    format!(
        "{} (half within {}, 99 of 100 within {}, at most {})",
        us(it.mean_us),
        us(it.p50_us),
        us(it.p99_us),
        us(it.max_us)
    )
}

fn kinds(it: &Mailbox, out: &mut Out) {
    out.heading("Kinds of messages", "");
    if it.kinds.is_empty() {
        out.line(&[(Style::Plain, "  no message came")]);
        return;
    }
    let with_service = it.kinds.iter().any(|it| it.service.is_some());
    let mut heads = vec![
        ("message", Align::Name),
        ("as", Align::Left),
        ("seen", Align::Right),
        ("share", Align::Right),
        ("rate", Align::Right),
        ("size", Align::Left),
    ];
    if with_service {
        heads.extend([("takes", Align::Right), ("99 %", Align::Right)]);
    }
    let mut columns = Columns::new(&heads);
    for kind in it.kinds.iter().take(KINDS_SHOWN_MAX) {
        columns.row(row(kind, with_service));
    }
    out.columns(&columns);
    let hidden = it.kinds.iter().skip(KINDS_SHOWN_MAX).map(|it| it.count).sum::<u64>();
    let others = hidden.saturating_add(it.other_kinds);
    if others > 0 {
        let text = format!("  {} messages of other kinds", units::count(others));
        out.line(&[(Style::Dim, &text)]);
    }
}

fn row(kind: &MessageKind, with_service: bool) -> Vec<Cell> {
    let mut cells = vec![
        Cell::of(&kind.shape),
        Cell::of(&kind.via),
        Cell::of(units::count(kind.count)),
        Cell::of(units::percent(kind.share)),
        Cell::of(kind.per_second.map_or("?".to_owned(), units::rate)),
        Cell::of(kind.size.as_ref().map_or(String::new(), size)),
    ];
    if with_service {
        let time = |of: fn(&ServiceTime) -> f64| {
            Cell::of(kind.service.as_ref().map_or("?".to_owned(), |it| us(of(it))))
        };
        cells.extend([time(|it| it.mean_us), time(|it| it.p99_us)]);
    }
    cells
}

fn size(it: &MessageSize) -> String {
    let one = |figure| match it.of {
        MeasuredSize::BinaryBytes | MeasuredSize::EncodedBytes => units::bytes(figure),
        MeasuredSize::Keys => units::count(figure),
    };
    let range =
        if it.p50 == it.max { one(it.max) } else { format!("{} to {}", one(it.p50), one(it.max)) };
    match it.of {
        MeasuredSize::BinaryBytes => format!("{range} binary"),
        MeasuredSize::Keys => format!("{range} keys"),
        MeasuredSize::EncodedBytes => range,
    }
}

/// Microseconds, and what is longer as milliseconds.
fn us(us: f64) -> String {
    if us < 1000.0 { format!("{us:.1} us") } else { units::ms(us / 1000.0) }
}

fn fact(name: &str, text: &str, style: Style, out: &mut Out) {
    out.hanging(&format!("  {name:<14}"), 16, style, text);
}
