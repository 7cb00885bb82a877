//! One picture: boxes as wide as their share, callers below, with the notes under it.
//!
//! No script and no font of its own: it opens in a browser, an editor and a chat. Hovering tells
//! what a box is (`<title>`).

use std::fmt::Write as _;

use giulia_model::Flame;

use super::{
    escaped, notes, subtitle, title,
    tree::{self, Kind, Node},
};
use crate::{Writer, units};

pub(super) const WRITER: Writer<Flame> = Writer { name: "svg", endings: &[".svg"], write };

/// Of the picture, its margins and a box, in user units, which are pixels at first.
const WIDTH: f64 = 1200.0;
const MARGIN: f64 = 20.0;
const ROW: f64 = 20.0;
const HEAD: f64 = 84.0;
const LEGEND: f64 = 34.0;
const NOTE: f64 = 17.0;
/// Narrower boxes are nothing that one could see or point at.
const BOX_MIN: f64 = 0.25;
/// A letter of the 11 pixel monospaced font, and one of the 12 pixel text.
const LETTER: f64 = 6.63;
const NOTE_LETTERS: usize = 178;

const STYLE: &str = "\
svg{font-family:ui-sans-serif,system-ui,-apple-system,'Segoe UI',Roboto,Helvetica,Arial,sans-serif}\
.h{font-size:20px;font-weight:650;fill:#1d2433}.s{font-size:12.5px;fill:#5b6579}\
.n{font-size:12px;fill:#5b6579}\
.g text{font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono',monospace;\
font-size:11px;fill:#1b2130;pointer-events:none}\
.g rect{rx:2.5px;stroke:#fff;stroke-width:.8px}\
.g g:hover rect{stroke:#1d2433;stroke-width:1.4px}";

fn write(it: &Flame) -> Vec<u8> {
    let root = tree::tree(it);
    let rows = tree::depth(&root);
    let notes: Vec<String> = notes(it).flat_map(|it| lines(&it)).collect();
    let graph = number(rows) * ROW;
    let height = HEAD + graph + LEGEND + number(notes.len()) * NOTE + MARGIN;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" \
         width=\"{WIDTH}\" height=\"{height}\">\n<style>{STYLE}</style>\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#fbfbfd\"/>\n\
         <text class=\"h\" x=\"{MARGIN}\" y=\"38\">{}</text>\n\
         <text class=\"s\" x=\"{MARGIN}\" y=\"60\">{}</text>\n<g class=\"g\">\n",
        escaped(&title(it)),
        escaped(&subtitle(it)),
    );
    if root.total == 0 {
        let y = HEAD + ROW;
        writeln!(svg, "<text x=\"{MARGIN}\" y=\"{y}\">no samples</text>").ok();
    } else {
        let place =
            Place { x: MARGIN, unit: (WIDTH - 2.0 * MARGIN) / ratio(root.total), all: root.total };
        draw(&root, place, HEAD + graph - ROW, &mut svg);
    }
    svg.push_str("</g>\n");
    legend(HEAD + graph + 20.0, &mut svg);
    for (idx, note) in notes.iter().enumerate() {
        let y = HEAD + graph + LEGEND + 14.0 + number(idx) * NOTE;
        writeln!(svg, "<text class=\"n\" x=\"{MARGIN}\" y=\"{y}\">{}</text>", escaped(note)).ok();
    }
    svg.push_str("</svg>\n");
    svg.into_bytes()
}

/// Where a box begins, how wide a sample is, and how many there are.
#[derive(Clone, Copy)]
struct Place {
    x: f64,
    unit: f64,
    all: u64,
}

fn draw(it: &Node, place: Place, y: f64, svg: &mut String) {
    let width = ratio(it.total) * place.unit;
    if width < BOX_MIN {
        return;
    }
    let share = units::percent(ratio(it.total) / ratio(place.all));
    let own = if it.own > 0 && it.own < it.total {
        format!(", {} of its own", units::count(it.own))
    } else {
        String::new()
    };
    write!(
        svg,
        "<g><title>{}: {} samples, {share}{own}</title><rect x=\"{:.2}\" y=\"{y}\" width=\"{width:.2}\" \
         height=\"{}\" fill=\"{}\"/>",
        escaped(&it.name),
        units::count(it.total),
        place.x,
        ROW - 1.0,
        colour(it),
    )
    .ok();
    if let Some(text) = fitting(&it.name, width) {
        write!(
            svg,
            "<text x=\"{:.2}\" y=\"{}\">{}</text>",
            place.x + 4.0,
            y + 13.5,
            escaped(&text)
        )
        .ok();
    }
    svg.push_str("</g>\n");
    let mut x = place.x;
    for child in &it.children {
        draw(child, Place { x, ..place }, y - ROW, svg);
        x += ratio(child.total) * place.unit;
    }
}

/// Kinds by hue, modules by a little of it, functions by lightness: the same function has the same colour in every graph.
pub(super) fn colour(it: &Node) -> String {
    let hash = |text: &str| {
        f64::from(text.bytes().fold(7_u8, |sum, it| sum.wrapping_mul(31) ^ it)) / 255.0
    };
    let module = it.name.rsplit_once([':', '.']).map_or(it.name.as_str(), |(module, _)| module);
    // The middle for a legend, which has no name.
    let (spread, shade) =
        if it.name.is_empty() { (0.5, 0.5) } else { (hash(module), hash(&it.name)) };
    let (hue, saturation, light) = match it.kind {
        Kind::All => (222.0, 14.0, 84.0),
        Kind::Group => (214.0 + 12.0 * spread, 52.0, 82.0),
        Kind::Library => (200.0 + 30.0 * spread, 10.0, 86.0),
        Kind::Elixir => (266.0 + 26.0 * spread, 66.0, 80.0),
        Kind::Erlang => (14.0 + 34.0 * spread, 88.0, 74.0),
        Kind::Missing => (0.0, 0.0, 92.0),
    };
    let light = light + 3.0 - 6.0 * shade;
    format!("hsl({hue:.0} {saturation}% {light:.1}%)")
}

fn legend(y: f64, svg: &mut String) {
    let kinds = [
        ("processes, by what they are", Kind::Group),
        ("functions of Elixir modules", Kind::Elixir),
        ("of Erlang modules", Kind::Erlang),
        ("of OTP and of Elixir itself", Kind::Library),
        ("not told by the VM", Kind::Missing),
    ];
    let mut x = MARGIN;
    for (text, kind) in kinds {
        let sample = Node { kind, ..Node::default() };
        writeln!(
            svg,
            "<rect x=\"{x}\" y=\"{}\" width=\"12\" height=\"12\" rx=\"2.5\" fill=\"{}\"/>\
             <text class=\"n\" x=\"{}\" y=\"{}\">{text}</text>",
            y - 10.0,
            colour(&sample),
            x + 18.0,
            y + 0.5,
        )
        .ok();
        x += 40.0 + number(text.len()) * 6.5;
    }
}

/// A name as far as it fits, from its end where its function is; nothing below three letters.
fn fitting(name: &str, width: f64) -> Option<String> {
    let mut room = 0;
    while number(room + 1) * LETTER + 7.0 <= width {
        room += 1;
    }
    let letters = name.chars().count();
    if letters <= room {
        return Some(name.to_owned());
    }
    if room < 4 {
        return None;
    }
    let tail: String = name.chars().skip(letters - (room - 1)).collect();
    Some(format!("…{tail}"))
}

/// A note, broken between words.
fn lines(note: &str) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in note.split(' ') {
        match lines.last_mut() {
            Some(line) if line.chars().count() + word.chars().count() < NOTE_LETTERS => {
                line.push(' ');
                line.push_str(word);
            }
            Some(_) => lines.push(format!("  {word}")),
            None => lines.push(word.to_owned()),
        }
    }
    lines
}

fn number(it: usize) -> f64 {
    f64::from(u32::try_from(it).unwrap_or(u32::MAX))
}

#[expect(clippy::cast_precision_loss, reason = "pixels")]
fn ratio(samples: u64) -> f64 {
    samples as f64
}
