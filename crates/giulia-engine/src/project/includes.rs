//! Where `-include` and `-include_lib` of a project lead: into it, its dependencies, libraries.
//!
//! The places are those of `epp` and of the build tools. A header that none of them has may
//! stand in the project under that name once; that one is taken, because a wrong guess costs
//! less than a module without its macros. Nothing outside of the project and of the named
//! folders of libraries is opened, whatever a source says.

use std::{
    collections::HashMap,
    fs,
    path::{Component, Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use giulia_code::source::erlang::{Header, Headers};

use super::{FileKind, Project, read};

/// A header that was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Included {
    /// Where it lies: seen from the project's folder when it is in it, absolute otherwise.
    pub path: PathBuf,
    /// What is in it.
    pub bytes: Arc<[u8]>,
}

/// Headers of a project, each read once; may be shared among threads.
#[derive(Debug)]
pub struct Includes<'p> {
    project: &'p Project,
    // Folders of libraries by the application's name; the newest version.
    libraries: HashMap<String, PathBuf>,
    // Headers of the project by the last part of their path.
    headers: HashMap<String, Vec<&'p Path>>,
    // What a file may lie in.
    roots: Vec<PathBuf>,
    read: Mutex<HashMap<PathBuf, Option<Arc<[u8]>>>>,
}

/// Headers that are kept; a project has some hundred.
const KEPT_MAX: usize = 10_000;

impl<'p> Includes<'p> {
    /// The headers that this project may include.
    pub fn new(project: &'p Project) -> Self {
        let mut headers: HashMap<String, Vec<&Path>> = HashMap::new();
        for it in project.files.iter().filter(|it| it.kind == FileKind::Header) {
            let name = it.path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            headers.entry(name).or_default().push(&it.path);
        }
        let mut libraries = HashMap::new();
        for folder in &project.libraries {
            add_library(folder, &mut libraries);
        }
        let mut roots = vec![project.root.clone()];
        roots.extend(project.libraries.iter().filter_map(|it| fs::canonicalize(it).ok()));
        Self { project, libraries, headers, roots, read: Mutex::default() }
    }

    /// What `-include(name)` in a file means; the file's path is one seen from the project.
    pub fn include(&self, from: &Path, name: &str) -> Option<Included> {
        self.plain(from, name).or_else(|| self.anywhere(name))
    }

    /// What `-include_lib(name)` in a file means.
    pub fn include_lib(&self, from: &Path, name: &str) -> Option<Included> {
        if let Some(it) = self.plain(from, name) {
            return Some(it);
        }
        let (application, rest) = name.split_once('/')?;
        let project = self.project;
        let own = project.applications.iter().filter(|it| it.name == application);
        let mut places: Vec<PathBuf> = own.map(|it| it.folder.join(rest)).collect();
        for folder in ["deps", "_checkouts", "_build/default/lib", "_build/test/lib"] {
            places.push(Path::new(folder).join(name));
        }
        places.extend(self.libraries.get(application).map(|it| it.join(rest)));
        places.iter().find_map(|it| self.open(it)).or_else(|| self.anywhere(name))
    }

    /// Beside the file, and where build tools tell the compiler to look.
    fn plain(&self, from: &Path, name: &str) -> Option<Included> {
        let beside = from.parent().unwrap_or(Path::new(""));
        if let Some(it) = self.open(&beside.join(name)) {
            return Some(it);
        }
        let mut folders: Vec<&Path> = Vec::new();
        let applications = &self.project.applications;
        folders.extend(from.ancestors().skip(1).filter(|folder| {
            applications.iter().any(|it| it.folder == **folder) || *folder == Path::new("")
        }));
        let places = folders.iter().flat_map(|folder| {
            ["include", "src", "", "test"].iter().map(move |it| folder.join(it).join(name))
        });
        places.into_iter().find_map(|it| self.open(&it))
    }

    /// The one header of the project whose path ends so.
    fn anywhere(&self, name: &str) -> Option<Included> {
        let last = Path::new(name).file_name()?.to_string_lossy();
        match self.headers.get(&*last)?.as_slice() {
            [one] => self.open(one),
            several => {
                let mut same = several.iter().filter(|it| it.ends_with(name));
                let first = same.next()?;
                same.next().is_none().then(|| self.open(first)).flatten()
            }
        }
    }

    /// The same for the reader of Erlang.
    fn header(it: Included) -> Header {
        Header { path: it.path.to_string_lossy().into_owned(), bytes: it.bytes }
    }

    fn open(&self, path: &Path) -> Option<Included> {
        let path = normal(&self.project.root.join(path))?;
        let bytes = {
            let mut known = self.read.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(it) = known.get(&path) {
                it.clone()
            } else {
                let bytes = self.allowed(&path);
                if known.len() < KEPT_MAX {
                    known.insert(path.clone(), bytes.clone());
                }
                bytes
            }
        }?;
        let shown = path.strip_prefix(&self.project.root).map(Path::to_owned);
        Some(Included { path: shown.unwrap_or(path), bytes })
    }

    /// The bytes of a file that lies, links followed, where one may.
    fn allowed(&self, path: &Path) -> Option<Arc<[u8]>> {
        let real = fs::canonicalize(path).ok()?;
        let is_allowed = self.roots.iter().any(|it| real.starts_with(it)) && real.is_file();
        is_allowed.then(|| read(&real).ok().map(Arc::from)).flatten()
    }
}

impl Headers for Includes<'_> {
    fn include(&self, from: &str, name: &str) -> Option<Header> {
        Includes::include(self, Path::new(from), name).map(Self::header)
    }

    fn include_lib(&self, from: &str, name: &str) -> Option<Header> {
        Includes::include_lib(self, Path::new(from), name).map(Self::header)
    }
}

/// A path without `.` and `..`; none when it leads above everything.
fn normal(path: &Path) -> Option<PathBuf> {
    let mut found = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => {
                if !found.pop() {
                    return None;
                }
            }
            it @ (Component::Normal(_) | Component::RootDir | Component::Prefix(_)) => {
                found.push(it);
            }
        }
    }
    Some(found)
}

/// The applications in a folder of libraries, `kernel-10.2` under `kernel`.
fn add_library(folder: &Path, into: &mut HashMap<String, PathBuf>) {
    let entries = fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok);
    let mut paths: Vec<PathBuf> = entries.map(|it| it.path()).filter(|it| it.is_dir()).collect();
    paths.sort_by_key(|it| version(it));
    for path in paths {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let name = name.split('-').next().unwrap_or_default().to_owned();
        into.insert(name, path);
    }
}

/// The numbers of a version, so that 10 comes after 9.
fn version(path: &Path) -> Vec<u32> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let version = name.split_once('-').map(|(_, it)| it).unwrap_or_default();
    version.split('.').map(|it| it.parse().unwrap_or_default()).collect()
}
