//! `code behaviours`: behaviours and protocols.

use clap::Args;
use giulia_model::CodeBehaviours;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    Before, Ctx, FolderArg, FunctionArg, Kind, NodeArg, Out, Rows,
    indexed::{default_rows, graph_of, no_rows, page},
    text,
};

/// The operation.
pub(crate) struct Operation;

/// Which of which code.
#[derive(Debug, Args, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Params {
    /// Only these: `Shop.Payment`, `gen_server`.
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
    const NAME: &'static str = "code-behaviours";
    const GROUP: Option<&'static str> = Some("code");
    const ABOUT: &'static str = "List behaviours and protocols, and what is missing";
    const DETAILS: &'static str = "\
Each with what it asks for, the modules that say that they have it, and what these lack. Callbacks of \
OTP's and Elixir's own behaviours are known; those of other libraries that are not indexed are not, \
and then nothing is said to be missing.

Examples:
  giulia code behaviours
  giulia code behaviours Shop.Payment
  giulia code behaviours --json | jq '.behaviours[].implementers[] | select(.missing != [])'";
    const KIND: Kind = Kind::Query;

    type Params = Params;
    type Answer = CodeBehaviours;

    async fn run(ctx: &Ctx, params: Params) -> anyhow::Result<CodeBehaviours> {
        let which = graph_of(params.project, params.node);
        let base = giulia_engine::open_code(&ctx.archive, &which)?;
        let only = params.modules.map(FunctionArg::get);
        Ok(base.behaviours(only.as_ref(), page(params.from, params.limit))?)
    }

    fn text(answer: &CodeBehaviours, out: &mut Out) {
        text::code_behaviours(answer, out);
    }
}
