//! `prune`: deletes the sessions that are beyond what shall be kept.

use clap::Args;
use giulia_engine::Keep;
use giulia_model::Pruned;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Count, Ctx, Face, Kind, Out, Span, Style, units};

/// The operation.
pub(crate) struct Operation;

/// What is kept.
#[derive(Debug, Args, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Params {
    /// Keep so many sessions, the newest (1 to 100000).
    #[arg(long, value_name = "N")]
    #[serde(default)]
    keep: Option<Count<1, 100_000>>,
    /// Keep sessions that began at most so long ago (1m to 87600h).
    #[arg(long, value_name = "TIME")]
    #[serde(default)]
    keep_for: Option<Age>,
    /// Keep so many megabytes of records, those of the newest sessions (1 to 1000000).
    #[arg(long, value_name = "MB")]
    #[serde(default)]
    keep_mb: Option<Count<1, 1_000_000>>,
    /// Say what would be deleted, and delete nothing.
    #[arg(long)]
    #[serde(default)]
    dry_run: bool,
}

/// From a minute to ten years.
type Age = Span<60_000, 315_360_000_000>;

impl crate::Operation for Operation {
    const NAME: &'static str = "prune";
    const ABOUT: &'static str = "Delete sessions beyond a number, an age or a size";
    const DETAILS: &'static str = "\
The oldest go first; a session that is being recorded stays. Without a limit nothing is deleted. \
There is no way back: `giulia export` keeps a copy.

Examples:
  giulia prune --keep 50
  giulia prune --keep-for 720h --keep-mb 500 --dry-run";
    const KIND: Kind = Kind::Change;
    const LACKS: &'static [(Face, &'static str)] =
        &[(Face::Mcp, "what a person recorded is a person's to throw away")];

    type Params = Params;
    type Answer = Pruned;

    async fn run(ctx: &Ctx, params: Params) -> anyhow::Result<Pruned> {
        let mb = |it: Count<1, 1_000_000>| u64::from(u32::from(it)) << 20;
        let keep = Keep {
            count: params.keep.map(Count::get),
            age: params.keep_for.map(Span::get),
            bytes: params.keep_mb.map(mb),
        };
        Ok(giulia_engine::prune(&ctx.archive, keep, &ctx.clock, params.dry_run)?)
    }

    fn text(answer: &Pruned, out: &mut Out) {
        let verb = if answer.is_dry_run { "Would delete" } else { "Deleted" };
        for it in &answer.deleted {
            let text =
                format!("{verb} {} of {}, {} ticks.", it.name, it.node, units::count(it.ticks));
            out.line(&[(Style::Plain, &text)]);
        }
        let (n, freed) = (answer.deleted.len(), units::bytes(answer.freed_bytes));
        let text = format!("{verb} {n} sessions, {freed} of records; {} are kept.", answer.kept);
        out.line(&[(Style::Title, &text)]);
    }
}
