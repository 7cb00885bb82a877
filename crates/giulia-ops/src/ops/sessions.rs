//! `sessions`: which sessions the store has.

use clap::Args;
use giulia_model::{Ended, SessionEntry, Sessions};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    Ctx, Kind, Out, Style,
    columns::{Align, Cell, Columns},
    units,
};

/// The operation.
pub(crate) struct Operation;

/// Nothing to choose.
#[derive(Debug, Args, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Params {}

impl crate::Operation for Operation {
    const NAME: &'static str = "sessions";
    const ABOUT: &'static str = "List the sessions that were recorded";
    const DETAILS: &'static str = "\
The newest first, with those that are being recorded now and those whose giulia was killed.

Examples:
  giulia sessions
  giulia sessions --store /srv/giulia.db --json | jq '.sessions[].name'";
    const KIND: Kind = Kind::Query;

    type Params = Params;
    type Answer = Sessions;

    async fn run(ctx: &Ctx, _params: Params) -> anyhow::Result<Sessions> {
        Ok(giulia_engine::sessions(&ctx.archive)?)
    }

    fn text(answer: &Sessions, out: &mut Out) {
        if answer.sessions.is_empty() {
            let text = format!("No session in {}; record one: giulia observe NODE", answer.store);
            out.paragraph(0, Style::Plain, &text);
            return;
        }
        let many = if answer.sessions.len() == 1 { "session" } else { "sessions" };
        let text = format!("{} {many} in {}", answer.sessions.len(), answer.store);
        out.paragraph(0, Style::Title, &text);
        let mut columns = Columns::new(&[
            ("session", Align::Name),
            ("node", Align::Extra),
            ("started", Align::Left),
            ("ticks", Align::Right),
            ("missed", Align::Right),
            ("size", Align::Right),
            ("", Align::Left),
        ]);
        for it in &answer.sessions {
            let (state, style) = state(it);
            columns.row([
                Cell::of(&it.name),
                Cell::of(&it.node),
                Cell::of(it.started_at.get(..19).unwrap_or(&it.started_at)),
                Cell::of(units::count(it.ticks)),
                Cell::of(units::count(it.ticks_missed)),
                Cell::of(units::bytes(it.bytes)),
                Cell::of(state).styled(style),
            ]);
        }
        out.columns(&columns);
    }
}

fn state(it: &SessionEntry) -> (&'static str, Style) {
    match (it.running, it.ended) {
        (true, _) => ("running", Style::Good),
        (_, Some(Ended::TimeUp)) => ("time up", Style::Plain),
        (_, Some(Ended::Stopped)) => ("stopped", Style::Plain),
        (_, Some(Ended::WorkloadEnded)) => ("command ended", Style::Plain),
        (_, Some(Ended::Failed)) => ("failed", Style::Warn),
        (_, Some(Ended::Killed)) => ("killed", Style::Warn),
        // Exported while it was recorded.
        (_, None) => ("without its end", Style::Warn),
    }
}
