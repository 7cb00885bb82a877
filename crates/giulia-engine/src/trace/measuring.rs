//! Own time and words of the hottest functions, in the processes that work most, for a part of
//! the window.

use std::{collections::HashMap, time::Duration};

use giulia_model::{LeftOut, Mfa, NotSeen};
use giulia_probe::{Armable, Counted, Counter, Reading, Whom, busy, dist, kinds};
use tokio::time::Instant;

use super::{counting::Counting, plan::Room};

/// How long it is looked who works.
const LOOKING: Duration = Duration::from_millis(50);

/// What was measured.
#[derive(Debug, Clone, Default)]
pub(super) struct Measurement {
    pub(super) window: Duration,
    pub(super) processes: u64,
    pub(super) processes_total: u64,
    pub(super) calls_of_everybody: u64,
    /// Whether words were measured too.
    pub(super) has_words: bool,
    pub(super) functions: HashMap<Mfa, Own>,
    pub(super) groups: HashMap<String, Group>,
}

/// What measured processes did in one function.
#[derive(Debug, Clone, Default)]
pub(super) struct Own {
    pub(super) calls: u64,
    pub(super) time_us: u64,
    pub(super) processes: u64,
    pub(super) words: u64,
}

/// What processes of one kind did in all of them.
#[derive(Debug, Clone, Default)]
pub(super) struct Group {
    pub(super) processes: u64,
    pub(super) calls: u64,
    pub(super) time_us: u64,
    pub(super) words: u64,
}

/// Who could not be asked any more, because it ended.
const ENDED: &str = "(ended)";

/// Measures; where that is not to be, `not_seen` says why, and counting goes on.
pub(super) async fn measure(
    it: &mut Counting<'_>,
    room: Option<Room>,
    (window, until): (Duration, Instant),
) -> Option<Measurement> {
    let room = room?;
    let mut hottest: Vec<(Mfa, f64)> = it.rates.clone().into_iter().collect();
    hottest.sort_by(|left, right| right.1.total_cmp(&left.1).then_with(|| left.0.cmp(&right.0)));
    let rates: Vec<f64> = hottest.iter().map(|(_, rate)| *rate).collect();
    let left = until.saturating_duration_since(Instant::now());
    let plan = room.measured(&rates, window, left);
    let what: Vec<Armable> = plan
        .functions
        .iter()
        .filter_map(|idx| hottest.get(*idx))
        .map(|(mfa, _)| Armable::Function(mfa.clone()))
        .collect();
    if what.is_empty() {
        let why = if rates.iter().any(|it| *it > 0.0) {
            "nothing could be measured within the budget; --budget raises it, and a longer --for \
             helps"
        } else {
            "no function was called before measuring was to begin"
        };
        it.counted.not_seen.push(NotSeen { what: "own time".to_owned(), why: why.to_owned() });
        return None;
    }
    match measured(it, &what, plan.lasts).await {
        Ok(measurement) => Some(measurement),
        Err(error) => {
            let why = error.to_string();
            it.counted.not_seen.push(NotSeen { what: "own time".to_owned(), why });
            None
        }
    }
}

async fn measured(
    it: &mut Counting<'_>,
    what: &[Armable],
    lasts: Duration,
) -> Result<Measurement, dist::Error> {
    let working = busy(it.link, LOOKING).await?;
    // Where a bug forbids flags, nothing else is armed.
    let flagged = it.tracing.flags(Whom::Pids(&working.pids), &["call"]).await?;
    // Both with one call, or the times alone.
    let both = it.tracing.count(what, &[Counter::Time, Counter::Memory]).await;
    let (counters, armed) = match both {
        Ok(armed) => (&[Counter::Time, Counter::Memory][..], armed),
        Err(error) if error.kind() == dist::ErrorKind::VersionUnsupported => {
            let why = error.to_string();
            it.counted.not_seen.push(NotSeen { what: "words".to_owned(), why });
            (&[Counter::Time][..], it.tracing.count(what, &[Counter::Time]).await?)
        }
        Err(error) => return Err(error),
    };
    let timed: Vec<Armable> = armed.armed.into_iter().map(|(it, _)| it).collect();
    it.counted.left_out.extend(armed.not_armed.iter().map(|it| LeftOut {
        node: None,
        what: it.what.to_string(),
        why: format!("counted, but its own time is not measured: {}", it.why),
        calls_per_s: None,
        price_share: None,
    }));
    let has_words = counters.contains(&Counter::Memory);
    let began = Instant::now();
    let before = it.tracing.read(&timed, Counter::Calls).await?;
    it.sleep_until(began + lasts).await;
    let after = it.tracing.read(&timed, Counter::Calls).await?;
    it.tracing.pause(&timed, counters).await?;
    let mut measurement = Measurement {
        window: began.elapsed(),
        processes: flagged.processes,
        processes_total: working.total,
        calls_of_everybody: calls(&after).saturating_sub(calls(&before)),
        has_words,
        ..Measurement::default()
    };
    let mut of_process: HashMap<_, Group> = HashMap::new();
    let called: Vec<Armable> = called(&after, &timed);
    for Reading { function, counted } in it.tracing.read(&called, Counter::Time).await? {
        let Counted::PerProcess { calls, total, n_processes, processes } = counted else {
            continue;
        };
        let own = measurement.functions.entry(function).or_default();
        (own.calls, own.time_us, own.processes) = (calls, total, n_processes);
        for row in processes {
            let group = of_process.entry(row.pid).or_default();
            group.calls = group.calls.saturating_add(row.calls);
            group.time_us = group.time_us.saturating_add(row.total);
        }
    }
    let weighed = if has_words { called.as_slice() } else { &[] };
    for Reading { function, counted } in it.tracing.read(weighed, Counter::Memory).await? {
        let Counted::PerProcess { total, processes, .. } = counted else { continue };
        measurement.functions.entry(function).or_default().words = total;
        for row in processes {
            let group = of_process.entry(row.pid).or_default();
            group.words = group.words.saturating_add(row.total);
        }
    }
    let kinds = kinds(it.link, of_process.keys().cloned().collect()).await;
    #[expect(clippy::iter_over_hash_type, reason = "sums do not depend on the order")]
    for (pid, one) in of_process {
        let kind = kinds.get(&pid).cloned().unwrap_or_else(|| ENDED.to_owned());
        let group = measurement.groups.entry(kind).or_default();
        group.processes += 1;
        group.calls = group.calls.saturating_add(one.calls);
        group.time_us = group.time_us.saturating_add(one.time_us);
        group.words = group.words.saturating_add(one.words);
    }
    Ok(measurement)
}

fn calls(readings: &[Reading]) -> u64 {
    let calls = readings.iter().map(|it| match it.counted {
        Counted::Calls(calls) => calls,
        Counted::Lost | Counted::PerProcess { .. } => 0,
    });
    calls.fold(0, u64::saturating_add)
}

/// Those that were called at all: the others have no time, and reading it has its price.
fn called(readings: &[Reading], timed: &[Armable]) -> Vec<Armable> {
    let was_called = |what: &&Armable| match what {
        Armable::Module(_) => true,
        Armable::Function(mfa) => readings.iter().any(|it| {
            it.function == *mfa && !matches!(it.counted, Counted::Calls(0) | Counted::Lost)
        }),
    };
    timed.iter().filter(was_called).cloned().collect()
}
