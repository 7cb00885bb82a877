//! `code callees`: what functions call.

use giulia_engine::EdgeDirection;
use giulia_model::CodeCallees;

use crate::{Ctx, Kind, Out, indexed::ReferencesAsked, text};

/// The operation.
pub(crate) struct Operation;

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

    type Params = ReferencesAsked;
    type Answer = CodeCallees;

    async fn run(ctx: &Ctx, params: ReferencesAsked) -> anyhow::Result<CodeCallees> {
        let (which, functions, filter, page) = params.read();
        let base = giulia_engine::open_code(&ctx.archive, &which)?;
        let calls = base.calls(&functions, EdgeDirection::Out, filter, page)?;
        Ok(CodeCallees { schema: "giulia.code-callees/1".to_owned(), calls })
    }

    fn text(answer: &CodeCallees, out: &mut Out) {
        text::code_callees(answer, out);
    }
}
