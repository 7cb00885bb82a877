//! `defmodule`, `defprotocol`, `defimpl`, and what stands directly in them.

use super::{
    super::{Doc, FunctionKind, ModuleKind, Name, RefKind, Reference, Structure},
    call::Call,
    env::{ATOM_CHARS_MAX, Entered},
    functions::New,
    tree::{At, Kind},
    walk::{Ctx, Mode, To, Walk, Work},
};

/// What a function that is made calls: module, function, arity.
type Calls = &'static [(&'static str, &'static str, u8)];

/// The functions of one argument that each protocol has, and what they call.
const PROTOCOL: &[(&str, Calls)] = &[
    ("impl_for", &[("Elixir.Code", "ensure_compiled", 1), ("Elixir.Protocol", "__concat__", 2)]),
    ("impl_for!", &[("Elixir.Protocol.UndefinedError", "exception", 1)]),
    (
        "struct_impl_for",
        &[("Elixir.Code", "ensure_compiled", 1), ("Elixir.Protocol", "__concat__", 2)],
    ),
    ("__protocol__", &[]),
];

impl<'t> Walk<'t> {
    /// Whether the call defines something, which is then done.
    pub(super) fn is_definition(
        &mut self,
        at: At<'t>,
        name: &str,
        call: Call<'t>,
        ctx: Ctx,
    ) -> bool {
        if !name.starts_with("def") || ctx.mode != Mode::Code {
            return false;
        }
        let kind = match name {
            // They are what they were in the first round.
            "defmodule" | "defprotocol" | "defimpl" | "defstruct" | "defexception"
            | "defrecord" | "defrecordp"
                if ctx.is_again =>
            {
                return true;
            }
            "defmodule" | "defprotocol" if call.body().is_some() => {
                return self.define_module(at, name == "defprotocol", call, ctx);
            }
            "defimpl" if call.body().is_some() => return self.define_implementation(at, call, ctx),
            "defstruct" | "defexception" if call.arity() == 1 => {
                return self.define_struct(at, name == "defexception", call, ctx);
            }
            "def" => FunctionKind::Public,
            "defp" => FunctionKind::Private,
            "defmacro" => FunctionKind::Macro,
            "defmacrop" => FunctionKind::PrivateMacro,
            "defguard" => FunctionKind::Guard,
            "defguardp" => FunctionKind::PrivateGuard,
            "defdelegate" => FunctionKind::Delegate,
            "defrecord" | "defrecordp" => return self.is_made("Elixir.Record", name, call, ctx),
            _ => return false,
        };
        self.define_function(at, kind, call, ctx)
    }

    fn define_module(&mut self, at: At<'t>, is_protocol: bool, call: Call<'t>, ctx: Ctx) -> bool {
        let Some(named) = call.arg(0) else { return false };
        let name = self.name_of_new(named, ctx);
        let kind = if is_protocol { ModuleKind::Protocol } else { ModuleKind::Module };
        self.open_module(at, (name, kind), call, ctx);
        if is_protocol {
            let place = u32::try_from(self.modules.len().saturating_sub(1)).unwrap_or(u32::MAX);
            let inside = Ctx { module: place, ..ctx };
            let by = self.names.add("Elixir.Protocol");
            for (function, calls) in PROTOCOL {
                let new = New { kind: FunctionKind::Public, arity: 1, defined_by: Some(by), at };
                let function = self.function(function, new, inside);
                let inside = Ctx { function, ..inside };
                for (module, called, arity) in *calls {
                    self.refer_expanded(inside, at, (module, called), *arity);
                }
            }
        }
        true
    }

    /// The name of a module that is being defined: within another it is inside of it.
    fn name_of_new(&mut self, named: At<'t>, ctx: Ctx) -> Option<Name> {
        let own = self.own(ctx).filter(|_| ctx.quote == 0);
        let (Some(own), Kind::Alias) = (own, named.kind()) else { return self.module(named, ctx) };
        let written: String = named.text().split_whitespace().collect();
        if written.starts_with("Elixir.") {
            return Some(self.names.add(&written));
        }
        let own = self.names.get(own).to_owned();
        let own = if own.starts_with("Elixir.") { own } else { format!("Elixir.{own}") };
        if own.len() + written.len() > ATOM_CHARS_MAX {
            return None;
        }
        let full = self.names.add(&format!("{own}.{written}"));
        let first = written.split('.').next().unwrap_or_default();
        let outer = self.names.add(&format!("{own}.{first}"));
        let alias = self.names.add(first);
        self.enter(ctx, Entered::Alias(alias, outer));
        Some(full)
    }

    /// Begins a module; what is in it comes next.
    pub(super) fn open_module(
        &mut self,
        at: At<'t>,
        (name, kind): (Option<Name>, ModuleKind),
        call: Call<'t>,
        ctx: Ctx,
    ) {
        let module = self.begin(name, kind, at);
        if name.is_none() || ctx.quote > 0 {
            // A module whose name is made at compile time, or that a macro makes, is none yet.
            if let Some(it) = self.modules.get_mut(module as usize) {
                it.quoted_in = Some((ctx.module, ctx.function));
            }
        }
        let inner = self.inner(ctx);
        let quote = ctx.quote;
        let inner = Ctx { module, function: Reference::BODY, quote, is_nameless: false, ..inner };
        self.todo.extend(call.body().map(|it| Work::Visit(it, inner)));
    }

    /// The fields of a struct, and the functions that it brings.
    fn define_struct(&mut self, at: At<'t>, is_exception: bool, call: Call<'t>, ctx: Ctx) -> bool {
        let Some(fields_at) = call.arg(0) else { return false };
        let mut fields = Vec::new();
        if is_exception {
            fields.push(self.names.add("__exception__"));
        }
        let within = |it: At<'t>| it.children().collect::<Vec<_>>();
        let items = if fields_at.is(Kind::List) { within(fields_at) } else { vec![fields_at] };
        for item in items {
            if item.is(Kind::Keywords) {
                let keys = item.children().filter_map(|it| it.child(0)?.atom());
                fields.extend(keys.map(|it| self.names.add(it)).collect::<Vec<_>>());
            } else if let Some(name) = item.atom() {
                fields.push(self.names.add(name));
            }
        }
        // `~w(a b)a`.
        if let Some(words) = Some(fields_at).filter(|it| it.is(Kind::Sigil)).and_then(words) {
            fields.extend(words.map(|it| self.names.add(it)).collect::<Vec<_>>());
        }
        let line = at.line().saturating_add(self.lines_before);
        let has_message = fields.iter().any(|it| self.names.get(*it) == "message");
        let word = if is_exception { "defexception" } else { "defstruct" };
        self.refer_local(ctx, at, (word, 1), RefKind::Call);
        if let Some(it) = self.building(ctx) {
            it.module.structure = Some(Structure { name: None, is_exception, fields, line });
        }
        let by = self.names.add(word);
        let mut defined = vec![("__struct__", 0), ("__struct__", 1)];
        if is_exception {
            defined.push(("exception", 1));
            if has_message {
                defined.push(("message", 1));
            }
            let behaviour = self.names.add("Elixir.Exception");
            if let Some(it) = self.building(ctx) {
                it.module.behaviours.push(behaviour);
            }
        }
        for (name, arity) in defined {
            let new = New { kind: FunctionKind::Public, arity, defined_by: Some(by), at };
            let function = self.function(name, new, ctx);
            if (name, arity) == ("__struct__", 1) {
                let inside = Ctx { function, ..ctx };
                self.refer_expanded(inside, at, ("Elixir.Enum", "reduce"), 3);
            }
        }
        self.todo.push(Work::Visit(fields_at, ctx));
        true
    }

    /// `test` and `describe` of `ExUnit`, directly in a module.
    pub(super) fn is_test(&mut self, at: At<'t>, word: &str, call: Call<'t>, ctx: Ctx) -> bool {
        let is_in_body = ctx.function == Reference::BODY && ctx.quote == 0;
        let (Some(text), Some(block)) = (call.arg(0).and_then(At::quoted), call.block) else {
            return false;
        };
        if !is_in_body || self.own(ctx).is_none() {
            return false;
        }
        self.refer_local(ctx, at, (word, call.arity()), RefKind::Call);
        if word == "describe" {
            if let Some(it) = self.building(ctx) {
                it.describe = Some(text.to_owned());
            }
            self.todo.push(Work::EndDescribe(ctx.module));
            self.todo.push(Work::Visit(block, ctx));
            return true;
        }
        let describe = self.building(ctx).and_then(|it| it.describe.clone());
        let name = match describe {
            Some(describe) => format!("test {describe} {text}"),
            None => format!("test {text}"),
        };
        let by = self.names.add("Elixir.ExUnit.Case");
        let new = New { kind: FunctionKind::Public, arity: 1, defined_by: Some(by), at };
        let function = self.function(&name, new, ctx);
        self.count_body(function, block, ctx);
        let inner = self.inner(Ctx { function, ..ctx });
        self.todo.push(Work::Visit(block, inner));
        self.later(call.args().skip(1), inner);
        true
    }

    /// `@it`: a type, a word to the compiler, or a value that is set or read.
    pub(super) fn at_sign(&mut self, at: At<'t>, ctx: Ctx) {
        let Some(operand) = at.child(0) else { return };
        let Some(call) = Call::of(operand).filter(|it| it.args().next().is_some()) else {
            // It is read; `@foo[:key]` and the like.
            return;
        };
        let Some(value) = call.arg(0) else { return };
        let typed = Ctx { mode: Mode::Type, ..ctx };
        match call.local() {
            "moduledoc" => {
                let doc = doc(value);
                if let Some(it) = self.building(ctx) {
                    it.module.doc = doc;
                }
                self.todo.push(Work::Visit(value, ctx));
            }
            "doc" | "typedoc" => {
                if call.local() == "doc" && !value.is(Kind::Keywords) {
                    let doc = doc(value);
                    if let Some(it) = self.building(ctx) {
                        it.doc = doc;
                    }
                }
                self.todo.push(Work::Visit(value, ctx));
            }
            "spec" | "callback" | "macrocallback" => {
                self.spec(call.local(), value, ctx);
                self.todo.push(Work::Visit(value, typed));
            }
            "type" | "typep" | "opaque" => {
                self.type_of(call.local(), value, ctx);
                self.todo.push(Work::Visit(value, typed));
            }
            "optional_callbacks" => self.optional_callbacks(value, ctx),
            "derive" => {
                self.derive(at, value, ctx);
                self.children_later(operand, ctx);
            }
            "behaviour" => {
                if let Some(module) = self.module(value, ctx) {
                    let to = To { module: Some(module), function: None, arity: 0 };
                    self.refer(ctx, value, RefKind::Behaviour, to);
                    if let Some(it) = self.building(ctx) {
                        it.module.behaviours.push(module);
                    }
                }
            }
            name => {
                let name = self.names.add(name);
                let value_name = match value.kind() {
                    Kind::Alias | Kind::Atom | Kind::Identifier | Kind::Dot => {
                        self.module(value, ctx)
                    }
                    _ => None,
                };
                let list = self.attribute_value(value, ctx);
                if let Some(it) = self.building(ctx).filter(|_| ctx.function == Reference::BODY) {
                    match list {
                        Some(list) => it.lists.insert(name, list),
                        None => it.lists.remove(&name),
                    };
                    match value_name {
                        Some(value) => it.attributes.insert(name, value),
                        None => it.attributes.remove(&name),
                    };
                }
                self.children_later(operand, ctx);
            }
        }
    }
}

/// The words of a sigil that makes atoms.
fn words(sigil: At<'_>) -> Option<impl Iterator<Item = &str>> {
    let text = sigil.text().strip_prefix("~w")?.strip_suffix('a')?;
    let inside = text.get(1..text.len().checked_sub(1)?)?;
    Some(inside.split_whitespace())
}

/// A text without what its quotes add to it.
fn doc(value: At<'_>) -> Doc {
    match value.kind() {
        Kind::Word if value.text() == "false" => Doc::Hidden,
        Kind::Word => Doc::None,
        Kind::String => Doc::Text(value.quoted().map_or_else(String::new, plain).into()),
        Kind::Sigil => {
            let text = value.text().get(2..).unwrap_or_default();
            let quote = if text.starts_with("\"\"\"") {
                "\"\"\""
            } else {
                text.get(..1).unwrap_or_default()
            };
            let inside = text.get(quote.len()..text.len().saturating_sub(quote.len()));
            Doc::Text(dedent(inside.unwrap_or_default()).into())
        }
        _ => Doc::Text(Box::default()),
    }
}

/// The lines of a heredoc begin where its end stands.
fn dedent(text: &str) -> String {
    let Some(lines) = text.strip_prefix('\n') else { return text.to_owned() };
    let indent = lines.rsplit('\n').next().unwrap_or_default();
    if !indent.chars().all(char::is_whitespace) {
        return text.to_owned();
    }
    let body = lines.get(..lines.len() - indent.len()).unwrap_or_default();
    let cut = |line: &str| line.strip_prefix(indent).unwrap_or(line.trim_start()).to_owned();
    body.split('\n').map(cut).collect::<Vec<_>>().join("\n")
}

fn plain(text: &str) -> String {
    let text = dedent(text);
    if !text.contains('\\') {
        return text;
    }
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(it) = chars.next() {
        match it {
            '\\' => match chars.next() {
                Some('n') => out.push('\n'),
                Some('t') => out.push('\t'),
                Some('\n') | None => {}
                Some(other) => out.push(other),
            },
            other => out.push(other),
        }
    }
    out
}
