//! `code functions`: which functions there are.

use clap::Args;
use giulia_model::CodeFunctions;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Ctx, FunctionArg, Kind, Out, indexed::PageAsked, text};

/// The operation.
pub(crate) struct Operation;

/// Which functions of which code.
#[derive(Debug, Args, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Params {
    /// Whose or which: `Shop.Cart`, `Shop.Cart.get_*`, `lists:map/2`.
    #[arg(value_name = "FUNCTIONS")]
    functions: FunctionArg,
    #[command(flatten)]
    #[serde(flatten)]
    page: PageAsked,
}

impl crate::Operation for Operation {
    const NAME: &'static str = "code-functions";
    const GROUP: Option<&'static str> = Some("code");
    const ABOUT: &'static str = "List functions of indexed code";
    const DETAILS: &'static str = "\
Those of modules in the order of the source, or those whose names fit: where each stands, how many \
refer to it and to how many it refers, and, where source was read, how hard it is to follow.

Examples:
  giulia code functions Shop.Cart
  giulia code functions 'Shop.*.handle_*'
  giulia code functions lists --json | jq '.functions[].function'
  giulia code functions app:shop --limit 1000 --from 1000";
    const KIND: Kind = Kind::Query;

    type Params = Params;
    type Answer = CodeFunctions;

    async fn run(ctx: &Ctx, params: Params) -> anyhow::Result<CodeFunctions> {
        let (which, page) = params.page.read();
        let base = giulia_engine::open_code(&ctx.archive, &which)?;
        Ok(base.functions(&params.functions.get(), page)?)
    }

    fn text(answer: &CodeFunctions, out: &mut Out) {
        text::code_functions(answer, out);
    }
}
