//! Sessions that were recorded: where they are, which there are, and moving them.

use std::{
    io::{Read, Write},
    path::{Path, PathBuf},
    sync::Arc,
};

use giulia_model::{Deleted, Session, SessionEntry, Sessions};
use giulia_store::{Mode, Store};

use crate::{Error, GraphCache};

/// Where sessions are kept; opened when it is needed, not before.
#[derive(Debug, Clone)]
pub struct Archive {
    path: PathBuf,
    graphs: Arc<GraphCache>,
}

impl Archive {
    /// The store in this file.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), graphs: Arc::default() }
    }

    /// Its file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The graphs of code that were read from it.
    pub(crate) fn graphs(&self) -> &GraphCache {
        &self.graphs
    }

    /// To read: one that is not there is empty.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Store`].
    pub fn read(&self) -> Result<Store, Error> {
        Ok(Store::open(&self.path, Mode::ReadOnly)?)
    }

    /// To write: made where it is missing.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Store`].
    pub fn write(&self) -> Result<Store, Error> {
        Ok(Store::open(&self.path, Mode::ReadWrite)?)
    }
}

/// All of them, the newest first.
///
/// # Errors
/// When the store cannot be read.
pub fn sessions(archive: &Archive) -> Result<Sessions, Error> {
    let stored = archive.read()?.sessions()?;
    let entries = stored.into_iter().map(|it| SessionEntry {
        name: it.session.name,
        node: it.session.node,
        started_at: it.session.started_at,
        ended_at: it.session.ended_at,
        ended: it.session.ended,
        running: it.running,
        every_ms: it.session.every_ms,
        ticks: it.session.ticks,
        ticks_missed: it.session.ticks_missed,
        bytes: it.bytes,
    });
    Ok(Sessions {
        schema: "giulia.sessions/1".to_owned(),
        store: archive.path().display().to_string(),
        sessions: entries.collect(),
    })
}

/// Removes one with all it recorded.
///
/// # Errors
/// When there is none of that name, it is being recorded, or the store cannot be written to.
pub fn delete(archive: &Archive, name: &str) -> Result<Deleted, Error> {
    let store = archive.write()?;
    let found = store.find(name)?.session;
    store.delete(&found.name)?;
    Ok(Deleted {
        schema: "giulia.delete/1".to_owned(),
        name: found.name,
        node: found.node,
        ticks: found.ticks,
    })
}

/// Writes one with all it recorded as one stream, for another machine.
///
/// # Errors
/// When there is none of that name, or one of the two sides fails.
pub fn export(archive: &Archive, name: &str, to: impl Write) -> Result<Session, Error> {
    let store = archive.read()?;
    let session = store.find(name)?.session;
    store.export(&session.name, to)?;
    Ok(session)
}

/// Adds one that was exported, under its own name or another.
///
/// # Errors
/// When it is damaged or no export, the name is taken, or the store cannot be written to.
pub fn import(archive: &Archive, from: impl Read, rename: Option<&str>) -> Result<Session, Error> {
    Ok(archive.write()?.import(from, rename)?)
}
