//! `def` and its like, specs, types and callbacks.

use std::borrow::Cow;

use super::{
    super::{
        Callback, Complexity, Doc, FunctionKind, ModuleKind, Name, RefKind, RefOrigin, Reference,
        SourceFunction, SourceType, Spec, TypeKind,
    },
    call::{Call, Target, option},
    complexity,
    tree::{At, Kind},
    walk::{Ctx, To, Walk, Work},
};

/// A function that is being added.
#[derive(Clone, Copy)]
pub(super) struct New<'t> {
    pub(super) kind: FunctionKind,
    pub(super) arity: u8,
    pub(super) defined_by: Option<Name>,
    pub(super) at: At<'t>,
}

/// What stands before the body.
struct Head<'t> {
    /// None when it is made at compile time.
    name: Option<Cow<'t, str>>,
    /// From what it is made: what is unquoted.
    made_of: Option<At<'t>>,
    /// The node with the arguments in it.
    arguments: Vec<At<'t>>,
    guard: Option<At<'t>>,
}

impl<'t> Head<'t> {
    fn of(at: At<'t>) -> Option<Self> {
        if at.is(Kind::BinaryOperator) && at.operator() == "when" {
            let head = Self::of_call(at.child(0)?)?;
            return Some(Self { guard: at.child(1), ..head });
        }
        Self::of_call(at)
    }

    fn of_call(at: At<'t>) -> Option<Self> {
        let mut made_of = None;
        let (name, arguments) = match at.kind() {
            Kind::Identifier | Kind::OperatorIdentifier => (Some(at.text()), Vec::new()),
            Kind::BinaryOperator if at.operator() == "//" => {
                let (range, step) = (at.child(0)?, at.child(1)?);
                (Some("..//"), range.children().chain([step]).collect())
            }
            Kind::UnaryOperator | Kind::BinaryOperator => {
                (Some(at.operator()), at.children().collect())
            }
            Kind::Block if at.len() == 1 => return Self::of_call(at.child(0)?),
            Kind::Call => {
                let call = Call::of(at)?;
                let arguments = call.args().collect();
                match call.target {
                    Target::Local(name) if matches!(name.text(), "unquote") => (None, Vec::new()),
                    Target::Local(name) => (Some(name.text()), arguments),
                    Target::Call(inner) => {
                        let inner = Call::of(inner).filter(|it| it.local() == "unquote");
                        made_of = inner.and_then(|it| it.arg(0));
                        (None, arguments)
                    }
                    Target::Remote(..) | Target::Value(_) => return None,
                }
            }
            _ => return None,
        };
        Some(Self { name: name.map(Cow::Borrowed), made_of, arguments, guard: None })
    }
}

impl<'t> Walk<'t> {
    /// Whether a `def` could be made out.
    pub(super) fn define_function(
        &mut self,
        at: At<'t>,
        kind: FunctionKind,
        call: Call<'t>,
        ctx: Ctx,
    ) -> bool {
        let Some(mut head) = call.arg(0).and_then(Head::of) else { return false };
        // A definition in a function is none, unless it is quoted there.
        if ctx.module == Reference::BODY || ctx.function != Reference::BODY {
            return false;
        }
        // What has its name in each round of a loop has further clauses of the same shape.
        if ctx.is_again && head.name.is_some() {
            return true;
        }
        let mut defined_by = None;
        if let Some(name) = head.made_of.and_then(|it| self.unquoted(it, ctx)) {
            head.name = Some(Cow::Owned(name.to_string()));
            defined_by = Some(self.names.add("unquote"));
        }
        let inner = self.inner(Ctx { is_again: false, ..ctx });
        let body = if matches!(kind, FunctionKind::Guard | FunctionKind::PrivateGuard) {
            head.guard
        } else {
            call.body()
        };
        let function = match &head.name {
            Some(name) => self.clause_of(name, &head, New { kind, arity: 0, defined_by, at }, ctx),
            None => Reference::BODY,
        };
        if matches!(kind, FunctionKind::Macro | FunctionKind::PrivateMacro) && ctx.quote == 0 {
            self.note_parameters(function, call, ctx);
        }
        if let (None, Some(made_of)) = (&head.name, head.made_of) {
            let arity = u8::try_from(head.arguments.len()).unwrap_or(u8::MAX);
            self.note_named(made_of, kind, arity, ctx);
        }
        let is_nameless = head.name.is_none() || ctx.is_nameless;
        let inner = Ctx { function, is_nameless, ..inner };
        self.add_clause(function, body, ctx);
        if !call.is_remote() {
            self.add_callback(function, at, ctx);
        }
        if matches!(kind, FunctionKind::Guard | FunctionKind::PrivateGuard) {
            self.refer_expanded(inner, at, ("Elixir.Macro.Env", "in_guard?"), 1);
        }
        if kind == FunctionKind::Delegate {
            self.delegate(call, &head, inner);
            return true;
        }
        // A body without a block: also `rescue:` and the like stand in the keywords.
        let is_keywords = call.block.is_none() && call.body().is_some();
        if let Some(block) = call.block {
            self.todo.push(Work::Visit(block, inner));
        } else if is_keywords {
            self.todo.extend(call.args().last().map(|it| Work::Visit(it, inner)));
        }
        let guard_ctx = inner;
        self.todo.extend(head.guard.map(|it| Work::Visit(it, guard_ctx)));
        let unnamed = call.arg(0).filter(|_| head.name.is_none() || defined_by.is_some());
        self.todo.extend(unnamed.and_then(unquoted_name).map(|it| Work::Visit(it, ctx)));
        self.later(head.arguments.into_iter(), inner);
        true
    }

    /// Adds a clause, and a function for each arity that default arguments make.
    fn clause_of(&mut self, name: &str, head: &Head<'t>, new: New<'t>, ctx: Ctx) -> u32 {
        let count = |it: usize| u8::try_from(it).unwrap_or(u8::MAX);
        let arity = count(head.arguments.len());
        let is_default = |it: &&At<'_>| it.is(Kind::BinaryOperator) && it.operator() == "\\\\";
        let n_defaults = count(head.arguments.iter().filter(is_default).count());
        let function = self.function(name, New { arity, ..new }, ctx);
        for less in 1..=n_defaults {
            let arity_less = arity.saturating_sub(less);
            let smaller = self.function(name, New { arity: arity_less, ..new }, ctx);
            if let Some(it) = self.function_mut(ctx, smaller) {
                it.defaults_to = Some(arity);
            }
            let to = Some(self.names.add(name));
            let own = self.own(ctx);
            let from = Ctx { function: smaller, ..ctx };
            self.refer(from, new.at, RefKind::Call, To { module: own, function: to, arity });
            if let Some(it) = self.references.last_mut() {
                it.origin = RefOrigin::Expanded;
            }
        }
        function
    }

    /// A function of the module around: its place, also when it is there already.
    pub(super) fn function(&mut self, name: &str, new: New<'t>, ctx: Ctx) -> u32 {
        let name = self.names.add(name);
        let lines = self.lines(new.at);
        let Some(building) = self.building(ctx) else { return Reference::BODY };
        let key = (name, new.arity);
        if let Some(place) = building.functions.get(&key) {
            let place = *place;
            if let Some(it) = building.module.functions.get_mut(place as usize) {
                it.lines.last = it.lines.last.max(lines.last);
                // What is written out takes the place of what a macro defines.
                if it.defined_by.is_some() && new.defined_by.is_none() {
                    it.defined_by = None;
                    it.kind = new.kind;
                    it.lines = lines;
                }
            }
            return place;
        }
        let place = u32::try_from(building.module.functions.len()).unwrap_or(u32::MAX);
        building.functions.insert(key, place);
        let is_private = matches!(new.kind, FunctionKind::Private | FunctionKind::PrivateMacro);
        let doc = if new.defined_by.is_some() || is_private {
            Doc::None
        } else {
            std::mem::take(&mut building.doc)
        };
        building.module.functions.push(SourceFunction {
            name,
            arity: new.arity,
            kind: new.kind,
            defaults_to: None,
            defined_by: new.defined_by,
            lines,
            n_clauses: 0,
            doc,
            complexity: Complexity { cyclomatic: 1, cognitive: 0, nesting_max: 0 },
        });
        place
    }

    fn function_mut(&mut self, ctx: Ctx, place: u32) -> Option<&mut SourceFunction> {
        self.building(ctx)?.module.functions.get_mut(place as usize)
    }

    /// What a protocol defines, it asks for.
    fn add_callback(&mut self, function: u32, at: At<'t>, ctx: Ctx) {
        let is_protocol =
            self.building(ctx).is_some_and(|it| it.module.kind == ModuleKind::Protocol);
        if !is_protocol || ctx.function != Reference::BODY {
            return;
        }
        let line = at.line().saturating_add(self.lines_before);
        let found = self.function_mut(ctx, function).map(|it| (it.name, it.arity));
        let Some((name, arity)) = found else { return };
        let callback = Callback { name, arity, is_optional: false, is_macro: false, line };
        if let Some(it) = self.building(ctx) {
            it.module.callbacks.push(callback);
        }
    }

    /// Counts a clause and what is in its body; a head alone is no clause.
    fn add_clause(&mut self, function: u32, body: Option<At<'t>>, ctx: Ctx) {
        if let Some(body) = body {
            return self.count_body(function, body, ctx);
        }
        // A delegate has one clause without a body.
        let Some(it) = self.function_mut(ctx, function) else { return };
        if it.kind == FunctionKind::Delegate {
            it.n_clauses = it.n_clauses.saturating_add(1);
        }
    }

    /// Adds what a clause's body costs.
    pub(super) fn count_body(&mut self, function: u32, body: At<'t>, ctx: Ctx) {
        let more = complexity::of_body(body, body.is(Kind::DoBlock));
        let Some(it) = self.function_mut(ctx, function) else { return };
        let is_further = u32::from(it.n_clauses > 0);
        it.n_clauses = it.n_clauses.saturating_add(1);
        let sum = &mut it.complexity;
        sum.cyclomatic = sum.cyclomatic.saturating_add(more.cyclomatic).saturating_add(is_further);
        sum.cognitive = sum.cognitive.saturating_add(more.cognitive);
        sum.nesting_max = sum.nesting_max.max(more.nesting_max);
    }

    /// `defdelegate f(a), to: M, as: :g`.
    fn delegate(&mut self, call: Call<'t>, head: &Head<'t>, inner: Ctx) {
        let Some(options) = call.args().last() else { return };
        let Some(target) = option(options, "to") else { return };
        let name = option(options, "as").and_then(At::atom).or(head.name.as_deref());
        if let (Some(module), Some(name)) = (self.module(target, inner), name) {
            let function = Some(self.names.add(name));
            let arity = u8::try_from(head.arguments.len()).unwrap_or(u8::MAX);
            let to = To { module: Some(module), function, arity };
            self.refer(inner, target, RefKind::Delegate, to);
        } else {
            self.todo.push(Work::Visit(target, inner));
        }
    }

    /// `@spec f(a) :: b when …`, and callbacks.
    pub(super) fn spec(&mut self, word: &str, value: At<'t>, ctx: Ctx) {
        let mut at = value;
        if at.operator() == "when" {
            at = at.child(0).unwrap_or(at);
        }
        let head = if at.operator() == "::" { at.child(0) } else { Some(at) };
        let Some(head) = head.and_then(Head::of_call) else { return };
        let Some(name) = head.name else { return };
        let name = self.names.add(&name);
        let arity = u8::try_from(head.arguments.len()).unwrap_or(u8::MAX);
        let line = value.line().saturating_add(self.lines_before);
        let Some(it) = self.building(ctx) else { return };
        if word == "spec" {
            it.module.specs.push(Spec { name, arity, line });
        } else {
            let is_macro = word == "macrocallback";
            it.module.callbacks.push(Callback { name, arity, is_optional: false, is_macro, line });
        }
    }

    /// `@type t(a) :: b`.
    pub(super) fn type_of(&mut self, word: &str, value: At<'t>, ctx: Ctx) {
        let head = if value.operator() == "::" { value.child(0) } else { Some(value) };
        let Some(head) = head.and_then(Head::of_call) else { return };
        let Some(name) = head.name else { return };
        let name = self.names.add(&name);
        let arity = u8::try_from(head.arguments.len()).unwrap_or(u8::MAX);
        let kind = match word {
            "typep" => TypeKind::Private,
            "opaque" => TypeKind::Opaque,
            _ => TypeKind::Public,
        };
        let line = value.line().saturating_add(self.lines_before);
        if let Some(it) = self.building(ctx) {
            it.module.types.push(SourceType { name, arity, kind, line });
        }
    }

    pub(super) fn optional_callbacks(&mut self, value: At<'t>, ctx: Ctx) {
        let keywords = value.child_of(Kind::Keywords);
        let pairs: Vec<_> =
            keywords.into_iter().flat_map(|it| it.children().collect::<Vec<_>>()).collect();
        for pair in pairs {
            let name = pair.child(0).and_then(At::atom);
            let arity = pair.child(1).and_then(|it| it.text().parse().ok());
            if let (Some(name), Some(arity)) = (name, arity) {
                let name = self.names.add(name);
                if let Some(it) = self.building(ctx) {
                    it.optional.push((name, arity));
                }
            }
        }
    }
}

/// The argument of the `unquote` that makes a function's name.
fn unquoted_name(head: At<'_>) -> Option<At<'_>> {
    let head = if head.operator() == "when" { head.child(0)? } else { head };
    let call = Call::of(head)?;
    let call = match call.target {
        Target::Call(inner) => Call::of(inner)?,
        Target::Local(_) => call,
        Target::Remote(..) | Target::Value(_) => return None,
    };
    call.arg(0)
}
