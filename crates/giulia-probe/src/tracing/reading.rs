//! Counters read: per function, and where the VM keeps them per process, the largest of those.

use giulia_dist::{
    Error, ErrorKind,
    term::{Pid, Term},
};
use giulia_model::Mfa;

use super::{
    Armable, Counter, Tracing,
    arming::{bytes_fitting, function_of, looked_at},
    lock,
};
use crate::{
    answer::{self, Problem},
    eval, gates,
};

/// What a counter of one function says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading {
    /// The function.
    pub function: Mfa,
    /// What was counted.
    pub counted: Counted,
}

/// What was counted, or that it was lost.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "there is nothing else")]
pub enum Counted {
    /// The function was loaded anew, or somebody else removed its counter: nobody knows.
    Lost,
    /// Calls of everyone since it was armed.
    Calls(u64),
    /// What each process did.
    PerProcess {
        /// Calls of those processes.
        calls: u64,
        /// Own time in microseconds, or words allocated.
        total: u64,
        /// How many processes there were.
        n_processes: u64,
        /// Those with the largest totals, the largest first.
        processes: Vec<ProcessCount>,
    },
}

/// What one process did in one function.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a row of the VM's")]
pub struct ProcessCount {
    /// The process.
    pub pid: Pid,
    /// Its calls.
    pub calls: u64,
    /// Its own time in microseconds, or words allocated.
    pub total: u64,
}

/// Modules in one request: some 2,500 functions, whose reply is 150 KB.
const MODULES_MAX: usize = 50;

/// As many functions for themselves, whose values per process are longer.
const FUNCTIONS_MAX: usize = 500;

/// Of one request.
const PAGE_BYTES: usize = 32 << 10;

/// Processes of one function that are told; the others are in the sums.
const PROCESSES_MAX: u64 = 200;

/// A page of 2,500 functions and their values, or one function that 100,000 processes called:
/// 80 MB.
const READ_WORDS: u64 = 10_000_000;

impl Tracing {
    /// What counters say, function by function; a module's are those that it has now.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Request`] for times and words that were not paused, where reading them would
    /// stop every scheduler; those of a node that does not answer.
    pub async fn read(&self, what: &[Armable], counter: Counter) -> Result<Vec<Reading>, Error> {
        if counter != Counter::Calls {
            self.is_paused(what, counter)?;
        }
        let mut readings = Vec::new();
        let mut rest = what;
        while !rest.is_empty() {
            let is_module = |it: &Armable| matches!(it, Armable::Module(_));
            let most = if rest.iter().any(is_module) { MODULES_MAX } else { FUNCTIONS_MAX };
            let n = bytes_fitting(rest, PAGE_BYTES).min(most);
            let Some((page, left)) = rest.split_at_checked(n) else { break };
            rest = left;
            let asked = eval::COUNTS.with(self.asked(page, counter));
            let reply = match self.link.ask_soon("counters", &asked, READ_WORDS).await {
                Ok(reply) => reply,
                Err(_) if !self.keeper.holds(&self.name) => return Err(self.keeper.gone()),
                Err(problem) => return Err(problem.into()),
            };
            read(&reply, counter, page, &mut readings)?;
        }
        Ok(readings)
    }

    fn is_paused(&self, what: &[Armable], counter: Counter) -> Result<(), Error> {
        let paused = lock(&self.paused);
        let is_running = |it: &&Armable| !paused.contains(&((*it).clone(), counter));
        if gates::limited(self.link.erts(), gates::UNPAUSED)
            && let Some(running) = what.iter().find(is_running)
        {
            let name = counter.name();
            let text = format!(
                "{name} of {running} is not paused, and reading it would stop every scheduler of this node; pause it first"
            );
            return Err(Error::new(ErrorKind::Request, text));
        }
        Ok(())
    }

    fn asked(&self, page: &[Armable], counter: Counter) -> Term<'static> {
        let (read, session) = match &self.session {
            Some(session) => (Term::export("trace", "info", 3), session.clone()),
            None => (Term::export("erlang", "trace_info", 2), Term::atom("none")),
        };
        let what = Term::list(page.iter().map(looked_at));
        Term::tuple([read, session, Term::atom(counter.name()), what, Term::uint(PROCESSES_MAX)])
    }
}

/// `[[{M, [{F, A}] | gone, [{Item, Value}]}]]`.
fn read(
    reply: &[u8],
    counter: Counter,
    page: &[Armable],
    readings: &mut Vec<Reading>,
) -> Result<(), Problem> {
    let told = answer::list(Term::decode(reply)?)?;
    let told = told.first().and_then(Term::as_list).unwrap_or_default();
    for (what, told) in page.iter().zip(told) {
        let Some([_, functions, values]) = told.as_tuple() else {
            return Err(answer::unexpected(told));
        };
        let values = values.as_list().unwrap_or_default();
        for (it, value) in functions.as_list().unwrap_or_default().iter().zip(values) {
            let Some([name, arity]) = it.as_tuple() else { return Err(answer::unexpected(it)) };
            let function = function_of(what.module(), name, arity);
            let function = function.ok_or_else(|| answer::unexpected(it))?;
            readings.push(Reading { function, counted: counted(value, counter)? });
        }
    }
    Ok(())
}

fn counted(value: &Term<'_>, counter: Counter) -> Result<Counted, Problem> {
    let Some([_, value]) = value.as_tuple() else { return Err(answer::unexpected(value)) };
    if value.is_atom("false") || value.is_atom("undefined") {
        return Ok(Counted::Lost);
    }
    if counter == Counter::Calls {
        return Ok(Counted::Calls(answer::uint(value)?));
    }
    if matches!(value, Term::Nil) {
        let processes = Vec::new();
        return Ok(Counted::PerProcess { calls: 0, total: 0, n_processes: 0, processes });
    }
    let Some([n_processes, calls, total, rows]) = value.as_tuple() else {
        return Err(answer::unexpected(value));
    };
    let rows = rows.as_list().unwrap_or_default().iter();
    Ok(Counted::PerProcess {
        calls: answer::uint(calls)?,
        total: answer::uint(total)?,
        n_processes: answer::uint(n_processes)?,
        processes: rows.map(row).collect::<Result<_, _>>()?,
    })
}

/// `{Pid, Calls, Seconds, Microseconds}` or `{Pid, Calls, Words}`.
fn row(row: &Term<'_>) -> Result<ProcessCount, Problem> {
    let unexpected = || answer::unexpected(row);
    let (pid, calls, total) = match row.as_tuple() {
        Some([pid, calls, seconds, micros]) => {
            let seconds = answer::uint(seconds)?.saturating_mul(1_000_000);
            (pid, calls, seconds.saturating_add(answer::uint(micros)?))
        }
        Some([pid, calls, words]) => (pid, calls, answer::uint(words)?),
        _ => return Err(unexpected()),
    };
    let pid = pid.as_pid().ok_or_else(unexpected)?.clone();
    Ok(ProcessCount { pid, calls: answer::uint(calls)?, total })
}
