//! `code status`: which code is indexed.

use clap::Args;
use giulia_model::CodeStatus;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Ctx, Kind, Out, text};

/// The operation.
pub(crate) struct Operation;

/// Nothing to choose.
#[derive(Debug, Args, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Params {}

impl crate::Operation for Operation {
    const NAME: &'static str = "code-status";
    const GROUP: Option<&'static str> = Some("code");
    const ABOUT: &'static str = "List the graphs of code that are kept";
    const DETAILS: &'static str = "\
Each with when it was read last, how large it is, and what it takes in the store.

Examples:
  giulia code status
  giulia code status --json | jq '.graphs[].graph'";
    const KIND: Kind = Kind::Query;

    type Params = Params;
    type Answer = CodeStatus;

    async fn run(ctx: &Ctx, params: Params) -> anyhow::Result<CodeStatus> {
        let Params {} = params;
        Ok(giulia_engine::code_status(&ctx.archive)?)
    }

    fn text(answer: &CodeStatus, out: &mut Out) {
        text::code_status(answer, out);
    }
}
