//! Folded stacks: a line a stack, `group;outermost;...;innermost COUNT`, for flamegraph.pl, inferno,
//! speedscope and `grep`.
//!
//! A line that begins with `#` says what the figures are; readers of the format skip lines without
//! a count at their end, so those end with a full stop.

use std::{collections::BTreeMap, fmt::Write as _};

use giulia_model::Flame;

use super::{notes, subtitle, title, tree};
use crate::Writer;

pub(super) const WRITER: Writer<Flame> =
    Writer { name: "folded", endings: &[".folded", ".collapsed", ".txt"], write };

fn write(it: &Flame) -> Vec<u8> {
    let mut text = format!("# {}.\n# {}.\n", line(&title(it)), line(&subtitle(it)));
    for note in notes(it) {
        writeln!(text, "# {}", line(&note)).ok();
    }
    // Stacks that differ in lines of source only are one here.
    let mut folded: BTreeMap<String, u64> = BTreeMap::new();
    for stack in &it.stacks {
        let names: Vec<String> = tree::path(stack).iter().map(|(name, _)| frame(name)).collect();
        let known = folded.entry(names.join(";")).or_default();
        *known = known.saturating_add(stack.samples);
    }
    for (stack, samples) in folded {
        writeln!(text, "{stack} {samples}").ok();
    }
    text.into_bytes()
}

/// A name that ends neither the frame nor the line.
fn frame(name: &str) -> String {
    line(name).replace(';', ",")
}

fn line(text: &str) -> String {
    text.chars().map(|it| if it.is_control() { '?' } else { it }).collect()
}
