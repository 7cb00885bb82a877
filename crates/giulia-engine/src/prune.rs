//! Retention: which sessions go when only so many, so old, or so much are kept.

use std::time::Duration;

use giulia_model::{Deleted, Pruned};
use giulia_store::Stored;
use jiff::Timestamp;

use crate::{Archive, Clock, Error};

/// What is kept; what no limit is given for is kept whole.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Keep {
    /// So many sessions, the newest.
    pub count: Option<usize>,
    /// Sessions that began so long ago at most.
    pub age: Option<Duration>,
    /// So many bytes of records together, those of the newest sessions.
    pub bytes: Option<u64>,
}

/// Deletes what is beyond the limits, the oldest first; sessions that are being recorded stay.
///
/// # Errors
/// When the store cannot be written to.
pub fn prune(
    archive: &Archive,
    keep: Keep,
    clock: &Clock,
    is_dry_run: bool,
) -> Result<Pruned, Error> {
    let store = if is_dry_run { archive.read()? } else { archive.write()? };
    let all = store.sessions()?;
    let now: Option<Timestamp> = clock.now_rfc3339().parse().ok();
    let going = beyond(&all, keep, now);
    let mut pruned = Pruned {
        schema: "giulia.prune/1".to_owned(),
        is_dry_run,
        kept: u64::try_from(all.len() - going.len()).unwrap_or(u64::MAX),
        ..Pruned::default()
    };
    for it in going.into_iter().rev() {
        if !is_dry_run {
            store.delete(&it.session.name)?;
        }
        pruned.freed_bytes = pruned.freed_bytes.saturating_add(it.bytes);
        pruned.deleted.push(Deleted {
            schema: "giulia.delete/1".to_owned(),
            name: it.session.name.clone(),
            node: it.session.node.clone(),
            ticks: it.session.ticks,
        });
    }
    Ok(pruned)
}

/// Of sessions that are listed newest first.
fn beyond(all: &[Stored], keep: Keep, now: Option<Timestamp>) -> Vec<&Stored> {
    let mut bytes = 0_u64;
    let mut going = Vec::new();
    for (idx, it) in all.iter().enumerate() {
        bytes = bytes.saturating_add(it.bytes);
        let began = it.session.started_at.parse::<Timestamp>().ok();
        let age = now.zip(began).map(|(now, began)| now.duration_since(began).as_secs());
        let age = age.and_then(|it| u64::try_from(it).ok()).map(Duration::from_secs);
        let is_beyond = keep.count.is_some_and(|most| idx >= most)
            || keep.bytes.is_some_and(|most| bytes > most)
            || keep.age.zip(age).is_some_and(|(most, age)| age > most);
        if is_beyond && !it.running {
            going.push(it);
        }
    }
    going
}

#[cfg(test)]
mod tests {
    use giulia_model::Session;

    use super::*;

    fn stored(started_at: &str, bytes: u64, running: bool) -> Stored {
        let session = Session {
            name: started_at.to_owned(),
            started_at: started_at.to_owned(),
            ..Session::default()
        };
        Stored { session, running, bytes }
    }

    #[test]
    fn the_oldest_go_and_those_under_way_stay() {
        let all = [
            stored("2026-03-05T00:00:00Z", 100, false),
            stored("2026-03-04T00:00:00Z", 100, false),
            stored("2026-03-03T00:00:00Z", 100, true),
            stored("2026-03-02T00:00:00Z", 100, false),
        ];
        let now = "2026-03-05T12:00:00Z".parse().ok();
        let going = |keep| -> Vec<String> {
            beyond(&all, keep, now)
                .iter()
                .map(|it| it.session.started_at[8..10].to_owned())
                .collect()
        };
        assert_eq!(going(Keep::default()), Vec::<String>::new());
        assert_eq!(going(Keep { count: Some(1), ..Keep::default() }), ["04", "02"]);
        assert_eq!(going(Keep { bytes: Some(250), ..Keep::default() }), ["02"]);
        let age = Some(Duration::from_hours(24));
        assert_eq!(going(Keep { age, ..Keep::default() }), ["04", "02"]);
    }
}
