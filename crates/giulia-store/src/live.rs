//! Who is recording: a lock file for each session, held by the process that records it.
//!
//! The system lets go of a lock when its process ends, however it ends, so a session whose lock
//! is free is over: no process id that another one may have by now, no clock. The lock is taken
//! before the session's row is there, so whoever sees the row can ask.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use crate::Error;

/// A held lock; dropping it says that the session is over.
#[derive(Debug)]
pub(crate) struct Held {
    file: File,
    path: PathBuf,
}

/// Takes the lock of a session about to begin; `token` is its own.
pub(crate) fn hold(store: &Path, token: &str) -> Result<Held, Error> {
    let folder = folder(store);
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |it| Error::io("making the lock file", &path, it)
    };
    fs::DirBuilder::new().recursive(true).mode(0o700).create(&folder).map_err(failed(&folder))?;
    let path = folder.join(token);
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(0o600);
    let file = options.open(&path).map_err(failed(&path))?;
    file.lock().map_err(failed(&path))?;
    Ok(Held { file, path })
}

/// Is the lock of this session held? What cannot be asked counts as held: a session is not
/// declared dead on a guess.
pub(crate) fn is_held(store: &Path, token: &str) -> bool {
    let path = folder(store).join(token);
    let file = match File::open(&path) {
        Ok(it) => it,
        Err(it) => return it.kind() != std::io::ErrorKind::NotFound,
    };
    // Shared: two that ask at once do not see each other.
    match file.try_lock_shared() {
        Ok(()) => false,
        Err(TryLockError::WouldBlock | TryLockError::Error(_)) => true,
    }
}

/// Removes the lock file of a session that is over.
pub(crate) fn forget(store: &Path, token: &str) {
    drop(fs::remove_file(folder(store).join(token)));
}

fn folder(store: &Path) -> PathBuf {
    let mut name = store.as_os_str().to_owned();
    name.push("-live");
    PathBuf::from(name)
}

impl Drop for Held {
    fn drop(&mut self) {
        drop(fs::remove_file(&self.path));
        drop(self.file.unlock());
    }
}
