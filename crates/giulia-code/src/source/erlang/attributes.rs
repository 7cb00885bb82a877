//! Attributes: what a module says about itself beside its functions.

use super::{
    body,
    found::{Found, FoundRef, Whose},
    lex::{Kind, Quote, Token, unescaped},
    module::{FieldDefault, Module, small},
};
use crate::source::{
    Callback, Doc, Spec, Structure, TypeKind,
    names::Name,
    reference::{RefKind, Reference},
};

impl Module<'_> {
    /// Takes one attribute in: `-name(rest).`, without the minus.
    pub(super) fn attribute(&mut self, word: Token, rest: &[Token]) {
        let name = word.name.map_or("", |it| self.pre.names.get(it)).to_owned();
        match name.as_str() {
            "module" => {
                let atom = rest.iter().find(|it| it.kind == Kind::Atom).and_then(|it| it.name);
                self.pre.module = self.pre.module.or(atom);
            }
            "export" => self.exports.extend(pairs(rest).map(|(name, arity, _)| (name, arity))),
            "export_type" => {
                self.exported_types.extend(pairs(rest).map(|(name, arity, _)| (name, arity)));
            }
            "import" => self.import(rest),
            "behaviour" | "behavior" => self.behaviour(rest),
            "record" => self.record(rest, word.line),
            "callback" => self.callback(rest, word.line),
            "optional_callbacks" => {
                self.optional.extend(pairs(rest).map(|(name, arity, _)| (name, arity)));
            }
            "spec" => {
                if let Some((name, arity, types)) = head(rest) {
                    let name = self.out(name);
                    self.own.specs.push(Spec { name, arity: small(arity), line: word.line });
                    self.types(types);
                }
            }
            "type" | "opaque" | "nominal" => self.declared(&name, rest, word.line),
            "compile" => self.compile(rest, word),
            "doc" => self.doc = self.documentation(rest),
            "moduledoc" => self.own.doc = self.documentation(rest),
            "on_load" => {
                for (name, arity, at) in pairs(rest) {
                    let kind = RefKind::Capture;
                    self.outside(kind, Whose::Local, (Some(name), arity), at);
                }
            }
            _ => {}
        }
    }

    /// `(module, [f/1])`.
    fn import(&mut self, rest: &[Token]) {
        let Some(module) = rest.iter().find(|it| it.kind == Kind::Atom) else { return };
        let Some(name) = module.name else { return };
        self.outside(RefKind::Import, Whose::Module(name), (None, 0), *module);
        for (function, arity, _) in pairs(rest) {
            self.imports.insert((function, arity), name);
        }
    }

    fn behaviour(&mut self, rest: &[Token]) {
        let Some(at) = rest.iter().find(|it| it.kind == Kind::Atom) else { return };
        let Some(name) = at.name else { return };
        self.outside(RefKind::Behaviour, Whose::Module(name), (None, 0), *at);
        let name = self.out(name);
        self.own.behaviours.push(name);
    }

    /// `(name, {field, field = default, field = default :: type})`.
    fn record(&mut self, rest: &[Token], line: u32) {
        let [_, name, _, fields @ ..] = rest else { return };
        let Some(record) = name.name else { return };
        let open = fields.iter().position(|it| it.kind == Kind::BraceOpen);
        let end = fields.iter().rposition(|it| it.kind == Kind::BraceClose);
        let inside = open.zip(end).and_then(|(open, end)| fields.get(open + 1..end));
        let (mut names, mut defaults) = (Vec::new(), Vec::new());
        for field in split(inside.unwrap_or_default()) {
            let [name, rest @ ..] = field else { continue };
            let Some(name) = name.name.filter(|_| name.kind == Kind::Atom) else { continue };
            names.push(name);
            let colons = top_level(rest, Kind::ColonColon).unwrap_or(rest.len());
            let (value, types) = rest.split_at(colons);
            if let [equals, value @ ..] = value
                && equals.kind == Kind::Match
            {
                let calls = self.default(value);
                if !calls.is_empty() {
                    defaults.push(FieldDefault { field: name, calls });
                }
            }
            self.types(types);
        }
        self.defaults.insert(record, defaults);
        let fields = names.into_iter().map(|it| self.out(it)).collect();
        let name = Some(self.out(record));
        self.own.records.push(Structure { name, is_exception: false, fields, line });
    }

    /// What the default of a field calls.
    fn default(&mut self, value: &[Token]) -> Vec<FoundRef> {
        let mut found = Found::default();
        if let Err(stop) = body::value(self.context(), value, &mut found) {
            let line = value.first().map_or(0, |it| it.line);
            self.pre.problem(line, format!("the default of a field: {}", stop.text));
        }
        self.add_defaults(&mut found);
        found.refs
    }

    fn callback(&mut self, rest: &[Token], line: u32) {
        self.doc = Doc::None;
        let Some((name, arity, types)) = head(rest) else { return };
        self.types(types);
        self.callbacks.push((name, arity));
        let (name, arity) = (self.out(name), small(arity));
        let (is_optional, is_macro) = (false, false);
        self.own.callbacks.push(Callback { name, arity, is_optional, is_macro, line });
    }

    /// `name(A, B) :: type`.
    fn declared(&mut self, word: &str, rest: &[Token], line: u32) {
        self.doc = Doc::None;
        let Some((name, arity, types)) = head(rest) else { return };
        self.types(types);
        let kind = if word == "opaque" { TypeKind::Opaque } else { TypeKind::Private };
        self.declared_types.insert((name, arity), (kind, line));
        self.type_order.push((name, arity));
    }

    /// `export_all`, and transforms, which may change everything.
    fn compile(&mut self, rest: &[Token], word: Token) {
        let atoms: Vec<Name> =
            rest.iter().filter(|it| it.kind == Kind::Atom).filter_map(|it| it.name).collect();
        for (at, atom) in atoms.iter().enumerate() {
            match self.pre.names.get(*atom) {
                "export_all" => self.exports_all = true,
                "parse_transform" => {
                    let Some(name) = atoms.get(at + 1) else { continue };
                    match self.pre.names.get(*name) {
                        "ms_transform" => self.has_match_specs = true,
                        // It exports what is a test by its name.
                        "eunit_autoexport" => (self.has_tests, self.tests_at) = (true, word),
                        it => {
                            let text = format!(
                                "the parse transform `{it}` may change what is called, and is not run"
                            );
                            self.pre.problem(word.line, text);
                        }
                    }
                }
                _ => {}
            }
        }
    }

    /// The text of `-doc` and its like.
    fn documentation(&self, rest: &[Token]) -> Doc {
        let first = rest.iter().find(|it| it.kind != Kind::ParenOpen);
        match first.map(|it| it.kind) {
            Some(Kind::Str) => {}
            Some(Kind::Atom) => return Doc::Hidden,
            // Metadata leave the text alone.
            _ => return self.doc.clone(),
        }
        let mut text = String::new();
        for it in rest.iter().filter(|it| it.kind == Kind::Str) {
            let raw = it.name.map_or("", |it| self.pre.names.get(it));
            match it.int {
                Quote::TRIPLE | Quote::VERBATIM_TRIPLE => text.push_str(&unindented(raw)),
                Quote::VERBATIM => text.push_str(raw),
                _ => text.push_str(&unescaped(raw)),
            }
        }
        Doc::Text(text.into_boxed_str())
    }

    /// The types that a type names, in the body of the module.
    pub(super) fn types(&mut self, tokens: &[Token]) {
        // The module and the name before each open parenthesis, and how many commas there were.
        type Before = Option<(Option<Name>, Token)>;
        let mut open: Vec<(Before, u32)> = Vec::new();
        for (at, token) in tokens.iter().enumerate() {
            let before = |back: usize| at.checked_sub(back).and_then(|it| tokens.get(it));
            match token.kind {
                Kind::ParenOpen => {
                    let name = before(1).filter(|it| it.kind == Kind::Atom).copied();
                    let is_remote = before(2).is_some_and(|it| it.kind == Kind::Colon);
                    let module = before(3).filter(|_| is_remote).and_then(|it| it.name);
                    open.push((name.map(|it| (module, it)), 0));
                }
                Kind::ListOpen | Kind::BraceOpen | Kind::BinOpen => open.push((None, 0)),
                Kind::Comma => {
                    if let Some((_, n)) = open.last_mut() {
                        *n += 1;
                    }
                }
                Kind::ListClose | Kind::BraceClose | Kind::BinClose => drop(open.pop()),
                Kind::ParenClose => {
                    let Some((Some((module, name)), n)) = open.pop() else { continue };
                    let is_empty = before(1).is_some_and(|it| it.kind == Kind::ParenOpen);
                    let arity = if is_empty { 0 } else { n + 1 };
                    let whose = module.map_or(Whose::Local, Whose::Module);
                    self.outside(RefKind::Type, whose, (name.name, arity), name);
                }
                Kind::Hash => {
                    let next = tokens.get(at + 1).filter(|it| it.kind == Kind::Atom);
                    if let Some(next) = next {
                        let kind = RefKind::Structure;
                        self.outside(kind, Whose::Nobody, (next.name, 0), *token);
                    }
                }
                _ => {}
            }
        }
    }

    /// A reference that stands in no function.
    fn outside(
        &mut self,
        kind: RefKind,
        module: Whose,
        (function, arity): (Option<Name>, u32),
        at: Token,
    ) {
        let mut found = Found::default();
        found.push(kind, module, (function, arity), at);
        self.refs.extend(found.refs.into_iter().map(|it| (Reference::BODY, it)));
    }
}

/// Each `name/arity`.
fn pairs(tokens: &[Token]) -> impl Iterator<Item = (Name, u32, Token)> {
    tokens.windows(3).filter_map(|it| match it {
        [name, slash, arity]
            if (name.kind, slash.kind, arity.kind) == (Kind::Atom, Kind::Slash, Kind::Int) =>
        {
            Some((name.name?, arity.int, *name))
        }
        _ => None,
    })
}

/// The name and arity of what a spec, a callback or a type is one of, and what follows them.
fn head(rest: &[Token]) -> Option<(Name, u32, &[Token])> {
    let mut rest = rest;
    // `-spec(f() -> ok).`, as it was written long ago.
    if let [open, name, ..] = rest
        && (open.kind, name.kind) == (Kind::ParenOpen, Kind::Atom)
    {
        rest = rest.get(1..)?;
    }
    // `-spec module:f() -> ok.`
    if let [_, colon, ..] = rest
        && colon.kind == Kind::Colon
    {
        rest = rest.get(2..)?;
    }
    let [name, open, inside @ ..] = rest else { return None };
    if name.kind != Kind::Atom || open.kind != Kind::ParenOpen {
        return None;
    }
    let (mut depth, mut n_commas, mut is_empty) = (0_usize, 0_u32, true);
    for token in inside {
        match token.kind {
            Kind::ParenClose if depth == 0 => break,
            Kind::ParenOpen | Kind::ListOpen | Kind::BraceOpen | Kind::BinOpen => depth += 1,
            Kind::ParenClose | Kind::ListClose | Kind::BraceClose | Kind::BinClose => {
                depth = depth.saturating_sub(1);
            }
            Kind::Comma if depth == 0 => n_commas += 1,
            _ => {}
        }
        is_empty = false;
    }
    Some((name.name?, if is_empty { 0 } else { n_commas + 1 }, inside))
}

/// The parts between commas that stand in no bracket.
fn split(mut tokens: &[Token]) -> Vec<&[Token]> {
    let mut found = Vec::new();
    while let Some(at) = top_level(tokens, Kind::Comma) {
        let (part, rest) = tokens.split_at(at);
        found.push(part);
        tokens = rest.get(1..).unwrap_or_default();
    }
    found.push(tokens);
    found
}

/// Where a token stands that no bracket is around.
fn top_level(tokens: &[Token], kind: Kind) -> Option<usize> {
    let mut depth = 0_usize;
    tokens.iter().position(|it| {
        match it.kind {
            Kind::ParenOpen
            | Kind::ListOpen
            | Kind::BraceOpen
            | Kind::BinOpen
            | Kind::Begin
            | Kind::Case
            | Kind::If
            | Kind::Receive
            | Kind::Try => depth += 1,
            Kind::ParenClose | Kind::ListClose | Kind::BraceClose | Kind::BinClose | Kind::End => {
                depth = depth.saturating_sub(1);
            }
            _ => {}
        }
        it.kind == kind && depth == 0
    })
}

/// The text between triple quotes: without what its last line is indented by.
fn unindented(raw: &str) -> String {
    let Some((text, indent)) = raw.rsplit_once('\n') else { return String::new() };
    let lines = text.split('\n').map(|it| it.strip_prefix(indent).unwrap_or(it.trim_start()));
    lines.collect::<Vec<_>>().join("\n")
}
