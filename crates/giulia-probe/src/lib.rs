//! Questions to a live node: one file each, every one with its cost and its limits.
//! For now only what the engine needs to compile; the probes replace it.

use std::time::Duration;

pub use giulia_dist as dist;
use giulia_model::{Gate, Impact, NotSeen, Snapshot};

/// How to attach.
#[derive(Debug, Clone)]
pub struct AttachOptions {
    /// How to connect.
    pub dist: dist::Config,
    /// Evaluate nothing.
    pub no_eval: bool,
    /// For one question.
    pub call_timeout: Duration,
}

/// A link to a target.
#[derive(Debug, Clone)]
pub struct Link(dist::Connection);

impl AttachOptions {
    /// The usual.
    pub fn new(dist: dist::Config) -> Self {
        Self { dist, no_eval: false, call_timeout: Duration::from_secs(5) }
    }
}

impl Link {
    /// Connects.
    ///
    /// # Errors
    /// Those of the connection.
    pub async fn attach(
        target: &dist::Target,
        options: &AttachOptions,
    ) -> Result<Self, dist::Error> {
        Ok(Self(dist::Connection::connect(target, &options.dist).await?))
    }

    /// Nothing yet.
    pub fn erts(&self) -> &'static str {
        "unknown"
    }

    /// Nothing yet.
    pub fn gates(&self) -> Vec<Gate> {
        Vec::new()
    }

    /// Nothing yet.
    pub fn impact(&self) -> Impact {
        let stats = self.0.stats();
        Impact {
            questions: Vec::new(),
            round_trips: stats.calls,
            sent_bytes: stats.bytes_sent,
            received_bytes: stats.bytes_received,
            target_time_ms: 0.0,
            changed: Vec::new(),
        }
    }
}

/// What a snapshot should hold.
#[derive(Debug, Clone)]
pub struct SnapshotOptions {
    /// Rates over this time.
    pub window: Option<Duration>,
    /// Rows of each ranking.
    pub top: usize,
}

/// Nothing yet.
pub async fn snapshot(link: &Link, options: &SnapshotOptions) -> Snapshot {
    tokio::time::sleep(options.window.unwrap_or_default()).await;
    Snapshot {
        schema: String::new(),
        taken_at: String::new(),
        window: None,
        node: None,
        counts: None,
        memory: None,
        schedulers: None,
        activity: None,
        processes: None,
        ets: None,
        host: None,
        not_seen: vec![NotSeen { what: "everything".to_owned(), why: "no probes yet".to_owned() }],
        impact: link.impact(),
    }
}

/// Nothing yet.
///
/// # Errors
/// None.
#[expect(clippy::unused_async, reason = "the probe will ask")]
pub async fn tracers(_link: &Link) -> Result<Vec<String>, dist::Error> {
    Ok(Vec::new())
}
