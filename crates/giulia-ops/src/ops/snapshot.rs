//! `snapshot`: one look at a node.

use std::time::Duration;

use clap::Args;
use giulia_engine::SnapshotRequest;
use giulia_model::Snapshot;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Ctx, Kind, NodeArg, Out, Top, Window, text};

/// The operation.
pub(crate) struct Operation;

/// Which node, and how to look.
#[derive(Debug, Args, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Params {
    /// The node's name, as `node()` prints it there.
    node: NodeArg,
    /// Measure rates over this time (100ms to 10m); without it, totals since start.
    #[arg(long, value_name = "TIME")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    window: Option<Window>,
    /// Rows of each ranking, 1 to 1000.
    #[arg(long, value_name = "N", default_value_t = default_top())]
    #[serde(default = "default_top")]
    top: Top,
}

/// Ten rows of three rankings still fit one screen.
fn default_top() -> Top {
    Top::clamped(10)
}

impl crate::Operation for Operation {
    const NAME: &'static str = "snapshot";
    const ABOUT: &'static str = "Show what a node is doing";
    const DETAILS: &'static str = "\
One look at a node: counts against their limits, memory, schedulers, the busiest processes, the \
longest mailboxes, ETS tables, the operating system around it. No code is loaded there and \
nothing is left behind; the last line says what looking cost. Without --window every figure that \
only grows is a total since the node started; with it, rates over the measured time.

Examples:
  giulia snapshot shop@db1
  giulia snapshot shop@db1 --window 3s --top 20
  giulia snapshot shop@db1 --no-eval               only calls of existing functions
  giulia snapshot shop@db1 --json | jq .memory     the same facts as a document";
    const KIND: Kind = Kind::Live;

    type Params = Params;
    type Answer = Snapshot;

    async fn run(ctx: &Ctx, params: Params) -> anyhow::Result<Snapshot> {
        let node = params.node.as_str();
        let access = ctx.book.for_node(node);
        let window = params.window.map(Window::get);
        let bounds = ctx.bounds(access, window.unwrap_or(Duration::ZERO));
        let request = SnapshotRequest { window, top: params.top.get() };
        Ok(giulia_engine::snapshot(node, &request, ctx.attempt(access, &bounds)).await?)
    }

    fn text(answer: &Snapshot, out: &mut Out) {
        text::snapshot(answer, out);
    }
}

#[cfg(test)]
mod tests {
    use giulia_model::Snapshot;

    use crate::Out;

    const ONE_SAMPLE: &str = include_str!("../../fixtures/snapshot.json");
    const WINDOW: &str = include_str!("../../fixtures/snapshot_window.json");

    fn text(document: &str, width: usize) -> String {
        let mut out = Out::plain(width);
        let answer = serde_json::from_str(document).unwrap();
        crate::operation("snapshot").unwrap().text_of_json(answer, &mut out).unwrap();
        out.text().to_owned()
    }

    #[test]
    fn one_sample_reads_as_totals() {
        insta::assert_snapshot!(text(ONE_SAMPLE, 100));
    }

    #[test]
    fn a_window_reads_as_rates() {
        insta::assert_snapshot!(text(WINDOW, 80));
    }

    #[test]
    fn every_line_fits_the_terminal() {
        for width in [80, 100, 120] {
            for line in [ONE_SAMPLE, WINDOW]
                .iter()
                .flat_map(|it| text(it, width).lines().map(str::to_owned).collect::<Vec<_>>())
            {
                assert!(line.chars().count() <= width, "{width}: {line}");
            }
        }
    }

    #[test]
    fn without_a_window_nothing_reads_as_a_rate() {
        let text = text(ONE_SAMPLE, 100);
        assert!(!text.contains("/s"), "{text}");
        for heading in ["Busiest processes", "By application", "By label"] {
            let line = text.lines().find(|it| it.starts_with(heading)).unwrap();
            assert!(line.contains("since start"), "{line}");
        }
    }

    #[test]
    fn what_was_not_seen_leaves_no_gap_and_no_zero() {
        let mut it: Snapshot = serde_json::from_str(ONE_SAMPLE).unwrap();
        it.node = None;
        it.memory = None;
        it.schedulers = None;
        it.activity = None;
        it.processes = None;
        it.ets = None;
        it.host = None;
        insta::assert_snapshot!(text(&serde_json::to_string(&it).unwrap(), 80));
    }

    #[test]
    fn a_node_cannot_write_to_the_terminal() {
        let text = text(ONE_SAMPLE, 100);
        assert!(text.contains("evil?[2J?name"), "{text}");
        assert!(text.chars().all(|it| it == '\n' || !it.is_control()));
    }
}
