//! `code impact`: what a change reaches.

use clap::Args;
use giulia_engine::{EdgeDirection, EdgeFilter, EdgeReach};
use giulia_model::CodeImpact;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    Ctx, FunctionArg, Kind, KindsArg, Out, Rows,
    indexed::{PageAsked, filter},
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
    #[command(flatten)]
    #[serde(flatten)]
    page: PageAsked,
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
        let (which, page) = params.page.read();
        let base = giulia_engine::open_code(&ctx.archive, &which)?;
        let direction = if params.out { EdgeDirection::Out } else { EdgeDirection::In };
        let filter = filter(params.kinds, EdgeFilter::ALL);
        let reach = EdgeReach { direction, filter, depth: u32::from(params.depth) };
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
