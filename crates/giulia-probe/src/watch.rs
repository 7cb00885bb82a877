//! The resident watcher: one process on the target that remembers the last look at everyone.
//!
//! It is spawned once a session, with a link, and sleeps (hibernated) between ticks. A tick is one
//! message there and one back: the small questions are called by it too, because what a tick costs
//! a quiet node is mostly the wakeup of its schedulers (0.9 ms of CPU, OTP 27, two schedulers; the
//! questions 0.2 ms, a look at 50 processes 0.8 ms, at 3,000 3 ms, at 200,000 100 ms). It ends with
//! the link, with the connection, and by itself when it hears nothing for its lease.
//!
//! CPU of the whole VM for a tick, everything included (schedstat of all threads, medians, while
//! other work shared the two cores): 1.9 to 2.3 ms with 45 processes (OTP 23, 25, 27, 29), of which
//! 1.0 to 1.3 without a look; 4.0 ms with 3,000 (OTP 27); 119 ms with 200,000 (OTP 23 and 27).
//!
//! It remembers 32 bytes a process: 6.5 MB for 200,000, which each wakeup copies twice (16 ms). A look
//! at 200,000 takes 40 MB for a moment, the first one on a VM that was small until then 140 MB, of
//! which the VM keeps 100 MB for later use (OTP 27).

pub(crate) mod answer;
pub(crate) mod census;

use std::time::{Duration, Instant};

use giulia_dist::{
    Call, Error, Mailbox, Message, SpawnOptions,
    term::{Pid, Term},
};
use giulia_model::Question;
use tokio::time::timeout_at;

use crate::{
    answer::{Bif, Problem, encoded_bytes},
    eval,
    gates::Caution,
    link::Link,
    probes::processes,
};

use answer::Told;

/// The busiest that are told by name: 1,000 rows are 10 KB compressed.
pub(crate) const BUSIEST: usize = 1000;

/// Schedulers that wake for one message and spin before they sleep again: 0.6 to 1.1 ms of CPU
/// (OTP 23 and 27, two schedulers, default `+sbwt`), which no clock on the target sees. On a node
/// whose schedulers are awake anyway it is less.
pub(crate) const WAKEUP: Duration = Duration::from_millis(1);

/// What a look shall tell beside the busiest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Wanted {
    /// Rows in each list, looked at closely.
    pub(crate) top: usize,
    pub(crate) list: List,
    /// Sums by group leader.
    pub(crate) led: bool,
}

/// Whose pids to tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum List {
    /// Everyone.
    All,
    /// Who was born or ended since the last look.
    Changes,
    /// Nobody.
    None,
}

/// Our end of it.
#[derive(Debug)]
pub(crate) struct Watcher {
    link: Link,
    mailbox: Mailbox,
    pid: Pid,
    n_asked: u64,
    /// Its own reductions up to the last tick.
    reductions: u64,
    /// Of ticks without a look and with one: their work is not the same.
    rates: [Rate; 2],
}

/// CPU time of work that had to wait for its turn between two readings of the clock.
///
/// A reduction of the same work costs about the same each time, and the cheapest tick so far is
/// the one that waited least: on a node whose schedulers are all busy a tick of 3 ms took 10 to 60.
#[derive(Debug, Clone, Copy, Default)]
struct Rate {
    /// Seconds a reduction.
    least: Option<f64>,
}

/// One tick's answer, and what it took of the target's CPU, by shares of the time it took there.
#[derive(Debug)]
pub(crate) struct Ticked {
    pub(crate) told: Told,
    pub(crate) small: Duration,
    pub(crate) look: Duration,
    pub(crate) reductions: u64,
}

impl Watcher {
    /// Starts it; `lease` is how long it outlives our last word.
    pub(crate) async fn start(link: &Link, lease: Duration) -> Result<Self, Error> {
        let began = Instant::now();
        let mailbox = link.connection().mailbox();
        let careful = link.caution() != Caution::None;
        let lease_ms = u64::try_from(lease.as_millis()).unwrap_or(u64::MAX);
        let argument = Term::tuple([
            eval::WATCH.term(),
            Term::from(mailbox.pid().clone()),
            Term::uint(lease_ms),
            Term::int(i64::try_from(BUSIEST).unwrap_or(i64::MAX)),
            processes::everyone(careful),
            processes::first(careful),
            processes::choose(link.erts(), careful),
            Term::atom(link.connection().local_name().to_owned()),
        ]);
        let Bif { module, function, args } = eval::WATCHER.with(argument);
        // Room for twice as many as there are now; with more than that it is started anew.
        let heap_words = processes::heap_words(link.processes().saturating_mul(2))
            .or_else(|_| processes::heap_words(link.processes()))?;
        let call = Call::new(module, function, args)
            .timeout(link.call_timeout())
            .low_priority()
            .max_heap_words(heap_words);
        let sent_bytes = call.args.iter().map(encoded_bytes).sum();
        let spawned = mailbox.spawn(&call, SpawnOptions { link: true, monitor: false }).await;
        link.paid(question("watcher", began, sent_bytes, 0));
        let (pid, link) = (spawned?.pid, link.clone());
        Ok(Self { link, pid, mailbox, n_asked: 0, reductions: 0, rates: [Rate::default(); 2] })
    }

    /// One tick: calls the functions, and looks at everyone where that is wanted.
    ///
    /// After an error it is of no use any more: what it told late would be missing in all sums.
    pub(crate) async fn tick(
        &mut self,
        wanted: Option<Wanted>,
        questions: &[Bif],
    ) -> Result<Ticked, Error> {
        let began = Instant::now();
        let deadline = tokio::time::Instant::now() + self.link.call_timeout();
        self.n_asked += 1;
        let message = message(self.n_asked, wanted, questions);
        let sent_bytes = encoded_bytes(&message);
        self.mailbox.send(&self.pid, &message).await?;
        let (told, received_bytes) = loop {
            match timeout_at(deadline, self.mailbox.recv()).await {
                Ok(Ok(Message::Term(payload))) => {
                    let told = answer::read(payload.bytes());
                    // An answer that came too late for the tick before has another number.
                    if !told.as_ref().is_ok_and(|it| it.number != self.n_asked) {
                        break (told, payload.bytes().len());
                    }
                }
                Ok(Ok(Message::Exit { reason, .. })) => {
                    let why = reason.term().map(|it| it.to_string()).unwrap_or_default();
                    break (Err(ended(&why)), 0);
                }
                Ok(Ok(_)) => {}
                Ok(Err(error)) => return Err(error),
                Err(_) => break (Err(Problem("it did not answer in time".to_owned())), 0),
            }
        };
        let mut paid = question("watch", began, sent_bytes, received_bytes);
        let ticked = told.map(|it| self.priced(it));
        if let Ok(it) = &ticked {
            paid.elapsed_ms = (WAKEUP + it.small + it.look).as_secs_f64() * 1000.0;
        }
        self.link.paid(paid);
        Ok(ticked?)
    }

    fn priced(&mut self, told: Told) -> Ticked {
        let took = |from: i64, until: i64| {
            Duration::from_micros(u64::try_from(until.saturating_sub(from)).unwrap_or_default())
        };
        let small = took(told.began_us, told.called_us);
        let look = took(told.called_us, told.ended_us);
        let reductions = told.reductions.saturating_sub(self.reductions);
        self.reductions = told.reductions;
        let [light, looking] = &mut self.rates;
        let rate = if told.seen.is_some() { looking } else { light };
        let share = rate.share(small.saturating_add(look), reductions);
        Ticked { told, small: small.mul_f64(share), look: look.mul_f64(share), reductions }
    }
}

impl Rate {
    /// How much of the time that some work took was work, 0 to 1.
    fn share(&mut self, elapsed: Duration, reductions: u64) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "thousands of reductions")]
        let each = elapsed.as_secs_f64() / reductions as f64;
        if !each.is_normal() {
            return 1.0;
        }
        let least = self.least.map_or(each, |it| it.min(each));
        self.least = Some(least);
        least / each
    }
}

/// Why it is gone, from its exit reason.
fn ended(reason: &str) -> Problem {
    Problem(match reason {
        "normal" => "it ended because it did not hear from us for its lease".to_owned(),
        "killed" => "it was killed, most likely by its heap limit".to_owned(),
        other => format!("it ended: {}", other.chars().take(200).collect::<String>()),
    })
}

fn message(number: u64, wanted: Option<Wanted>, questions: &[Bif]) -> Term<'static> {
    let look = match wanted {
        None => Term::atom("none"),
        Some(Wanted { top, list, led }) => Term::tuple([
            Term::int(i64::try_from(top).unwrap_or(i64::MAX)),
            Term::atom(match list {
                List::All => "all",
                List::Changes => "changes",
                List::None => "none",
            }),
            Term::boolean(led),
        ]),
    };
    let calls = Term::tuple([
        Term::list(questions.iter().map(|it| Term::atom(it.module))),
        Term::list(questions.iter().map(|it| Term::atom(it.function))),
        Term::list(questions.iter().map(|it| Term::list(it.args.iter().cloned()))),
    ]);
    Term::tuple([Term::atom("tick"), Term::uint(number), look, calls])
}

fn question(probe: &str, began: Instant, sent: usize, received: usize) -> Question {
    Question {
        probe: probe.to_owned(),
        elapsed_ms: began.elapsed().as_secs_f64() * 1000.0,
        sent_bytes: u64::try_from(sent).unwrap_or(u64::MAX),
        received_bytes: u64::try_from(received).unwrap_or(u64::MAX),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tick_that_waited_costs_what_the_same_work_cost_without_waiting() {
        let mut rate = Rate::default();
        let ms = Duration::from_millis;
        let mut price = |elapsed: u64, reductions: u64| {
            ms(elapsed).mul_f64(rate.share(ms(elapsed), reductions)).as_secs_f64() * 1000.0
        };
        let near = |left: f64, right: f64| (left - right).abs() < 1e-6;
        assert!(near(price(30, 10_000), 30.0), "nothing to compare with yet");
        assert!(near(price(3, 10_000), 3.0));
        assert!(near(price(60, 10_000), 3.0));
        assert!(near(price(60, 20_000), 6.0), "twice the work");
        assert!(near(price(0, 0), 0.0));
        assert!(near(price(5, 0), 5.0), "a watcher that counts no reductions");
    }
}
