//! `code cycles`: what refers to itself.

use clap::Args;
use giulia_model::CodeCycles;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use giulia_engine::{EdgeFilter, EdgeWhen};

use crate::{Ctx, Kind, Out, indexed::PageAsked, text};

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
    #[command(flatten)]
    #[serde(flatten)]
    page: PageAsked,
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
        let (which, page) = params.page.read();
        let base = giulia_engine::open_code(&ctx.archive, &which)?;
        let of_functions = params.functions.then(EdgeFilter::control);
        let when = match params.when {
            WhenArg::Any => EdgeWhen::Any,
            WhenArg::Compile => EdgeWhen::Compile,
            WhenArg::Run => EdgeWhen::Run,
        };
        Ok(base.cycles(of_functions, when, page))
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
