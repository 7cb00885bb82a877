//! The code that a node runs, to a graph: read from the files that it was loaded from, one at a
//! time and within a share of the node's time.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use giulia_code::graph::Stamp;
use giulia_model::{CodeGraph, CodeIndex, CodeProblem, FunctionPattern, NotSeen};
use giulia_probe::{Link, NotResolved, loaded_file, loaded_md5, loaded_modules};

use super::{
    beams::application,
    indexing::{Brought, PROBLEMS_MAX},
    kept::{self, Kept},
};
use crate::{Archive, Attempt, Bounds, Error, ErrorKind, remote};

/// Modules that are read of one node; large systems have some 5,000.
const MODULES_MAX: usize = 20_000;

/// Bytes that are read of one node; OTP and Elixir together have 60 MB.
const BYTES_MAX: usize = 1 << 30;

/// A read is followed by so many times its own length of rest: reading takes one of the node's
/// threads for files, and at most a tenth of it.
const REST: u32 = 9;

/// The longest rest, so that one slow disk does not stretch a visit without end.
const REST_MAX: Duration = Duration::from_millis(200);

/// Which code of a node.
#[derive(Debug, Clone, Default)]
pub struct NodeCodeRequest {
    /// Modules or applications; everything that is loaded where there is none.
    pub patterns: Vec<FunctionPattern>,
    /// Whether everything is read again, also what looks unchanged.
    pub force: bool,
}

/// Reads the code of a node and keeps the graph.
///
/// # Errors
/// When the node could not be attached to, no module is meant, or the store refuses.
pub async fn index_node(
    archive: &Archive,
    node: &str,
    request: &NodeCodeRequest,
    attempt: Attempt<'_>,
) -> Result<CodeIndex, Error> {
    let began = Instant::now();
    let link = remote::enter(node, attempt).await?;
    let (modules, missing) = match loaded_modules(&link, &request.patterns).await {
        Ok(found) => found,
        Err(NotResolved::Node(error)) => return Err(Error::asking(node, &error)),
        Err(other) => {
            return Err(Error::new(ErrorKind::NoFunction, format!("{node}: {other}")));
        }
    };
    if let Some(it) = missing.first() {
        let near = match it.near.as_slice() {
            [] => "; giulia trace NODE MODULE lists what there is".to_owned(),
            near => format!("; did you mean {}?", near.join(", ")),
        };
        return Err(Error::new(ErrorKind::NoFunction, format!("{node}: {}{near}", it.why)));
    }
    let mut kept = if request.force { Kept::new(node) } else { kept::read_or_new(archive, node) };
    attempt.progress.begin("reading code", attempt.bounds.left());
    let is_all = request.patterns.is_empty();
    let (mut brought, not_seen) =
        read_all(&link, &mut kept, &modules, is_all, attempt.bounds).await;
    attempt.progress.end();
    brought.problems.extend(kept.note.take());
    kept.indexed_at = attempt.clock.now_rfc3339();
    kept::save(archive, &kept)?;
    let left_out = brought.problems.len().saturating_sub(PROBLEMS_MAX);
    brought.problems.truncate(PROBLEMS_MAX);
    Ok(CodeIndex {
        schema: "giulia.code-index/1".to_owned(),
        of: CodeGraph {
            graph: node.to_owned(),
            generation: kept.graph.generation(),
            indexed_at: kept.indexed_at.clone(),
        },
        size: kept::size(&kept.graph),
        read: brought.read,
        unchanged: brought.unchanged,
        gone: brought.gone,
        edges_added: brought.delta.edges_added as u64,
        edges_removed: brought.delta.edges_removed as u64,
        elapsed_ms: began.elapsed().as_secs_f64() * 1000.0,
        problems: brought.problems,
        problems_left_out: left_out as u64,
        not_seen,
        impact: Some(link.impact()),
    })
}

/// One module after the other, until the time is over or somebody asks to stop.
async fn read_all(
    link: &Link,
    kept: &mut Kept,
    modules: &[String],
    is_all: bool,
    bounds: &Bounds,
) -> (Brought, Vec<NotSeen>) {
    let mut not_seen = Vec::new();
    let mut brought = Brought::default();
    let gone: Vec<String> = kept
        .graph
        .units()
        .map(|(name, _)| name.to_owned())
        .filter(|it| is_all && modules.binary_search(it).is_err())
        .collect();
    let known: Vec<Option<[u8; 16]>> = modules.iter().map(|it| kept.graph.module_md5(it)).collect();
    let mut change = kept.graph.change();
    for name in &gone {
        change.remove(name);
        brought.gone += 1;
    }
    let mut bytes_read = 0;
    let mut without = Vec::new();
    for (number, (module, known)) in modules.iter().zip(known).enumerate() {
        if let Some(why) = enough(number, bytes_read, bounds) {
            let what = format!("{} of {} modules", modules.len() - number, modules.len());
            not_seen.push(NotSeen { what, why: why.to_owned() });
            break;
        }
        let asked = Instant::now();
        if known.is_some() && loaded_md5(link, module).await.is_ok_and(|it| it == known) {
            brought.unchanged += 1;
            continue;
        }
        match loaded_file(link, module).await {
            Ok((path, bytes)) => {
                bytes_read += bytes.len();
                tokio::time::sleep((asked.elapsed() * REST).min(REST_MAX)).await;
                match giulia_code::facts(&bytes) {
                    Ok(facts) => {
                        let application = application(Path::new(&path));
                        let stamp = Stamp::of(&bytes, 0);
                        change.beam(module, stamp, application.as_deref(), &facts);
                        brought.read += 1;
                    }
                    Err(it) => brought.problems.push(problem(module, it.to_string())),
                }
            }
            Err(_) => without.push(module.as_str()),
        }
    }
    not_seen.extend(without_file(&without));
    brought.delta = change.finish();
    (brought, not_seen)
}

/// Modules of which there is no code to be had.
fn without_file(modules: &[&str]) -> Option<NotSeen> {
    let named: Vec<&str> = modules.iter().take(5).copied().collect();
    let more = modules.len().saturating_sub(named.len());
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    let what = format!("the code of {}{more}", named.join(", "));
    let why = "there is no file of it that could be read: it is preloaded or made in memory";
    (!modules.is_empty()).then(|| NotSeen { what, why: why.to_owned() })
}

/// Why no more is read.
fn enough(n_modules: usize, bytes: usize, bounds: &Bounds) -> Option<&'static str> {
    if bounds.stop.is_asked() {
        Some("somebody asked to stop")
    } else if bounds.left().is_zero() {
        Some("the time was over; give it more with --for")
    } else if n_modules >= MODULES_MAX || bytes >= BYTES_MAX {
        Some("it is more than is read of one node; name modules or applications")
    } else {
        None
    }
}

fn problem(module: &str, text: String) -> CodeProblem {
    CodeProblem { file: module.to_owned(), line: None, text }
}
