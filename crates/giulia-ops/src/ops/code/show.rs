//! `code show`: everything about one thing.

use clap::Args;
use giulia_model::CodeShow;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Ctx, FolderArg, FunctionArg, Kind, NodeArg, Out, indexed::graph_of, text};

/// The operation.
pub(crate) struct Operation;

/// Of which thing of which code.
#[derive(Debug, Args, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Params {
    /// The module or function: `Shop.Cart`, `Shop.Cart.get/1`, `lists:map`.
    #[arg(value_name = "WHAT")]
    function: FunctionArg,
    /// The project's folder, or one in it; else the working folder's project.
    #[arg(long, value_name = "FOLDER", conflicts_with = "node")]
    #[serde(default)]
    project: Option<FolderArg>,
    /// The node whose code was indexed, in place of a project.
    #[arg(long, value_name = "NODE")]
    #[serde(default)]
    node: Option<NodeArg>,
}

impl crate::Operation for Operation {
    const NAME: &'static str = "code-show";
    const GROUP: Option<&'static str> = Some("code");
    const ABOUT: &'static str = "Show everything about a module or function";
    const DETAILS: &'static str = "\
A module: what it is for, its behaviours and callbacks, its struct, its functions, who refers to it \
and to what it refers. A function: where it stands, what its documentation begins with, where it is \
called and what it calls, each with who says so: source, debug information or bytecode.

Examples:
  giulia code show Shop.Cart
  giulia code show Shop.Cart.get/1
  giulia code show gen_server:call --node shop@db1";
    const KIND: Kind = Kind::Query;

    type Params = Params;
    type Answer = CodeShow;

    async fn run(ctx: &Ctx, params: Params) -> anyhow::Result<CodeShow> {
        let which = graph_of(params.project, params.node);
        let base = giulia_engine::open_code(&ctx.archive, &which)?;
        Ok(base.show(&params.function.get())?)
    }

    fn text(answer: &CodeShow, out: &mut Out) {
        text::code_show(answer, out);
    }
}
