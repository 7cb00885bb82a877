//! Macros: their definitions, and tokens with all of them expanded.
//!
//! As `epp` does it: a macro without parameters is one whatever follows it, one with parameters
//! is chosen by how many arguments there are, what comes out is looked at again together with
//! what follows. An argument keeps its place; what a macro brings gets the place where it stands.
//! Expansion is bounded in tokens and in depth, because a dozen definitions can mean gigabytes.

use std::{collections::HashMap, rc::Rc};

use super::lex::{EXPANDED, Kind, Quote, Token};
use crate::source::names::{Name, Names};

/// Tokens that the macros of one form bring, 16 MB of them; no form of OTP 27 or RabbitMQ 4.0
/// meets this limit or the next two, and one that does is a bomb.
const FORM_STEPS_MAX: usize = 1_000_000;

/// The same for a file with all its headers: so many, and so many for each byte of theirs.
const FILE_STEPS_MIN: usize = 200_000;
const FILE_STEPS_A_BYTE: usize = 64;

/// Macros inside of each other; `epp` has no limit but memory.
const DEPTH_MAX: usize = 200;

/// What macros there are.
#[derive(Debug, Default)]
pub(super) struct Macros {
    defined: HashMap<Name, Vec<Macro>>,
    n_steps: usize,
    /// Bytes of the file and its headers, each time that one is read.
    n_bytes: usize,
}

#[derive(Debug)]
struct Macro {
    /// None when it is used without parentheses.
    parameters: Option<Vec<Name>>,
    body: Rc<[Token]>,
}

/// What the place where macros are expanded tells them.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Place<'p> {
    pub(super) module: Option<Name>,
    pub(super) function: Option<(Name, u32)>,
    pub(super) otp_release: u32,
    pub(super) file: &'p str,
}

/// Why a form could not be expanded as it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Trouble {
    /// This macro is not defined, or not with so many arguments.
    Undefined(Name, u32),
    /// More than our limits allow.
    Limit(u32),
}

impl Macros {
    /// Takes a definition in; a later one of the same arity replaces it.
    pub(super) fn define(&mut self, name: Name, parameters: Option<Vec<Name>>, body: &[Token]) {
        let all = self.defined.entry(name).or_default();
        let arity = parameters.as_ref().map(Vec::len);
        all.retain(|it| it.parameters.as_ref().map(Vec::len) != arity);
        all.push(Macro { parameters, body: body.into() });
    }

    /// So many bytes more are read.
    pub(super) fn read(&mut self, n_bytes: usize) {
        self.n_bytes = self.n_bytes.saturating_add(n_bytes);
    }

    fn steps_max(&self) -> usize {
        FILE_STEPS_MIN.saturating_add(self.n_bytes.saturating_mul(FILE_STEPS_A_BYTE))
    }

    pub(super) fn undefine(&mut self, name: Name) {
        self.defined.remove(&name);
    }

    pub(super) fn is_defined(&self, name: Name) -> bool {
        self.defined.contains_key(&name)
    }

    /// The form with its macros expanded.
    pub(super) fn expand(
        &mut self,
        form: &[Token],
        place: Place<'_>,
        names: &mut Names,
        into: &mut Vec<Token>,
    ) -> Vec<Trouble> {
        let mut run = Expansion { macros: &*self, feeds: Vec::new(), form, at: 0, n_steps: 0 };
        let mut troubles = Vec::new();
        while let Some(token) = run.next() {
            if token.kind != Kind::Question {
                into.push(token);
                continue;
            }
            if run.is_exhausted() {
                troubles.push(Trouble::Limit(token.line));
                break;
            }
            let Some(word) = run.next() else { break };
            let Some(name) = word.name.filter(|_| matches!(word.kind, Kind::Atom | Kind::Var))
            else {
                into.push(word);
                continue;
            };
            if let Some(known) = predefined(name, token, place, names) {
                into.push(known);
            } else if names.get(name) == "FEATURE_AVAILABLE" || names.get(name) == "FEATURE_ENABLED"
            {
                run.arguments();
                into.push(Token { kind: Kind::Atom, name: Some(names.add("true")), ..token });
            } else if !run.push(name, token, names) {
                troubles.push(Trouble::Undefined(name, token.line));
                let flags = token.flags | EXPANDED;
                into.push(Token { kind: Kind::Hole, name: Some(name), flags, ..token });
            }
        }
        let n_steps = run.n_steps;
        self.n_steps = self.n_steps.saturating_add(n_steps);
        troubles
    }
}

/// What the compiler defines.
fn predefined(name: Name, at: Token, place: Place<'_>, names: &mut Names) -> Option<Token> {
    let at = Token { flags: at.flags | EXPANDED, ..at };
    let atom = |name: Option<Name>| Token { kind: Kind::Atom, name, ..at };
    let int = |int: u32| Token { kind: Kind::Int, int, name: None, ..at };
    let text = |name: Name| Token { kind: Kind::Str, name: Some(name), int: Quote::PLAIN, ..at };
    Some(match names.get(name) {
        "MODULE" => atom(Some(place.module.unwrap_or_else(|| names.add("")))),
        "MODULE_STRING" => text(place.module.unwrap_or_else(|| names.add(""))),
        "FILE" => text(names.add(place.file)),
        "LINE" => int(at.line),
        "MACHINE" => atom(Some(names.add("BEAM"))),
        "BEAM" => atom(Some(names.add("true"))),
        "OTP_RELEASE" => int(place.otp_release),
        "FUNCTION_NAME" => atom(place.function.map(|(name, _)| name).or(Some(names.add("")))),
        "FUNCTION_ARITY" => int(place.function.map_or(0, |(_, arity)| arity)),
        _ => return None,
    })
}

/// A form on its way: its own tokens, and those that macros put before what is left of it.
struct Expansion<'m> {
    macros: &'m Macros,
    feeds: Vec<Feed>,
    form: &'m [Token],
    at: usize,
    n_steps: usize,
}

struct Feed {
    tokens: Rc<[Token]>,
    at: usize,
}

impl Expansion<'_> {
    fn next(&mut self) -> Option<Token> {
        while let Some(feed) = self.feeds.last_mut() {
            if let Some(token) = feed.tokens.get(feed.at) {
                feed.at += 1;
                self.n_steps += 1;
                return Some(*token);
            }
            self.feeds.pop();
        }
        let token = self.form.get(self.at).copied();
        self.at += 1;
        token
    }

    /// The kind of what comes next.
    fn peek(&mut self) -> Option<Kind> {
        while let Some(feed) = self.feeds.last() {
            if let Some(token) = feed.tokens.get(feed.at) {
                return Some(token.kind);
            }
            self.feeds.pop();
        }
        self.form.get(self.at).map(|it| it.kind)
    }

    fn is_exhausted(&self) -> bool {
        self.n_steps > FORM_STEPS_MAX
            || self.macros.n_steps.saturating_add(self.n_steps) > self.macros.steps_max()
            || self.feeds.len() > DEPTH_MAX
    }

    /// Puts what a macro stands for before the rest; false when there is none of that name.
    fn push(&mut self, name: Name, at: Token, names: &mut Names) -> bool {
        let Some(all) = self.macros.defined.get(&name) else { return false };
        let tokens: Rc<[Token]> = if let [Macro { parameters: None, body }] = all.as_slice() {
            self.n_steps += body.len();
            body.iter().map(|it| placed(*it, at)).collect()
        } else {
            let has_arguments = self.peek() == Some(Kind::ParenOpen);
            let arguments = if has_arguments { Some(self.arguments()) } else { None };
            let arity = arguments.as_ref().map(Vec::len);
            let mut fitting = all.iter().filter(|it| {
                let n_parameters = it.parameters.as_ref().map(Vec::len);
                // `?M()` is one empty argument too.
                n_parameters == arity || (n_parameters == Some(0) && arity == Some(1))
            });
            let Some(found) = fitting.next() else { return false };
            let parameters = found.parameters.as_deref().unwrap_or_default();
            let arguments = arguments.unwrap_or_default();
            self.substituted(&found.body, (parameters, &arguments), at, names)
        };
        // What is read to its end makes place, so that depth is one of macros within macros.
        self.peek();
        self.feeds.push(Feed { tokens, at: 0 });
        true
    }

    /// A macro's body with its parameters replaced.
    fn substituted(
        &mut self,
        body: &[Token],
        (parameters, arguments): (&[Name], &[Vec<Token>]),
        at: Token,
        names: &mut Names,
    ) -> Rc<[Token]> {
        let argument = |token: &Token| {
            let name = token.name.filter(|_| token.kind == Kind::Var)?;
            let place = parameters.iter().position(|it| *it == name)?;
            arguments.get(place)
        };
        let mut found: Vec<Token> = Vec::with_capacity(body.len());
        let mut rest = body.iter();
        while let Some(token) = rest.next() {
            if self.n_steps > FORM_STEPS_MAX {
                break;
            }
            if token.kind == Kind::Question
                && let [next, variable, ..] = rest.as_slice()
                && next.kind == Kind::Question
                && let Some(tokens) = argument(variable)
            {
                rest.nth(1);
                let name = Some(names.add(&printed(tokens, names)));
                let int = Quote::PLAIN;
                found.push(placed(Token { kind: Kind::Str, name, int, ..*token }, at));
            } else if let Some(tokens) = argument(token) {
                self.n_steps += tokens.len();
                found.extend_from_slice(tokens);
            } else {
                self.n_steps += 1;
                found.push(placed(*token, at));
            }
        }
        found.into()
    }

    /// The arguments between the parentheses that come next, as they are written.
    fn arguments(&mut self) -> Vec<Vec<Token>> {
        let mut found = vec![Vec::new()];
        let mut depth = 0_usize;
        if self.peek() != Some(Kind::ParenOpen) {
            return found;
        }
        self.next();
        while let Some(token) = self.next() {
            match token.kind {
                Kind::ParenOpen
                | Kind::ListOpen
                | Kind::BraceOpen
                | Kind::BinOpen
                | Kind::Begin
                | Kind::Case
                | Kind::If
                | Kind::Receive
                | Kind::Try => depth += 1,
                // `fun f/1` and the type `fun((..) -> ..)` have no end.
                Kind::Fun if self.peek() == Some(Kind::ParenOpen) => depth += 1,
                Kind::Fun if self.peek() == Some(Kind::Var) && self.is_named_fun() => depth += 1,
                Kind::ParenClose if depth == 0 => return found,
                Kind::ParenClose
                | Kind::ListClose
                | Kind::BraceClose
                | Kind::BinClose
                | Kind::End => depth = depth.saturating_sub(1),
                Kind::Comma if depth == 0 => {
                    found.push(Vec::new());
                    continue;
                }
                Kind::Dot => return found,
                _ => {}
            }
            if let Some(last) = found.last_mut() {
                last.push(token);
            }
        }
        found
    }

    /// Whether a variable that comes next has its parenthesis after it.
    fn is_named_fun(&self) -> bool {
        let after = match self.feeds.last() {
            Some(feed) => feed.tokens.get(feed.at + 1),
            None => self.form.get(self.at + 1),
        };
        after.is_some_and(|it| it.kind == Kind::ParenOpen)
    }
}

/// A token of a macro's body, where the macro stands.
fn placed(token: Token, at: Token) -> Token {
    let flags = EXPANDED | at.flags;
    Token { line: at.line, column: at.column, flags, ..token }
}

/// Tokens as text, roughly: what `??Argument` is for is to be read by people.
fn printed(tokens: &[Token], names: &Names) -> String {
    /// Bytes of such a text; nothing is concluded from it.
    const TEXT_MAX: usize = 200;
    let mut text = String::new();
    for token in tokens {
        if text.len() > TEXT_MAX {
            break;
        }
        if !text.is_empty() {
            text.push(' ');
        }
        match token.name {
            Some(name) => text.push_str(names.get(name)),
            None => text.push('_'),
        }
    }
    text
}
