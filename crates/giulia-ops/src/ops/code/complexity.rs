//! `code complexity`: the hardest functions.

use clap::Args;
use giulia_model::CodeHardest;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    Before, Ctx, FolderArg, FunctionArg, Kind, NodeArg, Out, Rows,
    indexed::{default_rows, graph_of, no_rows, page},
    text,
};

/// The operation.
pub(crate) struct Operation;

/// Of which modules of which code.
#[derive(Debug, Args, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Params {
    /// Only of these: `Shop.*`, `app:shop`.
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
    const NAME: &'static str = "code-complexity";
    const GROUP: Option<&'static str> = Some("code");
    const ABOUT: &'static str = "List the functions that are hardest to follow";
    const DETAILS: &'static str = "\
By cognitive complexity (breaks in the reading, each the dearer the deeper it stands), then by \
cyclomatic (ways through it), over all clauses. Only source tells; functions without are counted.

Examples:
  giulia code complexity
  giulia code complexity 'Shop.*' --limit 20
  giulia code complexity --json | jq '.functions[] | [.function, .complexity]'";
    const KIND: Kind = Kind::Query;

    type Params = Params;
    type Answer = CodeHardest;

    async fn run(ctx: &Ctx, params: Params) -> anyhow::Result<CodeHardest> {
        let which = graph_of(params.project, params.node);
        let base = giulia_engine::open_code(&ctx.archive, &which)?;
        let only = params.modules.map(FunctionArg::get);
        Ok(base.hardest(only.as_ref(), page(params.from, params.limit))?)
    }

    fn text(answer: &CodeHardest, out: &mut Out) {
        text::code_complexity(answer, out);
    }
}
