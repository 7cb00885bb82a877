//! `profile`: a session by windows of time.

use clap::Args;
use giulia_engine::ProfileRequest;
use giulia_model::Profile;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Ctx, Kind, Out, SessionArg, Top, Writer, html, limits::Span, text};

/// The operation.
pub(crate) struct Operation;

/// Which session, cut how.
#[derive(Debug, Args, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Params {
    /// The session: its name, the beginning of its name, or `last`.
    #[arg(default_value_t)]
    #[serde(default)]
    session: SessionArg,
    /// How long a window is, at least as long as a tick; without it the shortest that makes at most
    /// 60 of them.
    #[arg(long, value_name = "TIME")]
    #[serde(default)]
    window: Option<Lasting>,
    /// From when on, counted from the start of the session.
    #[arg(long, value_name = "TIME")]
    #[serde(default)]
    from: Option<Since>,
    /// Until when, counted from the start of the session.
    #[arg(long, value_name = "TIME")]
    #[serde(default)]
    to: Option<Since>,
    /// Rows of each ranking of each window, 1 to 1000.
    #[arg(long, value_name = "N", default_value_t = default_top())]
    #[serde(default = "default_top")]
    top: Top,
}

/// What a window may last: from the shortest tick of a session up to the longest session.
type Lasting = Span<100, 604_800_000>;
/// A moment of a session: one that is never stopped ends with its disk, which takes months.
type Since = Span<0, 31_536_000_000>;

/// The document holds so many of each window; the text the first of them.
fn default_top() -> Top {
    Top::clamped(5)
}

impl crate::Operation for Operation {
    const NAME: &'static str = "profile";
    const ABOUT: &'static str = "Show a session by windows of time: what changed when";
    const DETAILS: &'static str = "\
The figures of `giulia report` for each window: process groups, modules, functions where calls were \
counted, ETS tables, mailboxes, memory, schedulers, limits, and what functions rest on where \
somebody looked closely; and what jumped most from one window to the next, where that is more than \
it changes anyway.

A tick stands for the time since the tick before and is never split, so windows begin and end with \
ticks, and no window is shorter than a tick. A look at all processes (where that is dear, only every \
few ticks look) and a reading of counters count in the window in which they end, whole, with their \
own times. What was not seen in a window is absent there. Sums over all windows are those of the \
report, but for a function whose counter was lost: its calls until then are in their windows, and in \
no sum of the report. A session that is being recorded reads up to now.

Examples:
  giulia profile                              the newest session in at most 60 windows
  giulia profile shop-20260301 --window 10s   by the beginning of its name
  giulia profile last --from 1m --to 2m       a part of it closely
  giulia profile last -o profile.html         one file with charts, which needs no network
  giulia profile last --json | jq '.windows[] | [.from_ms, .work.reductions]'";
    const KIND: Kind = Kind::Query;
    const MARKDOWN: Option<fn(&Profile) -> String> = Some(|it| text::profile(it).markdown());

    const WRITERS: &'static [Writer<Profile>] =
        &[Writer { name: "html", endings: &[".html", ".htm"], write: html::profile }];

    type Params = Params;
    type Answer = Profile;

    async fn run(ctx: &Ctx, params: Params) -> anyhow::Result<Profile> {
        let request = ProfileRequest {
            window: params.window.map(Span::get),
            from: params.from.map(Span::get),
            to: params.to.map(Span::get),
            top: params.top.get(),
        };
        Ok(giulia_engine::profile(&ctx.archive, params.session.as_str(), &request)?)
    }

    fn text(answer: &Profile, out: &mut Out) {
        text::profile(answer).show(out);
    }
}
