//! The sink: a tracer on the target that keeps events until we fetch them.

use std::{collections::BTreeMap, time::Duration};

use giulia_dist::{
    Call, Connection, Error, ErrorKind, Mailbox, Message, SpawnOptions,
    term::{Pid, Term},
};
use tokio::time::timeout;

use super::actor::done;
use crate::{
    answer::{self, Problem, pair},
    eval,
    look::as_mfa,
    naming::{Label, Traits},
};

/// What the VM told since it was last asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SystemEvents {
    /// How many of each kind among the first 200.
    pub counts: BTreeMap<String, u64>,
    /// How many of each kind came after them; giulia's own are not told apart there.
    pub counts_beyond: BTreeMap<String, u64>,
    /// How many of the first 200 were about processes of giulia's own; nothing else here is.
    pub of_giulia: u64,
    /// The first ones, oldest first.
    pub events: Vec<SystemEvent>,
}

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SystemEvent {
    /// When the sink received it: the node's own clock, in milliseconds since 1970.
    pub at_ms: i64,
    /// `long_gc`, `long_schedule`, `large_heap`, `long_message_queue`, `busy_port`,
    /// `busy_dist_port`.
    pub kind: String,
    /// The process or port, as the node writes it.
    pub who: String,
    /// What the process is called, if it still lived when the event came.
    pub name: Option<String>,
    /// What the VM says of it, as the node writes it; cut after 400 characters.
    pub info: String,
}

/// The tracer, and the address that it answers to.
#[derive(Debug)]
pub(super) struct Sink {
    mailbox: Mailbox,
    pid: Pid,
    next: u64,
    /// What came for a fetch that was given up.
    pending: SystemEvents,
}

/// 10 MB in words: fifty times what the events kept need, and a flood fills it in a moment.
const HEAP_WORDS: u64 = 1_250_000;

/// Events kept on the target between two fetches, each with its process's name: 20 ms of its time
/// when all of those are running (100 us each on OTP 29), and more than a report shows.
const KEPT_MAX: usize = 200;

/// Events counted between two fetches, at 40 us each (OTP 29) 0.2 s of the node's time. Who fetches
/// every second gives up before a fifth of a core is spent.
const COUNTED_MAX: u64 = 5_000;

/// As long as any other question.
const TAKE_MAX: Duration = Duration::from_secs(5);

/// Enough for a process's sizes and where it was.
const INFO_CHARS_MAX: usize = 400;

impl Sink {
    pub(super) async fn start(connection: &Connection) -> Result<Self, Error> {
        let mailbox = connection.mailbox();
        let us = Term::Pid(mailbox.pid().clone());
        let bif = eval::SINK.forever([us, Term::uint(KEPT_MAX as u64), Term::uint(COUNTED_MAX)]);
        let call = Call::new(bif.module, bif.function, bif.args).max_heap_words(HEAP_WORDS);
        let linked = SpawnOptions { link: true, monitor: false };
        let pid = mailbox.spawn(&call, linked).await?.pid;
        Ok(Self { mailbox, pid, next: 0, pending: SystemEvents::default() })
    }

    pub(super) fn pid(&self) -> &Pid {
        &self.pid
    }

    pub(super) async fn take(&mut self) -> Result<SystemEvents, Error> {
        self.next += 1;
        let message = Term::tuple([Term::atom("take"), Term::uint(self.next)]);
        self.mailbox.send(&self.pid, &message).await?;
        match timeout(TAKE_MAX, self.taken()).await {
            Ok(told) => told,
            Err(_) => Err(Error::new(
                ErrorKind::Deadline,
                format!("the sink did not answer within {TAKE_MAX:?}; is the node frozen?"),
            )),
        }
    }

    async fn taken(&mut self) -> Result<SystemEvents, Error> {
        loop {
            match self.mailbox.recv().await? {
                Message::Term(payload) => {
                    let Ok((id, told)) = done(payload.bytes()) else { continue };
                    self.pending.add(read(&told)?);
                    if id == self.next {
                        return Ok(std::mem::take(&mut self.pending));
                    }
                }
                Message::Exit { .. } => {
                    return Err(Error::new(
                        ErrorKind::Killed,
                        "more events came than the sink may take, and it ended; disarm, and arm again with wider limits",
                    ));
                }
                Message::Down { .. } | _ => {}
            }
        }
    }
}

impl SystemEvents {
    fn add(&mut self, more: Self) {
        let both = [(&mut self.counts, more.counts), (&mut self.counts_beyond, more.counts_beyond)];
        for (counts, more) in both {
            for (kind, count) in more {
                let sum = counts.entry(kind).or_default();
                *sum = sum.saturating_add(count);
            }
        }
        self.of_giulia = self.of_giulia.saturating_add(more.of_giulia);
        self.events.extend(more.events);
        self.events.truncate(KEPT_MAX);
    }
}

impl From<SystemEvents> for giulia_model::SystemEvents {
    fn from(it: SystemEvents) -> Self {
        let event = |it: SystemEvent| giulia_model::SystemEvent {
            at_ms: it.at_ms,
            kind: it.kind,
            who: it.who,
            name: it.name,
            info: it.info,
        };
        Self {
            counts: it.counts,
            counts_beyond: it.counts_beyond,
            of_giulia: it.of_giulia,
            events: it.events.into_iter().map(event).collect(),
        }
    }
}

/// `{ok, {[{Kind | {beyond, Kind} | giulia, Count}], [{AtMs, Who, Kind, Info, Traits}]}}`.
fn read(bytes: &[u8]) -> Result<SystemEvents, Problem> {
    let term = Term::decode(bytes)?;
    let Some([_, told]) = term.as_tuple() else { return Err(answer::unexpected(&term)) };
    let Some([counts, events]) = told.as_tuple() else { return Err(answer::unexpected(told)) };
    let mut seen = SystemEvents::default();
    for count in counts.as_list().unwrap_or_default() {
        let Some([kind, count]) = count.as_tuple() else { return Err(answer::unexpected(count)) };
        let count = answer::uint(count)?;
        if kind.is_atom("giulia") {
            seen.of_giulia = count;
        } else if let Some([_, kind]) = kind.as_tuple() {
            seen.counts_beyond.insert(kind.to_string(), count);
        } else {
            seen.counts.insert(kind.to_string(), count);
        }
    }
    for event in events.as_list().unwrap_or_default() {
        let Some([at, who, kind, info, traits]) = event.as_tuple() else {
            return Err(answer::unexpected(event));
        };
        seen.events.push(SystemEvent {
            at_ms: at.as_int().unwrap_or_default(),
            kind: kind.to_string(),
            who: who.to_string(),
            name: traits.as_list().map(|it| named(it).name().0),
            info: info.to_string().chars().take(INFO_CHARS_MAX).collect(),
        });
    }
    Ok(seen)
}

/// From `process_info/2`.
fn named(info: &[Term<'_>]) -> Traits {
    let call = info.iter().find_map(|it| match it.as_tuple() {
        Some([key, value]) if key.as_tuple().is_some() => as_mfa(value),
        _ => None,
    });
    Traits {
        registered: pair(info, "registered_name").and_then(Term::as_atom).map(str::to_owned),
        label: pair(info, "label").and_then(Label::new),
        call,
        initial: pair(info, "initial_call").and_then(as_mfa),
        outermost: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(traits: Term<'static>) -> Term<'static> {
        let [who, kind, info] = ["someone", "long_gc", "info"].map(Term::atom);
        Term::tuple([Term::int(7), who, kind, info, traits])
    }

    fn told(counts: Vec<Term<'static>>, events: Vec<Term<'static>>) -> SystemEvents {
        let told = Term::tuple([Term::list(counts), Term::list(events)]);
        let mut bytes = Vec::new();
        Term::tuple([Term::atom("ok"), told]).encode(&mut bytes).unwrap();
        read(&bytes).unwrap()
    }

    #[test]
    fn events_of_our_own_are_counted_apart() {
        let count = |kind, count| Term::tuple([Term::atom(kind), Term::int(count)]);
        let beyond = Term::tuple([Term::atom("beyond"), Term::atom("long_gc")]);
        let beyond = Term::tuple([beyond, Term::int(9)]);
        let seen = told(vec![count("giulia", 3), count("long_gc", 2), beyond], vec![]);
        assert_eq!(seen.of_giulia, 3);
        assert_eq!(seen.counts, [("long_gc".to_owned(), 2)].into());
        assert_eq!(seen.counts_beyond, [("long_gc".to_owned(), 9)].into());
    }

    #[test]
    fn a_process_is_called_by_its_name_or_not_at_all() {
        let name = |name| Term::tuple([Term::atom("registered_name"), name]);
        let call = ["gen_server", "init_it"].map(Term::atom).into_iter().chain([Term::int(6)]);
        let call = Term::tuple([Term::atom("initial_call"), Term::tuple(call)]);
        let traits = [
            Term::list([name(Term::atom("Elixir.Shop")), call.clone()]),
            Term::list([name(Term::Nil), call]),
            Term::atom("none"),
        ];
        let seen = told(vec![], traits.map(event).to_vec());
        let names: Vec<_> = seen.events.iter().map(|it| it.name.as_deref()).collect();
        assert_eq!(names, [Some("Shop"), Some("gen_server:init_it/6"), None]);
    }

    #[test]
    fn what_came_for_nobody_is_kept_within_the_limit() {
        let many = || told(vec![], vec![event(Term::atom("none")); KEPT_MAX - 50]);
        let mut seen = many();
        seen.add(many());
        assert_eq!(seen.events.len(), KEPT_MAX);
    }
}
