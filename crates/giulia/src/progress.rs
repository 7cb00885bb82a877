//! Tells on stderr what takes its time: only on a terminal, only when it lasts over a second.

use std::{
    io::{self, IsTerminal as _, Write as _},
    sync::Mutex,
    time::{Duration, Instant},
};

use giulia_engine::Progress;
use tokio::task::JoinHandle;

use crate::render;

/// Shorter than this is over before it is read.
const WORTH_TELLING: Duration = Duration::from_secs(1);
/// Of a terminal that does not say how wide it is: as wide as terminals have always been.
const COLUMNS: usize = 80;
/// Between two updates of the line.
const EVERY: Duration = Duration::from_millis(200);

/// Talks on stderr.
#[derive(Debug)]
pub(crate) struct Talk {
    quiet: bool,
    under_way: Mutex<Option<JoinHandle<()>>>,
}

impl Talk {
    pub(crate) fn new(quiet: bool) -> Self {
        Self { quiet, under_way: Mutex::new(None) }
    }
}

impl Progress for Talk {
    fn begin(&self, what: &str, lasts: Duration) {
        if self.quiet || lasts <= WORTH_TELLING || !io::stderr().is_terminal() {
            return;
        }
        let task = tokio::spawn(count_down(what.to_owned(), lasts));
        let earlier = self.under_way.lock().ok().and_then(|mut it| it.replace(task));
        if let Some(earlier) = earlier {
            earlier.abort();
        }
    }

    fn end(&self) {
        let task = self.under_way.lock().ok().and_then(|mut it| it.take());
        if let Some(task) = task {
            task.abort();
            line("");
        }
    }

    fn warn(&self, text: &str) {
        if !self.quiet {
            render::talk(text);
        }
    }
}

async fn count_down(what: String, lasts: Duration) {
    let start = Instant::now();
    loop {
        let gone = start.elapsed();
        let left = lasts.saturating_sub(gone);
        line(&format!("{what}: {:.1} s, {:.1} s left", gone.as_secs_f64(), left.as_secs_f64()));
        tokio::time::sleep(EVERY).await;
    }
}

/// Writes over the current line: cut to what the terminal shows of it, because a line that wraps is
/// not written over, and without what could move its cursor, because names in it are the node's.
pub(crate) fn line(text: &str) {
    let mut stderr = io::stderr().lock();
    let columns = terminal_size::terminal_size_of(&stderr).map(|(width, _)| usize::from(width.0));
    let text = fitting(text, columns.unwrap_or(COLUMNS));
    // Whoever closed stderr does not want to hear it.
    write!(stderr, "\r\u{1b}[K{text}").ok();
    stderr.flush().ok();
}

/// The last column stays free: some terminals wrap when it is written to.
fn fitting(text: &str, columns: usize) -> String {
    let room = columns.saturating_sub(1);
    let clean = |it: char| if it.is_control() { '?' } else { it };
    if text.chars().count() <= room {
        return text.chars().map(clean).collect();
    }
    let mut cut: String = text.chars().take(room.saturating_sub(1)).map(clean).collect();
    cut.push('…');
    cut
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_stays_one_line_and_moves_no_cursor() {
        assert_eq!(fitting("shop@db1: 1:05", 80), "shop@db1: 1:05");
        assert_eq!(fitting("mail\u{1b}[2J\nbox", 80), "mail?[2J?box");
        assert_eq!(fitting("0123456789", 10), "01234567…");
        assert_eq!(fitting("0123456789", 11), "0123456789");
    }
}
