//! All processes of a node by their stacks: attach, ask once, detach.

use giulia_model::Dump;

use crate::{Attempt, Error, ErrorKind, remote};

/// The document's name and version.
const SCHEMA: &str = "giulia.dump/1";

/// What a dump should hold.
#[derive(Debug, Clone, Copy)]
pub struct DumpRequest {
    /// Groups told, most processes first.
    pub top: usize,
}

/// What every process of a node stands in, grouped there. Who could not be asked is in `not_seen`.
///
/// # Errors
/// When the node could not be attached to, everything took too long, or nobody could be asked.
pub async fn dump(node: &str, request: &DumpRequest, attempt: Attempt<'_>) -> Result<Dump, Error> {
    let link = remote::enter(node, attempt).await?;
    let asking = async { Ok(remote::dump(&link, request).await) };
    let mut seen = attempt.bounds.run("asking the node", asking).await?;
    if seen.coverage.is_none() {
        let why = seen.not_seen.first().map_or("no reason was given", |it| it.why.as_str());
        return Err(Error::new(
            ErrorKind::Nothing,
            format!("no process of {node} could be looked at: {why}"),
        ));
    }
    SCHEMA.clone_into(&mut seen.schema);
    seen.taken_at = attempt.clock.now_rfc3339();
    Ok(seen)
}
