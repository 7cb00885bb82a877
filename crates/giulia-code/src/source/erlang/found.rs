//! What the body of a function says, before it is known which functions the module has.

use std::ops::Range;

use super::lex::Token;
use crate::source::{
    Complexity,
    names::Name,
    reference::{Certainty, RefKind},
};

/// What was found since the function began.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) refs: Vec<FoundRef>,
    /// Records that are made, each of which evaluates the defaults of what it is not given.
    pub(super) made: Vec<Made>,
    /// The fields that these are given.
    pub(super) fields: Vec<Name>,
    pub(super) complexity: Complexity,
    pub(super) n_clauses: u32,
}

/// One reference; names are those of the preprocessor.
#[derive(Debug, Clone, Copy)]
pub(super) struct FoundRef {
    pub(super) kind: RefKind,
    pub(super) module: Whose,
    pub(super) function: Option<Name>,
    pub(super) arity: u32,
    pub(super) at: Token,
    pub(super) certainty: Certainty,
    /// It is one only if this function without a module is a BIF, as `spawn/3`.
    pub(super) via: Option<(Name, u32)>,
}

/// Whose function it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Whose {
    /// This module's, by name.
    Module(Name),
    /// The own one's, an imported one or a BIF; only the whole module can tell.
    Local,
    /// There is none: a table, a process, a record.
    Nobody,
}

/// A record that is made.
#[derive(Debug, Clone)]
pub(super) struct Made {
    pub(super) record: Name,
    /// A part of [`Found::fields`].
    pub(super) given: Range<usize>,
    pub(super) at: Token,
}

/// What is known of a value from how it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Shape {
    #[default]
    Other,
    Atom(Name),
    Var(Name),
    Int(u32),
    Str,
    /// A list, and how many elements it has when that is known.
    List(Option<u32>),
    /// `M:F`, each as far as it is an atom.
    Remote(Option<Name>, Option<Name>),
    /// A tuple that may name a function: a place in [`Found::refs`].
    Mfa(usize),
    /// A tuple of two atoms.
    Pair(Name, Name),
}

impl Shape {
    pub(super) fn atom(self) -> Option<Name> {
        if let Self::Atom(it) = self { Some(it) } else { None }
    }
}

impl Found {
    pub(super) fn clear(&mut self) {
        self.refs.clear();
        self.made.clear();
        self.fields.clear();
        self.complexity = Complexity::default();
        self.n_clauses = 0;
    }

    pub(super) fn push(
        &mut self,
        kind: RefKind,
        module: Whose,
        (function, arity): (Option<Name>, u32),
        at: Token,
    ) {
        let certainty = Certainty::Certain;
        self.refs.push(FoundRef { kind, module, function, arity, at, certainty, via: None });
    }
}
