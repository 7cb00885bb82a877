//! `code tables`: tables and processes.

use clap::Args;
use giulia_model::CodeTables;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    Before, Ctx, FolderArg, FunctionArg, Kind, NodeArg, Out, Rows,
    indexed::{default_rows, graph_of, no_rows, page},
    text,
};

/// The operation.
pub(crate) struct Operation;

/// Touched by which modules of which code.
#[derive(Debug, Args, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Params {
    /// Only what these touch: `Shop.*`, `app:shop`.
    #[arg(value_name = "MODULES")]
    #[serde(default)]
    modules: Option<FunctionArg>,
    /// The project's folder, or one in it; else the working folder's project.
    #[arg(long, value_name = "FOLDER", conflicts_with = "node")]
    #[serde(default)]
    project: Option<FolderArg>,
    /// The node whose code was indexed, in place of a project.
    #[arg(long, value_name = "NODE")]
    #[serde(default)]
    node: Option<NodeArg>,
    /// At most so many rows, 1 to 1000.
    #[arg(long, value_name = "N", default_value_t = default_rows())]
    #[serde(default = "default_rows")]
    limit: Rows,
    /// After so many rows: where the last page said that the next begins.
    #[arg(long, value_name = "N", default_value_t = no_rows())]
    #[serde(default = "no_rows")]
    from: Before,
}

impl crate::Operation for Operation {
    const NAME: &'static str = "code-tables";
    const GROUP: Option<&'static str> = Some("code");
    const ABOUT: &'static str = "Show who touches which ETS table and which process";
    const DETAILS: &'static str = "\
ETS tables with who creates, reads, writes and deletes them, and processes by registered name with \
who waits for their answers and who only sends to them. A table whose name is a value stands for \
all such tables of its module. Races: a request that nobody waits for (a cast) makes the process \
write a table which its callers read themselves, so that they may miss what they just asked for.

Examples:
  giulia code tables
  giulia code tables Shop.Registry
  giulia code tables --json | jq .races";
    const KIND: Kind = Kind::Query;

    type Params = Params;
    type Answer = CodeTables;

    async fn run(ctx: &Ctx, params: Params) -> anyhow::Result<CodeTables> {
        let which = graph_of(params.project, params.node);
        let base = giulia_engine::open_code(&ctx.archive, &which)?;
        let only = params.modules.map(FunctionArg::get);
        Ok(base.tables(only.as_ref(), page(params.from, params.limit))?)
    }

    fn text(answer: &CodeTables, out: &mut Out) {
        text::code_tables(answer, out);
    }
}
