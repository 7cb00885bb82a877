//! Routers of Phoenix: which request reaches which action, with the scopes around it.

use super::{
    super::{Name, RefKind, Reference},
    call::{Call, option},
    env::Entered,
    tree::{At, Kind},
    walk::{Ctx, Mode, To, Walk, Work},
};

/// Words whose second argument is a plug and whose third is its action.
const VERBS: &[&str] =
    &["get", "post", "put", "patch", "delete", "options", "head", "connect", "trace"];

/// The actions of `resources`.
const ACTIONS: &[&str] = &["index", "edit", "new", "show", "create", "update", "delete"];

impl<'t> Walk<'t> {
    /// Whether the call is a route or a scope in a router, which is then done.
    pub(super) fn is_route(&mut self, at: At<'t>, word: &str, call: Call<'t>, ctx: Ctx) -> bool {
        let is_word = matches!(word, "scope" | "resources" | "live" | "forward" | "match")
            || VERBS.contains(&word);
        if !is_word || ctx.function != Reference::BODY || ctx.mode != Mode::Code {
            return false;
        }
        if !self.is_router(ctx) {
            return false;
        }
        match word {
            "scope" => self.scope_of(at, call, ctx),
            "resources" => self.resources(at, call, ctx),
            "match" => self.route((at, word), [call.arg(2), call.arg(3)], call, ctx),
            _ => self.route((at, word), [call.arg(1), call.arg(2)], call, ctx),
        }
    }

    fn is_router(&self, ctx: Ctx) -> bool {
        self.scopes.in_force(self.scope(ctx)).any(|it| match it {
            Entered::Use(module, option) => {
                self.names.get(module) == "Elixir.Phoenix.Router"
                    || option.is_some_and(|it| self.names.get(it) == "router")
            }
            Entered::Alias(..) | Entered::Import(..) | Entered::Scope(_) => false,
        })
    }

    /// `scope "/", Web, … do`, or `scope path: "/", alias: Web do`.
    fn scope_of(&mut self, at: At<'t>, call: Call<'t>, ctx: Ctx) -> bool {
        let Some(block) = call.block else { return false };
        let alias = call.arg(1).filter(|it| it.is(Kind::Alias));
        let alias = alias.or_else(|| call.option("alias").filter(|it| it.is(Kind::Alias)));
        self.refer_local(ctx, at, ("scope", call.arity()), RefKind::Call);
        let inner = self.inner(ctx);
        if let Some(module) = alias.and_then(|it| self.module(it, ctx)) {
            self.enter(inner, Entered::Scope(module));
        }
        self.todo.push(Work::Visit(block, inner));
        true
    }

    fn route(
        &mut self,
        (at, word): (At<'t>, &str),
        [plug, action]: [Option<At<'t>>; 2],
        call: Call<'t>,
        ctx: Ctx,
    ) -> bool {
        let Some(plug) = plug else { return false };
        let Some(module) = self.routed(plug, call, ctx) else { return false };
        let action = action.filter(|it| it.is(Kind::Atom)).and_then(At::atom);
        self.refer_local(ctx, at, (word, call.arity()), RefKind::Call);
        // A view that lives is a module; a plug that gets all is called.
        let (function, arity) = match word {
            "live" => (None, 0),
            "forward" => (Some("call"), 2),
            _ => (action, 2),
        };
        let function = function.map(|it| self.names.add(it));
        self.refer(ctx, plug, RefKind::Route, To { module: Some(module), function, arity });
        true
    }

    /// The actions that are left by `only:` and `except:`; more may stand in the block.
    fn resources(&mut self, at: At<'t>, call: Call<'t>, ctx: Ctx) -> bool {
        let Some(plug) = call.arg(1) else { return false };
        let Some(module) = self.routed(plug, call, ctx) else { return false };
        self.refer_local(ctx, at, ("resources", call.arity()), RefKind::Call);
        let listed = |key: &str| {
            let list = call.args().last().and_then(|it| option(it, key))?;
            Some(list.children().filter_map(At::atom).collect::<Vec<_>>())
        };
        let (only, except) = (listed("only"), listed("except").unwrap_or_default());
        for action in ACTIONS {
            let is_there = only.as_ref().is_none_or(|it| it.contains(action));
            if is_there && !except.contains(action) {
                let function = Some(self.names.add(action));
                self.refer(
                    ctx,
                    plug,
                    RefKind::Route,
                    To { module: Some(module), function, arity: 2 },
                );
            }
        }
        self.todo.extend(call.block.map(|it| Work::Visit(it, ctx)));
        true
    }

    /// The plug of a route within the scopes around it.
    fn routed(&mut self, plug: At<'t>, call: Call<'t>, ctx: Ctx) -> Option<Name> {
        let module = self.module(plug, ctx).filter(|_| plug.is(Kind::Alias))?;
        let is_whole = call.option("alias").is_some_and(|it| it.text() == "false");
        if is_whole {
            return Some(module);
        }
        let scopes: Vec<Name> = self
            .scopes
            .in_force(self.scope(ctx))
            .filter_map(|it| if let Entered::Scope(name) = it { Some(name) } else { None })
            .collect();
        let mut text = String::from("Elixir");
        for part in scopes.into_iter().rev().chain([module]) {
            let part = self.names.get(part);
            text.push('.');
            text.push_str(part.strip_prefix("Elixir.").unwrap_or(part));
        }
        Some(self.names.add(&text))
    }
}
