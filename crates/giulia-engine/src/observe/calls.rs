//! The counters of a session on one link: stretch after stretch, as long as the node lets us.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use giulia_model::{MarkKind, TraceEnded, TraceEvent, TraceRecord};
use giulia_probe::KeptChange;
use tokio::sync::{Notify, mpsc::UnboundedSender};

use super::{keeping::KEEPERS_MAX, millis, probe::Told};
use crate::{
    Error, ErrorKind, Stop,
    remote::Link,
    report::calls::CallsFold,
    trace::session::{CountRequest, Stretch, StretchEnd, StretchTold},
};

/// The records' name and version.
const SCHEMA: &str = "giulia.trace_record/1";
/// Before counters are armed anew where the node let go of them.
const AGAIN_AFTER: Duration = Duration::from_secs(1);
/// Before functions are looked for again that are not there: a node that starts loads them late.
const LOOK_AGAIN_AFTER: Duration = Duration::from_secs(5);

/// Functions that a mark names.
const LOST_SHOWN: usize = 5;

/// What the task tells the session.
#[derive(Debug)]
pub(crate) enum CallsTold {
    /// Something to record, between these times.
    Event(Instant, Instant, Box<TraceEvent>),
    /// Nothing is counted, and why.
    Failed(Error),
}

/// Who counts how.
#[derive(Debug, Clone)]
pub(super) struct Calls {
    pub(super) node: String,
    pub(super) request: CountRequest,
    pub(super) every: Duration,
    pub(super) timeout: Duration,
}

/// Counts on this link until it is asked to stop.
///
/// `looked` is told once other tools were looked for: nothing else of ours is switched on before.
pub(super) async fn count(
    link: Link,
    of: Calls,
    (stop, looked): (Stop, Arc<Notify>),
    outbox: UnboundedSender<Told>,
) {
    let mut was_told = false;
    for number in 0..KEEPERS_MAX {
        let kept = |changes: Vec<KeptChange>| {
            // The numbers below belong to what holds the other settings.
            outbox.send(Told::Kept(KEEPERS_MAX + number, changes)).ok();
        };
        let tell = |told: StretchTold| match told {
            StretchTold::Kept(changes) => kept(changes),
            StretchTold::Event(from, to, event) => {
                outbox.send(Told::Calls(CallsTold::Event(from, to, event))).ok();
            }
        };
        let stretch = Stretch {
            node: &of.node,
            link: &link,
            request: &of.request,
            every: of.every,
            timeout: of.timeout,
            looked: (number == 0).then_some(&*looked),
            stop: &stop,
            tell: &tell,
        };
        let again_after = match stretch.run().await {
            StretchEnd::Wanted => return,
            StretchEnd::Lapsed => AGAIN_AFTER,
            StretchEnd::Failed(error) => {
                let again = error.kind() == ErrorKind::NoFunction;
                if !std::mem::replace(&mut was_told, true) {
                    outbox.send(Told::Calls(CallsTold::Failed(error))).ok();
                }
                if !again {
                    return;
                }
                LOOK_AGAIN_AFTER
            }
        };
        tokio::select! {
            () = stop.asked() => return,
            () = tokio::time::sleep(again_after) => {}
        }
    }
}

/// What an event is as something that happened in the session.
pub(super) fn mark(event: &TraceEvent) -> Option<(MarkKind, String)> {
    match event {
        TraceEvent::Began(it) => {
            let text = format!(
                "switched on: call counters on {} functions in {} modules",
                it.functions, it.modules
            );
            Some((MarkKind::Armed, text))
        }
        TraceEvent::Ended(TraceEnded { why: Some(why), .. }) => {
            Some((MarkKind::Alarm, format!("calls are not counted any more: {why}")))
        }
        TraceEvent::Counted(it) if !it.lost.is_empty() => {
            let named: Vec<String> =
                it.lost.iter().take(LOST_SHOWN).map(|it| it.mfa().to_string()).collect();
            let more = match it.lost.len().saturating_sub(named.len()) {
                0 => String::new(),
                more => format!(" and {more} more"),
            };
            let why = it.lost.first().map(|it| it.why.as_str()).unwrap_or_default();
            let text = format!("no longer counted: {}{more}: {why}", named.join(", "));
            Some((MarkKind::Alarm, text))
        }
        TraceEvent::TookOver(it) => {
            let named: Vec<&str> = it.modules.iter().take(LOST_SHOWN).map(|it| bare(it)).collect();
            let more = match it.modules.len().saturating_sub(named.len()) {
                0 => String::new(),
                more => format!(" and {more} more"),
            };
            let text = format!(
                "switched on: call counters on {} functions of what was loaded meanwhile: {}{more}",
                it.functions,
                named.join(", ")
            );
            Some((MarkKind::Armed, text))
        }
        TraceEvent::Counted(_)
        | TraceEvent::Measured(_)
        | TraceEvent::Placed(_)
        | TraceEvent::Ended(_)
        | TraceEvent::Totals(_) => None,
    }
}

fn bare(module: &str) -> &str {
    module.strip_prefix("Elixir.").unwrap_or(module)
}

/// What a session was told of its counters: records with their stretch and their time in the
/// session, and their sums.
#[derive(Debug, Default)]
pub(super) struct CallsLog {
    stretches: u32,
    sums: CallsFold,
}

impl CallsLog {
    /// An event as a record.
    pub(super) fn record(
        &mut self,
        started: Instant,
        (from, to): (Instant, Instant),
        event: TraceEvent,
    ) -> TraceRecord {
        if matches!(event, TraceEvent::Began(_)) {
            self.stretches += 1;
        }
        let at_ms = |it: Instant| millis(it.saturating_duration_since(started));
        self.made((at_ms(from), at_ms(to)), event)
    }

    /// The end of a stretch that nobody told of, if one is open.
    pub(super) fn cut_off(&mut self, why: &str) -> Option<TraceRecord> {
        let window = self.sums.open_since()?;
        let why = Some(why.to_owned());
        Some(self.made(window, TraceEvent::Ended(TraceEnded { why, ..TraceEnded::default() })))
    }

    /// The sums of all of it; nothing where nothing was counted.
    pub(super) fn totals(&mut self) -> Option<TraceRecord> {
        let sums = std::mem::take(&mut self.sums).finish(false, usize::MAX)?;
        let first = sums.stretches.first().map_or(0, |it| it.from_ms);
        let last = sums.stretches.last().map_or(0, |it| it.to_ms);
        Some(self.record_of((first, last), TraceEvent::Totals(Box::new(sums))))
    }

    fn made(&mut self, window: (u64, u64), event: TraceEvent) -> TraceRecord {
        let record = self.record_of(window, event);
        self.sums.record(record.clone());
        record
    }

    fn record_of(&self, (from_ms, to_ms): (u64, u64), event: TraceEvent) -> TraceRecord {
        let stretch = self.stretches.saturating_sub(1);
        TraceRecord { schema: SCHEMA.to_owned(), stretch, from_ms, to_ms, event }
    }
}
