//! `replay`: a session told again, record by record.

use clap::Args;
use giulia_model::Replay;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Count, Ctx, Kind, Out, SessionArg, Style, units};

/// The operation.
pub(crate) struct Operation;

/// Which session, and which part of it.
#[derive(Debug, Args, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Params {
    /// The session: its name, the beginning of its name, or `last`.
    #[arg(default_value_t)]
    #[serde(default)]
    session: SessionArg,
    /// Go on after this record, as the last line of the page before says.
    #[arg(long, value_name = "SEQ")]
    #[serde(default)]
    after: Option<u64>,
    /// Records of a page, 1 to 10000.
    #[arg(long, value_name = "N", default_value_t = default_limit())]
    #[serde(default = "default_limit")]
    limit: Limit,
}

/// A record has 20 KB as JSON; ten thousand are what a program still reads at once.
type Limit = Count<1, 10_000>;

fn default_limit() -> Limit {
    Limit::clamped(1000)
}

impl crate::Operation for Operation {
    const NAME: &'static str = "replay";
    const ABOUT: &'static str = "Tell a session again, record by record";
    const DETAILS: &'static str = "\
Ticks, marks, counted calls and what was asked closely, in the order in which they were recorded, \
on this machine or on another one after `giulia export` and `giulia import`. A line each, or with \
--json each whole record as it was made.

Examples:
  giulia replay last
  giulia replay shop-20260301 --after 999
  giulia replay last --json | jq '.records[] | select(.kind == \"mark\")'";
    const KIND: Kind = Kind::Query;

    type Params = Params;
    type Answer = Replay;

    async fn run(ctx: &Ctx, params: Params) -> anyhow::Result<Replay> {
        let (name, limit) = (params.session.as_str(), params.limit.get());
        Ok(giulia_engine::replay(&ctx.archive, name, params.after, limit)?)
    }

    fn text(answer: &Replay, out: &mut Out) {
        let title = format!("{}: {}, from {}", answer.session, answer.node, answer.started_at);
        out.line(&[(Style::Title, &title)]);
        for it in &answer.records {
            let style = match it.kind.as_str() {
                "mark" => Style::Title,
                "damaged" => Style::Bad,
                _ => Style::Plain,
            };
            let first = format!("{:>10}  {:<7} ", units::span(it.at_ms), it.kind);
            out.hanging(&first, 20, style, &it.text);
        }
        if let Some(after) = answer.next_after {
            let next = format!("More: giulia replay {} --after {after}", answer.session);
            out.line(&[(Style::Dim, &next)]);
        }
    }
}
