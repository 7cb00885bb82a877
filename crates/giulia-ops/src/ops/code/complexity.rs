//! `code complexity`: the hardest functions.

use giulia_model::CodeHardest;

use crate::{Ctx, Kind, Out, indexed::ModulesAsked, text};

/// The operation.
pub(crate) struct Operation;

impl crate::Operation for Operation {
    const NAME: &'static str = "code-complexity";
    const GROUP: Option<&'static str> = Some("code");
    const ABOUT: &'static str = "List the functions that are hardest to follow";
    const DETAILS: &'static str = "\
By cognitive complexity (breaks in the reading, each the dearer the deeper it stands), then by \
cyclomatic (ways through it), over all clauses. Only source tells; functions without are counted.

Examples:
  giulia code complexity
  giulia code complexity 'Shop.*' --limit 20
  giulia code complexity --json | jq '.functions[] | [.function, .complexity]'";
    const KIND: Kind = Kind::Query;

    type Params = ModulesAsked;
    type Answer = CodeHardest;

    async fn run(ctx: &Ctx, params: ModulesAsked) -> anyhow::Result<CodeHardest> {
        let (which, only, page) = params.read();
        let base = giulia_engine::open_code(&ctx.archive, &which)?;
        Ok(base.hardest(only.as_ref(), page)?)
    }

    fn text(answer: &CodeHardest, out: &mut Out) {
        text::code_complexity(answer, out);
    }
}
