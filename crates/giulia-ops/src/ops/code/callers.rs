//! `code callers`: where functions are called.

use giulia_engine::EdgeDirection;
use giulia_model::CodeCallers;

use crate::{Ctx, Kind, Out, indexed::ReferencesAsked, text};

/// The operation.
pub(crate) struct Operation;

impl crate::Operation for Operation {
    const NAME: &'static str = "code-callers";
    const GROUP: Option<&'static str> = Some("code");
    const ABOUT: &'static str = "Show where functions are called";
    const DETAILS: &'static str = "\
Each place with its file and line, the kind of reference and who says so. A reference is a fun that \
is made of the function, or its name with arguments: who calls that is not known. Of a module, \
where any function of it is referred to.

Examples:
  giulia code callers Shop.Cart.get/1
  giulia code callers lists:map --kinds call
  giulia code callers ets:insert/2 --limit 1000 --json";
    const KIND: Kind = Kind::Query;

    type Params = ReferencesAsked;
    type Answer = CodeCallers;

    async fn run(ctx: &Ctx, params: ReferencesAsked) -> anyhow::Result<CodeCallers> {
        let (which, functions, filter, page) = params.read();
        let base = giulia_engine::open_code(&ctx.archive, &which)?;
        let calls = base.calls(&functions, EdgeDirection::In, filter, page)?;
        Ok(CodeCallers { schema: "giulia.code-callers/1".to_owned(), calls })
    }

    fn text(answer: &CodeCallers, out: &mut Out) {
        text::code_callers(answer, out);
    }
}
