//! `process`: one process in depth.

use std::time::Duration;

use clap::Args;
use giulia_engine::ProcessRequest;
use giulia_model::ProcessDetail;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Ctx, Kind, NodeArg, Out, ProcessArg, text};

/// The operation.
pub(crate) struct Operation;

/// Which process, and what of it.
#[derive(Debug, Args, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Params {
    /// The node's name, as `node()` prints it there.
    node: NodeArg,
    /// Its pid (0.123.0), or the name that it is registered with.
    #[arg(value_name = "PID|NAME")]
    process: ProcessArg,
    /// Show the shape of its state too: kinds and sizes, no contents.
    #[arg(long)]
    #[serde(default)]
    state: bool,
}

impl crate::Operation for Operation {
    const NAME: &'static str = "process";
    const ABOUT: &'static str = "Show one process in depth";
    const DETAILS: &'static str = "\
What one process is, where it stands, what it is tied to and what it holds: its stack, its links \
and monitors by name, who started it, its heap and the binaries that it keeps alive, the keys of \
its dictionary (never values). A name that the node does not know makes no atom there.

--state adds the shape of its state: kinds and sizes, no contents but atoms. The process copies \
its state itself, so only one is asked that waits with an empty mailbox in a loop of gen_server, \
gen_statem or gen_event and holds less than 8 MB; of another, the reason is told. What the state \
holds in several places is copied once for each, which may be more than that.

Examples:
  giulia process shop@db1 0.123.0
  giulia process shop@db1 MyApp.Repo               a module of Elixir's
  giulia process shop@db1 code_server --json | jq .links
  giulia process shop@db1 cart_server --state";
    const KIND: Kind = Kind::Live;

    type Params = Params;
    type Answer = ProcessDetail;

    async fn run(ctx: &Ctx, params: Params) -> anyhow::Result<ProcessDetail> {
        let node = params.node.as_str();
        let access = ctx.book.for_node(node);
        let bounds = ctx.bounds(access, Duration::ZERO);
        let request = ProcessRequest { subject: params.process.get(), state: params.state };
        Ok(giulia_engine::process(node, &request, ctx.attempt(access, &bounds)).await?)
    }

    fn text(answer: &ProcessDetail, out: &mut Out) {
        text::process(answer, out);
    }
}
