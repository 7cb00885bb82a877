//! What can be switched on, as steps to make and to undo, and where it may be.

use giulia_dist::{Error, ErrorKind, Peer, term::Term};

use crate::{
    ErtsVersion,
    answer::{self, Problem},
    gates,
};

/// Something to switch on.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Setting {
    /// What tells how busy schedulers are; the VM counts who wants it, and forgets the custodian
    /// when it ends. 1-2 % of scheduler time while it is on, by OTP's own account.
    SchedulerWallTime,
    /// What the VM finds remarkable, told to the sink in a trace session of our own. OTP 28.
    SystemEvents(SystemEventLimits),
    /// Any calls with those that undo them: what tracing is made of.
    Steps(Steps),
}

/// From where on the VM tells of something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "whoever arms chooses all of them")]
pub struct SystemEventLimits {
    /// A garbage collection of this many milliseconds.
    pub long_gc_ms: u64,
    /// A process or port that ran for this many milliseconds without being interrupted.
    pub long_schedule_ms: u64,
    /// A heap of this many words after a collection.
    pub large_heap_words: u64,
    /// A mailbox that grew to so many messages; it tells again after it has shrunk to a tenth.
    pub mailbox_len: u64,
}

/// A named list of calls, and what undoes them.
#[derive(Debug, Clone, PartialEq)]
pub struct Steps {
    /// Under which it appears in the manifest; one of a name at a time.
    pub name: String,
    /// Called in this order.
    pub apply: Vec<Step>,
    /// How they are undone.
    pub undo: Undo,
}

/// One call.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// The module.
    pub module: String,
    /// The function.
    pub function: String,
    /// Its arguments; atoms among them must exist on the target.
    pub args: Vec<Term<'static>>,
}

/// How steps are undone. Undoing twice, or what was never made, must do no harm.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Undo {
    /// With something else that is undone.
    None,
    /// By these calls, last one first, from any process; the sentinel knows them before.
    Told(Vec<Step>),
    /// By these calls from the custodian alone; when it is killed, the VM does it.
    Own(Vec<Step>),
    /// By this function with the results of the steps as arguments, as [`Undo::Own`].
    OwnResult(&'static str, &'static str),
}

/// Steps with their undoing that travel in one message: giulia sends at most 64 KiB, and the
/// message has some hundred bytes beside them.
const PART_BYTES_MAX: usize = 48 << 10;

/// Of what the node raised, as for calls.
const REASON_CHARS_MAX: usize = 400;

impl Default for SystemEventLimits {
    /// 100 ms, which a user feels; 128 MB; 10,000 messages, above what a server catches up with in
    /// a blink. Ours: OTP has no defaults, and nobody has published figures.
    fn default() -> Self {
        Self {
            long_gc_ms: 100,
            long_schedule_ms: 100,
            large_heap_words: 16_000_000,
            mailbox_len: 10_000,
        }
    }
}

impl Setting {
    /// As it appears in the manifest.
    pub fn name(&self) -> &str {
        match self {
            Self::SchedulerWallTime => "scheduler wall time",
            Self::SystemEvents(_) => gates::SYSTEM_EVENTS,
            Self::Steps(steps) => &steps.name,
        }
    }

    /// Whether this ERTS has it.
    pub(super) fn permitted(&self, erts: &ErtsVersion) -> Result<(), Error> {
        if let (Self::SystemEvents(_), Some(why)) = (self, gates::off(erts, gates::SYSTEM_EVENTS)) {
            return Err(Error::new(
                ErrorKind::VersionUnsupported,
                format!("no system events from this node (ERTS {erts}): {why}"),
            ));
        }
        Ok(())
    }

    /// Its steps in messages that are not too long.
    pub(super) fn parts(self) -> Vec<Steps> {
        match self {
            Self::SchedulerWallTime => {
                let flag = |on| {
                    let args = vec![Term::atom("scheduler_wall_time"), Term::boolean(on)];
                    vec![Step::new("erlang", "system_flag", args)]
                };
                let name = "scheduler wall time".to_owned();
                vec![Steps { name, apply: flag(true), undo: Undo::Own(flag(false)) }]
            }
            Self::Steps(steps) => steps.parts(),
            Self::SystemEvents(_) => Vec::new(),
        }
    }
}

impl Step {
    /// `module:function(args...)`.
    pub fn new(module: &str, function: &str, args: Vec<Term<'static>>) -> Self {
        Self { module: module.to_owned(), function: function.to_owned(), args }
    }

    pub(crate) fn bytes(&self) -> usize {
        // What cannot be encoded is refused when it is sent.
        answer::encoded_bytes(&self.term())
    }

    pub(crate) fn term(&self) -> Term<'static> {
        Term::tuple([
            Term::atom(self.module.clone()),
            Term::atom(self.function.clone()),
            Term::list(self.args.iter().cloned()),
        ])
    }
}

impl Steps {
    /// A step and its undoing stay together; without one of each it stays one message.
    fn parts(self) -> Vec<Self> {
        let Undo::Told(undo) = self.undo else { return vec![self] };
        if self.apply.len() != undo.len() {
            return vec![Self { undo: Undo::Told(undo), ..self }];
        }
        let mut parts = Vec::new();
        let (mut applies, mut undoes, mut bytes) = (Vec::new(), Vec::new(), 0);
        for (apply, back) in self.apply.into_iter().zip(undo) {
            let both = apply.bytes() + back.bytes();
            if bytes + both > PART_BYTES_MAX && !applies.is_empty() {
                parts.push((std::mem::take(&mut applies), std::mem::take(&mut undoes)));
                bytes = 0;
            }
            bytes += both;
            applies.push(apply);
            undoes.push(back);
        }
        parts.push((applies, undoes));
        let name = self.name;
        let part = |(apply, undo)| Self { name: name.clone(), apply, undo: Undo::Told(undo) };
        parts.into_iter().map(part).collect()
    }

    /// Whether a trace session begins with it.
    pub(super) fn makes_session(&self) -> bool {
        matches!(self.undo, Undo::OwnResult("trace", "session_destroy"))
    }

    pub(super) fn apply_term(&self) -> Term<'static> {
        Term::list(self.apply.iter().map(Step::term))
    }

    pub(super) fn undo_term(&self) -> Term<'static> {
        let steps = |steps: &[Step]| Term::list(steps.iter().map(Step::term));
        match &self.undo {
            Undo::None => Term::atom("none"),
            Undo::Told(it) => Term::tuple([Term::atom("told"), steps(it)]),
            Undo::Own(it) => Term::tuple([Term::atom("own"), steps(it)]),
            Undo::OwnResult(module, function) => {
                Term::tuple([Term::atom("own"), Term::atom(*module), Term::atom(*function)])
            }
        }
    }
}

impl SystemEventLimits {
    /// What the session tells of; it all ends with the session.
    pub(super) fn part(&self, session: &Term<'static>) -> Steps {
        let mailbox = [self.mailbox_len / 10, self.mailbox_len].map(Term::uint);
        let limits = [
            ("long_gc", Term::uint(self.long_gc_ms)),
            ("long_schedule", Term::uint(self.long_schedule_ms)),
            ("large_heap", Term::uint(self.large_heap_words)),
            ("long_message_queue", Term::tuple(mailbox)),
            ("busy_port", Term::boolean(true)),
            ("busy_dist_port", Term::boolean(true)),
        ];
        let steps = limits.map(|(event, limit)| {
            Step::new("trace", "system", vec![session.clone(), Term::atom(event), limit])
        });
        let name = gates::SYSTEM_EVENTS.to_owned();
        Steps { name, apply: steps.to_vec(), undo: Undo::None }
    }
}

/// A trace session with a tracer. Its handle lives in the custodian: with it goes the session.
pub(crate) fn session(tracer: &Term<'static>) -> Steps {
    let args = vec![Term::atom("giulia"), tracer.clone(), Term::Nil];
    let create = Step::new("trace", "session_create", args);
    Steps {
        name: "trace session".to_owned(),
        apply: vec![create],
        undo: Undo::OwnResult("trace", "session_destroy"),
    }
}

/// What the steps returned, or what one of them raised.
pub(super) fn results(bytes: &[u8], name: &str, peer: &Peer) -> Result<Vec<Term<'static>>, Error> {
    let term = Term::decode(bytes).map_err(Problem::from)?;
    match term.as_tuple() {
        Some([ok, results]) if ok.is_atom("ok") => {
            let results = answer::list(results.clone())?;
            Ok(results.into_iter().map(Term::into_owned).collect())
        }
        Some([class, reason]) => {
            let reason: String = reason.to_string().chars().take(REASON_CHARS_MAX).collect();
            let text = format!("{} refused {name}: {class}: {reason}", peer.name);
            Err(Error::new(ErrorKind::Raised, text))
        }
        _ => Err(answer::unexpected(&term).into()),
    }
}

/// `{ok, [{Id, ok | {Class, Reason}}]}`.
pub(super) fn undone(bytes: &[u8]) -> Result<(), Error> {
    let term = Term::decode(bytes).map_err(Problem::from)?;
    let Some([_, parts]) = term.as_tuple() else { return Err(answer::unexpected(&term).into()) };
    for part in parts.as_list().unwrap_or_default() {
        match part.as_tuple() {
            Some([_, result]) if result.is_atom("ok") => {}
            _ => {
                let shown: String = part.to_string().chars().take(REASON_CHARS_MAX).collect();
                return Err(Error::new(ErrorKind::Raised, format!("could not undo: {shown}")));
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn steps(n_apply: usize, n_undo: usize, name_len: usize) -> Vec<Steps> {
        let step = |number: usize| Step::new(&format!("{number:0name_len$}"), "f", vec![]);
        let undo = Undo::Told((0..n_undo).map(step).collect());
        let apply = (0..n_apply).map(step).collect();
        Setting::Steps(Steps { name: "many".to_owned(), apply, undo }).parts()
    }

    #[test]
    fn long_lists_are_split_by_their_bytes() {
        for (count, name_len, n_parts) in [(1, 10, 1), (900, 10, 1), (900, 200, 8)] {
            let parts = steps(count, count, name_len);
            assert_eq!(parts.len(), n_parts, "{count} names of {name_len}");
            let all: Vec<_> = parts.iter().flat_map(|it| it.apply.clone()).collect();
            assert_eq!(all.len(), count);
            for (idx, part) in parts.iter().enumerate() {
                let Undo::Told(undo) = &part.undo else { panic!("{part:?}") };
                assert_eq!(*undo, part.apply, "part {idx}");
            }
        }
    }

    #[test]
    fn what_does_not_go_together_is_not_split() {
        let parts = steps(900, 1, 200);
        assert_eq!((parts.len(), parts[0].apply.len()), (1, 900));
    }

    #[test]
    fn system_events_begin_with_otp_28() {
        let permitted = |erts: &str| {
            let events = Setting::SystemEvents(SystemEventLimits::default());
            events.permitted(&erts.parse().unwrap()).is_ok()
        };
        assert!(!permitted("15.2.7") && permitted("16.0") && permitted("17.1"));
        let flag = Setting::SchedulerWallTime;
        assert!(flag.permitted(&"11.1.8".parse().unwrap()).is_ok());
    }
}
