//! One place in a source file that refers to a function, a module, a table or a process.

use super::names::Name;

/// Where a reference stands and to whom it goes.
///
/// To whom: a module, a function of it with an arity, or another name (a table, a registered
/// process), as its kind says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Reference {
    /// A place in [`super::SourceFacts::modules`], or [`Reference::BODY`] for the file's own.
    pub from_module: u32,
    /// A place in that module's functions, or [`Reference::BODY`] for what runs at compile time.
    pub from_function: u32,
    /// The module's atom; none while or because nobody knows it.
    pub to_module: Option<Name>,
    /// The function as it is written, the table or the process; none for a module alone.
    pub to_function: Option<Name>,
    /// Counted from 1.
    pub line: u32,
    /// Counted from 1, in bytes; 65,535 for what is beyond.
    pub column: u16,
    /// Of the function as it is written: a macro of Elixir has one more in the VM.
    pub arity: u8,
    /// What kind of reference it is.
    pub kind: RefKind,
    /// Whether it is there to see.
    pub origin: RefOrigin,
    /// Whether it is known to go where it says.
    pub certainty: Certainty,
    /// The lexical scope, for the step over all files; 0 where nothing remains to be found.
    pub scope: u32,
}

impl Reference {
    /// No module, or no function: the body around.
    pub const BODY: u32 = u32::MAX;
}

/// Kinds of references. Those to functions come first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum RefKind {
    /// It calls it.
    Call,
    /// It expands it while compiling: a macro or a guard.
    Macro,
    /// It makes a fun of it: `&f/1`, `fun f/1`.
    Capture,
    /// It names it with a list of arguments: a tuple `{M, f, [..]}` or three arguments like it.
    Mfa,
    /// `apply` with a constant module and function.
    Apply,
    /// Another process begins with it: `spawn(M, f, [..])`.
    Spawn,
    /// `defdelegate`.
    Delegate,
    /// A request reaches it: a route of a router.
    Route,
    /// A template shows it: `<.f>`, `<M.f>`.
    Component,
    /// A type or spec names the type `to_function`.
    Type,
    /// It makes, matches or changes the module's struct or record.
    Structure,
    /// `import`, `-import`.
    Import,
    /// `alias`.
    Alias,
    /// `require`.
    Require,
    /// `use`.
    Use,
    /// It says that it has the behaviour.
    Behaviour,
    /// It implements the protocol; also what it implements it for.
    Implementation,
    /// It names the module as a value.
    Module,
    /// A supervisor starts it as a child.
    Child,
    /// A synchronous request to a process, named by module or registered name.
    MessageCall,
    /// An asynchronous one.
    MessageCast,
    /// A plain message.
    MessageSend,
    /// It registers or looks up the process's name.
    Register,
    /// It creates the ETS table `to_function`.
    EtsNew,
    /// It reads it.
    EtsRead,
    /// It writes it.
    EtsWrite,
    /// It deletes the table or hands it over.
    EtsDelete,
}

/// How a reference comes to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum RefOrigin {
    /// It is written where it is said to be.
    Written,
    /// A macro that is written there expands to it.
    Expanded,
}

/// Whether a reference goes where it says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Certainty {
    /// It does.
    Certain,
    /// It may not.
    Guess(Guess),
}

/// Why a reference is no more than a guess.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Guess {
    /// Nobody that is known has the function: it is external, imported, or made by a macro.
    Unresolved,
    /// Several modules that are imported may have it.
    SeveralImports,
    /// A tuple or arguments that look like a function with its arguments.
    LooksLikeMfa,
    /// The value of a module attribute, a variable or a default.
    Value,
    /// It stands in code that a macro may drop or change.
    InMacro,
}

#[cfg(test)]
mod tests {
    use super::Reference;

    #[test]
    fn a_reference_is_small() {
        assert_eq!(size_of::<Reference>(), 32);
    }
}
