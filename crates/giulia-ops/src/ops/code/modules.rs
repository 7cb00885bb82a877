//! `code modules`: which modules there are.

use giulia_model::CodeModules;

use crate::{Ctx, Kind, Out, indexed::ModulesAsked, text};

/// The operation.
pub(crate) struct Operation;

impl crate::Operation for Operation {
    const NAME: &'static str = "code-modules";
    const GROUP: Option<&'static str> = Some("code");
    const ABOUT: &'static str = "List the modules of indexed code";
    const DETAILS: &'static str = "\
All of them, or those that a pattern means, by name: the application and the file that each is part \
of, its functions, how many modules refer to it and to how many it refers, and its rank: the share \
of readers who end up there when they follow references (PageRank).

Examples:
  giulia code modules
  giulia code modules 'Shop.*' --limit 200
  giulia code modules app:kernel --node shop@db1 --json";
    const KIND: Kind = Kind::Query;

    type Params = ModulesAsked;
    type Answer = CodeModules;

    async fn run(ctx: &Ctx, params: ModulesAsked) -> anyhow::Result<CodeModules> {
        let (which, only, page) = params.read();
        let base = giulia_engine::open_code(&ctx.archive, &which)?;
        Ok(base.modules(only.as_ref(), page)?)
    }

    fn text(answer: &CodeModules, out: &mut Out) {
        text::code_modules(answer, out);
    }
}
