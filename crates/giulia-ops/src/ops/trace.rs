//! `trace`: who is called how often, exactly, and what that takes.

use clap::{Args, ValueEnum};
use futures_util::future;
use giulia_engine::{Bounds, SampleOptions, SampleRequest, TraceRequest, TraceSort};
use giulia_model::{SampleKind, Trace};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Budget, CallArg, Count, Ctx, Kind, NodesArg, Out, Span, Top, WhoArg, Window, text};

/// The operation.
pub(crate) struct Operation;

/// Which functions of which nodes, for how long, and what it may cost.
#[derive(Debug, Args, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Params {
    /// The node's name, as `node()` prints it there; several with commas between them.
    node: NodesArg,
    /// Which functions: `Shop.Cart`, `Shop.*`, `app:shop`, `Shop.Cart.add/2`, `lists:map`; with
    /// --args and its like also which calls: `Shop.Cart.add(_, :error)`.
    #[arg(required = true, value_name = "PATTERN")]
    patterns: Vec<CallArg>,
    /// Count for this time (100ms to 10m).
    #[arg(long = "for", value_name = "TIME", default_value_t = default_window())]
    #[serde(rename = "for", default = "default_window")]
    window: Window,
    /// Most of this first.
    #[arg(long, value_enum, default_value_t = Sort::Calls)]
    #[serde(default)]
    sort: Sort,
    /// Rows of each ranking, 1 to 1000.
    #[arg(long, value_name = "N", default_value_t = default_top())]
    #[serde(default = "default_top")]
    top: Top,
    /// What counting may cost, of the time of all schedulers; what would break it is left out, by
    /// name.
    #[arg(long, value_name = "PERCENT", default_value_t = Budget::default())]
    #[serde(default)]
    budget: Budget,
    /// Say what would be called on the node, and call none of it.
    #[arg(long)]
    #[serde(default)]
    dry_run: bool,
    /// Look at so many calls in place of counting: with what.
    #[arg(long, value_name = "N", group = "sample")]
    #[serde(default)]
    args: Option<Sampled>,
    /// Look at so many calls: what came of them.
    #[arg(long, value_name = "N", group = "sample")]
    #[serde(default)]
    returns: Option<Sampled>,
    /// Look at so many calls: where they return to.
    #[arg(long, value_name = "N", group = "sample")]
    #[serde(default)]
    callers: Option<Sampled>,
    /// Look for calls that take as long as this, waiting included; --top says how many are shown.
    #[arg(long, value_name = "TIME", group = "sample")]
    #[serde(default)]
    slow: Option<Slow>,
    /// Only calls by these processes: a pid, a name, group:NAME, new; several with commas.
    #[arg(long, value_name = "WHO", value_delimiter = ',', requires = "sample")]
    #[serde(default)]
    pids: Vec<WhoArg>,
    /// Show values too; without it types and sizes only.
    #[arg(long, requires = "sample")]
    #[serde(default)]
    values: bool,
}

/// Calls that are looked at closely: what a person reads.
type Sampled = Count<1, 1000>;
/// From tracing's own price, twice, to what a session is the better question for.
type Slow = Span<1, 60_000>;

/// What the rows are sorted by.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Sort {
    /// How often it was called.
    #[default]
    Calls,
    /// CPU time in the function itself.
    Time,
    /// Words that the function itself allocated.
    Memory,
}

/// Long enough for a picture, and for measuring a tenth of it.
fn default_window() -> Window {
    Window::clamped(std::time::Duration::from_secs(10))
}

/// One screen.
fn default_top() -> Top {
    Top::clamped(20)
}

/// What is looked at closely, if anything is.
fn kind(params: &Params) -> anyhow::Result<Option<(SampleKind, usize)>> {
    let slow = params.slow.map(|it| {
        let from_us = u64::try_from(it.get().as_micros()).unwrap_or(u64::MAX);
        (SampleKind::Slow { from_us }, params.top.get())
    });
    let counted = [
        params.args.map(|it| (SampleKind::Arguments, it.get())),
        params.returns.map(|it| (SampleKind::Returns, it.get())),
        params.callers.map(|it| (SampleKind::Callers, it.get())),
        slow,
    ];
    let mut asked = counted.into_iter().flatten();
    let first = asked.next();
    anyhow::ensure!(asked.next().is_none(), "one of args, returns, callers and slow at a time");
    let needs_one = params.values || !params.pids.is_empty();
    anyhow::ensure!(
        first.is_some() || !needs_one,
        "values and pids are about single calls: add args, returns, callers or slow"
    );
    Ok(first)
}

/// A few calls in place of all of them.
async fn closely(
    ctx: &Ctx,
    params: Params,
    kind: SampleKind,
    wanted: usize,
) -> anyhow::Result<Trace> {
    let options = SampleOptions {
        kind,
        wanted,
        values: params.values,
        whom: params.pids.into_iter().map(WhoArg::get).collect(),
        within: params.window.get(),
    };
    let patterns = params.patterns.into_iter().map(CallArg::get).collect();
    let request = SampleRequest { patterns, options, dry_run: params.dry_run };
    let bounds: Vec<_> = params
        .node
        .iter()
        .map(|node| {
            let access = ctx.book.for_node(node);
            (node, access, ctx.bounds(access, request.lasts()))
        })
        .collect();
    let attempts: Vec<_> =
        bounds.iter().map(|(node, access, bounds)| (*node, ctx.attempt(access, bounds))).collect();
    // Boxed: it holds the answers of several nodes.
    let sampling: future::BoxFuture<'_, _> =
        Box::pin(giulia_engine::sample_calls(&attempts, &request));
    Ok(sampling.await?)
}

impl crate::Operation for Operation {
    const NAME: &'static str = "trace";
    const ABOUT: &'static str = "Count calls of functions exactly, and measure the hottest";
    const DETAILS: &'static str = "\
Counts every call of the functions that the patterns mean, private ones too, with the VM's own \
counters: exact, by module, function and arity, and some nanoseconds a call. All of them are counted \
for 50 ms first; those that would cost more than the budget lose their counter and are named. The \
hottest are then measured for a part of the time, in the 1,000 processes that work most: CPU time in \
the function itself, without waiting and without what it calls, and words that it allocated (OTP 26). \
Counters are stopped before they are read, and everything is undone, also when giulia is killed. A \
function that was loaded anew meanwhile is lost, and said to be. Each stands with its file and line, by \
what is indexed (giulia code index) or else by some of the node's own files, and with whether that is \
what runs (MD5).

With --args, --returns, --callers or --slow nothing is counted and a few calls are looked at \
closely: types and sizes of arguments, made on the node itself so that no argument leaves it (of a \
return value the whole does); with --values, values. Each process tells of one call at a time. \
Functions that loop are refused for --returns and --slow, by their bytecode. A pattern may then say \
which calls, in Elixir's or Erlang's writing, with a guard.

Patterns: a module (Shop.Cart, lists), a part of its name (Shop.*, gen_*), an application \
(app:shop), a function (Shop.Cart.add, lists:map/2), a part of its name (Shop.Cart.get_*). Quote \
what the shell would take.

Examples:
  giulia trace shop@db1 app:shop
  giulia trace shop@db1 'Shop.*' 'lists:*' --for 30s --sort time
  giulia trace shop@db1,shop@db2 Shop.Cart.add/2 --json | jq .functions
  giulia trace shop@db1 app:shop --dry-run                 also with --args and its like
  giulia trace shop@db1 'Shop.Cart.add(_, n) when n > 10' --args 20 --values
  giulia trace shop@db1 'shop_cart:add(_, error)' --callers 100 --pids group:shop_web.init/1
  giulia trace shop@db1 Shop.Repo.get/2 --slow 10ms --for 30s";
    const KIND: Kind = Kind::Live;

    type Params = Params;
    type Answer = Trace;

    async fn run(ctx: &Ctx, params: Params) -> anyhow::Result<Trace> {
        if let Some((kind, wanted)) = kind(&params)? {
            return closely(ctx, params, kind, wanted).await;
        }
        let patterns: Result<Vec<_>, String> =
            params.patterns.into_iter().map(CallArg::functions).collect();
        let request = TraceRequest {
            patterns: patterns.map_err(anyhow::Error::msg)?,
            window: params.window.get(),
            sort: match params.sort {
                Sort::Calls => TraceSort::Calls,
                Sort::Time => TraceSort::Time,
                Sort::Memory => TraceSort::Memory,
            },
            top: params.top.get(),
            budget_share: params.budget.share(),
            dry_run: params.dry_run,
        };
        let nodes: Vec<&str> = params.node.iter().collect();
        let bounds: Vec<(&str, &giulia_engine::Access, Bounds)> = nodes
            .into_iter()
            .map(|node| {
                let access = ctx.book.for_node(node);
                (node, access, ctx.bounds(access, request.lasts()))
            })
            .collect();
        let attempts: Vec<_> = bounds
            .iter()
            .map(|(node, access, bounds)| (*node, ctx.attempt(access, bounds)))
            .collect();
        // Boxed: it holds the answers of several nodes.
        let archive = Some(&ctx.archive);
        let tracing: future::BoxFuture<'_, _> =
            Box::pin(giulia_engine::trace(&attempts, &request, archive));
        Ok(tracing.await?)
    }

    fn text(answer: &Trace, out: &mut Out) {
        text::trace(answer, out);
    }
}
