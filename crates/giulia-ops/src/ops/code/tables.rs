//! `code tables`: tables and processes.

use clap::Args;
use giulia_model::CodeTables;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Ctx, FunctionArg, Kind, Out, indexed::PageAsked, text};

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
    #[command(flatten)]
    #[serde(flatten)]
    page: PageAsked,
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
        let (which, page) = params.page.read();
        let base = giulia_engine::open_code(&ctx.archive, &which)?;
        let only = params.modules.map(FunctionArg::get);
        Ok(base.tables(only.as_ref(), page)?)
    }

    fn text(answer: &CodeTables, out: &mut Out) {
        text::code_tables(answer, out);
    }
}
