//! Calls, operators, pipes and captures: who is called with how many arguments.

use super::{
    super::{ModuleKind, RefKind, Reference},
    call::{Call, Target, option},
    known,
    tree::{At, Kind},
    walk::{Ctx, Mode, To, Walk, Work},
};

/// What the language itself does with its arguments; nobody is called.
const SPECIAL_FORMS: &[&str] =
    &["case", "cond", "for", "receive", "try", "with", "super", "__block__", "__aliases__", "fn"];

/// Quotes within quotes are followed so deep; Elixir's own sources have three.
const QUOTES_MAX: u8 = 8;

/// Macros whose first argument is a path to a value: its brackets call no `Access.get`.
const PATHS: &[(&str, usize)] =
    &[("put_in", 2), ("update_in", 2), ("pop_in", 1), ("get_and_update_in", 2)];

impl<'t> Walk<'t> {
    /// Any call.
    pub(super) fn call(&mut self, at: At<'t>, call: Call<'t>, ctx: Ctx) {
        match call.target {
            Target::Local(name) => {
                if ctx.mode == Mode::Code || ctx.mode == Mode::Rescue {
                    self.local_call(at, name, call, ctx);
                } else if ctx.mode == Mode::Type || matches!(name.text(), "size" | "unit") {
                    let mode = if ctx.mode == Mode::Segment { Mode::Code } else { ctx.mode };
                    self.inside(call, Ctx { mode, ..ctx });
                }
            }
            Target::Remote(left, name) => self.remote_call(left, name, call, ctx),
            Target::Value(left) | Target::Call(left) => {
                self.unquoted_call(left, call, ctx);
                self.inside(call, ctx);
                self.todo.push(Work::Visit(left, Ctx { extra: 0, ..ctx }));
            }
        }
    }

    /// `unquote(name)(…)`, where the name is known.
    fn unquoted_call(&mut self, left: At<'t>, call: Call<'t>, ctx: Ctx) {
        let Some(name) = Call::of(left).filter(|it| it.local() == "unquote") else { return };
        let name = name.arg(0).and_then(|it| self.unquoted(it, ctx));
        if let (Some(name), Mode::Code) = (name, ctx.mode) {
            let arity = call.arity() + usize::from(ctx.extra);
            self.refer_local(ctx, left, (&name, arity), RefKind::Call);
        }
    }

    /// The arguments and the block of a call, in their order.
    pub(super) fn inside(&mut self, call: Call<'t>, ctx: Ctx) {
        let ctx = Ctx { extra: 0, ..ctx };
        self.todo.extend(call.block.map(|it| Work::Visit(it, ctx)));
        self.todo.extend(call.arguments.map(|it| Work::Visit(it, ctx)));
    }

    fn local_call(&mut self, at: At<'t>, name: At<'t>, call: Call<'t>, ctx: Ctx) {
        let text = name.text();
        let arity = call.arity() + usize::from(ctx.extra);
        if self.is_directive(at, text, call, ctx) || self.is_definition(at, text, call, ctx) {
            return;
        }
        match text {
            "quote" if arity > 0 => return self.quote(at, call, ctx),
            "unquote" | "unquote_splicing" if arity > 0 => return self.unquote(call, ctx),
            "embed_template" | "embed_text"
                if self.is_made("Elixir.Mix.Generator", text, call, ctx) =>
            {
                return;
            }
            _ if self.is_route(at, text, call, ctx) => return,
            "test" | "describe" if self.is_test(at, text, call, ctx) => return,
            _ => {}
        }
        if !SPECIAL_FORMS.contains(&text) {
            self.give(at, (None, text), call, ctx);
            self.refer_local(ctx, at, (text, arity), RefKind::Call);
            known::local(self, text, call, ctx);
        }
        let is_listed = |it: At<'t>| it.operator() == "<-";
        if text == "for" && call.args().any(is_listed) {
            self.refer_expanded(ctx, at, ("Elixir.Enum", "reduce"), 3);
            return self.comprehension(call, ctx);
        }
        if PATHS.contains(&(text, arity)) {
            return self.path(call, ctx);
        }
        self.inside(call, ctx);
    }

    /// `for`: in a module's body once for each of the names that are written out.
    fn comprehension(&mut self, call: Call<'t>, ctx: Ctx) {
        let inner = self.inner(ctx);
        if !self.is_unrolled_for(call, inner) {
            return self.inside(call, inner);
        }
        // The body is on its way, be it a block or behind `do:`.
        for it in call.args().collect::<Vec<_>>().into_iter().rev() {
            if it.is(Kind::Keywords) {
                let is_option = |it: &At<'t>| it.child(0).and_then(At::atom) != Some("do");
                let options = it.children().filter(is_option).filter_map(|it| it.child(1));
                self.todo.extend(options.map(|it| Work::Visit(it, inner)));
            } else {
                self.todo.push(Work::Visit(it, inner));
            }
        }
    }

    /// The arguments of [`PATHS`].
    fn path(&mut self, call: Call<'t>, ctx: Ctx) {
        let ctx = Ctx { extra: 0, ..ctx };
        self.later(call.args().skip(1), ctx);
        let mut at = call.arg(0);
        while let Some(it) = at {
            if it.is(Kind::AccessCall) {
                self.todo.extend(it.child(1).map(|it| Work::Visit(it, ctx)));
                at = it.child(0);
                continue;
            }
            let field = Call::of(it).filter(|it| it.arguments.is_none());
            at = None;
            if let Some(Target::Remote(left, _)) = field.map(|it| it.target) {
                at = Some(left);
            } else {
                self.todo.push(Work::Visit(it, ctx));
            }
        }
    }

    /// Code that is no code of the function around: it becomes a template of its own.
    fn quote(&mut self, at: At<'t>, call: Call<'t>, ctx: Ctx) {
        if ctx.quotes >= QUOTES_MAX || ctx.is_again {
            return;
        }
        let outer = Ctx { extra: 0, ..ctx };
        let place = self.begin(None, ModuleKind::Module, at);
        if let Some(it) = self.modules.get_mut(place as usize) {
            it.quoted_in = Some((ctx.module, ctx.function));
        }
        let quote = u32::try_from(self.quotes.len()).unwrap_or(u32::MAX).saturating_add(1);
        let inner = self.inner(outer);
        let quotes = ctx.quotes.saturating_add(1);
        let inner = Ctx { module: place, function: Reference::BODY, quote, quotes, ..inner };
        // What is bound is no longer unquoted here, but where the code is put.
        let is_bound = call.args().any(|it| option(it, "bind_quoted").is_some());
        self.quotes.push(if is_bound { inner } else { outer });
        let options = call.args().next().filter(|_| call.arity() > 1);
        if let Some(block) = call.block {
            self.todo.push(Work::Visit(block, inner));
        } else if let Some(last) = call.args().last() {
            let body = option(last, "do");
            self.todo.push(Work::Visit(body.unwrap_or(last), inner));
        }
        self.todo.extend(options.map(|it| Work::Visit(it, outer)));
    }

    /// Back to the code around the quote; without a quote it is code of the module's body.
    fn unquote(&mut self, call: Call<'t>, ctx: Ctx) {
        let place = (ctx.quote as usize).checked_sub(1);
        let outer = place.and_then(|it| self.quotes.get(it)).copied();
        let outer = outer.unwrap_or(Ctx { function: Reference::BODY, ..ctx });
        self.inside(call, Ctx { mode: Mode::Code, ..outer });
    }

    fn remote_call(&mut self, left: At<'t>, name: At<'t>, call: Call<'t>, ctx: Ctx) {
        let function = match name.kind() {
            Kind::String | Kind::Charlist => name.quoted(),
            _ => Some(name.text()),
        };
        let arity = call.arity() + usize::from(ctx.extra);
        let (Some(function), Some(module)) = (function, self.module(left, ctx)) else {
            self.inside(call, ctx);
            self.todo.push(Work::Visit(left, Ctx { extra: 0, ..ctx }));
            return;
        };
        if self.is_made(self.names.get(module).to_owned().as_str(), function, call, ctx) {
            return;
        }
        // A protocol's own `def` only asks for a function.
        if function.starts_with("def")
            && self.names.get(module) == "Elixir.Kernel"
            && self.is_definition(name, function, call, ctx)
        {
            return;
        }
        self.give(name, (Some(module), function), call, ctx);
        if (function, ctx.extra) == ("each", 0) && self.names.get(module) == "Elixir.Enum" {
            let unrolled = call.arg(0).zip(call.arg(1));
            if unrolled.is_some_and(|(list, fun)| self.is_unrolled_each(list, fun, ctx)) {
                let to =
                    To { module: Some(module), function: Some(self.names.add("each")), arity: 2 };
                self.refer(ctx, name, RefKind::Call, to);
                return self.todo.extend(call.arg(0).map(|it| Work::Visit(it, ctx)));
            }
        }
        let to = To {
            module: Some(module),
            function: Some(self.names.add(function)),
            arity: u8::try_from(arity).unwrap_or(u8::MAX),
        };
        match ctx.mode {
            Mode::Type => self.refer(ctx, name, RefKind::Type, to),
            Mode::Code | Mode::Rescue => {
                self.refer(ctx, name, RefKind::Call, to);
                known::remote(self, (module, function, arity), call, ctx);
            }
            Mode::Segment => {}
        }
        // The attribute is read.
        if left.is(Kind::UnaryOperator) {
            self.todo.push(Work::Visit(left, Ctx { extra: 0, ..ctx }));
        }
        self.inside(call, ctx);
    }

    /// A name without arguments is a variable, unless something is piped into it.
    pub(super) fn identifier(&mut self, at: At<'t>, ctx: Ctx) {
        if ctx.extra > 0 && ctx.mode == Mode::Code {
            self.refer_local(ctx, at, (at.text(), usize::from(ctx.extra)), RefKind::Call);
        }
    }

    pub(super) fn unary(&mut self, at: At<'t>, ctx: Ctx) {
        let ctx = Ctx { extra: 0, ..ctx };
        let operator = at.operator();
        match operator {
            "@" => self.at_sign(at, ctx),
            "&" if ctx.mode == Mode::Code => self.capture(at, ctx),
            _ => {
                if ctx.mode == Mode::Code && operator != "^" {
                    self.refer_local(ctx, at, (operator, 1), RefKind::Call);
                }
                self.children_later(at, ctx);
            }
        }
    }

    /// `&f/1`, `&M.f/1`, `&+/2`, or an expression with placeholders.
    fn capture(&mut self, at: At<'t>, ctx: Ctx) {
        let Some(operand) = at.child(0) else { return };
        let named = || {
            let (left, right) = (operand.child(0)?, operand.child(1)?);
            let is_arity = operand.operator() == "/" && right.is(Kind::Integer);
            is_arity.then_some((left, right.text().parse::<usize>().ok()?))
        };
        let Some((left, arity)) = named() else { return self.todo.push(Work::Visit(operand, ctx)) };
        match left.kind() {
            Kind::Identifier | Kind::OperatorIdentifier => {
                self.refer_local(ctx, left, (left.text(), arity), RefKind::Capture);
            }
            Kind::Call => self.remote_capture(left, arity, ctx),
            _ => self.todo.push(Work::Visit(operand, ctx)),
        }
    }

    fn remote_capture(&mut self, left: At<'t>, arity: usize, ctx: Ctx) {
        let Some(call) = Call::of(left) else { return };
        let Target::Remote(left, name) = call.target else {
            return self.inside(call, ctx);
        };
        let function = match name.kind() {
            Kind::String | Kind::Charlist => name.quoted(),
            _ => Some(name.text()),
        };
        if let (Some(function), Some(module)) = (function, self.module(left, ctx)) {
            let function = Some(self.names.add(function));
            let arity = u8::try_from(arity).unwrap_or(u8::MAX);
            self.refer(ctx, name, RefKind::Capture, To { module: Some(module), function, arity });
        } else {
            self.todo.push(Work::Visit(left, ctx));
        }
    }

    pub(super) fn binary(&mut self, at: At<'t>, ctx: Ctx) {
        let ctx = Ctx { extra: 0, ..ctx };
        let (Some(left), Some(right)) = (at.child(0), at.child(1)) else {
            return self.children_later(at, ctx);
        };
        let operator = at.operator();
        if ctx.mode == Mode::Type || ctx.mode == Mode::Segment {
            return self.children_later(at, ctx);
        }
        match operator {
            "|>" => {
                self.refer_local(ctx, at, ("|>", 2), RefKind::Call);
                self.todo.push(Work::Visit(right, Ctx { extra: 1, ..ctx }));
                return self.todo.push(Work::Visit(left, ctx));
            }
            "::" => {
                self.todo.push(Work::Visit(right, Ctx { mode: Mode::Segment, ..ctx }));
                return self.todo.push(Work::Visit(left, ctx));
            }
            "in" if ctx.mode == Mode::Rescue => return self.children_later(at, ctx),
            "not in" => {
                self.refer_local(ctx, at, ("not", 1), RefKind::Call);
                self.refer_local(ctx, at, ("in", 2), RefKind::Call);
            }
            // `a..b//c` is one operator of three.
            "//" if left.operator() == ".." => {
                self.refer_local(ctx, at, ("..//", 3), RefKind::Call);
                self.todo.push(Work::Visit(right, ctx));
                return self.children_later(left, ctx);
            }
            "=" if left.text() == "children" && right.is(Kind::List) => {
                known::children(self, right, ctx);
            }
            "=" => self.assign(left, right, ctx),
            "<-" => self.assign_unknown(left, ctx),
            "|" | "->" | "\\\\" | "when" | "=>" | "//" | "." | "" => {}
            _ => self.refer_local(ctx, at, (operator, 2), RefKind::Call),
        }
        self.children_later(at, ctx);
    }

    /// A tuple may be a function with its arguments, or a child of a supervisor.
    pub(super) fn tuple(&mut self, at: At<'t>, ctx: Ctx) {
        if ctx.mode == Mode::Code {
            let mut parts = at.children();
            let parts = [parts.next(), parts.next(), parts.next(), parts.next()];
            if let [Some(module), Some(function), Some(arguments), None] = parts {
                known::mfa(self, [module, function, arguments], RefKind::Mfa, ctx);
            }
        }
        self.children_later(at, ctx);
    }
}
