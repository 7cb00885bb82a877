//! `code index`: reads code.

use std::time::Duration;

use clap::Args;
use giulia_engine::{IndexRequest, NodeCodeRequest};
use giulia_model::CodeIndex;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Ctx, FolderArg, FunctionArg, Kind, NodeArg, Out, Span, text};

/// The operation.
pub(crate) struct Operation;

/// What is read.
#[derive(Debug, Args, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Params {
    /// The folder; the working folder when it is left out.
    #[arg(value_name = "FOLDER", conflicts_with = "node")]
    #[serde(default)]
    project: Option<FolderArg>,
    /// The code that this node runs, in place of a folder's.
    #[arg(long, value_name = "NODE")]
    #[serde(default)]
    node: Option<NodeArg>,
    /// Of a node only these modules: `Shop.*`, `app:shop`; may be repeated.
    #[arg(long, value_name = "MODULES", requires = "node")]
    #[serde(default)]
    modules: Vec<FunctionArg>,
    /// Read a node's code for at most this long (1s to 1h).
    #[arg(long = "for", value_name = "TIME", default_value_t = default_lasting())]
    #[serde(rename = "for", default = "default_lasting")]
    lasting: Lasting,
    /// Read a project's dependencies too, as its own.
    #[arg(long, conflicts_with = "node")]
    #[serde(default)]
    with_dependencies: bool,
    /// Look again each second, and read what changes, until Ctrl-C.
    #[arg(long, conflicts_with = "node")]
    #[serde(default)]
    watch: bool,
    /// Read everything again, also what looks unchanged.
    #[arg(long)]
    #[serde(default)]
    force: bool,
}

/// Looking at 1,000 files takes some 5 ms.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// How long a node's code is read.
type Lasting = Span<1_000, 3_600_000>;

/// OTP and Elixir with 1,000 modules take one minute at a tenth of one thread.
fn default_lasting() -> Lasting {
    Lasting::clamped(Duration::from_mins(10))
}

impl crate::Operation for Operation {
    const NAME: &'static str = "code-index";
    const GROUP: Option<&'static str> = Some("code");
    const ABOUT: &'static str = "Read code, and keep what refers to what as a graph";
    const DETAILS: &'static str = "\
Reads the sources of a project (Elixir, Erlang, templates) and the .beam files of a folder and of \
all below it, a built project or an installation: with debug information what the compiler was \
given, macros expanded, and in any case what it made of it. Each reference keeps who says so. \
Nothing of the project is run. Of several builds (_build/dev, _build/test) one is read, and of \
dependencies only what the project refers to, unless --with-dependencies is given. With --node, \
the files that the code of a node was loaded from, read there one by one at a tenth of one of its \
threads, without asking its code server. The second time only what changed is read. The graph is \
kept in the store, and all other `giulia code` commands answer from it.

Examples:
  giulia code index                      the working folder
  giulia code index /srv/shop
  giulia code index /usr/lib/erlang/lib  OTP itself
  giulia code index --watch              again whenever something changes
  giulia code index --node shop@db1      all that the node has loaded
  giulia code index --node shop@db1 --modules app:shop --modules 'Shop.*'";
    const KIND: Kind = Kind::Live;
    const KEEPS: bool = true;

    type Params = Params;
    type Answer = CodeIndex;

    async fn run(ctx: &Ctx, params: Params) -> anyhow::Result<CodeIndex> {
        if let Some(node) = &params.node {
            let access = ctx.book.for_node(node.as_str());
            let bounds = ctx.bounds(access, params.lasting.get());
            let patterns = params.modules.into_iter().map(FunctionArg::get).collect();
            let request = NodeCodeRequest { patterns, force: params.force };
            let attempt = ctx.attempt(access, &bounds);
            let node = node.as_str();
            return Ok(giulia_engine::index_node(&ctx.archive, node, &request, attempt).await?);
        }
        let root = params.project.map_or_else(|| ".".into(), |it| it.as_str().into());
        let request = IndexRequest {
            root,
            with_dependencies: params.with_dependencies,
            force: params.force,
            watch: params.watch.then_some(LOOK_EVERY),
        };
        let progress = ctx.progress.as_ref();
        progress.begin("indexing", Duration::ZERO);
        let (archive, clock) = (&ctx.archive, &ctx.clock);
        let indexed =
            giulia_engine::index_code(archive, &request, clock, progress, &ctx.stop).await;
        ctx.progress.end();
        Ok(indexed?)
    }

    fn text(answer: &CodeIndex, out: &mut Out) {
        text::code_index(answer, out);
    }
}
