//! A server read now and then, as events of a session: what came, what was lost, what is not seen.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use giulia_model::{Database, DatabaseCounted, DatabaseEvent, DatabaseLost};

use crate::{DatabaseUrl, Error, ErrorKind, ledger::Ledger, server::Server};

/// Texts that are remembered: a server whose statements are never the same twice has no end of them.
const TEXTS_MAX: usize = 10_000;

/// A database over a session.
#[derive(Debug)]
pub struct Account {
    url: DatabaseUrl,
    timeout: Duration,
    /// None while it is gone.
    server: Option<Server>,
    ledger: Option<Ledger>,
    texts: BTreeMap<i64, String>,
    readings: u64,
    reading_max_ms: f64,
    read_at: Instant,
}

impl Account {
    /// Connects and looks what may be seen.
    ///
    /// # Errors
    /// Those of [`ErrorKind`]; with [`ErrorKind::NotSeen`] the server is right and its statements
    /// cannot be seen.
    pub async fn reach(url: &DatabaseUrl, timeout: Duration) -> Result<Self, Error> {
        let server = Server::reach(url, timeout).await?;
        Ok(Self {
            url: url.clone(),
            timeout,
            server: Some(server),
            ledger: None,
            texts: BTreeMap::new(),
            readings: 0,
            reading_max_ms: 0.0,
            read_at: Instant::now(),
        })
    }

    /// Counts from here.
    ///
    /// # Errors
    /// When it does not answer any more.
    pub async fn begin(&mut self) -> Result<DatabaseEvent, Error> {
        let reading = self.reading().await?;
        self.ledger = Some(Ledger::begin(reading));
        Ok(self.began())
    }

    /// Which database it is of; none while it is gone.
    pub fn database(&self) -> Option<&Database> {
        self.server.as_ref().map(|it| &it.database)
    }

    /// When its counters were read last.
    pub fn read_at(&self) -> Instant {
        self.read_at
    }

    /// Reads it: what came since [`Account::begin`], or what became of it. A server that is gone is
    /// looked for again at the next reading.
    pub async fn read(&mut self) -> Vec<DatabaseEvent> {
        let was_seen = self.ledger.is_some();
        match self.events().await {
            Ok(events) => events,
            Err(error) => {
                tracing::debug!(%error, "a reading of the database failed");
                // What it had counted cannot be told from what another one counts.
                (self.server, self.ledger) = (None, None);
                let lost = DatabaseEvent::Lost(DatabaseLost { why: error.to_string() });
                was_seen.then_some(lost).into_iter().collect()
            }
        }
    }

    /// Ends the connection.
    pub async fn close(self) {
        if let Some(server) = self.server {
            server.close().await;
        }
    }

    async fn events(&mut self) -> Result<Vec<DatabaseEvent>, Error> {
        if self.server.is_none() {
            self.server = Some(Server::reach(&self.url, self.timeout).await?);
        }
        if self.ledger.is_none() {
            return Ok(vec![self.begin().await?]);
        }
        let reading = self.reading().await?;
        let read = self.ledger.as_mut().map_or(Ok(()), |it| it.read(&reading));
        if let Err(why) = read {
            self.ledger = Some(Ledger::begin(reading));
            let lost = DatabaseEvent::Lost(DatabaseLost { why });
            return Ok(vec![lost, self.began()]);
        }
        let counted = self.counted().await?;
        Ok(vec![DatabaseEvent::Counted(Box::new(counted))])
    }

    fn began(&self) -> DatabaseEvent {
        DatabaseEvent::Began(Box::new(self.database().cloned().unwrap_or_default()))
    }

    async fn reading(&mut self) -> Result<crate::ledger::Reading, Error> {
        let began = Instant::now();
        let server = self.server.as_mut().ok_or_else(gone)?;
        let reading = server.read().await?;
        self.readings += 1;
        self.read_at = Instant::now();
        let took_ms = self.read_at.duration_since(began).as_secs_f64() * 1000.0;
        self.reading_max_ms = self.reading_max_ms.max(took_ms);
        Ok(reading)
    }

    async fn counted(&mut self) -> Result<DatabaseCounted, Error> {
        let Some((mut counted, ids)) = self.ledger.as_ref().map(Ledger::counted) else {
            return Err(gone());
        };
        let unknown: Vec<i64> =
            ids.iter().copied().filter(|it| !self.texts.contains_key(it)).collect();
        if !unknown.is_empty() {
            let server = self.server.as_mut().ok_or_else(gone)?;
            if self.texts.len() + unknown.len() > TEXTS_MAX {
                self.texts.clear();
            }
            let found = server.texts(&unknown).await?;
            // One that was thrown out meanwhile has none, and is not asked for again.
            self.texts.extend(unknown.into_iter().map(|it| (it, String::new())));
            self.texts.extend(found);
        }
        for (it, id) in counted.statements.iter_mut().zip(ids) {
            it.query = self.texts.get(&id).cloned().unwrap_or_default();
        }
        (counted.readings, counted.reading_max_ms) = (self.readings, self.reading_max_ms);
        Ok(counted)
    }
}

fn gone() -> Error {
    Error::new(ErrorKind::Unreachable, "the database is gone")
}
