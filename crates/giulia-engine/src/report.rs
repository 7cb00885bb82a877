//! From records to a report: reads a session page by page and folds it, whatever its length.

pub(crate) mod calls;
mod database;
mod fold;
mod jumps;
mod logger;
mod plan;
pub(crate) mod series;
mod tally;
mod windows;

use giulia_model::{
    Answer, DatabaseRecord, Mark, NotSeen, Report, SessionTrace, Snapshot, TraceRecord,
};
use giulia_rules::Picture;
use giulia_store::{Kind, Record, Store};

pub(crate) use self::fold::Fold;
pub use self::windows::{ProfileRequest, profile};
use crate::{
    Archive, Error,
    examine::Painter,
    places::{self, Graphs},
};

/// Records that are read at once: 200 ticks of 20 KB are 4 MB.
const PAGE: usize = 200;

/// A record that was read.
#[derive(Debug, Clone)]
pub(crate) enum Told {
    Tick(Box<Snapshot>),
    Mark(Mark),
    Calls(Box<TraceRecord>),
    Answer(Box<Answer>),
    Database(Box<DatabaseRecord>),
}

/// A session in figures: by name, by the beginning of a name, or `last`.
///
/// # Errors
/// When there is no such session, or the store cannot be read. A damaged record is a line of
/// `not_seen`.
pub fn report(archive: &Archive, name: &str, top: usize) -> Result<Report, Error> {
    let store = archive.read()?;
    let stored = store.find(name)?;
    let name = stored.session.name.clone();
    let mut fold = Fold::new(stored.session.every_ms, top);
    each(&store, &name, &[Kind::Tick, Kind::Mark, Kind::Trace, Kind::Database], |at_ms, told| {
        fold.told(at_ms, told);
    })?;
    Ok(placed(fold.finish(stored.session, stored.running), archive))
}

/// The same, and the session as rules see it, read once for both.
///
/// # Errors
/// As [`report`].
pub fn report_and_picture(
    archive: &Archive,
    name: &str,
    top: usize,
) -> Result<(Report, Picture), Error> {
    let store = archive.read()?;
    let stored = store.find(name)?;
    let name = stored.session.name.clone();
    let mut fold = Fold::new(stored.session.every_ms, top);
    let mut painter = Painter::new(&stored.session);
    each(&store, &name, Kind::ALL, |at_ms, told| {
        painter.told(at_ms, told);
        fold.told(at_ms, told);
    })?;
    let picture = painter.finish(stored.session.clone(), stored.running);
    Ok((placed(fold.finish(stored.session, stored.running), archive), picture))
}

/// The same with what is indexed by now.
fn placed(mut report: Report, archive: &Archive) -> Report {
    if let Some(trace) = &mut report.trace {
        places::join(trace, &Graphs::of(archive, &report.session.node));
    }
    report
}

/// Reads records of these kinds in order; a damaged one is what was not seen.
pub(crate) fn each(
    store: &Store,
    name: &str,
    kinds: &[Kind],
    mut take: impl FnMut(u64, &Result<Told, NotSeen>),
) -> Result<(), Error> {
    let mut after = None;
    loop {
        let page = store.page(name, kinds, after, PAGE)?;
        for problem in &page.problems {
            take(0, &Err(damaged(problem.seq, &problem.why)));
        }
        for record in &page.records {
            match read(record) {
                Ok(None) => {}
                Ok(Some(told)) => take(record.at_ms, &Ok(told)),
                Err(why) => take(record.at_ms, &Err(damaged(record.seq, &why.to_string()))),
            }
        }
        after = page.next_after;
        if after.is_none() {
            return Ok(());
        }
    }
}

/// All functions that a session counted, with their sums; nothing where it counted none.
///
/// # Errors
/// When there is no such session, or the store cannot be read.
pub fn session_trace(archive: &Archive, name: &str) -> Result<Option<SessionTrace>, Error> {
    Ok(report(archive, name, usize::MAX)?.trace)
}

/// None of a kind that a later giulia invented.
fn read(record: &Record) -> Result<Option<Told>, serde_json::Error> {
    let body = record.body.as_slice();
    Ok(Some(match record.kind {
        Kind::Tick => Told::Tick(serde_json::from_slice(body)?),
        Kind::Mark => Told::Mark(serde_json::from_slice(body)?),
        Kind::Trace => Told::Calls(serde_json::from_slice(body)?),
        Kind::Answer => Told::Answer(serde_json::from_slice(body)?),
        Kind::Database => Told::Database(serde_json::from_slice(body)?),
        _ => return Ok(None),
    }))
}

fn damaged(seq: u64, why: &str) -> NotSeen {
    let why = format!("record {seq} cannot be read: {why}");
    NotSeen { what: "a damaged record".to_owned(), why }
}
