//! What several rules need of a picture, and how they write figures.

use giulia_model::{
    EtsRates, EtsTableRate, Finding, LimitOver, NotSeenOver, ProcessGroup, Share, Snapshot,
};

use crate::{Missing, Picture, judge::plain, predict::as_f64};

/// What the VM itself does for who traces, in a process of its own (`erts_internal`, ERTS 15 and
/// later): while suspects are looked at closely that is giulia. Its other processes are in no share.
const OF_THE_OBSERVER: &str = "erts_trace_cleaner:start/0";

/// The time that ticks cover, in milliseconds.
pub(crate) fn elapsed_ms(picture: &Picture) -> f64 {
    picture.report.window.windows_ms
}

/// Who used the reductions, whoever observes left out.
#[derive(Debug)]
pub(crate) struct Worked<'a> {
    /// Reductions by the second.
    pub(crate) per_second: f64,
    /// Kinds of processes with their share, the busiest first.
    pub(crate) groups: Vec<(&'a Share, f64)>,
    /// Share of the logger's processes.
    pub(crate) logger_share: f64,
}

/// Who used the reductions.
///
/// # Errors
/// When no tick held it.
pub(crate) fn worked(picture: &Picture) -> Result<Worked<'_>, Missing> {
    let work = picture.report.work.as_ref().ok_or_else(|| {
        let ask = format!("giulia observe {} --for 30s", picture.node);
        Missing::new("who works", "no tick of the session held it", ask)
    })?;
    let is_observer = |it: &&Share| it.name == OF_THE_OBSERVER;
    let rows = &work.by_initial_call.rows;
    let observer: f64 = rows.iter().filter(is_observer).map(|it| it.share).sum();
    let rest = (1.0 - observer).max(1e-9);
    // Those that nobody looked at are no kind of process.
    let is_kind = |it: &&Share| !is_observer(it) && ProcessGroup::is_name(&it.name);
    let others = rows.iter().filter(is_kind);
    Ok(Worked {
        per_second: work.reductions_per_second * rest,
        groups: others.map(|it| (it, it.share / rest)).collect(),
        logger_share: (work.logger.share / rest).min(1.0),
    })
}

/// The kinds of processes that worked most, where any stands out.
pub(crate) fn busiest(picture: &Picture) -> Vec<(&Share, f64)> {
    let worked = worked(picture).map(|it| it.groups).unwrap_or_default();
    worked.into_iter().take(3).filter(|it| it.1 >= 0.1).collect()
}

/// What a rule says of each thing. Nothing found is clear only where all that it needs was seen of
/// every one; else it is the first that is missing.
///
/// # Errors
/// When nothing is found and something was not seen.
pub(crate) fn of_each<T>(
    all: &[T],
    one: impl Fn(&T) -> Result<Option<Finding>, Missing>,
) -> Result<Vec<Finding>, Missing> {
    let mut found = Vec::new();
    let mut unseen = None;
    for said in all.iter().map(one) {
        match said {
            Ok(said) => found.extend(said),
            Err(missing) => unseen = unseen.or(Some(missing)),
        }
    }
    found_or(found, unseen)
}

/// What was found; nothing found is clear only where nothing is missing.
fn found_or(found: Vec<Finding>, unseen: Option<Missing>) -> Result<Vec<Finding>, Missing> {
    match unseen {
        Some(missing) if found.is_empty() => Err(missing),
        _ => Ok(found),
    }
}

/// The last look at tables.
///
/// # Errors
/// When nobody looked, or a look could tell none of the tables that are used; with its reason.
pub(crate) fn ets_rates(picture: &Picture) -> Result<&EtsRates, Missing> {
    let rates = picture.ets_rates.as_ref().map_err(Clone::clone)?;
    // Never empty.
    let rates = rates.last().ok_or_else(Missing::default)?;
    match rates.not_seen.first() {
        Some(unseen) if rates.tables.is_empty() => {
            let ask = format!("giulia ets {} --for 10s", picture.node);
            Err(Missing::new(unseen.what.as_str(), unseen.why.as_str(), ask))
        }
        _ => Ok(rates),
    }
}

/// A figure of a table that a sample may not give.
///
/// # Errors
/// When it does not.
pub(crate) fn sampled<T>(
    picture: &Picture,
    rate: &EtsTableRate,
    it: Option<T>,
) -> Result<T, Missing> {
    it.ok_or_else(|| {
        Missing::new(
            format!("reads and writes of {}", rate.name),
            "too many calls of ets could not be sampled",
            format!("giulia ets {} --for 10s", picture.node),
        )
    })
}

/// A trend needs more than two points.
///
/// # Errors
/// When there are fewer ticks, with the command that makes more.
pub(crate) fn needs_ticks(picture: &Picture, least: f64, what: &str) -> Result<(), Missing> {
    let ticks = picture.report.window.ticks;
    if as_f64(ticks) >= least {
        return Ok(());
    }
    let ask = format!("giulia observe {} --for 30s", picture.node);
    Err(Missing::new(what, format!("{ticks} ticks, and it takes {least}"), ask))
}

/// What a rule found by mailboxes: where those of most processes could not be asked for, nothing is
/// clear.
///
/// # Errors
/// When nothing is found and they could not be; with the reason.
pub(crate) fn of_mailboxes(
    picture: &Picture,
    found: Vec<Finding>,
) -> Result<Vec<Finding>, Missing> {
    let is_it = |it: &&NotSeenOver| it.it.what.starts_with("mailboxes and names");
    let unseen = picture.report.not_seen.iter().find(is_it).map(|unseen| {
        let ask = format!("giulia check {} --accept-vm-bug", picture.node);
        Missing::new("mailboxes of most processes", &unseen.it.why, ask)
    });
    found_or(found, unseen)
}

/// What a rule found in samples of functions: nothing is clear only where each function was sampled
/// that was to be.
///
/// # Errors
/// When nothing is found and a function was not sampled; with the reason.
pub(crate) fn of_samples(picture: &Picture, found: Vec<Finding>) -> Result<Vec<Finding>, Missing> {
    found_or(found, picture.unexplained.clone())
}

/// A count against its limit over the session.
///
/// # Errors
/// When no tick held it.
pub(crate) fn count_of<'a>(picture: &'a Picture, name: &str) -> Result<&'a LimitOver, Missing> {
    picture.report.limits.iter().find(|it| it.name == name).ok_or_else(|| {
        let ask = format!("giulia observe {} --for 30s", picture.node);
        Missing::new(name, "no tick of the session held it", ask)
    })
}

/// In how many minutes a count reaches its limit at this pace; absent for one that does not grow.
pub(crate) fn minutes_to_limit(it: &LimitOver) -> Option<f64> {
    let pace = it.per_minute.filter(|it| *it > 0.0)?;
    Some((as_f64(it.limit?) - as_f64(it.last)).max(0.0) / pace)
}

/// The group of processes that became more, and by how many at least: those at first that nobody
/// asked what they are may all have been of it.
pub(crate) fn grown(first: &Snapshot, last: &Snapshot) -> Option<(ProcessGroup, u64)> {
    let coverage = first.processes.as_ref()?.group_coverage;
    let unknown = coverage.total.saturating_sub(coverage.asked);
    let before = &first.processes.as_ref()?.by_initial_call;
    let after = &last.processes.as_ref()?.by_initial_call;
    let by = |it: &ProcessGroup| {
        let was = before.iter().find(|old| old.name == it.name).map_or(0, |old| old.processes);
        (it.clone(), it.processes.saturating_sub(was.saturating_add(unknown)))
    };
    let known = after.iter().filter(|it| ProcessGroup::is_name(&it.name));
    known.map(by).max_by_key(|it| it.1).filter(|it| it.1 > 0)
}

/// `64 MiB`: sizes in powers of 1024, as the tables of reports write them.
pub(crate) fn bytes(size: f64) -> String {
    let (kib, mib, gib) = (1024.0, 1024.0 * 1024.0, 1024.0 * 1024.0 * 1024.0);
    let units = [(gib, "GiB"), (mib, "MiB"), (kib, "KiB")];
    let unit = units.iter().find(|(least, _)| size >= *least);
    let (least, name) = unit.copied().unwrap_or((1.0, "bytes"));
    format!("{} {name}", plain(size / least))
}

/// `38 %`.
pub(crate) fn percent(share: f64) -> String {
    format!("{:.0} %", share * 100.0)
}

/// `4 minutes`, `3.5 hours`, `12 days`.
pub(crate) fn duration(minutes: f64) -> String {
    let units = [(1440.0, "days"), (60.0, "hours")];
    let unit = units.iter().find(|(least, _)| minutes >= 2.0 * least);
    let (least, name) = unit.copied().unwrap_or((1.0, "minutes"));
    format!("{} {name}", plain(minutes / least))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_times_read_as_people_write_them() {
        assert_eq!(bytes(67_108_864.0), "64 MiB");
        assert_eq!(bytes(12.0), "12 bytes");
        assert_eq!(percent(0.381), "38 %");
        assert_eq!(duration(90.0), "90 minutes");
        assert_eq!(duration(240.0), "4 hours");
        assert_eq!(duration(14_400.0), "10 days");
    }

    #[test]
    fn what_does_not_grow_reaches_no_limit() {
        let mut it = LimitOver { last: 100, limit: Some(400), ..LimitOver::default() };
        assert_eq!(minutes_to_limit(&it), None);
        it.per_minute = Some(30.0);
        assert_eq!(minutes_to_limit(&it), Some(10.0));
    }
}
