//! How often ETS tables are read and written: attach, count and look for a while, detach.

use std::time::Duration;

use giulia_model::EtsRates;

use crate::{Attempt, Error, remote};

/// The document's name and version.
const SCHEMA: &str = "giulia.ets/1";

/// Which tables, and for how long.
#[derive(Debug, Clone)]
pub struct EtsRatesRequest {
    /// One alone, by its name.
    pub table: Option<String>,
    /// How long to look.
    pub window: Duration,
}

/// How often tables are read and written, and by whom. What could not be seen is in `not_seen`.
///
/// # Errors
/// When the node could not be attached to, everything took too long, or another tool counts `ets`.
pub async fn ets_rates(
    node: &str,
    request: &EtsRatesRequest,
    attempt: Attempt<'_>,
) -> Result<EtsRates, Error> {
    let link = remote::enter(node, attempt).await?;
    attempt.progress.begin("counting calls of ets", request.window);
    let asking = remote::ets_rates(node, &link, request);
    let seen = attempt.bounds.run("asking the node", asking).await;
    attempt.progress.end();
    let mut seen = seen?;
    SCHEMA.clone_into(&mut seen.schema);
    seen.taken_at = attempt.clock.now_rfc3339();
    Ok(seen)
}
