//! The keeper: what is switched on at a node is switched off again, whatever becomes of giulia.
//!
//! Question: none; it makes settings for those who ask (scheduler wall time, system events, later
//! call counters), and sees to it that none of them outlives its session.
//!
//! Protocol: three processes evaluated on the target (`erl/custodian.erl`, `erl/sentinel.erl`,
//! `erl/sink.erl`), whose group leader is on our node, so that no probe takes them for the node's
//! own work.
//!
//! * The *custodian* is linked to a mailbox of ours and holds a lease, which a task here renews.
//!   It makes each setting on request, after the *sentinel* has said that it knows how to undo it,
//!   and undoes all of them, the last one first, when it is told to stop, when the link breaks
//!   (we were killed, the connection ended), when the lease lapses (a silent network, a giulia
//!   that is stopped), and when the sentinel dies.
//! * The *sentinel* undoes what it knows when the custodian ends without having done so.
//! * The *sink*, started with the first setting that needs a tracer, receives what the VM tells,
//!   under a heap limit that kills it; it keeps some of it and hands that out when asked. Each
//!   [`crate::Tracing`] has another one (`erl/keep.erl`). Whoever cleans up ends them all first.
//!
//! Killing any one of them, or us, leaves no setting behind. Killing custodian and sentinel
//! together leaves what the VM does not undo by itself: patterns before OTP 27. Scheduler wall
//! time and trace sessions go with the process that holds them.
//!
//! All that they send goes with `[nosuspend, noconnect]`: a process that is suspended because we
//! do not read would hold its settings, and a plain send after a drop would dial us back. A reply
//! that was lost that way is asked for again.
//!
//! Cost: 34 KB in the custodian, 20 KB in the sentinel and, with system events, 40 to 700 KB in
//! the sink (10 MB kill it); 160 bytes more in each of the first two for a call counter; none of them grows
//! over 100,000 messages. A renewal takes 30-80 us and some 9,000 reductions, of which evaluating
//! is little and collecting garbage before hibernation the rest: below 0.01 % of a core. Between
//! renewals they do not run. (Measured on OTP 23, 25, 27 and 29 on two shared cores;
//! `tests/it/keeper.rs` prints it.)
//!
//! Limit: one message to the custodian is below 64 KiB, so long lists of steps are split. A
//! custodian that hangs while we are gone (a setting that waits for every scheduler) is helped by
//! the sentinel after 10 s.
//!
//! Side effects: none that last. `erl_eval` is loaded; system events load `trace`, a module of
//! `kernel`, and make the atom `giulia`.

pub(crate) mod actor;
mod events;
pub(crate) mod setting;

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use giulia_dist::{Call, Error, ErrorKind, SpawnOptions, term::Pid, term::Term};
use giulia_model::Restored;
use tokio::sync::{Mutex, mpsc};

use crate::{Link, eval, own_nodes::OwnSession};
use actor::{Actor, Ask, Command, Shared};
use events::Sink;

pub use events::{SystemEvent, SystemEvents};
pub use setting::{Setting, Step, Steps, SystemEventLimits, Undo};

/// What a keeper is started with.
#[derive(Debug, Clone)]
pub struct KeeperOptions {
    /// How long the node waits for a sign of life before it undoes everything. 5 s.
    ///
    /// It is renewed five times as often, so that four renewals in a row may come late: 1 s for
    /// 5 s, which is what notices a silent network long before the node's own minute. A renewal
    /// is one message of some 70 bytes and one evaluation there.
    pub lease: Duration,
}

/// Processes on a node that hold settings for us. Dropping it undoes them.
#[derive(Debug)]
pub struct Keeper {
    link: Link,
    custodian: Pid,
    sentinel: Pid,
    shared: Arc<Shared>,
    commands: mpsc::UnboundedSender<Command>,
    /// Held while settings change, so that two do not make the same one.
    changing: Mutex<Option<Sink>>,
    /// Trace sessions that it holds, by the name of their setting.
    sessions: std::sync::Mutex<Vec<(String, OwnSession)>>,
    next_request: AtomicU64,
}

/// Something that was switched on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptChange {
    /// What: `scheduler wall time`.
    pub name: String,
    /// When the node said that it was made.
    pub made: Instant,
    /// What became of it; [`Restored::Yes`] only when the node said so.
    pub restored: Restored,
    /// When we heard that.
    pub restored_at: Option<Instant>,
}

/// Why a keeper is gone.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeeperEnd {
    /// [`Keeper::stop`].
    Stopped,
    /// The node did not hear from us in time.
    LeaseLapsed,
    /// The connection ended.
    Connection,
    /// Somebody at the node killed the custodian or the sentinel.
    Killed,
    /// Anything else, as the node told it.
    Other(String),
}

/// Making a setting may wait for every scheduler: 13.8 s were measured on a busy node (OTP 25).
const ARM_MAX: Duration = Duration::from_secs(30);

/// Undoing too: 4.3 s were measured there.
const STOP_MAX: Duration = Duration::from_secs(10);

/// How long the custodian may clean up after we are gone before the sentinel helps. Twice what was
/// measured, in milliseconds.
const GRACE_MS: u64 = 10_000;

impl Default for KeeperOptions {
    fn default() -> Self {
        Self { lease: Duration::from_secs(5) }
    }
}

impl Keeper {
    /// Starts one on the target, holding nothing yet.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidConfig`] on a link without evaluation; those of a connection that
    /// ended or a node that starts no process.
    pub async fn start(link: &Link, options: &KeeperOptions) -> Result<Self, Error> {
        if link.no_eval() {
            return Err(Error::new(
                ErrorKind::InvalidConfig,
                "nothing can be switched on with --no-eval: the keeper that would switch it off again is evaluated on the node; leave --no-eval away",
            ));
        }
        let mailbox = link.connection().mailbox();
        let us = || Term::Pid(mailbox.pid().clone());
        let linked = SpawnOptions { link: true, monitor: false };
        let sentinel = eval::SENTINEL.forever([us(), Term::uint(GRACE_MS)]);
        let sentinel = mailbox.spawn(&call(&sentinel), linked).await?.pid;
        let lease_ms = u64::try_from(options.lease.as_millis()).unwrap_or(u64::MAX);
        let told = [us(), Term::Pid(sentinel.clone()), Term::uint(lease_ms)];
        let custodian = mailbox.spawn(&call(&eval::CUSTODIAN.forever(told)), linked).await?.pid;
        let shared = Arc::new(Shared::default());
        let (commands, receiver) = mpsc::unbounded_channel();
        let actor = Actor::new(mailbox, custodian.clone(), sentinel.clone(), Arc::clone(&shared));
        tokio::spawn(actor.run(receiver, options.lease));
        let changing = Mutex::new(None);
        let next_request = AtomicU64::new(1);
        Ok(Self {
            link: link.clone(),
            custodian,
            sentinel,
            shared,
            commands,
            changing,
            sessions: std::sync::Mutex::default(),
            next_request,
        })
    }

    /// Makes a setting; one that is made already stays as it is.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::VersionUnsupported`] where this ERTS lacks it; [`ErrorKind::Raised`] with what
    /// the node said, after which nothing of it is left; those of a keeper that is gone.
    pub async fn arm(&self, setting: Setting) -> Result<(), Error> {
        setting.permitted(self.link.erts())?;
        let mut sink = self.changing.lock().await;
        if self.shared.is_whole(setting.name()) {
            return Ok(());
        }
        self.make(setting, &mut sink).await.map(drop)
    }

    /// Makes steps and returns what they returned, in order: the handle of a trace session, which
    /// lives as long as the custodian holds it.
    ///
    /// # Errors
    ///
    /// As [`Keeper::arm`], and [`ErrorKind::Request`] when something of this name is made already.
    pub async fn arm_returning(&self, steps: Steps) -> Result<Vec<Term<'static>>, Error> {
        let mut sink = self.changing.lock().await;
        if self.shared.is_whole(&steps.name) {
            let text = format!("{} is switched on already; disarm it first", steps.name);
            return Err(Error::new(ErrorKind::Request, text));
        }
        self.make(Setting::Steps(steps), &mut sink).await
    }

    /// Makes one more part of a named setting, which begins with its first part, and returns what
    /// its steps returned. Who adds parts sees to it that each fits into a message.
    pub(crate) async fn extend(&self, part: Steps) -> Result<Vec<Term<'static>>, Error> {
        self.extend_by(part).await.map(|(_, made)| made)
    }

    /// The same, with the part's number, by which its undoing can be replaced.
    pub(crate) async fn extend_by(&self, part: Steps) -> Result<(u64, Vec<Term<'static>>), Error> {
        let _changing = self.changing.lock().await;
        let name = part.name.clone();
        let is_first = !self.shared.is_whole(&name);
        if is_first {
            self.disarm_all(&name).await?;
            self.shared.begin(&name);
        }
        let id = self.new_id();
        let made = self.arm_part((&name, id), part).await;
        match &made {
            Ok(_) if is_first => self.shared.made(&name),
            Err(_) if is_first => drop(self.disarm_all(&name).await),
            // A later part that failed is undone with the others.
            Ok(_) | Err(_) => {}
        }
        made.map(|made| (id, made))
    }

    /// Replaces how a part is undone; what is made stays as it is. The sentinel knows before the
    /// custodian, and at each moment either way undoes what is still ours.
    pub(crate) async fn undo_by(&self, name: &str, part: u64, undo: Undo) -> Result<(), Error> {
        let _changing = self.changing.lock().await;
        if !self.shared.parts_of(name).contains(&part) {
            return Ok(());
        }
        let undo = Steps { name: name.to_owned(), apply: Vec::new(), undo }.undo_term();
        let replace = |request| {
            let (request, part) = (Term::uint(request), Term::uint(part));
            Term::tuple([Term::atom("arm"), request, part, Term::atom("replace"), undo.clone()])
        };
        self.ask(replace).await.map(drop)
    }

    /// Undoes all parts of a named setting, the last one first.
    pub(crate) async fn release(&self, name: &str) -> Result<(), Error> {
        let _changing = self.changing.lock().await;
        self.disarm_all(name).await
    }

    /// Tells the custodian of a tracer, which it ends before it undoes anything.
    pub(crate) async fn end_first(&self, sink: &Pid) -> Result<(), Error> {
        let pid = Term::Pid(sink.clone());
        let tell = |id| Term::tuple([Term::atom("sink"), Term::uint(id), pid.clone()]);
        self.ask(tell).await.map(drop)
    }

    /// What became of it, for who finds that what it held is gone.
    pub(crate) fn gone(&self) -> Error {
        self.shared.gone()
    }

    /// Whether something of this name is made.
    pub(crate) fn holds(&self, name: &str) -> bool {
        self.shared.is_whole(name)
    }

    /// Undoes a setting; one that is not made is none.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Raised`] with what the node said; those of a keeper that is gone.
    pub async fn disarm(&self, setting: Setting) -> Result<(), Error> {
        let mut sink = self.changing.lock().await;
        self.disarm_all(setting.name()).await?;
        if matches!(setting, Setting::SystemEvents(_)) {
            *sink = None;
        }
        Ok(())
    }

    /// What the sink has received since it was last asked.
    ///
    /// # Errors
    ///
    /// When system events are not switched on, or more came than the sink may hold and the VM
    /// killed it: then disarm and arm them again, with wider limits.
    pub async fn events(&self) -> Result<SystemEvents, Error> {
        match self.changing.lock().await.as_mut() {
            Some(sink) => sink.take().await,
            None => Err(Error::new(
                ErrorKind::Request,
                "no system events were asked for; arm them first",
            )),
        }
    }

    /// Everything that was switched on, in that order, and what became of it.
    pub fn changes(&self) -> Vec<KeptChange> {
        self.shared.changes()
    }

    /// Renewals of the lease that could not be sent because the connection takes nothing more.
    pub fn unsent_renewals(&self) -> u64 {
        self.shared.unsent_renewals.load(Ordering::Relaxed)
    }

    /// Waits until the keeper is gone.
    pub async fn ended(&self) -> KeeperEnd {
        self.shared.ended().await
    }

    /// Undoes everything, waits for the node to say so, and ends.
    pub async fn stop(self) -> Vec<KeptChange> {
        // A failure means that it is gone already.
        drop(self.commands.send(Command::Stop));
        drop(tokio::time::timeout(STOP_MAX, self.shared.ended()).await);
        self.shared.undone_without_us();
        self.shared.changes()
    }

    async fn make(
        &self,
        setting: Setting,
        sink: &mut Option<Sink>,
    ) -> Result<Vec<Term<'static>>, Error> {
        let name = setting.name().to_owned();
        // What somebody began to arm and gave up.
        self.disarm_all(&name).await?;
        self.shared.begin(&name);
        let made = match setting {
            Setting::SystemEvents(limits) => self.arm_events(&name, &limits, sink).await,
            Setting::SchedulerWallTime | Setting::Steps(_) => {
                self.arm_parts(&name, setting.parts()).await
            }
        };
        match made {
            Ok(_) => self.shared.made(&name),
            // What failed may be half made. If even that fails it stays in the manifest.
            Err(_) => drop(self.disarm_all(&name).await),
        }
        made
    }

    async fn arm_events(
        &self,
        name: &str,
        limits: &SystemEventLimits,
        sink: &mut Option<Sink>,
    ) -> Result<Vec<Term<'static>>, Error> {
        let started = Sink::start(self.link.connection()).await?;
        self.end_first(started.pid()).await?;
        let session = setting::session(&Term::Pid(started.pid().clone()));
        let created = self.arm_part((name, self.new_id()), session).await?;
        let [session] = created.as_slice() else {
            let text = "creating a trace session did not return one";
            return Err(Error::new(ErrorKind::Protocol, text));
        };
        let made = self.arm_part((name, self.new_id()), limits.part(session)).await?;
        *sink = Some(started);
        Ok(made)
    }

    async fn arm_parts(&self, name: &str, parts: Vec<Steps>) -> Result<Vec<Term<'static>>, Error> {
        let mut results = Vec::new();
        for part in parts {
            results.extend(self.arm_part((name, self.new_id()), part).await?);
        }
        Ok(results)
    }

    /// Makes one part and returns the results of its steps.
    async fn arm_part(
        &self,
        (name, id): (&str, u64),
        part: Steps,
    ) -> Result<Vec<Term<'static>>, Error> {
        self.shared.add_part(name, id);
        if part.makes_session() {
            let peer = self.link.connection().peer().name.to_string();
            self.sessions().push((name.to_owned(), self.link.own().session(&peer)));
        }
        let (steps, undo) = (part.apply_term(), part.undo_term());
        let arm = |request| {
            let (request, id) = (Term::uint(request), Term::uint(id));
            Term::tuple([Term::atom("arm"), request, id, steps.clone(), undo.clone()])
        };
        setting::results(&self.ask(arm).await?, &part.name, self.link.connection().peer())
    }

    async fn disarm_all(&self, name: &str) -> Result<(), Error> {
        for id in self.shared.parts_of(name) {
            let disarm =
                |request| Term::tuple([Term::atom("disarm"), Term::uint(request), Term::uint(id)]);
            setting::undone(&self.ask(disarm).await?)?;
        }
        self.shared.undone(name);
        self.sessions().retain(|it| it.0 != name);
        Ok(())
    }

    fn sessions(&self) -> std::sync::MutexGuard<'_, Vec<(String, OwnSession)>> {
        self.sessions.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// One request to the custodian; the meter gets it with its whole time.
    async fn ask(&self, message: impl Fn(u64) -> Term<'static>) -> Result<Vec<u8>, Error> {
        let id = self.new_id();
        let message = message(id);
        let began = Instant::now();
        let told = Ask { id, message: &message, commands: &self.commands, shared: &self.shared }
            .answer(ARM_MAX)
            .await;
        let received = told.as_ref().map_or(0, Vec::len);
        self.link.note("keeper", began.elapsed(), &message, received);
        told
    }

    fn new_id(&self) -> u64 {
        self.next_request.fetch_add(1, Ordering::Relaxed)
    }

    /// The custodian, for tests that kill it.
    #[doc(hidden)]
    pub fn custodian(&self) -> &Pid {
        &self.custodian
    }

    /// The sink, once there is one.
    #[doc(hidden)]
    pub async fn sink(&self) -> Option<Pid> {
        self.changing.lock().await.as_ref().map(|it| it.pid().clone())
    }

    /// The sentinel.
    #[doc(hidden)]
    pub fn sentinel(&self) -> &Pid {
        &self.sentinel
    }
}

fn call(bif: &crate::answer::Bif) -> Call {
    Call::new(bif.module, bif.function, bif.args.clone())
}
