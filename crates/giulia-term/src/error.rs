//! Why bytes are not the term that was expected: where, what was wanted, what was there.

use std::{borrow::Cow, error::Error, fmt};

use super::tag;

/// Why bytes are not the term that was expected.
///
/// One pointer wide, so that the results of a hot loop travel in registers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DecodeError(Box<Detail>);

/// The ways in which reading can fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DecodeErrorKind {
    /// The bytes end before the term does, or announce more than there is.
    Truncated,
    /// A tag that no term has, or one that we do not read.
    Tag,
    /// A well-formed term of another type than was asked for.
    Type,
    /// A value that its type does not allow (an atom that is not UTF-8, a float that is not finite).
    Value,
    /// More nesting, nodes or bytes than the limits allow.
    Limit,
    /// A compressed term that does not inflate to what it declares.
    Compressed,
    /// Bytes after the end of the term.
    Trailing,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Detail {
    kind: DecodeErrorKind,
    position: usize,
    text: Cow<'static, str>,
}

impl DecodeError {
    #[cold]
    pub(super) fn new(
        kind: DecodeErrorKind,
        position: usize,
        text: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self(Box::new(Detail { kind, position, text: text.into() }))
    }

    /// What was wanted at a place, and the tag that was there (`None`: the end).
    #[cold]
    pub(super) fn expected(position: usize, wanted: &str, found: Option<u8>) -> Self {
        let Some(found) = found else {
            return Self::new(
                DecodeErrorKind::Truncated,
                position,
                format!("expected {wanted}, found the end"),
            );
        };
        let kind = match tag::name(found) {
            "an unknown tag" => DecodeErrorKind::Tag,
            _ => DecodeErrorKind::Type,
        };
        let found_name = tag::name(found);
        Self::new(kind, position, format!("expected {wanted}, found {found_name} (tag {found})"))
    }

    /// A tag that cannot start a term here.
    #[cold]
    pub(super) fn tag(position: usize, found: u8) -> Self {
        let text = format!("expected a term, found {} (tag {found})", tag::name(found));
        Self::new(DecodeErrorKind::Tag, position, text)
    }

    /// What happened, for programs.
    pub fn kind(&self) -> DecodeErrorKind {
        self.0.kind
    }

    /// Where: the offset in bytes from the start of what the reader was given.
    pub fn position(&self) -> usize {
        self.0.position
    }
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "term, byte {}: {}", self.0.position, self.0.text)
    }
}

impl Error for DecodeError {}
