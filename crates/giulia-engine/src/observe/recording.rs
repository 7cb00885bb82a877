//! What a session writes: its head, its ticks, its marks; and the name that it goes by.

use giulia_model::{Answer, DatabaseRecord, Ended, Mark, MarkKind, Session, Snapshot, TraceRecord};
use giulia_store::{Health, Kind, Recorder, Store};
use serde::Serialize;

use crate::{Clock, Error, ErrorKind, ObserveRequest};

/// The document of one tick.
const SCHEMA: &str = "giulia.snapshot/1";
/// Names that are tried for one node in one second before we give up.
const NAMES_MAX: u32 = 100;

/// A session on its way into the store.
#[derive(Debug)]
pub(crate) struct Recording {
    recorder: Recorder,
    session: Session,
    is_failing: bool,
    lost: Option<Lost>,
}

/// Records that were refused and not told of yet, with the first reason.
#[derive(Debug)]
struct Lost {
    records: u64,
    why: String,
}

/// Says whether a chosen name is free, before anything is asked of the node.
///
/// # Errors
/// [`ErrorKind::Store`] when it is taken.
pub(crate) fn is_free(store: &Store, name: &str) -> Result<(), Error> {
    // `find` takes beginnings of names and `last` too.
    let is_taken = store.sessions()?.iter().any(|it| it.session.name == name);
    if is_taken { Err(taken(name)) } else { Ok(()) }
}

fn taken(name: &str) -> Error {
    Error::new(
        ErrorKind::Store(giulia_store::ErrorKind::NameTaken),
        format!(
            "there is a session `{name}` already; choose another --name, or `giulia delete {name}`"
        ),
    )
}

impl Recording {
    /// Begins under the chosen name, or under one made of node and time.
    ///
    /// # Errors
    /// Those of the store.
    pub(crate) fn begin(
        store: &Store,
        node: &str,
        request: &ObserveRequest,
        clock: &Clock,
    ) -> Result<Self, Error> {
        let started_at = clock.now_rfc3339();
        let mut session = Session {
            name: request.name.clone().unwrap_or_else(|| made_up(node, &started_at)),
            node: node.to_owned(),
            started_at,
            ended_at: None,
            ended: None,
            every_ms: super::millis(request.every),
            ticks: 0,
            ticks_missed: 0,
            facts: None,
            workload: None,
            manifest: Vec::new(),
            giulia_version: env!("CARGO_PKG_VERSION").to_owned(),
        };
        let made_up = session.name.clone();
        let mut tries = 1;
        let recorder = loop {
            match store.begin(&session) {
                Ok(recorder) => break recorder,
                Err(error) if error.kind() == giulia_store::ErrorKind::NameTaken => {
                    if request.name.is_some() || tries == NAMES_MAX {
                        return Err(taken(&session.name));
                    }
                    tries += 1;
                    session.name = format!("{made_up}-{tries}");
                }
                Err(error) => return Err(error.into()),
            }
        };
        Ok(Self { recorder, session, is_failing: false, lost: None })
    }

    /// Its head as it is now.
    pub(crate) fn session(&self) -> &Session {
        &self.session
    }

    /// To be changed; written with the next tick or mark.
    pub(crate) fn session_mut(&mut self) -> &mut Session {
        &mut self.session
    }

    /// Writes a tick; what the head has already is left out of the record.
    pub(crate) fn tick(&mut self, at_ms: u64, seen: &mut Snapshot) {
        SCHEMA.clone_into(&mut seen.schema);
        // Sums are enough: the single questions of an hour would be most of the record.
        seen.impact.questions.clear();
        if let Some(facts) = seen.node.take() {
            // A restarted node may be another release; the head tells of the first.
            if self.session.facts.is_none() {
                self.session.facts = Some(facts);
            }
        }
        self.session.ticks += u64::from(self.append(Kind::Tick, at_ms, seen));
        self.update();
    }

    /// Writes a mark.
    pub(crate) fn mark(&mut self, mark: &Mark) {
        self.append(Kind::Mark, mark.at_ms, mark);
        self.update();
    }

    /// Writes what counters said.
    pub(crate) fn trace(&mut self, record: &TraceRecord) {
        self.append(Kind::Trace, record.to_ms, record);
    }

    /// Writes what the database behind the node said.
    pub(crate) fn database(&mut self, record: &DatabaseRecord) {
        self.append(Kind::Database, record.to_ms, record);
    }

    /// Writes what was asked beside the ticks.
    pub(crate) fn answer(&mut self, at_ms: u64, answer: &Answer) {
        self.append(Kind::Answer, at_ms, answer);
    }

    /// What changed about writing, for a mark.
    pub(crate) fn health(&mut self) -> Option<(MarkKind, String)> {
        let was_failing = self.is_failing;
        let failing = match self.recorder.health() {
            Health::Failing { why, held_records, .. } => {
                let are = if held_records == 1 { "record is" } else { "records are" };
                Some(format!("{why}; {held_records} {are} held in memory"))
            }
            Health::Ok => None,
        };
        self.is_failing = failing.is_some();
        match failing {
            // What is refused meanwhile is told when there is room for a mark again.
            Some(_) if was_failing => None,
            Some(text) => Some((MarkKind::StoreFailed, text)),
            None => again(was_failing, self.lost.take()),
        }
    }

    /// Writes the end and waits until all of it is on disk.
    ///
    /// # Errors
    /// When it is not; the text says what was kept and where.
    pub(crate) fn finish(mut self, ended: Ended, clock: &Clock) -> Result<Session, Error> {
        self.session.ended = Some(ended);
        self.session.ended_at = Some(clock.now_rfc3339());
        self.recorder.finish(&self.session)?;
        Ok(self.session)
    }

    /// Whether the recorder took it.
    fn append(&mut self, kind: Kind, at_ms: u64, record: &impl Serialize) -> bool {
        let body = serde_json::to_vec(record).map_err(|it| it.to_string());
        let appended =
            body.and_then(|it| self.recorder.append(kind, at_ms, it).map_err(|it| it.to_string()));
        let is_taken = appended.is_ok();
        if let Err(why) = appended {
            self.lost.get_or_insert(Lost { records: 0, why }).records += 1;
        }
        is_taken
    }

    fn update(&mut self) {
        if let Err(error) = self.recorder.update(&self.session) {
            let why = error.to_string();
            self.lost.get_or_insert(Lost { records: 0, why });
        }
    }
}

/// What a store that takes records says of the time before.
fn again(was_failing: bool, lost: Option<Lost>) -> Option<(MarkKind, String)> {
    match (was_failing, lost) {
        (false, None) => None,
        (true, None) => Some((
            MarkKind::StoreRecovered,
            "the store takes records again; nothing was lost".to_owned(),
        )),
        (was_failing, Some(Lost { records, why })) => {
            let are = if records == 1 { "record is" } else { "records are" };
            let lost = format!("{records} {are} lost: {why}");
            Some(if was_failing {
                (MarkKind::StoreRecovered, format!("the store takes records again; {lost}"))
            } else {
                (MarkKind::StoreFailed, lost)
            })
        }
    }
}

/// `shop-20260301-120000`: the node's own name and the time in UTC.
fn made_up(node: &str, started_at: &str) -> String {
    let alive = node.split('@').next().unwrap_or(node);
    let digits: String = started_at.chars().filter(char::is_ascii_digit).collect();
    let (day, time) = digits.split_at_checked(8).unwrap_or((&digits, ""));
    format!("{alive}-{day}-{}", time.get(..6).unwrap_or(time))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_refused_is_told_once_there_is_room() {
        let lost = |records| Some(Lost { records, why: "no room".to_owned() });
        assert_eq!(again(false, None), None);
        let (kind, text) = again(true, None).unwrap();
        assert_eq!(kind, MarkKind::StoreRecovered);
        assert!(text.ends_with("nothing was lost"), "{text}");
        let (kind, text) = again(true, lost(3)).unwrap();
        assert_eq!(kind, MarkKind::StoreRecovered);
        assert!(text.ends_with("again; 3 records are lost: no room"), "{text}");
        let (kind, text) = again(false, lost(1)).unwrap();
        assert_eq!((kind, text.as_str()), (MarkKind::StoreFailed, "1 record is lost: no room"));
    }

    #[test]
    fn a_name_is_made_of_the_node_and_the_time() {
        assert_eq!(made_up("shop@db1", "2026-03-01T12:00:07.250Z"), "shop-20260301-120007");
    }
}
