//! One error for the crate: what we were doing, to which file, why it failed, what to try.

use std::{io, path::Path};

/// Why the store did not do what it was asked.
#[derive(Debug, thiserror::Error)]
#[error("{text}")]
pub struct Error {
    kind: ErrorKind,
    text: String,
    #[source]
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

/// The ways in which a store fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A newer giulia wrote the file.
    Newer,
    /// The file, or a part of it, is not what was written.
    Corrupt,
    /// The file or its folder may not be written to.
    ReadOnly,
    /// No space is left on the disk.
    Full,
    /// Another program holds the file and does not let go.
    Locked,
    /// No session has that name, or several begin with it.
    NoSession,
    /// Another session has the name.
    NameTaken,
    /// The name is empty, too long, reserved, or has characters that a terminal would obey.
    BadName,
    /// The session is being recorded.
    Running,
    /// Above a limit of ours.
    TooLarge,
    /// Not an export of giulia, or not a whole one.
    NotAnExport,
    /// It took longer than the caller wanted to wait.
    Timeout,
    /// The system refused.
    Io,
}

impl Error {
    /// An error with its text; the text ends with what to try.
    pub(crate) fn new(kind: ErrorKind, text: impl Into<String>) -> Self {
        Self { kind, text: text.into(), source: None }
    }

    /// What SQLite said while we were `doing` something to the file at `path`.
    pub(crate) fn sqlite(doing: &str, path: &Path, source: rusqlite::Error) -> Self {
        let kind = sqlite_kind(&source);
        Self::of(kind, doing, path, source)
    }

    /// What the system said while we were `doing` something to the file at `path`.
    pub(crate) fn io(doing: &str, path: &Path, source: io::Error) -> Self {
        let kind = io_kind(&source);
        Self::of(kind, doing, path, source)
    }

    fn of<E>(kind: ErrorKind, doing: &str, path: &Path, source: E) -> Self
    where
        E: std::error::Error + Send + Sync + 'static,
    {
        let text = format!("{doing} {}: {source}; {}", path.display(), next_step(kind, path));
        Self { kind, text, source: Some(Box::new(source)) }
    }

    /// What happened, for programs.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }
}

/// The kind of what SQLite said.
fn sqlite_kind(error: &rusqlite::Error) -> ErrorKind {
    use rusqlite::ErrorCode as Code;
    // The bytes were read and are not of the type that we wrote.
    let is_type = matches!(
        error,
        rusqlite::Error::FromSqlConversionFailure(..)
            | rusqlite::Error::IntegralValueOutOfRange(..)
            | rusqlite::Error::InvalidColumnType(..)
    );
    let Some(code) = error.sqlite_error_code() else {
        return if is_type { ErrorKind::Corrupt } else { ErrorKind::Io };
    };
    if matches!(code, Code::DatabaseCorrupt | Code::NotADatabase | Code::TypeMismatch) {
        ErrorKind::Corrupt
    } else if matches!(code, Code::ReadOnly | Code::PermissionDenied | Code::CannotOpen) {
        // The file is there when we open it: what cannot be opened is its log, in its folder.
        ErrorKind::ReadOnly
    } else if code == Code::DiskFull || is_of_the_log_index(error) {
        ErrorKind::Full
    } else if matches!(code, Code::DatabaseBusy | Code::DatabaseLocked) {
        ErrorKind::Locked
    } else if is_missing_table(error) {
        // A page of the schema reads as empty.
        ErrorKind::Corrupt
    } else {
        ErrorKind::Io
    }
}

/// The index of the log could not grow: on a full disk that fails first.
fn is_of_the_log_index(error: &rusqlite::Error) -> bool {
    let code = error.sqlite_error().map(|it| it.extended_code);
    code == Some(rusqlite::ffi::SQLITE_IOERR_SHMSIZE)
}

fn is_missing_table(error: &rusqlite::Error) -> bool {
    let text = error.to_string();
    text.contains("no such table") || text.contains("no such column")
}

/// The kind of what the system said.
pub(crate) fn io_kind(error: &io::Error) -> ErrorKind {
    use io::ErrorKind as Kind;
    let kind = error.kind();
    if matches!(kind, Kind::StorageFull | Kind::QuotaExceeded | Kind::FileTooLarge) {
        ErrorKind::Full
    } else if matches!(kind, Kind::ReadOnlyFilesystem | Kind::PermissionDenied) {
        ErrorKind::ReadOnly
    } else {
        ErrorKind::Io
    }
}

/// What to try, by kind.
fn next_step(kind: ErrorKind, path: &Path) -> String {
    let path = path.display();
    if kind == ErrorKind::Corrupt {
        format!(
            "giulia leaves the file as it is; `mv {path}* FOLDER` (its log goes along) begins a new \
             store, and so does --store with another place"
        )
    } else if kind == ErrorKind::ReadOnly {
        "may this user write to the file and to its folder? --store takes another place".to_owned()
    } else if kind == ErrorKind::Full {
        "free some space on its disk; with a little of it `giulia delete SESSION` frees more"
            .to_owned()
    } else if kind == ErrorKind::Locked {
        "another program holds it; try again when it is done".to_owned()
    } else {
        "is its disk there and healthy? --store takes another place".to_owned()
    }
}
