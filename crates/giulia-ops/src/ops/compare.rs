//! `compare`: sessions side by side, and whether what was predicted came true.

use clap::Args;
use giulia_model::Compare;
use giulia_rules::Compared;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Ctx, Kind, Out, SessionArg, text};

/// The operation.
pub(crate) struct Operation;

/// Which sessions.
#[derive(Debug, Args, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Params {
    /// Two to eight sessions, the one before the change first: names, beginnings of names, or
    /// `last`.
    #[arg(required = true, value_name = "SESSION")]
    sessions: Vec<SessionArg>,
}

impl crate::Operation for Operation {
    const NAME: &'static str = "compare";
    const ABOUT: &'static str = "Compare sessions, and predictions with what was measured";
    const DETAILS: &'static str = "\
Figures and findings of each session beside each other. What the first one predicted of its advice \
(with its range, stated before the change where it is a session of `giulia check`) is held against \
what the others measured: within the range or not, and by how much the likeliest figure is off.

Examples:
  giulia compare shop-20260301 shop-20260302
  giulia compare idle info-log warning-log async-log
  giulia compare before last --json | jq .score";
    const KIND: Kind = Kind::Query;
    const MARKDOWN: Option<fn(&Compare) -> String> = Some(|it| text::compare(it).markdown());

    type Params = Params;
    type Answer = Compare;

    async fn run(ctx: &Ctx, params: Params) -> anyhow::Result<Compare> {
        let n = params.sessions.len();
        anyhow::ensure!(
            (2..=8).contains(&n),
            "{n} named: name two to eight, see `giulia sessions`"
        );
        let mut sessions = Vec::new();
        for name in &params.sessions {
            sessions.push(Compared {
                picture: giulia_engine::picture(&ctx.archive, name.as_str())?,
                stated: giulia_engine::recorded_findings(&ctx.archive, name.as_str())?,
            });
        }
        Ok(giulia_rules::compare(&sessions))
    }

    fn text(answer: &Compare, out: &mut Out) {
        text::compare(answer).show(out);
    }
}
