//! A session: watches a node until it is told to stop, and records everything on the way.
//!
//! The loop here only carries events to the [`machine`] and does what it says; asking the node
//! happens in a task of its own ([`probe`]), writing in the store's.

mod alarms;
mod calls;
mod keeping;
mod machine;
mod probe;
mod recording;
mod redial;
mod witness;
mod workload;

use std::{collections::BTreeMap, fmt, time::Duration};

use giulia_model::{
    Answer, Change, Ended, Live, Mark, MarkKind, Restored, Session, Snapshot, TraceEvent, Workload,
};
use giulia_postgres::DatabaseUrl;
use giulia_probe::{
    Budget, KeptChange,
    dist::{self, Backoff},
};
use giulia_store::Store;
use tokio::{sync::mpsc, time::Instant};

pub use self::redial::Redial;
pub(crate) use self::witness::is_of_database;
use self::{
    alarms::Alarms,
    calls::{Calls, CallsLog, CallsTold},
    machine::{Do, Event, Machine},
    probe::{Pilot, Rhythm, Told},
    recording::Recording,
    redial::{Registered, Room},
    witness::{Reached, Witness, Witnessed},
    workload::Running,
};
use crate::{
    Access, Attempt, Bounds, Clock, Cookie, CountRequest, Error, ErrorKind, Stop,
    remote::{self, Link},
};

/// Rows of each ranking in a tick: enough for a report of twenty, few enough for a small record.
pub(crate) const TICK_TOP: usize = 20;
/// What undoing may take at the end; the node does it by itself when this is not enough.
const UNDO_MAX: Duration = Duration::from_secs(3);
/// What finding, arming and pricing functions may take: 14 s for arming were measured on a starved
/// node (`beam-facts` 8.1).
const ARMING_MAX: Duration = Duration::from_secs(40);
/// And with counters, which are stopped and read before: 4.3 s were measured for undoing 300 modules
/// on a starved node (`beam-facts` 8.1).
const UNDO_COUNTERS_MAX: Duration = Duration::from_secs(15);
/// What looking may take before a session says so: as much as its ticks are paced by.
const BUDGET: Budget = Budget::ONE_PERCENT;
/// Over which time that share is taken: shorter, and one dear look would count as a habit.
const BUDGET_OVER_MS: u64 = 20_000;

/// Between two questions to EPMD about a node that is not dialled, in milliseconds: a node takes
/// longer to end and to start.
const HELD_APART_MS: u64 = 500;

/// What to watch for how long.
#[derive(Debug, Clone)]
pub struct ObserveRequest {
    /// Between two ticks.
    pub every: Duration,
    /// Until this time is over; until somebody stops it without.
    pub lasts: Option<Duration>,
    /// The session's name; made of node and time without.
    pub name: Option<String>,
    /// A command to run, whose end is the session's.
    pub command: Option<Vec<String>>,
    /// What to count all the while.
    pub trace: Option<CountRequest>,
    /// Whether it is dialled again where that may end it.
    pub redial: Redial,
    /// The database behind the node, whose own account of its statements is recorded too.
    pub database: Option<DatabaseUrl>,
}

/// Whoever wants to know how it goes.
pub trait Watcher: Send + Sync + fmt::Debug {
    /// Recording began, and the first tick is there.
    fn began(&self, session: &Session);
    /// Something changed: a tick, a mark, the state.
    fn now(&self, live: &Live);
    /// Something happened beside the ticks.
    fn marked(&self, mark: &Mark);
    /// After each tick: why dialling the node might end it, if it might.
    fn crowded(&self, _why: Option<String>) {}
}

/// Watches a node and records it; the finished session.
///
/// # Errors
/// When the first attach fails, the database cannot be reached, the name is taken, the store cannot be written to at the start,
/// or the command cannot be run. Later failures are marks of the session.
pub async fn observe(
    node: &str,
    request: &ObserveRequest,
    store: (&Store, &str),
    attempt: Attempt<'_>,
    watcher: &dyn Watcher,
) -> Result<Session, Error> {
    // Nobody asks anything beside the ticks.
    let (_, answers) = mpsc::unbounded_channel();
    observe_with(node, request, store, attempt, (watcher, answers)).await
}

/// What is said beside the ticks.
#[derive(Debug)]
pub(crate) enum Beside {
    /// Something was asked of the node, and answered.
    Answer(Answer),
    /// The database is to be read now, so that its figures are those of a closer look.
    Read,
}

/// The same, with answers of others, which are recorded as they come.
pub(crate) async fn observe_with(
    node: &str,
    request: &ObserveRequest,
    (store, path): (&Store, &str),
    attempt: Attempt<'_>,
    (watcher, answers): (&dyn Watcher, mpsc::UnboundedReceiver<Beside>),
) -> Result<Session, Error> {
    let Attempt { access, bounds, progress, clock } = attempt;
    if let Some(command) = &request.command {
        workload::look_for(command)?;
    }
    if let Some(name) = &request.name {
        recording::is_free(store, name)?;
    }
    access.warn(progress);
    let reached = witness::reach(request.database.as_ref(), access.timeout, &bounds.stop).await?;
    // Once: a cookie that changes meanwhile belongs to another installation.
    let cookie = access.cookie.read(progress)?;
    let to_attach = bounds.at_most(access.timeout);
    let attaching = remote::attach(node, access, cookie.clone(), to_attach.left());
    let link = to_attach.run("attaching", attaching).await?;
    let creation = link.connection().peer().creation;
    let mut room = Room::default();
    room.attached(port(&link, access), false);
    let mut pilot = Pilot::start(link, rhythm(node, request, access));
    let mut told = Vec::new();
    if request.trace.is_some() {
        let arming = counting(&mut pilot, &mut told);
        Bounds::new(ARMING_MAX, bounds.stop.clone()).run("arming counters", arming).await?;
    }
    let witness = tokio::select! {
        biased;
        () = bounds.stop.asked() => Witness::begin(Reached::Nothing).await,
        witness = Witness::begin(reached) => witness,
    };
    let every_ms = millis(request.every);
    let recording = Recording::begin(store, node, request, clock)?;
    let ends_at_ms = request.lasts.map(millis);
    let (dialled_to, dialled) = mpsc::unbounded_channel();
    let mut observing = Observing {
        node,
        request,
        access,
        cookie,
        clock,
        watcher,
        stop: bounds.stop.clone(),
        store_path: path,
        started: Instant::now(),
        machine: Machine::attached(every_ms, ends_at_ms, creation),
        pilot: Some(pilot),
        recording,
        alarms: Alarms::default(),
        cost: CostMeter::default(),
        backoff: Backoff::new(),
        room,
        dialled_to,
        dialled,
        workload: None,
        answers,
        witness,
        last_mark: None,
        kept: BTreeMap::new(),
        calls: CallsLog::default(),
        links: 0,
        creation,
        ended: None,
        failed: None,
    };
    observing.mark(MarkKind::Attached, format!("attached to {node}"));
    for it in told {
        observing.told(it);
    }
    observing.run().await;
    observing.finish().await
}

/// Where EPMD says that it is, if EPMD said it.
fn port(link: &Link, access: &Access) -> Option<u16> {
    Some(link.connection().port()).filter(|it| *it != 0 && access.at.is_none())
}

fn rhythm(node: &str, request: &ObserveRequest, access: &Access) -> Rhythm {
    let calls = request.trace.clone().map(|trace| Calls {
        node: node.to_owned(),
        request: trace,
        every: request.every,
        timeout: access.timeout,
    });
    // Without evaluating there is nobody at the node who would switch it off again.
    Rhythm { every: request.every, top: TICK_TOP, arms: !access.no_eval, calls }
}

/// Waits until counters are armed: what is not there is an error of the whole session, and the
/// first call of a command counts.
async fn counting(pilot: &mut Pilot, all: &mut Vec<Told>) -> Result<(), Error> {
    loop {
        let told = match pilot.told().await {
            Told::Calls(CallsTold::Failed(error)) => return Err(error),
            Told::Closed(why) => {
                return Err(Error::new(ErrorKind::Nothing, format!("arming counters: {why}")));
            }
            told @ (Told::Calls(_)
            | Told::Ticked(_)
            | Told::Kept(..)
            | Told::Armed(_)
            | Told::Disarmed
            | Told::Lapsed(_)
            | Told::Alarm(_)) => told,
        };
        let has_begun = matches!(&told, Told::Calls(CallsTold::Event(_, _, event))
            if matches!(**event, TraceEvent::Began(_)));
        all.push(told);
        if has_begun {
            return Ok(());
        }
    }
}

/// Everything that a session holds while it runs.
struct Observing<'a> {
    node: &'a str,
    request: &'a ObserveRequest,
    access: &'a Access,
    cookie: Cookie,
    clock: &'a Clock,
    watcher: &'a dyn Watcher,
    stop: Stop,
    store_path: &'a str,
    started: Instant,
    machine: Machine,
    pilot: Option<Pilot>,
    recording: Recording,
    alarms: Alarms,
    cost: CostMeter,
    backoff: Backoff,
    room: Room,
    dialled_to: mpsc::UnboundedSender<Dialled>,
    dialled: mpsc::UnboundedReceiver<Dialled>,
    workload: Option<Running>,
    /// What was asked beside the ticks.
    answers: mpsc::UnboundedReceiver<Beside>,
    /// What the database behind the node says.
    witness: Witness,
    last_mark: Option<Mark>,
    /// What was switched on, by link and keeper.
    kept: BTreeMap<(u32, u32), Vec<KeptChange>>,
    calls: CallsLog,
    links: u32,
    creation: u32,
    ended: Option<Ended>,
    failed: Option<Error>,
}

/// What came of looking for the node.
enum Dialled {
    Link(Result<Link, Error>),
    /// Nobody dialled it.
    Held(Registered),
}

/// What woke the loop.
enum Woken {
    Stop,
    Told(Told),
    Dialled(Dialled),
    WorkloadEnded(Option<i32>, Option<i32>),
    Beside(Beside),
    Witnessed(Witnessed),
    Time,
}

impl Observing<'_> {
    async fn run(&mut self) {
        let mut is_stopping = false;
        self.step(Event::Time);
        while self.ended.is_none() {
            let woken = self.wait(is_stopping).await;
            match woken {
                Woken::Stop => {
                    is_stopping = true;
                    match &mut self.workload {
                        // Its end is the session's; what it does meanwhile is still watched.
                        Some(running) => running.interrupt(),
                        None => self.step(Event::Stop(Ended::Stopped)),
                    }
                }
                Woken::Told(told) => self.told(told),
                Woken::Dialled(Dialled::Link(Ok(link))) => self.attached(link),
                Woken::Dialled(Dialled::Link(Err(error))) => self.not_attached(&error),
                Woken::Dialled(Dialled::Held(registered)) => self.held(registered),
                Woken::WorkloadEnded(exit_status, signal) => {
                    self.workload_ended(exit_status, signal, is_stopping);
                }
                Woken::Beside(Beside::Answer(answer)) => self.answered(&answer),
                Woken::Beside(Beside::Read) => self.witness.read(),
                Woken::Witnessed(told) => self.witnessed(told),
                Woken::Time => self.step(Event::Time),
            }
            if self.machine.is_ending() {
                // Behind the end of a command, and before what comes after it.
                self.pilot.iter().for_each(Pilot::end_counting);
                self.witness.end();
            }
            self.tell();
        }
    }

    async fn wait(&mut self, is_stopping: bool) -> Woken {
        let wakes = self.started + Duration::from_millis(self.machine.wakes_at_ms());
        let told = async {
            match &mut self.pilot {
                Some(pilot) => pilot.told().await,
                None => std::future::pending().await,
            }
        };
        let workload = async {
            match &mut self.workload {
                Some(running) => running.ended().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            () = self.stop.asked(), if !is_stopping => Woken::Stop,
            told = told => Woken::Told(told),
            Some(dialled) = self.dialled.recv() => Woken::Dialled(dialled),
            Some(said) = self.answers.recv() => Woken::Beside(said),
            told = self.witness.told() => Woken::Witnessed(told),
            (status, signal) = workload => Woken::WorkloadEnded(status, signal),
            () = tokio::time::sleep_until(wakes) => Woken::Time,
        }
    }

    fn step(&mut self, event: Event) {
        let now_ms = self.now_ms();
        for todo in self.machine.step(now_ms, event) {
            match todo {
                Do::Dial => self.dial(),
                Do::Tick | Do::LastTick => {
                    if let Some(pilot) = &self.pilot {
                        pilot.tick(todo == Do::LastTick);
                    }
                }
                Do::Mark(kind, text) => self.mark(kind, text),
                Do::Finish(ended) => self.ended = Some(ended),
            }
        }
    }

    fn told(&mut self, told: Told) {
        match told {
            Told::Ticked(seen) => self.ticked(*seen),
            Told::Kept(keeper, changes) => self.keep((self.links, keeper), changes),
            Told::Armed(what) => self.mark(MarkKind::Armed, format!("switched on: {what}")),
            Told::Disarmed => {
                let text = "everything that was switched on is off again: looking cost too much";
                self.mark(MarkKind::Disarmed, text.to_owned());
            }
            Told::Lapsed(why) => self.mark(MarkKind::LeaseLapsed, why),
            Told::Alarm(text) => self.mark(MarkKind::Alarm, text),
            Told::Calls(told) => self.counted(told),
            Told::Closed(why) => {
                self.pilot = None;
                self.cut_off("the connection ended, and the node removed the counters");
                self.step(Event::ConnectionEnded { why });
            }
        }
    }

    fn counted(&mut self, told: CallsTold) {
        match told {
            CallsTold::Event(from, to, event) => {
                let mark = calls::mark(&event);
                let started = self.started.into_std();
                let record = self.calls.record(started, (from, to), *event);
                self.recording.trace(&record);
                if let Some((kind, text)) = mark {
                    self.mark(kind, text);
                }
            }
            CallsTold::Failed(error) => {
                self.mark(MarkKind::Alarm, format!("calls are not counted: {error}"));
            }
        }
    }

    /// The end of counting that nobody told of.
    fn cut_off(&mut self, why: &str) {
        if let Some(record) = self.calls.cut_off(why) {
            self.recording.trace(&record);
            let text = format!("calls are not counted any more: {why}");
            self.mark(MarkKind::Alarm, text);
        }
    }

    /// Writes into the manifest what was switched on and what became of it.
    fn keep(&mut self, key: (u32, u32), changes: Vec<KeptChange>) {
        self.kept.insert(key, changes);
        self.write_manifest();
    }

    /// Says what became of everything that nobody saw undone.
    fn settle(&mut self, how: Restored) {
        for ((link, _), changes) in &mut self.kept {
            for it in changes {
                let is_open = match it.restored {
                    Restored::NotYet => true,
                    // Of an earlier link it was undone by a node that ran on.
                    Restored::ByTheNode => *link == self.links,
                    Restored::Yes | Restored::NodeEnded => false,
                };
                if is_open {
                    it.restored = how;
                }
            }
        }
        self.write_manifest();
    }

    fn write_manifest(&mut self) {
        let started = self.started.into_std();
        let at_ms = |it: std::time::Instant| millis(it.saturating_duration_since(started));
        let changes = self.kept.values().flatten().map(|it| Change {
            what: it.name.clone(),
            made_at_ms: at_ms(it.made),
            restored: it.restored,
            restored_at_ms: it.restored_at.map(at_ms),
        });
        self.recording.session_mut().manifest = changes.collect();
    }

    fn ticked(&mut self, mut seen: Snapshot) {
        let now_ms = self.now_ms();
        if let Some(nothing) = crate::snapshot::nothing_seen(&seen) {
            tracing::debug!(nothing, "a tick without an answer");
            self.step(Event::Unanswered);
            return;
        }
        seen.taken_at = self.clock.now_rfc3339();
        let is_first = self.recording.session().ticks == 0;
        if let Some(counts) = &seen.counts {
            self.room.ticked(now_ms, counts.processes);
            self.watcher.crowded(self.room.crowded(now_ms));
        }
        // Before the machine speaks, which may end the session with this tick.
        self.recording.tick(now_ms, &mut seen);
        self.step(Event::Answered);
        for text in self.alarms.look(&seen) {
            self.mark(MarkKind::Alarm, text);
        }
        self.spend(now_ms, seen.impact.target_time_ms);
        if is_first {
            self.watcher.began(self.recording.session());
            // Somebody may have stopped the session before it really began.
            if !self.stop.is_asked() && self.ended.is_none() {
                self.start_workload();
            }
        }
    }

    /// Says so when looking costs too much, and switches off what can be when it goes on.
    fn spend(&mut self, now_ms: u64, target_time_ms: f64) {
        let over = self.cost.over_budget(now_ms, target_time_ms);
        // The last tick asks everything once more, and there is nothing left to make cheaper.
        if let Some((share, spans)) = over.filter(|_| !self.machine.is_ending()) {
            if spans > 1 {
                if let Some(pilot) = self.pilot.as_ref().filter(|_| spans == 2) {
                    pilot.disarm();
                    pilot.end_counting();
                }
                return;
            }
            let every = self.request.every.as_secs_f64();
            let text = format!(
                "looking took {:.1} % of a core over the last {} s, at most {:.0} % is wanted; \
                 a longer --every than {every} s makes it cheaper",
                share * 100.0,
                BUDGET_OVER_MS / 1000,
                BUDGET.core_share * 100.0
            );
            self.mark(MarkKind::Alarm, text);
        }
    }

    fn start_workload(&mut self) {
        let Some(command) = &self.request.command else { return };
        // As it is kept and told.
        let shown: Vec<_> = command.iter().map(|it| self.without_secrets(it)).collect();
        let text = format!("`{}` began", shown.join(" "));
        let workload = Workload { command: shown, exit_status: None, signal: None };
        match Running::start(command) {
            Ok(running) => {
                self.workload = Some(running);
                self.recording.session_mut().workload = Some(workload);
                self.mark(MarkKind::Workload, text);
            }
            Err(error) => {
                self.mark(MarkKind::Workload, error.to_string());
                self.failed = Some(error);
                self.step(Event::Stop(Ended::Failed));
            }
        }
    }

    fn without_secrets(&self, text: &str) -> String {
        let text = self.cookie.hidden_in(text);
        self.request.database.as_ref().map_or(text.clone(), |it| it.hidden_in(&text))
    }

    fn workload_ended(&mut self, exit_status: Option<i32>, signal: Option<i32>, is_stopping: bool) {
        self.workload = None;
        if let Some(workload) = &mut self.recording.session_mut().workload {
            workload.exit_status = exit_status;
            workload.signal = signal;
            let text = workload::sentence(workload);
            self.mark(MarkKind::Workload, text);
        }
        let ended = if is_stopping { Ended::Stopped } else { Ended::WorkloadEnded };
        self.step(Event::Stop(ended));
    }

    fn dial(&mut self) {
        let is_held = self.why_held().is_some();
        let (node, access, cookie) =
            (self.node.to_owned(), self.access.clone(), self.cookie.clone());
        let to = self.dialled_to.clone();
        tokio::spawn(async move {
            let dialled = if is_held {
                Dialled::Held(registered(&node, &access).await)
            } else {
                Dialled::Link(remote::attach(&node, &access, cookie, access.timeout).await)
            };
            // A session that ended meanwhile wants to hear of none.
            to.send(dialled).ok();
        });
    }

    /// Why dialling it may end it, where nobody said that it may.
    fn why_held(&self) -> Option<String> {
        let now_ms = self.now_ms();
        self.room.why_not(now_ms).filter(|_| self.request.redial == Redial::Careful)
    }

    fn held(&mut self, registered: Registered) {
        let now_ms = self.now_ms();
        if self.room.registered(now_ms, registered) {
            return self.dial();
        }
        let Some(why) = self.why_held() else { return self.dial() };
        self.step(Event::Held { why, again_in_ms: HELD_APART_MS });
    }

    fn attached(&mut self, link: Link) {
        self.backoff.reset();
        let port = port(&link, self.access);
        let pilot = Pilot::start(link, rhythm(self.node, self.request, self.access));
        let creation = pilot.creation();
        self.pilot = Some(pilot);
        self.cost.restart();
        let is_same = std::mem::replace(&mut self.creation, creation) == creation;
        self.room.attached(port, is_same);
        if !is_same {
            // What was switched on at a node that ended is gone with it.
            self.settle(Restored::NodeEnded);
        }
        self.links += 1;
        self.step(Event::Attached { creation });
    }

    fn not_attached(&mut self, error: &Error) {
        let again_in_ms = is_worth_retrying(error.kind()).then(|| millis(self.backoff.next()));
        self.step(Event::NotAttached { why: error.to_string(), again_in_ms });
    }

    fn answered(&mut self, answer: &Answer) {
        let now_ms = self.now_ms();
        self.recording.answer(now_ms, answer);
    }

    fn witnessed(&mut self, told: Witnessed) {
        let mark = told.mark();
        self.recording.database(&told.record(self.started.into_std()));
        if let Some((kind, text)) = mark {
            self.mark(kind, text);
        }
    }

    fn mark(&mut self, kind: MarkKind, text: String) {
        let mark = Mark { at: self.clock.now_rfc3339(), at_ms: self.now_ms(), kind, text };
        self.recording.mark(&mark);
        self.watcher.marked(&mark);
        self.last_mark = Some(mark);
    }

    fn tell(&mut self) {
        self.recording.session_mut().ticks_missed = self.machine.missed();
        if let Some(mark) = self.recording.health() {
            self.mark(mark.0, mark.1);
        }
        let now_ms = self.now_ms();
        let session = self.recording.session();
        self.watcher.now(&Live {
            session: session.name.clone(),
            node: session.node.clone(),
            os_pid: std::process::id(),
            store: self.store_path.to_owned(),
            every_ms: session.every_ms,
            elapsed_ms: now_ms,
            remaining_ms: self.request.lasts.map(|it| millis(it).saturating_sub(now_ms)),
            state: self.machine.state().to_owned(),
            ticks: session.ticks,
            ticks_missed: session.ticks_missed,
            core_share: self.cost.share(now_ms),
            last_mark: self.last_mark.clone(),
        });
    }

    async fn finish(mut self) -> Result<Session, Error> {
        let ended = self.ended.unwrap_or(Ended::Failed);
        if let Some(pilot) = self.pilot.take() {
            let allowed = if self.request.trace.is_some() { UNDO_COUNTERS_MAX } else { UNDO_MAX };
            for told in pilot.stop(allowed).await {
                match told {
                    Told::Kept(keeper, changes) => self.keep((self.links, keeper), changes),
                    Told::Calls(told) => self.counted(told),
                    Told::Ticked(_)
                    | Told::Armed(_)
                    | Told::Disarmed
                    | Told::Lapsed(_)
                    | Told::Alarm(_)
                    | Told::Closed(_) => {}
                }
            }
        }
        for told in self.witness.rest().await {
            self.witnessed(told);
        }
        self.cut_off("the node did not let us read them for the last time");
        if let Some(totals) = self.calls.totals() {
            self.recording.trace(&totals);
        }
        while let Ok(said) = self.answers.try_recv() {
            if let Beside::Answer(answer) = said {
                self.answered(&answer);
            }
        }
        // It hears no more of us from here on, and undoes what it did not tell of.
        self.settle(Restored::ByTheNode);
        self.mark(MarkKind::Ended, ended_text(ended).to_owned());
        self.recording.session_mut().ticks_missed = self.machine.missed();
        let session = self.recording.finish(ended, self.clock)?;
        match self.failed {
            Some(error) => Err(error),
            None => Ok(session),
        }
    }

    fn now_ms(&self) -> u64 {
        millis(self.started.elapsed())
    }
}

fn ended_text(ended: Ended) -> &'static str {
    match ended {
        Ended::TimeUp => "its time was over",
        Ended::Stopped => "it was stopped",
        Ended::WorkloadEnded => "the command ended",
        Ended::Failed => "it could not go on",
        Ended::Killed => "its giulia was killed",
    }
}

/// What EPMD says of the node, who does not notice.
async fn registered(node: &str, access: &Access) -> Registered {
    if access.at.is_some() {
        return Registered::Unknown;
    }
    match remote::registered(node, access).await {
        Ok(Some(port)) => Registered::At(port),
        Ok(None) => Registered::Gone,
        Err(error) => {
            tracing::debug!(%error, "EPMD was asked in vain");
            Registered::Unknown
        }
    }
}

/// Whether time alone may repair it; a wrong cookie writes an error into the node's log each
/// time (`beam-facts` 8.1.9).
fn is_worth_retrying(kind: ErrorKind) -> bool {
    use dist::ErrorKind as Dist;
    let ErrorKind::Node(kind) = kind else { return true };
    !matches!(
        kind,
        Dist::CookieMismatch
            | Dist::NotAllowed
            | Dist::InvalidName
            | Dist::InvalidConfig
            | Dist::NameMismatch
            | Dist::VersionUnsupported
            | Dist::NotErlang
            | Dist::TlsUntrusted
            | Dist::TlsClientCertificate
    )
}

/// What looking took of the node, over the last while and in all.
#[derive(Debug, Default)]
struct CostMeter {
    /// Of links that are over.
    before_ms: f64,
    latest_ms: f64,
    /// Time and sum at the begin of the span that is judged.
    span: Option<(u64, f64)>,
    /// Spans in a row that were above the budget.
    spans_over: u32,
}

impl CostMeter {
    /// The share over the span that just ended when it is above the budget, and the how manieth
    /// in a row it is.
    fn over_budget(&mut self, now_ms: u64, latest_ms: f64) -> Option<(f64, u32)> {
        self.latest_ms = latest_ms;
        let (since_ms, sum) = *self.span.get_or_insert((now_ms, latest_ms));
        let elapsed_ms = now_ms - since_ms;
        if elapsed_ms < BUDGET_OVER_MS {
            return None;
        }
        self.span = Some((now_ms, latest_ms));
        let share = (latest_ms - sum) / as_f64(elapsed_ms);
        self.spans_over = if share > BUDGET.core_share { self.spans_over + 1 } else { 0 };
        (self.spans_over > 0).then_some((share, self.spans_over))
    }

    /// Another link counts from nothing.
    fn restart(&mut self) {
        self.before_ms += self.latest_ms;
        self.latest_ms = 0.0;
        self.span = None;
        // What was switched off for its cost is on again there, and is judged anew.
        self.spans_over = 0;
    }

    fn share(&self, now_ms: u64) -> f64 {
        (self.before_ms + self.latest_ms) / as_f64(now_ms.max(1))
    }
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

#[expect(clippy::cast_precision_loss, reason = "milliseconds of a session")]
fn as_f64(ms: u64) -> f64 {
    ms as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_that_is_broken_is_counted_in_spans() {
        let mut cost = CostMeter::default();
        // Of each 20 s: 100 ms, 300 ms, 300 ms, 100 ms, 400 ms of the node.
        let sums = [0.0, 100.0, 400.0, 700.0, 800.0, 1200.0];
        let told: Vec<u32> = (0u64..)
            .zip(sums)
            .map(|(idx, sum)| cost.over_budget(idx * 20_000, sum).map_or(0, |it| it.1))
            .collect();
        assert_eq!(told, [0, 0, 1, 2, 0, 1]);
        assert!((cost.share(100_000) - 0.012).abs() < 1e-9);
        cost.restart();
        let told = [(110_000, 0.0), (130_000, 300.0)]
            .map(|(now_ms, sum)| cost.over_budget(now_ms, sum).map_or(0, |it| it.1));
        assert_eq!(told, [0, 1], "a new link begins its count anew");
    }
}
