//! `code impact`: what a change reaches.

use clap::Args;
use giulia_model::CodeImpact;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use giulia_engine::{EdgeDirection, EdgeFilter, EdgeReach};

use crate::{
    Before, Ctx, FolderArg, FunctionArg, Kind, KindsArg, NodeArg, Out, Rows,
    indexed::{default_rows, filter, graph_of, no_rows, page},
    text,
};

/// The operation.
pub(crate) struct Operation;

/// Of what in which code.
#[derive(Debug, Args, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Params {
    /// Of what: `Shop.Cart.get/1`, `lists:map`, `Shop.Cart`.
    #[arg(value_name = "FUNCTION")]
    function: FunctionArg,
    /// What it rests on, in place of what rests on it.
    #[arg(long)]
    #[serde(default)]
    out: bool,
    /// At most so many references away, 1 to 1000.
    #[arg(long, value_name = "N", default_value_t = default_depth())]
    #[serde(default = "default_depth")]
    depth: Rows,
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
    const NAME: &'static str = "code-impact";
    const GROUP: Option<&'static str> = Some("code");
    const ABOUT: &'static str = "Show what a change of something may reach";
    const DETAILS: &'static str = "\
Everything that refers to it, to what refers to it and so on: the nearest first, with the reference \
by which it is reached. With --out, what it rests on in place of what rests on it. Of all kinds of \
references, or of those given.

Examples:
  giulia code impact Shop.Cart.get/1
  giulia code impact Shop.Cart --depth 2 --kinds control
  giulia code impact Shop.Checkout.pay/2 --out
  giulia code impact ets:insert/2 --node shop@db1 --json | jq .by_distance";
    const KIND: Kind = Kind::Query;

    type Params = Params;
    type Answer = CodeImpact;

    async fn run(ctx: &Ctx, params: Params) -> anyhow::Result<CodeImpact> {
        let which = graph_of(params.project, params.node);
        let base = giulia_engine::open_code(&ctx.archive, &which)?;
        let direction = if params.out { EdgeDirection::Out } else { EdgeDirection::In };
        let depth = u32::from(params.depth);
        let filter = filter(params.kinds, EdgeFilter::ALL);
        let page = page(params.from, params.limit);
        let reach = EdgeReach { direction, filter, depth };
        Ok(base.impact(&params.function.get(), reach, page)?)
    }

    fn text(answer: &CodeImpact, out: &mut Out) {
        text::code_impact(answer, out);
    }
}

/// As deep as anybody follows by eye.
fn default_depth() -> Rows {
    Rows::clamped(10)
}
