//! A folder to a graph: what changed is read by all cores, and added by one.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    thread,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use giulia_code::{Facts, FactsReader, graph::Stamp};
use giulia_model::{CodeGraph, CodeIndex, CodeProblem};

use super::{
    beams::{CodeFile, beams},
    kept::{self, Kept},
    sources::{self, Held, Round, Sources},
};
use crate::{Archive, Clock, Error, ErrorKind, Progress, Stop};

/// Problems that an answer lists; a folder of 200,000 broken files is one problem.
pub(super) const PROBLEMS_MAX: usize = 100;

/// Files that are read ahead of the one that adds them, each some 100 KB of facts.
const AHEAD: usize = 8;

/// Threads that read; more than this wait for the one that adds.
pub(super) const THREADS_MAX: usize = 8;

/// Largest file that is read; the largest module of OTP 29 has 1.3 MB.
const FILE_BYTES_MAX: u64 = 64 << 20;

/// A file that was written so shortly ago may be written again within the same tick of the file
/// system's clock; ext4's is 4 ms, that of some network file systems 2 s.
const FRESH: Duration = Duration::from_secs(2);

/// What is to be read.
#[derive(Debug, Clone)]
pub struct IndexRequest {
    /// The folder.
    pub root: PathBuf,
    /// Whether dependencies that lie in it count as its own.
    pub with_dependencies: bool,
    /// Whether everything is read again, also what looks unchanged.
    pub force: bool,
    /// Looks again and again, with so much time in between.
    pub watch: Option<Duration>,
}

/// Reads what changed in a folder and keeps the graph; then again whenever something changes,
/// when that is asked for, until somebody asks to stop.
///
/// # Errors
/// When there is no such folder, no code in it, or the store refuses.
pub async fn index_code(
    archive: &Archive,
    request: &IndexRequest,
    clock: &Clock,
    progress: &dyn Progress,
    stop: &Stop,
) -> Result<CodeIndex, Error> {
    let mut watched = Watched::default();
    let mut answer = once(archive, request, clock, stop, &mut watched).await?;
    let Some(every) = request.watch else { return Ok(answer) };
    let root = PathBuf::from(&answer.of.graph);
    let request = &IndexRequest { force: false, ..request.clone() };
    let mut seen = listed(&root, request.with_dependencies).await?;
    loop {
        tokio::select! {
            biased;
            () = stop.asked() => return Ok(answer),
            () = tokio::time::sleep(every) => {}
        }
        let now = listed(&root, request.with_dependencies).await?;
        if now == seen {
            continue;
        }
        seen = now;
        match once(archive, request, clock, stop, &mut watched).await {
            Ok(it) => {
                progress.warn(&format!(
                    "read {} in {:.0} ms: {} edges more, {} fewer, generation {}",
                    it.read, it.elapsed_ms, it.edges_added, it.edges_removed, it.of.generation
                ));
                answer = it;
            }
            // What was kept before is as it was.
            Err(it) if it.kind() == ErrorKind::Interrupted => return Ok(answer),
            Err(it) => return Err(it),
        }
    }
}

/// What whoever watches keeps between two rounds; without it each begins with the store.
#[derive(Debug, Default)]
struct Watched {
    kept: Option<Kept>,
    held: Option<Held>,
}

async fn once(
    archive: &Archive,
    request: &IndexRequest,
    clock: &Clock,
    stop: &Stop,
    watched: &mut Watched,
) -> Result<CodeIndex, Error> {
    let (archive, stop, now) = (archive.clone(), stop.clone(), clock.now_rfc3339());
    let (request, mut before) = (request.clone(), std::mem::take(watched));
    let done = aside(move || {
        let answer = index(&archive, &request, &now, &stop, &mut before);
        (answer, before)
    });
    let (answer, after) = done.await?;
    // After an error nobody knows what of it is in the store.
    if answer.is_ok() {
        *watched = after;
    }
    answer
}

/// What a folder has, to tell whether something changed.
async fn listed(root: &Path, with_dependencies: bool) -> Result<Vec<CodeFile>, Error> {
    let root = root.to_owned();
    aside(move || {
        let (mut files, _) = beams(&root);
        files.extend(sources::sources(&root, with_dependencies)?.files);
        Ok(files)
    })
    .await?
}

/// Work that would hold up everything else.
async fn aside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Error> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|it| Error::new(ErrorKind::Interrupted, format!("indexing: {it}; try again")))
}

fn index(
    archive: &Archive,
    request: &IndexRequest,
    now: &str,
    stop: &Stop,
    watched: &mut Watched,
) -> Result<CodeIndex, Error> {
    let began = Instant::now();
    let root = fs::canonicalize(&request.root).map_err(|it| {
        let text = format!("indexing {}: {it}; name a folder", request.root.display());
        Error::new(ErrorKind::NotIndexed, text)
    })?;
    if !root.is_dir() {
        let text = format!("indexing {}: it is a file; name a folder", root.display());
        return Err(Error::new(ErrorKind::NotIndexed, text));
    }
    let (mut files, mut problems) = beams(&root);
    let found = sources::sources(&root, request.with_dependencies)?;
    // Of a project, what its dependencies were built to is theirs.
    let is_own = |it: &CodeFile| {
        found.own.is_empty() || it.application.as_ref().is_none_or(|it| found.own.contains(it))
    };
    files.retain(is_own);
    problems.extend(found.problems.iter().cloned());
    if files.is_empty() && found.files.is_empty() {
        let text = format!(
            "indexing {}: neither sources nor .beam files in it or below; name another folder",
            root.display()
        );
        return Err(Error::new(ErrorKind::NotIndexed, text));
    }
    let name = root.to_string_lossy().into_owned();
    let mut kept = match watched.kept.take() {
        Some(kept) => kept,
        None if request.force => Kept::new(&name),
        None => kept::read_or_new(archive, &name),
    };
    problems.extend(kept.note.take());
    let is_watched = request.watch.is_some();
    let read = bring_up(&mut kept, (&files, &found), (is_watched, &mut watched.held), stop);
    if stop.is_asked() {
        let text = format!("interrupted while indexing {name}; what was kept is as it was");
        return Err(Error::new(ErrorKind::Interrupted, text));
    }
    problems.extend(read.problems);
    now.clone_into(&mut kept.indexed_at);
    kept::save(archive, &kept)?;
    let left_out = problems.len().saturating_sub(PROBLEMS_MAX);
    problems.truncate(PROBLEMS_MAX);
    let of = CodeGraph {
        graph: name,
        generation: kept.graph.generation(),
        indexed_at: kept.indexed_at.clone(),
    };
    let size = kept::size(&kept.graph);
    watched.kept = is_watched.then_some(kept);
    Ok(CodeIndex {
        schema: "giulia.code-index/1".to_owned(),
        of,
        size,
        read: read.read,
        unchanged: read.unchanged,
        gone: read.gone,
        edges_added: read.delta.edges_added as u64,
        edges_removed: read.delta.edges_removed as u64,
        elapsed_ms: began.elapsed().as_secs_f64() * 1000.0,
        problems,
        problems_left_out: left_out as u64,
        not_seen: Vec::new(),
        impact: None,
    })
}

/// What bringing a graph up to its files did.
#[derive(Debug, Default)]
pub(super) struct Brought {
    pub(super) read: u64,
    pub(super) unchanged: u64,
    pub(super) gone: u64,
    pub(super) delta: giulia_code::graph::Delta,
    pub(super) problems: Vec<CodeProblem>,
}

/// What became of a file.
enum Outcome {
    /// It looks as it did.
    Unchanged,
    /// Its bytes are as they were.
    Same(Stamp),
    Beam(Stamp, Box<Facts>),
    Unreadable(String),
}

/// Reads the files that changed, on all cores, and forgets those that are gone.
pub(super) fn bring_up(
    kept: &mut Kept,
    (files, sources): (&[CodeFile], &Sources),
    (is_watched, held): (bool, &mut Option<Held>),
    stop: &Stop,
) -> Brought {
    let written = &sources.files;
    let stamps = |files: &[CodeFile]| -> Vec<Option<Stamp>> {
        files.iter().map(|it| kept.graph.stamp(&it.unit)).collect()
    };
    let (known, known_written) = (stamps(files), stamps(written));
    let is_there = |files: &[CodeFile], name: &str| {
        files.binary_search_by(|it| it.unit.as_str().cmp(name)).is_ok()
    };
    let gone: Vec<String> = kept
        .graph
        .units()
        .map(|(name, _)| name)
        .filter(|name| !is_there(files, name) && !is_there(written, name))
        .map(str::to_owned)
        .collect();
    let mut brought = Brought { gone: gone.len() as u64, ..Brought::default() };
    let mut change = kept.graph.change();
    for name in &gone {
        change.remove(name);
    }
    let round = Round { sources, known: &known_written, gone: &gone, is_watched, stop };
    round.bring_up(&mut change, held, &mut brought);
    let next = AtomicUsize::new(0);
    let (sender, receiver) = mpsc::sync_channel::<(usize, Outcome)>(AHEAD);
    let n_threads = thread::available_parallelism().map_or(1, usize::from).min(THREADS_MAX);
    thread::scope(|scope| {
        for _ in 0..n_threads {
            let (sender, next, known) = (sender.clone(), &next, &known);
            scope.spawn(move || {
                let mut reader = FactsReader::default();
                while !stop.is_asked() {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    let Some(file) = files.get(number) else { return };
                    let known = known.get(number).copied().flatten();
                    let outcome = read(file, known, &mut reader);
                    if sender.send((number, outcome)).is_err() {
                        return;
                    }
                }
            });
        }
        drop(sender);
        for (number, outcome) in receiver {
            let Some(file) = files.get(number) else { continue };
            match outcome {
                Outcome::Unchanged => brought.unchanged += 1,
                Outcome::Same(stamp) => {
                    brought.unchanged += 1;
                    change.touch(&file.unit, stamp);
                }
                Outcome::Beam(stamp, facts) => {
                    brought.read += 1;
                    change.beam(&file.unit, stamp, file.application.as_deref(), &facts);
                    let text = |it: &giulia_code::Problem| it.to_string();
                    brought
                        .problems
                        .extend(facts.problems.iter().map(|it| problem(file, text(it))));
                }
                Outcome::Unreadable(text) => {
                    // What it said when it could be read is better than nothing.
                    brought.problems.push(problem(file, text));
                }
            }
        }
    });
    brought.delta = change.finish();
    brought.problems.sort_by(|left, right| left.file.cmp(&right.file));
    brought
}

fn problem(file: &CodeFile, text: String) -> CodeProblem {
    CodeProblem { file: file.unit.clone(), line: None, text }
}

fn read(file: &CodeFile, known: Option<Stamp>, reader: &mut FactsReader) -> Outcome {
    let looks_same = |it: &Stamp| (it.written_ns, it.bytes) == (file.written_ns, file.bytes);
    if known.as_ref().is_some_and(|it| it.written_ns > 0 && looks_same(it)) {
        return Outcome::Unchanged;
    }
    if file.bytes > FILE_BYTES_MAX {
        return Outcome::Unreadable(format!("more than {FILE_BYTES_MAX} bytes"));
    }
    let bytes = match read_file(&file.path) {
        Ok(bytes) => bytes,
        Err(error) => return Outcome::Unreadable(format!("cannot be read: {error}")),
    };
    let written_ns = if is_fresh(file.written_ns) { 0 } else { file.written_ns };
    let stamp = Stamp::of(&bytes, written_ns);
    if known.is_some_and(|it| it.hash == stamp.hash) {
        return Outcome::Same(stamp);
    }
    match reader.read(&bytes) {
        Ok(facts) => Outcome::Beam(stamp, Box::new(facts)),
        Err(it) => Outcome::Unreadable(it.to_string()),
    }
}

pub(super) fn read_file(path: &Path) -> std::io::Result<Vec<u8>> {
    use std::io::Read as _;
    let mut bytes = Vec::new();
    // It may grow while it is read.
    fs::File::open(path)?.take(FILE_BYTES_MAX).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[expect(
    clippy::disallowed_methods,
    reason = "the times of files are the machine's; this one is compared and never written down"
)]
pub(super) fn is_fresh(written_ns: u64) -> bool {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    now.saturating_sub(Duration::from_nanos(written_ns)) < FRESH
}
