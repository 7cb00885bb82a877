//! One error for the crate; its text says what we were doing and ends with the next step.

use giulia_probe::dist;

/// Why a question was not answered.
#[derive(Debug, thiserror::Error)]
#[error("{text}{}", next_step.as_deref().unwrap_or_default())]
pub struct Error {
    kind: ErrorKind,
    text: String,
    /// What to try, where `text` does not end with it; begins with `; `.
    next_step: Option<String>,
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
    /// There is no such process, or it could not be asked.
    NoProcess,
    /// Patterns mean no function, or too many.
    NoFunction,
    /// Code is not indexed, or not in what is; or it cannot be.
    NotIndexed,
    /// Somebody else traces what was asked for, and there is room for one.
    Taken,
    /// The deadline passed.
    Deadline,
    /// Somebody asked to stop before there was an answer.
    Interrupted,
    /// The store of sessions; the reason is inside.
    Store(giulia_store::ErrorKind),
    /// The folder of a project is none, or cannot be read.
    Project,
    /// The command to watch cannot be run.
    Workload,
    /// Windows of this length do not fit the session.
    Window,
    /// The database behind the node; the reason is inside.
    Database(giulia_postgres::ErrorKind),
}

impl Error {
    /// An error with its text; the text ends with what to try.
    pub fn new(kind: ErrorKind, text: impl Into<String>) -> Self {
        Self { kind, text: text.into(), next_step: None, source: None }
    }

    /// The same with the error underneath.
    #[must_use]
    pub fn with_source(mut self, source: impl std::error::Error + Send + Sync + 'static) -> Self {
        self.source = Some(Box::new(source));
        self
    }

    /// An error of a question to this node: one of a live connection gets its next step.
    pub(crate) fn asking(node: &str, error: &dist::Error) -> Self {
        let mut it = Self::new(ErrorKind::Node(error.kind()), error.to_string());
        it.next_step = next_step(error.kind(), node);
        it
    }

    /// What happened, without what to try.
    pub(crate) fn finding(&self) -> &str {
        &self.text
    }

    /// What happened, for programs.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }
}

impl From<dist::Error> for Error {
    /// For what happens before there is a node to speak of: the text already says everything,
    /// what lies underneath and the next step included.
    fn from(error: dist::Error) -> Self {
        Self::new(ErrorKind::Node(error.kind()), error.to_string())
    }
}

impl From<giulia_store::Error> for Error {
    fn from(error: giulia_store::Error) -> Self {
        Self::new(ErrorKind::Store(error.kind()), error.to_string())
    }
}

/// The connection knows what broke and not what we were after, so its texts lack this; those
/// of attaching have it, each its own.
fn next_step(kind: dist::ErrorKind, node: &str) -> Option<String> {
    use dist::ErrorKind as Dist;
    let is_gone = matches!(kind, Dist::Closed | Dist::Silent);
    let is_of_a_question = matches!(
        kind,
        Dist::Deadline | Dist::Limit | Dist::Protocol | Dist::Request | Dist::Raised | Dist::Killed
    );
    let still = if is_gone { "is the node still up? " } else { "" };
    (is_gone || is_of_a_question).then(|| format!("; {still}see `giulia doctor {node}`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_step_names_the_node_whatever_the_text_holds() {
        let node = "shop@db1";
        for text in ["broke", "broke; twice?"] {
            let error = dist::Error::new(dist::ErrorKind::Closed, text.to_owned());
            let error = Error::asking(node, &error);
            assert!(error.to_string().ends_with("see `giulia doctor shop@db1`"), "{error}");
            assert_eq!(error.finding(), text);
        }
        let error =
            dist::Error::new(dist::ErrorKind::CookieMismatch, "differs, no mark".to_owned());
        assert_eq!(Error::asking(node, &error).to_string(), "differs, no mark");
    }
}
