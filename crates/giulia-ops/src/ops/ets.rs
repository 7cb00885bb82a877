//! `ets`: how often tables are read and written, and by whom.

use std::time::Duration;

use clap::Args;
use giulia_engine::EtsRatesRequest;
use giulia_model::EtsRates;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Ctx, Kind, NodeArg, Out, TableArg, text};

/// The operation.
pub(crate) struct Operation;

/// Which tables, and for how long.
#[derive(Debug, Args, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Params {
    /// The node's name, as `node()` prints it there.
    node: NodeArg,
    /// Show one table alone, by its name.
    #[arg(value_name = "TABLE")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    table: Option<TableArg>,
    /// Look for this time (1s to 10m).
    #[arg(long = "for", value_name = "TIME", default_value_t = default_window())]
    #[serde(rename = "for", default = "default_window")]
    window: RatesWindow,
}

/// Below a second there is no time for looks at single calls.
type RatesWindow = crate::limits::Span<1000, 600_000>;

/// Three seconds of counting, two of looks at single calls.
fn default_window() -> RatesWindow {
    RatesWindow::clamped(Duration::from_secs(5))
}

impl crate::Operation for Operation {
    const NAME: &'static str = "ets";
    const ABOUT: &'static str = "Show how often ETS tables are read and written, and by whom";
    const DETAILS: &'static str = "\
Calls of each function of ets, counted exactly by the VM; then short looks at single calls, from \
which follow the shares of tables and callers, each with the interval that holds the true figure \
95 times of 100. 50 ms of counting tell first what each function would cost; what is too dear for \
1 % of the node is left out by name. Objects are neither read nor shown.

Examples:
  giulia ets shop@db1
  giulia ets shop@db1 sessions --for 10s
  giulia ets shop@db1 --json | jq '.tables[] | {name, read_share}'";
    const KIND: Kind = Kind::Live;

    type Params = Params;
    type Answer = EtsRates;

    async fn run(ctx: &Ctx, params: Params) -> anyhow::Result<EtsRates> {
        let node = params.node.as_str();
        let access = ctx.book.for_node(node);
        let window = params.window.get();
        let bounds = ctx.bounds(access, window);
        let request = EtsRatesRequest { table: params.table.map(TableArg::get), window };
        Ok(giulia_engine::ets_rates(node, &request, ctx.attempt(access, &bounds)).await?)
    }

    fn text(answer: &EtsRates, out: &mut Out) {
        text::ets_rates(answer, out);
    }
}
