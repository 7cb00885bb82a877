//! `mailbox`: what one process receives.

use std::time::Duration;

use clap::Args;
use giulia_engine::MailboxRequest;
use giulia_model::Mailbox;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Ctx, Kind, NodeArg, Out, ProcessArg, limits::Window, text};

/// The operation.
pub(crate) struct Operation;

/// Which process, and for how long.
#[derive(Debug, Args, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Params {
    /// The node's name, as `node()` prints it there.
    node: NodeArg,
    /// Its pid (0.123.0), or the name that it is registered with.
    #[arg(value_name = "PID|NAME")]
    process: ProcessArg,
    /// Look for this time (100ms to 10m).
    #[arg(long = "for", value_name = "TIME", default_value_t = default_window())]
    #[serde(rename = "for", default = "default_window")]
    window: Window,
}

/// Long enough for a hundred looks at the mailbox.
fn default_window() -> Window {
    Window::clamped(Duration::from_secs(5))
}

impl crate::Operation for Operation {
    const NAME: &'static str = "mailbox";
    const ABOUT: &'static str = "Show what kinds of messages a process receives";
    const DETAILS: &'static str = "\
What a process receives by kind (a tag, a shape and sizes, never contents), how often, how long \
one waits in the mailbox and how long the process takes for it, how busy it is. Of a server of \
OTP's the calls of its callbacks are traced, on this one process, and a message itself stays where \
it is; of any other process messages are copied into a process of ours on that node, under a limit \
of memory. What comes faster than 1 % of a node with two cores allows is sampled, and said so.

Examples:
  giulia mailbox shop@db1 cart_server
  giulia mailbox shop@db1 MyApp.Repo --for 30s     a module of Elixir's
  giulia mailbox shop@db1 0.123.0 --json | jq .kinds";
    const KIND: Kind = Kind::Live;

    type Params = Params;
    type Answer = Mailbox;

    async fn run(ctx: &Ctx, params: Params) -> anyhow::Result<Mailbox> {
        let node = params.node.as_str();
        let access = ctx.book.for_node(node);
        let window = params.window.get();
        let bounds = ctx.bounds(access, window);
        let request = MailboxRequest { subject: params.process.get(), window };
        Ok(giulia_engine::mailbox(node, &request, ctx.attempt(access, &bounds)).await?)
    }

    fn text(answer: &Mailbox, out: &mut Out) {
        text::mailbox(answer, out);
    }
}
