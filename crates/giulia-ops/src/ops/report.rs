//! `report`: a session in figures.

use clap::Args;
use giulia_model::Report;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Ctx, Kind, Out, SessionArg, Top, Writer, html, text};

/// The operation.
pub(crate) struct Operation;

/// Which session, and how much of it.
#[derive(Debug, Args, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Params {
    /// The session: its name, the beginning of its name, or `last`.
    #[arg(default_value_t)]
    #[serde(default)]
    session: SessionArg,
    /// Rows of each ranking, 1 to 1000.
    #[arg(long, value_name = "N", default_value_t = default_top())]
    #[serde(default = "default_top")]
    top: Top,
}

/// Four rankings of five rows leave room for the rest of a screen and a half.
fn default_top() -> Top {
    Top::clamped(5)
}

impl crate::Operation for Operation {
    const NAME: &'static str = "report";
    const ABOUT: &'static str = "Show what a session recorded, in figures";
    const DETAILS: &'static str = "\
Who used the reductions (applications, process groups, modules, processes), schedulers, memory \
and whether its growth is more than noise, mailboxes, ETS, limits, the logger's share, what \
happened, what could not be seen, and what looking cost the node; with `--postgres`, the \
database's own statements and which functions wait for them. Shares are shares of the \
reductions in the windows of the ticks; gaps are not in them and are told. A session that is \
being recorded reads up to now. Findings at the end are those of `giulia check SESSION`.

Examples:
  giulia report                            the newest session
  giulia report shop-20260301 --top 20     by the beginning of its name
  giulia report last --md > report.md      as Markdown
  giulia report last -o report.html        one file with charts, which needs no network
  giulia report last --json | jq .memory   the same facts as a document";
    const KIND: Kind = Kind::Query;
    const MARKDOWN: Option<fn(&Report) -> String> = Some(|it| text::report(it).markdown());

    const WRITERS: &'static [Writer<Report>] =
        &[Writer { name: "html", endings: &[".html", ".htm"], write: html::report }];

    type Params = Params;
    type Answer = Report;

    async fn run(ctx: &Ctx, params: Params) -> anyhow::Result<Report> {
        let (name, top) = (params.session.as_str(), params.top.get());
        let (mut report, picture) = giulia_engine::report_and_picture(&ctx.archive, name, top)?;
        report.findings = Some(giulia_rules::judge(&picture));
        if let Some(database) = &mut report.database {
            database.functions = giulia_rules::database_functions(&picture);
        }
        Ok(report)
    }

    fn text(answer: &Report, out: &mut Out) {
        text::report(answer).show(out);
    }
}
