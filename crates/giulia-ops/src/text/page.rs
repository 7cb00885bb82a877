//! A page of headings, paragraphs and tables, which a terminal, Markdown and HTML show.

use crate::{
    Out, Style,
    columns::{Align, Cell, Columns},
    html::escaped as escaped_html,
    out::clean,
};

/// A page under construction.
#[derive(Debug, Default)]
pub(crate) struct Page {
    blocks: Vec<Block>,
}

#[derive(Debug)]
enum Block {
    Title(String),
    Heading { title: String, note: String },
    Text(Style, String),
    Item(Style, String),
    Table { heads: Vec<(&'static str, Align)>, rows: Vec<Vec<Cell>> },
}

impl Page {
    pub(crate) fn title(&mut self, text: impl Into<String>) {
        self.blocks.push(Block::Title(text.into()));
    }

    pub(crate) fn heading(&mut self, title: &str, note: impl Into<String>) {
        self.blocks.push(Block::Heading { title: title.to_owned(), note: note.into() });
    }

    pub(crate) fn text(&mut self, style: Style, text: impl Into<String>) {
        self.blocks.push(Block::Text(style, text.into()));
    }

    pub(crate) fn item(&mut self, style: Style, text: impl Into<String>) {
        self.blocks.push(Block::Item(style, text.into()));
    }

    /// A table; one without rows is none.
    pub(crate) fn table(&mut self, heads: &[(&'static str, Align)], rows: Vec<Vec<Cell>>) {
        if !rows.is_empty() {
            self.blocks.push(Block::Table { heads: heads.to_vec(), rows });
        }
    }

    /// For a terminal.
    pub(crate) fn show(self, out: &mut Out) {
        let mut is_under_heading = false;
        for block in self.blocks {
            match block {
                Block::Title(text) => out.line(&[(Style::Title, &text)]),
                Block::Heading { title, note } => {
                    is_under_heading = true;
                    out.heading(&title, &note);
                }
                Block::Text(style, text) => {
                    out.paragraph(if is_under_heading { 2 } else { 0 }, style, &text);
                }
                Block::Item(style, text) => out.hanging("  ", 4, style, &text),
                Block::Table { heads, rows } => {
                    let mut columns = Columns::new(&heads);
                    for row in rows {
                        columns.row(row);
                    }
                    out.columns(&columns);
                }
            }
        }
    }

    /// As a part of an HTML document.
    pub(crate) fn html(self) -> String {
        let mut text = String::new();
        let mut in_list = false;
        for block in self.blocks {
            let is_item = matches!(block, Block::Item(..));
            if is_item != in_list {
                text.push_str(if is_item { "<ul>\n" } else { "</ul>\n" });
                in_list = is_item;
            }
            match block {
                Block::Title(title) => push(&mut text, &["<h1>", &escaped_html(&title), "</h1>"]),
                Block::Heading { title, note } => {
                    let (title, note) = (escaped_html(&title), escaped_html(&note));
                    push(&mut text, &["<h2>", &title, " <small>", &note, "</small></h2>"]);
                }
                Block::Text(style, it) => tag(&mut text, "p", class(style), &it),
                Block::Item(style, it) => tag(&mut text, "li", class(style), &it),
                Block::Table { heads, rows } => table_html(&mut text, &heads, &rows),
            }
        }
        if in_list {
            text.push_str("</ul>\n");
        }
        text
    }

    /// As a Markdown document.
    pub(crate) fn markdown(self) -> String {
        let mut text = String::new();
        let mut was_item = false;
        for block in self.blocks {
            let is_item = matches!(block, Block::Item(..));
            let goes_on = is_item && was_item;
            if !text.is_empty() && !goes_on {
                text.push('\n');
            }
            was_item = is_item;
            match block {
                Block::Title(title) => push(&mut text, &["# ", &escaped(&title)]),
                Block::Heading { title, note } if note.is_empty() => {
                    push(&mut text, &["## ", &escaped(&title)]);
                }
                Block::Heading { title, note } => {
                    push(&mut text, &["## ", &escaped(&title), "\n\n*", &escaped(&note), "*"]);
                }
                Block::Text(_, it) => push(&mut text, &[&escaped(&it)]),
                Block::Item(_, it) => push(&mut text, &["- ", &escaped(&it)]),
                Block::Table { heads, rows } => table(&mut text, &heads, &rows),
            }
        }
        text
    }
}

fn table(text: &mut String, heads: &[(&'static str, Align)], rows: &[Vec<Cell>]) {
    let line = |cells: Vec<String>| format!("| {} |", cells.join(" | "));
    push(text, &[&line(heads.iter().map(|it| escaped(it.0)).collect())]);
    let rules = heads.iter().map(|it| if it.1 == Align::Right { "---:" } else { "---" });
    push(text, &[&line(rules.map(str::to_owned).collect())]);
    for row in rows {
        push(text, &[&line(row.iter().map(|it| escaped(it.text())).collect())]);
    }
}

fn table_html(text: &mut String, heads: &[(&'static str, Align)], rows: &[Vec<Cell>]) {
    let is_right = |idx: usize| heads.get(idx).is_some_and(|it| it.1 == Align::Right);
    let class = |idx: usize| if is_right(idx) { "right" } else { "" };
    text.push_str("<table>\n<tr>");
    for (idx, (title, _)) in heads.iter().enumerate() {
        text.extend(["<th class=\"", class(idx), "\">", escaped_html(title).as_str(), "</th>"]);
    }
    text.push_str("</tr>\n");
    for row in rows {
        text.push_str("<tr>");
        for (idx, cell) in row.iter().enumerate() {
            text.extend([
                "<td class=\"",
                class(idx),
                "\">",
                escaped_html(cell.text()).as_str(),
                "</td>",
            ]);
        }
        text.push_str("</tr>\n");
    }
    text.push_str("</table>\n");
}

fn tag(text: &mut String, name: &str, class: &str, body: &str) {
    push(text, &["<", name, " class=\"", class, "\">", &escaped_html(body), "</", name, ">"]);
}

fn class(style: Style) -> &'static str {
    match style {
        Style::Good => "good",
        Style::Warn => "warn",
        Style::Bad => "bad",
        Style::Dim => "dim",
        Style::Plain | Style::Title => "",
    }
}

fn push(text: &mut String, pieces: &[&str]) {
    text.extend(pieces.iter().copied());
    text.push('\n');
}

/// What a node says of itself is text and no markup: `<0.1.0>` would be a tag.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for it in clean(text).chars() {
        match it {
            '<' => escaped.push_str("&lt;"),
            '&' => escaped.push_str("&amp;"),
            '|' | '*' | '_' | '`' | '[' | ']' | '\\' | '#' => escaped.extend(['\\', it]),
            _ => escaped.push(it),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_no_markup() {
        let mut page = Page::default();
        page.title("shop|<b>_x_");
        page.table(
            &[("who", Align::Left), ("n", Align::Right)],
            vec![vec![Cell::of("<0.1.0>|\n"), Cell::of("1")]],
        );
        assert_eq!(
            page.markdown(),
            "# shop\\|&lt;b>\\_x\\_\n\n| who | n |\n| --- | ---: |\n| &lt;0.1.0>\\|? | 1 |\n"
        );
    }
}
