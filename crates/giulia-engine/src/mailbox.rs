//! What one process receives: attach, look for a while, detach.

use std::time::Duration;

use giulia_model::Mailbox;
use giulia_probe::Subject;

use crate::{Attempt, Bounds, Error, remote};

/// The document's name and version.
const SCHEMA: &str = "giulia.mailbox/1";

/// Which process, and for how long.
#[derive(Debug, Clone)]
pub struct MailboxRequest {
    /// A pid or a registered name.
    pub subject: Subject,
    /// How long to look.
    pub window: Duration,
}

/// What kinds of messages a process receives. What could not be seen is in `not_seen`.
///
/// # Errors
/// When the node could not be attached to, everything took too long, or there is no such process.
pub async fn mailbox(
    node: &str,
    request: &MailboxRequest,
    attempt: Attempt<'_>,
) -> Result<Mailbox, Error> {
    let link = remote::enter(node, attempt).await?;
    attempt.progress.begin("looking at its messages", request.window);
    // Asked to stop, it ends early and says what it saw.
    let asking = remote::mailbox(node, &link, request, &attempt.bounds.stop);
    let seen = Bounds::lasting(attempt.bounds.left()).run("asking the node", asking).await;
    attempt.progress.end();
    let mut seen = seen?;
    SCHEMA.clone_into(&mut seen.schema);
    seen.taken_at = attempt.clock.now_rfc3339();
    Ok(seen)
}
