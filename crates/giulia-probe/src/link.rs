//! A link to a target: the connection with what every question passes through.
//!
//! Each question has a deadline, a heap limit, low priority and a place in the impact meter.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use giulia_dist::{Call, Connection, Error, ErrorKind, Target, term::Term};
use giulia_model::{Gate, Impact, Question};
use tokio::task::JoinSet;

use crate::{
    ErtsVersion, Ledger, OwnNodes,
    answer::{self, Answer, Bif, Problem},
    bifs,
    gates::{self, Caution},
    meter::Meter,
};

/// Heap of a question that is not about all processes: 40 MB in words of 8 bytes, several times
/// what 10,000 ETS tables needed (measured on OTP 23-29).
pub(crate) const HEAP_WORDS: u64 = 5_000_000;

/// The largest reply that we take, in bytes. With `--no-eval` a node lists all its processes: 16 MiB
/// are 500,000 of them under a name of 15 characters. Every other reply is a page or a reduction;
/// the largest measured, 10,000 processes looked at closely, has 3 MB.
const REPLY_BYTES_MAX: usize = 16 << 20;
/// All fragmented replies together: pages come side by side, at 100 KB each.
const REPLIES_BYTES_MAX: usize = 32 << 20;

/// For one page of functions on a node with a thousand busy processes: 7 s were measured.
const SOON_MAX: Duration = Duration::from_secs(30);

/// How to attach, and what asking may cost.
#[derive(Debug, Clone)]
pub struct AttachOptions {
    /// How to connect.
    pub dist: giulia_dist::Config,
    /// Call only what [`crate::bif_list`] prints; evaluate nothing on the target.
    pub no_eval: bool,
    /// Ask processes also where a bug of the target's VM makes that dangerous (see
    /// [`crate::gates()`]); where it makes it deadly, nobody is asked all the same.
    pub accept_vm_bug: bool,
    /// For one question, a window left out. 5 s.
    pub call_timeout: Duration,
    /// Where it is written down what is armed on a node that does not undo it by itself.
    pub ledger: Option<Arc<dyn Ledger>>,
    /// Shared by all connections of one giulia, so that none takes the others' work for the node's.
    pub own: OwnNodes,
}

/// A link to a target; cheap to clone.
#[derive(Debug, Clone)]
pub struct Link {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    connection: Connection,
    erts: ErtsVersion,
    no_eval: bool,
    accept_vm_bug: bool,
    call_timeout: Duration,
    ledger: Option<Arc<dyn Ledger>>,
    own: OwnNodes,
    meter: Meter,
    /// From the last answer that told it; sizes the heap limit of the process probe.
    processes: AtomicU64,
    /// Memory that the node has left, in bytes; `u64::MAX` where nobody knows.
    headroom: AtomicU64,
}

impl AttachOptions {
    /// Evaluating, 5 s for a question, 1 % of a core; no peer may make us hold more than our
    /// questions need.
    pub fn new(mut dist: giulia_dist::Config) -> Self {
        let limits = &mut dist.limits;
        limits.message_bytes_max = limits.message_bytes_max.min(REPLY_BYTES_MAX);
        limits.mailbox_bytes_max = limits.mailbox_bytes_max.min(REPLY_BYTES_MAX);
        limits.fragmented_bytes_max = limits.fragmented_bytes_max.min(REPLIES_BYTES_MAX);
        Self {
            dist,
            no_eval: false,
            accept_vm_bug: false,
            call_timeout: Duration::from_secs(5),
            ledger: None,
            own: OwnNodes::default(),
        }
    }
}

impl Link {
    /// Connects and asks for what decides everything else: the version of ERTS.
    ///
    /// # Errors
    ///
    /// Those of [`Connection::connect`], and when the node does not tell its version.
    pub async fn attach(target: &Target, options: &AttachOptions) -> Result<Self, Error> {
        let connection = Connection::connect(target, &options.dist).await?;
        options.own.add(connection.local_name());
        let meter = Meter::default();
        let items = ["version", "process_count"].map(Term::atom);
        let asked = call(&Bif::map("erlang", "system_info", items), options.call_timeout);
        let asked = asked.max_heap_words(HEAP_WORDS);
        let reply = metered(&connection, &meter, "attach", &asked, Duration::ZERO).await?;
        let answers = [Ok(reply)];
        let told = answer::terms(&answers, 0, 2)?;
        let erts = told.first().and_then(answer::text).unwrap_or_default();
        let erts = erts.parse().map_err(|why| {
            Error::new(ErrorKind::VersionUnsupported, format!("{}: {why}", target.name))
        })?;
        let processes = told.get(1).map_or(Ok(0), answer::uint)?;
        let shared = Shared {
            connection,
            erts,
            no_eval: options.no_eval,
            accept_vm_bug: options.accept_vm_bug,
            call_timeout: options.call_timeout,
            ledger: options.ledger.clone(),
            own: options.own.clone(),
            meter,
            processes: AtomicU64::new(processes),
            headroom: AtomicU64::new(u64::MAX),
        };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// What asking cost so far.
    pub fn impact(&self) -> Impact {
        self.shared.meter.impact()
    }

    /// The connection underneath.
    pub fn connection(&self) -> &Connection {
        &self.shared.connection
    }

    /// The version that VM bugs are told by.
    pub fn erts(&self) -> &ErtsVersion {
        &self.shared.erts
    }

    /// What bugs of this ERTS switch off or limit.
    pub fn gates(&self) -> Vec<Gate> {
        gates::gates(self.erts())
    }

    /// For one question.
    pub(crate) fn call_timeout(&self) -> Duration {
        self.shared.call_timeout
    }

    /// Puts what was asked another way than by a call into the impact meter.
    pub(crate) fn paid(&self, question: Question) {
        self.shared.meter.add(question);
    }

    /// How careful one must be with processes of this VM.
    pub(crate) fn caution(&self) -> Caution {
        let caution = gates::caution(self.erts());
        if caution == Caution::Signals && self.shared.accept_vm_bug {
            Caution::None
        } else {
            caution
        }
    }

    /// The names of this and of the other connections of this giulia.
    pub(crate) fn own(&self) -> &OwnNodes {
        &self.shared.own
    }

    pub(crate) fn ledger(&self) -> Option<&Arc<dyn Ledger>> {
        self.shared.ledger.as_ref()
    }

    /// Whether bugs that may lose the node are accepted.
    pub(crate) fn accepts_vm_bug(&self) -> bool {
        self.shared.accept_vm_bug
    }

    pub(crate) fn no_eval(&self) -> bool {
        self.shared.no_eval
    }

    pub(crate) fn processes(&self) -> u64 {
        self.shared.processes.load(Ordering::Relaxed)
    }

    pub(crate) fn set_processes(&self, count: u64) {
        self.shared.processes.store(count, Ordering::Relaxed);
    }

    /// Memory that the node has left, from the last answer that told it.
    pub(crate) fn headroom(&self) -> Option<u64> {
        Some(self.shared.headroom.load(Ordering::Relaxed)).filter(|it| *it != u64::MAX)
    }

    pub(crate) fn set_headroom(&self, bytes: Option<u64>) {
        self.shared.headroom.store(bytes.unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// Something of others that a question touches and cannot put back.
    pub(crate) fn disturbs(&self, what: &'static str) {
        self.shared.meter.disturbs(what);
    }

    /// One question; `waits` is how long it sleeps on the target, for a window.
    pub(crate) async fn ask(
        &self,
        probe: &str,
        question: &Bif,
        heap_words: u64,
        waits: Duration,
    ) -> Answer {
        self.permitted(question)?;
        Ok(self.answered(probe, question, heap_words, waits).await?)
    }

    /// As [`Link::ask`] at normal priority, for what must not wait until a busy node is idle: one of
    /// low priority gets its turn when all others had eight.
    pub(crate) async fn ask_soon(&self, probe: &str, question: &Bif, heap_words: u64) -> Answer {
        self.permitted(question)?;
        let Bif { module, function, args } = question.clone();
        let asked = Call::new(module, function, args).timeout(SOON_MAX).max_heap_words(heap_words);
        Ok(metered(self.connection(), &self.shared.meter, probe, &asked, Duration::ZERO).await?)
    }

    /// Many questions in one round trip; one by one only when one of them raises. After any other
    /// failure (too late, too large, killed) the node would do the same work again.
    pub(crate) async fn ask_all(&self, probe: &str, questions: &[Bif]) -> Vec<Answer> {
        let together = Bif::together(questions);
        if self.permitted(&together).is_err() {
            // Each is refused, or not, for itself.
            return self.ask_each(probe, questions).await;
        }
        let told = self.answered(probe, &together, HEAP_WORDS, Duration::ZERO).await;
        let problem = match told {
            Ok(bytes) => match answer::elements(&bytes) {
                Ok(parts) if parts.len() == questions.len() => {
                    return parts.into_iter().map(Ok).collect();
                }
                Ok(_) => Problem("the node answered another number of questions".to_owned()),
                Err(problem) => problem,
            },
            Err(error) if error.kind() == ErrorKind::Raised => {
                return self.ask_each(probe, questions).await;
            }
            Err(error) => error.into(),
        };
        vec![Err(problem); questions.len()]
    }

    /// Each question in its own call, side by side.
    pub(crate) async fn ask_each(&self, probe: &str, questions: &[Bif]) -> Vec<Answer> {
        let mut answers = vec![Err(Problem("was not answered".to_owned())); questions.len()];
        let mut asking = JoinSet::new();
        for (idx, question) in questions.iter().cloned().enumerate() {
            let (link, probe) = (self.clone(), probe.to_owned());
            asking.spawn(async move {
                (idx, link.ask(&probe, &question, HEAP_WORDS, Duration::ZERO).await)
            });
        }
        while let Some(ended) = asking.join_next().await {
            if let Ok((idx, answer)) = ended
                && let Some(slot) = answers.get_mut(idx)
            {
                *slot = answer;
            }
        }
        answers
    }

    /// Whether `--no-eval` lets a question through.
    fn permitted(&self, question: &Bif) -> Result<(), Problem> {
        if self.no_eval() && !bifs::allowed(question) {
            let Bif { module, function, .. } = question;
            return Err(Problem(format!("{module}:{function} is not on the list of --no-eval")));
        }
        Ok(())
    }

    /// Something that went to a process of ours there, for the meter.
    pub(crate) fn note(
        &self,
        probe: &str,
        elapsed: Duration,
        message: &Term<'_>,
        received_bytes: usize,
    ) {
        let mut bytes = Vec::new();
        let sent_bytes = message.encode(&mut bytes).map_or(0, |()| bytes.len());
        self.shared.meter.add(Question {
            probe: probe.to_owned(),
            elapsed_ms: elapsed.as_secs_f64() * 1000.0,
            sent_bytes: u64::try_from(sent_bytes).unwrap_or(u64::MAX),
            received_bytes: u64::try_from(received_bytes).unwrap_or(u64::MAX),
        });
    }

    /// One evaluated question that is scheduled like everyone else: for what takes little time but
    /// needs it in time. At low priority it waits for eight others whenever it waited for an answer.
    pub(crate) async fn ask_in_turn(
        &self,
        probe: &str,
        question: &Bif,
        heap_words: u64,
        waits: Duration,
    ) -> Answer {
        self.permitted(question)?;
        let mut asked = call(question, self.shared.call_timeout + waits).max_heap_words(heap_words);
        asked.low_priority = false;
        Ok(metered(self.connection(), &self.shared.meter, probe, &asked, waits).await?)
    }

    async fn answered(
        &self,
        probe: &str,
        question: &Bif,
        heap_words: u64,
        waits: Duration,
    ) -> Result<Vec<u8>, Error> {
        let asked = call(question, self.shared.call_timeout + waits).max_heap_words(heap_words);
        metered(self.connection(), &self.shared.meter, probe, &asked, waits).await
    }
}

fn call(question: &Bif, timeout: Duration) -> Call {
    Call::new(question.module, question.function, question.args.clone())
        .timeout(timeout)
        .low_priority()
}

/// One call with its price, whether it succeeds or not: what failed was work for the node too.
async fn metered(
    connection: &Connection,
    meter: &Meter,
    probe: &str,
    asked: &Call,
    waits: Duration,
) -> Result<Vec<u8>, Error> {
    let began = Instant::now();
    let told = connection.call(asked).await;
    let (elapsed, sent, received) = match &told {
        Ok(reply) => (reply.elapsed(), reply.request_bytes(), reply.wire_bytes()),
        // How large the answer was, if one came, is not told.
        Err(_) => (began.elapsed(), args_bytes(asked), 0),
    };
    meter.add(Question {
        probe: probe.to_owned(),
        elapsed_ms: elapsed.saturating_sub(waits).as_secs_f64() * 1000.0,
        sent_bytes: u64::try_from(sent).unwrap_or(u64::MAX),
        received_bytes: u64::try_from(received).unwrap_or(u64::MAX),
    });
    told.map(|reply| reply.value().to_vec())
}

/// The arguments of a call as they travel, all but some hundred bytes of a request.
fn args_bytes(asked: &Call) -> usize {
    let mut bytes = Vec::new();
    let args = Term::list(asked.args.iter().cloned());
    args.encode(&mut bytes).map_or(0, |()| bytes.len())
}

#[cfg(test)]
mod tests {
    use giulia_testkit::{Node, for_each_otp};

    use super::*;

    #[test]
    fn what_came_too_late_is_paid_for_and_not_asked_again() {
        for_each_otp("what_came_too_late_is_paid_for_and_not_asked_again", |otp| {
            let node = Node::builder(otp).start();
            let mut target = Target::new(node.name().parse().unwrap());
            target.epmd_port = node.epmd_port();
            let config = giulia_dist::Config::new(giulia_dist::Cookie::new(node.cookie()));
            let options = AttachOptions {
                call_timeout: Duration::from_secs(1),
                ..AttachOptions::new(config)
            };
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.unwrap().block_on(async {
                let link = Link::attach(&target, &options).await.unwrap();
                let asked = || link.impact().round_trips;
                let name = || Bif::new("erlang", "node", []);
                assert_eq!(asked(), 1);
                let raises = Bif::new("erlang", "hd", [Term::Nil]);
                let told = link.ask_all("raises", &[raises, name()]).await;
                assert!(told[0].is_err() && told[1].is_ok(), "{told:?}");
                assert_eq!(asked(), 4);
                let late = Bif::new("timer", "sleep", [Term::int(3000)]);
                let told = link.ask_all("late", &[late, name()]).await;
                assert!(told.iter().all(Result::is_err), "{told:?}");
                assert_eq!(asked(), 5);
                let price = link.impact().questions.pop().unwrap();
                assert!(price.elapsed_ms >= 1000.0 && price.sent_bytes > 20, "{price:?}");
            });
        });
    }
}
