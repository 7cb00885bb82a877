//! What an EPMD knows, and which of its nodes answer.

use futures_util::stream::{self, StreamExt};
use giulia_model::{NodeEntry, Nodes};
use tokio::time::Instant;

use crate::{Access, AccessBook, Attempt, Cookie, Error, remote};

/// The document's name and version.
const SCHEMA: &str = "giulia.nodes/1";
/// Nodes of one host that are dialled; a host with more is somebody else's EPMD, or not one.
const NODES_MAX: usize = 1000;
/// So that a frozen node does not use up the time of the others; few enough to be no scan.
const DIALLED_AT_ONCE: usize = 16;

/// Asks the EPMD of a host, then each of its nodes as far as the challenge.
///
/// Stops there unless `authenticate`: a wrong cookie writes an error into the node's log. So
/// does a name that the node does not allow (`net_kernel:allow/1`), once, in either case.
///
/// A node that the book names is dialled and told the cookie in its own way, every other one
/// in the way of `attempt`, which also asks EPMD.
///
/// # Errors
/// When EPMD cannot be asked, or with `authenticate` when there is no cookie at all. A node
/// that does not answer is an entry that says why.
pub async fn nodes(
    host: &str,
    authenticate: bool,
    book: &AccessBook,
    attempt: Attempt<'_>,
) -> Result<Nodes, Error> {
    let Attempt { access, bounds, progress, .. } = attempt;
    let common = match authenticate.then(|| access.cookie.read(progress)) {
        // Nobody else has one either.
        Some(Err(error)) if book.nodes.is_empty() => return Err(error),
        read => read.map(|it| it.map_err(|error| error.to_string())),
    };
    let round = Round { host, book, common, attempt };
    let asking = remote::epmd_names(host, access.epmd_port, bounds.left());
    let known = bounds.run("asking EPMD", asking).await?;
    if known.len() > NODES_MAX {
        progress.warn(&format!(
            "EPMD knows {} nodes; only the first {NODES_MAX} are dialled",
            known.len()
        ));
    }
    let named = known.iter().filter_map(|(alive, _)| book.nodes.get(&format!("{alive}@{host}")));
    // Once, however many it concerns.
    if let Some(it) = named.chain([access]).find(|it| it.is_unverified()) {
        it.warn(progress);
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
        round.dial(entry)
    });
    let entries = stream::iter(dialled).buffered(DIALLED_AT_ONCE).collect().await;
    Ok(Nodes {
        schema: SCHEMA.to_owned(),
        host: host.to_owned(),
        epmd_port: access.epmd_port,
        nodes: entries,
    })
}

/// What is the same for every node of one round.
struct Round<'a> {
    host: &'a str,
    book: &'a AccessBook,
    /// The cookie of nodes without their own way, or why there is none; absent where nobody
    /// is authenticated to.
    common: Option<Result<Cookie, String>>,
    attempt: Attempt<'a>,
}

impl Round<'_> {
    async fn dial(&self, mut entry: NodeEntry) -> NodeEntry {
        let bounds = self.attempt.bounds;
        let guess = format!("{}@{}", entry.alive, self.host);
        let access = direct(self.way(&guess), self.host, entry.port);
        let start = Instant::now();
        let knocked = bounds.run("dialling", remote::knock(&guess, &access, bounds.left())).await;
        entry.elapsed_ms = Some(start.elapsed().as_secs_f64() * 1000.0);
        let name = match knocked {
            Ok(knock) => knock.name.to_string(),
            Err(error) => {
                entry.status = error.to_string();
                return entry;
            }
        };
        entry.answers = true;
        entry.status = match &self.common {
            None => "answers".to_owned(),
            Some(common) => match self.authenticate(&name, entry.port, common).await {
                Ok(()) => "authenticated".to_owned(),
                Err(why) => why,
            },
        };
        entry.name = Some(name);
        entry
    }

    /// By the name that the node told, which may not be the one that led to it.
    async fn authenticate(
        &self,
        name: &str,
        port: u16,
        common: &Result<Cookie, String>,
    ) -> Result<(), String> {
        let Attempt { bounds, progress, .. } = self.attempt;
        let cookie = match self.book.nodes.get(name) {
            Some(own) => own.cookie.read(progress).map_err(|it| it.to_string())?,
            None => common.clone()?,
        };
        let access = direct(self.way(name), self.host, port);
        let attaching = remote::attach(name, &access, cookie, bounds.left());
        let attached = bounds.run("authenticating", attaching).await;
        attached.map(drop).map_err(|it| it.to_string())
    }

    fn way(&self, name: &str) -> &Access {
        self.book.nodes.get(name).unwrap_or(self.attempt.access)
    }
}

/// EPMD has told the port already, so asking it again for every node is not needed.
fn direct(access: &Access, host: &str, port: u16) -> Access {
    let host = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
    Access { at: Some(format!("{host}:{port}")), ..access.clone() }
}
