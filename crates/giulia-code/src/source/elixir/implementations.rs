//! Implementations of protocols: written out, and derived.

use super::{
    super::{FunctionKind, ModuleKind, Name, RefKind, Reference},
    call::{Call, option},
    functions::New,
    tree::{At, Kind},
    values::is_run,
    walk::{Ctx, To, Walk},
};

/// What well-known protocols ask for: a derived implementation has it.
const DERIVED: &[(&str, &[(&str, u8)])] = &[
    ("Elixir.Inspect", &[("inspect", 2)]),
    ("Elixir.JSON.Encoder", &[("encode", 2)]),
    ("Elixir.Jason.Encoder", &[("encode", 2)]),
    ("Elixir.Phoenix.Param", &[("to_param", 1)]),
    ("Elixir.Poison.Encoder", &[("encode", 2)]),
];

/// An atom and where it is written.
type Written<'t> = (Name, At<'t>);

impl<'t> Walk<'t> {
    /// One module for each of what the protocol is implemented for.
    pub(super) fn define_implementation(&mut self, at: At<'t>, call: Call<'t>, ctx: Ctx) -> bool {
        let Some(protocol_at) = call.arg(0) else { return false };
        let Some(protocol) = self.module(protocol_at, ctx) else { return false };
        let written = call.args().find_map(|it| option(it, "for"));
        let mut targets = Vec::new();
        match written {
            Some(it) if it.is(Kind::List) => {
                for one in it.children() {
                    targets.extend(self.module(one, ctx).map(|name| (name, one)));
                }
            }
            Some(it) => targets.extend(self.module(it, ctx).map(|name| (name, it))),
            None => targets.extend(self.own(ctx).map(|name| (name, protocol_at))),
        }
        if targets.is_empty() {
            return false;
        }
        for target in targets {
            let (name, kind) = self.implementation(protocol, target.0);
            self.open_module(at, (Some(name), kind), call, ctx);
            self.implement(at, (protocol, protocol_at), target, ctx);
        }
        true
    }

    /// `@derive`: the protocols' modules for the struct of the module around.
    pub(super) fn derive(&mut self, at: At<'t>, value: At<'t>, ctx: Ctx) {
        let Some(own) = self.own(ctx).filter(|_| is_run(ctx) && !ctx.is_again) else { return };
        let listed: Vec<At<'t>> =
            if value.is(Kind::List) { value.children().collect() } else { vec![value] };
        for it in listed {
            // With options: `{Inspect, only: [:id]}`.
            let named = if it.is(Kind::Tuple) { it.child(0).unwrap_or(it) } else { it };
            self.derived(at, named, (own, named), ctx);
        }
    }

    /// `Protocol.derive(Inspect, Shop.Cart)`.
    pub(super) fn derive_for(&mut self, protocol: At<'t>, call: Call<'t>, ctx: Ctx) -> bool {
        let Some(target_at) = call.arg(1) else { return false };
        let Some(target) = self.module(target_at, ctx) else { return false };
        self.derived(protocol, protocol, (target, target_at), ctx);
        let function = Some(self.names.add("derive"));
        let module = Some(self.names.add("Elixir.Protocol"));
        let arity = u8::try_from(call.arity()).unwrap_or(u8::MAX);
        self.refer(ctx, protocol, RefKind::Macro, To { module, function, arity });
        self.inside(call, ctx);
        true
    }

    fn derived(&mut self, at: At<'t>, named: At<'t>, target: Written<'t>, ctx: Ctx) {
        let Some(protocol) = self.module(named, ctx) else { return };
        let (name, kind) = self.implementation(protocol, target.0);
        self.begin(Some(name), kind, at);
        let inside = self.implement(at, (protocol, named), target, ctx);
        let text = self.names.get(protocol);
        let Some((_, functions)) = DERIVED.iter().find(|it| it.0 == text) else { return };
        for (function, arity) in *functions {
            let (kind, defined_by) = (FunctionKind::Public, Some(protocol));
            self.function(function, New { kind, arity: *arity, defined_by, at }, inside);
        }
    }

    /// The module of an implementation.
    fn implementation(&mut self, protocol: Name, target: Name) -> (Name, ModuleKind) {
        let short = self.names.get(target);
        let short = short.strip_prefix("Elixir.").unwrap_or(short);
        let text = format!("{}.{short}", self.names.get(protocol));
        (self.names.add(&text), ModuleKind::Implementation { protocol, target })
    }

    /// What each implementation says and has; it is the module that began last.
    fn implement(
        &mut self,
        at: At<'t>,
        protocol: Written<'t>,
        target: Written<'t>,
        ctx: Ctx,
    ) -> Ctx {
        let place = u32::try_from(self.modules.len().saturating_sub(1)).unwrap_or(u32::MAX);
        let inside = Ctx { module: place, function: Reference::BODY, ..ctx };
        let (of, target_key) = (self.names.add("protocol"), self.names.add("for"));
        if let Some(it) = self.building(inside) {
            it.attributes.insert(of, protocol.0);
            it.attributes.insert(target_key, target.0);
            it.module.behaviours.push(protocol.0);
        }
        for (to, at) in [protocol, target] {
            let to = To { module: Some(to), function: None, arity: 0 };
            self.refer(inside, at, RefKind::Implementation, to);
        }
        let by = self.names.add("Elixir.Protocol");
        let new = New { kind: FunctionKind::Public, arity: 1, defined_by: Some(by), at };
        self.function("__impl__", new, inside);
        inside
    }
}
