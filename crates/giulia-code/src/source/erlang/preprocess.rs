//! The preprocessor: forms with headers, conditions and macros done, as the compiler sees them.
//!
//! <https://www.erlang.org/doc/system/macros.html>. What it cannot do (a header that is not
//! there, a macro that nobody defines) is a problem, and the form is kept as far as it goes.

use std::{borrow::Cow, collections::HashSet};

use super::{
    Headers, Options, builtin, condition,
    lex::{Kind, Lexer, Token, unescaped},
    macros::{Macros, Place, Trouble},
};
use crate::source::{
    SourceProblem,
    names::{Name, Names},
};

/// Headers inside of each other, as many as `epp` of OTP 29 allows.
const DEPTH_MAX: usize = 8;

/// Headers of one file, each time that one is included; no file of OTP 27 or RabbitMQ 4.0 meets
/// this limit or the next one.
const HEADERS_MAX: usize = 2_000;

/// Their bytes together: about two seconds of work.
const HEADER_BYTES_MAX: usize = 64 << 20;

/// Problems that are listed of one file.
const PROBLEMS_MAX: usize = 100;

/// A file on its way to forms.
pub(super) struct Preprocessor<'h> {
    sources: Vec<Source<'h>>,
    macros: Macros,
    conditions: Vec<Condition>,
    headers: &'h dyn Headers,
    otp_release: u32,
    n_headers: usize,
    header_bytes: usize,
    /// Headers that lead to themselves without end: the compiler refuses the file, and they are
    /// not read again, because each could be read in each of the others.
    endless: HashSet<String>,
    raw: Vec<Token>,
    /// Every text that a token has.
    pub(super) names: Names,
    pub(super) module: Option<Name>,
    /// Whether `maybe` is a word.
    pub(super) has_maybe: bool,
    pub(super) problems: Vec<SourceProblem>,
    /// The headers that were asked for and found, by path.
    pub(super) included: Vec<String>,
}

struct Source<'h> {
    path: String,
    lexer: Lexer<'h>,
}

/// One `-ifdef` and its like.
struct Condition {
    /// Whether what is around it counts.
    is_outer_active: bool,
    /// Whether what stands here counts.
    is_active: bool,
    /// Whether one of its branches counted before.
    is_done: bool,
}

impl<'h> Preprocessor<'h> {
    pub(super) fn new(
        path: &str,
        text: Cow<'h, str>,
        headers: &'h dyn Headers,
        options: &Options<'_>,
    ) -> Self {
        let n_bytes = text.len();
        let mut it = Self {
            sources: vec![Source { path: path.to_owned(), lexer: Lexer::new(text, None) }],
            macros: Macros::default(),
            conditions: Vec::new(),
            headers,
            otp_release: options.otp_release,
            n_headers: 0,
            header_bytes: 0,
            endless: HashSet::new(),
            raw: Vec::new(),
            names: Names::default(),
            module: None,
            has_maybe: false,
            problems: Vec::new(),
            included: Vec::new(),
        };
        it.macros.read(n_bytes);
        for (name, value) in options.defines {
            let mut lexer = Lexer::new(Cow::Borrowed(*value), None);
            let mut body = Vec::new();
            lexer.form(&mut it.names, &mut body);
            let name = it.names.add(name);
            it.macros.define(name, None, &body);
        }
        it
    }

    /// Says what could not be read, once for each of the first hundred.
    pub(super) fn problem(&mut self, line: u32, text: impl Into<String>) {
        if self.problems.len() < PROBLEMS_MAX {
            self.problems.push(SourceProblem { line, text: text.into() });
        }
    }

    /// The next form that is no directive; false at the end.
    pub(super) fn form(&mut self, into: &mut Vec<Token>) -> bool {
        into.clear();
        loop {
            let mut raw = std::mem::take(&mut self.raw);
            let is_form = self.raw_form(&mut raw);
            let is_done = is_form && self.take(&raw, into);
            self.raw = raw;
            if is_done {
                return true;
            }
            if !is_form {
                self.sources.pop();
                if self.sources.is_empty() {
                    if !self.conditions.is_empty() {
                        self.problem(0, "a condition (`-ifdef`) without its `-endif`");
                    }
                    return false;
                }
            }
        }
    }

    fn raw_form(&mut self, into: &mut Vec<Token>) -> bool {
        let Some(source) = self.sources.last_mut() else { return false };
        let (is_form, is_cut) = source.lexer.form(&mut self.names, into);
        if is_cut {
            let line = into.first().map_or(0, |it| it.line);
            self.problem(line, "a form of more than four million tokens; the rest is left out");
        }
        is_form
    }

    fn is_active(&self) -> bool {
        self.conditions.last().is_none_or(|it| it.is_active && it.is_outer_active)
    }

    /// Takes a form in; true when it is one for the parser, with its macros expanded.
    fn take(&mut self, raw: &[Token], into: &mut Vec<Token>) -> bool {
        if let [minus, word, rest @ ..] = raw
            && minus.kind == Kind::Minus
        {
            let name = match word.kind {
                Kind::If => "if",
                Kind::Atom => word.name.map_or("", |it| self.names.get(it)),
                _ => "",
            };
            let name = name.to_owned();
            if self.condition(&name, rest, word.line) {
                return false;
            }
            if !self.is_active() {
                return false;
            }
            if self.directive(&name, rest, word.line) {
                return false;
            }
        }
        if !self.is_active() {
            return false;
        }
        self.expand(raw, into);
        true
    }

    fn expand(&mut self, raw: &[Token], into: &mut Vec<Token>) {
        into.clear();
        let place = Place {
            module: self.module,
            function: function(raw),
            otp_release: self.otp_release,
            file: self.sources.last().map_or("", |it| &it.path),
        };
        for it in self.macros.expand(raw, place, &mut self.names, into) {
            match it {
                Trouble::Undefined(name, line) => {
                    let text = format!("the macro `?{}` is not defined", self.names.get(name));
                    self.problem(line, text);
                }
                Trouble::Limit(line) => {
                    let text = "macros that mean more than a million tokens, or more than 200 inside of each other; the form is left out";
                    self.problem(line, text);
                    into.clear();
                }
            }
        }
    }

    /// Whether this is a condition, or the end of one.
    fn condition(&mut self, name: &str, rest: &[Token], line: u32) -> bool {
        let argument = match rest {
            [open, argument, ..] if open.kind == Kind::ParenOpen => argument.name,
            _ => None,
        };
        let is_defined = argument.is_some_and(|it| self.is_defined(it));
        match name {
            "ifdef" => self.open(is_defined),
            "ifndef" => self.open(!is_defined),
            "if" => {
                let holds = self.is_active() && self.holds(rest, line);
                self.open(holds);
            }
            "else" => self.next(true, line),
            "elif" => {
                let is_wanted = self.conditions.last();
                let is_wanted = is_wanted.is_some_and(|it| it.is_outer_active && !it.is_done);
                let holds = is_wanted && self.holds(rest, line);
                self.next(holds, line);
            }
            "endif" => {
                if self.conditions.pop().is_none() {
                    self.problem(line, "`-endif` without its condition");
                }
            }
            _ => return false,
        }
        true
    }

    fn open(&mut self, holds: bool) {
        let is_outer_active = self.is_active();
        self.conditions.push(Condition { is_outer_active, is_active: holds, is_done: holds });
    }

    fn next(&mut self, holds: bool, line: u32) {
        let Some(it) = self.conditions.last_mut() else {
            self.problem(line, "`-else` without its condition");
            return;
        };
        it.is_active = holds && !it.is_done;
        it.is_done |= holds;
    }

    fn is_defined(&self, name: Name) -> bool {
        let known = ["MODULE", "FILE", "LINE", "MACHINE", "BEAM", "OTP_RELEASE", "FUNCTION_NAME"];
        self.macros.is_defined(name) || known.contains(&self.names.get(name))
    }

    /// Whether an `-if` holds. What only the compiler knows is read as if it did.
    fn holds(&mut self, rest: &[Token], line: u32) -> bool {
        let mut expanded = Vec::new();
        self.expand(rest, &mut expanded);
        let macros = &self.macros;
        let is_defined = |it: Name| macros.is_defined(it);
        condition::holds(&expanded, &mut self.names, &is_defined).unwrap_or_else(|| {
            self.problem(line, "a condition that only the compiler knows; it is taken to hold");
            true
        })
    }

    /// Whether this is a directive, which is then done.
    fn directive(&mut self, name: &str, rest: &[Token], line: u32) -> bool {
        match name {
            "define" => self.define(rest, line),
            "undef" => {
                if let [_, it, ..] = rest
                    && let Some(name) = it.name
                {
                    self.macros.undefine(name);
                }
            }
            "include" => self.include(rest, line, false),
            "include_lib" => self.include(rest, line, true),
            "feature" => {
                let mut words = rest.iter().filter_map(|it| it.name).map(|it| self.names.get(it));
                if words.next() == Some("maybe_expr") {
                    self.has_maybe = words.next() == Some("enable");
                }
            }
            // What they say is not for us.
            "error" | "warning" | "file" => {}
            _ => return false,
        }
        true
    }

    /// `(NAME, Body)`, or `(NAME(A, B), Body)`.
    fn define(&mut self, rest: &[Token], line: u32) {
        let [open, name, rest @ ..] = rest else { return };
        let (Kind::ParenOpen, Some(name)) = (open.kind, name.name) else {
            self.problem(line, "a `-define` without a name");
            return;
        };
        let (parameters, rest) = match rest {
            [open, rest @ ..] if open.kind == Kind::ParenOpen => {
                let end = rest.iter().position(|it| it.kind == Kind::ParenClose);
                let (inside, after) = rest.split_at(end.unwrap_or(rest.len()));
                let variables = inside.iter().filter(|it| it.kind == Kind::Var);
                (Some(variables.filter_map(|it| it.name).collect()), after.get(1..).unwrap_or(&[]))
            }
            _ => (None, rest),
        };
        let body = after_comma(rest);
        let end = body.iter().rposition(|it| it.kind == Kind::ParenClose);
        let Some(body) = end.and_then(|it| body.get(..it)) else {
            // `-define(NAME, Body` goes on to the next form; nothing is known of it then.
            if !body.is_empty() {
                self.problem(line, "a `-define` without its end");
            }
            return;
        };
        self.macros.define(name, parameters, body);
    }

    fn include(&mut self, rest: &[Token], line: u32, is_lib: bool) {
        let mut expanded = Vec::new();
        self.expand(rest, &mut expanded);
        let Some(text) = expanded.iter().find(|it| it.kind == Kind::Str).and_then(|it| it.name)
        else {
            self.problem(line, "an `-include` without the name of a file");
            return;
        };
        let name = unescaped(self.names.get(text)).into_owned();
        let Some(from) = self.sources.last() else { return };
        if self.sources.len() > DEPTH_MAX {
            self.endless.extend(self.sources.iter().skip(1).map(|it| it.path.clone()));
            self.problem(line, format!("headers inside of each other, more than {DEPTH_MAX}"));
            return;
        }
        let found = if is_lib {
            self.headers.include_lib(&from.path, &name)
        } else {
            // Where the file itself is, wherever the header is that asks.
            let of_file = self.sources.first().filter(|_| self.sources.len() > 1);
            let beside = self.headers.include(&from.path, &name);
            beside.or_else(|| self.headers.include(&of_file?.path, &name))
        };
        let Some(header) = found else {
            let Some(text) = builtin::header(&name).filter(|_| is_lib) else {
                self.problem(line, format!("the header `{name}` is not to be found"));
                return;
            };
            let lexer = Lexer::new(Cow::Owned(text), Some((line, 1)));
            self.sources.push(Source { path: name, lexer });
            return;
        };
        if self.endless.contains(&header.path) {
            return;
        }
        self.macros.read(header.bytes.len());
        self.n_headers += 1;
        self.header_bytes = self.header_bytes.saturating_add(header.bytes.len());
        if self.n_headers > HEADERS_MAX || self.header_bytes > HEADER_BYTES_MAX {
            self.problem(
                line,
                format!("more than {HEADERS_MAX} headers or {HEADER_BYTES_MAX} bytes of them"),
            );
            return;
        }
        let place = expanded.first().map_or((line, 1), |it| (line, it.column));
        let (text, _) = super::text(&header.bytes);
        let lexer = Lexer::new(Cow::Owned(text.into_owned()), Some(place));
        if !self.included.contains(&header.path) {
            self.included.push(header.path.clone());
        }
        self.sources.push(Source { path: header.path, lexer });
    }
}

/// What stands behind a comma that these begin with.
fn after_comma(tokens: &[Token]) -> &[Token] {
    match tokens {
        [comma, rest @ ..] if comma.kind == Kind::Comma => rest,
        all => all,
    }
}

/// The function that a form defines, as far as its tokens say: for `?FUNCTION_NAME`.
fn function(raw: &[Token]) -> Option<(Name, u32)> {
    let [name, open, rest @ ..] = raw else { return None };
    if name.kind != Kind::Atom || open.kind != Kind::ParenOpen {
        return None;
    }
    let (mut depth, mut arity, mut is_empty) = (0_usize, 0_u32, true);
    for token in rest {
        match token.kind {
            Kind::ParenClose if depth == 0 => break,
            Kind::ParenOpen | Kind::ListOpen | Kind::BraceOpen | Kind::BinOpen => depth += 1,
            Kind::ParenClose | Kind::ListClose | Kind::BraceClose | Kind::BinClose => {
                depth = depth.saturating_sub(1);
            }
            Kind::Comma if depth == 0 => arity = arity.saturating_add(1),
            _ => {}
        }
        is_empty = false;
    }
    let arity = if is_empty { 0 } else { arity.saturating_add(1) };
    Some((name.name?, arity))
}
