//! `dump`: what every process stands in, like a thread dump.

use std::time::Duration;

use clap::Args;
use giulia_engine::DumpRequest;
use giulia_model::Dump;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Ctx, Kind, NodeArg, Out, Top, text};

/// The operation.
pub(crate) struct Operation;

/// Which node, and how much to show.
#[derive(Debug, Args, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Params {
    /// The node's name, as `node()` prints it there.
    node: NodeArg,
    /// Groups shown, 1 to 1000, most processes first.
    #[arg(long, value_name = "N", default_value_t = default_top())]
    #[serde(default = "default_top")]
    top: Top,
}

/// Five lines each, some two screens; what is stuck stands together, and near the front.
fn default_top() -> Top {
    Top::clamped(20)
}

impl crate::Operation for Operation {
    const NAME: &'static str = "dump";
    const ABOUT: &'static str = "Show where every process stands, equal stacks together";
    const DETAILS: &'static str = "\
All processes of a node at one moment, like a thread dump: equal stacks are one group, with how \
many processes stand there, what they are called, how many messages wait for them, and the stack \
with its source lines. The grouping happens on the node, so the answer stays small. Stacks are \
cut there after eight frames, unless the node was started with another backtrace_depth. With \
--no-eval above 10,000 processes a sample is asked.

Examples:
  giulia dump shop@db1
  giulia dump shop@db1 --top 100
  giulia dump shop@db1 --json | jq '.groups[] | select(.mailbox_len > 0)'";
    const KIND: Kind = Kind::Live;

    type Params = Params;
    type Answer = Dump;

    async fn run(ctx: &Ctx, params: Params) -> anyhow::Result<Dump> {
        let node = params.node.as_str();
        let access = ctx.book.for_node(node);
        let bounds = ctx.bounds(access, Duration::ZERO);
        let request = DumpRequest { top: params.top.get() };
        Ok(giulia_engine::dump(node, &request, ctx.attempt(access, &bounds)).await?)
    }

    fn text(answer: &Dump, out: &mut Out) {
        text::dump(answer, out);
    }
}
