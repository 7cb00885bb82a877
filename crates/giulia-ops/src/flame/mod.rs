//! Flame graphs as files: one writer a file, one entry in [`WRITERS`].
//!
//! Bytes only; whoever asks decides where they go.

mod folded;
mod html;
mod name;
mod pprof;
mod speedscope;
mod svg;
mod tree;

use giulia_model::{Flame, FlameOf};

pub(crate) use name::name;

use crate::{Writer, units};

/// Every kind of file, the one for a colleague first.
pub(crate) static WRITERS: &[Writer<Flame>] =
    &[html::WRITER, svg::WRITER, folded::WRITER, speedscope::WRITER, pprof::WRITER];

/// What was sampled, in a few words.
fn title(it: &Flame) -> String {
    let of = match it.of {
        FlameOf::Running => "at work",
        FlameOf::Waiting => "waiting",
    };
    format!("{}: processes {of}, {}", it.node, units::ms(it.window_ms))
}

/// How much stands behind it.
fn subtitle(it: &Flame) -> String {
    let chosen = if it.samples < it.samples_all {
        format!(" of {}", units::count(it.samples_all))
    } else {
        String::new()
    };
    format!(
        "{}{chosen} samples in {} rounds ({:.0} a second), shares within {:.1} points; {}",
        units::count(it.samples),
        units::count(it.rounds),
        it.rate_hz,
        it.margin_points,
        it.taken_at,
    )
}

/// What a graph shows wrongly or not at all.
fn notes(it: &Flame) -> impl Iterator<Item = String> {
    let not_seen = it.not_seen.iter().map(|it| format!("Not seen: {}: {}.", it.what, it.why));
    it.bias.iter().cloned().chain(not_seen)
}

/// Names come from the node: nothing in them is markup or moves a line.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for it in text.chars() {
        match it {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            it if it.is_control() => safe.push('?'),
            it => safe.push(it),
        }
    }
    safe
}
