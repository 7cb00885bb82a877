//! `code modules`: which modules there are.

use clap::Args;
use giulia_model::CodeModules;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    Before, Ctx, FolderArg, FunctionArg, Kind, NodeArg, Out, Rows,
    indexed::{default_rows, graph_of, no_rows, page},
    text,
};

/// The operation.
pub(crate) struct Operation;

/// Which modules of which code.
#[derive(Debug, Args, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Params {
    /// Only these: `Shop.*`, `app:shop`, `lists`.
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
    const NAME: &'static str = "code-modules";
    const GROUP: Option<&'static str> = Some("code");
    const ABOUT: &'static str = "List the modules of indexed code";
    const DETAILS: &'static str = "\
All of them, or those that a pattern means, by name: the application and the file that each is part \
of, its functions, how many modules refer to it and to how many it refers, and its rank: the share \
of readers who end up there when they follow references (PageRank).

Examples:
  giulia code modules
  giulia code modules 'Shop.*' --limit 200
  giulia code modules app:kernel --node shop@db1 --json";
    const KIND: Kind = Kind::Query;

    type Params = Params;
    type Answer = CodeModules;

    async fn run(ctx: &Ctx, params: Params) -> anyhow::Result<CodeModules> {
        let which = graph_of(params.project, params.node);
        let base = giulia_engine::open_code(&ctx.archive, &which)?;
        let only = params.modules.map(FunctionArg::get);
        Ok(base.modules(only.as_ref(), page(params.from, params.limit))?)
    }

    fn text(answer: &CodeModules, out: &mut Out) {
        text::code_modules(answer, out);
    }
}
