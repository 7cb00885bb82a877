//! What other tools trace, count or sample on a node, before anything of ours is armed.

use giulia_dist::{
    Error,
    term::{Pid, Term},
};
use giulia_model::Mfa;

use super::{
    Armable,
    arming::{AT_ONCE, bytes_fitting, function_of, looked_at},
};
use crate::{
    Link,
    answer::{self, Bif},
    eval, gates,
    link::HEAP_WORDS,
    tracers,
};

/// What others do.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Foreign {
    /// Of the whole node, each as a sentence: sessions, tools by the names of their processes,
    /// flags on new processes, the system monitor.
    pub node: Vec<String>,
    /// Those of the functions asked about that somebody traces or counts.
    pub functions: Vec<ForeignFunction>,
    /// Those of the processes asked about that somebody traces.
    pub processes: Vec<ForeignProcess>,
}

/// A function that somebody traces or counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForeignFunction {
    /// Which.
    pub function: Mfa,
    /// How, as the node says it.
    pub how: String,
}

/// A process that somebody traces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForeignProcess {
    /// Which.
    pub pid: Pid,
    /// By whom, as the node says it.
    pub tracer: String,
}

impl Foreign {
    /// Whether nobody else traces anything that was asked about.
    pub fn is_empty(&self) -> bool {
        self.node.is_empty() && self.functions.is_empty() && self.processes.is_empty()
    }
}

/// Looks for other tools' tracing: of the node, of functions and of processes.
///
/// Ask before arming: what we armed ourselves on an OTP before 27 is told as well. From 27 on only
/// what the one old interface holds is told of functions and processes; sessions by their names.
/// Counters of times are not looked for: asking stops every scheduler with each function.
///
/// # Errors
///
/// When the node does not answer.
pub async fn foreign(link: &Link, functions: &[Mfa], pids: &[Pid]) -> Result<Foreign, Error> {
    let node = tracers(link).await?;
    // A question about a process is a signal, which can wedge it on some versions.
    let pids = if link.caution() == gates::Caution::None { pids } else { &[] };
    let functions = foreign_functions(link, functions).await?;
    let mut processes = Vec::new();
    let tracer = Term::atom("tracer");
    let terms = pids.iter().cloned().map(Term::Pid);
    let questions = Bif::zip_pages("erlang", "trace_info", terms, &tracer, 500);
    let mut rest = pids;
    for question in &questions {
        let n = question.args.get(1).and_then(Term::as_list).map_or(0, <[_]>::len);
        let Some((page, left)) = rest.split_at_checked(n) else { break };
        rest = left;
        // Of one that has ended it says `undefined`.
        let reply = link.ask_soon("tracers", question, HEAP_WORDS).await?;
        let told = answer::list(Term::decode(&reply).map_err(answer::Problem::from)?)?;
        for (pid, it) in page.iter().zip(&told) {
            if let Some([_, tracer]) = it.as_tuple()
                && !matches!(tracer, Term::Nil)
                && !tracer.is_atom("undefined")
            {
                processes.push(ForeignProcess { pid: pid.clone(), tracer: tracer.to_string() });
            }
        }
    }
    Ok(Foreign { node, functions, processes })
}

async fn foreign_functions(link: &Link, functions: &[Mfa]) -> Result<Vec<ForeignFunction>, Error> {
    let all: Vec<Armable> = functions.iter().cloned().map(Armable::Function).collect();
    let (mut found, mut rest) = (Vec::new(), all.as_slice());
    while !rest.is_empty() {
        let n = bytes_fitting(rest, 32 << 10).min(500);
        let Some((page, left)) = rest.split_at_checked(n) else { break };
        rest = left;
        let asked = Term::list(page.iter().map(looked_at));
        let items = Term::list(AT_ONCE.map(Term::atom));
        let asked = eval::FREE.with(Term::tuple([asked, items, Term::atom("none")]));
        let reply = link.ask_soon("tracers", &asked, HEAP_WORDS).await?;
        let told = answer::list(Term::decode(&reply).map_err(answer::Problem::from)?)?;
        let told = told.first().and_then(Term::as_list).unwrap_or_default();
        for (what, told) in page.iter().zip(told) {
            let Some([_, _, taken, _]) = told.as_tuple() else { continue };
            for it in taken.as_list().unwrap_or_default() {
                let Some([function, arity, item, value]) = it.as_tuple() else { continue };
                if let Some(function) = function_of(what.module(), function, arity) {
                    let how = format!("{item} {value}").chars().take(200).collect();
                    found.push(ForeignFunction { function, how });
                }
            }
        }
    }
    Ok(found)
}
