//! The functions of a module, read in one go over their tokens.
//!
//! No tree is built: what stands open is a row of frames, each knows its current expression as
//! far as calls need it, so that code may nest as deep as it likes and a file is read in the time
//! of its tokens. Operators are all alike to us, but for `=`, `:` and what makes a pattern.
//!
//! Complexity is that of Elixir's reader. Cyclomatic: one way, one more for each further clause
//! of the function, of `case`, `if`, `receive`, `fun`, `else`, of `try` after its `of`; for each
//! clause of `catch`, the `after` of a `receive` with clauses, `?=`, a comprehension, `catch`, and
//! each `andalso` and `orelse`. Cognitive: `case`, `if`, `receive`, `try`, `maybe` and
//! comprehensions cost one and one more for each of them around; each further clause of an `if`,
//! each `andalso`, `orelse`, `catch` and `fun` one, and what is in a `fun` begins at no depth
//! again. Heads and guards cost nothing, but for those of `if`.

mod brackets;
mod operators;

use super::{
    calls,
    found::{Found, Shape, Whose},
    lex::{COMPREHENSION, Kind, Token},
};
use crate::source::{
    names::{Name, Names},
    reference::RefKind,
};

/// What stands open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Open {
    /// The form itself: a function, or the default of a record's field.
    Function,
    Value,
    Paren,
    List,
    Tuple,
    Bin,
    Map,
    /// A record; made when there was nothing before the `#`.
    Record {
        name: Name,
        is_made: bool,
    },
    Call {
        callee: Shape,
        at: usize,
    },
    Begin,
    Case,
    If,
    Receive,
    Try,
    Maybe,
    Fun,
}

/// Where in it we are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Expressions up to what ends them.
    Plain,
    /// Before the `of`.
    Subject,
    /// A clause: its pattern, its guard, its body.
    Head,
    Guard,
    Body,
    /// The `after` of a `receive` before its arrow.
    Timeout,
    /// The last part, which has no clauses.
    Last,
}

/// What an expression there means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Value,
    Pattern,
    Guard,
    /// The guard of an `if`, which is all that it has.
    Condition,
}

#[derive(Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each says one thing about an open expression, and all combinations occur"
)]
struct Frame {
    open: Open,
    stage: Stage,
    mode: Mode,
    // The expression that is being read: whether there is an operand, of what shape and where;
    // whether there was an operator before.
    has: bool,
    shape: Shape,
    at: usize,
    has_operator: bool,
    // `Variable = ...`.
    variable: Option<Name>,
    // The key before `=>`, the field before `=`.
    key: Option<Name>,
    // Elements so far, and the shapes of the first ones.
    n: u32,
    shapes: [Shape; calls::SHAPES],
    has_tail: bool,
    in_generators: bool,
    is_all_given: bool,
    n_clauses: u32,
    // How much there was of each before the expression, the clause, the frame.
    made_start: usize,
    bound_start: usize,
    fields: Vec<Name>,
    refs_start: usize,
    nests: bool,
    // How deep what is around it stands.
    depth: u32,
}

impl Frame {
    /// What an expression directly in it means.
    fn mode(&self) -> Mode {
        match self.stage {
            Stage::Head => Mode::Pattern,
            Stage::Guard if self.open == Open::If => Mode::Condition,
            Stage::Guard => Mode::Guard,
            _ => self.mode,
        }
    }
}

/// Lists among which a variable's is looked for; a function of OTP has a dozen.
const BOUND_MAX: usize = 64;

/// What may stand open at once, 50 MB of it; more is nesting for its own sake.
const OPEN_MAX: usize = 200_000;

/// What the whole file says to the reading of one form.
#[derive(Debug, Clone, Copy)]
pub(super) struct Context<'c> {
    pub(super) names: &'c Names,
    pub(super) words: &'c Words,
    /// Whether `ets:fun2ms` is made a value while compiling.
    pub(super) has_match_specs: bool,
    /// Whether `maybe` is a word wherever it stands.
    pub(super) has_maybe: bool,
}

/// Names that the reading itself asks for.
#[derive(Debug)]
pub(super) struct Words {
    pub(super) maybe: Name,
    pub(super) otherwise: Name,
    pub(super) start: Name,
    pub(super) anything: Name,
}

/// Where reading stopped, and why.
#[derive(Debug)]
pub(super) struct Stop {
    /// The place among the tokens.
    pub(super) at: usize,
    pub(super) text: &'static str,
}

/// A function that was read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Head {
    pub(super) name: Name,
    pub(super) arity: u32,
}

struct Body<'b> {
    context: Context<'b>,
    tokens: &'b [Token],
    at: usize,
    frames: Vec<Frame>,
    bound: Vec<(Name, u32)>,
    nesting: u32,
    // The same within the innermost fun, at most.
    depth: u32,
    found: &'b mut Found,
    head: Option<Head>,
}

/// Reads a function; what was found before an error is kept.
pub(super) fn function(
    context: Context<'_>,
    tokens: &[Token],
    found: &mut Found,
) -> (Option<Head>, Result<(), Stop>) {
    found.complexity.cyclomatic = 1;
    let mut body = Body::new(context, tokens, found);
    body.push_frame(Open::Function, Stage::Head, 0);
    body.clause();
    let read = body.run();
    (body.head, read)
}

/// Reads an expression, as the default of a record's field.
pub(super) fn value(context: Context<'_>, tokens: &[Token], found: &mut Found) -> Result<(), Stop> {
    let mut body = Body::new(context, tokens, found);
    body.push_frame(Open::Value, Stage::Plain, 0);
    body.run()
}

/// Notes with each bracket whether a comprehension stands in it, because what is nested in one
/// is read before its `||`.
pub(super) fn mark_comprehensions(tokens: &mut [Token]) {
    let mut open: Vec<usize> = Vec::new();
    for at in 0..tokens.len() {
        match tokens.get(at).map(|it| it.kind) {
            Some(Kind::ParenOpen | Kind::ListOpen | Kind::BraceOpen | Kind::BinOpen) => {
                open.push(at);
            }
            Some(Kind::ParenClose | Kind::ListClose | Kind::BraceClose | Kind::BinClose) => {
                open.pop();
            }
            Some(Kind::PipePipe) => {
                if let Some(it) = open.last().and_then(|it| tokens.get_mut(*it)) {
                    it.flags |= COMPREHENSION;
                }
            }
            _ => {}
        }
    }
}

type Step = Result<(), &'static str>;

impl<'b> Body<'b> {
    fn new(context: Context<'b>, tokens: &'b [Token], found: &'b mut Found) -> Self {
        let (frames, bound) = (Vec::new(), Vec::new());
        Self { context, tokens, at: 0, frames, bound, nesting: 0, depth: 0, found, head: None }
    }

    fn run(&mut self) -> Result<(), Stop> {
        while let Some(token) = self.tokens.get(self.at).copied() {
            let at = self.at;
            self.at += 1;
            if token.kind == Kind::Dot {
                return match self.finish() {
                    Ok(()) => Ok(()),
                    Err(text) => Err(Stop { at, text }),
                };
            }
            let Some(top) = self.frames.last() else { break };
            if self.frames.len() > OPEN_MAX {
                return Err(Stop { at, text: "more than 200,000 things inside of each other" });
            }
            let step = if top.has { self.operator(token) } else { self.operand(token) };
            step.map_err(|text| Stop { at, text })?;
        }
        self.finish().map_err(|text| Stop { at: self.at, text })
    }

    fn finish(&mut self) -> Step {
        let Some(top) = self.frames.last() else { return Err("too many ends") };
        let is_whole = match top.open {
            Open::Function => top.stage == Stage::Body && top.has,
            Open::Value => top.has,
            _ => return Err("the form ends inside of something"),
        };
        if !is_whole {
            return Err("the form ends where an expression is expected");
        }
        self.end_expression();
        self.frames.clear();
        Ok(())
    }

    fn top(&mut self) -> Result<&mut Frame, &'static str> {
        self.frames.last_mut().ok_or("nothing is open")
    }

    fn peek(&self, ahead: usize) -> Option<&'b Token> {
        self.tokens.get(self.at + ahead)
    }

    fn peek_kind(&self, ahead: usize) -> Option<Kind> {
        self.peek(ahead).map(|it| it.kind)
    }

    // What stands open.

    fn push_frame(&mut self, open: Open, stage: Stage, at: usize) {
        let mode = self.frames.last().map_or(Mode::Value, Frame::mode);
        let is_comprehension = self.tokens.get(at).is_some_and(|it| it.flags & COMPREHENSION != 0);
        let branches = match open {
            Open::Case | Open::If | Open::Receive | Open::Try | Open::Maybe => true,
            Open::List | Open::Bin | Open::Map => is_comprehension,
            _ => false,
        };
        let nests = branches || open == Open::Fun;
        let (cognitive, depth) = (&mut self.found.complexity.cognitive, self.depth);
        if branches {
            *cognitive = cognitive.saturating_add(1 + depth);
            self.depth += 1;
        } else if open == Open::Fun {
            *cognitive = cognitive.saturating_add(1);
            self.depth = 0;
        }
        if is_comprehension && branches {
            self.branch();
        }
        if nests {
            self.nesting += 1;
            let deepest = &mut self.found.complexity.nesting_max;
            *deepest = self.nesting.max(*deepest);
        }
        self.frames.push(Frame {
            open,
            stage,
            mode,
            has: false,
            shape: Shape::Other,
            at,
            has_operator: false,
            variable: None,
            key: None,
            n: 0,
            shapes: [Shape::Other; calls::SHAPES],
            has_tail: false,
            in_generators: false,
            is_all_given: false,
            n_clauses: 0,
            made_start: self.found.made.len(),
            bound_start: self.bound.len(),
            fields: Vec::new(),
            refs_start: self.found.refs.len(),
            nests,
            depth,
        });
    }

    /// Closes the innermost, which is then an operand of what is around it.
    fn pop_frame(&mut self, shape: Shape) -> Step {
        let Some(frame) = self.frames.pop() else { return Err("nothing is open") };
        if frame.nests {
            self.nesting = self.nesting.saturating_sub(1);
            self.depth = frame.depth;
        }
        // A bracket binds for what follows it too.
        if !matches!(frame.open, Open::Paren | Open::Call { .. } | Open::Begin) {
            self.bound.truncate(frame.bound_start);
        }
        let top = self.top()?;
        (top.has, top.shape) = (true, shape);
        Ok(())
    }

    /// A clause begins.
    fn clause(&mut self) {
        let branches = &mut self.found.complexity.cyclomatic;
        let Some(top) = self.frames.last_mut() else { return };
        if top.n_clauses > 0 {
            *branches = branches.saturating_add(1);
            let is_condition = top.open == Open::If;
            let cognitive = &mut self.found.complexity.cognitive;
            *cognitive = cognitive.saturating_add(u32::from(is_condition));
        }
        top.n_clauses += 1;
        self.bound.truncate(top.bound_start);
        if top.open == Open::Function {
            self.found.n_clauses += 1;
        }
    }

    fn branch(&mut self) {
        let branches = &mut self.found.complexity.cyclomatic;
        *branches = branches.saturating_add(1);
    }

    // Expressions.

    fn set(&mut self, shape: Shape) -> Step {
        let at = self.at - 1;
        let top = self.top()?;
        (top.has, top.shape, top.at) = (true, shape, at);
        Ok(())
    }

    /// What the expression that ends here is.
    fn end_expression(&mut self) -> Shape {
        let n_made = self.found.made.len();
        let Some(top) = self.frames.last_mut() else { return Shape::Other };
        let shape = if top.has_operator || !top.has { Shape::Other } else { top.shape };
        let variable = top.variable.take();
        (top.has, top.has_operator, top.made_start) = (false, false, n_made);
        if let (Some(variable), Some(len)) = (variable, self.len(shape)) {
            self.bound.push((variable, len));
        }
        shape
    }

    /// The same for an element of what is open.
    fn end_element(&mut self) -> Step {
        let shape = self.end_expression();
        let word = self.context.words.start;
        let mut child = None;
        let top = self.top()?;
        if top.in_generators {
            return Ok(());
        }
        if let Some(slot) = top.shapes.get_mut(top.n as usize) {
            *slot = shape;
        }
        top.n = top.n.saturating_add(1);
        if let (Open::Map, Some(key), Shape::Mfa(place)) = (top.open, top.key, shape)
            && key == word
        {
            child = Some(place);
        }
        top.key = None;
        if let Some(it) = child.and_then(|it| self.found.refs.get_mut(it)) {
            calls::is_child(it);
        }
        Ok(())
    }

    /// How many elements a list has.
    fn len(&self, shape: Shape) -> Option<u32> {
        match shape {
            Shape::List(len) => len,
            Shape::Var(name) => {
                let mut latest = self.bound.iter().rev().take(BOUND_MAX);
                latest.find(|(it, _)| *it == name).map(|(_, len)| *len)
            }
            _ => None,
        }
    }

    fn infix(&mut self) -> Step {
        let top = self.top()?;
        (top.has, top.has_operator) = (false, true);
        Ok(())
    }

    // Tokens where an operand is expected.

    fn operand(&mut self, token: Token) -> Step {
        let at = self.at - 1;
        match token.kind {
            Kind::Atom => {
                let Some(name) = token.name else { return Err("an atom without a name") };
                if name == self.context.words.maybe && self.is_maybe() {
                    self.push_frame(Open::Maybe, Stage::Plain, at);
                    return Ok(());
                }
                self.set(Shape::Atom(name))
            }
            Kind::Var => self.set(token.name.map_or(Shape::Other, Shape::Var)),
            Kind::Int => self.set(Shape::Int(token.int)),
            Kind::Str => self.set(Shape::Str),
            Kind::Float | Kind::Char | Kind::Hole => self.set(Shape::Other),
            Kind::ParenOpen => self.open(Open::Paren, at),
            Kind::ListOpen => self.open(Open::List, at),
            Kind::BraceOpen => self.open(Open::Tuple, at),
            Kind::BinOpen => self.open(Open::Bin, at),
            Kind::Hash => self.hash(token, true),
            Kind::Minus | Kind::Plus | Kind::Prefix => self.infix(),
            Kind::Catch => {
                self.branch();
                self.found.complexity.cognitive += 1;
                self.infix()
            }
            Kind::Begin => self.open(Open::Begin, at),
            Kind::Case => {
                self.push_frame(Open::Case, Stage::Subject, at);
                Ok(())
            }
            Kind::If => {
                self.push_frame(Open::If, Stage::Guard, at);
                self.clause();
                Ok(())
            }
            Kind::Receive => {
                self.push_frame(Open::Receive, Stage::Head, at);
                if self.peek_kind(0) != Some(Kind::After) {
                    self.clause();
                }
                Ok(())
            }
            Kind::Try => self.open(Open::Try, at),
            Kind::Fun => self.fun(token),
            Kind::After => self.after(),
            Kind::ParenClose | Kind::ListClose | Kind::BraceClose | Kind::BinClose => {
                let top = self.top()?;
                if top.n > 0 || top.has_operator || top.in_generators {
                    return Err("a bracket closes where an expression is expected");
                }
                self.close(token.kind)
            }
            _ => Err("an expression is expected"),
        }
    }

    #[expect(clippy::unnecessary_wraps, reason = "a step like the others of its tables")]
    fn open(&mut self, open: Open, at: usize) -> Step {
        self.push_frame(open, Stage::Plain, at);
        Ok(())
    }

    /// Whether `maybe` begins an expression here.
    fn is_maybe(&self) -> bool {
        match self.peek_kind(0) {
            Some(Kind::ParenOpen) => self.context.has_maybe,
            Some(it) => matches!(
                it,
                Kind::Atom
                    | Kind::Var
                    | Kind::Int
                    | Kind::Float
                    | Kind::Char
                    | Kind::Str
                    | Kind::ListOpen
                    | Kind::BraceOpen
                    | Kind::BinOpen
                    | Kind::Hash
                    | Kind::Begin
                    | Kind::Case
                    | Kind::If
                    | Kind::Receive
                    | Kind::Try
                    | Kind::Fun
                    | Kind::Catch
                    | Kind::Prefix
            ),
            None => false,
        }
    }

    /// `fun f/1`, `fun m:f/1`, `fun (...) -> ... end`, `fun Name(...) -> ... end`.
    fn fun(&mut self, token: Token) -> Step {
        let at = self.at - 1;
        let is_name = |it: Option<Kind>| matches!(it, Some(Kind::Atom | Kind::Var | Kind::Hole));
        let second = self.peek_kind(1);
        match self.peek_kind(0) {
            Some(Kind::ParenOpen) => {
                self.push_frame(Open::Fun, Stage::Head, at);
                self.clause();
                return Ok(());
            }
            Some(Kind::Var) if second == Some(Kind::ParenOpen) => {
                self.push_frame(Open::Fun, Stage::Head, at);
                self.clause();
                return Ok(());
            }
            it if is_name(it) && second == Some(Kind::Slash) => {
                if let [name, _, arity, ..] = self.tokens.get(self.at..).unwrap_or_default()
                    && let (Kind::Atom, Kind::Int) = (name.kind, arity.kind)
                {
                    self.found.push(RefKind::Capture, Whose::Local, (name.name, arity.int), token);
                }
                self.at += 3;
            }
            it if is_name(it) && second == Some(Kind::Colon) => {
                if let [module, _, name, _, arity, ..] =
                    self.tokens.get(self.at..).unwrap_or_default()
                    && let (Kind::Atom, Kind::Atom, Kind::Int) =
                        (module.kind, name.kind, arity.kind)
                    && let Some(module) = module.name
                {
                    let whose = Whose::Module(module);
                    self.found.push(RefKind::Capture, whose, (name.name, arity.int), token);
                }
                if self.peek_kind(3) != Some(Kind::Slash) {
                    return Err("a fun without an arity");
                }
                self.at += 5;
            }
            _ => return Err("a fun without a function"),
        }
        let top = self.top()?;
        (top.has, top.shape, top.at) = (true, Shape::Other, at);
        Ok(())
    }

    /// A map or a record; what it changes stands before it, if anything does.
    fn hash(&mut self, token: Token, is_made: bool) -> Step {
        let at = self.at;
        match self.peek_kind(0) {
            Some(Kind::BraceOpen) => {
                self.at += 1;
                return self.open(Open::Map, at);
            }
            Some(Kind::Atom | Kind::Var | Kind::Hole) => {}
            _ => return Err("neither a map nor a record"),
        }
        let Some(name) = self.peek(0).and_then(|it| it.name) else { return Err("no record") };
        let mut n_words = 1;
        // `#module:name{}` of OTP 29.
        if self.peek_kind(1) == Some(Kind::Colon) && self.peek_kind(2) == Some(Kind::Atom) {
            n_words = 3;
        }
        self.found.push(RefKind::Structure, Whose::Nobody, (Some(name), 0), token);
        self.at += n_words + 1;
        match self.tokens.get(at + n_words).map(|it| it.kind) {
            Some(Kind::BraceOpen) => {
                let is_made = is_made && n_words == 1;
                self.open(Open::Record { name, is_made }, at + n_words)
            }
            Some(Kind::Point) => {
                self.at += 1;
                let top = self.top()?;
                (top.has, top.shape) = (true, Shape::Other);
                Ok(())
            }
            _ => Err("a record without its fields"),
        }
    }
}
