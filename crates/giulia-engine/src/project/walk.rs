//! The walk over a project's folders: in order, without recursion, and never out of it.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use super::{PROJECT_FILE_BYTES_MAX, PROJECT_FILES_MAX, ProjectProblem, too_large};

/// What the walk found; everything is seen from the root.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// Files that may be code or say how the project is laid out, with their sizes.
    pub(super) files: Vec<(PathBuf, u64)>,
    /// The folders of dependencies that were left out.
    pub(super) dependencies: Vec<PathBuf>,
    pub(super) problems: Vec<ProjectProblem>,
}

/// Folders that hold no code of the project, whatever lies in them.
const LEFT_OUT: &[&str] = &["_build", "node_modules", ".git", ".elixir_ls", ".expert", ".rebar3"];

/// Folders that hold other people's code, one folder each.
const DEPENDENCIES: &[&str] = &["deps", "_checkouts"];

/// Folders inside of each other; deeper trees are made by machines.
const DEPTH_MAX: usize = 64;

/// Endings of files that are code.
const CODE: &[&str] = &["erl", "hrl", "escript", "ex", "exs", "eex", "heex", "leex"];

/// Names of files that say how a project is laid out.
const SIGNS: &[&str] = &["rebar.config", "rebar.lock", "mix.lock", "Makefile", "erlang.mk"];

/// Goes over everything below the root.
///
/// # Errors
/// When the root itself cannot be listed.
pub(super) fn walk(root: &Path, with_dependencies: bool) -> io::Result<Found> {
    let mut found = Found::default();
    let mut folders = vec![(PathBuf::new(), 0_usize)];
    fs::read_dir(root)?;
    while let Some((folder, depth)) = folders.pop() {
        let entries = match listed(&root.join(&folder)) {
            Ok(it) => it,
            Err(error) => {
                found.problem(folder, error.to_string());
                continue;
            }
        };
        let mut inside = Vec::new();
        for entry in entries {
            let path = folder.join(entry.file_name());
            match entry.file_type() {
                Ok(it) if it.is_dir() => inside.push(path),
                Ok(it) if it.is_file() => found.file(root, path),
                Ok(it) if it.is_symlink() => found.link(root, path),
                // Sockets, pipes and devices are no code.
                Ok(_) => {}
                Err(error) => found.problem(path, error.to_string()),
            }
            if found.files.len() >= PROJECT_FILES_MAX {
                let text = format!("more than {PROJECT_FILES_MAX} files; what follows is left out");
                found.problem(folder, text);
                return Ok(found);
            }
        }
        // The last one pushed is the next one taken.
        for path in inside.into_iter().rev() {
            if depth >= DEPTH_MAX {
                found.problem(path, format!("more than {DEPTH_MAX} folders inside of each other"));
            } else if found.is_entered(root, &path, with_dependencies) {
                folders.push((path, depth + 1));
            }
        }
    }
    Ok(found)
}

/// What lies in a folder, by name.
fn listed(folder: &Path) -> io::Result<Vec<fs::DirEntry>> {
    let mut entries = fs::read_dir(folder)?.collect::<io::Result<Vec<_>>>()?;
    entries.sort_by_key(fs::DirEntry::file_name);
    Ok(entries)
}

impl Found {
    fn problem(&mut self, path: PathBuf, text: impl Into<String>) {
        self.problems.push(ProjectProblem { path, text: text.into() });
    }

    fn file(&mut self, root: &Path, path: PathBuf) {
        let is_code = has_ending(&path, CODE);
        if !is_code && !is_sign(&path) {
            return;
        }
        match fs::metadata(root.join(&path)) {
            Ok(it) if it.len() > PROJECT_FILE_BYTES_MAX => {
                self.problem(path, too_large(it.len()));
            }
            Ok(it) => self.files.push((path, it.len())),
            Err(error) => self.problem(path, error.to_string()),
        }
    }

    /// A link into the project leads to what is seen under its own name; others lead out.
    fn link(&mut self, root: &Path, path: PathBuf) {
        let text = match fs::canonicalize(root.join(&path)) {
            Ok(to) if root.join(&path).starts_with(&to) => {
                format!("a link in a circle, to {}", to.display())
            }
            Ok(to) if to.starts_with(root) => return,
            Ok(to) if to.is_dir() || has_ending(&path, CODE) => {
                format!("a link out of the project, to {}", to.display())
            }
            Ok(_) => return,
            Err(error) => format!("a link that leads nowhere: {error}"),
        };
        self.problem(path, text);
    }

    /// Whether a folder's content is the project's.
    fn is_entered(&mut self, root: &Path, path: &Path, with_dependencies: bool) -> bool {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if LEFT_OUT.contains(&&*name) {
            return false;
        }
        // Code in the making of a generator, with holes in it.
        if path.ends_with("priv/templates") {
            return false;
        }
        if with_dependencies || !DEPENDENCIES.contains(&&*name) {
            return true;
        }
        for entry in listed(&root.join(path)).unwrap_or_default() {
            if entry.path().is_dir() {
                self.dependencies.push(path.join(entry.file_name()));
            }
        }
        false
    }
}

fn has_ending(path: &Path, endings: &[&str]) -> bool {
    path.extension().is_some_and(|it| endings.iter().any(|ending| it == *ending))
}

fn is_sign(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    // `erlang.mk` projects and built applications name themselves in these.
    SIGNS.contains(&&*name) || name.ends_with(".app.src") || name.ends_with(".app")
}
