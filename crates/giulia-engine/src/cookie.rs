//! Where a cookie comes from, and reading it at the last moment.

use std::{fs::File, io::Read, path::PathBuf};

use giulia_probe::dist::Cookie;

use crate::{Error, ErrorKind, Progress};

/// Longest cookie file that is read. A cookie is an atom of at most 255 characters (1,020 bytes);
/// the rest is room for a line end and a mistake.
const FILE_BYTES_MAX: u64 = 4096;

/// Where a cookie comes from.
#[derive(Debug, Clone)]
pub enum CookieSource {
    /// Handed over; its `Debug` shows nothing.
    Given(Cookie),
    /// In a file that was named.
    File(PathBuf),
    /// In Erlang's own file, `~/.erlang.cookie`, because nothing else was said.
    Home(PathBuf),
    /// Nothing was said, and there is no home directory to look in.
    Nowhere,
}

impl CookieSource {
    /// The cookie; warns about a file that others may read.
    ///
    /// # Errors
    /// [`ErrorKind::Cookie`] when there is none, or its file cannot be read or holds none.
    pub fn read(&self, progress: &dyn Progress) -> Result<Cookie, Error> {
        match self {
            Self::Given(cookie) => Ok(cookie.clone()),
            Self::File(path) => read_file(path, progress),
            Self::Home(path) if path.exists() => read_file(path, progress),
            Self::Home(path) => Err(none(&format!("and {} does not exist", path.display()))),
            Self::Nowhere => Err(none("and there is no home directory to look in")),
        }
    }
}

fn none(looked: &str) -> Error {
    Error::new(
        ErrorKind::Cookie,
        format!(
            "no cookie was given {looked}; pass --cookie-file FILE or set GIULIA_COOKIE \
             (the node's owner finds it with `erlang:get_cookie()`)"
        ),
    )
}

fn read_file(path: &PathBuf, progress: &dyn Progress) -> Result<Cookie, Error> {
    let shown = path.display();
    let failed = |error: std::io::Error| {
        let text = format!(
            "cannot read the cookie file {shown}: {error}; \
             check the path and its permissions, or set GIULIA_COOKIE"
        );
        Error::new(ErrorKind::Cookie, text)
    };
    let file = File::open(path).map_err(failed)?;
    if let Some(mode) = mode_open_to_others(&file) {
        progress.warn(&format!(
            "the cookie file {shown} can be read by others (mode {mode:03o}); run `chmod 600 {shown}`"
        ));
    }
    let mut text = String::new();
    file.take(FILE_BYTES_MAX + 1).read_to_string(&mut text).map_err(failed)?;
    let cookie = text.lines().next().unwrap_or_default().trim();
    if cookie.is_empty() || cookie.chars().count() > 255 {
        return Err(Error::new(
            ErrorKind::Cookie,
            format!(
                "the cookie file {shown} does not begin with a cookie \
                 (one line of 1 to 255 characters); write it there, or set GIULIA_COOKIE"
            ),
        ));
    }
    Ok(Cookie::new(cookie))
}

fn mode_open_to_others(file: &File) -> Option<u32> {
    use std::os::unix::fs::PermissionsExt;
    let mode = file.metadata().ok()?.permissions().mode() & 0o777;
    (mode & 0o077 != 0).then_some(mode)
}

#[cfg(test)]
mod tests {
    use std::{
        fs,
        os::unix::fs::PermissionsExt,
        sync::{Mutex, PoisonError},
        time::Duration,
    };

    use super::*;

    #[derive(Debug, Default)]
    struct Heard(Mutex<Vec<String>>);

    impl Progress for Heard {
        fn begin(&self, _what: &str, _lasts: Duration) {}
        fn end(&self) {}
        fn warn(&self, text: &str) {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).push(text.to_owned());
        }
    }

    /// The error or nothing, and what was warned about, of a file with this content and mode.
    fn read(content: &[u8], mode: u32) -> (Option<String>, Vec<String>) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("cookie");
        fs::write(&path, content).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        let heard = Heard::default();
        let read = CookieSource::File(path).read(&heard);
        (read.err().map(|it| it.to_string()), heard.0.into_inner().unwrap())
    }

    #[test]
    fn a_private_file_is_read_without_a_word() {
        assert_eq!(read(b"sesame\n", 0o600), (None, vec![]));
        assert_eq!(read(b"sesame", 0o400), (None, vec![]));
    }

    #[test]
    fn a_file_that_others_may_read_is_used_with_a_warning() {
        for mode in [0o640, 0o604, 0o660] {
            let (error, warned) = read(b"sesame\n", mode);
            assert_eq!(error, None);
            assert!(warned[0].contains("chmod 600"), "{warned:?}");
            assert!(!warned[0].contains("sesame"));
        }
    }

    #[test]
    fn a_file_without_a_cookie_is_refused_and_never_quoted() {
        let long = [b'x'; 256];
        for content in [&b""[..], b"\n\nlate\n", b"   \n", &long, b"se\xffsame"] {
            let error = read(content, 0o600).0.unwrap();
            assert!(error.contains("GIULIA_COOKIE"), "{error}");
            assert!(!error.contains("late") && !error.contains("same") && !error.contains("xxx"));
        }
    }

    #[test]
    fn nothing_shows_a_cookie_that_was_given() {
        let source = CookieSource::Given(Cookie::new("sesame"));
        assert!(!format!("{source:?}").contains("sesame"));
    }
}
