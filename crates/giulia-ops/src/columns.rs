//! Tables for a terminal: numbers to the right, long names shortened in the middle.

use crate::out::{Style, clean};

/// Between two columns.
const GAP: usize = 2;
/// A name that gives way keeps at least this many characters.
const NAME_MIN: usize = 12;
/// One that gives way before the others keeps more, so that something is left to read.
const EXTRA_MIN: usize = 18;

/// One line: pieces with their styles.
type Line = Vec<(Style, String)>;

/// A table under construction.
#[derive(Debug)]
pub(crate) struct Columns {
    heads: Vec<Head>,
    rows: Vec<Vec<Cell>>,
}

#[derive(Debug)]
struct Head {
    title: &'static str,
    align: Align,
}

/// One figure or name.
#[derive(Debug, Clone)]
pub(crate) struct Cell {
    text: String,
    style: Style,
}

/// How a column stands, and whether it gives way when the table is too wide.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Align {
    /// Names: left, shortened when the room is short.
    Name,
    /// Names that matter less: left, shortened before the others.
    Extra,
    /// Words: left.
    Left,
    /// Numbers: right.
    Right,
}

impl Columns {
    pub(crate) fn new(heads: &[(&'static str, Align)]) -> Self {
        let heads = heads.iter().map(|&(title, align)| Head { title, align }).collect();
        Self { heads, rows: Vec::new() }
    }

    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = Cell>) {
        self.rows.push(cells.into_iter().collect());
    }

    /// Its lines, in at most this many characters where names can give way.
    pub(crate) fn lines(&self, room: usize) -> Vec<Line> {
        if self.rows.is_empty() {
            return Vec::new();
        }
        let widths = self.widths(room);
        let mut lines = Vec::with_capacity(self.rows.len() + 1);
        if self.heads.iter().any(|it| !it.title.is_empty()) {
            let cells = self.heads.iter().map(|it| Cell::of(it.title).styled(Style::Dim));
            lines.push(self.line(&cells.collect::<Vec<_>>(), &widths));
        }
        lines.extend(self.rows.iter().map(|row| self.line(row, &widths)));
        lines
    }

    fn line(&self, cells: &[Cell], widths: &[usize]) -> Line {
        let mut line = Line::new();
        for ((cell, head), &width) in cells.iter().zip(&self.heads).zip(widths) {
            let text = shortened(&cell.text, width);
            let pad = " ".repeat(width.saturating_sub(text.chars().count()));
            if head.align == Align::Right {
                line.push((Style::Plain, pad));
                line.push((cell.style, text));
            } else {
                line.push((cell.style, text));
                line.push((Style::Plain, pad));
            }
            line.push((Style::Plain, " ".repeat(GAP)));
        }
        line
    }

    fn widths(&self, room: usize) -> Vec<usize> {
        let mut widths: Vec<usize> = (self.heads.iter().enumerate())
            .map(|(idx, head)| {
                let cells = self.rows.iter().filter_map(|row| row.get(idx));
                let widest = cells.map(|it| it.text.chars().count()).max().unwrap_or(0);
                widest.max(head.title.chars().count())
            })
            .collect();
        let total = |widths: &[usize]| {
            widths.iter().sum::<usize>() + GAP * self.heads.len().saturating_sub(1)
        };
        for (giving, least) in [(Align::Extra, EXTRA_MIN), (Align::Name, NAME_MIN)] {
            // The widest gives way first, one character at a time.
            while total(&widths) > room {
                let names = self.heads.iter().zip(&mut widths);
                let names = names.filter(|(head, _)| head.align == giving).map(|(_, it)| it);
                match names.max() {
                    Some(width) if *width > least => *width -= 1,
                    Some(_) | None => break,
                }
            }
        }
        widths
    }
}

impl Cell {
    pub(crate) fn of(text: impl AsRef<str>) -> Self {
        Self { text: clean(text.as_ref()), style: Style::Plain }
    }

    pub(crate) fn styled(mut self, style: Style) -> Self {
        self.style = style;
        self
    }
}

/// A little of its beginning and more of its end, which tells more: `Shop.…Worker.init/1`.
fn shortened(text: &str, width: usize) -> String {
    let length = text.chars().count();
    if length <= width {
        return text.to_owned();
    }
    let kept = width.saturating_sub(1);
    let head = kept / 3;
    let tail = kept - head;
    let (head, tail) = (text.chars().take(head), text.chars().skip(length - tail));
    head.chain(['…']).chain(tail).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_give_way_and_numbers_do_not() {
        let mut columns = Columns::new(&[("name", Align::Name), ("count", Align::Right)]);
        columns.row([Cell::of("Shop.Checkout.Worker.handle_call/3"), Cell::of("1,234")]);
        columns.row([Cell::of("init"), Cell::of("7")]);
        let text: Vec<String> = (columns.lines(24).into_iter())
            .map(|line| line.into_iter().map(|(_, piece)| piece).collect::<String>())
            .collect();
        assert_eq!(text[0].trim_end(), "name               count");
        assert_eq!(text[1].trim_end(), "Shop.…ndle_call/3  1,234");
        assert_eq!(text[2].trim_end(), "init                   7");
    }
}
