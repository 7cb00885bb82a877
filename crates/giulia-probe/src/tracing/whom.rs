//! Flags on processes: which of them the VM tells of, and which are left alone.

use giulia_dist::{
    Error, ErrorKind,
    term::{Pid, Term},
};

use super::{Tracing, refusal, still_ours};
use crate::{
    Step, Steps, Undo,
    answer::{self, Bif, Problem, encoded_bytes},
    eval, gates,
    link::HEAP_WORDS,
};

/// On whom flags are set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "never all processes at once, before OTP 27")]
pub enum Whom<'a> {
    /// These.
    Pids(&'a [Pid]),
    /// Those that are spawned from now on.
    New,
    /// All that there are, in a session of our own; the keeper's among them send nothing that is
    /// not asked for by a pattern.
    Existing,
}

/// Whom flags were set on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Flagged {
    /// How many.
    pub processes: u64,
    /// And who was left alone.
    pub left_alone: Vec<LeftAlone>,
}

/// A process that is not traced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftAlone {
    /// Who.
    pub pid: Pid,
    /// Why.
    pub why: &'static str,
}

/// Why one is left alone that could be asked another time.
const TRACED: &str = "another tool traces it";

/// What may be asked for: all of the VM's but `all`, `cpu_timestamp` and tracers.
const FLAGS: [&str; 19] = [
    "arity",
    "call",
    "exiting",
    "garbage_collection",
    "monotonic_timestamp",
    "procs",
    "receive",
    "return_to",
    "running",
    "running_procs",
    "send",
    "set_on_first_link",
    "set_on_first_spawn",
    "set_on_link",
    "set_on_spawn",
    "silent",
    "strict_monotonic_timestamp",
    "timestamp",
    "ports",
];

/// Of one request to the custodian, whose form and names are 4 KB.
const PART_BYTES: usize = 40 << 10;

/// Some 5 us each on a quiet node; and signals on a busy one.
const PART_PIDS: usize = 500;

impl Tracing {
    /// Sets flags on processes; they go with the tracer.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Request`] for a flag that the VM does not know, for [`Whom::Existing`] without
    /// a session, for new processes that somebody else traces;
    /// [`ErrorKind::VersionUnsupported`] where a bug of the VM forbids it; those of a keeper.
    pub async fn flags(&self, whom: Whom<'_>, flags: &[&str]) -> Result<Flagged, Error> {
        self.permitted_flags(flags)?;
        match whom {
            Whom::Pids(pids) => self.flag_each(pids, flags).await,
            Whom::New => self.flag_new(flags).await,
            Whom::Existing => {
                let Some(session) = &self.session else {
                    let text = "existing processes are not traced all at once before OTP 27: other tools' would be among them; choose some";
                    return Err(Error::new(ErrorKind::Request, text));
                };
                self.permitted(gates::ALL_PROCESSES)?;
                let flags = Term::list(flags.iter().map(|it| Term::atom((*it).to_owned())));
                self.flag_all(session.clone(), "existing", flags).await
            }
        }
    }

    fn permitted_flags(&self, flags: &[&str]) -> Result<(), Error> {
        if let Some(unknown) = flags.iter().find(|it| !FLAGS.contains(it)) {
            let text = format!("`{unknown}` is no trace flag that giulia sets");
            return Err(Error::new(ErrorKind::Request, text));
        }
        let has = |names: &[&str]| flags.iter().any(|it| names.contains(it));
        if !self.link.accepts_vm_bug() {
            self.permitted(gates::TRACE_FLAGS)?;
            if has(&["running", "running_procs"]) {
                self.permitted(gates::RUNNING_FLAG)?;
            }
        }
        if has(&["return_to"]) && self.is_isolated() {
            self.permitted(gates::SESSION_SPECS)?;
        }
        Ok(())
    }

    async fn flag_each(&self, pids: &[Pid], flags: &[&str]) -> Result<Flagged, Error> {
        let mut flagged = Flagged::default();
        let one = pids.first().map_or(1, |it| encoded_bytes(&Term::Pid(it.clone())).max(1));
        for part in pids.chunks((PART_BYTES / one).clamp(1, PART_PIDS)) {
            let undo = Undo::None;
            let told = self.evaluate(eval::FLAGS, self.flagging(part, flags), undo).await?;
            flagged.add(&told)?;
        }
        Ok(flagged)
    }

    fn flagging(&self, pids: &[Pid], flags: &[&str]) -> Term<'static> {
        let atom = |it: &str| Term::atom(it.to_owned());
        let flags = flags.iter().map(|it| atom(it));
        let (call, before, flags, tracers) = if let Some(session) = &self.session {
            (["trace", "process"], vec![session.clone()], Term::list(flags), "shared")
        } else {
            let flags = Term::list(flags.chain([self.tracer()]));
            (["erlang", "trace"], Vec::new(), flags, "single")
        };
        let ours = [self.keeper.custodian(), self.keeper.sentinel(), &self.sink_pid];
        Term::tuple([
            Term::atom(call[0]),
            Term::atom(call[1]),
            Term::list(before),
            Term::list([Term::boolean(true), flags]),
            Term::atom(tracers),
            Term::Pid(self.sink_pid.clone()),
            Term::list(pids.iter().cloned().map(Term::Pid)),
            Term::list(ours.map(|it| Term::Pid(it.clone()))),
            Term::list(refusal::PROCESSES.map(Term::atom)),
        ])
    }

    async fn flag_new(&self, flags: &[&str]) -> Result<Flagged, Error> {
        let flags = flags.iter().map(|it| Term::atom((*it).to_owned()));
        if let Some(session) = &self.session {
            return self.flag_all(session.clone(), "new", Term::list(flags)).await;
        }
        let new = || Term::atom("new_processes");
        let asked = Bif::new("erlang", "trace_info", [new(), Term::atom("flags")]);
        let reply = self.link.ask_soon("tracing", &asked, HEAP_WORDS).await?;
        let told = Term::decode(&reply).map_err(Problem::from)?;
        if !told.as_tuple().is_some_and(|it| matches!(it, [_, Term::Nil])) {
            let text = format!("new processes are left alone: another tool traces them ({told})");
            return Err(Error::new(ErrorKind::Request, text));
        }
        let plain = Term::list(flags.clone());
        let args = vec![new(), Term::boolean(true), Term::list(flags.chain([self.tracer()]))];
        let ours = Term::list([Term::Pid(self.sink_pid.clone()), Term::Nil]);
        let back = Term::list([new(), Term::boolean(false), plain]);
        let steps = Steps {
            name: self.name.clone(),
            apply: vec![Step::new("erlang", "trace", args)],
            undo: Undo::Told(vec![still_ours(new(), ("tracer", ours), "trace", back)]),
        };
        self.keeper.extend(steps).await?;
        Ok(Flagged::default())
    }

    async fn flag_all(
        &self,
        session: Term<'static>,
        whom: &'static str,
        flags: Term<'static>,
    ) -> Result<Flagged, Error> {
        let args = vec![session, Term::atom(whom), Term::boolean(true), flags];
        let apply = vec![Step::new("trace", "process", args)];
        let steps = Steps { name: self.name.clone(), apply, undo: Undo::None };
        let told = self.keeper.extend(steps).await?;
        let processes = told.first().map_or(Ok(0), answer::uint)?;
        Ok(Flagged { processes, left_alone: Vec::new() })
    }

    fn tracer(&self) -> Term<'static> {
        Term::tuple([Term::atom("tracer"), Term::Pid(self.sink_pid.clone())])
    }
}

impl LeftAlone {
    /// Whether it is because of another tool.
    pub fn is_traced(&self) -> bool {
        self.why == TRACED
    }
}

impl Flagged {
    /// `{Count, [{Pid, never | traced | gone}]}`.
    fn add(&mut self, told: &Term<'_>) -> Result<(), Problem> {
        let Some([count, left]) = told.as_tuple() else { return Err(answer::unexpected(told)) };
        self.processes = self.processes.saturating_add(answer::uint(count)?);
        for it in left.as_list().unwrap_or_default() {
            let Some([Term::Pid(pid), why]) = it.as_tuple() else { continue };
            let why = match why.as_atom() {
                Some("never") => "the node, or giulia, could not go on if each message made more",
                Some("traced") => TRACED,
                _ => "it is gone, or the sample was whole before its turn",
            };
            self.left_alone.push(LeftAlone { pid: pid.clone(), why });
        }
        Ok(())
    }
}
