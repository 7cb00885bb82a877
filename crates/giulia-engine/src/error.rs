//! One error for the crate; its text says what we were doing and ends with the next step.

use giulia_probe::dist;

/// Why a question was not answered.
#[derive(Debug, thiserror::Error)]
#[error("{text}")]
pub struct Error {
    kind: ErrorKind,
    text: String,
    #[source]
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

/// The ways in which a question fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// Attaching or asking failed; the phase is inside.
    Node(dist::ErrorKind),
    /// No cookie, or its file cannot be used.
    Cookie,
    /// The node took us in and answered nothing.
    Nothing,
    /// The deadline passed.
    Deadline,
    /// Somebody asked to stop before there was an answer.
    Interrupted,
}

impl Error {
    /// An error with its text; the text ends with what to try.
    pub fn new(kind: ErrorKind, text: impl Into<String>) -> Self {
        Self { kind, text: text.into(), source: None }
    }

    /// The same with the error underneath.
    #[must_use]
    pub fn with_source(mut self, source: impl std::error::Error + Send + Sync + 'static) -> Self {
        self.source = Some(Box::new(source));
        self
    }

    /// What happened, for programs.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }
}

impl From<dist::Error> for Error {
    /// The text already says everything, what lies underneath included.
    fn from(error: dist::Error) -> Self {
        Self::new(ErrorKind::Node(error.kind()), error.to_string())
    }
}
