//! What source files say: modules, functions, and who refers to whom, before anything is compiled.
//!
//! One file at a time becomes [`SourceFacts`], whatever its language; names are interned within
//! the file, so that a reference takes 32 bytes. What a file alone cannot tell (which import has
//! a function, what a `use` of a project's own macro brings) is told by a second, pure step over
//! the interfaces of all files: [`facts`] of each file, [`Interfaces`] of them all, [`link()`]
//! of each.

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "a grammar has forty kinds of nodes; what a place does not name it treats alike"
)]
mod elixir;
pub mod erlang;
mod link;
mod names;
mod reference;

pub use self::{
    link::{Interfaces, Linkage, link},
    names::{Name, Names},
    reference::{Certainty, Guess, RefKind, RefOrigin, Reference},
};

/// What one source file says; beside the facts are the problems, so that no file is an error.
#[derive(Debug, Clone, Default)]
pub struct SourceFacts {
    /// The language that it was read as.
    pub language: Language,
    /// Every name in the facts.
    pub names: Names,
    /// In the order in which they begin; nested ones come after the one around them.
    pub modules: Vec<SourceModule>,
    /// In the order of the file.
    pub references: Vec<Reference>,
    /// The headers that it includes, directly or through others: it changes when they do.
    pub headers: Vec<String>,
    /// What could not be read, and where.
    pub problems: Vec<SourceProblem>,
    /// What the step over all files needs.
    pub(crate) linking: link::Linking,
}

impl SourceFacts {
    /// The module in which a reference stands; none in the file's own body.
    pub fn module_of(&self, reference: &Reference) -> Option<&SourceModule> {
        self.modules.get(usize::try_from(reference.from_module).ok()?)
    }

    /// The function in which a reference stands; none in a module's or the file's own body.
    pub fn function_of(&self, reference: &Reference) -> Option<&SourceFunction> {
        let place = usize::try_from(reference.from_function).ok()?;
        self.module_of(reference)?.functions.get(place)
    }
}

/// Reads a file as the language that its name says; none when it is not a source file of ours.
///
/// The path is used for its name alone; nothing is opened.
pub fn facts(path: &str, bytes: &[u8]) -> Option<SourceFacts> {
    let language = Language::of(path)?;
    Some(match language {
        Language::Elixir => elixir::facts(bytes),
        Language::Heex => elixir::template_facts(path, bytes, true),
        Language::Eex => elixir::template_facts(path, bytes, false),
        Language::Erlang => erlang::facts(path, bytes, &erlang::NoHeaders, &erlang::Options::NONE),
    })
}

/// What a file is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Language {
    /// `.ex`, `.exs`.
    #[default]
    Elixir,
    /// `.erl`, `.hrl`, `.escript`.
    Erlang,
    /// `.heex`: markup with components and Elixir.
    Heex,
    /// `.eex`: any text with Elixir.
    Eex,
}

impl Language {
    /// By the end of the file's name.
    pub fn of(path: &str) -> Option<Self> {
        let (_, end) = path.rsplit_once('.')?;
        match end {
            "ex" | "exs" => Some(Self::Elixir),
            "erl" | "hrl" | "escript" => Some(Self::Erlang),
            "heex" | "leex" => Some(Self::Heex),
            "eex" => Some(Self::Eex),
            _ => None,
        }
    }
}

/// Lines of a file, from one to another, both counted from 1 and both part of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct LineRange {
    /// Where it begins.
    pub first: u32,
    /// Where it ends.
    pub last: u32,
}

/// A module as it is written.
#[derive(Debug, Clone, Default)]
pub struct SourceModule {
    /// Its atom, `Elixir.` included, as the VM has it.
    pub name: Option<Name>,
    /// What it is.
    pub kind: ModuleKind,
    /// From its first word to its `end`.
    pub lines: LineRange,
    /// Its documentation.
    pub doc: Doc,
    /// The behaviours that it says it has, also by a `use` that is known to say so.
    pub behaviours: Vec<Name>,
    /// The modules that it uses, in order.
    pub uses: Vec<Used>,
    /// Its struct, when it defines one.
    pub structure: Option<Structure>,
    /// Records of Erlang, and those that `Record.defrecord` defines.
    pub records: Vec<Structure>,
    /// Its types.
    pub types: Vec<SourceType>,
    /// What it asks of those that have it as a behaviour or protocol.
    pub callbacks: Vec<Callback>,
    /// Its specs; a function may have several.
    pub specs: Vec<Spec>,
    /// In the order in which they are first defined; each arity is one.
    pub functions: Vec<SourceFunction>,
}

/// What a module is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum ModuleKind {
    /// A module.
    #[default]
    Module,
    /// A protocol.
    Protocol,
    /// The implementation of a protocol.
    Implementation {
        /// The protocol's atom.
        protocol: Name,
        /// The atom of what it is for.
        target: Name,
    },
    /// A template, in the place of the module that it becomes a function of.
    Template,
}

/// Documentation.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Doc {
    /// Nothing is said.
    #[default]
    None,
    /// It is said that there is none (`@doc false`).
    Hidden,
    /// The text; empty when it is computed.
    Text(Box<str>),
}

/// A `use` of a module.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Used {
    /// The module's atom.
    pub module: Name,
    /// Where.
    pub line: u32,
}

/// A struct, exception or record.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Structure {
    /// The record's name; none for a struct, which has its module's.
    pub name: Option<Name>,
    /// Whether it is an exception.
    pub is_exception: bool,
    /// Its fields, as far as they are written out.
    pub fields: Vec<Name>,
    /// Where.
    pub line: u32,
}

/// A type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SourceType {
    /// Its name.
    pub name: Name,
    /// Its parameters.
    pub arity: u8,
    /// Who may use it.
    pub kind: TypeKind,
    /// Where.
    pub line: u32,
}

/// Who may use a type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TypeKind {
    /// Everybody.
    Public,
    /// Its module.
    Private,
    /// Everybody, but nobody else may look inside.
    Opaque,
}

/// What a behaviour or protocol asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Callback {
    /// The function's name.
    pub name: Name,
    /// Its arguments.
    pub arity: u8,
    /// Whether it may be left out.
    pub is_optional: bool,
    /// Whether it is a macro.
    pub is_macro: bool,
    /// Where.
    pub line: u32,
}

/// The spec of a function.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Spec {
    /// The function's name.
    pub name: Name,
    /// Its arguments.
    pub arity: u8,
    /// Where.
    pub line: u32,
}

/// A function or macro as it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceFunction {
    /// As it is written; see [`SourceFunction::vm`] for macros of Elixir.
    pub name: Name,
    /// As it is written.
    pub arity: u8,
    /// With which word it is defined.
    pub kind: FunctionKind,
    /// The larger arity that it calls, when it exists by default arguments alone.
    pub defaults_to: Option<u8>,
    /// What defines it, when it is not written out: the module of the macro (`use GenServer`),
    /// `defstruct`, or `unquote` where only its name is computed.
    pub defined_by: Option<Name>,
    /// From the first word of its first clause to the end of its last.
    pub lines: LineRange,
    /// How many clauses are written.
    pub n_clauses: u32,
    /// Its documentation.
    pub doc: Doc,
    /// Over all its clauses.
    pub complexity: Complexity,
}

impl SourceFunction {
    /// Whether the VM has it as `MACRO-name` with one argument more.
    pub fn is_macro(&self) -> bool {
        match self.kind {
            FunctionKind::Macro
            | FunctionKind::PrivateMacro
            | FunctionKind::Guard
            | FunctionKind::PrivateGuard => true,
            FunctionKind::Public | FunctionKind::Private | FunctionKind::Delegate => false,
        }
    }

    /// Its name and arity as the VM has them.
    pub fn vm(&self, names: &Names) -> (String, u8) {
        let name = names.get(self.name);
        if self.is_macro() {
            return (format!("MACRO-{name}"), self.arity.saturating_add(1));
        }
        (name.to_owned(), self.arity)
    }
}

/// With which word a function is defined.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FunctionKind {
    /// `def`, and what Erlang exports.
    Public,
    /// `defp`, and what Erlang does not export.
    Private,
    /// `defmacro`.
    Macro,
    /// `defmacrop`.
    PrivateMacro,
    /// `defguard`.
    Guard,
    /// `defguardp`.
    PrivateGuard,
    /// `defdelegate`.
    Delegate,
}

/// How hard a function is to follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Complexity {
    /// Ways through it: one, and one for each further clause or branch.
    pub cyclomatic: u32,
    /// Breaks in the reading, each the dearer the deeper it stands.
    pub cognitive: u32,
    /// Branches within branches.
    pub nesting_max: u32,
}

/// Something in a file that could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceProblem {
    /// Where, counted from 1; 0 for the file as a whole.
    pub line: u32,
    /// What, and which limit or rule.
    pub text: String,
}
