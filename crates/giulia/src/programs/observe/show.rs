//! How a session shows itself while it runs: one line on a terminal, two in a log, or a pipe.

use std::{
    io::{self, IsTerminal as _, Write as _},
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use giulia_engine::Watcher;
use giulia_model::{Live, Mark, MarkKind, Session};
use serde_json::json;
use tokio::sync::Notify;

use crate::{progress, render};

/// Between two updates of the line: a clock that ticks, and no more than the eye reads.
const EVERY: Duration = Duration::from_millis(250);
/// From when on the cost is a share of the time, in milliseconds.
const SHARE_FROM_MS: u64 = 10_000;
/// Characters of the last alarm that fit beside the rest.
const ALARM_CHARS: usize = 60;

/// Where a session shows itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Face {
    /// One line that changes.
    Terminal,
    /// A line at the start and each alarm.
    Lines,
    /// Not at all.
    Quiet,
    /// To whoever started us in the background: one line of JSON.
    Pipe,
}

/// What a session last told of itself.
#[derive(Debug)]
pub(super) struct Show {
    face: Face,
    /// Whoever started us in the background went away before there was a session to name.
    pub(super) abandoned: Notify,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    live: Option<(Live, Instant)>,
    alarm: Option<String>,
}

impl Face {
    /// Of a session in the foreground.
    pub(super) fn here(command: Option<&Vec<String>>) -> Self {
        // A command writes to the same terminal; a line that is redrawn would cut into its text.
        let is_free = io::stderr().is_terminal() && command.is_none();
        if is_free { Self::Terminal } else { Self::Lines }
    }
}

impl Show {
    pub(super) fn new(face: Face) -> Self {
        Self { face, abandoned: Notify::new(), state: Mutex::default() }
    }

    /// What it last told, with the time that went by since.
    pub(super) fn live(&self) -> Option<Live> {
        let (mut live, at) = self.state().live.clone()?;
        let since = u64::try_from(at.elapsed().as_millis()).unwrap_or(u64::MAX);
        live.elapsed_ms += since;
        live.remaining_ms = live.remaining_ms.map(|it| it.saturating_sub(since));
        Some(live)
    }

    /// Redraws the line of a terminal, until it is dropped.
    pub(super) async fn draw(show: std::sync::Arc<Self>) {
        if show.face != Face::Terminal {
            return;
        }
        loop {
            tokio::time::sleep(EVERY).await;
            if let Some(live) = show.live() {
                let alarm = show.state().alarm.clone();
                progress::line(&line(&live, alarm.as_deref()));
            }
        }
    }

    /// Leaves an empty line to whatever is printed next.
    pub(super) fn end(&self) {
        if self.face == Face::Terminal {
            progress::line("");
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Watcher for Show {
    fn began(&self, session: &Session) {
        match self.face {
            Face::Lines => {
                render::talk(&format!("observing {} as {}", session.node, session.name));
            }
            Face::Pipe => {
                let line = json!({"session": session.name, "node": session.node});
                let mut stdout = io::stdout().lock();
                if writeln!(stdout, "{line}").and_then(|()| stdout.flush()).is_err() {
                    self.abandoned.notify_one();
                }
            }
            Face::Terminal | Face::Quiet => {}
        }
    }

    fn now(&self, live: &Live) {
        self.state().live = Some((live.clone(), Instant::now()));
    }

    fn marked(&self, mark: &Mark) {
        if mark.kind == MarkKind::Alarm {
            self.state().alarm = Some(mark.text.clone());
        }
        let is_news = !matches!(mark.kind, MarkKind::Attached | MarkKind::Ended | MarkKind::Armed);
        if !is_news || matches!(self.face, Face::Quiet | Face::Pipe) {
            return;
        }
        self.end();
        render::talk(&mark.text);
    }
}

fn line(live: &Live, alarm: Option<&str>) -> String {
    let left = live.remaining_ms.map(|it| format!(", {} left", clock(it))).unwrap_or_default();
    let missed = match live.ticks_missed {
        0 => String::new(),
        missed => format!(" ({missed} missed)"),
    };
    let state = if live.state == "attached" { "" } else { &live.state };
    let state = if state.is_empty() { String::new() } else { format!(", {state}") };
    // Attaching has its price at once; a share of a moment would look like a habit.
    let cost = if live.elapsed_ms < SHARE_FROM_MS {
        #[expect(clippy::cast_precision_loss, reason = "below ten seconds")]
        let cost_ms = live.core_share * live.elapsed_ms as f64;
        format!("cost the node {cost_ms:.0} ms")
    } else {
        format!("costs the node {:.2} % of a core", live.core_share * 100.0)
    };
    let alarm: String = alarm.unwrap_or_default().chars().take(ALARM_CHARS).collect();
    let alarm = if alarm.is_empty() { alarm } else { format!("; {alarm}") };
    format!(
        "{}: {}{left}, {} ticks{missed}, {cost}{state}{alarm}",
        live.node,
        clock(live.elapsed_ms),
        live.ticks,
    )
}

/// `1:05`, `2:00:07`.
pub(super) fn clock(ms: u64) -> String {
    let seconds = ms / 1000;
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    match hours {
        0 => format!("{minutes}:{seconds:02}"),
        _ => format!("{hours}:{minutes:02}:{seconds:02}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_says_what_is_not_as_it_should_be_and_nothing_else() {
        let mut live = Live {
            session: "shop-1".to_owned(),
            node: "shop@db1".to_owned(),
            os_pid: 1,
            store: "s".to_owned(),
            every_ms: 1000,
            elapsed_ms: 65_000,
            remaining_ms: None,
            state: "attached".to_owned(),
            ticks: 66,
            ticks_missed: 0,
            core_share: 0.0012,
            last_mark: None,
        };
        assert_eq!(line(&live, None), "shop@db1: 1:05, 66 ticks, costs the node 0.12 % of a core");
        live.ticks_missed = 2;
        live.remaining_ms = Some(7_200_000);
        live.state = "frozen".to_owned();
        let text = line(&live, Some("atoms: 9 of 10"));
        let left =
            "shop@db1: 1:05, 2:00:00 left, 66 ticks (2 missed), costs the node 0.12 % of a core";
        assert_eq!(text, format!("{left}, frozen; atoms: 9 of 10"));
    }
}
