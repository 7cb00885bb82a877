//! `nodes`: what the EPMD of a host knows, and which of its nodes answer.

use clap::Args;
use giulia_model::Nodes;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    Ctx, HostArg, Kind, Out, Style,
    columns::{Align, Cell, Columns},
    units,
};

/// The operation.
pub(crate) struct Operation;

/// Which host, and how far to go.
#[derive(Debug, Args, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Params {
    /// The host whose EPMD is asked.
    #[arg(default_value_t)]
    #[serde(default)]
    host: HostArg,
    /// Authenticate too; a wrong cookie writes an error into the node's log.
    #[arg(long)]
    #[serde(default)]
    auth: bool,
}

impl crate::Operation for Operation {
    const NAME: &'static str = "nodes";
    const ABOUT: &'static str = "List the nodes that a host's EPMD knows and which answer";
    const DETAILS: &'static str = "\
Each node is dialled as far as its challenge, which tells its full name and harms nothing; \
only a node that allows some names alone (net_kernel:allow/1) logs that it refused us, unless \
--name is one of them. Only --auth goes on to the cookie, because a wrong one writes an error into the node's log; \
it is never tried twice. A node with a section of its own in the configuration is told the \
cookie of that section.

Examples:
  giulia nodes                       this machine
  giulia nodes db1.example.com       another host
  giulia nodes --epmd-port 4370      an EPMD that listens elsewhere
  giulia nodes --auth --json         which of them take our cookie, as a document";
    const KIND: Kind = Kind::Live;

    type Params = Params;
    type Answer = Nodes;

    async fn run(ctx: &Ctx, params: Params) -> anyhow::Result<Nodes> {
        let access = &ctx.book.common;
        let bounds = ctx.bounds(access, std::time::Duration::ZERO);
        let attempt = ctx.attempt(access, &bounds);
        Ok(giulia_engine::nodes(params.host.as_str(), params.auth, &ctx.book, attempt).await?)
    }

    fn text(answer: &Nodes, out: &mut Out) {
        let place = format!("EPMD on {} port {}", answer.host, answer.epmd_port);
        if answer.nodes.is_empty() {
            out.line(&[(Style::Plain, &format!("{place} knows no node."))]);
            return;
        }
        let many = if answer.nodes.len() == 1 { "node" } else { "nodes" };
        out.line(&[(Style::Title, &format!("{place} knows {} {many}", answer.nodes.len()))]);
        let mut columns = Columns::new(&[
            ("node", Align::Left),
            ("port", Align::Right),
            ("time", Align::Right),
            ("status", Align::Left),
        ]);
        for node in &answer.nodes {
            let told = matches!(node.status.as_str(), "answers" | "authenticated");
            let (status, style) = match (told, node.answers) {
                (true, _) => (node.status.as_str(), Style::Good),
                (false, true) => ("answers, see below", Style::Warn),
                (false, false) => ("no answer, see below", Style::Bad),
            };
            columns.row([
                Cell::of(node.name.as_deref().unwrap_or(&node.alive)),
                Cell::of(node.port.to_string()),
                Cell::of(node.elapsed_ms.map(units::ms).unwrap_or_default()),
                Cell::of(status).styled(style),
            ]);
        }
        out.columns(&columns);
        for node in &answer.nodes {
            if !matches!(node.status.as_str(), "answers" | "authenticated") {
                out.hanging(&format!("  {}: ", node.alive), 4, Style::Plain, &node.status);
            }
        }
    }
}
