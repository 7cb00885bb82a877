//! The one place that prints: data to stdout, talk to stderr.

use std::{
    io::{self, ErrorKind, IsTerminal as _, Write as _},
    process::ExitCode,
};

use giulia_ops::{AnyAnswer, Out};

use crate::cli::When;

/// How an answer is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// Text for people.
    Text,
    /// A JSON document.
    Json,
    /// A Markdown document.
    Markdown,
}

/// Width of text that goes nowhere with a width.
const WIDTH_OF_FILES: usize = 100;

/// An answer, as text or as a document.
pub(crate) fn answer(answer: &dyn AnyAnswer, form: Form, color: When) -> anyhow::Result<()> {
    if form == Form::Json {
        return data(&answer.json_text()?);
    }
    if let Some(markdown) = answer.markdown().filter(|_| form == Form::Markdown) {
        return data(&markdown);
    }
    let mut out = out(color);
    answer.text(&mut out);
    data(out.text())
}

/// Text for people, as wide as they look at it.
pub(crate) fn out(color: When) -> Out {
    let terminal = io::stdout().is_terminal();
    let width = terminal_size::terminal_size().filter(|_| terminal);
    let width = width.map_or(WIDTH_OF_FILES, |(width, _)| usize::from(width.0));
    Out::new(width, colour(color, terminal))
}

/// Finished text.
pub(crate) fn data(text: &str) -> anyhow::Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(text.as_bytes())?;
    Ok(stdout.flush()?)
}

/// One line of talk.
pub(crate) fn talk(text: &str) {
    // Whoever closed stderr does not want to hear it.
    writeln!(io::stderr().lock(), "giulia: {}", one_line(text)).ok();
}

/// An error with everything underneath, on one line.
pub(crate) fn error(error: &anyhow::Error) {
    let mut text = String::new();
    for cause in error.chain().map(ToString::to_string) {
        // A text that already tells its cause does not tell it twice.
        if text.is_empty() {
            text = cause;
        } else if !text.contains(&cause) {
            text = format!("{text}: {cause}");
        }
    }
    talk(&text);
}

/// Help, version, or what is wrong with the command line.
pub(crate) fn usage(usage: &clap::Error, code: u8) -> ExitCode {
    match usage.print() {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => ExitCode::from(crate::FAILED),
        Ok(()) | Err(_) => ExitCode::from(code),
    }
}

/// Whether it failed because nobody reads on.
pub(crate) fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let io = error.chain().find_map(|it| it.downcast_ref::<io::Error>());
    io.is_some_and(|it| it.kind() == ErrorKind::BrokenPipe)
}

fn colour(color: When, terminal: bool) -> bool {
    match color {
        When::Always => true,
        When::Never => false,
        When::Auto => {
            let unwanted = std::env::var_os("NO_COLOR").is_some_and(|it| !it.is_empty());
            let dumb = std::env::var_os("TERM").is_some_and(|it| it == "dumb");
            terminal && !unwanted && !dumb
        }
    }
}

/// Texts may quote a peer: nothing in them moves the reader's cursor.
fn one_line(text: &str) -> String {
    let words: Vec<&str> = text.split(['\n', '\r']).map(str::trim).collect();
    words.join(" ").chars().map(|it| if it.is_control() { '?' } else { it }).collect()
}
