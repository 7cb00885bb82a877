//! The sources of a project to its graph: what a file means depends on the others, and a change of
//! one is heard by those that see it.
//!
//! Who watches keeps what was read: a changed file is read again, and those that include it, and
//! linked again with those that see something else of it. Otherwise all are read.

use std::{
    collections::HashSet,
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
    source::{Language, Linkage, SourceFacts, erlang, facts},
};
use giulia_model::CodeProblem;

use super::{
    beams::CodeFile,
    indexing::{Brought, THREADS_MAX, is_fresh, read_file},
};
use crate::{
    Error, Stop,
    project::{
        FileKind, FileRole, Includes, Layout, Project, ProjectFile, ProjectRequest, project,
        project_libraries,
    },
};

/// The sources of a folder, its own applications, and what was not looked at.
pub(super) struct Sources {
    /// With the headers that they may include.
    pub(super) files: Vec<CodeFile>,
    project: Project,
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
    let is_wanted = |it: &&ProjectFile| match it.kind {
        FileKind::Erlang | FileKind::Elixir | FileKind::Template => it.role == FileRole::Source,
        FileKind::Header => true,
    };
    let mut files: Vec<CodeFile> =
        walked.files.iter().filter(is_wanted).map(|it| code_file(&walked, it)).collect();
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
        project: walked,
    })
}

fn code_file(walked: &Project, it: &ProjectFile) -> CodeFile {
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
}

/// What is kept of the sources between two looks at them.
#[derive(Debug, Default)]
pub(super) struct Held {
    linkage: Linkage,
    headers: HashSet<String>,
}

/// What became of a source.
enum Looked {
    Unchanged,
    /// Its bytes are as they were.
    Same(Stamp),
    Changed,
}

fn is_header(file: &CodeFile) -> bool {
    Path::new(&file.unit).extension().is_some_and(|it| it == "hrl")
}

fn look(file: &CodeFile, known: Option<Stamp>) -> Looked {
    let Some(known) = known else { return Looked::Changed };
    if known.written_ns > 0 && (known.written_ns, known.bytes) == (file.written_ns, file.bytes) {
        return Looked::Unchanged;
    }
    match read_file(&file.path).map(|bytes| stamp(file, &bytes)) {
        Ok(stamp) if stamp.hash == known.hash => Looked::Same(stamp),
        Ok(_) | Err(_) => Looked::Changed,
    }
}

fn stamp(file: &CodeFile, bytes: &[u8]) -> Stamp {
    Stamp::of(bytes, if is_fresh(file.written_ns) { 0 } else { file.written_ns })
}

/// What is to be brought up, and with what.
pub(super) struct Round<'r> {
    pub(super) sources: &'r Sources,
    /// The stamps that the files had.
    pub(super) known: &'r [Option<Stamp>],
    /// Files that are there no more.
    pub(super) gone: &'r [String],
    /// Whether everything is to be kept for the next round.
    pub(super) is_watched: bool,
    pub(super) stop: &'r Stop,
}

impl Round<'_> {
    /// Puts in what changed, with all that depends on it.
    pub(super) fn bring_up(
        &self,
        change: &mut Change<'_>,
        held: &mut Option<Held>,
        brought: &mut Brought,
    ) {
        let mut changed = Vec::new();
        let files = &self.sources.files;
        for (number, (file, known)) in files.iter().zip(self.known).enumerate() {
            match look(file, *known) {
                Looked::Unchanged => {}
                Looked::Same(stamp) => change.touch(&file.unit, stamp),
                Looked::Changed => changed.push(number),
            }
        }
        let is_gone =
            self.gone.iter().any(|it| Path::new(it).extension().is_none_or(|it| it != "beam"));
        let is_same = changed.is_empty() && !is_gone;
        if is_same && (held.is_some() || !self.is_watched) {
            brought.unchanged += files.len() as u64;
            return;
        }
        let before = held.take();
        let to_read = match &before {
            Some(held) => self.to_read(held, changed),
            None => (0..files.len()).collect(),
        };
        let mut now = before.unwrap_or_default();
        self.read_and_link(&mut now, &to_read, (!is_same).then_some(change), brought);
        if self.is_watched && !self.stop.is_asked() {
            *held = Some(now);
        }
    }

    /// What changed, and what includes a header that did.
    fn to_read(&self, held: &Held, changed: Vec<usize>) -> Vec<usize> {
        let files = &self.sources.files;
        let headers: HashSet<&str> =
            files.iter().filter(|it| is_header(it)).map(|it| it.unit.as_str()).collect();
        let of_changed = changed.iter().filter_map(|it| files.get(*it));
        let changed_headers: HashSet<&str> =
            of_changed.filter(|it| is_header(it)).map(|it| it.unit.as_str()).collect();
        // Which header is meant by a name may be another one when one comes or goes.
        let is_other = headers.len() != held.headers.len()
            || headers.iter().any(|it| !held.headers.contains(*it));
        let mut to_read = changed;
        for (number, file) in files.iter().enumerate() {
            let includes = held.linkage.facts(&file.unit).is_some_and(|facts| {
                let is_erlang = facts.language == Language::Erlang;
                let reads = |it: &String| changed_headers.contains(it.as_str());
                is_erlang && (is_other || facts.headers.iter().any(reads))
            });
            if includes {
                to_read.push(number);
            }
        }
        to_read.sort_unstable();
        to_read.dedup();
        to_read
    }

    fn read_and_link(
        &self,
        held: &mut Held,
        to_read: &[usize],
        change: Option<&mut Change<'_>>,
        brought: &mut Brought,
    ) {
        let files = &self.sources.files;
        let includes = Includes::new(&self.sources.project);
        let read_at = |place: usize| {
            let number = *to_read.get(place)?;
            Some((number, read_one(files.get(number)?, &includes)))
        };
        let (mut stamps, mut read) = (self.known.to_vec(), Vec::new());
        let mut noted = Vec::new();
        for (_, (number, outcome)) in on_all_cores(to_read.len(), self.stop, read_at) {
            let Some(file) = files.get(number) else { continue };
            let (stamp, facts) = match outcome {
                Ok(it) => it,
                Err(it) => {
                    brought.problems.push(it);
                    continue;
                }
            };
            if let Some(it) = stamps.get_mut(number) {
                *it = Some(stamp);
            }
            match facts {
                Some(facts) => read.push((file.unit.clone(), Some(facts))),
                None => noted.push((file, stamp)),
            }
        }
        brought.unchanged += (files.len() - to_read.len()) as u64;
        read.extend(self.gone.iter().map(|it| (it.clone(), None)));
        let again = held.linkage.update(read);
        let headers = files.iter().filter(|it| is_header(it));
        held.headers = headers.map(|it| it.unit.clone()).collect();
        let Some(change) = change else {
            brought.unchanged += to_read.len() as u64;
            return;
        };
        for (file, stamp) in noted {
            brought.read += 1;
            change.note(&file.unit, stamp);
        }
        let linkage = &held.linkage;
        let linked = on_all_cores(again.len(), self.stop, |it| linkage.linked(again.get(it)?));
        for (place, facts) in linked {
            let Some(unit) = again.get(place) else { continue };
            let number = files.binary_search_by(|it| it.unit.cmp(unit)).ok();
            let Some(file) = number.and_then(|it| files.get(it)) else { continue };
            let stamp = number.and_then(|it| stamps.get(it).copied().flatten());
            let stamp = stamp.unwrap_or_default();
            change.source(unit, stamp, file.application.as_deref(), &facts);
            brought.read += 1;
            brought.problems.extend(facts.problems.iter().map(|it| CodeProblem {
                file: unit.clone(),
                line: (it.line > 0).then_some(it.line),
                text: it.text.clone(),
            }));
        }
    }
}

/// What a file says; nothing by itself when it is a header.
fn read_one(
    file: &CodeFile,
    includes: &Includes<'_>,
) -> Result<(Stamp, Option<SourceFacts>), CodeProblem> {
    let problem = |text: String| CodeProblem { file: file.unit.clone(), line: None, text };
    let bytes = read_file(&file.path).map_err(|it| problem(format!("cannot be read: {it}")))?;
    let stamp = stamp(file, &bytes);
    if is_header(file) {
        return Ok((stamp, None));
    }
    let facts = if Language::of(&file.unit) == Some(Language::Erlang) {
        Some(erlang::facts(&file.unit, &bytes, includes, &erlang::Options::NONE))
    } else {
        facts(&file.unit, &bytes)
    };
    facts
        .map(|it| (stamp, Some(it)))
        .ok_or_else(|| problem("of no language that is read".to_owned()))
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

#[cfg(test)]
mod tests {
    use std::fs;

    use giulia_code::graph::{EdgeFilter, Graph};

    use super::*;
    use crate::{
        Cancel,
        code::{beams::beams, indexing::bring_up, kept::Kept},
    };

    /// A folder that is looked at again and again.
    struct Folder {
        root: tempfile::TempDir,
        kept: Kept,
        held: Option<Held>,
    }

    fn look(root: &Path, kept: &mut Kept, held: &mut Option<Held>, is_watched: bool) -> Brought {
        let (files, _) = beams(root);
        let sources = sources(root, false).unwrap();
        bring_up(kept, (&files, &sources), (is_watched, held), &Cancel::new().stop())
    }

    /// Who refers to what, and where functions stand, as text.
    fn told(graph: &Graph) -> Vec<String> {
        let export = graph.export(None, EdgeFilter::ALL);
        let node = |it: u32| export.nodes.get(it as usize).unwrap().to_string();
        let edges = export.edges.iter();
        let mut told: Vec<String> = edges
            .map(|it| {
                format!(
                    "{} {} {} {:?} {:?}",
                    node(it.from),
                    it.kind.name(),
                    node(it.to),
                    it.line,
                    it.origins
                )
            })
            .collect();
        told.extend(export.nodes.iter().map(|it| format!("{it} {it:?}")));
        told.sort();
        told
    }

    impl Folder {
        fn write(&self, name: &str, text: &str) {
            let path = self.root.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }

        /// How many files were read; the graph is what a new reading of all gives.
        fn reads(&mut self) -> u64 {
            let root = self.root.path();
            let read = look(root, &mut self.kept, &mut self.held, true).read;
            let mut anew = Kept::new("anew");
            look(root, &mut anew, &mut None, false);
            assert_eq!(told(&self.kept.graph), told(&anew.graph));
            assert_eq!(
                self.kept.graph.size(),
                Graph::decode(&self.kept.graph.encode()).unwrap().size()
            );
            read
        }
    }

    fn folder() -> Folder {
        let root = tempfile::tempdir().unwrap();
        let folder = Folder { root, kept: Kept::new("it"), held: None };
        folder.write("src/one.erl", "-module(one).\n-include(\"h.hrl\").\nf() -> ?CALL.\n");
        folder.write("src/two.erl", "-module(two).\n-export([f/0]).\nf() -> one:f().\n");
        folder.write("src/h.hrl", "-include(\"deep.hrl\").\n");
        folder.write("src/deep.hrl", "-define(CALL, two:f()).\n");
        folder.write(
            "lib/maker.ex",
            "defmodule Maker do\n defmacro go(x), do: (quote do: Used.f(unquote(x)))\nend",
        );
        folder
            .write("lib/user.ex", "defmodule User do\n import Maker\n def run(x), do: go(x)\nend");
        folder.write("lib/apart.ex", "defmodule Apart do\n def f(x), do: x\nend");
        folder
    }

    #[test]
    fn a_change_reads_again_what_depends_on_it_and_no_more() {
        let mut folder = folder();
        assert_eq!((folder.reads(), folder.reads()), (7, 0));
        folder.write("lib/apart.ex", "defmodule Apart do\n def f(x), do: User.run(x)\nend");
        assert_eq!(folder.reads(), 1);
        // The macro does something else where it is used.
        folder.write(
            "lib/maker.ex",
            "defmodule Maker do\n defmacro go(x), do: (quote do: Other.g(unquote(x)))\nend",
        );
        assert_eq!(folder.reads(), 2);
        // A header in a header of one of the two.
        folder.write("src/deep.hrl", "-define(CALL, two:f(1)).\n");
        assert_eq!(folder.reads(), 2);
        folder.write("src/two.erl", "-module(two).\n-export([f/1]).\nf(X) -> X.\n");
        assert_eq!(folder.reads(), 1);
    }

    #[test]
    fn what_comes_and_goes_is_seen_by_the_others() {
        let mut folder = folder();
        folder.reads();
        // Nearer than the other one of that name.
        folder.write("include/h.hrl", "-define(CALL, three:f()).\n");
        folder.reads();
        fs::remove_file(folder.root.path().join("src/h.hrl")).unwrap();
        folder.reads();
        fs::remove_file(folder.root.path().join("lib/maker.ex")).unwrap();
        folder.reads();
        folder.write("lib/maker.ex", "defmodule Maker do\n def go(x), do: x\nend");
        folder.reads();
        folder.write(
            "lib/user.ex",
            "defmodule User do\nend\ndefmodule Maker do\n def more(x), do: x\nend",
        );
        folder.reads();
        fs::remove_file(folder.root.path().join("src/one.erl")).unwrap();
        folder.reads();
    }

    #[test]
    fn whoever_does_not_watch_sees_a_changed_header_too() {
        let mut folder = folder();
        let root = folder.root.path().to_owned();
        assert_eq!(look(&root, &mut folder.kept, &mut None, false).read, 7);
        assert_eq!(look(&root, &mut folder.kept, &mut None, false).read, 0);
        folder.write("src/deep.hrl", "-define(CALL, three:f()).\n");
        assert_eq!(look(&root, &mut folder.kept, &mut None, false).read, 7);
        assert!(told(&folder.kept.graph).iter().any(|it| it.contains("three")));
    }
}
