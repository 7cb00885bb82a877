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
    ErtsVersion,
    answer::{self, Answer, Bif, Problem},
    bifs, gates,
    meter::{Budget, Meter},
};

/// Heap of a question that is not about all processes: 40 MB in words of 8 bytes, several times
/// what 10,000 ETS tables needed (measured on OTP 23-29).
pub(crate) const HEAP_WORDS: u64 = 5_000_000;

/// How to attach, and what asking may cost.
#[derive(Debug, Clone)]
pub struct AttachOptions {
    /// How to connect.
    pub dist: giulia_dist::Config,
    /// Call only what [`crate::bif_list`] prints; evaluate nothing on the target.
    pub no_eval: bool,
    /// For one question, a window left out. 5 s.
    pub call_timeout: Duration,
    /// For all questions together. Not enforced yet: [`Link::interval`] only computes from it.
    pub budget: Budget,
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
    call_timeout: Duration,
    budget: Budget,
    meter: Meter,
    /// From the last answer that told it; sizes the heap limit of the process probe.
    processes: AtomicU64,
}

impl AttachOptions {
    /// Evaluating, 5 s for a question, 1 % of a core.
    pub fn new(dist: giulia_dist::Config) -> Self {
        Self {
            dist,
            no_eval: false,
            call_timeout: Duration::from_secs(5),
            budget: Budget::ONE_PERCENT,
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
            call_timeout: options.call_timeout,
            budget: options.budget,
            meter,
            processes: AtomicU64::new(processes),
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

    /// How far apart ticks of this price must start to stay within the budget; a proposal to
    /// whoever ticks, which nothing here enforces yet.
    pub fn interval(&self, price: Duration) -> Duration {
        self.shared.budget.interval(price)
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
