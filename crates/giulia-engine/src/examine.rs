//! An examination: watches a node for a window, then asks closely about what the cheap figures
//! name, and records all of it in one session, so that everything concluded can be concluded again.

mod over;
mod picture;
mod suspects;

use std::{
    collections::BTreeMap,
    sync::OnceLock,
    time::{Duration, Instant},
};

use giulia_model::{Answer, Explain, FlameOf, FunctionPattern, Live, Mark, Mfa, NotSeen, Session};
use giulia_postgres::DatabaseUrl;
use giulia_probe::Subject;
use giulia_rules::{Picture, judge, shows_behind};
use tokio::sync::{mpsc, watch};

use self::suspects::Suspects;
use crate::{
    Archive, Attempt, Bounds, Cancel, Error, EtsRatesRequest, ExplainRequest, FlameRequest,
    MailboxRequest, ObserveRequest, ProcessRequest, Redial, Silent, TraceRequest, TraceSort,
    Watcher, explain,
    observe::{self, Beside, observe_with},
    snapshot,
};

pub(crate) use picture::Painter;
pub use picture::{picture, recorded_findings};

/// Between two ticks.
const EVERY: Duration = Duration::from_secs(1);
/// Waiting stacks are sampled for so long: a process that waits half of the time is seen in one of
/// two rounds, and ten rounds a second are thirty.
const STACKS: Duration = Duration::from_secs(3);
const STACKS_HZ: u32 = 10;
/// Who stands behind a library that calls a function is looked for so long, and so often where the
/// budget of a look at stacks allows it: one that waits for a millisecond forty times a second is
/// seen in 16 of 400 rounds.
const BEHIND: Duration = Duration::from_secs(8);
const BEHIND_HZ: u32 = 50;
/// Messages of a server are looked at for so long: at ten a second that is twenty of them.
const MESSAGES: Duration = Duration::from_secs(2);
/// Calls are counted for so long: one of 1 a second is seen five times.
const COUNTING: Duration = Duration::from_secs(5);
/// And for at most this share of the time of all schedulers, the default of `giulia trace`.
const COUNTING_SHARE: f64 = 0.02;
/// The calls of a function are sampled for so long, or until so many were seen: as `giulia explain`
/// does by itself.
const CALLS: Duration = Duration::from_secs(5);
const CALLS_WANTED: usize = 200;
/// From a function that asks another machine to its callers: a request seldom passes more than a
/// query, a schema and a context.
const CALLERS_DEEP: usize = 3;
/// Groups of processes that a sample of all of them tells.
const TOP: usize = 20;
/// Calls of `ets` are looked at for so long.
const TABLES: Duration = Duration::from_secs(2);
/// All of it together on a starved node; what is not asked by then is told.
const CLOSELY: Duration = Duration::from_mins(3);
/// What arming and undoing may take on a starved node beside that (`beam-facts` 8.1).
const ARMING: Duration = Duration::from_secs(30);

/// What to examine.
#[derive(Debug, Clone)]
pub struct ExamineRequest {
    /// How long to watch first.
    pub window: Duration,
    /// The session's name; made of node and time without.
    pub name: Option<String>,
    /// Functions to look at closely; without any, those that stacks and busy processes name.
    pub patterns: Vec<FunctionPattern>,
    /// The database behind the node, whose own account of its statements is recorded too.
    pub database: Option<DatabaseUrl>,
}

impl ExamineRequest {
    /// The longest that it takes beside attaching and a last question that is under way; commonly a
    /// minute beyond its window.
    pub fn lasts(&self) -> Duration {
        self.window + CLOSELY
    }
}

/// Watches, asks closely, and records both; the finished session.
///
/// Asked to stop, it ends the session with what it has.
///
/// # Errors
/// When the first attach fails, the database cannot be reached or the store cannot be written to. What could not be asked later is
/// an answer of the session.
pub async fn examine(
    node: &str,
    request: &ExamineRequest,
    archive: &Archive,
    attempt: Attempt<'_>,
) -> Result<Session, Error> {
    let store = archive.write()?;
    let path = archive.path().display().to_string();
    let over = Cancel::new();
    let bounds = Bounds::new(attempt.access.timeout, over.stop());
    let (answers, inbox) = mpsc::unbounded_channel();
    let told = Told::default();
    let observed = ObserveRequest {
        every: EVERY,
        lasts: None,
        name: request.name.clone(),
        command: None,
        trace: None,
        redial: Redial::Careful,
        database: request.database.clone(),
    };
    // Two progress lines at once would overwrite each other.
    let quietly = Attempt { bounds: &bounds, progress: &Silent, ..attempt };
    let store = (&store, path.as_str());
    let observing = observe_with(node, &observed, store, quietly, (&told, inbox));
    let observing = std::pin::pin!(observing);
    let mut examiner = Examiner {
        node,
        session: String::new(),
        told: &told,
        request,
        archive,
        attempt,
        answers,
        asked: Vec::new(),
        entries: BTreeMap::new(),
        until: Instant::now(),
    };
    let examining = Box::pin(async {
        examiner.session = told.name().await;
        examiner.run().await;
    });
    let mut observing = observing;
    tokio::select! {
        biased;
        ended = &mut observing => return ended,
        () = examining => {}
    }
    over.cancel();
    let session = observing.await;
    // Somebody asked for it, and findings do not name what they could do without.
    told.database.borrow().iter().for_each(|it| attempt.progress.warn(it));
    session
}

/// Who asks closely.
struct Examiner<'a> {
    node: &'a str,
    /// The name of the session.
    session: String,
    told: &'a Told,
    request: &'a ExamineRequest,
    archive: &'a Archive,
    attempt: Attempt<'a>,
    answers: mpsc::UnboundedSender<Beside>,
    /// What was answered so far, and when, in milliseconds since the session began.
    asked: Vec<(u64, Answer)>,
    /// By which functions loops of libraries are entered.
    entries: BTreeMap<Mfa, Vec<Mfa>>,
    /// When closer looks are over, whatever was not asked by then.
    until: Instant,
}

impl Examiner<'_> {
    async fn run(&mut self) {
        let stop = self.attempt.bounds.stop.clone();
        self.attempt.progress.begin("watching", self.request.window);
        tokio::select! {
            () = stop.asked() => {}
            () = tokio::time::sleep(self.request.window) => {}
        }
        self.attempt.progress.end();
        if !stop.is_asked() {
            self.closely().await;
        }
        match self.picture() {
            Ok(seen) => self.keep(Answer::Findings(Box::new(judge(&seen)))),
            Err(error) => self.failed("findings", &error),
        }
    }

    async fn closely(&mut self) {
        let stop = self.attempt.bounds.stop.clone();
        tokio::select! {
            biased;
            // What is under way is told to stop by its own bounds; what is dropped is undone by
            // the node, which loses its connection.
            () = self.each() => {}
            () = stop.asked() => {}
        }
    }

    async fn each(&mut self) {
        self.until = Instant::now() + CLOSELY;
        if let Some(why) = self.why_not() {
            // One answer for each kind of look: what is asked later depends on what the first say.
            for what in ["messages of processes", "calls of functions", "tables", "the processes"] {
                self.keep(not_seen(what, &why));
            }
            return;
        }
        let mut suspects = match self.picture() {
            Ok(seen) => Suspects::of(&seen, &self.request.patterns),
            Err(error) => return self.failed("suspects", &error),
        };
        if suspects.wants_stacks() {
            self.stacks(&mut suspects, (STACKS, STACKS_HZ)).await;
        }
        for subject in suspects.servers() {
            self.messages(subject, &mut suspects).await;
        }
        self.calls(&mut suspects).await;
        for function in suspects.functions() {
            self.rests_on(function, &mut suspects).await;
        }
        for _ in 0..CALLERS_DEEP {
            self.calls_of_callers(&mut suspects).await;
            for function in suspects.callers() {
                self.rests_on(function, &mut suspects).await;
            }
        }
        self.tables(&mut suspects).await;
        for subject in suspects.servers() {
            self.messages(subject, &mut suspects).await;
        }
        for subject in suspects.processes() {
            self.process(subject).await;
        }
        // At the end, where those that became more are most of them.
        if self.picture().is_ok_and(|it| knows_few(&it)) {
            self.processes().await;
        }
    }

    fn picture(&self) -> Result<Picture, Error> {
        picture::with_answers(self.archive, &self.session, &self.asked)
    }

    async fn stacks(&mut self, suspects: &mut Suspects, (window, hz_max): (Duration, u32)) {
        let request = FlameRequest {
            of: FlameOf::Waiting,
            window,
            hz_max,
            patterns: Vec::new(),
            groups: Vec::new(),
        };
        let what = "stacks of waiting processes";
        let Some(bounds) = self.bounds(what, window) else { return };
        let attempt = Attempt { bounds: &bounds, ..self.attempt };
        match crate::flame(self.node, &request, attempt).await {
            Ok(mut seen) => {
                suspects.stacks(&seen);
                // They name suspects, and rules do not read them.
                seen.stacks.truncate(50);
                self.keep(Answer::Flame(Box::new(seen)));
            }
            Err(error) => self.failed(what, &error),
        }
    }

    async fn messages(&mut self, subject: Subject, suspects: &mut Suspects) {
        let what = format!("messages of {subject}");
        let request = MailboxRequest { subject, window: MESSAGES };
        let Some(bounds) = self.bounds(&what, MESSAGES + ARMING) else { return };
        let attempt = Attempt { bounds: &bounds, ..self.attempt };
        match crate::mailbox(self.node, &request, attempt).await {
            Ok(seen) => {
                suspects.mailbox(&seen);
                self.keep(Answer::Mailbox(Box::new(seen)));
            }
            Err(error) => self.failed(&what, &error),
        }
    }

    async fn calls(&mut self, suspects: &mut Suspects) {
        let patterns = suspects.patterns();
        if patterns.is_empty() {
            let why = "nothing names a function to look at; name some with --trace";
            return self.keep(not_seen("calls of functions, and what they rest on", why));
        }
        self.count(patterns, "calls of functions", suspects).await;
    }

    async fn calls_of_callers(&mut self, suspects: &mut Suspects) {
        let patterns = suspects.uncounted_callers();
        if !patterns.is_empty() {
            self.count(patterns, "calls of their callers", suspects).await;
        }
    }

    async fn count(&mut self, patterns: Vec<FunctionPattern>, what: &str, suspects: &mut Suspects) {
        let request = TraceRequest {
            patterns,
            window: COUNTING,
            sort: TraceSort::Calls,
            top: 1000,
            budget_share: COUNTING_SHARE,
            dry_run: false,
        };
        let lasts = request.lasts();
        let Some(bounds) = self.bounds(what, lasts) else { return };
        let attempt = Attempt { bounds: &bounds, ..self.attempt };
        self.answers.send(Beside::Read).ok();
        match crate::trace(&[(self.node, attempt)], &request, Some(self.archive)).await {
            Ok(seen) => {
                suspects.trace(&seen);
                self.keep(Answer::Trace(Box::new(seen)));
                // Behind the answer, whose time ends before that of the reading.
                self.answers.send(Beside::Read).ok();
            }
            Err(error) => self.failed(what, &error),
        }
    }

    async fn rests_on(&mut self, function: FunctionPattern, suspects: &mut Suspects) {
        let what = format!("what {function} rests on");
        let request = ExplainRequest { function, lasting: CALLS, calls: CALLS_WANTED };
        let Some(bounds) = self.bounds(&what, CALLS + ARMING) else { return };
        let attempt = Attempt { bounds: &bounds, ..self.attempt };
        match crate::explain(self.node, &request, attempt, Some(self.archive)).await {
            Ok(mut seen) => {
                if let Some(library) = suspects::library(&seen) {
                    self.behind(&mut seen, library, suspects).await;
                }
                suspects.explain(&seen);
                self.keep(Answer::Explain(Box::new(seen)));
            }
            Err(error) => self.failed(&what, &error),
        }
    }

    /// Who has it called by a loop of a library.
    async fn behind(&mut self, seen: &mut Explain, library: Mfa, suspects: &mut Suspects) {
        seen.behind = suspects.behind(&seen.function);
        loop {
            if suspects::is_entered(seen, &library) {
                seen.entered_by = self.entries(&library).await;
            }
            if shows_behind(seen) || !suspects.may_look_behind() {
                return;
            }
            self.stacks(suspects, (BEHIND, BEHIND_HZ)).await;
            seen.behind = suspects.behind(&seen.function);
        }
    }

    async fn entries(&mut self, library: &Mfa) -> Vec<Mfa> {
        if let Some(known) = self.entries.get(library) {
            return known.clone();
        }
        let what = format!("how {library} is entered");
        let Some(bounds) = self.bounds(&what, Duration::ZERO) else { return Vec::new() };
        let attempt = Attempt { bounds: &bounds, ..self.attempt };
        let found = match explain::entries(self.node, library, attempt).await {
            Ok(found) => found,
            Err(error) => {
                self.failed(&what, &error);
                Vec::new()
            }
        };
        self.entries.insert(library.clone(), found.clone());
        found
    }

    async fn tables(&mut self, suspects: &mut Suspects) {
        let request = EtsRatesRequest { table: None, window: TABLES };
        let what = "tables read and written";
        let Some(bounds) = self.bounds(what, TABLES + ARMING) else { return };
        let attempt = Attempt { bounds: &bounds, ..self.attempt };
        match crate::ets_rates(self.node, &request, attempt).await {
            Ok(seen) => {
                suspects.tables(&seen);
                self.keep(Answer::Ets(Box::new(seen)));
            }
            Err(error) => self.failed(what, &error),
        }
    }

    async fn process(&mut self, subject: Subject) {
        let what = format!("the process {subject}");
        let request = ProcessRequest { subject, state: false };
        let Some(bounds) = self.bounds(&what, Duration::ZERO) else { return };
        let attempt = Attempt { bounds: &bounds, ..self.attempt };
        match crate::process(self.node, &request, attempt).await {
            Ok(seen) => self.keep(Answer::Process(Box::new(seen))),
            Err(error) => self.failed(&what, &error),
        }
    }

    async fn processes(&mut self) {
        let what = "kinds of all processes";
        let Some(bounds) = self.bounds(what, Duration::ZERO) else { return };
        let attempt = Attempt { bounds: &bounds, ..self.attempt };
        match snapshot::all_processes(self.node, TOP, attempt).await {
            Ok((seen, not_seen)) => {
                self.keep(Answer::Processes(Box::new(seen)));
                for it in not_seen {
                    self.keep(Answer::NotSeen(it));
                }
            }
            Err(error) => self.failed(what, &error),
        }
    }

    /// The limits of one question, which takes its own time beside attaching; none, and an answer
    /// that says why, where it is not asked any more.
    fn bounds(&mut self, what: &str, lasts: Duration) -> Option<Bounds> {
        if let Some(why) = self.why_not() {
            self.keep(not_seen(what, &why));
            return None;
        }
        let stop = self.attempt.bounds.stop.clone();
        Some(Bounds::new(self.attempt.access.timeout + lasts, stop))
    }

    /// Why nothing is asked closely any more.
    fn why_not(&self) -> Option<String> {
        if Instant::now() >= self.until {
            return Some(format!("the {CLOSELY:?} for closer looks were over"));
        }
        let had = self.told.crowded.borrow().clone()?;
        Some(format!(
            "{had}, each closer look dials it, and a node without one to spare ends when anybody dials \
             it (net_kernel of OTP 23 to 29 falls over it)"
        ))
    }

    fn keep(&mut self, answer: Answer) {
        // A session that ended meanwhile records no more, and is told of by its own error.
        self.answers.send(Beside::Answer(answer.clone())).ok();
        self.asked.push((self.told.elapsed_ms(), answer));
    }

    fn failed(&mut self, what: &str, error: &Error) {
        self.keep(not_seen(what, &error.to_string()));
    }
}

/// Whether ticks know what fewer than half of the processes are: above 10,000 only the busy ones.
fn knows_few(picture: &Picture) -> bool {
    let last = picture.last.as_ref().ok().and_then(|it| it.processes.as_ref());
    last.is_some_and(|it| it.group_coverage.asked < it.group_coverage.total / 2)
}

fn not_seen(what: &str, why: &str) -> Answer {
    Answer::NotSeen(NotSeen { what: what.to_owned(), why: why.to_owned() })
}

/// What the session tells while it is recorded.
#[derive(Debug)]
struct Told {
    /// The zero of the session's clock: its first mark has the time that it was made at.
    began: OnceLock<Instant>,
    name: watch::Sender<Option<String>>,
    /// Why dialling its node might end it, as of the last tick.
    crowded: watch::Sender<Option<String>>,
    /// What became of the database behind it.
    database: watch::Sender<Vec<String>>,
}

impl Default for Told {
    fn default() -> Self {
        Self {
            began: OnceLock::new(),
            name: watch::channel(None).0,
            crowded: watch::channel(None).0,
            database: watch::channel(Vec::new()).0,
        }
    }
}

impl Told {
    fn elapsed_ms(&self) -> u64 {
        let since = self.began.get().map_or(Duration::ZERO, Instant::elapsed);
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    }

    async fn name(&self) -> String {
        let mut told = self.name.subscribe();
        let name = told.wait_for(Option::is_some).await.map(|it| it.clone().unwrap_or_default());
        match name {
            Ok(name) => name,
            // The sender is ours and lives.
            Err(_) => std::future::pending().await,
        }
    }
}

impl Watcher for Told {
    fn began(&self, session: &Session) {
        self.name.send_replace(Some(session.name.clone()));
    }

    fn now(&self, _live: &Live) {}

    fn marked(&self, mark: &Mark) {
        let now = Instant::now();
        self.began
            .get_or_init(|| now.checked_sub(Duration::from_millis(mark.at_ms)).unwrap_or(now));
        if observe::is_of_database(mark) {
            self.database.send_modify(|all| all.push(mark.text.clone()));
        }
    }

    fn crowded(&self, why: Option<String>) {
        self.crowded.send_replace(why);
    }
}
