//! Why bytes are not the code that was expected: a value, because bad input is no failure of ours.

use std::borrow::Cow;

/// What keeps a file, or a part of it, from being read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub struct Problem {
    kind: ProblemKind,
    text: Cow<'static, str>,
}

/// The ways in which code cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ProblemKind {
    /// The file is no `.beam` file.
    NotBeam,
    /// The bytes end before what they announce does.
    Truncated,
    /// A part that every module has is missing.
    Missing,
    /// A value that its place does not allow.
    Value,
    /// An instruction that no OTP up to 29 has.
    Opcode,
    /// Compressed bytes that do not inflate to what they declare.
    Compressed,
    /// More than our limits allow.
    Limit,
}

impl Problem {
    #[cold]
    pub(crate) fn new(kind: ProblemKind, text: impl Into<Cow<'static, str>>) -> Self {
        Self { kind, text: text.into() }
    }

    /// What happened, for programs.
    pub fn kind(&self) -> ProblemKind {
        self.kind
    }
}
