//! `alias`, `import`, `require`, `use`: what they name and what comes into force.

use super::{
    super::{Name, RefKind, Used},
    call::{Call, option},
    env::{Entered, Selection},
    tree::{At, Kind},
    walk::{Ctx, Mode, To, Walk, Work},
};

impl<'t> Walk<'t> {
    /// Whether the call is a directive, which is then done.
    pub(super) fn is_directive(
        &mut self,
        at: At<'t>,
        name: &str,
        call: Call<'t>,
        ctx: Ctx,
    ) -> bool {
        let kind = match name {
            "alias" => RefKind::Alias,
            "import" => RefKind::Import,
            "require" => RefKind::Require,
            "use" => RefKind::Use,
            _ => return false,
        };
        let Some(named) = call.arg(0) else { return false };
        if call.block.is_some() || ctx.mode != Mode::Code || call.args().count() > 2 {
            return false;
        }
        if ctx.is_again {
            return true;
        }
        let options = call.arg(1);
        if kind == RefKind::Use {
            self.refer_local(ctx, at, ("use", call.arity()), RefKind::Call);
        }
        if let Some((outer, inner)) = group(named) {
            let Some(outer) = self.module(outer, ctx) else { return false };
            for it in inner.children().filter(|it| it.is(Kind::Alias)) {
                let text = format!("{}.{}", self.names.get(outer), it.text());
                let module = self.names.add(&text);
                self.directive(it, (kind, module), options, ctx);
            }
            return true;
        }
        if let Some(module) = self.module(named, ctx) {
            self.directive(named, (kind, module), options, ctx);
        } else {
            self.todo.push(Work::Visit(named, ctx));
        }
        // What is given to a `use` is code; the other options are words.
        if kind == RefKind::Use {
            self.todo.extend(options.map(|it| Work::Visit(it, ctx)));
        }
        true
    }

    fn directive(
        &mut self,
        at: At<'t>,
        (kind, module): (RefKind, Name),
        options: Option<At<'t>>,
        ctx: Ctx,
    ) {
        self.refer(ctx, at, kind, To { module: Some(module), function: None, arity: 0 });
        match kind {
            RefKind::Alias => {
                let alias = self.named_as(options).or_else(|| self.last_part(module));
                if let Some(alias) = alias {
                    self.enter(ctx, Entered::Alias(alias, module));
                }
            }
            RefKind::Require => {
                if let Some(alias) = self.named_as(options) {
                    self.enter(ctx, Entered::Alias(alias, module));
                }
            }
            RefKind::Import => {
                let selection = self.selection(options);
                self.enter(ctx, Entered::Import(module, selection));
            }
            _ => {
                let option = options.filter(|it| it.is(Kind::Atom)).and_then(At::atom);
                let option = option.map(|it| self.names.add(it));
                let line = at.line().saturating_add(self.lines_before);
                let using = Some(self.names.add("__using__"));
                let to = To { module: Some(module), function: using, arity: 1 };
                self.refer(ctx, at, RefKind::Macro, to);
                self.enter(ctx, Entered::Use(module, option));
                if let Some(it) = self.building(ctx) {
                    it.module.uses.push(Used { module, line });
                }
            }
        }
    }

    /// `as: It`.
    fn named_as(&mut self, options: Option<At<'t>>) -> Option<Name> {
        let alias = option(options?, "as").filter(|it| it.is(Kind::Alias))?;
        Some(self.names.add(alias.text()))
    }

    fn last_part(&mut self, module: Name) -> Option<Name> {
        let last = self.names.get(module).strip_prefix("Elixir.")?.rsplit('.').next()?.to_owned();
        Some(self.names.add(&last))
    }

    fn selection(&mut self, options: Option<At<'t>>) -> Selection {
        let find = |key: &str| option(options?, key);
        let (listed, is_only) = match (find("only"), find("except")) {
            (Some(only), _) => (only, true),
            (None, Some(except)) => (except, false),
            (None, None) => return Selection::All,
        };
        match listed.atom() {
            Some("functions") => return Selection::Functions,
            Some("macros" | "sigils") => return Selection::Macros,
            _ => {}
        }
        let keywords = listed.child_of(Kind::Keywords);
        let pairs = keywords.into_iter().flat_map(|it| it.children().collect::<Vec<_>>());
        let mut found = Vec::new();
        for pair in pairs {
            let name = pair.child(0).and_then(At::atom);
            let arity = pair.child(1).and_then(|it| it.text().parse().ok());
            if let (Some(name), Some(arity)) = (name, arity) {
                found.push((self.names.add(name), arity));
            }
        }
        let (from, to) = self.scopes.list(found.into_iter());
        if is_only { Selection::Only(from, to) } else { Selection::Except(from, to) }
    }
}

/// `Outer.{A, B}`.
fn group(at: At<'_>) -> Option<(At<'_>, At<'_>)> {
    let is_dot = at.is(Kind::Dot);
    let (outer, inner) = (at.child(0)?, at.child(1)?);
    (is_dot && inner.is(Kind::Tuple)).then_some((outer, inner))
}
