//! `code cycles`: what refers to itself.

use clap::Args;
use giulia_model::CodeCycles;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use giulia_engine::{EdgeFilter, EdgeWhen};

use crate::{
    Before, Ctx, FolderArg, Kind, NodeArg, Out, Rows,
    indexed::{default_rows, graph_of, no_rows, page},
    text,
};

/// The operation.
pub(crate) struct Operation;

/// Cycles of what, in which code.
#[derive(Debug, Args, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Params {
    /// Of functions, and not of modules.
    #[arg(long)]
    #[serde(default)]
    functions: bool,
    /// Which references count.
    #[arg(long, value_name = "WHEN", value_enum, default_value_t = WhenArg::Any)]
    #[serde(default)]
    when: WhenArg,
    /// The project's folder, or one in it; else the working folder's project.
    #[arg(long, value_name = "FOLDER", conflicts_with = "node")]
    #[serde(default)]
    project: Option<FolderArg>,
    /// The node whose code was indexed, in place of a project.
    #[arg(long, value_name = "NODE")]
    #[serde(default)]
    node: Option<NodeArg>,
    /// At most so many rows, 1 to 1000.
    #[arg(long, value_name = "N", default_value_t = default_rows())]
    #[serde(default = "default_rows")]
    limit: Rows,
    /// After so many rows: where the last page said that the next begins.
    #[arg(long, value_name = "N", default_value_t = no_rows())]
    #[serde(default = "no_rows")]
    from: Before,
}

impl crate::Operation for Operation {
    const NAME: &'static str = "code-cycles";
    const GROUP: Option<&'static str> = Some("code");
    const ABOUT: &'static str = "Show modules or functions that refer to each other";
    const DETAILS: &'static str = "\
Strongly connected components, the largest first, each with one shortest cycle in it, reference by \
reference. Cycles of compile-time references (macros, structs, imports, uses) make modules compile \
again and again; those at run time are a matter of design: --when tells them apart.

Examples:
  giulia code cycles
  giulia code cycles --when compile
  giulia code cycles --functions
  giulia code cycles --json | jq '.cycles[0].cycle'";
    const KIND: Kind = Kind::Query;

    type Params = Params;
    type Answer = CodeCycles;

    async fn run(ctx: &Ctx, params: Params) -> anyhow::Result<CodeCycles> {
        let which = graph_of(params.project, params.node);
        let base = giulia_engine::open_code(&ctx.archive, &which)?;
        let of_functions = params.functions.then(EdgeFilter::control);
        let when = match params.when {
            WhenArg::Any => EdgeWhen::Any,
            WhenArg::Compile => EdgeWhen::Compile,
            WhenArg::Run => EdgeWhen::Run,
        };
        Ok(base.cycles(of_functions, when, page(params.from, params.limit)))
    }

    fn text(answer: &CodeCycles, out: &mut Out) {
        text::code_cycles(answer, out);
    }
}

/// Which references count.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub(crate) enum WhenArg {
    /// All.
    #[default]
    Any,
    /// Those that make a module compile again.
    Compile,
    /// Those that are there while it runs.
    Run,
}
