//! Question: what kinds of messages does a process receive, how long do they wait, how long do
//! they take?
//!
//! Call: of a server of OTP's, a call trace of its callbacks on this one process, in which a match
//! specification takes tag and sizes out of the message (`mailbox/kinds.rs`); messages themselves
//! stay where they are. Of any other process a receive trace, which copies each message into a
//! process of ours on that node and, up to 8 KB of it, to us, where tag and size are kept. Beside
//! it `erlang:process_info(_, message_queue_len)` twenty times a second.
//! First OTP: 23; `running` from ERTS 11.2.2.11; none of it, without `--accept-vm-bug`, where a bug
//! of the VM makes flags on processes dangerous.
//! Cost: 1 us a trace message on the process and as much beside it; two to five of them a message.
//! Limit: 10,000 trace messages a second, 2 % of a core: more end the sample of that tenth of the
//! window, and what was seen of it counts. 24 MB on the node.
//! Side effects: none that last: patterns and flags are the keeper's. A callback takes 1 us longer
//! while it is traced.

mod fold;
mod kinds;
mod plan;

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use giulia_dist::{
    Error,
    term::{Pid, Term},
};
use giulia_model::{Mailbox, MailboxLens, MessageSource, NotSeen, ServerKind, Switched, Waiting};

use crate::{
    Keeper, KeeperOptions, KeptChange, NoProcess,
    answer::{self, Bif, Problem},
    gates::{self, Caution},
    link::Link,
    look::Row,
    paged, probes,
    sample::Stopped,
    subject::Subject,
    tracing::{Scope, SinkEnd, SinkLimits, Tracing, TracingOptions, Whom},
};
use fold::{Fold, Sample, Sees, Standing};
use plan::Plan;

/// How to look at a mailbox.
#[derive(Debug, Clone, Copy)]
#[expect(clippy::exhaustive_structs, reason = "whoever looks chooses all of them")]
pub struct MailboxOptions {
    /// For how long.
    pub window: Duration,
}

/// In the impact meter.
const NAME: &str = "mailbox";

/// Parts of a window: a process that gets too much in one is seen again in the next.
const PARTS: u32 = 10;

/// Trace messages per second of the window: at 2 us each (1 us of the process that is traced,
/// 1 us of the tracer; measured on OTP 23-29) 2 % of a core, 1 % of a node with two.
const TRACED_PER_SECOND: f64 = 10_000.0;

/// What did not come in the other parts may come in one, so that a process is seen whole that
/// works by fits and starts.
const BURST: usize = 3;

/// But so many in each part: of fewer no share can be told.
const TRACED_MIN: usize = 500;

/// Times that a tracer may be ended for its memory: on a busy host it waits for its turn while what it
/// traces does not, and the next look is a smaller one.
const KILLED_MAX: u32 = 3;

/// As they travel, in bytes: a trace message without a message in it has 120.
const SINK_BYTES: usize = 4 << 20;

/// Of one; of a longer message its size is told, and not its tag.
const MESSAGE_BYTES: usize = 8 << 10;

/// Between two looks at how many messages wait.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Everything that a mailbox is seen through.
struct Watch<'a> {
    link: &'a Link,
    pid: &'a Pid,
    plan: &'a Plan,
    stopped: &'a Stopped<'a>,
    flags: Vec<&'static str>,
    fold: Fold,
    lens: Vec<u64>,
    is_complete: bool,
    /// Trace messages so far, and those that each part may bring on the average.
    traced: usize,
    per_part: usize,
    /// A part may bring several times of that, until one did.
    burst: usize,
    /// Times that the tracer was ended for its memory.
    killed: u32,
    changes: Vec<KeptChange>,
}

/// One process's messages over a window.
///
/// `schema` and `taken_at` stay empty: whoever owns the clock fills them in.
///
/// # Errors
///
/// When there is no such process, or the node does not answer; both say so. What could not be
/// traced is no error: `not_seen` says why.
pub async fn mailbox(
    link: &Link,
    subject: &Subject,
    options: &MailboxOptions,
    stopped: &Stopped<'_>,
) -> Result<Mailbox, NoProcess> {
    if link.caution() == Caution::Processes {
        return Err(NoProcess::new(
            "process_info can hang for ever on this ERTS (fixed in 12.0.4); upgrade it",
        ));
    }
    let pid = probes::process::find(link, subject).await?;
    let failed = |it: Problem| NoProcess::new(format!("{subject}: {it}"));
    let rows = paged::rows(link, vec![pid.clone()], &HashMap::new()).await.map_err(failed)?;
    let Some(row) = rows.into_iter().next() else {
        return Err(NoProcess::new(format!(
            "{subject} does not run any more, or never did; `giulia snapshot {}` lists those that \
             work",
            link.connection().peer().name
        )));
    };
    let plan = plan::of(link, &row).await;
    let mut it = begun(link, &row, &plan, options);
    let flags = flags(link, &plan, &mut it.not_seen);
    let received = plan.server == ServerKind::Plain;
    let fold = Fold::new(Sees { running: flags.contains(&"running"), received });
    let mut watch = Watch {
        link,
        pid: &pid,
        plan: &plan,
        stopped,
        flags,
        fold,
        lens: Vec::new(),
        is_complete: true,
        traced: 0,
        per_part: traced_max(options.window / PARTS),
        burst: BURST,
        killed: 0,
        changes: Vec::new(),
    };
    let began = Instant::now();
    match allowed(link, &row) {
        Ok(()) => {
            if let Err(why) = watch.whole(options.window).await {
                missing(&mut it, "messages", &why.to_string());
                watch.lengths(options.window.saturating_sub(began.elapsed())).await;
            }
        }
        Err(why) => {
            missing(&mut it, "messages", &why);
            watch.lengths(options.window).await;
        }
    }
    it.window_ms = began.elapsed().as_secs_f64() * 1000.0;
    it.interrupted = stopped() && began.elapsed() < options.window;
    watch.tell(&mut it);
    it.impact = link.impact();
    Ok(it)
}

/// Why flags on this process, or looks at its mailbox, are not for this VM.
fn allowed(link: &Link, row: &Row) -> Result<(), String> {
    if link.no_eval() {
        return Err(
            "with --no-eval nothing can be switched on: the keeper that would switch it off again \
             is evaluated on the node; leave --no-eval away"
                .to_owned(),
        );
    }
    if link.caution() != Caution::None && row.mailbox_len.is_none() {
        return Err(
            "a bug of this ERTS makes asking a process dangerous that does not wait, or keeps its \
             mail off the heap (`giulia doctor` prints it); --accept-vm-bug asks all the same"
                .to_owned(),
        );
    }
    if let Some(why) = gates::off(link.erts(), gates::TRACE_FLAGS)
        && !link.accepts_vm_bug()
    {
        return Err(format!(
            "trace flags on processes are off on this ERTS ({}): {why}; --accept-vm-bug sets them \
             all the same",
            link.erts()
        ));
    }
    Ok(())
}

/// Flags that show what the plan needs.
fn flags(link: &Link, plan: &Plan, not_seen: &mut Vec<NotSeen>) -> Vec<&'static str> {
    let mut flags = match plan.server {
        ServerKind::Plain => vec!["receive"],
        ServerKind::GenServer | ServerKind::GenStatem | ServerKind::GenEvent => {
            vec!["call", "return_to", "arity"]
        }
    };
    flags.push("monotonic_timestamp");
    match gates::off(link.erts(), gates::RUNNING_FLAG) {
        Some(why) if !link.accepts_vm_bug() => not_seen.push(NotSeen {
            what: "when the process ran".to_owned(),
            why: format!("the running flag is off on this ERTS ({}): {why}", link.erts()),
        }),
        _ => flags.push("running"),
    }
    flags
}

impl Watch<'_> {
    /// The whole window, part by part.
    async fn whole(&mut self, window: Duration) -> Result<(), Error> {
        let keeper = Arc::new(Keeper::start(self.link, &KeeperOptions::default()).await?);
        let seen = self.parts(&keeper, window).await;
        if let Ok(keeper) = Arc::try_unwrap(keeper) {
            self.changes = keeper.stop().await;
        }
        seen
    }

    async fn parts(&mut self, keeper: &Arc<Keeper>, window: Duration) -> Result<(), Error> {
        let (began, part) = (Instant::now(), window / PARTS);
        let mut running: Option<(Tracing, Standing)> = None;
        for idx in 1..=PARTS {
            let (tracing, standing) = if let Some(still) = running.take() {
                still
            } else {
                let Some(tracing) = self.start(keeper).await? else {
                    // Its tracer was ended before it began: the next part has another one.
                    let until = (part * idx).saturating_sub(began.elapsed());
                    if !self.look_for(until).await || (self.stopped)() {
                        break;
                    }
                    continue;
                };
                (tracing, self.fold.begin())
            };
            // Patterns and flags are made by now: the sample begins.
            let from_ns = clock(self.link).await?;
            let until = (part * idx).saturating_sub(began.elapsed());
            let alive = self.look_for(until).await;
            let allowed = self.per_part * (usize::try_from(idx).unwrap_or(usize::MAX) + BURST - 1);
            running = self.collect((tracing, standing), from_ns, allowed).await?;
            if !alive || (self.stopped)() {
                break;
            }
        }
        if let Some((tracing, _)) = running {
            tracing.stop().await;
        }
        Ok(())
    }

    /// Patterns first, then flags: what is set last begins the sample. None where a flood ended its
    /// tracer meanwhile.
    async fn start(&mut self, keeper: &Arc<Keeper>) -> Result<Option<Tracing>, Error> {
        let sink = SinkLimits {
            messages_max: self.per_part * self.burst,
            bytes_max: SINK_BYTES,
            message_bytes_max: MESSAGE_BYTES,
        };
        let options = TracingOptions { name: NAME.to_owned(), sink: Some(sink) };
        let tracing = Tracing::start(self.link, keeper, options).await?;
        match self.arm(&tracing).await {
            Ok(()) => Ok(Some(tracing)),
            Err(error) => {
                let ended = tracing.take().await.ok().and_then(|it| it.ended);
                tracing.stop().await;
                match ended {
                    Some(SinkEnd::Killed) if self.killed < KILLED_MAX => self.look_for_fewer(),
                    Some(SinkEnd::Full) => (self.is_complete, self.burst) = (false, 1),
                    Some(SinkEnd::Killed | SinkEnd::Other(_)) | None => return Err(error),
                }
                Ok(None)
            }
        }
    }

    async fn arm(&self, tracing: &Tracing) -> Result<(), Error> {
        for callback in &self.plan.callbacks {
            let spec = kinds::match_spec(&Term::Pid(self.pid.clone()), callback.head, callback.via);
            tracing.pattern(&callback.function, spec, Scope::Local).await?;
        }
        let flagged =
            tracing.flags(Whom::Pids(std::slice::from_ref(self.pid)), &self.flags).await?;
        match flagged.left_alone.first() {
            Some(left) => Err(Problem(format!("it was left alone: {}", left.why)).into()),
            None => Ok(()),
        }
    }

    /// What came since the last look; the tracing again, unless its sample was full.
    async fn collect(
        &mut self,
        (tracing, mut standing): (Tracing, Standing),
        from_ns: i64,
        allowed: usize,
    ) -> Result<Option<(Tracing, Standing)>, Error> {
        let until_ns = clock(self.link).await?;
        let batch = tracing.take().await?;
        let large = batch.messages.iter().filter(|it| fold::is_large(it)).count();
        let lost = batch.dropped.saturating_sub(u64::try_from(large).unwrap_or(u64::MAX));
        self.is_complete &= lost == 0 && batch.ended.is_none();
        let until_ns = Some(until_ns).filter(|_| batch.ended.is_none());
        let sample = Sample { from_ns, until_ns, messages: &batch.messages };
        self.fold.add(&sample, &mut standing);
        self.traced = self.traced.saturating_add(batch.messages.len());
        match batch.ended {
            None if self.traced < allowed => Ok(Some((tracing, standing))),
            None | Some(SinkEnd::Full) => {
                (self.is_complete, self.burst) = (false, 1);
                tracing.stop().await;
                Ok(None)
            }
            Some(SinkEnd::Killed) if self.killed < KILLED_MAX => {
                self.look_for_fewer();
                tracing.stop().await;
                Ok(None)
            }
            Some(end) => {
                tracing.stop().await;
                let why = if end == SinkEnd::Killed {
                    "messages took more memory than the tracer may have; it was ended".to_owned()
                } else {
                    format!("the tracer ended: {end:?}")
                };
                Err(Problem(why).into())
            }
        }
    }

    /// After a tracer that was ended for its memory.
    fn look_for_fewer(&mut self) {
        self.killed += 1;
        (self.is_complete, self.burst) = (false, 1);
        self.per_part = (self.per_part / 2).max(TRACED_MIN);
    }

    /// Waits, and looks now and then how many messages wait. False when the process is gone.
    async fn look_for(&mut self, within: Duration) -> bool {
        let until = tokio::time::Instant::now() + within;
        loop {
            if !self.look().await {
                return false;
            }
            if (self.stopped)() {
                return true;
            }
            let next = tokio::time::Instant::now() + LOOK_EVERY;
            if next >= until {
                tokio::time::sleep_until(until).await;
                return true;
            }
            tokio::time::sleep_until(next).await;
        }
    }

    /// Only how many messages wait, where nothing else may be seen.
    async fn lengths(&mut self, within: Duration) {
        if self.link.caution() == Caution::None {
            self.look_for(within).await;
        }
    }

    async fn look(&mut self) -> bool {
        let item = Term::atom("message_queue_len");
        let question = Bif::new("erlang", "process_info", [self.pid.clone().into(), item]);
        let answers = self.link.ask_each(NAME, &[question]).await;
        let Ok(told) = answer::term(&answers, 0) else { return true };
        match told.as_tuple() {
            Some([_, len]) => {
                self.lens.extend(answer::uint(len).ok());
                true
            }
            _ => !told.is_atom("undefined"),
        }
    }

    fn tell(self, it: &mut Mailbox) {
        let fold = &self.fold;
        let is_seen = fold.samples() > 0;
        if is_seen {
            it.source = match self.plan.server {
                ServerKind::Plain => MessageSource::Receive,
                ServerKind::GenServer | ServerKind::GenStatem | ServerKind::GenEvent => {
                    MessageSource::Callbacks
                }
            };
        }
        (it.seen_ms, it.samples) = (fold.seen_ms(), fold.samples());
        it.complete = is_seen && self.is_complete && fold.unread() == 0;
        it.messages = fold.messages();
        it.per_second = fold.per_second(fold.messages());
        (it.kinds, it.other_kinds) = fold.kinds();
        it.service = fold.service();
        it.busy = fold.busy().filter(|_| is_seen);
        it.mailbox = lens(&self.lens);
        let window_s = it.window_ms / 1000.0;
        it.waiting = it.per_second.and_then(|rate| waiting(&self.lens, rate, window_s));
        let switched =
            |change: KeptChange| Switched { what: change.name, restored: change.restored };
        it.changes = self.changes.into_iter().map(switched).collect();
        if self.killed > 0 {
            let times = if self.killed == 1 { "once" } else { "several times" };
            let why = format!(
                "messages took more memory than the tracer may have, {times}; it was ended, and looked \
                 again for fewer"
            );
            missing(it, "messages of a part of the window", &why);
        }
        if fold.unread() > 0 {
            let what = format!("{} trace messages", fold.unread());
            missing(it, &what, "they were of another form than expected");
        }
    }
}

/// How many trace messages a part may bring.
fn traced_max(part: Duration) -> usize {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a part is at most a minute"
    )]
    let most = (part.as_secs_f64() * TRACED_PER_SECOND) as usize;
    most.max(TRACED_MIN)
}

fn lens(lens: &[u64]) -> Option<MailboxLens> {
    Some(MailboxLens {
        now: *lens.last()?,
        first: *lens.first()?,
        max: *lens.iter().max()?,
        looks: u64::try_from(lens.len()).unwrap_or(u64::MAX),
    })
}

/// Little's law: what waits on the average is what comes in a second times the seconds that it
/// waits. What comes is what was taken, and what the mailbox grew by.
fn waiting(lens: &[u64], taken_per_second: f64, window_s: f64) -> Option<Waiting> {
    let (first, last) = (*lens.first()?, *lens.last()?);
    let looks = u64::try_from(lens.len()).ok()?;
    let grew = (fold::float(last) - fold::float(first)) / window_s.max(f64::MIN_POSITIVE);
    let arrivals_per_second = taken_per_second + grew;
    if arrivals_per_second <= 0.0 || looks < 2 {
        return None;
    }
    let sum: u64 = lens.iter().sum();
    let mailbox_len_mean = fold::float(sum) / fold::float(looks);
    // Nothing seen in n looks: with 95 % confidence it was there less than 3/n of the time (the
    // rule of three; Hanley and Lippman-Hand, JAMA 1983).
    let is_bound = sum == 0;
    let mean = if is_bound { 3.0 / fold::float(looks) } else { mailbox_len_mean };
    let mean_ms = mean / arrivals_per_second * 1000.0;
    Some(Waiting { mean_ms, is_bound, mailbox_len_mean, arrivals_per_second, looks })
}

/// The node's monotonic clock, in nanoseconds, as trace messages tell it.
async fn clock(link: &Link) -> Result<i64, Error> {
    let question = Bif::new("erlang", "monotonic_time", [Term::atom("nanosecond")]);
    let answers = link.ask_each(NAME, &[question]).await;
    let told = answer::term(&answers, 0)?;
    Ok(told.as_int().ok_or_else(|| answer::unexpected(&told))?)
}

fn begun(link: &Link, row: &Row, plan: &Plan, options: &MailboxOptions) -> Mailbox {
    let (name, name_source) = row.traits.name();
    let mut it = Mailbox {
        schema: String::new(),
        taken_at: String::new(),
        node: link.connection().peer().name.to_string(),
        pid: giulia_model::Pid(row.pid.local()),
        name,
        name_source,
        server: plan.server,
        callback: plan.callback.clone(),
        source: MessageSource::Nothing,
        window_ms: options.window.as_secs_f64() * 1000.0,
        interrupted: false,
        seen_ms: 0.0,
        samples: 0,
        complete: false,
        messages: 0,
        per_second: None,
        kinds: Vec::new(),
        other_kinds: 0,
        service: None,
        busy: None,
        waiting: None,
        mailbox: None,
        changes: Vec::new(),
        not_seen: Vec::new(),
        impact: link.impact(),
    };
    if let Some(why) = &plan.not_seen {
        missing(&mut it, "callbacks", why);
    }
    it
}

fn missing(it: &mut Mailbox, what: &str, why: &str) {
    it.not_seen.push(NotSeen { what: what.to_owned(), why: why.to_owned() });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waiting_follows_from_what_waits_and_what_comes() {
        let it = waiting(&[10, 10, 10, 10], 100.0, 5.0).unwrap();
        assert!((it.mean_ms - 100.0).abs() < 1e-9 && !it.is_bound, "{it:?}");
        // It grew by 500 in five seconds: 200 came a second, 100 were taken.
        let it = waiting(&[0, 250, 500], 100.0, 5.0).unwrap();
        assert!((it.arrivals_per_second - 200.0).abs() < 1e-9, "{it:?}");
        assert!((it.mean_ms - 1250.0).abs() < 1e-9, "{it:?}");
    }

    #[test]
    fn an_empty_mailbox_bounds_the_wait_and_says_so() {
        let it = waiting(&[0; 30], 1000.0, 5.0).unwrap();
        assert!(it.is_bound && (it.mean_ms - 0.1).abs() < 1e-9, "{it:?}");
        assert_eq!(waiting(&[0; 30], 0.0, 5.0), None);
        assert_eq!(waiting(&[5], 10.0, 5.0), None);
        assert_eq!(waiting(&[], 10.0, 5.0), None);
    }

    #[test]
    fn a_part_brings_at_most_its_share() {
        assert_eq!(traced_max(Duration::from_secs(1)), 10_000);
        assert_eq!(traced_max(Duration::from_millis(10)), TRACED_MIN);
    }
}
