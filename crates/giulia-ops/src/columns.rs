//! Tables for a terminal: numbers to the right, long names shortened in the middle.
//!
//! What gives way when the room is short, in this order: titles wider than what stands below
//! them, names that matter less, names.

use crate::{
    out::{Style, clean},
    width::{beginning, shortened, width},
};

/// Between two columns.
const GAP: usize = 2;
/// A title that gives way keeps at least this much.
const TITLE_MIN: usize = 4;
/// A name that gives way keeps at least this many columns of the terminal.
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

    /// Its lines, in at most this many columns where names can give way.
    pub(crate) fn lines(&self, room: usize) -> Vec<Line> {
        if self.rows.is_empty() {
            return Vec::new();
        }
        let widths = self.widths(room);
        let mut lines = Vec::with_capacity(self.rows.len() + 1);
        if self.heads.iter().any(|it| !it.title.is_empty()) {
            let cells =
                self.heads.iter().zip(&widths).map(|(head, width)| {
                    Cell::of(beginning(head.title, *width)).styled(Style::Dim)
                });
            lines.push(self.line(&cells.collect::<Vec<_>>(), &widths));
        }
        lines.extend(self.rows.iter().map(|row| self.line(row, &widths)));
        lines
    }

    fn line(&self, cells: &[Cell], widths: &[usize]) -> Line {
        let mut line = Line::new();
        for ((cell, head), &room) in cells.iter().zip(&self.heads).zip(widths) {
            let text = shortened(&cell.text, room);
            let pad = " ".repeat(room.saturating_sub(width(&text)));
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
        let widest: Vec<usize> = (0..self.heads.len())
            .map(|idx| {
                let cells = self.rows.iter().filter_map(|row| row.get(idx));
                cells.map(|it| width(&it.text)).max().unwrap_or(0)
            })
            .collect();
        let titled = widest.iter().zip(&self.heads).map(|(it, head)| width(head.title).max(*it));
        let mut widths: Vec<usize> = titled.collect();
        let total = |widths: &[usize]| {
            widths.iter().sum::<usize>() + GAP * self.heads.len().saturating_sub(1)
        };
        // A title of words tells by its beginning what the column is; of figures, it is short.
        for (idx, (head, widest)) in self.heads.iter().zip(&widest).enumerate() {
            let over = total(&widths).saturating_sub(room);
            if let Some(width) = widths.get_mut(idx)
                && head.align == Align::Left
            {
                *width -= over.min(width.saturating_sub((*widest).max(TITLE_MIN)));
            }
        }
        for (giving, least) in [(Align::Extra, EXTRA_MIN), (Align::Name, NAME_MIN)] {
            // The widest gives way first, one column at a time.
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

    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    pub(crate) fn styled(mut self, style: Style) -> Self {
        self.style = style;
        self
    }
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
    #[test]
    fn figures_stand_under_each_other_whatever_the_script_of_the_names() {
        let mut columns = Columns::new(&[("name", Align::Name), ("count", Align::Right)]);
        let names = [
            "init",
            "注文処理",
            "e\u{301}tat",
            "\u{1f44d}\u{1f3fd} ok",
            "とても長い名前のプロセス",
        ];
        for name in names {
            columns.row([Cell::of(name), Cell::of("7")]);
        }
        for room in [21, 60] {
            let ends: Vec<usize> = (columns.lines(room).into_iter())
                .map(|line| line.into_iter().map(|(_, piece)| piece).collect::<String>())
                .map(|line| width(line.trim_end()))
                .collect();
            assert!(ends.iter().all(|it| *it == ends[0] && *it <= room), "{room}: {ends:?}");
        }
    }

    #[test]
    fn a_wide_title_gives_way_before_a_name_is_cut() {
        let heads = [("name", Align::Name), ("application", Align::Left), ("n", Align::Right)];
        let mut columns = Columns::new(&heads);
        columns.row([Cell::of("sample_pace:worker/3"), Cell::of("sample"), Cell::of("7")]);
        let text: Vec<String> = (columns.lines(31).into_iter())
            .map(|line| line.into_iter().map(|(_, piece)| piece).collect::<String>())
            .collect();
        assert_eq!(text[0].trim_end(), "name                  appli…  n");
        assert_eq!(text[1].trim_end(), "sample_pace:worker/3  sample  7");
    }
}
