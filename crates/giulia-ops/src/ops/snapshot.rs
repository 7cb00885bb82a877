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
