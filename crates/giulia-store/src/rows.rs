//! Records as they lie in the file: each with a sum over all of it, so that whatever is damaged
//! is noticed.
//!
//! The checksum of a body does not know whose body it is: one wrong byte in the index, and a
//! sound body comes with the time of another one.

use std::borrow::Cow;

use rusqlite::{Connection, OptionalExtension, Row, params};

use crate::{Kind, record::Packed};

/// A record as it is stored.
#[derive(Debug, Clone)]
pub(crate) struct Raw {
    pub(crate) seq: u64,
    pub(crate) at_ms: u64,
    pub(crate) kind: Cow<'static, str>,
    pub(crate) packed: Packed,
    /// None in rows of the first version.
    sum: Option<u64>,
}

impl Raw {
    pub(crate) fn new(seq: u64, at_ms: u64, kind: Cow<'static, str>, packed: Packed) -> Self {
        let mut it = Self { seq, at_ms, kind, packed, sum: None };
        it.sum = Some(it.expected_sum());
        it
    }

    /// What is packed in it, if all of it is as it was written.
    pub(crate) fn checked(&self) -> Result<&Packed, String> {
        match self.sum {
            Some(it) if it != self.expected_sum() => Err("its sum does not match".to_owned()),
            _ => Ok(&self.packed),
        }
    }

    /// FNV-1a over everything, in 63 bits because SQLite has no more. It is there to notice
    /// damage, not intent.
    fn expected_sum(&self) -> u64 {
        let base = self.packed.base.map_or(u64::MAX, |it| it);
        let numbers = [self.seq, self.at_ms, base].map(u64::to_le_bytes);
        let bytes = numbers.as_flattened().iter().chain(self.kind.as_bytes());
        let sum = bytes.chain(&self.packed.body).fold(0xcbf2_9ce4_8422_2325_u64, |sum, it| {
            (sum ^ u64::from(*it)).wrapping_mul(0x0100_0000_01b3)
        });
        sum >> 1
    }

    fn of(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            seq: row.get(0)?,
            at_ms: row.get(1)?,
            kind: Cow::Owned(row.get(2)?),
            packed: Packed { body: row.get(3)?, base: row.get(4)? },
            sum: row.get(5)?,
        })
    }
}

/// Adds a record to a session.
pub(crate) fn insert(db: &Connection, session: i64, it: &Raw) -> rusqlite::Result<()> {
    let Packed { body, base } = &it.packed;
    db.prepare_cached(
        "INSERT INTO record (session, seq, at_ms, kind, body, base, sum)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )?
    .execute(params![session, it.seq, it.at_ms, it.kind, body, base, it.sum])
    .map(drop)
}

/// The table that an import gathers its records in.
pub(crate) const STAGING: &str = "CREATE TEMP TABLE staged (
     seq INTEGER PRIMARY KEY, at_ms INTEGER, kind TEXT, body BLOB, base INTEGER, sum INTEGER)
     STRICT";

/// Adds a record to [`STAGING`].
pub(crate) fn stage(db: &Connection, it: &Raw) -> rusqlite::Result<()> {
    let Packed { body, base } = &it.packed;
    db.prepare_cached("INSERT INTO temp.staged VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?
        .execute(params![it.seq, it.at_ms, it.kind, body, base, it.sum])
        .map(drop)
}

/// Moves what was gathered to a session, and counts it there.
pub(crate) fn unstage(db: &Connection, session: i64) -> rusqlite::Result<()> {
    db.execute(
        "INSERT INTO record (session, seq, at_ms, kind, body, base, sum)
         SELECT ?1, seq, at_ms, kind, body, base, sum FROM temp.staged ORDER BY seq",
        [session],
    )?;
    db.execute(
        "UPDATE session SET
         ticks = (SELECT count(*) FROM temp.staged WHERE kind = 'tick'),
         bytes = (SELECT coalesce(sum(length(body)), 0) FROM temp.staged) WHERE id = ?1",
        [session],
    )
    .map(drop)
}

/// Records of a session in order; no kinds means all, also those that we do not know.
pub(crate) fn select(
    db: &Connection,
    session: i64,
    kinds: &[Kind],
    after: Option<u64>,
    limit: usize,
) -> rusqlite::Result<Vec<Raw>> {
    let sql = format!(
        "SELECT seq, at_ms, kind, body, base, sum FROM record
         WHERE session = ?1 AND seq > ?2 {} ORDER BY seq LIMIT ?3",
        only(kinds)
    );
    db.prepare_cached(&sql)?
        .query_map(params![session, seq_after(after), row_limit(limit)], Raw::of)?
        .collect()
}

/// The last records of a session, the last first.
pub(crate) fn select_last(
    db: &Connection,
    session: i64,
    kinds: &[Kind],
    limit: usize,
) -> rusqlite::Result<Vec<Raw>> {
    let sql = format!(
        "SELECT seq, at_ms, kind, body, base, sum FROM record
         WHERE session = ?1 {} ORDER BY seq DESC LIMIT ?2",
        only(kinds)
    );
    db.prepare_cached(&sql)?.query_map(params![session, row_limit(limit)], Raw::of)?.collect()
}

/// The places of [`select`]'s records, which the index knows without the records.
pub(crate) fn select_seqs(
    db: &Connection,
    session: i64,
    kinds: &[Kind],
    after: Option<u64>,
    limit: usize,
) -> rusqlite::Result<Vec<u64>> {
    let sql = format!(
        "SELECT seq FROM record INDEXED BY record_by_seq
         WHERE session = ?1 AND seq > ?2 {} ORDER BY seq LIMIT ?3",
        only(kinds)
    );
    db.prepare_cached(&sql)?
        .query_map(params![session, seq_after(after), row_limit(limit)], |row| row.get(0))?
        .collect()
}

/// One record.
pub(crate) fn select_one(db: &Connection, session: i64, seq: u64) -> rusqlite::Result<Option<Raw>> {
    let sql = "SELECT seq, at_ms, kind, body, base, sum FROM record
               WHERE session = ?1 AND seq = ?2";
    db.prepare_cached(sql)?.query_row(params![session, seq], Raw::of).optional()
}

/// The condition for these kinds, whose names are ours.
fn only(kinds: &[Kind]) -> String {
    let names: Vec<_> = kinds.iter().map(|it| format!("'{}'", it.name())).collect();
    if names.is_empty() { String::new() } else { format!("AND kind IN ({})", names.join(",")) }
}

fn seq_after(after: Option<u64>) -> i64 {
    after.map_or(-1, |it| i64::try_from(it).unwrap_or(i64::MAX))
}

fn row_limit(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}
