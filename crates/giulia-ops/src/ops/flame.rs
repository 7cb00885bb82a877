//! `flame`: in what functions a node spends its time.

use clap::Args;
use giulia_engine::FlameRequest;
use giulia_model::{Flame, FlameOf};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Ctx, GroupArg, Kind, NodeArg, Out, PatternArg, Rate, Window, Writer, flame, text};

/// The operation.
pub(crate) struct Operation;

/// Which node, whose stacks, how long and how often.
#[derive(Debug, Args, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Params {
    /// The node's name, as `node()` prints it there.
    node: NodeArg,
    /// Sample for this time, 100ms to 10m.
    #[arg(long = "for", value_name = "TIME", default_value_t = default_lasting())]
    #[serde(default = "default_lasting", rename = "for")]
    lasting: Window,
    /// Stacks of processes that wait, in place of those at work.
    #[arg(long)]
    #[serde(default)]
    off_cpu: bool,
    /// Only stacks with such a function: `Shop.Cart`, `Shop.*`, `Shop.Cart.add/2`, `lists:map`.
    #[arg(long, value_name = "PATTERN")]
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pattern: Vec<PatternArg>,
    /// Only processes of this group, as the answer names it.
    #[arg(long, value_name = "NAME")]
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    group: Vec<GroupArg>,
    /// Looks a second at most, 1 to 500; fewer where the budget, 1 % of a core, does not allow it.
    #[arg(long, value_name = "N", default_value_t = default_hz())]
    #[serde(default = "default_hz")]
    hz: Rate,
}

/// As `perf` and `py-spy` users expect; 1,000 samples on a node with one busy scheduler.
fn default_lasting() -> Window {
    Window::clamped(std::time::Duration::from_secs(10))
}

/// With two busy schedulers, 3,000 samples in ten seconds, which shares within three points need.
fn default_hz() -> Rate {
    Rate::clamped(150)
}

impl crate::Operation for Operation {
    const NAME: &'static str = "flame";
    const ABOUT: &'static str = "Sample stacks: in what functions is the time spent?";
    const DETAILS: &'static str = "\
Looks many times a second who is on a scheduler, and asks those for their stack: a flame graph of \
any node, without tracing and without a change there. With --off-cpu, of the processes that wait. \
The text lists the functions with most samples of their own; -o writes a graph, by the file's \
ending: .svg (a picture), .html (a page with zoom and search), .folded (a line a stack), \
.speedscope.json, .pb.gz (pprof). Each says what sampling cannot see. The VM cuts stacks at its \
backtrace_depth, eight frames unless the node was started with more. Ctrl-C ends early, with \
what there is.

Examples:
  giulia flame shop@db1
  giulia flame shop@db1 --for 30s -o shop.svg
  giulia flame shop@db1 --group Shop.Cart --pattern 'Shop.*' -o cart.html
  giulia flame shop@db1 --off-cpu -o waiting.folded
  giulia flame shop@db1 --json | jq '.functions[:10]'";
    const KIND: Kind = Kind::Live;
    const WRITERS: &'static [Writer<Flame>] = flame::WRITERS;

    type Params = Params;
    type Answer = Flame;

    async fn run(ctx: &Ctx, params: Params) -> anyhow::Result<Flame> {
        let node = params.node.as_str();
        let access = ctx.book.for_node(node);
        let window = params.lasting.get();
        let bounds = ctx.bounds(access, window);
        let request = FlameRequest {
            of: if params.off_cpu { FlameOf::Waiting } else { FlameOf::Running },
            window,
            hz_max: params.hz.into(),
            patterns: params.pattern.into_iter().map(PatternArg::get).collect(),
            groups: params.group.into_iter().map(String::from).collect(),
        };
        Ok(giulia_engine::flame(node, &request, ctx.attempt(access, &bounds)).await?)
    }

    fn text(answer: &Flame, out: &mut Out) {
        text::flame(answer, out);
    }
}
