//! The walk over a file's tree: a list of what is still to be visited, in the order of the text.

use std::collections::HashMap;

use super::{
    super::{
        Certainty, Doc, Guess, LineRange, ModuleKind, Name, Names, RefKind, RefOrigin, Reference,
        SourceModule, SourceProblem,
        link::{Given, Named},
    },
    call::Call,
    env::{Entered, Scopes},
    template::Pending,
    tree::{At, Kind},
    values::{Bound, Value},
};

/// Where the walk is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ctx {
    /// A place in [`Walk::modules`], or [`Reference::BODY`].
    pub(super) module: u32,
    pub(super) function: u32,
    /// A place in [`Walk::frames`].
    pub(super) frame: u32,
    pub(super) mode: Mode,
    /// How many arguments a pipe adds to this very node.
    pub(super) extra: u8,
    /// The quote around, counted from 1 in [`Walk::quotes`].
    pub(super) quote: u32,
    /// How many quotes are around.
    pub(super) quotes: u8,
    /// A function whose name is made at compile time.
    pub(super) is_nameless: bool,
    /// Another round of a loop in a module's body: only what it defines is new.
    pub(super) is_again: bool,
}

/// What is in force in a block.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Frame {
    /// The last entry of its scope.
    pub(super) scope: u32,
    /// The last of its variables whose value is known.
    pub(super) bound: u32,
}

/// What calls mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    Code,
    /// In types and specs names are types.
    Type,
    /// After `::` in a bitstring names are its own, but for the arguments of `size`.
    Segment,
    /// In the head of a clause of `rescue`, `in` is no operator.
    Rescue,
}

/// What is still to be done.
#[derive(Clone, Copy)]
pub(super) enum Work<'t> {
    Visit(At<'t>, Ctx),
    /// Visits it as another round of a loop.
    Again(At<'t>, Ctx),
    /// Such a round ends: of what came since this many references were there, the module's own
    /// are those of the first round.
    EndAgain(u32, usize),
    /// The block of `describe` ends.
    EndDescribe(u32),
}

/// A module, or the code of a quote, on its way to facts.
#[derive(Debug, Default)]
pub(super) struct Building {
    pub(super) module: SourceModule,
    /// For a quote, the module and the function that it stands in.
    pub(super) quoted_in: Option<(u32, u32)>,
    pub(super) functions: HashMap<(Name, u8), u32>,
    /// Attributes whose value is a module or another atom.
    pub(super) attributes: HashMap<Name, Name>,
    /// Attributes whose value is a list of names that is written out.
    pub(super) lists: HashMap<Name, Value>,
    /// The names and places of macros' arguments.
    pub(super) parameters: HashMap<u32, Vec<(Name, u8)>>,
    /// What a quote defines under the name of an argument.
    pub(super) named: Vec<Named>,
    pub(super) doc: Doc,
    pub(super) describe: Option<String>,
    pub(super) optional: Vec<(Name, u8)>,
}

/// The walk and all that it has found.
pub(super) struct Walk<'t> {
    pub(super) names: Names,
    pub(super) scopes: Scopes,
    /// Of each block.
    pub(super) frames: Vec<Frame>,
    /// Variables of modules' bodies.
    pub(super) bound: Vec<Bound<'t>>,
    /// Atoms that are given to what may be macros.
    pub(super) given: Vec<Given>,
    /// How many nodes may still be visited in further rounds of loops.
    pub(super) rounds_left: usize,
    pub(super) modules: Vec<Building>,
    pub(super) references: Vec<Reference>,
    /// Where each quote stands.
    pub(super) quotes: Vec<Ctx>,
    pub(super) todo: Vec<Work<'t>>,
    /// Templates, to be walked after the file.
    pub(super) pending: Vec<Pending>,
    pub(super) problems: Vec<SourceProblem>,
    /// Lines before the first of this text, when it stands inside of another.
    pub(super) lines_before: u32,
}

/// Whom a reference names.
#[derive(Debug, Clone, Copy)]
pub(super) struct To {
    pub(super) module: Option<Name>,
    pub(super) function: Option<Name>,
    pub(super) arity: u8,
}

impl Ctx {
    pub(super) const TOP: Self = Self {
        module: Reference::BODY,
        function: Reference::BODY,
        frame: 0,
        mode: Mode::Code,
        extra: 0,
        quote: 0,
        quotes: 0,
        is_nameless: false,
        is_again: false,
    };
}

impl<'t> Walk<'t> {
    /// The same with nothing to be done, for another tree.
    pub(super) fn move_to<'u>(self) -> Walk<'u> {
        Walk {
            names: self.names,
            scopes: self.scopes,
            frames: self.frames,
            // They are places in the other tree.
            bound: Vec::new(),
            rounds_left: 0,
            given: self.given,
            modules: self.modules,
            references: self.references,
            quotes: self.quotes,
            todo: Vec::new(),
            pending: self.pending,
            problems: self.problems,
            lines_before: 0,
        }
    }

    /// Visits what is to be done until nothing is.
    pub(super) fn run(&mut self) {
        while let Some(work) = self.todo.pop() {
            match work {
                Work::Visit(at, ctx) => self.visit(at, ctx),
                Work::Again(at, ctx) => {
                    self.todo.push(Work::EndAgain(ctx.module, self.references.len()));
                    self.todo.push(Work::Visit(at, ctx));
                }
                Work::EndAgain(module, from) => self.forget_body(module, from),
                Work::EndDescribe(module) => {
                    if let Some(it) = self.modules.get_mut(module as usize) {
                        it.describe = None;
                    }
                }
            }
        }
    }

    /// Visits these next, in their order.
    pub(super) fn later(&mut self, nodes: impl Iterator<Item = At<'t>>, ctx: Ctx) {
        let from = self.todo.len();
        self.todo.extend(nodes.map(|it| Work::Visit(it, ctx)));
        if let Some(new) = self.todo.get_mut(from..) {
            new.reverse();
        }
    }

    pub(super) fn children_later(&mut self, at: At<'t>, ctx: Ctx) {
        self.later(at.children(), Ctx { extra: 0, ..ctx });
    }

    /// Of the references from this place on, forgets those of a module's body.
    fn forget_body(&mut self, module: u32, from: usize) {
        let mut kept = from;
        for place in from..self.references.len() {
            let Some(it) = self.references.get(place) else { break };
            let is_body = it.from_module == module && it.from_function == Reference::BODY;
            if !is_body {
                self.references.swap(kept, place);
                kept += 1;
            }
        }
        self.references.truncate(kept);
    }

    /// A scope within that of the context.
    pub(super) fn inner(&mut self, ctx: Ctx) -> Ctx {
        let frame = u32::try_from(self.frames.len()).unwrap_or(u32::MAX);
        self.frames.push(self.frame(ctx));
        Ctx { frame, extra: 0, ..ctx }
    }

    fn frame(&self, ctx: Ctx) -> Frame {
        self.frames.get(ctx.frame as usize).copied().unwrap_or_default()
    }

    /// The last entry that is in force.
    pub(super) fn scope(&self, ctx: Ctx) -> u32 {
        self.frame(ctx).scope
    }

    /// The last variable whose value is known.
    pub(super) fn bound_at(&self, ctx: Ctx) -> u32 {
        self.frame(ctx).bound
    }

    pub(super) fn set_bound(&mut self, ctx: Ctx, bound: u32) {
        if let Some(frame) = self.frames.get_mut(ctx.frame as usize) {
            frame.bound = bound;
        }
    }

    pub(super) fn enter(&mut self, ctx: Ctx, what: Entered) {
        let number = self.scopes.add(self.scope(ctx), what);
        if let Some(frame) = self.frames.get_mut(ctx.frame as usize) {
            frame.scope = number;
        }
    }

    fn visit(&mut self, at: At<'t>, ctx: Ctx) {
        match at.kind() {
            Kind::Call => {
                if let Some(call) = Call::of(at) {
                    self.call(at, call, ctx);
                } else {
                    self.children_later(at, ctx);
                }
            }
            Kind::Identifier => self.identifier(at, ctx),
            Kind::Alias => {
                let module = Some(self.alias(at, ctx));
                self.refer(ctx, at, RefKind::Module, To { module, function: None, arity: 0 });
            }
            Kind::String | Kind::Charlist | Kind::QuotedAtom | Kind::QuotedKeyword => {
                self.text(at, ctx);
            }
            Kind::Sigil => self.sigil(at, ctx),
            Kind::UnaryOperator => self.unary(at, ctx),
            Kind::BinaryOperator => self.binary(at, ctx),
            Kind::OperatorIdentifier => {
                if ctx.mode == Mode::Code && at.text() == ".." {
                    self.refer_local(ctx, at, ("..", 0), RefKind::Call);
                }
            }
            Kind::Dot => self.dot(at, ctx),
            Kind::AccessCall => {
                if ctx.mode == Mode::Code {
                    let module = Some(self.names.add("Elixir.Access"));
                    let function = Some(self.names.add("get"));
                    self.refer(ctx, at, RefKind::Call, To { module, function, arity: 2 });
                }
                self.children_later(at, ctx);
            }
            Kind::StabClause => {
                let inner = self.inner(ctx);
                self.clause(at, inner);
            }
            Kind::DoBlock => self.block(at, ctx),
            Kind::AfterBlock | Kind::CatchBlock | Kind::ElseBlock => {
                let inner = self.inner(ctx);
                self.children_later(at, inner);
            }
            Kind::RescueBlock => {
                let inner = self.inner(ctx);
                self.children_later(at, Ctx { mode: Mode::Rescue, ..inner });
            }
            Kind::Map => self.map(at, ctx),
            Kind::Tuple => self.tuple(at, ctx),
            _ => self.children_later(at, ctx),
        }
    }

    /// The head of a clause of `rescue` has a mode of its own, its body has not.
    fn clause(&mut self, at: At<'t>, ctx: Ctx) {
        if let Some(head) = at.child_of(Kind::Arguments) {
            self.assign_unknown(head, ctx);
        }
        if ctx.mode != Mode::Rescue {
            return self.children_later(at, ctx);
        }
        // What Erlang raised becomes an exception.
        self.refer_expanded(ctx, at, ("Elixir.Exception", "normalize"), 3);
        let from = self.todo.len();
        for it in at.children() {
            let mode = if it.is(Kind::Body) { Mode::Code } else { Mode::Rescue };
            self.todo.push(Work::Visit(it, Ctx { mode, ..ctx }));
        }
        if let Some(new) = self.todo.get_mut(from..) {
            new.reverse();
        }
    }

    /// Statements in a scope of their own, and sections each in theirs.
    fn block(&mut self, at: At<'t>, ctx: Ctx) {
        let outer = Ctx { extra: 0, ..ctx };
        let inner = self.inner(ctx);
        let from = self.todo.len();
        for it in at.children() {
            let is_section = matches!(
                it.kind(),
                Kind::AfterBlock | Kind::CatchBlock | Kind::ElseBlock | Kind::RescueBlock
            );
            self.todo.push(Work::Visit(it, if is_section { outer } else { inner }));
        }
        if let Some(new) = self.todo.get_mut(from..) {
            new.reverse();
        }
    }

    /// Text calls what makes text of its interpolated parts.
    fn text(&mut self, at: At<'t>, ctx: Ctx) {
        let function = match at.kind() {
            Kind::Charlist => ("Elixir.List", "to_charlist"),
            _ => ("Elixir.Kernel", "to_string"),
        };
        if at.is(Kind::Sigil) && is_raw(at) {
            return;
        }
        let mut is_first = true;
        for it in at.children().filter(|it| it.is(Kind::Interpolation)) {
            if ctx.mode == Mode::Code {
                self.refer_remote(ctx, it, ("Elixir.Kernel", "to_string"), 1);
                if is_first && at.is(Kind::Charlist) {
                    self.refer_remote(ctx, it, function, 1);
                } else if is_first && matches!(at.kind(), Kind::QuotedAtom | Kind::QuotedKeyword) {
                    self.refer_remote(ctx, it, ("erlang", "binary_to_atom"), 2);
                }
            }
            is_first = false;
        }
        self.later(at.children().filter(|it| it.is(Kind::Interpolation)), Ctx { extra: 0, ..ctx });
    }

    fn sigil(&mut self, at: At<'t>, ctx: Ctx) {
        let name = at.child_of(Kind::SigilName).map(At::text).unwrap_or_default();
        if ctx.mode == Mode::Code && !name.is_empty() {
            let function = format!("sigil_{name}");
            self.refer_local(ctx, at, (&function, 2), RefKind::Call);
        }
        if name == "H" && ctx.mode == Mode::Code {
            return self.template(at, ctx);
        }
        self.text(at, ctx);
    }

    /// `%it{}` names a struct.
    fn map(&mut self, at: At<'t>, ctx: Ctx) {
        let ctx = Ctx { extra: 0, ..ctx };
        if let Some(named) = at.child_of(Kind::Struct).and_then(|it| it.child(0)) {
            if let Some(module) = self.module(named, ctx) {
                let to = To { module: Some(module), function: None, arity: 0 };
                self.refer(ctx, named, RefKind::Structure, to);
            } else {
                self.todo.extend(at.child_of(Kind::MapContent).map(|it| Work::Visit(it, ctx)));
                self.todo.push(Work::Visit(named, ctx));
                return;
            }
        }
        self.todo.extend(at.child_of(Kind::MapContent).map(|it| Work::Visit(it, ctx)));
    }

    /// `alias.{…}` beside a directive, or `expression.Alias`.
    fn dot(&mut self, at: At<'t>, ctx: Ctx) {
        if let Some(module) = self.module(at, ctx) {
            let to = To { module: Some(module), function: None, arity: 0 };
            return self.refer(ctx, at, RefKind::Module, to);
        }
        self.todo.extend(at.child(0).map(|it| Work::Visit(it, Ctx { extra: 0, ..ctx })));
    }

    /// The atom of an alias.
    fn alias(&mut self, at: At<'t>, ctx: Ctx) -> Name {
        let scope = self.scope(ctx);
        self.scopes.expand(scope, at.text(), &mut self.names)
    }

    /// The atom that an expression certainly is, when it can name a module.
    pub(super) fn module(&mut self, at: At<'t>, ctx: Ctx) -> Option<Name> {
        match at.kind() {
            Kind::Alias => Some(self.alias(at, ctx)),
            Kind::Atom | Kind::QuotedAtom => at.atom().map(|it| self.names.add(it)),
            Kind::Identifier if at.text() == "__MODULE__" => self.own(ctx),
            // `__MODULE__.Inner`, one level at a time.
            Kind::Dot => {
                let (left, right) = (at.child(0)?, at.child(1).filter(|it| it.is(Kind::Alias))?);
                let is_own = left.is(Kind::Identifier) && left.text() == "__MODULE__";
                let left = if is_own { self.own(ctx)? } else { self.attribute(left, ctx)? };
                let text = format!("{}.{}", self.names.get(left), right.text());
                Some(self.names.add(&text))
            }
            Kind::UnaryOperator => self.attribute(at, ctx),
            Kind::Block if at.len() == 1 => {
                let inside = at.child(0).filter(|it| it.is(Kind::Alias))?;
                Some(self.alias(inside, ctx))
            }
            _ => None,
        }
    }

    /// The module around; none in a quote, whose module is that of its caller.
    pub(super) fn own(&self, ctx: Ctx) -> Option<Name> {
        self.modules.get(ctx.module as usize)?.module.name
    }

    /// The value of an attribute that is an atom.
    fn attribute(&mut self, at: At<'t>, ctx: Ctx) -> Option<Name> {
        if at.operator() != "@" {
            return None;
        }
        let name = at.child(0).filter(|it| it.is(Kind::Identifier))?;
        let name = self.names.find(name.text())?;
        let building = self.modules.get(ctx.module as usize)?;
        building.attributes.get(&name).copied()
    }

    /// Adds a reference.
    pub(super) fn refer(&mut self, ctx: Ctx, at: At<'t>, kind: RefKind, to: To) {
        let line = at.line().saturating_add(self.lines_before);
        self.refer_at(ctx, (line, at.column()), kind, to);
    }

    /// Adds a reference that stands in this line and column of the file.
    pub(super) fn refer_at(&mut self, ctx: Ctx, (line, column): (u32, u16), kind: RefKind, to: To) {
        let scope = self.scope(ctx).saturating_add(1);
        let certainty =
            if ctx.is_nameless { Certainty::Guess(Guess::InMacro) } else { Certainty::Certain };
        self.references.push(Reference {
            from_module: ctx.module,
            from_function: ctx.function,
            to_module: to.module,
            to_function: to.function,
            line,
            column,
            arity: to.arity,
            kind,
            origin: RefOrigin::Written,
            certainty,
            scope,
        });
    }

    /// A call of a function that is known by its atoms.
    pub(super) fn refer_remote(
        &mut self,
        ctx: Ctx,
        at: At<'t>,
        (module, function): (&str, &str),
        arity: u8,
    ) {
        let module = Some(self.names.add(module));
        let function = Some(self.names.add(function));
        self.refer(ctx, at, RefKind::Call, To { module, function, arity });
    }

    /// A call that a macro expands to.
    pub(super) fn refer_expanded(&mut self, ctx: Ctx, at: At<'t>, called: (&str, &str), arity: u8) {
        self.refer_remote(ctx, at, called, arity);
        if let Some(it) = self.references.last_mut() {
            it.origin = RefOrigin::Expanded;
        }
    }

    /// A call of a function of this module, or one that is imported.
    pub(super) fn refer_local(
        &mut self,
        ctx: Ctx,
        at: At<'t>,
        (name, arity): (&str, usize),
        kind: RefKind,
    ) {
        let function = Some(self.names.add(name));
        let arity = u8::try_from(arity).unwrap_or(u8::MAX);
        self.refer(ctx, at, kind, To { module: None, function, arity });
    }

    /// Begins a module, or the code of a quote.
    pub(super) fn begin(&mut self, name: Option<Name>, kind: ModuleKind, at: At<'t>) -> u32 {
        let place = u32::try_from(self.modules.len()).unwrap_or(u32::MAX);
        let mut building = Building::default();
        building.module.name = name;
        building.module.kind = kind;
        building.module.lines = self.lines(at);
        self.modules.push(building);
        place
    }

    pub(super) fn lines(&self, at: At<'t>) -> LineRange {
        LineRange {
            first: at.line().saturating_add(self.lines_before),
            last: at.last_line().saturating_add(self.lines_before),
        }
    }

    pub(super) fn building(&mut self, ctx: Ctx) -> Option<&mut Building> {
        self.modules.get_mut(ctx.module as usize)
    }
}

/// Whether a sigil is taken as it stands, without interpolation.
fn is_raw(sigil: At<'_>) -> bool {
    let name = sigil.child_of(Kind::SigilName).map(At::text).unwrap_or_default();
    name.starts_with(|it: char| it.is_ascii_uppercase())
}
