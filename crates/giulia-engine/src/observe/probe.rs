//! The one place of a session that asks the node: a task beside the loop, so that a slow answer
//! holds up neither the clock nor Ctrl-C, and a second one beside it for what is switched on.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use giulia_model::Snapshot;
use giulia_probe::{KeptChange, Pace, TickOptions, TickParts, Ticker};
use tokio::{
    sync::{
        Notify,
        mpsc::{self, UnboundedReceiver, UnboundedSender},
    },
    task::JoinHandle,
};

use super::{
    calls::{self, Calls, CallsTold},
    keeping::{self, Keep},
};
use crate::{Cancel, remote::Link};

/// Facts of the node, its tables, its host and what stands around the processes change slowly and
/// cost 40 to 57 ms of CPU (OTP 23 and 27, kv node), twenty times the rest of a tick: asked at the
/// first tick, the last, and no more often than this between them, less than 0.1 % of a core.
const SLOW_APART: Duration = Duration::from_mins(1);
/// What is left on the node outlives our last word for so long at least, and for
const LEASE_MIN: Duration = Duration::from_secs(5);
/// so many intervals, so that a tick that comes late does not end it.
const LEASE_INTERVALS: u32 = 3;
/// What the task of the keeper may take to see that the connection is over.
const KEEPER_MAX: Duration = Duration::from_millis(500);

/// What a session tells the task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Order {
    Tick { is_last: bool },
    Disarm,
    Stop,
}

/// What the task tells the session.
#[derive(Debug)]
pub(crate) enum Told {
    /// The tick that was asked for.
    Ticked(Box<Snapshot>),
    /// What was switched on and what became of it, by the keeper's number on this link.
    Kept(u32, Vec<KeptChange>),
    /// Something was switched on.
    Armed(String),
    /// Everything was switched off before the end.
    Disarmed,
    /// The node let go of everything, and why.
    Lapsed(String),
    /// Worth a look now: what the VM reported, or what could not be switched on.
    Alarm(String),
    /// Of the counters.
    Calls(CallsTold),
    /// The connection is over.
    Closed(String),
}

/// How a session ticks.
#[derive(Debug, Clone)]
pub(crate) struct Rhythm {
    /// Between two ticks.
    pub(crate) every: Duration,
    /// Rows of each ranking.
    pub(crate) top: usize,
    /// Whether anything may be switched on.
    pub(crate) arms: bool,
    /// What to count.
    pub(super) calls: Option<Calls>,
}

/// A link under observation; dropping it ends the connection.
#[derive(Debug)]
pub(crate) struct Pilot {
    creation: u32,
    orders: UnboundedSender<Order>,
    told: UnboundedReceiver<Told>,
    counting: Cancel,
    task: JoinHandle<()>,
}

impl Pilot {
    /// Takes over a fresh link.
    pub(crate) fn start(link: Link, rhythm: Rhythm) -> Self {
        let creation = link.connection().peer().creation;
        let (orders, inbox) = mpsc::unbounded_channel();
        let (outbox, told) = mpsc::unbounded_channel();
        let counting = Cancel::new();
        let task = tokio::spawn(run(link, rhythm, (inbox, counting.clone()), outbox));
        Self { creation, orders, told, counting, task }
    }

    /// Which incarnation of the node this is.
    pub(crate) fn creation(&self) -> u32 {
        self.creation
    }

    /// Asks for a tick; the answer comes by [`Pilot::told`].
    pub(crate) fn tick(&self, is_last: bool) {
        self.order(Order::Tick { is_last });
    }

    /// Switches everything off, while the ticks go on.
    pub(crate) fn disarm(&self) {
        self.order(Order::Disarm);
    }

    /// Stops the counters where they are; what they say comes by [`Pilot::told`].
    pub(crate) fn end_counting(&self) {
        self.counting.cancel();
    }

    /// What comes next; safe to drop and call again.
    pub(crate) async fn told(&mut self) -> Told {
        match self.told.recv().await {
            Some(told) => told,
            None => std::future::pending().await,
        }
    }

    /// Undoes what was switched on and closes, within this time; what it still told.
    pub(crate) async fn stop(mut self, allowed: Duration) -> Vec<Told> {
        self.end_counting();
        self.order(Order::Stop);
        // The node undoes by itself what it no longer hears of.
        tokio::time::timeout(allowed, &mut self.task).await.ok();
        let mut last = Vec::new();
        while let Ok(told) = self.told.try_recv() {
            last.push(told);
        }
        last
    }

    fn order(&self, order: Order) {
        // A task that is gone has told that the connection is.
        self.orders.send(order).ok();
    }
}

impl Drop for Pilot {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn run(
    link: Link,
    mut rhythm: Rhythm,
    (mut inbox, counting): (UnboundedReceiver<Order>, Cancel),
    outbox: UnboundedSender<Told>,
) {
    let (keep, kept) = mpsc::unbounded_channel();
    // Its own task: arming waits for every scheduler of the node, and ticks do not wait for that.
    let looked = Arc::new(Notify::new());
    let calls = rhythm.calls.take().map(|it| {
        let signals = (counting.stop(), Arc::clone(&looked));
        tokio::spawn(calls::count(link.clone(), it, signals, outbox.clone()))
    });
    if calls.is_none() {
        looked.notify_one();
    }
    let keeper = rhythm.arms.then(|| {
        let keeping = keeping::keep(link.clone(), kept, outbox.clone());
        tokio::spawn(async move {
            looked.notified().await;
            keeping.await;
        })
    });
    let ticking = async {
        let mut ticks = Ticks::new(link.clone(), rhythm);
        while let Some(order) = inbox.recv().await {
            match order {
                Order::Tick { is_last } => {
                    let seen = ticks.tick(is_last).await;
                    outbox.send(Told::Ticked(Box::new(seen))).ok();
                }
                Order::Disarm => {
                    keep.send(Keep::Disarm).ok();
                }
                Order::Stop => break,
            }
        }
    };
    let closed = tokio::select! {
        biased;
        error = link.connection().closed() => Some(error.to_string()),
        () = ticking => None,
    };
    if closed.is_none() {
        keep.send(Keep::Stop).ok();
    }
    counting.cancel();
    for task in [keeper, calls].into_iter().flatten() {
        let abort = AbortOnDrop(task.abort_handle());
        let allowed = if closed.is_some() { KEEPER_MAX } else { Duration::MAX };
        drop(tokio::time::timeout(allowed, task).await);
        drop(abort);
    }
    if let Some(why) = closed {
        outbox.send(Told::Closed(why)).ok();
    }
}

/// A task that ends with whoever started it.
struct AbortOnDrop(tokio::task::AbortHandle);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// What ticks of one link have in common.
struct Ticks {
    link: Link,
    rhythm: Rhythm,
    ticker: Option<Ticker>,
    pace: Pace,
    slow_at: Option<Instant>,
}

impl Ticks {
    fn new(link: Link, rhythm: Rhythm) -> Self {
        let pace = Pace::new(rhythm.every, super::BUDGET);
        Self { link, rhythm, ticker: None, pace, slow_at: None }
    }

    async fn tick(&mut self, is_last: bool) -> Snapshot {
        let mut ticker = match self.ticker.take() {
            Some(ticker) => ticker,
            None => match self.start().await {
                Ok(ticker) => ticker,
                Err(why) => return nothing(why),
            },
        };
        let slow = is_last || self.slow_at.is_none_or(|it| it.elapsed() >= SLOW_APART);
        if slow {
            self.slow_at = Some(Instant::now());
        }
        // The last tick ends the windows of all processes too.
        let look = is_last || self.pace.looks_now();
        let seen = ticker.tick(TickParts { look, slow }).await;
        // Once a minute, and with the first tick, which asks who everybody is: that price is no
        // look's, and would make looks rare for a while after each.
        if slow {
            self.pace.passed();
        } else {
            self.pace.paid(&ticker.price());
        }
        self.ticker = Some(ticker);
        seen
    }

    async fn start(&self) -> Result<Ticker, String> {
        let lease = LEASE_MIN.max(self.rhythm.every.saturating_mul(LEASE_INTERVALS));
        let options = TickOptions { top: self.rhythm.top, lease };
        Ticker::start(&self.link, &options).await.map_err(|it| it.to_string())
    }
}

/// A tick that could not even begin.
fn nothing(why: String) -> Snapshot {
    let not_seen = vec![giulia_model::NotSeen { what: "everything".to_owned(), why }];
    Snapshot { not_seen, ..Snapshot::default() }
}
