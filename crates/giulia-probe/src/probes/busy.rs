//! Question: which processes work now, and on how many schedulers?
//!
//! Call: evaluated (`erl/busy.erl`): `erlang:processes/0`, `process_info(_, reductions)` of all of
//! them before and after a pause, subtracted there.
//! First OTP: 23.
//! Cost: 0.1 µs a process twice, at low priority: 200,000 take 60 ms (beam-facts 5 and 8.2).
//! Limit: 1,000 processes are told. Above 200,000 nobody is asked.
//! Side effects: none.

use std::{collections::HashMap, time::Duration};

use giulia_dist::{
    Error,
    term::{Limits, Pid, Reader, Term},
};

use super::Probe;
use crate::{
    answer::{self, Problem},
    eval,
    link::{HEAP_WORDS, Link},
    paged,
};

pub(crate) const PROBE: Probe = Probe { name: "busy", question: "which processes work now?" };

/// Processes that are told: each is flagged later, at 5 µs.
const MOST: i64 = 1000;
/// Each look at them takes two lists of tuples with 9 words a process.
const WORDS_A_PROCESS: u64 = 40;
/// Above this only the schedulers are asked.
const PROCESSES_MAX: u64 = 200_000;

/// Who worked within a pause.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Busy {
    /// Normal schedulers online.
    pub schedulers: u64,
    /// All processes.
    pub total: u64,
    /// How long the pause was there, in milliseconds.
    pub pause_ms: f64,
    /// Who worked, the busiest first.
    pub pids: Vec<Pid>,
}

/// Who works while it pauses.
///
/// # Errors
///
/// When the node does not answer, or has more processes than may be asked.
pub async fn busy(link: &Link, pause: Duration) -> Result<Busy, Error> {
    Ok(ask(link, pause).await?)
}

async fn ask(link: &Link, pause: Duration) -> Result<Busy, Problem> {
    if link.processes() > PROCESSES_MAX {
        let why = format!("above {PROCESSES_MAX} processes nobody is asked who works");
        return Err(Problem(why));
    }
    let pause_ms = i64::try_from(pause.as_millis()).unwrap_or(i64::MAX);
    let question = eval::BUSY.with(Term::tuple([Term::int(pause_ms), Term::int(MOST)]));
    let heap_words = HEAP_WORDS.max(link.processes().saturating_mul(WORDS_A_PROCESS));
    let bytes = link.ask(PROBE.name, &question, heap_words, pause).await?;
    let mut inflated = Vec::new();
    let mut reader = Reader::versioned(answer::packed(&bytes)?, &Limits::DEFAULT, &mut inflated)?;
    reader.tuple_of(4)?;
    let (schedulers, total, took_us) = (reader.uint()?, reader.uint()?, reader.uint()?);
    let pause_ms = Duration::from_micros(took_us).as_secs_f64() * 1000.0;
    let mut busy = Busy { schedulers, total, pause_ms, pids: Vec::new() };
    reader.each(|it| {
        it.tuple_of(2)?;
        it.skip()?;
        busy.pids.push(it.pid()?);
        Ok(())
    })?;
    Ok(busy)
}

/// What kinds of processes these are: by label, else by initial call. Those that ended or may not
/// be asked are absent.
pub async fn kinds(link: &Link, pids: Vec<Pid>) -> HashMap<Pid, String> {
    let rows = paged::rows(link, pids, &HashMap::new()).await.unwrap_or_default();
    rows.into_iter().map(|it| (it.pid.clone(), it.traits.group())).collect()
}
