//! A tick of a session: what [`crate::snapshot()`] tells, cheap enough for one a second for ever.
//!
//! The small questions and the look at all processes travel in one message to the resident watcher
//! (`watch.rs`) and come back in one; who is new is asked once what it is; tables, host and facts of
//! the node come only when the session says so. Windows are from one tick to the next.

use std::time::{Duration, Instant};

use giulia_dist::{Error, term::Term};
use giulia_model::{NotSeen, Processes, Snapshot, Window};

use crate::{
    answer::{self, Answer, Bif},
    gates::Caution,
    headroom,
    link::Link,
    look, paged,
    probes::{
        activity::{self, Totals},
        counts, host, limits, memory, node, processes, schedulers,
        utilisation::{self, WallTimes},
    },
    slow::slow_parts,
    snapshot::{Plan, Seen, Within, find_room, surroundings},
    watch::{
        WAKEUP, Wanted, Watcher,
        answer::{Seen as Looked, Told},
        census::Census,
    },
};

/// What all ticks of a session have in common.
#[derive(Debug, Clone)]
pub struct TickOptions {
    /// Rows in each list.
    pub top: usize,
    /// How long what we left on the target outlives our last word; three intervals and 5 s.
    pub lease: Duration,
}

/// What one tick asks beside counts, memory, schedulers and activity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TickParts {
    /// Everyone's reductions and mailboxes; [`crate::Pace`] says when the budget allows it.
    pub look: bool,
    /// Facts of the node, its tables and its host: what changes slowly and costs more.
    pub slow: bool,
}

/// Asks a node once a tick, and remembers what the next one needs.
///
/// Dropping it ends what it left on the target.
#[derive(Debug)]
pub struct Ticker {
    link: Link,
    options: TickOptions,
    watcher: Option<Watcher>,
    census: Census,
    paged: paged::Rounds,
    /// How busy the schedulers had been until the last tick.
    wall_times: Option<WallTimes>,
    /// The last tick's edge.
    before: Option<Edge>,
    /// When the last look at everyone was, by the target's clock.
    looked_us: Option<i64>,
    /// When the watcher heard from us.
    heard: Option<Instant>,
    price: TickPrice,
}

/// What the last tick cost the target, part by part.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TickPrice {
    /// The look at all processes: CPU time, from the time that it took there (see `watch.rs`).
    pub look: Duration,
    /// The small questions, likewise.
    pub small: Duration,
    /// Everything else: who is new, tables, host; an upper bound by our clock.
    pub rest: Duration,
    /// Messages that woke a process there.
    pub wakeups: u32,
    /// The watcher's own reductions.
    pub reductions: u64,
}

/// The VM's counters at one tick, and when that was.
#[derive(Debug, Clone, Copy)]
struct Edge {
    /// By the target's clock, in microseconds.
    at_us: i64,
    totals: Totals,
}

/// To wake the watcher costs it a copy of what it remembers, twice: 16 ms with 200,000 processes
/// (OTP 23 and 27). Above this many, ticks without a look go past it while its lease allows.
const LET_SLEEP_ABOVE: u64 = 20_000;
/// The small questions have one name in the impact meter where they go without the watcher.
const SMALL: &str = "counts, memory, schedulers, activity, utilisation";
const SLOW: &str = "node, host, limits";

impl TickPrice {
    /// All of it, the wakeups of schedulers included.
    pub fn total(&self) -> Duration {
        self.small + self.look + self.rest + WAKEUP.saturating_mul(self.wakeups)
    }
}

impl Ticker {
    /// Starts the watcher on the target.
    ///
    /// # Errors
    ///
    /// When the node starts no process; with `no_eval` and where a VM bug forbids looking at
    /// processes there is none to start.
    pub async fn start(link: &Link, options: &TickOptions) -> Result<Self, Error> {
        let caution = link.caution();
        let mut ticker = Self {
            link: link.clone(),
            options: options.clone(),
            watcher: None,
            census: Census::new(caution != Caution::None),
            paged: paged::Rounds::default(),
            wall_times: None,
            before: None,
            looked_us: None,
            heard: None,
            price: TickPrice::default(),
        };
        if ticker.can_watch() {
            // The first look is the dearest, and comes before the host is asked.
            find_room(link).await;
            ticker.watcher = Some(Watcher::start(link, options.lease).await?);
        }
        Ok(ticker)
    }

    /// Asks everything that is due; what could not be seen is in the answer with its reason.
    ///
    /// The first tick, and the first after the watcher was lost, has totals and no window.
    /// `schema` and `taken_at` stay empty: whoever owns the clock fills them in.
    pub async fn tick(&mut self, parts: TickParts) -> Snapshot {
        self.price = TickPrice::default();
        let mut seen = Seen::default();
        let mut plan = Plan::default();
        plan.add(counts::questions());
        plan.add(memory::questions());
        plan.add(schedulers::questions());
        plan.add(activity::questions());
        plan.add(vec![Bif::new("erlang", "monotonic_time", [Term::atom("microsecond")])]);
        plan.add(utilisation::questions());
        let wants_look = parts.look && self.allowed(&mut seen) && self.has_room(&mut seen);
        let wanted =
            wants_look.then(|| self.census.wanted(self.options.top, self.link.processes()));
        let told = self.watched(wanted, &plan.questions, &mut seen).await;
        let answers = self.small(told.as_ref(), &plan).await;
        self.link.disturbs(activity::DISTURBS);
        let counts = seen.part("counts", counts::read(plan.of(0, &answers)));
        let memory = seen.part("memory", memory::read(plan.of(1, &answers)));
        let schedulers = seen.part("schedulers", schedulers::read(plan.of(2, &answers)));
        let totals = seen.part("activity", activity::read(plan.of(3, &answers)));
        if let Some(counts) = &counts {
            self.link.set_processes(counts.processes.count);
        }
        let at_us = answer::term(plan.of(4, &answers), 0).ok().and_then(|it| it.as_int());
        let now = at_us.zip(totals).map(|(at_us, totals)| Edge { at_us, totals });
        let window = now.zip(self.before).map(|(now, it)| activity::window(it.at_us, now.at_us));
        let activity =
            now.map(|now| activity::activity(now.totals, self.before.map(|it| it.totals)));
        self.before = now;
        let mut snapshot =
            Snapshot { window, counts, memory, schedulers, activity, ..Snapshot::default() };
        self.utilisation(&mut snapshot, plan.of(5, &answers));
        self.processes(&mut snapshot, &mut seen, wanted, told).await;
        if parts.slow {
            self.slow(&mut snapshot, &mut seen).await;
        }
        snapshot.not_seen = seen.not;
        snapshot.impact = self.link.impact();
        snapshot
    }

    /// Since the tick before; nothing while nobody holds the flag that makes the VM count.
    fn utilisation(&mut self, snapshot: &mut Snapshot, answers: &[Answer]) {
        let now = utilisation::read(answers).ok().flatten();
        let earlier = std::mem::replace(&mut self.wall_times, now);
        let samples = self.wall_times.as_ref().zip(earlier.as_ref());
        let samples = samples.zip(snapshot.schedulers.as_ref());
        snapshot.utilisation = samples.and_then(|((now, earlier), vm)| now.since(earlier, vm));
    }

    /// What the last tick cost.
    pub fn price(&self) -> TickPrice {
        self.price
    }

    fn can_watch(&self) -> bool {
        !self.link.no_eval() && self.link.caution() != Caution::Processes
    }

    /// Whether processes may be looked at on this ERTS.
    fn allowed(&self, seen: &mut Seen) -> bool {
        match self.link.caution() {
            Caution::None => true,
            Caution::Signals => {
                seen.not.push(NotSeen {
                    what: "mailboxes and names of most processes".to_owned(),
                    why: "a bug of this ERTS makes asking dangerous (`giulia doctor` prints it): \
                          only those of the listed that wait and keep their mail on the heap are \
                          asked; the others stay in one group"
                        .to_owned(),
                });
                true
            }
            Caution::Processes => {
                seen.not.push(NotSeen {
                    what: "processes".to_owned(),
                    why:
                        "process_info can hang for ever on this ERTS (fixed in 12.0.4); upgrade it"
                            .to_owned(),
                });
                false
            }
        }
    }

    /// Whether the container and the machine have room for a look at everyone.
    fn has_room(&self, seen: &mut Seen) -> bool {
        let heap_words = processes::heap_words(self.link.processes());
        let refused = match heap_words {
            Err(why) => Some(why.to_string()),
            Ok(words) if self.can_watch() && !headroom::allows(self.link.headroom(), words) => {
                Some(
                    "a look at all of them could take more than a quarter of the memory that the \
                     node's container or machine has left"
                        .to_owned(),
                )
            }
            Ok(_) => None,
        };
        let is_allowed = refused.is_none();
        seen.not.extend(refused.map(|why| NotSeen { what: "processes".to_owned(), why }));
        is_allowed
    }

    /// The watcher's answer. One that is gone is started again, which this tick says.
    async fn watched(
        &mut self,
        wanted: Option<Wanted>,
        questions: &[Bif],
        seen: &mut Seen,
    ) -> Option<Told> {
        let sleeps_on = wanted.is_none()
            && self.link.processes() > LET_SLEEP_ABOVE
            && self.heard.is_some_and(|it| it.elapsed() < self.options.lease / 2);
        if !self.can_watch() || sleeps_on {
            return None;
        }
        if self.watcher.is_none() {
            match Watcher::start(&self.link, self.options.lease).await {
                Ok(watcher) => self.watcher = Some(watcher),
                Err(why) => {
                    seen.not.push(NotSeen { what: "processes".into(), why: why.to_string() });
                    return None;
                }
            }
        }
        self.price.wakeups += 1;
        match self.watcher.as_mut()?.tick(wanted, questions).await {
            Ok(ticked) => {
                self.heard = Some(Instant::now());
                self.price.small = ticked.small;
                self.price.look = ticked.look;
                self.price.reductions = ticked.reductions;
                Some(ticked.told)
            }
            Err(why) => {
                self.watcher = None;
                self.census = Census::new(self.link.caution() != Caution::None);
                self.before = None;
                self.looked_us = None;
                seen.not.push(NotSeen {
                    what: "processes, and all windows up to the next tick".to_owned(),
                    why: format!("the process that remembers the last look is gone: {why}; it is started again"),
                });
                None
            }
        }
    }

    /// The small answers; without the watcher in a question of their own.
    async fn small(&mut self, told: Option<&Told>, plan: &Plan) -> Vec<Answer> {
        if let Some(told) = told
            && let Ok(answers) = &told.answers
            && answers.len() == plan.questions.len()
        {
            return answers.clone();
        }
        let began = Instant::now();
        let answers = self.link.ask_all(SMALL, &plan.questions).await;
        self.price.rest += began.elapsed();
        self.price.wakeups += 1;
        answers
    }

    /// Processes: from the watcher, or in pages without evaluation.
    async fn processes(
        &mut self,
        snapshot: &mut Snapshot,
        seen: &mut Seen,
        wanted: Option<Wanted>,
        told: Option<Told>,
    ) {
        let Some(wanted) = wanted else { return };
        if self.link.no_eval() {
            let began = Instant::now();
            let looked = self.paged.look(&self.link, self.options.top).await;
            self.price.rest += began.elapsed();
            if let Some((processes, not_seen)) = seen.part("processes", looked) {
                seen.not.extend(not_seen);
                missing(snapshot, seen, processes);
            }
            return;
        }
        let Some(told) = told else { return };
        let Some(looked) = told.seen else { return };
        let ours = self.link.own().clone();
        self.census.take(&looked, wanted.list, &ours);
        self.introduce(&looked).await;
        let window = self.looked_us.map(|it| activity::window(it, told.called_us));
        self.looked_us = Some(told.called_us);
        let processes = self.census.processes(&looked, self.options.top, window, &ours);
        missing(snapshot, seen, processes);
    }

    /// Asks strangers what they are, and applications who leads them.
    async fn introduce(&mut self, looked: &Looked) {
        let strangers = self.census.strangers(looked);
        if !strangers.is_empty() {
            let began = Instant::now();
            // Who cannot be asked now will not be asked again: it stays without a name.
            let none = std::collections::HashMap::new();
            let rows = paged::rows(&self.link, strangers.clone(), &none).await;
            self.price.wakeups += 4;
            self.price.rest += began.elapsed();
            self.census.learn(&strangers, rows.unwrap_or_default());
        }
        if self.census.wants_applications() {
            let began = Instant::now();
            let asked = self.link.ask_each("processes", &[paged::masters()]).await;
            self.price.wakeups += 1;
            self.price.rest += began.elapsed();
            if let Ok(found) = answer::term(&asked, 0) {
                self.census.set_applications(look::applications(&found));
            }
        }
    }

    /// What changes slowly.
    async fn slow(&mut self, snapshot: &mut Snapshot, seen: &mut Seen) {
        let began = Instant::now();
        let link = &self.link;
        let about = node::About::of(link);
        let mut plan = Plan::default();
        plan.add(node::questions(&about));
        plan.add(host::questions(link.no_eval()));
        plan.add(limits::questions());
        let answers = link.ask_all(SLOW, &plan.questions).await;
        let around = [0, 1, 2].map(|it| plan.of(it, &answers));
        let asking = (link, self.options.top, Within::ITS_TIME);
        surroundings(asking, &about, around, (snapshot, seen)).await;
        slow_parts(link, snapshot).await;
        seen.not.append(&mut snapshot.not_seen);
        // The host's cgroup, the tables and the rest are each a question of their own.
        self.price.wakeups += 4;
        self.price.rest += began.elapsed();
    }
}

/// Puts processes into the snapshot, with the work that none of them did.
fn missing(snapshot: &mut Snapshot, seen: &mut Seen, processes: Processes) {
    let near = |left: Window, right: Window| {
        (left.elapsed_ms - right.elapsed_ms).abs() <= left.elapsed_ms / 20.0
    };
    // Ticks without a look are in the processes' window and not in the activity's.
    if snapshot.window.zip(processes.window).is_some_and(|(left, right)| near(left, right)) {
        let ended = snapshot.activity.as_ref().and_then(|it| processes::ended(&processes, it));
        seen.not.extend(ended);
    }
    snapshot.processes = Some(processes);
}
