//! What an EPMD knows, and which of its nodes answer.

use futures_util::stream::{self, StreamExt};
use giulia_model::{NodeEntry, Nodes};
use tokio::time::Instant;

use crate::{Access, Attempt, Cookie, Error, remote};

/// The document's name and version.
const SCHEMA: &str = "giulia.nodes/1";
/// Nodes of one host that are dialled; a host with more is somebody else's EPMD, or not one.
const NODES_MAX: usize = 1000;
/// So that a frozen node does not use up the time of the others; few enough to be no scan.
const DIALLED_AT_ONCE: usize = 16;

/// Asks the EPMD of a host, then each of its nodes as far as the challenge.
///
/// Stops there unless `authenticate`: a wrong cookie writes an error into the node's log.
///
/// # Errors
/// When EPMD cannot be asked, or with `authenticate` when there is no cookie. A node that does
/// not answer is an entry that says why.
pub async fn nodes(host: &str, authenticate: bool, attempt: Attempt<'_>) -> Result<Nodes, Error> {
    let Attempt { access, bounds, progress, .. } = attempt;
    let cookie = if authenticate { Some(access.cookie.read(progress)?) } else { None };
    let asking = remote::epmd_names(host, access.epmd_port, bounds.left());
    let known = bounds.run("asking EPMD", asking).await?;
    if known.len() > NODES_MAX {
        progress.warn(&format!(
            "EPMD knows {} nodes; only the first {NODES_MAX} are dialled",
            known.len()
        ));
    }
    let dialled = known.into_iter().take(NODES_MAX).map(|(alive, port)| {
        let entry = NodeEntry {
            alive,
            port,
            name: None,
            status: String::new(),
            answers: false,
            elapsed_ms: None,
        };
        dial(entry, host, cookie.as_ref(), attempt)
    });
    let entries = stream::iter(dialled).buffered(DIALLED_AT_ONCE).collect().await;
    Ok(Nodes {
        schema: SCHEMA.to_owned(),
        host: host.to_owned(),
        epmd_port: access.epmd_port,
        nodes: entries,
    })
}

async fn dial(
    mut entry: NodeEntry,
    host: &str,
    cookie: Option<&Cookie>,
    attempt: Attempt<'_>,
) -> NodeEntry {
    let bounds = attempt.bounds;
    let access = direct(attempt.access, host, entry.port);
    let guess = format!("{}@{host}", entry.alive);
    let start = Instant::now();
    let knocked = bounds.run("dialling", remote::knock(&guess, &access, bounds.left())).await;
    entry.elapsed_ms = Some(start.elapsed().as_secs_f64() * 1000.0);
    match knocked {
        Ok(knock) => {
            entry.answers = true;
            "answers".clone_into(&mut entry.status);
            entry.name = Some(knock.name.to_string());
        }
        Err(error) => {
            entry.status = error.to_string();
            return entry;
        }
    }
    if let (Some(cookie), Some(name)) = (cookie, &entry.name) {
        let attaching = remote::attach(name, &access, cookie.clone(), bounds.left());
        entry.status = match bounds.run("authenticating", attaching).await {
            Ok(_link) => "authenticated".to_owned(),
            Err(error) => error.to_string(),
        };
    }
    entry
}

/// EPMD has told the port already, so asking it again for every node is not needed.
fn direct(access: &Access, host: &str, port: u16) -> Access {
    let host = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
    Access { at: Some(format!("{host}:{port}")), ..access.clone() }
}
