//! One process of a node in depth: attach, ask, detach.

use giulia_model::ProcessDetail;
use giulia_probe::Subject;

use crate::{Attempt, Error, remote};

/// The document's name and version.
const SCHEMA: &str = "giulia.process/1";

/// Which process, and what of it.
#[derive(Debug, Clone)]
pub struct ProcessRequest {
    /// A pid or a registered name.
    pub subject: Subject,
    /// The shape of its state too.
    pub state: bool,
}

/// One process of a node. What could not be seen of it is in `not_seen`.
///
/// # Errors
/// When the node could not be attached to, everything took too long, or there is no such process.
pub async fn process(
    node: &str,
    request: &ProcessRequest,
    attempt: Attempt<'_>,
) -> Result<ProcessDetail, Error> {
    let link = remote::enter(node, attempt).await?;
    let asking = remote::process(node, &link, request);
    let mut seen = attempt.bounds.run("asking the node", asking).await?;
    SCHEMA.clone_into(&mut seen.schema);
    seen.taken_at = attempt.clock.now_rfc3339();
    Ok(seen)
}
