//! Functions counted for a while: who was called how often, and what that took.
//!
//! All functions that the patterns mean get a counter; after a moment each has a price, and those
//! that would break the budget lose theirs, by name. Then counters run for the window, and within
//! it the hottest functions are measured in the processes that work most. At the end counters are
//! stopped before they are read. Whatever happens, all of it is undone, and the answer says so.

mod counting;
mod document;
mod measuring;
mod plan;
mod sampling;
pub(crate) mod session;

use std::{sync::Arc, time::Duration};

use futures_util::future::join_all;
use giulia_model::{FunctionPattern, NotSeen, Trace};
use giulia_probe::{
    Foreign, Keeper, KeeperOptions, KeptChange, NotResolved, Resolved, Tracing, TracingOptions,
    foreign, resolve,
};
use tokio::time::Instant;

use crate::{
    Archive, Attempt, Error, ErrorKind,
    places::{Graphs, Places},
    remote::{self, Link},
};
use counting::Counted;

pub use sampling::{SampleRequest, sample_calls};
pub use session::CountRequest;

/// The document's name and version.
const SCHEMA: &str = "giulia.trace/1";
/// What reading and undoing may take after the window, or after somebody asked to stop: undoing
/// 300 modules took 4.3 s on a starved node (`beam-facts` 8.1).
const AFTER: Duration = Duration::from_secs(15);
/// What arming may take: 14 s were measured there too.
const ARMING: Duration = Duration::from_secs(20);
/// Under which everything appears in the manifest.
const NAME: &str = "call counters";

/// What to count, and what that may cost.
#[derive(Debug, Clone, PartialEq)]
pub struct TraceRequest {
    /// Which functions.
    pub patterns: Vec<FunctionPattern>,
    /// For how long.
    pub window: Duration,
    /// What the rows are sorted by.
    pub sort: TraceSort,
    /// Rows of each ranking.
    pub top: usize,
    /// What counters may cost, of the time of all schedulers of a node, 0 to 1.
    pub budget_share: f64,
    /// Only say what would be called.
    pub dry_run: bool,
}

/// What the rows of a trace are sorted by, most first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TraceSort {
    /// Calls.
    Calls,
    /// Own CPU time.
    Time,
    /// Words allocated.
    Memory,
}

/// What one node told.
#[derive(Debug)]
struct Told {
    node: String,
    /// When we began with it; times of the manifest count from here.
    began: std::time::Instant,
    resolved: Resolved,
    other_tracers: Vec<String>,
    counted: Option<Counted>,
    planned_calls: Vec<String>,
    places: Places,
    manifest: Vec<KeptChange>,
    impact: giulia_model::Impact,
}

impl TraceRequest {
    /// The longest that it takes beside attaching.
    pub fn lasts(&self) -> Duration {
        self.window + ARMING + AFTER
    }
}

/// Counts functions on one node or several at once.
///
/// Asked to stop, it answers with what was counted until then. Where functions are written is told by
/// the graphs of the archive, and of what none of them has by the node's own bytecode.
///
/// # Errors
/// When no node could be attached to, a pattern means nothing or too much, or everything that it
/// means is traced by somebody else.
pub async fn trace(
    attempts: &[(&str, Attempt<'_>)],
    request: &TraceRequest,
    archive: Option<&Archive>,
) -> Result<Trace, Error> {
    let tracing = attempts.iter().map(|(node, attempt)| one(node, request, (*attempt, archive)));
    let mut told = Vec::new();
    let mut failed = Vec::new();
    for ((node, _), result) in attempts.iter().zip(join_all(tracing).await) {
        match result {
            Ok(it) => told.push(it),
            Err(error) => failed.push((*node, error)),
        }
    }
    if told.is_empty()
        && let Some((_, error)) = failed.pop()
    {
        return Err(error);
    }
    let mut trace = document::document(&told, request);
    for (node, error) in failed {
        let what = format!("node {node}");
        trace.not_seen.push(NotSeen { what, why: error.to_string() });
    }
    SCHEMA.clone_into(&mut trace.schema);
    trace.taken_at = attempts.first().map(|(_, it)| it.clock.now_rfc3339()).unwrap_or_default();
    Ok(trace)
}

async fn one(
    node: &str,
    request: &TraceRequest,
    (attempt, archive): (Attempt<'_>, Option<&Archive>),
) -> Result<Told, Error> {
    let began = std::time::Instant::now();
    let Attempt { access, bounds, progress, .. } = attempt;
    let link = remote::enter(node, attempt).await?;
    let looking = async {
        let resolved = resolve(&link, &request.patterns).await;
        let resolved = resolved.map_err(|it| not_resolved(node, it))?;
        let others = foreign(&link, &[], &[]).await.map_err(|it| Error::asking(node, &it))?;
        Ok((resolved, others))
    };
    let looking = bounds.at_most(access.timeout).run("finding the functions", looking).await?;
    let (resolved, Foreign { node: other_tracers, .. }) = looking;
    if let Some(error) = nothing_meant(node, &resolved) {
        return Err(error);
    }
    let mut told = Told {
        node: node.to_owned(),
        began,
        resolved,
        other_tracers,
        counted: None,
        planned_calls: Vec::new(),
        places: Places::default(),
        manifest: Vec::new(),
        impact: giulia_model::Impact::default(),
    };
    if request.dry_run {
        told.planned_calls = document::planned(&link, &told.resolved, request);
    } else {
        progress.begin("counting", request.window);
        let counted = held(node, &link, &told.resolved, (request, attempt)).await;
        progress.end();
        let (counted, manifest) = counted?;
        told.counted = Some(counted);
        told.manifest = manifest;
        let rows = document::rows(&told, request);
        let graphs = archive.map(|it| Graphs::of(it, node)).unwrap_or_default();
        told.places = Places::of_node(&link, graphs, &rows, &bounds.stop).await;
    }
    told.impact = link.impact();
    Ok(told)
}

/// Counts under a keeper, and undoes all of it, whether counting failed or not.
async fn held(
    node: &str,
    link: &Link,
    resolved: &Resolved,
    (request, attempt): (&TraceRequest, Attempt<'_>),
) -> Result<(Counted, Vec<KeptChange>), Error> {
    let asking = |it: giulia_probe::dist::Error| Error::asking(node, &it);
    let keeper = Keeper::start(link, &KeeperOptions::default()).await.map_err(asking)?;
    let keeper = Arc::new(keeper);
    let options = TracingOptions { name: NAME.to_owned(), sink: None };
    let tracing = match Tracing::start(link, &keeper, options).await {
        Ok(tracing) => tracing,
        Err(error) => {
            stop(keeper).await;
            return Err(asking(error));
        }
    };
    let counted = counting::count(link, &tracing, resolved, (request, attempt)).await;
    let began = Instant::now();
    let undone = tokio::time::timeout(AFTER, tracing.stop()).await;
    tracing::debug!(elapsed = ?began.elapsed(), ?undone, "undone");
    let manifest = stop(keeper).await;
    Ok((counted.map_err(|it| it.of(node))?, manifest))
}

async fn stop(keeper: Arc<Keeper>) -> Vec<KeptChange> {
    match Arc::try_unwrap(keeper) {
        Ok(keeper) => keeper.stop().await,
        // A handle that somebody still holds ends with the connection.
        Err(keeper) => keeper.changes(),
    }
}

fn not_resolved(node: &str, error: NotResolved) -> Error {
    match error {
        NotResolved::Node(error) => Error::asking(node, &error),
        error @ (NotResolved::TooMany(_) | _) => {
            Error::new(ErrorKind::NoFunction, format!("{node}: {error}"))
        }
    }
}

/// Whether a pattern means nothing: what is typed wrong is not counted in part.
fn nothing_meant(node: &str, resolved: &Resolved) -> Option<Error> {
    if resolved.missing.is_empty() && !resolved.is_empty() {
        return None;
    }
    let missing: Vec<String> =
        resolved.missing.iter().map(|it| format!("{}: {it}", it.pattern)).collect();
    let text = if missing.is_empty() {
        "the patterns mean no function".to_owned()
    } else {
        missing.join("; ")
    };
    Some(Error::new(ErrorKind::NoFunction, format!("{node}: {text}")))
}
