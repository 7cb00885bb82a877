//! A link to a target: the connection with what every question passes through.
//!
//! Each question has a deadline, a heap limit, low priority and a place in the impact meter.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
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
    /// For all questions together.
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
        let reply = connection.call(&asked).await?;
        meter.add(priced("attach", &reply, Duration::ZERO));
        let answers = [Ok(reply.value().to_vec())];
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

    /// How far apart ticks of this price must start to stay within the budget.
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
        if self.no_eval() && !bifs::allowed(question) {
            let Bif { module, function, .. } = question;
            return Err(Problem(format!("{module}:{function} is not on the list of --no-eval")));
        }
        let asked = call(question, self.shared.call_timeout + waits).max_heap_words(heap_words);
        let reply = self.connection().call(&asked).await?;
        self.shared.meter.add(priced(probe, &reply, waits));
        Ok(reply.value().to_vec())
    }

    /// Many questions in one round trip; one by one when one of them raises.
    pub(crate) async fn ask_all(&self, probe: &str, questions: &[Bif]) -> Vec<Answer> {
        let together = Bif::together(questions);
        match self.ask(probe, &together, HEAP_WORDS, Duration::ZERO).await {
            Ok(bytes) => match answer::elements(&bytes) {
                Ok(parts) if parts.len() == questions.len() => parts.into_iter().map(Ok).collect(),
                Ok(_) | Err(_) => self.ask_each(probe, questions).await,
            },
            Err(_) if !self.connection().is_closed() => self.ask_each(probe, questions).await,
            Err(problem) => vec![Err(problem); questions.len()],
        }
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
}

fn call(question: &Bif, timeout: Duration) -> Call {
    Call::new(question.module, question.function, question.args.clone())
        .timeout(timeout)
        .low_priority()
}

fn priced(probe: &str, reply: &giulia_dist::Reply, waited: Duration) -> Question {
    Question {
        probe: probe.to_owned(),
        elapsed_ms: reply.elapsed().saturating_sub(waited).as_secs_f64() * 1000.0,
        sent_bytes: u64::try_from(reply.request_bytes()).unwrap_or(u64::MAX),
        received_bytes: u64::try_from(reply.wire_bytes()).unwrap_or(u64::MAX),
    }
}
