//! What is armed on nodes that would not undo it by themselves, written down before it is armed.
//!
//! A file for each process that arms, in a folder of its user's, locked while that process
//! lives: a file whose lock is free tells what a giulia that is gone may have left. What a line
//! says, its owner knows. Nothing is synced: a process that is killed loses nothing that way, and
//! a machine that lost its power is noticed by the node, which cleans up itself.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::Write,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
};

use crate::Error;

/// The lines of a process that lives.
#[derive(Debug)]
pub struct ArmedFile {
    file: File,
    path: PathBuf,
}

/// The lines of one that is gone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftFile {
    /// Where they are, for [`forget_armed`].
    pub path: PathBuf,
    /// One line each; the last one may be cut.
    pub lines: Vec<String>,
}

/// A file larger than what 50,000 functions need was not written by us.
const FILE_BYTES_MAX: u64 = 32 << 20;

impl ArmedFile {
    /// A new file, locked as long as this lives.
    ///
    /// # Errors
    /// When the folder cannot be made or written to.
    pub fn begin(folder: &Path) -> Result<Self, Error> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let failed = |path: &Path| {
            let path = path.to_owned();
            move |it| Error::io("writing down what is armed in", &path, it)
        };
        fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(failed(folder))?;
        loop {
            let number = NEXT.fetch_add(1, Ordering::Relaxed);
            let path = folder.join(format!("{}-{number}", std::process::id()));
            let mut options = OpenOptions::new();
            match options.append(true).create_new(true).mode(0o600).open(&path) {
                Ok(file) => {
                    file.lock().map_err(failed(&path))?;
                    return Ok(Self { file, path });
                }
                // Of a process of this number that is gone.
                Err(it) if it.kind() == std::io::ErrorKind::AlreadyExists => {}
                Err(it) => return Err(failed(&path)(it)),
            }
        }
    }

    /// Adds a line.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn append(&mut self, line: &str) -> Result<(), Error> {
        let failed = |it| Error::io("writing down what is armed in", &self.path, it);
        self.file.write_all(format!("{line}\n").as_bytes()).map_err(failed)
    }

    /// All of it is undone.
    pub fn finish(self) {
        drop(fs::remove_file(&self.path));
    }
}

/// What processes wrote that are gone.
pub fn left_armed(folder: &Path) -> Vec<LeftFile> {
    let Ok(found) = fs::read_dir(folder) else { return Vec::new() };
    let paths = found.filter_map(|it| Some(it.ok()?.path()));
    paths.filter_map(|path| Some(LeftFile { lines: lines(&path)?, path })).collect()
}

/// Removes what a process wrote that is gone.
pub fn forget_armed(left: &LeftFile) {
    drop(fs::remove_file(&left.path));
}

/// Nothing where somebody holds it, or where it cannot be asked.
fn lines(path: &Path) -> Option<Vec<String>> {
    let file = File::open(path).ok()?;
    match file.try_lock_shared() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock | TryLockError::Error(_)) => return None,
    }
    if file.metadata().ok()?.len() > FILE_BYTES_MAX {
        return None;
    }
    let text = String::from_utf8_lossy(&fs::read(path).ok()?).into_owned();
    Some(text.lines().map(str::to_owned).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_living_process_wrote_is_nobody_elses() {
        let folder = tempfile::tempdir().unwrap();
        let store = folder.path().join("armed");
        assert_eq!(left_armed(&store), []);
        let mut file = ArmedFile::begin(&store).unwrap();
        let other = ArmedFile::begin(&store).unwrap();
        file.append("one").unwrap();
        file.append("two").unwrap();
        assert_eq!(left_armed(&store), []);
        drop(file);
        other.finish();
        let left = left_armed(&store);
        assert_eq!(left.len(), 1);
        assert_eq!(left[0].lines, ["one", "two"]);
        forget_armed(&left[0]);
        assert_eq!(left_armed(&store), []);
    }
}
