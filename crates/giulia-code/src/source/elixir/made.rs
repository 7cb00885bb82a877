//! Functions that well-known macros define in the place where they are called.

use super::{
    super::{FunctionKind, Name, RefKind, Reference, Structure},
    call::Call,
    functions::New,
    tree::{At, Kind},
    walk::{Ctx, Mode, To, Walk, Work},
};

impl<'t> Walk<'t> {
    /// Whether the call is of such a macro, which is then done.
    pub(super) fn is_made(
        &mut self,
        module: &str,
        function: &str,
        call: Call<'t>,
        ctx: Ctx,
    ) -> bool {
        if ctx.function != Reference::BODY || ctx.mode != Mode::Code || ctx.extra > 0 {
            return false;
        }
        let Some(named) = call.arg(0) else { return false };
        match (module, function) {
            ("Elixir.Record", "defrecord" | "defrecordp") => {
                self.record(function == "defrecordp", named, call, ctx)
            }
            ("Elixir.Mix.Generator", "embed_template" | "embed_text") => {
                self.embed(function, named, call, ctx)
            }
            ("Elixir.EEx", "function_from_string" | "function_from_file") => {
                self.make_from_template(function, call, ctx)
            }
            ("Elixir.Protocol", "derive") if !ctx.is_again && ctx.quote == 0 => {
                self.derive_for(named, call, ctx)
            }
            _ => false,
        }
    }

    /// `defrecord :it, :tag, a: 1`: three macros and the fields.
    fn record(&mut self, is_private: bool, named: At<'t>, call: Call<'t>, ctx: Ctx) -> bool {
        let Some(name) = named.atom() else { return false };
        let by = self.names.add("Elixir.Record");
        let kind = if is_private { FunctionKind::PrivateMacro } else { FunctionKind::Macro };
        for arity in 0..=2 {
            self.function(name, New { kind, arity, defined_by: Some(by), at: named }, ctx);
        }
        let fields = call.args().last().map(|it| match it.kind() {
            Kind::List => it.child_of(Kind::Keywords).unwrap_or(it),
            _ => it,
        });
        let keys: Vec<&str> = fields
            .filter(|it| it.is(Kind::Keywords))
            .into_iter()
            .flat_map(At::children)
            .filter_map(|it| it.child(0)?.atom())
            .collect();
        let fields = keys.into_iter().map(|it| self.names.add(it)).collect();
        let name = Some(self.names.add(name));
        let line = named.line().saturating_add(self.lines_before);
        if let Some(it) = self.building(ctx) {
            it.module.records.push(Structure { name, is_exception: false, fields, line });
        }
        self.made_by((by, if is_private { "defrecordp" } else { "defrecord" }), named, call, ctx);
        self.inside(call, ctx);
        true
    }

    /// `embed_template :it, "…"` makes `it_template/1`, `embed_text` makes `it_text/0`.
    fn embed(&mut self, word: &str, named: At<'t>, call: Call<'t>, ctx: Ctx) -> bool {
        let Some(name) = named.atom() else { return false };
        let (end, arity) = if word == "embed_text" { ("text", 0) } else { ("template", 1) };
        let by = self.names.add("Elixir.Mix.Generator");
        let new = New { kind: FunctionKind::Private, arity, defined_by: Some(by), at: named };
        let function = self.function(&format!("{name}_{end}"), new, ctx);
        self.made_by((by, word), named, call, ctx);
        let text =
            call.arg(1).filter(|it| arity == 1 && matches!(it.kind(), Kind::String | Kind::Sigil));
        if let Some(text) = text {
            self.template(text, Ctx { function, ..ctx });
        }
        self.todo.extend(call.arguments.map(|it| Work::Visit(it, ctx)));
        true
    }

    /// `EEx.function_from_string(:def, :it, "…", [:a])`.
    fn make_from_template(&mut self, word: &str, call: Call<'t>, ctx: Ctx) -> bool {
        let (Some(kind), Some(named)) = (call.arg(0).and_then(At::atom), call.arg(1)) else {
            return false;
        };
        let Some(name) = named.atom() else { return false };
        let arity = call.arg(3).filter(|it| it.is(Kind::List)).map_or(0, At::len);
        let by = self.names.add("Elixir.EEx");
        let kind = if kind == "defp" { FunctionKind::Private } else { FunctionKind::Public };
        let arity = u8::try_from(arity).unwrap_or(u8::MAX);
        let new = New { kind, arity, defined_by: Some(by), at: named };
        let function = self.function(name, new, ctx);
        self.made_by((by, word), named, call, ctx);
        if let Some(text) = call.arg(2).filter(|_| word == "function_from_string") {
            self.template(text, Ctx { function, ..ctx });
        }
        self.todo.extend(call.arguments.map(|it| Work::Visit(it, ctx)));
        true
    }

    fn made_by(&mut self, (by, word): (Name, &str), at: At<'t>, call: Call<'t>, ctx: Ctx) {
        let function = Some(self.names.add(word));
        let arity = u8::try_from(call.arity()).unwrap_or(u8::MAX);
        self.refer(ctx, at, RefKind::Macro, To { module: Some(by), function, arity });
    }
}
