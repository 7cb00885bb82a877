//! One tick of a node: attach, ask, detach.

use std::time::Duration;

use giulia_model::{NotSeen, Processes, Snapshot};

use crate::{
    Attempt, Bounds, Error, ErrorKind,
    remote::{self, Link},
};

/// The document's name and version.
const SCHEMA: &str = "giulia.snapshot/1";
/// What one sample may take after somebody asked to stop; a sample of 200,000 processes takes
/// a third of it (`beam-facts` 8.2), and whoever waits longer presses Ctrl-C again.
const AFTER_STOP: Duration = Duration::from_secs(2);

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
/// Asked to stop within a window, it answers with one sample in place of rates.
///
/// # Errors
/// When the node could not be attached to, everything took too long, or nothing was seen.
pub async fn snapshot(
    node: &str,
    request: &SnapshotRequest,
    attempt: Attempt<'_>,
) -> Result<Snapshot, Error> {
    let Attempt { bounds, progress, clock, .. } = attempt;
    // The window is for measuring: a node that lets nobody in is not waited for that long.
    let link = remote::enter(node, attempt).await?;
    if let Some(window) = request.window {
        progress.begin("measuring", window);
    }
    let seen = ask(&link, request, bounds).await;
    progress.end();
    let mut seen = seen?;
    if let Some(nothing) = nothing_seen(&seen) {
        return Err(Error::new(
            ErrorKind::Nothing,
            format!("{node} took us in and answered nothing: {nothing}"),
        ));
    }
    SCHEMA.clone_into(&mut seen.schema);
    seen.taken_at = clock.now_rfc3339();
    Ok(seen)
}

/// What all processes of a node are, by groups, with the first `top` of each ranking; with what of
/// that could not be seen.
///
/// # Errors
/// When the node could not be attached to, everything took too long, or it does not say.
pub(crate) async fn all_processes(
    node: &str,
    top: usize,
    attempt: Attempt<'_>,
) -> Result<(Processes, Vec<NotSeen>), Error> {
    let link = remote::enter(node, attempt).await?;
    attempt.bounds.run("asking the node", remote::all_processes(node, &link, top)).await
}

async fn ask(link: &Link, request: &SnapshotRequest, bounds: &Bounds) -> Result<Snapshot, Error> {
    let asking = async { Ok(remote::snapshot(link, request, bounds.left()).await) };
    let asked = bounds.run("asking the node", asking).await;
    match (asked, request.window) {
        (Err(error), Some(window)) if error.kind() == ErrorKind::Interrupted => {
            let request = SnapshotRequest { window: None, ..*request };
            let bounds = Bounds::lasting(AFTER_STOP);
            let asking = async { Ok(remote::snapshot(link, &request, AFTER_STOP).await) };
            let mut sample = bounds.run("taking one last sample", asking).await?;
            let why = format!(
                "interrupted before its {} s were over; totals since start stand in place of \
                 rates, and a shorter --window ends sooner",
                window.as_secs_f64()
            );
            sample.not_seen.insert(0, NotSeen { what: "window".to_owned(), why });
            Ok(sample)
        }
        (asked, _) => asked,
    }
}

/// Why nothing was seen, when that is so.
pub(crate) fn nothing_seen(it: &Snapshot) -> Option<&str> {
    let seen = it.node.is_some()
        || it.counts.is_some()
        || it.memory.is_some()
        || it.schedulers.is_some()
        || it.activity.is_some()
        || it.processes.is_some()
        || it.ets.is_some()
        || it.host.is_some();
    let first = it.not_seen.first().map_or("no reason was given", |it| it.why.as_str());
    (!seen).then_some(first)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Access, Clock, Cookie, CookieSource, Silent};

    #[tokio::test]
    async fn a_node_that_lets_nobody_in_is_not_waited_for_as_long_as_the_window() {
        let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let access = Access {
            cookie: CookieSource::Given(Cookie::new("x")),
            at: Some(silent.local_addr().unwrap().to_string()),
            epmd_port: 1,
            name: None,
            tls: None,
            timeout: Duration::from_millis(200),
            no_eval: false,
            accept_vm_bug: false,
            armed: None,
            own: crate::OwnNodes::default(),
        };
        let window = Duration::from_secs(20);
        let bounds = Bounds::lasting(access.timeout + window);
        let clock = Clock::system();
        let attempt =
            Attempt { access: &access, bounds: &bounds, progress: &Silent, clock: &clock };
        let request = SnapshotRequest { window: Some(window), top: 1 };
        let started = std::time::Instant::now();
        snapshot("shop@127.0.0.1", &request, attempt).await.unwrap_err();
        assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
    }
}
