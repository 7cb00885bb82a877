//! Graphs of code: one blob each under the name of its project or node, encoded by its owner.

use rusqlite::{OptionalExtension, Row, params};

use crate::{Error, ErrorKind, Store};

/// Longest name of a graph, in bytes: the longest path of Linux (`PATH_MAX`).
const NAME_BYTES_MAX: usize = 4096;

/// Largest body, in bytes before compression: 30 times the graph of 10 million lines, and what
/// SQLite takes as one value (1,000,000,000).
const GRAPH_BYTES_MAX: usize = 960 << 20;

/// The level of zstd; a graph of 150,000 edges packs in 20 ms.
const LEVEL: i32 = 3;

/// A graph that is kept, without its body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredGraph {
    /// What it is of: the folder of a project or the name of a node.
    pub name: String,
    /// What its owner says of it, to be listed without reading the body.
    pub head: String,
    /// Bytes of its body on disk, compressed; not read when it is saved.
    pub bytes: u64,
}

const COLUMNS: &str = "name, head, length(body)";

impl StoredGraph {
    fn of(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self { name: row.get(0)?, head: row.get(1)?, bytes: row.get(2)? })
    }
}

impl Store {
    /// All graphs, by name.
    ///
    /// # Errors
    /// `Corrupt`, `Locked`, `Io`.
    pub fn graphs(&self) -> Result<Vec<StoredGraph>, Error> {
        let sql = format!("SELECT {COLUMNS} FROM graph ORDER BY name");
        self.read("listing the graphs of", |db| {
            db.prepare_cached(&sql)?.query_map([], StoredGraph::of)?.collect()
        })
    }

    /// The graph of this name with its body.
    ///
    /// # Errors
    /// `Corrupt` when the body is damaged; `Locked`, `Io`.
    pub fn graph(&self, name: &str) -> Result<Option<(StoredGraph, Vec<u8>)>, Error> {
        let sql = format!("SELECT {COLUMNS}, size, body FROM graph WHERE name = ?1");
        let found: Option<(StoredGraph, usize, Vec<u8>)> =
            self.read("reading a graph from", |db| {
                let row = |row: &Row<'_>| Ok((StoredGraph::of(row)?, row.get(3)?, row.get(4)?));
                db.prepare_cached(&sql)?.query_row([name], row).optional()
            })?;
        let Some((graph, size, body)) = found else { return Ok(None) };
        let damaged = |why: &str| {
            let path = self.inner.path.display();
            let text = format!("reading the graph of {name} from {path}: {why}; index it again");
            Error::new(ErrorKind::Corrupt, text)
        };
        if size > GRAPH_BYTES_MAX {
            return Err(damaged("it is larger than any that is written"));
        }
        let body = zstd::bulk::decompress(&body, size).map_err(|it| damaged(&it.to_string()))?;
        Ok(Some((graph, body)))
    }

    /// Keeps a graph in the place of the one of its name.
    ///
    /// # Errors
    /// `TooLarge`, `BadName`, `ReadOnly`, `Full`, `Locked`, `Io`.
    pub fn save_graph(&self, name: &str, head: &str, body: &[u8]) -> Result<(), Error> {
        self.must_write("keeping a graph in")?;
        if name.is_empty() || name.len() > NAME_BYTES_MAX {
            let text = format!("keeping a graph: its name has 1 to {NAME_BYTES_MAX} bytes");
            return Err(Error::new(ErrorKind::BadName, text));
        }
        if body.len() > GRAPH_BYTES_MAX {
            let text = format!(
                "keeping the graph of {name}: {} bytes are more than {GRAPH_BYTES_MAX}; index a \
                 part of it",
                body.len()
            );
            return Err(Error::new(ErrorKind::TooLarge, text));
        }
        let packed = pack(body).map_err(|it| {
            Error::new(ErrorKind::Io, format!("packing the graph of {name}: {it}; try again"))
        })?;
        self.read("keeping a graph in", |db| {
            db.prepare_cached(
                "INSERT INTO graph (name, head, size, body) VALUES (?1, ?2, ?3, ?4)
                 ON CONFLICT (name) DO UPDATE SET head = ?2, size = ?3, body = ?4",
            )?
            .execute(params![name, head, body.len(), packed])
            .map(drop)
        })
    }

    /// Forgets a graph; whether there was one.
    ///
    /// # Errors
    /// `ReadOnly`, `Full`, `Locked`, `Io`.
    pub fn delete_graph(&self, name: &str) -> Result<bool, Error> {
        self.must_write("deleting a graph from")?;
        self.read("deleting a graph from", |db| {
            Ok(db.execute("DELETE FROM graph WHERE name = ?1", [name])? > 0)
        })
    }
}

/// A frame with a checksum, so that damage is noticed.
fn pack(body: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut packer = zstd::bulk::Compressor::new(LEVEL)?;
    packer.include_checksum(true)?;
    packer.compress(body)
}
