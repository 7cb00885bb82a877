//! Sessions under way for people; asking them is the program's, how they read is here.

use giulia_model::Status;

use crate::{
    Out, Style,
    columns::{Align, Cell, Columns},
    text::report,
    units,
};

/// All of them; `clock` writes milliseconds as a running clock does.
pub fn status(it: &Status, clock: fn(u64) -> String, out: &mut Out) {
    let many = if it.running.len() == 1 { "session is" } else { "sessions are" };
    out.line(&[(Style::Title, &format!("{} {many} being recorded", it.running.len()))]);
    let mut columns = Columns::new(&[
        ("session", Align::Name),
        ("node", Align::Name),
        ("state", Align::Left),
        ("for", Align::Right),
        ("ticks", Align::Right),
        ("missed", Align::Right),
        ("of a core", Align::Right),
    ]);
    for live in &it.running {
        let style = if live.state == "attached" { Style::Good } else { Style::Warn };
        columns.row([
            Cell::of(&live.session),
            Cell::of(&live.node),
            Cell::of(&live.state).styled(style),
            Cell::of(clock(live.elapsed_ms)),
            Cell::of(units::count(live.ticks)),
            Cell::of(units::count(live.ticks_missed)),
            Cell::of(units::percent(live.core_share)),
        ]);
    }
    out.columns(&columns);
    for live in &it.running {
        if let Some(mark) = &live.last_mark {
            let kind = report::kind(mark.kind);
            let text = format!("{kind} at {}: {}", clock(mark.at_ms), mark.text);
            out.hanging(&format!("  {}: ", live.session), 4, Style::Plain, &text);
        }
    }
}
