//! One error for the crate: which server, why it failed, what to try; never a password.

/// Why a database was not read.
#[derive(Debug, thiserror::Error)]
#[error("{text}")]
pub struct Error {
    kind: ErrorKind,
    text: String,
}

/// The ways in which reading a database fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The text is no address of a database.
    Url,
    /// Nobody answers there, or the connection ended.
    Unreachable,
    /// The server does not let us in.
    Refused,
    /// There is no such database.
    NoDatabase,
    /// No TLS, or a certificate that is not trusted.
    Tls,
    /// It took longer than we wait.
    Timeout,
    /// It lets us in, and its statements cannot be seen.
    NotSeen,
    /// It answered something else than what was asked.
    Answer,
}

impl Error {
    /// An error with its text; the text ends with what to try.
    pub(crate) fn new(kind: ErrorKind, text: impl Into<String>) -> Self {
        Self { kind, text: text.into() }
    }

    /// What the driver said of the server at `place`.
    pub(crate) fn driver(place: &str, error: &sqlx::Error) -> Self {
        let (kind, why) = why(error);
        let next = next_step(kind);
        Self::new(kind, format!("reading PostgreSQL at {place}: {why}; {next}"))
    }

    /// What happened, for programs.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }
}

/// Codes are those of <https://www.postgresql.org/docs/current/errcodes-appendix.html>.
fn why(error: &sqlx::Error) -> (ErrorKind, String) {
    if let sqlx::Error::Database(said) = error {
        let code = said.code().unwrap_or_default();
        let kind = match &*code {
            "28P01" | "28000" => ErrorKind::Refused,
            "3D000" => ErrorKind::NoDatabase,
            "57014" => ErrorKind::Timeout,
            // Too many connections, shutting down, starting up.
            "53300" | "57P01" | "57P02" | "57P03" => ErrorKind::Unreachable,
            // Not loaded, not allowed, no such function.
            "55000" | "42501" | "42883" | "42P01" => ErrorKind::NotSeen,
            _ => ErrorKind::Answer,
        };
        return (kind, clean(said.message()));
    }
    #[expect(clippy::wildcard_enum_match_arm, reason = "the driver's own, of which more may come")]
    let kind = match error {
        sqlx::Error::Io(_) | sqlx::Error::WorkerCrashed => ErrorKind::Unreachable,
        sqlx::Error::Tls(_) => ErrorKind::Tls,
        sqlx::Error::Configuration(_) => ErrorKind::Url,
        _ => ErrorKind::Answer,
    };
    let text =
        if let sqlx::Error::Io(error) = error { error.to_string() } else { error.to_string() };
    (kind, clean(&text))
}

fn next_step(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::Url => "write postgres://USER@HOST:PORT/DATABASE",
        ErrorKind::Unreachable => "is it up, and does it listen there for this machine?",
        ErrorKind::Refused => {
            "is the user right, does pg_hba.conf let it in from here, and is the password in \
             GIULIA_POSTGRES_URL, PGPASSWORD or ~/.pgpass?"
        }
        ErrorKind::NoDatabase => "name one that is there: postgres://USER@HOST:PORT/DATABASE",
        ErrorKind::Tls => "see `sslmode` and `sslrootcert` of its address",
        ErrorKind::Timeout => "is it overloaded, or frozen?",
        ErrorKind::NotSeen => {
            "does the role have pg_read_all_stats, and shared_preload_libraries \
             pg_stat_statements? The server's owner sets both"
        }
        ErrorKind::Answer => "is it PostgreSQL itself and no pooler in front of it?",
    }
}

/// What a server says goes to a terminal.
fn clean(text: &str) -> String {
    const CHARS_MAX: usize = 300;
    let shown = |it: char| if it.is_control() { ' ' } else { it };
    text.chars().take(CHARS_MAX).map(shown).collect()
}
