//! `code behaviours`: behaviours and protocols.

use giulia_model::CodeBehaviours;

use crate::{Ctx, Kind, Out, indexed::ModulesAsked, text};

/// The operation.
pub(crate) struct Operation;

impl crate::Operation for Operation {
    const NAME: &'static str = "code-behaviours";
    const GROUP: Option<&'static str> = Some("code");
    const ABOUT: &'static str = "List behaviours and protocols, and what is missing";
    const DETAILS: &'static str = "\
Each with what it asks for, the modules that say that they have it, and what these lack. Callbacks of \
OTP's and Elixir's own behaviours are known; those of other libraries that are not indexed are not, \
and then nothing is said to be missing.

Examples:
  giulia code behaviours
  giulia code behaviours Shop.Payment
  giulia code behaviours --json | jq '.behaviours[].implementers[] | select(.missing != [])'";
    const KIND: Kind = Kind::Query;

    type Params = ModulesAsked;
    type Answer = CodeBehaviours;

    async fn run(ctx: &Ctx, params: ModulesAsked) -> anyhow::Result<CodeBehaviours> {
        let (which, only, page) = params.read();
        let base = giulia_engine::open_code(&ctx.archive, &which)?;
        Ok(base.behaviours(only.as_ref(), page)?)
    }

    fn text(answer: &CodeBehaviours, out: &mut Out) {
        text::code_behaviours(answer, out);
    }
}
