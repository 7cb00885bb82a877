//! The sources of a project to its graph: what a file means depends on the others, so that a
//! change of one links all of them again.

use std::{
    os::unix::fs::MetadataExt,
    path::Path,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use giulia_code::{
    graph::{Change, Stamp},
    source::{Interfaces, Language, SourceFacts, erlang, facts, link},
};
use giulia_model::CodeProblem;

use super::{
    beams::CodeFile,
    indexing::{Brought, THREADS_MAX, is_fresh, read_file},
};
use crate::{
    Error, Stop,
    project::{
        FileKind, FileRole, Includes, Layout, Project, ProjectRequest, project, project_libraries,
    },
};

/// The sources of a folder, its own applications, and what was not looked at.
pub(super) struct Sources {
    pub(super) files: Vec<CodeFile>,
    /// The applications that are the project's own; empty where it is no project of a build tool,
    /// and everything in it is its own.
    pub(super) own: Vec<String>,
    pub(super) problems: Vec<CodeProblem>,
}

/// Walks a project; tests and build scripts are no part of what runs.
pub(super) fn sources(root: &Path, with_dependencies: bool) -> Result<Sources, Error> {
    let request =
        ProjectRequest { root: root.to_owned(), with_dependencies, libraries: project_libraries() };
    let walked: Project = project(&request)?;
    let is_code = |kind: FileKind| match kind {
        FileKind::Erlang | FileKind::Elixir | FileKind::Template => true,
        FileKind::Header => false,
    };
    let mut files: Vec<CodeFile> = walked
        .files
        .iter()
        .filter(|it| it.role == FileRole::Source && is_code(it.kind))
        .map(|it| {
            let path = walked.root.join(&it.path);
            let metadata = std::fs::metadata(&path).ok();
            let written = metadata.map(|it| (it.mtime(), it.mtime_nsec()));
            let written_ns = written.and_then(|(seconds, nanos)| {
                u64::try_from(i128::from(seconds) * 1_000_000_000 + i128::from(nanos)).ok()
            });
            let application = it.application.and_then(|it| walked.applications.get(it));
            CodeFile {
                unit: it.path.to_string_lossy().into_owned(),
                application: application.map(|it| it.name.clone()),
                bytes: it.bytes,
                written_ns: written_ns.unwrap_or_default(),
                path,
            }
        })
        .collect();
    files.sort_by(|left, right| left.unit.cmp(&right.unit));
    let problem = |it: &crate::project::ProjectProblem| CodeProblem {
        file: it.path.display().to_string(),
        line: None,
        text: it.text.clone(),
    };
    let is_plain = walked.layout == Layout::Plain || with_dependencies;
    let own = walked.applications.iter().map(|it| it.name.clone());
    Ok(Sources {
        files,
        own: if is_plain { Vec::new() } else { own.collect() },
        problems: walked.problems.iter().map(problem).collect(),
    })
}

/// Whether a source is there that is not as it was, or one is not there any more.
pub(super) fn changed(files: &[CodeFile], known: &[Option<Stamp>]) -> bool {
    files.iter().zip(known).any(|(file, known)| {
        let same = |it: &Stamp| (it.written_ns, it.bytes) == (file.written_ns, file.bytes);
        let looks_same = known.as_ref().is_some_and(|it| it.written_ns > 0 && same(it));
        !looks_same
            && read_file(&file.path)
                .map_or(true, |bytes| known.is_none_or(|it| it.hash != Stamp::of(&bytes, 0).hash))
    })
}

/// Reads all sources on all cores, tells each what the others offer, and puts them in.
pub(super) fn put_all(
    change: &mut Change<'_>,
    files: &[CodeFile],
    brought: &mut Brought,
    stop: &Stop,
) {
    let mut read: Vec<(usize, Stamp, SourceFacts)> = Vec::new();
    let walked = erlang_project(files);
    let includes = walked.as_ref().map(Includes::new);
    let read_one = |it: usize| files.get(it).map(|it| read_one(it, includes.as_ref()));
    for (number, outcome) in on_all_cores(files.len(), stop, read_one) {
        match outcome {
            Ok((stamp, facts)) => read.push((number, stamp, facts)),
            Err(it) => brought.problems.push(it),
        }
    }
    let interfaces = Interfaces::of(read.iter().map(|(_, _, facts)| facts));
    let linked = on_all_cores(read.len(), stop, |it| {
        read.get(it).map(|(_, _, facts)| link(facts, &interfaces))
    });
    for (place, facts) in linked {
        let Some((number, stamp, _)) = read.get(place) else { continue };
        let Some(file) = files.get(*number) else { continue };
        change.source(&file.unit, *stamp, file.application.as_deref(), &facts);
        brought.read += 1;
        brought.problems.extend(facts.problems.iter().map(|it| CodeProblem {
            file: file.unit.clone(),
            line: (it.line > 0).then_some(it.line),
            text: it.text.clone(),
        }));
    }
}

/// The project that the files are of, when some of them include headers.
fn erlang_project(files: &[CodeFile]) -> Option<Project> {
    let file = files.iter().find(|it| Language::of(&it.unit) == Some(Language::Erlang))?;
    let depth = Path::new(&file.unit).components().count();
    let root = file.path.ancestors().nth(depth)?.to_owned();
    let libraries = project_libraries();
    project(&ProjectRequest { root, with_dependencies: false, libraries }).ok()
}

fn read_one(
    file: &CodeFile,
    includes: Option<&Includes<'_>>,
) -> Result<(Stamp, SourceFacts), CodeProblem> {
    let problem = |text: String| CodeProblem { file: file.unit.clone(), line: None, text };
    let bytes = read_file(&file.path).map_err(|it| problem(format!("cannot be read: {it}")))?;
    let written_ns = if is_fresh(file.written_ns) { 0 } else { file.written_ns };
    let stamp = Stamp::of(&bytes, written_ns);
    let facts = match (Language::of(&file.unit), includes) {
        (Some(Language::Erlang), Some(headers)) => {
            Some(erlang::facts(&file.unit, &bytes, headers, &erlang::Options::NONE))
        }
        _ => facts(&file.unit, &bytes),
    };
    facts.map(|it| (stamp, it)).ok_or_else(|| problem("of no language that is read".to_owned()))
}

/// What each of so many pieces of work gave, in their order; the rest is left when somebody asks
/// to stop.
fn on_all_cores<T: Send>(
    count: usize,
    stop: &Stop,
    work: impl Fn(usize) -> Option<T> + Sync,
) -> Vec<(usize, T)> {
    let next = AtomicUsize::new(0);
    let done = Mutex::new(Vec::with_capacity(count));
    let n_threads = thread::available_parallelism().map_or(1, usize::from).min(THREADS_MAX);
    thread::scope(|scope| {
        for _ in 0..n_threads {
            scope.spawn(|| {
                while !stop.is_asked() {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    let Some(it) = work(number) else { return };
                    done.lock().unwrap_or_else(PoisonError::into_inner).push((number, it));
                }
            });
        }
    });
    let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    done.sort_by_key(|(number, _)| *number);
    done
}
