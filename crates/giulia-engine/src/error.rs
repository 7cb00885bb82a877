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
    /// The text already says everything, what lies underneath included; where a connection
    /// broke in the middle, it may lack the next step.
    fn from(error: dist::Error) -> Self {
        let mut text = error.to_string();
        if !text.contains([';', '?']) {
            text.push_str(next_step(error.kind()));
        }
        Self::new(ErrorKind::Node(error.kind()), text)
    }
}

fn next_step(kind: dist::ErrorKind) -> &'static str {
    use dist::ErrorKind as Dist;
    if matches!(kind, Dist::Limit | Dist::Protocol) {
        "; what listens there is no healthy Erlang node: check the address with `giulia nodes HOST`"
    } else if matches!(kind, Dist::Closed | Dist::Silent | Dist::Io) {
        "; is the node still up? see `giulia doctor NODE`"
    } else {
        "; see `giulia doctor NODE`"
    }
}
