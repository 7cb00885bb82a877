//! Where text for people goes: knows the width and whether colour helps, and nothing else.
//!
//! What a node says of itself (names, labels) is foreign text: control characters become `?`,
//! so that no process name can move the reader's cursor.

use crate::{columns::Columns, width::width};

/// Narrowest text that stays readable.
const WIDTH_MIN: usize = 60;
/// Widest text that the eye follows back to the next line; tables, which it follows down, may be
/// as wide as the terminal.
const WIDTH_MAX: usize = 120;

/// Text under construction.
#[derive(Debug)]
pub struct Out {
    width: usize,
    table_width: usize,
    colour: bool,
    text: String,
}

/// How a piece of text stands out; it reads the same without.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// As it is.
    Plain,
    /// A heading.
    Title,
    /// Less important.
    Dim,
    /// In order.
    Good,
    /// To be looked at.
    Warn,
    /// Wrong.
    Bad,
}

impl Out {
    /// For a terminal of so many columns.
    pub fn new(width: usize, colour: bool) -> Self {
        let table_width = width.max(WIDTH_MIN);
        Self { width: table_width.min(WIDTH_MAX), table_width, colour, text: String::new() }
    }

    /// Without colour.
    pub fn plain(width: usize) -> Self {
        Self::new(width, false)
    }

    /// What was written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Columns in a line.
    pub(crate) fn width(&self) -> usize {
        self.width
    }

    /// Pieces that make a line.
    pub(crate) fn line(&mut self, pieces: &[(Style, &str)]) {
        for (style, piece) in pieces {
            self.piece(*style, piece);
        }
        self.end_line();
    }

    /// A paragraph: broken between words, every line behind this many spaces.
    pub(crate) fn paragraph(&mut self, indent: usize, style: Style, text: &str) {
        self.hanging(&" ".repeat(indent), indent, style, text);
    }

    /// A paragraph whose first line starts with `first` and whose others are indented.
    pub(crate) fn hanging(&mut self, first: &str, indent: usize, style: Style, text: &str) {
        let room = |taken: usize| self.width.saturating_sub(taken).max(1);
        let mut start = first.to_owned();
        for line in broken(&clean(text), room(width(first)), room(indent)) {
            self.piece(Style::Plain, &start);
            self.piece(style, &line);
            self.end_line();
            start = " ".repeat(indent);
        }
    }

    /// An empty line and a heading, with a note in parentheses or without.
    pub(crate) fn heading(&mut self, title: &str, note: &str) {
        self.blank();
        self.piece(Style::Title, title);
        if note.is_empty() {
            self.end_line();
        } else if width(title) + width(note) + 4 <= self.width {
            self.piece(Style::Dim, &format!("  ({note})"));
            self.end_line();
        } else {
            self.end_line();
            self.paragraph(2, Style::Dim, &format!("({note})"));
        }
    }

    /// An empty line, unless there is nothing to part.
    pub(crate) fn blank(&mut self) {
        if !self.text.is_empty() {
            self.text.push('\n');
        }
    }

    /// A table, two spaces in.
    pub(crate) fn columns(&mut self, columns: &Columns) {
        for line in columns.lines(self.table_width.saturating_sub(2)) {
            self.text.push_str("  ");
            for (style, piece) in line {
                self.piece(style, &piece);
            }
            self.end_line();
        }
    }

    fn piece(&mut self, style: Style, piece: &str) {
        let piece = clean(piece);
        let code = match style {
            Style::Plain => "",
            Style::Title => "1",
            Style::Dim => "2",
            Style::Good => "32",
            Style::Warn => "33",
            Style::Bad => "31",
        };
        if self.colour && !code.is_empty() && !piece.trim().is_empty() {
            self.text.extend(["\u{1b}[", code, "m", &piece, "\u{1b}[0m"]);
        } else {
            self.text.push_str(&piece);
        }
    }

    fn end_line(&mut self) {
        self.text.truncate(self.text.trim_end_matches(' ').len());
        self.text.push('\n');
    }
}

/// Foreign text without anything that a terminal obeys.
pub(crate) fn clean(text: &str) -> String {
    // Beside controls, the marks that turn the direction of writing (Unicode's bidi controls).
    let obeyed = |it: char| {
        it.is_control()
            || matches!(it, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    text.chars().map(|it| if obeyed(it) { '?' } else { it }).collect()
}

/// Lines between words, the first with less or more room than the others.
fn broken(text: &str, first_room: usize, other_room: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in text.split(' ') {
        let room = if lines.is_empty() { first_room } else { other_room };
        let long = width(&line) + 1 + width(word) > room;
        if long && !line.is_empty() {
            lines.push(std::mem::take(&mut line));
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    lines.push(line);
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_name_cannot_move_the_cursor() {
        let mut out = Out::new(80, true);
        out.line(&[(Style::Plain, "a\u{1b}[2Jb\r\u{202e}c")]);
        assert_eq!(out.text(), "a?[2Jb??c\n");
    }

    #[test]
    fn paragraphs_of_wide_characters_keep_within_the_width() {
        let mut out = Out::plain(60);
        out.paragraph(2, Style::Plain, &"注文処理 ".repeat(30));
        assert!(out.text().lines().all(|it| width(it) <= 60), "{}", out.text());
    }

    #[test]
    fn paragraphs_keep_within_the_width() {
        let mut out = Out::plain(60);
        out.hanging("  much longer than the indent: ", 5, Style::Plain, &"word ".repeat(40));
        assert!(out.text().lines().all(|it| it.chars().count() <= 60), "{}", out.text());
        assert!(out.text().lines().nth(1).unwrap().starts_with("     word"));
    }
}
