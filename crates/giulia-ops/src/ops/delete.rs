//! `delete`: removes a session from the store.

use clap::Args;
use giulia_model::Deleted;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Ctx, Face, Kind, Out, SessionArg, Style, units};

/// The operation.
pub(crate) struct Operation;

/// Which session.
#[derive(Debug, Args, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Params {
    /// The session: its name, the beginning of its name, or `last`.
    session: SessionArg,
}

impl crate::Operation for Operation {
    const NAME: &'static str = "delete";
    const ABOUT: &'static str = "Delete a session with all it recorded";
    const DETAILS: &'static str = "\
One that is being recorded is refused; stop it first. There is no way back: `giulia export` \
keeps a copy.

Examples:
  giulia delete shop-20260301-120000
  giulia delete last";
    const KIND: Kind = Kind::Change;
    const LACKS: &'static [(Face, &'static str)] =
        &[(Face::Mcp, "what a person recorded is a person's to throw away")];

    type Params = Params;
    type Answer = Deleted;

    async fn run(ctx: &Ctx, params: Params) -> anyhow::Result<Deleted> {
        Ok(giulia_engine::delete(&ctx.archive, params.session.as_str())?)
    }

    fn text(answer: &Deleted, out: &mut Out) {
        let ticks = units::count(answer.ticks);
        let text = format!("Deleted {} of {}, {ticks} ticks.", answer.name, answer.node);
        out.line(&[(Style::Plain, &text)]);
    }
}
