//! A project on disk: which of its files are code, whose they are, and what is not looked at.
//!
//! Umbrellas, mix, rebar3, erlang.mk and plain trees are told apart by the files that their
//! tools need, read as text; nothing of the project is run. The walk is our own and not a
//! crate's: what is left out follows from the tools' names for their folders, and a project's
//! `.gitignore` names generated code that is code all the same.

mod includes;
mod layout;
mod walk;

use std::{
    fs,
    io::Read,
    path::{Path, PathBuf},
};

pub use self::includes::{Included, Includes};
use crate::error::{Error, ErrorKind};

/// The largest file that is read: the largest source of RabbitMQ 4.0 with all its dependencies
/// has 2.1 MB (the generated `router_pb.erl`), and eight times that is data.
pub const PROJECT_FILE_BYTES_MAX: u64 = 16 << 20;

/// Files that a project has at most; RabbitMQ 4.0 with all its dependencies has 3,000.
pub const PROJECT_FILES_MAX: usize = 1_000_000;

/// Which project, and how much of what it brings along.
#[derive(Debug, Clone)]
pub struct ProjectRequest {
    /// The folder that its `mix.exs`, `rebar.config` or sources lie in.
    pub root: PathBuf,
    /// Whether dependencies that lie in it (`deps`, `_checkouts`) are read as its own.
    pub with_dependencies: bool,
    /// Folders of libraries that headers may come from, as `/usr/lib/erlang/lib`.
    pub libraries: Vec<PathBuf>,
}

/// A project as it lies on disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Project {
    /// Its folder, absolute and without links.
    pub root: PathBuf,
    /// How it is laid out.
    pub layout: Layout,
    /// Its applications, by folder.
    pub applications: Vec<Application>,
    /// Its files that are code, by path.
    pub files: Vec<ProjectFile>,
    /// What it depends on as far as its folders and lock files say, by name.
    pub dependencies: Vec<String>,
    /// What was not looked at, and why; by path.
    pub problems: Vec<ProjectProblem>,
    /// Where headers may come from beside the project.
    libraries: Vec<PathBuf>,
}

/// How a project is laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Layout {
    /// A `mix.exs` over applications of their own.
    Umbrella,
    /// A `mix.exs`.
    Mix,
    /// A `rebar.config`.
    Rebar3,
    /// A `Makefile` that includes `erlang.mk`.
    ErlangMk,
    /// None of these.
    Plain,
}

/// An application of a project.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Application {
    /// What its `mix.exs` or `.app.src` calls it; its folder's name otherwise.
    pub name: String,
    /// Its folder, seen from the project's; empty for the project's own.
    pub folder: PathBuf,
}

/// A file that is code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProjectFile {
    /// Its path, seen from the project's folder.
    pub path: PathBuf,
    /// What is in it.
    pub kind: FileKind,
    /// What it is for.
    pub role: FileRole,
    /// Whose it is: a place in [`Project::applications`].
    pub application: Option<usize>,
    /// Its size in bytes.
    pub bytes: u64,
}

/// What is in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum FileKind {
    /// Erlang: `.erl`, `.escript`.
    Erlang,
    /// What Erlang includes: `.hrl`.
    Header,
    /// Elixir: `.ex`, `.exs`.
    Elixir,
    /// `EEx` and `HEEx`.
    Template,
}

/// What a file is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum FileRole {
    /// A part of the application.
    Source,
    /// Tests, and what helps them.
    Test,
    /// Building, configuring, migrating: run by a tool, and no part of what runs.
    Build,
}

/// Something that was not looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProjectProblem {
    /// The file or folder, seen from the project's.
    pub path: PathBuf,
    /// Why, as a sentence without its full stop.
    pub text: String,
}

/// Walks a project.
///
/// # Errors
/// When its folder is none, or cannot be read.
pub fn project(request: &ProjectRequest) -> Result<Project, Error> {
    let shown = request.root.display();
    let root = fs::canonicalize(&request.root).map_err(|it| {
        let text = format!("reading the project {shown}: {it}; name the folder of its `mix.exs`, its `rebar.config` or its sources");
        Error::new(ErrorKind::Project, text).with_source(it)
    })?;
    if !root.is_dir() {
        let text =
            format!("reading the project {shown}: it is no folder; name the folder that it is in");
        return Err(Error::new(ErrorKind::Project, text));
    }
    let found = walk::walk(&root, request.with_dependencies).map_err(|it| {
        let text =
            format!("reading the project {shown}: {it}; run giulia as a user who may read it");
        Error::new(ErrorKind::Project, text).with_source(it)
    })?;
    Ok(layout::laid_out(root, &request.libraries, found))
}

/// Where systems keep the libraries of Erlang, as far as these folders are there.
pub fn project_libraries() -> Vec<PathBuf> {
    let usual =
        ["/usr/lib/erlang/lib", "/usr/local/lib/erlang/lib", "/opt/homebrew/lib/erlang/lib"];
    usual.iter().map(PathBuf::from).filter(|it| it.is_dir()).collect()
}

impl Project {
    /// The bytes of one of its files.
    ///
    /// # Errors
    /// When it cannot be read, or grew above [`PROJECT_FILE_BYTES_MAX`] since.
    pub fn read(&self, file: &ProjectFile) -> Result<Vec<u8>, ProjectProblem> {
        read(&self.root.join(&file.path))
            .map_err(|text| ProjectProblem { path: file.path.clone(), text })
    }
}

/// Reads a file, whatever it announces, up to the limit.
fn read(path: &Path) -> Result<Vec<u8>, String> {
    let file = fs::File::open(path).map_err(|it| it.to_string())?;
    let mut bytes = Vec::new();
    let mut limited = file.take(PROJECT_FILE_BYTES_MAX + 1);
    limited.read_to_end(&mut bytes).map_err(|it| it.to_string())?;
    if bytes.len() as u64 > PROJECT_FILE_BYTES_MAX {
        return Err(too_large(bytes.len() as u64));
    }
    Ok(bytes)
}

fn too_large(bytes: u64) -> String {
    format!("{bytes} bytes or more, and at most {PROJECT_FILE_BYTES_MAX} are read")
}

#[cfg(test)]
mod tests;
