//! One tick of a node: attach, ask, detach.

use std::time::Duration;

use giulia_model::Snapshot;

use crate::{Attempt, Error, remote};

/// The document's name and version.
const SCHEMA: &str = "giulia.snapshot/1";

/// What a snapshot should hold.
#[derive(Debug, Clone, Copy)]
pub struct SnapshotRequest {
    /// Measure rates over this time; one sample without it.
    pub window: Option<Duration>,
    /// Rows of each ranking.
    pub top: usize,
}

/// One tick of a node. Parts that could not be seen say so in `not_seen`.
///
/// # Errors
/// When the node could not be attached to, or everything took too long.
pub async fn snapshot(
    node: &str,
    request: &SnapshotRequest,
    attempt: Attempt<'_>,
) -> Result<Snapshot, Error> {
    let Attempt { access, bounds, progress, clock } = attempt;
    let cookie = access.cookie.read(progress)?;
    let attaching = remote::attach(node, access, cookie, bounds.left());
    let link = bounds.run("attaching", attaching).await?;
    if let Some(window) = request.window {
        progress.begin("measuring", window);
    }
    let asking = async { Ok(remote::snapshot(&link, request).await) };
    let seen = bounds.run("asking the node", asking).await;
    progress.end();
    let mut seen = seen?;
    SCHEMA.clone_into(&mut seen.schema);
    seen.taken_at = clock.now_rfc3339();
    Ok(seen)
}
