//! Functions that a macro names by its argument: `defsequence(:reset, 0)` defines `reset/0`.
//!
//! What a macro defines is in the file of the macro, and the argument in that of the call, so
//! that both are kept for the step over all files.

use super::{
    super::{
        FunctionKind, Name,
        link::{Given, Named},
    },
    call::Call,
    tree::{At, Kind},
    values::is_run,
    walk::{Ctx, Walk},
};

/// Arguments that may name something; the names of the macros that we know stand first or second.
const PLACES_MAX: u8 = 4;

/// A pattern with more nodes is no plain variable.
const PATTERN_NODES_MAX: usize = 64;

impl<'t> Walk<'t> {
    /// Notes the arguments of a call in a module's body that are atoms.
    pub(super) fn give(&mut self, at: At<'t>, to: (Option<Name>, &str), call: Call<'t>, ctx: Ctx) {
        if !is_run(ctx) || ctx.extra > 0 {
            return;
        }
        let arity = u8::try_from(call.arity()).unwrap_or(u8::MAX);
        for (place, it) in (0..PLACES_MAX).zip(call.args()) {
            if !matches!(it.kind(), Kind::Atom | Kind::QuotedAtom | Kind::Identifier) {
                continue;
            }
            let Some(atom) = self.unquoted(it, ctx) else { continue };
            let given = Given {
                module: ctx.module,
                line: at.line().saturating_add(self.lines_before),
                scope: self.scope(ctx).saturating_add(1),
                to_module: to.0,
                to_function: self.names.add(to.1),
                arity,
                place,
                atom: self.names.add(&atom),
            };
            self.given.push(given);
        }
    }

    /// Notes the names of a macro's arguments, but those that it gives another value.
    pub(super) fn note_parameters(&mut self, function: u32, call: Call<'t>, ctx: Ctx) {
        let Some(head) = call.arg(0) else { return };
        let head = if head.operator() == "when" { head.child(0).unwrap_or(head) } else { head };
        let Some(arguments) = Call::of(head) else { return };
        let mut names = Vec::new();
        for (place, it) in (0..PLACES_MAX).zip(arguments.args()) {
            let it = if it.operator() == "\\\\" { it.child(0).unwrap_or(it) } else { it };
            if it.is(Kind::Identifier) {
                names.push((place, it.text()));
            }
        }
        let assigned = call.body().into_iter().flat_map(At::all);
        let patterns = assigned.filter(|it| it.operator() == "=").filter_map(|it| it.child(0));
        for it in patterns.filter(|it| it.size() < PATTERN_NODES_MAX) {
            let is_in =
                |name: &str| it.all().any(|it| it.is(Kind::Identifier) && it.text() == name);
            names.retain(|(_, name)| !is_in(name));
        }
        let names = names.into_iter().map(|(place, name)| (self.names.add(name), place)).collect();
        if let Some(it) = self.building(ctx) {
            it.parameters.insert(function, names);
        }
    }

    /// Notes a definition in quoted code whose name is an argument of the macro around.
    pub(super) fn note_named(&mut self, made_of: At<'t>, kind: FunctionKind, arity: u8, ctx: Ctx) {
        let pieces = match made_of.kind() {
            Kind::Identifier => vec![Ok(""), Err(made_of), Ok("")],
            Kind::QuotedAtom => made_of.pieces().unwrap_or_default(),
            _ => return,
        };
        let [Ok(before), Err(inside), Ok(after)] = pieces.as_slice() else { return };
        let variable = if inside.is(Kind::Interpolation) { inside.child(0) } else { Some(*inside) };
        let Some(variable) = variable.filter(|it| it.is(Kind::Identifier)) else { return };
        let Some(name) = self.names.find(variable.text()) else { return };
        let quoted_in = self.modules.get(ctx.module as usize).and_then(|it| it.quoted_in);
        let around = quoted_in.and_then(|(module, function)| {
            self.modules.get(module as usize)?.parameters.get(&function)
        });
        let Some((_, place)) = around.and_then(|it| it.iter().find(|it| it.0 == name)) else {
            return;
        };
        let place = *place;
        let (before, after) = (self.names.add(before), self.names.add(after));
        if let Some(it) = self.building(ctx) {
            it.named.push(Named { place, before, after, arity, kind });
        }
    }
}
