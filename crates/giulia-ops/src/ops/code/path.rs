//! `code path`: how one thing leads to another.

use clap::Args;
use giulia_model::CodePath;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use giulia_engine::EdgeFilter;

use crate::{
    Ctx, FolderArg, FunctionArg, Kind, KindsArg, NodeArg, Out,
    indexed::{filter, graph_of},
    text,
};

/// The operation.
pub(crate) struct Operation;

/// From where to where, in which code.
#[derive(Debug, Args, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Params {
    /// From: `Shop.Web.Cart.show/2`, `Shop.Cart`.
    #[arg(value_name = "FROM")]
    start: FunctionArg,
    /// To: `Shop.Repo`, `ets:insert/2`.
    #[arg(value_name = "TO")]
    goal: FunctionArg,
    /// Only these kinds of references, with commas; `control` and `compile` stand for several.
    #[arg(long, value_name = "KINDS")]
    #[serde(default)]
    kinds: Option<KindsArg>,
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
    const NAME: &'static str = "code-path";
    const GROUP: Option<&'static str> = Some("code");
    const ABOUT: &'static str = "Show how one function or module leads to another";
    const DETAILS: &'static str = "\
The shortest way along references: by default those by which code runs (calls, funs that are made, \
processes that begin); --kinds takes others. That there is none is an answer.

Examples:
  giulia code path Shop.Web.Cart.show/2 Shop.Repo
  giulia code path Shop.Cart ets:insert/2 --kinds call
  giulia code path gen_server:call/3 erlang:monitor --node shop@db1";
    const KIND: Kind = Kind::Query;

    type Params = Params;
    type Answer = CodePath;

    async fn run(ctx: &Ctx, params: Params) -> anyhow::Result<CodePath> {
        let which = graph_of(params.project, params.node);
        let base = giulia_engine::open_code(&ctx.archive, &which)?;
        let filter = filter(params.kinds, EdgeFilter::control());
        Ok(base.path(&params.start.get(), &params.goal.get(), filter)?)
    }

    fn text(answer: &CodePath, out: &mut Out) {
        text::code_path(answer, out);
    }
}
