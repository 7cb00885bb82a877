//! `code callees`: what functions call.

use clap::Args;
use giulia_model::CodeCallees;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use giulia_engine::{EdgeDirection, EdgeFilter};

use crate::{
    Before, Ctx, FolderArg, FunctionArg, Kind, KindsArg, NodeArg, Out, Rows,
    indexed::{default_rows, filter, graph_of, no_rows, page},
    text,
};

/// The operation.
pub(crate) struct Operation;

/// Which functions of which code.
#[derive(Debug, Args, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Params {
    /// Of which: `Shop.Cart.get/1`, `lists:map`, `Shop.Cart`.
    #[arg(value_name = "FUNCTION")]
    function: FunctionArg,
    /// Only these kinds of references, with commas; `control` and `compile` stand for several.
    #[arg(long, value_name = "KINDS")]
    #[serde(default)]
    kinds: Option<KindsArg>,
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
    const NAME: &'static str = "code-callees";
    const GROUP: Option<&'static str> = Some("code");
    const ABOUT: &'static str = "Show what functions call";
    const DETAILS: &'static str = "\
Each place with its file and line, the kind of reference and who says so: what the compiler was given \
(debug_info), what it made of it (bytecode), or the source as it is written. Calls of funs, and of \
functions whose name is a value, lead nobody knows where; `giulia code show` counts them.

Examples:
  giulia code callees Shop.Cart.get/1
  giulia code callees Shop.Cart --kinds ets_read,ets_write
  giulia code callees gen_server:call/3 --node shop@db1 --json";
    const KIND: Kind = Kind::Query;

    type Params = Params;
    type Answer = CodeCallees;

    async fn run(ctx: &Ctx, params: Params) -> anyhow::Result<CodeCallees> {
        let which = graph_of(params.project, params.node);
        let base = giulia_engine::open_code(&ctx.archive, &which)?;
        let filter = filter(params.kinds, EdgeFilter::ALL);
        let page = page(params.from, params.limit);
        let function = params.function.get();
        let calls = base.calls(&function, EdgeDirection::Out, filter, page)?;
        Ok(CodeCallees { schema: "giulia.code-callees/1".to_owned(), calls })
    }

    fn text(answer: &CodeCallees, out: &mut Out) {
        text::code_callees(answer, out);
    }
}
