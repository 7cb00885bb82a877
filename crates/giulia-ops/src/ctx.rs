//! What every operation is given: how to reach nodes, how long it may take, whom to tell.

use std::{sync::Arc, time::Duration};

use giulia_engine::{
    Access, AccessBook, Archive, Attempt, Bounds, Clock, DatabaseUrl, Progress, Silent, Stop,
};

/// The surroundings of one operation.
#[derive(Debug, Clone)]
pub struct Ctx {
    /// How to reach nodes.
    pub book: AccessBook,
    /// Where sessions are kept.
    pub archive: Archive,
    /// Whom to tell what takes its time.
    pub progress: Arc<dyn Progress>,
    /// How the operation is stopped early.
    pub stop: Stop,
    /// What time it is.
    pub clock: Clock,
    /// The database behind the node, for what records a session; no parameter, because it holds a
    /// password.
    pub database: Option<DatabaseUrl>,
    /// The longest that whoever asks will wait, where that is shorter than the settings allow.
    pub patience: Option<Duration>,
}

impl Ctx {
    /// Surroundings that tell nobody, with the machine's clock.
    pub fn new(book: AccessBook, archive: Archive, stop: Stop) -> Self {
        let (progress, clock) = (Arc::new(Silent), Clock::system());
        Self { book, archive, stop, progress, clock, database: None, patience: None }
    }

    /// Surroundings of what asks the archive only.
    pub fn of_archive(archive: Archive) -> Self {
        let common = Access {
            cookie: giulia_engine::CookieSource::Nowhere,
            at: None,
            epmd_port: 0,
            name: None,
            tls: None,
            timeout: Duration::ZERO,
            no_eval: false,
            accept_vm_bug: false,
            armed: None,
            own: giulia_engine::OwnNodes::default(),
        };
        let book = AccessBook { common, nodes: std::collections::BTreeMap::new() };
        Self::new(book, archive, giulia_engine::Cancel::new().stop())
    }

    /// How long a question to a node may take: its `--timeout` and the window that it measures.
    pub fn bounds(&self, access: &Access, window: Duration) -> Bounds {
        let allowed = access.timeout + window;
        let allowed = self.patience.map_or(allowed, |patience| allowed.min(patience));
        Bounds::new(allowed, self.stop.clone())
    }

    /// One question, within these bounds.
    pub fn attempt<'a>(&'a self, access: &'a Access, bounds: &'a Bounds) -> Attempt<'a> {
        Attempt { access, bounds, progress: self.progress.as_ref(), clock: &self.clock }
    }
}
